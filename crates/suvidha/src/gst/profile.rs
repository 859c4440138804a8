//! `suvidha gst preference`, `turnover` and `late-fee`: what GSTN knows of a taxpayer beside its returns.

use clap::{Args, Subcommand, ValueEnum};
use gstn::FinancialYear;
use serde::Serialize;
use suvidha_client::{
    AnnualTurnover, Error, Filing, FilingPreferences, LateFee, LateReturn, Quarter, Rupees,
};

use crate::exit::Failure;
use crate::output::{Answer, Output, fields, table};

use super::inward::{answer, day};
use super::place::SessionPlace;
use super::returns::Period;

/// `suvidha gst preference …`.
#[derive(Debug, Subcommand)]
pub(crate) enum PreferenceCommand {
    /// How often the taxpayer files, by quarter
    Show(Year),
    /// Choose how often to file, from a quarter on
    Choose {
        #[command(flatten)]
        year: Year,
        /// The first quarter: Q1 is April to June
        #[arg(long)]
        quarter: Quarter,
        /// How often
        filing: HowOften,
    },
}

/// Which financial year.
#[derive(Debug, Args)]
pub(crate) struct Year {
    /// The financial year: 2026-27 begins on 1 April 2026
    #[arg(long, value_name = "YYYY-YY")]
    year: FinancialYear,
}

/// How often a taxpayer files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HowOften {
    /// Every month
    Monthly,
    /// Every quarter (QRMP)
    Quarterly,
}

impl PreferenceCommand {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let taxpayer = place.open()?;
        match self {
            Self::Show(Year { year }) => match taxpayer.filing_preferences(year).await {
                Err(Error::NoDocuments(_)) => output.show(&Preferences(FilingPreferences::default())),
                found => output.show(&Preferences(found?)),
            },
            Self::Choose { year: Year { year }, quarter, filing } => {
                let filing = match filing {
                    HowOften::Monthly => Filing::Monthly,
                    HowOften::Quarterly => Filing::Quarterly,
                };
                taxpayer.choose_filing(year, quarter, filing).await?;
                output.show(&Chosen { quarter: quarter.as_str(), preference: filing.as_str() })
            }
        }
    }
}

/// `suvidha gst turnover`.
pub(crate) async fn turnover(year: Year, place: &SessionPlace, output: Output) -> Result<(), Failure> {
    match place.open()?.annual_turnover(year.year).await {
        Err(Error::NoDocuments(_)) => output.show(&Turnover(AnnualTurnover::default())),
        found => output.show(&Turnover(found?)),
    }
}

/// `suvidha gst late-fee`.
pub(crate) async fn late_fee(period: Period, place: &SessionPlace, output: Output) -> Result<(), Failure> {
    output.show(&Late(place.open()?.late_fee(period.period).await?))
}

struct Preferences(FilingPreferences);

impl Serialize for Preferences {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        answer(&self.0.raw).serialize(serializer)
    }
}

impl Answer for Preferences {
    fn words(&self) -> String {
        let line = |(quarter, filing): &(Quarter, Filing)| {
            let filing = match filing {
                Filing::Quarterly => "quarterly",
                _ => "monthly",
            };
            [quarter.as_str().to_owned(), filing.to_owned()]
        };
        let rows: Vec<_> = self.0.quarters.iter().map(line).collect();
        if rows.is_empty() { "no quarter is known\n".to_owned() } else { table(["QUARTER", "FILES"], &rows) }
    }
}

#[derive(Serialize)]
struct Chosen {
    quarter: &'static str,
    preference: &'static str,
}

impl Answer for Chosen {
    fn words(&self) -> String {
        fields(&[("from", self.quarter.to_owned()), ("files", self.preference.to_owned())])
    }
}

struct Turnover(AnnualTurnover);

impl Serialize for Turnover {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        answer(&self.0.raw).serialize(serializer)
    }
}

impl Answer for Turnover {
    fn words(&self) -> String {
        let told = &self.0;
        let amount = |amount: Option<Rupees>| amount.map(|amount| amount.to_string()).unwrap_or_default();
        let line = |name: &str, own, pan| [name.to_owned(), amount(own), amount(pan)];
        let rows = [
            line("from returns filed", told.filed, told.pan_filed),
            line("estimated", told.estimated, told.pan_estimated),
            line("settled", told.settled, told.pan_settled),
        ];
        table(["TURNOVER", "OF THE GSTIN", "OF THE PAN"], &rows)
    }
}

struct Late(LateFee);

impl Serialize for Late {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        answer(&self.0.raw).serialize(serializer)
    }
}

impl Answer for Late {
    fn words(&self) -> String {
        let line = |late: &LateReturn| {
            let period = late.period.map(|period| period.to_string()).unwrap_or_default();
            [
                late.form.clone(),
                period,
                day(late.filed_on),
                late.days.to_string(),
                late.due_cgst.to_string(),
                late.due_sgst.to_string(),
            ]
        };
        let rows: Vec<_> = self.0.returns.iter().map(line).collect();
        if rows.is_empty() {
            return "no late fee\n".to_owned();
        }
        table(["FORM", "PERIOD", "FILED ON", "DAYS LATE", "CGST", "SGST"], &rows)
    }
}
