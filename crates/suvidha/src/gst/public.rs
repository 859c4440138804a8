//! `suvidha gst search` and `track`: what anyone may know of a taxpayer.

use clap::Args;
use gstn::{FinancialYear, Gstin, ReturnPeriod};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use suvidha_client::{Error, FiledReturn, FiledReturns};

use crate::exit::{Exit, Failure};
use crate::india::today;
use crate::output::{Answer, Output, fields, table};

use super::connection::GatewayOptions;
use super::place::{SessionPlace, not_logged_in};

/// `suvidha gst search`.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Whom to look up
    gstin: Gstin,
    #[command(flatten)]
    gateway: GatewayOptions,
}

impl Search {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let gsp = self.gateway.gsp(place)?;
        output.show(&Found(gsp.search(&self.gstin).await?.raw))
    }
}

/// `suvidha gst track`.
#[derive(Debug, Args)]
pub(crate) struct Track {
    /// Whose returns; those of the taxpayer who is logged in when left out
    gstin: Option<Gstin>,
    /// The financial year, 2026-27; the present one when left out
    #[arg(long, value_name = "YYYY-YY")]
    year: Option<FinancialYear>,
    /// Only returns of this form: R1, R3B, R9, …
    #[arg(long)]
    form: Option<String>,
    #[command(flatten)]
    gateway: GatewayOptions,
}

impl Track {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let gstin = match self.gstin {
            Some(gstin) => gstin,
            None => place.login()?.ok_or_else(not_logged_in)?.taxpayer()?,
        };
        let year = self.year.or_else(|| year_of(place.seam().now()));
        let year =
            year.ok_or_else(|| Failure::new(Exit::Usage, "this computer's clock shows no such year"))?;
        let gsp = self.gateway.gsp(place)?;
        match gsp.track_returns(&gstin, year, self.form.as_deref()).await {
            Ok(filed) => output.show(&Filed(filed)),
            Err(Error::NoDocuments(_)) => output.show(&Filed(FiledReturns::default())),
            Err(error) => Err(error.into()),
        }
    }
}

/// The financial year in India.
fn year_of(now: Timestamp) -> Option<FinancialYear> {
    let date = today(now);
    Some(ReturnPeriod::new(date.year().try_into().ok()?, date.month().unsigned_abs())?.financial_year())
}

/// The returns that were filed; a program gets what GSTN answered.
struct Filed(FiledReturns);

impl Serialize for Filed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.raw {
            Value::Null => json!({"EFiledlist": []}).serialize(serializer),
            raw => raw.serialize(serializer),
        }
    }
}

impl Answer for Filed {
    fn words(&self) -> String {
        let row = |filed: &FiledReturn| {
            let period = filed.period.map(|period| period.to_string()).unwrap_or_default();
            let filed_on = filed.filed_on.map(|date| date.to_string()).unwrap_or_default();
            [filed.form.clone(), period, filed_on, filed.arn.clone(), filed.status.clone()]
        };
        let rows: Vec<_> = self.0.returns.iter().map(row).collect();
        if rows.is_empty() {
            return "nothing filed\n".to_owned();
        }
        table(["FORM", "PERIOD", "FILED ON", "ARN", "STATUS"], &rows)
    }
}

/// The register's entry, as GSTN gives it.
#[derive(Serialize)]
struct Found(Value);

impl Answer for Found {
    fn words(&self) -> String {
        let text = |key: &str| self.0.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let lines = [
            ("gstin", text("gstin")),
            ("legal name", text("lgnm")),
            ("trade name", text("tradeNam")),
            ("status", text("sts")),
            ("kind", text("dty")),
            ("constitution", text("ctb")),
            ("registered", text("rgdt")),
            ("cancelled", text("cxdt")),
            ("address", address(&self.0["pradr"]["addr"])),
        ];
        fields(&lines.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>())
    }
}

/// From the door outwards, as on an envelope.
fn address(address: &Value) -> String {
    let parts = ["flno", "bno", "bnm", "st", "loc", "city", "dst", "stcd", "pncd"];
    let parts = parts.iter().filter_map(|part| address.get(part)?.as_str());
    let mut parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    parts.dedup();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_turns_at_midnight_in_india() {
        let year = |at: &str| year_of(at.parse().unwrap()).unwrap().to_string();
        assert_eq!(year("2026-03-31T18:29:59Z"), "2025-26");
        assert_eq!(year("2026-03-31T18:30:00Z"), "2026-27");
    }

    #[test]
    fn only_what_is_known_is_shown_and_once() {
        let found = Found(json!({"gstin": "33AANCS2882A1ZG", "lgnm": "Sample", "cxdt": "",
            "pradr": {"addr": {"bno": "12", "st": "", "dst": "Tamil Nadu", "stcd": "Tamil Nadu", "pncd": "600001"}}}));
        let expected =
            "gstin       33AANCS2882A1ZG\nlegal name  Sample\naddress     12, Tamil Nadu, 600001\n";
        assert_eq!(found.words(), expected);
    }
}
