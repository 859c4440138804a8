//! A kept statement as GET2B tells it, in the form of the version that was asked for, whole or in parts.

use gstn::{Gstin, ReturnPeriod};
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::store::{self, Head, KeptLine};
use crate::clock::{dashed, ist_date};
use crate::gstr1::GstnError;

/// How a statement is told: by the version of the API that was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Versions 1 to 3: documents with their rates; what was rejected is left out.
    WithItems,
    /// Version 4: documents with their sums; reversals and rejections.
    WithRejections,
}

/// Which part is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// None was named: the whole statement, or its summary where it has several parts.
    First,
    /// `file_num`, from 1 on.
    Number(usize),
}

/// The answer to GET2B. A statement with more documents than `page` comes in parts: the first answer has the summary
/// and the number of parts (`fc`), and each part its share of the documents.
///
/// # Errors
/// RET2B1016 when there are no documents, or no part of this number; or the database's.
pub(crate) fn answer(
    conn: &Connection,
    gstin: &Gstin,
    period: ReturnPeriod,
    version: Version,
    part: Part,
    page: usize,
) -> rusqlite::Result<Result<Value, GstnError>> {
    let none = || Ok(Err(GstnError::new("RET2B1016", "No record found for the provided Inputs")));
    let Some(head) = store::head(conn, gstin, period)? else { return none() };
    let documents = match version {
        Version::WithItems => head.accepted,
        Version::WithRejections => head.documents,
    };
    if documents == 0 {
        return none();
    }
    let parts = documents.div_ceil(page.max(1));
    let mut data = Map::new();
    data.insert("gstin".into(), gstin.as_str().into());
    data.insert("rtnprd".into(), period.to_string().into());
    data.insert("version".into(), "1.0".into());
    data.insert("gendt".into(), dashed(ist_date(head.made_at)).into());
    let share = match part {
        Part::First if parts == 1 => 0..documents,
        Part::First => 0..0,
        Part::Number(number) if (1..=parts).contains(&number) => {
            (number - 1) * page..documents.min(number * page)
        }
        Part::Number(_) => return none(),
    };
    if part == Part::First {
        write_summaries(&head, version, &mut data);
        if parts > 1 {
            data.insert("fc".into(), parts.into());
        }
    }
    if !share.is_empty() {
        let lines = store::lines(conn, gstin, period, share.start, share.end)?;
        let rejected_from = head.accepted.saturating_sub(share.start).min(lines.len());
        write_documents(lines, rejected_from, version, &mut data);
    }
    Ok(Ok(json!({ "chksum": head.chksum, "data": data })))
}

fn write_summaries(head: &Head, version: Version, data: &mut Map<String, Value>) {
    let mut itcsumm = head.itcsumm.clone();
    if version == Version::WithItems {
        if let Some(parts) = itcsumm.as_object_mut() {
            parts.remove("itcrev");
            parts.remove("itcRejected");
            parts.values_mut().for_each(without_empty_operators);
        }
    } else {
        data.insert("cpSummRej".into(), head.cp_rejected.clone());
    }
    data.insert("itcsumm".into(), itcsumm);
    data.insert("cpsumm".into(), head.cpsumm.clone());
}

/// Versions before 4 were made before Table 15 came to recipients: there it stands only where there is something.
fn without_empty_operators(part: &mut Value) {
    let Some(group) = part.get_mut("nonrevsup").and_then(Value::as_object_mut) else { return };
    for name in ["ecom", "ecoma"] {
        let amounts = group.get(name).and_then(Value::as_object).into_iter().flat_map(Map::values);
        if amounts.into_iter().all(|amount| amount == &json!(0)) {
            group.remove(name);
        }
    }
}

/// The lines from `rejected_from` on are rejected ones.
fn write_documents(
    mut lines: Vec<KeptLine>,
    rejected_from: usize,
    version: Version,
    data: &mut Map<String, Value>,
) {
    let rejected = lines.split_off(rejected_from);
    data.insert("docdata".into(), by_section(lines, version));
    if version == Version::WithRejections && !rejected.is_empty() {
        data.insert("docRejdata".into(), by_section(rejected, version));
    }
}

/// Lines that stand together and share their head are one group.
fn by_section(lines: Vec<KeptLine>, version: Version) -> Value {
    let mut sections: Map<String, Value> = Map::new();
    let mut last: Option<Map<String, Value>> = None;
    for mut line in lines {
        trim(&mut line, version);
        let started = sections.contains_key(&line.section);
        let section = sections.entry(line.section.clone()).or_insert_with(|| json!([]));
        let Some(groups) = section.as_array_mut() else { continue };
        let Some(list) = list_of(&line.section) else {
            groups.push(line.body.into());
            continue;
        };
        if !started || last.as_ref() != Some(&line.head) {
            let mut group = line.head.clone();
            group.insert(list.into(), json!([]));
            groups.push(group.into());
        }
        if let Some(rows) = groups.last_mut().and_then(|group| group[list].as_array_mut()) {
            rows.push(line.body.into());
        }
        last = Some(line.head);
    }
    sections.into()
}

/// The key of the rows inside a group; none where there are no groups.
fn list_of(section: &str) -> Option<&'static str> {
    match section {
        "impg" => None,
        "impgsez" => Some("boe"),
        "isd" | "isda" => Some("doclist"),
        "cdnr" | "cdnra" => Some("nt"),
        _ => Some("inv"),
    }
}

/// Leaves to a document of a supplier what its version has.
fn trim(line: &mut KeptLine, version: Version) {
    if !line.body.contains_key("items") {
        return;
    }
    let others: &[&str] = match version {
        Version::WithRejections => &["items"],
        Version::WithItems => &["txval", "igst", "cgst", "sgst", "cess", "imsStatus"],
    };
    for name in others {
        line.body.remove(*name);
    }
}
