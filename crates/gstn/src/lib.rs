//! The GSTN protocol: identifiers, headers, envelopes, catalogues and wire cryptography. No I/O, no clock.
//!
//! Everything that must agree on what GSTN's API looks like (gateway, sandbox, client, command line) reads
//! it here. Random bytes and the time are passed in by the caller.

pub mod catalogue;
pub mod crypto;
pub mod envelope;
mod environment;
pub mod getkey;
pub mod headers;
mod identifiers;
mod secret_string;

pub use environment::{Environment, UnknownEnvironment};
pub use identifiers::{
    AspId, EntityKind, FinancialYear, Gstin, IdentifierError, IpUsr, Pan, ReturnPeriod, StateCode, Txn,
    check_character,
};
pub use secret_string::SecretString;
