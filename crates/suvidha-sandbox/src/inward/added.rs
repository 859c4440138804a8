//! What recipients' rejections add to their supplier's liability (FAQ on IMS of 19.06.25).
//!
//! A rejected credit note takes nothing from the recipient's credit, so it may not take anything from the supplier's
//! liability either; the same holds for its upward amendment, and for the downward amendment of an invoice or debit
//! note that was accepted. What the supplier had deducted is added in the GSTR-3B of the period after the recipient's
//! statement, or of the next one that was not filed when that statement was made. If the supplier reports the credit
//! note once more, as an amendment, and the recipient accepts that, the addition is taken back in the same way.

use gstn::{Gstin, ReturnPeriod};
use rusqlite::Connection;

use super::Moment;
use super::ims::actions::{self, Action};
use super::ims::record::{self, Record, Specified};
use super::recipient::{Made, Recipient};
use crate::amounts::Amount;
use crate::calendar::quarter_of;
use crate::clock::ist_date;
use crate::filed;
use crate::forms::{Form, Frequency};
use crate::gstr1::outward::{self, Document, Taxes};
use crate::preferences;

/// What one rejection adds to the supplier's liability.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "GSTR-3B is to ask")]
pub(crate) struct AddedBack {
    /// The supplier's form that has the document.
    pub(crate) form: Form,
    /// `cdnr`, `cdnra`, `b2ba` or `ecoma`.
    pub(crate) section: String,
    /// Who rejected it.
    pub(crate) ctin: Gstin,
    pub(crate) number: String,
    /// `dd-mm-yyyy`
    pub(crate) date: String,
    /// The period of the supplier's return.
    pub(crate) supply_period: ReturnPeriod,
    /// Paise, as the others; negative where an addition is taken back.
    pub(crate) igst: i64,
    pub(crate) cgst: i64,
    pub(crate) sgst: i64,
    pub(crate) cess: i64,
    pub(crate) remarks: Option<String>,
    /// The document itself.
    pub(crate) document: Document,
}

