//! PEM: the armour around keys and certificates, as files have it in practice.

use rustls_pki_types::pem::{PemObject, SectionKind};
use zeroize::{Zeroize, Zeroizing};

use super::{CertificateError, base64};

const LINE: usize = 64;

/// Whether `bytes` are meant as PEM rather than DER.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

/// The first section of one of `kinds`, as DER. Other sections, notes before and between them, a byte order
/// mark and either line ending are passed over. `RSA PUBLIC KEY` counts as [`SectionKind::PublicKey`]: what
/// the label promises and what is inside differ in the field (gstn.md section 1.6), so the reader must look
/// anyway.
///
/// # Errors
/// [`CertificateError::Pem`], [`CertificateError::Encrypted`], or [`CertificateError::Missing`] naming
/// `wanted`.
pub(super) fn first(
    pem: &[u8],
    kinds: &[SectionKind],
    wanted: &'static str,
) -> Result<(SectionKind, Zeroizing<Vec<u8>>), CertificateError> {
    let mut text = Zeroizing::new(String::from_utf8_lossy(pem).into_owned());
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(CertificateError::Encrypted);
    }
    if text.contains("RSA PUBLIC KEY-----") {
        text = Zeroizing::new(text.replace("RSA PUBLIC KEY-----", "PUBLIC KEY-----"));
    }
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.trim_start_matches('\u{feff}').as_bytes()) {
        let (kind, mut der) = section.map_err(|error| CertificateError::Pem(error.to_string()))?;
        if kinds.contains(&kind) {
            return Ok((kind, Zeroizing::new(der)));
        }
        der.zeroize();
    }
    Err(CertificateError::Missing(wanted))
}

/// Armours `der` under `label`: lines of 64, each ended by a newline.
pub(super) fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(base64::encode(der));
    let mut pem =
        Zeroizing::new(String::with_capacity(body.len() + body.len() / LINE + 2 * label.len() + 40));
    *pem += "-----BEGIN ";
    *pem += label;
    *pem += "-----\n";
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        *pem += line;
        *pem += "\n";
        rest = after;
    }
    *pem += "-----END ";
    *pem += label;
    *pem += "-----\n";
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY_PUBLIC: &[SectionKind] = &[SectionKind::Certificate, SectionKind::PublicKey];

    #[test]
    fn what_is_armoured_is_read_back() {
        for length in [0, 1, 47, 48, 49, 500] {
            let der: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let pem = encode("CERTIFICATE", &der);
            assert!(pem.lines().all(|line| line.len() <= LINE));
            let (kind, read) = first(pem.as_bytes(), ANY_PUBLIC, "certificate").unwrap();
            assert_eq!((kind, &*read), (SectionKind::Certificate, &der));
        }
    }

    #[test]
    fn files_come_with_marks_notes_and_other_line_endings() {
        let pem = encode("RSA PUBLIC KEY", b"inside");
        let windows = format!("\u{feff}{}", pem.replace('\n', "\r\n"));
        let noted =
            format!("Bag Attributes\n  friendlyName: schlüssel\n{}{}", *encode("X509 CRL", b"crl"), *pem);
        for text in [&*pem, &windows, &noted, pem.trim_end()] {
            assert_eq!(*first(text.as_bytes(), ANY_PUBLIC, "key").unwrap().1, b"inside");
        }
    }

    #[test]
    fn a_damaged_or_missing_section_says_so() {
        let pem = encode("CERTIFICATE", b"inside");
        let refused = |text: &str| first(text.as_bytes(), ANY_PUBLIC, "certificate").unwrap_err();
        assert_eq!(refused(""), CertificateError::Missing("certificate"));
        assert_eq!(refused(&encode("PRIVATE KEY", b"x")), CertificateError::Missing("certificate"));
        assert!(matches!(refused(&pem.replace("-----END CERTIFICATE-----", "")), CertificateError::Pem(_)));
        assert!(matches!(refused(&pem.replace("aW5", "a!5")), CertificateError::Pem(_)));
        assert_eq!(refused(&encode("ENCRYPTED PRIVATE KEY", b"x")), CertificateError::Encrypted);
    }
}
