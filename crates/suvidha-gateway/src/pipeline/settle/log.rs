//! What the log says of a call: one line, with no payload and no secret.

use std::time::Duration;

use gstn::Environment;
use gstn::catalogue::Origin;
use gstn::envelope::StatusCd;
use http::HeaderValue;
use suvidha_store::ledger::Outcome;

use super::Record;

/// The longest text of an ASP's that the log repeats.
const LONGEST: usize = 64;

impl Record {
    /// The call is over, after `total`: writes its line.
    pub(super) fn log(&self, environment: Environment, total: Duration) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "suvidha::call",
                    request_id = %self.request_id,
                    environment = environment.as_str(),
                    aspid = self.asp.as_ref().map(|asp| asp.aspid.as_str()),
                    txn = text(self.txn.as_ref()),
                    gstin = text(self.gstin.as_ref()),
                    api = self.api.as_deref(),
                    action = self.action.as_deref(),
                    version = self.version.as_deref(),
                    status = self.status.map(|status| status.as_u16()),
                    status_cd = self.status_cd.map(StatusCd::as_str),
                    error_cd = self.error_cd.as_deref(),
                    origin = self.origin.map(Origin::as_str),
                    bytes_in = self.request_body.as_ref().map_or(0, |flow| flow.taken()),
                    bytes_out = self.bytes_out,
                    gstn_ms = self.at_gstn.map(milliseconds),
                    total_ms = milliseconds(total),
                    outcome = self.outcome.map(Outcome::as_str),
                    plan = self.charge.map(|charge| charge.plan.as_str()),
                    units = self.charge.map(|charge| charge.units),
                    trace_id = self.trace.as_ref().map(|trace| trace.id()),
                    detail = self.detail.as_deref(),
                )
            };
        }
        if self.own { line!(debug) } else { line!(info) }
    }
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    let text = value?.to_str().ok()?;
    Some(&text[..text.len().min(LONGEST)])
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
