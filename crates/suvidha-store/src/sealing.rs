//! Sealing: AES-256-GCM under keys that live outside the database, several at once so that one can follow
//! another.
//!
//! A key ring is text, one `id:key` per line, the key as base64 of 32 bytes; `#` starts a comment. The
//! first key seals, all of them open. In an environment variable a comma or a space may stand for the end
//! of the line.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use suvidha_seam::Seam;
use zeroize::Zeroizing;

use crate::error::StoreError;

/// The key ring. Holds at least one key.
#[derive(Clone)]
pub struct SealingKeys(Vec<SealingKey>);

#[derive(Clone)]
struct SealingKey {
    id: String,
    bytes: Zeroizing<[u8; 32]>,
}

/// A sealed text as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) key_id: String,
    /// Random for each sealing.
    pub(crate) nonce: [u8; 12],
    /// As long as the text, and the tag of 16 bytes.
    pub(crate) ciphertext: Vec<u8>,
}

/// Why a sealed text did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// The ring has no key of that id.
    NoSuchKey,
    /// It was sealed under another key or for another purpose, or altered since.
    Refused,
}

impl SealingKeys {
    /// Reads a key ring from a file that only its owner may read.
    ///
    /// # Errors
    /// [`StoreError::KeyFileExposed`] when group or others may read or write it (on Unix), else what is
    /// wrong with the file or the entry.
    pub fn from_file(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::File { action: "read", path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        refuse_exposed(&file, path)?;
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text, &format!("key file {}", path.display()))
    }

    /// Reads a key ring from the value of an environment variable.
    ///
    /// # Errors
    /// What is wrong with which entry.
    pub fn from_env_value(value: &str) -> Result<Self, StoreError> {
        Self::parse(value, "the key ring of the environment")
    }

    /// Makes a key and a key file (mode 0600) that holds it, and nothing else.
    ///
    /// # Errors
    /// [`StoreError::KeyFileExists`]; [`StoreError::File`] when it cannot be written.
    pub fn create_file(path: &Path, seam: &Seam) -> Result<Self, StoreError> {
        let id = format!("k{:08x}", u32::from_be_bytes(seam.random()));
        let key = SealingKey { id, bytes: Zeroizing::new(seam.random()) };
        let encoded = Zeroizing::new(base64_simd::STANDARD.encode_to_string(&key.bytes[..]));
        let text = Zeroizing::new(format!(
            "# Suvidha's sealing keys, one id:key per line. The first seals, all of them open.\n\
             # Whoever has this file and the database has every secret in it: keep them apart, back up both.\n\
             {}:{}\n",
            key.id, *encoded
        ));
        write_private(path, text.as_bytes()).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => StoreError::KeyFileExists { path: path.to_owned() },
            _ => StoreError::File { action: "create", path: path.to_owned(), source },
        })?;
        Ok(Self(vec![key]))
    }

    /// The ids of the keys, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }

    /// The id of the key that seals.
    pub(crate) fn sealing_id(&self) -> &str {
        &self.0[0].id
    }

    /// Seals `text` under the first key. It opens only for the same `purpose`.
    pub(crate) fn seal(&self, purpose: &str, text: &str, seam: &Seam) -> Sealed {
        let key = &self.0[0];
        let nonce = seam.random();
        let mut ciphertext = Vec::with_capacity(text.len() + AES_256_GCM.tag_len());
        ciphertext.extend_from_slice(text.as_bytes());
        #[expect(clippy::expect_used, reason = "GCM refuses only texts of 64 GiB and more")]
        key.cipher()
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose),
                &mut ciphertext,
            )
            .expect("a secret is shorter than 64 GiB");
        Sealed { key_id: key.id.clone(), nonce, ciphertext }
    }

    /// Opens what [`seal`](Self::seal) sealed for the same `purpose`.
    pub(crate) fn open(&self, purpose: &str, sealed: &Sealed) -> Result<Zeroizing<String>, Unopened> {
        let key = self.0.iter().find(|key| key.id == sealed.key_id).ok_or(Unopened::NoSuchKey)?;
        let mut text = Zeroizing::new(sealed.ciphertext.clone());
        let opened = key
            .cipher()
            .open_in_place(Nonce::assume_unique_for_key(sealed.nonce), Aad::from(purpose), &mut text)
            .map_err(|_| Unopened::Refused)?;
        let opened = std::str::from_utf8(opened).map_err(|_| Unopened::Refused)?;
        Ok(Zeroizing::new(opened.to_owned()))
    }

    fn parse(text: &str, origin: &str) -> Result<Self, StoreError> {
        let entries = text
            .lines()
            .map(|line| line.split_once('#').map_or(line, |(entry, _)| entry))
            .flat_map(|line| line.split([',', ' ', '\t']))
            .filter(|entry| !entry.is_empty());
        let mut keys: Vec<SealingKey> = Vec::new();
        for (index, entry) in entries.enumerate() {
            let key = SealingKey::parse(entry).map_err(|reason| StoreError::MalformedSealingKey {
                origin: origin.to_owned(),
                entry: index + 1,
                reason,
            })?;
            if keys.iter().any(|earlier| earlier.id == key.id) {
                return Err(StoreError::RepeatedSealingKey { origin: origin.to_owned(), key_id: key.id });
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(StoreError::NoSealingKey { origin: origin.to_owned() });
        }
        Ok(Self(keys))
    }
}

