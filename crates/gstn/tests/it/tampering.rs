//! What an attacker or a broken client may send: whatever is wrong with it, the one error and nothing else.

use std::sync::OnceLock;

use gstn::crypto::{
    AppKey, CryptoError, FileKey, PrivateKey, Rek, Sek, aes256_ecb_decrypt, aes256_ecb_encrypt, base64,
};
use proptest::prelude::*;

use crate::{data, text};

const SEK: Sek = Sek::from_bytes([1; 32]);
const OTHER_SEK: Sek = Sek::from_bytes([2; 32]);

fn gstn() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::from_pem(text("key.pkcs8.pem")).unwrap())
}

#[test]
fn what_openssl_encrypted_and_signed_is_accepted() {
    let app_key = AppKey::open(&text("app-key.rsa.txt"), gstn()).unwrap();
    assert_eq!(app_key.as_bytes()[..], data("app-key.txt"));
    let signature = base64::decode_strict(text("signature.txt")).unwrap();
    let message = b"785762215522112026101530123456";
    assert_eq!(gstn().sign_sha256(message).unwrap(), signature);
    gstn().public_key().verify_sha256(message, &signature).unwrap();

    let sealed = base64::decode_strict(text("long.aes.txt")).unwrap();
    assert_eq!(aes256_ecb_encrypt(&[b'k'; 32], &data("long.txt")), sealed);
    assert_eq!(*aes256_ecb_decrypt(&[b'k'; 32], &sealed).unwrap(), data("long.txt"));
}

#[test]
fn an_app_key_that_does_not_open_never_says_why() {
    let sealed = |plain: &[u8]| base64::encode(gstn().public_key().encrypt_pkcs1v15(plain).unwrap());
    let right = sealed(&[7; 32]);
    assert_eq!(AppKey::open(&right, gstn()), Ok(AppKey::from_bytes([7; 32])));
    let stale = PrivateKey::generate_2048();
    let mut wrong = vec![
        String::new(),
        "not base64".to_owned(),
        right.replace('=', ""),
        format!("{right}\n"),
        base64::encode([0; 256]),
        base64::encode([255; 256]),
        base64::encode([9; 128]),
        base64::encode([9; 512]),
        SEK.seal_app_key(&AppKey::from_bytes([7; 32])),
        AppKey::from_bytes([7; 32]).encrypt_for(stale.public_key()).unwrap(),
    ];
    wrong.extend([0, 1, 16, 31, 33, 245].map(|length| sealed(&vec![7; length])));
    for app_key in wrong {
        let error = AppKey::open(&app_key, gstn()).unwrap_err();
        assert_eq!((error, error.to_string().as_str()), (CryptoError, "cryptographic operation failed"));
    }
    assert_eq!(gstn().public_key().encrypt_pkcs1v15(&[7; 246]), Err(CryptoError));
}

#[test]
fn every_byte_of_a_sealed_app_key_and_of_a_signature_counts() {
    let app_key = AppKey::from_bytes([7; 32]);
    let sealed = base64::decode_strict(app_key.encrypt_for(gstn().public_key()).unwrap()).unwrap();
    let signature = gstn().sign_sha256(b"message").unwrap();
    for position in (0..256).step_by(5) {
        let flip = |bytes: &[u8]| {
            let mut changed = bytes.to_vec();
            changed[position] ^= 1;
            changed
        };
        assert_ne!(AppKey::open(&base64::encode(flip(&sealed)), gstn()), Ok(app_key.clone()));
        let forged = flip(&signature);
        assert_eq!(gstn().public_key().verify_sha256(b"message", &forged), Err(CryptoError));
    }
    for length in [0, 1, 255] {
        let short = &signature[..length];
        assert_eq!(gstn().public_key().verify_sha256(b"message", short), Err(CryptoError));
    }
    assert_eq!(gstn().public_key().verify_sha256(b"massage", &signature), Err(CryptoError));
}

#[test]
fn url_safe_base64_is_read_where_a_client_sends_it() {
    let app_key = AppKey::from_bytes([0xfe; 32]);
    let url_safe = |text: String| text.replace('+', "-").replace('/', "_").replace('=', "");
    let otp = (0..).map(|n| format!("{n:06}")).find(|otp| app_key.encrypt_otp(otp).contains('/')).unwrap();
    assert_eq!(*app_key.decrypt_otp(&url_safe(app_key.encrypt_otp(&otp))).unwrap(), otp);
    let sek = (0..=255)
        .map(|n| Sek::from_bytes([n; 32]))
        .find(|sek| sek.seal_app_key(&app_key).contains('+') && sek.seal_app_key(&app_key).contains('/'))
        .unwrap();
    assert_eq!(sek.open_app_key(&url_safe(sek.seal_app_key(&app_key))), Ok(app_key));
}

#[test]
fn a_password_is_opened_whichever_way_it_was_sealed() {
    let app_key = AppKey::from_bytes([7; 32]);
    let under_rsa = base64::encode(gstn().public_key().encrypt_pkcs1v15(b"p@ss").unwrap());
    for sealed in [app_key.encrypt_password("p@ss"), under_rsa] {
        assert_eq!(*app_key.open_password(&sealed, gstn()).unwrap(), "p@ss");
    }
    for sealed in
        ["", "p@ss", &AppKey::from_bytes([8; 32]).encrypt_password("p@ss"), &base64::encode([0; 256])]
    {
        assert_eq!(app_key.open_password(sealed, gstn()), Err(CryptoError), "{sealed}");
    }
}

