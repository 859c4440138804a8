//! The command as its users meet it: the real executable, real files, real sockets.

#![allow(clippy::unwrap_used, reason = "helpers outside of #[test] functions may fail a test, too")]

mod admin;
mod asp;
mod charging;
mod command;
mod config;
mod crash;
mod disk;
mod enrolment;
mod examples;
mod getkey;
mod gst;
mod help;
mod keygen;
mod keys;
mod kill;
mod ledger;
mod log;
mod monitoring;
mod sandbox;
mod sealing_key;
mod secrets;
mod serve;
mod sessions;
mod terms;
mod tls;
mod transcript;
mod up;
