//! The secrets and the password of an ASP's GetKey, from its enrolment through every change; and the end of its sessions.

use gstn::crypto::AspSecret;
use gstn::{AspId, Environment};
use jiff::{SignedDuration, Timestamp};
use suvidha_store::{AspSecretRow, SecretString, StoreError, Used};

use crate::desk::{Desk, Production, Sandbox};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The ASP secrets that a snapshot has at `now`, the oldest first.
fn accepted(desk: &Desk, aspid: &AspId, environment: Environment, now: Timestamp) -> Vec<AspSecret> {
    let snapshot = desk.snapshot();
    let entry = snapshot.asp(aspid).unwrap().getkey(environment);
    entry.live_secrets(now).map(|entry| entry.secret.clone()).collect()
}

fn bytes(secret: &SecretString) -> AspSecret {
    AspSecret::try_from_slice(secret.expose().as_bytes()).unwrap()
}

#[test]
fn an_asp_is_enrolled_in_one_environment_and_not_in_the_other() {
    let desk = Desk::new();
    let (aspid, other) = (desk.an_asp(), desk.an_asp());
    let enrolled = desk.registry.enrol(&aspid, Sandbox).unwrap();
    assert_eq!((enrolled.environment, enrolled.created_at), (Sandbox, desk.now()));
    for (made, length) in [(&enrolled.secret, 32), (&enrolled.password, 24)] {
        assert_eq!(made.expose().len(), length);
        assert!(made.expose().bytes().all(|c| c.is_ascii_alphanumeric()));
    }
    assert_eq!(accepted(&desk, &aspid, Sandbox, desk.now()), [bytes(&enrolled.secret)]);
    assert_eq!(accepted(&desk, &aspid, Production, desk.now()), []);
    assert_eq!(accepted(&desk, &other, Sandbox, desk.now()), []);
    assert_eq!(
        desk.registry.passwords(&aspid).unwrap().iter().map(|row| row.environment).collect::<Vec<_>>(),
        [Sandbox]
    );

    let again = desk.registry.enrol(&aspid, Sandbox).unwrap_err();
    assert_eq!(
        again.to_string(),
        format!(
            "ASP {aspid} is enrolled in sandbox already; rotate its secret or reset its password instead"
        )
    );
    let production = desk.registry.enrol(&aspid, Production).unwrap();
    assert_ne!(production.secret.expose(), enrolled.secret.expose());
    assert_eq!(accepted(&desk, &aspid, Sandbox, desk.now()), [bytes(&enrolled.secret)]);
    assert_eq!(accepted(&desk, &aspid, Production, desk.now()), [bytes(&production.secret)]);
}

#[test]
fn half_an_enrolment_is_one_too() {
    let desk = Desk::new();
    let (with_secret, with_password) = (desk.an_asp(), desk.an_asp());
    desk.registry.rotate_asp_secret(&with_secret, Sandbox, DAY).unwrap();
    desk.registry.reset_password(&with_password, Sandbox).unwrap();
    for aspid in [with_secret, with_password] {
        let refused = desk.registry.enrol(&aspid, Sandbox).unwrap_err();
        assert!(matches!(refused, StoreError::AlreadyEnrolled { environment: Sandbox, .. }), "{refused}");
        desk.registry.enrol(&aspid, Production).unwrap();
    }
}

#[test]
fn an_old_secret_is_accepted_until_its_overlap_is_over_to_the_instant() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let old = bytes(&desk.registry.enrol(&aspid, Sandbox).unwrap().secret);
    desk.wait_minutes(60);
    let rotated = desk.registry.rotate_asp_secret(&aspid, Sandbox, DAY).unwrap();
    let new = bytes(&rotated.secret);
    let until = desk.now() + DAY;
    assert_eq!((rotated.created_at, rotated.previous_until), (desk.now(), Some(until)));

    let last = until - SignedDuration::from_millis(1);
    assert_eq!(accepted(&desk, &aspid, Sandbox, last), [old, new.clone()], "the oldest first");
    assert_eq!(
        accepted(&desk, &aspid, Sandbox, until),
        std::slice::from_ref(&new),
        "by the snapshot taken before"
    );
    desk.wait_minutes(24 * 60);
    assert_eq!(accepted(&desk, &aspid, Sandbox, desk.now()), [new]);
    let rows = desk.registry.asp_secrets(&aspid).unwrap();
    assert_eq!(rows.iter().map(|row| row.until).collect::<Vec<_>>(), [Some(until), None]);
    assert_eq!(rows[1].id, rotated.id);
}

