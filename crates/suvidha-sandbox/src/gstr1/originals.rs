//! Amendments: each needs its original in a filed return, and may change only so much of it.

use rusqlite::Connection;

use super::checks::Verdict;
use super::documents::{is_original_of, written};
use super::rows::{Row, SentRow};
use super::store::{self, KeptRow};
use super::tables::{Items, Key, Numbering, Table};
use super::taxes::is_inter_state;
use super::totals::Totals;
use super::{GstnError, Subject};
use crate::calendar::{last_day, period_of};
use crate::forms::Form;

/// The totals of the row that `row` amends; none for a row that amends nothing. gst-engine.md 1.2, C codes.
pub(super) fn find(connection: &Connection, subject: &Subject, row: &Row) -> Verdict<Option<Totals>> {
    let Some((section, part)) = row.table.amends else { return Ok(Ok(None)) };
    let Some(base) = Table::find(section, part) else { return Ok(Ok(None)) };
    let verdict = match row.table.key {
        Key::Amendment { original, .. } => find_document(connection, subject, row, base, original)?,
        _ => find_rates(connection, subject, row, base)?,
    };
    let verdict = verdict.and_then(|totals| check_in_time(subject, row).map(|()| totals));
    Ok(match verdict {
        Err(error) if error.code == TOO_LATE => Err(error),
        Err(error) if subject.rules.amendments_need_original || error.code == "RET191198" => Err(error),
        Err(_) => Ok(None),
        Ok(totals) => Ok(Some(totals)),
    })
}

/// GSTN's own code for an amendment that comes too late is not known. I
const TOO_LATE: &str = "RET12590";

/// s.37(3) and s.34(2), proviso: by the date of the original document, or the month of the original rates.
fn check_in_time(subject: &Subject, row: &Row) -> Result<(), GstnError> {
    let original = row.table.original_numbering().and_then(|original| row.date(original));
    let month = row.text("omon").and_then(|omon| omon.parse().ok());
    let Some(period) = original.and_then(period_of).or(month) else { return Ok(()) };
    match subject.rules.last_day_of_amendments(period) {
        Some(last) if subject.today > last => {
            let message = format!(
                "The save is not allowed for the current date: amendments ended on {}",
                written(last)
            );
            Err(GstnError::new(TOO_LATE, message))
        }
        _ => Ok(()),
    }
}

fn find_document(
    connection: &Connection,
    subject: &Subject,
    row: &Row,
    base: &Table,
    original: Numbering,
) -> Verdict<Totals> {
    let number = row.number(original).unwrap_or_default();
    if let Some(day) = row.date(original).filter(|day| *day > last_day(subject.period)) {
        let message = format!("Original date {} is invalid", written(day));
        return Ok(Err(GstnError::new("RET191158", message)));
    }
    let bearing_the_number = match row.table.series() {
        Some(series) => store::with_number(connection, subject.gstin, series, &number)?,
        None => store::with_key(connection, subject.gstin, base, &foreign_key(row, original))?,
    };
    let newest = bearing_the_number
        .iter()
        .filter(|kept| is_original_of(row, &kept.row))
        .filter(|kept| subject.follows(kept))
        .max_by_key(|kept| (kept.period, kept.form));
    if let Some(kept) = newest {
        return Ok(check_changes(subject, row, &kept.row).map(|()| Totals::of_row(&kept.row).amounts_only()));
    }
    Ok(Err(why_untraced(subject, row, base, &number, &bearing_the_number)))
}

/// The key that the original of a row of Table 15 has in its own table.
fn foreign_key(row: &Row, original: Numbering) -> String {
    let group: Vec<String> = row.table.group.iter().map(|name| row.key_part(name)).collect();
    format!("{} {}", group.join(" "), row.document_key(original))
}

fn why_untraced(subject: &Subject, row: &Row, base: &Table, number: &str, known: &[KeptRow]) -> GstnError {
    let of_base = |kept: &&KeptRow| kept.row.table == base;
    if known.iter().filter(of_base).any(|kept| subject.owns(kept)) {
        return GstnError::new("RET191198", format!("No. {number} is in this return: amend it there"));
    }
    if known.iter().filter(of_base).any(|kept| kept.filed) {
        return GstnError::new("RET191151", format!("Date of No. {number} differs from the original"));
    }
    if row.table.is_note() {
        return GstnError::new("RET191159", format!("Original note No. {number} cannot be tracked"));
    }
    GstnError::new("RET191124", format!("Original invoice No. {number} cannot be tracked"))
}

