//! `suvidha gst` as an ASP uses it day by day: who it is, what it keeps, and what it says when that is not enough.

use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use suvidha_seam::Seam;

use crate::command::{Ended, Place, gstr1, manage, mode, recent_periods};

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The session files of the login kept in `session`, of a kind.
fn sessions(place: &Place, kind: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(place.path("session/sessions")).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files.filter(|path| name(path).starts_with(kind) && name(path).ends_with(".json")).collect()
}

#[test]
fn an_asp_makes_its_key_registers_it_and_logs_in_with_the_pfx() {
    let place = Place::new();
    let (server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    let aspid = text(&ready["asp"]["aspid"]);
    place.write("passphrase", "open-sesame\n");
    place.write("secret", &text(&ready["asp"]["secret"]));
    place.run("gst keygen --name TaxTools --passphrase-file passphrase").succeeds();

    let login = |options: &str| -> Ended {
        place.run(&format!(
            "gst login --session session --gateway {} --aspid {aspid} --key asp-key/asp.pfx --gstin {} --username {} \
             --otp 575757 {options}",
            text(&ready["environments"]["sandbox"]),
            text(&ready["taxpayer"]["gstin"]),
            text(&ready["taxpayer"]["username"]),
        ))
    };
    let files = "--asp-secret-file secret --passphrase-file passphrase";
    login(files).fails(77, "GSP014");
    place.run(&format!("asp cert add {aspid} asp-key/asp.cer --environment sandbox")).succeeds();
    // A running gateway follows the registry within two seconds, and lets us fail thirty times in a minute.
    let mut ended = login(files);
    for _ in 0..20 {
        if ended.code == 0 {
            break;
        }
        ended.fails(77, "GSP014");
        thread::sleep(Duration::from_millis(500));
        ended = login(files);
    }
    ended.succeeds();

    // Nothing has to be said again, not even where the key lies.
    let (period, payload) = (&recent_periods(1)[0], "gstr1.json");
    place.write(payload, &gstr1(&text(&ready["taxpayer"]["gstin"]), period, "S/1"));
    place.run(&format!("gst save --session session --period {} --wait {payload}", period.0)).succeeds();
    let told = place.json("gst session --session session");
    assert_eq!((&told["auth"], &told["aspid"]), (&"getkey".into(), &aspid.as_str().into()));
    for end in ["gsp_session_expires_at", "taxpayer_session_expires_at"] {
        assert!(text(&told[end]).parse::<jiff::Timestamp>().unwrap() > Seam::system().now(), "{told}");
    }
    assert_eq!(sessions(&place, "gsp").len(), 1);

    place.write("wrong", "another\n");
    login("--asp-secret-file secret --passphrase-file wrong").fails(65, "does not open the .pfx");
    place.write("wrong", "0123456789abcdef0123456789abcdef");
    fs::remove_file(&sessions(&place, "gsp")[0]).unwrap();
    login("--asp-secret-file wrong --passphrase-file passphrase").fails(77, "ASP secret");
    server.stop();
}

#[test]
fn a_login_is_for_its_owner_alone_and_forgets_on_logout() {
    let place = Place::new();
    let (server, _) = place.start_ready("up --listen 127.0.0.1:0");
    for auth in ["token", "getkey"] {
        place.run(&format!("gst login --demo --auth {auth} --session session")).succeeds();
        assert_eq!(place.json("gst session --session session")["auth"], auth);
        for directory in ["session", "session/sessions"] {
            assert_eq!(mode(&place.path(directory)), 0o700);
        }
        for file in sessions(&place, "").iter().chain(&[place.path("session/login.json")]) {
            assert_eq!(mode(file), 0o600, "{}", file.display());
        }
        place.run("gst logout --session session").succeeds();
        assert!(!place.path("session/login.json").exists() && sessions(&place, "taxpayer").is_empty());
        for line in ["gst session", "gst logout", "gst summary --period 042026"] {
            place.run(&format!("{line} --session session")).fails(77, "no taxpayer is logged in");
        }
    }
    server.stop();
}

#[cfg(unix)]
#[test]
fn a_login_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let (server, _) = place.start_ready("up --listen 127.0.0.1:0");
    place.run("gst login --demo --session session").succeeds();
    let login = place.path("session/login.json");
    fs::set_permissions(&login, fs::Permissions::from_mode(0o644)).unwrap();
    place.run("gst session --session session").fails(77, "others can read");
    fs::set_permissions(&login, fs::Permissions::from_mode(0o600)).unwrap();
    place.write("session/login.json", "{}");
    place.run("gst session --session session").fails(65, "no login of this version");
    server.stop();
}

