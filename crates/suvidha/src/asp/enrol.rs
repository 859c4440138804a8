//! `suvidha asp add` and `suvidha asp enrol`: an ASP is taken in, and gets its ASP secret and account password, once in
//! each environment.

use clap::Args;
use gstn::{AspId, Environment};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::Serialize;
use suvidha_store::{Enrolment, NewAsp, Registry};

use super::cert;
use super::handover::{HandOver, HandedOver, Recipient};
use super::parse_network;
use super::show::{self, AspRow};
use crate::cli::environment;
use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output, fields};

/// `suvidha asp add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The company's name
    #[arg(long)]
    name: String,
    /// The person to talk to
    #[arg(long, value_name = "NAME")]
    contact_name: String,
    /// Where to write to
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// Where to call
    #[arg(long, value_name = "NUMBER")]
    phone: String,
    /// Network it may call from, e.g. 203.0.113.0/24; may be repeated. Any when left out
    #[arg(long = "allow-ip", value_name = "CIDR", value_parser = parse_network)]
    allow_ip: Vec<IpNet>,
    /// Where it is enrolled first: sandbox or production
    #[arg(long, value_parser = environment, default_value = "sandbox")]
    environment: Environment,
    /// How the ASP secret and the password are handed over.
    #[command(flatten)]
    hand_over: HandOver,
}

/// `suvidha asp enrol`.
#[derive(Debug, Args)]
pub(crate) struct Enrol {
    /// Ten digits
    aspid: AspId,
    /// Where: sandbox or production
    #[arg(long, value_parser = environment)]
    environment: Environment,
    /// How the ASP secret and the password are handed over.
    #[command(flatten)]
    hand_over: HandOver,
}

/// Runs `suvidha asp add`.
pub(super) fn add(registry: &Registry, new: Add, now: Timestamp, output: Output) -> Result<(), Failure> {
    let Add { name, contact_name, email, phone, allow_ip, environment, hand_over } = new;
    let recipient = hand_over.recipient()?;
    let aspid = registry.add_asp(NewAsp { name, contact_name, email, phone })?.aspid;
    if !allow_ip.is_empty() {
        registry.set_allowed_ips(&aspid, allow_ip)?;
    }
    let enrolled = enrolled(registry, &aspid, environment, recipient, now, |given| {
        output.show(&Added { asp: show::one(registry, &aspid)?, environment, given })
    });
    enrolled.map_err(|failure| {
        failure.remedy(format_args!(
            "the ASP was taken in as {aspid}; finish with `suvidha asp enrol {aspid} --environment {environment}`"
        ))
    })
}

/// Runs `suvidha asp enrol`.
pub(super) fn enrol(
    registry: &Registry,
    enrol: Enrol,
    now: Timestamp,
    output: Output,
) -> Result<(), Failure> {
    let Enrol { aspid, environment, hand_over } = enrol;
    enrolled(registry, &aspid, environment, hand_over.recipient()?, now, |given| {
        output.show(&Enrolled { aspid: aspid.as_str(), environment, given })
    })
}

/// Enrols an ASP, and shows by `show` what it gets.
fn enrolled(
    registry: &Registry,
    aspid: &AspId,
    environment: Environment,
    recipient: Option<Recipient>,
    now: Timestamp,
    show: impl FnOnce(Given<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let to = recipient.map(|one| one.register(registry, aspid, environment, now)).transpose()?;
    let Enrolment { secret, password, .. } = registry.enrol(aspid, environment)?;
    let handed_over = HandedOver::new(Some(&secret), Some(&password), to)?;
    let certified = cert::list(registry, aspid, now)?.live_in(environment).next().is_some();
    show(Given { handed_over, certified })
}

/// Whoever changes a secret or a password must have been given the first.
pub(super) fn require_enrolled(
    registry: &Registry,
    aspid: &AspId,
    environment: Environment,
) -> Result<(), Failure> {
    if registry.asp_secrets(aspid)?.iter().any(|row| row.environment == environment) {
        return Ok(());
    }
    let what = format_args!("ASP {aspid} is not enrolled in {environment}");
    let remedy = format_args!("enrol it with `suvidha asp enrol {aspid} --environment {environment}`");
    Err(Failure::new(Exit::Data, what).remedy(remedy))
}

/// What an enrolment gives.
#[derive(Serialize)]
struct Given<'a> {
    #[serde(flatten)]
    handed_over: HandedOver<'a>,
    /// Whether the ASP has a certificate there, without which it cannot use them.
    #[serde(skip)]
    certified: bool,
}

#[derive(Serialize)]
struct Added<'a> {
    #[serde(flatten)]
    asp: AspRow,
    environment: Environment,
    #[serde(flatten)]
    given: Given<'a>,
}

impl Answer for Added<'_> {
    fn words(&self) -> String {
        let Self { asp, environment, given } = self;
        format!("{}\n{}", asp.words(), words(&asp.aspid, *environment, given))
    }
}

#[derive(Serialize)]
struct Enrolled<'a> {
    aspid: &'a str,
    environment: Environment,
    #[serde(flatten)]
    given: Given<'a>,
}

impl Answer for Enrolled<'_> {
    fn words(&self) -> String {
        words(self.aspid, self.environment, &self.given)
    }
}

fn words(aspid: &str, environment: Environment, Given { handed_over, certified }: &Given<'_>) -> String {
    let mut lines = vec![("aspid", aspid.to_owned()), ("environment", environment.to_string())];
    lines.extend(handed_over.fields());
    let mut text = fields(&lines) + "\n" + handed_over.advice();
    if !certified {
        text += &format!(
            "For GetKey, register its certificate: suvidha asp cert add {aspid} FILE --environment {environment}\n"
        );
    }
    text
}
