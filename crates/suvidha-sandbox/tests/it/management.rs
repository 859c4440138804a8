//! The management port, as a developer's script uses it.

use gstn::Environment;
use gstn::crypto::{Certificate, PublicKey};
use serde_json::{Value, json};
use suvidha_sandbox::{Config, ManagementToken, Sandbox, SandboxError};
use suvidha_seam::Seam;

use crate::http::Request;
use crate::taxpayer::{OTP, with_client};
use crate::world::{CLIENT_SECRET, World};

fn get(world: &World, path: &str) -> Value {
    let answer = world.manage(&Request::new("GET", path));
    assert_eq!(answer.status, 200);
    answer.json()
}

#[test]
fn taxpayers_are_made_shown_and_listed() {
    let world = World::new();
    let made = world.taxpayer(&json!({"state": "07", "legal_name": "Meera & Sons"}));
    assert!(made.gstin.starts_with("07"));
    let shown = get(&world, &format!("/taxpayers/{}", made.gstin));
    assert_eq!((&shown["username"], &shown["legal_name"]), (&json!(made.username), &json!("Meera & Sons")));
    world.taxpayer(&json!({"gstin": "27AAPFU0939F1ZV", "username": "MH_NT2.1"}));
    let all = get(&world, "/taxpayers");
    assert_eq!(all["taxpayers"].as_array().unwrap().len(), 2);
    assert_eq!(all["taxpayers"][1]["username"], "MH_NT2.1");
}

#[test]
fn opening_balances_are_what_bal_tells() {
    let world = World::new();
    let balances = json!({"cash": {"cgst": {"tx": 2500.5}}, "credit": {"igst": 1000}});
    let session = world.taxpayer(&json!({ "balances": balances })).login(&world);
    for path in ["ledgers", "returns/ledgers"] {
        let told = session.open(&world.gstn(&session.get(path, "BAL", "032025")));
        assert_eq!(told["cash_bal"]["cgst"]["tx"], json!(2500.5));
        assert_eq!(told["cash_bal"]["igst_tot_bal"], json!(0));
        assert_eq!(told["itc_bal"]["igst_bal"], json!(1000));
        assert_eq!(told["itc_blck_bal"]["igst_blck_bal"], json!(0));
    }
}

#[test]
fn what_the_port_cannot_do_it_says() {
    let world = World::new();
    world.taxpayer(&json!({"gstin": "27AAPFU0939F1ZV"}));
    let refused = |request: Request| {
        let answer = world.manage(&request);
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(!message.is_empty());
        (answer.status, message)
    };
    let create = |wanted: Value| refused(Request::new("POST", "/taxpayers").json(&wanted));
    assert_eq!(create(json!({"gstin": "27AAPFU0939F1ZV"})).0, 409);
    let (status, message) = create(json!({"gstin": "27AAPFU0939F1ZW"}));
    assert!(status == 422 && message.contains("27AAPFU0939F1ZW"), "{message}");
    let (status, message) = create(json!({"colour": "red"}));
    assert!(status == 422 && message.contains("colour"), "{message}");
    assert_eq!(refused(Request::new("POST", "/taxpayers").text("{")).0, 400);
    assert_eq!(refused(Request::new("POST", "/reset")).0, 415);
    assert_eq!(refused(Request::new("GET", "/taxpayers/33AANCS2882A1ZG")).0, 404);
    assert_eq!(refused(Request::new("GET", "/nowhere")).0, 404);
    assert_eq!(refused(Request::new("DELETE", "/taxpayers")).0, 405);
    assert_eq!(refused(Request::new("PUT", "/clock").json(&json!({}))).0, 422);
    assert_eq!(refused(Request::new("GET", "/calls?limit=many")).0, 400);
}

#[test]
fn received_calls_are_listed_without_their_secrets() {
    let world = World::new();
    let one = world.taxpayer(&json!({}));
    let session = one.login(&world);
    let two = world.taxpayer(&json!({}));
    world.gstn(&two.auth_token(&world, "000000"));
    world.gstn(&session.get("returns/gstr1", "B2B", "032025"));

    let calls = get(&world, "/calls");
    let calls = calls["calls"].as_array().unwrap();
    let told = |name: &str| calls.iter().map(|call| call[name].clone()).collect::<Vec<_>>();
    assert_eq!(told("action"), ["OTPREQUEST", "AUTHTOKEN", "AUTHTOKEN", "B2B"]);
    assert_eq!(told("gstin"), [&one.gstin, &one.gstin, &two.gstin, &one.gstin].map(|gstin| json!(gstin)));
    assert_eq!(told("error_cd"), [json!(null), json!(null), json!("AUTH4034"), json!("RET13510")]);
    assert_eq!(calls[3]["path"], "/taxpayerapi/v1.1/returns/gstr1");
    assert_eq!(calls[3]["headers"]["txn"], "txn123");
    assert_eq!(calls[3]["headers"]["auth-token"], "[redacted]");
    let text = get(&world, "/calls").to_string();
    assert!(!text.contains(CLIENT_SECRET) && !text.contains(&session.auth_token));

    let page = get(&world, "/calls?limit=2");
    assert_eq!(page["next"], page["calls"][1]["id"]);
    let page = get(&world, &format!("/calls?gstin={}&after={}", one.gstin, page["next"]));
    assert_eq!((page["calls"].as_array().unwrap().len(), &page["next"]), (1, &json!(null)));
}

