//! Who is taken in, and what can be said of them afterwards.

use std::sync::Arc;

use ipnet::IpNet;
use suvidha_seam::{Seam, SeededRng};
use suvidha_store::{AspStatus, NewAsp, Registry, StoreError};

use crate::desk::{Desk, Sandbox, acme, who};

#[test]
fn an_asp_is_taken_in_and_found_again() {
    let desk = Desk::new();
    let asp = desk.registry.add_asp(NewAsp { name: "  Acme Taxes Pvt Ltd ".to_owned(), ..acme() }).unwrap();
    assert_eq!(asp.name, "Acme Taxes Pvt Ltd");
    assert_eq!(asp.status, AspStatus::Active);
    assert_eq!(asp.created_at, desk.now());
    assert!(asp.aspid.as_str().len() == 10 && !asp.aspid.as_str().starts_with('0'));
    desk.wait_minutes(1);
    let second = desk.registry.add_asp(acme()).unwrap();
    assert_ne!(second.aspid, asp.aspid);
    assert_eq!(desk.registry.asp(&asp.aspid).unwrap().as_ref(), Some(&asp));
    assert_eq!(desk.registry.asps().unwrap(), [asp, second]);
}

#[test]
fn an_aspid_that_is_taken_is_not_given_again() {
    let desk = Desk::new();
    let seam = || Seam { rng: Arc::new(SeededRng::new(1)), ..desk.seam() };
    let path = desk.path("twins.db");
    let twin = || Registry::open(&path, desk.keys.clone(), seam()).unwrap().add_asp(acme()).unwrap().aspid;
    let elsewhere = Registry::open(&desk.path("elsewhere.db"), desk.keys.clone(), seam()).unwrap();
    let drawn = elsewhere.add_asp(acme()).unwrap().aspid;
    assert_eq!(twin(), drawn, "the same draw, in a registry where it is free");
    assert_ne!(twin(), drawn);
}

#[test]
fn an_asp_that_cannot_be_reached_is_not_taken_in() {
    let desk = Desk::new();
    let refused = |new: NewAsp| desk.registry.add_asp(new).unwrap_err().to_string();
    assert_eq!(refused(NewAsp { name: "  ".to_owned(), ..acme() }), r#"name "" must not be empty"#);
    assert_eq!(
        refused(NewAsp { contact_name: "a\u{1b}[2J".to_owned(), ..acme() }),
        r#"contact name "a\u{1b}[2J" must not hold control characters"#
    );
    assert_eq!(
        refused(NewAsp { email: "asha at acme".to_owned(), ..acme() }),
        r#"e-mail address "asha at acme" does not look like name@example.com"#
    );
    assert_eq!(
        refused(NewAsp { phone: "call me".to_owned(), ..acme() }),
        r#"phone number "call me" does not look like +91 98765 43210"#
    );
    assert_eq!(desk.registry.asps().unwrap(), []);
}

#[test]
fn a_suspended_asp_is_found_and_shown_as_suspended_until_resumed() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let token = desk.a_token(&aspid, Sandbox);
    for (status, change) in [(AspStatus::Suspended, true), (AspStatus::Active, false)] {
        for _ in 0..2 {
            if change { desk.registry.suspend(&aspid) } else { desk.registry.resume(&aspid) }.unwrap();
        }
        let snapshot = desk.snapshot();
        assert_eq!(who(snapshot.by_token(Sandbox, &token, desk.now())).unwrap(), aspid);
        assert_eq!(snapshot.asp(&aspid).unwrap().status, status);
        assert_eq!(desk.registry.asp(&aspid).unwrap().unwrap().status, status);
    }
}

#[test]
fn what_is_set_for_an_asp_reaches_the_data_plane() {
    let desk = Desk::new();
    let (aspid, other) = (desk.an_asp(), desk.an_asp());
    let networks = ["203.0.113.9/24", "203.0.113.0/24", "2001:db8::/32"].map(|n| n.parse::<IpNet>().unwrap());
    desk.registry.set_allowed_ips(&aspid, networks.to_vec()).unwrap();
    desk.registry.set_always_200(&aspid, true).unwrap();
    desk.registry.set_strict_headers(&aspid, Some(false)).unwrap();

    let snapshot = desk.snapshot();
    let entry = snapshot.asp(&aspid).unwrap();
    assert_eq!(entry.allowed_ips, [networks[2], networks[1]], "host bits cleared, doubles dropped");
    assert!(entry.always_200);
    assert_eq!(entry.strict_headers, Some(false));
    let untouched = snapshot.asp(&other).unwrap();
    assert!(untouched.allowed_ips.is_empty() && !untouched.always_200 && untouched.strict_headers.is_none());

    desk.registry.set_allowed_ips(&aspid, Vec::new()).unwrap();
    desk.registry.set_strict_headers(&aspid, None).unwrap();
    let asp = desk.registry.asp(&aspid).unwrap().unwrap();
    assert!(asp.allowed_ips.is_empty() && asp.always_200 && asp.strict_headers.is_none());
}

#[test]
fn an_unknown_aspid_is_refused_by_name() {
    let desk = Desk::new();
    let nobody = "9999999999".parse().unwrap();
    assert_eq!(desk.registry.asp(&nobody).unwrap(), None);
    let refusals = [
        desk.registry.suspend(&nobody).unwrap_err(),
        desk.registry.resume(&nobody).unwrap_err(),
        desk.registry.set_allowed_ips(&nobody, Vec::new()).unwrap_err(),
        desk.registry.set_always_200(&nobody, true).unwrap_err(),
        desk.registry.set_strict_headers(&nobody, None).unwrap_err(),
        desk.registry.issue_token(&nobody, Sandbox, Default::default()).unwrap_err(),
        desk.registry.tokens(&nobody).unwrap_err(),
        desk.registry.revoke_token(&nobody, 1.into()).unwrap_err(),
        desk.registry.issue_client_credentials(&nobody, Sandbox, None, None).unwrap_err(),
        desk.registry.client_credentials(&nobody).unwrap_err(),
    ];
    for refusal in refusals {
        assert!(matches!(&refusal, StoreError::AspNotFound(aspid) if *aspid == nobody), "{refusal}");
        assert_eq!(refusal.to_string(), "no ASP has the aspid 9999999999");
    }
}
