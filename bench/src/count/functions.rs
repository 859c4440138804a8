//! The functions of the protocol that calls spend their time in, on the gateway's side and on the ASP's.

use std::hint::black_box;

use gstn::crypto::{AspEk, AspSecret, Rek, Sek, getkey_sign, getkey_verify};
use gstn::envelope::peek;
use gstn::{Gstin, catalogue};

use crate::Failure;
use crate::world;

/// The size of a payload, in bytes of JSON.
const PAYLOAD: usize = 64 * 1024;

/// What it is called, and itself with all it needs. It says whether it did its work.
pub(crate) type Function = (&'static str, Box<dyn Fn() -> bool>);

/// All of them.
pub(crate) fn all() -> Result<Vec<Function>, Failure> {
    let secret = AspSecret::from_bytes([b'a'; 32]);
    let ek = AspEk::from_bytes([2; 32]);
    let header = ek.seal_asp_secret(&secret);

    let (aspid, timestamp) = ("1000000001", "22112026101530ABCDEF");
    let key = world::key()?;
    let signed = getkey_sign(&key, aspid, timestamp)?;
    let public = key.public_key().clone();

    let (sek, rek) = (Sek::from_bytes([3; 32]), Rek::from_bytes([4; 32]));
    let json = vec![b'7'; PAYLOAD];
    let (sealed_rek, sealed) = (sek.seal_rek(&rek), rek.encrypt_reply(&json));

    Ok(vec![
        ("session-check", Box::new(move || ek.open_asp_secret(black_box(&header)).is_ok())),
        (
            "getkey-verify",
            Box::new(move || getkey_verify(&public, aspid, timestamp, black_box(&signed)).is_ok()),
        ),
        ("payload-encrypt-64k", Box::new(move || !sek.encrypt_request(black_box(&json)).data.is_empty())),
        ("payload-decrypt-64k", {
            let sek = Sek::from_bytes([3; 32]);
            let open = move || {
                let rek = sek.open_rek(black_box(&sealed_rek))?;
                rek.decrypt_reply(black_box(&sealed.data), Some(&sealed.hmac))
            };
            Box::new(move || open().is_ok())
        }),
        ("status-peek", Box::new(|| peek(black_box(br#"{"status_cd":"1","data":"eyJ"#)).is_success())),
        (
            "api-find",
            Box::new(|| {
                let place = catalogue::locate(black_box("/taxpayerapi/v4.1/returns/gstr1"));
                place.is_some_and(|at| catalogue::find(at.family, at.path, "GET", Some("B2B")).is_some())
            }),
        ),
        ("gstin-parse", Box::new(|| black_box("27AAPFU0939F1ZV").parse::<Gstin>().is_ok())),
    ])
}
