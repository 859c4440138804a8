//! `suvidha gst save`, `status`, `get`, `summary` and `reset`: a GSTR-1 or GSTR-1A before it is filed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gstn::{Gstin, catalogue};
use serde::Serialize;
use serde_json::{Value, json};
use suvidha_client::{
    Error, Gstr1, Patience, Progress, RefusedRow, ReturnPeriod, ReturnStatus, SummaryKind, Taxpayer,
};

use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output, fields, table};

use super::large::whole;
use super::place::SessionPlace;
use super::rows;

/// `suvidha gst save`.
#[derive(Debug, Args)]
pub(crate) struct Save {
    #[command(flatten)]
    period: Period,
    #[command(flatten)]
    form: OutwardForm,
    /// The rows: GSTR-1 JSON as GSTN defines it; `-` is standard input
    file: PathBuf,
    /// Wait until GSTN has worked on it, and say what was refused
    #[arg(long)]
    wait: bool,
}

/// `suvidha gst status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    period: Period,
    #[command(flatten)]
    form: OutwardForm,
    /// What `save` or `reset` printed
    reference_id: String,
    /// Wait until GSTN has worked on it
    #[arg(long)]
    wait: bool,
}

/// `suvidha gst get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    period: Period,
    #[command(flatten)]
    form: OutwardForm,
    /// Which section: B2B, B2CL, B2CS, CDNR, CDNUR, EXP, AT, TXP, NIL, HSNSUM, DOCISS, …
    #[arg(value_parser = section)]
    section: String,
    /// Only rows with this counterparty
    #[arg(long, value_name = "GSTIN")]
    ctin: Option<Gstin>,
    /// One more parameter of GSTN's API, e.g. from_time=01-04-2026; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    query: Vec<(String, String)>,
}

/// `suvidha gst summary`.
#[derive(Debug, Args)]
pub(crate) struct Summary {
    #[command(flatten)]
    period: Period,
    #[command(flatten)]
    form: OutwardForm,
    /// With totals by counterparty
    #[arg(long)]
    long: bool,
}

/// `suvidha gst reset`.
#[derive(Debug, Args)]
pub(crate) struct Reset {
    #[command(flatten)]
    period: Period,
    #[command(flatten)]
    form: OutwardForm,
    /// Wait until GSTN has done it
    #[arg(long)]
    wait: bool,
}

/// Which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Form {
    /// GSTR-1
    #[default]
    R1,
    /// GSTR-1A, which corrects the GSTR-1 before GSTR-3B is filed
    R1a,
}

/// Which form, of those that are used alike.
#[derive(Debug, Args)]
pub(crate) struct OutwardForm {
    /// The form: GSTR-1, or GSTR-1A, which corrects it before GSTR-3B is filed
    #[arg(long, value_enum, default_value = "r1")]
    form: Form,
}

impl OutwardForm {
    pub(crate) fn of(&self, taxpayer: &Taxpayer, period: ReturnPeriod) -> Gstr1 {
        match self.form {
            Form::R1 => taxpayer.gstr1(period),
            Form::R1a => taxpayer.gstr1a(period),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self.form {
            Form::R1 => "GSTR-1",
            Form::R1a => "GSTR-1A",
        }
    }
}

/// Which tax period.
#[derive(Debug, Args)]
pub(crate) struct Period {
    /// The tax period, month and year: 042026 is April 2026
    #[arg(long, value_name = "MMYYYY")]
    pub(crate) period: ReturnPeriod,
}

fn section(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain { Ok(text.to_ascii_uppercase()) } else { Err("a section is a name such as B2B".to_owned()) }
}

pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "write it as NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Save {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let payload = read_payload(&self.file)?;
        let gstr1 = self.form.of(&place.open()?, self.period.period);
        let reference_id = gstr1.save(payload).await?;
        started(&gstr1, reference_id, self.wait, output).await
    }
}

pub(crate) fn read_payload(file: &PathBuf) -> Result<Vec<u8>, Failure> {
    let read = if file.as_os_str() == "-" {
        let mut payload = Vec::new();
        io::stdin().lock().read_to_end(&mut payload).map(|_| payload)
    } else {
        fs::read(file)
    };
    read.map_err(|error| Failure::io(Exit::Data, format_args!("cannot read {}", file.display()), &error))
}

impl Reset {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let gstr1 = self.form.of(&place.open()?, self.period.period);
        let reference_id = gstr1.reset().await?;
        started(&gstr1, reference_id, self.wait, output).await
    }
}

