//! Secrets that come back, the keys they are sealed under, and what is found in the file by a thief.

use suvidha_store::{NewToken, SealingKeys, SecretString, StoreError};

use crate::desk::{Desk, Production, Sandbox};

const NAME: &str = "gstn/sandbox/client-secret";
const A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const B: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn ring(text: &str) -> SealingKeys {
    SealingKeys::from_env_value(text).unwrap()
}

#[test]
fn a_secret_comes_back_until_it_is_deleted() {
    let desk = Desk::new();
    assert!(desk.registry.secret(NAME).unwrap().is_none());
    for secret in ["first", "second", ""] {
        desk.registry.put_secret(NAME, secret).unwrap();
        assert_eq!(desk.registry.secret(NAME).unwrap().unwrap().expose(), secret);
    }
    desk.registry.delete_secret(NAME).unwrap();
    assert!(desk.registry.secret(NAME).unwrap().is_none());
    let refused = desk.registry.delete_secret(NAME).unwrap_err();
    assert_eq!(refused.to_string(), r#"no secret is kept under the name "gstn/sandbox/client-secret""#);
    for bad in ["", "Upper", "canary:k1", "a b"] {
        assert!(matches!(
            desk.registry.put_secret(bad, "x"),
            Err(StoreError::InvalidField { field: "secret name", .. })
        ));
    }
}

#[test]
fn nothing_in_the_file_can_be_presented_to_the_gateway() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let imported = "a2ceb341-1234-4234-a54f-59d934acba5a";
    let token = desk.a_token(&aspid, Production);
    desk.registry.import_token(&aspid, Sandbox, imported, NewToken::default()).unwrap();
    let made = desk.registry.issue_client_credentials(&aspid, Sandbox, None, None).unwrap();
    let given = SecretString::from("marker-client-secret-2c9e");
    desk.registry
        .issue_client_credentials(&aspid, Sandbox, Some("marker-client-id".to_owned()), Some(given.clone()))
        .unwrap();
    desk.registry.put_secret(NAME, "marker-gstn-secret-77d0").unwrap();
    desk.registry.put_secret(NAME, "marker-gstn-secret-88e1").unwrap();

    let files = desk.files();
    let contains = |text: &str| files.iter().any(|(_, bytes)| find(bytes, text.as_bytes()));
    assert!(files.iter().any(|(name, bytes)| name == "registry.db-wal" && !bytes.is_empty()));
    assert!(contains("marker-client-id") && contains(NAME), "what is no secret is there to be found");
    let secrets = [
        &token[8..51],
        imported,
        made.client_secret.expose(),
        given.expose(),
        "marker-gstn-secret-77d0",
        "marker-gstn-secret-88e1",
    ];
    for secret in secrets {
        assert!(!contains(secret), "{secret} is in the file");
    }
    let debug = format!("{:?} {made:?} {:?} {:?}", desk.registry, desk.snapshot(), desk.keys);
    assert!(secrets.iter().all(|secret| !debug.contains(secret)), "{debug}");
}

