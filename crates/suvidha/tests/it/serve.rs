//! `suvidha serve` in front of `suvidha sandbox`, as on two machines, with every signal.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use crate::command::{Place, Server, get};
use crate::getkey::Asp;

/// A sandbox of its own and a gateway in front of it, both on free ports.
struct Deployment {
    place: Place,
    gateway: Server,
    address: String,
    asp: Asp,
    token: String,
}

const CONFIG: &str = r#"
[log]
format = "json"
[admin]
enabled = false
[environments.sandbox]
listen = "127.0.0.1:0"
[environments.sandbox.upstream]
url = "GSTN"
client_id = "CLIENT"
client_secret_sealed = "gstn/sandbox/client-secret"
[environments.production]
enabled = false
"#;

impl Deployment {
    /// A gateway in front of the GSTN at `url`, whose `client-secret` it takes from the registry.
    fn before(url: &str, client_id: &str, client_secret: &str) -> Self {
        let place = Place::new();
        place.write("suvidha.toml", &CONFIG.replace("GSTN", url).replace("CLIENT", client_id));
        let set = "secret set gstn/sandbox/client-secret --config suvidha.toml";
        assert_eq!(place.run_with_input(set, client_secret).code, 0);
        let asp = Asp::new(&place, "--config suvidha.toml");
        let issue = format!("asp token issue {} --environment sandbox --config suvidha.toml", asp.aspid);
        let token = place.json(&issue)["token"].as_str().unwrap().to_owned();
        let (gateway, address) = serve(&place);
        Self { place, gateway, address, asp, token }
    }

    fn search(&self) -> (u16, Value) {
        let url = format!("http://{}/commonapi/v1.1/search?action=TP&gstin=27AAPFU0939F1ZV", self.address);
        get(&url, &format!("x-ct-auth-token: {}", self.token))
    }

    /// Replaces `old` in the configuration by `new`, and has it read again.
    fn reload(&mut self, old: &str, new: &str, expected: &str) {
        let config = fs::read_to_string(self.place.path("suvidha.toml")).unwrap();
        assert!(config.contains(old));
        self.place.write("suvidha.toml", &config.replace(old, new));
        let told = |log: &str| log.matches(expected).count();
        let before = told(&self.gateway.log());
        self.gateway.signal("HUP");
        let log = self.place.path("err");
        self.gateway.wait_until(expected, || told(&fs::read_to_string(&log).unwrap()) > before);
        self.place.write("suvidha.toml", &config);
    }
}

/// Starts a gateway with the configuration in `place`.
fn serve(place: &Place) -> (Server, String) {
    place.start_listening("serve --config suvidha.toml")
}

/// GSTN knows the GSP, and does not know the taxpayer that is searched.
fn assert_answered_by_gstn((status, answer): (u16, Value)) {
    assert_eq!((status, &answer["error"]["error_cd"]), (200, &"FO8000".into()), "{answer}");
}

#[test]
fn calls_reach_a_sandbox_elsewhere_and_the_configuration_is_read_again() {
    let elsewhere = Place::new();
    let (gstn, ready) = elsewhere.start_ready("sandbox --gstn-port 0 --management-port 0");
    let text = |key: &str| ready[key].as_str().unwrap();
    let secret = fs::read_to_string(text("client_secret_file")).unwrap();
    let mut deployment = Deployment::before(text("gstn"), text("client_id"), &secret);
    assert_answered_by_gstn(deployment.search());

    deployment.reload(
        "production]\nenabled = false",
        "production]\nenable = false",
        "production.enable: unknown key",
    );
    assert!(deployment.gateway.log().contains("the old one stays in force"));
    deployment.reload("format = \"json\"", "format = \"text\"", "log.format cannot be changed by a reload");
    deployment.reload("127.0.0.1:0", "127.0.0.1:1", "cannot be changed by a reload; restart the gateway");
    assert_answered_by_gstn(deployment.search());

    let only_client_credentials =
        "[environments.sandbox.identify]\ntoken = false\n[environments.sandbox.upstream]";
    deployment.reload("[environments.sandbox.upstream]", only_client_credentials, "is in force");
    let (status, answer) = deployment.search();
    assert_eq!((status, &answer["error"]["error_cd"]), (403, &"GSP605".into()), "{answer}");

    deployment.gateway.stop();
    gstn.stop();
}

#[test]
fn more_connections_than_the_system_allows_are_told_at_the_start() {
    let place = Place::new();
    let many = "[gateway.limits]\nconnections = 1000000000000\n[environments.sandbox]";
    let without_gstn = CONFIG.split("[environments.sandbox.upstream]").next().unwrap();
    let config = format!("{without_gstn}[environments.production]\nenabled = false\n");
    place.write("suvidha.toml", &config.replace("[environments.sandbox]", many));
    let (gateway, _) = serve(&place);
    assert!(gateway.log().contains("\"needed\":2000000000128"), "{}", gateway.log());
    gateway.stop();
}

