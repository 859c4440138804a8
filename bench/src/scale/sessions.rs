//! Ten thousand ASPs with a million live sessions, each of which has called; and then the soak, with all of them there.
//!
//! Sessions are derived and not stored, so a session that nobody uses costs nothing. Each of these is used: one call, which must be
//! answered with 200, brings it to the gateway's memory. They are made with the registry's master key, as GetKey makes
//! them: to sign a GetKey call for each would take the load five minutes, and it is the gateway that is measured.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Found;
use super::options::Options;
use crate::asps::{Asp, Asps, Identity};
use crate::contest::call::Api;
use crate::contest::contestant::{Contestant, Running, STRICT};
use crate::contest::field::Field;
use crate::contest::start::Scene;
use crate::gateway::Gateway;
use crate::getkey::gstn_call;
use crate::load::Load;
use crate::targets::{Good, Target};
use crate::{Failure, progress};

const CONNECTIONS: usize = 64;
/// Sessions that are made and called at a time.
const BATCH: usize = 20_000;
/// Sessions that go on calling in the soak.
const SOAKED: usize = 100_000;
/// How often the load looks at the clock.
const TICK: Duration = Duration::from_millis(50);
/// How often memory is looked at in the soak.
const LOOKS: u32 = 120;

pub(super) fn measure(options: &Options, field: &Field) -> Result<Found, Failure> {
    let (asps, sessions) = if options.quick { (100, 2 * BATCH) } else { (10_000, 1_000_000) };
    let asps = Asps::make(asps)?;
    let session = asps.sessions(1)?.remove(0);
    let scene = Scene {
        field,
        upstream: field.plain,
        tls: false,
        connections: CONNECTIONS,
        asps: &asps,
        stranger: &asps.all[0],
        sessions: std::slice::from_ref(&session),
        stranger_session: &session,
        api: Api::Small,
        cores: None,
        threads: 0,
    };
    let contestant = scene.start(STRICT)?;
    let Contestant { running: Running::Gateway(gateway), .. } = &contestant else {
        return Err("the gateway is no gateway".into());
    };
    let crowd = Sessions::call(gateway, &asps, sessions)?;
    let soak = Soak::run(gateway, &asps, &crowd, options.soak)?;
    told(&crowd, &soak)
}

/// What many sessions take.
struct Sessions {
    asps: usize,
    number: usize,
    seconds: f64,
    /// Resident, in KiB: when every ASP has called once; when every session has, and the most until then.
    idle: u64,
    after: u64,
    peak: u64,
    /// Calls in a second of the last batch.
    per_second: f64,
    /// Some of them, to call again.
    kept: Vec<Identity>,
}

