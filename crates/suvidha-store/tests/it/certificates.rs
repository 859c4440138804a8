//! The certificates an ASP signs its GetKey calls with: which are taken, which are refused and why, how one follows
//! another.

use std::path::Path;
use std::sync::LazyLock;

use gstn::Environment;
use gstn::crypto::{Certificate, PublicKey, sha256_hex};
use jiff::SignedDuration;
use suvidha_store::{CertificateEntry, CertificateState, Revocation, StoreError, Used};

use crate::desk::{Desk, Production, Sandbox};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A file of the protocol's tests, made by openssl.
fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../gstn/tests/data").join(name)).unwrap()
}

/// The certificate of `vectors.json`, which expires on 2035-12-30 at midnight UTC.
fn expiring() -> Vec<u8> {
    let vectors = String::from_utf8(file("vectors.json")).unwrap();
    let from = vectors.split_once(r#""asp_certificate_pem": ""#).unwrap().1;
    from.split_once('"').unwrap().0.replace("\\n", "\n").into_bytes()
}

/// A public key nobody has the private key of, another for each number.
fn a_public_key(number: u32) -> Vec<u8> {
    let mut spki = file("public.spki.der");
    spki[100..104].copy_from_slice(&number.to_be_bytes());
    spki
}

fn refusal(desk: &Desk, offered: &[u8]) -> String {
    let refused = desk.registry.add_certificate(&desk.an_asp(), Sandbox, offered).unwrap_err();
    assert!(matches!(refused, StoreError::InvalidCertificate { .. }), "{refused}");
    refused.to_string()
}

#[test]
fn a_certificate_is_taken_in_every_form_it_comes_in() {
    let desk = Desk::new();
    let key = PublicKey::from_any(&file("public.spki.der")).unwrap();
    let with_dates = ["certificate.der", "certificate.pem"];
    let bare = [
        "public.spki.der",
        "public.spki.pem",
        "public.pkcs1.der",
        "public.pkcs1.pem",
        "public.mislabelled.pem",
    ];
    for name in with_dates.into_iter().chain(bare) {
        let aspid = desk.an_asp();
        let row = desk.registry.add_certificate(&aspid, Sandbox, &file(name)).unwrap();
        assert_eq!((row.bits, &row.key_sha256), (2048, &sha256_hex(key.spki_der())), "{name}");
        let expected =
            with_dates.contains(&name).then(|| Certificate::from_any(&file("certificate.pem")).unwrap());
        assert_eq!(row.subject.as_deref(), expected.as_ref().map(Certificate::subject), "{name}");
        assert_eq!(row.not_before.map(|at| at.as_second()), expected.as_ref().map(Certificate::not_before));
        assert_eq!(row.not_after.map(|at| at.as_second()), expected.as_ref().map(Certificate::not_after));
        assert_eq!(row.created_at, desk.now());
        assert_eq!(desk.registry.certificates(&aspid).unwrap(), [row], "{name}");
        let snapshot = desk.snapshot();
        let entry = snapshot.asp(&aspid).unwrap().getkey(Sandbox);
        assert_eq!(entry.certificates[0].key, key, "{name}");
        assert_eq!(entry.live_certificates(desk.now()).count(), 1, "{name}");
    }
    desk.registry.add_certificate(&desk.an_asp(), Sandbox, &file("rsa4096.certificate.pem")).unwrap();
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_with_its_reason() {
    let desk = Desk::new();
    for (name, reason) in [
        ("rsa1024.certificate.pem", "the RSA key has 1024 bits; 2048 to 4096 are accepted"),
        ("rsa8192.certificate.pem", "the RSA key has 8192 bits; 2048 to 4096 are accepted"),
        ("ec.certificate.pem", "the public key is not RSA"),
        ("long.txt", "not a RSA public key in DER encoding"),
        (
            "key.pkcs8.pem",
            "it holds a private key, which nobody but its owner may have; give the certificate alone",
        ),
        (
            "key.encrypted.pkcs1.pem",
            "it holds a private key, which nobody but its owner may have; give the certificate alone",
        ),
    ] {
        assert_eq!(refusal(&desk, &file(name)), format!("the certificate cannot be used: {reason}"));
    }
    assert!(refusal(&desk, b"").contains("DER"));
    let cut = file("certificate.pem");
    assert!(refusal(&desk, &cut[..cut.len() / 2]).contains("the PEM text is damaged"));

    desk.set_time("2035-12-30T00:00:00.999Z");
    desk.registry.add_certificate(&desk.an_asp(), Sandbox, &expiring()).unwrap();
    desk.set_time("2035-12-30T00:00:01Z");
    let reason = "it expired at 2035-12-30T00:00:00Z; make a new one";
    assert_eq!(refusal(&desk, &expiring()), format!("the certificate cannot be used: {reason}"));
}

/// A certificate that is good in these years, always of the same key.
fn self_signed(years: [i32; 2]) -> Vec<u8> {
    static KEY: LazyLock<rcgen::KeyPair> = LazyLock::new(|| {
        let pem = gstn::crypto::PrivateKey::generate_2048().pkcs8_pem();
        rcgen::KeyPair::from_pem_and_sign_algo(&pem, &rcgen::PKCS_RSA_SHA256).unwrap()
    });
    let mut params = rcgen::CertificateParams::new(vec!["asp".to_owned()]).unwrap();
    [params.not_before, params.not_after] = years.map(|year| rcgen::date_time_ymd(year, 1, 1));
    params.self_signed(&*KEY).unwrap().der().to_vec()
}

#[test]
fn a_subject_writes_nothing_to_the_operators_terminal_but_text() {
    let desk = Desk::new();
    let pem = gstn::crypto::PrivateKey::generate_2048().pkcs8_pem();
    let key = rcgen::KeyPair::from_pem_and_sign_algo(&pem, &rcgen::PKCS_RSA_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["asp".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Ac\u{1b}[2J\nme é");
    let certificate = params.self_signed(&key).unwrap();
    let row = desk.registry.add_certificate(&desk.an_asp(), Sandbox, certificate.der()).unwrap();
    assert_eq!(row.subject.as_deref(), Some("CN=Ac\\u{1b}[2J\\u{a}me é"));
}

#[test]
fn a_certificate_is_registered_once_per_asp_and_environment_while_it_lives() {
    let desk = Desk::new();
    let (aspid, other) = (desk.an_asp(), desk.an_asp());
    let add = |aspid, environment, name| desk.registry.add_certificate(aspid, environment, &file(name));
    let row = add(&aspid, Sandbox, "certificate.pem").unwrap();
    let again = add(&aspid, Sandbox, "certificate.der").unwrap_err();
    assert_eq!(
        again.to_string(),
        format!("the certificate cannot be used: it is registered already, as number {}", row.id)
    );
    add(&aspid, Production, "certificate.pem").unwrap();
    add(&other, Sandbox, "certificate.pem").unwrap();
    let bare = add(&aspid, Sandbox, "public.spki.pem").unwrap();
    let again = add(&aspid, Sandbox, "public.pkcs1.der").unwrap_err().to_string();
    assert!(again.ends_with(&format!("it is registered already, as number {}", bare.id)), "{again}");
}

#[test]
fn a_renewed_certificate_takes_the_place_of_that_with_the_same_key() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    desk.set_time("2026-11-22T00:00:00Z");
    let add = |years| desk.registry.add_certificate(&aspid, Sandbox, &self_signed(years)).unwrap();
    let other = desk.registry.add_certificate(&aspid, Sandbox, &a_public_key(1)).unwrap();
    let (first, second) = (add([2026, 2027]), add([2026, 2030]));
    let third = add([2027, 2031]);
    let rows = desk.registry.certificates(&aspid).unwrap();
    let new_year = "2027-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(
        rows.iter().map(|row| (row.id, row.until)).collect::<Vec<_>>(),
        [(other.id, None), (first.id, Some(desk.now())), (second.id, Some(new_year)), (third.id, None)]
    );
    let snapshot = desk.snapshot();
    let entry = snapshot.asp(&aspid).unwrap().getkey(Sandbox);
    let live = |at| entry.live_certificates(at).map(|entry| entry.id).collect::<Vec<_>>();
    assert_eq!(live(desk.now()), [second.id, other.id]);
    assert_eq!(live(new_year), [third.id, other.id], "without a moment between");

    for number in 2..=6 {
        desk.registry.add_certificate(&aspid, Sandbox, &a_public_key(number)).unwrap();
    }
    let ninth = desk.registry.add_certificate(&aspid, Sandbox, &self_signed([2027, 2032])).unwrap_err();
    assert!(ninth.to_string().contains("8 are live already"), "{ninth}");
    add([2026, 2032]);
}

#[test]
fn a_certificate_on_its_way_out_may_come_back() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let replace = |number| {
        let replaced = desk.registry.replace_certificates(&aspid, Sandbox, &a_public_key(number), DAY);
        replaced.unwrap().certificate.id
    };
    let (first, second, again) = (replace(1), replace(2), replace(1));
    let rows = desk.registry.certificates(&aspid).unwrap();
    let tomorrow = desk.now() + DAY;
    assert_eq!(
        rows.iter().map(|row| (row.id, row.until)).collect::<Vec<_>>(),
        [(first, Some(desk.now())), (second, Some(tomorrow)), (again, None)]
    );
}

#[test]
fn a_revoked_key_is_live_through_no_other_certificate_and_never_again() {
    let desk = Desk::new();
    let (aspid, other) = (desk.an_asp(), desk.an_asp());
    desk.set_time("2026-11-22T00:00:00Z");
    let add =
        |aspid, environment, years| desk.registry.add_certificate(aspid, environment, &self_signed(years));
    let first = add(&aspid, Sandbox, [2026, 2027]).unwrap();
    let renewed = add(&aspid, Sandbox, [2027, 2031]).unwrap();
    let elsewhere = add(&aspid, Production, [2026, 2027]).unwrap();
    add(&other, Sandbox, [2026, 2027]).unwrap();
    let unrelated = desk.registry.add_certificate(&aspid, Sandbox, &a_public_key(1)).unwrap();

    let done = desk.registry.revoke_certificate(&aspid, renewed.id).unwrap();
    assert_eq!(done, Revocation { revoked: vec![first.id, renewed.id], elsewhere: vec![elsewhere.id] });
    let snapshot = desk.snapshot();
    let live = |aspid, environment| {
        let entry = snapshot.asp(aspid).unwrap().getkey(environment);
        entry.live_certificates(desk.now()).map(|entry| entry.id).collect::<Vec<_>>()
    };
    assert_eq!(live(&aspid, Sandbox), [unrelated.id]);
    assert_eq!((live(&aspid, Production), live(&other, Sandbox).len()), (vec![elsewhere.id], 1));
    let again = desk.registry.revoke_certificate(&aspid, renewed.id).unwrap();
    assert_eq!(again, Revocation { revoked: vec![], elsewhere: vec![elsewhere.id] });

    for years in [[2026, 2027], [2026, 2040]] {
        let refused = add(&aspid, Sandbox, years).unwrap_err().to_string();
        assert!(
            refused.ends_with(&format!("its key was revoked, with number {}; make a new key pair", first.id)),
            "{refused}"
        );
    }
    let bare = Certificate::from_any(&self_signed([2026, 2027])).unwrap();
    let bare = bare.public_key().spki_der();
    let refused = desk.registry.replace_certificates(&aspid, Sandbox, bare, DAY).unwrap_err();
    assert!(matches!(refused, StoreError::InvalidCertificate { .. }), "{refused}");
    add(&aspid, Production, [2026, 2040]).unwrap();
}

#[test]
fn a_replacement_of_the_future_leaves_no_time_without_a_certificate() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    desk.set_time("2026-11-22T00:00:00Z");
    let first = desk.registry.add_certificate(&aspid, Sandbox, &a_public_key(1)).unwrap();
    let replaced =
        desk.registry.replace_certificates(&aspid, Sandbox, &self_signed([2027, 2031]), DAY).unwrap();
    let until = "2027-01-02T00:00:00Z".parse().unwrap();
    assert_eq!(replaced.others_until, Some(until), "a day after the new one begins");
    assert_eq!(desk.registry.certificates(&aspid).unwrap()[0].until, Some(until));
    let snapshot = desk.snapshot();
    let entry = snapshot.asp(&aspid).unwrap().getkey(Sandbox);
    let live =
        |at: &str| entry.live_certificates(at.parse().unwrap()).map(|entry| entry.id).collect::<Vec<_>>();
    assert_eq!(live("2026-12-31T23:59:59Z"), [first.id]);
    assert_eq!(live("2027-01-02T00:00:00Z"), [replaced.certificate.id]);
}

#[test]
fn however_many_are_over_a_snapshot_holds_the_newest_eight() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let replace = |number| {
        let zero = SignedDuration::ZERO;
        desk.registry.replace_certificates(&aspid, Sandbox, &a_public_key(number), zero).unwrap();
    };
    (0..20).for_each(replace);
    let snapshot = desk.snapshot();
    let ids =
        snapshot.asp(&aspid).unwrap().getkey(Sandbox).certificates.iter().map(|entry| entry.id.as_i64());
    assert_eq!(ids.collect::<Vec<_>>(), (12..=20).rev().collect::<Vec<_>>());
}

