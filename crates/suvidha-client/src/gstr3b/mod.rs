//! GSTR-3B, the return with which tax is paid: what the system has drawn for it, save, offset, and filing.

mod drawn;
mod interest;
mod offset;
mod payment;
mod utilisation;
mod validation;

use gstn::{Pan, ReturnPeriod};
use serde_json::{Value, json};

use crate::api_call::ApiCall;
use crate::dsc::Dsc;
use crate::error::Error;
use crate::job::ReturnStatus;
use crate::ledgers::LedgerBalance;
use crate::patience::Patience;
use crate::returns::{check_payload, text_of};
use crate::taxes::Taxes;
use crate::taxpayer::Taxpayer;
use crate::tolerant::read;

pub use drawn::{AutoLiability, DrawnCredit, DrawnInterState, DrawnSupplies, MissingHalf, StateSupply};
pub use interest::{Interest, InterestLine, InterestRate};
pub use offset::{CashPayment, CreditPayment, NegativePayment, Offset};
pub use payment::{LiabilityKind, PayableLine, TaxPayment};
pub use utilisation::{MissingCash, OffsetProposal, propose_offset};
pub use validation::{DifferentCell, Validation};

/// The newest version seen in the field.
const GSTR3B: &str = "taxpayerapi/v6.0/returns/gstr3b";
const VERSION: &str = "6.0";
const FORM: &str = "GSTR3B";
/// GSTR-3B in EVCOTP's `form_type`.
const EVC_FORM: &str = "R3B";

/// One taxpayer's GSTR-3B of one period. Saved, offset and filed:
///
/// ```no_run
/// # use suvidha_client::{Dsc, Error, Gstr3b, Pan, Patience, Progress, Taxpayer};
/// # async fn example(taxpayer: Taxpayer, pan: Pan, dsc: Dsc) -> Result<(), Box<dyn std::error::Error>> {
/// let period = "042026".parse()?;
/// let gstr3b = taxpayer.gstr3b(period);
/// // What GSTR-1 and GSTR-2B say is declared; a program puts its own figures in where they differ.
/// let drawn = gstr3b.auto_liability().await?;
/// let saved = gstr3b.save(drawn.to_return().to_string()).await?;
/// assert_eq!(gstr3b.wait(&saved, Patience::default()).await?.progress, Progress::Processed);
///
/// let proposal = gstr3b.summary().await?.propose_offset(&taxpayer.ledger_balance(period).await?)?;
/// if !proposal.is_covered() {
///     println!("pay in first: {:?}", proposal.missing_cash);
///     return Ok(());
/// }
/// let offset = gstr3b.offset(&proposal.offset).await?;
/// assert_eq!(gstr3b.wait(&offset, Patience::default()).await?.progress, Progress::Processed);
///
/// let arn = gstr3b.file_with_dsc(&gstr3b.summary().await?, &pan, &dsc).await?;
/// println!("filed: {arn}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Gstr3b {
    taxpayer: Taxpayer,
    period: ReturnPeriod,
}

/// RETSUM of a GSTR-3B: what was saved, what is owed for it, and after the offset how it was paid.
#[derive(Debug, Clone)]
pub struct Gstr3bSummary {
    text: Vec<u8>,
    value: Value,
    payment: TaxPayment,
    net_credit: Taxes,
}

impl Gstr3bSummary {
    fn read(text: Vec<u8>) -> Result<Self, Error> {
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Answer {
            #[serde(deserialize_with = "crate::tolerant::object")]
            tx_pmt: TaxPayment,
            #[serde(deserialize_with = "crate::tolerant::object")]
            itc_elg: Eligible,
        }
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Eligible {
            #[serde(deserialize_with = "crate::tolerant::object")]
            itc_net: Taxes,
        }
        let (Answer { tx_pmt, itc_elg }, value) = read::<Answer>(&text, "GSTN's summary")?;
        Ok(Self { text, value, payment: tx_pmt, net_credit: itc_elg.itc_net })
    }

