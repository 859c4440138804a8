//! `suvidha gst ims`: what suppliers reported, accepted, rejected or kept pending.

use clap::{Args, Subcommand};
use gstn::Gstin;
use serde::Serialize;
use suvidha_client::{
    Error, Ims, ImsAction, ImsCounts, ImsDecision, ImsGoods, ImsRecord, ImsRecords, ImsSection, Patience,
    SuppliedDocument, SuppliedForm, SupplierView, Taxpayer,
};

use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output, table};

use super::inward::{answer, day, heads, kind, yes_no};
use super::large::whole_text;
use super::place::SessionPlace;
use super::returns::{Period, ended, show_started};

/// `suvidha gst ims …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ImsCommand {
    /// How many records there are, by section and action
    Count {
        /// Count bills of entry, in place of documents of suppliers
        #[arg(long)]
        imports: bool,
    },
    /// The records, and what was done with them
    List {
        /// Only this section: b2b, b2ba, b2bdn, b2bdna, b2bcn, b2bcna, ecom, ecoma, impg, impga, impgsez, impgseza
        section: Option<ImsSection>,
        /// Only records with this action
        #[arg(long, value_enum)]
        action: Option<Done>,
    },
    /// Accept records. What nobody acts on is accepted too, when GSTR-2B is made
    Accept(Act),
    /// Reject records: they give no credit, and a rejected credit note adds to the supplier's liability
    Reject(Act),
    /// Keep records for a later GSTR-2B
    Pending(Act),
    /// Take actions back
    Reset(Act),
    /// What recipients did with the taxpayer's own documents
    Supplier {
        #[command(flatten)]
        period: Period,
        /// Of GSTR-1A, in place of GSTR-1
        #[arg(long)]
        gstr1a: bool,
        /// Only rejections, and of them those that add to what is owed with the GSTR-3B of the period
        #[arg(long, conflicts_with = "gstr1a")]
        added: bool,
    },
}

/// An action, as options name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Done {
    /// Not acted on
    None,
    /// Accepted
    Accepted,
    /// Rejected
    Rejected,
    /// Kept pending
    Pending,
}

impl From<Done> for ImsAction {
    fn from(done: Done) -> Self {
        match done {
            Done::None => Self::None,
            Done::Accepted => Self::Accepted,
            Done::Rejected => Self::Rejected,
            Done::Pending => Self::Pending,
        }
    }
}

/// Which records are acted on, and how.
#[derive(Debug, Args)]
pub(crate) struct Act {
    /// Numbers of the documents
    #[arg(required_unless_present = "all")]
    numbers: Vec<String>,
    /// All records of the section and supplier named, or of all
    #[arg(long, conflicts_with = "numbers")]
    all: bool,
    /// Only records of this section
    #[arg(long)]
    section: Option<ImsSection>,
    /// Only records of this supplier
    #[arg(long, value_name = "GSTIN")]
    supplier: Option<Gstin>,
    /// Why; the supplier sees it
    #[arg(long, value_name = "TEXT")]
    remarks: Option<String>,
    /// With the acceptance of what takes credit away: that none of that credit was claimed, so nothing is reversed. Takes
    /// --remarks
    #[arg(long)]
    reverse_nothing: bool,
    /// Wait until GSTN has done it, and say what was refused
    #[arg(long)]
    wait: bool,
}