/// What an amendment may not change. C RET191119, 125, 135, 153, 154, 181, 199, 200
fn check_changes(subject: &Subject, row: &Row, original: &Row) -> Result<(), GstnError> {
    let differs = |name: &str| row.text(name) != original.text(name);
    let note = row.table.is_note();
    if differs("ctin") && note {
        return Err(GstnError::new("RET191125", "The counter party differs from that of the original note"));
    }
    if differs("ctin") || differs("rtin") || differs("stin") {
        return Err(GstnError::new("RET191119", "Receiver GSTIN does not match the original invoice"));
    }
    if differs("ntty") {
        return Err(GstnError::new("RET191199", "Credit note and debit note cannot be exchanged"));
    }
    if differs("inv_typ") || differs("typ") || differs("exp_typ") {
        return Err(GstnError::new("RET191181", "Invoice type differs from the original"));
    }
    if row.table.section == "b2cla" && differs("pos") {
        return Err(GstnError::new("RET191135", "The original has another state code"));
    }
    match (is_inter_state(subject, original), is_inter_state(subject, row)) {
        (was, is) if was == is => Ok(()),
        _ if note => Err(GstnError::new("RET191200", "Supply type differs from the original note")),
        (false, _) => Err(GstnError::new("RET191153", "The original invoice is intra-state")),
        (true, _) => Err(GstnError::new("RET191154", "The original invoice is inter-state")),
    }
}

/// Rate rows: the original is what was reported for `omon` under the same heads. The newest amendment counts
/// before the first report.
fn find_rates(
    connection: &Connection,
    subject: &Subject,
    row: &Row,
    base: &'static Table,
) -> Verdict<Totals> {
    let omon = row.text("omon").unwrap_or_default();
    let Ok(period) = omon.parse() else {
        return Ok(Err(untraced_rates(row)));
    };
    if period == subject.period && subject.form == Form::Gstr1 {
        return Ok(Err(GstnError::new("RET191198", "Rows of this return are changed, not amended")));
    }
    let amended = store::with_key(connection, subject.gstin, row.table, &row.key())?;
    let newest =
        amended.iter().filter(|kept| subject.follows(kept)).max_by_key(|kept| (kept.period, kept.form));
    let reported = store::rows(connection, subject.gstin, Form::Gstr1, period, base)?;
    let originals: Vec<&Row> = match newest {
        Some(kept) => vec![&kept.row],
        None => reported
            .iter()
            .filter(|kept| kept.filed && same_heads(row, &kept.row))
            .map(|kept| &kept.row)
            .collect(),
    };
    if originals.is_empty() || period > subject.period {
        return Ok(Err(untraced_rates(row)));
    }
    Ok(Ok(originals
        .into_iter()
        .map(|original| totals_at_the_same_rates(row, original))
        .fold(Totals::default(), Totals::plus)))
}

fn same_heads(row: &Row, original: &Row) -> bool {
    let same = |name: &str| row.value(name).is_none() || row.key_part(name) == original.key_part(name);
    match row.table.section {
        "supecoa" => row.key_part("oetin") == original.key_part("etin"),
        _ if row.value("ostin").is_some() => {
            row.key_part("ostin") == original.key_part("stin") && same("pos") && same("sply_ty")
        }
        _ => same("pos") && same("sply_ty") && same("typ"),
    }
}

fn totals_at_the_same_rates(row: &Row, original: &Row) -> Totals {
    let items = row.items();
    let mut originals = original.items();
    if row.table.items == Items::ByRate {
        originals.retain(|original| items.iter().any(|item| item.rate == original.rate));
    }
    Totals::of_items(&originals)
}

fn untraced_rates(row: &Row) -> GstnError {
    let omon = row.text("omon").unwrap_or_default();
    let (code, what) = match row.table.section {
        "ata" => ("RET191168", "AT"),
        "txpda" => ("RET191197", "TXPD"),
        "supecoa" => ("RET191124", "SUPECO"),
        "ecoma" => ("RET191157", "ECOM"),
        _ => ("RET191157", "B2CS"),
    };
    GstnError::new(code, format!("Original {what} details of {omon} cannot be tracked"))
}

