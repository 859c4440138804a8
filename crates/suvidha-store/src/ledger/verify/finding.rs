//! What is wrong with a ledger, in words for whoever must explain it.

use std::fmt;

use jiff::civil::Date;
use uuid::Uuid;

use crate::ledger::chain::Head;
use crate::ledger::entry::Seq;

/// Something that a ledger nobody touched does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The contents of an entry do not fit its hash. (Or the entry before it was replaced, hash and all.)
    Changed {
        /// Its place.
        seq: Seq,
        /// The request id that it shows.
        id: Uuid,
    },
    /// Entries are not there.
    Removed {
        /// The first missing place.
        first: Seq,
        /// The last.
        last: Seq,
    },
    /// An entry stands where the chain has none.
    Inserted {
        /// Its place.
        seq: Seq,
        /// The request id that it shows.
        id: Uuid,
    },
    /// An entry is whole, but belongs to another place.
    Moved {
        /// Its place.
        seq: Seq,
        /// Its request id.
        id: Uuid,
        /// Where it belongs.
        from: Seq,
    },
    /// Entries are whole and in order, but each belongs so many places further on, or back.
    Renumbered {
        /// The first of them.
        first: Seq,
        /// The last.
        last: Seq,
        /// What was added to their numbers.
        by: i64,
    },
    /// The chain does not begin with the hash that environment and ledger id make.
    Genesis,
    /// The row that says where the ledger ends does not fit its last entry.
    Head {
        /// What the row says.
        says: Head,
        /// The last entry.
        found: Head,
    },
    /// A head that was noted earlier is not in the ledger: entries were cut off its end, or written anew.
    KnownHead {
        /// What was noted.
        known: Head,
        /// The entry at that place, if there is one.
        found: Option<Head>,
    },
    /// A sum kept beside the entries is not what they come to.
    Sum {
        /// Which sum.
        what: Sum,
        /// What the entries come to.
        entries: String,
        /// What is kept.
        kept: String,
    },
    /// The file cannot be read here; what comes after was not looked at.
    Unreadable {
        /// The last place that was read.
        after: Seq,
        /// What SQLite said.
        what: String,
    },
}

/// A sum kept beside the entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sum {
    /// What the entries of a day, ASP and API come to.
    Usage {
        /// The IST day.
        day: Date,
        /// The ASP; empty for strangers.
        aspid: String,
        /// The API; empty for none.
        api: String,
    },
    /// What is kept of a day that no entry is of.
    Day {
        /// What stands there for an IST day; a date, if it was not made up.
        day: String,
    },
    /// What an ASP was charged on a prepaid plan.
    Account {
        /// The ASP.
        aspid: String,
    },
    /// Where the entries of an ASP stand in a stretch of the ledger.
    Places {
        /// The ASP.
        aspid: String,
        /// The first place of the stretch.
        first: Seq,
        /// The last one.
        last: Seq,
    },
    /// Between which places the entries of a quarter of an hour stand.
    Quarter {
        /// Its first instant, UTC.
        begins: jiff::Timestamp,
    },
}

impl Finding {
    /// One word for programs: `changed`, `removed`, `inserted`, `moved`, `renumbered`, `genesis`, `head`, `known-head`,
    /// `sum` or `unreadable`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Changed { .. } => "changed",
            Self::Removed { .. } => "removed",
            Self::Inserted { .. } => "inserted",
            Self::Moved { .. } => "moved",
            Self::Renumbered { .. } => "renumbered",
            Self::Genesis => "genesis",
            Self::Head { .. } => "head",
            Self::KnownHead { .. } => "known-head",
            Self::Sum { .. } => "sum",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// The first place it is about.
    pub const fn seq(&self) -> Option<Seq> {
        match self {
            Self::Changed { seq, .. } | Self::Inserted { seq, .. } | Self::Moved { seq, .. } => Some(*seq),
            Self::Removed { first, .. } | Self::Renumbered { first, .. } => Some(*first),
            Self::Head { found, .. } => Some(found.seq),
            Self::KnownHead { known, .. } => Some(known.seq),
            Self::Unreadable { after, .. } => Some(*after),
            Self::Genesis | Self::Sum { .. } => None,
        }
    }

    /// The request id of the entry it is about.
    pub const fn id(&self) -> Option<Uuid> {
        match self {
            Self::Changed { id, .. } | Self::Inserted { id, .. } | Self::Moved { id, .. } => Some(*id),
            _ => None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { seq, id } => write!(
                f,
                "entry {seq} ({id}) was changed: its contents do not fit its hash (or the entry before it was replaced)"
            ),
            Self::Removed { first, last } if first == last => write!(f, "entry {first} was removed"),
            Self::Removed { first, last } => write!(f, "entries {first} to {last} were removed"),
            Self::Inserted { seq, id } => {
                write!(f, "entry {seq} ({id}) was inserted: the chain has no place for it")
            }
            Self::Moved { seq, id, from } => {
                write!(f, "entry {seq} ({id}) was moved: it is the entry that was written as {from}")
            }
            Self::Renumbered { first, last, by } => {
                write!(f, "entries {first} to {last} were renumbered: each number was changed by {by:+}")
            }
            Self::Genesis => write!(
                f,
                "the chain does not begin with the hash of this environment and ledger id: one of the two was changed, \
                 or the anchor was"
            ),
            Self::Head { says, found } => {
                write!(f, "the ledger ends with {found}, and says it ends with {says}")
            }
            Self::KnownHead { known, found: None } => {
                write!(f, "entry {} of the head noted earlier is not there: the end was cut off", known.seq)
            }
            Self::KnownHead { known, found: Some(found) } => write!(
                f,
                "entry {} has another hash than was noted earlier ({found} instead of {known}): the chain was written anew",
                known.seq
            ),
            Self::Sum { what, entries, kept } => {
                match what {
                    Sum::Usage { day, aspid, api } => {
                        write!(f, "the usage of {day}, ASP {aspid:?}, API {api:?}")?
                    }
                    Sum::Day { day } => write!(f, "what is kept of the day {day:?}")?,
                    Sum::Account { aspid } => write!(f, "the units charged to ASP {}", aspid.escape_debug())?,
                    Sum::Places { aspid, first, last } => {
                        write!(f, "where the entries of ASP {aspid} stand from {first} to {last}")?
                    }
                    Sum::Quarter { begins } => {
                        write!(f, "the place of the quarter of an hour from {begins}")?
                    }
                }
                write!(f, " does not fit the entries: they come to {entries}, kept is {kept}")
            }
            Self::Unreadable { after, what } => write!(
                f,
                "the file cannot be read behind entry {after} ({what}); nothing after that was verified"
            ),
        }
    }
}
