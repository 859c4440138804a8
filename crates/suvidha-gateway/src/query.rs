//! The query of a request, as a list of names and values.

use std::borrow::Cow;

/// Name and value of one `name=value`, decoded. What is not encoded rightly stays as it is.
pub(crate) fn decoded(pair: &str) -> (Cow<'_, str>, Cow<'_, str>) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decode(name), decode(value))
}

/// Whether `name`, which needs no encoding, is the name of `pair` in any capitals, encoded or not.
pub(crate) fn is_named(pair: &str, name: &str) -> bool {
    let own = pair.split_once('=').map_or(pair, |(own, _)| own);
    // What is encoded is longer than what it stands for.
    own.eq_ignore_ascii_case(name) || own.len() > name.len() && decode(own).eq_ignore_ascii_case(name)
}

fn decode(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        percent_decoded(&text.replace('+', " ")).into_owned().into()
    } else {
        percent_decoded(text)
    }
}

/// `text` decoded, a plus being a plus. What is not encoded rightly stays as it is.
pub(crate) fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let (mut decoded, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [byte, after @ ..] = rest {
        let (byte, after) = match (byte, after) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', &rest[1..]),
            },
            (byte, after) => (*byte, after),
        };
        decoded.push(byte);
        rest = after;
    }
    String::from_utf8(decoded).map_or(text.into(), Cow::Owned)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// `text` as it may stand in a query, where it is read back as what it was.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_are_decoded_and_what_cannot_be_stays() {
        let decoded = |pair| {
            let (name, value) = decoded(pair);
            (name.into_owned(), value.into_owned())
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(decoded("TxnDate=20%2F05%2f2018"), pair("TxnDate", "20/05/2018"));
        assert_eq!(decoded("p%61ss+word=a=b"), pair("pass word", "a=b"));
        assert_eq!(decoded("a"), pair("a", ""));
        assert_eq!(decoded(""), pair("", ""));
        for odd in ["%", "%4", "%zz", "%+1", "100%"] {
            assert_eq!(decoded(odd).0, odd.replace('+', " "), "{odd:?}");
        }
        assert_eq!(decoded("a=%ff").1, "%ff", "no UTF-8");
        assert_eq!(percent_decoded("a+%62"), "a+b");
    }

    #[test]
    fn a_pair_is_known_by_its_name() {
        for pair in ["action", "Action=", "ACTION=a=b", "%61ction=B2B", "a%43tion"] {
            assert!(is_named(pair, "action"), "{pair:?}");
        }
        for pair in ["", "=action", "reaction=B2B", "actio", "action+=x", "a+tion", "%2561ction", "action%"] {
            assert!(!is_named(pair, "action"), "{pair:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_reads_back(text in ".*") {
            let encoded = encoded(&text);
            prop_assert_eq!(decode(&encoded), text);
        }
    }
}
