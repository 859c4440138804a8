//! Which entries: the options that narrow them down.

use clap::Args;
use gstn::AspId;
use gstn::catalogue::Origin;
use jiff::Timestamp;
use suvidha_store::ledger::{Filter, Outcome};
use uuid::Uuid;

use super::moment::Moment;

/// Which entries; all of the options together, where several are given.
#[derive(Debug, Args, Default)]
#[command(next_help_heading = "Which entries")]
pub(crate) struct FilterOptions {
    /// Only of this ASP, which has proven itself
    #[arg(long, value_name = "ASPID")]
    pub(crate) asp: Option<AspId>,
    /// Only of this GSTIN, as the call named it
    #[arg(long)]
    pub(crate) gstin: Option<String>,
    /// Only of this API and those below it, such as taxpayerapi/returns/gstr1 or taxpayerapi
    #[arg(long, value_name = "API")]
    pub(crate) api: Option<String>,
    /// Only with this action, such as RETSAVE
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Only with this error code, such as GSP025 or RET191106
    #[arg(long, value_name = "CODE")]
    pub(crate) error: Option<String>,
    /// Only those that failed there: gsp, gstn, network or asp
    #[arg(long, value_parser = origin)]
    pub(crate) origin: Option<Origin>,
    /// Only those that ended so: answered, broken-off, abandoned, refused or unrecorded
    #[arg(long, value_parser = outcome)]
    pub(crate) outcome: Option<Outcome>,
    /// Only those answered with this HTTP status
    #[arg(long, value_name = "HTTP")]
    pub(crate) status: Option<u16>,
    /// Only with this transaction id
    #[arg(long)]
    pub(crate) txn: Option<String>,
    /// Only the one with this request id
    #[arg(long, value_name = "UUID")]
    pub(crate) request_id: Option<Uuid>,
    /// The span of time.
    #[command(flatten)]
    pub(crate) span: Span,
}

/// A span of time.
#[derive(Debug, Args, Default, Clone, Copy)]
pub(crate) struct Span {
    /// From this time on: 2026-11-22 (the day in India), 2026-11-22T10:15:00+05:30, or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Up to this time, written in the same ways; a day counts to its end
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
}

impl FilterOptions {
    /// The filter at `now`.
    pub(crate) fn filter(&self, now: Timestamp) -> Filter {
        Filter {
            aspid: self.asp,
            gstin: self.gstin.clone(),
            api: self.api.clone(),
            action: self.action.clone(),
            error_cd: self.error.clone(),
            origin: self.origin,
            outcome: self.outcome,
            status: self.status,
            txn: self.txn.clone(),
            id: self.request_id,
            from: self.span.since.map(|since| since.begin(now)),
            until: self.span.until.map(|until| until.end(now)),
        }
    }
}

fn origin(text: &str) -> Result<Origin, String> {
    [Origin::Gsp, Origin::Gstn, Origin::Network, Origin::Asp]
        .into_iter()
        .find(|origin| origin.as_str() == text)
        .ok_or_else(|| "it is one of gsp, gstn, network and asp".to_owned())
}

fn outcome(text: &str) -> Result<Outcome, String> {
    text.parse().map_err(|error: suvidha_store::ledger::UnknownOutcome| error.to_string())
}
