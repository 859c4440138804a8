//! The keeper, on whom every revocation depends, is stopped by nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use rusqlite::Connection;
use suvidha_seam::{Clock, Seam, SystemClock, SystemRng};
use suvidha_store::NewToken;

use crate::enrolled::{ANOTHER_KEY, enrolled_with};
use crate::log;
use crate::stage::{self, Sandbox, request, soon};
use crate::stand_in::StandIn;

const PATH: &str = "/taxpayerapi/v1.0/returns";

/// A clock that panics once when the keeper reads it, after it was armed.
struct Trap(AtomicBool);

impl Clock for Trap {
    fn now(&self) -> Timestamp {
        let keepers = std::thread::current().name() == Some("suvidha-keeper");
        assert!(!keepers || !self.0.swap(false, Ordering::SeqCst), "a trap for the keeper");
        SystemClock.now()
    }
}

#[test]
fn a_panic_of_the_keepers_leaves_the_registry_followed() {
    let trap = Arc::new(Trap(AtomicBool::new(false)));
    let seam = Seam { clock: trap.clone(), rng: Arc::new(SystemRng) };
    let stage = stage::set_with(StandIn::content().address, seam).start();
    trap.0.store(true, Ordering::SeqCst);
    assert!(soon(|| log::text().contains("the keeper panicked")));
    let issued = stage.registry.issue_token(&stage.aspid, Sandbox, NewToken::default()).unwrap();
    let call = request("GET", PATH, &format!("x-ct-auth-token: {}\r\n", issued.token.expose()), "");
    assert!(soon(|| stage.exchange(&call).status == 200));
    stage.registry.revoke_token(&stage.aspid, issued.id).unwrap();
    assert!(soon(|| stage.exchange(&call).status == 401));
}

#[test]
fn uses_are_noted_when_another_process_has_done_writing() {
    let asp = enrolled_with(
        StandIn::content().address,
        |_| (),
        |registry, aspid| {
            let key =
                rcgen::KeyPair::from_pem_and_sign_algo(&ANOTHER_KEY.pkcs8_pem(), &rcgen::PKCS_RSA_SHA256);
            let mut params = rcgen::CertificateParams::new(vec!["asp".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(2026, 11, 1);
            params.not_after = rcgen::date_time_ymd(2026, 12, 1);
            registry
                .add_certificate(aspid, Sandbox, params.self_signed(&key.unwrap()).unwrap().der())
                .unwrap();
        },
    );
    // Once a day, so a story can see that the keeper has made its round.
    let warnings = || {
        let about = |line: &&str| line.contains("expires soon") && line.contains(asp.aspid().as_str());
        log::text().lines().filter(about).count()
    };
    assert!(soon(|| warnings() == 1));
    let session = asp.session();
    let other = Connection::open(asp.stage.path("registry.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    asp.advance(1);
    let used_at = asp.now();
    assert_eq!(asp.call(&session.headers()).status, 200);
    for rounds in [2, 3] {
        asp.advance(24 * 60 * 60);
        assert!(soon(|| warnings() == rounds), "the keeper goes its rounds while the registry is locked");
    }
    other.execute_batch("COMMIT").unwrap();
    assert!(soon(|| asp.registry().asp_secrets(asp.aspid()).unwrap()[0].last_used_at == Some(used_at)));
}

#[test]
fn one_damaged_secret_keeps_nobody_elses_revocation_from_being_heard_of() {
    let asp = enrolled_with(StandIn::content().address, |_| (), |_, _| ());
    let (session, registry) = (asp.session(), asp.registry());
    let issued = registry.issue_token(asp.aspid(), Sandbox, NewToken::default()).unwrap();
    let with_token = format!("x-ct-auth-token: {}\r\n", issued.token.expose());
    asp.becomes(&with_token, 200);

    let disk = Connection::open(asp.stage.path("registry.db")).unwrap();
    assert_eq!(disk.execute("UPDATE asp_secret SET nonce = zeroblob(12)", []).unwrap(), 1);
    registry.revoke_token(asp.aspid(), issued.id).unwrap();
    asp.becomes(&with_token, 401);
    asp.send(&asp.message()).refuses_getkey("GSP014A", 401);
    asp.call(&session.headers()).is_refusal("GSP014A", 401);
    assert!(log::text().contains("a sealed secret of the registry cannot be used"));
}
