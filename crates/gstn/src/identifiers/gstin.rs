//! The number of a taxpayer, GSTIN, and the PAN inside it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{IdentifierError, StateCode, quote, refuse_other_characters, serde_as_text};

const GSTIN: &str = "GSTIN";

/// A GSTIN: two digits of state, ten characters of PAN (or what stands in its place), an entity number, a
/// letter and a check digit.
///
/// Parsing turns small letters into capitals and trims nothing. [`str::parse`] demands a right check digit;
/// [`Gstin::parse_lenient`] takes the samples of published documents too, whose check digits are masked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gstin {
    text: [u8; 15],
    state: StateCode,
    kind: EntityKind,
}

/// What sort of taxpayer a GSTIN stands for, as its form tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// A business (also an ISD, a casual taxpayer, an SEZ unit: their forms are the same).
    Regular,
    /// A government department without a PAN.
    Government,
    /// One who deducts tax at source (`D` before the check digit).
    Tds,
    /// An e-commerce operator, who collects tax at source (`C` before the check digit).
    Tcs,
    /// A non-resident taxable person (`NR` before the check digit).
    Nri,
    /// A supplier of online services from abroad (`99…OS`).
    Oidar,
    /// A body of the United Nations, an embassy, or another holder of a UIN (`UN` or `ON`).
    UnBody,
}

impl Gstin {
    /// Reads a GSTIN whose form is right, whatever its check digit.
    ///
    /// # Errors
    /// What is wrong with the length, a character, the state or the form.
    pub fn parse_lenient(text: &str) -> Result<Self, IdentifierError> {
        let found = text.chars().count();
        if found != 15 {
            return Err(IdentifierError::Length {
                what: GSTIN,
                value: quote(text),
                expected: "fifteen",
                found,
            });
        }
        refuse_other_characters(GSTIN, text, "a letter or a digit", |c| c.is_ascii_alphanumeric())?;
        let mut bytes = [0; 15];
        for (upper, byte) in bytes.iter_mut().zip(text.bytes()) {
            *upper = byte.to_ascii_uppercase();
        }
        let state = text[..2].parse()?;
        let kind = EntityKind::of(&bytes).ok_or_else(|| IdentifierError::Value {
            what: GSTIN,
            value: quote(text),
            reason: "no kind of taxpayer has a number of this form (a business has 27AAPFU0939F1ZV)",
        })?;
        Ok(Self { text: bytes, state, kind })
    }

    /// The GSTIN that begins with `first14`, its check digit computed.
    ///
    /// # Errors
    /// As for [`Gstin::parse_lenient`].
    pub fn with_check_digit(first14: &str) -> Result<Self, IdentifierError> {
        let first14 = first14.to_ascii_uppercase();
        // A text with no check character has the wrong length or characters, and is refused below.
        let check = check_character(&first14).map(String::from).unwrap_or_default();
        Self::parse_lenient(&(first14 + &check))
    }

    /// The fifteen characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// Whether the last character follows from the others.
    pub fn is_check_digit_valid(&self) -> bool {
        check_character(&self.as_str()[..14]).is_some_and(|check| self.as_str().ends_with(check))
    }

    /// The state or territory of registration.
    pub fn state(&self) -> StateCode {
        self.state
    }

    /// The sort of taxpayer.
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// The PAN of the holder; none where something else stands in its place (government departments,
    /// non-residents, UN bodies, deductors registered by TAN).
    pub fn pan(&self) -> Option<Pan> {
        match self.kind {
            EntityKind::Regular | EntityKind::Tds | EntityKind::Tcs => self.as_str()[2..12].parse().ok(),
            EntityKind::Government | EntityKind::Nri | EntityKind::Oidar | EntityKind::UnBody => None,
        }
    }
}

impl FromStr for Gstin {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let gstin = Self::parse_lenient(text)?;
        let found = char::from(gstin.text[14]);
        match check_character(&gstin.as_str()[..14]) {
            Some(expected) if expected != found => {
                Err(IdentifierError::CheckDigit { value: gstin.as_str().to_owned(), expected, found })
            }
            _ => Ok(gstin),
        }
    }
}

/// The check character of the first fourteen characters of a GSTIN or of an ARN; none if they are not
/// fourteen digits and capital letters.
///
/// Weights 1, 2, 1, 2, … over the values 0 to 35 of `0-9A-Z`; the quotient and the remainder of each product
/// by 36 are summed, and the check character brings the sum to a multiple of 36.
pub fn check_character(first14: &str) -> Option<char> {
    const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if first14.len() != 14 {
        return None;
    }
    let mut sum = 0;
    for (index, byte) in first14.bytes().enumerate() {
        let value = ALPHABET.iter().position(|character| *character == byte)?;
        let product = value * (1 + index % 2);
        sum += product / 36 + product % 36;
    }
    Some(char::from(ALPHABET[(36 - sum % 36) % 36]))
}

