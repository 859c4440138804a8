//! `suvidha gst file`: proceed to file, summary, OTP of the signatory, filing.

use clap::Args;
use gstn::{Pan, catalogue};
use serde::Serialize;
use suvidha_client::{Patience, Progress, ReturnStatus, SecretString, SummaryKind};

use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output, fields};
use crate::secret::from_stdin;

use super::connection::secret;
use super::place::SessionPlace;
use super::returns::Period;

/// GSTN: the return is closed to changes already.
const READY_TO_FILE: &str = "RET00003";

/// `suvidha gst file`.
#[derive(Debug, Args)]
pub(crate) struct File {
    #[command(flatten)]
    period: Period,
    /// PAN of the signatory who files
    #[arg(long)]
    pan: Pan,
    /// The OTP, where it is known beforehand; GSTN sends it and it is asked for when left out
    #[arg(long, value_parser = secret)]
    otp: Option<SecretString>,
    /// Declare that there was no supply in the period
    #[arg(long)]
    nil: bool,
}

impl File {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let taxpayer = place.open()?;
        let gstr1 = taxpayer.gstr1(self.period.period);
        match gstr1.new_proceed_to_file(self.nil).await {
            Ok(reference_id) => ready_to_file(&gstr1.wait(&reference_id, Patience::default()).await?)?,
            // An earlier attempt came this far.
            Err(error) if error.code() == Some(READY_TO_FILE) => (),
            Err(error) => return Err(error.into()),
        }
        let summary = gstr1.summary(SummaryKind::Short).await?;
        gstr1.request_evc_otp(&self.pan).await?;
        let ack_num = match &self.otp {
            Some(otp) => gstr1.file_with_evc(&summary, &self.pan, otp.expose()).await?,
            None => gstr1.file_with_evc(&summary, &self.pan, from_stdin("OTP")?.expose()).await?,
        };
        let (gstin, ret_period) = (taxpayer.gstin().to_string(), self.period.period.to_string());
        output.show(&Filed { gstin, ret_period, ack_num })
    }
}

/// Fails unless GSTN has closed the return to changes; else says what is missing, and what to do.
fn ready_to_file(status: &ReturnStatus) -> Result<(), Failure> {
    if status.progress == Progress::Processed {
        return Ok(());
    }
    let reasons: String =
        status.refused.iter().map(|row| format!(": {}: {}", row.code, row.message)).collect();
    let failure = Failure::new(Exit::Refused, format_args!("the return is not ready to be filed{reasons}"));
    match status.refused.first().and_then(|row| catalogue::error(&row.code)) {
        Some(known) => Err(failure.remedy(known.remedy)),
        None => Err(failure),
    }
}

#[derive(Serialize)]
struct Filed {
    gstin: String,
    ret_period: String,
    ack_num: String,
}

impl Answer for Filed {
    fn words(&self) -> String {
        fields(&[
            ("filed", format!("GSTR-1 of {} for {}", self.gstin, self.ret_period)),
            ("ARN", self.ack_num.clone()),
        ])
    }
}
