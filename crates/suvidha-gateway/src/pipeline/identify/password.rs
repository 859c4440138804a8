//! The account password of an ASP, beside its `aspid`: for what is its own or public, and for no taxpayer's affairs.
//!
//! It says the same at each call, so it can be guessed at and overheard. Failures are counted as those of GetKey are, and what
//! is wrong is not told: that the password is another, that there is none, that there is no such ASP. In the query it is
//! taken only where the operator allows it, and leaves the request before anybody else reads the query.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use gstn::AspId;
use gstn::headers::{ASPID, PASSWORD};
use suvidha_store::{PasswordLookup, SecretString};

use super::{Principal, Scene, parsed};
use crate::attempts::{Allowance, Attempts, Claim};
use crate::error::{Error, Kind};
use crate::pipeline::head::{Head, Header};
use crate::query;

/// The length of an ASP secret, which some take for the password.
const LENGTH_OF_A_SECRET: usize = 32;

/// What of it stood in the query.
#[derive(Default)]
pub(super) struct InQuery {
    aspid: Option<String>,
    password: Option<SecretString>,
    /// One of them was there twice, with different values.
    contradicts_itself: bool,
}

/// Takes the password, and the `aspid` that goes with it, out of the query. Where there is no password nothing is changed: an
/// `aspid` alone is no secret, and none of ours.
pub(super) fn take_from_query(head: &mut Head<'_>) -> InQuery {
    let query = head.query.as_deref().unwrap_or_default();
    if !query.split('&').any(|pair| query::is_named(pair, PASSWORD)) {
        return InQuery::default();
    }
    let (mut taken, mut rest) = (InQuery::default(), Vec::new());
    for pair in query.split('&') {
        let (name, value) = query::decoded(pair);
        let value = value.trim();
        if name.eq_ignore_ascii_case(PASSWORD) {
            taken.contradicts_itself |= taken.password.as_ref().is_some_and(|other| !other.ct_eq(value));
            taken.password = Some(value.into());
        } else if name.eq_ignore_ascii_case(ASPID) {
            taken.contradicts_itself |= taken.aspid.as_ref().is_some_and(|other| other != value);
            taken.aspid = Some(value.to_owned());
        } else {
            rest.push(pair);
        }
    }
    let rest = rest.join("&");
    head.query = (!rest.is_empty()).then_some(Cow::Owned(rest));
    taken
}

impl InQuery {
    pub(super) fn has_password(&self) -> bool {
        self.password.is_some()
    }

    pub(super) fn aspid(&self) -> Option<&str> {
        self.aspid.as_deref().filter(|aspid| !aspid.is_empty())
    }
}

/// An `aspid` and a password, as sent.
pub(super) struct PasswordCredentials<'a> {
    aspid: &'a str,
    password: &'a str,
}

/// What a request has of the two.
pub(super) enum Presented<'a> {
    Nothing,
    /// One without the other: the missing one is named.
    Half(&'static str),
    Both(PasswordCredentials<'a>),
}

/// The password of a request: in its headers, or else in the query.
pub(super) fn presented<'a>(head: &Head<'a>, in_query: &'a InQuery) -> Result<Presented<'a>, Error> {
    if in_query.contradicts_itself {
        return Err(contradicting("The query names"));
    }
    let aspid = one_of(head.text(Header::Aspid), in_query.aspid())?;
    let of_query = in_query.password.as_ref().map(SecretString::expose);
    let password = one_of(head.text(Header::Password), of_query.filter(|password| !password.is_empty()))?;
    Ok(match (aspid, password) {
        (Some(aspid), Some(password)) => Presented::Both(PasswordCredentials { aspid, password }),
        (None, Some(_)) => Presented::Half(ASPID),
        (Some(_), None) => Presented::Half(PASSWORD),
        (None, None) => Presented::Nothing,
    })
}

fn contradicting(who_names: &str) -> Error {
    let words = format!("{who_names} different values of `aspid` or `password`.");
    Error::saying(Kind::ConflictingCredentials, words)
}

fn one_of<'a>(header: Option<&'a str>, in_query: Option<&'a str>) -> Result<Option<&'a str>, Error> {
    match (header, in_query) {
        (Some(header), Some(in_query)) if header != in_query => {
            Err(contradicting("The headers and the query name"))
        }
        (header, in_query) => Ok(header.or(in_query)),
    }
}

/// Why half of the two is not enough, where they would serve.
pub(super) fn half(missing: &'static str) -> Error {
    let words = match missing {
        PASSWORD => "The request bears `aspid`, but neither `password` nor `asp-secret` with `session-id`.",
        _ => "The request bears `password`, but no `aspid`.",
    };
    Error::saying(Kind::HalfAPassword, words)
}

/// Where a password is tried.
#[derive(Clone, Copy)]
pub(super) struct Gate<'a> {
    pub(super) attempts: &'a Attempts,
    pub(super) allowance: Allowance,
    pub(super) address: IpAddr,
}

impl PasswordCredentials<'_> {
    /// Whose it is.
    pub(super) fn judge(&self, scene: Scene<'_>, gate: Gate<'_>) -> Result<Principal, Error> {
        let aspid = parsed(self.aspid)?;
        let asp = scene.snapshot.asp(&aspid);
        let Gate { attempts, allowance, address } = gate;
        let claim = Claim::of(asp.map(|asp| &**asp), address);
        let attempt = attempts.begin(allowance, claim, scene.now).map_err(|wait| {
            let words = "Too many calls with a wrong password came from this address, or for this ASP, within a minute.";
            Error::too_many(words, wait)
        })?;
        let judged = self.look_up(scene, &aspid);
        match judged {
            Ok(_) => attempts.succeeded(allowance, attempt, scene.now),
            Err(_) => attempts.failed(allowance, attempt, scene.now),
        }
        judged
    }

    fn look_up(&self, scene: Scene<'_>, aspid: &AspId) -> Result<Principal, Error> {
        match scene.snapshot.by_password(scene.environment, aspid, self.password) {
            PasswordLookup::Found { asp } => Ok(Principal { asp: Arc::clone(asp), used: None }),
            PasswordLookup::OtherEnvironment(other) => {
                Err(Error::saying(Kind::OtherEnvironment, format!("This password belongs to {other}.")))
            }
            PasswordLookup::Wrong | PasswordLookup::NoPassword | PasswordLookup::UnknownAsp => {
                Err(Error::saying(Kind::WrongPassword, self.words(scene)))
            }
        }
    }

    /// The same for every reason but what the sender can see for himself.
    fn words(&self, scene: Scene<'_>) -> String {
        let hint = match self.password.len() {
            LENGTH_OF_A_SECRET => " It has 32 characters: is it the ASP secret?",
            _ => "",
        };
        format!("This is not the account password of this `aspid` in {}.{hint}", scene.environment)
    }
}