impl EntityKind {
    /// The name in plain words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Regular => "regular taxpayer",
            Self::Government => "government department",
            Self::Tds => "tax deductor (TDS)",
            Self::Tcs => "e-commerce operator (TCS)",
            Self::Nri => "non-resident taxable person",
            Self::Oidar => "online service supplier from abroad (OIDAR)",
            Self::UnBody => "UN body, embassy or other UIN holder",
        }
    }

    /// The kind whose form `text` has. Narrow forms first: a deductor with a PAN has the regular form too.
    fn of(text: &[u8; 15]) -> Option<Self> {
        const FORMS: [(&[u8; 15], EntityKind); 9] = [
            (b"99##@@@#####OS*", EntityKind::Oidar),
            (b"####@@@#####NR*", EntityKind::Nri),
            (b"####@@@#####UN*", EntityKind::UnBody),
            (b"####@@@#####ON*", EntityKind::UnBody),
            (b"##@@@@@####@+C*", EntityKind::Tcs),
            (b"##@@@@*####@+D*", EntityKind::Tds),
            (b"##@@@@@####@+Z*", EntityKind::Regular),
            (b"##@@@@@####@+~*", EntityKind::Regular),
            (b"##@@@@#####@#Z#", EntityKind::Government),
        ];
        FORMS
            .iter()
            .find(|(form, _)| form.iter().zip(text).all(|(mask, byte)| fits(*mask, *byte)))
            .map(|row| row.1)
    }
}

/// One position of a form: `#` digit, `@` letter, `*` either, `+` either but `0`, `~` one of `1`-`9`, `A`, `B`
/// and `D`-`J`; anything else stands for itself.
fn fits(mask: u8, byte: u8) -> bool {
    match mask {
        b'#' => byte.is_ascii_digit(),
        b'@' => byte.is_ascii_uppercase(),
        b'*' => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
        b'+' => matches!(byte, b'1'..=b'9' | b'A'..=b'Z'),
        b'~' => matches!(byte, b'1'..=b'9' | b'A' | b'B' | b'D'..=b'J'),
        literal => literal == byte,
    }
}

impl fmt::Display for Gstin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Gstin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gstin({self})")
    }
}

/// A permanent account number of the income tax department: five letters, four digits, a letter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pan([u8; 10]);

impl Pan {
    /// The ten characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Pan {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHAT: &str = "PAN";
        let found = text.chars().count();
        if found != 10 {
            return Err(IdentifierError::Length { what: WHAT, value: quote(text), expected: "ten", found });
        }
        let mut pan = [0; 10];
        for (index, character) in text.chars().enumerate() {
            let upper = character.to_ascii_uppercase();
            let digit = (5..9).contains(&index);
            if !(if digit { upper.is_ascii_digit() } else { upper.is_ascii_uppercase() }) {
                return Err(IdentifierError::Character {
                    what: WHAT,
                    value: quote(text),
                    position: index + 1,
                    found: character,
                    expected: if digit { "a digit" } else { "a letter" },
                });
            }
            pan[index] = u8::try_from(upper).unwrap_or_default();
        }
        Ok(Self(pan))
    }
}

impl fmt::Display for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pan({self})")
    }
}

