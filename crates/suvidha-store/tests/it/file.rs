//! Files that are not what they should be.

use rusqlite::Connection;
use suvidha_store::{GetKeyEntry, Registry, StoreError};

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

/// What the first version of the registry held, as a file of that version.
fn of_version_1(desk: &Desk, name: &str) -> std::path::PathBuf {
    let path = desk.path(name);
    let file = Connection::open(&path).unwrap();
    file.execute_batch(include_str!("../../src/registry/migrations/0001_registry.sql")).unwrap();
    file.pragma_update(None, "application_id", 0x5356_4452).unwrap();
    file.pragma_update(None, "user_version", 1).unwrap();
    file.execute("ATTACH ?1 AS newer", [desk.path("registry.db").to_str().unwrap()]).unwrap();
    let columns = |table| {
        let sql = format!("SELECT group_concat(name) FROM pragma_table_info('{table}', 'main')");
        file.query_row(&sql, [], |row| row.get::<_, String>(0)).unwrap()
    };
    for table in ["registry", "sealing_key", "asp", "asp_allowed_ip", "credential", "secret"] {
        let columns = columns(table);
        file.execute_batch(&format!(
            "INSERT OR REPLACE INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}"
        ))
        .unwrap();
    }
    path
}

#[test]
fn a_registry_of_version_1_keeps_everything_and_takes_enrolments() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    desk.registry.set_allowed_ips(&aspid, vec!["203.0.113.0/24".parse().unwrap()]).unwrap();
    desk.registry.set_strict_headers(&aspid, Some(true)).unwrap();
    let token = desk.a_token(&aspid, Sandbox);
    let pair = desk.registry.issue_client_credentials(&aspid, Sandbox, None, None).unwrap();
    desk.registry.put_secret("gstn/sandbox/client-secret", "marker").unwrap();

    let path = of_version_1(&desk, "old.db");
    let registry = Registry::open(&path, desk.keys.clone(), desk.seam()).unwrap();
    assert_eq!(registry.version().unwrap(), desk.registry.version().unwrap());
    assert_eq!(registry.asps().unwrap(), desk.registry.asps().unwrap());
    assert_eq!(registry.tokens(&aspid).unwrap(), desk.registry.tokens(&aspid).unwrap());
    assert_eq!(registry.secret("gstn/sandbox/client-secret").unwrap().unwrap().expose(), "marker");
    let snapshot = registry.snapshot().unwrap();
    assert_eq!(snapshot.asp(&aspid), desk.snapshot().asp(&aspid));
    assert_eq!(snapshot.asp(&aspid).unwrap().getkey(Sandbox), &GetKeyEntry::default());
    assert_eq!(who(snapshot.by_token(Sandbox, &token, desk.now())).unwrap(), aspid);
    let secret = pair.client_secret.expose();
    let found = snapshot.by_client_credentials(Sandbox, &pair.client_id, secret, desk.now());
    assert_eq!(who(found).unwrap(), aspid);

    registry.enrol(&aspid, Sandbox).unwrap();
    registry.ensure_session_key(Sandbox).unwrap();
    assert_eq!(registry.snapshot().unwrap().asp(&aspid).unwrap().getkey(Sandbox).secrets.len(), 1);
}

#[test]
fn a_registry_of_a_newer_program_is_left_alone() {
    let desk = Desk::new();
    Connection::open(desk.path("registry.db")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = desk.open(desk.keys.clone()).unwrap_err();
    assert!(matches!(refused, StoreError::NewerSchema { found: 99, .. }), "{refused}");
    assert!(refused.to_string().contains("has schema version 99, this program knows versions up to 3"));
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
