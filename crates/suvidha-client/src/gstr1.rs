//! GSTR-1, the return of outward supplies: save, status, read back, summary, reset, file.

use gstn::{Pan, ReturnPeriod};
use serde_json::{Value, json};

use crate::api_call::ApiCall;
use crate::error::Error;
use crate::job::ReturnStatus;
use crate::patience::Patience;
use crate::summary::{Summary, SummaryKind};
use crate::taxpayer::Taxpayer;

/// Newest versions seen in the field (gstn.md 3.1, 3.2).
const SAVE: &str = "taxpayerapi/v4.1/returns/gstr1";
const READ: &str = "taxpayerapi/v4.0/returns/gstr1";
const PROCEED: &str = "taxpayerapi/v1.1/returns/gstrptf";
const FORM: &str = "GSTR1";
/// GSTR-1 in EVCOTP's `form_type`.
const EVC_FORM: &str = "R1";

/// One taxpayer's GSTR-1 of one period. What is saved is closed to changes, and then filed:
///
/// ```no_run
/// # use suvidha_client::{Error, Gstr1, Pan, Patience, Progress, SummaryKind};
/// # async fn example(gstr1: Gstr1, pan: Pan, ask_for_otp: impl Fn() -> String) -> Result<(), Error> {
/// let reference_id = gstr1.new_proceed_to_file(false).await?;
/// let status = gstr1.wait(&reference_id, Patience::default()).await?;
/// assert_eq!(status.progress, Progress::Processed, "GSTN says what is missing: {:?}", status.refused);
///
/// let summary = gstr1.summary(SummaryKind::Short).await?;
/// gstr1.request_evc_otp(&pan).await?;
/// let arn = gstr1.file_with_evc(&summary, &pan, &ask_for_otp()).await?;
/// println!("filed: {arn}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Gstr1 {
    taxpayer: Taxpayer,
    period: ReturnPeriod,
}

impl Gstr1 {
    pub(crate) fn new(taxpayer: Taxpayer, period: ReturnPeriod) -> Self {
        Self { taxpayer, period }
    }

    /// Saves rows and returns the `reference_id` under which GSTN works on them. `json` goes to GSTN byte for byte;
    /// its `gstin` and `fp` must be the session's and the period's.
    pub async fn save(&self, json: impl Into<Vec<u8>>) -> Result<String, Error> {
        let json = json.into();
        self.check_payload(&json)?;
        self.start(ApiCall::put(SAVE, "RETSAVE").form(FORM, "4.1").payload_text(json)).await
    }

    /// What would come back from GSTN as RET191136 after a while is said at once.
    fn check_payload(&self, json: &[u8]) -> Result<(), Error> {
        #[derive(serde::Deserialize)]
        #[serde(expecting = "an object with gstin and fp")]
        struct Head {
            gstin: Value,
            fp: Value,
        }
        let head: Head = serde_json::from_slice(json)
            .map_err(|error| Error::Invalid(format!("the payload is not a GSTR-1 in JSON: {error}")))?;
        let (gstin, period) = (self.taxpayer.gstin().as_str(), self.period.to_string());
        if !head.gstin.as_str().is_some_and(|found| found.eq_ignore_ascii_case(gstin)) {
            let found = shown(&head.gstin);
            let what = format!("the payload's gstin is {found}, but the taxpayer logged in is {gstin:?}");
            return Err(Error::Invalid(what));
        }
        if head.fp != period.as_str() {
            let found = shown(&head.fp);
            let what = format!("the payload's fp is {found}, but the period asked for is {period:?}");
            return Err(Error::Invalid(what));
        }
        Ok(())
    }

    /// What has become of a save, reset or proceed-to-file.
    pub async fn status(&self, reference_id: &str) -> Result<ReturnStatus, Error> {
        self.taxpayer.return_status(self.period, reference_id).await
    }

