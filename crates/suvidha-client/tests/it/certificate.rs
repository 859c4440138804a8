//! An ASP replaces the certificate of its signing key.

use gstn::crypto::{PrivateKey, base64};
use serde_json::{Value, json};
use suvidha_client::Error;

use crate::standin::getkey::{ASP_KEY, ASPID, refused};
use crate::standin::{Scripted, StandIn};

const PATH: &str = "/aspapi/v1.0/setasppubcer";

/// A self-signed certificate of the ASP's key.
fn certificate() -> rcgen::Certificate {
    let key = rcgen::KeyPair::from_pem_and_sign_algo(&ASP_KEY.pkcs8_pem(), &rcgen::PKCS_RSA_SHA256).unwrap();
    rcgen::CertificateParams::new(vec!["asp".to_owned()]).unwrap().self_signed(&key).unwrap()
}

fn answer(certificate: &Value, others_until: &Value) -> Scripted {
    let reply = json!({"status_cd": "1", "message": "Done.", "certificate": certificate, "others_until": others_until});
    Scripted::Plain(200, reply.to_string().into_bytes())
}

fn of_a_certificate() -> Scripted {
    let certificate = json!({"id": 2, "subject": "CN=Acme", "sha256": "0a1b", "key_sha256": "2c3d",
        "not_after": "2036-11-01T00:00:00Z"});
    answer(&certificate, &json!("2026-11-23T04:45:30Z"))
}

/// What arrived as `cer`, decoded.
fn offered(standin: &StandIn) -> Vec<u8> {
    let body: Value = serde_json::from_slice(&standin.last_call().body).unwrap();
    base64::decode_strict(body["cer"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_certificate_is_replaced_within_a_session_and_once_more_if_that_has_died() {
    let standin = StandIn::start().await;
    let gsp = standin.getkey_builder().build().unwrap();
    let (status, dead) = refused(401, "GSP022");
    let dead = Scripted::Plain(status, dead.to_string().into_bytes());
    standin.script(PATH, [dead, of_a_certificate()]);
    let certificate = certificate();
    let registered = gsp.replace_certificate(certificate.der()).await.unwrap();
    assert_eq!((registered.id, registered.subject.as_deref()), (2, Some("CN=Acme")));
    assert_eq!(
        (registered.fingerprint.as_deref(), registered.key_fingerprint.as_str()),
        (Some("0a1b"), "2c3d")
    );
    let instants = [registered.not_after, registered.others_until].map(|at| at.unwrap().to_string());
    assert_eq!(instants, ["2036-11-01T00:00:00Z", "2026-11-23T04:45:30Z"]);
    assert_eq!(registered.to_string(), "CN=Acme (sha256 0a1b)");
    assert_eq!((standin.calls_of(PATH).len(), standin.count("GETKEY")), (2, 2));
    let call = standin.last_call();
    assert_eq!((call.header("aspid"), call.header("session-id")), (ASPID, "gsp-session-2"));
    assert_eq!(
        (call.header("content-type"), offered(&standin)),
        ("application/json", certificate.der().to_vec())
    );

    standin.script(PATH, [answer(&json!({"id": 3, "key_sha256": "2c3d"}), &Value::Null)]);
    let bare = gsp.replace_certificate(ASP_KEY.public_key().spki_pem()).await.unwrap();
    assert_eq!((bare.fingerprint.as_ref(), bare.not_after, bare.others_until), (None, None, None));
    assert_eq!(bare.to_string(), "a public key (sha256 2c3d)");
    assert_eq!(offered(&standin), ASP_KEY.public_key().spki_der());
}

#[tokio::test]
async fn a_private_key_in_the_same_file_stays_here() {
    let standin = StandIn::start().await;
    let gsp = standin.getkey_builder().build().unwrap();
    standin.script(PATH, [of_a_certificate()]);
    let certificate = certificate();
    let both = format!("{}\n{}", *ASP_KEY.pkcs8_pem(), certificate.pem());
    gsp.replace_certificate(both).await.unwrap();
    assert_eq!(offered(&standin), certificate.der().to_vec());

    let key_alone = gsp.replace_certificate(ASP_KEY.pkcs8_pem().as_bytes()).await;
    let der_alone = gsp.replace_certificate(&*ASP_KEY.pkcs8_der()).await;
    let nonsense = gsp.replace_certificate("nonsense").await;
    for outcome in [key_alone, der_alone, nonsense] {
        assert!(matches!(outcome, Err(Error::Invalid(_))), "{outcome:?}");
    }
    assert_eq!(standin.calls_of(PATH).len(), 1);
}

#[tokio::test]
async fn a_static_token_does_not_serve_and_nothing_is_sent() {
    let standin = StandIn::start().await;
    let key = PrivateKey::generate_2048();
    let error = standin.gsp().replace_certificate(key.public_key().spki_pem()).await.unwrap_err();
    assert!(matches!(&error, Error::Invalid(why) if why.contains("static token")), "{error:?}");
    assert!(standin.actions().is_empty());
}

#[tokio::test]
async fn a_certificate_that_the_gsp_cannot_use_is_told_with_its_reason() {
    let standin = StandIn::start().await;
    let gsp = standin.getkey_builder().build().unwrap();
    let (status, unusable) = refused(400, "GSP667");
    standin.script(PATH, [Scripted::Plain(status, unusable.to_string().into_bytes())]);
    let error = gsp.replace_certificate(certificate().pem()).await.unwrap_err();
    assert_eq!((error.code(), error.remedy()), (Some("GSP667"), Some("Do this.")));
}
