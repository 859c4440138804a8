//! `.pfx` files of ASPs, as today's and yesterday's openssl makes them.

use gstn::crypto::{Certificate, CertificateError, PrivateKey, open_pfx};

use crate::{data, text};

fn assert_opens(name: &str, password: &str) {
    let (key, certificate) =
        open_pfx(&data(name), password).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(*key.pkcs8_pem(), text("key.pkcs8.pem"), "{name}");
    assert_eq!(certificate, Certificate::from_pem(text("certificate.pem")).unwrap(), "{name}");
}

#[test]
fn a_pfx_of_any_age_opens() {
    for name in ["modern.pfx", "legacy.pfx", "triple-des.pfx", "no-mac.pfx"] {
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
    assert!(matches!(refused("rc2-128.pfx"), CertificateError::PfxUnsupported(_)));
    assert!(matches!(refused("certificate.der"), CertificateError::NotPfx(_)));
    assert!(matches!(refused("certificate.pem"), CertificateError::NotPfx(_)));
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
