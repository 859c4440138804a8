//! What the gateway answers for itself.

use std::process::Command;

use crate::asp::{Answer, Asp};
use crate::stage::{self, Production, Sandbox, Stage, request, stage};
use crate::stand_in::StandIn;

#[track_caller]
fn get(stage: &Stage, path: &str, headers: &str) -> Answer {
    stage.exchange(request("GET", path, headers, ""))
}

#[test]
fn health_needs_no_credentials_and_is_there_in_every_environment() {
    let stage = stage(StandIn::content().address);
    for environment in [Sandbox, Production] {
        for (path, status) in [("/healthz", "ok"), ("/readyz", "ready"), ("//healthz/", "ok")] {
            let answer = Asp::connect(stage.address(environment)).send(request("GET", path, "", "")).read();
            assert_eq!((answer.status, &answer.json()["status"]), (200, &status.into()), "{path}");
            assert!(answer.header("x-request-id").is_some());
        }
    }
}

#[test]
fn error_codes_are_explained_to_programs_and_to_people() {
    let stage = stage(StandIn::content().address);
    for code in ["GSP602", "AUTH4033", "gsp602"] {
        let answer = get(&stage, &format!("/errors/{code}"), "");
        let json = answer.json();
        assert_eq!((answer.status, json["code"].as_str()), (200, Some(code.to_uppercase().as_str())));
        for field in ["message", "origin", "remedy"] {
            assert!(!json[field].as_str().unwrap().is_empty(), "{field} of {code}");
        }
    }
    let page = get(&stage, "/errors/GSP602", "accept: text/html,application/xhtml+xml\r\n");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none';"));
    assert!(page.text().contains("The token is not recognised."), "{}", page.text());
    let all = get(&stage, "/errors", "").json();
    assert!(all.as_array().unwrap().len() > 100);
    assert!(get(&stage, "/errors", "accept: text/html\r\n").text().contains("href=\"/errors/GSP602\""));
    get(&stage, "/errors/NOPE", "").is_refusal("GSP622", 404);
    get(&stage, "/errors/%3Cscript%3E", "accept: text/html\r\n").is_refusal("GSP622", 404);
}

#[test]
fn certificates_can_be_fetched_in_every_form() {
    let setting = stage::set(StandIn::content().address);
    let (ca, certificate) = (setting.path("ca.pem"), setting.path("gstn.crt"));
    let key = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::new(vec!["ca".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(&ca, format!("{}{}", key.serialize_pem(), made.pem())).unwrap();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=gstn",
            "-keyout",
            "/dev/null",
            "-out",
        ])
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let pem = std::fs::read_to_string(&certificate).unwrap();
    let stage = setting
        .with(|config| {
            config.environments[0].ca_certificate = Some(ca);
            config.environments[0].gstn_certificate = Some(certificate);
        })
        .start();
    let own_ca = get(&stage, "/certificates/ca.pem", "").text();
    assert!(own_ca.starts_with("-----BEGIN CERTIFICATE-----\n") && !own_ca.contains("PRIVATE"), "{own_ca}");
    assert_eq!(get(&stage, "/certificates/gstn.pem", "").text().trim(), pem.trim());
    let der = get(&stage, "/certificates/gstn.cer", "");
    assert_eq!(der.header("content-type"), Some("application/pkix-cert"));
    let parsed = gstn::crypto::Certificate::from_der(&der.body).unwrap();
    assert!(get(&stage, "/certificates/gstn.pub.pem", "").text().starts_with("-----BEGIN PUBLIC KEY-----"));
    let json = get(&stage, "/certificates/gstn.json", "").json();
    assert_eq!(json["sha256_fingerprint"], parsed.sha256_fingerprint());
    assert!(
        json["not_after"].as_str().unwrap().ends_with('Z')
            && json["subject"].as_str().unwrap().contains("gstn")
    );
    let elsewhere = |path| Asp::connect(stage.address(Production)).send(request("GET", path, "", "")).read();
    elsewhere("/certificates/gstn.pem").is_refusal("GSP622", 404);
    elsewhere("/certificates/ca.pem").is_refusal("GSP622", 404);
}

#[test]
fn an_environment_without_an_upstream_says_so_to_every_call() {
    let stage = stage(StandIn::content().address);
    for call in [
        stage.request("GET", "/taxpayerapi/v1.0/returns", "", ""),
        request("PUT", "/api/taxpayerapi/v1.0/returns/gstr1", "", "{}"),
        request("GET", "/nowhere", "", ""),
    ] {
        let answer = Asp::connect(stage.address(Production)).send(call).read();
        answer.is_refusal("GSP640", 503);
        assert!(answer.text().contains("production"));
    }
}