#[test]
fn eight_are_live_at_once_and_a_ninth_is_refused() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let add = |number| desk.registry.add_certificate(&aspid, Sandbox, &a_public_key(number));
    let ids: Vec<_> = (0..8).map(|number| add(number).unwrap().id).collect();
    let refused = add(8).unwrap_err().to_string();
    assert_eq!(
        refused,
        "the certificate cannot be used: 8 are live already; one of them must be revoked first"
    );
    let replacing = desk.registry.replace_certificates(&aspid, Sandbox, &a_public_key(8), DAY).unwrap_err();
    assert!(matches!(replacing, StoreError::InvalidCertificate { .. }), "{replacing}");
    let snapshot = desk.snapshot();
    let live = snapshot.asp(&aspid).unwrap().getkey(Sandbox).live_certificates(desk.now());
    let live: Vec<_> = live.map(|entry| entry.id).collect();
    assert!(live.iter().eq(ids.iter().rev()), "the newest first: {live:?}");
    desk.registry.revoke_certificate(&aspid, ids[3]).unwrap();
    add(8).unwrap();
}

#[test]
fn a_revoked_certificate_is_refused_at_once_and_known_as_revoked_for_a_month() {
    let desk = Desk::new();
    let (aspid, other) = (desk.an_asp(), desk.an_asp());
    let row = desk.registry.add_certificate(&aspid, Sandbox, &file("certificate.pem")).unwrap();
    let foreign = desk.registry.revoke_certificate(&other, row.id).unwrap_err();
    assert_eq!(foreign.to_string(), format!("ASP {other} has no certificate with the id {}", row.id));

    desk.registry.revoke_certificate(&aspid, row.id).unwrap();
    let revoked_at = desk.now();
    desk.wait_minutes(5);
    desk.registry.revoke_certificate(&aspid, row.id).unwrap();
    let row = &desk.registry.certificates(&aspid).unwrap()[0];
    assert_eq!((row.revoked_at, row.state(desk.now())), (Some(revoked_at), CertificateState::Revoked));
    let known = || desk.snapshot().asp(&aspid).unwrap().getkey(Sandbox).certificates.clone();
    assert_eq!(known()[0].state(desk.now()), CertificateState::Revoked);
    assert_eq!(desk.snapshot().asp(&aspid).unwrap().getkey(Sandbox).live_certificates(desk.now()).count(), 0);
    desk.wait_minutes(30 * 24 * 60 - 5);
    assert_eq!(known().len(), 1);
    desk.wait_minutes(1);
    assert_eq!(known(), [], "by then nobody remembers it");
}