#[test]
fn a_reset_of_one_taxpayer_leaves_the_others_alone() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"state": "29"}));
    let one = taxpayer.login(&world);
    let two = world.taxpayer(&json!({"state": "29"})).login(&world);
    for session in [&one, &two] {
        let saved = session.saved(&world, "032025", &["A1"]);
        assert_eq!(session.finished(&world, "032025", &saved), "P");
    }
    let reset = |what: Value| world.manage(&Request::new("POST", "/reset").json(&what));
    world.gstn(&taxpayer.otp_request(&world));
    assert_eq!(reset(json!({"gstin": one.gstin})).status, 200);
    assert_eq!(world.gstn(&taxpayer.auth_token(&world, OTP)).error_cd(), "AUTH4034", "no OTP was asked for");
    assert_eq!(world.gstn(&one.get("returns/gstr1", "B2B", "032025")).error_cd(), "RT-R1R3BAV-1007");
    assert_eq!(world.gstn(&two.get("returns/gstr1", "B2B", "032025")).error_cd(), "");
    let again = get(&world, &format!("/taxpayers/{}", one.gstin));
    let again = crate::taxpayer::Taxpayer::new(&again).login(&world);
    assert_eq!(world.gstn(&again.get("returns/gstr1", "B2B", "032025")).error_cd(), "RET13510");
    assert_eq!(reset(json!({"gstin": "27AAPFU0939F1ZV"})).status, 404);
    assert_eq!(reset(json!({"taxpayers": true})).status, 200);
    assert_eq!(get(&world, "/taxpayers")["taxpayers"], json!([]));
    assert_eq!(get(&world, "/calls")["calls"], json!([]));
}

#[test]
fn the_certificate_is_published_in_every_form_clients_want() {
    let world = World::new();
    let served = world.manage(&Request::new("GET", "/certificate.pem")).body;
    let key = PublicKey::from_any(&served).unwrap();
    assert_eq!(key.bits(), 2048);
    assert!(Certificate::from_any(&served).unwrap().subject().contains("sandbox"));
    for file in ["gstn.pem", "gstn.cer", "gstn.pub.pem"] {
        let kept =
            PublicKey::from_any(&std::fs::read(world.dir.path().join("gstn").join(file)).unwrap()).unwrap();
        assert_eq!(kept.spki_der(), key.spki_der(), "{file}");
    }
    assert_eq!(get(&world, "/healthz")["status"], "ok");
}

#[test]
fn it_starts_as_nothing_but_a_sandbox() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let start = |change: fn(&mut Config)| {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config { data_dir: dir.path().join("data"), ..Config::default() };
        change(&mut config);
        let refusal = runtime.block_on(Sandbox::start(config, Seam::system())).unwrap_err();
        assert!(!dir.path().join("data").exists(), "nothing is made");
        refusal
    };
    let refusal = start(|config| config.environment = Environment::Production);
    assert!(matches!(refusal, SandboxError::NotASandbox(Environment::Production)));
    let refusal = start(|config| config.consent_minutes = 50_000);
    assert!(refusal.to_string().contains("consent_minutes"));
}

#[test]
fn nobody_manages_without_the_token() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let file = world.dir.path().join("gstn/management-token");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let status = |path: &str, header: Option<&str>| {
        let request = Request::new("GET", path);
        let request = header.map_or(request.clone(), |header| request.header("Authorization", header));
        world.manage_as_it_is(&request).status
    };
    let token = std::fs::read_to_string(file).unwrap();
    for wrong in [None, Some("Bearer"), Some("Bearer guess"), Some(token.trim())] {
        assert_eq!(status("/taxpayers", wrong), 401, "{wrong:?}");
        assert_eq!(status("/nowhere", wrong), 401, "{wrong:?}");
    }
    assert_eq!(status("/taxpayers", Some(&format!("bearer {}", token.trim()))), 200);
    for open in ["/healthz", "/openapi.json", "/certificate.pem"] {
        assert_eq!(status(open, None), 200, "{open}");
    }
    let world = World::with(|config| config.management_token = ManagementToken::None);
    assert!(!world.dir.path().join("gstn/management-token").exists());
    assert_eq!(world.manage_as_it_is(&Request::new("GET", "/taxpayers")).status, 200);
}

