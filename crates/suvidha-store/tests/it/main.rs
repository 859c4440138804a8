//! The registry, told from the operator's desk.
#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod asps;
mod credentials;
mod desk;
mod file;
mod secrets;
mod sharing;
