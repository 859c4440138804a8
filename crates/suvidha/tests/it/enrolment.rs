//! How an ASP is enrolled for GetKey, and how what it proves itself with is changed, as an operator's scripts see it.

use std::collections::BTreeSet;
use std::process::Command;

use gstn::crypto::PrivateKey;
use jiff::{Timestamp, ToSpan};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, date_time_ymd};
use serde_json::Value;
use suvidha_seam::Seam;

use crate::command::Place;

const ADD: &str =
    "asp add --name Tax-Tools --contact-name Asha --email asha@example.in --phone +919876543210";

fn added(place: &Place) -> String {
    place.json(ADD)["aspid"].as_str().unwrap().to_owned()
}

/// Runs a line of a shell in `place`, which must succeed, and gives what it printed.
fn sh(place: &Place, line: &str) -> String {
    let output = Command::new("sh").args(["-ec", line]).current_dir(place.path(".")).output().unwrap();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Makes NAME.key and NAME.pem as ASPs make them, with a life of `days`.
fn make_certificate(place: &Place, name: &str, days: u32) {
    sh(
        place,
        &format!(
            "openssl req -x509 -nodes -sha256 -days {days} -newkey rsa:2048 -subj /CN={name}/C=IN/OU=GST \
             -keyout {name}.key -out {name}.pem"
        ),
    );
}

/// openssl makes none that has expired already.
fn expired_certificate() -> String {
    let key = PrivateKey::generate_2048();
    let pair = KeyPair::from_pem_and_sign_algo(&key.pkcs8_pem(), &PKCS_RSA_SHA256).unwrap();
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    params.self_signed(&pair).unwrap().pem()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn an_asp_is_enrolled_when_it_is_added_and_once_in_the_other_environment() {
    let place = Place::new();
    let added = place.json(ADD);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let aspid = text(&added["aspid"]);
    assert_eq!(added["environment"], "sandbox");
    let (secret, password) = (text(&added["secret"]), text(&added["password"]));
    assert_eq!((secret.len(), password.len()), (32, 24));
    assert!((secret.clone() + &password).bytes().all(|b| b.is_ascii_alphanumeric()));

    place
        .run(&format!("asp enrol {aspid} --environment sandbox"))
        .fails(65, "is enrolled in sandbox already");
    let enrolled = place.json(&format!("asp enrol {aspid} --environment production"));
    assert_eq!(keys(&enrolled), BTreeSet::from(["aspid", "environment", "password", "secret"]));
    assert_ne!((text(&enrolled["secret"]), text(&enrolled["password"])), (secret.clone(), password.clone()));

    let reset = place.json(&format!("asp password reset {aspid} --environment sandbox"));
    assert_eq!(keys(&reset), BTreeSet::from(["aspid", "environment", "password"]));
    assert_ne!(reset["password"], added["password"]);

    let shown = place.run(&format!("asp show {aspid} --json"));
    for secret in [&secret, &password, &text(&enrolled["secret"]), &text(&reset["password"])] {
        assert!(!shown.out.contains(secret), "a secret is shown again: {}", shown.out);
    }
    let shown = shown.json();
    let environments = |rows: &Value| -> Vec<String> {
        rows.as_array().unwrap().iter().map(|row| text(&row["environment"])).collect()
    };
    assert_eq!(environments(&shown["secrets"]), ["sandbox", "production"]);
    assert_eq!(environments(&shown["passwords"]), ["sandbox", "production"]);
    assert_eq!(environments(&place.json("asp list")[0]["getkey"]), ["sandbox", "production"]);
    let first_in_production = place.json(&format!("{ADD} --environment production"));
    assert_eq!(first_in_production["environment"], "production");
}

#[test]
fn whoever_is_enrolled_without_a_certificate_is_told_how_to_register_one() {
    let place = Place::new();
    let told = place.run(ADD);
    told.succeeds();
    assert!(told.out.contains("register its certificate: suvidha asp cert add"), "{}", told.out);
    let aspid = added(&place);
    make_certificate(&place, "own", 400);
    place.json(&format!("asp cert add {aspid} own.pem --environment production"));
    let told = place.run(&format!("asp enrol {aspid} --environment production"));
    told.succeeds();
    assert!(!told.out.contains("asp cert add"), "{}", told.out);
}

#[test]
fn what_is_encrypted_to_a_certificate_is_opened_by_the_printed_line() {
    let place = Place::new();
    make_certificate(&place, "acme", 3650);
    let told = place.run(&format!("{ADD} --to-cert acme.pem"));
    told.succeeds();
    let value = |name: &str| {
        let line = told.out.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].trim().to_owned()
    };
    let (secret, password) = (value("ASP secret, encrypted"), value("password, encrypted"));
    let line = told.out.lines().find(|line| line.contains("openssl")).unwrap();
    let open = |encrypted: &str| {
        sh(&place, &line.replace("ENCRYPTED", encrypted).replace("private-key.pem", "acme.key"))
    };
    assert_eq!((open(&secret).len(), open(&password).len()), (32, 24));
    assert!(!told.out.contains(&open(&secret)) && !told.out.contains(&open(&password)), "{}", told.out);
    assert!(told.out.contains("registered for GetKey"), "{}", told.out);

    let aspid = value("aspid");
    let rows = place.json(&format!("asp cert list {aspid}"));
    assert_eq!((&rows[0]["environment"], &rows[0]["state"]), (&"sandbox".into(), &"live".into()));
    let rotated = place
        .json(&format!("asp secret rotate {aspid} --environment sandbox --overlap 36h --to-cert acme.pem"));
    assert_eq!(rotated.get("secret"), None, "{rotated}");
    assert_ne!(open(rotated["secret_encrypted"].as_str().unwrap()), open(&secret));
    assert_eq!(rotated["certificate_id"], rows[0]["id"], "the same key is not registered twice");
    let reset = place.json(&format!("asp password reset {aspid} --environment sandbox --to-cert acme.pem"));
    assert_eq!(open(reset["password_encrypted"].as_str().unwrap()).len(), 24);
    assert_eq!(place.json(&format!("asp cert list {aspid}")), rows);
    let enrolled = place.json(&format!("asp enrol {aspid} --environment production --to-cert acme.pem"));
    let words = ["aspid", "environment", "secret_encrypted", "password_encrypted"];
    let certificate = ["certificate_id", "certificate_expires_at", "warning"];
    assert_eq!(keys(&enrolled), words.into_iter().chain(certificate).collect());

    let asps = place.json("asp list").as_array().unwrap().len();
    place.run(&format!("{ADD} --to-cert suvidha-data/sealing.key")).fails(65, "sealing.key");
    place.run(&format!("{ADD} --to-cert nowhere.cer")).fails(65, "nowhere.cer");
    assert_eq!(place.json("asp list").as_array().unwrap().len(), asps, "an ASP was taken in all the same");
}

#[test]
fn certificates_come_in_every_form_and_several_are_live_at_once() {
    let place = Place::new();
    let aspid = added(&place);
    make_certificate(&place, "one", 3650);
    make_certificate(&place, "other", 365);
    sh(&place, "openssl x509 -in one.pem -outform der -out one.cer");
    sh(&place, "openssl genrsa -out bare.key 2048; openssl rsa -in bare.key -pubout -out bare.pem");
    let add = |file: &str| format!("asp cert add {aspid} {file} --environment production");
    let one = place.json(&add("one.cer"));
    let fields = [
        ("subject", "CN=one, C=IN, OU=GST".into()),
        ("bits", 2048.into()),
        ("environment", "production".into()),
        ("state", "live".into()),
        ("warning", Value::Null),
    ];
    for (field, value) in &fields {
        assert_eq!(&one[field], value, "{field}");
    }
    assert!([3649, 3650].map(Value::from).contains(&one["expires_in_days"]), "{one}");
    let fingerprint = sh(&place, "openssl x509 -in one.pem -noout -fingerprint -sha256");
    let fingerprint = fingerprint.trim().split_once('=').unwrap().1.replace(':', "").to_lowercase();
    assert_eq!(one["sha256"], fingerprint.as_str());

    let pem = std::fs::read_to_string(place.path("other.pem")).unwrap();
    let other = place.run_with_input(&format!("{} --json", add("-")), &pem).json();
    let bare = place.run(&add("bare.pem"));
    assert!(bare.err.contains("a bare public key never expires"), "{}", bare.err);
    let rows = place.json(&format!("asp cert list {aspid}"));
    assert_eq!([&rows[0]["id"], &rows[1]["id"]], [&one["id"], &other["id"]]);
    assert_eq!((&rows[2]["subject"], &rows[2]["expires_in_days"]), (&Value::Null, &Value::Null));
    assert!(rows.as_array().unwrap().iter().all(|row| row["state"] == "live"), "{rows}");
    let listed = &place.json("asp list")[0]["getkey"];
    assert_eq!(
        (&listed[1]["environment"], &listed[1]["live_certificates"]),
        (&"production".into(), &3.into())
    );

    let rows = place.json(&format!("asp cert revoke {aspid} {}", one["id"]));
    assert_eq!([&rows[0]["state"], &rows[1]["state"]], ["revoked", "live"]);
    assert_eq!(place.json(&format!("asp show {aspid}"))["certificates"], rows);
    place.run(&format!("asp cert revoke {aspid} 99")).fails(65, "no certificate with the id 99");
}

#[test]
fn an_expiry_is_warned_of_a_month_before() {
    let place = Place::new();
    let aspid = added(&place);
    make_certificate(&place, "soon", 20);
    let add = format!("asp cert add {aspid} soon.pem --environment sandbox");
    let told = place.run(&add);
    told.succeeds();
    assert!(
        told.err.starts_with("suvidha: warning: certificate 1 (sandbox): it expires in "),
        "{}",
        told.err
    );
    let listed = place.run(&format!("asp cert list {aspid} --json"));
    assert_eq!(listed.err, told.err);
    let warning = listed.json()[0]["warning"].as_str().unwrap().to_owned();
    assert!(warning.contains("suvidha asp cert add"), "{warning}");
    let rows = place.run(&format!("asp cert revoke {aspid} 1"));
    assert_eq!(rows.err, "", "what is revoked is not worth a warning");
}

#[test]
fn a_revoked_key_goes_with_every_certificate_it_has() {
    let place = Place::new();
    let aspid = added(&place);
    make_certificate(&place, "first", 400);
    sh(&place, "openssl req -x509 -key first.key -subj /CN=x -days 800 -out renewed.pem");
    let add = |file: &str, environment: &str| {
        place.run(&format!("asp cert add {aspid} {file} --environment {environment}"))
    };
    add("first.pem", "sandbox").succeeds();
    add("renewed.pem", "sandbox").succeeds();
    add("first.pem", "production").succeeds();
    let told = place.run(&format!("asp cert revoke {aspid} 2 --json"));
    for words in [
        "certificate 1 has the same key and was revoked too",
        "certificate 3 has the same key in the other environment and is not revoked",
    ] {
        assert!(told.err.contains(words), "{}", told.err);
    }
    let rows = told.json();
    assert_eq!(
        [&rows[0]["state"], &rows[1]["state"], &rows[2]["state"]],
        ["revoked", "revoked", "live"],
        "{rows}"
    );
    add("renewed.pem", "sandbox").fails(65, "its key was revoked, with number 1; make a new key pair");
}

#[test]
fn what_is_no_certificate_for_getkey_is_refused_with_the_reason() {
    let place = Place::new();
    let aspid = added(&place);
    make_certificate(&place, "right", 3650);
    let req = "openssl req -x509 -nodes -subj /CN=x -days 30";
    sh(&place, &format!("{req} -newkey rsa:1024 -keyout small.key -out small.pem"));
    sh(&place, &format!("{req} -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout ec.key -out ec.pem"));
    place.write("old.pem", &expired_certificate());
    sh(&place, "cat right.pem right.key > both.pem; head -c 70000 /dev/zero > long.pem; : > empty.pem");
    let add = |file: &str| place.run(&format!("asp cert add {aspid} {file} --environment sandbox"));
    add("right.pem").succeeds();
    for (file, reason) in [
        ("right.pem", "it is registered already, as number 1"),
        ("both.pem", "it holds a private key"),
        ("right.key", "it holds a private key"),
        ("small.pem", "1024"),
        ("ec.pem", "RSA"),
        ("old.pem", "it expired at 2021-01-01"),
        ("long.pem", "long.pem is longer than 65536 bytes"),
        ("empty.pem", "the certificate cannot be used"),
        ("missing.pem", "cannot read missing.pem"),
    ] {
        add(file).fails(65, reason);
    }
    assert_eq!(place.json(&format!("asp cert list {aspid}")).as_array().unwrap().len(), 1);
}

#[test]
fn a_secret_is_changed_with_an_overlap() {
    let place = Place::new();
    let aspid = added(&place);
    let rotate = format!("asp secret rotate {aspid} --environment sandbox");
    let before = Seam::system().now();
    let rotated = place.json(&rotate);
    assert_eq!(rotated["secret"].as_str().unwrap().len(), 32);
    let until: Timestamp = rotated["previous_until"].as_str().unwrap().parse().unwrap();
    let week = before + 168.hours();
    assert!((week - 1.second()..week + 10.minutes()).contains(&until), "{until}");
    let states = |rows: &Value| -> Vec<String> {
        rows.as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect()
    };
    let list = format!("asp secret list {aspid}");
    assert_eq!(states(&place.json(&list)), ["ending", "live"]);
    assert_eq!(place.json("asp list")[0]["getkey"][0]["secret_overlap_until"], rotated["previous_until"]);
    let too_soon = place.run(&rotate);
    too_soon.fails(65, "retire the older secret first");
    too_soon.fails(65, &format!("suvidha asp secret retire {aspid} --environment sandbox"));

    let rows = place.json(&format!("asp secret retire {aspid} --environment sandbox"));
    assert_eq!(states(&rows), ["ended", "live"]);
    let words = place.run(&format!("{rotate} --overlap 2h"));
    for part in ["enc_key_next", "The old secret counts until", "suvidha asp secret retire"] {
        assert!(words.out.contains(part), "{part}: {}", words.out);
    }
    let at_once = place.json(&format!("{rotate} --overlap 0s"));
    assert_eq!(at_once["previous_until"], Value::Null);
    assert_eq!(states(&place.json(&list)), ["ended", "ended", "ended", "live"]);
    place.run(&format!("{rotate} --overlap 91d")).fails(65, "0 to 90 days");

    for command in ["asp secret rotate", "asp password reset"] {
        let elsewhere = place.run(&format!("{command} {aspid} --environment production"));
        elsewhere.fails(65, &format!("ASP {aspid} is not enrolled in production"));
        elsewhere.fails(65, &format!("suvidha asp enrol {aspid} --environment production"));
    }
}

#[test]
fn sessions_have_a_length_of_their_own_and_are_ended_by_a_date() {
    let place = Place::new();
    let aspid = added(&place);
    let set = |to: &str| place.json(&format!("asp set {aspid} --session-validity {to}"));
    assert_eq!(set("90m")["session_validity_min"], 90);
    assert!(place.run(&format!("asp show {aspid}")).out.contains("sessions last    90m"));
    assert_eq!(set("default")["session_validity_min"], Value::Null);

    let before = Seam::system().now();
    let revoked = place.json(&format!("asp sessions revoke {aspid}"));
    assert_eq!(revoked["environments"], serde_json::json!(["sandbox", "production"]));
    let from: Timestamp = revoked["sessions_valid_from"].as_str().unwrap().parse().unwrap();
    assert!(from > before && from <= Seam::system().now() + 1.second(), "{from}");
    let shown = || place.json(&format!("asp show {aspid}"))["sessions"].clone();
    let both = shown();
    assert_eq!(
        (&both[0]["environment"], both[1]["valid_from"].as_str()),
        (&"sandbox".into(), revoked["sessions_valid_from"].as_str())
    );
    let revoked = place.json(&format!("asp sessions revoke {aspid} --environment production"));
    assert_eq!(revoked["environments"], serde_json::json!(["production"]));
    assert_eq!((&shown()[0], &shown()[1]["valid_from"]), (&both[0], &revoked["sessions_valid_from"]));
    place.run("asp sessions revoke 0000000000").fails(65, "0000000000");
}