    /// Asks for the status until GSTN has finished. [`Error::StillProcessing`] when patience ends first.
    pub async fn wait(&self, reference_id: &str, patience: Patience) -> Result<ReturnStatus, Error> {
        self.wait_with(reference_id, patience, |_| ()).await
    }

    /// As [`wait`](Self::wait), telling `progress` every status on the way.
    pub async fn wait_with(
        &self,
        reference_id: &str,
        patience: Patience,
        progress: impl FnMut(&ReturnStatus),
    ) -> Result<ReturnStatus, Error> {
        self.taxpayer.wait_for(self.period, reference_id, patience, progress).await
    }

    /// The saved rows of a section: `B2B`, `B2CL`, `CDNR`, `EXP`, `HSNSUM` … `query` narrows them down, e.g. by `ctin`.
    /// [`Error::NoDocuments`] where there are none, [`Error::Queued`] where there are too many for one answer.
    pub async fn section(&self, section: &str, query: &[(&str, &str)]) -> Result<Value, Error> {
        let call = ApiCall::get(READ, section).ret_period(self.period);
        let call = query.iter().fold(call, |call, (name, value)| call.query(*name, *value));
        self.taxpayer.call(call).await
    }

    /// RETSUM.
    pub async fn summary(&self, kind: SummaryKind) -> Result<Summary, Error> {
        let kind = match kind {
            SummaryKind::Short => "S",
            SummaryKind::Long => "L",
        };
        let call = ApiCall::get(READ, "RETSUM").ret_period(self.period).query("smrytyp", kind);
        Summary::new(self.taxpayer.call_text(call).await?)
    }

    /// Throws away everything saved and not filed. Returns a `reference_id`.
    pub async fn reset(&self) -> Result<String, Error> {
        let payload = json!({"gstin": self.taxpayer.gstin().as_str(), "ret_period": self.period.to_string()});
        self.start(ApiCall::post(READ, "RESET").form(FORM, "4.0").payload(&payload)?).await
    }

    /// Closes the return to changes, before it is filed. `nil` declares that there was no supply. Returns a
    /// `reference_id`.
    pub async fn new_proceed_to_file(&self, nil: bool) -> Result<String, Error> {
        let payload = json!({
            "gstin": self.taxpayer.gstin().as_str(),
            "ret_period": self.period.to_string(),
            "isnil": if nil { "Y" } else { "N" },
        });
        self.start(ApiCall::post(PROCEED, "RETNEWPTF").form(FORM, "1.1").payload(&payload)?).await
    }

    /// Asks GSTN to send the signatory the OTP with which the return is filed.
    pub async fn request_evc_otp(&self, pan: &Pan) -> Result<(), Error> {
        self.taxpayer.request_evc_otp(pan, EVC_FORM).await
    }

    /// Files the return, signed with the EVC: the signatory's PAN and OTP over the newest summary. Returns the
    /// acknowledgement number (ARN). There is no way back.
    pub async fn file_with_evc(&self, summary: &Summary, pan: &Pan, otp: &str) -> Result<String, Error> {
        let call = ApiCall::post(READ, "RETFILE").ret_period(self.period).form(FORM, "4.0");
        let signed = call.payload_text(summary.text()).sign_with_evc(pan, otp);
        let reply = self.taxpayer.call_text(signed).await?;
        text_of(&reply, "ack_num")
    }

    async fn start(&self, call: ApiCall) -> Result<String, Error> {
        let reply = self.taxpayer.call_text(call.ret_period(self.period)).await?;
        text_of(&reply, "reference_id")
    }
}

fn text_of(reply: &[u8], key: &str) -> Result<String, Error> {
    let reply: Value = serde_json::from_slice(reply).unwrap_or_default();
    reply
        .get(key)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| Error::Protocol { what: format!("GSTN's answer has no {key}"), request_id: None })
}
/// A value in its place in a message: a text in quotes, a number without.
fn shown(value: &Value) -> String {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => value.to_string(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
