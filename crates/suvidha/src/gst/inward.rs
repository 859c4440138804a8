//! `suvidha gst 2a` and `2b`: what suppliers reported, and the credit that follows from it.

use clap::{Args, Subcommand};
use gstn::Gstin;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};
use suvidha_client::{
    Error, Gstr2aDocument, Gstr2aFilter, Gstr2aRows, Gstr2aSection, Gstr2b, Gstr2bDocument, Gstr2bStatement,
    Gstr2bSummary, ItcGroups, Note, Patience, Rupees, Taxes,
};

use crate::exit::Failure;
use crate::output::{Answer, Output, fields, table};

use super::large::whole_text;
use super::place::SessionPlace;
use super::returns::{Period, ended, show_started};

/// `suvidha gst 2a`.
#[derive(Debug, Args)]
pub(crate) struct Gstr2a {
    #[command(flatten)]
    period: Period,
    /// Which section: B2B, B2BA, CDN, CDNA, ISD, ISDA, TDS, TDSA, TCS, IMPG, IMPGSEZ, ECOM, ECOMA
    section: Gstr2aSection,
    /// Only documents of this supplier
    #[arg(long, value_name = "GSTIN")]
    ctin: Option<Gstin>,
    /// Only what changed, or was filed, on this day or later: 2026-04-01 is 1 April 2026
    #[arg(long, value_name = "YYYY-MM-DD")]
    since: Option<Date>,
}

/// `suvidha gst 2b …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Gstr2bCommand {
    /// What the statement adds up to
    Show(Period),
    /// Its documents, with those rejected in IMS at the end
    Documents(Period),
    /// Have it made again, after actions in IMS or a GSTR-3B that was late
    Regenerate {
        #[command(flatten)]
        period: Period,
        /// Wait until GSTN has made it
        #[arg(long)]
        wait: bool,
    },
}

impl Gstr2a {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let taxpayer = place.open()?;
        let filter = Gstr2aFilter { supplier: self.ctin, since: self.since };
        let rows = match taxpayer.gstr2a(self.period.period, self.section, filter).await {
            Err(Error::NoDocuments(_)) => Gstr2aRows::default(),
            Err(Error::Queued(queued)) => {
                Gstr2aRows::read(self.section, &whole_text(&taxpayer, &queued).await?)?
            }
            rows => rows?,
        };
        output.show(&Reported(rows))
    }
}

struct Reported(Gstr2aRows);

impl Serialize for Reported {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        answer(&self.0.raw).serialize(serializer)
    }
}

/// What GSTN answered; nothing is an empty object.
pub(super) fn answer(raw: &Value) -> Value {
    if raw.is_null() { json!({}) } else { raw.clone() }
}

impl Answer for Reported {
    fn words(&self) -> String {
        let line = |document: &Gstr2aDocument| {
            let [igst, cgst, sgst, cess] = heads(&document.taxes);
            [
                document.supplier.clone(),
                yes_no(document.filed).to_owned(),
                document.period.map(|period| period.to_string()).unwrap_or_default(),
                kind(document.note, &document.kind),
                document.number.clone(),
                day(document.date),
                document.value.to_string(),
                document.taxes.taxable.to_string(),
                igst,
                cgst,
                sgst,
                cess,
            ]
        };
        let rows: Vec<_> = self.0.documents.iter().map(line).collect();
        if rows.is_empty() {
            return "nothing reported\n".to_owned();
        }
        let headings = [
            "SUPPLIER", "FILED", "PERIOD", "KIND", "NUMBER", "DATE", "VALUE", "TAXABLE", "IGST", "CGST",
            "SGST", "CESS",
        ];
        table(headings, &rows)
    }
}

pub(super) fn kind(note: Option<Note>, kind: &str) -> String {
    match note {
        Some(Note::Credit) => "credit note".to_owned(),
        Some(Note::Debit) => "debit note".to_owned(),
        _ => kind.to_owned(),
    }
}

