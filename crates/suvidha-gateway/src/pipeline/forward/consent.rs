//! What an `authenticate` call does to a taxpayer's session, for the list of an ASP's consents.
//!
//! What such a call is for stands in its body, which is not read. So it is told by what surrounds the body: who sends an
//! `auth-token` has a session already, and who is given an `expiry` has one now.

use gstn::catalogue::Family;
use gstn::envelope::peek_expiry;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use suvidha_store::ledger::ConsentChange;

use crate::pipeline::head::{Head, Header};
use crate::pipeline::route::Target;
use crate::pipeline::settle::words;

/// A call that may begin, renew or end a taxpayer's session.
#[derive(Debug)]
pub(super) struct Authentication {
    gstin: String,
    username: String,
    has_session: bool,
}

impl Authentication {
    pub(super) fn of(head: &Head<'_>, target: &Target<'_>) -> Option<Self> {
        let authenticates = *head.method == Method::POST
            && target.family == Family::TaxpayerApi
            && target.name.eq_ignore_ascii_case("authenticate");
        if !authenticates {
            return None;
        }
        let header = |header| head.value(header).and_then(words);
        Some(Self {
            gstin: header(Header::Gstin)?.to_ascii_uppercase(),
            username: header(Header::Username)?,
            has_session: head.value(Header::AuthToken).is_some(),
        })
    }

    /// What it has done, now that GSTN has answered `1`; `answer` is the answer's beginning. The session's life is
    /// counted from when the call `began`, lest it be thought longer than it is.
    pub(super) fn change(self, answer: &[u8], began: Timestamp) -> Option<ConsentChange> {
        let Self { gstin, username, has_session } = self;
        let life = peek_expiry(answer).map(|minutes| SignedDuration::from_mins(minutes.into()));
        let lapses_at = life.map(|life| began.checked_add(life).ok());
        match (has_session, lapses_at) {
            (false, Some(lapses_at)) => Some(ConsentChange::Granted { gstin, username, lapses_at }),
            (true, Some(lapses_at)) => Some(ConsentChange::Refreshed { gstin, username, lapses_at }),
            (true, None) => Some(ConsentChange::Ended { gstin, username }),
            // An OTP was sent.
            (false, None) => None,
        }
    }
}
