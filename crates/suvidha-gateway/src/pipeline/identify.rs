//! Third, because only a call with somewhere to go needs a caller. One file per scheme; each finds what a
//! request presents, and the registry's snapshot says whose it is.

mod client_credentials;
mod token;

use std::sync::Arc;

use jiff::Timestamp;
use suvidha_store::{AspEntry, CredentialId, Snapshot, TokenLookup, Used};

use self::client_credentials::ClientCredentials;
use super::route::{Routed, Target};
use super::settle::Record;
use super::{Call, Visit};
use crate::config::Identify;
use crate::error::{Error, Kind};
use crate::site::Site;

/// A call whose ASP is known, though not yet whether it may call.
pub(crate) struct Identified {
    target: Target,
    asp: Arc<AspEntry>,
}

impl Identified {
    pub(crate) fn asp(&self) -> &AspEntry {
        &self.asp
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn into_target(self) -> Target {
        self.target
    }
}

pub(crate) fn identify(
    call: Call<Routed>,
    visit: &Visit,
    record: &mut Record,
) -> Result<Call<Identified>, Error> {
    let plane = &visit.door.plane;
    let now = plane.seam.now();
    let snapshot = plane.snapshot.load();
    let presented = Presented {
        token: token::presented(&call.head.headers)?,
        clients: client_credentials::presented(&call.head.headers),
        half: client_credentials::half(&call.head.headers),
    };
    let (asp, credential) = presented.whose(&call.site, &snapshot, now)?;
    plane.touch(visit.lane, Used::Credential(credential), now);
    record.asp = Some(Arc::clone(&asp));
    Ok(call.advance(|routed| Identified { target: routed.into_target(), asp }))
}

/// Everything in a request that says who sends it.
struct Presented<'a> {
    token: Option<&'a str>,
    clients: [Option<ClientCredentials<'a>>; 2],
    half: Option<(&'static str, &'static str)>,
}

type Principal = (Arc<AspEntry>, CredentialId);

impl Presented<'_> {
    /// The one ASP that the credentials name. A token goes first; client credentials beside it may be left
    /// over from another GSP, and count only if they are ours and another ASP's.
    fn whose(&self, site: &Site, snapshot: &Snapshot, now: Timestamp) -> Result<Principal, Error> {
        let Identify { token: tokens_on, client_credentials: clients_on, .. } = site.identify;
        let token = self.token.filter(|_| tokens_on);
        let mut principal = match token {
            Some(token) => Some(judge(snapshot.by_token(site.environment, token, now), Kind::UnknownToken)?),
            None => None,
        };
        let mut refusal = None;
        for client in self.clients.iter().flatten().filter(|_| clients_on) {
            let lookup = snapshot.by_client_credentials(site.environment, client.id, client.secret, now);
            match (judge(lookup, Kind::UnknownClientCredentials), &principal) {
                (Ok((asp, _)), Some((known, _))) if asp.aspid != known.aspid => {
                    return Err(Error::new(Kind::ConflictingCredentials));
                }
                (Ok(found), None) => principal = Some(found),
                (Ok(_), Some(_)) => {}
                (Err(error), _) => refusal = Some(error),
            }
        }
        principal.ok_or_else(|| refusal.unwrap_or_else(|| self.nothing_usable()))
    }

    fn nothing_usable(&self) -> Error {
        if self.token.is_some() || self.clients.iter().any(Option::is_some) {
            return Error::new(Kind::SchemeSwitchedOff);
        }
        match self.half {
            Some((there, missing)) => Error::saying(
                Kind::NoCredentials,
                format!("The request bears `{there}`, but no `{missing}`."),
            ),
            None => Error::new(Kind::NoCredentials),
        }
    }
}

fn judge(lookup: TokenLookup<'_>, unknown: Kind) -> Result<Principal, Error> {
    match lookup {
        TokenLookup::Found { asp, credential } => Ok((Arc::clone(asp), credential)),
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
