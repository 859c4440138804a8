//! The 32-byte keys of the protocol, each a type of its own, so that none is taken for another.
//!
//! They are wiped when dropped, compared in constant time, never printed and never serialised.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{CryptoError, base64, ct_eq};

/// Defines a 32-byte secret.
macro_rules! secret32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The secret made of these raw bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The secret made of these raw bytes.
            ///
            /// # Errors
            /// [`CryptoError`] unless there are exactly 32.
            pub fn try_from_slice(bytes: &[u8]) -> Result<Self, CryptoError> {
                bytes.try_into().map(Self).map_err(|_| CryptoError)
            }

            /// The raw bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Whether both are the same secret, found out in constant time.
            pub fn ct_eq(&self, other: &Self) -> bool {
                ct_eq(&self.0, &other.0)
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.ct_eq(other)
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

secret32! {
    /// The app key: made by the client for a login, known to it and GSTN; OTP and SEK travel under it
    /// (gstn.md section 1.2).
    ///
    /// Most clients take 32 random bytes; some take 32 ASCII characters. Both are just 32 bytes here.
    AppKey
}

secret32! {
    /// The session key (`sek`, elsewhere called EK): made by GSTN at login; requests and REKs travel under it
    /// (gstn.md section 2).
    Sek
}

secret32! {
    /// The reply key (`rek`): made by GSTN for one reply, whose `data` travels under it (gstn.md section 2).
    Rek
}

secret32! {
    /// The key of the files of a large reply (`ek` of FILEDET; gstn.md section 2.1).
    FileKey
}

secret32! {
    /// The ASP's long-lived secret of the GetKey flow: 32 ASCII characters, whose bytes are an AES key
    /// (gsp.md section 1.3).
    AspSecret
}

secret32! {
    /// The key of an ASP-GSP session, given out by GetKey (gsp.md section 1.3).
    AspEk
}

impl FileKey {
    /// The `ek` of a FILEDET reply: standard base64 of the raw bytes. It is protected only by the reply
    /// around it.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(base64::encode(self.as_bytes()))
    }

    /// Reads the `ek` of a FILEDET reply: standard base64 of 32 bytes.
    ///
    /// # Errors
    /// [`CryptoError`] if it is anything else.
    pub fn from_base64(ek: &str) -> Result<Self, CryptoError> {
        Self::try_from_slice(&Zeroizing::new(base64::decode_strict(ek)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_its_name_and_nothing_else() {
        assert_eq!(format!("{:?}", AppKey::from_bytes([65; 32])), "AppKey([redacted])");
        assert_eq!(format!("{:?}", Some(Sek::from_bytes([65; 32]))), "Some(Sek([redacted]))");
    }

    #[test]
    fn a_secret_has_exactly_32_bytes() {
        for length in [0, 31, 33, 64] {
            assert_eq!(Rek::try_from_slice(&vec![7; length]), Err(CryptoError));
        }
        assert_eq!(Rek::try_from_slice(&[7; 32]), Ok(Rek::from_bytes([7; 32])));
    }

    #[test]
    fn one_differing_bit_makes_another_secret() {
        let mut other = [7; 32];
        other[31] ^= 1;
        assert_ne!(Sek::from_bytes([7; 32]), Sek::from_bytes(other));
        assert!(Sek::from_bytes(other).ct_eq(&Sek::from_bytes(other)));
    }

    #[test]
    fn a_secret_is_wiped() {
        let mut key = FileKey::from_bytes([7; 32]);
        key.zeroize();
        assert_eq!(key.as_bytes(), &[0; 32]);
    }

    #[test]
    fn a_file_key_is_plain_base64() {
        let key = FileKey::from_bytes([0xfb; 32]);
        assert_eq!(FileKey::from_base64(&key.to_base64()), Ok(key));
        assert_eq!(FileKey::from_base64("AAAA"), Err(CryptoError));
    }
}
