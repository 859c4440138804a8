use std::collections::BTreeSet;

use super::*;

fn problems(text: &str) -> String {
    let (_, problems) = Config::parse("suvidha.toml", text, Path::new("/nowhere"));
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// The manual with every key that has no default put in force.
fn everything_set() -> String {
    let set = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') && !setting.is_empty() => setting.to_owned(),
        _ => line.to_owned(),
    };
    DEFAULT.lines().map(set).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_manual_parses_to_exactly_the_defaults() {
    let parse = |text| Config::parse("suvidha.default.toml", text, Path::new("/base"));
    let ((manual, wrong), (defaults, _)) = (parse(DEFAULT), parse(""));
    assert_eq!(wrong, []);
    assert_eq!(format!("{manual:#?}"), format!("{defaults:#?}"));
}

#[test]
fn the_manual_shows_every_key_and_explains_it() {
    let text = everything_set();
    let document = Document::new("manual", &text);
    drop(Config::from_section(document.root(), Path::new("/nowhere")));
    let asked = document.asked.borrow().clone();
    let expected = ["cannot read", "either this or", "more than once", "is not set"];
    let problems = document.into_problems().into_iter();
    let unexpected: Vec<_> =
        problems.filter(|p| !expected.iter().any(|part| p.message.contains(part))).collect();
    assert_eq!(unexpected, [], "a key shown in the manual is unknown, or its example is wrong");

    let mut shown = BTreeSet::new();
    collect_keys(&toml::Value::Table(text.parse().unwrap()), "", &mut shown);
    assert_eq!(
        asked.difference(&shown).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "keys that are not shown"
    );

    let lines: Vec<_> = DEFAULT.lines().collect();
    let is_key = |line: &str| line.contains(" = ") && !line.starts_with("# ");
    for (above, key) in lines.iter().zip(&lines[1..]).filter(|(_, line)| is_key(line)) {
        assert!(above.starts_with("# "), "{key} has no words above it");
    }
}

fn collect_keys(value: &toml::Value, path: &str, keys: &mut BTreeSet<String>) {
    for (key, value) in value.as_table().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        collect_keys(value, &path, keys);
        keys.insert(path);
    }
}

#[test]
fn every_problem_is_told_at_once_with_its_line_and_the_nearest_key() {
    let text = r#"
[logg]
[gateway]
thread = 4
drain = 30
[gateway.limits]
head = "32 KB"
headers = 1000
[gateway.timeouts]
connect = "0s"
[gateway.getkey]
tolerance = "0s"
validity = "90s"
failures_per_asp = 0
certificate_overlap = "31d"
[gateway.aspapi]
calls_per_asp = 0
[gateway.charging]
rule = "always"
[gateway.charging.costs]
"returns" = 1
"taxpayerapi/returns/gstr1 RETSAVE" = 1000001
"commonapi/search" = "2"
[gateway.breaker]
failures = -1
share = 101
rest = "50ms"
[environments.sandbox]
listen = "localhost:7780"
header_checks = "Strict"
[environments.sandbox.identify]
sessions = true
password = false
password_in_query = true
[environments.sandbox.limits]
mode = "watch"
burst = 10
per_month = 0
[environments.sandbox.ceiling]
wait = "61s"
[environments.production]
listen = "0.0.0.0:443"
[environments.production.tls]
certificate = "server.pem"
[environments.production.upstream]
url = "http://api.gst.gov.in"
client_secret = "hush-hush"
[environments.staging]
[simulator]
otp = "12345"
token_life = "90s"
"#;
    insta::assert_snapshot!(problems(text));
}

#[test]
fn traces_have_an_endpoint_that_can_be_meant_and_headers_that_stay_secret() {
    let told = |section: &str| problems(&format!("[trace]\n{section}"));
    assert_eq!(told("endpoint = \"https://collector.example/otlp\"\nsample = 0"), "");
    assert!(told("endpoint = \"collector:4318\"").contains("suvidha.toml:2: trace.endpoint: "));
    assert!(told("endpoint = \"http://key@c\"").contains("credentials have no place here"));
    assert!(told("sample = 1.5").contains("expected a share from 0 to 1"));
    let directory = tempfile::tempdir().unwrap();
    let read = |headers: &str, url: &str| {
        fs::write(directory.path().join("headers"), headers).unwrap();
        let text = format!("[trace]\nendpoint = \"{url}\"\nheaders_file = \"headers\"");
        let (config, problems) = Config::parse("suvidha.toml", &text, directory.path());
        let problems: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
        (config.gateway.trace.unwrap(), problems)
    };
    let (trace, wrong) = read("# key\nAuthorization: Bearer hush-hush\n\n", "http://127.0.0.1:1");
    assert_eq!(
        (trace.headers.len(), trace.headers[0].1.expose(), wrong.as_str()),
        (1, "Bearer hush-hush", "")
    );
    assert!(!format!("{trace:?}").contains("hush-hush"));
    assert!(read("X-Key: hush-hush", "http://c").1.contains("would travel in clear"));
    let (_, wrong) = read("hush-hush", "https://c");
    assert!(wrong.contains("line 1 of ") && !wrong.contains("hush-hush"), "{wrong}");
}

