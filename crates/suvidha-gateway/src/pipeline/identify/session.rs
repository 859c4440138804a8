//! A GSP session, made by GetKey: `aspid`, `session-id`, and `asp-secret`, which is the ASP's secret under the session's key.
//!
//! Everything is in these three headers and the key ring; nothing was stored. Since a session's `asp-secret` is always the
//! same text, the key is derived, and the secret decrypted, for the first call of a session only: after that it is
//! enough to compare, and to ask the registry whether what was proven still holds.

use std::cell::RefCell;
use std::sync::Arc;

use gstn::crypto::{AspSecret, ct_eq};
use gstn::{AspId, Environment};
use suvidha_store::{AspEntry, AspSecretId, SecretEntry, Used};
use zeroize::Zeroizing;

use super::{Principal, Scene};
use crate::error::{Error, Kind};
use crate::generations::Generations;
use crate::getkey::in_ist;
use crate::pipeline::head::{Head, Header};
use crate::sessions::SessionId;

/// How many sessions each of the two generations of one thread's memory holds: some 200 bytes each.
const REMEMBERED: usize = 1 << 16;

/// The length of an `asp-secret`: three blocks of AES in base64.
const SEALED: usize = 64;

/// An attempt at a session, as sent.
pub(super) struct SessionCredentials<'a> {
    head: &'a Head<'a>,
}

/// Either of its own two headers makes it an attempt.
pub(super) fn presented<'a>(head: &'a Head<'_>) -> Option<SessionCredentials<'a>> {
    let attempted = [Header::AspSecret, Header::SessionId].iter().any(|own| head.text(*own).is_some());
    attempted.then_some(SessionCredentials { head })
}

impl SessionCredentials<'_> {
    /// Whose session it is.
    pub(super) fn judge(&self, scene: Scene<'_>) -> Result<Principal, Error> {
        let aspid = super::aspid(self.head)?;
        let asp_secret = self.head.text(Header::AspSecret).ok_or_else(|| Error::new(Kind::NoAspSecret))?;
        let session_id = self.head.text(Header::SessionId).ok_or_else(|| Error::new(Kind::NoSessionId))?;
        if let Some(principal) = recall(scene, &aspid, session_id, asp_secret) {
            return Ok(principal);
        }
        let id = SessionId::parse(session_id).ok_or_else(|| {
            Error::saying(Kind::ForeignSession, "The `session-id` is not one that this gateway gives out.")
        })?;
        let (asp, secret) = prove(scene, &aspid, &id, asp_secret)?;
        remember(scene.environment, aspid, id, asp_secret, secret.id);
        Ok(Principal { asp: Arc::clone(asp), used: Some(Used::AspSecret(secret.id)) })
    }
}

/// Opens a session from its id alone.
///
/// Nobody shall learn from the time it takes what was wrong. So there are no early returns before the last comparison: an
/// ASP that does not exist, a master key that is gone, a header that does not decrypt, each has a stand-in that takes the
/// same way as the real one and cannot pass, and only then is the verdict given.
fn prove<'a>(
    scene: Scene<'a>,
    aspid: &AspId,
    id: &SessionId,
    asp_secret: &str,
) -> Result<(&'a Arc<AspEntry>, &'a SecretEntry), Error> {
    const NO_KEY: [u8; 32] = [0; 32];
    let nobodys = AspSecret::from_bytes([0; 32]);
    let keys = scene.snapshot.session_keys(scene.environment);
    let asp = scene.snapshot.asp(aspid);
    let secrets = asp.map_or(&[][..], |asp| &asp.getkey(scene.environment).secrets);

    let master = keys.iter().find(|key| key.id == id.key_id);
    let session_key =
        work::derive(master.map_or(&NO_KEY, |master| &master.key), scene.environment, aspid, id);
    let text = work::open(&session_key, asp_secret).unwrap_or_default();
    // A wrong key leaves a right padding now and then, but hardly before 32 bytes or a text.
    let is_text = !text.is_empty() && text.iter().all(u8::is_ascii_graphic);
    let decrypts = is_text || text.len() == 32;
    let shown = AspSecret::try_from_slice(&text).unwrap_or_else(|_| nobodys.clone());
    let mut matching = None;
    for secret in secrets {
        if work::equal(&shown, &secret.secret) {
            matching = Some(secret);
        }
    }
    if secrets.is_empty() {
        work::equal(&shown, &nobodys);
    }

    let asp = asp.ok_or_else(|| Error::new(Kind::UnknownAsp))?;
    if master.is_none() {
        // Ids of keys are given one after the other, and of those that made sessions the newest is never retired.
        let was_ours = (1..keys.iter().map(|key| key.id).max().unwrap_or(0)).contains(&id.key_id);
        let words = "The master key of this session was retired; call GetKey again.";
        let foreign =
            || Error::saying(Kind::ForeignSession, "No master key of this gateway made this `session-id`.");
        return Err(if was_ours { Error::saying(Kind::Expired, words) } else { foreign() });
    }
    if !decrypts {
        return Err(Error::new(Kind::ForeignSession));
    }
    let Some(secret) = matching else {
        if asp.getkey(scene.environment).has_unopened_secret {
            return Err(Error::new(Kind::UnusableAspSecret));
        }
        let words = match text.len() {
            32 => "The `asp-secret` decrypts, but is not the secret of this ASP. If the secret was changed, the old one no \
                 longer counts."
                .to_owned(),
            length => format!(
                "The `asp-secret` decrypts, but to {length} characters, and an ASP secret has 32. Was it the account \
                 password?"
            ),
        };
        return Err(Error::saying(Kind::WrongAspSecret, words));
    };
    if let Some(until) = secret.until.filter(|until| *until <= scene.now) {
        let words = format!(
            "The `asp-secret` holds an old secret of this ASP, which counted until {} IST. Use the new one.",
            in_ist(until)
        );
        return Err(Error::saying(Kind::WrongAspSecret, words));
    }
    match over(scene, asp, id) {
        Some(words) => Err(Error::saying(Kind::Expired, words)),
        None => Ok((asp, secret)),
    }
}

