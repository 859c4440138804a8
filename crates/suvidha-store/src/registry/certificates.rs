//! Certificates: the public keys that an ASP signs its GetKey calls with. Several may be live at once, so that a key is
//! changed without an outage. Nobody vouches for them but the operator who registers them: they are self-signed.

use std::collections::HashMap;
use std::fmt;

use gstn::crypto::{Certificate, CertificateError, PublicKey, sha256_hex};
use gstn::{AspId, Environment};
use jiff::{SignedDuration, Timestamp};
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::asp_secrets::check_overlap;
use super::columns::{optional_time, parsed, storable, time};
use super::ids::CertificateId;
use super::{Registry, asps};
use crate::error::StoreError;

/// How many of an ASP may be live in an environment: each costs the gateway a verification of a bad signature.
const MOST_LIVE: usize = 8;

/// How many of an ASP that are over a snapshot holds for each environment, the newest: enough to explain a refusal.
const MOST_OVER: usize = 8;

/// What the registry can tell of a certificate or a bare public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRow {
    /// By which it is revoked.
    pub id: CertificateId,
    /// Where it is valid.
    pub environment: Environment,
    /// The certificate's, such as `C=IN, OU=GST, CN=Acme`; a bare key has none.
    pub subject: Option<String>,
    /// Length of the RSA key.
    pub bits: usize,
    /// SHA-256 of the key (SubjectPublicKeyInfo in DER), in lower-case hex.
    pub key_sha256: String,
    /// SHA-256 of the certificate in DER, in lower-case hex; a bare key has none.
    pub certificate_sha256: Option<String>,
    /// The certificate's first moment.
    pub not_before: Option<Timestamp>,
    /// The certificate's last moment.
    pub not_after: Option<Timestamp>,
    /// When it was registered. UTC, to the millisecond.
    pub created_at: Timestamp,
    /// From when on it is refused, because another has replaced it.
    pub until: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The latest GetKey call signed with it that was noted.
    pub last_used_at: Option<Timestamp>,
}

/// What came of [`Registry::replace_certificates`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The new one.
    pub certificate: CertificateRow,
    /// From when on none of those before it is accepted; `None` if none is even now.
    pub others_until: Option<Timestamp>,
}

/// What came of [`Registry::revoke_certificate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The certificates that this revoked: every one with the same key in the same environment. None if it was done before.
    pub revoked: Vec<CertificateId>,
    /// Those with the same key in the ASP's other environment that are not revoked.
    pub elsewhere: Vec<CertificateId>,
}

/// Whether a signature by a certificate's key is accepted, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateState {
    /// It is.
    Live,
    /// The certificate's own time has not begun.
    NotYetValid,
    /// The certificate's own time is over.
    Expired,
    /// Another has taken its place.
    Replaced,
    /// It was withdrawn.
    Revoked,
}

/// A certificate as the data plane needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateEntry {
    /// For [`Registry::touch`].
    pub id: CertificateId,
    /// What verifies the ASP's signatures; parsed once, however many snapshots hold it.
    pub key: PublicKey,
    /// The certificate's first moment; a bare key has none.
    pub not_before: Option<Timestamp>,
    /// The certificate's last moment.
    pub not_after: Option<Timestamp>,
    /// From when on it is refused, because another has replaced it.
    pub until: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl CertificateRow {
    /// The first moment at which it is accepted.
    fn begins_at(&self) -> Timestamp {
        self.not_before.map_or(self.created_at, |not_before| not_before.max(self.created_at))
    }

    /// Whether signatures by its key are accepted at `now`.
    pub fn state(&self, now: Timestamp) -> CertificateState {
        CertificateState::at(now, self.not_before, self.not_after, self.until, self.revoked_at)
    }
}

impl CertificateEntry {
    /// Whether signatures by its key are accepted at `now`.
    pub fn state(&self, now: Timestamp) -> CertificateState {
        CertificateState::at(now, self.not_before, self.not_after, self.until, self.revoked_at)
    }
}

impl CertificateState {
    /// `live`, `not yet valid`, `expired`, `replaced` or `revoked`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::NotYetValid => "not yet valid",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
        }
    }

    fn at(
        now: Timestamp,
        not_before: Option<Timestamp>,
        not_after: Option<Timestamp>,
        until: Option<Timestamp>,
        revoked_at: Option<Timestamp>,
    ) -> Self {
        if revoked_at.is_some() {
            Self::Revoked
        } else if until.is_some_and(|until| until <= now) {
            Self::Replaced
        } else if not_after.is_some_and(|last| last.as_second() < now.as_second()) {
            Self::Expired
        } else if not_before.is_some_and(|first| now < first) {
            Self::NotYetValid
        } else {
            Self::Live
        }
    }
}