#[test]
fn getkey_follows_the_configuration_and_the_asp() {
    // Nobody answers there: what matters here is whether a call is taken on.
    let mut deployment = Deployment::before("http://127.0.0.1:9", "l7xx", "secret");
    let asp = deployment.asp.clone();
    let gateway = format!("http://{}", deployment.address);
    let validity = || asp.send(&gateway, &asp.sign()).1["validity_min"].clone();
    assert_eq!(validity(), 360);
    let shorter = "[gateway.getkey]\nvalidity = \"10m\"\n[environments.sandbox.upstream]";
    deployment.reload("[environments.sandbox.upstream]", shorter, "is in force");
    assert_eq!(validity(), 10);
    let set = format!("asp set {} --session-validity 20m --config suvidha.toml", asp.aspid);
    deployment.place.json(&set);
    deployment.gateway.wait_until("the ASP's own validity is known", || validity() == 20);

    let session = asp.session(&gateway);
    assert_eq!(session.search(&gateway).0, 502);
    let off = "[environments.sandbox.identify]\nsession = false\n[environments.sandbox.upstream]";
    deployment.reload("[environments.sandbox.upstream]", off, "is in force");
    for (status, answer) in [session.search(&gateway), asp.send(&gateway, &asp.sign())] {
        assert_eq!((status, &answer["error"]["error_cd"]), (403, &"GSP605".into()), "{answer}");
    }
    deployment.gateway.stop();
}

#[test]
fn a_client_with_the_wrong_scheme_or_without_the_ca_is_told_so() {
    let place = Place::new();
    assert_eq!(place.run("tls dev-ca").code, 0);
    assert_eq!(place.run("tls dev-ca --out other").code, 0);
    let tls = "[environments.sandbox.tls]\ncertificate = \"tls/server.pem\"\nkey = \"tls/server-key.pem\"\n";
    let (before, after) = CONFIG.split_once("[environments.sandbox.upstream]").unwrap();
    let (_, after) = after.split_once("[environments.production]").unwrap();
    let config = |tls: &str| format!("{before}{tls}[environments.production]{after}");
    let search = |gateway: &str| {
        place.run(&format!("gst search 27AAPFU0939F1ZV --session none --token t --gateway {gateway}"))
    };

    place.write("suvidha.toml", &config(tls));
    let (gateway, address) = serve(&place);
    search(&format!("http://{address}")).fails(69, "perhaps it wants https://");
    search(&format!("https://{address}")).fails(69, "name that CA's file with --ca");
    search(&format!("https://{address} --ca other/ca.pem")).fails(69, "not signed by a CA that is trusted");
    search(&format!("https://{address} --ca tls/ca-key.pem")).fails(65, "ca-key.pem holds no certificate");
    search(&format!("https://{address} --ca tls/ca.pem")).fails(1, "GSP640");
    gateway.stop();

    place.write("suvidha.toml", &config(""));
    let (gateway, address) = serve(&place);
    search(&format!("https://{address}")).fails(69, "perhaps it wants http://");
    let login = "gst login --gstin 27AAPFU0939F1ZV --username u --otp 1 --session none --token t --gateway";
    place.run(&format!("{login} http://{address}")).fails(1, "configure GSTN's certificate");
    gateway.stop();
}

#[test]
fn a_second_gateway_on_the_same_address_is_refused() {
    let deployment = Deployment::before("http://127.0.0.1:1", "l7xx", "secret");
    let config = fs::read_to_string(deployment.place.path("suvidha.toml")).unwrap();
    deployment.place.write("second.toml", &config.replace("127.0.0.1:0", &deployment.address));
    let refused = deployment.place.run("serve --config second.toml");
    refused.fails(69, &format!("cannot listen on {}", deployment.address));
    deployment.gateway.stop();
}

#[test]
fn a_second_signal_does_not_wait_for_a_call_that_hangs() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut deployment =
        Deployment::before(&format!("http://{}", silent.local_addr().unwrap()), "l7xx", "secret");
    let mut asp = TcpStream::connect(&deployment.address).unwrap();
    let token = &deployment.token;
    write!(
        asp,
        "GET /commonapi/v1.1/search?action=TP HTTP/1.1\r\nhost: x\r\nx-ct-auth-token: {token}\r\n\r\n"
    )
    .unwrap();
    // The call is under way as soon as it has arrived at GSTN, which never answers.
    let _held = silent.accept().unwrap();
    deployment.gateway.signal("TERM");
    deployment.gateway.wait_for_log("no new calls are taken");
    deployment.gateway.signal("TERM");
    assert_eq!(deployment.gateway.wait().code(), Some(69));
    assert!(deployment.gateway.log().contains("calls under way were cut off"));
}
