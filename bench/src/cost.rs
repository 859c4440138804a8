//! What the ledger costs a call: CPU time of the gateway's process, and how much later the answer comes, with the ledger
//! strict, relaxed and left out, beside a plain nginx; all in one run, each once in each round.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::figures::{percentile, spread};
use crate::gateway::{Gateway, Program};
use crate::getkey::{gstn_call, repeated};
use crate::load::{Load, Prepared};
use crate::nginx::Nginx;
use crate::process::{cpu_time, load_average};
use crate::{disk, pace, upstream};

const ROUNDS: usize = 7;
const CONNECTIONS: usize = 64;
/// Calls at full speed in a round. The kernel counts CPU time in hundredths of a second: it must be many.
const CALLS: usize = 30_000;
/// Connections at the fixed rate, a thread for each.
const PACED: usize = 16;
const PACED_FOR: Duration = Duration::from_secs(4);

/// Measures, in so many rounds, and reports in Markdown.
pub(crate) fn measure(rounds: Option<usize>) -> Result<String, Failure> {
    let before = load_average()?;
    let upstream = upstream::start()?;
    let gateways = [
        ("ledger left out", Program::Bare),
        ("ledger relaxed", serve("relaxed")),
        ("ledger strict", serve("strict")),
    ];
    let mut contestants = Vec::new();
    for (name, program) in gateways {
        contestants.push(Contestant::ofgateway(name, Gateway::start_as(program, upstream)?)?);
    }
    let nginx = Nginx::start(upstream)?;
    if let Some(nginx) = &nginx {
        contestants.push(Contestant::of_nginx(nginx, &contestants[0])?);
    }
    let mut run = Run { upstream, rate: 0.0, direct: Vec::new(), flushes: Vec::new(), contestants };
    run.warm_up()?;
    for _ in 0..rounds.unwrap_or(ROUNDS) {
        run.round()?;
    }
    let mut report = run.report(nginx.is_none())?;
    writeln!(report, "\nload average before: {before}\nload average after: {}", load_average()?)?;
    Ok(report)
}

/// Nothing is logged of a call: the ledger left out logs nothing either.
fn serve(durability: &str) -> Program<'static> {
    let more = match durability {
        "strict" => "[ledger]\ndurability = \"strict\"\n",
        _ => "[ledger]\ndurability = \"relaxed\"\n",
    };
    Program::Serve { more, log: "warn" }
}

struct Contestant {
    name: String,
    address: SocketAddr,
    processes: Vec<u32>,
    prepared: Prepared,
    load: Load,
    costs: Vec<f64>,
    latencies: Vec<Percentiles>,
    /// None of nginx.
    gateway: Option<Gateway>,
}

impl Contestant {
    fn ofgateway(name: &str, gateway: Gateway) -> Result<Self, Failure> {
        let prepared = gstn_call(&[("x-ct-auth-token", gateway.token.clone())])?;
        let (address, processes) = (gateway.address, vec![gateway.process()]);
        Self::new(name.to_owned(), address, processes, prepared, Some(gateway))
    }

    /// It gets what another gets.
    fn of_nginx(nginx: &Nginx, other: &Self) -> Result<Self, Failure> {
        let name = format!("{}, `proxy_pass`", nginx.version);
        Self::new(name, nginx.address, nginx.processes()?, other.prepared.clone(), None)
    }

    fn new(
        name: String,
        address: SocketAddr,
        processes: Vec<u32>,
        prepared: Prepared,
        gateway: Option<Gateway>,
    ) -> Result<Self, Failure> {
        let load = Load::connect(address, CONNECTIONS)?;
        let (costs, latencies) = (Vec::new(), Vec::new());
        Ok(Self { name, address, processes, prepared, load, costs, latencies, gateway })
    }

    /// Calls at full speed: µs of CPU time per call, and calls in a second.
    fn at_full_speed(&mut self) -> Result<(f64, f64), Failure> {
        let calls = repeated(std::slice::from_ref(&self.prepared), CALLS);
        let (spent, begun) = (self.cpu_time()?, Instant::now());
        self.load.run(calls, &[200])?;
        let (spent, taken) = (self.cpu_time()?.saturating_sub(spent), begun.elapsed());
        Ok((spent.as_secs_f64() * 1e6 / CALLS as f64, CALLS as f64 / taken.as_secs_f64()))
    }