serde_as_text!(Gstin, Pan);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Published GSTINs, and masked samples with the check digit they ought to have.
    const VALID: [&str; 10] = [
        "27AAPFU0939F1ZV",
        "33AANCS2882A1ZG",
        "27AAICN6997Q3Z4",
        "33GSPTN1381G1Z9",
        "33GSPTN0791G1Z5",
        "33GSPTN0192G1ZA",
        "05AVHPB7348G1ZP",
        "27AHQPA7588L1ZJ",
        "01AAAAP1208Q1ZS",
        "3418FIN00001UNY",
    ];
    const MASKED: [(&str, char); 6] = [
        ("01AABCE2207R1Z5", 'V'),
        ("05ABNTY3290P8ZB", 'A'),
        ("29AFSPB9500E1ZY", 'F'),
        ("36AEOFS9999J1ZI", 'O'),
        ("37ABCDE9552F3Z4", 'C'),
        ("16DEFPS8555D1Z7", '6'),
    ];

    fn lenient(text: &str) -> Gstin {
        Gstin::parse_lenient(text).unwrap()
    }

    #[test]
    fn published_gstins_have_the_check_digit_they_should() {
        for text in VALID {
            let gstin: Gstin = text.parse().unwrap();
            assert!(gstin.is_check_digit_valid());
            assert_eq!(Gstin::with_check_digit(&text[..14]), Ok(gstin));
            assert_eq!(text.to_ascii_lowercase().parse(), Ok(gstin));
        }
    }

    #[test]
    fn masked_samples_are_refused_with_the_digit_that_would_be_right_and_read_leniently() {
        for (text, expected) in MASKED {
            let found = char::from(text.as_bytes()[14]);
            let refusal = IdentifierError::CheckDigit { value: text.to_owned(), expected, found };
            assert_eq!(text.parse::<Gstin>(), Err(refusal));
            assert!(!lenient(text).is_check_digit_valid());
        }
    }

    #[test]
    fn published_arns_use_the_same_check_character() {
        assert_eq!(check_character("AA270717000001"), Some('V'));
        assert_eq!(check_character("AA27071700000"), None);
        assert_eq!(check_character("aa270717000001"), None);
    }

    #[test]
    fn the_form_tells_the_kind_and_the_pan() {
        let kinds = [
            ("27AAPFU0939F1ZV", EntityKind::Regular, Some("AAPFU0939F")),
            ("27AAPFU0939F1BV", EntityKind::Regular, Some("AAPFU0939F")),
            ("27AAPFU0939F1D5", EntityKind::Tds, Some("AAPFU0939F")),
            ("27MUMA12345F1D5", EntityKind::Tds, None),
            ("27AAPFU0939F1C5", EntityKind::Tcs, Some("AAPFU0939F")),
            ("07ABCD12345E1Z3", EntityKind::Government, None),
            ("3317USA00001NRX", EntityKind::Nri, None),
            ("9917USA29001OSK", EntityKind::Oidar, None),
            ("3418FIN00001UNY", EntityKind::UnBody, None),
            ("0718ABC00001ON3", EntityKind::UnBody, None),
        ];
        for (text, kind, pan) in kinds {
            let gstin = lenient(text);
            assert_eq!((gstin.kind(), gstin.pan()), (kind, pan.map(|pan| pan.parse().unwrap())), "{text}");
        }
        assert_eq!(lenient("33AANCS2882A1ZG").state().name(), "Tamil Nadu");
    }

    #[test]
    fn a_refusal_says_what_was_wrong() {
        let why = |text: &str| text.parse::<Gstin>().unwrap_err().to_string();
        assert_eq!(why("27AAPFU0939F1Z"), "GSTIN \"27AAPFU0939F1Z\" has 14 characters; it must have fifteen");
        assert_eq!(
            why("27AAPFU0939F1Z-"),
            "GSTIN \"27AAPFU0939F1Z-\": character 15 is '-'; it must be a letter or a digit"
        );
        assert_eq!(why("40AAPFU0939F1ZV"), "\"40\" is not a state code of GST (01 to 38, 96, 97 or 99)");
        assert!(why("27AAPFU09X9F1ZV").contains("no kind of taxpayer"));
        assert!(why("27AAPFU0939F0ZV").contains("no kind of taxpayer"));
        assert_eq!(
            why("27AAPFU0939F1ZX"),
            "GSTIN \"27AAPFU0939F1ZX\" ends in 'X', but its first fourteen characters call for 'V'"
        );
        assert!(why("２７AAPFU0939F1ZV").contains("character 1"));
        assert!(" 27AAPFU0939F1ZV".parse::<Gstin>().is_err());
        assert!(serde_json::from_str::<Gstin>("\"27AAPFU0939F1ZX\"").is_err());
        assert!(Gstin::with_check_digit("27AAPFU0939F").is_err());
    }

    proptest! {
        #[test]
        fn a_computed_check_digit_is_accepted_and_any_other_refused(
            first14 in "(0[1-9]|[12][0-9]|3[0-8])[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z",
            other in "[0-9A-Z]",
        ) {
            let gstin = Gstin::with_check_digit(&first14).unwrap();
            prop_assert_eq!(gstin.as_str().parse(), Ok(gstin));
            prop_assert_eq!(serde_json::from_value::<Gstin>(serde_json::to_value(gstin).unwrap()).unwrap(), gstin);
            let swapped = format!("{first14}{other}");
            prop_assert_eq!(swapped.parse::<Gstin>().is_ok(), swapped == gstin.as_str());
        }

        #[test]
        fn one_wrong_character_in_the_pan_is_noticed(
            first14 in "27[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z", index in 7usize..11, digit in 0u8..10,
        ) {
            let gstin = Gstin::with_check_digit(&first14).unwrap();
            let mut text = gstin.as_str().as_bytes().to_vec();
            text[index] = b'0' + digit;
            let text = String::from_utf8(text).unwrap();
            prop_assert_eq!(text.parse::<Gstin>().is_ok(), text == gstin.as_str());
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,18}|[0-9A-Za-z]{15}|[0-9]{4}[A-Z]{3}[0-9]{5}[A-Z]{2}[0-9A-Z]") {
            if let Ok(gstin) = Gstin::parse_lenient(&text) {
                prop_assert_eq!(gstin.as_str(), text.to_ascii_uppercase());
                prop_assert_eq!(gstin.state().as_str(), &text[..2]);
            }
            if let Ok(pan) = text.parse::<Pan>() {
                prop_assert_eq!(pan.as_str(), text.to_ascii_uppercase());
            }
        }
    }
}
