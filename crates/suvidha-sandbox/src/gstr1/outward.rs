//! The supplier's documents as their recipients meet them: read by recipient, with their amounts summed up.

use gstn::{Gstin, ReturnPeriod};
use rusqlite::{Connection, Row as SqlRow, Transaction, params};
use serde_json::{Map, Value};

use super::Subject;
use super::documents::is_original_of;
use super::rows::{Item, Row};
use super::store::{self, KeptRow};
use super::tables::{TABLES, Table};
use super::totals::Totals;
use crate::amounts::Amount;
use crate::forms::Form;

/// Taxable value and tax of a document, never negative: what a credit note takes away stands here as a plain amount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Taxes {
    pub(crate) taxable: Amount,
    pub(crate) igst: Amount,
    pub(crate) cgst: Amount,
    pub(crate) sgst: Amount,
    pub(crate) cess: Amount,
}

impl Taxes {
    pub(crate) fn tax(self) -> Amount {
        self.igst + self.cgst + self.sgst + self.cess
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            taxable: self.taxable + other.taxable,
            igst: self.igst + other.igst,
            cgst: self.cgst + other.cgst,
            sgst: self.sgst + other.sgst,
            cess: self.cess + other.cess,
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            taxable: self.taxable - other.taxable,
            igst: self.igst - other.igst,
            cgst: self.cgst - other.cgst,
            sgst: self.sgst - other.sgst,
            cess: self.cess - other.cess,
        }
    }

    fn of(totals: &Totals) -> Self {
        Self {
            taxable: totals.taxable.abs(),
            igst: totals.igst.abs(),
            cgst: totals.cgst.abs(),
            sgst: totals.sgst.abs(),
            cess: totals.cess.abs(),
        }
    }
}

/// One rate of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RatedTaxes {
    pub(crate) rate: Amount,
    pub(crate) taxes: Taxes,
}

/// What names a document: whose return it is in, and its place there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DocumentId {
    pub(crate) supplier: Gstin,
    pub(crate) form: Form,
    pub(crate) period: ReturnPeriod,
    pub(crate) section: String,
    pub(crate) part: String,
    pub(crate) key: String,
}

/// A document that a supplier reports for a registered recipient.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) id: DocumentId,
    pub(crate) recipient: String,
    pub(crate) chksum: String,
    /// yyyy-mm-dd, when the row was last saved.
    pub(crate) changed_on: String,
    /// Of an amendment: what the row that it amends amounted to.
    pub(crate) original: Option<Taxes>,
    row: Row,
}

impl Document {
    /// A field of the row or of its group.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.row.value(name)
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.row.text(name).unwrap_or_default()
    }

    /// The fields as they were saved, without those of the group.
    pub(crate) fn fields(&self) -> &Map<String, Value> {
        &self.row.body
    }

    pub(crate) fn is_note(&self) -> bool {
        self.row.table.is_note()
    }

    pub(crate) fn is_credit_note(&self) -> bool {
        self.is_note() && self.text("ntty") == "C"
    }

    pub(crate) fn is_amendment(&self) -> bool {
        self.row.table.amends.is_some()
    }

    /// The document's number as it was written.
    pub(crate) fn number(&self) -> &str {
        self.row.table.numbering().map_or("", |numbering| self.text(numbering.number))
    }

    /// The document's date, `dd-mm-yyyy`.
    pub(crate) fn date(&self) -> &str {
        self.row.table.numbering().map_or("", |numbering| self.text(numbering.date))
    }

    /// The document's date.
    pub(crate) fn day(&self) -> Option<jiff::civil::Date> {
        self.row.table.numbering().and_then(|numbering| self.row.date(numbering))
    }

    /// The number and date of the document that this one amends, as they were written.
    pub(crate) fn original_name(&self) -> Option<(&str, &str)> {
        let original = self.row.table.original_numbering()?;
        Some((self.text(original.number), self.text(original.date)))
    }

    pub(crate) fn taxes(&self) -> Taxes {
        Taxes::of(&Totals::of_items(&self.row.items()))
    }

    pub(crate) fn rates(&self) -> Vec<RatedTaxes> {
        let rated = |item: Item| RatedTaxes { rate: item.rate, taxes: Taxes::of(&Totals::of_items(&[item])) };
        self.row.items().into_iter().map(rated).collect()
    }

    fn of_kept(supplier: &Gstin, kept: KeptRow) -> Self {
        Self {
            id: DocumentId {
                supplier: *supplier,
                form: kept.form,
                period: kept.period,
                section: kept.row.table.section.to_owned(),
                part: kept.row.table.part.to_owned(),
                key: kept.key,
            },
            recipient: kept.row.recipient().unwrap_or_default().to_owned(),
            chksum: kept.chksum,
            changed_on: kept.changed_on,
            original: kept.original.as_ref().map(Taxes::of),
            row: kept.row,
        }
    }
}

