//! Secrets that come back, the keys they are sealed under, and what is found in the file by a thief.

use jiff::SignedDuration;
use suvidha_store::{Asp, AspEntry, NewToken, SealingKeys, SecretString, StoreError};

use crate::desk::{Desk, Production, Sandbox, acme};

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
    let enrolled = desk.registry.enrol(&aspid, Sandbox).unwrap();
    let rotated = desk.registry.rotate_asp_secret(&aspid, Sandbox, SignedDuration::from_hours(24)).unwrap();
    let reset = desk.registry.reset_password(&aspid, Sandbox).unwrap();
    desk.registry.ensure_session_key(Sandbox).unwrap();
    let session_key = desk.snapshot().session_keys(Sandbox)[0].key.clone();
    let session_key_text = base64_simd::STANDARD.encode_to_string(&session_key[..]);

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
        enrolled.secret.expose(),
        enrolled.password.expose(),
        rotated.secret.expose(),
        reset.password.expose(),
        &session_key_text,
    ];
    assert!(!files.iter().any(|(_, bytes)| find(bytes, &session_key[..])));
    for secret in secrets {
        assert!(!contains(secret), "{secret} is in the file");
    }
    let snapshot = desk.snapshot();
    let (asp, keys) = (snapshot.asp(&aspid).unwrap(), snapshot.session_keys(Sandbox));
    let debug = format!(
        "{:?} {made:?} {snapshot:?} {:?} {asp:?} {keys:?} {enrolled:?} {rotated:?} {reset:?}",
        desk.registry, desk.keys
    );
    assert!(secrets.iter().all(|secret| !debug.contains(secret)), "{debug}");
    assert!(
        !debug.contains(&format!("{:?}", &session_key[..4]).trim_matches(['[', ']']).to_owned()),
        "{debug}"
    );
}

#[test]
fn a_change_of_sealing_keys_takes_everything_sealed_with_it() {
    let desk = Desk::new();
    let path = desk.path("rotated.db");
    let open = |keys: &str| suvidha_store::Registry::open(&path, ring(keys), desk.seam());
    let old = open(&format!("old:{A}")).unwrap();
    let aspid = old.add_asp(acme()).unwrap().aspid;
    old.put_secret(NAME, "marker").unwrap();
    old.enrol(&aspid, Sandbox).unwrap();
    old.rotate_asp_secret(&aspid, Sandbox, SignedDuration::from_hours(24)).unwrap();
    old.enrol(&aspid, Production).unwrap();
    for environment in [Sandbox, Production] {
        old.ensure_session_key(environment).unwrap();
    }
    let everything = |registry: &suvidha_store::Registry| {
        let snapshot = registry.snapshot().unwrap();
        let keys = [Sandbox, Production].map(|environment| snapshot.session_keys(environment).to_vec());
        (AspEntry::clone(snapshot.asp(&aspid).unwrap()), keys)
    };
    let before = everything(&old);

    assert_eq!(open(&format!("new:{B} old:{A}")).unwrap().reseal_secrets().unwrap(), 6);
    let rotated = open(&format!("new:{B}")).unwrap();
    assert_eq!(everything(&rotated), before);
    assert_eq!(rotated.secret(NAME).unwrap().unwrap().expose(), "marker");
    let left_behind = old.snapshot().unwrap();
    let unopened = left_behind.unopened();
    assert!(
        unopened.iter().all(
            |error| matches!(error, StoreError::MissingSealingKey { expected, .. } if expected == "new")
        ),
        "{unopened:?}"
    );
    assert!(!unopened.is_empty() && left_behind.session_keys(Sandbox).is_empty());
}

#[test]
fn what_is_sealed_for_one_place_does_not_open_in_another() {
    let moves = [
        "UPDATE asp_secret SET environment = 'production'",
        "UPDATE asp_secret SET aspid = (SELECT aspid FROM asp WHERE aspid <> asp_secret.aspid)",
        "UPDATE session_key SET id = 9",
        "UPDATE session_key SET environment = 'production'",
        "UPDATE asp_secret SET (key_id, nonce, ciphertext) = (SELECT key_id, nonce, ciphertext FROM session_key)",
        "UPDATE session_key SET (key_id, nonce, ciphertext) = (SELECT key_id, nonce, ciphertext FROM asp_secret)",
        "UPDATE session_key SET ciphertext = zeroblob(60)",
    ];
    for moved in moves {
        let desk = Desk::new();
        let aspid = desk.an_asp();
        desk.an_asp();
        desk.registry.enrol(&aspid, Sandbox).unwrap();
        desk.registry.ensure_session_key(Sandbox).unwrap();
        desk.registry.snapshot().unwrap();
        let asps = desk.registry.asps().unwrap();
        let thief = rusqlite::Connection::open(desk.path("registry.db")).unwrap();
        assert_eq!(thief.execute(moved, []).unwrap(), 1, "{moved}");
        let snapshot = desk.registry.snapshot().unwrap();
        let [StoreError::DamagedSecret { .. }] = snapshot.unopened() else { panic!("{moved}: {snapshot:?}") };
        let opened =
            |asp: &Asp, environment| snapshot.asp(&asp.aspid).unwrap().getkey(environment).secrets.len();
        let secrets: usize = asps.iter().map(|asp| opened(asp, Sandbox) + opened(asp, Production)).sum();
        let keys = snapshot.session_keys(Sandbox).len() + snapshot.session_keys(Production).len();
        assert_eq!(secrets + keys, 1, "{moved}: the other one serves on");
        assert_eq!(
            asps.iter().any(|asp| {
                let asp = snapshot.asp(&asp.aspid).unwrap();
                asp.getkey(Sandbox).has_unopened_secret || asp.getkey(Production).has_unopened_secret
            }),
            secrets == 0,
            "{moved}"
        );
    }
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