/// Shows the reference id of a job, or its outcome where the caller waits for it.
async fn started(gstr1: &Gstr1, reference_id: String, wait: bool, output: Output) -> Result<(), Failure> {
    if !wait {
        return show_started(reference_id, output);
    }
    ended(gstr1.wait(&reference_id, Patience::default()).await?, reference_id, output)
}

/// Shows the number under which GSTN works on something.
pub(crate) fn show_started(reference_id: String, output: Output) -> Result<(), Failure> {
    output.show(&Started { reference_id })
}

/// Shows what has become of a job; fails unless GSTN took everything.
pub(crate) fn ended(status: ReturnStatus, reference_id: String, output: Output) -> Result<(), Failure> {
    let outcome = if status.progress.is_final() { outcome(&status) } else { Ok(()) };
    output.show(&Outcome { reference_id, status })?;
    outcome
}

/// Fails unless GSTN took everything.
fn outcome(status: &ReturnStatus) -> Result<(), Failure> {
    match status.progress {
        Progress::Processed => Ok(()),
        Progress::ProcessedWithErrors => {
            Err(Failure::new(Exit::Refused, "GSTN refused some of the rows, and kept the others")
                .remedy("Correct the rows listed, and save them again."))
        }
        _ => {
            let why = status
                .refused
                .first()
                .map_or(String::new(), |row| format!(": {}: {}", row.code, row.message));
            Err(Failure::new(Exit::Refused, format_args!("GSTN refused it, and kept nothing{why}")))
        }
    }
}

impl Status {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let gstr1 = self.form.of(&place.open()?, self.period.period);
        if self.wait {
            return started(&gstr1, self.reference_id, true, output).await;
        }
        ended(gstr1.status(&self.reference_id).await?, self.reference_id, output)
    }
}

impl Get {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let taxpayer = place.open()?;
        let mut query: Vec<_> =
            self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        query.extend(self.ctin.as_ref().map(|ctin| ("ctin", ctin.as_str())));
        let found = self.form.of(&taxpayer, self.period.period).section(&self.section, &query).await;
        let documents = match found {
            Err(Error::NoDocuments(_)) => json!({}),
            found => whole(&taxpayer, found).await?,
        };
        output.show(&Section { name: self.section, documents })
    }
}

impl Summary {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let gstr1 = self.form.of(&place.open()?, self.period.period);
        let kind = if self.long { SummaryKind::Long } else { SummaryKind::Short };
        let totals = match gstr1.summary(kind).await {
            Ok(summary) => summary.value().clone(),
            Err(Error::NoDocuments(_)) => json!({}),
            Err(error) => return Err(error.into()),
        };
        output.show(&Totals(totals))
    }
}

#[derive(Serialize)]
struct Started {
    reference_id: String,
}

impl Answer for Started {
    fn words(&self) -> String {
        fields(&[("reference_id", self.reference_id.clone())])
    }
}

/// RETSTATUS; a program gets what GSTN answered, and the reference id beside it.
struct Outcome {
    reference_id: String,
    status: ReturnStatus,
}

impl Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answer = self.status.raw.clone();
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("reference_id".to_owned(), Value::from(self.reference_id.as_str()));
        }
        answer.serialize(serializer)
    }
}

impl Answer for Outcome {
    fn words(&self) -> String {
        let status = format!("{} ({})", self.status.progress.as_str(), self.status.progress);
        let mut text = fields(&[("reference_id", self.reference_id.clone()), ("status", status)]);
        if !self.status.refused.is_empty() {
            let row = |row: &RefusedRow| {
                let section = if row.section.is_empty() { "all" } else { &row.section };
                let group = row.group.clone().unwrap_or_default();
                [section.to_owned(), group, row.documents.join(" "), row.code.clone(), row.message.clone()]
            };
            let rows: Vec<_> = self.status.refused.iter().map(row).collect();
            text.push('\n');
            text.push_str(&table(["SECTION", "GROUP", "DOCUMENTS", "ERROR", "MEANING"], &rows));
            text.push_str(&remedies(&self.status.refused));
        }
        text
    }
}

/// What to do about each code, once, where the catalogue knows it.
fn remedies(refused: &[RefusedRow]) -> String {
    let codes: BTreeSet<_> = refused.iter().map(|row| row.code.as_str()).collect();
    let known = codes.into_iter().filter_map(|code| Some((code, catalogue::error(code)?.remedy.to_owned())));
    let lines: Vec<_> = known.collect();
    if lines.is_empty() { String::new() } else { format!("\n{}", fields(&lines)) }
}

