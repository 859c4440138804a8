//! States and territories, as GST numbers them.

use std::fmt;
use std::str::FromStr;

use super::{IdentifierError, quote, serde_as_text};

/// A two-digit state code of GST: 01 to 38, 96 (other countries), 97 (other territory), 99 (centre).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateCode(u8);

/// Code and name; 25 and 28 are merged states whose codes old registrations still bear.
const STATES: [(u8, &str, &str); 41] = [
    (1, "01", "Jammu and Kashmir"),
    (2, "02", "Himachal Pradesh"),
    (3, "03", "Punjab"),
    (4, "04", "Chandigarh"),
    (5, "05", "Uttarakhand"),
    (6, "06", "Haryana"),
    (7, "07", "Delhi"),
    (8, "08", "Rajasthan"),
    (9, "09", "Uttar Pradesh"),
    (10, "10", "Bihar"),
    (11, "11", "Sikkim"),
    (12, "12", "Arunachal Pradesh"),
    (13, "13", "Nagaland"),
    (14, "14", "Manipur"),
    (15, "15", "Mizoram"),
    (16, "16", "Tripura"),
    (17, "17", "Meghalaya"),
    (18, "18", "Assam"),
    (19, "19", "West Bengal"),
    (20, "20", "Jharkhand"),
    (21, "21", "Odisha"),
    (22, "22", "Chhattisgarh"),
    (23, "23", "Madhya Pradesh"),
    (24, "24", "Gujarat"),
    (25, "25", "Daman and Diu"),
    (26, "26", "Dadra and Nagar Haveli and Daman and Diu"),
    (27, "27", "Maharashtra"),
    (28, "28", "Andhra Pradesh (before division)"),
    (29, "29", "Karnataka"),
    (30, "30", "Goa"),
    (31, "31", "Lakshadweep"),
    (32, "32", "Kerala"),
    (33, "33", "Tamil Nadu"),
    (34, "34", "Puducherry"),
    (35, "35", "Andaman and Nicobar Islands"),
    (36, "36", "Telangana"),
    (37, "37", "Andhra Pradesh"),
    (38, "38", "Ladakh"),
    (96, "96", "Other Countries"),
    (97, "97", "Other Territory"),
    (99, "99", "Centre Jurisdiction"),
];

impl StateCode {
    /// The state numbered `code`, if there is one.
    pub fn new(code: u8) -> Option<Self> {
        STATES.iter().position(|state| state.0 == code).and_then(|row| u8::try_from(row).ok()).map(Self)
    }

    /// Every state and territory, by code.
    pub fn all() -> impl Iterator<Item = Self> {
        STATES.iter().filter_map(|state| Self::new(state.0))
    }

    fn row(self) -> (u8, &'static str, &'static str) {
        STATES[usize::from(self.0)]
    }

    /// The code as a number.
    pub fn number(self) -> u8 {
        self.row().0
    }

    /// The two digits.
    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// The name in English.
    pub fn name(self) -> &'static str {
        self.row().2
    }
}

impl FromStr for StateCode {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let code = if digits { text.parse().ok().and_then(Self::new) } else { None };
        code.ok_or_else(|| IdentifierError::State { value: quote(text) })
    }
}

impl fmt::Debug for StateCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StateCode").field(&self.as_str()).finish()
    }
}

impl fmt::Display for StateCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

serde_as_text!(StateCode);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back() {
        assert_eq!(StateCode::all().count(), 41);
        for state in StateCode::all() {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(format!("{:02}", state.number()), state.as_str());
        }
        assert!(STATES.is_sorted());
        assert_eq!("33".parse::<StateCode>().unwrap().name(), "Tamil Nadu");
    }

    #[test]
    fn what_is_no_state_is_refused() {
        for text in ["", "0", "00", "7", "39", "95", "98", "007", "+7", "٣٣", " 7"] {
            let refusal = text.parse::<StateCode>().unwrap_err();
            assert_eq!(refusal, IdentifierError::State { value: text.to_owned() });
        }
    }
}
