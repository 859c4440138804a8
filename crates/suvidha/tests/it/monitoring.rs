//! A real Prometheus reads a running gateway: what the dashboard and the alerts ask for is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::admin::fetch;
use crate::command::{PATIENCE, Place, Server, exchange, get, run};
use crate::getkey::Asp;

const INSTALL: &str = "the monitoring stories need Prometheus and promtool: apt-get install prometheus";

const CONFIG: &str = r#"
[log]
format = "json"
[admin]
listen = "127.0.0.1:0"
[trace]
# Nobody listens there: spans are dropped, and counted.
endpoint = "http://127.0.0.1:9"
[environments.sandbox]
listen = "127.0.0.1:0"
gstn_certificate = "GSTN_CERTIFICATE"
[environments.sandbox.upstream]
url = "GSTN_URL"
client_id = "CLIENT"
client_secret_sealed = "gstn/sandbox/client-secret"
[environments.sandbox.limits]
concurrent = 100
[environments.sandbox.ceiling]
concurrent = 100
[environments.production]
listen = "127.0.0.1:0"
[environments.production.tls]
certificate = "tls/server.pem"
key = "tls/server-key.pem"
"#;

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(file).canonicalize().unwrap()
}

/// A sandbox, a gateway with everything that metrics tell of, and calls of every kind.
struct Scene {
    place: Place,
    gstn: Server,
    gateway: Server,
    admin: String,
}

impl Scene {
    fn set() -> Self {
        let place = Place::new();
        let (gstn, ready) = place.start_ready("sandbox --gstn-port 0 --management-port 0");
        let text = |key: &str| ready[key].as_str().unwrap();
        place.run("tls dev-ca").succeeds();
        let config = CONFIG
            .replace("GSTN_CERTIFICATE", text("gstn_certificate"))
            .replace("GSTN_URL", text("gstn"))
            .replace("CLIENT", text("client_id"));
        place.write("suvidha.toml", &config);
        let secret = fs::read_to_string(text("client_secret_file")).unwrap();
        let set = "secret set gstn/sandbox/client-secret --config suvidha.toml";
        place.run_with_input(set, &secret).succeeds();
        let asp = Asp::new(&place, "--config suvidha.toml");
        let here = format!("{} --environment sandbox --config suvidha.toml", asp.aspid);
        place.run(&format!("asp plan {here} prepaid")).succeeds();
        place.run(&format!("asp topup {here} 3 --expires 30d")).succeeds();
        let token = place.json(&format!("asp token issue {here} --expires-in 7d"))["token"]
            .as_str()
            .unwrap()
            .to_owned();
        let (mut gateway, _) = place.start_listening("serve --config suvidha.toml");
        gateway.wait_for_log("the admin listener is open");
        let log = gateway.log();
        let address = |what: &str, of: &str| {
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut lines =
                lines.filter(|line| line["message"] == what && (of.is_empty() || line["environment"] == of));
            format!("http://{}", lines.next().unwrap()["address"].as_str().unwrap())
        };
        make_calls(&address("listening", "sandbox"), &asp, &token);
        Self { admin: address("the admin listener is open", ""), place, gstn, gateway }
    }

    fn stop(self) {
        self.gateway.stop();
        self.gstn.stop();
    }
}

/// Calls that GSTN answers well and badly, that we refuse for each kind of reason, and one of our own APIs.
fn make_calls(url: &str, asp: &Asp, token: &str) {
    let search = format!("{url}/commonapi/v1.1/search?action=TP&gstin=27AAPFU0939F1ZV");
    let status = |url: &str, header: &str| get(url, header).0;
    let token = format!("x-ct-auth-token: {token}");
    assert_eq!(status(&search, &token), 200);
    let gstr1 = format!("{url}/taxpayerapi/v4.1/returns/gstr1?action=B2B");
    assert_eq!(status(&gstr1, &token), 200);
    assert_eq!(status(&format!("{url}/taxpayerapi/v4.1/returns/gstr99?action=B2B"), &token), 404);
    assert_eq!(status(&search, &token), 402, "the three units are used up");
    assert_eq!(status(&search, "x-ct-auth-token: nobody"), 401);
    assert_eq!(status(&format!("{url}/aspapi/v1.0/nowhere"), "x-y: z"), 404);
    assert_eq!(asp.send(url, &asp.sign()).0, 200);
    assert_eq!(exchange("DELETE", &search, &token, "").0, 405);
}

