//! What an application may want to hear of while its calls run: sessions renewed, OTPs needed, calls begun and ended.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use gstn::{AspId, Gstin};
use jiff::Timestamp;

use crate::error::Error;

/// Something that happened. None holds a secret; all may be logged.
///
/// # Order
/// For one call: [`SessionRefreshed`](Self::SessionRefreshed) if the GSP session had to be renewed, then
/// [`CallStarting`](Self::CallStarting), then [`CallFinished`](Self::CallFinished). Where the taxpayer's token had to be
/// refreshed first, that was a call of its own: its `CallStarting` and `CallFinished`, then
/// [`AuthTokenRefreshed`](Self::AuthTokenRefreshed), come before. A call that is repeated because a session had died
/// early starts and finishes twice, with the renewal in between. A session is in the store before it is told of here.
/// Calls that run at the same time mix their events; [`Call::txn`] tells them apart. A call whose future is dropped starts
/// and does not finish.
///
/// # Handlers
/// A handler runs within the call it is told about, which goes on when it returns: one that is slow delays that call, and
/// after a renewal all calls that wait for it; one that waits for another call of the same [`Gsp`](crate::Gsp) may wait
/// for ever. Hand longer work to a channel. A handler that panics is not let through: the panic hook reports it, the call
/// goes on, and the other handlers still hear of the event.
///
/// ```
/// use suvidha_client::{Credentials, Event, Gsp};
///
/// # fn main() -> Result<(), suvidha_client::Error> {
/// let (send, receive) = std::sync::mpsc::channel();
/// let gsp = Gsp::builder("https://gsp.example.in")
///     .credentials(Credentials::token("an-example"))
///     .on_event(move |event| match event {
///         Event::SessionRefreshed { session_id, expires_at, .. } => println!("{session_id} until {expires_at}"),
///         Event::OtpRequired { gstin, .. } => drop(send.send(format!("please log in: {gstin}"))),
///         Event::CallFinished { call, outcome: Err(error), .. } => eprintln!("{} failed: {error}", call.action),
///         _ => (),
///     })
///     .build()?;
/// # drop((gsp, receive));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// GetKey gave a new GSP session, and the store has it.
    #[non_exhaustive]
    SessionRefreshed {
        /// The ASP.
        aspid: AspId,
        /// The session, as it goes with every call. It is of no use without its key.
        session_id: String,
        /// When the gateway will stop taking it, UTC.
        expires_at: Timestamp,
    },
    /// GSTN gave the taxpayer's session a new token without an OTP, and the store has it.
    #[non_exhaustive]
    AuthTokenRefreshed {
        /// The taxpayer.
        gstin: Gstin,
        /// The taxpayer's user name at the GST portal.
        username: String,
        /// When GSTN will stop taking the token, UTC.
        expires_at: Timestamp,
    },
    /// A session that is about to end could not be renewed. Calls go on with it while it lasts.
    #[non_exhaustive]
    RefreshFailed {
        /// The taxpayer, or none if it is the session with the GSP.
        gstin: Option<Gstin>,
        /// Why.
        error: Error,
        /// When the session ends, UTC.
        expires_at: Timestamp,
    },
    /// The taxpayer must log in again. Told once, not with every call that fails for it.
    #[non_exhaustive]
    OtpRequired {
        /// The taxpayer.
        gstin: Gstin,
        /// The taxpayer's user name at the GST portal.
        username: String,
    },
    /// The gateway's clock differs so much that it refused GetKey (GSP660). From now on GetKey goes by the gateway's `Date`,
    /// up to a day apart. Set this machine's clock all the same: other programs go by it.
    #[non_exhaustive]
    ClockCorrected {
        /// How far the gateway's clock is ahead of this machine's, in seconds; negative if it is behind.
        seconds: i64,
    },
    /// A call is about to be sent.
    #[non_exhaustive]
    CallStarting {
        /// Which.
        call: Arc<Call>,
    },
    /// A call was answered, or failed.
    #[non_exhaustive]
    CallFinished {
        /// Which.
        call: Arc<Call>,
        /// How it ended. A "no" is an error here, as it is for the caller.
        outcome: Result<(), Error>,
        /// HTTP status of the answer, if there was one.
        http_status: Option<u16>,
        /// The gateway's `x-request-id`, if it answered.
        request_id: Option<String>,
        /// How long it took.
        took: Duration,
    },
}

/// One call to GSTN through the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The transaction id, this call's own, which the gateway's log has too.
    pub txn: String,
    /// `GET`, `POST` or `PUT`.
    pub method: String,
    /// The path after the gateway's address, without the query.
    pub path: String,
    /// GSTN's name of the action, such as `RETSAVE`.
    pub action: String,
    /// The taxpayer it is about.
    pub gstin: Option<Gstin>,
}

type Handler = Box<dyn Fn(&Event) + Send + Sync>;

/// Who hears of events, in the order in which they asked.
#[derive(Default)]
pub(crate) struct Handlers(Vec<Handler>);

impl Handlers {
    pub(crate) fn add(&mut self, handler: Handler) {
        self.0.push(handler);
    }

    pub(crate) fn tell(&self, event: &Event) {
        for handler in &self.0 {
            // The panic hook has reported it; a call is not to fail for want of a log line.
            let _ = catch_unwind(AssertUnwindSafe(|| handler(event)));
        }
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} handlers", self.0.len())
    }
}