pub(super) fn heads(taxes: &Taxes) -> [String; 4] {
    [taxes.igst, taxes.cgst, taxes.sgst, taxes.cess].map(|amount: Rupees| amount.to_string())
}

pub(super) fn day(day: Option<Date>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

pub(super) fn yes_no(told: Option<bool>) -> &'static str {
    match told {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    }
}

impl Gstr2bCommand {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let taxpayer = place.open()?;
        match self {
            Self::Show(period) => match taxpayer.gstr2b(period.period).summary().await {
                Err(Error::NoDocuments(_)) => output.show(&Summed(None)),
                Err(Error::Queued(queued)) => {
                    let whole =
                        taxpayer.gstr2b(period.period).from_files(&queued, Patience::default()).await?;
                    output.show(&Summed(Some(whole.into())))
                }
                summary => output.show(&Summed(Some(summary?.into()))),
            },
            Self::Documents(period) => {
                let statement = match taxpayer.gstr2b(period.period).statement().await {
                    Err(Error::NoDocuments(_)) => Gstr2bStatement::default(),
                    Err(Error::Queued(queued)) => {
                        taxpayer.gstr2b(period.period).from_files(&queued, Patience::default()).await?
                    }
                    statement => statement?,
                };
                output.show(&Documents(statement))
            }
            Self::Regenerate { period, wait } => {
                regenerate(&taxpayer.gstr2b(period.period), wait, output).await
            }
        }
    }
}

async fn regenerate(gstr2b: &Gstr2b, wait: bool, output: Output) -> Result<(), Failure> {
    match gstr2b.regenerate().await? {
        None => output.show(&Unchanged { unchanged: true }),
        Some(id) if wait => ended(gstr2b.wait(&id, Patience::default()).await?, id, output),
        Some(id) => show_started(id, output),
    }
}

#[derive(Serialize)]
struct Unchanged {
    unchanged: bool,
}

impl Answer for Unchanged {
    fn words(&self) -> String {
        "nothing has changed since it was made\n".to_owned()
    }
}

struct Summed(Option<Sums>);

/// What a summary and a whole statement have in common.
struct Sums {
    head: Vec<(&'static str, String)>,
    groups: Vec<(&'static str, ItcGroups)>,
    raw: Value,
}

impl From<Gstr2bSummary> for Sums {
    fn from(summary: Gstr2bSummary) -> Self {
        let head = vec![("generated", day(summary.generated_on)), ("parts", summary.parts.to_string())];
        Self::new(head, summary.summary, summary.raw)
    }
}

impl From<Gstr2bStatement> for Sums {
    fn from(statement: Gstr2bStatement) -> Self {
        Self::new(vec![("generated", day(statement.generated_on))], statement.summary, statement.raw)
    }
}

impl Sums {
    fn new(head: Vec<(&'static str, String)>, summary: suvidha_client::ItcSummary, raw: Value) -> Self {
        let groups = vec![
            ("available", summary.available),
            ("not available", summary.unavailable),
            ("to be reversed", summary.reversal),
            ("rejected", summary.rejected),
        ];
        Self { head, groups, raw }
    }
}

impl Serialize for Summed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        answer(self.0.as_ref().map_or(&Value::Null, |sums| &sums.raw)).serialize(serializer)
    }
}

impl Answer for Summed {
    fn words(&self) -> String {
        let Some(sums) = &self.0 else { return "no documents\n".to_owned() };
        let mut rows = Vec::new();
        for (name, group) in &sums.groups {
            let kinds = [
                ("other supplies", group.other_supplies.total),
                ("distributors", group.distributors.total),
                ("reverse charge", group.reverse_charge.total),
                ("imports", group.imports.total),
                ("credit notes", group.credit_notes.total),
            ];
            for (kind, taxes) in kinds.into_iter().filter(|(_, taxes)| *taxes != Taxes::default()) {
                let [igst, cgst, sgst, cess] = heads(&taxes);
                rows.push([(*name).to_owned(), kind.to_owned(), igst, cgst, sgst, cess]);
            }
            let [igst, cgst, sgst, cess] = heads(&group.net());
            rows.push([(*name).to_owned(), "net".to_owned(), igst, cgst, sgst, cess]);
        }
        let headings = ["CREDIT", "OF", "IGST", "CGST", "SGST", "CESS"];
        format!("{}\n{}", fields(&sums.head), table(headings, &rows))
    }
}

struct Documents(Gstr2bStatement);

impl Serialize for Documents {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        answer(&self.0.raw).serialize(serializer)
    }
}