#[test]
fn a_new_certificate_takes_the_place_of_all_others_after_the_overlap() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let add = |environment, number| desk.registry.add_certificate(&aspid, environment, &a_public_key(number));
    let (first, second, elsewhere) =
        (add(Sandbox, 1).unwrap(), add(Sandbox, 2).unwrap(), add(Production, 1).unwrap());
    let replaced = desk.registry.replace_certificates(&aspid, Sandbox, &a_public_key(3), DAY).unwrap();
    let (new, until) = (replaced.certificate, desk.now() + DAY);
    assert_eq!(replaced.others_until, Some(until));
    let rows = desk.registry.certificates(&aspid).unwrap();
    assert_eq!(
        rows.iter().map(|row| (row.id, row.until)).collect::<Vec<_>>(),
        [(first.id, Some(until)), (second.id, Some(until)), (elsewhere.id, None), (new.id, None)]
    );
    let snapshot = desk.snapshot();
    let entry = snapshot.asp(&aspid).unwrap().getkey(Sandbox);
    let live = |at| entry.live_certificates(at).map(|entry| entry.id).collect::<Vec<_>>();
    assert_eq!(live(until - SignedDuration::from_millis(1)), [new.id, second.id, first.id]);
    assert_eq!(live(until), [new.id]);
    assert_eq!(entry.certificates[1].state(until), CertificateState::Replaced);

    desk.wait_minutes(60);
    let replaced =
        desk.registry.replace_certificates(&aspid, Sandbox, &a_public_key(4), SignedDuration::ZERO).unwrap();
    assert_eq!(replaced.others_until, None, "they are over");
    let newest = replaced.certificate;
    let ends: Vec<_> = desk.registry.certificates(&aspid).unwrap().iter().map(|row| row.until).collect();
    assert_eq!(ends, [Some(desk.now()), Some(desk.now()), None, Some(desk.now()), None]);
    let longer = desk.registry.replace_certificates(&aspid, Sandbox, &a_public_key(5), 91 * DAY).unwrap_err();
    assert!(matches!(longer, StoreError::InvalidField { field: "overlap", .. }), "{longer}");
    let same = desk.registry.replace_certificates(&aspid, Sandbox, &a_public_key(4), DAY).unwrap_err();
    assert!(matches!(same, StoreError::InvalidCertificate { .. }), "{same}");
    let last = desk.registry.certificates(&aspid).unwrap().pop().unwrap();
    assert_eq!((last.id, last.until), (newest.id, None), "what is refused ends nothing");

    desk.wait_minutes(30 * 24 * 60 + 1);
    let snapshot = desk.snapshot();
    let known = &snapshot.asp(&aspid).unwrap().getkey(Sandbox).certificates;
    assert_eq!(
        known.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        [newest.id],
        "the others are forgotten"
    );
}

