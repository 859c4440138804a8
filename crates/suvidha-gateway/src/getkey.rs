//! GetKey: an ASP proves by a signature who it is, and gets a GSP session with a key that only its secret opens.
//!
//! [`respond`] reads from the top down in the order in which things are asked: whether the call is well-formed, whether it
//! is of now, whether there were too many failing ones, and only then what costs us something. The answer is the seed's:
//! `enc_key`, `session_id`, `validity_min`, `txn`, `message`, `status_cd`.

mod replays;
mod request;
mod signature;
mod window;

use gstn::Environment;
use gstn::envelope::StatusCd;
use gstn::getkey::GetKeyReply;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};
use jiff::Timestamp;
use serde::Serialize;
use suvidha_store::{AspEntry, Snapshot, Used};

use self::replays::Replays;
use self::request::Request;
pub(crate) use self::window::in_ist;
use crate::attempts::{Allowance, Attempts, Claim};
use crate::body::{self, Content, Incoming};
use crate::error::{Error, Kind};
use crate::pipeline::admit::check_asp;
use crate::pipeline::identify::claimed;
use crate::pipeline::receive::Received;
use crate::pipeline::settle::Record;
use crate::pipeline::{Call, Visit};
use crate::sessions::{self, SessionId};

/// The longest body, in bytes: a signature by the longest key takes 700.
const LONGEST: u64 = 16 * 1024;

/// What one environment remembers of GetKey calls, for all threads.
pub(crate) struct Memory {
    attempts: Attempts,
    replays: Replays,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self { attempts: Attempts::new(), replays: Replays::new(replays::MOST) }
    }
}

pub(crate) async fn respond(
    call: &Call<'_, Received>,
    visit: &Visit,
    body: &mut Option<Incoming>,
    record: &mut Record,
) -> Result<Response<Content>, Error> {
    record.asp = claimed(&call.head, &visit.door.plane.snapshot.load());
    record.txn = request::txn(&call.head).cloned();
    record.getkey = true;
    let reply = answer(call, visit, body, record).await?;
    record.status_cd = Some(reply.status_cd);
    json(&reply)
}

async fn answer(
    call: &Call<'_, Received>,
    visit: &Visit,
    body: &mut Option<Incoming>,
    record: &mut Record,
) -> Result<GetKeyReply, Error> {
    if !call.site.identify.session {
        return Err(Error::new(Kind::SchemeSwitchedOff));
    }
    if *call.head.method != Method::POST {
        return Err(Error::wrong_method("POST".to_owned()));
    }
    visit.door.check_ledger()?;
    let body = body::read_whole(body, LONGEST, call.site.timeouts.request_body_idle(), record).await?;
    let request = Request::read(&call.head, &body)?;
    let plane = &visit.door.plane;
    let hearing = Hearing { call, visit, request, snapshot: &plane.snapshot.load(), now: plane.seam.now() };
    hearing.decide(record)
}

/// A well-formed call, and what is known when it is decided.
struct Hearing<'a> {
    call: &'a Call<'a, Received>,
    visit: &'a Visit,
    request: Request,
    snapshot: &'a Snapshot,
    now: Timestamp,
}

impl Hearing<'_> {
    fn decide(&self, record: &mut Record) -> Result<GetKeyReply, Error> {
        let limits = &self.call.site.getkey;
        window::check(&self.request.stamp, self.now, limits.tolerance())?;
        let asp = self.snapshot.asp(&self.request.aspid);
        let (attempts, allowance) = (&self.visit.door.getkey.attempts, Allowance::of_getkey(limits));
        let claim = Claim::of(asp.map(|asp| &**asp), self.call.caller);
        let begun = attempts.begin(allowance, claim, self.now);
        let attempt = begun.map_err(|wait| {
            let words = "Too many GetKey calls from this address, or for this ASP, failed or were made within a minute.";
            Error::too_many(words, wait)
        })?;
        let granted = asp.ok_or_else(|| Error::new(Kind::UnknownAsp)).and_then(|asp| self.grant(asp, record));
        match granted {
            Ok(_) => attempts.succeeded(allowance, attempt, self.now),
            Err(_) => attempts.failed(allowance, attempt, self.now),
        }
        granted
    }

    fn grant(&self, asp: &AspEntry, record: &mut Record) -> Result<GetKeyReply, Error> {
        let certificate = signature::verify(&self.request, asp, self.environment(), self.now)?;
        self.refuse_replay()?;
        record.proven = true;
        check_asp(asp, self.call.caller)?;
        let reply = self.session(asp)?;
        self.visit.door.plane.touch(self.visit.lane, Used::Certificate(certificate.id), self.now);
        Ok(reply)
    }

    fn refuse_replay(&self) -> Result<(), Error> {
        let Request { aspid, timestamp, stamp, signature, .. } = &self.request;
        let message = replays::message(aspid, timestamp, signature);
        let tolerance = self.call.site.getkey.tolerance();
        let end = stamp.instant().saturating_add(tolerance).unwrap_or(Timestamp::MAX);
        Ok(self.visit.door.getkey.replays.take(*aspid, message, end, self.now)?)
    }

    /// A new session. While the ASP's secret is being changed its key comes under the old secret, for those who know no
    /// other yet, and once more under the new one.
    fn session(&self, asp: &AspEntry) -> Result<GetKeyReply, Error> {
        let (environment, site) = (self.environment(), &self.call.site);
        let enrolled = asp.getkey(environment);
        let mut secrets = enrolled.live_secrets(self.now);
        let without = if enrolled.has_unopened_secret { Kind::UnusableAspSecret } else { Kind::NotEnrolled };
        let oldest = secrets.next().ok_or_else(|| Error::new(without))?;
        let newest = secrets.last();
        let validity_min = asp.session_validity_min.unwrap_or(site.getkey.validity_min);
        // One made in the very second of a revocation shall live.
        let begin = enrolled.sessions_valid_from.map_or(self.now, |valid_from| valid_from.max(self.now));
        let key = self.snapshot.minting_key(environment, self.now);
        let key = key.ok_or_else(|| Error::because(Kind::Internal, "there is no master key for sessions"))?;
        let id = SessionId::new(key.id, begin, validity_min, self.visit.door.plane.seam.random());
        let session_key = sessions::derive(&key.key, environment, &asp.aspid, &id);
        Ok(GetKeyReply {
            enc_key: oldest.secret.seal_session_key(&session_key),
            enc_key_next: newest.map(|newest| newest.secret.seal_session_key(&session_key)),
            session_id: id.as_str().to_owned(),
            validity_min: validity_min.into(),
            txn: self.request.txn.clone(),
            message: String::new(),
            status_cd: StatusCd::One,
        })
    }

    fn environment(&self) -> Environment {
        self.call.site.environment
    }
}

/// An answer of an API of our own.
pub(crate) fn json(answer: &impl Serialize) -> Result<Response<Content>, Error> {
    let text = serde_json::to_vec(answer).map_err(|error| Error::because(Kind::Internal, error))?;
    let mut response = Response::new(Content::Whole(text.into()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
