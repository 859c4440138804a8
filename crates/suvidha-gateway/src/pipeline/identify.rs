//! Third, because only a call with somewhere to go needs a caller. One file per scheme: each finds what a request presents,
//! and judges by the registry's snapshot whose it is. What they share stands here, and how they go together.

mod client_credentials;
mod password;
mod session;
mod token;

use std::sync::Arc;

use gstn::catalogue::Family;
use gstn::headers::PASSWORD;
use gstn::{AspId, Environment};
use jiff::Timestamp;
use suvidha_store::{AspEntry, Snapshot, TokenLookup, Used};

use self::client_credentials::ClientCredentials;
use self::password::{Gate, InQuery};
use self::session::SessionCredentials;
use super::head::{Head, Header};
use super::receive::Received;
use super::route::{Routed, Target};
use super::settle::Record;
use super::{Call, Visit};
use crate::attempts::Allowance;
use crate::config::Identify;
use crate::error::{Error, Kind};

/// A call whose ASP is known, though not yet whether it may call.
pub(crate) struct Identified<'h> {
    target: Target<'h>,
    asp: Arc<AspEntry>,
}

impl<'h> Identified<'h> {
    pub(crate) fn asp(&self) -> &AspEntry {
        &self.asp
    }

    pub(crate) fn target(&self) -> &Target<'h> {
        &self.target
    }

    pub(crate) fn into_target(self) -> Target<'h> {
        self.target
    }
}

/// Whose call for GSTN this is, by any scheme. A password serves for what is public.
pub(crate) fn identify<'h>(
    mut call: Call<'h, Routed<'h>>,
    visit: &Visit,
    record: &mut Record,
) -> Result<Call<'h, Identified<'h>>, Error> {
    let is_public = call.stage.target().family == Family::CommonApi;
    let asp = by_any_scheme(&mut call, is_public, visit, record)?;
    Ok(call.advance(|routed| Identified { target: routed.into_target(), asp }))
}

/// Whose call this is that asks about the ASP itself, by any scheme. A password that stood in the query does so no more.
pub(crate) fn of_itself(
    call: &mut Call<'_, Received>,
    visit: &Visit,
    record: &mut Record,
) -> Result<Arc<AspEntry>, Error> {
    by_any_scheme(call, true, visit, record)
}

fn by_any_scheme<Stage>(
    call: &mut Call<'_, Stage>,
    takes_passwords: bool,
    visit: &Visit,
    record: &mut Record,
) -> Result<Arc<AspEntry>, Error> {
    let in_query = password::take_from_query(&mut call.head);
    let (schemes, head) = (call.site.identify, &call.head);
    let gate = takes_passwords.then(|| Gate {
        attempts: &visit.door.passwords,
        allowance: Allowance::of_passwords(&call.site.getkey),
        address: call.caller,
    });
    witnessed(call, visit, record, in_query.aspid(), |scene| {
        if in_query.has_password() && !(schemes.password && schemes.password_in_query) {
            return Err(Error::new(Kind::PasswordInQuery));
        }
        Presented::read(head, &in_query)?.principal(schemes, scene, gate)
    })
}

/// Whose call this is that only a GSP session may make.
pub(crate) fn by_session(
    call: &Call<'_, Received>,
    visit: &Visit,
    record: &mut Record,
) -> Result<Arc<AspEntry>, Error> {
    let in_query = InQuery::default();
    let presented = Presented::read(&call.head, &in_query)?;
    if !call.site.identify.session {
        return Err(Error::new(Kind::SchemeSwitchedOff));
    }
    witnessed(call, visit, record, None, |scene| match &presented.session {
        Some(session) => session.judge(scene),
        None => Err(presented.lacks_a_session()),
    })
}

/// Writes down whose call it is or, where it is refused, whose it says it is.
fn witnessed<Stage>(
    call: &Call<'_, Stage>,
    visit: &Visit,
    record: &mut Record,
    aspid_in_query: Option<&str>,
    judge: impl FnOnce(Scene<'_>) -> Result<Principal, Error>,
) -> Result<Arc<AspEntry>, Error> {
    let plane = &visit.door.plane;
    let snapshot = plane.snapshot.load();
    let scene = Scene { environment: call.site.environment, snapshot: &snapshot, now: record.at };
    match judge(scene) {
        Ok(Principal { asp, used }) => {
            if let Some(used) = used {
                plane.touch(visit.lane, used, scene.now);
            }
            record.asp = Some(Arc::clone(&asp));
            record.proven = true;
            Ok(asp)
        }
        Err(error) => {
            record.claimed = record.claimed.or_else(|| aspid_in_query?.parse().ok());
            record.asp = record.claimed.and_then(|aspid| snapshot.asp(&aspid)).map(Arc::clone);
            Err(error)
        }
    }
}

/// Where and when credentials are judged.
#[derive(Clone, Copy)]
struct Scene<'a> {
    environment: Environment,
    snapshot: &'a Snapshot,
    now: Timestamp,
}

/// Whom credentials name, and which of them did; of passwords there is one, and nobody asks when it was used.
#[derive(Debug)]
struct Principal {
    asp: Arc<AspEntry>,
    used: Option<Used>,
}

/// Everything in a request that says who sends it.
struct Presented<'a> {
    token: Option<&'a str>,
    session: Option<SessionCredentials<'a>>,
    clients: [Option<ClientCredentials<'a>>; 2],
    half_a_client: Option<(&'static str, &'static str)>,
    password: password::Presented<'a>,
}

