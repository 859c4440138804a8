//! The data plane: one file per stage of a call.
//!
//! [`Gateway::start`] opens a listener for each environment and serves ASPs until [`Running::drain`]. What
//! becomes of one call is read in `pipeline.rs`, from the top down.

mod accounts;
mod aspapi;
mod attempts;
mod body;
mod breaker;
mod charging;
mod chunks;
pub mod config;
mod error;
mod fair;
mod gateway;
mod gcra;
mod generations;
mod getkey;
mod keeper;
mod lane;
mod metrics;
mod own;
mod pipeline;
mod plane;
mod query;
mod readers;
mod recorder;
mod sessions;
mod setasppubcer;
mod site;
mod status;
mod streams;
mod tls;
mod trace;
mod upstream;
mod wire;

pub use gateway::{DrainReport, Gateway, Running};
pub use metrics::Exposition;
pub use sessions::mint_session;
pub use site::StartError;
pub use status::{Readiness, Status};
