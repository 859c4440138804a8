//! Files that are not what they should be.

use rusqlite::Connection;
use suvidha_store::{Registry, StoreError};

use crate::desk::{Desk, Sandbox, who};

#[test]
fn a_registry_is_as_it_was_left() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let token = desk.a_token(&aspid, Sandbox);
    let Desk { keys, registry, .. } = &desk;
    let version = registry.version().unwrap();
    let reopened = desk.open(keys.clone()).unwrap();
    assert_eq!(reopened.version().unwrap(), version);
    assert_eq!(who(reopened.snapshot().unwrap().by_token(Sandbox, &token, desk.now())).unwrap(), aspid);
}

#[test]
#[cfg(unix)]
fn every_file_of_the_registry_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    desk.an_asp();
    let names: Vec<_> = desk.files().into_iter().map(|(name, _)| name).collect();
    assert!(names.len() >= 2, "the database and its log at least: {names:?}");
    for name in names {
        let mode = std::fs::metadata(desk.path(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_registry_of_a_newer_program_is_left_alone() {
    let desk = Desk::new();
    Connection::open(desk.path("registry.db")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = desk.open(desk.keys.clone()).unwrap_err();
    assert!(matches!(refused, StoreError::NewerSchema { found: 99, .. }), "{refused}");
    assert!(refused.to_string().contains("has schema version 99, this program knows versions up to 2"));
}

#[test]
fn a_file_of_another_program_is_left_alone() {
    let desk = Desk::new();
    let text = desk.path("notes.txt");
    std::fs::write(&text, "a shopping list ".repeat(100)).unwrap();
    let database = desk.path("other.db");
    Connection::open(&database).unwrap().execute_batch("CREATE TABLE recipe (x)").unwrap();
    for path in [&text, &database] {
        let before = std::fs::read(path).unwrap();
        let refused = Registry::open(path, desk.keys.clone(), desk.seam()).unwrap_err();
        assert!(matches!(refused, StoreError::NotARegistry { .. }), "{refused}");
        assert!(refused.to_string().starts_with(&format!("{} is not a Suvidha registry", path.display())));
        assert_eq!(std::fs::read(path).unwrap(), before);
    }
}

#[test]
fn a_registry_in_a_directory_that_is_not_there_says_so() {
    let desk = Desk::new();
    let path = desk.path("nowhere/registry.db");
    let refused = Registry::open(&path, desk.keys.clone(), desk.seam()).unwrap_err();
    assert!(matches!(refused, StoreError::File { action: "create", .. }), "{refused}");
    let directory = Registry::open(&desk.path("."), desk.keys.clone(), desk.seam()).unwrap_err();
    assert!(directory.to_string().contains("unable to open database file"), "{directory}");
}