    fn cpu_time(&self) -> Result<Duration, Failure> {
        self.processes.iter().map(|process| cpu_time(*process)).sum()
    }
}

/// Of what an answer takes, in µs.
#[derive(Debug, Clone, Copy)]
struct Percentiles {
    p50: f64,
    p99: f64,
}

struct Run {
    upstream: SocketAddr,
    /// Calls in a second when latency is measured: half of what the slowest can do.
    rate: f64,
    direct: Vec<Percentiles>,
    flushes: Vec<f64>,
    contestants: Vec<Contestant>,
}

impl Run {
    /// A round that counts for nothing but the rate.
    fn warm_up(&mut self) -> Result<(), Failure> {
        let mut slowest = f64::INFINITY;
        for contestant in &mut self.contestants {
            slowest = slowest.min(contestant.at_full_speed()?.1);
        }
        self.rate = (slowest / 2.0).round();
        Ok(())
    }

    fn round(&mut self) -> Result<(), Failure> {
        let directory = self.contestants.iter().find_map(|one| one.gateway.as_ref()).map(Gateway::directory);
        self.flushes.extend(disk::flushes(directory.ok_or("no gateway")?)?);
        let request = written(&self.contestants[0].prepared);
        self.direct.push(at_rate(self.upstream, &request, self.rate)?);
        for contestant in &mut self.contestants {
            let (cost, _) = contestant.at_full_speed()?;
            contestant.costs.push(cost);
            let request = written(&contestant.prepared);
            contestant.latencies.push(at_rate(contestant.address, &request, self.rate)?);
        }
        Ok(())
    }

    fn report(&mut self, without_nginx: bool) -> Result<String, Failure> {
        let mut report = String::new();
        writeln!(
            report,
            "| | CPU µs per call | to the ledger left out, same round | added p50, µs | added p99, µs |\n|---|---|---|---|---|"
        )?;
        let least = &self.contestants[0].costs;
        for Contestant { name, costs, latencies, .. } in &self.contestants {
            let ratios = costs.iter().zip(least).map(|(cost, least)| cost / least).collect();
            let added = |of: fn(&Percentiles) -> f64| {
                latencies.iter().zip(&self.direct).map(|(own, direct)| of(own) - of(direct)).collect()
            };
            let (p50, p99) = (spread(added(|one| one.p50), 0), spread(added(|one| one.p99), 0));
            writeln!(
                report,
                "| {name} | {} | {} | {p50} | {p99} |",
                spread(costs.clone(), 1),
                spread(ratios, 3)
            )?;
        }
        if without_nginx {
            writeln!(report, "\nnginx is not installed: there is no peer to compare with.")?;
        }
        let of_direct = |of: fn(&Percentiles) -> f64| spread(self.direct.iter().map(of).collect(), 0);
        let (p50, p99) = (of_direct(|one| one.p50), of_direct(|one| one.p99));
        writeln!(
            report,
            "\nLatency at {} calls a second; the upstream called directly takes {p50} µs at p50, {p99} at p99.",
            self.rate
        )?;
        let percentiles = [50, 99].map(|percent| percentile(&mut self.flushes, percent));
        writeln!(
            report,
            "4 KiB appended and on disk (`fdatasync`): {:.0} µs at p50, {:.0} at p99.",
            percentiles[0], percentiles[1]
        )?;
        Ok(report)
    }
}

fn at_rate(address: SocketAddr, request: &str, rate: f64) -> Result<Percentiles, Failure> {
    let mut taken = pace::latencies(address, request, rate, PACED, PACED_FOR)?;
    Ok(Percentiles { p50: percentile(&mut taken, 50), p99: percentile(&mut taken, 99) })
}

/// A request as it stands on the wire.
fn written(request: &Prepared) -> String {
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    text + "\r\n"
}
