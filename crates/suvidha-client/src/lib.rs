//! The ASP's side of GST: log a taxpayer in and call GSTN through a GSP.
//!
//! Four lines, and a taxpayer is logged in:
//!
//! ```no_run
//! # use suvidha_client::{Credentials, Gsp, SigningKey};
//! # async fn example(aspid: &str, secret: &str, passphrase: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let key = SigningKey::from_pfx(std::fs::read("asp.pfx")?, passphrase)?;
//! let gsp = Gsp::builder("https://gsp.example.in").credentials(Credentials::getkey(aspid, secret, key)).build()?;
//! let taxpayer = gsp.taxpayer("33AANCS2882A1ZG".parse()?, "TN_NT2.2265");
//! taxpayer.request_otp().await?.verify("575757").await?;
//! # Ok(())
//! # }
//! ```
//!
//! From there on calls are all there is:
//!
//! ```no_run
//! # use suvidha_client::{Patience, SummaryKind, Taxpayer};
//! # async fn example(taxpayer: Taxpayer) -> Result<(), Box<dyn std::error::Error>> {
//! // GSTR-1 of April 2026: save, wait for GSTN, read the summary.
//! let gstr1 = taxpayer.gstr1("042026".parse()?);
//! let reference_id = gstr1.save(std::fs::read("gstr1.json")?).await?;
//! let status = gstr1.wait(&reference_id, Patience::default()).await?;
//! println!("{}: {} refused", status.progress, status.refused.len());
//! println!("{}", gstr1.summary(SummaryKind::Short).await?.value());
//! # Ok(())
//! # }
//! ```
//!
//! # What is done for you
//! - **The ASP's session with the GSP.** [`Credentials`] are a static token, or what GetKey takes. With GetKey a session
//!   is got when the first call needs it, and renewed before it ends: once, however many calls wait, and not by a whole
//!   fleet at once. Where the gateway says that it died early, it is renewed and the call repeated, once.
//! - **The taxpayer's session at GSTN.** A [`Taxpayer`] refreshes it while the taxpayer's consent lasts, in the same way.
//!   When only an OTP helps, calls fail with [`Error::OtpRequired`].
//! - **The cryptography of GSTN**: app key, RSA, OTP, session keys, HMAC. Programs see JSON. What does not verify is
//!   refused.
//! - **Keeping.** A [`SessionStore`] keeps both kinds of session, in memory ([`MemoryStore`]), in files ([`FileStore`]), or
//!   in the database of the application.
//! - **Statements.** The credit of a [`Gstr2b`] comes whole, in one shape for all sections and versions; what suppliers
//!   reported is accepted or rejected in [`Ims`].
//! - **Paying.** How a [`Gstr3b`] may lawfully be paid with the least cash is worked out ([`propose_offset`]).
//! - **Waiting.** GSTN works on saves in the background: [`Gstr1::wait`] and [`Taxpayer::wait_for`] ask with [`Patience`].
//! - **Large results.** What is too large for one answer ([`Error::Queued`]) is waited for, fetched as files and checked
//!   ([`Taxpayer::wait_for_files`], [`Taxpayer::download`]).
//! - **Telling.** [`Event`]s say when sessions are renewed, when an OTP is needed, and when calls begin and end.
//!
//! Errors come by kind ([`Error`]) and know GSTN's code, whose fault it was ([`Origin`]), the gateway's request id and what
//! to do. Money is exact ([`Rupees`]). What has no call of its own here is called by its name in GSTN's catalogue
//! ([`Taxpayer::call_raw`], [`Gsp::call_raw`]), or described in an [`ApiCall`].
//!
//! Nothing here prints or logs, and nothing that can be printed holds a secret. There is no global state. Everything runs on
//! the caller's tokio runtime, which needs its I/O and time drivers; a connection, and a renewal that is under way, end with
//! the runtime on which they began. TLS is rustls: the gateway's name and chain are always verified.
//!
//! Types of other crates in this interface are re-exported here: those of GST's identifiers, [`Timestamp`] and [`Date`] of
//! `jiff`, [`Value`] of `serde_json`, and what holds time still in tests ([`seam`]).

