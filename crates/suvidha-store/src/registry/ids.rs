//! The numbers by which rows are named, each a type of its own. No secrets, never reused.

/// Defines the number of a kind of row.
macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// The number itself.
            pub fn as_i64(self) -> i64 {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<i64> for $name {
            fn from(number: i64) -> Self {
                Self(number)
            }
        }
    };
}

row_id! {
    /// Names a token or a pair of client credentials, in logs and on the command line.
    CredentialId
}

row_id! {
    /// Names one of an ASP's secrets.
    AspSecretId
}

row_id! {
    /// Names one of an ASP's certificates or public keys.
    CertificateId
}
