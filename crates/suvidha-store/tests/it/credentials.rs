//! Tokens and client credentials, from the day they are issued to the day they are revoked.

use std::collections::HashSet;

use suvidha_store::{NewToken, SecretString, StoreError, TokenLookup, Used};

use crate::desk::{Desk, Production, Sandbox, who};

#[test]
fn several_tokens_live_at_once_and_each_ends_on_its_own() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let lasting = desk.a_token(&aspid, Production);
    let expiring = desk
        .registry
        .issue_token(
            &aspid,
            Production,
            NewToken { label: Some(" trial ".to_owned()), expires_at: Some(desk.in_minutes(60)) },
        )
        .unwrap();
    let snapshot = desk.snapshot();
    let lookup = |token: &str| snapshot.by_token(Production, token, desk.now());
    assert_eq!(who(lookup(&lasting)).unwrap(), aspid);
    let TokenLookup::Found { credential, .. } = lookup(expiring.token.expose()) else { panic!("not found") };
    assert_eq!(credential, expiring.id);

    desk.wait_minutes(60);
    assert_eq!(
        lookup(expiring.token.expose()),
        TokenLookup::Expired,
        "at the very instant, without a new snapshot"
    );
    assert_eq!(who(lookup(&lasting)).unwrap(), aspid);

    let rows = desk.registry.tokens(&aspid).unwrap();
    assert_eq!(rows.iter().map(|row| row.label.as_deref()).collect::<Vec<_>>(), [None, Some("trial")]);
    assert_eq!(rows[1].expires_at, Some(desk.now()));
}

#[test]
fn a_revoked_token_is_refused_and_stays_refused() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let token = desk.a_token(&aspid, Sandbox);
    let id = desk.registry.tokens(&aspid).unwrap()[0].id;
    desk.registry.revoke_token(&aspid, id).unwrap();
    let revoked_at = desk.now();
    desk.wait_minutes(5);
    desk.registry.revoke_token(&aspid, id).unwrap();
    assert_eq!(desk.registry.tokens(&aspid).unwrap()[0].revoked_at, Some(revoked_at));
    assert_eq!(desk.snapshot().by_token(Sandbox, &token, desk.now()), TokenLookup::Revoked);
}

#[test]
fn a_token_is_revoked_only_by_its_owners_aspid() {
    let desk = Desk::new();
    let (owner, other) = (desk.an_asp(), desk.an_asp());
    desk.a_token(&owner, Sandbox);
    let pair = desk.registry.issue_client_credentials(&owner, Sandbox, None, None).unwrap();
    let id = desk.registry.tokens(&owner).unwrap()[0].id;
    let refused = desk.registry.revoke_token(&other, id).unwrap_err();
    assert_eq!(refused.to_string(), format!("ASP {other} has no token with the id {id}"));
    assert!(matches!(
        desk.registry.revoke_token(&owner, pair.id),
        Err(StoreError::CredentialNotFound { what: "token", .. })
    ));
    assert!(matches!(
        desk.registry.revoke_client_credentials(&owner, id),
        Err(StoreError::CredentialNotFound { what: "client credentials", .. })
    ));
    assert_eq!(desk.registry.tokens(&owner).unwrap()[0].revoked_at, None);
}

#[test]
fn a_credential_of_one_environment_is_refused_in_the_other() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let token = desk.a_token(&aspid, Sandbox);
    assert!(token.starts_with("svd_sbx_"));
    let pair = desk.registry.issue_client_credentials(&aspid, Sandbox, None, None).unwrap();
    let snapshot = desk.snapshot();
    let wrong = TokenLookup::OtherEnvironment(Sandbox);
    assert_eq!(snapshot.by_token(Production, &token, desk.now()), wrong);
    let secret = pair.client_secret.expose();
    assert_eq!(snapshot.by_client_credentials(Production, &pair.client_id, secret, desk.now()), wrong);
}

