//! What recipients did: every action with its time, never changed afterwards.

use std::collections::BTreeMap;

use gstn::{Gstin, ReturnPeriod};
use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};
use serde_json::{Map, Value};

use crate::amounts::Amount;
use crate::forms::Form;
use crate::gstr1::outward::{Document, DocumentId, Taxes};
use crate::inward::returns::{form_at, period_at, unreadable};
use crate::taxpayers::read_gstin;

/// What a recipient did to a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Action {
    /// `N`: nothing. It counts as accepted.
    #[default]
    None,
    /// `A`
    Accepted,
    /// `R`
    Rejected,
    /// `P`
    Pending,
}

impl Action {
    const ALL: [Self; 4] = [Self::None, Self::Accepted, Self::Rejected, Self::Pending];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "N",
            Self::Accepted => "A",
            Self::Rejected => "R",
            Self::Pending => "P",
        }
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

/// How much credit an accepted credit note takes away, where the recipient declared it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    /// `itcRedReq` `N`: none, because no credit was taken.
    Nothing,
    /// `itcRedReq` `Y` without amounts: all.
    Full,
    /// `itcRedReq` `Y` with amounts.
    Part(Taxes),
}

impl Reduction {
    /// Reads the fields of an action, or what [`Reduction::write`] wrote. None when nothing is declared.
    pub(crate) fn read(fields: &Map<String, Value>) -> Option<Self> {
        match fields.get("itcRedReq").and_then(Value::as_str) {
            Some("N") => Some(Self::Nothing),
            Some("Y") if DECLARED.iter().any(|name| fields.contains_key(*name)) => {
                let [igst, cgst, sgst, cess] = DECLARED.map(|name| Amount::of(fields, name));
                Some(Self::Part(Taxes { taxable: Amount::ZERO, igst, cgst, sgst, cess }))
            }
            Some("Y") => Some(Self::Full),
            _ => None,
        }
    }

    /// `itcRedReq` and the declared amounts, into `fields`.
    pub(crate) fn write(self, fields: &mut Map<String, Value>) {
        let required = if self == Self::Nothing { "N" } else { "Y" };
        fields.insert("itcRedReq".into(), required.into());
        if let Self::Part(taxes) = self {
            let amounts = [taxes.igst, taxes.cgst, taxes.sgst, taxes.cess];
            for (name, amount) in DECLARED.iter().zip(amounts) {
                fields.insert((*name).into(), amount.to_json());
            }
        }
    }
}

/// The declared amounts by head: IGST, CGST, SGST, cess.
pub(crate) const DECLARED: [&str; 4] = ["declIgst", "declCgst", "declSgst", "declCess"];

/// One action.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) action: Action,
    pub(crate) remarks: Option<String>,
    pub(crate) reduction: Option<Reduction>,
    /// Its number: actions are counted in order.
    pub(crate) seq: i64,
    chksum: String,
}

/// What was done to one document, in the form in which it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct History(Vec<Entry>);

impl History {
    /// The action that holds after number `seq`.
    pub(crate) fn entry_upto(&self, seq: i64) -> Option<&Entry> {
        self.0.iter().rev().find(|entry| entry.seq <= seq)
    }

    pub(crate) fn action_upto(&self, seq: i64) -> Action {
        self.entry_upto(seq).map(|entry| entry.action).unwrap_or_default()
    }

    pub(crate) fn last(&self) -> Option<&Entry> {
        self.0.last()
    }

    pub(crate) fn action(&self) -> Action {
        self.last().map(|entry| entry.action).unwrap_or_default()
    }
}

/// The actions of one recipient on the documents of one return.
#[derive(Debug, Default)]
pub(crate) struct Histories(BTreeMap<(String, String, String), Vec<Entry>>);

impl Histories {
    /// Actions on an earlier form of the document do not count: a supplier who changes a row takes them away.
    pub(crate) fn of(&self, document: &Document) -> History {
        let id = &document.id;
        self.at(&id.section, &id.part, &id.key, &document.chksum)
    }

