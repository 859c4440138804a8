//! `.pfx` files of ASPs, as today's and yesterday's openssl makes them.

use std::io::Write;
use std::process::{Command, Stdio};

use gstn::crypto::{Certificate, CertificateError, PrivateKey, open_pfx, write_pfx};

use crate::{data, text};

fn assert_opens(name: &str, password: &str) {
    let (key, certificate) =
        open_pfx(&data(name), password).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(*key.pkcs8_pem(), text("key.pkcs8.pem"), "{name}");
    assert_eq!(certificate, Certificate::from_pem(text("certificate.pem")).unwrap(), "{name}");
}

#[test]
fn a_pfx_of_any_age_opens() {
    let opened =
        ["modern.pfx", "legacy.pfx", "triple-des.pfx", "no-mac.pfx", "pbes2-3des.pfx", "java-sha1.pfx"];
    for name in opened {
        assert_opens(name, "open-sesame");
    }
    assert_opens("empty-password.pfx", "");
    assert_opens("unicode-password.pfx", "रहस्य");
}

#[test]
fn the_certificate_of_the_key_is_found_among_others() {
    assert_opens("with-others.pfx", "open-sesame");
}

#[test]
fn a_wrong_password_is_called_one() {
    for name in ["modern.pfx", "legacy.pfx", "triple-des.pfx", "no-mac.pfx"] {
        for password in ["Open-sesame", ""] {
            assert_eq!(open_pfx(&data(name), password).unwrap_err(), CertificateError::PfxPassword, "{name}");
        }
    }
}

#[test]
fn a_pfx_that_lacks_something_says_what() {
    let refused = |name| open_pfx(&data(name), "open-sesame").unwrap_err();
    assert_eq!(
        refused("key-only.pfx"),
        CertificateError::PfxMissing("certificate that belongs to its private key")
    );
    assert_eq!(refused("certificate-only.pfx"), CertificateError::PfxMissing("private key"));
    assert!(matches!(refused("ec.pfx"), CertificateError::Key(_)));
    assert!(matches!(refused("certificate.der"), CertificateError::NotPfx(_)));
    assert!(matches!(refused("certificate.pem"), CertificateError::NotPfx(_)));
}

#[test]
fn a_pfx_that_cannot_be_read_says_how_to_convert_it() {
    let modern = data("modern.pfx");
    assert_eq!(modern[..2], [0x30, 0x82], "a length of two bytes");
    let ber = [&[0x30, 0x80], &modern[4..], &[0, 0]].concat();
    for (what, bytes) in [("RC2 of 128 bits", data("rc2-128.pfx")), ("BER", ber)] {
        let refused = open_pfx(&bytes, "open-sesame").unwrap_err();
        assert!(matches!(refused, CertificateError::PfxUnsupported(_)), "{what}: {refused:?}");
        assert!(refused.to_string().contains("openssl pkcs12 -legacy"), "{what}: {refused}");
    }
}

#[test]
fn a_pfx_is_written_as_openssl_reads_it() {
    let key = PrivateKey::from_pem(text("key.pkcs8.pem")).unwrap();
    let certificate = Certificate::from_pem(text("certificate.pem")).unwrap();
    for (passphrase, name) in [("open-sesame", "asp"), ("रहस्य", "करदाता"), ("", "no passphrase")]
    {
        let pfx = write_pfx(&key, &certificate, passphrase, name).unwrap();
        let (read, beside) = open_pfx(&pfx, passphrase).unwrap();
        assert_eq!((&*read.pkcs8_pem(), beside), (&*key.pkcs8_pem(), certificate.clone()));
        assert_eq!(open_pfx(&pfx, "guess").unwrap_err(), CertificateError::PfxPassword);
    }

    let pfx = write_pfx(&key, &certificate, "open-sesame", "asp").unwrap();
    let told = openssl(&["pkcs12", "-info", "-nodes", "-passin", "pass:open-sesame"], &pfx);
    let bags: String = text("key.pkcs8.pem") + &text("certificate.pem");
    for line in bags.lines().chain(["    friendlyName: asp"]) {
        assert!(told.contains(line), "{line} is not in:\n{told}");
    }
    let scheme = "PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256";
    assert!(told.contains("MAC: sha256, Iteration 100000") && told.matches(scheme).count() == 2, "{told}");
}

#[test]
fn no_pfx_is_made_of_what_does_not_belong_together() {
    let key = PrivateKey::from_pem(text("key.pkcs8.pem")).unwrap();
    let others = Certificate::from_pem(text("rsa4096.certificate.pem")).unwrap();
    let own = Certificate::from_pem(text("certificate.pem")).unwrap();
    for (certificate, name) in [(&others, "asp"), (&own, "🗝")] {
        let refused = write_pfx(&key, certificate, "open-sesame", name).unwrap_err();
        assert!(matches!(refused, CertificateError::PfxNotWritten(_)), "{refused}");
    }
}

/// What openssl says on both its outputs when it gets `input`.
fn openssl(arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(output.status.success(), "{told}");
    told
}

#[test]
fn a_damaged_pfx_is_refused() {
    for name in ["modern.pfx", "legacy.pfx"] {
        let whole = data(name);
        for position in (0..whole.len()).step_by(41) {
            let mut damaged = whole.clone();
            damaged[position] ^= 0x11;
            assert!(open_pfx(&damaged, "open-sesame").is_err(), "{name}, byte {position}");
            assert!(open_pfx(&whole[..position], "open-sesame").is_err(), "{name} cut to {position}");
        }
    }
}

#[test]
fn a_new_key_is_kept_as_pem() {
    let key = PrivateKey::generate_2048();
    let again = PrivateKey::from_pem(&*key.pkcs8_pem()).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    assert_eq!(key.public_key().bits(), 2048);
    assert!(!format!("{key:?}").contains(&key.pkcs8_pem().lines().nth(5).unwrap()[..20]));
}

#[test]
fn a_new_key_is_as_large_as_wanted_within_what_is_accepted() {
    assert_eq!(PrivateKey::generate(3072).unwrap().public_key().bits(), 3072);
    for bits in [0, 1024, 2500, 8192] {
        assert_eq!(PrivateKey::generate(bits).unwrap_err(), CertificateError::KeySize { bits });
    }
}
