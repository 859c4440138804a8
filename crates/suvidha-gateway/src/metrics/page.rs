//! Writes families of metrics in the form of OpenMetrics.

use std::fmt::Result;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::histogram::Counted;

/// A scrape being written.
pub(super) struct Page<'e>(pub(super) DescriptorEncoder<'e>);

/// Name, words and unit of a family; the unit becomes the end of its name.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) unit: Option<Unit>,
}

/// A family without a unit.
pub(super) const fn family(name: &'static str, help: &'static str) -> Family {
    Family { name, help, unit: None }
}

/// A family of durations or instants, in seconds.
pub(super) const fn seconds(name: &'static str, help: &'static str) -> Family {
    Family { name, help, unit: Some(Unit::Seconds) }
}

/// A family of sizes.
pub(super) const fn bytes(name: &'static str, help: &'static str) -> Family {
    Family { name, help, unit: Some(Unit::Bytes) }
}

impl Page<'_> {
    /// What only ever grows. A family without rows is left out.
    pub(super) fn counters<L: EncodeLabelSet>(
        &mut self,
        family: &Family,
        rows: impl IntoIterator<Item = (L, u64)>,
    ) -> Result {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let Family { name, help, unit } = family;
        let mut encoder = self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
        for (labels, count) in rows {
            encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }

    /// One thing that only ever grows.
    pub(super) fn counter(&mut self, family: &Family, count: u64) -> Result {
        let Family { name, help, unit } = family;
        let mut encoder = self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
        encoder.encode_counter::<NoLabelSet, _, u64>(&count, None)
    }

    /// What rises and falls. A family without rows is left out.
    pub(super) fn gauges<L: EncodeLabelSet>(
        &mut self,
        family: &Family,
        rows: impl IntoIterator<Item = (L, f64)>,
    ) -> Result {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let Family { name, help, unit } = family;
        let mut encoder = self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        for (labels, value) in rows {
            encoder.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// One thing that rises and falls.
    pub(super) fn gauge(&mut self, family: &Family, value: f64) -> Result {
        let Family { name, help, unit } = family;
        self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?.encode_gauge(&value)
    }

    /// Durations. A family without rows is left out.
    pub(super) fn histograms<L: EncodeLabelSet>(
        &mut self,
        family: &Family,
        rows: impl IntoIterator<Item = (L, Counted)>,
    ) -> Result {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let Family { name, help, unit } = family;
        let mut encoder = self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Histogram)?;
        for (labels, counted) in rows {
            let count = counted.count();
            encoder.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                counted.sum,
                count,
                &counted.classes,
                None,
            )?;
        }
        Ok(())
    }

    /// What does not change while the process lives.
    pub(super) fn info(&mut self, family: &Family, labels: &impl EncodeLabelSet) -> Result {
        let Family { name, help, unit } = family;
        self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Info)?.encode_info(labels)
    }
}
