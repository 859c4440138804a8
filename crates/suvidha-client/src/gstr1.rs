//! GSTR-1, the return of outward supplies, and GSTR-1A, which corrects it: save, status, read back, summary, reset, file.

use gstn::{Pan, ReturnPeriod};
use serde_json::{Value, json};

use crate::api_call::ApiCall;
use crate::dsc::Dsc;
use crate::error::Error;
use crate::job::ReturnStatus;
use crate::patience::Patience;
use crate::returns::{check_payload, text_of};
use crate::summary::{Summary, SummaryKind};
use crate::taxpayer::Taxpayer;

/// How a form is called. Versions are the newest seen in the field.
#[derive(Debug)]
struct Names {
    /// `rtn_typ`.
    form: &'static str,
    /// In EVCOTP's `form_type`.
    evc: &'static str,
    save: (&'static str, &'static str),
    read: (&'static str, &'static str),
    proceed: (&'static str, &'static str),
    /// The actions: save, reset, proceed to file, file.
    actions: [&'static str; 4],
    section: fn(&str) -> String,
}

static GSTR1: Names = Names {
    form: "GSTR1",
    evc: "R1",
    save: ("taxpayerapi/v4.1/returns/gstr1", "4.1"),
    read: ("taxpayerapi/v4.0/returns/gstr1", "4.0"),
    proceed: ("taxpayerapi/v1.1/returns/gstrptf", "1.1"),
    actions: ["RETSAVE", "RESET", "RETNEWPTF", "RETFILE"],
    section: str::to_owned,
};

static GSTR1A: Names = Names {
    form: "GSTR1A",
    evc: "R1A",
    save: ("taxpayerapi/v1.1/returns/gstr1a", "1.1"),
    read: ("taxpayerapi/v1.1/returns/gstr1a", "1.1"),
    proceed: ("taxpayerapi/v1.1/returns/gstr1a", "1.1"),
    actions: ["R1ARETSAVE", "R1ARESET", "R1ARETNEWPTF", "RETFILER1A"],
    section: section_of_gstr1a,
};

/// Some sections have `R1A` before their name, some after it, some have neither.
fn section_of_gstr1a(section: &str) -> String {
    match section {
        "AT" => "ATR1A".to_owned(),
        "ATA" => "ATAR1A".to_owned(),
        "B2B" | "B2BA" | "B2CL" | "B2CLA" | "B2CS" | "B2CSA" | "TXP" | "TXPA" | "NIL" | "HSNSUM" => {
            format!("R1A{section}")
        }
        other => other.to_owned(),
    }
}

/// One taxpayer's GSTR-1 of one period, or its [GSTR-1A](Taxpayer::gstr1a). What is saved is closed to changes, and then
/// filed:
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
    names: &'static Names,
}

impl Gstr1 {
    pub(crate) fn new(taxpayer: Taxpayer, period: ReturnPeriod) -> Self {
        Self { taxpayer, period, names: &GSTR1 }
    }

    pub(crate) fn correcting(taxpayer: Taxpayer, period: ReturnPeriod) -> Self {
        Self { taxpayer, period, names: &GSTR1A }
    }

    /// Saves rows and returns the `reference_id` under which GSTN works on them. `json` goes to GSTN byte for byte;
    /// its `gstin` and `fp` must be the session's and the period's.
    pub async fn save(&self, json: impl Into<Vec<u8>>) -> Result<String, Error> {
        let json = json.into();
        check_payload(&json, self.names.form, "fp", &self.taxpayer, self.period)?;
        let [save, ..] = self.names.actions;
        let (path, version) = self.names.save;
        self.start(ApiCall::put(path, save).form(self.names.form, version).payload_text(json)).await
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
        let call = ApiCall::get(self.names.read.0, (self.names.section)(section)).ret_period(self.period);
        let call = query.iter().fold(call, |call, (name, value)| call.query(*name, *value));
        self.taxpayer.call(call).await
    }