impl Sessions {
    /// Makes so many sessions and calls once with each.
    fn call(gateway: &Gateway, asps: &Asps, number: usize) -> Result<Self, Failure> {
        let mut load = Load::connect(gateway.address, CONNECTIONS)?;
        let tokens: Vec<_> = asps.all.iter().map(Asp::by_token).collect();
        call(&mut load, &tokens)?;
        let idle = gateway.resident_kib("VmRSS")?;
        gateway.forget_peak()?;
        let begun = Instant::now();
        let (mut kept, mut per_second) = (Vec::new(), 0.0);
        for batch in 1..=number / BATCH {
            let sessions = asps.sessions(BATCH)?;
            let begun = Instant::now();
            call(&mut load, &sessions)?;
            per_second = BATCH as f64 / begun.elapsed().as_secs_f64();
            if kept.len() < SOAKED {
                kept.extend(sessions);
            }
            gateway.forget_log()?;
            if batch % 10 == 0 {
                progress(&format!("sessions: {} of {number} have called", batch * BATCH));
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        let (after, peak) = (gateway.resident_kib("VmRSS")?, gateway.resident_kib("VmHWM")?);
        // The first of them were called longest ago, and are as live as ever.
        call(&mut load, &kept[..1000])?;
        Ok(Self { asps: asps.all.len(), number, seconds, idle, after, peak, per_second, kept })
    }
}

fn call(load: &mut Load, callers: &[Identity]) -> Result<(), Failure> {
    let requests = callers.iter().map(|identity| gstn_call(identity)).collect::<Result<_, _>>()?;
    load.run(requests, &[200])?;
    Ok(())
}

/// What minutes of load do to memory.
struct Soak {
    /// Calls in a second, as wanted and as done.
    rate: f64,
    done: f64,
    /// Seconds since its begin, and KiB resident then.
    samples: Vec<(f64, f64)>,
}

impl Soak {
    /// Half of what the gateway and the load could do together, from sessions and tokens in turn.
    fn run(gateway: &Gateway, asps: &Asps, crowd: &Sessions, length: Duration) -> Result<Self, Failure> {
        let rate = (crowd.per_second / 2.0).round();
        let callers: Vec<_> = crowd.kept.iter().cloned().chain(asps.all.iter().map(Asp::by_token)).collect();
        let begun = Instant::now();
        let (address, end) = (gateway.address, begun + length);
        progress(&format!("soak: {rate} calls a second for {} s", length.as_secs()));
        let (samples, calls) = thread::scope(|scope| {
            let calling = scope
                .spawn(|| keep_calling(address, &callers, rate, end).map_err(|failure| failure.to_string()));
            let mut samples = Vec::new();
            while Instant::now() + length / LOOKS < end && !calling.is_finished() {
                thread::sleep(length / LOOKS);
                gateway.forget_log()?;
                samples.push((begun.elapsed().as_secs_f64(), gateway.resident_kib("VmRSS")? as f64));
            }
            let calls = calling.join().map_err(|_| "whoever called panicked")??;
            Ok::<_, Failure>((samples, calls))
        })?;
        Ok(Self { rate, done: calls as f64 / begun.elapsed().as_secs_f64(), samples })
    }

    /// The samples after the first fifth, in which caches fill.
    fn settled(&self) -> &[(f64, f64)] {
        &self.samples[self.samples.len() / 5..]
    }
}

/// Calls so many times a second until `end`, and says how often it did.
fn keep_calling(
    address: SocketAddr,
    callers: &[Identity],
    rate: f64,
    end: Instant,
) -> Result<usize, Failure> {
    let mut load = Load::connect(address, CONNECTIONS)?;
    let mut callers = callers.iter().cycle();
    let begun = Instant::now();
    let mut done = 0;
    while Instant::now() < end {
        let due = (begun.elapsed() + TICK).as_secs_f64() * rate;
        let batch: Vec<_> = callers.by_ref().take(due as usize - done).cloned().collect();
        call(&mut load, &batch)?;
        done += batch.len();
        let ahead = Duration::from_secs_f64(done as f64 / rate).saturating_sub(begun.elapsed());
        thread::sleep(ahead);
    }
    Ok(done)
}

/// By how much a line through the samples rises in a minute (least squares).
fn slope(samples: &[(f64, f64)]) -> f64 {
    let number = samples.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / number;
    let (seconds, kib) = (mean(|sample| sample.0), mean(|sample| sample.1));
    let along: f64 = samples.iter().map(|sample| (sample.0 - seconds) * (sample.1 - kib)).sum();
    let across: f64 = samples.iter().map(|sample| (sample.0 - seconds).powi(2)).sum();
    60.0 * along / across
}

fn told(crowd: &Sessions, soak: &Soak) -> Result<Found, Failure> {
    let mib = |kib: f64| kib / 1024.0;
    let Sessions { asps, number, seconds, idle, after, peak, .. } = crowd;
    let mut report = "### Many ASPs and sessions\n\n".to_owned();
    writeln!(
        report,
        "One thread per core, ledger strict. {asps} ASPs, each called once by token: {:.1} MiB resident. Then {number} sessions, each \
         called once, in {seconds:.0} s: {:.1} MiB after the last, {:.1} at the most. The first thousand of them called again and \
         were answered.",
        mib(*idle as f64),
        mib(*after as f64),
        mib(*peak as f64)
    )?;
    let settled = soak.settled();
    let rise = slope(settled);
    let kib = || settled.iter().map(|sample| sample.1);
    let (least, most) = (kib().fold(f64::INFINITY, f64::min), kib().fold(0.0, f64::max));
    let seconds = soak.samples.last().map_or(0.0, |sample| sample.0);
    writeln!(
        report,
        "\n### Soak\n\nWith all of them there, {:.0} calls a second were wanted and {:.0} made for {seconds:.0} s, by {} sessions and the \
         ASPs' tokens in turn, all answered with 200. Resident after the first fifth: {:.1} to {:.1} MiB; slope {rise:+.1} KiB a minute.",
        soak.rate,
        soak.done,
        crowd.kept.len(),
        mib(least),
        mib(most)
    )?;
    let raw = json!({
        "part": "sessions",
        "asps": asps,
        "sessions": number,
        "resident_kib_asps": idle,
        "resident_kib_sessions": after,
        "resident_kib_peak": peak,
        "soak": {
            "calls_per_second_wanted": soak.rate,
            "calls_per_second": soak.done,
            "seconds_and_resident_kib": soak.samples,
            "slope_kib_per_minute": rise,
        },
    });
    let target = Target {
        what: "10,000 ASPs and 1,000,000 live sessions: resident, MiB",
        value: Some(mib(*after as f64)),
        good: Good::Less,
        reach: Some(96.0),
        then: Some(64.0),
    };
    Ok(Found { report, raw, target })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_told_by_the_minute() {
        let rising: Vec<_> = (0..100).map(|at| (f64::from(at) * 5.0, 1000.0 + f64::from(at))).collect();
        assert!((slope(&rising) - 12.0).abs() < 1e-9);
        let flat: Vec<_> = (0..100).map(|at| (f64::from(at) * 5.0, 1000.0)).collect();
        assert!(slope(&flat).abs() < 1e-9);
    }
}