/// What is added to `supplier`'s liability in the GSTR-3B of `period`, a quarterly one by its last month.
pub(crate) fn added_back(
    conn: &Connection,
    moment: &Moment,
    supplier: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<Vec<AddedBack>> {
    let mut found = Vec::new();
    for (gstin, id) in actions::ever_rejected(conn, supplier)? {
        let recipient = Recipient::new(conn, moment, &gstin)?;
        let Some(record) = record::find(&recipient, &id)? else { continue };
        let Some((made, month)) = rejection(&recipient, &record)? else { continue };
        let taxes = record::taken_away(&record);
        if taken_up_in(conn, supplier, month, &made)? == Some(period) {
            found.push(addition(&record, &made, &gstin, taxes));
        }
        found.extend(taken_back(&recipient, supplier, period, &record)?);
    }
    Ok(found)
}

/// The statement by which the recipient rejected a document of those whose rejection adds.
fn rejection(recipient: &Recipient<'_>, record: &Record) -> rusqlite::Result<Option<(Made, ReturnPeriod)>> {
    if record.kind != Specified::AddsBack {
        return Ok(None);
    }
    Ok(outcome(recipient, record)?
        .filter(|(action, ..)| *action == Action::Rejected)
        .map(|(_, made, month)| (made, month)))
}

/// The statement into which a document went, and how; none as long as it went into none.
fn outcome(
    recipient: &Recipient<'_>,
    record: &Record,
) -> rusqlite::Result<Option<(Action, Made, ReturnPeriod)>> {
    let Some(mut month) = record.first else { return Ok(None) };
    loop {
        let Some(made) = recipient.made(month)?.filter(|made| made.at <= recipient.moment.now) else {
            return Ok(None);
        };
        let action = record.action_in(&made);
        if action != Action::Pending {
            return Ok(Some((action, made, month)));
        }
        let Some(next) = recipient.next(month)? else { return Ok(None) };
        month = next;
    }
}

/// The return of the supplier that takes up what a statement of `month` brought.
fn taken_up_in(
    conn: &Connection,
    supplier: &Gstin,
    month: ReturnPeriod,
    made: &Made,
) -> rusqlite::Result<Option<ReturnPeriod>> {
    let made_on = ist_date(made.at);
    let mut month = month.next();
    while let Some(candidate) = month {
        let period = match preferences::frequency(conn, supplier, candidate)? {
            Frequency::Monthly => candidate,
            Frequency::Quarterly => quarter_of(candidate)[2],
        };
        match filed::find(conn, supplier, Form::Gstr3b, period)? {
            Some(filed) if filed.on < made_on => month = period.next(),
            _ => return Ok(Some(period)),
        }
    }
    Ok(None)
}

fn addition(record: &Record, made: &Made, recipient: &Gstin, taxes: Taxes) -> AddedBack {
    let document = &record.document;
    let paise = |amount: Amount| i64::try_from(amount.hundredths()).unwrap_or_default();
    let entry = record.history.entry_upto(made.last_action);
    AddedBack {
        form: document.id.form,
        section: document.id.section.clone(),
        ctin: *recipient,
        number: document.number().to_owned(),
        date: document.date().to_owned(),
        supply_period: document.id.period,
        igst: paise(taxes.igst),
        cgst: paise(taxes.cgst),
        sgst: paise(taxes.sgst),
        cess: paise(taxes.cess),
        remarks: entry.and_then(|entry| entry.remarks.clone()),
        document: document.clone(),
    }
}

/// A rejected credit note that was reported once more, and accepted then.
fn taken_back(
    recipient: &Recipient<'_>,
    supplier: &Gstin,
    period: ReturnPeriod,
    rejected: &Record,
) -> rusqlite::Result<Option<AddedBack>> {
    if !rejected.document.is_credit_note() || rejected.document.is_amendment() {
        return Ok(None);
    }
    let Some(amendment) = outward::amendments_of(recipient.conn, &rejected.document)?.into_iter().next()
    else {
        return Ok(None);
    };
    let Some(record) = record::find(recipient, &amendment.id)? else { return Ok(None) };
    let Some((action, made, month)) = outcome(recipient, &record)? else { return Ok(None) };
    if action == Action::Rejected || taken_up_in(recipient.conn, supplier, month, &made)? != Some(period) {
        return Ok(None);
    }
    let taxes = Taxes::default().minus(record::taken_away(rejected));
    Ok(Some(addition(&record, &made, &recipient.gstin, taxes)))
}

#[cfg(test)]
mod tests {
    use rusqlite::{Transaction, params};

    use super::super::ims::actions::NewEntry;
    use super::*;
    use crate::clock::from_millis;
    use crate::db::Db;
    use crate::inward::recipient::beginning_of;
    use crate::rules::Rules;

    const SELLER: &str = "27AAPFU0939F1ZV";
    const BUYER: &str = "29AAAPL2356Q1ZS";

    /// A seller whose credit note C1 of January was rejected on 12 February 2026.
    struct Trade {
        db: Db,
        _dir: tempfile::TempDir,
        seller: Gstin,
        buyer: Gstin,
    }

    impl Trade {
        fn with_a_rejected_credit_note() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let db = Db::open(dir.path()).unwrap();
            let (seller, buyer) = (SELLER.parse().unwrap(), Gstin::parse_lenient(BUYER).unwrap());
            let trade = Self { db, _dir: dir, seller, buyer };
            trade.change(|tx| {
                note(tx, &trade, "012026", "cdnr", "2025 C1", "", 72);
                filed(tx, &trade, "012026", "2026-02-11");
                act(tx, &trade, "012026", "cdnr", "2025 C1", Action::Rejected, "2026-02-12");
            });
            trade
        }

        fn change(&self, work: impl FnOnce(&Transaction<'_>)) {
            self.db
                .write(|tx| -> rusqlite::Result<()> {
                    work(tx);
                    Ok(())
                })
                .unwrap();
        }

        /// Sections and IGST in paise of what is added in a period, as it is on a day.
        fn added(&self, period: &str, today: &str) -> Vec<(String, i64)> {
            let moment = Moment { rules: Rules::default(), now: beginning_of(today.parse().unwrap()) };
            let period = period.parse().unwrap();
            let found = self.db.read(|tx| added_back(tx, &moment, &self.seller, period)).unwrap();
            found.into_iter().map(|added| (added.section, added.igst)).collect()
        }
    }

    fn note(
        tx: &Transaction<'_>,
        trade: &Trade,
        period: &str,
        section: &str,
        key: &str,
        more: &str,
        igst: i64,
    ) {
        let body = format!(
            r#"{{"nt_num":"C1","nt_dt":"06-01-2026","ntty":"C","val":472,"pos":"29","rchrg":"N","inv_typ":"R"{more},
               "itms":[{{"num":1,"itm_det":{{"rt":18,"txval":400,"iamt":{igst}}}}}]}}"#
        );
        let original = (section == "cdnra").then_some(r#"{"ttl_tax":-400,"ttl_igst":-72}"#);
        tx.execute(
            "INSERT INTO gstr1_row (gstin, form, period, section, part, key, recipient, series, number, shared,
                 body, flag, original, chksum, changed_on)
             VALUES (?1, 'R1', ?2, ?3, '', ?4, ?5, 'note', 'C1', ?6, ?7, NULL, ?8, ?4, '2026-02-01')",
            params![
                trade.seller.as_str(),
                period,
                section,
                key,
                trade.buyer.as_str(),
                format!(r#"{{"ctin":"{BUYER}"}}"#),
                body,
                original
            ],
        )
        .unwrap();
    }

    fn filed(tx: &Transaction<'_>, trade: &Trade, period: &str, on: &str) {
        let values = params![trade.seller.as_str(), period, trade.buyer.as_str(), on];
        tx.execute("INSERT INTO filed_returns VALUES (?1, 'R1', ?2, ?3, ?4)", values).unwrap();
        tx.execute("INSERT INTO inward_returns VALUES (?1, 'R1', ?2, ?3, ?4)", values).unwrap();
    }

    fn files_3b(tx: &Transaction<'_>, gstin: &Gstin, period: &str, on: &str) {
        let values = params![gstin.as_str(), period, on];
        tx.execute("INSERT INTO filed_returns VALUES (?1, 'R3B', ?2, 'AA', ?3)", values).unwrap();
    }

    fn act(
        tx: &Transaction<'_>,
        trade: &Trade,
        period: &str,
        section: &str,
        key: &str,
        action: Action,
        on: &str,
    ) {
        let at = beginning_of(on.parse().unwrap()).as_millisecond() + 1;
        let entry = NewEntry {
            supplier: trade.seller.as_str(),
            form: "R1",
            period: period.parse().unwrap(),
            section,
            part: "",
            key,
            chksum: key,
            action,
            remarks: Some("no"),
            reduction: None,
            at: from_millis(at),
        };
        actions::add(tx, &trade.buyer, &entry).unwrap();
    }

    /// In the period after the recipient's statement, and as soon as that is made.
    #[test]
    fn a_rejected_credit_note_is_added_in_the_period_after() {
        let trade = Trade::with_a_rejected_credit_note();
        let once = vec![("cdnr".to_owned(), 7200)];
        for (period, today, expected) in [
            ("022026", "2026-02-13", vec![]),
            ("022026", "2026-02-14", once.clone()),
            ("012026", "2026-03-14", vec![]),
            ("022026", "2026-03-14", once),
            ("032026", "2026-04-14", vec![]),
        ] {
            assert_eq!(trade.added(period, today), expected, "{period} on {today}");
        }
    }

    #[test]
    fn a_return_that_was_filed_before_takes_nothing_up() {
        let trade = Trade::with_a_rejected_credit_note();
        trade.change(|tx| files_3b(tx, &trade.seller, "022026", "2026-02-13"));
        assert_eq!(trade.added("022026", "2026-04-14"), []);
        assert_eq!(trade.added("032026", "2026-04-14"), [("cdnr".to_owned(), 7200)]);
    }

    #[test]
    fn a_quarterly_supplier_takes_it_up_in_the_return_of_the_quarter() {
        let trade = Trade::with_a_rejected_credit_note();
        let quarterly = format!("INSERT INTO filing_preferences VALUES ('{SELLER}', '2026Q1', 'Q')");
        trade.change(|tx| tx.execute_batch(&quarterly).unwrap());
        assert_eq!(trade.added("022026", "2026-04-14"), []);
        assert_eq!(trade.added("032026", "2026-04-14"), [("cdnr".to_owned(), 7200)]);
    }

    #[test]
    fn a_rejection_that_was_taken_back_in_time_adds_nothing() {
        let trade = Trade::with_a_rejected_credit_note();
        trade.change(|tx| act(tx, &trade, "012026", "cdnr", "2025 C1", Action::None, "2026-02-13"));
        assert_eq!(trade.added("022026", "2026-02-14"), []);
    }

    /// FAQ on IMS of 19.06.25: the supplier reports it once more, and the recipient accepts it.
    #[test]
    fn the_same_credit_note_accepted_later_takes_the_addition_back() {
        let trade = Trade::with_a_rejected_credit_note();
        trade.change(|tx| {
            files_3b(tx, &trade.buyer, "012026", "2026-02-20");
            let more = r#","ont_num":"C1","ont_dt":"06-01-2026""#;
            note(tx, &trade, "022026", "cdnra", "06-01-2026 C1", more, 72);
            filed(tx, &trade, "022026", "2026-03-11");
        });
        assert_eq!(trade.added("022026", "2026-03-14"), [("cdnr".to_owned(), 7200)]);
        assert_eq!(trade.added("032026", "2026-03-14"), [("cdnra".to_owned(), -7200)]);
    }
}
