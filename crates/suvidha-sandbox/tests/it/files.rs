//! Lists too large for one answer: a token, then addresses that expire, then archives that open with their key.

use std::io::Read;

use flate2::read::GzDecoder;
use gstn::crypto::{FileKey, sha256_hex};
use serde_json::{Value, json};
use suvidha_sandbox::{Config, Files, Latency};

use crate::http::{Request, Response};
use crate::taxpayer::{Session, with_client};
use crate::world::{World, until};

const PERIOD: &str = "032025";

/// A world in which three documents are more than an answer holds, and two more than a file.
fn small() -> World {
    World::with(settings)
}

fn settings(config: &mut Config) {
    config.latency = Latency { file_ms: 5000, ..Latency::NONE };
    config.files = Files { limit: 3, per_archive: 2, url_minutes: 60, estimate_minutes: 30 };
}

/// A taxpayer with so many invoices.
fn with_invoices(world: &World, count: usize) -> Session {
    let session = world.taxpayer(&json!({"state": "29"})).login(world);
    let numbers: Vec<String> = (1..=count).map(|number| format!("A{number:03}")).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let reference_id = session.saved(world, PERIOD, &numbers);
    assert_eq!(session.finished(world, PERIOD, &reference_id), "P");
    session
}

fn token(world: &World, session: &Session, action: &str) -> String {
    let told = session.open(&world.gstn(&session.get("returns/gstr1", action, PERIOD)));
    assert_eq!(told["est"], json!("30"), "{told}");
    told["token"].as_str().unwrap().to_owned()
}

fn details(world: &World, session: &Session, token: &str) -> Response {
    world.gstn(&session.get("returns", &format!("FILEDET&token={token}"), PERIOD))
}

/// Asks until the files are there; they are not told before their time, however soon they are made.
fn ready(world: &World, session: &Session, token: &str) -> Value {
    until(|| {
        let answer = details(world, session, token);
        if answer.error_cd() == "RTN_24" {
            world.clock.advance(100);
            return None;
        }
        Some(session.open(&answer))
    })
}

fn fetch(world: &World, address: &str) -> Response {
    world.gstn(&with_client(Request::new("GET", address)))
}

fn opened(archive: &[u8], key: &FileKey) -> Value {
    let mut tar = tar::Archive::new(GzDecoder::new(archive));
    let mut entry = tar.entries().unwrap().next().unwrap().unwrap();
    let mut text = String::new();
    entry.read_to_string(&mut text).unwrap();
    serde_json::from_slice(&key.decrypt_file(&text).unwrap()).unwrap()
}