impl fmt::Display for CertificateState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Registry {
    /// Registers what an ASP signs its GetKey calls with in an environment: an X.509 certificate or a bare public key
    /// of RSA with 2048 to 4096 bits, in PEM or DER. Others stay live, but for those with the same key: a renewed
    /// certificate takes their place when its own time begins.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`]; [`StoreError::InvalidCertificate`] says what is wrong with it: it cannot be read, has
    /// expired, is registered already, has a key that was revoked here, or eight are live.
    pub fn add_certificate(
        &self,
        aspid: &AspId,
        environment: Environment,
        offered: &[u8],
    ) -> Result<CertificateRow, StoreError> {
        let offered = Offered::read(offered)?;
        self.change(|transaction| self.keep_certificate(transaction, aspid, environment, offered))
    }

    /// Registers a certificate in place of all that are live in the environment; those are accepted as well for as
    /// long as `overlap` after the new one's own time has begun.
    ///
    /// # Errors
    /// As [`add_certificate`](Self::add_certificate), and nothing changes; [`StoreError::InvalidField`] unless `overlap` is
    /// 0 to 90 days.
    pub fn replace_certificates(
        &self,
        aspid: &AspId,
        environment: Environment,
        offered: &[u8],
        overlap: SignedDuration,
    ) -> Result<Replacement, StoreError> {
        check_overlap(overlap)?;
        let offered = Offered::read(offered)?;
        self.change(|transaction| {
            let certificate = self.keep_certificate(transaction, aspid, environment, offered)?;
            let until = storable(certificate.begins_at().saturating_add(overlap).unwrap_or(Timestamp::MAX));
            transaction.execute(
                "UPDATE asp_certificate SET until = ?4
                 WHERE aspid = ?1 AND environment = ?2 AND id <> ?3 AND (until IS NULL OR until > ?4)",
                params![
                    aspid.as_str(),
                    environment.as_str(),
                    certificate.id.as_i64(),
                    until.as_millisecond()
                ],
            )?;
            let others = live(transaction, aspid, environment, certificate.created_at)?.into_iter();
            let others_until = others.filter_map(|row| row.until).max();
            Ok(Replacement { certificate, others_until })
        })
    }

    /// Every certificate the ASP ever had, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn certificates(&self, aspid: &AspId) -> Result<Vec<CertificateRow>, StoreError> {
        let connection = self.connection();
        asps::require(&connection, aspid)?;
        let mut rows =
            connection.prepare_cached("SELECT * FROM asp_certificate WHERE aspid = ?1 ORDER BY id")?;
        Ok(rows.query_map([aspid.as_str()], from_row)?.collect::<Result<_, _>>()?)
    }

    /// Refuses signatures by its key in its environment from now on, for ever; sessions made with it go on. Other
    /// certificates there with the same key are revoked with it, and none can be registered again. Revoking twice is no
    /// error; the first time stays.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`]; [`StoreError::CertificateNotFound`] when the ASP has no such certificate.
    pub fn revoke_certificate(&self, aspid: &AspId, id: CertificateId) -> Result<Revocation, StoreError> {
        let now = self.0.seam.now();
        self.change(|transaction| {
            asps::require(transaction, aspid)?;
            let (environment, spki): (String, Vec<u8>) = transaction
                .query_row(
                    "SELECT environment, spki FROM asp_certificate WHERE id = ?1 AND aspid = ?2",
                    params![id.as_i64(), aspid.as_str()],
                    |row| Ok((row.get("environment")?, row.get("spki")?)),
                )
                .optional()?
                .ok_or(StoreError::CertificateNotFound { aspid: *aspid, id })?;
            let mut of_key = transaction.prepare(
                "SELECT id, environment FROM asp_certificate WHERE aspid = ?1 AND spki = ?2 AND revoked_at IS NULL
                 ORDER BY id",
            )?;
            let of_key = of_key.query_map(params![aspid.as_str(), spki], |row| {
                Ok((row.get::<_, i64>("id")?.into(), row.get::<_, String>("environment")? == environment))
            })?;
            let (here, elsewhere): (Vec<_>, Vec<_>) =
                of_key.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().partition(|(_, here)| *here);
            transaction.execute(
                "UPDATE asp_certificate SET revoked_at = ?4
                 WHERE aspid = ?1 AND environment = ?2 AND spki = ?3 AND revoked_at IS NULL",
                params![aspid.as_str(), environment, spki, now.as_millisecond()],
            )?;
            let ids = |rows: Vec<(CertificateId, bool)>| rows.into_iter().map(|(id, _)| id).collect();
            Ok(Revocation { revoked: ids(here), elsewhere: ids(elsewhere) })
        })
    }

    fn keep_certificate(
        &self,
        transaction: &Transaction<'_>,
        aspid: &AspId,
        environment: Environment,
        offered: Offered,
    ) -> Result<CertificateRow, StoreError> {
        asps::require(transaction, aspid)?;
        let created_at = storable(self.0.seam.now());
        let [not_before, not_after] = offered.dates();
        if CertificateState::at(created_at, None, not_after, None, None) == CertificateState::Expired {
            let not_after = not_after.unwrap_or(created_at);
            return Err(invalid(format!("it expired at {not_after}; make a new one")));
        }
        check_place(transaction, aspid, environment, &offered, created_at)?;
        transaction.execute(
            "INSERT INTO asp_certificate (aspid, environment, spki, x509, not_before, not_after, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                aspid.as_str(),
                environment.as_str(),
                offered.key.spki_der(),
                offered.x509.as_ref().map(Certificate::der),
                not_before.map(Timestamp::as_millisecond),
                not_after.map(Timestamp::as_millisecond),
                created_at.as_millisecond()
            ],
        )?;
        let row = CertificateRow {
            id: transaction.last_insert_rowid().into(),
            environment,
            subject: offered.x509.as_ref().map(|x509| x509.subject().to_owned()),
            bits: offered.key.bits(),
            key_sha256: offered.key_sha256(),
            certificate_sha256: offered.certificate_sha256(),
            not_before,
            not_after,
            created_at,
            until: None,
            revoked_at: None,
            last_used_at: None,
        };
        transaction.execute(
            "UPDATE asp_certificate SET until = ?5
             WHERE aspid = ?1 AND environment = ?2 AND spki = ?3 AND id <> ?4 AND (until IS NULL OR until > ?5)",
            params![
                aspid.as_str(),
                environment.as_str(),
                offered.key.spki_der(),
                row.id.as_i64(),
                row.begins_at().as_millisecond()
            ],
        )?;
        Ok(row)
    }
}

