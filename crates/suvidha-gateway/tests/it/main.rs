//! The gateway, told from both of its sides: a real registry, and a stand-in for GSTN that misbehaves on demand.
#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod admission;
mod asp;
mod aspapi;
mod bad_http;
mod breaker;
mod ceiling;
mod credentials;
mod credit;
mod enrolled;
mod getkey;
mod getkey_limits;
mod getkey_refusals;
mod gsp_sessions;
mod gstn_faults;
mod keeping_house;
mod ledger;
mod limits;
mod log;
mod metrics;
mod own_endpoints;
mod passing_through;
mod passwords;
mod past;
mod rest_and_change;
mod secrecy;
mod setasppubcer;
mod settlement;
mod stage;
mod stand_in;
mod streaming;
mod tls;
mod traces;
