//! Bills of entry in IMS, from October 2025 on: they may be accepted or kept pending, not rejected (advisory of
//! 30.10.25).

use gstn::ReturnPeriod;
use serde_json::{Map, Value, json};

use super::actions::{self, History};
use crate::inward::cut_off;
use crate::inward::recipient::{Place, Recipient};
use crate::inward::seeds::{self, Seed};

/// The names under which actions on bills of entry are kept.
pub(super) const OFFICE: &str = "ICEGATE";
pub(super) const BILL: &str = "BE";

/// A bill of entry that stands in IMS.
pub(crate) struct Import {
    pub(crate) seed: Seed,
    pub(crate) history: History,
    /// The statement to which it belongs now.
    pub(crate) statement: ReturnPeriod,
}

impl Import {
    /// `impg`, `impga`, `impgsez` or `impgseza`.
    pub(crate) fn section(&self) -> &'static str {
        match (self.seed.section.as_str(), self.seed.is_amended()) {
            ("impg", false) => "impg",
            ("impg", true) => "impga",
            (_, false) => "impgsez",
            (_, true) => "impgseza",
        }
    }

    /// A row of GETINV.
    pub(crate) fn row(&self) -> Value {
        let seed = &self.seed;
        json!({
            "rgstinrefId": seed.id.to_string(), "ispendactblocked": "N", "irefdt": seed.text("refdt"),
            "itcprd": self.statement.to_string(), "portcd": seed.text("portcode"), "boenum": seed.text("boenum"),
            "boedt": seed.text("boedt"), "action": self.history.action().as_str(),
            "txval": seed.amount("txval").to_json(), "igst": seed.amount("igst").to_json(),
            "cess": seed.amount("cess").to_json(), "srtinprd": seed.period.to_string(), "hash": seed.chksum(),
        })
    }

    /// Whether the row of a save means this bill.
    pub(crate) fn is_meant_by(&self, section: &str, row: &Map<String, Value>) -> bool {
        let same =
            |name: &str, field: &str| row.get(name).and_then(Value::as_str) == Some(self.seed.text(field));
        self.section() == section
            && same("portcd", "portcode")
            && same("boenum", "boenum")
            && same("boedt", "boedt")
    }
}

/// What was done to a bill of entry.
pub(crate) fn history(recipient: &Recipient<'_>, seed: &Seed) -> rusqlite::Result<History> {
    let histories = actions::of_return(recipient.conn, &recipient.gstin, OFFICE, BILL, seed.period)?;
    Ok(histories.at(&seed.section, "", &seed.id.to_string(), &seed.chksum()))
}

/// The bills of entry that stand in IMS now.
pub(crate) fn standing(recipient: &Recipient<'_>) -> rusqlite::Result<Vec<Import>> {
    let mut found = Vec::new();
    for seed in seeds::imports(recipient.conn, &recipient.gstin)? {
        if !recipient.moment.rules.notes_may_be_pending(seed.period) {
            continue;
        }
        let month =
            cut_off::month_of_arrival(recipient.conn, recipient.gstin.state(), seed.day, seed.period)?;
        let history = history(recipient, &seed)?;
        let place = recipient.place_of(recipient.statement_month(month)?, &history, |_| true)?;
        if let Place::Open(statement) = place {
            found.push(Import { seed, history, statement });
        }
    }
    Ok(found)
}
