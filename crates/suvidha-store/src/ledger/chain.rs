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
}

fn encode(bytes: &mut Vec<u8>, value: ValueRef<'_>) {
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