/// What is to be registered, read.
struct Offered {
    key: PublicKey,
    x509: Option<Certificate>,
}

impl Offered {
    fn read(bytes: &[u8]) -> Result<Self, StoreError> {
        if String::from_utf8_lossy(bytes).contains("PRIVATE KEY-----") {
            let reason =
                "it holds a private key, which nobody but its owner may have; give the certificate alone";
            return Err(invalid(reason.to_owned()));
        }
        let key = PublicKey::from_any(bytes).map_err(unreadable)?;
        let x509 = Certificate::from_any(bytes).ok().filter(|x509| *x509.public_key() == key);
        Ok(Self { key, x509 })
    }

    fn key_sha256(&self) -> String {
        sha256_hex(self.key.spki_der())
    }

    fn certificate_sha256(&self) -> Option<String> {
        self.x509.as_ref().map(Certificate::sha256_fingerprint)
    }

    fn dates(&self) -> [Option<Timestamp>; 2] {
        let date = |second: fn(&Certificate) -> i64| {
            self.x509.as_ref().and_then(|x509| Timestamp::from_second(second(x509)).ok())
        };
        [date(Certificate::not_before), date(Certificate::not_after)]
    }
}

fn unreadable(error: CertificateError) -> StoreError {
    invalid(error.to_string())
}

fn invalid(reason: String) -> StoreError {
    StoreError::InvalidCertificate { reason }
}

/// Refuses what was registered or revoked before, or is one too many. What is on its way out may come back, and a
/// certificate with the key of another takes its place.
fn check_place(
    transaction: &Transaction<'_>,
    aspid: &AspId,
    environment: Environment,
    offered: &Offered,
    now: Timestamp,
) -> Result<(), StoreError> {
    let revoked = transaction
        .query_row(
            "SELECT id FROM asp_certificate
             WHERE aspid = ?1 AND environment = ?2 AND spki = ?3 AND revoked_at IS NOT NULL LIMIT 1",
            params![aspid.as_str(), environment.as_str(), offered.key.spki_der()],
            |row| row.get::<_, i64>("id"),
        )
        .optional()?;
    if let Some(id) = revoked {
        return Err(invalid(format!("its key was revoked, with number {id}; make a new key pair")));
    }
    let key = offered.key_sha256();
    let (of_key, others): (Vec<_>, Vec<_>) =
        live(transaction, aspid, environment, now)?.into_iter().partition(|row| row.key_sha256 == key);
    let certificate = offered.certificate_sha256();
    let same = of_key.iter().find(|row| row.certificate_sha256 == certificate && row.until.is_none());
    if let Some(row) = same {
        return Err(invalid(format!("it is registered already, as number {}", row.id)));
    }
    // Those with the same key go when this one begins.
    let begins_later = offered.dates()[0].is_some_and(|not_before| not_before > now);
    let staying = others.len() + if begins_later { of_key.len() } else { 0 };
    if staying >= MOST_LIVE {
        return Err(invalid(format!("{MOST_LIVE} are live already; one of them must be revoked first")));
    }
    Ok(())
}

