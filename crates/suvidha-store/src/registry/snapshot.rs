//! The registry as the data plane sees it: immutable, in memory, answering in constant time.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use gstn::{AspId, Environment};
use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{Row, Transaction};

use super::asps::{Asp, AspStatus};
use super::columns::{optional_time, parsed};
use super::credentials::{CredentialId, SecretHash, hash};
use super::{Registry, asps, token_format, version};
use crate::error::StoreError;

/// All that is needed to tell who is calling, as of one [`version`](Registry::version) of the registry.
pub struct Snapshot {
    version: u64,
    asps: HashMap<AspId, Arc<AspEntry>>,
    /// By the SHA-256 of the token. An ordinary map is enough: what its timing could betray is how far a
    /// hash agrees with a stored one, and nobody can make a token that hashes to a wanted value.
    tokens: HashMap<SecretHash, Credential>,
    /// By client id, which is no secret; each with every secret it ever had.
    clients: HashMap<String, Vec<(SecretHash, Credential)>>,
}

/// What the data plane needs to know of an ASP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AspEntry {
    /// Ten digits.
    pub aspid: AspId,
    /// The company's name.
    pub name: String,
    /// A suspended ASP is found all the same: the caller refuses it, and can say why.
    pub status: AspStatus,
    /// The networks it may call from; none means any.
    pub allowed_ips: Vec<IpNet>,
    /// Answer refusals with HTTP 200.
    pub always_200: bool,
    /// Demand every mandatory GSTN header, or not; `None` leaves it to the environment.
    pub strict_headers: Option<bool>,
}

/// What a presented token, or pair of client credentials, turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenLookup<'a> {
    /// Valid.
    Found {
        /// Whose it is; clone the `Arc` to keep it beyond the snapshot.
        asp: &'a Arc<AspEntry>,
        /// Which credential it is, for [`Registry::touch`] and the log.
        credential: CredentialId,
    },
    /// Valid once; its time is over.
    Expired,
    /// Withdrawn.
    Revoked,
    /// Known, but in this other environment.
    OtherEnvironment(Environment),
    /// Begins like one of our tokens, but its checksum is wrong: it was cut or mistyped on its way.
    Mistyped,
    /// Nobody's.
    Unknown,
}

#[derive(Debug)]
struct Credential {
    id: CredentialId,
    asp: Arc<AspEntry>,
    environment: Environment,
    expires_at: Option<Timestamp>,
    revoked: bool,
}

impl Registry {
    /// Reads the registry as it is at one instant.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let mut snapshot = Snapshot {
            version: version(&transaction)?,
            asps: HashMap::new(),
            tokens: HashMap::new(),
            clients: HashMap::new(),
        };
        for asp in asps::read(&transaction, None)? {
            snapshot.asps.insert(asp.aspid, Arc::new(asp.into()));
        }
        snapshot.read_credentials(&transaction)?;
        Ok(snapshot)
    }
}

impl Snapshot {
    /// The version of the registry that this is.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// One ASP, if it exists.
    pub fn asp(&self, aspid: &AspId) -> Option<&Arc<AspEntry>> {
        self.asps.get(aspid)
    }

    /// Whose token `presented` is, in `environment`, at `now`.
    pub fn by_token(&self, environment: Environment, presented: &str, now: Timestamp) -> TokenLookup<'_> {
        match self.tokens.get(&hash(presented)) {
            Some(credential) => credential.judge(environment, now),
            None if token_format::is_mistyped(presented) => TokenLookup::Mistyped,
            None => TokenLookup::Unknown,
        }
    }

    /// Whose client id and secret these are, in `environment`, at `now`. A wrong secret is as unknown as a
    /// wrong id, and the secret's hash is compared in constant time with each that the id ever had.
    pub fn by_client_credentials(
        &self,
        environment: Environment,
        client_id: &str,
        client_secret: &str,
        now: Timestamp,
    ) -> TokenLookup<'_> {
        let presented = hash(client_secret);
        let of_client = self.clients.get(client_id).map_or(&[][..], Vec::as_slice);
        let mut matching: Option<&Credential> = None;
        for (secret_hash, credential) in of_client {
            let equal = verify_slices_are_equal(secret_hash, &presented).is_ok();
            if equal && matching.is_none_or(|earlier| earlier.environment != environment) {
                matching = Some(credential);
            }
        }
        matching.map_or(TokenLookup::Unknown, |credential| credential.judge(environment, now))
    }

    fn read_credentials(&mut self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let mut credentials = transaction.prepare_cached("SELECT * FROM credential")?;
        let mut rows = credentials.query([])?;
        while let Some(row) = rows.next()? {
            let aspid: AspId = parsed(row, "aspid")?;
            let Some(asp) = self.asps.get(&aspid) else { continue };
            let credential = Credential::from_row(row, asp)?;
            let secret_hash: SecretHash = row.get("secret_hash")?;
            match row.get::<_, Option<String>>("client_id")? {
                None => {
                    self.tokens.insert(secret_hash, credential);
                }
                Some(client_id) => {
                    self.clients.entry(client_id).or_default().push((secret_hash, credential));
                }
            }
        }
        Ok(())
    }
}

impl Credential {
    fn judge(&self, environment: Environment, now: Timestamp) -> TokenLookup<'_> {
        if self.environment != environment {
            TokenLookup::OtherEnvironment(self.environment)
        } else if self.revoked {
            TokenLookup::Revoked
        } else if self.expires_at.is_some_and(|expires_at| expires_at <= now) {
            TokenLookup::Expired
        } else {
            TokenLookup::Found { asp: &self.asp, credential: self.id }
        }
    }

    fn from_row(row: &Row<'_>, asp: &Arc<AspEntry>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get::<_, i64>("id")?.into(),
            asp: Arc::clone(asp),
            environment: parsed(row, "environment")?,
            expires_at: optional_time(row, "expires_at")?,
            revoked: row.get::<_, Option<i64>>("revoked_at")?.is_some(),
        })
    }
}

impl From<Asp> for AspEntry {
    fn from(asp: Asp) -> Self {
        let Asp { aspid, name, status, allowed_ips, always_200, strict_headers, .. } = asp;
        Self { aspid, name, status, allowed_ips, always_200, strict_headers }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("version", &self.version)
            .field("asps", &self.asps.len())
            .field("tokens", &self.tokens.len())
            .field("clients", &self.clients.len())
            .finish()
    }
}
