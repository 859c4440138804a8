//! What the command says about itself, and how it treats a wrong command line.

use crate::command::Place;

/// Whose help is a snapshot.
const HELP: &[&str] = &[
    "--help",
    "up --help",
    "serve --help",
    "sandbox --help",
    "sandbox taxpayer add --help",
    "sandbox taxpayer set --help",
    "sandbox clock --help",
    "sandbox fault add --help",
    "sandbox scenario run --help",
    "sandbox calls --help",
    "sandbox snapshot --help",
    "gst --help",
    "gst login --help",
    "gst keygen --help",
    "gst session --help",
    "gst track --help",
    "gst file --help",
    "gst 2a --help",
    "gst 2b --help",
    "gst ims --help",
    "gst ims reject --help",
    "gst 3b --help",
    "gst 3b offset --help",
    "gst preference --help",
    "gst ledger --help",
    "gst ledger cash --help",
    "gst call --help",
    "asp --help",
    "asp add --help",
    "asp enrol --help",
    "asp set --help",
    "asp topup --help",
    "asp plan --help",
    "asp limits --help",
    "asp secret --help",
    "asp secret rotate --help",
    "asp cert --help",
    "asp cert add --help",
    "asp cert revoke --help",
    "asp password reset --help",
    "asp sessions revoke --help",
    "asp token issue --help",
    "asp client issue --help",
    "ledger --help",
    "ledger tail --help",
    "ledger list --help",
    "ledger summary --help",
    "ledger export --help",
    "ledger verify --help",
    "top --help",
    "keys --help",
    "keys list --help",
    "keys rotate --help",
    "keys retire --help",
    "secret set --help",
    "config check --help",
    "tls dev-ca --help",
];

#[test]
fn the_help_texts() {
    let place = Place::new();
    let help: String = HELP
        .iter()
        .map(|line| {
            let ended = place.run(line);
            assert_eq!(ended.code, 0, "{line}");
            format!("$ suvidha {line}\n{}\n", ended.out)
        })
        .collect();
    insta::assert_snapshot!(help);
}

/// What no command takes.
const WRONG: &[&str] = &[
    "",
    "fly",
    "up --listen localhost",
    "up --sandbox-port 70000",
    "up --listen 127.0.0.1:7780:1",
    "serve",
    "gst keygen",
    "gst keygen --name X --bits 1024",
    "gst keygen --name X --days 0",
    "gst track 27AAPFU0939F1ZV --year 2026",
    "gst ledger cash --from yesterday --to 2026-04-30",
    "gst call returns/gstr2b",
    "gst 2a B2C --period 042026",
    "gst 2b documents",
    "gst ims accept",
    "gst ims list b2cs",
    "gst 3b offset --period 042026 --payload x --dry-run",
    "gst file --period 042026 --pan AANCS2882A --otp 1 --dsc x.pfx",
    "gst preference choose --year 2026-27 --quarter Q5 monthly",
    "asp",
    "asp add --name X",
    "asp show 123",
    "asp token issue 1234567890 --environment staging",
    "asp token issue 1234567890 --environment sandbox --expires-in 90",
    "asp set 1234567890",
    "asp set 1234567890 --session-validity 90s",
    "asp set 1234567890 --session-validity 46d",
    "asp add --name X --contact-name Y --email x@example.in --phone 1 --environment staging",
    "asp enrol 1234567890",
    "asp topup 1234567890 --environment sandbox 1000",
    "asp topup 1234567890 --environment sandbox many --expires 30d",
    "asp topup 1234567890 --environment sandbox 1000 --expires soon",
    "asp plan 1234567890 --environment sandbox free",
    "asp plan 1234567890 --environment sandbox postpaid --monthly-cap 0",
    "asp limits 1234567890",
    "asp limits 1234567890 --environment sandbox --per-second 0",
    "asp limits 1234567890 --environment sandbox --per-day 1000000000001",
    "asp limits 1234567890 --environment sandbox --burst none",
    "asp limits 1234567890 --environment sandbox --api-family gstr1 --per-day 5",
    "asp secret rotate 1234567890 --environment sandbox --overlap soon",
    "asp cert add 1234567890 asp.cer",
    "asp cert revoke 1234567890 first --environment sandbox",
    "ledger",
    "ledger list --environment staging",
    "ledger list --limit 0",
    "ledger list --since yesterday",
    "ledger list --outcome lost",
    "ledger summary --month 2026-11 --since 2h",
    "ledger summary --by taxpayer",
    "ledger verify --head 12",
    "top --interval 0s",
    "keys rotate",
    "keys retire 256 --environment sandbox",
    "asp set 1234567890 --allow-ip 10.0.0.0/40",
    "config check",
    "completions cobol",
    "gstin check",
    "tls dev-ca --name a..b",
];

#[test]
fn a_wrong_command_line_ends_with_64() {
    let place = Place::new();
    for line in WRONG {
        let ended = place.run(line);
        assert_eq!(ended.code, 64, "suvidha {line}: {}", ended.err);
        assert!(ended.out.is_empty() && !ended.err.is_empty(), "suvidha {line}");
    }
}

#[test]
fn gstins_are_checked_without_asking_anybody() {
    let place = Place::new();
    let rows = place.json("gstin check 27AAPFU0939F1ZV 27aapfu0939f1zv");
    assert_eq!(rows[0]["gstin"], "27AAPFU0939F1ZV");
    assert_eq!(rows[0]["state_name"], "Maharashtra");
    assert_eq!(rows[0]["pan"], "AAPFU0939F");
    assert_eq!(rows[1], rows[0], "small letters are taken for capitals");

    let ended = place.run("gstin check 27AAPFU0939F1ZV 27AAPFU0939F1ZA --json");
    ended.fails(65, "1 of 2 are not GSTINs");
    let rows: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&rows[0]["valid"], &rows[1]["valid"]), (&true.into(), &false.into()));
    assert!(rows[1]["reason"].as_str().unwrap().contains('V'), "{}", rows[1]);
    let told: serde_json::Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(told["error"]["exit_code"], 65);
}

#[test]
fn error_codes_are_explained() {
    let place = Place::new();
    let told = place.json("error GSP602");
    assert_eq!(
        (&told["code"], &told["http_status"], &told["origin"]),
        (&"GSP602".into(), &401.into(), &"gsp".into())
    );
    assert!(!told["remedy"].as_str().unwrap().is_empty());
    assert_eq!(place.json("error auth4033")["code"], "AUTH4033", "small letters will do");
    assert!(place.json("error").as_array().unwrap().contains(&told));
    place.run("error GSP9999").fails(65, "GSP9999");
}

#[test]
fn every_shell_gets_its_completions() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = place.run(&format!("completions {shell}"));
        assert_eq!(ended.code, 0, "{shell}");
        for option in ["ready-file", "take-back", "monthly-cap", "api-family"] {
            assert!(ended.out.contains(option), "{shell} does not know --{option}");
        }
    }
}

#[test]
fn a_program_is_told_of_a_wrong_command_line_in_json() {
    let ended = Place::new().run("--json gst summary --period 132026");
    ended.fails(64, "the first two digits are the month");
    let told: serde_json::Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(told["error"]["exit_code"], 64);
}
