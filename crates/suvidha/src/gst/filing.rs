//! `suvidha gst file`: proceed to file, summary, signature, filing. The signature is an OTP of the signatory, or a DSC.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use gstn::{Pan, ReturnPeriod, catalogue};
use serde::Serialize;
use suvidha_client::{Dsc, Patience, Progress, ReturnStatus, SecretString, SummaryKind, Taxpayer};

use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output, fields};
use crate::secret::from_stdin;

use super::connection::secret;
use super::keygen;
use super::place::SessionPlace;
use super::returns::{OutwardForm, Period};

/// GSTN: the return is closed to changes already.
const READY_TO_FILE: &str = "RET00003";

/// `suvidha gst file`.
#[derive(Debug, Args)]
pub(crate) struct File {
    #[command(flatten)]
    period: Period,
    #[command(flatten)]
    form: OutwardForm,
    #[command(flatten)]
    signature: SignatureOptions,
    /// Declare that there was no supply in the period
    #[arg(long)]
    nil: bool,
}

impl File {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let taxpayer = place.open()?;
        let gstr1 = self.form.of(&taxpayer, self.period.period);
        // Before anything is closed to changes.
        let dsc = self.signature.dsc()?;
        match gstr1.new_proceed_to_file(self.nil).await {
            Ok(reference_id) => ready_to_file(&gstr1.wait(&reference_id, Patience::default()).await?)?,
            // An earlier attempt came this far.
            Err(error) if error.code() == Some(READY_TO_FILE) => (),
            Err(error) => return Err(error.into()),
        }
        let summary = gstr1.summary(SummaryKind::Short).await?;
        let pan = &self.signature.pan;
        let ack_num = match dsc {
            Some(dsc) => gstr1.file_with_dsc(&summary, pan, &dsc).await?,
            None => {
                gstr1.request_evc_otp(pan).await?;
                gstr1.file_with_evc(&summary, pan, self.signature.otp()?.expose()).await?
            }
        };
        filed(self.form.name(), &taxpayer, self.period.period, ack_num, output)
    }
}

/// Who signs, and with what.
#[derive(Debug, Args)]
pub(crate) struct SignatureOptions {
    /// PAN of the signatory who files
    #[arg(long)]
    pub(crate) pan: Pan,
    /// The OTP, where it is known beforehand; GSTN sends it and it is asked for when left out
    #[arg(long, value_parser = secret, conflicts_with = "dsc")]
    otp: Option<SecretString>,
    /// Sign with a digital signature certificate in place of an OTP: a .pfx. GSTN must know it
    #[arg(long, value_name = "FILE")]
    dsc: Option<PathBuf>,
    /// File with the passphrase of the .pfx; `-` is standard input. Without it the passphrase is taken from
    /// SUVIDHA_PFX_PASSPHRASE, or asked for
    #[arg(long, value_name = "FILE", requires = "dsc")]
    passphrase_file: Option<PathBuf>,
}

impl SignatureOptions {
    /// The certificate, where one is to sign.
    pub(crate) fn dsc(&self) -> Result<Option<Dsc>, Failure> {
        let Some(path) = &self.dsc else { return Ok(None) };
        let bytes = fs::read(path).map_err(|error| {
            Failure::io(Exit::Data, format_args!("cannot read {}", path.display()), &error)
        })?;
        let passphrase = keygen::passphrase(self.passphrase_file.as_deref()).ask()?;
        Ok(Some(Dsc::from_pfx(bytes, passphrase.expose())?))
    }

    /// The OTP, which GSTN has sent.
    pub(crate) fn otp(&self) -> Result<SecretString, Failure> {
        match &self.otp {
            Some(otp) => Ok(otp.clone()),
            None => from_stdin("OTP"),
        }
    }
}

/// Shows what was filed.
pub(crate) fn filed(
    form: &'static str,
    taxpayer: &Taxpayer,
    period: ReturnPeriod,
    ack_num: String,
    output: Output,
) -> Result<(), Failure> {
    let (gstin, ret_period) = (taxpayer.gstin().to_string(), period.to_string());
    output.show(&Filed { form, gstin, ret_period, ack_num })
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
    #[serde(skip)]
    form: &'static str,
    gstin: String,
    ret_period: String,
    ack_num: String,
}

impl Answer for Filed {
    fn words(&self) -> String {
        fields(&[
            ("filed", format!("{} of {} for {}", self.form, self.gstin, self.ret_period)),
            ("ARN", self.ack_num.clone()),
        ])
    }
}