#[test]
fn a_certificate_serves_within_its_own_dates() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    desk.set_time("2025-12-31T23:59:59.999Z");
    desk.registry.add_certificate(&aspid, Sandbox, &expiring()).unwrap();
    let snapshot = desk.snapshot();
    let entry = snapshot.asp(&aspid).unwrap().getkey(Sandbox);
    for (now, state) in [
        ("2025-12-31T23:59:59.999Z", CertificateState::NotYetValid),
        ("2026-01-01T00:00:00Z", CertificateState::Live),
        ("2035-12-30T00:00:00.999Z", CertificateState::Live),
        ("2035-12-30T00:00:01Z", CertificateState::Expired),
    ] {
        let now = now.parse().unwrap();
        assert_eq!(entry.certificates[0].state(now), state, "{now}");
        assert_eq!(entry.live_certificates(now).count(), usize::from(state == CertificateState::Live));
    }
    desk.set_time("2040-01-01T00:00:00Z");
    assert_eq!(
        desk.snapshot().asp(&aspid).unwrap().getkey(Sandbox).certificates.len(),
        1,
        "until it is revoked"
    );
    desk.registry.add_certificate(&aspid, Sandbox, &a_public_key(1)).unwrap();
}

#[test]
fn the_last_use_of_a_certificate_is_noted() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let id = desk.registry.add_certificate(&aspid, Sandbox, &file("certificate.pem")).unwrap().id;
    desk.registry.touch(&[(Used::Certificate(id), desk.in_minutes(1))]).unwrap();
    assert_eq!(desk.registry.certificates(&aspid).unwrap()[0].last_used_at, Some(desk.in_minutes(1)));
}

