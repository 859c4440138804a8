//! The chain: how an entry becomes bytes, and how its hash takes in the one before.
//!
//! The encoding is told byte for byte in the documentation of [`ledger`](super).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use gstn::{AspId, Environment};
use rusqlite::types::ValueRef;

use super::entry::{Entry, Outcome, Seq};
use crate::plan::PlanKind;

/// The hash of an entry, or of the beginning.
pub(super) type Hash = [u8; 32];

/// Where a ledger ends: its last entry, and the hash that vouches for all before it.
///
/// As text `seq:hash`, the hash in 64 hexadecimal digits. Whoever keeps one elsewhere can prove later that nothing up
/// to it was changed or cut off.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    /// The last entry; 0 if there was none yet.
    pub seq: Seq,
    /// Its hash; of an empty ledger, the hash of its beginning.
    pub hash: [u8; 32],
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.seq)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({self})")
    }
}

impl FromStr for Head {
    type Err = MalformedHead;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (seq, hex) = text.split_once(':').ok_or(MalformedHead)?;
        if seq.is_empty() || !seq.bytes().all(|b| b.is_ascii_digit()) || hex.len() != 64 {
            return Err(MalformedHead);
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| !pair.starts_with('+'));
            *byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or(MalformedHead)?;
        }
        Ok(Self { seq: seq.parse().map_err(|_| MalformedHead)?, hash })
    }
}

/// The text is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a head is a number, a colon and 64 hexadecimal digits, as `suvidha ledger verify` prints it")]
pub struct MalformedHead;

/// The hash before the first entry.
pub(super) fn genesis(environment: Environment, ledger: &[u8; 16]) -> Hash {
    let mut bytes = b"suvidha/ledger/v1\0".to_vec();
    bytes.extend_from_slice(environment.as_str().as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(ledger);
    sha256(&bytes)
}

fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// The columns that the chain covers, in their order. [`columns`] and the statements are written after it.
pub(super) const COLUMNS: [&str; 25] = [
    "seq",
    "id",
    "at",
    "aspid",
    "claimed_aspid",
    "txn",
    "gstin",
    "ip_usr",
    "appver",
    "method",
    "api",
    "action",
    "version",
    "status",
    "status_cd",
    "error_cd",
    "origin",
    "outcome",
    "bytes_in",
    "bytes_out",
    "gstn_us",
    "total_us",
    "plan",
    "units",
    "admitted",
];

/// What stands in each of [`COLUMNS`] for `entry` at `seq`.
pub(super) fn columns(seq: Seq, entry: &Entry) -> [ValueRef<'_>; COLUMNS.len()] {
    let number = |number: u64| ValueRef::Integer(number.cast_signed());
    let words = |text: &'static str| ValueRef::Text(text.as_bytes());
    let optional = |value: Option<_>| value.unwrap_or(ValueRef::Null);
    [
        number(seq),
        ValueRef::Blob(entry.id.as_bytes()),
        ValueRef::Integer(entry.at.as_microsecond()),
        asp_or_null(&entry.aspid),
        asp_or_null(&entry.claimed_aspid),
        text_or_null(&entry.txn),
        text_or_null(&entry.gstin),
        text_or_null(&entry.ip_usr),
        text_or_null(&entry.appver),
        text_or_null(&entry.method),
        text_or_null(&entry.api),
        text_or_null(&entry.action),
        text_or_null(&entry.version),
        optional(entry.status.map(|status| ValueRef::Integer(status.into()))),
        optional(entry.status_cd.map(|status_cd| words(status_cd.as_str()))),
        text_or_null(&entry.error_cd),
        optional(entry.origin.map(|origin| words(origin.as_str()))),
        words(Outcome::as_str(entry.outcome)),
        number(entry.bytes_in),
        number(entry.bytes_out),
        optional(entry.gstn_us.map(number)),
        number(entry.total_us),
        optional(entry.plan.map(|plan| words(PlanKind::as_str(plan)))),
        number(entry.units),
        ValueRef::Integer(entry.admitted.into()),
    ]
}

fn text_or_null(text: &Option<String>) -> ValueRef<'_> {
    text.as_ref().map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
}

fn asp_or_null(asp: &Option<AspId>) -> ValueRef<'_> {
    asp.as_ref().map_or(ValueRef::Null, |asp| ValueRef::Text(asp.as_str().as_bytes()))
}

/// Makes hashes, in one piece of memory.
#[derive(Default)]
pub(super) struct Chain {
    bytes: Vec<u8>,
}

impl Chain {
    /// The hash of an entry with these values in [`COLUMNS`], after one whose hash is `previous`.
    pub(super) fn link<'a>(
        &mut self,
        previous: &Hash,
        columns: impl IntoIterator<Item = ValueRef<'a>>,
    ) -> Hash {
        self.bytes.clear();
        self.bytes.extend_from_slice(previous);
        for value in columns {
            encode(&mut self.bytes, value);
        }
        sha256(&self.bytes)
    }

    /// Whether an entry with these columns, encoded, would have this hash at `seq` behind `previous`.
    pub(super) fn fits(&mut self, previous: &Hash, seq: Seq, columns: &[u8], hash: &Hash) -> bool {
        self.bytes.clear();
        self.bytes.extend_from_slice(previous);
        encode(&mut self.bytes, ValueRef::Integer(seq.cast_signed()));
        // The number is the first column, and always as long.
        let behind_seq = self.bytes.len() - previous.len();
        self.bytes.extend_from_slice(columns.get(behind_seq..).unwrap_or_default());
        sha256(&self.bytes) == *hash
    }
}

