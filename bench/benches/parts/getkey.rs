//! GetKey: the whole message as the gateway reads, verifies and answers it, beside the verification of its signature alone.
//!
//! Left out is what the gateway remembers of callers and messages, and HTTP: `cargo xtask bench getkey` measures it all.

use std::hint::black_box;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use criterion::Criterion;
use gstn::Environment;
use gstn::crypto::{AspSecret, PrivateKey, base64, getkey_sign, getkey_verify};
use gstn::envelope::StatusCd;
use gstn::getkey::{GetKeyReply, GetKeyRequest, GetKeyStamp};
use suvidha_gateway::mint_session;
use suvidha_seam::Seam;
use suvidha_store::SessionKey;

use crate::session::master;

const ASPID: &str = "7857622155";

pub(crate) fn bench(criterion: &mut Criterion) {
    let key = PrivateKey::generate_2048();
    let (secret, master) = (AspSecret::from_bytes([b's'; 32]), master());
    let timestamp = GetKeyStamp::at(Seam::system().now(), [7; 6]).to_string();
    let signed_content = getkey_sign(&key, ASPID, &timestamp).expect("any text can be signed");
    let signature = base64::decode_strict(&signed_content).expect("what was encoded");
    let signed_text = format!("{ASPID}{timestamp}");
    let body = serde_json::to_vec(&GetKeyRequest { timestamp, signed_content }).expect("plain texts");
    let mut group = criterion.benchmark_group("GetKey");

    group.bench_function("the whole message", |bencher| {
        bencher.iter(|| {
            let request: GetKeyRequest = serde_json::from_slice(black_box(&body)).expect("what was written");
            let stamp = GetKeyStamp::parse(&request.timestamp).expect("what was stamped");
            getkey_verify(key.public_key(), ASPID, &request.timestamp, &request.signed_content)
                .expect("what was signed");
            serde_json::to_vec(&reply(&secret, &master, stamp.instant())).expect("plain texts")
        });
    });
    group.bench_function("RSA-2048 alone: aws-lc verifies, key parsed once", |bencher| {
        let parsed = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().spki_der());
        let parsed = parsed.expect("a key that was read before");
        bencher.iter(|| {
            parsed.verify_sig(black_box(signed_text.as_bytes()), &signature).expect("what was signed");
        });
    });
    group.bench_function("the session and the answer alone", |bencher| {
        let now = Seam::system().now();
        bencher.iter(|| serde_json::to_vec(&reply(black_box(&secret), &master, now)).expect("plain texts"));
    });
    group.finish();
}

/// A new session, its key under the ASP's secret.
fn reply(secret: &AspSecret, master: &SessionKey, now: jiff::Timestamp) -> GetKeyReply {
    let aspid = ASPID.parse().expect("ten digits");
    let (session_id, session_key) = mint_session(master, Environment::Production, &aspid, now, 360, [7; 16]);
    GetKeyReply {
        enc_key: secret.seal_session_key(&session_key),
        enc_key_next: None,
        session_id,
        validity_min: 360,
        txn: "5c7d1a36a9d24a4c".to_owned(),
        message: String::new(),
        status_cd: StatusCd::One,
    }
}
