//! How long things take: counted by classes of duration, so that quantiles can be estimated over any span of time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of what GSTN takes, in microseconds.
pub(crate) const OF_GSTN: &[u64] = &[
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
];

/// The upper bounds of what we take, in microseconds. A slow ASP counts with us.
pub(crate) const OURS: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000, 30_000_000,
];

/// Durations counted by class.
pub(crate) struct Histogram {
    /// In microseconds, each its class's longest duration.
    bounds: &'static [u64],
    /// One more than bounds: the last has no longest.
    classes: Vec<AtomicU64>,
    /// In microseconds.
    sum: AtomicU64,
}

/// What a histogram, or several of the same bounds, had counted at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Counted {
    /// The longest duration of each class, in seconds, and how many fell into it.
    pub(crate) classes: Vec<(f64, u64)>,
    /// In seconds.
    pub(crate) sum: f64,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [u64]) -> Self {
        let classes = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, classes, sum: AtomicU64::new(0) }
    }

    pub(crate) fn observe(&self, duration: Duration) {
        let micros = u64::try_from((duration.as_nanos() + 500) / 1000).unwrap_or(u64::MAX);
        let class = self.bounds.partition_point(|bound| *bound < micros);
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted so far.
    fn counted(&self) -> Counted {
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / 1e6).chain([f64::INFINITY]);
        let counts = self.classes.iter().map(|class| class.load(Ordering::Relaxed));
        Counted { classes: bounds.zip(counts).collect(), sum: self.sum.load(Ordering::Relaxed) as f64 / 1e6 }
    }

    /// What several of the same bounds counted together; none where that is nothing.
    pub(super) fn together<'h>(histograms: impl Iterator<Item = &'h Self>) -> Option<Counted> {
        let together = histograms.map(Self::counted).reduce(|mut all, one| {
            for (class, (_, count)) in all.classes.iter_mut().zip(one.classes) {
                class.1 += count;
            }
            all.sum += one.sum;
            all
        })?;
        (together.count() > 0).then_some(together)
    }
}

impl Counted {
    pub(crate) fn count(&self) -> u64 {
        self.classes.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_class_that_it_does_not_exceed() {
        let of = |micros: &[u64]| {
            let histogram = Histogram::new(OURS);
            micros.iter().for_each(|micros| histogram.observe(Duration::from_micros(*micros)));
            histogram
        };
        let (one, other) = (of(&[100, 101]), of(&[0, 40_000_000]));
        let counted = Histogram::together([&one, &other].into_iter()).unwrap();
        assert_eq!(counted.classes[0], (0.0001, 2));
        assert_eq!(counted.classes[1], (0.00025, 1));
        assert_eq!(counted.classes[OURS.len()], (f64::INFINITY, 1));
        assert_eq!(counted.count(), 4);
        assert!((counted.sum - 40.000_201).abs() < 1e-9, "{}", counted.sum);
        assert_eq!(Histogram::together([&of(&[])].into_iter()), None);
    }

    #[test]
    fn bounds_rise() {
        for bounds in [OURS, OF_GSTN] {
            assert!(bounds.is_sorted_by(|a, b| a < b));
        }
    }
}
