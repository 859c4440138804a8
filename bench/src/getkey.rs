//! What GetKey costs the gateway: in each call with a session, beside a static token, and by itself, beside the verification of
//! an RSA signature. Costs are CPU time of the gateway's process: they stay true where the load shares its cores.

use std::fmt::Write as _;
use std::process::Command;

use bytes::Bytes;
use gstn::crypto::{PrivateKey, getkey_sign};
use gstn::getkey::{GetKeyReply, GetKeyRequest, GetKeyStamp};
use http::Request;
use http_body_util::Full;
use suvidha_seam::Seam;

use crate::Failure;
use crate::figures::spread;
use crate::gateway::Gateway;
use crate::load::{Load, Prepared};
use crate::process::load_average;
use crate::upstream;

const ROUNDS: usize = 7;
const CONNECTIONS: usize = 16;
/// Calls of one kind in a round. The kernel counts CPU time in hundredths of a second: it must be many.
const CALLS: usize = 40_000;
const HOT_SESSIONS: usize = 10_000;
/// GetKey calls in a round, each signed anew.
const KEYS: usize = 12_000;

/// Limits out of the way: what is behind them is measured here.
const WIDE_OPEN: &str = "
[gateway.getkey]
failures_per_address = 100000
failures_per_asp = 100000
calls_per_asp = 1000000
";

/// Measures both, and reports in Markdown.
pub(crate) fn measure() -> Result<String, Failure> {
    let mut report = format!("load average before: {}\n", load_average()?);
    let asp = Asp::start(WIDE_OPEN)?;
    let mut load = Load::connect(asp.gateway.address, CONNECTIONS)?;
    calls(&asp, &mut load, &mut report)?;
    keys(&asp, &mut load, &mut report)?;
    writeln!(report, "\nload average after: {}", load_average()?)?;
    Ok(report)
}