    pub(crate) fn at(&self, section: &str, part: &str, key: &str, chksum: &str) -> History {
        let name = (section.to_owned(), part.to_owned(), key.to_owned());
        let entries = self.0.get(&name).into_iter().flatten();
        History(entries.filter(|entry| entry.chksum == chksum).cloned().collect())
    }
}

/// Everything `recipient` did to the documents of one return.
pub(crate) fn of_return(
    conn: &Connection,
    recipient: &Gstin,
    supplier: &str,
    form: &str,
    period: ReturnPeriod,
) -> rusqlite::Result<Histories> {
    let mut statement = conn.prepare_cached(
        "SELECT section, part, key, chksum, action, remarks, declared, seq FROM ims_actions
         WHERE gstin = ?1 AND supplier = ?2 AND form = ?3 AND period = ?4 ORDER BY seq",
    )?;
    let mut rows = statement.query(params![recipient.as_str(), supplier, form, period.to_string()])?;
    let mut histories = Histories::default();
    while let Some(row) = rows.next()? {
        let name = (row.get(0)?, row.get(1)?, row.get(2)?);
        histories.0.entry(name).or_default().push(read_entry(row)?);
    }
    Ok(histories)
}

/// What `recipient` did to one document.
pub(crate) fn of_document(
    conn: &Connection,
    recipient: &Gstin,
    document: &Document,
) -> rusqlite::Result<History> {
    let id = &document.id;
    Ok(of_return(conn, recipient, id.supplier.as_str(), id.form.as_str(), id.period)?.of(document))
}

fn read_entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let action: String = row.get(4)?;
    let declared: Option<String> = row.get(6)?;
    let declared = declared.and_then(|text| serde_json::from_str::<Map<String, Value>>(&text).ok());
    Ok(Entry {
        chksum: row.get(3)?,
        action: Action::read(&action).ok_or_else(|| unreadable(4, &action))?,
        remarks: row.get(5)?,
        reduction: declared.as_ref().and_then(Reduction::read),
        seq: row.get(7)?,
    })
}

/// An action to be kept.
pub(crate) struct NewEntry<'a> {
    pub(crate) supplier: &'a str,
    pub(crate) form: &'a str,
    pub(crate) period: ReturnPeriod,
    pub(crate) section: &'a str,
    pub(crate) part: &'a str,
    pub(crate) key: &'a str,
    pub(crate) chksum: &'a str,
    pub(crate) action: Action,
    pub(crate) remarks: Option<&'a str>,
    pub(crate) reduction: Option<Reduction>,
    pub(crate) at: Timestamp,
}

pub(crate) fn add(tx: &Transaction<'_>, recipient: &Gstin, entry: &NewEntry<'_>) -> rusqlite::Result<()> {
    let declared = entry.reduction.map(|reduction| {
        let mut fields = Map::new();
        reduction.write(&mut fields);
        Value::Object(fields).to_string()
    });
    tx.prepare_cached(
        "INSERT INTO ims_actions
             (gstin, supplier, form, period, section, part, key, chksum, action, remarks, declared, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        recipient.as_str(),
        entry.supplier,
        entry.form,
        entry.period.to_string(),
        entry.section,
        entry.part,
        entry.key,
        entry.chksum,
        entry.action.as_str(),
        entry.remarks,
        declared,
        entry.at.as_millisecond(),
    ])
    .map(drop)
}

/// Whether anything was done to bills of entry after number `seq`.
pub(crate) fn acted_on_imports(conn: &Connection, recipient: &Gstin, seq: i64) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM ims_actions WHERE gstin = ?1 AND seq > ?2 AND form = 'BE' LIMIT 1")?
        .exists(params![recipient.as_str(), seq])
}

