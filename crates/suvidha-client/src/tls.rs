//! Whom the client trusts: the system's certificate authorities and those it is given.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::error::Error;

/// A TLS configuration that verifies the gateway's name and chain. `extra_ca_pem` adds to the system's roots.
pub(crate) fn client_config(extra_ca_pem: &[Vec<u8>]) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for pem in extra_ca_pem {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate
                .map_err(|error| Error::Invalid(format!("the CA certificate is not PEM: {error}")))?;
            roots.add(certificate).map_err(|error| Error::Invalid(format!("the CA certificate: {error}")))?;
        }
        if roots.len() == before {
            return Err(Error::Invalid("the CA file holds no certificate in PEM".to_owned()));
        }
    }
    if roots.is_empty() {
        return Err(Error::Invalid(
            "this system has no certificate authorities; give the GSP's CA".to_owned(),
        ));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Invalid(format!("TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_vec();
        for bad in [Vec::new(), b"hello".to_vec(), key] {
            assert!(matches!(client_config(&[bad]), Err(Error::Invalid(_))));
        }
    }
}