/// A running Prometheus, killed when it is dropped.
struct Prometheus {
    process: Child,
    address: String,
}

impl Prometheus {
    fn scraping(admin: &str, directory: &Path) -> Self {
        let target = admin.strip_prefix("http://").unwrap();
        let config = directory.join("prometheus.yml");
        let alerts = deploy("prometheus/alerts.yml");
        fs::write(
            &config,
            format!(
                "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
                 rule_files: ['{}']\n\
                 scrape_configs:\n  - job_name: suvidha\n    static_configs: [{{targets: ['{target}']}}]\n",
                alerts.display()
            ),
        )
        .unwrap();
        // It does not say which port it took, so it is given one that was free a moment ago; somebody else may be faster.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let log = directory.join("prometheus.log");
            let process = Command::new("prometheus")
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", directory.join("tsdb").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .stdout(Stdio::null())
                .stderr(fs::File::create(&log).unwrap())
                .spawn()
                .unwrap_or_else(|error| panic!("{INSTALL} ({error})"));
            let mut prometheus = Self { process, address: format!("127.0.0.1:{port}") };
            if prometheus.comes_up() {
                return prometheus;
            }
            let told = fs::read_to_string(&log).unwrap();
            assert!(told.contains("address already in use"), "{told}");
        }
        panic!("no port stays free for Prometheus");
    }

    /// Whether it answers; not if it has ended.
    fn comes_up(&mut self) -> bool {
        let mut ended = false;
        wait_until("Prometheus answers", || {
            ended = self.process.try_wait().unwrap().is_some();
            ended || self.api("status/buildinfo")["status"] == "success"
        });
        !ended
    }

    /// What its API says; nothing while it does not listen yet. Asked in HTTP/1.0, in which no answer comes in chunks.
    fn api(&self, path: &str) -> Value {
        let Ok(mut stream) = TcpStream::connect(&self.address) else { return Value::Null };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /api/v1/{path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_default()
    }

    /// The series that `expression` gives; an error where it cannot be evaluated.
    fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let answer = self.api(&format!("query?query={}", percent_encoded(expression)));
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default()),
            _ => Err(answer.to_string()),
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[track_caller]
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// The dashboard's expressions, as Grafana would send them, by the titles of their panels.
fn of_dashboard() -> Vec<(String, String)> {
    let dashboard: Value =
        serde_json::from_slice(&fs::read(deploy("grafana/suvidha.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    });
    let filled =
        |expression: String| expression.replace("$__rate_interval", "1m").replace("$environment", ".*");
    let all: Vec<_> = targets.map(|(title, expression)| (title, filled(expression))).collect();
    assert!(all.len() > 20, "the dashboard's panels were not found");
    all
}

#[test]
fn a_real_prometheus_finds_what_the_dashboard_and_the_alerts_ask_for() {
    let scene = Scene::set();
    let prometheus = Prometheus::scraping(&scene.admin, &scene.place.path(""));
    wait_until("the gateway is scraped", || {
        prometheus.api("targets")["data"]["activeTargets"][0]["health"] == "up"
    });

    for (panel, expression) in of_dashboard() {
        // Rates need two scrapes.
        wait_until(&format!("there is data for {panel}: {expression}"), || {
            let found = prometheus.query(&expression);
            !found.unwrap_or_else(|error| panic!("{panel}: {expression}: {error}")).is_empty()
        });
    }

    let rules =
        || prometheus.api("rules")["data"]["groups"][0]["rules"].as_array().cloned().unwrap_or_default();
    wait_until("every alert was evaluated", || {
        let rules = rules();
        !rules.is_empty() && rules.iter().all(|rule| rule["health"] != "unknown")
    });
    for rule in rules() {
        assert_eq!((&rule["health"], rule.get("lastError")), (&"ok".into(), None), "{rule:#}");
    }
    let low = || prometheus.query("ALERTS{alertname=\"SuvidhaBalanceLow\"}").unwrap();
    wait_until("the empty balance is noticed", || !low().is_empty());

    let scrape = Scrape::of(&fetch(&format!("{}/metrics", scene.admin), "accept: */*").1);
    let alerts = rules();
    let of_alerts = alerts.iter().map(|rule| (text(&rule["name"]), text(&rule["query"])));
    for (name, expression) in of_alerts.chain(of_dashboard()) {
        scrape.assert_has_what_is_named_in(&name, &expression);
    }
    drop(prometheus);
    scene.stop();
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn promtool_finds_nothing_wrong() {
    let promtool = |arguments: &[&str], input: &str| {
        Command::new("promtool")
            .arg("--version")
            .output()
            .unwrap_or_else(|error| panic!("{INSTALL} ({error})"));
        let ended = run(Command::new("promtool").args(arguments), input);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{arguments:?}: {}", ended.out);
    };
    promtool(&["check", "rules", deploy("prometheus/alerts.yml").to_str().unwrap()], "");
    let scene = Scene::set();
    let metrics = fetch(&format!("{}/metrics", scene.admin), "accept: */*").1;
    promtool(&["check", "metrics"], &metrics);
    scene.stop();
}

/// The names and labels of a scrape.
struct Scrape(BTreeMap<String, BTreeSet<String>>);

impl Scrape {
    /// Reads the classic text form.
    fn of(text: &str) -> Self {
        let mut all: BTreeMap<String, BTreeSet<_>> = BTreeMap::from([("up".to_owned(), BTreeSet::new())]);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
            // Paths of the catalogue have braces, too.
            let labels = rest.strip_prefix('{').and_then(|rest| rest.rsplit_once('}'));
            let names = labels_named(labels.map_or("", |(labels, _)| labels));
            all.entry(name.to_owned()).or_default().extend(names);
        }
        // Prometheus itself adds these.
        all.values_mut().for_each(|labels| labels.extend(["job", "instance"].map(str::to_owned)));
        Self(all)
    }

    /// Every metric of `expression` must be there, with the labels it is chosen by; every label that is grouped by must be
    /// one of some metric in it.
    fn assert_has_what_is_named_in(&self, whose: &str, expression: &str) {
        let mut known = BTreeSet::new();
        let mut named = 0;
        for (at, _) in expression.match_indices(|c: char| c.is_ascii_alphabetic()) {
            let before = expression[..at].chars().next_back();
            if before.is_some_and(|c| c.is_ascii_alphanumeric() || "_\"~|.".contains(c)) {
                continue;
            }
            let rest = &expression[at..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if word != "up" && !word.starts_with("suvidha_") {
                continue;
            }
            named += 1;
            let labels = self.0.get(word).unwrap_or_else(|| panic!("{whose}: there is no metric {word}"));
            known.extend(labels.iter().cloned());
            let chosen = after.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            for label in labels_named(chosen.map_or("", |(in_braces, _)| in_braces)) {
                assert!(labels.contains(&label), "{whose}: {word} has no label {label}");
            }
        }
        assert!(named > 0, "{whose}: no metric was found in {expression}");
        for grouping in ["by (", "on (", "by(", "on("] {
            for (at, _) in expression.match_indices(grouping) {
                let inside = expression[at + grouping.len()..].split_once(')').unwrap().0;
                for label in inside.split(',').map(str::trim) {
                    assert!(known.contains(label), "{whose}: nothing in {expression} has a label {label}");
                }
            }
        }
    }
}

/// The names before `=`, `!=`, `=~` and `!~` in what stands between braces.
fn labels_named(in_braces: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = in_braces;
    while let Some((name, after)) = rest.split_once('=') {
        names.push(name.trim_end_matches('!').trim_matches([',', ' ']).to_owned());
        let value = after.trim_start_matches('~').strip_prefix('"').unwrap();
        // No value of ours holds a quotation mark.
        rest = value.split_once('"').unwrap().1;
    }
    names
}

#[test]
fn a_metric_or_label_that_does_not_exist_is_noticed() {
    let scrape = Scrape::of("# TYPE suvidha_a gauge\nsuvidha_a{x=\"1\",y=\"b c\"} 1\nsuvidha_b 2\n");
    let judged = |expression: &str| {
        std::panic::catch_unwind(|| scrape.assert_has_what_is_named_in("test", expression)).is_ok()
    };
    for right in [
        "sum by (x, instance) (rate(suvidha_a{y=~\"b.*\"}[5m])) > 1",
        "suvidha_b + on (y) suvidha_a",
        "up{job=\"s\"} == 0",
    ] {
        assert!(judged(right), "{right}");
    }
    for wrong in [
        "suvidha_c",
        "suvidha_a{z=\"1\"}",
        "sum by (z) (suvidha_a)",
        "suvidha_b{x=\"1\"}",
        "1 + 1",
        "suvidha_a / suvidha_ab",
    ] {
        assert!(!judged(wrong), "{wrong}");
    }
}