/// The documents of suppliers to which something was done after number `seq`.
pub(crate) fn documents_since(
    conn: &Connection,
    recipient: &Gstin,
    seq: i64,
) -> rusqlite::Result<Vec<DocumentId>> {
    let mut statement = conn.prepare_cached(
        "SELECT DISTINCT supplier, form, period, section, part, key FROM ims_actions
         WHERE gstin = ?1 AND seq > ?2 AND form <> 'BE'",
    )?;
    statement.query_map(params![recipient.as_str(), seq], |row| read_id(row, 1))?.collect()
}

/// The documents that `recipient` ever kept pending.
pub(crate) fn ever_pending(conn: &Connection, recipient: &Gstin) -> rusqlite::Result<Vec<DocumentId>> {
    ids(conn, "WHERE gstin = ?1 AND action = 'P' AND form <> 'BE'", recipient)
        .map(|ids| ids.into_iter().map(|(_, id)| id).collect())
}

/// The documents of `supplier` that a recipient ever rejected, and who.
pub(crate) fn ever_rejected(
    conn: &Connection,
    supplier: &Gstin,
) -> rusqlite::Result<Vec<(Gstin, DocumentId)>> {
    ids(conn, "WHERE supplier = ?1 AND action = 'R' AND form <> 'BE'", supplier)
}

fn ids(conn: &Connection, condition: &str, gstin: &Gstin) -> rusqlite::Result<Vec<(Gstin, DocumentId)>> {
    let sql = format!(
        "SELECT DISTINCT gstin, supplier, form, period, section, part, key FROM ims_actions {condition}"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let found = statement.query_map([gstin.as_str()], |row| {
        let id = read_id(row, 2)?;
        Ok((read_gstin(row, "gstin")?, id))
    })?;
    let mut found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    found.sort_unstable();
    Ok(found)
}

/// The name of a document: its supplier, and from column `first` on the rest.
fn read_id(row: &Row<'_>, first: usize) -> rusqlite::Result<DocumentId> {
    Ok(DocumentId {
        supplier: read_gstin(row, "supplier")?,
        form: form_at(row, first)?,
        period: period_at(row, first + 1)?,
        section: row.get(first + 2)?,
        part: row.get(first + 3)?,
        key: row.get(first + 4)?,
    })
}

/// The number of the last action before `at`; 0 when there is none.
pub(crate) fn last_before(conn: &Connection, recipient: &Gstin, at: Timestamp) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT max(seq) FROM ims_actions WHERE gstin = ?1 AND at < ?2")?
        .query_row(params![recipient.as_str(), at.as_millisecond()], |row| row.get::<_, Option<i64>>(0))
        .map(Option::unwrap_or_default)
}

/// `srcform`: the form in which the supplier reports a document.
pub(crate) const fn source_form(form: Form, is_iff: bool) -> &'static str {
    match (form, is_iff) {
        (Form::Gstr1a, _) => "R1A",
        (_, true) => "IFF",
        _ => "R1",
    }
}

#[cfg(test)]
mod tests {
    use crate::db::Db;

    /// What a recipient did is found without a look at what others did, or at its own whole past.
    #[test]
    fn actions_are_found_by_an_index() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        for (condition, index) in [
            (
                "gstin = '' AND supplier = '' AND form = '' AND period = '' ORDER BY seq",
                "ims_actions_by_return",
            ),
            ("gstin = '' AND at < 0", "ims_actions_by_time"),
            ("gstin = '' AND seq > 0 AND form <> 'BE'", "ims_actions_by_number"),
            ("gstin = '' AND action = 'P' AND form <> 'BE'", "ims_actions_pending"),
            ("supplier = '' AND action = 'R' AND form <> 'BE'", "ims_actions_rejected"),
        ] {
            let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM ims_actions WHERE {condition}");
            let plan: String = db.read(|tx| tx.query_row(&sql, [], |row| row.get(3))).unwrap();
            assert!(plan.contains(index), "{plan}");
        }
    }
}
