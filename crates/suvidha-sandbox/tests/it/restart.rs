//! What survives: a stop, and a crash with work half done.

use serde_json::json;

use crate::world::World;

const PERIOD: &str = "032025";

#[test]
fn certificate_session_and_saved_rows_survive_a_restart() {
    let mut world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let reference_id = session.saved(&world, PERIOD, &["A1"]);
    assert_eq!(session.finished(&world, PERIOD, &reference_id), "P");
    let certificate = world.certificate().spki_pem();
    world.restart();
    assert_eq!(world.certificate().spki_pem(), certificate);
    assert_eq!(session.status(&world, PERIOD, &reference_id)["status_cd"], "P");
    let read = session.open(&world.gstn(&session.get("returns/gstr1", "B2B", PERIOD)));
    assert_eq!(read["b2b"][0]["inv"][0]["inum"], "A1");
}

#[test]
fn a_save_that_got_a_reference_id_is_processed_even_after_a_crash() {
    let mut world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let reference_id = session.saved(&world, PERIOD, &["A1"]);
    world.crash();
    world.start();
    assert_eq!(session.status(&world, PERIOD, &reference_id)["status_cd"], "REC");
    assert_eq!(session.finished(&world, PERIOD, &reference_id), "P");
    let read = session.open(&world.gstn(&session.get("returns/gstr1", "B2B", PERIOD)));
    assert_eq!(read["b2b"][0]["inv"][0]["inum"], "A1");
}

#[test]
fn a_job_that_cannot_be_processed_ends_instead_of_being_tried_for_ever() {
    let mut world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let broken = session.saved(&world, PERIOD, &["A1"]);
    world.crash();
    world.database().execute("UPDATE jobs SET form = 'R99'", []).unwrap();
    world.start();
    assert_eq!(session.finished(&world, PERIOD, &broken), "ER");
    assert_eq!(session.status(&world, PERIOD, &broken)["error_report"]["error_cd"], "RET191138");
    let next = session.saved(&world, PERIOD, &["A1"]);
    assert_eq!(session.finished(&world, PERIOD, &next), "P", "the worker has gone on");
}

#[test]
fn keys_and_sessions_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.taxpayer(&json!({})).login(&world);
    for file in ["gstn.key.pem", "gstn-sandbox.sqlite", "gstn-sandbox.sqlite-wal"] {
        let mode = std::fs::metadata(world.dir.path().join("gstn").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
