//! AES-256-ECB with PKCS#7 padding: the only cipher of the protocol (gstn.md section 0, fact 2).
//!
//! The short path serves keys and OTPs (one to three blocks), the long one whatever is larger: aws-lc-rs's padded-block
//! calls are cheap to set up, its streaming calls are five times faster over a megabyte. Payloads go through `payload`.

use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, StreamingDecryptingKey,
    StreamingEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::error::Unspecified;
use zeroize::Zeroizing;

use super::CryptoError;

pub(super) const BLOCK: usize = 16;
/// Longest input, in bytes, that takes the short path.
const SHORT: usize = 512;
/// The streaming calls count in `i32`; longer inputs go through in pieces of this size.
const PIECE: usize = 1 << 30;

/// Encrypts `plain`, of any length; raw in, raw out. The result is longer by one to sixteen bytes.
pub fn aes256_ecb_encrypt(key: &[u8; 32], plain: &[u8]) -> Vec<u8> {
    let sealed =
        if plain.len() <= SHORT { encrypt_short(key, plain) } else { encrypt_long(key, plain, PIECE) };
    #[expect(clippy::expect_used, reason = "every 32-byte key and every length is valid")]
    sealed.expect("AES-256 encrypts anything")
}

/// Decrypts `sealed`; raw in, raw out.
///
/// ECB has no integrity of its own: a wrong key or a changed byte is noticed only where it spoils the
/// padding.
///
/// # Errors
/// [`CryptoError`] if the length is not a positive multiple of sixteen or the padding is wrong.
pub fn aes256_ecb_decrypt(key: &[u8; 32], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    if sealed.is_empty() || !sealed.len().is_multiple_of(BLOCK) {
        return Err(CryptoError);
    }
    let plain =
        if sealed.len() <= SHORT { decrypt_short(key, sealed) } else { decrypt_long(key, sealed, PIECE) };
    Ok(plain?)
}

pub(super) fn unbound(key: &[u8; 32]) -> Result<UnboundCipherKey, Unspecified> {
    UnboundCipherKey::new(&AES_256, key)
}

fn encrypt_short(key: &[u8; 32], plain: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let mut buffer = Vec::with_capacity(plain.len() + BLOCK);
    buffer.extend_from_slice(plain);
    PaddedBlockEncryptingKey::ecb_pkcs7(unbound(key)?)?.encrypt(&mut buffer)?;
    Ok(buffer)
}

fn decrypt_short(key: &[u8; 32], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let key = PaddedBlockDecryptingKey::ecb_pkcs7(unbound(key)?)?;
    let length = key.decrypt(&mut buffer, DecryptionContext::None)?.len();
    buffer.truncate(length);
    Ok(buffer)
}

fn encrypt_long(key: &[u8; 32], plain: &[u8], piece: usize) -> Result<Vec<u8>, Unspecified> {
    let mut stream = StreamingEncryptingKey::ecb_pkcs7(unbound(key)?)?;
    let mut out = vec![0; plain.len() + 2 * BLOCK];
    let mut written = 0;
    for piece in plain.chunks(piece) {
        written += stream.update(piece, &mut out[written..])?.written().len();
    }
    let (_, last) = stream.finish(&mut out[written..])?;
    written += last.written().len();
    out.truncate(written);
    Ok(out)
}

fn decrypt_long(key: &[u8; 32], sealed: &[u8], piece: usize) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let mut stream = StreamingDecryptingKey::ecb_pkcs7(unbound(key)?, DecryptionContext::None)?;
    let mut out = Zeroizing::new(vec![0; sealed.len() + 2 * BLOCK]);
    let mut written = 0;
    for piece in sealed.chunks(piece) {
        written += stream.update(piece, &mut out[written..])?.written().len();
    }
    written += stream.finish(&mut out[written..])?.written().len();
    out.truncate(written);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_standard_example_holds_on_both_paths() {
        // NIST SP 800-38A, F.1.5 (ECB-AES256), the first two blocks; it has no padding.
        let bytes = |[a, b]: [u128; 2]| -> [u8; 32] {
            [a.to_be_bytes(), b.to_be_bytes()].concat().try_into().unwrap()
        };
        let key = bytes([0x603deb1015ca71be2b73aef0857d7781, 0x1f352c073b6108d72d9810a30914dff4]);
        let plain = bytes([0x6bc1bee22e409f96e93d7e117393172a, 0xae2d8a571e03ac9c9eb76fac45af8e51]);
        let sealed = bytes([0xf3eed1bdb5d2a03c064b5a7e3db181f8, 0x591ccb10d410ed26dc5ba74a31362870]);
        assert_eq!(encrypt_short(&key, &plain).unwrap()[..32], sealed);
        assert_eq!(encrypt_long(&key, &plain, 5).unwrap()[..32], sealed);
    }

    #[test]
    fn what_is_not_whole_blocks_is_refused() {
        for length in [0, 1, 15, 17, 31, SHORT - 1, SHORT + 1, 5000] {
            assert_eq!(aes256_ecb_decrypt(&[7; 32], &vec![0; length]), Err(CryptoError), "{length}");
        }
    }

    #[test]
    fn wrong_padding_is_refused_on_both_paths() {
        for blocks in [1, 3, SHORT / BLOCK, SHORT / BLOCK + 1, 1000] {
            for last in [0, 17, 255] {
                let mut plain = vec![7; blocks * BLOCK];
                plain[blocks * BLOCK - 1] = last;
                let sealed = aes256_ecb_encrypt(&[1; 32], &plain);
                assert_eq!(aes256_ecb_decrypt(&[1; 32], &sealed[..blocks * BLOCK]), Err(CryptoError));
            }
        }
    }

    proptest! {
        #[test]
        fn any_length_survives(key: [u8; 32], plain in prop::collection::vec(any::<u8>(), 0..3 * SHORT)) {
            let sealed = aes256_ecb_encrypt(&key, &plain);
            prop_assert_eq!(sealed.len(), plain.len() / BLOCK * BLOCK + BLOCK);
            let opened = aes256_ecb_decrypt(&key, &sealed).unwrap();
            prop_assert_eq!(&*opened, &plain);
        }

        #[test]
        fn both_paths_and_every_piece_size_agree(
            key: [u8; 32],
            plain in prop::collection::vec(any::<u8>(), 0..200),
            piece in 1_usize..100,
        ) {
            let sealed = encrypt_short(&key, &plain).unwrap();
            prop_assert_eq!(&encrypt_long(&key, &plain, piece).unwrap(), &sealed);
            prop_assert_eq!(&*decrypt_long(&key, &sealed, piece).unwrap(), &plain);
            prop_assert_eq!(&*decrypt_short(&key, &sealed).unwrap(), &plain);
        }

        #[test]
        fn anything_sent_as_ciphertext_is_answered(
            key: [u8; 32],
            noise in prop::collection::vec(any::<[u8; BLOCK]>(), 1..100),
        ) {
            let noise = noise.concat();
            if let Ok(plain) = aes256_ecb_decrypt(&key, &noise) {
                prop_assert_eq!(aes256_ecb_encrypt(&key, &plain), noise);
            }
        }
    }
}