/// Creates the table that [`note_filing`] fills, unless it is there.
pub(super) fn create_table(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS inward_returns (
             gstin TEXT NOT NULL,              -- the supplier
             form TEXT NOT NULL,
             period TEXT NOT NULL,
             recipient TEXT NOT NULL,
             filed_on TEXT NOT NULL,           -- yyyy-mm-dd in India
             PRIMARY KEY (gstin, form, period, recipient)
         ) STRICT, WITHOUT ROWID;
         CREATE INDEX IF NOT EXISTS inward_returns_by_day ON inward_returns (recipient, filed_on);
         CREATE INDEX IF NOT EXISTS inward_returns_by_period ON inward_returns (recipient, period, filed_on);",
    )
}

/// Notes under each of its recipients that a return is filed, so that they find it by the day.
pub(super) fn note_filing(tx: &Transaction<'_>, subject: &Subject<'_>) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO inward_returns (gstin, form, period, recipient, filed_on)
         SELECT DISTINCT gstin, form, period, recipient, ?4 FROM gstr1_row
         WHERE gstin = ?1 AND form = ?2 AND period = ?3 AND recipient IS NOT NULL",
    )?
    .execute(params![
        subject.gstin.as_str(),
        subject.form.as_str(),
        subject.period.to_string(),
        subject.today.to_string()
    ])
    .map(drop)
}

const SELECT: &str =
    "SELECT gstin, form, period, section, part, key, recipient, shared, body, original, chksum, changed_on
     FROM gstr1_row ";
// SQLite would rather read all that a supplier reports, for whomever.
const OF_PERIOD: &str = "INDEXED BY gstr1_row_by_recipient WHERE recipient = ?1 AND period = ?2 ORDER BY gstin, form, section, part, key";
const OF_RETURN: &str =
    "INDEXED BY gstr1_row_by_recipient WHERE recipient = ?1 AND period = ?2 AND gstin = ?3 AND form = ?4
     ORDER BY section, part, key";
const OF_SUPPLIER: &str = "WHERE gstin = ?1 AND form = ?2 AND period = ?3 AND recipient IS NOT NULL
     ORDER BY section, part, key";
const BY_ID: &str =
    "WHERE gstin = ?1 AND form = ?2 AND period = ?3 AND section = ?4 AND part = ?5 AND key = ?6";