#[test]
fn an_overlap_is_ended_by_hand() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    desk.registry.enrol(&aspid, Sandbox).unwrap();
    desk.registry.enrol(&aspid, Production).unwrap();
    assert_eq!(desk.registry.retire_asp_secrets(&aspid, Sandbox).unwrap(), 0, "the only one stays");
    for environment in [Sandbox, Production] {
        desk.registry.rotate_asp_secret(&aspid, environment, DAY).unwrap();
    }
    desk.wait_minutes(5);
    assert_eq!(desk.registry.retire_asp_secrets(&aspid, Sandbox).unwrap(), 1);
    assert_eq!(accepted(&desk, &aspid, Sandbox, desk.now()).len(), 1);
    assert_eq!(accepted(&desk, &aspid, Production, desk.now()).len(), 2, "the other environment's goes on");
    assert_eq!(desk.registry.asp_secrets(&aspid).unwrap()[0].until, Some(desk.now()));
    assert_eq!(desk.registry.retire_asp_secrets(&aspid, Sandbox).unwrap(), 0);
}

#[test]
fn a_secret_that_leaked_is_replaced_at_once() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    desk.registry.enrol(&aspid, Sandbox).unwrap();
    desk.registry.rotate_asp_secret(&aspid, Sandbox, DAY).unwrap();
    let rotated = desk.registry.rotate_asp_secret(&aspid, Sandbox, SignedDuration::ZERO).unwrap();
    assert_eq!(rotated.previous_until, None);
    assert_eq!(accepted(&desk, &aspid, Sandbox, desk.now()), [bytes(&rotated.secret)]);
    let ends: Vec<_> = desk.registry.asp_secrets(&aspid).unwrap().iter().map(|row| row.until).collect();
    assert_eq!(ends, [Some(desk.now()), Some(desk.now()), None]);
}

#[test]
fn there_are_never_three_secrets() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let first = desk.registry.rotate_asp_secret(&aspid, Sandbox, DAY).unwrap();
    assert_eq!(first.previous_until, None, "the first one has none before it");
    desk.registry.rotate_asp_secret(&aspid, Sandbox, DAY).unwrap();
    let refused = desk.registry.rotate_asp_secret(&aspid, Sandbox, DAY).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "the last change of ASP {aspid}'s secret in sandbox runs until 2026-11-23T10:15:30Z; retire the older \
             secret first"
        )
    );
    desk.registry.retire_asp_secrets(&aspid, Sandbox).unwrap();
    desk.registry.rotate_asp_secret(&aspid, Sandbox, DAY).unwrap();
    desk.wait_minutes(24 * 60);
    desk.registry.rotate_asp_secret(&aspid, Sandbox, DAY).unwrap();
    assert_eq!(accepted(&desk, &aspid, Sandbox, desk.now()).len(), 2);
}

#[test]
fn an_overlap_is_of_0_to_90_days() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    desk.registry.rotate_asp_secret(&aspid, Sandbox, 90 * DAY).unwrap();
    for overlap in
        [SignedDuration::from_secs(-1), 90 * DAY + SignedDuration::from_secs(1), SignedDuration::MAX]
    {
        let refused = desk.registry.rotate_asp_secret(&aspid, Sandbox, overlap).unwrap_err();
        assert!(matches!(refused, StoreError::InvalidField { field: "overlap", .. }), "{refused}");
        assert!(refused.to_string().ends_with("must be 0 to 90 days"), "{refused}");
    }
}

#[test]
fn a_secret_that_is_over_is_wiped_from_the_file() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let kept = || {
        let file = rusqlite::Connection::open(desk.path("registry.db")).unwrap();
        let sql = "SELECT count(ciphertext) FROM asp_secret";
        file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    desk.registry.enrol(&aspid, Sandbox).unwrap();
    desk.registry.rotate_asp_secret(&aspid, Sandbox, DAY).unwrap();
    assert_eq!(kept(), 2);
    desk.registry.retire_asp_secrets(&aspid, Sandbox).unwrap();
    assert_eq!(kept(), 1);
    desk.registry.rotate_asp_secret(&aspid, Sandbox, SignedDuration::ZERO).unwrap();
    assert_eq!(kept(), 1);
    assert_eq!(desk.registry.asp_secrets(&aspid).unwrap().len(), 3, "what was there is still listed");
}

#[test]
fn a_password_is_replaced() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let first = desk.registry.enrol(&aspid, Production).unwrap().password;
    desk.wait_minutes(1);
    let second = desk.registry.reset_password(&aspid, Production).unwrap();
    assert_ne!(first.expose(), second.password.expose());
    let sandbox = desk.registry.reset_password(&aspid, Sandbox).unwrap();
    let rows = desk.registry.passwords(&aspid).unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.environment, row.created_at)).collect();
    assert_eq!(rows, [(Sandbox, sandbox.created_at), (Production, second.created_at)]);
}

