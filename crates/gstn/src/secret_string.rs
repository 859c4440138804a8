//! Text that must not leak: no `Display`, no `Serialize`, a silent `Debug`, and wiped when dropped.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::crypto::ct_eq;

/// A secret string, such as an ASP's token, an OTP, an `auth-token` or the GSP's `client-secret` at GSTN.
///
/// Reading it takes an explicit [`expose`](Self::expose), which a reviewer can search for.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretString(String);

impl SecretString {
    /// Takes `secret` over; the caller should keep no other copy.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `other` is the same text. The time taken depends on the lengths only.
    pub fn ct_eq(&self, other: &str) -> bool {
        ct_eq(self.0.as_bytes(), other.as_bytes())
    }
}

impl From<String> for SecretString {
    fn from(secret: String) -> Self {
        Self::new(secret)
    }
}

impl From<&str> for SecretString {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretString(…)")
    }
}

impl<'de> Deserialize<'de> for SecretString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let secret = SecretString::from("marker-7c1f");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "SecretString(…) Some(SecretString(…))");
        assert!(!format!("{:#?}", Some(&secret)).contains("marker"));
        assert_eq!(secret.expose(), "marker-7c1f");
    }

    #[test]
    fn comparison_is_by_the_whole_text() {
        let secret = SecretString::from("marker-7c1f");
        assert!(secret.ct_eq("marker-7c1f"));
        assert!(!secret.ct_eq("marker-7c1e"));
        assert!(!secret.ct_eq("marker-7c1"));
        assert!(!secret.ct_eq(""));
    }
}