#[test]
fn a_moved_clock_moves_returns_and_logs_nobody_out() {
    let mut world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let set = |world: &World, what: Value| world.manage(&Request::new("PUT", "/clock").json(&what)).json();
    assert_eq!(get(&world, "/clock")["mode"], "real");
    let too_early = session.saved(&world, "052025", &["A1"]);
    assert_eq!(session.finished(&world, "052025", &too_early), "ER", "dated 05-05-2025, and it is April");
    let told = set(&world, json!({"at": "2025-06-01"}));
    assert_eq!((&told["tax_now"], &told["mode"]), (&json!("2025-06-01T12:00:00+05:30"), &json!("apart")));
    world.restart();
    assert_eq!(get(&world, "/clock")["date"], "2025-06-01");
    let saved = session.saved(&world, "052025", &["A1"]);
    assert_eq!(session.finished(&world, "052025", &saved), "P");
    let told = set(&world, json!({"advance": "1 month", "hold": true}));
    assert_eq!((&told["date"], &told["mode"]), (&json!("2025-07-01"), &json!("held")));
    let refused = world.manage(&Request::new("PUT", "/clock").json(&json!({"at": "1947-08-15"})));
    assert_eq!(refused.status, 422);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("GST began"));
    assert_eq!(set(&world, json!({"real": true}))["mode"], "real");
}

#[test]
fn a_registration_ends_when_its_day_has_come() {
    let world = World::new();
    let one = world.taxpayer(&json!({"scheme": "composition", "turnover": 9_000_000}));
    let path = format!("/taxpayers/{}", one.gstin);
    let change = |what: Value| world.manage(&Request::new("PATCH", &path).json(&what));
    let changed = change(json!({"cancelled_on": "2025-06-01", "trade_name": "Gone Soon"}));
    assert_eq!((changed.status, &changed.json()["scheme"]), (200, &json!("composition")));
    let status = || {
        let search = format!("/commonapi/v1.1/search?action=TP&gstin={}", one.gstin);
        let answer = world.gstn(&with_client(Request::new("GET", search))).json();
        let data = gstn::crypto::base64::decode_strict(answer["data"].as_str().unwrap()).unwrap();
        let told: Value = serde_json::from_slice(&data).unwrap();
        (told["sts"].as_str().unwrap().to_owned(), told["cxdt"].as_str().unwrap().to_owned())
    };
    assert_eq!(status(), ("Active".into(), String::new()));
    world.manage(&Request::new("PUT", "/clock").json(&json!({"at": "2025-06-01"})));
    assert_eq!(status(), ("Cancelled".into(), "01/06/2025".into()));
    assert_eq!(change(json!({"cancelled_on": null})).status, 200);
    assert_eq!(status().0, "Active");
    assert_eq!(change(json!({"gstin": "x"})).status, 422);
}

#[test]
fn the_whole_world_ends_on_demand() {
    let world = World::new();
    world.taxpayer(&json!({})).login(&world);
    world.manage(&Request::new("PUT", "/clock").json(&json!({"at": "2025-06-01"})));
    let reset = |what: Value| world.manage(&Request::new("POST", "/reset").json(&what)).status;
    assert_eq!(reset(json!({"everything": true, "gstin": "27AAPFU0939F1ZV"})), 422);
    assert_eq!(reset(json!({"everything": true})), 200);
    assert_eq!(get(&world, "/taxpayers")["taxpayers"], json!([]));
    assert_eq!(get(&world, "/clock")["mode"], "real");
    world.taxpayer(&json!({"state": "29"})).login(&world);
}

