//! Base64 as it is written on GSTN's wire: the standard alphabet with padding, and the exceptions that exist.

use zeroize::Zeroizing;

use super::CryptoError;

/// Encodes with the standard alphabet and padding, on one line.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

/// Decodes the standard alphabet with padding, on one line: what GSTN writes and what it is sent.
///
/// # Errors
/// [`CryptoError`] for anything else.
pub fn decode_strict(text: impl AsRef<[u8]>) -> Result<Vec<u8>, CryptoError> {
    base64_simd::STANDARD.decode_to_vec(text).map_err(|_| CryptoError)
}

/// Decodes what clients in the field send as `otp` and as REFRESHTOKEN's `app_key`: either alphabet (even
/// mixed), padded or not, with blanks and line breaks anywhere (gstn.md section 10).
///
/// # Errors
/// [`CryptoError`] if it is not base64 even so.
pub fn decode_lenient(text: impl AsRef<[u8]>) -> Result<Vec<u8>, CryptoError> {
    let text = text.as_ref();
    if let Ok(bytes) = decode_strict(text) {
        return Ok(bytes);
    }
    let mut standard = Zeroizing::new(text.to_vec());
    for byte in standard.iter_mut() {
        match byte {
            b'-' => *byte = b'+',
            b'_' => *byte = b'/',
            _ => {}
        }
    }
    base64_simd::forgiving_decode_inplace(&mut standard).map(|bytes| bytes.to_vec()).map_err(|_| CryptoError)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_standard_form_is_padded_and_on_one_line() {
        assert_eq!(encode([0xfb, 0xef, 0xff, 0xfe]), "++///g==");
        assert_eq!(encode([0; 60]).lines().count(), 1);
        assert_eq!(decode_strict("++///g=="), Ok(vec![0xfb, 0xef, 0xff, 0xfe]));
    }

    #[test]
    fn strict_refuses_what_only_looks_like_base64() {
        for text in
            ["--___g==", "++///g", "++//\n/g==", " ++///g==", "++///g==\n", "++///h==", "=", "A===", "é"]
        {
            assert_eq!(decode_strict(text), Err(CryptoError), "{text:?}");
        }
        assert_eq!(decode_strict(""), Ok(vec![]));
    }

    #[test]
    fn lenient_reads_what_clients_send() {
        for text in [
            "++///g==",
            "--___g==",
            "++///g",
            "--___g",
            "+-/_/g==",
            "++//\r\n/g==\r\n",
            " ++ // /g",
            "++///h==",
        ] {
            assert_eq!(decode_lenient(text), Ok(vec![0xfb, 0xef, 0xff, 0xfe]), "{text:?}");
        }
        for text in ["A", "=", "AA=A", "++///g=", "++///g===", "++/.", "é", "AAAA\u{0}"] {
            assert_eq!(decode_lenient(text), Err(CryptoError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_survive_either_way(bytes: Vec<u8>) {
            let text = encode(&bytes);
            let url_safe = text.replace('+', "-").replace('/', "_");
            let wrapped: String = url_safe.chars().flat_map(|c| [c, '\r', '\n']).collect();
            let unpadded = url_safe.trim_end_matches('=');
            prop_assert_eq!(decode_strict(&text), Ok(bytes.clone()));
            for text in [&text, &wrapped, unpadded] {
                prop_assert_eq!(decode_lenient(text), Ok(bytes.clone()), "{:?}", text);
            }
        }

        #[test]
        fn any_text_is_answered(text: Vec<u8>) {
            if let Ok(bytes) = decode_strict(&text) {
                prop_assert_eq!(encode(bytes).into_bytes(), text.clone());
            }
            let _ = decode_lenient(&text);
        }
    }
}