impl SealingKey {
    fn parse(entry: &str) -> Result<Self, &'static str> {
        let (id, encoded) = entry.split_once(':').ok_or("it has no `:` between the id and the key")?;
        let of_id = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        if !(1..=32).contains(&id.len()) || !id.bytes().all(of_id) {
            return Err("the id must be 1 to 32 letters, digits, `-`, `_` or `.`");
        }
        let decoded = base64_simd::STANDARD.decode_to_vec(encoded).map_err(|_| "the key is not base64")?;
        let decoded = Zeroizing::new(decoded);
        let bytes = <[u8; 32]>::try_from(&decoded[..]).map_err(|_| "the key is not 32 bytes long")?;
        Ok(Self { id: id.to_owned(), bytes: Zeroizing::new(bytes) })
    }

    fn cipher(&self) -> LessSafeKey {
        #[expect(clippy::expect_used, reason = "the type holds 32 bytes")]
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.bytes[..]).expect("AES-256 takes 32 bytes"))
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

#[cfg(unix)]
fn refuse_exposed(file: &File, path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata();
    let metadata =
        metadata.map_err(|source| StoreError::File { action: "read", path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StoreError::KeyFileExposed { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(_: &File, _: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// On disk when it returns: a key that a power cut takes back would take every secret with it.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZEROS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const ONES: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn ring(text: &str) -> SealingKeys {
        SealingKeys::from_env_value(text).unwrap()
    }

    #[test]
    fn the_cipher_is_aes_256_gcm() {
        // Test case 14 of McGrew and Viega, "The Galois/Counter Mode of Operation", as text of 16 zero bytes.
        let sealed = Sealed {
            key_id: "k".to_owned(),
            nonce: [0; 12],
            ciphertext: hex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
        };
        let text = ring(&format!("k:{ZEROS}")).open("", &sealed).unwrap();
        assert_eq!(text.as_bytes(), [0; 16]);
    }

    fn hex(digits: &str) -> Vec<u8> {
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_and_its_key_alone() {
        let seam = Seam::system();
        let keys = ring(&format!("old:{ZEROS}"));
        let sealed = keys.seal("a", "marker", &seam);
        assert_eq!(keys.open("a", &sealed).unwrap().as_str(), "marker");
        assert_eq!(keys.open("b", &sealed), Err(Unopened::Refused));
        assert_eq!(ring(&format!("old:{ONES}")).open("a", &sealed), Err(Unopened::Refused));
        assert_eq!(ring(&format!("new:{ZEROS}")).open("a", &sealed), Err(Unopened::NoSuchKey));
        assert_ne!(sealed.nonce, keys.seal("a", "marker", &seam).nonce);
        for at in 0..sealed.ciphertext.len() {
            let mut altered = sealed.clone();
            altered.ciphertext[at] ^= 1;
            assert_eq!(keys.open("a", &altered), Err(Unopened::Refused));
        }
        let cut = Sealed { ciphertext: sealed.ciphertext[..15].to_vec(), ..sealed };
        assert_eq!(keys.open("a", &cut), Err(Unopened::Refused));
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let seam = Seam::system();
        let before = ring(&format!("old:{ZEROS}")).seal("a", "marker", &seam);
        let keys = ring(&format!("# rotated\nnew:{ONES} # seals\n\n  old:{ZEROS}\n"));
        assert_eq!(keys.open("a", &before).unwrap().as_str(), "marker");
        assert_eq!(keys.seal("a", "marker", &seam).key_id, "new");
        assert_eq!(ring(&format!("new:{ONES},old:{ZEROS}")).ids().collect::<Vec<_>>(), ["new", "old"]);
    }

    #[test]
    fn a_ring_that_cannot_be_read_says_which_entry_is_wrong_and_shows_no_key() {
        for (text, expected) in [
            ("", "the key ring of the environment holds no sealing key"),
            ("# k:", "the key ring of the environment holds no sealing key"),
            ("QUJD", "entry 1 of the key ring of the environment is not a sealing key: it has no `:`"),
            ("k:QUJD", "entry 1 of the key ring of the environment is not a sealing key: the key is not 32"),
            ("k:!", "entry 1 of the key ring of the environment is not a sealing key: the key is not base64"),
            (&format!("k:{ZEROS},\n:{ONES}"), "entry 2 of the key ring of the environment"),
            (&format!("k:{ZEROS} k:{ONES}"), "holds two sealing keys with the id \"k\""),
        ] {
            let error = SealingKeys::from_env_value(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("QUJD") && !error.contains(ONES), "{error}");
        }
        assert_eq!(format!("{:?}", ring(&format!("k:{ZEROS}"))), r#"["k"]"#);
    }
}
