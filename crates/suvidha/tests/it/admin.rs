//! The admin listener: what an operator's monitoring reads, apart from what ASPs reach.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::command::{PATIENCE, Place, Server, exchange, get};

const CONFIG: &str = r#"
[log]
format = "json"
[admin]
listen = "ADMIN"
[environments.sandbox]
listen = "127.0.0.1:0"
[environments.production]
enabled = false
"#;

/// A gateway whose admin listener is at `listen`, where it serves ASPs, and where its admin listener is.
fn serve(place: &Place, listen: &str, more: &str) -> (Server, String, String) {
    place.write("suvidha.toml", &(CONFIG.replace("ADMIN", listen) + more));
    let (mut gateway, address) = place.start_listening("serve --config suvidha.toml");
    gateway.wait_for_log("the admin listener is open");
    let log = gateway.log();
    let line = log.lines().find(|line| line.contains("the admin listener is open")).unwrap();
    let open: Value = serde_json::from_str(line).unwrap();
    let admin = open["address"].as_str().unwrap().replace("0.0.0.0", "127.0.0.1");
    (gateway, format!("http://{address}"), format!("http://{admin}"))
}

/// The answer's head and body.
pub(crate) fn fetch(url: &str, header: &str) -> (String, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {host}\r\n{header}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

#[test]
fn monitoring_has_a_listener_of_its_own() {
    let place = Place::new();
    let (gateway, asps, admin) = serve(&place, "127.0.0.1:0", "");
    assert_eq!(get(&format!("{admin}/healthz"), "x-y: z"), (200, serde_json::json!({"status": "ok"})));
    let (status, ready) = get(&format!("{admin}/readyz"), "x-y: z");
    assert_eq!((status, &ready["status"]), (200, &"ready".into()));
    assert_eq!(format!("http://{}", ready["listening"]["sandbox"].as_str().unwrap()), asps);
    assert_eq!(ready["ledger"]["sandbox"]["state"], "writing");
    assert_eq!(exchange("POST", &format!("{admin}/metrics"), "x-y: z", "x").0, 405);
    assert_eq!(get(&format!("{admin}/commonapi/v1.1/search"), "x-y: z").0, 404);
    let (status, refused) = get(&format!("{asps}/metrics"), "x-y: z");
    assert_eq!((status, &refused["error"]["error_cd"]), (503, &"GSP640".into()), "a path of GSTN's, to ASPs");
    gateway.stop();
}

#[test]
fn metrics_come_in_the_form_that_is_asked_for() {
    let place = Place::new();
    let (gateway, asps, admin) = serve(&place, "127.0.0.1:0", "");
    get(&format!("{asps}/aspapi/v1.0/nowhere"), "x-y: z");
    let metrics = format!("{admin}/metrics");
    let prometheus = "accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3";
    let (head, body) = fetch(&metrics, prometheus);
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(body.contains("# TYPE suvidha_calls counter\n") && body.ends_with("# EOF\n"), "{body}");
    let (head, body) = fetch(&metrics, "accept: */*");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("# TYPE suvidha_calls_total counter\n") && !body.contains("# EOF"), "{body}");
    let refused = "suvidha_errors_total{environment=\"sandbox\",origin=\"asp\",code=\"GSP620\"} 1\n";
    assert!(body.contains(refused), "{body}");
    gateway.stop();
}

#[test]
fn it_says_when_the_gateway_comes_to_rest() {
    let place = Place::new();
    let (mut gateway, _, admin) =
        serve(&place, "127.0.0.1:0", "[gateway.timeouts]\ndrain_announce = \"10m\"\n");
    gateway.signal("TERM");
    let draining = || get(&format!("{admin}/readyz"), "x-y: z").1["status"] == "draining";
    gateway.wait_until("/readyz says so", draining);
    assert_eq!(get(&format!("{admin}/readyz"), "x-y: z").0, 503);
    assert!(fetch(&format!("{admin}/metrics"), "x-y: z").1.contains("suvidha_draining 1.0\n"));
    gateway.signal("TERM");
    gateway.wait();
}

#[test]
fn it_says_when_calls_cannot_be_recorded() {
    let place = Place::new();
    let (mut gateway, asps, admin) = serve(&place, "127.0.0.1:0", "");
    std::fs::remove_file(place.path("suvidha-data/ledger/sandbox.sqlite")).unwrap();
    let readiness = || get(&format!("{admin}/readyz"), "x-y: z");
    gateway.wait_until("/readyz says so", || {
        // The writer looks when it has something to write.
        get(&format!("{asps}/aspapi/v1.0/nowhere"), "x-y: z");
        readiness().0 == 503
    });
    let (_, ready) = readiness();
    assert_eq!(
        (&ready["status"], &ready["ledger"]["sandbox"]["state"]),
        (&"cannot record".into(), &"failed".into())
    );
    assert!(ready["ledger"]["sandbox"]["reason"].as_str().unwrap().contains("sandbox.sqlite"), "{ready}");
    let metrics = fetch(&format!("{admin}/metrics"), "x-y: z").1;
    assert!(
        metrics.contains("suvidha_ledger_state{environment=\"sandbox\",state=\"failed\"} 1.0\n"),
        "{metrics}"
    );
    assert_eq!(get(&format!("{admin}/healthz"), "x-y: z").0, 200, "it lives all the same");
}

#[test]
fn up_has_one_too_and_names_it() {
    let place = Place::new();
    let (gateway, ready) = place.start_ready("up --listen 127.0.0.1:0 --admin-port 0");
    let admin = ready["admin"].as_str().unwrap();
    let (head, metrics) = fetch(&format!("{admin}/metrics"), "x-y: z");
    assert!(head.starts_with("http/1.1 200") && metrics.contains("suvidha_build_info"), "{head}{metrics}");
    gateway.stop();
}

#[test]
fn it_can_be_elsewhere_or_nowhere() {
    let place = Place::new();
    let (mut gateway, _, admin) = serve(&place, "0.0.0.0:0", "");
    assert!(gateway.log().contains("not on a loopback address"), "{}", gateway.log());
    let taken = admin.strip_prefix("http://").unwrap();
    place.write("second.toml", &CONFIG.replace("ADMIN", taken));
    place.run("serve --config second.toml").fails(69, &format!("cannot listen on {taken}"));
    place.write("suvidha.toml", &CONFIG.replace("ADMIN", "127.0.0.1:0"));
    gateway.signal("HUP");
    gateway.wait_for_log("admin cannot be changed by a reload");
    gateway.stop();

    place.write("suvidha.toml", &CONFIG.replace("listen = \"ADMIN\"", "enabled = false"));
    let (gateway, _) = place.start_listening("serve --config suvidha.toml");
    get(&format!("http://{}/healthz", listening(&gateway)), "x-y: z");
    assert!(!gateway.log().contains("the admin listener"), "{}", gateway.log());
    gateway.stop();
}

fn listening(gateway: &Server) -> String {
    let log = gateway.log();
    let line = log.lines().find(|line| line.contains("\"listening\"")).unwrap();
    serde_json::from_str::<Value>(line).unwrap()["address"].as_str().unwrap().to_owned()
}

#[test]
fn asps_and_monitoring_do_not_share_an_address() {
    let place = Place::new();
    place.write("bad.toml", "[admin]\nlisten = \"127.0.0.1:7780\"\n");
    place.run("config check bad.toml").fails(
        78,
        "bad.toml:2: admin.listen: ASPs connect to 127.0.0.1:7780; the admin listener needs another",
    );
}
