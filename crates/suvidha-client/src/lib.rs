//! The ASP's side of GST: log a taxpayer in and call GSTN through a GSP.
//!
//! The cryptography of GSTN (app key, RSA, OTP, session key, HMAC) is done here; programs see JSON.
//!
//! ```no_run
//! use suvidha_client::{Credentials, Gsp, Patience, SummaryKind};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let token = Credentials::token(std::env::var("SUVIDHA_TOKEN")?);
//! let gsp = Gsp::builder("http://127.0.0.1:8080").credentials(token).build()?;
//!
//! // GSTN sends the OTP to the taxpayer; in a sandbox it is 575757.
//! let taxpayer = gsp.taxpayer("33AANCS2882A1ZG".parse()?, "TN_NT2.2265");
//! taxpayer.request_otp().await?.verify("575757").await?;
//!
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
//! Every other API of GSTN is an [`ApiCall`] away. Errors come by kind ([`Error`]) and know GSTN's code, whose fault
//! it was ([`Origin`]) and what to do.
//!
//! Sessions are kept in a [`SessionStore`]. Nothing here prints or logs a secret.
//!
//! Everything runs on the caller's tokio runtime. A connection belongs to the runtime on which it was made.

mod answer;
mod base_url;
mod builder;
mod call;
mod credentials;
mod error;
mod event;
mod file_store;
mod getkey;
mod gsp;
mod gstr1;
mod job;
mod keeper;
mod login;
mod public;
mod session;
mod store;
mod taxpayer;
mod tls;
mod transport;

pub use builder::GspBuilder;
pub use call::ApiCall;
pub use credentials::{Credentials, SigningKey};
pub use error::{Error, Origin, Refusal};
pub use event::{Call, Event};
pub use file_store::FileStore;
pub use gsp::Gsp;
pub use gstn::{AspId, Gstin, Pan, ReturnPeriod, SecretString};
pub use gstr1::{Gstr1, Summary, SummaryKind};
pub use jiff::Timestamp;
pub use job::{Patience, Progress, RefusedRow, ReturnStatus};
pub use login::PendingLogin;
pub use session::{GspSession, Session, StoredSession};
pub use store::{Lease, MemoryStore, SessionKey, SessionStore, StoreError, StoreFuture};
pub use taxpayer::Taxpayer;

/// The code in the guide for those who come from TaxProGST.API.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/coming-from-taxprogst.md")]
mod coming_from_taxprogst {}