fn numbers(list: &Value) -> Vec<String> {
    let invoices = list["b2b"].as_array().unwrap().iter().flat_map(|party| party["inv"].as_array().unwrap());
    invoices.map(|invoice| invoice["inum"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn as_many_as_an_answer_holds_are_answered() {
    let world = small();
    let session = with_invoices(&world, 3);
    let list = session.open(&world.gstn(&session.get("returns/gstr1", "B2B", PERIOD)));
    assert_eq!(numbers(&list), ["A001", "A002", "A003"]);
}

#[test]
fn more_are_given_as_files_that_open_with_their_key() {
    let world = small();
    let session = with_invoices(&world, 5);
    let token = token(&world, &session, "B2B");
    assert_eq!(token.len(), 32);
    assert_eq!(details(&world, &session, &token).error_cd(), "RTN_24");
    let told = ready(&world, &session, &token);
    assert_eq!((&told["fc"], told.as_object().unwrap().len()), (&json!(3), 3));
    let key = FileKey::from_base64(told["ek"].as_str().unwrap()).unwrap();
    let mut all = Vec::new();
    for (number, file) in told["urls"].as_array().unwrap().iter().enumerate() {
        let address = file["ul"].as_str().unwrap();
        let name = format!("returns_10042025_R1_{}_b2b_{number}.tar.gz", session.gstin);
        assert!(address.starts_with(&format!("/returns/10042025/R1/{token}/{name}?md5=")), "{address}");
        let answer = fetch(&world, address);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/gzip")));
        assert_eq!(file["hash"], json!(sha256_hex(&answer.body)));
        let list = opened(&answer.body, &key);
        assert_eq!(file["ic"], json!(numbers(&list).len()));
        all.extend(numbers(&list));
    }
    assert_eq!(all, ["A001", "A002", "A003", "A004", "A005"]);
}

#[test]
fn filters_count_before_the_limit_does() {
    let world = small();
    let session = with_invoices(&world, 5);
    let nobody = world.gstn(&session.get("returns/gstr1", "B2B&ctin=29AAAAA0000A1Z5", PERIOD));
    assert_eq!(nobody.error_cd(), "RET13510");
    let all = session.get("returns/gstr1", "B2B&ctin=27AAPFU0939F1ZV&from_time=01-04-2025", PERIOD);
    assert!(session.open(&world.gstn(&all))["token"].is_string());
    assert_eq!(world.gstn(&session.get("returns/gstr1", "B2B&from_time=x", PERIOD)).error_cd(), "RET13511");
}

#[test]
fn the_same_question_has_one_token_while_its_files_are_made_and_survives_a_crash() {
    let mut world = small();
    let session = with_invoices(&world, 4);
    let first = token(&world, &session, "B2B");
    world.crash();
    // As if the crash had come before the first file was made.
    let made = "UPDATE large_lists SET state = 'MAKING'; DELETE FROM large_list_files WHERE number > 0";
    world.database().execute_batch(made).unwrap();
    world.start();
    let told = ready(&world, &session, &first);
    assert_eq!(told["fc"], json!(2));
    let address = told["urls"][1]["ul"].as_str().unwrap().to_owned();
    assert_ne!(token(&world, &session, "B2B"), first, "a later question is a new one");
    world.restart();
    assert_eq!(fetch(&world, &address).status, 200);
}

#[test]
fn an_address_is_good_for_its_own_file_and_its_own_time() {
    let world = small();
    let session = with_invoices(&world, 4);
    let token = token(&world, &session, "B2B");
    let told = ready(&world, &session, &token);
    let address = told["urls"][0]["ul"].as_str().unwrap();
    let status = |address: &str| {
        let answer = fetch(&world, address);
        assert!(answer.status == 200 || answer.body.is_empty(), "the host of files does not speak GST");
        answer.status
    };
    let (path, query) = address.split_once('?').unwrap();
    assert_eq!(status(path), 403);
    assert_eq!(status(&format!("{path}?md5=AAAAAAAAAAAAAAAAAAAAAA&expires=9999999999")), 403);
    let (signature, expires) = query.split_once("&expires=").unwrap();
    let later = expires.parse::<u64>().unwrap() + 1;
    assert_eq!(status(&format!("{path}?{signature}&expires={later}")), 403, "the time is signed");
    assert_eq!(status(&address.replace("_b2b_0", "_b2b_1")), 403, "the file is signed");
    assert_eq!(status(&address.replace("_b2b_0", "_b2b_9")), 404);
    assert_eq!(status("/returns/10042025/R1/no-such-token/x.tar.gz?md5=a&expires=1"), 404);
    assert_eq!(status(&address.replace("/returns/", "//returns//")), 200);
    let other_method = world.gstn(&with_client(Request::new("POST", address)));
    assert_eq!(other_method.status, 405);
    world.pass_minutes(30);
    let newer =
        session.open(&details(&world, &session, &token))["urls"][0]["ul"].as_str().unwrap().to_owned();
    world.pass_minutes(31);
    assert_eq!((status(address), status(&newer)), (410, 200));
    world.pass_minutes(30);
    assert_eq!(details(&world, &session, &token).error_cd(), "RET13508", "forgotten with its last address");
    // What expired leaves with the next large list.
    self::token(&world, &session, "B2B");
    assert_eq!(status(&newer), 404);
}

#[test]
fn a_token_is_its_taxpayers_own() {
    let world = small();
    let session = with_invoices(&world, 4);
    let token = token(&world, &session, "B2B");
    let stranger = world.taxpayer(&json!({})).login(&world);
    assert_eq!(details(&world, &stranger, &token).error_cd(), "RET13508");
    assert_eq!(details(&world, &session, "").error_cd(), "GEN5001");
    ready(&world, &session, &token);
    world.manage(&Request::new("POST", "/reset").json(&json!({"gstin": session.gstin})));
    let session = world.taxpayer(&json!({})).login(&world);
    assert_eq!(details(&world, &session, &token).error_cd(), "RET13508");
}

#[test]
fn a_stranger_gets_no_file() {
    let world = small();
    let session = with_invoices(&world, 4);
    let told = ready(&world, &session, &token(&world, &session, "B2B"));
    let address = told["urls"][0]["ul"].as_str().unwrap();
    assert_eq!(world.gstn(&Request::new("GET", address)).status, 403);
}

/// All documents behind a token, in their order.
fn all_of(world: &World, told: &Value, list: fn(&Value) -> Vec<String>) -> Vec<String> {
    let key = FileKey::from_base64(told["ek"].as_str().unwrap()).unwrap();
    let files = told["urls"].as_array().unwrap().iter();
    files.flat_map(|file| list(&opened(&fetch(world, file["ul"].as_str().unwrap()).body, &key))).collect()
}

#[test]
fn a_buyers_statement_and_its_invoices_come_as_files_too() {
    let world = small();
    let buyer = world.taxpayer(&json!({"gstin": "27AAPFU0939F1ZV"})).login(&world);
    with_invoices(&world, 5);
    let expected = ["A001", "A002", "A003", "A004", "A005"];

    let statement = buyer.get("returns/gstr2a", "B2B", PERIOD);
    let told = buyer.open(&world.gstn(&statement));
    let told = ready(&world, &buyer, told["token"].as_str().unwrap());
    assert_eq!(told["fc"], json!(3));
    assert!(told["urls"][0]["ul"].as_str().unwrap().contains("_R2A_27AAPFU0939F1ZV_b2b_0.tar.gz"));
    assert_eq!(all_of(&world, &told, numbers), expected);

    let invoices = world.gstn(&buyer.get("returns/ims", "GETINV&section=B2B", PERIOD));
    let token = buyer.open(&invoices)["token"].as_str().unwrap().to_owned();
    assert_eq!(details(&world, &buyer, &token).error_cd(), "RET13508", "IMS tells its files at its own path");
    let told = until(|| {
        let answer = world.gstn(&buyer.get("returns/ims", &format!("FILEDET&token={token}"), PERIOD));
        world.clock.advance(1000);
        (answer.error_cd() != "RTN_24").then(|| buyer.open(&answer))
    });
    let records = |list: &Value| -> Vec<String> {
        let rows = list["b2b"].as_array().unwrap().iter();
        rows.map(|row| row["inum"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(all_of(&world, &told, records), expected);
}
