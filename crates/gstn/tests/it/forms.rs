//! Keys and certificates in every form in which an operator may have them; the files are openssl's.

use gstn::crypto::{Certificate, CertificateError, PrivateKey, PublicKey};

use crate::{data, text};

fn key() -> PrivateKey {
    PrivateKey::from_pem(text("key.pkcs8.pem")).unwrap()
}

#[test]
fn a_public_key_is_read_in_every_form() {
    let expected = key().public_key().clone();
    for name in [
        "certificate.pem",
        "certificate.der",
        "public.spki.pem",
        "public.spki.der",
        "public.pkcs1.pem",
        "public.pkcs1.der",
        "public.mislabelled.pem",
    ] {
        assert_eq!(PublicKey::from_any(&data(name)).as_ref(), Ok(&expected), "{name}");
    }
    for name in ["certificate.pem", "public.spki.pem", "public.pkcs1.pem", "public.mislabelled.pem"] {
        let windows = text(name).replace('\n', "\r\n");
        assert_eq!(PublicKey::from_pem(windows).as_ref(), Ok(&expected), "{name} with CRLF");
    }
    assert_eq!(PublicKey::from_spki_der(&data("public.spki.der")).as_ref(), Ok(&expected));
    assert_eq!(PublicKey::from_pkcs1_der(&data("public.pkcs1.der")).as_ref(), Ok(&expected));
    assert_eq!(PublicKey::from_certificate_der(&data("certificate.der")).as_ref(), Ok(&expected));
}

#[test]
fn a_public_key_is_written_as_openssl_writes_it() {
    let public = key().public_key().clone();
    assert_eq!(public.spki_pem(), text("public.spki.pem"));
    assert_eq!(public.spki_der(), data("public.spki.der"));
    assert_eq!(public.bits(), 2048);
}

#[test]
fn a_private_key_is_read_in_every_form_and_written_as_openssl_writes_it() {
    let keys = [
        PrivateKey::from_pem(text("key.pkcs8.pem")).unwrap(),
        PrivateKey::from_pem(text("key.pkcs1.pem")).unwrap(),
        PrivateKey::from_pem(text("key.pkcs1.pem").replace('\n', "\r\n")).unwrap(),
        PrivateKey::from_pem(text("certificate.pem") + &text("key.pkcs8.pem")).unwrap(),
        PrivateKey::from_pkcs8_der(&data("key.pkcs8.der")).unwrap(),
        PrivateKey::from_pkcs1_der(&data("key.pkcs1.der")).unwrap(),
        PrivateKey::from_any(&data("key.pkcs8.der")).unwrap(),
        PrivateKey::from_any(&data("key.pkcs1.der")).unwrap(),
        PrivateKey::from_any(&data("key.pkcs1.pem")).unwrap(),
    ];
    for key in keys {
        assert_eq!(*key.pkcs8_pem(), text("key.pkcs8.pem"));
        assert_eq!(*key.pkcs8_der(), data("key.pkcs8.der"));
        assert_eq!(key.public_key().spki_der(), data("public.spki.der"));
    }
}

#[test]
fn a_certificate_tells_what_openssl_tells() {
    let from_pem = Certificate::from_any(&data("certificate.pem")).unwrap();
    let from_der = Certificate::from_any(&data("certificate.der")).unwrap();
    assert_eq!(from_pem, from_der);
    assert_eq!(from_der.der(), data("certificate.der"));
    assert_eq!(from_der.pem(), text("certificate.pem"));
    assert_eq!(from_der.subject(), "C=IN, O=Test GSTN, CN=Test GSTN Public");
    assert_eq!(from_der.serial(), "fe00000000000001");
    // openssl x509 -in certificate.pem -noout -dates -fingerprint -sha256
    let facts = text("certificate.facts.txt");
    let facts: Vec<&str> = facts.lines().collect();
    assert_eq!(from_der.not_before().to_string(), facts[0]);
    assert_eq!(from_der.not_after().to_string(), facts[1]);
    assert_eq!(from_der.sha256_fingerprint(), facts[2]);
}

#[test]
fn a_key_of_another_kind_or_size_is_refused_with_the_reason() {
    let public = |name| PublicKey::from_any(&data(name)).map(|key| key.bits());
    assert_eq!(public("rsa4096.certificate.pem"), Ok(4096));
    assert_eq!(public("rsa1024.certificate.pem"), Err(CertificateError::KeySize { bits: 1024 }));
    assert_eq!(public("rsa8192.certificate.pem"), Err(CertificateError::KeySize { bits: 8192 }));
    assert_eq!(public("ec.certificate.pem"), Err(CertificateError::NotRsa));
    assert_eq!(public("key.pkcs8.pem"), Err(CertificateError::Missing("certificate or public key")));
    assert_eq!(public("long.txt"), Err(CertificateError::Der("RSA public key")));
    assert_eq!(
        Certificate::from_any(&data("rsa1024.certificate.pem")),
        Err(CertificateError::KeySize { bits: 1024 })
    );

    let private = |name| PrivateKey::from_pem(data(name)).map(|key| key.public_key().bits());
    assert_eq!(private("rsa4096.key.pem"), Ok(4096));
    assert_eq!(private("rsa8192.key.pem"), Err(CertificateError::KeySize { bits: 8192 }));
    assert!(matches!(private("rsa1024.key.pem"), Err(CertificateError::Key(_))));
    assert!(matches!(private("ec.key.pem"), Err(CertificateError::Key(_))));
    assert_eq!(private("key.encrypted.pem"), Err(CertificateError::Encrypted));
    assert_eq!(private("key.encrypted.pkcs1.pem"), Err(CertificateError::Encrypted));
    assert_eq!(private("certificate.pem"), Err(CertificateError::Missing("RSA private key")));
}

#[test]
fn a_truncated_or_lengthened_file_is_refused() {
    for name in ["certificate.der", "public.spki.der", "public.pkcs1.der"] {
        let whole = data(name);
        for length in 0..whole.len() {
            assert!(PublicKey::from_any(&whole[..length]).is_err(), "{name} cut to {length}");
        }
        assert!(PublicKey::from_any(&[whole, vec![0]].concat()).is_err(), "{name} with a byte more");
    }
    let whole = data("key.pkcs8.der");
    for length in (0..whole.len()).step_by(7) {
        assert!(PrivateKey::from_any(&whole[..length]).is_err(), "cut to {length}");
    }
}