    /// RETSUM.
    pub async fn summary(&self, kind: SummaryKind) -> Result<Summary, Error> {
        let kind = match kind {
            SummaryKind::Short => "S",
            SummaryKind::Long => "L",
        };
        let call = ApiCall::get(self.names.read.0, "RETSUM").ret_period(self.period).query("smrytyp", kind);
        Summary::new(self.taxpayer.call_text(call).await?)
    }

    /// Throws away everything saved and not filed. Returns a `reference_id`.
    pub async fn reset(&self) -> Result<String, Error> {
        let payload = json!({"gstin": self.taxpayer.gstin().as_str(), "ret_period": self.period.to_string()});
        let [_, reset, ..] = self.names.actions;
        let (path, version) = self.names.read;
        self.start(ApiCall::post(path, reset).form(self.names.form, version).payload(&payload)?).await
    }

    /// Closes the return to changes, before it is filed. `nil` declares that there was no supply. Returns a
    /// `reference_id`.
    pub async fn new_proceed_to_file(&self, nil: bool) -> Result<String, Error> {
        let payload = json!({
            "gstin": self.taxpayer.gstin().as_str(),
            "ret_period": self.period.to_string(),
            "isnil": if nil { "Y" } else { "N" },
        });
        let [_, _, proceed, _] = self.names.actions;
        let (path, version) = self.names.proceed;
        self.start(ApiCall::post(path, proceed).form(self.names.form, version).payload(&payload)?).await
    }

    /// Asks GSTN to send the signatory the OTP with which the return is filed.
    pub async fn request_evc_otp(&self, pan: &Pan) -> Result<(), Error> {
        self.taxpayer.request_evc_otp(pan, self.names.evc).await
    }

    /// Files the return, signed with the EVC: the signatory's PAN and OTP over the newest summary. Returns the
    /// acknowledgement number (ARN). There is no way back.
    pub async fn file_with_evc(&self, summary: &Summary, pan: &Pan, otp: &str) -> Result<String, Error> {
        self.file(self.filing(summary).sign_with_evc(pan, otp)).await
    }

    /// Files the return, signed with the certificate of the signatory of this PAN over the newest summary. Returns the
    /// acknowledgement number (ARN). There is no way back.
    pub async fn file_with_dsc(&self, summary: &Summary, pan: &Pan, dsc: &Dsc) -> Result<String, Error> {
        self.file(self.filing(summary).sign_with_dsc(pan, dsc)).await
    }

    fn filing(&self, summary: &Summary) -> ApiCall {
        let [.., file] = self.names.actions;
        let (path, version) = self.names.read;
        ApiCall::post(path, file).form(self.names.form, version).payload_text(summary.text())
    }

    async fn file(&self, signed: ApiCall) -> Result<String, Error> {
        let reply = self.taxpayer.call_text(signed.ret_period(self.period)).await?;
        text_of(&reply, "ack_num")
    }

    async fn start(&self, call: ApiCall) -> Result<String, Error> {
        let reply = self.taxpayer.call_text(call.ret_period(self.period)).await?;
        text_of(&reply, "reference_id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sections_of_a_gstr1a_are_called_as_the_catalogue_has_them() {
        let sections = [
            "B2B", "B2BA", "B2CL", "B2CLA", "B2CS", "B2CSA", "CDNR", "CDNRA", "CDNUR", "CDNURA", "EXP",
            "EXPA",
        ];
        let more = [
            "AT", "ATA", "TXP", "TXPA", "NIL", "HSNSUM", "DOCISS", "SUPECO", "SUPECOA", "ECOM", "ECOMA",
            "RETSUM",
        ];
        for section in sections.into_iter().chain(more) {
            let call = ApiCall::named("returns/gstr1a", &section_of_gstr1a(section));
            assert!(call.is_ok(), "{section}: {call:?}");
        }
    }
}
