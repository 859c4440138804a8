//! One scrape: the sums of what was counted, and how everything stands now.

mod admission;
mod ledgers;

use std::fmt::{Debug, Formatter, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gstn::Environment;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use suvidha_store::AspStatus;

use super::classic;
use super::histogram::{Counted, Histogram};
use super::labels::{ApiLabel, CodeLabel, FAMILIES, ORIGINS, OUTCOMES, PLANS, STATUSES};
use super::page::{Page, bytes, family, seconds};
use super::{Metrics, Tally, place_of_call, place_of_error};
use crate::gateway::House;
use crate::plane::Door;

/// Goes before every name.
const PREFIX: &str = "suvidha";

/// A credential that expires within this time is counted as expiring.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A text form of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The older one of Prometheus, 0.0.4.
    Classic,
}

impl Exposition {
    /// As HTTP names it.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Everything, as text; with the lines that the log has dropped, where that is known.
pub(crate) fn text(house: &Arc<House>, lost_lines: Option<&Arc<AtomicU64>>, form: Exposition) -> String {
    let mut registry = Registry::with_prefix(PREFIX);
    let scrape = Scrape { house: Arc::clone(house), lost_lines: lost_lines.cloned() };
    registry.register_collector(Box::new(scrape));
    let mut text = String::with_capacity(64 * 1024);
    // Writing to a String cannot fail.
    let _ = encode(&mut text, &registry);
    match form {
        Exposition::OpenMetrics => text,
        Exposition::Classic => classic::from_openmetrics(&text),
    }
}

struct Scrape {
    house: Arc<House>,
    lost_lines: Option<Arc<AtomicU64>>,
}

impl Debug for Scrape {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result {
        let (mut page, house) = (Page(encoder), &*self.house);
        process(&mut page, house)?;
        calls(&mut page, house)?;
        durations(&mut page, house)?;
        connections(&mut page, house)?;
        expiries(&mut page, house)?;
        credentials(&mut page, house)?;
        admission::admission(&mut page, house)?;
        ledgers::ledgers(&mut page, house)?;
        log(&mut page, self.lost_lines.as_deref())?;
        traces(&mut page, house)
    }
}

fn process(page: &mut Page<'_>, house: &House) -> Result {
    let plane = &house.plane;
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    page.info(&family("build", "What is running"), &version)?;
    let started = plane.metrics.started;
    page.gauge(&seconds("start_time", "When the gateway was started, since 1970"), instant(started))?;
    let draining = if plane.is_draining() { 1.0 } else { 0.0 };
    page.gauge(&family("draining", "1 while the gateway comes to rest, else 0"), draining)?;
    let under_way = plane.calls.load(Ordering::Relaxed) as f64;
    page.gauge(&family("calls_in_flight", "Calls not yet settled"), under_way)
}

fn calls(page: &mut Page<'_>, house: &House) -> Result {
    let metrics = &house.plane.metrics;
    page.counters(
        &family("calls", "Calls that are over, by API, class of HTTP status and outcome"),
        environments(house).flat_map(|environment| calls_of(metrics, environment)),
    )?;
    page.counters(
        &family("errors", "Calls that ended in an error, by where it lies and by its code"),
        environments(house).flat_map(|environment| errors_of(metrics, environment)),
    )?;
    let passed = |environment: Environment| {
        let of =
            |direction, count| ([("environment", environment.as_str()), ("direction", direction)], count);
        [
            of("in", metrics.sum(environment, |tally| &tally.bytes_in)),
            of("out", metrics.sum(environment, |tally| &tally.bytes_out)),
        ]
    };
    page.counters(
        &bytes("asp", "Bytes of bodies: in from ASPs, out to them"),
        environments(house).flat_map(passed),
    )?;
    let charged = |environment: Environment| {
        PLANS.map(|plan| {
            let labels = [("environment", environment.as_str()), ("plan", plan.as_str())];
            (labels, metrics.sum(environment, |tally| &tally.units[plan as usize]))
        })
    };
    page.counters(
        &family("charged_units", "Units charged, by the plan of the ASP"),
        environments(house).flat_map(charged),
    )
}

type CallLabels = [(&'static str, &'static str); 5];

fn calls_of(metrics: &Metrics, environment: Environment) -> impl Iterator<Item = (CallLabels, u64)> {
    let of = move |api: ApiLabel, status: usize, outcome: usize| {
        let count =
            metrics.sum(environment, |tally| &tally.calls[place_of_call(api.place(), status, outcome)]);
        let labels = [
            ("environment", environment.as_str()),
            ("family", FAMILIES[api.family()]),
            ("api", api.name()),
            ("status", STATUSES[status]),
            ("outcome", OUTCOMES[outcome].as_str()),
        ];
        (labels, count)
    };
    let classes =
        (0..STATUSES.len()).flat_map(|status| (0..OUTCOMES.len()).map(move |outcome| (status, outcome)));
    ApiLabel::all()
        .flat_map(move |api| classes.clone().map(move |(status, outcome)| of(api, status, outcome)))
        .filter(|(_, count)| *count > 0)
}

fn errors_of(
    metrics: &Metrics,
    environment: Environment,
) -> impl Iterator<Item = ([(&'static str, &'static str); 3], u64)> {
    let of = move |origin: usize, code: CodeLabel| {
        let count = metrics.sum(environment, |tally| &tally.errors[place_of_error(origin, code.place())]);
        let labels = [
            ("environment", environment.as_str()),
            ("origin", ORIGINS[origin].as_str()),
            ("code", code.name()),
        ];
        (labels, count)
    };
    (0..ORIGINS.len())
        .flat_map(move |origin| CodeLabel::all().map(move |code| of(origin, code)))
        .filter(|(_, count)| *count > 0)
}

fn durations(page: &mut Page<'_>, house: &House) -> Result {
    let metrics = &house.plane.metrics;
    let mut of = |name, help, of_tally: fn(&Tally) -> &[Histogram]| {
        let rows = environments(house)
            .flat_map(|environment| (0..FAMILIES.len()).map(move |family| (environment, family)))
            .filter_map(|(environment, family)| row(metrics, environment, family, of_tally));
        page.histograms(&seconds(name, help), rows)
    };
    of("call", "How long calls took, from the request's first byte to their settlement", |tally| {
        &tally.total
    })?;
    of("call_gstn", "How long of it they spent at GSTN, with the way there and back", |tally| &tally.gstn)?;
    of("call_own", "The rest of it: spent in the gateway, or waiting for the ASP", |tally| &tally.own)
}

fn row(
    metrics: &Metrics,
    environment: Environment,
    family: usize,
    of_tally: fn(&Tally) -> &[Histogram],
) -> Option<([(&'static str, &'static str); 2], Counted)> {
    let tallies = metrics.shards.iter().map(|shard| &shard.0[environment as usize]);
    let counted = Histogram::together(tallies.map(|tally| &of_tally(tally)[family]))?;
    Some(([("environment", environment.as_str()), ("family", FAMILIES[family])], counted))
}

fn connections(page: &mut Page<'_>, house: &House) -> Result {
    let of_asps = |door: &Arc<Door>| {
        ([("environment", door.environment.as_str())], door.connections.load(Ordering::Relaxed) as f64)
    };
    page.gauges(
        &family("asp_connections", "Connections of ASPs that are open"),
        house.doors.iter().map(of_asps),
    )?;
    let of_gstn = |door: &Arc<Door>| {
        let site = door.site.load();
        let (open, idle) = site.upstream.as_ref()?.connections();
        let of = |state, count: usize| {
            ([("environment", door.environment.as_str()), ("state", state)], count as f64)
        };
        Some([of("busy", open.saturating_sub(idle)), of("idle", idle)])
    };
    page.gauges(
        &family("upstream_connections", "Connections to GSTN: those of a call, and those kept for the next"),
        house.doors.iter().filter_map(of_gstn).flatten(),
    )
}

fn expiries(page: &mut Page<'_>, house: &House) -> Result {
    let now = house.plane.seam.now();
    let snapshot = house.plane.snapshot.load();
    let of_one = |door: &Arc<Door>| {
        let site = door.site.load();
        let environment = door.environment;
        let gstn = site.gstn_certificate.as_ref();
        let gstn = gstn.and_then(|certificate| Timestamp::from_second(certificate.not_after()).ok());
        // Until an ASP must have registered another: the end of the last of its certificates.
        let of_asp = snapshot
            .asps()
            .filter(|asp| asp.status == AspStatus::Active)
            .filter_map(|asp| last_day(&asp.getkey(environment).certificates, now))
            .min();
        let of = |certificate, at: Timestamp| {
            ([("environment", environment.as_str()), ("certificate", certificate)], instant(at))
        };
        let all = [("tls", site.tls_expires_at), ("gstn", gstn), ("asp", of_asp)];
        all.into_iter().filter_map(|(name, at)| Some(of(name, at?))).collect::<Vec<_>>()
    };
    page.gauges(
        &seconds(
            "certificate_expiry",
            "When a certificate expires, since 1970: ours for TLS, GSTN's public one, the first ASP's to be left without",
        ),
        house.doors.iter().flat_map(of_one),
    )
}

/// When the last certificate expires that an ASP can sign with; none while one never does, or where there is none.
fn last_day(certificates: &[suvidha_store::CertificateEntry], now: Timestamp) -> Option<Timestamp> {
    let live = || certificates.iter().filter(|one| one.state(now) == suvidha_store::CertificateState::Live);
    let ends = live().map(|one| one.not_after.into_iter().chain(one.until).min());
    ends.collect::<Option<Vec<_>>>()?.into_iter().max()
}

fn credentials(page: &mut Page<'_>, house: &House) -> Result {
    let now = house.plane.seam.now();
    let snapshot = house.plane.snapshot.load();
    let of_one = |environment: Environment| {
        let mut counts = [[0_u32; 3]; 2];
        for (is_token, expires_at) in snapshot.unrevoked_credentials(environment) {
            let state = match expires_at {
                Some(at) if at <= now => 2,
                Some(at) if at.duration_since(now) < SOON => 1,
                _ => 0,
            };
            counts[usize::from(is_token)][state] += 1;
        }
        let kinds = ["client_credentials", "token"].into_iter().zip(counts);
        kinds.flat_map(move |(kind, counts)| {
            let states = ["live", "expiring", "expired"].into_iter().zip(counts);
            states.map(move |(state, count)| {
                let labels = [("environment", environment.as_str()), ("kind", kind), ("state", state)];
                (labels, f64::from(count))
            })
        })
    };
    page.gauges(
        &family(
            "credentials",
            "Credentials that were not revoked; those that expire within 30 days are expiring",
        ),
        environments(house).flat_map(of_one),
    )
}

fn log(page: &mut Page<'_>, lost_lines: Option<&AtomicU64>) -> Result {
    let Some(lost) = lost_lines else { return Ok(()) };
    let dropped = family(
        "log_lines_dropped",
        "Lines of the log that were dropped, because standard error did not take them",
    );
    page.counter(&dropped, lost.load(Ordering::Relaxed))
}

fn traces(page: &mut Page<'_>, house: &House) -> Result {
    let tallies = house.plane.tracer.iter().flat_map(|tracer| {
        let of = |result, count: &AtomicU64| ([("result", result)], count.load(Ordering::Relaxed));
        [of("exported", &tracer.tally.exported), of("dropped", &tracer.tally.dropped)]
    });
    page.counters(
        &family(
            "trace_spans",
            "Spans of traced calls: those that the collector took, and those that it did not get",
        ),
        tallies,
    )
}

fn environments(house: &House) -> impl Iterator<Item = Environment> {
    house.doors.iter().map(|door| door.environment)
}

/// Seconds since 1970.
fn instant(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
