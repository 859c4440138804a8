//! `suvidha sandbox taxpayer|clock|fault|…`: a running sandbox, managed from the command line.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::command::{Place, manage, mode};

const START: &str = "sandbox --gstn-port 0 --management-port 0 --latency none";

#[test]
fn a_running_sandbox_is_managed_by_its_data_directory() {
    let place = Place::new();
    let (server, ready) = place.start_ready(&format!("{START} --data gstn"));
    let token = Path::new(ready["gstn_management_token_file"].as_str().unwrap());
    assert_eq!(mode(token), 0o600);

    let run = |line: &str| place.json(&format!("sandbox {line} --data gstn"));
    let made = run("taxpayer add --state 07 --scheme composition --turnover 9000000 --username meera");
    let gstin = made["gstin"].as_str().unwrap();
    assert_eq!((&gstin[..2], &made["scheme"]), ("07", &json!("composition")));
    assert_eq!(run("taxpayer list")["taxpayers"][0]["username"], "meera");
    let set = run(&format!("taxpayer set {gstin} --cancelled-on 2026-06-01 --api-access off"));
    assert_eq!((&set["cancelled_on"], &set["api_access"]), (&json!("2026-06-01"), &json!(false)));
    assert_eq!(run(&format!("taxpayer set {gstin} --cancelled-on none"))["cancelled_on"], Value::Null);
    assert_eq!(run(&format!("state {gstin}"))["taxpayer"]["gstin"], gstin);

    assert_eq!(run("clock set 2026-06-01 --hold")["tax_now"], "2026-06-01T12:00:00+05:30");
    assert_eq!(run("clock advance 1month")["date"], "2026-07-01");
    assert_eq!(run("clock advance -1days")["date"], "2026-06-30");
    assert_eq!(run("clock run 2")["mode"], "running");
    assert_eq!(run("clock hold")["mode"], "held");
    assert_eq!(run("clock go")["mode"], "apart");

    run("snapshot take before");
    place.run("sandbox snapshot take before --data gstn").fails(1, "already");
    place.write(
        "plan.toml",
        "[[faults]]\nkind = \"drop\"\nrate = 0.5\nseed = 4\n[[faults]]\nkind = \"html\"\n",
    );
    assert_eq!(run("fault load plan.toml")["faults"].as_array().unwrap().len(), 2);
    let id = run("fault add error --code RET12501 --action B2B --count 2")["faults"][0]["id"].clone();
    assert_eq!(run(&format!("fault remove {id}"))["removed"], id);
    assert_eq!(run("fault clear")["removed"], 2);
    assert_eq!(run("calls --api RETSAVE")["calls"], json!([]));
    assert_eq!(run("reset --everything")["reset"], "everything");
    assert_eq!(run("clock")["mode"], "real");
    assert_eq!(run("snapshot restore before")["name"], "before");
    assert_eq!(run("taxpayer list")["taxpayers"][0]["gstin"], gstin);
    run("snapshot remove before");

    place.run("sandbox fault add delay --data gstn").fails(1, "milliseconds");
    place.run("sandbox clock set soon --data gstn").fails(1, "soon");
    place.run("sandbox state 27AAPFU0939F1ZV --data gstn").fails(1, "27AAPFU0939F1ZV");
    let url = ready["gstn_management"].as_str().unwrap();
    place.run(&format!("sandbox clock --url {url}")).fails(77, "token");
    place.run(&format!("sandbox clock --url {url} --data gstn")).succeeds();
    server.stop();
    assert!(!place.path("gstn/ready.json").exists(), "what is down must not look ready");
    place.run("sandbox clock --data gstn").fails(69, "ready.json");
    place.run("sandbox clock --url http://127.0.0.1:1").fails(69, "cannot be reached");
}

#[test]
fn the_sandbox_of_up_is_found_without_a_word() {
    let place = Place::new();
    let (server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    let shown = place.run("sandbox taxpayer list");
    shown.succeeds();
    assert!(shown.out.contains(ready["taxpayer"]["gstin"].as_str().unwrap()), "{}", shown.out);
    server.stop();
}

#[test]
fn settings_from_files_and_the_command_line_reach_the_sandbox() {
    let place = Place::new();
    place.write("plan.json", r#"{"faults": [{"kind": "maintenance", "from": "2026-06-01"}]}"#);
    place.write("settings.toml", "[simulator]\nmanagement_token = \"none\"\n");
    let (server, ready) =
        place.start_ready(&format!("{START} --strict --faults plan.json --config settings.toml"));
    assert_eq!(ready["gstn_management_token_file"], Value::Null);
    let plan =
        place.json(&format!("sandbox fault list --url {}", ready["gstn_management"].as_str().unwrap()));
    let origins: Vec<_> =
        plan["faults"].as_array().unwrap().iter().map(|rule| rule["origin"].clone()).collect();
    assert_eq!(origins[0], "file");
    assert!(origins.contains(&json!("strict")));
    server.stop();
    place.write("plan.toml", "[[faults]]\nkind = \"flood\"\n");
    place.run(&format!("{START} --data other --faults plan.toml")).fails(65, "flood");
}

#[test]
fn every_scenario_plays_in_a_sandbox_of_its_own() {
    let place = Place::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/scenarios");
    let mut played = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            let ended = place.run(&format!("sandbox scenario run --fresh --json {}", file.display()));
            assert_eq!(ended.json()["ok"], true, "{}", file.display());
            played += 1;
        }
    }
    assert!(played > 0);
}