/// Why a session of `asp` is over, if it is.
fn over(scene: Scene<'_>, asp: &AspEntry, id: &SessionId) -> Option<String> {
    let ended = id.ends_at();
    if ended <= scene.now {
        let ended = in_ist(ended);
        return Some(format!(
            "The session ended at {ended} IST, {} minutes after it was made.",
            id.validity_min
        ));
    }
    let valid_from = asp.getkey(scene.environment).sessions_valid_from?;
    (id.issued_at() < valid_from).then(|| {
        format!("The session was revoked: those made before {} IST no longer count.", in_ist(valid_from))
    })
}

/// What the first call of a session has proven.
struct Proof {
    environment: Environment,
    aspid: AspId,
    id: SessionId,
    /// The header that was proven right.
    asp_secret: Zeroizing<[u8; SEALED]>,
    secret: AspSecretId,
}

thread_local! {
    /// The sessions that this thread has seen.
    static PROOFS: RefCell<Generations<SessionId, Proof>> = RefCell::new(Generations::new(REMEMBERED));
}

/// The principal of a session whose proof is known, if all of it still holds. If not, the long way finds out why.
fn recall(scene: Scene<'_>, aspid: &AspId, session_id: &str, asp_secret: &str) -> Option<Principal> {
    PROOFS.with_borrow_mut(|proofs| {
        let proof = proofs.get(session_id)?;
        let same = proof.environment == scene.environment
            && proof.aspid == *aspid
            && ct_eq(&*proof.asp_secret, asp_secret.as_bytes());
        if !same {
            return None;
        }
        let asp = scene.snapshot.asp(aspid)?;
        let secret_counts =
            asp.getkey(scene.environment).live_secrets(scene.now).any(|secret| secret.id == proof.secret);
        let key_counts =
            scene.snapshot.session_keys(scene.environment).iter().any(|key| key.id == proof.id.key_id);
        let holds = secret_counts && key_counts && over(scene, asp, &proof.id).is_none();
        holds.then(|| Principal { asp: Arc::clone(asp), used: Some(Used::AspSecret(proof.secret)) })
    })
}

/// Only the usual form of the header is worth remembering: it has one length.
fn remember(environment: Environment, aspid: AspId, id: SessionId, asp_secret: &str, secret: AspSecretId) {
    let Ok(asp_secret) = asp_secret.as_bytes().try_into().map(Zeroizing::new) else { return };
    let proof = Proof { environment, aspid, id, asp_secret, secret };
    PROOFS.with_borrow_mut(|proofs| proofs.insert(id, proof));
}

/// What takes time. Tests count it, to see that every refusal does the same, and a known session nothing.
mod work {
    use gstn::crypto::{AspEk, AspSecret, CryptoError};
    use gstn::{AspId, Environment};
    use zeroize::Zeroizing;

    use crate::sessions::{self, SessionId};

    pub(super) fn derive(
        master: &[u8; 32],
        environment: Environment,
        aspid: &AspId,
        id: &SessionId,
    ) -> AspEk {
        #[cfg(test)]
        done::note(0);
        sessions::derive(master, environment, aspid, id)
    }

    pub(super) fn open(session_key: &AspEk, asp_secret: &str) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        #[cfg(test)]
        done::note(1);
        session_key.open_shown_text(asp_secret)
    }

    pub(super) fn equal(one: &AspSecret, other: &AspSecret) -> bool {
        #[cfg(test)]
        done::note(2);
        one.ct_eq(other)
    }

    #[cfg(test)]
    pub(super) mod done {
        use std::cell::Cell;

        thread_local!(static DONE: Cell<[usize; 3]> = const { Cell::new([0; 3]) });

        pub(super) fn note(what: usize) {
            let mut done = DONE.get();
            done[what] += 1;
            DONE.set(done);
        }

        /// Derivations, decryptions and comparisons on this thread since this was last asked.
        pub(in super::super) fn take() -> [usize; 3] {
            DONE.take()
        }
    }
}

#[cfg(test)]
mod tests;