#[test]
fn an_otp_that_is_not_text_is_refused() {
    let app_key = AppKey::from_bytes([7; 32]);
    let sealed = base64::encode(aes256_ecb_encrypt(app_key.as_bytes(), &[0xff; 6]));
    assert_eq!(app_key.decrypt_otp(&sealed), Err(CryptoError));
}

#[test]
fn a_reply_without_its_key_or_data_does_not_open() {
    let rek = Rek::from_bytes([3; 32]);
    let sealed = rek.encrypt_reply(b"{}");
    let reply = |parts: serde_json::Value| serde_json::from_value(parts).unwrap();
    let rek = SEK.seal_rek(&rek);
    let open = |parts| SEK.open_reply(&reply(parts));
    let json = |value: &[u8]| Ok(value.to_vec());
    use serde_json::json;
    assert_eq!(
        open(json!({"status_cd": "1", "data": sealed.data, "rek": rek, "hmac": sealed.hmac})),
        json(b"{}")
    );
    assert_eq!(open(json!({"status_cd": "1", "data": sealed.data, "rek": rek})), json(b"{}"));
    for parts in [
        json!({"status_cd": "1", "data": sealed.data}),
        json!({"status_cd": "1", "rek": rek}),
        json!({"status_cd": "1"}),
        json!({"status_cd": "1", "data": sealed.data, "rek": sealed.data}),
        json!({"status_cd": "1", "data": sealed.data, "rek": rek, "hmac": ""}),
        json!({"status_cd": "1", "data": sealed.data, "rek": rek, "hmac": rek}),
    ] {
        assert_eq!(open(parts.clone()), Err(CryptoError), "{parts}");
    }
}

/// `text`, with the byte at `position` (of `256`ths of it) changed by `mask`.
fn changed(bytes: &[u8], position: u8, mask: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let position = usize::from(position) * bytes.len() / 256;
    bytes[position] ^= mask;
    bytes
}

proptest! {
    #[test]
    fn any_payload_survives(json: Vec<u8>, sek: [u8; 32], rek: [u8; 32]) {
        let (sek, rek) = (Sek::from_bytes(sek), Rek::from_bytes(rek));
        let request = sek.encrypt_request(&json);
        prop_assert_eq!(sek.decrypt_request(&request.data, Some(&request.hmac)), Ok(json.clone()));
        let reply = rek.encrypt_reply(&json);
        let opened = sek.open_rek(&sek.seal_rek(&rek)).unwrap();
        prop_assert_eq!(opened.decrypt_reply(&reply.data, Some(&reply.hmac)), Ok(json));
    }

    #[test]
    fn any_file_survives(json: Vec<u8>, key: [u8; 32]) {
        let key = FileKey::from_bytes(key);
        prop_assert_eq!(key.decrypt_file(&key.encrypt_file(&json)), Ok(json));
    }

    #[test]
    fn a_changed_payload_is_refused(
        json in prop::collection::vec(any::<u8>(), 0..2000),
        position: u8,
        mask in 1_u8..,
    ) {
        let sealed = SEK.encrypt_request(&json);
        let data = base64::decode_strict(&sealed.data).unwrap();
        let forged = base64::encode(changed(&data, position, mask));
        prop_assert_eq!(SEK.decrypt_request(&forged, Some(&sealed.hmac)), Err(CryptoError));
        prop_assert_ne!(SEK.decrypt_request(&forged, None), Ok(json));
    }

    #[test]
    fn a_changed_hmac_is_refused(json: Vec<u8>, position: u8, mask in 1_u8..) {
        let sealed = SEK.encrypt_request(&json);
        let hmac = base64::decode_strict(&sealed.hmac).unwrap();
        let forged = base64::encode(changed(&hmac, position, mask));
        prop_assert_eq!(SEK.decrypt_request(&sealed.data, Some(&forged)), Err(CryptoError));
        prop_assert_eq!(SEK.decrypt_request(&sealed.data, Some(&forged[..40])), Err(CryptoError));
    }

    #[test]
    fn another_key_opens_nothing(json: Vec<u8>, app_key: [u8; 32]) {
        let sealed = SEK.encrypt_request(&json);
        prop_assert_eq!(OTHER_SEK.decrypt_request(&sealed.data, Some(&sealed.hmac)), Err(CryptoError));
        let app_key = AppKey::from_bytes(app_key);
        prop_assert_ne!(OTHER_SEK.open_app_key(&SEK.seal_app_key(&app_key)), Ok(app_key));
    }

    #[test]
    fn any_text_and_any_blocks_are_answered(
        text: String,
        blocks in prop::collection::vec(any::<[u8; 16]>(), 0..20),
        hmac: [u8; 32],
    ) {
        let app_key = AppKey::from_bytes([7; 32]);
        for data in [text, base64::encode(blocks.concat())] {
            prop_assert_eq!(SEK.decrypt_request(&data, Some(&base64::encode(hmac))), Err(CryptoError));
            let _ = (SEK.decrypt_request(&data, None), SEK.open_app_key(&data), SEK.open_rek(&data));
            let _ = (app_key.open_sek(&data), app_key.decrypt_otp(&data));
        }
    }
}
