//! What becomes of a taxpayer after it was made: what an officer or the taxpayer does, and an API cannot.

use gstn::{Gstin, ReturnPeriod};
use jiff::civil::Date;
use rusqlite::{Transaction, params};
use serde::{Deserialize, Deserializer};

use crate::calendar::period_of;
use crate::forms::Frequency;
use crate::preferences::quarter_name;
use crate::taxpayers::{
    self, CONSENT_MINUTES, Registration, Scheme, Taxpayer, TaxpayerError, insert, whole_rupees,
};

/// What is to change about a taxpayer; whatever is left out stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TaxpayerChange {
    /// Whether API access is switched on at the portal.
    api_access: Option<bool>,
    /// What a search says about the registration, as long as no date below has come.
    status: Option<Registration>,
    /// The day from which the registration is suspended; null takes the suspension back.
    #[serde(deserialize_with = "given")]
    suspended_on: Option<Option<Date>>,
    /// The day from which the registration is cancelled; null takes the cancellation back.
    #[serde(deserialize_with = "given")]
    cancelled_on: Option<Option<Date>>,
    legal_name: Option<String>,
    trade_name: Option<String>,
    scheme: Option<Scheme>,
    /// Aggregate turnover of the PAN in the year before, in rupees.
    turnover: Option<f64>,
    /// How often returns are filed, from the quarter of `filing_from` on.
    filing: Option<Frequency>,
    /// `MMYYYY`; the present period when left out.
    filing_from: Option<ReturnPeriod>,
    /// How long the consent lasts from the next OTP on, in minutes.
    consent_minutes: Option<u32>,
}

/// A member that is there, perhaps as null.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Date>>, D::Error> {
    Option::<Date>::deserialize(deserializer).map(Some)
}

/// Changes a taxpayer; false when there is none with this GSTIN.
pub(crate) fn change(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    today: Date,
    change: &TaxpayerChange,
) -> Result<bool, TaxpayerError> {
    let Some(was) = taxpayers::by_gstin(tx, gstin, "")? else { return Ok(false) };
    if let Some(minutes) = change.consent_minutes.filter(|minutes| !CONSENT_MINUTES.contains(minutes)) {
        return Err(TaxpayerError::Consent(minutes));
    }
    let is = Taxpayer {
        api_access: change.api_access.unwrap_or(was.api_access),
        status: change.status.unwrap_or(was.status),
        suspended_on: change.suspended_on.unwrap_or(was.suspended_on),
        cancelled_on: change.cancelled_on.unwrap_or(was.cancelled_on),
        legal_name: change.legal_name.clone().unwrap_or(was.legal_name),
        trade_name: change.trade_name.clone().unwrap_or(was.trade_name),
        scheme: change.scheme.unwrap_or(was.scheme),
        turnover: change.turnover.map_or(Ok(was.turnover), whole_rupees)?,
        consent_minutes: change.consent_minutes.or(was.consent_minutes),
        ..was
    };
    tx.execute("DELETE FROM taxpayers WHERE gstin = ?1", [gstin.as_str()])?;
    insert(tx, &is)?;
    if let Some(filing) = change.filing {
        let from = change.filing_from.or_else(|| period_of(today)).ok_or(TaxpayerError::FilingFrom)?;
        tx.execute(
            "INSERT OR REPLACE INTO filing_preferences (gstin, quarter, frequency) VALUES (?1, ?2, ?3)",
            params![gstin.as_str(), quarter_name(from), filing.as_str()],
        )?;
    } else if change.filing_from.is_some() {
        return Err(TaxpayerError::FilingFrom);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use suvidha_seam::Seam;

    use super::*;
    use crate::db::Db;
    use crate::preferences::frequency;
    use crate::taxpayers::NewTaxpayer;

    #[test]
    fn what_is_left_out_stays_and_dates_decide_what_a_search_says() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let wanted: NewTaxpayer = serde_json::from_str(r#"{"trade_name":"Asha","turnover":123456}"#).unwrap();
        let made = db.write(|tx| taxpayers::create(tx, &Seam::system(), "575757", wanted)).unwrap();
        let made = db.read(|tx| taxpayers::by_gstin(tx, &made.gstin, "575757")).unwrap().unwrap();
        let today = date(2026, 5, 20);
        let changed = |json: &str| {
            let what: TaxpayerChange = serde_json::from_str(json).unwrap();
            db.write(|tx| change(tx, &made.gstin, today, &what)).map_err(|error| error.to_string())?;
            Ok::<_, String>(db.read(|tx| taxpayers::by_gstin(tx, &made.gstin, "575757")).unwrap().unwrap())
        };
        assert_eq!(changed("{}").unwrap(), made);
        let is = changed(r#"{"suspended_on":"2026-06-01","cancelled_on":"2026-07-01"}"#).unwrap();
        assert_eq!((&is.trade_name, is.turnover), (&"Asha".to_owned(), 123_456));
        for (day, status) in [
            (date(2026, 5, 31), Registration::Active),
            (date(2026, 6, 1), Registration::Suspended),
            (date(2026, 7, 1), Registration::Cancelled),
        ] {
            assert_eq!(is.status_on(day), status, "{day}");
        }
        let is = changed(r#"{"suspended_on":null,"cancelled_on":null}"#).unwrap();
        assert_eq!(is.status_on(date(2030, 1, 1)), Registration::Active);
        changed(r#"{"filing":"quarterly"}"#).unwrap();
        let filing =
            |period: &str| db.read(|tx| frequency(tx, &made.gstin, period.parse().unwrap())).unwrap();
        assert_eq!((filing("032026"), filing("042026")), (Frequency::Monthly, Frequency::Quarterly));
        assert!(changed(r#"{"turnover":-1}"#).unwrap_err().contains("turnover"));
        assert!(changed(r#"{"filing_from":"042026"}"#).unwrap_err().contains("filing"));
    }
}
