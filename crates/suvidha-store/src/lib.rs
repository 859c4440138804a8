//! What Suvidha keeps: the registry of ASPs and their credentials; secrets sealed at rest.
//!
//! The [`Registry`] is one SQLite file that a running gateway and the command line share. Those who
//! administer it call its methods, all of which block; the data plane never does: it answers from a
//! [`Snapshot`] and asks [`Registry::version`] now and then whether there is a newer one to take.
//!
//! Nothing a thief of the file could present is in it. Tokens and client secrets are kept as SHA-256
//! hashes; what must be recovered, such as the GSP's own secret at GSTN, is sealed with AES-256-GCM
//! under [`SealingKeys`] that live elsewhere.

mod error;
mod registry;
mod sealing;

pub use error::StoreError;
pub use gstn::SecretString;
pub use registry::Registry;
pub use registry::asps::{Asp, AspStatus, NewAsp};
pub use registry::client_credentials::{ClientCredentialsRow, IssuedClientCredentials};
pub use registry::credentials::CredentialId;
pub use registry::snapshot::{AspEntry, Snapshot, TokenLookup};
pub use registry::tokens::{IssuedToken, NewToken, TokenRow};
pub use sealing::SealingKeys;
