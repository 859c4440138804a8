//! What Suvidha keeps: the registry of ASPs and their credentials; secrets sealed at rest.
//!
//! The [`Registry`] is one SQLite file that a running gateway and the command line share. Those who
//! administer it call its methods, all of which block; the data plane never does: it answers from a
//! [`Snapshot`] and asks [`Registry::version`] now and then whether there is a newer one to take.
//!
//! Nothing a thief of the file could present is in it. Tokens, client secrets and passwords are kept as SHA-256
//! hashes; what must be recovered (the GSP's own secret at GSTN, the ASPs' secrets, the keys of GSP sessions) is
//! sealed with AES-256-GCM under [`SealingKeys`] that live elsewhere.

mod error;
pub mod ledger;
mod plan;
mod registry;
mod sealing;
mod sqlite;

pub use error::StoreError;
pub use gstn::SecretString;
pub use plan::{PlanKind, UnknownPlan};
pub use registry::Registry;
pub use registry::asp_secrets::{AspSecretRow, IssuedAspSecret, SecretEntry};
pub use registry::asps::{Asp, AspStatus, NewAsp};
pub use registry::certificates::{
    CertificateEntry, CertificateRow, CertificateState, Replacement, Revocation,
};
pub use registry::client_credentials::{ClientCredentialsRow, IssuedClientCredentials};
pub use registry::credits::{CreditRow, TopUp};
pub use registry::enrolment::Enrolment;
pub use registry::ids::{AspSecretId, CertificateId, CredentialId};
pub use registry::limits::{Limit, Limits};
pub use registry::passwords::{IssuedPassword, PasswordRow};
pub use registry::session_keys::{SessionKey, SessionKeyRow, SessionKeyState};
pub use registry::snapshot::{AspEntry, GetKeyEntry, PasswordLookup, Snapshot, TokenLookup};
pub use registry::terms::{Plan, Terms};
pub use registry::tokens::{IssuedToken, NewToken, TokenRow};
pub use registry::uses::Used;
pub use sealing::SealingKeys;
