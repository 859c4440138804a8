//! A gateway and a command line on one file.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use suvidha_store::{NewToken, Registry, TokenLookup, Used};

use crate::desk::{Desk, Sandbox, acme, who};

#[test]
fn a_change_by_another_process_shows_in_the_version_and_in_the_next_snapshot() {
    let desk = Desk::new();
    let gateway = desk.open(desk.keys.clone()).unwrap();
    let before = gateway.snapshot().unwrap();
    assert_eq!(before.version(), gateway.version().unwrap());

    let aspid = desk.an_asp();
    let token = desk.a_token(&aspid, Sandbox);
    assert_ne!(gateway.version().unwrap(), before.version());
    let after = gateway.snapshot().unwrap();
    assert_eq!(after.version(), gateway.version().unwrap());
    assert_eq!(who(after.by_token(Sandbox, &token, desk.now())).unwrap(), aspid);
    assert_eq!(
        before.by_token(Sandbox, &token, desk.now()),
        TokenLookup::Unknown,
        "a snapshot does not change"
    );
}

#[test]
fn every_change_moves_the_version_and_nothing_else_does() {
    let desk = Desk::new();
    let gateway = desk.open(desk.keys.clone()).unwrap();
    let aspid = desk.an_asp();
    let issue = || desk.registry.issue_token(&aspid, Sandbox, NewToken::default()).unwrap().id;
    let pair = || desk.registry.issue_client_credentials(&aspid, Sandbox, None, None).unwrap().id;
    let (token, client) = (issue(), pair());
    let day = SignedDuration::from_hours(24);
    type Step<'a> = (&'a str, Box<dyn Fn() + 'a>);
    let changes: Vec<Step<'_>> = vec![
        ("add", Box::new(|| _ = desk.an_asp())),
        ("suspend", Box::new(|| desk.registry.suspend(&aspid).unwrap())),
        ("resume", Box::new(|| desk.registry.resume(&aspid).unwrap())),
        (
            "ips",
            Box::new(|| desk.registry.set_allowed_ips(&aspid, vec!["10.0.0.0/8".parse().unwrap()]).unwrap()),
        ),
        ("no ips", Box::new(|| desk.registry.set_allowed_ips(&aspid, Vec::new()).unwrap())),
        ("always 200", Box::new(|| desk.registry.set_always_200(&aspid, true).unwrap())),
        ("strict", Box::new(|| desk.registry.set_strict_headers(&aspid, Some(true)).unwrap())),
        ("token", Box::new(|| _ = issue())),
        ("revoked token", Box::new(|| desk.registry.revoke_token(&aspid, token).unwrap())),
        ("pair", Box::new(|| _ = pair())),
        ("revoked pair", Box::new(|| desk.registry.revoke_client_credentials(&aspid, client).unwrap())),
        ("secret", Box::new(|| desk.registry.put_secret("a", "b").unwrap())),
        ("no secret", Box::new(|| desk.registry.delete_secret("a").unwrap())),
        ("enrolment", Box::new(|| _ = desk.registry.enrol(&aspid, Sandbox).unwrap())),
        ("ASP secret", Box::new(|| _ = desk.registry.rotate_asp_secret(&aspid, Sandbox, day).unwrap())),
        ("end of overlap", Box::new(|| _ = desk.registry.retire_asp_secrets(&aspid, Sandbox).unwrap())),
        ("password", Box::new(|| _ = desk.registry.reset_password(&aspid, Sandbox).unwrap())),
        ("validity", Box::new(|| desk.registry.set_session_validity(&aspid, Some(60)).unwrap())),
        ("revoked sessions", Box::new(|| _ = desk.registry.revoke_sessions(&aspid, None).unwrap())),
        ("session key", Box::new(|| desk.registry.ensure_session_key(Sandbox).unwrap())),
        ("next session key", Box::new(|| _ = desk.registry.rotate_session_key(Sandbox).unwrap())),
        ("retired session key", Box::new(|| _ = desk.registry.retire_session_key(Sandbox, 2).unwrap())),
    ];
    for (what, change) in changes {
        let before = gateway.version().unwrap();
        change();
        assert!(gateway.version().unwrap() > before, "{what}");
    }
    let before = gateway.version().unwrap();
    desk.registry.touch(&[(Used::Credential(token), desk.now())]).unwrap();
    desk.registry.touch(&[]).unwrap();
    desk.registry.retire_asp_secrets(&aspid, Sandbox).unwrap();
    desk.registry.set_session_validity(&aspid, Some(60)).unwrap();
    desk.registry.ensure_session_key(Sandbox).unwrap();
    desk.registry.retire_session_key(Sandbox, 2).unwrap();
    desk.registry.enrol(&aspid, Sandbox).unwrap_err();
    desk.registry.resume(&aspid).unwrap();
    desk.registry.revoke_token(&aspid, token).unwrap();
    desk.registry.delete_secret("a").unwrap_err();
    desk.open(desk.keys.clone()).unwrap();
    assert_eq!(gateway.version().unwrap(), before);
}

#[test]
fn processes_that_write_at_once_all_succeed() {
    let desk = Desk::new();
    let start = std::sync::Barrier::new(4);
    let add_ten = |registry: Registry| {
        start.wait();
        (0..10).map(|_| registry.add_asp(acme()).unwrap().aspid).collect::<Vec<_>>()
    };
    let added: BTreeSet<_> = std::thread::scope(|threads| {
        let processes: Vec<_> = (0..4)
            .map(|_| desk.open(desk.keys.clone()).unwrap())
            .map(|registry| threads.spawn(|| add_ten(registry)))
            .collect();
        processes.into_iter().flat_map(|process| process.join().unwrap()).collect()
    });
    assert_eq!(added.len(), 40);
    assert_eq!(
        desk.registry.asps().unwrap().into_iter().map(|asp| asp.aspid).collect::<BTreeSet<_>>(),
        added
    );
}

#[test]
fn the_gateway_reads_on_while_another_process_is_writing() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let mut writer = rusqlite::Connection::open(desk.path("registry.db")).unwrap();
    let transaction = writer.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    transaction.execute("UPDATE asp SET name = 'half done'", []).unwrap();
    let snapshot = desk.snapshot();
    assert_eq!(snapshot.version(), desk.registry.version().unwrap());
    assert_eq!(snapshot.asp(&aspid).unwrap().name, acme().name);
}
