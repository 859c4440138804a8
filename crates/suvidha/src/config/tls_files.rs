//! Whether certificate files hold what they should, asked before a listener opens.

use std::fs;
use std::path::Path;

use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A server certificate (PEM, intermediates after it) and the private key that belongs to it (PEM).
pub(super) fn certificate_and_key(certificate: &Path, key: &Path) -> Result<(), String> {
    let chain = certificates(certificate)?;
    let private_key = PrivateKeyDer::from_pem_file(key)
        .map_err(|e| format!("{} holds no private key in PEM: {e}", key.display()))?;
    CertifiedKey::from_der(chain, private_key, &aws_lc_rs::default_provider()).map(drop).map_err(|e| {
        let (certificate, key) = (certificate.display(), key.display());
        match e {
            rustls::Error::InconsistentKeys(_) => {
                format!("the certificate {certificate} and the key {key} do not go together")
            }
            other => format!("the certificate {certificate} and the key {key} cannot be used: {other}"),
        }
    })
}

/// One or more certificates in PEM that may vouch for others.
pub(super) fn authorities(file: &Path) -> Result<(), String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .map_err(|e| format!("a certificate in {} is no certificate: {e}", file.display()))?;
    }
    Ok(())
}

/// GSTN's public certificate, PEM or DER.
pub(super) fn gstn_certificate(file: &Path) -> Result<(), String> {
    let bytes = fs::read(file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    gstn::crypto::Certificate::from_any(&bytes)
        .map(drop)
        .map_err(|e| format!("{} is no certificate of GSTN: {e}", file.display()))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |e| format!("{} holds no certificate in PEM: {e}", file.display());
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(format!("{} holds no certificate in PEM", file.display()));
    }
    Ok(certificates)
}