/// Calls that identify by token, by one session, and by many sessions in turn.
fn calls(asp: &Asp, load: &mut Load, report: &mut String) -> Result<(), Failure> {
    let token = vec![vec![("x-ct-auth-token", asp.gateway.token.clone())]];
    let many = asp.sessions(load, HOT_SESSIONS)?;
    let one = many[..1].to_vec();
    let kinds = [
        ("static token".to_owned(), &token),
        ("one session".to_owned(), &one),
        (format!("{HOT_SESSIONS} sessions in turn"), &many),
    ];
    let mut costs = vec![Vec::new(); kinds.len()];
    for round in 0..=ROUNDS {
        for ((_, identities), costs) in kinds.iter().zip(&mut costs) {
            let requests: Vec<_> = identities.iter().map(|one| gstn_call(one)).collect::<Result<_, _>>()?;
            let cost = asp.cost(load, repeated(&requests, CALLS), &[200])?;
            // The first round warms up.
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    writeln!(report, "\n| identified by | CPU µs per call | to the token, same round |\n|---|---|---|")?;
    for ((name, _), of_kind) in kinds.iter().zip(&costs) {
        let ratios = of_kind.iter().zip(&costs[0]).map(|(cost, token)| cost / token).collect();
        writeln!(report, "| {name} | {} | {} |", spread(of_kind.clone(), 1), spread(ratios, 3))?;
    }
    Ok(())
}

/// GetKey answered and refused, beside `openssl speed`.
fn keys(asp: &Asp, load: &mut Load, report: &mut String) -> Result<(), Failure> {
    let limited = Asp::start("")?;
    let mut at_the_limit = Load::connect(limited.gateway.address, CONNECTIONS)?;
    limited.exhaust(&mut at_the_limit)?;
    let stranger = PrivateKey::generate_2048();
    let mut costs: [Vec<f64>; 4] = Default::default();
    let mut verifications = Vec::new();
    for round in 0..=ROUNDS {
        let over_the_limit = limited.getkey_calls(&stranger, 100)?;
        let measured = [
            asp.cost(load, asp.getkey_calls(&asp.gateway.key, KEYS)?, &[200])?,
            asp.cost(load, asp.getkey_calls(&stranger, KEYS)?, &[401])?,
            // Now and then the limit lets one through again.
            limited.cost(&mut at_the_limit, repeated(&over_the_limit, CALLS), &[429, 401])?,
            asp.cost(load, repeated(&[gstn_call(&[])?], CALLS), &[401])?,
        ];
        // The first round warms up.
        if round > 0 {
            costs.iter_mut().zip(measured).for_each(|(costs, cost)| costs.push(cost));
            verifications.push(openssl_verifications()?);
        }
    }
    let verification: Vec<f64> = verifications.iter().map(|per_second| 1e6 / per_second).collect();
    let names = [
        "answered",
        "refused, signed with a key that is not registered (GSP014; three verifications, to say what is wrong)",
        "refused by the limit, before RSA (GSP025)",
        "for comparison: a call without credentials, refused (GSP601)",
    ];
    writeln!(
        report,
        "\n| GetKey | CPU µs per call | per second of a core | to `openssl speed`, same round |\n|---|---|---|---|"
    )?;
    let rows = names.into_iter().zip(&costs).chain([("`openssl speed rsa2048`: verify", &verification)]);
    for (name, micros) in rows {
        let per_second = micros.iter().map(|micros| 1e6 / micros).collect();
        let ratios = micros.iter().zip(&verification).map(|(micros, openssl)| openssl / micros).collect();
        let (micros, per_second) = (spread(micros.clone(), 1), spread(per_second, 0));
        writeln!(report, "| {name} | {micros} | {per_second} | {} |", spread(ratios, 2))?;
    }
    Ok(())
}

/// A gateway, and calls of its ASP.
struct Asp {
    gateway: Gateway,
    seam: Seam,
}

/// The headers that say who calls.
type Identity = Vec<(&'static str, String)>;

impl Asp {
    fn start(configuration: &str) -> Result<Self, Failure> {
        Ok(Self { gateway: Gateway::start(upstream::start()?, configuration)?, seam: Seam::system() })
    }

    /// Opens sessions.
    fn sessions(&self, load: &mut Load, number: usize) -> Result<Vec<Identity>, Failure> {
        let replies = load.run(self.getkey_calls(&self.gateway.key, number)?, &[200])?;
        let session = |reply: &Bytes| {
            let reply: GetKeyReply = serde_json::from_slice(reply)?;
            let secret = &self.gateway.secret;
            let header = secret.open_session_key(&reply.enc_key)?.seal_asp_secret(secret);
            let aspid = self.gateway.aspid.clone();
            Ok(vec![("aspid", aspid), ("session-id", reply.session_id), ("asp-secret", header)])
        };
        replies.iter().map(session).collect()
    }

    /// GetKey calls of this moment, each with a stamp of its own, signed with `key`.
    fn getkey_calls(&self, key: &PrivateKey, number: usize) -> Result<Vec<Prepared>, Failure> {
        let aspid = &self.gateway.aspid;
        let call = |_| {
            let timestamp = GetKeyStamp::at(self.seam.now(), self.seam.random()).to_string();
            let signed_content = getkey_sign(key, aspid, &timestamp)?;
            let body = serde_json::to_vec(&GetKeyRequest { timestamp, signed_content })?;
            let head = Request::post("/aspapi/v1.0/getKey").header("host", "gateway").header("aspid", aspid);
            Ok(head.header("txn", "bench").body(Full::from(body))?)
        };
        (0..number).map(call).collect()
    }

    /// Fails until the limit refuses.
    fn exhaust(&self, load: &mut Load) -> Result<(), Failure> {
        let stranger = PrivateKey::generate_2048();
        load.run(self.getkey_calls(&stranger, 1000)?, &[401, 429])?;
        load.run(self.getkey_calls(&stranger, 1)?, &[429])?;
        Ok(())
    }

    /// What a call costs: µs of the gateway's CPU time.
    fn cost(
        &self,
        load: &mut Load,
        requests: Vec<Prepared>,
        expected: &'static [u16],
    ) -> Result<f64, Failure> {
        let calls = requests.len();
        let before = self.gateway.cpu_time()?;
        load.run(requests, expected)?;
        let spent = self.gateway.cpu_time()?.saturating_sub(before);
        Ok(spent.as_secs_f64() * 1e6 / calls as f64)
    }
}

/// A call for a taxpayer, with the headers that GSTN wants of it.
pub(crate) fn gstn_call(identity: &[(&'static str, String)]) -> Result<Prepared, Failure> {
    let mut request =
        Request::get("/taxpayerapi/v4.1/returns/gstr1?action=B2B&gstin=29DEMOS1234D1ZG&ret_period=102026")
            .header("host", "gateway")
            .header("content-type", "application/json")
            .header("gstin", "29DEMOS1234D1ZG")
            .header("state-cd", "29")
            .header("username", "demo")
            .header("auth-token", "8a227e0ba56042a0acdf98b3477d2c03")
            .header("ret_period", "102026")
            .header("ip-usr", "192.0.2.7")
            .header("txn", "bench");
    for (name, value) in identity {
        request = request.header(*name, value);
    }
    Ok(request.body(Full::default())?)
}

pub(crate) fn repeated(requests: &[Prepared], calls: usize) -> Vec<Prepared> {
    requests.iter().cycle().take(calls).cloned().collect()
}

/// RSA-2048 verifications in a second of CPU time, by the `openssl` of this machine.
pub(crate) fn openssl_verifications() -> Result<f64, Failure> {
    let output = Command::new("openssl").args(["speed", "-mr", "-seconds", "3", "rsa2048"]).output()?;
    let told = String::from_utf8(output.stdout)?;
    // F2:index:bits:signatures per second:verifications per second
    let line = told.lines().find(|line| line.contains("F2:")).ok_or("openssl speed told nothing of RSA")?;
    Ok(line.split(':').nth(4).ok_or("openssl speed told no verifications")?.parse()?)
}
