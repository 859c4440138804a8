//! Secrets made of letters and digits, which survive mail, forms and keyboards.

use suvidha_seam::Seam;
use zeroize::{Zeroize, Zeroizing};

use gstn::SecretString;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The largest multiple of 62 that a byte reaches; what is not below it would favour the first letters.
const FAIR: u8 = 248;

/// `length` characters of `A-Za-z0-9`, each equally likely: 5.95 bits each.
pub(super) fn random_letters(length: usize, seam: &Seam) -> SecretString {
    // Once, so that no copy of a shorter buffer is left behind.
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes: Zeroizing<[u8; 32]> = Zeroizing::new(seam.random());
        let fair = bytes.iter().filter(|byte| **byte < FAIR).take(length - text.len());
        text.extend(fair.map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
        bytes.zeroize();
    }
    SecretString::new(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use suvidha_seam::SeededRng;

    use super::*;

    #[test]
    fn every_letter_is_as_likely_as_every_other() {
        let seam = Seam { rng: Arc::new(SeededRng::new(1)), ..Seam::system() };
        let text = random_letters(62_000, &seam);
        let mut counts = BTreeMap::<char, u32>::new();
        text.expose().chars().for_each(|letter| *counts.entry(letter).or_default() += 1);
        assert_eq!((text.expose().len(), counts.len()), (62_000, 62));
        // 1000 of each are expected, give or take 31; bytes taken modulo 62 would give some of them 1210.
        assert!(counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}