#[test]
fn a_snapshot_brings_the_whole_world_back() {
    let mut world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let post = |world: &World, path: &str, what: Value| world.manage(&Request::new("POST", path).json(&what));
    world.manage(&Request::new("PUT", "/clock").json(&json!({"at": "2025-06-01T12:00"})));
    let saved = session.saved(&world, "052025", &["A1"]);
    assert_eq!(session.finished(&world, "052025", &saved), "P");
    let taken = post(&world, "/snapshots", json!({"name": "before-june"}));
    assert_eq!(taken.status, 201, "{}", String::from_utf8_lossy(&taken.body));
    let tax_now = get(&world, "/clock")["tax_now"].clone();
    assert_eq!(post(&world, "/snapshots", json!({"name": "before-june"})).status, 409);
    assert_eq!(post(&world, "/snapshots", json!({"name": "before-june", "replace": true})).status, 201);
    for wrong in ["", "../up", "a b"] {
        assert_eq!(post(&world, "/snapshots", json!({"name": wrong})).status, 422, "{wrong:?}");
    }

    let more = session.saved(&world, "052025", &["A2"]);
    assert_eq!(session.finished(&world, "052025", &more), "P");
    let newcomer = world.taxpayer(&json!({}));
    world.manage(&Request::new("POST", "/faults").json(&json!({"kind": "maintenance"})));
    world.manage(&Request::new("PUT", "/clock").json(&json!({"advance": "1 year"})));
    world.restart();

    let restored = post(&world, "/snapshots/before-june/restore", Value::Null);
    assert_eq!(restored.status, 200, "{}", String::from_utf8_lossy(&restored.body));
    assert_eq!(get(&world, "/clock")["tax_now"], tax_now, "the tax clock goes on from there");
    assert_eq!(get(&world, "/faults")["faults"], json!([]));
    assert_eq!(world.manage(&Request::new("GET", format!("/taxpayers/{}", newcomer.gstin))).status, 404);
    let read = session.open(&world.gstn(&session.get("returns/gstr1", "B2B", "052025")));
    assert_eq!(read["b2b"][0]["inv"].as_array().unwrap().len(), 1);
    let again = session.saved(&world, "052025", &["A3"]);
    assert_eq!(session.finished(&world, "052025", &again), "P", "and the world goes on");
    assert_eq!(get(&world, "/snapshots")["snapshots"][0]["name"], "before-june");
    std::fs::write(world.dir.path().join("gstn/snapshots/junk.sqlite"), "no database").unwrap();
    assert_eq!(get(&world, "/snapshots")["snapshots"].as_array().unwrap().len(), 1);
    assert_eq!(post(&world, "/snapshots/junk/restore", Value::Null).status, 422);
    let read = session.open(&world.gstn(&session.get("returns/gstr1", "B2B", "052025")));
    assert_eq!(read["b2b"][0]["inv"].as_array().unwrap().len(), 2, "nothing is lost to junk");
    let delete = || world.manage(&Request::new("DELETE", "/snapshots/before-june")).status;
    assert_eq!((delete(), delete()), (200, 404));
    assert_eq!(post(&world, "/snapshots/before-june/restore", Value::Null).status, 404);
}

#[test]
fn the_state_of_a_taxpayer_is_told_in_one_look() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29", "filing": "quarterly"})).login(&world);
    let saved = session.saved(&world, "032025", &["A1", "A2"]);
    assert_eq!(session.finished(&world, "032025", &saved), "P");
    let state = get(&world, &format!("/state/{}", session.gstin));
    assert_eq!(state["returns"][0], json!({"form": "R1", "period": "032025", "documents": 2}));
    assert_eq!(
        (&state["filing"], &state["sessions"], &state["today"]),
        (&json!("quarterly"), &json!(1), &json!("2025-04-10"))
    );
    assert_eq!(
        (&state["jobs"][0]["status"], &state["jobs"][0]["reference_id"]),
        (&json!("P"), &json!(saved))
    );
    assert_eq!(state["rows"]["gstr1_row"], json!(2));
    assert_eq!(world.manage(&Request::new("GET", "/state/27AAPFU0939F1ZV")).status, 404);
}

#[test]
fn every_documented_route_answers_and_every_answer_is_marked() {
    let world = World::new();
    let document = get(&world, "/openapi.json");
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method: &'static str = match method.as_str() {
                "get" => "GET",
                "post" => "POST",
                "put" => "PUT",
                "patch" => "PATCH",
                "delete" => "DELETE",
                other => panic!("{other}"),
            };
            let path = path.replace("{gstin}", "27AAPFU0939F1ZV").replace("{id}", "1").replace("{name}", "x");
            // Both helpers look for the mark.
            let request = Request::new(method, path.as_str());
            let answer = world.manage(&request.clone().json(&json!({})));
            let message = || answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
            assert!(
                answer.status != 405 && !(answer.status == 404 && message().contains("nothing at")),
                "{path}"
            );
            let without = world.manage_as_it_is(&request).status;
            assert_eq!(
                without == 401,
                !["/healthz", "/openapi.json", "/certificate.pem"].contains(&path.as_str())
            );
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
}

#[test]
fn every_answer_of_every_api_is_marked() {
    let world = World::new();
    for api in gstn::catalogue::apis() {
        for path in api.paths() {
            for method in ["GET", "POST", "PUT", "DELETE"] {
                let action = api.action.unwrap_or_default();
                let target = format!("/{}/v1.0/{path}?action={action}", api.family.as_str());
                // The helper looks for the mark.
                world.gstn(&Request::new(method, target.as_str()));
                world.gstn(&with_client(Request::new(method, target.as_str())));
            }
        }
    }
}
