//! `suvidha config`: what is wrong with a configuration is known before anything starts.

use crate::command::Place;

#[test]
fn the_default_configuration_is_right_as_it_is_printed() {
    let place = Place::new();
    let shown = place.run("config show-default");
    assert_eq!(shown.code, 0);
    place.write("suvidha.toml", &shown.out);
    assert_eq!(place.json("config check suvidha.toml")["ok"], true);
    assert_eq!(place.run("config check --config suvidha.toml").out, "suvidha.toml: nothing wrong\n");
}

#[test]
fn a_wrong_configuration_ends_with_78_and_names_every_line() {
    let place = Place::new();
    place.write("bad.toml", "[gateway]\nthread = 4\n\n[environments.sandbox]\nlisten = \"here\"\n");
    for line in ["config check bad.toml", "serve --config bad.toml"] {
        let ended = place.run(line);
        ended
            .fails(78, "bad.toml:2: gateway.thread: unknown key; the nearest known one is `gateway.threads`");
        ended.fails(78, "bad.toml:5: environments.sandbox.listen: expected an IP address and a port");
    }
    place.run("config check missing.toml").fails(78, "missing.toml");
}

#[test]
fn who_keeps_the_asps_needs_the_registry_section_alone() {
    let place = Place::new();
    place.write(
        "suvidha.toml",
        "[registry]\npath = \"r.sqlite\"\n[environments.sandbox]\nca_certificate = \"gone.pem\"\n",
    );
    place.run("config check suvidha.toml").fails(78, "gone.pem");
    place.run("asp list --config suvidha.toml").fails(78, "there is no registry at r.sqlite");
    place.write("suvidha.toml", "[regsitry]\npath = \"r.sqlite\"\n");
    place.run("asp list --config suvidha.toml").fails(78, "the nearest known one is `registry`");
}

#[test]
fn certificates_are_read_and_held_against_their_keys() {
    let place = Place::new();
    for out in ["one", "other"] {
        assert_eq!(place.run(&format!("tls dev-ca --out {out}")).code, 0);
    }
    let tls = |key: &str| {
        format!(
            "[environments.sandbox]\nca_certificate = \"one/ca.pem\"\n[environments.sandbox.tls]\ncertificate = \"one/server.pem\"\nkey = \"{key}\"\n"
        )
    };
    place.write("right.toml", &tls("one/server-key.pem"));
    assert_eq!(place.run("config check right.toml").code, 0);
    place.write("other.toml", &tls("other/server-key.pem"));
    place.run("config check other.toml").fails(78, "other.toml:3: environments.sandbox.tls: the certificate");
    place.write("no-key.toml", &tls("one/server.pem"));
    place.run("config check no-key.toml").fails(78, "holds no private key in PEM");
    place.write("no-cert.toml", "[environments.production]\ngstn_certificate = \"right.toml\"\n");
    place
        .run("config check no-cert.toml")
        .fails(78, "no-cert.toml:2: environments.production.gstn_certificate");
}

#[test]
fn a_sealed_secret_must_be_there() {
    let place = Place::new();
    place.write(
        "suvidha.toml",
        "[environments.production.upstream]\nurl = \"https://api.gst.gov.in\"\nclient_id = \"l7xx\"\nclient_secret_sealed = \"gstn/production/client-secret\"\n",
    );
    place.run("config check suvidha.toml").fails(78, "there is no registry");
    place.run_with_input("secret set other --config suvidha.toml", "x\n");
    place.run("config check suvidha.toml").fails(78, "no secret is kept under the name");
    place.run_with_input("secret set gstn/production/client-secret --config suvidha.toml", "x\n");
    assert_eq!(place.run("config check suvidha.toml").code, 0);
}
