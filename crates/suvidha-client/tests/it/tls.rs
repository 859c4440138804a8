//! TLS to the gateway: the name and the chain are verified, always.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use suvidha_client::{Credentials, Error, Gsp, Registration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::standin::GSTIN;

/// A server with a certificate for `name`, signed by a CA of its own; returns the port and the CA in PEM.
async fn server(name: &str) -> (u16, String) {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let body = r#"{"status_cd":"1","data":{"gstin":"33AANCS2882A1ZG"}}"#;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, ca.pem())
}

async fn search(port: u16, ca: &str) -> Result<Registration, Error> {
    let gsp = Gsp::builder(format!("https://127.0.0.1:{port}"))
        .credentials(Credentials::token("t"))
        .ca_pem(ca)
        .build()
        .unwrap();
    gsp.search(&GSTIN.parse().unwrap()).await
}

#[tokio::test]
async fn a_gateway_with_its_own_ca_is_trusted_once_the_ca_is_given() {
    let (port, ca) = server("127.0.0.1").await;
    assert_eq!(search(port, &ca).await.unwrap().gstin, GSTIN);
}

#[tokio::test]
async fn a_stranger_and_a_wrong_name_are_turned_away_before_anything_is_sent() {
    let (_, other_ca) = server("127.0.0.1").await;
    let (port, _) = server("127.0.0.1").await;
    let (elsewhere, ca) = server("gsp.example.in").await;
    for (port, ca) in [(port, other_ca), (elsewhere, ca)] {
        let error = search(port, &ca).await.unwrap_err();
        assert!(matches!(error, Error::Untrusted { .. }), "{error:?}");
    }
}
