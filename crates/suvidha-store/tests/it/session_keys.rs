//! The master keys of GSP sessions: made, announced, taking over, retired.

use std::collections::BTreeSet;

use gstn::Environment;
use jiff::SignedDuration;
use suvidha_store::{SessionKeyState, StoreError};

use crate::desk::{Desk, Production, Sandbox};
use SessionKeyState::{Accepting, Minting, Next, Retired};

fn states(desk: &Desk, environment: Environment) -> Vec<(u8, SessionKeyState)> {
    let rows = desk.registry.session_keys().unwrap();
    rows.iter().filter(|row| row.environment == environment).map(|row| (row.id, row.state)).collect()
}

/// The ids of the keys that a gateway knows, and of the one it would mint with now.
fn ring(desk: &Desk, environment: Environment) -> (Vec<u8>, Option<u8>) {
    let snapshot = desk.snapshot();
    let ids = snapshot.session_keys(environment).iter().map(|key| key.id).collect();
    (ids, snapshot.minting_key(environment, desk.now()).map(|key| key.id))
}

#[test]
fn the_first_key_is_made_once_and_mints_at_once() {
    let desk = Desk::new();
    assert_eq!(ring(&desk, Sandbox), (vec![], None));
    desk.registry.ensure_session_key(Sandbox).unwrap();
    let version = desk.registry.version().unwrap();
    let first = desk.snapshot().session_keys(Sandbox)[0].clone();
    desk.registry.ensure_session_key(Sandbox).unwrap();
    assert_eq!(desk.registry.version().unwrap(), version, "nothing was changed");
    assert_eq!(desk.snapshot().session_keys(Sandbox), [first]);
    assert_eq!(ring(&desk, Sandbox), (vec![1], Some(1)));
    assert_eq!(ring(&desk, Production), (vec![], None), "each environment has its own");

    desk.registry.ensure_session_key(Production).unwrap();
    let snapshot = desk.snapshot();
    assert_ne!(snapshot.session_keys(Sandbox)[0].key, snapshot.session_keys(Production)[0].key);
}

#[test]
fn of_processes_that_start_at_once_one_makes_the_first_key() {
    let desk = Desk::new();
    let start = std::sync::Barrier::new(4);
    let keys: BTreeSet<[u8; 32]> = std::thread::scope(|threads| {
        let processes: Vec<_> = (0..4)
            .map(|_| desk.open(desk.keys.clone()).unwrap())
            .map(|registry| {
                threads.spawn(|| {
                    start.wait();
                    let registry = registry;
                    registry.ensure_session_key(Sandbox).unwrap();
                    *registry.snapshot().unwrap().session_keys(Sandbox)[0].key
                })
            })
            .collect();
        processes.into_iter().map(|process| process.join().unwrap()).collect()
    });
    assert_eq!(keys.len(), 1);
    assert_eq!(states(&desk, Sandbox), [(1, Minting)]);
}

#[test]
fn a_new_key_takes_over_when_every_gateway_knows_it() {
    let desk = Desk::new();
    desk.registry.ensure_session_key(Sandbox).unwrap();
    let row = desk.registry.rotate_session_key(Sandbox).unwrap();
    assert_eq!((row.id, row.state, row.created_at), (2, Next, desk.now()));
    assert_eq!(row.mints_from, desk.now() + SignedDuration::from_secs(10));
    let known_before = desk.snapshot();
    assert_eq!(ring(&desk, Sandbox), (vec![1, 2], Some(1)));
    assert_eq!(states(&desk, Sandbox), [(1, Minting), (2, Next)]);

    desk.wait_milliseconds(9_999);
    assert_eq!(ring(&desk, Sandbox).1, Some(1));
    desk.wait_milliseconds(1);
    assert_eq!(ring(&desk, Sandbox), (vec![1, 2], Some(2)));
    assert_eq!(
        known_before.minting_key(Sandbox, desk.now()).map(|key| key.id),
        Some(2),
        "without a new snapshot"
    );
    assert_eq!(states(&desk, Sandbox), [(1, Accepting), (2, Minting)]);
    desk.registry.rotate_session_key(Sandbox).unwrap();
    desk.registry.rotate_session_key(Sandbox).unwrap();
    assert_eq!(states(&desk, Sandbox), [(1, Accepting), (2, Minting), (3, Next), (4, Next)]);
    desk.wait_minutes(1);
    assert_eq!(states(&desk, Sandbox), [(1, Accepting), (2, Accepting), (3, Accepting), (4, Minting)]);
    desk.wait_minutes(-60);
    assert_eq!(ring(&desk, Sandbox).1, Some(1), "a clock put back leaves no gateway without a key");
}

