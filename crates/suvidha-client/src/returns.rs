//! What all forms share: the state of an asynchronous job, the wait for it, and the list of returns that were filed.

use std::future::Future;

use gstn::ReturnPeriod;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;
use suvidha_seam::Seam;

use crate::api_call::ApiCall;
use crate::error::Error;
use crate::job::ReturnStatus;
use crate::patience::{Patience, Waiting};
use crate::taxpayer::Taxpayer;
use crate::tolerant::{day, list, parsed, read, text, yes};

const STATUS: &str = "taxpayerapi/v1.1/returns";
const TRACK: &str = "taxpayerapi/v0.3/returns";

/// RETTRACK: returns that were filed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FiledReturns {
    /// `EFiledlist`: each of them, in GSTN's order.
    #[serde(rename = "EFiledlist", deserialize_with = "list")]
    pub returns: Vec<FiledReturn>,
    /// GSTN's answer as it came.
    #[serde(skip)]
    pub raw: Value,
}

/// A return that was filed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FiledReturn {
    /// `rtntype`: the form, such as `GSTR1`.
    #[serde(rename = "rtntype", deserialize_with = "text")]
    pub form: String,
    /// `ret_prd`: of which period.
    #[serde(rename = "ret_prd", deserialize_with = "parsed")]
    pub period: Option<ReturnPeriod>,
    /// `dof`: filed on.
    #[serde(rename = "dof", deserialize_with = "day")]
    pub filed_on: Option<Date>,
    /// `arn`: the acknowledgement number.
    #[serde(deserialize_with = "text")]
    pub arn: String,
    /// `status`: `Filed`, as a rule.
    #[serde(deserialize_with = "text")]
    pub status: String,
    /// `mof`: the way it was filed, such as `ONLINE`.
    #[serde(rename = "mof", deserialize_with = "text")]
    pub mode: String,
    /// `valid`: whether it counts as a valid return.
    #[serde(deserialize_with = "yes")]
    pub valid: Option<bool>,
}

impl FiledReturns {
    pub(crate) fn read(answer: &[u8]) -> Result<Self, Error> {
        let (filed, raw) = read::<Self>(answer, "the list of returns filed")?;
        Ok(Self { raw, ..filed })
    }
}

impl Taxpayer {
    /// The returns of a period that the taxpayer has filed, of one `form` (`R1`, `R3B` …) or of all.
    /// [`Gsp::track_returns`](crate::Gsp::track_returns) tells it of anyone, a year at a time.
    ///
    /// # Errors
    /// [`Error::NoDocuments`] where there is none, and every other kind of [`Error`].
    pub async fn track_returns(
        &self,
        period: ReturnPeriod,
        form: Option<&str>,
    ) -> Result<FiledReturns, Error> {
        let call = ApiCall::get(TRACK, "RETTRACK").ret_period(period);
        let call = form.into_iter().fold(call, |call, form| call.query("type", form));
        FiledReturns::read(&self.call_text(call).await?)
    }

    /// RETSTATUS: what has become of a save, reset, proceed-to-file or offset, of any form.
    ///
    /// # Errors
    /// [`Error::Refused`] where GSTN knows no such job, and every other kind of [`Error`].
    pub async fn return_status(
        &self,
        period: ReturnPeriod,
        reference_id: &str,
    ) -> Result<ReturnStatus, Error> {
        let call = ApiCall::get(STATUS, "RETSTATUS").ret_period(period).query("ref_id", reference_id);
        job_status(self, call).await
    }

    /// Asks for the status until GSTN has finished, telling `progress` every status on the way. Drop the future to give
    /// up waiting: GSTN goes on with the job, and its reference id stays good.
    ///
    /// ```no_run
    /// use serde_json::json;
    /// use suvidha_client::Patience;
    ///
    /// # async fn example(taxpayer: suvidha_client::Taxpayer) -> Result<(), Box<dyn std::error::Error>> {
    /// let summary = json!({"gstin": taxpayer.gstin().as_str(), "ret_period": "042026"});
    /// let saved = taxpayer.call_raw("returns/gstr3b", "RETSAVE", summary).await?;
    /// let reference_id = saved["reference_id"].as_str().unwrap_or_default();
    /// let told = |status: &suvidha_client::ReturnStatus| println!("{}", status.progress);
    /// let status = taxpayer.wait_for("042026".parse()?, reference_id, Patience::default(), told).await?;
    /// println!("{} refused", status.refused.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::StillProcessing`] when patience ends first; otherwise as [`return_status`](Self::return_status), once
    /// there is no more forgiveness for it (see [`Patience`]).
    pub async fn wait_for(
        &self,
        period: ReturnPeriod,
        reference_id: &str,
        patience: Patience,
        progress: impl FnMut(&ReturnStatus),
    ) -> Result<ReturnStatus, Error> {
        let ask = || self.return_status(period, reference_id);
        until_done(self.seam(), reference_id, patience, ask, progress).await
    }
}

