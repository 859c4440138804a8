//! `suvidha gst keygen`: an ASP's key pair, as openssl, Java and Node see it.

use std::fs;
use std::process::Command;

use gstn::crypto::{Certificate, base64, getkey_sign, open_pfx};
use serde_json::Value;

use crate::command::{Place, mode};

const PASSPHRASE: &str = "open-sesame";

/// Makes a key pair in `asp-key`, with the passphrase from the file `passphrase`.
fn keygen(place: &Place, options: &str) -> Value {
    place.write("passphrase", &format!("{PASSPHRASE}\n"));
    place.json(&format!("gst keygen --name TaxTools --passphrase-file passphrase {options}"))
}

/// What openssl says, run in the directory of `place`.
fn openssl(place: &Place, line: &str) -> String {
    told(place, "openssl", &line.split_whitespace().collect::<Vec<_>>())
}

/// What a program says that must end well.
fn told(place: &Place, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    // What some environments make Java say on standard error.
    command.args(arguments).current_dir(place.path(".")).env_remove("JAVA_TOOL_OPTIONS");
    let output = command.output().unwrap_or_else(|error| panic!("{program} must be installed: {error}"));
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {told}");
    told
}

#[test]
fn openssl_reads_all_that_keygen_makes() {
    let place = Place::new();
    let made = keygen(&place, "--organization Tax --days 30 --bits 3072");
    for (key, file, rights) in [
        ("private_key", "asp-key/asp.key.pem", 0o600),
        ("pfx", "asp-key/asp.pfx", 0o600),
        ("certificate", "asp-key/asp.cer", 0o644),
        ("certificate_pem", "asp-key/asp.pem", 0o644),
    ] {
        assert_eq!(made[key], file);
        assert_eq!(mode(&place.path(file)), rights, "{file}");
    }
    assert_eq!((&made["subject"], &made["bits"]), (&"CN=TaxTools, O=Tax, C=IN".into(), &3072.into()));

    let modulus = openssl(&place, "rsa -in asp-key/asp.key.pem -noout -modulus");
    assert_eq!(modulus.trim().len(), "Modulus=".len() + 3072 / 4);
    for line in ["x509 -in asp-key/asp.pem", "x509 -inform DER -in asp-key/asp.cer"] {
        assert_eq!(openssl(&place, &format!("{line} -noout -modulus")), modulus, "{line}");
    }
    let subject = openssl(&place, "x509 -in asp-key/asp.pem -noout -subject -nameopt RFC2253");
    assert_eq!(subject.trim(), "subject=C=IN,O=Tax,CN=TaxTools");
    openssl(&place, "verify -CAfile asp-key/asp.pem asp-key/asp.pem");

    openssl(&place, "pkcs12 -in asp-key/asp.pfx -nodes -passin file:passphrase -out both.pem");
    assert_eq!(openssl(&place, "rsa -in both.pem -noout -modulus"), modulus);
    assert_eq!(openssl(&place, "x509 -in both.pem -noout -modulus"), modulus);
}

#[test]
fn java_and_node_open_the_pfx() {
    let place = Place::new();
    let made = keygen(&place, "");
    let list =
        ["-list", "-v", "-storetype", "PKCS12", "-keystore", "asp-key/asp.pfx", "-storepass", PASSPHRASE];
    let listed = told(&place, "keytool", &list);
    assert!(listed.contains("Alias name: taxtools") && listed.contains("PrivateKeyEntry"), "{listed}");
    let fingerprint = made["sha256_fingerprint"].as_str().unwrap();
    assert!(listed.replace(':', "").to_lowercase().contains(fingerprint), "{listed}");

    let open = format!(
        "require('tls').createSecureContext({{pfx: require('fs').readFileSync('asp-key/asp.pfx'), \
         passphrase: '{PASSPHRASE}'}})"
    );
    told(&place, "node", &["-e", &open]);
}

#[test]
fn what_is_signed_with_the_pfx_verifies_with_the_certificate() {
    let place = Place::new();
    keygen(&place, "");
    let (key, _) = open_pfx(&fs::read(place.path("asp-key/asp.pfx")).unwrap(), PASSPHRASE).unwrap();
    let signed = getkey_sign(&key, "7857622155", "22112026101530").unwrap();

    fs::write(place.path("signature"), base64::decode_strict(&signed).unwrap()).unwrap();
    place.write("message", "785762215522112026101530");
    openssl(&place, "x509 -inform DER -in asp-key/asp.cer -noout -pubkey -out public.pem");
    let verified = openssl(&place, "dgst -sha256 -verify public.pem -signature signature message");
    assert_eq!(verified.trim(), "Verified OK");
    let certificate = Certificate::from_any(&fs::read(place.path("asp-key/asp.cer")).unwrap()).unwrap();
    assert_eq!(certificate.public_key(), key.public_key());
}

#[test]
fn no_key_is_ever_overwritten() {
    let place = Place::new();
    keygen(&place, "");
    let files = || {
        ["asp.key.pem", "asp.pfx", "asp.cer", "asp.pem"]
            .map(|name| fs::read(place.path(&format!("asp-key/{name}"))).ok())
    };
    let before = files();
    let again = "gst keygen --name TaxTools --passphrase-file passphrase";
    place.run(again).fails(73, "asp-key/asp.key.pem exists already");
    assert_eq!(files(), before);
    fs::remove_file(place.path("asp-key/asp.key.pem")).unwrap();
    place.run(again).fails(73, "asp-key/asp.pfx exists already");
    assert!(!place.path("asp-key/asp.key.pem").exists(), "all or nothing");
}

#[test]
fn a_passphrase_comes_from_a_file_or_standard_input_and_is_never_empty() {
    let place = Place::new();
    let keygen = "gst keygen --name TaxTools";
    place.run(keygen).fails(64, "--passphrase-file");
    place.write("empty", "\n");
    place.write("two", "a\nb\n");
    for file in ["empty", "two"] {
        place.run(&format!("{keygen} --passphrase-file {file}")).fails(65, "one line is expected");
    }
    assert!(!place.path("asp-key").exists());
    place.run_with_input(&format!("{keygen} --passphrase-file -"), "piped\n").succeeds();
    let pfx = fs::read(place.path("asp-key/asp.pfx")).unwrap();
    open_pfx(&pfx, "piped").unwrap();
}