impl Answer for Documents {
    fn words(&self) -> String {
        let statement = &self.0;
        let line = |document: &Gstr2bDocument, credit: &str| {
            let [igst, cgst, sgst, cess] = heads(&document.taxes);
            [
                document.section.clone(),
                document.supplier.clone(),
                kind(document.note, &document.kind),
                document.number.clone(),
                day(document.date),
                credit.to_owned(),
                document.reason.clone(),
                document.taxes.taxable.to_string(),
                igst,
                cgst,
                sgst,
                cess,
            ]
        };
        let counted = statement
            .documents
            .iter()
            .map(|document| line(document, if document.is_available() { "yes" } else { "no" }));
        let rejected = statement.rejected.iter().map(|document| line(document, "rejected"));
        let rows: Vec<_> = counted.chain(rejected).collect();
        if rows.is_empty() {
            return "no documents\n".to_owned();
        }
        let headings = [
            "SECTION", "SUPPLIER", "KIND", "NUMBER", "DATE", "CREDIT", "WHY", "TAXABLE", "IGST", "CGST",
            "SGST", "CESS",
        ];
        table(headings, &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invoice_that_is_not_filed_yet_is_a_line_that_says_so() {
        let json = r#"{"b2b": [{"ctin": "27AAPFU0939F1ZV", "cfs": "N", "inv": [{"inum": "A1", "idt": "05-04-2026", "val": 118,
            "inv_typ": "R", "itms": [{"num": 1, "itm_det": {"rt": 18, "txval": 100, "iamt": 18}}]}]}]}"#;
        let rows = Gstr2aRows::read(Gstr2aSection::B2b, json.as_bytes()).unwrap();
        let expected = "\
SUPPLIER         FILED  PERIOD  KIND  NUMBER  DATE        VALUE   TAXABLE  IGST   CGST  SGST  CESS
27AAPFU0939F1ZV  no             R     A1      2026-04-05  118.00  100.00   18.00  0.00  0.00  0.00
";
        assert_eq!(Reported(rows).words(), expected);
        assert_eq!(Reported(Gstr2aRows::default()).words(), "nothing reported\n");
    }

    #[test]
    fn a_statement_shows_its_sums_and_its_documents() {
        let json = r#"{"data": {"gendt": "14-05-2026", "itcsumm": {"itcavl": {"nonrevsup": {"igst": 18}, "othersup": {"igst": 8}}},
            "docdata": {"b2b": [{"ctin": "A", "inv": [{"inum": "1", "typ": "R", "itcavl": "N", "rsn": "P", "igst": 18}]}]},
            "docRejdata": {"cdnr": [{"ctin": "B", "nt": [{"ntnum": "2", "typ": "C", "igst": 1}]}]}}}"#;
        let statement = Gstr2bStatement::read([json.as_bytes()]).unwrap();
        let words = Documents(statement.clone()).words();
        let lines: Vec<Vec<&str>> = words.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1][..6], ["b2b", "A", "R", "1", "no", "P"]);
        assert!(
            words.lines().any(|line| line.contains("credit note") && line.contains("rejected")),
            "{words}"
        );
        let words = Summed(Some(statement.into())).words();
        assert!(words.starts_with("generated  2026-05-14\n"), "{words}");
        assert!(
            words
                .lines()
                .any(|line| line.starts_with("available") && line.contains("net") && line.contains("10.00")),
            "{words}"
        );
        assert_eq!(Summed(None).words(), "no documents\n");
    }
}
