//! The ASP's side of GST: log a taxpayer in and call GSTN through a GSP.
//!
//! The cryptography of GSTN (app key, RSA, OTP, session key, HMAC) is done here; programs see JSON.
//!
//! ```no_run
//! use suvidha_client::{Gsp, Patience, SummaryKind};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let gsp = Gsp::builder("http://127.0.0.1:8080").token(std::env::var("SUVIDHA_TOKEN")?).build()?;
//!
//! // The public register needs no login.
//! let taxpayer = gsp.search(&"33AANCS2882A1ZG".parse()?).await?;
//! println!("{}", taxpayer["lgnm"]);
//!
//! // GSTN sends the OTP to the taxpayer; in a sandbox it is 575757.
//! let login = gsp.taxpayer("33AANCS2882A1ZG".parse()?, "TN_NT2.2265").request_otp().await?;
//! let session = login.verify("575757").await?;
//!
//! // GSTR-1 of April 2026: save, wait for GSTN, read the summary.
//! let gstr1 = gsp.gstr1(&session, "042026".parse()?);
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
//! A session outlives the program in a [`StoredSession`]: a file that only its owner can read. Nothing here prints or
//! logs a secret.
//!
//! Everything runs on the caller's tokio runtime. A connection belongs to the runtime on which it was made.

mod answer;
mod base_url;
mod call;
mod error;
mod gsp;
mod gstr1;
mod job;
mod login;
mod public;
mod session;
mod tls;
mod transport;

pub use base_url::BaseUrl;
pub use call::ApiCall;
pub use error::{Error, Origin, Refusal};
pub use gsp::{Gsp, GspBuilder};
pub use gstn::SecretString;
pub use gstr1::{Gstr1, Summary, SummaryKind};
pub use job::{Patience, Progress, RefusedRow, ReturnStatus};
pub use login::{PendingLogin, Taxpayer};
pub use session::{Session, StoredSession};