mod answer;
mod api_call;
mod balance;
mod base_url;
mod builder;
mod call;
mod credentials;
mod dsc;
mod error;
mod event;
mod file_store;
mod files;
mod getkey;
mod gsp;
mod gstr1;
mod gstr3b;
mod ims;
mod job;
mod keeper;
mod ledgers;
mod liability;
mod login;
mod named;
mod patience;
mod profile;
mod public;
mod returns;
mod rupees;
mod session;
mod setasppubcer;
mod store;
mod summary;
mod taxes;
mod taxpayer;
mod tls;
mod tolerant;
mod transport;
mod twoa;
mod twob;

/// Where time and randomness come from, so that the tests of an application can hold them: see [`GspBuilder::seam`].
///
/// ```
/// use std::sync::Arc;
///
/// use suvidha_client::seam::{ManualClock, Seam};
/// use suvidha_client::{Credentials, Gsp};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = Arc::new(ManualClock::at("2026-05-01T10:00:00Z".parse()?));
/// let gsp = Gsp::builder("http://127.0.0.1:8080")
///     .credentials(Credentials::token("an-example"))
///     .seam(Seam { clock: clock.clone(), ..Seam::system() })
///     .build()?;
/// clock.advance(6 * 60 * 60 * 1000);
/// # Ok(())
/// # }
/// ```
pub mod seam {
    pub use suvidha_seam::{Clock, ManualClock, Rng, Seam, SeededRng, SystemClock, SystemRng};
}

pub use api_call::ApiCall;
pub use balance::Balance;
pub use builder::GspBuilder;
pub use credentials::{Credentials, SigningKey};
pub use dsc::Dsc;
pub use error::{Error, NoStatement, Origin, Refusal};
pub use event::{Call, Event};
pub use file_store::FileStore;
pub use files::{Document, Download, DownloadFault, DownloadProgress, FilesOf, LargeFiles, QueuedFiles};
pub use gsp::Gsp;
pub use gstn::{AspId, FinancialYear, Gstin, Pan, ReturnPeriod, SecretString};
pub use gstr1::Gstr1;
pub use gstr3b::{
    AutoLiability, CashPayment, CreditPayment, DifferentCell, DrawnCredit, DrawnInterState, DrawnSupplies,
    Gstr3b, Gstr3bSummary, Interest, InterestLine, InterestRate, LiabilityKind, MissingCash, MissingHalf,
    NegativePayment, Offset, OffsetProposal, PayableLine, StateSupply, TaxPayment, Validation,
    propose_offset,
};
pub use ims::{
    Ims, ImsAction, ImsCount, ImsCounts, ImsDecision, ImsGoods, ImsRecord, ImsRecords, ImsSection,
    SuppliedDocument, SuppliedForm, SupplierView,
};
pub use jiff::Timestamp;
pub use jiff::civil::Date;
pub use job::{Progress, RefusedRow, ReturnStatus};
pub use ledgers::{
    BlockedCredit, CashBalance, CashEntry, CashLedger, CashPosition, CreditBalance, CreditEntry,
    CreditLedger, CreditPosition, LedgerBalance, MinorHeads, Side,
};
pub use liability::{
    CreditStatement, CreditStatementEntries, CreditStatementEntry, LiabilityEntry, LiabilityRegister,
    NegativeAmount, NegativeEntry, NegativeLiability, OpenLiability, OpenLiabilityLine,
};
pub use login::PendingLogin;
pub use patience::Patience;
pub use profile::{AnnualTurnover, Filing, FilingPreferences, LateFee, LateReturn, Quarter};
pub use public::{Address, Place, Registration, RegistrationStatus};
pub use returns::{FiledReturn, FiledReturns};
pub use rupees::{NotRupees, Rupees};
pub use serde_json::Value;
pub use session::{GspSession, Session, StoredSession};
pub use setasppubcer::RegisteredCertificate;
pub use store::{Lease, MemoryStore, SessionKey, SessionStore, StoreError, StoreFuture};
pub use summary::{Summary, SummaryKind, SummaryLine};
pub use taxes::{Note, Rate, RatedTaxes, Taxes};
pub use taxpayer::Taxpayer;
pub use twoa::{Gstr2aDocument, Gstr2aFilter, Gstr2aRows, Gstr2aSection};
pub use twob::{
    Gstr2b, Gstr2bDocument, Gstr2bStatement, Gstr2bSummary, ItcAvailability, ItcGroup, ItcGroups, ItcSummary,
    SupplierSum,
};

/// The code in the guide for those who come from TaxProGST.API.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/coming-from-taxprogst.md")]
mod coming_from_taxprogst {}
