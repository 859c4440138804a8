//! What a caller says about itself: which ASP, for which end user, in which transaction.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::str::FromStr;

use super::{IdentifierError, quote, refuse_other_characters, serde_as_text};

/// The number of an ASP at its GSP: exactly ten digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AspId([u8; 10]);

/// As two numbers, of which a map's hash is made sooner than of ten bytes and their length.
impl Hash for AspId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, rest @ ..] = self.0;
        state.write_u64(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
        state.write_u16(u16::from_ne_bytes(rest));
    }
}

impl AspId {
    /// The ten digits of `number`; none if it has more than ten.
    pub fn new(number: u64) -> Option<Self> {
        format!("{number:010}").parse().ok()
    }

    /// The ten digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for AspId {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHAT: &str = "aspid";
        refuse_other_characters(WHAT, text, "a digit", |c| c.is_ascii_digit())?;
        <[u8; 10]>::try_from(text.as_bytes()).map(Self).map_err(|_| IdentifierError::Length {
            what: WHAT,
            value: quote(text),
            expected: "ten",
            found: text.len(),
        })
    }
}

/// A transaction id, `txn`: one to 64 letters, digits, hyphens, underscores and dots.
///
/// The caller chooses it, and many callers send the same one for ever: a repeated `txn` is not a replay.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Txn(Box<str>);

impl Txn {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Txn {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHAT: &str = "txn";
        refuse_length_outside_1_to_64(WHAT, text)?;
        refuse_other_characters(WHAT, text, "a letter, a digit or one of - _ .", |c| {
            c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
        })?;
        Ok(Self(text.into()))
    }
}

/// The end user's address as the ASP states it, `ip-usr`: one to 64 printable ASCII characters.
///
/// Nothing demands that it is an address: a GSP's own documents print `123.456.789.100`, and one client sends
/// `DESKTOPAPP`. [`IpUsr::address`] tells.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpUsr(Box<str>);

impl IpUsr {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address, if the text is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

impl FromStr for IpUsr {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHAT: &str = "ip-usr";
        refuse_length_outside_1_to_64(WHAT, text)?;
        refuse_other_characters(WHAT, text, "printable ASCII", |c| c.is_ascii_graphic() || c == ' ')?;
        Ok(Self(text.into()))
    }
}

fn refuse_length_outside_1_to_64(what: &'static str, text: &str) -> Result<(), IdentifierError> {
    let found = text.chars().count();
    if (1..=64).contains(&found) {
        return Ok(());
    }
    Err(IdentifierError::Length { what, value: quote(text), expected: "1 to 64", found })
}

macro_rules! shown_as_text {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.as_str()).finish()
            }
        }
    )+};
}

shown_as_text!(AspId, Txn, IpUsr);
serde_as_text!(AspId, Txn, IpUsr);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_aspid_is_ten_digits() {
        assert_eq!("1000000001".parse::<AspId>().unwrap(), AspId::new(1_000_000_001).unwrap());
        assert_eq!(AspId::new(7).unwrap().as_str(), "0000000007");
        assert_eq!(AspId::new(10_000_000_000), None);
        for text in ["", "123456789", "12345678901", "123456789x", "१२३४५६७८९०", "-123456789"]
        {
            assert!(text.parse::<AspId>().is_err(), "{text}");
        }
    }

    #[test]
    fn sample_values_of_published_documents_are_accepted() {
        for text in ["txn123", "LAPN24235325555", "0f8fad5b-d9cb-469f-a165-70867728950e", "a.b_c"] {
            assert_eq!(text.parse::<Txn>().unwrap().as_str(), text);
        }
        let placeholder: IpUsr = "123.456.789.100".parse().unwrap();
        assert_eq!((placeholder.as_str(), placeholder.address()), ("123.456.789.100", None));
        assert_eq!("DESKTOPAPP".parse::<IpUsr>().unwrap().address(), None);
        assert_eq!("2001:db8::1".parse::<IpUsr>().unwrap().address(), "2001:db8::1".parse().ok());
    }

    #[test]
    fn what_could_split_a_header_or_a_log_line_is_refused() {
        for text in ["", "a b", "a\r\nb", "a\u{0}", "é", &"x".repeat(65)] {
            assert!(text.parse::<Txn>().is_err(), "{text:?}");
        }
        for text in ["", "1.2.3.4\r\nx: y", "\u{7f}", "१.२.३.४", &"1".repeat(65)] {
            assert!(text.parse::<IpUsr>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_error_quotes_no_more_than_forty_characters() {
        let refusal = "x".repeat(5000).parse::<Txn>().unwrap_err().to_string();
        assert_eq!(refusal, format!("txn \"{}…\" has 5000 characters; it must have 1 to 64", "x".repeat(40)));
    }

    proptest! {
        #[test]
        fn any_text_reads_back_or_is_refused(text in "\\PC{0,70}|[a-z0-9._-]{1,64}") {
            if let Ok(txn) = text.parse::<Txn>() {
                prop_assert_eq!(txn.to_string(), text.clone());
                prop_assert_eq!(serde_json::from_value::<Txn>(serde_json::json!(text.clone())).unwrap(), txn);
            }
            if let Ok(address) = text.parse::<IpUsr>() {
                prop_assert_eq!(address.as_str(), text);
            }
        }
    }
}