fn find(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[test]
fn a_registry_does_not_open_with_another_key_file() {
    let desk = Desk::new();
    let other = SealingKeys::create_file(&desk.path("other.keys"), &desk.seam()).unwrap();
    let expected = desk.keys.ids().next().unwrap().to_owned();
    let refused = desk.open(other).unwrap_err();
    assert!(matches!(&refused, StoreError::MissingSealingKey { expected: key, .. } if *key == expected));
    assert!(refused.to_string().contains(&format!("is sealed under key {expected:?}")), "{refused}");

    let impostor = ring(&format!("{expected}:{A}"));
    let refused = desk.open(impostor).unwrap_err();
    assert!(
        matches!(&refused, StoreError::WrongSealingKey { expected: key } if *key == expected),
        "{refused}"
    );
    desk.open(SealingKeys::from_file(&desk.path("sealing.keys")).unwrap()).unwrap();
}

#[test]
fn a_key_is_changed_and_the_old_one_thrown_away() {
    let desk = Desk::new();
    let path = desk.path("rotated.db");
    let open = |keys: &str| suvidha_store::Registry::open(&path, ring(keys), desk.seam());
    open(&format!("old:{A}")).unwrap().put_secret(NAME, "marker").unwrap();

    let refused = open(&format!("new:{B}")).unwrap_err();
    assert!(matches!(refused, StoreError::MissingSealingKey { .. }), "{refused}");
    let both = open(&format!("new:{B} old:{A}")).unwrap();
    assert_eq!(both.secret(NAME).unwrap().unwrap().expose(), "marker");
    both.put_secret("another", "sealed under the new key").unwrap();
    assert_eq!(both.reseal_secrets().unwrap(), 1);
    assert_eq!(both.reseal_secrets().unwrap(), 0);
    open(&format!("new:{B} old:{A}")).unwrap();

    let rotated = open(&format!("new:{B}")).unwrap();
    assert_eq!(rotated.secret(NAME).unwrap().unwrap().expose(), "marker");
    let refused = open(&format!("old:{A}")).unwrap_err();
    assert!(
        matches!(&refused, StoreError::MissingSealingKey { expected, .. } if expected == "new"),
        "{refused}"
    );
}

#[test]
fn a_process_that_missed_the_change_of_keys_says_which_key_it_lacks() {
    let desk = Desk::new();
    let path = desk.path("rotated.db");
    let open = |keys: &str| suvidha_store::Registry::open(&path, ring(keys), desk.seam()).unwrap();
    let running = open(&format!("old:{A}"));
    running.put_secret(NAME, "marker").unwrap();
    open(&format!("new:{B} old:{A}")).reseal_secrets().unwrap();
    let refused = running.secret(NAME).unwrap_err();
    assert!(
        matches!(&refused, StoreError::MissingSealingKey { expected, .. } if expected == "new"),
        "{refused}"
    );
    running.put_secret("another", "still sealed under the old key").unwrap();
    let refused = suvidha_store::Registry::open(&path, ring(&format!("new:{B}")), desk.seam()).unwrap_err();
    assert!(
        matches!(&refused, StoreError::MissingSealingKey { expected, .. } if expected == "old"),
        "{refused}"
    );
}

#[test]
fn a_secret_altered_or_moved_in_the_file_is_not_believed() {
    let desk = Desk::new();
    desk.registry.put_secret("one", "marker").unwrap();
    desk.registry.put_secret("two", "other").unwrap();
    let thief = rusqlite::Connection::open(desk.path("registry.db")).unwrap();
    thief.execute_batch("UPDATE secret SET name = 'x' WHERE name = 'one'; UPDATE secret SET name = 'one' WHERE name = 'two'").unwrap();
    let refused = desk.registry.secret("one").unwrap_err();
    assert!(matches!(&refused, StoreError::DamagedSecret { name } if name == "one"), "{refused}");
}

#[test]
fn a_key_file_is_made_once_and_for_its_owner_alone() {
    let desk = Desk::new();
    let path = desk.path("sealing.keys");
    let refused = SealingKeys::create_file(&path, &desk.seam()).unwrap_err();
    assert!(matches!(refused, StoreError::KeyFileExists { .. }), "{refused}");
    let missing = SealingKeys::from_file(&desk.path("nowhere")).unwrap_err();
    assert!(matches!(missing, StoreError::File { action: "read", .. }), "{missing}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for exposed in [0o640, 0o604, 0o620] {
            mode(exposed);
            let refused = SealingKeys::from_file(&path).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!(
                    "key file {0} can be read by others (mode {exposed:03o}); run: chmod 600 {0}",
                    path.display()
                )
            );
        }
        mode(0o400);
        SealingKeys::from_file(&path).unwrap();
    }
}
