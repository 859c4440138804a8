//! The registry, told from the operator's desk.
#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod asps;
mod behind;
mod certificates;
mod counter;
mod credentials;
mod desk;
mod enrolment;
mod failing;
mod file;
mod ledger;
mod misplaced;
mod passwords;
mod secrets;
mod session_keys;
mod sharing;
mod tampering;
mod terms;