#[test]
fn faults_of_the_syntax_have_a_line_too() {
    insta::assert_snapshot!(problems("[gateway]\nthreads = \n[log\nlevel = \"info\"\nlevel = \"warn\"\n"));
}

#[test]
fn an_inline_secret_is_refused_and_not_repeated() {
    let text = "[environments.sandbox.upstream]\nurl = \"https://x\"\nclient_id = \"l7xx\"\nclient_secret = \"hush-hush\"";
    let told = problems(text);
    assert!(told.contains("client_secret_file"), "{told}");
    assert!(!told.contains("hush-hush"), "{told}");
}

#[test]
fn a_secret_has_exactly_one_source() {
    let upstream = |rest: &str| {
        problems(&format!(
            "[environments.sandbox.upstream]\nurl = \"https://x\"\nclient_id = \"l7xx\"\n{rest}"
        ))
    };
    assert_eq!(upstream("client_secret_sealed = \"a\""), "");
    assert!(upstream("").contains("is missing"));
    assert!(
        upstream("client_secret_sealed = \"a\"\nclient_secret_env = \"PATH\"").contains("more than once")
    );
    assert!(upstream("client_secret_env = \"SUVIDHA_NO_SUCH_VARIABLE\"").contains("is not set"));
}

#[test]
fn two_environments_need_two_addresses_and_one_of_them_must_be_served() {
    let text = "[environments.sandbox]\nlisten = \"127.0.0.1:7781\"";
    assert!(problems(text).contains("both environments listen on 127.0.0.1:7781"), "{}", problems(text));
    let text = "[environments]\nsandbox.enabled = false\nproduction.enabled = false";
    assert!(problems(text).contains("nothing would be served"), "{}", problems(text));
}

#[test]
fn relative_paths_are_counted_from_the_configuration() {
    let (config, _) = Config::parse("x", "[registry]\npath = \"data/r.sqlite\"", Path::new("/etc/suvidha"));
    assert_eq!(config.registry.path, Path::new("/etc/suvidha/data/r.sqlite"));
    let (config, _) = Config::parse("x", "[registry]\nsealing_key_env = \"KEY\"", Path::new("/etc/suvidha"));
    assert_eq!(config.registry.key, SealingKeySource::Variable("KEY".to_owned()));
}

#[test]
fn a_ledger_is_told_what_to_wait_for_and_how_long_to_keep() {
    let told = problems("[ledger]\ndurability = \"loose\"\ngather = \"2s\"\nretention = 0\n");
    for (line, words) in [
        (2, "ledger.durability: expected one of \"strict\", \"relaxed\", found \"loose\""),
        (3, "ledger.gather: every answer would wait for it; it is at most 1s"),
        (4, "ledger.retention: 0 is outside 1 to 1200 months"),
    ] {
        assert!(told.contains(&format!("suvidha.toml:{line}: {words}")), "{told}");
    }
    let text = "[ledger]\ndirectory = \"kept\"\ndurability = \"relaxed\"\ngather = \"5ms\"\nretention = 96";
    let (config, _) = Config::parse("x", text, Path::new("/etc/suvidha"));
    let expected = suvidha_gateway::config::Ledger {
        durability: suvidha_gateway::config::Durability::Relaxed,
        gather_us: 5_000,
        retention_months: Some(96),
        ..suvidha_gateway::config::Ledger::new("/etc/suvidha/kept")
    };
    assert_eq!(config.ledger, expected);
    let (config, _) = Config::parse("x", "[ledger]\ngather = \"400us\"", Path::new("/etc/suvidha"));
    assert_eq!(config.ledger.gather_us, 400);
}
