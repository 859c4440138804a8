//! TLS on both sides: our certificate towards ASPs, and whom we trust towards GSTN.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use gstn::Environment;
use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::ServerTls;
use crate::site::StartError;

/// How our listeners speak TLS: 1.2 or 1.3, HTTP/2 or HTTP/1.1.
pub(crate) fn server_config(files: &ServerTls) -> Result<Arc<ServerConfig>, StartError> {
    let chain = certificates(&files.certificate)?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| StartError::file(&files.key, error))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| StartError::file(&files.certificate, error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The last moment of our certificate; none where it cannot be read.
pub(crate) fn expires_at(files: &ServerTls) -> Option<Timestamp> {
    let chain = certificates(&files.certificate).ok()?;
    let (_, certificate) = X509Certificate::from_der(chain.first()?).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

/// How we speak TLS to GSTN.
pub(crate) fn client_config(
    environment: Environment,
    ca_file: Option<&Path>,
) -> Result<Arc<ClientConfig>, StartError> {
    trust(ca_file)?.ok_or(StartError::NoTrustedCa(environment))
}

/// How we speak TLS as a client, trusting only what `ca_file` vouches for, or the operating system where there is no such
/// file; none where that vouches for nobody.
pub(crate) fn trust(ca_file: Option<&Path>) -> Result<Option<Arc<ClientConfig>>, StartError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| StartError::file(path, error))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Ok(None);
            }
        }
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| StartError::file(ca_file.unwrap_or(Path::new("")), error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Arc::new(config)))
}

/// The certificates of a PEM file, for ASPs to download, and nothing else that may be in it, such as a key.
pub(crate) fn read_ca_pem(path: &Path) -> Result<Bytes, StartError> {
    let mut pem = String::new();
    for der in certificates(path)? {
        let text = gstn::crypto::base64::encode(&*der);
        let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
        pem.push_str(&format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"));
    }
    Ok(Bytes::from(pem))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| StartError::file(path, error))?;
    if certificates.is_empty() {
        return Err(StartError::file(path, "it holds no PEM certificate"));
    }
    Ok(certificates)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