struct Section {
    name: String,
    documents: Value,
}

impl Serialize for Section {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.documents.serialize(serializer)
    }
}

impl Answer for Section {
    fn words(&self) -> String {
        match rows::table_of(&self.documents) {
            Some(table) => table,
            None => format!("nothing saved in {}\n", self.name),
        }
    }
}

/// RETSUM, as GSTN gives it; a person sees the sections that have records.
#[derive(Serialize)]
struct Totals(Value);

impl Answer for Totals {
    fn words(&self) -> String {
        if self.0.get("sec_sum").is_none() {
            return "nothing saved\n".to_owned();
        }
        let text = |key: &str| self.0.get(key).map(rows::cell).unwrap_or_default();
        let mut words =
            fields(&[("gstin", text("gstin")), ("period", text("ret_period")), ("checksum", text("chksum"))]);
        let mut lines = Vec::new();
        let sections = self.0["sec_sum"].as_array().into_iter().flatten();
        for section in sections.filter(|section| section["ttl_rec"].as_u64() != Some(0)) {
            let name = section.get("sec_nm").map(rows::cell).unwrap_or_default();
            lines.push(totals(name, section));
            for part in section["cpty_sum"].as_array().into_iter().flatten() {
                lines.push(totals(
                    format!("  {}", part.get("ctin").map(rows::cell).unwrap_or_default()),
                    part,
                ));
            }
        }
        words.push('\n');
        if lines.is_empty() {
            words.push_str("no section has records\n");
        } else {
            let headings = ["SECTION", "RECORDS", "VALUE", "TAXABLE", "IGST", "CGST", "SGST", "CESS"];
            words.push_str(&table(headings, &lines));
        }
        words
    }
}

fn totals(name: String, of: &Value) -> [String; 8] {
    let amount = |key: &str| of.get(key).map(rows::amount).unwrap_or_default();
    let records = of.get("ttl_rec").map(rows::cell).unwrap_or_default();
    let [value, taxable] = ["ttl_val", "ttl_tax"].map(amount);
    let [igst, cgst, sgst, cess] = ["ttl_igst", "ttl_cgst", "ttl_sgst", "ttl_cess"].map(amount);
    [name, records, value, taxable, igst, cgst, sgst, cess]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_leaves_empty_sections_out_and_indents_counterparties() {
        let sections = json!([
            {"sec_nm": "AT", "ttl_rec": 0, "ttl_val": 0},
            {"sec_nm": "B2B", "ttl_rec": 2, "ttl_val": 1770.5, "ttl_tax": 1500.42, "ttl_igst": 270.08,
             "cpty_sum": [{"ctin": "27AAPFU0939F1ZV", "ttl_rec": 2, "ttl_val": 1770.5}]},
            {"sec_nm": "DOC_ISSUE", "ttl_rec": 1, "ttl_doc_issued": 7},
        ]);
        let totals =
            Totals(json!({"gstin": "g", "ret_period": "042026", "chksum": "c", "sec_sum": sections}));
        let expected = "\
gstin     g
period    042026
checksum  c

SECTION            RECORDS  VALUE    TAXABLE  IGST    CGST  SGST  CESS
B2B                2        1770.50  1500.42  270.08
  27AAPFU0939F1ZV  2        1770.50
DOC_ISSUE          1
";
        assert_eq!(totals.words(), expected);
    }

    #[test]
    fn a_summary_without_records_says_so() {
        assert_eq!(Totals(json!({})).words(), "nothing saved\n");
        let totals = Totals(json!({"sec_sum": [{"sec_nm": "AT", "ttl_rec": 0}]}));
        assert!(totals.words().ends_with("no section has records\n"));
    }

    #[test]
    fn each_code_of_a_refused_save_comes_once_with_what_to_do() {
        let row = |code: &str| {
            let mut row = RefusedRow::default();
            row.code = code.to_owned();
            row
        };
        let words = remedies(&[row("RET191190"), row("RET191175"), row("RET191190"), row("NO_SUCH_CODE")]);
        let codes: Vec<_> = words.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(codes, ["RET191175", "RET191190"]);
        assert_eq!(remedies(&[row("NO_SUCH_CODE")]), "");
    }

    #[test]
    fn a_section_is_a_name_and_nothing_else() {
        assert_eq!(section("b2b").unwrap(), "B2B");
        for bad in ["", "B2B&action=RETSUM", "B 2 B"] {
            section(bad).unwrap_err();
        }
    }
}