impl ImsCommand {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let taxpayer = place.open()?;
        let ims = taxpayer.ims();
        match self {
            Self::Count { imports } => {
                let goods = if imports { ImsGoods::Imports } else { ImsGoods::Suppliers };
                output.show(&Counted(ims.counts(goods).await?))
            }
            Self::List { section, action } => {
                output.show(&Listed(records(&taxpayer, section, action.map(ImsAction::from)).await?))
            }
            Self::Accept(act) => act.run(&taxpayer, ImsRecord::accept, output).await,
            Self::Reject(act) => act.run(&taxpayer, ImsRecord::reject, output).await,
            Self::Pending(act) => act.run(&taxpayer, ImsRecord::keep_pending, output).await,
            Self::Reset(act) => {
                let found = records(&taxpayer, act.section, None).await?;
                let id = ims.reset(act.chosen(&found, true)?).await?;
                finish(&ims, id, act.wait, output).await
            }
            Self::Supplier { period, gstr1a, added } => {
                let form = if gstr1a { SuppliedForm::Gstr1a } else { SuppliedForm::Gstr1 };
                let view = match added {
                    true => ims.added_back(period.period).await,
                    false => ims.supplier_view(period.period, form).await,
                };
                match view {
                    Err(Error::NoDocuments(_)) => output.show(&Supplied(SupplierView::default())),
                    view => output.show(&Supplied(view?)),
                }
            }
        }
    }
}

async fn records(
    taxpayer: &Taxpayer,
    section: Option<ImsSection>,
    action: Option<ImsAction>,
) -> Result<ImsRecords, Failure> {
    match taxpayer.ims().invoices(section, action).await {
        Err(Error::NoDocuments(_)) => Ok(ImsRecords::default()),
        Err(Error::Queued(queued)) => Ok(ImsRecords::read(&whole_text(taxpayer, &queued).await?)?),
        found => Ok(found?),
    }
}

async fn finish(ims: &Ims, id: String, wait: bool, output: Output) -> Result<(), Failure> {
    if !wait {
        return show_started(id, output);
    }
    ended(ims.wait(&id, Patience::default()).await?, id, output)
}

impl Act {
    async fn run(
        &self,
        taxpayer: &Taxpayer,
        decide: fn(&ImsRecord) -> ImsDecision,
        output: Output,
    ) -> Result<(), Failure> {
        let found = records(taxpayer, self.section, None).await?;
        let decision = |record: &ImsRecord| {
            let decision = decide(record);
            let decision = if self.reverse_nothing { decision.reverse_nothing() } else { decision };
            match &self.remarks {
                Some(remarks) => decision.remarks(remarks),
                None => decision,
            }
        };
        let id = taxpayer.ims().act(self.chosen(&found, false)?.into_iter().map(decision)).await?;
        finish(&taxpayer.ims(), id, self.wait, output).await
    }

    /// The records that are meant: each number must be found, and only once.
    fn chosen<'a>(&self, found: &'a ImsRecords, acted_on: bool) -> Result<Vec<&'a ImsRecord>, Failure> {
        let supplier = self.supplier.map(|gstin| gstin.to_string());
        let is_possible =
            |record: &&ImsRecord| supplier.as_ref().is_none_or(|supplier| *supplier == record.supplier);
        let possible = || found.records.iter().filter(is_possible);
        if self.all {
            let wanted = |record: &&ImsRecord| !acted_on || record.action != ImsAction::None;
            return Ok(possible().filter(wanted).collect());
        }
        let one = |number: &String| {
            let mut meant = possible().filter(|record| record.number.eq_ignore_ascii_case(number));
            match (meant.next(), meant.next()) {
                (Some(record), None) => Ok(record),
                (Some(_), Some(_)) => {
                    Err(Failure::new(Exit::Data, format_args!("there are several records {number}"))
                        .remedy("Say which with --supplier or --section."))
                }
                _ => Err(Failure::new(Exit::Data, format_args!("there is no record {number} in IMS"))
                    .remedy("`suvidha gst ims list` tells what there is.")),
            }
        };
        self.numbers.iter().map(one).collect()
    }
}

struct Counted(ImsCounts);

impl Serialize for Counted {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.raw.serialize(serializer)
    }
}

impl Answer for Counted {
    fn words(&self) -> String {
        let numbers = |count: &suvidha_client::ImsCount| {
            [count.untouched, count.accepted, count.rejected, count.pending].map(|number| number.to_string())
        };
        let line = |(section, count): (&String, &suvidha_client::ImsCount)| {
            let [untouched, accepted, rejected, pending] = numbers(count);
            [section.clone(), untouched, accepted, rejected, pending]
        };
        let rows: Vec<_> = self.0.sections.iter().map(line).collect();
        table(["SECTION", "NOT ACTED ON", "ACCEPTED", "REJECTED", "PENDING"], &rows)
    }
}

