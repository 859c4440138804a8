//! What metrics and traces learn of a call.

use std::time::Duration;

use gstn::Environment;
use suvidha_store::ledger::Outcome;

use super::Record;
use crate::metrics::{self, Settled};
use crate::plane::Door;
use crate::trace::Told;

impl Record {
    /// The call is over, after `total`: counts it, and ends its part in its trace.
    pub(super) fn measure(&mut self, door: &Door, total: Duration) {
        door.plane.metrics.settle(&self.settled(door.environment, total));
        if let Some((tracer, trace)) = door.plane.tracer.as_ref().zip(self.trace.take()) {
            tracer.finish(trace, || self.told(door.environment));
        }
    }

    fn settled(&self, environment: Environment, total: Duration) -> Settled<'_> {
        Settled {
            environment,
            api: self.api.as_deref(),
            path_number: self.path_number,
            status: self.status,
            outcome: self.outcome.unwrap_or(Outcome::Abandoned),
            origin: self.origin,
            error_cd: self.error_cd.as_deref(),
            bytes_in: self.request_body.as_ref().map_or(0, |flow| flow.taken()),
            bytes_out: self.bytes_out,
            charge: self.charge,
            at_gstn: self.at_gstn,
            total,
        }
    }

    fn told(&self, environment: Environment) -> Told {
        Told {
            request_id: self.request_id,
            environment,
            aspid: self.asp.as_ref().filter(|_| self.proven).map(|asp| asp.aspid),
            api: metrics::api_name(self.api.as_deref()),
            status: self.status,
            outcome: self.outcome.unwrap_or(Outcome::Abandoned),
            origin: self.origin,
            error_cd: self.error_cd.as_deref().map(metrics::code_name),
            bytes_in: self.request_body.as_ref().map_or(0, |flow| flow.taken()),
            bytes_out: self.bytes_out,
            charge: self.charge,
            at_gstn: self.at_gstn,
        }
    }
}
