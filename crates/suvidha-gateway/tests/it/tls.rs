//! TLS, on both sides.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use suvidha_gateway::config::{Config, ServerTls};

use crate::log;
use crate::stage::{self, Sandbox, Stage, request, soon};
use crate::stand_in::{Act, StandIn, answer, ok, read_request};

const PATH: &str = "/taxpayerapi/v1.0/returns";

struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key for `name`, as PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn issue_files(&self, name: &str, certificate: &Path, key: &Path) {
        let (certificate_pem, key_pem) = self.issue(name);
        std::fs::write(key, key_pem).unwrap();
        std::fs::write(certificate, certificate_pem).unwrap();
    }

    fn trusted(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

/// A GSTN that speaks TLS with a certificate for `name`.
fn gstn(ca: &Ca, name: &str) -> SocketAddr {
    let (certificate, key) = ca.issue(name);
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    StandIn::raw(move |connection, stream| {
        let session = ServerConnection::new(Arc::clone(&config)).unwrap();
        let stream = rustls::StreamOwned::new(session, stream);
        let mut reader = std::io::BufReader::new(stream);
        while read_request(&mut reader, connection).is_some() {
            reader.get_mut().write_all(&ok(r#"{"status_cd":"1"}"#)).unwrap();
        }
    })
}

/// A gateway whose GSTN is at `https://host:port`, trusted as `ca` says.
fn towards(host: &str, gstn: SocketAddr, ca: &Ca) -> Stage {
    let setting = stage::set(gstn);
    let ca_file = setting.path("gstn-ca.pem");
    std::fs::write(&ca_file, ca.0.pem()).unwrap();
    let mut upstream = stage::at(&format!("https://{host}:{}", gstn.port()));
    upstream.ca_file = Some(ca_file);
    setting.with(|config| config.environments[0].upstream = Some(upstream)).start()
}

#[test]
fn gstn_is_reached_over_tls_when_its_certificate_is_right() {
    let ca = Ca::new();
    let stage = towards("localhost", gstn(&ca, "localhost"), &ca);
    for _ in 0..2 {
        assert_eq!(stage.get(PATH, "").json()["status_cd"], "1");
    }
}

#[test]
fn a_gstn_with_a_wrong_certificate_gets_nothing() {
    let (ca, impostor) = (Ca::new(), Ca::new());
    for (host, gstn) in [
        ("localhost", gstn(&ca, "elsewhere")),
        ("localhost", gstn(&impostor, "localhost")),
        ("127.0.0.1", gstn(&ca, "localhost")),
    ] {
        let answer = towards(host, gstn, &ca).get(PATH, "");
        answer.is_refusal("GSP652", 502);
        assert!(!answer.text().contains("localhost") && !answer.text().contains("127.0.0.1"));
    }
}

#[test]
fn a_gstn_without_tls_is_not_reached_over_it() {
    let ca = Ca::new();
    let plain = StandIn::content();
    towards("localhost", plain.address, &ca).get(PATH, "").is_refusal("GSP030", 502);
    assert!(plain.seen().is_empty());
}

/// A gateway that serves HTTPS.
fn over_tls(ca: &Ca, change: impl FnOnce(&mut Config)) -> Stage {
    let setting = stage::set(StandIn::content().address);
    let files = ServerTls { certificate: setting.path("tls.pem"), key: setting.path("tls.key") };
    ca.issue_files("localhost", &files.certificate, &files.key);
    setting.with(|config| config.environments[0].tls = Some(files)).with(change).start()
}

/// The answer to `request` over TLS, read to the end of the connection.
fn over_http1(stage: &Stage, ca: &Ca, request: &str) -> std::io::Result<String> {
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(ca.trusted()), name).map_err(std::io::Error::other)?;
    let mut stream = rustls::StreamOwned::new(session, TcpStream::connect(stage.address(Sandbox))?);
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn asps_connect_over_tls() {
    let ca = Ca::new();
    let stage = over_tls(&ca, |_| {});
    let answer = over_http1(&stage, &ca, &stage.request("GET", PATH, "connection: close\r\n", "")).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("status_cd"), "{answer}");
    let refused = over_http1(&stage, &ca, "nonsense\r\n\r\n").unwrap();
    assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("GSP610"), "{refused}");
}

#[test]
fn an_asp_that_reads_late_gets_all_that_was_answered() {
    const LENGTH: usize = 48 * 1024;
    let ca = Ca::new();
    let gstn = StandIn::new(|_| Act::Answer(answer("200 OK", "", &"~".repeat(LENGTH))));
    let upstream = stage::at(&format!("http://{}", gstn.address));
    let stage = over_tls(&ca, |config| config.environments[0].upstream = Some(upstream));
    let socket = TcpStream::connect(stage.address(Sandbox)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(ca.trusted()), name).unwrap();
    let mut stream = rustls::StreamOwned::new(session, socket);
    // Until an answer is not taken whole, and TLS holds the rest of it back.
    let mut calls = 0;
    loop {
        calls += 1;
        let txn = format!("READS-LATE-{calls}-");
        stream.write_all(stage.request("GET", PATH, &format!("txn: {txn}\r\n"), "").as_bytes()).unwrap();
        let is_over =
            || log::text().lines().any(|line| line.contains("suvidha::call") && line.contains(&txn));
        let given_up = Instant::now() + Duration::from_secs(1);
        while !is_over() && Instant::now() < given_up {
            std::thread::sleep(Duration::from_millis(5));
        }
        if !is_over() {
            break;
        }
    }
    let (mut seen, mut room) = (0, vec![0; 64 * 1024]);
    while seen < calls * LENGTH {
        let read = stream.read(&mut room).expect("the rest of the answers");
        seen += room[..read].iter().filter(|byte| **byte == b'~').count();
    }
}

#[test]
fn a_renewed_certificate_is_served_without_a_restart() {
    let (old, new) = (Ca::new(), Ca::new());
    let stage = over_tls(&old, |_| {});
    let healthz = request("GET", "/healthz", "connection: close\r\n", "");
    assert!(over_http1(&stage, &old, &healthz).is_ok());
    assert!(over_http1(&stage, &new, &healthz).is_err());
    std::fs::write(stage.path("tls.key"), "half a file").unwrap();
    assert!(over_http1(&stage, &old, &healthz).is_ok(), "a bad file changes nothing");
    new.issue_files("localhost", &stage.path("tls.pem"), &stage.path("tls.key"));
    assert!(soon(|| over_http1(&stage, &new, &healthz).is_ok()));
}

type Http2 = hyper::client::conn::http2::SendRequest<Full<bytes::Bytes>>;

async fn over_http2(stage: &Stage, ca: &Ca) -> Http2 {
    let mut config = ca.trusted();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let socket = tokio::net::TcpStream::connect(stage.address(Sandbox)).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Status and body of the answer to a PUT with `headers`; `None` where the stream is reset.
async fn put(sender: &mut Http2, headers: &[(&str, &str)], body: Vec<u8>) -> Option<(u16, String)> {
    let request = Request::put(format!("https://localhost{PATH}"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = sender.send_request(request.body(Full::new(bytes::Bytes::from(body))).unwrap()).await;
    let (head, body) = answer.ok()?.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    Some((head.status.as_u16(), String::from_utf8(body.to_vec()).unwrap()))
}

fn block_on(story: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(story);
}

#[test]
fn asps_may_speak_http2() {
    let ca = Ca::new();
    let stage = over_tls(&ca, |config| config.limits.head_bytes = 4096);
    block_on(async {
        let mut sender = over_http2(&stage, &ca).await;
        let token = ("x-ct-auth-token", stage.token.as_str());
        let (status, body) = put(&mut sender, &[token], vec![b'a'; 3_000_000]).await.unwrap();
        assert_eq!(status, 200, "{body}");
        let padding = "a".repeat(5000);
        for (headers, code, status) in [
            (&[("x-ct-auth-token", "nobody")][..], "GSP602", 401),
            (&[token, ("x-padding", padding.as_str())], "GSP611", 431),
            (&[token, token], "GSP614", 400),
            (&[token, ("x_ct_auth_token", "other")], "GSP614", 400),
            (&[token, ("gstin", "a"), ("gstin", "b")], "GSP631", 400),
        ] {
            let (got, body) = put(&mut sender, headers, Vec::new()).await.unwrap();
            assert!(got == status && body.contains(code), "{headers:?}: {got} {body}");
        }
    });
}

#[test]
fn a_length_that_http2_contradicts_reaches_no_gstn() {
    let ca = Ca::new();
    let gstn = StandIn::content();
    let upstream = stage::at(&format!("http://{}", gstn.address));
    let stage = over_tls(&ca, |config| config.environments[0].upstream = Some(upstream));
    block_on(async {
        let mut sender = over_http2(&stage, &ca).await;
        let token = ("x-ct-auth-token", stage.token.as_str());
        for length in ["2", "9"] {
            let answer = put(&mut sender, &[token, ("content-length", length)], b"{\"a\"}".to_vec()).await;
            assert!(answer.is_none_or(|(status, _)| status == 400), "content-length: {length}");
        }
        let (status, _) = put(&mut sender, &[token], b"{}".to_vec()).await.unwrap();
        assert_eq!(status, 200);
    });
    assert_eq!(gstn.only().body, b"{}");
}

#[test]
fn an_http2_client_that_does_not_see_the_end_coming_is_not_waited_for() {
    let ca = Ca::new();
    let stage = over_tls(&ca, |config| config.timeouts.keep_alive_ms = 200);
    let mut config = ca.trusted();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let session =
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let socket = TcpStream::connect(stage.address(Sandbox)).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut stream = rustls::StreamOwned::new(session, socket);
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&settings).unwrap();
    let end = stream.read_to_end(&mut Vec::new());
    assert_ne!(end.map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock), "it is still open");
}