#[test]
fn a_retired_key_is_gone_for_good() {
    let desk = Desk::new();
    desk.registry.ensure_session_key(Sandbox).unwrap();
    let refused = |id| desk.registry.retire_session_key(Sandbox, id).unwrap_err().to_string();
    let in_use = "makes the new sessions; rotate first, wait until the new key has taken over and the sessions of \
                  this one are over, then retire it";
    assert_eq!(refused(1), format!("session key 1 of sandbox {in_use}"));
    assert_eq!(refused(7), "there is no session key 7 in sandbox");
    desk.registry.rotate_session_key(Sandbox).unwrap();
    assert_eq!(refused(1), format!("session key 1 of sandbox {in_use}"), "the next one has not taken over");
    desk.wait_minutes(1);
    assert_eq!(refused(2), format!("session key 2 of sandbox {in_use}"));

    let retired = desk.registry.retire_session_key(Sandbox, 1).unwrap();
    assert_eq!((retired.state, retired.retired_at), (Retired, Some(desk.now())));
    assert_eq!(ring(&desk, Sandbox), (vec![2], Some(2)));
    desk.wait_minutes(1);
    let again = desk.registry.retire_session_key(Sandbox, 1).unwrap();
    assert_eq!(again, retired, "the first time stays");
    assert_eq!(desk.registry.rotate_session_key(Sandbox).unwrap().id, 3, "no id means two keys");
    assert!(matches!(
        desk.registry.retire_session_key(Production, 1),
        Err(StoreError::SessionKeyNotFound { environment: Production, id: 1 })
    ));
}

#[test]
fn a_key_made_by_mistake_is_retired_before_it_mints() {
    let desk = Desk::new();
    desk.registry.ensure_session_key(Sandbox).unwrap();
    desk.registry.rotate_session_key(Sandbox).unwrap();
    desk.registry.retire_session_key(Sandbox, 2).unwrap();
    desk.wait_minutes(1);
    assert_eq!(states(&desk, Sandbox), [(1, Minting), (2, Retired)]);
}

#[test]
fn nothing_of_a_retired_key_is_left_in_the_files() {
    let desk = Desk::new();
    desk.registry.ensure_session_key(Sandbox).unwrap();
    desk.registry.rotate_session_key(Sandbox).unwrap();
    desk.wait_minutes(1);
    let sealed: Vec<u8> = rusqlite::Connection::open(desk.path("registry.db"))
        .unwrap()
        .query_row("SELECT ciphertext FROM session_key WHERE id = 1", [], |row| row.get(0))
        .unwrap();
    let in_files =
        || desk.files().iter().any(|(_, bytes)| bytes.windows(sealed.len()).any(|window| window == sealed));
    assert!(in_files());
    desk.registry.retire_session_key(Sandbox, 1).unwrap();
    assert!(!in_files());
}

#[test]
fn after_255_keys_it_says_what_to_do() {
    let desk = Desk::new();
    desk.registry.ensure_session_key(Sandbox).unwrap();
    let file = rusqlite::Connection::open(desk.path("registry.db")).unwrap();
    file.execute(
        "INSERT INTO session_key (environment, id, created_at, mints_from, retired_at) VALUES ('sandbox', 254, 1, 1, 1)",
        [],
    )
    .unwrap();
    assert_eq!(desk.registry.rotate_session_key(Sandbox).unwrap().id, 255);
    let refused = desk.registry.rotate_session_key(Sandbox).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "all 255 session keys of sandbox are used up, and no number is given twice; stay with the key that is \
         there, or move to a new registry, where they are counted from 1"
    );
    desk.registry.rotate_session_key(Production).unwrap();
}

#[test]
fn the_first_rotation_of_an_environment_without_a_key_makes_one() {
    let desk = Desk::new();
    assert_eq!(desk.registry.rotate_session_key(Sandbox).unwrap().state, Minting);
    assert_eq!(ring(&desk, Sandbox), (vec![1], Some(1)));
}
