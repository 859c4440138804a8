//! What a token looks like: `svd_sbx_` or `svd_prd_`, 43 characters of base62 holding 256 random bits,
//! 6 characters of checksum.
//!
//! The prefix tells people and secret scanners what was found, and for which environment. The checksum
//! is a CRC-32 of all before it: it catches every slip of one character, which is all it is for. It is
//! no secret and proves nothing.

use gstn::Environment;
use suvidha_seam::Seam;
use zeroize::Zeroizing;

use gstn::SecretString;

const PREFIX: &str = "svd_";
const BODY_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new token for `environment`.
pub(super) fn random_token(environment: Environment, seam: &Seam) -> SecretString {
    token(environment, seam.random())
}

/// 256 random bits in 43 characters of base62.
pub(super) fn random_text(seam: &Seam) -> SecretString {
    SecretString::new(base62(&Zeroizing::new(seam.random::<32>())[..], BODY_LENGTH))
}

/// Whether `text` has our prefix.
pub(super) fn is_ours(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Whether `text` has our prefix but was never issued: a character was changed, lost or added on the way.
pub(super) fn is_mistyped(text: &str) -> bool {
    is_ours(text) && !is_well_formed(text)
}

fn is_well_formed(text: &str) -> bool {
    let Some((head, checksum)) =
        text.len().checked_sub(CHECKSUM_LENGTH).and_then(|at| text.split_at_checked(at))
    else {
        return false;
    };
    let body = [Environment::Sandbox, Environment::Production]
        .iter()
        .find_map(|environment| head.strip_prefix(&prefix(*environment)));
    body.is_some_and(|body| body.len() == BODY_LENGTH && body.bytes().all(|c| ALPHABET.contains(&c)))
        && checksum == self::checksum(head)
}

fn token(environment: Environment, bytes: [u8; 32]) -> SecretString {
    let bytes = Zeroizing::new(bytes);
    let body = Zeroizing::new(base62(&bytes[..], BODY_LENGTH));
    let prefix = prefix(environment);
    let mut text = String::with_capacity(prefix.len() + BODY_LENGTH + CHECKSUM_LENGTH);
    text.push_str(&prefix);
    text.push_str(&body);
    let checksum = checksum(&text);
    text.push_str(&checksum);
    SecretString::new(text)
}

fn prefix(environment: Environment) -> String {
    let mark = match environment {
        Environment::Sandbox => "sbx",
        Environment::Production => "prd",
    };
    format!("{PREFIX}{mark}_")
}

fn checksum(head: &str) -> String {
    base62(&crc32(head.as_bytes()).to_be_bytes(), CHECKSUM_LENGTH)
}

/// The big-endian number `bytes`, in `length` digits; the caller gives enough of them.
fn base62(bytes: &[u8], length: usize) -> String {
    let mut number = Zeroizing::new(bytes.to_vec());
    let mut digits = vec![b'0'; length];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0u32;
        for byte in number.iter_mut() {
            let part = (remainder << 8) | u32::from(*byte);
            *byte = (part / 62) as u8;
            remainder = part % 62;
        }
        *digit = ALPHABET[remainder as usize];
    }
    digits.into_iter().map(char::from).collect()
}

/// CRC-32 as in IEEE 802.3 and zlib.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_is_the_common_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn base62_is_the_number_in_another_base() {
        assert_eq!(base62(&[0; 32], 43), "0".repeat(43));
        assert_eq!(base62(&[61], 1), "z");
        assert_eq!(base62(&[0x01, 0x00], 2), "48");
        // 2^256 - 1, reckoned in Python by divmod.
        assert_eq!(base62(&[255; 32], 43), "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
    }

    #[test]
    fn a_token_shows_what_it_is() {
        let token = token(Environment::Production, [7; 32]);
        assert!(token.expose().starts_with("svd_prd_"));
        assert_eq!(token.expose().len(), 57);
        assert!(is_well_formed(token.expose()));
        assert!(
            !is_mistyped("a2ceb341-1234-4234-a54f-59d934acba5a"),
            "another's token is not a slip of ours"
        );
        assert!(is_mistyped("svd_"));
        assert!(is_mistyped("svd_sbx_क"));
    }

    fn environment() -> impl Strategy<Value = Environment> {
        prop_oneof![Just(Environment::Sandbox), Just(Environment::Production)]
    }

    proptest! {
        #[test]
        fn one_changed_character_is_always_noticed(
            environment in environment(), bytes: [u8; 32], at in 0usize..57, to in "[ -~]"
        ) {
            let token = token(environment, bytes);
            let mut changed = token.expose().to_owned();
            changed.replace_range(at..=at, &to);
            prop_assume!(changed != token.expose());
            prop_assert!(!is_well_formed(&changed));
            prop_assert_eq!(is_mistyped(&changed), at >= PREFIX.len());
        }

        #[test]
        fn a_lost_or_doubled_character_and_a_swap_of_neighbours_are_noticed(
            environment in environment(), bytes: [u8; 32], at in 4usize..56
        ) {
            let token = token(environment, bytes);
            prop_assert!(is_well_formed(token.expose()));
            let mut lost = token.expose().to_owned();
            let character = lost.remove(at);
            prop_assert!(is_mistyped(&lost));
            let mut doubled = token.expose().to_owned();
            doubled.insert(at, character);
            prop_assert!(is_mistyped(&doubled));
            let mut swapped = lost;
            swapped.insert(at + 1, character);
            prop_assume!(swapped != token.expose());
            prop_assert!(is_mistyped(&swapped));
        }

        #[test]
        fn any_text_can_be_asked_about(text in "(svd_|svd_sbx_)?.{0,60}") {
            prop_assert_eq!(is_mistyped(&text), text.starts_with(PREFIX));
        }
    }
}