    /// The summary, as GSTN gives it.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The JSON text as GSTN wrote it; filing signs exactly this.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// `tx_pmt`: what is owed, and after the offset how it was paid.
    pub fn payment(&self) -> &TaxPayment {
        &self.payment
    }

    /// `itc_net`, 4(C): the credit that the return adds, below zero what it takes away.
    pub fn net_credit(&self) -> Taxes {
        self.net_credit
    }

    /// The credit that may pay for the return: what is in the ledger and not blocked, with the return's own.
    pub fn usable_credit(&self, balance: &LedgerBalance) -> Taxes {
        let (held, blocked) = (balance.credit, balance.blocked_credit);
        let held = Taxes::by_head(held.igst, held.cgst, held.sgst, held.cess);
        let blocked = Taxes::by_head(blocked.igst, blocked.cgst, blocked.sgst, blocked.cess);
        let usable = held + self.net_credit - blocked;
        Taxes::of_heads(usable.heads().map(|amount| amount.max(crate::rupees::Rupees::ZERO)))
    }

    /// How what is owed may lawfully be paid with as little cash as possible: see [`propose_offset`].
    ///
    /// # Errors
    /// [`Error::Invalid`] where nothing is owed that could be paid: it is paid already, or nothing was saved.
    pub fn propose_offset(&self, balance: &LedgerBalance) -> Result<OffsetProposal, Error> {
        propose_offset(&self.payment, &self.usable_credit(balance), &balance.cash)
    }
}

impl Gstr3b {
    pub(crate) fn new(taxpayer: Taxpayer, period: ReturnPeriod) -> Self {
        Self { taxpayer, period }
    }

