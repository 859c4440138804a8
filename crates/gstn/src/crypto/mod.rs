//! The wire cryptography of GSTN and of the ASP-GSP session: every key, every step, in the order a call needs
//! them.
//!
//! GSTN prescribes AES-256-ECB with PKCS#7 padding, RSA PKCS#1 v1.5 and HMAC-SHA256 over base64 text (gstn.md
//! sections 1, 2 and 7; gsp.md section 1.3). None of these is a choice one would make today, so they live in
//! this crate and nowhere else. The primitives are those of aws-lc-rs.
//!
//! A taxpayer's login and calls:
//!
//! ```
//! use gstn::crypto::{AppKey, PrivateKey, Rek, Sek};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gstn_key = PrivateKey::generate_2048();
//!
//! // OTPREQUEST and AUTHTOKEN: the client makes an app key and shows it to GSTN alone.
//! let app_key = AppKey::from_bytes([1; 32]);
//! let sent = app_key.encrypt_for(gstn_key.public_key())?;
//! let at_gstn = AppKey::open(&sent, &gstn_key)?;
//!
//! // AUTHTOKEN's reply: the session key, under the app key.
//! let sek = app_key.open_sek(&at_gstn.seal_sek(&Sek::from_bytes([2; 32])))?;
//!
//! // A save: data and hmac, under the session key.
//! let request = sek.encrypt_request(br#"{"gstin":"33AANCS2882A1ZG"}"#);
//! assert_eq!(sek.decrypt_request(&request.data, Some(&request.hmac))?, br#"{"gstin":"33AANCS2882A1ZG"}"#);
//!
//! // A reply: under a key of its own, which comes along under the session key.
//! let rek = Rek::from_bytes([3; 32]);
//! let reply = rek.encrypt_reply(br#"{"reference_id":"1"}"#);
//! let opened = sek.open_rek(&sek.seal_rek(&rek))?;
//! assert_eq!(opened.decrypt_reply(&reply.data, Some(&reply.hmac))?, br#"{"reference_id":"1"}"#);
//! # Ok(())
//! # }
//! ```
//!
//! Whatever goes wrong while something is decrypted or verified, the caller gets [`CryptoError`], which says
//! nothing about the reason. Only keys and certificates, which their owner configures, explain themselves
//! ([`CertificateError`]).

mod aes;
pub mod base64;
mod certificate;
mod dsc;
mod error;
mod evc;
mod getkey;
mod hash;
mod payload;
mod pem;
mod pfx;
mod rsa;
mod secret;
mod wire;

pub use aes::{aes256_ecb_decrypt, aes256_ecb_encrypt};
pub use certificate::Certificate;
pub use dsc::{DscContent, DscSignature, dsc_sign, dsc_verify};
pub use error::{CertificateError, CryptoError};
pub use evc::{evc_sid, evc_sign, evc_verify};
pub use getkey::{getkey_sign, getkey_verify};
pub use hash::{ct_eq, hmac_sha256, sha256, sha256_hex};
pub use pfx::{open_pfx, write_pfx};
pub use rsa::{PrivateKey, PublicKey};
pub use secret::{AppKey, AspEk, AspSecret, FileKey, Rek, Sek};
pub use wire::{SealedReply, SealedRequest};
