//! Plans, credit and limits, as an operator sets them and a script reads them.

use serde_json::{Value, json};

use crate::asp::added;
use crate::command::Place;

#[test]
fn credit_is_topped_up_and_taken_back() {
    let place = Place::new();
    let aspid = added(&place);
    let topup = |words: &str| format!("asp topup {aspid} --environment sandbox {words}");
    let first = place.json(&topup("1000 --expires 30d --note invoice-7"));
    let (balance, used) = (&first["balance"], &first["used"]);
    assert_eq!((balance, used, &first["expired"]), (&1000.into(), &0.into(), &false.into()));
    assert_eq!(first["credit"]["note"], "invoice-7");
    let last_day = first["last_day"].as_str().unwrap();
    assert_eq!(last_day.len(), "2026-12-22".len());

    let taken = place.json(&topup("400 --take-back"));
    assert_eq!((&taken["balance"], &taken["credit"]["units"]), (&600.into(), &(-400).into()));
    assert_eq!(taken["last_day"], first["last_day"], "a take-back leaves the expiry");
    let refused = place.run(&topup("601 --take-back"));
    refused.fails(65, &format!("601 units cannot be taken back: ASP {aspid} has 600 of 600 left in sandbox"));
    let moved = place.json(&topup("0 --expires 60d"));
    assert_eq!(moved["balance"], 600);
    assert!(moved["last_day"].as_str().unwrap() > last_day);

    let account = place.json(&format!("asp plan {aspid} --environment sandbox"));
    assert_eq!((&account["plan"], &account["balance"]), (&"unmetered".into(), &600.into()));
    let units: Vec<_> = account["top_ups"].as_array().unwrap().iter().map(|row| &row["units"]).collect();
    assert_eq!(units, [1000, -400, 0]);
    let elsewhere = place.json(&format!("asp plan {aspid} --environment production"));
    assert_eq!((&elsewhere["balance"], &elsewhere["last_day"]), (&0.into(), &Value::Null));

    let words = place.run(&topup("1 --expires 60d")).out;
    assert!(words.contains("balance      601\n") && words.contains("asp plan"), "{words}");
    let words = place.run(&format!("asp plan {aspid} --environment sandbox prepaid")).out;
    for part in ["plan         prepaid\n", "topped up    601\n", "+1000", "-400", "as before", "invoice-7"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let words = place.run(&topup("1 --expires 60d")).out;
    assert!(words.contains("balance      602\n") && !words.contains("asp plan"), "{words}");
}

#[test]
fn a_top_up_that_makes_no_sense_is_refused_and_not_kept() {
    let place = Place::new();
    let aspid = added(&place);
    let topup = |words: &str| place.run(&format!("asp topup {words}"));
    let here = format!("{aspid} --environment sandbox");
    topup(&format!("{here} 1000 --expires 2020-03-31")).fails(65, "--expires 2020-03-31 is over");
    topup(&format!("{here} 1000 --expires 2126-03-31")).fails(65, "is more than ten years away");
    topup(&format!("{here} 1000")).fails(64, "--expires");
    topup(&format!("{here} 1000000001 --expires 30d")).fails(64, "1000000001 is not in 0..=1000000000");
    topup(&format!("{here} 1000 --expires 30d --note \u{7}")).fails(65, "control characters");
    topup(&format!("{here} 1 --take-back")).fails(65, "has 0 of 0 left");
    topup("9999999999 --environment sandbox 1 --expires 30d").fails(65, "9999999999");
    let account = place.json(&format!("asp plan {here}"));
    assert_eq!((&account["top_ups"], &account["balance"]), (&json!([]), &0.into()));
}

#[test]
fn a_plan_is_changed_with_its_cap() {
    let place = Place::new();
    let aspid = added(&place);
    let plan = |words: &str| place.json(&format!("asp plan {aspid} --environment production {words}"));
    let told = |account: &Value| (account["plan"].clone(), account["monthly_cap"].clone());
    assert_eq!(told(&plan("")), ("unmetered".into(), Value::Null));
    assert_eq!(told(&plan("postpaid --monthly-cap 5000")), ("postpaid".into(), 5000.into()));
    assert_eq!(told(&plan("")), ("postpaid".into(), 5000.into()), "looking changes nothing");
    assert_eq!(told(&plan("postpaid")), ("postpaid".into(), 5000.into()), "what is not named stays");
    assert_eq!(told(&plan("--monthly-cap none")), ("postpaid".into(), Value::Null));
    assert_eq!(told(&plan("prepaid")), ("prepaid".into(), Value::Null));
    place
        .run(&format!("asp plan {aspid} --environment production --monthly-cap 5"))
        .fails(65, "--monthly-cap belongs to a postpaid plan, and this one is prepaid");

    let shown = place.json(&format!("asp show {aspid}"));
    let plans: Vec<_> = shown["plans"].as_array().unwrap().iter().map(|plan| &plan["plan"]).collect();
    assert_eq!(plans, ["unmetered", "prepaid"]);
    let words = place.run("asp list").out;
    assert!(
        words.contains("production: prepaid, 0 left") && !words.contains("sandbox: unmetered"),
        "{words}"
    );
    place.json(&format!("asp topup {aspid} --environment production 5 --expires 30d"));
    let words = place.run("asp list").out;
    assert!(words.contains("production: prepaid, 5 left until 20"), "{words}");
}

#[test]
fn limits_are_set_one_by_one_and_left_to_the_environment_again() {
    let place = Place::new();
    let aspid = added(&place);
    let line = |words: &str| format!("asp limits {aspid} --environment sandbox {words}");
    let limits = |words: &str| place.json(&line(words));
    let unset = json!({
        "per_second": null, "burst": null, "concurrent": null, "per_day": null, "per_month": null
    });
    assert_eq!(limits("")["limits"], unset);
    limits("--per-second 100 --burst 20 --per-day none");
    let set = limits("--concurrent 8 --per-second 50");
    assert_eq!(
        set["limits"],
        json!({"per_second": 50, "burst": 20, "concurrent": 8, "per_day": "none", "per_month": null})
    );
    let set = limits("--api-family commonapi --per-month 1000");
    assert_eq!(set["families"]["commonapi"]["per_month"], 1000);
    assert_eq!(limits("")["limits"]["per_second"], 50, "a family's limits are beside those of all calls");

    let words = place.run(&line("")).out;
    insta::assert_snapshot!(words.replace(&aspid, "1000000001"));
    let shown = place.json(&format!("asp show {aspid}"))["limits"].clone();
    assert_eq!((&shown[0]["limits"], &shown[1]["limits"]), (&set["limits"], &unset));

    limits("--burst default");
    let words = place.run(&line("")).out;
    assert!(
        words.contains("all        50          -      8 "),
        "its rate does not take the environment's: {words}"
    );

    let nothing = "--per-second default --burst default --concurrent default --per-day default";
    assert_eq!(limits(nothing)["limits"], unset);
    assert_eq!(limits("--api-family commonapi --per-month default")["families"], json!({}));
    place.run("asp limits 9999999999 --environment sandbox --per-day 1").fails(65, "9999999999");
}

#[test]
fn a_ledger_that_cannot_be_read_is_told_and_keeps_nobody_from_topping_up() {
    let place = Place::new();
    let aspid = added(&place);
    std::fs::create_dir(place.path("suvidha-data/ledger")).unwrap();
    place.write("suvidha-data/ledger/sandbox.sqlite", &"a shopping list ".repeat(100));
    let topup = |words: &str| place.run(&format!("asp topup {aspid} --environment sandbox {words} --json"));
    let ended = topup("1000 --expires 30d");
    assert!(ended.err.contains("warning: what was used in sandbox is unknown: "), "{}", ended.err);
    let told = ended.json();
    assert_eq!((&told["topped_up"], &told["balance"]), (&1000.into(), &Value::Null));
    added(&place);
    let listed = place.run("asp list");
    assert_eq!(listed.err.matches("warning").count(), 1, "told once for all ASPs: {}", listed.err);
    assert_eq!(listed.out.lines().count(), 3, "{}", listed.out);
    let refused = topup("1 --take-back");
    assert!(refused.code != 0 && refused.err.contains("sandbox.sqlite"), "{}", refused.err);
    assert_eq!(place.json(&format!("asp plan {aspid} --environment sandbox"))["topped_up"], 1000);
}

#[test]
fn the_configuration_tells_which_ledger_belongs_to_the_registry() {
    let place = Place::new();
    let aspid = added(&place);
    std::fs::create_dir(place.path("elsewhere")).unwrap();
    place.write("elsewhere/sandbox.sqlite", &"a shopping list ".repeat(100));
    place.write(
        "suvidha.toml",
        "[registry]\npath = \"suvidha-data/registry.sqlite\"\nsealing_key_file = \"suvidha-data/sealing.key\"\n\
         [ledger]\ndirectory = \"elsewhere\"\n",
    );
    let ended = place.run(&format!("asp plan {aspid} --environment sandbox --config suvidha.toml"));
    assert!(ended.code == 0 && ended.err.contains("elsewhere/sandbox.sqlite"), "{}", ended.err);
    let ended = place.run(&format!("asp plan {aspid} --environment sandbox"));
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
}