/// The rows that a deletion means: the fields it states must agree, those it leaves out do not matter.
pub(super) fn meant_by_deletion(
    connection: &Connection,
    subject: &Subject,
    sent: &SentRow,
) -> rusqlite::Result<Vec<KeptRow>> {
    let deletion = &sent.row;
    let names_its_key = match deletion.table.key {
        Key::Document(_) | Key::ForeignDocument(_) => true,
        Key::Amendment { original, .. } => {
            deletion.number(original).is_some() && deletion.date(original).is_some()
        }
        Key::Fields(_) => false,
    };
    let candidates = if names_its_key {
        let mut kept = store::with_key(connection, subject.gstin, deletion.table, &deletion.key())?;
        kept.retain(|kept| subject.owns(kept));
        kept
    } else {
        store::rows(connection, subject.gstin, subject.form, subject.period, deletion.table)?
    };
    Ok(candidates.into_iter().filter(|kept| agrees(deletion, &kept.row)).collect())
}

fn agrees(deletion: &Row, kept: &Row) -> bool {
    let same = |name: &str| deletion.value(name).is_none() || deletion.key_part(name) == kept.key_part(name);
    let group = deletion.table.group.iter().all(|name| same(name));
    group
        && match deletion.table.key {
            Key::Document(_) | Key::ForeignDocument(_) => true,
            Key::Amendment { revised, original } => {
                same(original.number)
                    && same(original.date)
                    && (deletion.number(original).is_some() || same(revised.number) && same(revised.date))
            }
            Key::Fields(names) => names.iter().all(|name| same(name)),
        }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{
        Books, CUSTOMER, NEIGHBOUR, b2b, codes, every_section, item, merge, payload, processed,
    };

    /// The one row of an amendment section of `every_section`, with `changes`.
    fn amended(section: &str, list: &str, changes: &Value) -> Value {
        let mut element = every_section()[section][0].clone();
        let mut changes = changes.clone();
        if let Some(ctin) = changes.as_object_mut().unwrap().remove("ctin") {
            element["ctin"] = ctin;
        }
        let row = if list.is_empty() { &mut element } else { &mut element[list][0] };
        merge(row, &changes);
        json!({ section: [element] })
    }

    fn assert_codes(cases: Vec<(Value, &str)>) {
        for (sections, expected) in cases {
            assert_eq!(codes(&Books::with_june().save_july(&sections)).join(" "), expected, "{sections}");
        }
    }

    #[test]
    fn an_amended_invoice_needs_its_filed_original() {
        let b2ba = |changes: Value| amended("b2ba", "inv", &changes);
        let halves = item(18.0, 1000.0, &json!({"camt": 90, "samt": 90}));
        assert_codes(vec![
            (b2ba(json!({})), ""),
            (b2ba(json!({"oinum": "j/001"})), ""),
            (b2ba(json!({"oinum": "J/999"})), "RET191124"),
            (b2ba(json!({"oidt": "09-06-2025"})), "RET191151"),
            (b2ba(json!({"oidt": "01-08-2025"})), "RET191158"),
            (b2ba(json!({"idt": "01-08-2025"})), "RET191120"),
            (b2ba(json!({"inum": "J/002"})), "RET191121"),
            (b2ba(json!({"ctin": NEIGHBOUR})), "RET191119"),
            (b2ba(json!({"inv_typ": "DE"})), "RET191181"),
            (b2ba(json!({"pos": "27", "itms": halves})), "RET191154"),
            (b2ba(json!({"ctin": NEIGHBOUR, "oinum": "J/002", "oidt": "11-06-2025"})), "RET191153"),
            (amended("cdnra", "nt", &json!({"ntty": "D"})), "RET191199"),
            (amended("cdnra", "nt", &json!({"ont_num": "JC/9"})), "RET191159"),
            (amended("cdnra", "nt", &json!({"ctin": NEIGHBOUR})), "RET191125"),
            (amended("cdnra", "nt", &json!({"pos": "27", "itms": halves})), "RET191200"),
            (amended("expa", "inv", &json!({"oinum": "J/003"})), "RET191124"),
            (amended("cdnura", "", &json!({"ont_num": "JC/1"})), "RET191159"),
        ]);
    }

    #[test]
    fn an_amended_rate_needs_the_filed_rows_of_its_month() {
        for (section, code) in [("b2csa", "RET191157"), ("ata", "RET191168"), ("txpda", "RET191197")] {
            assert_codes(vec![
                (amended(section, "", &json!({})), ""),
                (amended(section, "", &json!({"omon": "052025"})), code),
                (amended(section, "", &json!({"omon": "072025"})), "RET191198"),
            ]);
        }
        let mut supecoa = every_section()["supecoa"].clone();
        supecoa["clttxa"][0]["oetin"] = "29AAICF1234Q1CH".into();
        assert_codes(vec![(json!({ "supecoa": supecoa }), "RET191124")]);
        let mut ecoma = every_section()["ecoma"].clone();
        ecoma["b2ba"][0]["inv"][0]["oinum"] = "KE/9".into();
        ecoma["b2ca"][0]["posItms"][0]["omon"] = "052025".into();
        ecoma["urp2ca"][0]["pos"] = "33".into();
        ecoma["urp2ca"][0]["sply_ty"] = "INTER".into();
        ecoma["urp2ca"][0]["itms"] = json!([{"rt": 5, "txval": 100, "iamt": 5}]);
        assert_codes(vec![(json!({ "ecoma": ecoma }), "RET191124 RET191157 RET191157")]);
    }

    #[test]
    fn a_row_of_the_same_return_is_changed_not_amended() {
        let mut books = Books::with_june();
        books.save_july(&b2b(&json!({})));
        let sections = amended("b2ba", "inv", &json!({"oinum": "A/1", "oidt": "05-07-2025", "inum": "A/1"}));
        assert_eq!(codes(&books.save_july(&sections)), ["RET191198"]);
    }

    #[test]
    fn an_original_that_is_not_filed_does_not_count() {
        let mut books = Books::new();
        books.save("062025", &super::super::testing::june());
        let sections = amended("b2ba", "inv", &json!({}));
        assert_eq!(codes(&books.save_july(&sections)), ["RET191124"]);
        books.rules.amendments_need_original = false;
        assert_eq!(books.save_july(&sections), processed());
    }

    #[test]
    fn an_amendment_can_be_amended_and_counts_from_the_newest_version() {
        let mut books = Books::with_june();
        assert_eq!(books.save_july(&amended("b2ba", "inv", &json!({}))), processed());
        books.rules.as_of = Some("042025".parse().unwrap());
        books.file("072025");
        let again = amended(
            "b2ba",
            "inv",
            &json!({"oinum": "J/001R", "inum": "J/001S",
            "itms": item(18.0, 13_000.0, &json!({"iamt": 2340}))}),
        );
        assert_eq!(books.save("082025", &super::super::testing::payload("082025", &again)), processed());
        let summary = books.summary("082025", false).unwrap();
        let line =
            summary["sec_sum"].as_array().unwrap().iter().find(|line| line["sec_nm"] == "B2BA").unwrap();
        assert_eq!((&line["act_tax"], &line["ttl_tax"]), (&json!(13_000), &json!(1000)));
        assert_eq!(books.section("082025", "B2BA").unwrap()["b2ba"][0]["ctin"], CUSTOMER);
    }

    #[test]
    fn an_amendment_is_in_time_until_30_november_after_the_year() {
        let mut books = Books::with_june();
        let amendments = |books: &mut Books| {
            let sections = every_section();
            let b2ba = json!({"b2ba": sections["b2ba"], "b2csa": sections["b2csa"]});
            codes(&books.save("072025", &payload("072025", &b2ba)))
        };
        books.today = jiff::civil::date(2026, 11, 30);
        assert_eq!(amendments(&mut books), [""; 0]);
        books.today = jiff::civil::date(2026, 12, 1);
        assert_eq!(amendments(&mut books), ["RET12590", "RET12590"]);
        books.rules.amendments_end = false;
        assert_eq!(amendments(&mut books), [""; 0]);
    }
}