/// What suppliers report for `recipient` in their returns of `period`, filed or only saved.
pub(crate) fn of_period(
    conn: &Connection,
    recipient: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<Vec<Document>> {
    let mut statement = conn.prepare_cached(&format!("{SELECT}{OF_PERIOD}"))?;
    collect(&mut statement, params![recipient.as_str(), period.to_string()])
}

/// What one return of one supplier reports for `recipient`.
pub(crate) fn of_return(
    conn: &Connection,
    recipient: &Gstin,
    supplier: &Gstin,
    form: Form,
    period: ReturnPeriod,
) -> rusqlite::Result<Vec<Document>> {
    let mut statement = conn.prepare_cached(&format!("{SELECT}{OF_RETURN}"))?;
    let parameters = params![recipient.as_str(), period.to_string(), supplier.as_str(), form.as_str()];
    collect(&mut statement, parameters)
}

/// What one return reports for registered recipients.
pub(crate) fn of_supplier(
    conn: &Connection,
    supplier: &Gstin,
    form: Form,
    period: ReturnPeriod,
) -> rusqlite::Result<Vec<Document>> {
    let mut statement = conn.prepare_cached(&format!("{SELECT}{OF_SUPPLIER}"))?;
    collect(&mut statement, params![supplier.as_str(), form.as_str(), period.to_string()])
}

/// The document of this name, if it is there still.
pub(crate) fn find(conn: &Connection, id: &DocumentId) -> rusqlite::Result<Option<Document>> {
    let mut statement = conn.prepare_cached(&format!("{SELECT}{BY_ID}"))?;
    let parameters =
        params![id.supplier.as_str(), id.form.as_str(), id.period.to_string(), id.section, id.part, id.key];
    Ok(collect(&mut statement, parameters)?.pop())
}

/// The newest filed row that `document` amends: a document, or an earlier amendment of it.
pub(crate) fn original_of(conn: &Connection, document: &Document) -> rusqlite::Result<Option<Document>> {
    let Some((section, part)) = document.row.table.amends else { return Ok(None) };
    let Some(numbering) = document.row.table.original_numbering() else { return Ok(None) };
    let supplier = &document.id.supplier;
    let candidates = match (document.row.table.series(), Table::find(section, part)) {
        (Some(series), _) => {
            let number = document.row.number(numbering).unwrap_or_default();
            store::with_number(conn, supplier, series, &number)?
        }
        (None, Some(base)) => {
            let group: Vec<String> =
                document.row.table.group.iter().map(|name| document.row.key_part(name)).collect();
            let key = format!("{} {}", group.join(" "), document.row.document_key(numbering));
            store::with_key(conn, supplier, base, &key)?
        }
        (None, None) => Vec::new(),
    };
    let order = |kept: &KeptRow| (kept.period, kept.form);
    let newest = candidates
        .into_iter()
        .filter(|kept| kept.filed && order(kept) < (document.id.period, document.id.form))
        .filter(|kept| is_original_of(&document.row, &kept.row))
        .max_by_key(order);
    Ok(newest.map(|kept| Document::of_kept(supplier, kept)))
}

/// The filed amendments of `document`, oldest first.
pub(crate) fn amendments_of(conn: &Connection, document: &Document) -> rusqlite::Result<Vec<Document>> {
    let amending = |table: &&Table| {
        table.amends
            == document.row.table.amends.or(Some((document.row.table.section, document.row.table.part)))
    };
    let Some(table) = TABLES.iter().find(amending) else { return Ok(Vec::new()) };
    let key = format!("{} {}", document.date(), document.number().to_ascii_uppercase());
    let mut found = store::with_key(conn, &document.id.supplier, table, &key)?;
    found.retain(|kept| {
        kept.filed
            && (kept.period, kept.form) > (document.id.period, document.id.form)
            && is_original_of(&kept.row, &document.row)
    });
    found.sort_by_key(|kept| (kept.period, kept.form));
    Ok(found.into_iter().map(|kept| Document::of_kept(&document.id.supplier, kept)).collect())
}

fn collect(
    statement: &mut rusqlite::Statement<'_>,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<Vec<Document>> {
    let mut rows = statement.query(parameters)?;
    let mut documents = Vec::new();
    while let Some(row) = rows.next()? {
        documents.extend(read(row)?);
    }
    Ok(documents)
}

/// None for a table that a newer version knew and this one does not.
fn read(row: &SqlRow<'_>) -> rusqlite::Result<Option<Document>> {
    let text = |column: usize| row.get::<_, String>(column);
    let (section, part) = (text(3)?, text(4)?);
    let Some(table) = Table::find(&section, &part) else { return Ok(None) };
    let original: Option<String> = row.get(9)?;
    let original = original.map(|text| store::json::<Map<String, Value>>(9, &text)).transpose()?;
    let form = text(1)?;
    Ok(Some(Document {
        id: DocumentId {
            supplier: crate::taxpayers::read_gstin(row, "gstin")?,
            form: Form::read(&form).unwrap_or(Form::Gstr1),
            period: store::period_at(row, 2)?,
            section,
            part,
            key: text(5)?,
        },
        recipient: text(6)?,
        row: Row { table, group: store::json(7, &text(7)?)?, body: store::json(8, &text(8)?)?, flag: None },
        original: original.map(|object| Taxes::of(&Totals::read("ttl", &object))),
        chksum: text(10)?,
        changed_on: text(11)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A recipient reads its own documents only, however many others there are.
    #[test]
    fn documents_are_found_by_their_recipient() {
        let connection = Connection::open_in_memory().unwrap();
        super::super::create_tables(&connection).unwrap();
        for (condition, index) in [
            (OF_PERIOD, "gstr1_row_by_recipient"),
            (OF_RETURN, "gstr1_row_by_recipient (recipient=? AND period=? AND gstin=? AND form=?)"),
            (BY_ID, "sqlite_autoindex_gstr1_row_1"),
        ] {
            let sql = format!("EXPLAIN QUERY PLAN {SELECT}{condition}");
            let parameters = rusqlite::params_from_iter(vec![""; condition.matches('?').count()]);
            let plan: String = connection.query_row(&sql, parameters, |row| row.get(3)).unwrap();
            assert!(plan.contains(index), "{plan}");
        }
    }
}