impl<'a> Presented<'a> {
    fn read(head: &'a Head<'_>, in_query: &'a InQuery) -> Result<Self, Error> {
        Ok(Self {
            token: token::presented(head)?,
            session: session::presented(head),
            clients: client_credentials::presented(head),
            half_a_client: client_credentials::half(head),
            password: password::presented(head, in_query)?,
        })
    }

    /// The one ASP that the credentials name. A token goes first; others beside it may be left over from another GSP, and
    /// count only if they are ours and another ASP's. A password is looked at where nothing else names anybody, and only
    /// with a `gate`. An `aspid` alone is no credential.
    fn principal(
        &self,
        schemes: Identify,
        scene: Scene<'_>,
        gate: Option<Gate<'_>>,
    ) -> Result<Principal, Error> {
        let token = self.token.filter(|_| schemes.token);
        let session = self.session.as_ref().filter(|_| schemes.session);
        let clients = self.clients.iter().flatten().filter(|_| schemes.client_credentials);
        let mut principal = token.map(|token| token::judge(token, scene)).transpose()?;
        let mut refusal = None;
        let others = session.map(|session| session.judge(scene)).into_iter();
        for found in others.chain(clients.map(|client| client.judge(scene))) {
            match (found, &principal) {
                (Ok(found), Some(known)) if found.asp.aspid != known.asp.aspid => {
                    return Err(Error::new(Kind::ConflictingCredentials));
                }
                (Ok(found), None) => principal = Some(found),
                (Ok(_), Some(_)) => {}
                (Err(error), _) => refusal = refusal.or(Some(error)),
            }
        }
        if let Some(principal) = principal {
            return Ok(principal);
        }
        match (&self.password, gate) {
            (password::Presented::Both(password), Some(gate)) if schemes.password => {
                password.judge(scene, gate).map_err(|error| refusal.unwrap_or(error))
            }
            _ => Err(refusal.unwrap_or_else(|| self.nothing_usable(schemes, gate.is_some()))),
        }
    }

    fn nothing_usable(&self, schemes: Identify, takes_passwords: bool) -> Error {
        if self.token.is_some() || self.session.is_some() || self.clients.iter().any(Option::is_some) {
            return Error::new(Kind::SchemeSwitchedOff);
        }
        match self.password {
            password::Presented::Both(_) if takes_passwords => return Error::new(Kind::SchemeSwitchedOff),
            password::Presented::Half(missing) if takes_passwords && schemes.password => {
                return password::half(missing);
            }
            password::Presented::Both(_) | password::Presented::Half(PASSWORD) if schemes.session => {
                return self.lacks_a_session();
            }
            _ => {}
        }
        match self.half_a_client {
            Some((there, missing)) => Error::saying(
                Kind::NoCredentials,
                format!("The request bears `{there}`, but no `{missing}`."),
            ),
            None => Error::new(Kind::NoCredentials),
        }
    }

    /// Why there is not even an attempt at a session.
    fn lacks_a_session(&self) -> Error {
        if self.token.is_some() || self.clients.iter().any(Option::is_some) {
            return Error::saying(
                Kind::NoSessionId,
                "This takes a live GSP session (`aspid`, `session-id`, `asp-secret`), and neither a token nor client credentials.",
            );
        }
        match self.password {
            password::Presented::Both(_) => Error::new(Kind::PasswordInPlaceOfSession),
            password::Presented::Half(PASSWORD) => Error::saying(
                Kind::NoAspSecret,
                "The request bears `aspid`, but neither `asp-secret` nor `session-id`.",
            ),
            _ => Error::new(Kind::NoAspId),
        }
    }
}

/// The ASP that a request names.
pub(crate) fn aspid(head: &Head<'_>) -> Result<AspId, Error> {
    parsed(head.text(Header::Aspid).ok_or_else(|| Error::new(Kind::NoAspId))?)
}

fn parsed(aspid: &str) -> Result<AspId, Error> {
    aspid.parse().map_err(|_| match aspid.len() {
        10 => Error::saying(Kind::MalformedAspId, "The header `aspid` has other characters than ten digits."),
        _ => Error::new(Kind::WrongLengthOfAspId),
    })
}

/// The ASP that a request says it comes from, if there is such a one. Nothing is proven thereby.
pub(crate) fn claimed(head: &Head<'_>, snapshot: &Snapshot) -> Option<Arc<AspEntry>> {
    aspid(head).ok().and_then(|aspid| snapshot.asp(&aspid)).map(Arc::clone)
}

/// What the registry says of a token, or of client credentials.
fn judged(lookup: TokenLookup<'_>, unknown: Kind) -> Result<Principal, Error> {
    match lookup {
        TokenLookup::Found { asp, credential } => {
            Ok(Principal { asp: Arc::clone(asp), used: Some(Used::Credential(credential)) })
        }
        TokenLookup::Expired => Err(Error::new(Kind::Expired)),
        TokenLookup::Revoked => Err(Error::new(Kind::Revoked)),
        TokenLookup::OtherEnvironment(other) => {
            Err(Error::saying(Kind::OtherEnvironment, format!("This credential belongs to {other}.")))
        }
        TokenLookup::Mistyped => Err(Error::saying(
            unknown,
            "The token is damaged: its checksum is wrong. It was cut or mistyped.",
        )),
        TokenLookup::Unknown => Err(Error::new(unknown)),
    }
}