/// Where an entry's key lies in memory: another place if it was parsed again.
fn place(entry: &CertificateEntry) -> *const u8 {
    entry.key.spki_der().as_ptr()
}

#[test]
fn a_key_is_parsed_once_for_all_snapshots() {
    let desk = Desk::new();
    let (aspid, other) = (desk.an_asp(), desk.an_asp());
    let spki = a_public_key(1);
    desk.registry.add_certificate(&aspid, Sandbox, &spki).unwrap();
    let places = |environment: Environment| {
        let snapshot = desk.snapshot();
        [aspid, other].map(|aspid| {
            snapshot
                .asp(&aspid)
                .unwrap()
                .getkey(environment)
                .certificates
                .iter()
                .map(place)
                .collect::<Vec<_>>()
        })
    };
    let [before, _] = places(Sandbox);
    assert_eq!(before.len(), 1);
    desk.registry.suspend(&aspid).unwrap();
    desk.registry.add_certificate(&aspid, Sandbox, &a_public_key(2)).unwrap();
    desk.registry.add_certificate(&other, Sandbox, &spki).unwrap();
    let [after, of_other] = places(Sandbox);
    assert_eq!((after.len(), after[1], of_other), (2, before[0], before.clone()));
    assert_ne!(after[0], before[0]);
    let elsewhere = desk.open(desk.keys.clone()).unwrap().snapshot().unwrap();
    assert_ne!(
        elsewhere.asp(&aspid).unwrap().getkey(Sandbox).certificates.last().map(place),
        Some(before[0]),
        "or this test could not fail"
    );
}
