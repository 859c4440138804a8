//! The registry as the data plane sees it: immutable, in memory, answering in constant time.

use std::fmt;
use std::sync::{Arc, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use foldhash::{HashMap, HashMapExt};
use gstn::{AspId, Environment};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Row, Transaction};

use super::asp_secrets::SecretEntry;
use super::asps::{Asp, AspStatus};
use super::certificates::{CertificateEntry, CertificateState};
use super::columns::{optional_time, parsed};
use super::credentials::{SecretHash, hash};
use super::ids::CredentialId;
use super::session_keys::SessionKey;
use super::terms::Terms;
use super::{
    Registry, asp_secrets, asps, certificates, enrolment, passwords, session_keys, terms, token_format,
    version,
};
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
    /// The hash of each ASP's account password, for each environment where it has one.
    passwords: HashMap<AspId, [Option<SecretHash>; 2]>,
    /// For each environment, the live ones, the oldest first.
    session_keys: [Vec<SessionKey>; 2],
    unopened: Vec<StoreError>,
}

/// A certificate that is over stays in the snapshot for so long, so that a refusal can say that it is.
const ENDED_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

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
    /// How long its GSP sessions last, in minutes; `None` leaves it to the gateway.
    pub session_validity_min: Option<u16>,
    getkey: [GetKeyEntry; 2],
    terms: [Terms; 2],
}

/// What an ASP proves itself with by GetKey, in one environment. Empty where it is not enrolled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GetKeyEntry {
    /// The ASP secrets that had not ended when the snapshot was taken, the oldest first: two at most.
    pub secrets: Vec<SecretEntry>,
    /// There is a further one, which cannot be opened: [`Snapshot::unopened`] tells why.
    pub has_unopened_secret: bool,
    /// The certificates, the newest first. Of those that are over the newest eight are among them, and those that were
    /// revoked or replaced for 30 days only.
    pub certificates: Vec<CertificateEntry>,
    /// Sessions made before this instant are refused.
    pub sessions_valid_from: Option<Timestamp>,
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

/// What a presented account password turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordLookup<'a> {
    /// The ASP's, and of this environment.
    Found {
        /// Whose it is; clone the `Arc` to keep it beyond the snapshot.
        asp: &'a Arc<AspEntry>,
    },
    /// The ASP's, but of this other environment.
    OtherEnvironment(Environment),
    /// The ASP has one in this environment, and it is another.
    Wrong,
    /// The ASP has none in this environment.
    NoPassword,
    /// There is no such ASP.
    UnknownAsp,
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
    /// Reads the registry as it is at one instant. A sealed text that cannot be opened is missing from it and told in
    /// [`Snapshot::unopened`]: one damaged row must not keep a revocation elsewhere from being heard of.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let now = self.0.seam.now();
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let mut unopened = Vec::new();
        let mut getkey = self.getkey_entries(&transaction, now, &mut unopened)?;
        let mut terms = terms::read(&transaction, None)?;
        let mut live_keys =
            |environment| session_keys::live(&transaction, &self.0.keys, environment, &mut unopened);
        let mut snapshot = Snapshot {
            version: version(&transaction)?,
            asps: HashMap::new(),
            tokens: HashMap::new(),
            clients: HashMap::new(),
            passwords: HashMap::new(),
            session_keys: [live_keys(Environment::Sandbox)?, live_keys(Environment::Production)?],
            unopened,
        };
        for asp in asps::read(&transaction, None)? {
            let getkey = getkey.remove(&asp.aspid).unwrap_or_default();
            let terms = terms.remove(&asp.aspid).unwrap_or_default();
            snapshot.asps.insert(asp.aspid, Arc::new(AspEntry { getkey, terms, ..asp.into() }));
        }
        snapshot.read_credentials(&transaction)?;
        passwords::each_hash(&transaction, |aspid, environment, hash| {
            snapshot.passwords.entry(aspid).or_default()[environment as usize] = Some(hash);
        })?;
        Ok(snapshot)
    }

    fn getkey_entries(
        &self,
        transaction: &Transaction<'_>,
        now: Timestamp,
        unopened: &mut Vec<StoreError>,
    ) -> Result<HashMap<AspId, [GetKeyEntry; 2]>, StoreError> {
        let mut entries = HashMap::<AspId, [GetKeyEntry; 2]>::new();
        asp_secrets::each_live(transaction, &self.0.keys, now, |aspid, environment, secret| {
            let entry = &mut entries.entry(aspid).or_default()[environment as usize];
            match secret {
                Ok(secret) => entry.secrets.push(secret),
                Err(error) => {
                    entry.has_unopened_secret = true;
                    unopened.push(error);
                }
            }
        })?;
        let mut parsed = self.0.parsed_keys.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.saturating_sub(ENDED_KEPT).unwrap_or(Timestamp::MIN);
        certificates::each_known(
            transaction,
            &mut parsed,
            [since, now],
            |aspid, environment, certificate| {
                entries.entry(aspid).or_default()[environment as usize].certificates.push(certificate);
            },
        )?;
        enrolment::each_revocation(transaction, |aspid, environment, valid_from| {
            entries.entry(aspid).or_default()[environment as usize].sessions_valid_from = Some(valid_from);
        })?;
        Ok(entries)
    }
}