#[test]
fn commands_at_once_renew_a_session_once_and_lose_none() {
    const COMMANDS: usize = 6;
    let place = Place::new();
    let (server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    place.run("gst login --demo --session session").succeeds();
    about_to_end(&sessions(&place, "taxpayer")[0]);

    let period = &recent_periods(1)[0].0;
    thread::scope(|scope| {
        for _ in 0..COMMANDS {
            scope.spawn(|| place.run(&format!("gst summary --session session --period {period}")).succeeds());
        }
    });

    let (_, calls) = manage(&ready, "GET", "/calls?limit=1000", &Value::Null);
    let calls = calls["calls"].as_array().unwrap_or_else(|| panic!("{calls}")).clone();
    let count = |action: &str| calls.iter().filter(|call| call["action"] == action).count();
    assert_eq!((count("REFRESHTOKEN"), count("RETSUM")), (1, COMMANDS));
    place.run(&format!("gst summary --session session --period {period}")).succeeds();
    server.stop();
}

/// Makes a session that GSTN holds for hours look as if it had a minute left.
fn about_to_end(file: &PathBuf) {
    let mut session: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let now = Seam::system().now();
    session["issued_at"] = json!((now - jiff::SignedDuration::from_hours(6)).to_string());
    session["expires_at"] = json!((now + jiff::SignedDuration::from_secs(60)).to_string());
    fs::write(file, session.to_string()).unwrap();
}

#[test]
fn what_is_missing_or_contradicts_itself_is_told_before_anything_is_sent() {
    let place = Place::new();
    place.write("token", "t\n");
    place.write("secret", "0123456789abcdef0123456789abcdef\n");
    place.write("short", "too short\n");
    place.write("passphrase", "open-sesame\n");
    place.run("gst keygen --name TaxTools --passphrase-file passphrase").succeeds();
    let gateway = "--gateway http://127.0.0.1:9 --gstin 27AAPFU0939F1ZV --username u --otp 1 --session none";
    let key = "--aspid 7857622155 --key asp-key/asp.key.pem";
    let cases = [
        ("--gstin 27AAPFU0939F1ZV", 64, "there is no gateway"),
        (gateway, 64, "there is no ASP token"),
        (&format!("{gateway} --auth getkey"), 64, "--aspid"),
        (&format!("{gateway} --aspid 7857622155"), 64, "--key"),
        (&format!("{gateway} {key}"), 64, "--asp-secret-file"),
        (&format!("{gateway} {key} --token-file token"), 64, "--auth"),
        (&format!("{gateway} {key} --asp-secret-file short"), 65, "must have 32"),
        (&format!("{gateway} {key} --asp-secret-file none"), 65, "cannot read none"),
        (&format!("{gateway} --aspid 12 --key asp-key/asp.key.pem --asp-secret-file secret"), 65, "aspid"),
        (
            &format!("{gateway} --aspid 7857622155 --key none --asp-secret-file secret"),
            65,
            "cannot read the key none",
        ),
        (&format!("{gateway} --aspid 7857622155 --key asp-key/asp.pfx"), 64, "--passphrase-file"),
        (
            &format!("{gateway} --aspid 7857622155 --key asp-key/asp.pem --asp-secret-file secret"),
            65,
            "private key",
        ),
        (&format!("{gateway} {key} --asp-secret-file secret --auth carrier-pigeon"), 64, "carrier-pigeon"),
    ];
    for (options, code, saying) in cases {
        place.run(&format!("gst login {options}")).fails(code, saying);
    }
    let dead = place.run(&format!("gst login {gateway} {key} --asp-secret-file secret"));
    dead.fails(69, "127.0.0.1:9");
}

#[test]
fn secrets_come_from_standard_input_too() {
    let place = Place::new();
    let (server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    let (asp, gateway) = (&ready["asp"], text(&ready["environments"]["sandbox"]));
    let search =
        format!("gst search {} --session none --gateway {gateway}", text(&ready["taxpayer"]["gstin"]));
    let by_getkey = format!(
        "{search} --aspid {} --key {} --asp-secret-file -",
        text(&asp["aspid"]),
        text(&asp["private_key"])
    );
    place.run_with_input(&by_getkey, &format!("{}\n", text(&asp["secret"]))).succeeds();
    place.run_with_input(&format!("{search} --token-file -"), &text(&asp["token"])).succeeds();
    place.run_with_input(&by_getkey, "").fails(65, "standard input holds no ASP secret");
    server.stop();
}

#[test]
fn returns_ledgers_and_other_apis_are_shown_as_tables_and_as_gstn_gives_them() {
    let place = Place::new();
    let (server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    let gstin = text(&ready["taxpayer"]["gstin"]);
    place.run("gst login --demo --auth getkey --session session").succeeds();
    let run = |line: &str| {
        let ended = place.run(&format!("gst {line} --session session"));
        ended.succeeds();
        ended.out
    };
    let json = |line: &str| place.json(&format!("gst {line} --session session"));

    assert_eq!(run("track"), "nothing filed\n");
    let [(period, _), month_before] = &recent_periods(2)[..] else { unreachable!() };
    run(&format!("file --period {period} --nil --pan {} --otp 575757", &gstin[2..12]));
    let year = gstn::ReturnPeriod::from_str(period).unwrap().financial_year();
    let told = run(&format!("track {gstin} --year {year} --form R1 --demo"));
    assert!(told.starts_with("FORM") && told.contains("GSTR1") && told.contains(period.as_str()), "{told}");
    assert_eq!(json("track")["EFiledlist"].as_array().unwrap().len(), 1);

    let told = run(&format!("ledger balance --period {period}"));
    assert!(told.starts_with("LEDGER") && told.contains("cash") && told.contains("credit"), "{told}");
    assert!(json(&format!("ledger balance --period {period}"))["cash_bal"].is_object());
    for (ledger, member) in [("cash", "tr"), ("itc", "itcLdgDtls")] {
        let line = format!("ledger {ledger} --from 2026-04-01 --to 2026-04-30");
        assert!(run(&line).contains("closing"), "{}", run(&line));
        assert!(!json(&line)[member].is_null());
    }

    place.write("gstr1.json", &gstr1(&gstin, month_before, "S/1"));
    run(&format!("save --period {} --wait gstr1.json", month_before.0));
    let called = json(&format!("call returns/gstr1 RETSUM --period {}", month_before.0));
    assert_eq!(called["gstin"], gstin.as_str());
    place
        .run("gst call returns/gstr1 RETSOM --session session")
        .fails(65, "did you mean returns/gstr1 RETSUM");
    let unknown = place.run("gst call nothing/like/it XYZZY --session session");
    unknown.fails(65, "GSTN's catalogue has no API nothing/like/it XYZZY\n  What has a command of its own");
    server.stop();
}

#[test]
fn a_gstr3b_is_drawn_saved_paid_and_filed_and_statements_are_read() {
    let place = Place::new();
    let (server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    place.run("gst login --demo --session session").succeeds();
    let (period, _) = &recent_periods(1)[0];
    let pan = text(&ready["taxpayer"]["gstin"])[2..12].to_owned();
    let line = |line: &str| format!("gst {line} --session session");
    let json = |words: &str| place.json(&line(words));
    let done = |words: &str| place.run(&line(words)).succeeds();
    let says = |words: &str, expected: &str| {
        let ended = place.run(&line(words));
        ended.succeeds();
        assert!(ended.out.contains(expected), "{words}: {}", ended.out);
    };

    says(&format!("2a B2B --period {period}"), "nothing reported");
    place.run(&line(&format!("2b show --period {period}"))).fails(75, "RET2B1018");
    assert_eq!(json("ims count")["all_oth"]["ttl_cnt"], 0);
    says("ims list", "no records");
    place.run(&line("ims reject A1")).fails(65, "no record A1");

    says(&format!("3b summary --period {period}"), "nothing saved");
    done(&format!("file --period {period} --pan {pan} --otp 575757 --nil"));
    done(&format!("3b liability --period {period} --write gstr3b.json"));
    let checked = json(&format!("3b validate --period {period} gstr3b.json"));
    assert_eq!(checked["isValid"], "Y", "{checked}");
    done(&format!("3b save --period {period} --wait gstr3b.json"));
    let shown = json(&format!("3b offset --period {period} --dry-run"));
    assert_eq!(shown["missing_cash"]["total"], 0, "{shown}");
    assert!(json(&format!("ledger open --period {period}"))["op_liab"].as_array().unwrap().is_empty());
    let filed = json(&format!("3b file --period {period} --pan {pan} --otp 575757"));
    assert_eq!(text(&filed["ack_num"]).len(), 15);
    done("ledger liability --from 2026-01-01 --to 2026-12-31");
    done(&format!("late-fee --period {period}"));
    server.stop();
}
