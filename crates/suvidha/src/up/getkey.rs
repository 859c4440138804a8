//! What the demo ASP gets sessions with by GetKey: an ASP secret, an account password, a key and its certificate. Made once,
//! kept, and made again only where they were lost or are no longer accepted.

use std::fs;
use std::path::{Path, PathBuf};

use gstn::crypto::{Certificate, PrivateKey, sha256_hex};
use gstn::{AspId, Environment};
use jiff::{SignedDuration, Timestamp};
use rcgen::{DistinguishedName, DnType};
use suvidha_seam::Seam;
use suvidha_store::{CertificateState, Enrolment, Registry, SecretString, StoreError};
use tracing::warn;

use crate::exit::{Exit, Failure};
use crate::files;
use crate::registry::make_private_directory;
use crate::x509;

/// Sealed under this name: since when it is the demo ASP's password, a blank, the password.
const PASSWORD: &str = "up/demo-password";
/// How long the demo certificate is valid.
const DAYS: u16 = 3650;

/// The demo ASP's credentials for GetKey. They open nothing but the sandbox.
pub(super) struct GetKey {
    pub(super) secret: SecretString,
    pub(super) password: SecretString,
    pub(super) private_key: PathBuf,
    pub(super) certificate: PathBuf,
}

/// Finds or makes what `aspid` gets sessions with. Its key and certificate are kept in `directory`.
pub(super) fn prepare(
    registry: &Registry,
    aspid: &AspId,
    directory: &Path,
    seam: &Seam,
) -> Result<GetKey, Failure> {
    let (secret, password) = secret_and_password(registry, aspid, seam.now())?;
    let private_key = directory.join("private-key.pem");
    let certificate = directory.join("certificate.pem");
    if !is_registered(registry, aspid, &private_key, &certificate, seam.now())? {
        make_private_directory(directory)?;
        let made = make_pair(&private_key, &certificate, seam)?;
        registry.add_certificate(aspid, Environment::Sandbox, made.der())?;
    }
    Ok(GetKey { secret, password, private_key, certificate })
}

fn secret_and_password(
    registry: &Registry,
    aspid: &AspId,
    now: Timestamp,
) -> Result<(SecretString, SecretString), StoreError> {
    match registry.enrol(aspid, Environment::Sandbox) {
        Ok(Enrolment { secret, password, created_at, .. }) => {
            keep_password(registry, created_at, &password)?;
            Ok((secret, password))
        }
        Err(StoreError::AlreadyEnrolled { .. }) => {
            Ok((newest_secret(registry, aspid, now)?, kept_password(registry, aspid)?))
        }
        Err(error) => Err(error),
    }
}

/// The registry can tell an ASP secret, since the gateway must.
fn newest_secret(registry: &Registry, aspid: &AspId, now: Timestamp) -> Result<SecretString, StoreError> {
    let snapshot = registry.snapshot()?;
    let entry = snapshot.asp(aspid).map(|asp| asp.getkey(Environment::Sandbox));
    let newest = entry.and_then(|entry| entry.live_secrets(now).last());
    match newest.and_then(|entry| str::from_utf8(entry.secret.as_bytes()).ok()) {
        Some(secret) => Ok(SecretString::new(secret.to_owned())),
        None => Ok(registry.rotate_asp_secret(aspid, Environment::Sandbox, SignedDuration::ZERO)?.secret),
    }
}

/// Of a password the registry can tell only since when it is there.
fn kept_password(registry: &Registry, aspid: &AspId) -> Result<SecretString, StoreError> {
    let rows = registry.passwords(aspid)?.into_iter();
    let since = rows.filter(|row| row.environment == Environment::Sandbox).map(|row| row.created_at).next();
    if let Some(kept) = registry.secret(PASSWORD)?
        && let Some((kept_since, password)) = kept.expose().split_once(' ')
        && kept_since.parse().ok() == since
    {
        return Ok(SecretString::new(password.to_owned()));
    }
    warn!("the demo ASP's password was reset; a new one is made");
    let issued = registry.reset_password(aspid, Environment::Sandbox)?;
    keep_password(registry, issued.created_at, &issued.password)?;
    Ok(issued.password)
}

fn keep_password(registry: &Registry, since: Timestamp, password: &SecretString) -> Result<(), StoreError> {
    let kept = SecretString::new(format!("{since} {}", password.expose()));
    registry.put_secret(PASSWORD, kept.expose())
}

/// Whether GetKey calls signed with the key in these files are accepted. One that was never registered, having been made
/// by an `up` that was cut off, is registered now.
fn is_registered(
    registry: &Registry,
    aspid: &AspId,
    private_key: &Path,
    certificate: &Path,
    now: Timestamp,
) -> Result<bool, Failure> {
    if !private_key.exists() {
        return Ok(false);
    }
    let Some(certificate) = read_pair(private_key, certificate) else {
        warn!(file = %private_key.display(), "the demo ASP's key and certificate cannot be used; new ones are made");
        return Ok(false);
    };
    let key = sha256_hex(certificate.public_key().spki_der());
    let mut known = registry.certificates(aspid)?;
    known.retain(|row| row.environment == Environment::Sandbox && row.key_sha256 == key);
    if known.is_empty() {
        registry.add_certificate(aspid, Environment::Sandbox, certificate.der())?;
        return Ok(true);
    }
    let live = known.iter().any(|row| row.state(now) == CertificateState::Live);
    if !live {
        warn!("the demo ASP's certificate is no longer accepted; a new one is made");
    }
    Ok(live)
}

/// The certificate, where both files hold what they should and belong together.
fn read_pair(private_key: &Path, certificate: &Path) -> Option<Certificate> {
    let key = PrivateKey::from_pem(fs::read(private_key).ok()?).ok()?;
    let certificate = Certificate::from_pem(fs::read(certificate).ok()?).ok()?;
    (certificate.public_key() == key.public_key()).then_some(certificate)
}

fn make_pair(private_key: &Path, certificate: &Path, seam: &Seam) -> Result<Certificate, Failure> {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "Demo ASP");
    let key = PrivateKey::generate_2048();
    let made = x509::self_signed(&key, subject, DAYS, seam)?;
    let write = |path: &Path, contents: &str, mode| {
        files::replace(path, contents.as_bytes(), mode)
            .map_err(|e| Failure::io(Exit::CannotCreate, format_args!("cannot write {}", path.display()), &e))
    };
    write(private_key, &key.pkcs8_pem(), 0o600)?;
    write(certificate, &made.pem(), 0o644)?;
    Ok(made)
}