/// Asks for the status of a job until it is done.
pub(crate) async fn until_done<Asked: Future<Output = Result<ReturnStatus, Error>>>(
    seam: &Seam,
    reference_id: &str,
    patience: Patience,
    ask: impl Fn() -> Asked,
    mut progress: impl FnMut(&ReturnStatus),
) -> Result<ReturnStatus, Error> {
    let mut waiting = Waiting::start(patience, seam.clone());
    loop {
        match ask().await {
            Ok(status) => {
                waiting.answered();
                progress(&status);
                if status.progress.is_final() {
                    return Ok(status);
                }
            }
            Err(error) => waiting.forgive(error)?,
        }
        let Some(pause) = waiting.next_pause() else {
            return Err(Error::still_processing(reference_id));
        };
        tokio::time::sleep(pause).await;
    }
}

/// Asks once.
pub(crate) async fn job_status(taxpayer: &Taxpayer, call: ApiCall) -> Result<ReturnStatus, Error> {
    let action = call.action().to_owned();
    let raw = taxpayer.call(call).await.map_err(unknown_job)?;
    ReturnStatus::read(raw).ok_or_else(|| Error::Protocol {
        what: format!("GSTN's answer to {action} has no status"),
        request_id: None,
    })
}

/// The number under which GSTN works on something: `reference_id`, or `int_tran_id`.
pub(crate) fn job_number(reply: &[u8]) -> Result<String, Error> {
    text_of(reply, "reference_id").or_else(|error| text_of(reply, "int_tran_id").map_err(|_| error))
}

/// A text of an answer; [`Error::Protocol`] where it has none.
pub(crate) fn text_of(reply: &[u8], key: &str) -> Result<String, Error> {
    let reply: Value = serde_json::from_slice(reply).unwrap_or_default();
    let found = match reply.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    found.ok_or_else(|| Error::Protocol { what: format!("GSTN's answer has no {key}"), request_id: None })
}

/// What would come back from GSTN after a while is said at once: a payload of another taxpayer or period.
pub(crate) fn check_payload(
    json: &[u8],
    form: &str,
    period_key: &str,
    taxpayer: &Taxpayer,
    period: ReturnPeriod,
) -> Result<(), Error> {
    let payload: serde_json::Map<String, Value> = serde_json::from_slice(json)
        .map_err(|error| Error::Invalid(format!("the payload is not a {form} in JSON: {error}")))?;
    let of = |key: &str| payload.get(key).unwrap_or(&Value::Null);
    let (gstin, period) = (taxpayer.gstin().as_str(), period.to_string());
    if !of("gstin").as_str().is_some_and(|found| found.eq_ignore_ascii_case(gstin)) {
        let found = shown(of("gstin"));
        let what = format!("the payload's gstin is {found}, but the taxpayer logged in is {gstin:?}");
        return Err(Error::Invalid(what));
    }
    if *of(period_key) != period.as_str() {
        let found = shown(of(period_key));
        let what = format!("the payload's {period_key} is {found}, but the period asked for is {period:?}");
        return Err(Error::Invalid(what));
    }
    Ok(())
}

/// A value in its place in a message: a text in quotes, a number without.
fn shown(value: &Value) -> String {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null => "missing".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// To a question about a job, "nothing found" is no empty answer.
fn unknown_job(error: Error) -> Error {
    match error {
        Error::NoDocuments(mut refusal) => {
            refusal.remedy = Some("GSTN knows no such reference_id for this taxpayer and period.".to_owned());
            Error::Refused(refusal)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filed_returns_are_read_whatever_they_leave_out() {
        let json = br#"{"EFiledlist": [
            {"valid": "Y", "mof": "ONLINE", "dof": "20-05-2024", "ret_prd": "042024", "rtntype": "GSTR1", "arn": "AA1",
             "status": "Filed"},
            {"rtntype": "GSTR9", "ret_prd": "", "new": 1}]}"#;
        let filed = FiledReturns::read(json).unwrap();
        let [first, second] = &filed.returns[..] else { panic!("{filed:?}") };
        assert_eq!((first.filed_on, first.valid), (Some(jiff::civil::date(2024, 5, 20)), Some(true)));
        assert_eq!((first.period, second.period), (Some("042024".parse().unwrap()), None));
        assert_eq!(
            (second.form.as_str(), second.valid, filed.raw["EFiledlist"][1]["new"].as_i64()),
            ("GSTR9", None, Some(1))
        );
        assert!(FiledReturns::read(br#"{"EFiledlist": null}"#).unwrap().returns.is_empty());
    }
}