struct Listed(ImsRecords);

impl Serialize for Listed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        answer(&self.0.raw).serialize(serializer)
    }
}

pub(crate) fn action(action: ImsAction) -> &'static str {
    match action {
        ImsAction::Accepted => "accepted",
        ImsAction::Rejected => "rejected",
        ImsAction::Pending => "pending",
        _ => "-",
    }
}

impl Answer for Listed {
    fn words(&self) -> String {
        let line = |record: &ImsRecord| {
            let [igst, cgst, sgst, cess] = heads(&record.taxes);
            [
                record.section.as_str().to_owned(),
                record.supplier.clone(),
                record.number.clone(),
                day(record.date),
                yes_no(record.filed).to_owned(),
                action(record.action).to_owned(),
                record.taxes.taxable.to_string(),
                igst,
                cgst,
                sgst,
                cess,
            ]
        };
        let rows: Vec<_> = self.0.records.iter().map(line).collect();
        if rows.is_empty() {
            return "no records\n".to_owned();
        }
        let headings = [
            "SECTION", "SUPPLIER", "NUMBER", "DATE", "FILED", "ACTION", "TAXABLE", "IGST", "CGST", "SGST",
            "CESS",
        ];
        table(headings, &rows)
    }
}

struct Supplied(SupplierView);

impl Serialize for Supplied {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        answer(&self.0.raw).serialize(serializer)
    }
}

impl Answer for Supplied {
    fn words(&self) -> String {
        let line = |document: &SuppliedDocument| {
            let [igst, cgst, sgst, cess] = heads(&document.taxes);
            [
                document.section.clone(),
                document.recipient.clone(),
                kind(document.note, ""),
                document.number.clone(),
                day(document.date),
                action(document.action).to_owned(),
                document.remarks.clone(),
                igst,
                cgst,
                sgst,
                cess,
            ]
        };
        let rows: Vec<_> = self.0.documents.iter().map(line).collect();
        if rows.is_empty() {
            return "no documents\n".to_owned();
        }
        let headings = [
            "SECTION",
            "RECIPIENT",
            "KIND",
            "NUMBER",
            "DATE",
            "ACTION",
            "REMARKS",
            "IGST",
            "CGST",
            "SGST",
            "CESS",
        ];
        table(headings, &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(numbers: &[&str]) -> Act {
        Act {
            numbers: numbers.iter().map(|number| (*number).to_owned()).collect(),
            all: numbers.is_empty(),
            section: None,
            supplier: None,
            remarks: None,
            reverse_nothing: false,
            wait: false,
        }
    }

    #[test]
    fn a_number_means_one_record_or_none() {
        let found = ImsRecords::read(
            br#"{"b2b": [{"stin": "27AAPFU0939F1ZV", "inum": "A1"}, {"stin": "33AANCS2882A1ZG", "inum": "A1"},
                {"stin": "33AANCS2882A1ZG", "inum": "A2", "action": "R"}]}"#,
        )
        .unwrap();
        let said = |act: &Act| act.chosen(&found, false).unwrap_err().to_string();
        assert_eq!(act(&["a2"]).chosen(&found, false).unwrap()[0].number, "A2");
        assert!(said(&act(&["A1"])).contains("several") && said(&act(&["A3"])).contains("no record A3"));
        let one = Act { supplier: Some("27AAPFU0939F1ZV".parse().unwrap()), ..act(&["A1"]) };
        assert_eq!(one.chosen(&found, false).unwrap().len(), 1);
        assert_eq!(act(&[]).chosen(&found, false).unwrap().len(), 3);
        assert_eq!(act(&[]).chosen(&found, true).unwrap().len(), 1, "a reset is of what was acted on");
        assert!(Listed(found).words().contains("rejected"));
    }
}
