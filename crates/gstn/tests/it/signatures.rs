//! Digital signatures of filings, made by openssl and by us.

use gstn::crypto::{Certificate, DscContent, PrivateKey, base64, dsc_sign, dsc_verify};

use crate::{data, text};

/// What `generate.sh` signed.
const SIGNED: &str = "eyJnc3RpbiI6IjI3In0=";

#[test]
fn what_openssl_signs_is_read_in_every_form() {
    let certificate = Certificate::from_pem(data("certificate.pem")).unwrap();
    for (file, attached, content) in [
        ("dsc.attached.txt", true, DscContent::Digest),
        ("dsc.attributes.txt", true, DscContent::Digest),
        ("dsc.detached-hex.txt", false, DscContent::Hex),
    ] {
        let found = dsc_verify(SIGNED, &text(file)).unwrap_or_else(|_| panic!("{file}"));
        assert_eq!((found.attached, found.content), (attached, content), "{file}");
        assert_eq!(found.certificate, certificate, "{file}");
        assert!(dsc_verify("eyJnc3RpbiI6IjI4In0=", &text(file)).is_err(), "{file}: another text");
    }
}

#[test]
fn we_sign_as_openssl_does_without_attributes() {
    let certificate = Certificate::from_pem(data("certificate.pem")).unwrap();
    let key = PrivateKey::from_pem(data("key.pkcs8.pem")).unwrap();
    assert_eq!(dsc_sign(&key, &certificate, SIGNED).unwrap(), text("dsc.attached.txt"));
    let other = Certificate::from_pem(data("rsa4096.certificate.pem")).unwrap();
    assert!(dsc_sign(&key, &other, SIGNED).is_err(), "the certificate of another key");
}

#[test]
fn a_signature_with_any_byte_changed_or_missing_is_refused_and_harms_nobody() {
    let good = base64::decode_strict(text("dsc.attributes.txt")).unwrap();
    let mut accepted = 0;
    for index in 0..good.len() {
        assert!(dsc_verify(SIGNED, &base64::encode(&good[..index])).is_err(), "cut at {index}");
        let mut changed = good.clone();
        changed[index] ^= 1;
        accepted += usize::from(dsc_verify(SIGNED, &base64::encode(&changed)).is_ok());
    }
    // The certificate but for its key (its issuer is not checked), versions, the signer's name: no signature covers them.
    assert!(accepted < good.len() / 2, "{accepted} of {}", good.len());
    assert!(dsc_verify(SIGNED, "").is_err() && dsc_verify(SIGNED, "no base64!").is_err());
}
