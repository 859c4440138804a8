//! What is written down of a call. Never its payload, nor anything that could be presented again.

use std::fmt;
use std::str::FromStr;

use gstn::AspId;
use gstn::catalogue::Origin;
use gstn::envelope::StatusCd;
use jiff::Timestamp;
use uuid::Uuid;

use super::chain::Head;
use crate::plan::PlanKind;

/// The place of an entry in its ledger: 1 for the first, then without gaps.
pub type Seq = u64;

/// One call, settled.
///
/// Texts come from outside and are cut to the lengths that [`Writer::submit`](super::Writer::submit) states; whoever
/// makes an entry need not cut them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The request id, under which the ASP and the log know the call.
    pub id: Uuid,
    /// When its first byte had been read; kept to the microsecond.
    pub at: Timestamp,
    /// Whose call it is, if it was proven.
    pub aspid: Option<AspId>,
    /// Whose call it claimed to be, if that was not proven.
    pub claimed_aspid: Option<AspId>,
    /// The transaction id, as the ASP sent it.
    pub txn: Option<String>,
    /// The GSTIN of the header, as sent.
    pub gstin: Option<String>,
    /// The end user's address, as the ASP states it.
    pub ip_usr: Option<String>,
    /// The version of the ASP's application, as it states it.
    pub appver: Option<String>,
    /// The HTTP method; `None` where the request could not be read.
    pub method: Option<String>,
    /// Family and path, such as `taxpayerapi/returns/gstr1`.
    pub api: Option<String>,
    /// The action, such as `RETSAVE`.
    pub action: Option<String>,
    /// The version of the API, such as `v4.1`.
    pub version: Option<String>,
    /// The HTTP status given to the ASP; `None` if it was gone before there was one.
    pub status: Option<u16>,
    /// GSTN's `status_cd`.
    pub status_cd: Option<StatusCd>,
    /// The code of the error, GSTN's or ours.
    pub error_cd: Option<String>,
    /// Where the error lies.
    pub origin: Option<Origin>,
    /// How the call ended.
    pub outcome: Outcome,
    /// Bytes of the request's body that were taken.
    pub bytes_in: u64,
    /// Bytes of the answer's body that were given.
    pub bytes_out: u64,
    /// Microseconds at GSTN; `None` if the call did not get there.
    pub gstn_us: Option<u64>,
    /// Microseconds in all.
    pub total_us: u64,
    /// How the ASP pays for it; `None` if the call was not admitted.
    pub plan: Option<PlanKind>,
    /// The units charged.
    pub units: u64,
    /// Whether the call was let through to GSTN: these count for quotas.
    pub admitted: bool,
    /// What the call did to a taxpayer's session. Kept beside the entries, not in the chain.
    pub consent: Option<ConsentChange>,
}

/// An entry as the ledger holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its place.
    pub seq: Seq,
    /// What chains it to the one before.
    pub hash: [u8; 32],
    /// The call. Its `consent` is `None`: see [`LedgerReader::consents`](super::LedgerReader::consents).
    pub entry: Entry,
}

impl Recorded {
    /// The head that the ledger had when this was its last entry.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// GSTN's answer was given to the ASP, to its end.
    Answered,
    /// The answer began and could not be ended: GSTN or the network failed.
    BrokenOff,
    /// The ASP hung up before the end.
    Abandoned,
    /// Refused or failed, with an error of ours.
    Refused,
    /// The answer was not given, because the ledger could not be written.
    Unrecorded,
}

impl Outcome {
    /// Every outcome, in the order people list them.
    pub const ALL: [Self; 5] =
        [Self::Answered, Self::BrokenOff, Self::Abandoned, Self::Refused, Self::Unrecorded];

    /// `answered`, `broken-off`, `abandoned`, `refused` or `unrecorded`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::BrokenOff => "broken-off",
            Self::Abandoned => "abandoned",
            Self::Refused => "refused",
            Self::Unrecorded => "unrecorded",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text).ok_or(UnknownOutcome)
    }
}

/// The text names no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the outcome must be `answered`, `broken-off`, `abandoned`, `refused` or `unrecorded`")]
pub struct UnknownOutcome;

/// What a call did to the session of a taxpayer at GSTN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsentChange {
    /// GSTN gave a token for a taxpayer's OTP.
    Granted {
        /// The taxpayer.
        gstin: String,
        /// Its user at the portal.
        username: String,
        /// When the token lapses, if GSTN said so.
        lapses_at: Option<Timestamp>,
    },
    /// GSTN gave a new token for the old one.
    Refreshed {
        /// The taxpayer.
        gstin: String,
        /// Its user at the portal.
        username: String,
        /// When the token lapses, if GSTN said so.
        lapses_at: Option<Timestamp>,
    },
    /// The ASP ended the session.
    Ended {
        /// The taxpayer.
        gstin: String,
        /// Its user at the portal.
        username: String,
    },
}

/// The longest texts that are kept, in characters.
mod longest {
    pub(super) const TXN: usize = 64;
    pub(super) const GSTIN: usize = 32;
    pub(super) const IP_USR: usize = 64;
    pub(super) const APPVER: usize = 64;
    pub(super) const METHOD: usize = 32;
    pub(super) const API: usize = 128;
    pub(super) const ACTION: usize = 64;
    pub(super) const VERSION: usize = 32;
    pub(super) const ERROR_CD: usize = 64;
    pub(super) const USERNAME: usize = 128;
}

impl Entry {
    /// The entry with its texts cut to their lengths and its numbers to what a column holds, so that no entry can be
    /// refused for its contents.
    pub(super) fn fitted(mut self) -> Self {
        let at = Timestamp::from_microsecond(self.at.as_microsecond().max(0));
        self.at = at.unwrap_or(Timestamp::UNIX_EPOCH);
        for (text, longest) in [
            (&mut self.txn, longest::TXN),
            (&mut self.gstin, longest::GSTIN),
            (&mut self.ip_usr, longest::IP_USR),
            (&mut self.appver, longest::APPVER),
            (&mut self.method, longest::METHOD),
            (&mut self.api, longest::API),
            (&mut self.action, longest::ACTION),
            (&mut self.version, longest::VERSION),
            (&mut self.error_cd, longest::ERROR_CD),
        ] {
            if let Some(text) = text {
                cut(text, longest);
            }
        }
        for number in [&mut self.bytes_in, &mut self.bytes_out, &mut self.total_us, &mut self.units] {
            *number = (*number).min(LARGEST);
        }
        self.gstn_us = self.gstn_us.map(|us| us.min(LARGEST));
        if let Some(change) = &mut self.consent {
            let (ConsentChange::Granted { gstin, username, .. }
            | ConsentChange::Refreshed { gstin, username, .. }
            | ConsentChange::Ended { gstin, username }) = change;
            cut(gstin, longest::GSTIN);
            cut(username, longest::USERNAME);
        }
        self
    }

    /// The entry is of a call whose answer was held back, and will never be given.
    pub(super) fn become_unrecorded(&mut self) {
        self.outcome = Outcome::Unrecorded;
        self.status = Some(503);
        self.error_cd = Some("GSP644".to_owned());
        self.origin = Some(Origin::Gsp);
        self.units = 0;
    }
}

/// A terabyte, or twelve days: eight million such still have a sum that fits a column.
const LARGEST: u64 = 1 << 40;

fn cut(text: &mut String, longest: usize) {
    if text.len() > longest
        && let Some((end, _)) = text.char_indices().nth(longest)
    {
        text.truncate(end);
    }
}