/// Appends the encoding of one column.
pub(super) fn encode(bytes: &mut Vec<u8>, value: ValueRef<'_>) {
    let mut tagged = |tag: u8, length: Option<usize>, content: &[u8]| {
        bytes.push(tag);
        if let Some(length) = length {
            // SQLite holds no value of 4 GiB.
            bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
        bytes.extend_from_slice(content);
    };
    match value {
        ValueRef::Null => tagged(0, None, &[]),
        ValueRef::Integer(number) => tagged(1, None, &number.to_be_bytes()),
        ValueRef::Text(text) => tagged(2, Some(text.len()), text),
        ValueRef::Blob(blob) => tagged(3, Some(blob.len()), blob),
        ValueRef::Real(number) => tagged(4, None, &number.to_bits().to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GENESIS: Hash = [7; 32];

    fn encoding(columns: &[Column]) -> Vec<u8> {
        let mut bytes = Vec::new();
        columns.iter().for_each(|column| encode(&mut bytes, column.as_ref()));
        bytes
    }

    #[derive(Debug, Clone, PartialEq)]
    enum Column {
        Null,
        Integer(i64),
        Text(String),
        Blob(Vec<u8>),
    }

    impl Column {
        fn as_ref(&self) -> ValueRef<'_> {
            match self {
                Self::Null => ValueRef::Null,
                Self::Integer(number) => ValueRef::Integer(*number),
                Self::Text(text) => ValueRef::Text(text.as_bytes()),
                Self::Blob(blob) => ValueRef::Blob(blob),
            }
        }

        fn any() -> impl Strategy<Value = Self> {
            prop_oneof![
                Just(Self::Null),
                any::<i64>().prop_map(Self::Integer),
                "[a\u{0}\u{1}\u{2}é]{0,9}".prop_map(Self::Text),
                proptest::collection::vec(0_u8..4, 0..9).prop_map(Self::Blob),
            ]
        }
    }

    /// What an auditor would write: reads back what was encoded.
    fn decoded(mut bytes: &[u8]) -> Vec<Column> {
        let mut columns = Vec::new();
        while let Some((tag, rest)) = bytes.split_first() {
            let (length, rest) = match tag {
                0 => (0, rest),
                1 => (8, rest),
                _ => (u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize, &rest[4..]),
            };
            let (content, rest) = rest.split_at(length);
            columns.push(match tag {
                0 => Column::Null,
                1 => Column::Integer(i64::from_be_bytes(content.try_into().unwrap())),
                2 => Column::Text(String::from_utf8(content.to_vec()).unwrap()),
                3 => Column::Blob(content.to_vec()),
                other => panic!("tag {other}"),
            });
            bytes = rest;
        }
        columns
    }

    /// Made by Python: hashlib and struct, after the documentation of the module.
    #[test]
    fn another_implementation_computes_the_same() {
        let beginning = genesis(Environment::Sandbox, &[0x11; 16]);
        let head = Head { seq: 0, hash: beginning };
        assert_eq!(head.to_string(), "0:4744f12eb72db4422ecfc6d44eb262b57d3af230d2168f05cf3f93d350f26d84");
        let columns = [
            ValueRef::Integer(1),
            ValueRef::Blob(&[0xab; 16]),
            ValueRef::Integer(-2),
            ValueRef::Null,
            ValueRef::Text("é".as_bytes()),
        ];
        let hash = Chain::default().link(&beginning, columns);
        assert_eq!(
            Head { seq: 1, hash }.to_string(),
            "1:db0a985969153850c06fa5f67d731efb7bfdbb81ffc150cb41e0a299a66a8605"
        );
    }

    #[test]
    fn a_head_reads_back_and_nothing_else_does() {
        let head = Head { seq: 42, hash: [0xa5; 32] };
        assert_eq!(head.to_string().parse(), Ok(head));
        let hex = "a5".repeat(32);
        for text in [
            "",
            "42",
            &hex,
            &format!(":{hex}"),
            &format!("-1:{hex}"),
            &format!("+1:{hex}"),
            &format!("42:{hex}0"),
            &format!("42:{}+1", &hex[2..]),
            &format!("42:{}é", &hex[2..]),
            &format!("99999999999999999999:{hex}"),
        ] {
            assert_eq!(text.parse::<Head>(), Err(MalformedHead), "{text:?}");
        }
    }

    #[test]
    fn each_environment_and_ledger_begins_with_a_hash_of_its_own() {
        let (one, other) = ([1; 16], [2; 16]);
        assert_ne!(genesis(Environment::Sandbox, &one), genesis(Environment::Production, &one));
        assert_ne!(genesis(Environment::Sandbox, &one), genesis(Environment::Sandbox, &other));
    }

    proptest! {
        #[test]
        fn what_is_encoded_can_be_read_back(columns in proptest::collection::vec(Column::any(), 0..30)) {
            prop_assert_eq!(decoded(&encoding(&columns)), columns);
        }

        #[test]
        fn an_entry_fits_its_own_place_alone(
            columns in proptest::collection::vec(Column::any(), 24),
            seq in 1_u64..1000,
            other in 1_u64..1000,
        ) {
            let all = || std::iter::once(ValueRef::Integer(seq.cast_signed())).chain(columns.iter().map(Column::as_ref));
            let mut bytes = Vec::new();
            all().for_each(|value| encode(&mut bytes, value));
            let mut chain = Chain::default();
            let hash = chain.link(&GENESIS, all());
            prop_assert!(chain.fits(&GENESIS, seq, &bytes, &hash));
            prop_assert_eq!(chain.fits(&GENESIS, other, &bytes, &hash), other == seq);
            prop_assert!(!chain.fits(&[8; 32], seq, &bytes, &hash));
        }
    }
}