#[test]
fn a_mistyped_token_is_told_from_an_unknown_one() {
    let desk = Desk::new();
    let token = desk.a_token(&desk.an_asp(), Sandbox);
    let elsewhere = Desk::new();
    let foreign = elsewhere.a_token(&elsewhere.an_asp(), Sandbox);
    let snapshot = desk.snapshot();
    let lookup = |token: &str| snapshot.by_token(Sandbox, token, desk.now());
    assert_eq!(lookup(&token[..token.len() - 1]), TokenLookup::Mistyped);
    assert_eq!(lookup(&foreign), TokenLookup::Unknown);
    assert_eq!(lookup("a2ceb341-1234-4234-a54f-59d934acba5a"), TokenLookup::Unknown);
    assert_eq!(lookup(""), TokenLookup::Unknown);
}

#[test]
fn a_token_that_would_be_dead_at_birth_is_not_issued() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    for expires_at in [desk.now(), desk.in_minutes(-1)] {
        let new = NewToken { label: None, expires_at: Some(expires_at) };
        let refused = desk.registry.issue_token(&aspid, Sandbox, new).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("expiry {expires_at} is not in the future: it is 2026-11-22T10:15:30Z now")
        );
    }
    let new = NewToken { label: Some("x".repeat(101)), expires_at: None };
    let refused = desk.registry.issue_token(&aspid, Sandbox, new).unwrap_err();
    assert!(matches!(refused, StoreError::InvalidField { field: "label", .. }), "{refused}");
    assert_eq!(desk.registry.tokens(&aspid).unwrap(), []);
}

#[test]
fn a_customer_of_another_gsp_keeps_its_token() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let token = "a2ceb341-1234-4234-a54f-59d934acba5a";
    let row = desk.registry.import_token(&aspid, Production, token, NewToken::default()).unwrap();
    assert_eq!(desk.registry.tokens(&aspid).unwrap(), std::slice::from_ref(&row));
    assert_eq!(who(desk.snapshot().by_token(Production, token, desk.now())).unwrap(), aspid);

    desk.registry.revoke_token(&aspid, row.id).unwrap();
    let again = desk.registry.import_token(&desk.an_asp(), Sandbox, token, NewToken::default()).unwrap_err();
    assert_eq!(
        again.to_string(),
        format!("this token is in the registry already, as number {} of ASP {aspid} for production", row.id),
        "a revoked token does not come back"
    );
}

#[test]
fn an_imported_token_must_be_one_that_can_be_told_from_ours_and_not_guessed() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let ours = desk.a_token(&aspid, Sandbox);
    for (token, reason) in [
        (ours.as_str(), "begins like one of Suvidha's own; issue a new one instead"),
        ("fifteen-mark-ab", "has 15 characters; 16 to 512 are expected"),
        ("with a space in-the-middle", "holds a space or a character outside printable ASCII"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "has fewer than 6 different characters and could be guessed"),
    ] {
        let refused = desk.registry.import_token(&aspid, Sandbox, token, NewToken::default()).unwrap_err();
        assert_eq!(refused.to_string(), format!("the token to import {reason}"));
    }
    assert_eq!(desk.registry.tokens(&aspid).unwrap().len(), 1);
}

#[test]
fn client_credentials_are_issued_found_and_revoked() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let issued = desk.registry.issue_client_credentials(&aspid, Sandbox, None, None).unwrap();
    assert_eq!(issued.client_id.len(), 32);
    let secret = issued.client_secret.expose();
    let look = |id: &str, secret: &str| {
        who(desk.snapshot().by_client_credentials(Sandbox, id, secret, desk.now())).is_ok()
    };
    assert!(look(&issued.client_id, secret));
    assert!(!look(&issued.client_id, &secret[1..]));
    assert!(!look(&issued.client_id, ""));
    assert!(!look("somebody-else", secret));
    assert_eq!(desk.registry.client_credentials(&aspid).unwrap()[0].client_id, issued.client_id);

    desk.registry.revoke_client_credentials(&aspid, issued.id).unwrap();
    let snapshot = desk.snapshot();
    let lookup = snapshot.by_client_credentials(Sandbox, &issued.client_id, secret, desk.now());
    assert_eq!(lookup, TokenLookup::Revoked);
    let guess = snapshot.by_client_credentials(Sandbox, &issued.client_id, "wrong", desk.now());
    assert_eq!(guess, TokenLookup::Unknown, "whoever lacks the secret learns nothing of the id");
}