/// Twelve months of the supply chain, and of other GSTINs three months of it twice.
#[test]
fn a_supply_chain_plays_for_a_year_and_one_seed_is_answered_the_same_way_twice() {
    let place = Place::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/scenarios/supply-chain.toml");
    let play = |options: &str| {
        place.json(&format!("sandbox scenario run --fresh {options} {}", file.display()))["steps"]
            .as_u64()
            .unwrap()
    };
    let year = play("--set months=12");
    let answers = |seed: u32, name: &str| {
        let steps = play(&format!("--seed {seed} --answers {name}"));
        assert!(year > 3 * steps, "{year} steps in a year, {steps} in a quarter");
        fs::read_to_string(place.path(name)).unwrap()
    };
    let (first, second) = (answers(7, "first"), answers(7, "second"));
    let differs = first.lines().zip(second.lines()).find(|(one, other)| one != other);
    assert_eq!(differs, None);
    assert_eq!(first, second);
    assert!(first.lines().count() > 300, "{}", first.lines().count());
    assert_ne!(first, answers(8, "other"), "who lives in it, at least, is chance");
}

#[test]
fn a_scenario_plays_through_the_gateway_and_straight_at_gstn() {
    let place = Place::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/scenarios/two-sellers.toml");
    let line = format!("sandbox scenario run {}", file.display());
    let (server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    place.run(&line).succeeds();
    let (_, calls) = manage(&ready, "GET", "/calls?limit=1000", &Value::Null);
    let all = calls["calls"].as_array().unwrap();
    assert!(all.iter().any(|call| call["action"] == "RETFILE"), "{calls}");
    server.stop();
    let (server, _) = place.start_ready(&format!("{START} --data gstn"));
    place.run(&format!("{line} --data gstn")).succeeds();
    server.stop();
}

#[test]
fn a_scenario_that_goes_otherwise_says_where() {
    let place = Place::new();
    let run = |steps: &str| {
        let script = format!(
            "name = \"Wrong\"\nclock = \"2026-05-02\"\n[parties.asha]\nstate = \"29\"\n[[steps]]\nlogin = \"asha\"\n{steps}"
        );
        let file = place.write("wrong.toml", &script);
        place.run(&format!("sandbox scenario run --fresh {}", file.display()))
    };
    run("").succeeds();
    let read = "[[steps]]\nas = \"asha\"\nperiod = \"042026\"\ncall = \"GET returns/gstr1 B2B\"\n";
    run(read).fails(1, "step 2: it was refused with RET13510");
    run(&format!("{read}error = \"RET11402\"\n")).fails(1, "not with RET11402");
    run(&format!("{read}error = \"RET13510\"\n")).succeeds();
    run("[[steps]]\nlogin = \"bala\"\n").fails(65, "bala");
    run("[[steps]]\nlogin = \"asha\"\nclock = \"+1 day\"\n").fails(65, "exactly one");
    run("[[steps]]\nnote = \"nothing\"\n").fails(65, "exactly one");
    run("[[steps]]\nfly = \"asha\"\n").fails(65, "fly");
    run("[[steps]]\nmanage = \"GET /clock\"\nexpect = { \"/mode\" = \"real\" }\n")
        .fails(1, "/mode is \"held\"");
    let lost =
        "[[steps]]\nmanage = \"POST /faults\"\nbody = { kind = \"drop\", action = \"B2B\", count = 1 }\n";
    run(&format!("{lost}{read}lost = true\n")).succeeds();
    run(&format!("{lost}{read}")).fails(1, "no answer came back");
    run("[[steps]]\nas = \"asha\"\nfile = { period = \"042026\", form = \"gstr3b\", nil = true }\n")
        .fails(65, "`nil` is of a GSTR-1");
    let set = |change: &str| place.run(&format!("sandbox scenario run --fresh --set {change} wrong.toml"));
    place.write("wrong.toml", "name = \"Set\"\nsteps = []\n[vars]\nmonths = 3\nfirst = \"042026\"\n");
    set("first=122026").succeeds();
    set("months").fails(64, "NAME=VALUE");
    set("month=12").fails(64, "no variable \"month\"");
    set("months=twelve").fails(64, "months=twelve");
    let unreadable = place.run("sandbox scenario run --fresh nowhere.toml");
    unreadable.fails(65, "nowhere.toml");
}

#[test]
fn nothing_simulated_starts_beside_production() {
    let place = Place::new();
    let refused = |settings: &str, saying: &str| {
        place.write("my.toml", settings);
        place.run(&format!("{START} --data gstn --config my.toml")).fails(78, saying);
        assert!(!place.path("gstn").exists(), "nothing is made");
    };
    refused(
        "[environments.production.upstream]\nurl = \"https://example.in\"\n",
        "an upstream for production",
    );
    refused("[environments.sandbox.upstream]\nurl = \"https://api.gst.gov.in\"\n", "GSTN's production");
    place.write("my.toml", "[environments.sandbox.upstream]\nurl = \"https://API.GST.gov.in\"\n");
    place.run("config check my.toml").fails(78, "to which the sandbox environment never leads");

    place.run_with_input("secret set gstn/production/client-secret --data mine", "real\n").succeeds();
    place.run("up --listen 127.0.0.1:0 --data mine").fails(78, "does not start beside production");
}
