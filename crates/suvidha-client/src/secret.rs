//! A secret text, such as an ASP's token: never shown, wiped when dropped.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text: a GSP token, an OTP, a GSTN `auth-token`.
///
/// It has no `Display` and no `Serialize`, its `Debug` says only that it is there, and its memory is wiped
/// when it is dropped.
#[derive(Clone)]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// Takes `text` into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretString(..)")
    }
}

impl From<String> for SecretString {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for SecretString {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_in_debug() {
        let secret = SecretString::from("svd_sbx_hidden");
        assert!(!format!("{secret:?} {:#?}", Some(&secret)).contains("hidden"));
        assert_eq!(secret.expose(), "svd_sbx_hidden");
    }
}
