//! Signing with a certificate instead of an OTP.

use gstn::crypto::{Certificate, PrivateKey, base64, dsc_sign};
use serde_json::{Value, json};
use suvidha_sandbox::DscCheck;

use crate::filing::ready;
use crate::http::Request;
use crate::taxpayer::Session;
use crate::world::World;

const PERIOD: &str = "032025";

struct Dsc {
    key: PrivateKey,
    certificate: Certificate,
}

impl Dsc {
    /// The key and the self-signed certificate that the sandbox made for itself: as good as any.
    fn new(world: &World) -> Self {
        let read = |name: &str| std::fs::read(world.dir.path().join("gstn").join(name)).unwrap();
        Self {
            key: PrivateKey::from_pem(read("gstn.key.pem")).unwrap(),
            certificate: Certificate::from_pem(read("gstn.pem")).unwrap(),
        }
    }

    fn sign(&self, text: &str) -> String {
        dsc_sign(&self.key, &self.certificate, text).unwrap()
    }

    fn file(&self, session: &Session, summary: &str) -> Request {
        filed_with(session, summary, &self.sign(&base64::encode(summary)))
    }

    fn register(&self, session: &Session, path: &str) -> Request {
        let body = json!({"data": session.pan(), "sign": self.sign(session.pan())});
        session.call("POST", &format!("/taxpayerapi/v0.2/{path}")).json(&body)
    }
}

fn filed_with(session: &Session, summary: &str, sign: &str) -> Request {
    let mut body = session.sealed("RETFILE", summary);
    body.as_object_mut().unwrap().remove("hmac");
    for (name, value) in [("sign", sign), ("st", "DSC"), ("sid", session.pan())] {
        body[name] = Value::from(value);
    }
    session.call("POST", "/taxpayerapi/v4.0/returns/gstr1").json(&body)
}

#[test]
fn a_return_is_filed_with_a_dsc_and_no_otp() {
    let world = World::new();
    let session = world.taxpayer(&json!({})).login(&world);
    let summary = ready(&world, &session);
    let dsc = Dsc::new(&world);
    let of_another = dsc.sign(&base64::encode("{}"));
    assert_eq!(world.gstn(&filed_with(&session, &summary, &of_another)).error_cd(), "RET13506");
    assert_eq!(world.gstn(&filed_with(&session, &summary, "")).error_cd(), "GEN5001");
    let filed = session.open(&world.gstn(&dsc.file(&session, &summary)));
    assert!(filed["ack_num"].as_str().unwrap().starts_with("AA"));
    let tracked = session.open(&world.gstn(&session.get("returns", "RETTRACK", PERIOD)));
    assert_eq!(tracked["EFiledlist"][0]["arn"], filed["ack_num"]);
}

#[test]
fn a_certificate_must_be_registered_where_the_check_is_strict() {
    let world = World::with(|config| config.dsc_check = DscCheck::Strict);
    let session = world.taxpayer(&json!({})).login(&world);
    let summary = ready(&world, &session);
    let dsc = Dsc::new(&world);
    let code = |request: Request| world.gstn(&request).error_cd();
    assert_eq!(code(dsc.file(&session, &summary)), "RT_FIL_017");
    assert_eq!(code(dsc.register(&session, "registerdsc")), "");
    assert_eq!(code(dsc.register(&session, "deregisterdsc")), "");
    assert_eq!(code(dsc.file(&session, &summary)), "RT_FIL_017");
    assert_eq!(code(dsc.register(&session, "registerdsc")), "");
    assert_eq!(code(dsc.file(&session, &summary)), "");
}