    /// AUTOLIAB: what GSTN has drawn for the return from GSTR-1, GSTR-1A and GSTR-2B.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn auto_liability(&self) -> Result<AutoLiability, Error> {
        let call = ApiCall::get(GSTR3B, "AUTOLIAB").ret_period(self.period);
        AutoLiability::read(&self.taxpayer.call_text(call).await?)
    }

    /// Saves the whole return in place of what was saved, and returns the `reference_id` under which GSTN works on it.
    /// `json` goes to GSTN byte for byte; its `gstin` and `ret_period` must be the session's and the period's.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn save(&self, json: impl Into<Vec<u8>>) -> Result<String, Error> {
        let json = json.into();
        check_payload(&json, FORM, "ret_period", &self.taxpayer, self.period)?;
        self.start(self.put("RETSAVE").payload_text(json)).await
    }

    /// VALID: compares a return with what GSTN has drawn. Nothing is saved.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn validate(&self, json: impl Into<Vec<u8>>) -> Result<Validation, Error> {
        let json = json.into();
        check_payload(&json, FORM, "ret_period", &self.taxpayer, self.period)?;
        let call =
            ApiCall::post(GSTR3B, "VALID").form(FORM, VERSION).ret_period(self.period).payload_text(json);
        Ok(Validation::new(self.taxpayer.call(call).await?))
    }

    /// RETSUM.
    ///
    /// # Errors
    /// [`Error::NoDocuments`] where nothing was saved, and every other kind of [`Error`].
    pub async fn summary(&self) -> Result<Gstr3bSummary, Error> {
        let call = ApiCall::get(GSTR3B, "RETSUM").ret_period(self.period);
        Gstr3bSummary::read(self.taxpayer.call_text(call).await?)
    }

    /// RETOFFSET: pays what the return owes from credit and cash, once and whole. Returns a `reference_id`.
    /// [`Gstr3bSummary::propose_offset`] makes an offset that GSTN takes.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn offset(&self, offset: &Offset) -> Result<String, Error> {
        self.start(self.put("RETOFFSET").payload(offset)?).await
    }

    /// RETINT: the interest that GSTN has computed, on tax that was paid late with the return before.
    ///
    /// # Errors
    /// [`Error::NoDocuments`] where there is none, and every other kind of [`Error`].
    pub async fn interest(&self) -> Result<Interest, Error> {
        let call = ApiCall::get(GSTR3B, "RETINT").ret_period(self.period);
        let (interest, raw) =
            read::<Interest>(&self.taxpayer.call_text(call).await?, "the answer to RETINT")?;
        Ok(Interest { raw, ..interest })
    }

    /// CMPINT: has the interest computed again. Returns a `reference_id`.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn compute_interest(&self) -> Result<String, Error> {
        let payload = json!({"gstin": self.taxpayer.gstin().as_str(), "ret_period": self.period.to_string()});
        let call = ApiCall::post(GSTR3B, "CMPINT").form(FORM, VERSION).payload(&payload)?;
        self.start(call).await
    }

    /// What has become of a save, an offset or a computation.
    ///
    /// # Errors
    /// [`Error::Refused`] where GSTN knows no such job, and every other kind of [`Error`].
    pub async fn status(&self, reference_id: &str) -> Result<ReturnStatus, Error> {
        self.taxpayer.return_status(self.period, reference_id).await
    }

    /// Asks for the status until GSTN has finished. [`Error::StillProcessing`] when patience ends first.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn wait(&self, reference_id: &str, patience: Patience) -> Result<ReturnStatus, Error> {
        self.wait_with(reference_id, patience, |_| ()).await
    }

    /// As [`wait`](Self::wait), telling `progress` every status on the way.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn wait_with(
        &self,
        reference_id: &str,
        patience: Patience,
        progress: impl FnMut(&ReturnStatus),
    ) -> Result<ReturnStatus, Error> {
        self.taxpayer.wait_for(self.period, reference_id, patience, progress).await
    }

    /// Asks GSTN to send the signatory the OTP with which the return is filed.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn request_evc_otp(&self, pan: &Pan) -> Result<(), Error> {
        self.taxpayer.request_evc_otp(pan, EVC_FORM).await
    }

    /// Files the return, signed with the EVC: the signatory's PAN and OTP over the newest summary. Returns the
    /// acknowledgement number (ARN). There is no way back.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn file_with_evc(
        &self,
        summary: &Gstr3bSummary,
        pan: &Pan,
        otp: &str,
    ) -> Result<String, Error> {
        self.file(self.filing(summary).sign_with_evc(pan, otp)).await
    }

    /// Files the return, signed with the certificate of the signatory of this PAN over the newest summary. Returns the
    /// acknowledgement number (ARN). There is no way back.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn file_with_dsc(
        &self,
        summary: &Gstr3bSummary,
        pan: &Pan,
        dsc: &Dsc,
    ) -> Result<String, Error> {
        self.file(self.filing(summary).sign_with_dsc(pan, dsc)).await
    }

    fn filing(&self, summary: &Gstr3bSummary) -> ApiCall {
        ApiCall::post(GSTR3B, "RETFILE").form(FORM, VERSION).payload_text(summary.text())
    }

    async fn file(&self, signed: ApiCall) -> Result<String, Error> {
        text_of(&self.taxpayer.call_text(signed.ret_period(self.period)).await?, "ack_num")
    }

    fn put(&self, action: &str) -> ApiCall {
        ApiCall::put(GSTR3B, action).form(FORM, VERSION)
    }

    async fn start(&self, call: ApiCall) -> Result<String, Error> {
        text_of(&self.taxpayer.call_text(call.ret_period(self.period)).await?, "reference_id")
    }
}

impl Taxpayer {
    /// The taxpayer's GSTR-3B of `period`; a quarterly filer's is that of the quarter's last month.
    pub fn gstr3b(&self, period: ReturnPeriod) -> Gstr3b {
        Gstr3b::new(self.clone(), period)
    }
}
