//! `suvidha tls dev-ca`: certificates that a TLS client accepts.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::command::{Place, mode};

fn accepted(ca: &Path, certificate: &Path, name: &'static str) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
    let certificate = CertificateDer::from_pem_file(certificate).unwrap();
    let name = ServerName::try_from(name).unwrap();
    verifier.build().unwrap().verify_server_cert(&certificate, &[], &name, &[], UnixTime::now()).is_ok()
}

#[test]
fn a_client_that_trusts_the_authority_accepts_the_server_by_its_names_alone() {
    let place = Place::new();
    let made = place.json("tls dev-ca --out tls --name gsp.example.in --name 192.0.2.7");
    assert_eq!(made["certificate"], "tls/server.pem");
    let (ca, certificate) = (place.path("tls/ca.pem"), place.path("tls/server.pem"));
    assert!(accepted(&ca, &certificate, "gsp.example.in"));
    assert!(accepted(&ca, &certificate, "192.0.2.7"));
    assert!(!accepted(&ca, &certificate, "localhost"));
    assert_eq!(mode(&place.path("tls/ca-key.pem")), 0o600);
    assert_eq!(mode(&place.path("tls/server-key.pem")), 0o600);
}

#[test]
fn renewing_keeps_the_authority_and_nothing_is_replaced_unasked() {
    let place = Place::new();
    assert_eq!(place.run("tls dev-ca").code, 0);
    let (ca, certificate) = (place.path("tls/ca.pem"), place.path("tls/server.pem"));
    let (first_ca, first) = (fs::read(&ca).unwrap(), fs::read(&certificate).unwrap());
    place.run("tls dev-ca").fails(73, "tls/server.pem exists already");
    assert_eq!(fs::read(&certificate).unwrap(), first);
    assert_eq!(place.run("tls dev-ca --renew").code, 0);
    assert_eq!(fs::read(&ca).unwrap(), first_ca);
    assert_ne!(fs::read(&certificate).unwrap(), first);
    assert!(accepted(&ca, &certificate, "127.0.0.1") && accepted(&ca, &certificate, "localhost"));
}

#[test]
fn a_damaged_authority_is_told() {
    let place = Place::new();
    assert_eq!(place.run("tls dev-ca").code, 0);
    place.write("tls/ca-key.pem", "no key\n");
    place.run("tls dev-ca --renew").fails(65, "ca-key.pem holds no private key");
}
