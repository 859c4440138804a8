//! `suvidha keys`, as an operator reads it. What becomes of sessions is told in `sessions.rs`.

use crate::command::Place;

#[test]
fn a_key_is_told_what_it_does_and_what_dies_with_it() {
    let place = Place::new();
    place.run("keys list").fails(78, "there is no registry");
    place.run_with_input("secret set a/b", "x\n").succeeds();
    assert_eq!(place.run("keys list").out, "no key yet; the gateway makes the first one when it starts\n");

    let (server, _) = place.start_ready("up --listen 127.0.0.1:0");
    let listed = place.json("keys list");
    let row = |environment: &str| {
        listed.as_array().unwrap().iter().find(|row| row["environment"] == environment).unwrap().clone()
    };
    for environment in ["sandbox", "production"] {
        assert_eq!((&row(environment)["id"], &row(environment)["state"]), (&1.into(), &"minting".into()));
    }
    server.stop();

    let words = place.run("keys rotate --environment sandbox").out;
    assert!(words.contains("mints from") && words.contains("go on until they lapse"), "{words}");
    let listed = place.run("keys list --environment sandbox").out;
    assert!(listed.contains("next") && !listed.contains("production"), "{listed}");
    let words = place.run("keys retire 2 --environment sandbox").out;
    assert!(words.contains("No session was made under it."), "{words}");
    assert_eq!(place.json("keys list --environment sandbox")[1]["state"], "retired");
    place.run("keys retire 1 --environment production").fails(65, "rotate first");
    assert_eq!(place.json("keys rotate --environment sandbox")["id"], 3, "no number is given twice");
}
