//! What every form has of an entry.

use std::fmt::Write as _;

use gstn::AspId;
use gstn::catalogue::Origin;
use gstn::envelope::StatusCd;
use jiff::Timestamp;
use suvidha_store::PlanKind;
use suvidha_store::ledger::{Outcome, Recorded};

use super::columns::{Cell, Column, Kind, Row};
use super::forms::{Shown, Tabled};
use crate::india::in_india;

macro_rules! columns {
    ($($name:literal $kind:ident $always:literal $cell:expr;)+) => {
        &[$(Column { name: $name, kind: Kind::$kind, always: $always, cell: $cell }),+]
    };
}

impl Row for Recorded {
    const COLUMNS: &'static [Column<Self>] = columns! {
        "seq" Number true |row| Cell::number(row.seq);
        "request_id" Text true |row| Cell::made(row.entry.id.to_string());
        "at" Time true |row| Cell::Time(row.entry.at);
        "aspid" Text false |row| Cell::text(row.entry.aspid.as_ref().map(AspId::as_str));
        "claimed_aspid" Text false |row| Cell::text(row.entry.claimed_aspid.as_ref().map(AspId::as_str));
        "txn" Text false |row| Cell::text(row.entry.txn.as_deref());
        "gstin" Text false |row| Cell::text(row.entry.gstin.as_deref());
        "ip_usr" Text false |row| Cell::text(row.entry.ip_usr.as_deref());
        "appver" Text false |row| Cell::text(row.entry.appver.as_deref());
        "method" Text false |row| Cell::text(row.entry.method.as_deref());
        "api" Text false |row| Cell::text(row.entry.api.as_deref());
        "action" Text false |row| Cell::text(row.entry.action.as_deref());
        "version" Text false |row| Cell::text(row.entry.version.as_deref());
        "status" Number false |row| Cell::optional(row.entry.status);
        "status_cd" Text false |row| Cell::text(row.entry.status_cd.map(StatusCd::as_str));
        "error_cd" Text false |row| Cell::text(row.entry.error_cd.as_deref());
        "origin" Text false |row| Cell::text(row.entry.origin.map(Origin::as_str));
        "outcome" Text true |row| Cell::word(Outcome::as_str(row.entry.outcome));
        "bytes_in" Number true |row| Cell::number(row.entry.bytes_in);
        "bytes_out" Number true |row| Cell::number(row.entry.bytes_out);
        "gstn_us" Number false |row| Cell::optional(row.entry.gstn_us);
        "total_us" Number true |row| Cell::number(row.entry.total_us);
        "plan" Text false |row| Cell::text(row.entry.plan.map(PlanKind::as_str));
        "units" Number true |row| Cell::number(row.entry.units);
        "admitted" Flag true |row| Cell::Flag(row.entry.admitted);
        "hash" Text true |row| Cell::made(hex(&row.hash));
    };
}

impl Tabled for Recorded {
    const SHOWN: &'static [Shown<Self>] = &[
        Shown { heading: "SEQ", least: 7, right: true, cell: |row| row.seq.to_string() },
        Shown { heading: "AT", least: 29, right: false, cell: |row| ist(row.entry.at) },
        Shown { heading: "ASP", least: 11, right: false, cell: asp },
        Shown { heading: "GSTIN", least: 15, right: false, cell: |row| or_none(row.entry.gstin.as_deref()) },
        Shown { heading: "API", least: 36, right: false, cell: api },
        Shown { heading: "HTTP", least: 0, right: true, cell: |row| or_none(row.entry.status) },
        Shown { heading: "OUTCOME", least: 10, right: false, cell: |row| row.entry.outcome.to_string() },
        Shown { heading: "ERROR", least: 14, right: false, cell: error },
        Shown {
            heading: "GSTN ms",
            least: 8,
            right: true,
            cell: |row| or_none(row.entry.gstn_us.map(milliseconds)),
        },
        Shown { heading: "ALL ms", least: 8, right: true, cell: |row| milliseconds(row.entry.total_us) },
        Shown { heading: "UNITS", least: 0, right: true, cell: |row| row.entry.units.to_string() },
        Shown { heading: "TXN", least: 12, right: false, cell: |row| or_none(row.entry.txn.as_deref()) },
        Shown { heading: "REQUEST ID", least: 0, right: false, cell: |row| row.entry.id.to_string() },
    ];
}

/// An instant as people read it: in India, with its distance from UTC, to the millisecond.
pub(crate) fn ist(at: Timestamp) -> String {
    format!("{}+05:30", in_india(at).strftime("%Y-%m-%dT%H:%M:%S%.3f"))
}

/// In hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An ASP that was named and not proven is told by a question mark.
fn asp(row: &Recorded) -> String {
    match (&row.entry.aspid, &row.entry.claimed_aspid) {
        (Some(aspid), _) => aspid.as_str().to_owned(),
        (None, Some(claimed)) => format!("{}?", claimed.as_str()),
        (None, None) => "-".to_owned(),
    }
}

fn api(row: &Recorded) -> String {
    let words =
        [&row.entry.method, &row.entry.api, &row.entry.action].map(|word| word.as_deref().unwrap_or(""));
    or_none(Some(words.join(" ").trim().replace("  ", " ")).filter(|words| !words.is_empty()))
}

fn error(row: &Recorded) -> String {
    match (row.entry.origin, &row.entry.error_cd) {
        (Some(origin), Some(code)) => format!("{origin} {code}"),
        (Some(origin), None) => origin.to_string(),
        (None, code) => or_none(code.as_deref()),
    }
}

fn milliseconds(us: u64) -> String {
    format!("{}.{:02}", us / 1000, us % 1000 / 10)
}

fn or_none(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
