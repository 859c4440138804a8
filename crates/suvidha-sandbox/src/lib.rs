//! GSTN, simulated: a tax network a developer can own.
//!
//! It is stateful, not canned: sessions expire, saves are processed asynchronously, and what was saved
//! is there after a restart. The cryptography is the real one, with a certificate of its own. Every answer
//! carries `X-Suvidha-Sandbox: 1`. What it does differently from GSTN is written in
//! `docs/gstn-divergences.md`.
//!
//! A call travels `server` (HTTP) → `routes` (which API is meant) → one of `auth`, `public`, `outward`,
//! `ledgers` → `respond` (HTTP again). Saves end as a row in the job table; `jobs` works those off.

mod amounts;
mod applicants;
mod arn;
mod auth;
mod calendar;
mod call;
mod call_log;
mod certificate;
mod clock;
mod config;
mod db;
mod directory;
mod documents;
mod duties;
mod einvoices;
mod exchange;
mod fault;
mod faults;
mod filed;
mod files;
mod filing;
mod forms;
pub mod gstr1;
mod gstr3b;
mod gstr3b_api;
mod gstr9;
mod inward;
mod inward_api;
mod jobs;
mod ledgers;
mod ledgers_api;
mod management;
mod masters;
mod moment;
mod outward;
mod payload;
mod preferences;
mod profile;
mod public;
mod registration;
mod respond;
mod returns;
mod routes;
mod rules;
mod server;
mod sessions;
mod signing;
mod simulator;
mod snapshots;
mod tax_clock;
mod taxpayer_change;
mod taxpayers;
mod token;
mod turnover;

pub use config::{
    AtSessionLimit, ClientCredentials, Config, DscCheck, Files, Latency, ManagementToken, PublicUser,
    WhileProcessing,
};
pub use faults::{Each, FaultClock, FaultKind, FaultRuleError, NewFault};
pub use forms::{Form, Frequency};
pub use rules::Rules;
pub use server::{Running, Sandbox, SandboxError};
pub use taxpayers::{
    Balances, CashBalance, HeadAmounts, MinorHeads, NewTaxpayer, Registration, Scheme, Taxpayer,
    TaxpayerError,
};