#[test]
fn a_client_secret_is_changed_without_an_outage() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let id = || Some("l7xx5be2a8b3".to_owned());
    let old = SecretString::from("5be2a8b3-old-secret");
    let old_pair = desk.registry.issue_client_credentials(&aspid, Sandbox, id(), Some(old.clone())).unwrap();
    let production =
        desk.registry.issue_client_credentials(&aspid, Production, id(), Some(old.clone())).unwrap();
    let new_pair = desk.registry.issue_client_credentials(&aspid, Sandbox, id(), None).unwrap();
    desk.registry.revoke_client_credentials(&aspid, old_pair.id).unwrap();

    let snapshot = desk.snapshot();
    let now = desk.now();
    let lookup = |environment, secret: &SecretString| {
        snapshot.by_client_credentials(environment, "l7xx5be2a8b3", secret.expose(), now)
    };
    assert_eq!(who(lookup(Sandbox, &new_pair.client_secret)).unwrap(), aspid);
    assert_eq!(lookup(Sandbox, &old), TokenLookup::Revoked);
    let TokenLookup::Found { credential, .. } = lookup(Production, &old) else { panic!("not found") };
    assert_eq!(credential, production.id, "the other environment's pair is another pair");
}

#[test]
fn a_client_id_belongs_to_one_asp() {
    let desk = Desk::new();
    let (owner, other) = (desk.an_asp(), desk.an_asp());
    let secret = || Some(SecretString::from("5be2a8b3-some-secret"));
    let issue = |aspid, id: &str, secret| {
        desk.registry.issue_client_credentials(aspid, Sandbox, Some(id.to_owned()), secret)
    };
    let first = issue(&owner, "l7xx5be2a8b3", secret()).unwrap();
    let taken = issue(&other, "l7xx5be2a8b3", None).unwrap_err();
    assert_eq!(taken.to_string(), format!(r#"client id "l7xx5be2a8b3" belongs to ASP {owner}"#));
    let same = issue(&owner, "l7xx5be2a8b3", secret()).unwrap_err();
    assert!(matches!(same, StoreError::ClientCredentialsTaken { id, .. } if id == first.id), "{same}");
    for bad in ["", "two words", "naïve", &"x".repeat(129)] {
        let refused = issue(&owner, bad, None).unwrap_err();
        assert!(matches!(refused, StoreError::InvalidField { field: "client id", .. }), "{refused}");
    }
    let weak = issue(&owner, "l7xx", Some(SecretString::from("short"))).unwrap_err();
    assert_eq!(weak.to_string(), "the client secret to import has 5 characters; 16 to 512 are expected");
}

#[test]
fn last_use_is_noted_and_never_goes_back() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    desk.a_token(&aspid, Sandbox);
    let token = desk.registry.tokens(&aspid).unwrap()[0].id;
    let pair = desk.registry.issue_client_credentials(&aspid, Sandbox, None, None).unwrap().id;
    let credential = Used::Credential;
    let (early, late) = (desk.in_minutes(1), desk.in_minutes(2));
    desk.registry
        .touch(&[
            (credential(token), late),
            (credential(pair), early),
            (credential(token), early),
            (credential(999.into()), late),
        ])
        .unwrap();
    assert_eq!(desk.registry.tokens(&aspid).unwrap()[0].last_used_at, Some(late));
    assert_eq!(desk.registry.client_credentials(&aspid).unwrap()[0].last_used_at, Some(early));
}

#[test]
fn no_two_tokens_are_alike() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let tokens: HashSet<_> = (0..50).map(|_| desk.a_token(&aspid, Production)).collect();
    assert_eq!(tokens.len(), 50);
    let snapshot = desk.snapshot();
    assert!(tokens.iter().all(|token| who(snapshot.by_token(Production, token, desk.now())).is_ok()));
}