/// Those that neither were revoked nor replaced nor have expired.
fn live(
    transaction: &Transaction<'_>,
    aspid: &AspId,
    environment: Environment,
    now: Timestamp,
) -> Result<Vec<CertificateRow>, StoreError> {
    // Each row takes a while to read, and there may be many that are over.
    let mut rows = transaction.prepare_cached(
        "SELECT * FROM asp_certificate WHERE aspid = ?1 AND environment = ?2 AND revoked_at IS NULL
         AND (until IS NULL OR until > ?3) ORDER BY id",
    )?;
    let rows =
        rows.query_map(params![aspid.as_str(), environment.as_str(), now.as_millisecond()], from_row)?;
    let live = |row: &CertificateRow| {
        matches!(row.state(now), CertificateState::Live | CertificateState::NotYetValid)
    };
    Ok(rows.filter(|row| row.as_ref().map_or(true, live)).collect::<Result<_, _>>()?)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<CertificateRow> {
    let x509: Option<Vec<u8>> = row.get("x509")?;
    let x509 = x509.map(|der| Certificate::from_der(&der)).transpose().map_err(damaged)?;
    let key = PublicKey::from_spki_der(&row.get::<_, Vec<u8>>("spki")?).map_err(damaged)?;
    Ok(CertificateRow {
        id: row.get::<_, i64>("id")?.into(),
        environment: parsed(row, "environment")?,
        subject: x509.as_ref().map(|x509| x509.subject().to_owned()),
        bits: key.bits(),
        key_sha256: sha256_hex(key.spki_der()),
        certificate_sha256: x509.as_ref().map(Certificate::sha256_fingerprint),
        not_before: optional_time(row, "not_before")?,
        not_after: optional_time(row, "not_after")?,
        created_at: time(row, "created_at")?,
        until: optional_time(row, "until")?,
        revoked_at: optional_time(row, "revoked_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
    })
}

fn damaged(error: CertificateError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error))
}

/// Hands every certificate that may be accepted at `now` or later to `take`, the newest first; and among them the newest few
/// of each ASP that are over, were so not before `since`, and so can be named as the reason of a refusal. Keys that `keys`
/// holds are not parsed again.
pub(super) fn each_known(
    transaction: &Transaction<'_>,
    keys: &mut ParsedKeys,
    [since, now]: [Timestamp; 2],
    mut take: impl FnMut(AspId, Environment, CertificateEntry),
) -> Result<(), StoreError> {
    let mut known = transaction.prepare_cached(
        "SELECT id, aspid, environment, spki, not_before, not_after, until, revoked_at FROM asp_certificate
         WHERE coalesce(until, ?1) >= ?1 AND coalesce(revoked_at, ?1) >= ?1 ORDER BY id DESC",
    )?;
    let mut rows = known.query([since.as_millisecond()])?;
    let mut over = HashMap::<(AspId, Environment), usize>::new();
    while let Some(row) = rows.next()? {
        let (aspid, environment) = (parsed(row, "aspid")?, parsed(row, "environment")?);
        let [not_before, not_after, until, revoked_at] = [
            optional_time(row, "not_before")?,
            optional_time(row, "not_after")?,
            optional_time(row, "until")?,
            optional_time(row, "revoked_at")?,
        ];
        let state = CertificateState::at(now, not_before, not_after, until, revoked_at);
        if !matches!(state, CertificateState::Live | CertificateState::NotYetValid) {
            let over = over.entry((aspid, environment)).or_default();
            *over += 1;
            if *over > MOST_OVER {
                continue;
            }
        }
        let key = keys.key(row.get_ref("spki")?.as_blob().map_err(rusqlite::Error::from)?)?;
        let id = row.get::<_, i64>("id")?.into();
        take(aspid, environment, CertificateEntry { id, key, not_before, not_after, until, revoked_at });
    }
    keys.forget_unused();
    Ok(())
}

/// The keys that the last snapshot parsed, which costs some hundred times what reading them costs.
#[derive(Default)]
pub(super) struct ParsedKeys {
    before: HashMap<Vec<u8>, PublicKey>,
    now: HashMap<Vec<u8>, PublicKey>,
}

impl ParsedKeys {
    fn key(&mut self, spki: &[u8]) -> Result<PublicKey, StoreError> {
        if let Some(key) = self.now.get(spki) {
            return Ok(key.clone());
        }
        let (spki, key) = match self.before.remove_entry(spki) {
            Some(known) => known,
            None => (spki.to_vec(), PublicKey::from_spki_der(spki).map_err(damaged)?),
        };
        self.now.insert(spki, key.clone());
        Ok(key)
    }

    fn forget_unused(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }
}
