//! The sandbox's own GSTN certificate: made at first start, kept ever after, published in every form clients want.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use gstn::crypto::PrivateKey;
use rcgen::{CertificateParams, DnType, KeyPair};
use rcgen::{PKCS_RSA_SHA256, date_time_ymd};

use crate::server::SandboxError;

const PRIVATE_KEY: &str = "gstn.key.pem";
const PEM: &str = "gstn.pem";
const DER: &str = "gstn.cer";
const PUBLIC_KEY: &str = "gstn.pub.pem";

/// The private key, and where its certificate can be read.
pub(crate) struct SandboxCertificate {
    pub(crate) private_key: PrivateKey,
    pub(crate) pem: String,
    pub(crate) pem_path: PathBuf,
}

/// Reads the certificate kept in `data_dir`, or makes one (RSA-2048, self-signed) with a private key of mode 0600.
pub(crate) fn load_or_create(
    data_dir: &Path,
    not_before_year: i32,
) -> Result<SandboxCertificate, SandboxError> {
    let key_path = data_dir.join(PRIVATE_KEY);
    let pem_path = data_dir.join(PEM);
    let private_key = match fs::read_to_string(&key_path) {
        Ok(pem) => PrivateKey::from_pem(pem.as_bytes()).map_err(|source| unusable(&key_path, source))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = PrivateKey::generate_2048();
            write(&key_path, key.pkcs8_pem().as_bytes(), 0o600)?;
            key
        }
        Err(error) => return Err(SandboxError::io(&key_path, error)),
    };
    if !pem_path.exists() {
        publish(data_dir, &private_key, not_before_year)?;
    }
    let pem = fs::read_to_string(&pem_path).map_err(|error| SandboxError::io(&pem_path, error))?;
    Ok(SandboxCertificate { private_key, pem, pem_path })
}

/// Writes the X.509 certificate as DER and PEM and the bare public key as SPKI PEM; the PEM last, as it marks completion.
fn publish(data_dir: &Path, key: &PrivateKey, not_before_year: i32) -> Result<(), SandboxError> {
    let key_path = data_dir.join(PRIVATE_KEY);
    let pair = KeyPair::from_pem_and_sign_algo(&key.pkcs8_pem(), &PKCS_RSA_SHA256)
        .map_err(|source| unusable(&key_path, source))?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Suvidha sandbox GSTN (not GSTN)");
    params.distinguished_name.push(DnType::OrganizationName, "Suvidha sandbox");
    params.distinguished_name.push(DnType::CountryName, "IN");
    params.not_before = date_time_ymd(not_before_year, 1, 1);
    params.not_after = date_time_ymd(not_before_year + 20, 1, 1);
    let certificate = params.self_signed(&pair).map_err(|source| unusable(&key_path, source))?;
    write(&data_dir.join(DER), certificate.der(), 0o644)?;
    write(&data_dir.join(PUBLIC_KEY), key.public_key().spki_pem().as_bytes(), 0o644)?;
    write(&data_dir.join(PEM), certificate.pem().as_bytes(), 0o644)
}

fn unusable(path: &Path, source: impl std::fmt::Display) -> SandboxError {
    SandboxError::Certificate { path: path.to_owned(), reason: source.to_string() }
}

/// Writes under another name, syncs and renames, so that a crash leaves no half file.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), SandboxError> {
    let unfinished = path.with_extension("new");
    let attempt = || -> io::Result<()> {
        let _ = fs::remove_file(&unfinished);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    };
    attempt().map_err(|error| SandboxError::io(path, error))
}
