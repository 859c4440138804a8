//! What GSTN knows of a taxpayer beside its returns: how often it files, its turnover, and the late fee that it owes.

use gstn::{FinancialYear, ReturnPeriod};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api_call::ApiCall;
use crate::error::Error;
use crate::rupees::Rupees;
use crate::taxpayer::Taxpayer;
use crate::tolerant::{count, day, list, object, period, read, text, yes};

const RETURNS: &str = "taxpayerapi/v1.0/returns";
const LATE_FEE: &str = "taxpayerapi/v1.1/returns";

/// How often a taxpayer files (Rule 61A).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Filing {
    /// `M`: every month.
    Monthly,
    /// `Q`: every quarter, with monthly payment (QRMP).
    Quarterly,
}

impl Filing {
    /// GSTN's letter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monthly => "M",
            Self::Quarterly => "Q",
        }
    }

    fn read(text: &str) -> Option<Self> {
        match text {
            "M" | "m" => Some(Self::Monthly),
            "Q" | "q" => Some(Self::Quarterly),
            _ => None,
        }
    }
}

/// A quarter of a financial year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quarter {
    /// April to June.
    Q1,
    /// July to September.
    Q2,
    /// October to December.
    Q3,
    /// January to March.
    Q4,
}

impl Quarter {
    /// GSTN's name, `Q1` to `Q4`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Q1 => "Q1",
            Self::Q2 => "Q2",
            Self::Q3 => "Q3",
            Self::Q4 => "Q4",
        }
    }
}

/// From GSTN's name, in letters of either case.
impl std::str::FromStr for Quarter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let named = [Self::Q1, Self::Q2, Self::Q3, Self::Q4];
        let named = named.into_iter().find(|quarter| quarter.as_str().eq_ignore_ascii_case(text.trim()));
        named.ok_or_else(|| {
            Error::Invalid(format!("{text:?} is no quarter; there are Q1 (April to June) to Q4"))
        })
    }
}

/// GETPREF: how often a taxpayer files in the quarters of a year.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FilingPreferences {
    /// The quarters that are known, in GSTN's order.
    pub quarters: Vec<(Quarter, Filing)>,
    /// GSTN's answer as it came.
    pub raw: Value,
}

impl FilingPreferences {
    fn read(answer: &[u8]) -> Result<Self, Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Answer {
            #[serde(deserialize_with = "list")]
            response: Vec<Row>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Row {
            #[serde(deserialize_with = "text")]
            quarter: String,
            #[serde(deserialize_with = "text")]
            preference: String,
        }
        let (Answer { response }, raw) = read::<Answer>(answer, "the filing preference")?;
        let known = |row: &Row| Some((row.quarter.parse().ok()?, Filing::read(&row.preference)?));
        Ok(Self { quarters: response.iter().filter_map(known).collect(), raw })
    }
}

/// AATO: the annual aggregate turnover, of the GSTIN and of its PAN. What GSTN does not know is none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AnnualTurnover {
    /// `gsttofil`: of the GSTIN, from the returns filed.
    #[serde(rename = "gsttofil")]
    pub filed: Option<Rupees>,
    /// `pantofil`: of the PAN, from the returns filed.
    #[serde(rename = "pantofil")]
    pub pan_filed: Option<Rupees>,
    /// `estgstto`: of the GSTIN, estimated for the whole year.
    #[serde(rename = "estgstto")]
    pub estimated: Option<Rupees>,
    /// `estpanto`: of the PAN, estimated for the whole year.
    #[serde(rename = "estpanto")]
    pub pan_estimated: Option<Rupees>,
    /// `finalgstto`: of the GSTIN, as an officer settled it.
    #[serde(rename = "finalgstto")]
    pub settled: Option<Rupees>,
    /// `finalpanto`: of the PAN, as an officer settled it.
    #[serde(rename = "finalpanto")]
    pub pan_settled: Option<Rupees>,
    /// GSTN's answer as it came, with what the taxpayer declared (`tpdecto`).
    #[serde(skip)]
    pub raw: Value,
}

/// LATEFEEBREAKUP: the late fee that is paid with a GSTR-3B, and for which returns.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LateFee {
    /// `totcgstamnt`: central.
    pub cgst: Rupees,
    /// `totsgstamnt`: of the state.
    pub sgst: Rupees,
    /// `ltFeeDet`: the returns that were late.
    pub returns: Vec<LateReturn>,
    /// GSTN's answer as it came.
    pub raw: Value,
}

/// A return that was late.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LateReturn {
    /// `rtnTypOrg`: the form.
    #[serde(rename = "rtnTypOrg", deserialize_with = "text")]
    pub form: String,
    /// `rtnPrdOrg`: its period.
    #[serde(rename = "rtnPrdOrg", deserialize_with = "period")]
    pub period: Option<ReturnPeriod>,
    /// `filingDtOrg`: when it was filed.
    #[serde(rename = "filingDtOrg", deserialize_with = "day")]
    pub filed_on: Option<Date>,
    /// `isNilOrg`: whether there was no supply.
    #[serde(rename = "isNilOrg", deserialize_with = "yes")]
    pub nil: Option<bool>,
    /// `totalDays`: how many days it was late.
    #[serde(rename = "totalDays", deserialize_with = "count")]
    pub days: u64,
    /// `dueAmtCgst`: still to be paid, central.
    #[serde(rename = "dueAmtCgst")]
    pub due_cgst: Rupees,
    /// `dueAmtSgst`: still to be paid, of the state.
    #[serde(rename = "dueAmtSgst")]
    pub due_sgst: Rupees,
}

