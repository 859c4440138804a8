//! A file of a large result, opened: `tar.gz`, and inside it the JSON under the key of the files (gstn.md 2.1).
//!
//! Its names are never looked at, and nothing of it is written anywhere: a name with `../` in it leads nowhere.

use std::io::Read;

use flate2::read::GzDecoder;
use gstn::crypto::{FileKey, sha256_hex};
use zeroize::Zeroizing;

use super::DownloadFault;

/// The JSON documents in a file; usually one. `hash` is what GSTN says the file's SHA-256 is, in hex; no more than
/// `limit` bytes are unpacked.
pub(super) fn open(
    file: &[u8],
    hash: &str,
    key: &FileKey,
    limit: u64,
) -> Result<Vec<Vec<u8>>, DownloadFault> {
    if !sha256_hex(file).eq_ignore_ascii_case(hash) {
        return Err(DownloadFault::Hash);
    }
    let mut unpacked = GzDecoder::new(file).take(limit);
    let texts = texts(&mut unpacked);
    if unpacked.limit() == 0 {
        return Err(DownloadFault::TooLarge { limit });
    }
    let texts = texts.ok().filter(|texts| !texts.is_empty()).ok_or(DownloadFault::Archive)?;
    texts.iter().map(|text| key.decrypt_file(text).map_err(|_| DownloadFault::Key)).collect()
}

/// The texts of the archive's ordinary files. Links and directories hold none.
fn texts(unpacked: impl Read) -> std::io::Result<Vec<Zeroizing<String>>> {
    let mut archive = tar::Archive::new(unpacked);
    let mut texts = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let mut text = Zeroizing::new(String::new());
            entry.read_to_string(&mut text)?;
            texts.push(text);
        }
    }
    Ok(texts)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use gstn::crypto::base64;
    use serde_json::Value;

    use super::*;

    const LIMIT: u64 = 1 << 20;

    fn key() -> FileKey {
        FileKey::from_bytes([7; 32])
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A `tar.gz` of ordinary files under the names given, which `tar` itself might refuse to write.
    fn tar_gz(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(text.len() as u64);
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        gzip(&builder.into_inner().unwrap())
    }

    fn opened(file: &[u8]) -> Result<Vec<Vec<u8>>, DownloadFault> {
        open(file, &sha256_hex(file), &key(), LIMIT)
    }

    #[test]
    fn the_file_of_the_vectors_opens() {
        let vectors = include_str!("../../../gstn/tests/data/vectors.json");
        let vector = &serde_json::from_str::<Value>(vectors).unwrap()["file"];
        let text = |name: &str| vector[name].as_str().unwrap().to_owned();
        let file = base64::decode_strict(text("tar_gz_b64")).unwrap();
        let key = FileKey::from_base64(&text("ek")).unwrap();
        assert_eq!(open(&file, &text("hash"), &key, LIMIT).unwrap(), [text("json").into_bytes()]);
        assert!(open(&file, &text("hash").to_uppercase(), &key, LIMIT).is_ok());
    }

    #[test]
    fn a_file_is_not_opened_before_its_hash_is_right() {
        let file = tar_gz(&[("a.json", &key().encrypt_file(b"{}"))]);
        let hash = sha256_hex(&file);
        let mut damaged = file.clone();
        damaged[20] ^= 1;
        assert_eq!(open(&damaged, &hash, &key(), LIMIT), Err(DownloadFault::Hash));
        assert_eq!(open(&file[..file.len() - 1], &hash, &key(), LIMIT), Err(DownloadFault::Hash));
        assert_eq!(open(&file, "", &key(), LIMIT), Err(DownloadFault::Hash));
    }

    #[test]
    fn names_lead_nowhere_and_every_ordinary_file_counts() {
        let texts = [&b"1"[..], b"2"].map(|json| key().encrypt_file(json));
        let file = tar_gz(&[("../../../etc/passwd", &texts[0]), ("/abs.json", &texts[1])]);
        assert_eq!(opened(&file).unwrap(), [b"1".to_vec(), b"2".to_vec()]);
    }

    #[test]
    fn a_wrong_key_and_a_broken_archive_are_told_apart() {
        let other = FileKey::from_bytes([8; 32]).encrypt_file(b"{}");
        assert_eq!(opened(&tar_gz(&[("a.json", &other)])), Err(DownloadFault::Key));
        assert_eq!(opened(&tar_gz(&[("a.json", "not base64")])), Err(DownloadFault::Key));
        for broken in [tar_gz(&[]), gzip(b"no tar"), b"no gzip".to_vec(), Vec::new()] {
            assert_eq!(opened(&broken), Err(DownloadFault::Archive));
        }
    }

    #[test]
    fn a_small_file_that_unpacks_to_a_large_one_is_given_up() {
        let bomb = tar_gz(&[("a.json", &"A".repeat(8 << 20))]);
        assert!(bomb.len() < 20_000);
        assert_eq!(opened(&bomb), Err(DownloadFault::TooLarge { limit: LIMIT }));
    }
}
