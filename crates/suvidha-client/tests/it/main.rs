//! The client's stories, told against a small stand-in for a gateway with GSTN behind it.
#![expect(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod balance;
mod calls;
mod certificate;
mod events;
mod faults;
mod files;
mod getkey;
mod gstr1;
mod keeping;
mod login;
mod network;
mod standin;
mod statements;
mod stores;
mod surface;
mod tls;
mod waits;
