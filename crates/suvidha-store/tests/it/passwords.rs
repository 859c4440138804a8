//! Account passwords, as the data plane tells them apart.

use suvidha_store::PasswordLookup;

use crate::desk::{Desk, Production, Sandbox};

#[test]
fn a_password_is_of_one_asp_and_one_environment() {
    let desk = Desk::new();
    let (aspid, other, without) = (desk.an_asp(), desk.an_asp(), desk.an_asp());
    let reset = |aspid, environment| desk.registry.reset_password(aspid, environment).unwrap().password;
    let mine = reset(&aspid, Sandbox);
    let (theirs, theirs_in_production) = (reset(&other, Sandbox), reset(&other, Production));

    let snapshot = desk.snapshot();
    let found = |aspid, password: &str| snapshot.by_password(Sandbox, aspid, password);
    assert_eq!(found(&aspid, mine.expose()), PasswordLookup::Found { asp: snapshot.asp(&aspid).unwrap() });
    assert_eq!(found(&other, theirs.expose()), PasswordLookup::Found { asp: snapshot.asp(&other).unwrap() });
    assert_eq!(found(&aspid, theirs.expose()), PasswordLookup::Wrong);
    assert_eq!(found(&aspid, ""), PasswordLookup::Wrong);
    assert_eq!(found(&other, theirs_in_production.expose()), PasswordLookup::OtherEnvironment(Production));
    assert_eq!(found(&without, mine.expose()), PasswordLookup::NoPassword);
    assert_eq!(found(&"9999999999".parse().unwrap(), mine.expose()), PasswordLookup::UnknownAsp);
    let in_production = |password: &str| snapshot.by_password(Production, &aspid, password);
    assert_eq!(in_production(mine.expose()), PasswordLookup::OtherEnvironment(Sandbox));
    assert_eq!(in_production(theirs.expose()), PasswordLookup::NoPassword);
}

#[test]
fn a_password_that_was_replaced_is_wrong() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let old = desk.registry.enrol(&aspid, Sandbox).unwrap().password;
    let new = desk.registry.reset_password(&aspid, Sandbox).unwrap().password;
    let snapshot = desk.snapshot();
    assert_eq!(snapshot.by_password(Sandbox, &aspid, old.expose()), PasswordLookup::Wrong);
    assert!(matches!(
        snapshot.by_password(Sandbox, &aspid, new.expose()),
        PasswordLookup::Found { asp } if asp.aspid == aspid
    ));
}
