//! The sandbox as its callers meet it: real HTTP, real cryptography, a clock that is moved by hand.
#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod catalogue;
mod challan;
mod determinism;
mod dsc;
mod einvoices;
mod faults;
mod field;
mod files;
mod filing;
mod gstr1a;
mod gstr3b;
mod http;
mod ims;
mod ledgers;
mod login;
mod management;
mod profile;
mod public;
mod restart;
mod saves;
mod schema;
mod strangers;
mod taxpayer;
mod trade;
mod twoa;
mod twob;
mod world;