#[test]
fn sessions_end_with_the_second_in_which_they_are_revoked() {
    let desk = Desk::new();
    let (aspid, other) = (desk.an_asp(), desk.an_asp());
    let valid_from = |aspid: &AspId, environment| {
        desk.snapshot().asp(aspid).unwrap().getkey(environment).sessions_valid_from
    };
    assert_eq!(valid_from(&aspid, Sandbox), None);
    desk.wait_milliseconds(1);
    let revoked = desk.registry.revoke_sessions(&aspid, Some(Sandbox)).unwrap();
    assert_eq!(revoked.to_string(), "2026-11-22T10:15:31Z", "whoever got one at 10:15:30.000 loses it");
    assert_eq!(valid_from(&aspid, Sandbox), Some(revoked));
    assert_eq!((valid_from(&aspid, Production), valid_from(&other, Sandbox)), (None, None));

    desk.wait_milliseconds(999);
    assert_eq!(desk.registry.sessions_valid_from(&aspid).unwrap(), [(Sandbox, revoked)]);
    let both = desk.registry.revoke_sessions(&aspid, None).unwrap();
    assert_eq!(both.to_string(), "2026-11-22T10:15:32Z", "at a full second, those of that second end too");
    assert_eq!((valid_from(&aspid, Sandbox), valid_from(&aspid, Production)), (Some(both), Some(both)));

    assert_eq!(desk.registry.sessions_valid_from(&aspid).unwrap().len(), 2);
    let again = desk.registry.revoke_sessions(&aspid, Some(Sandbox)).unwrap();
    assert_eq!(again.to_string(), "2026-11-22T10:15:33Z", "one made since, and so dated to :32, ends too");
    assert_eq!(valid_from(&aspid, Production), Some(both));

    desk.wait_minutes(-5);
    let earlier = desk.registry.revoke_sessions(&aspid, Some(Sandbox)).unwrap();
    assert!(earlier > again, "a clock put back brings no session back");
}

#[test]
fn the_validity_of_sessions_is_5_minutes_to_45_days() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let validity = || desk.snapshot().asp(&aspid).unwrap().session_validity_min;
    for minutes in [Some(5), Some(64_800), None] {
        desk.registry.set_session_validity(&aspid, minutes).unwrap();
        assert_eq!(validity(), minutes);
        assert_eq!(desk.registry.asp(&aspid).unwrap().unwrap().session_validity_min, minutes);
    }
    for minutes in [0, 4, 64_801, u16::MAX] {
        let refused = desk.registry.set_session_validity(&aspid, Some(minutes)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("session validity \"{minutes} minutes\" must be 5 to 64800 minutes, which is 45 days")
        );
    }
    assert_eq!(validity(), None);
}

#[test]
fn the_last_use_of_a_secret_is_noted() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    desk.a_token(&aspid, Sandbox);
    let secret = desk.registry.rotate_asp_secret(&aspid, Sandbox, DAY).unwrap().id;
    let token = desk.registry.tokens(&aspid).unwrap()[0].id;
    assert_eq!(secret.as_i64(), token.as_i64(), "else this would not show that they are told apart");
    let (early, late) = (desk.in_minutes(1), desk.in_minutes(2));
    desk.registry.touch(&[(Used::AspSecret(secret), late), (Used::AspSecret(secret), early)]).unwrap();
    let used = |row: &AspSecretRow| row.last_used_at;
    assert_eq!(desk.registry.asp_secrets(&aspid).unwrap().iter().map(used).collect::<Vec<_>>(), [Some(late)]);
    assert_eq!(desk.registry.tokens(&aspid).unwrap()[0].last_used_at, None);
}

#[test]
fn an_unknown_aspid_is_refused_by_name_in_getkey_too() {
    let desk = Desk::new();
    let nobody = "9999999999".parse().unwrap();
    let refusals = [
        desk.registry.enrol(&nobody, Sandbox).unwrap_err(),
        desk.registry.rotate_asp_secret(&nobody, Sandbox, DAY).unwrap_err(),
        desk.registry.retire_asp_secrets(&nobody, Sandbox).unwrap_err(),
        desk.registry.asp_secrets(&nobody).unwrap_err(),
        desk.registry.reset_password(&nobody, Sandbox).unwrap_err(),
        desk.registry.passwords(&nobody).unwrap_err(),
        desk.registry.set_session_validity(&nobody, None).unwrap_err(),
        desk.registry.revoke_sessions(&nobody, None).unwrap_err(),
        desk.registry.certificates(&nobody).unwrap_err(),
        desk.registry.revoke_certificate(&nobody, 1.into()).unwrap_err(),
    ];
    for refusal in refusals {
        assert!(matches!(&refusal, StoreError::AspNotFound(aspid) if *aspid == nobody), "{refusal}");
    }
}