impl LateFee {
    fn read(answer: &[u8]) -> Result<Self, Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Answer {
            #[serde(rename = "priorPrdLtFee", deserialize_with = "object")]
            prior: Prior,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Prior {
            totcgstamnt: Rupees,
            totsgstamnt: Rupees,
            #[serde(rename = "ltFeeDet", deserialize_with = "list")]
            details: Vec<LateReturn>,
        }
        let (Answer { prior }, raw) = read::<Answer>(answer, "the late fee")?;
        Ok(Self { cgst: prior.totcgstamnt, sgst: prior.totsgstamnt, returns: prior.details, raw })
    }
}

impl Taxpayer {
    /// How often the taxpayer files, in the quarters of a year.
    ///
    /// # Errors
    /// [`Error::NoDocuments`] where GSTN knows of none, and every other kind of [`Error`].
    pub async fn filing_preferences(&self, year: FinancialYear) -> Result<FilingPreferences, Error> {
        let call = ApiCall::get(RETURNS, "GETPREF").query("fy", year.to_string());
        FilingPreferences::read(&self.call_text(call).await?)
    }

    /// Chooses how often to file in a quarter and those after it. GSTN takes it from the first day of the second month of the
    /// quarter before to the last day of the first month of the quarter.
    ///
    /// ```no_run
    /// use suvidha_client::{Filing, Quarter};
    ///
    /// # async fn example(taxpayer: suvidha_client::Taxpayer) -> Result<(), Box<dyn std::error::Error>> {
    /// taxpayer.choose_filing("2026-27".parse()?, Quarter::Q2, Filing::Quarterly).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] outside that time or where the turnover is too high, and every other kind of [`Error`].
    pub async fn choose_filing(
        &self,
        year: FinancialYear,
        quarter: Quarter,
        filing: Filing,
    ) -> Result<(), Error> {
        let payload = json!({
            "gstin": self.gstin().as_str(),
            "fy": year.to_string(),
            "quarter": quarter.as_str(),
            "preference": filing.as_str(),
        });
        self.call_text(ApiCall::put(RETURNS, "SAVEPREF").payload(&payload)?).await.map(drop)
    }

    /// The annual aggregate turnover of a year.
    ///
    /// # Errors
    /// [`Error::NoDocuments`] where GSTN knows of none, and every other kind of [`Error`].
    pub async fn annual_turnover(&self, year: FinancialYear) -> Result<AnnualTurnover, Error> {
        let call = ApiCall::get(RETURNS, "AATO").query("fy", year.to_string());
        let (turnover, raw) = read::<AnnualTurnover>(&self.call_text(call).await?, "the turnover")?;
        Ok(AnnualTurnover { raw, ..turnover })
    }

    /// The late fee that is paid with the GSTR-3B of `period`: that of returns before it.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn late_fee(&self, period: ReturnPeriod) -> Result<LateFee, Error> {
        let call = ApiCall::get(LATE_FEE, "LATEFEEBREAKUP").ret_period(period).query("rtn_typ", "R3B");
        LateFee::read(&self.call_text(call).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_told_quarter_by_quarter() {
        let json = br#"{"response": [{"quarter": "Q1", "preference": "M"}, {"quarter": "q2", "preference": "Q"}, {"quarter": "H1"}]}"#;
        let told = FilingPreferences::read(json).unwrap();
        assert_eq!(told.quarters, [(Quarter::Q1, Filing::Monthly), (Quarter::Q2, Filing::Quarterly)]);
        assert_eq!(told.raw["response"][2]["quarter"], "H1");
        assert!("Q5".parse::<Quarter>().is_err());
    }

    #[test]
    fn a_turnover_that_is_not_known_is_none_and_not_nothing() {
        let (told, _) =
            read::<AnnualTurnover>(br#"{"gsttofil": 0, "estpanto": 51000000.5, "tpdecto": []}"#, "it")
                .unwrap();
        assert_eq!((told.filed, told.pan_filed), (Some(Rupees::ZERO), None));
        assert_eq!(told.pan_estimated.map(Rupees::paise), Some(5_100_000_050));
    }

    #[test]
    fn the_late_fee_is_told_with_its_returns() {
        let json = br#"{"currLateFee": [{"cgst": 75, "sgst": 75}], "priorPrdLtFee": {"totcgstamnt": 75, "totsgstamnt": 75, "ltFeeDet": [
            {"rtnTypOrg": "GSTR3B", "rtnPrdOrg": "032026", "filingDtOrg": "23/04/2026", "isNilOrg": "N", "totalDays": 3,
             "dueAmtCgst": 75, "dueAmtSgst": 75}]}}"#;
        let fee = LateFee::read(json).unwrap();
        assert_eq!((fee.cgst.paise(), fee.returns[0].days, fee.returns[0].nil), (7_500, 3, Some(false)));
        assert!(LateFee::read(b"{}").unwrap().returns.is_empty());
    }
}
