//! The data plane: one file per stage of a call.
//!
//! [`Gateway::start`] opens a listener for each environment and serves ASPs until [`Running::drain`]. What
//! becomes of one call is read in `pipeline.rs`, from the top down.

pub mod config;
mod error;
mod gateway;

pub use error::StartError;
pub use gateway::{DrainReport, Gateway, Running};
