//! A file of a large list: `tar.gz`, and in it one JSON under the key of the files.

use std::io;

use flate2::Compression;
use flate2::write::GzEncoder;
use gstn::crypto::{FileKey, sha256_hex};
use jiff::Timestamp;
use serde_json::Value;

/// A file as it is served, and what FILEDET says its SHA-256 is, in small hexadecimal digits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Archive {
    pub(super) bytes: Vec<u8>,
    pub(super) hash: String,
}

/// Seals `json` under `key` in a file of that name. The same list gives the same bytes.
pub(super) fn seal(key: &FileKey, name: &str, json: &Value, at: Timestamp) -> io::Result<Archive> {
    let text = key.encrypt_file(json.to_string().as_bytes());
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_mtime(u64::try_from(at.as_second()).unwrap_or(0));
    header.set_size(text.len() as u64);
    // What is encrypted does not shrink; its base64 does, as much at the least effort as at the greatest.
    let packed = GzEncoder::new(Vec::new(), Compression::fast());
    let mut builder = tar::Builder::new(packed);
    builder.append_data(&mut header, name, text.as_bytes())?;
    let bytes = builder.into_inner()?.finish()?;
    Ok(Archive { hash: sha256_hex(&bytes), bytes })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_opens_with_its_key_and_is_the_same_twice() {
        let key = FileKey::from_bytes([7; 32]);
        let list = json!({"b2b": [{"ctin": "27AAPFU0939F1ZV", "inv": [{"inum": "A1"}]}]});
        let at = "2026-02-11T06:00:00Z".parse().unwrap();
        let archive = seal(&key, "returns_b2b_0.json", &list, at).unwrap();
        assert_eq!(archive, seal(&key, "returns_b2b_0.json", &list, at).unwrap());
        assert_eq!(archive.hash, sha256_hex(&archive.bytes));
        let mut entries = tar::Archive::new(GzDecoder::new(archive.bytes.as_slice()));
        let mut entry = entries.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().to_str(), Some("returns_b2b_0.json"));
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        let opened: Value = serde_json::from_slice(&key.decrypt_file(&text).unwrap()).unwrap();
        assert_eq!(opened, list);
    }
}
