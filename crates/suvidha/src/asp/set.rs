//! `suvidha asp set`: how an ASP is treated.

use clap::{Args, ValueEnum};
use gstn::AspId;
use ipnet::IpNet;
use suvidha_store::{Registry, StoreError};

use super::parse_network;
use crate::config::{SESSION_VALIDITY, duration, session_minutes};

/// `suvidha asp set`.
#[derive(Debug, Args)]
#[group(id = "settings", multiple = true)]
pub(crate) struct Set {
    /// Ten digits
    pub(super) aspid: AspId,
    /// What to change.
    #[command(flatten)]
    change: Change,
}

/// What `suvidha asp set` changes.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// Network it may call from; may be repeated. Replaces the ones before
    #[arg(long = "allow-ip", value_name = "CIDR", value_parser = parse_network, conflicts_with = "allow_any_ip")]
    allow_ip: Vec<IpNet>,
    /// Let it call from anywhere
    #[arg(long)]
    allow_any_ip: bool,
    /// Answer its refused calls with HTTP 200, for old clients that look at status_cd alone
    #[arg(long, value_name = "SWITCH")]
    always_200: Option<Switch>,
    /// Demand every mandatory GSTN header of it; `default` leaves it to the environment
    #[arg(long, value_name = "SWITCH")]
    strict_headers: Option<SwitchOrDefault>,
    /// How long its new sessions last: 5m to 45d; `default` leaves it to the gateway
    #[arg(long, value_name = "TIME", value_parser = parse_validity)]
    session_validity: Option<SessionValidity>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SwitchOrDefault {
    On,
    Off,
    Default,
}

/// Minutes, or nothing for `default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SessionValidity(Option<u16>);

fn parse_validity(text: &str) -> Result<SessionValidity, String> {
    if text == "default" {
        return Ok(SessionValidity(None));
    }
    match duration(text).and_then(session_minutes) {
        Some(minutes) => Ok(SessionValidity(Some(minutes))),
        None => Err(format!("{SESSION_VALIDITY}, e.g. 6h; or `default`")),
    }
}

impl Set {
    /// Makes the changes.
    pub(super) fn apply(self, registry: &Registry) -> Result<(), StoreError> {
        let Self { aspid, change } = self;
        if change.allow_any_ip || !change.allow_ip.is_empty() {
            registry.set_allowed_ips(&aspid, change.allow_ip)?;
        }
        if let Some(always_200) = change.always_200 {
            registry.set_always_200(&aspid, always_200 == Switch::On)?;
        }
        if let Some(strict) = change.strict_headers {
            let strict = (strict != SwitchOrDefault::Default).then_some(strict == SwitchOrDefault::On);
            registry.set_strict_headers(&aspid, strict)?;
        }
        if let Some(SessionValidity(minutes)) = change.session_validity {
            registry.set_session_validity(&aspid, minutes)?;
        }
        Ok(())
    }
}
