use std::sync::Arc;

use gstn::Environment::{Production, Sandbox};
use gstn::headers::{ASP_SECRET, SESSION_ID};
use http::HeaderMap;
use jiff::SignedDuration;
use suvidha_seam::{ManualClock, Seam, SystemRng};
use suvidha_store::{NewAsp, Registry, SealingKeys, Snapshot};

use super::*;
use crate::pipeline::head;

/// A registry with two enrolled ASPs, and a clock that stands still.
struct Registered {
    _directory: tempfile::TempDir,
    registry: Registry,
    clock: Arc<ManualClock>,
    seam: Seam,
    own: (AspId, AspSecret),
    other: (AspId, AspSecret),
}

fn registered() -> Registered {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at("2026-11-22T04:45:30Z".parse().unwrap()));
    let seam = Seam { clock: clock.clone(), rng: Arc::new(SystemRng) };
    let keys = SealingKeys::create_file(&directory.path().join("sealing.keys"), &seam).unwrap();
    let registry = Registry::open(&directory.path().join("registry.db"), keys, seam.clone()).unwrap();
    registry.ensure_session_key(Sandbox).unwrap();
    registry.ensure_session_key(Production).unwrap();
    let [own, other] = [(); 2].map(|()| {
        let aspid = an_asp(&registry);
        (aspid, secret(registry.enrol(&aspid, Sandbox).unwrap().secret.expose()))
    });
    Registered { _directory: directory, registry, clock, seam, own, other }
}

fn an_asp(registry: &Registry) -> AspId {
    let text = |text: &str| text.to_owned();
    let (name, contact_name, email, phone) =
        (text("Acme"), text("Asha Rao"), text("asha@acme.example"), text("+91 98450 00000"));
    registry.add_asp(NewAsp { name, contact_name, email, phone }).unwrap().aspid
}

fn secret(text: &str) -> AspSecret {
    AspSecret::try_from_slice(text.as_bytes()).unwrap()
}

/// The three headers.
type Headers = (String, String, String);

impl Registered {
    fn snapshot(&self) -> Snapshot {
        self.registry.snapshot().unwrap()
    }

    /// A session of `asp` under the key that mints now, and the headers of its calls.
    fn session(&self, (aspid, secret): &(AspId, AspSecret), environment: Environment) -> Headers {
        let (snapshot, now) = (self.snapshot(), self.seam.now());
        let key = snapshot.minting_key(environment, now).unwrap();
        let id = SessionId::new(key.id, now, 60, self.seam.random());
        let session_key = crate::sessions::derive(&key.key, environment, aspid, &id);
        (aspid.to_string(), id.as_str().to_owned(), session_key.seal_asp_secret(secret))
    }

    /// A session of the first ASP, whose `asp-secret` holds some other text.
    fn session_showing(&self, text: &[u8]) -> Headers {
        let (aspid, id, _) = self.session(&self.own, Sandbox);
        let snapshot = self.snapshot();
        let key = snapshot.minting_key(Sandbox, self.seam.now()).unwrap();
        let parsed = SessionId::parse(&id).unwrap();
        let session_key = crate::sessions::derive(&key.key, Sandbox, &self.own.0, &parsed);
        let sealed = gstn::crypto::aes256_ecb_encrypt(session_key.as_bytes(), text);
        (aspid, id, gstn::crypto::base64::encode(sealed))
    }

    /// The code with which a call is refused, if it is; and the work it took.
    fn judged(&self, environment: Environment, headers: &Headers) -> (Result<(), &'static str>, [usize; 3]) {
        let snapshot = self.snapshot();
        let scene = Scene { environment, snapshot: &snapshot, now: self.seam.now() };
        let (aspid, session_id, asp_secret) = headers;
        let mut map = HeaderMap::new();
        for (name, value) in [("aspid", aspid), (SESSION_ID, session_id), (ASP_SECRET, asp_secret)] {
            map.insert(name, value.parse().unwrap());
        }
        work::done::take();
        let parts = head::with(&map);
        let judged = presented(&Head::read(&parts).0).unwrap().judge(scene);
        (judged.map(|_| ()).map_err(|error| error.code()), work::done::take())
    }
}

const LONG_WAY: [usize; 3] = [1, 1, 1];
const SHORT_WAY: [usize; 3] = [0, 0, 0];