impl Snapshot {
    /// The version of the registry that this is.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Why what cannot be opened is missing: ASP secrets and session keys that are damaged, or sealed under a key that
    /// is not in the ring.
    pub fn unopened(&self) -> &[StoreError] {
        &self.unopened
    }

    /// One ASP, if it exists.
    pub fn asp(&self, aspid: &AspId) -> Option<&Arc<AspEntry>> {
        self.asps.get(aspid)
    }

    /// Every ASP, in no order.
    pub fn asps(&self) -> impl Iterator<Item = &Arc<AspEntry>> {
        self.asps.values()
    }

    /// The live session keys of an environment, the oldest first.
    pub fn session_keys(&self, environment: Environment) -> &[SessionKey] {
        &self.session_keys[environment as usize]
    }

    /// The session key that makes the new sessions of an environment at `now`; `None` if there is no live one.
    pub fn minting_key(&self, environment: Environment, now: Timestamp) -> Option<&SessionKey> {
        let keys = self.session_keys(environment);
        session_keys::minting(keys.iter().map(|key| key.mints_from), now).and_then(|place| keys.get(place))
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

    /// Whether `password` is the account password of `aspid` in `environment`. Its hash is compared in constant time with those
    /// of both environments.
    pub fn by_password(&self, environment: Environment, aspid: &AspId, password: &str) -> PasswordLookup<'_> {
        let presented = hash(password);
        let Some(asp) = self.asps.get(aspid) else { return PasswordLookup::UnknownAsp };
        let kept = self.passwords.get(aspid).copied().unwrap_or_default();
        let equal =
            kept.map(|kept| kept.is_some_and(|kept| verify_slices_are_equal(&kept, &presented).is_ok()));
        let other = Environment::ALL.into_iter().find(|one| *one != environment && equal[*one as usize]);
        match (equal[environment as usize], other, kept[environment as usize]) {
            (true, ..) => PasswordLookup::Found { asp },
            (false, Some(other), _) => PasswordLookup::OtherEnvironment(other),
            (false, None, Some(_)) => PasswordLookup::Wrong,
            (false, None, None) => PasswordLookup::NoPassword,
        }
    }

    /// Every token and pair of client credentials of `environment` that was not revoked, in no order: whether it is a
    /// token, and when it expires.
    pub fn unrevoked_credentials(
        &self,
        environment: Environment,
    ) -> impl Iterator<Item = (bool, Option<Timestamp>)> {
        let tokens = self.tokens.values().map(|credential| (true, credential));
        let clients = self.clients.values().flatten().map(|(_, credential)| (false, credential));
        let valid =
            move |credential: &Credential| credential.environment == environment && !credential.revoked;
        tokens
            .chain(clients)
            .filter(move |(_, credential)| valid(credential))
            .map(|(is_token, credential)| (is_token, credential.expires_at))
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

impl AspEntry {
    /// What it proves itself with by GetKey in `environment`.
    pub fn getkey(&self, environment: Environment) -> &GetKeyEntry {
        &self.getkey[environment as usize]
    }

    /// What is agreed with it in `environment`.
    pub fn terms(&self, environment: Environment) -> &Terms {
        &self.terms[environment as usize]
    }
}

impl GetKeyEntry {
    /// The ASP secrets accepted at `now`, the oldest first.
    pub fn live_secrets(&self, now: Timestamp) -> impl Iterator<Item = &SecretEntry> {
        self.secrets.iter().filter(move |secret| secret.until.is_none_or(|until| now < until))
    }

    /// The certificates whose signatures are accepted at `now`, the newest first.
    pub fn live_certificates(&self, now: Timestamp) -> impl Iterator<Item = &CertificateEntry> {
        self.certificates.iter().filter(move |certificate| certificate.state(now) == CertificateState::Live)
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
        let Asp {
            aspid,
            name,
            status,
            allowed_ips,
            always_200,
            strict_headers,
            session_validity_min,
            contact_name: _,
            email: _,
            phone: _,
            created_at: _,
        } = asp;
        Self {
            aspid,
            name,
            status,
            allowed_ips,
            always_200,
            strict_headers,
            session_validity_min,
            getkey: Default::default(),
            terms: Default::default(),
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("version", &self.version)
            .field("asps", &self.asps.len())
            .field("tokens", &self.tokens.len())
            .field("clients", &self.clients.len())
            .field("passwords", &self.passwords.len())
            .field("session_keys", &self.session_keys)
            .finish()
    }
}