#[test]
fn every_refusal_takes_the_same_work() {
    let stage = registered();
    let (_, session_id, asp_secret) = stage.session(&stage.own, Sandbox);
    let others = stage.session(&stage.other, Sandbox);
    let own = stage.own.0.to_string();
    let nobody = (AspId::new(9_999_999_999).unwrap(), stage.own.1.clone());
    let wrong_secret = (stage.own.0, secret("0123456789abcdef0123456789abcdef"));
    let not_enrolled = (an_asp(&stage.registry), stage.own.1.clone());
    let unproven = (not_enrolled.0, AspSecret::from_bytes([0; 32]));
    let no_such_key = SessionId::new(200, stage.seam.now(), 60, [7; 16]).as_str().to_owned();
    let swapped: String = asp_secret.chars().rev().collect();
    for (case, headers, refusal) in [
        ("right", stage.session(&stage.own, Sandbox), Ok(())),
        ("unknown ASP", stage.session(&nobody, Sandbox), Err("GSP012")),
        ("wrong secret", stage.session(&wrong_secret, Sandbox), Err("GSP018")),
        ("the account password", stage.session_showing(b"A1b2C3d4E5f6G7h8I9j0K1l2"), Err("GSP018")),
        ("nothing at all", stage.session_showing(b""), Err("GSP017")),
        ("no text", stage.session_showing(&[0; 31]), Err("GSP017")),
        ("the stand-in's own bytes", stage.session_showing(&[0; 32]), Err("GSP018")),
        ("the same of one without a secret", stage.session(&unproven, Sandbox), Err("GSP018")),
        ("not enrolled", stage.session(&not_enrolled, Sandbox), Err("GSP018")),
        ("another's session", (own.clone(), others.1, others.2.clone()), Err("GSP017")),
        ("another's secret", (own.clone(), session_id.clone(), others.2), Err("GSP017")),
        ("another environment's", stage.session(&stage.own, Production), Err("GSP017")),
        (
            "altered id",
            (own.clone(), session_id.replace(&session_id[20..], "AAAAAAAAAAA"), asp_secret),
            Err("GSP017"),
        ),
        ("no such key", (own.clone(), no_such_key, swapped.clone()), Err("GSP017")),
        ("altered secret", (own, session_id, swapped), Err("GSP017")),
    ] {
        assert_eq!(stage.judged(Sandbox, &headers), (refusal, LONG_WAY), "{case}");
    }
}

#[test]
fn a_session_seen_before_takes_none() {
    let stage = registered();
    let headers = stage.session(&stage.own, Sandbox);
    assert_eq!(stage.judged(Sandbox, &headers), (Ok(()), LONG_WAY));
    for _ in 0..100 {
        assert_eq!(stage.judged(Sandbox, &headers), (Ok(()), SHORT_WAY));
    }
    let (aspid, id, asp_secret) = headers.clone();
    let url_safe = (aspid.clone(), id.clone(), asp_secret.replace('+', "-").replace('/', "_"));
    assert_eq!(stage.judged(Sandbox, &url_safe).0, Ok(()), "another spelling of the same");
    let wrong = (aspid, id, asp_secret.chars().rev().collect());
    assert_eq!(stage.judged(Sandbox, &wrong), (Err("GSP017"), LONG_WAY));
    assert_eq!(stage.judged(Sandbox, &headers).0, Ok(()), "and nobody spoils it for others");
    assert_eq!(
        stage.judged(Production, &headers),
        (Err("GSP017"), LONG_WAY),
        "it is known in the sandbox only"
    );
}

#[test]
fn what_was_proven_is_asked_of_the_registry_again() {
    let stage = registered();
    let known = |headers: &Headers| {
        assert_eq!(stage.judged(Sandbox, headers).0, Ok(()));
        assert_eq!(stage.judged(Sandbox, headers), (Ok(()), SHORT_WAY));
    };
    let day = SignedDuration::from_hours(24);

    let headers = stage.session(&stage.own, Sandbox);
    known(&headers);
    stage.clock.advance(60 * 60 * 1000 - 1);
    assert_eq!(stage.judged(Sandbox, &headers), (Ok(()), SHORT_WAY));
    stage.clock.advance(1);
    assert_eq!(stage.judged(Sandbox, &headers), (Err("GSP022"), LONG_WAY), "its time is over");

    let headers = stage.session(&stage.own, Sandbox);
    known(&headers);
    let valid_from = stage.registry.revoke_sessions(&stage.own.0, Some(Sandbox)).unwrap();
    assert_eq!(stage.judged(Sandbox, &headers), (Err("GSP022"), LONG_WAY), "it was revoked");
    stage.clock.set(valid_from);

    let headers = stage.session(&stage.own, Sandbox);
    known(&headers);
    let new = stage.registry.rotate_asp_secret(&stage.own.0, Sandbox, day).unwrap();
    assert_eq!(stage.judged(Sandbox, &headers), (Ok(()), SHORT_WAY), "the old secret still counts");
    let with_new = stage.session(&(stage.own.0, secret(new.secret.expose())), Sandbox);
    known(&with_new);
    let before = stage.snapshot();
    stage.registry.retire_asp_secrets(&stage.own.0, Sandbox).unwrap();
    assert_eq!(stage.judged(Sandbox, &headers).0, Err("GSP018"), "its secret was retired");
    assert_eq!(stage.judged(Sandbox, &with_new), (Ok(()), SHORT_WAY));
    assert!(before.asp(&stage.own.0).unwrap().getkey(Sandbox).secrets.len() == 2);

    stage.registry.rotate_session_key(Sandbox).unwrap();
    stage.clock.advance(10_000);
    assert_eq!(stage.judged(Sandbox, &with_new), (Ok(()), SHORT_WAY), "the old master key still opens");
    stage.registry.retire_session_key(Sandbox, 1).unwrap();
    assert_eq!(stage.judged(Sandbox, &with_new), (Err("GSP022"), LONG_WAY), "its master key was retired");
}
