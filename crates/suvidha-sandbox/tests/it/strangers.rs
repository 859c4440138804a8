//! Calls that GSTN does not let in, and paths it does not have.

use serde_json::json;

use crate::http::Request;
use crate::taxpayer::{OTP, with_client};
use crate::world::{CLIENT_ID, CLIENT_SECRET, World};

#[test]
fn a_stranger_is_refused_at_403_before_anything_else_is_looked_at() {
    let world = World::new();
    let refused = |headers: &[(&str, &str)]| {
        let request = Request::new("GET", "/nowhere/at/all");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, *value));
        let answer = world.gstn(&request);
        assert_eq!(answer.status, 403);
        answer.error_cd()
    };
    assert_eq!(refused(&[]), "AUT4031");
    assert_eq!(refused(&[("clientid", ""), ("client-secret", CLIENT_SECRET)]), "AUT4031");
    assert_eq!(refused(&[("clientid", CLIENT_ID)]), "AUT4032");
    assert_eq!(refused(&[("clientid", "l7xxunknown"), ("client-secret", CLIENT_SECRET)]), "AUT4033");
    assert_eq!(refused(&[("clientid", CLIENT_ID), ("client-secret", "wrong")]), "AUT4034");
    assert_eq!(refused(&[("clientid", CLIENT_ID), ("client-secret", "second-secret")]), "AUT4034");
}

#[test]
fn a_path_that_gstn_has_not_is_404_in_gstns_shape() {
    let world = World::new();
    for path in ["/", "/taxpayerapi/v1.0/nowhere", "/taxpayerapi/returns/gstr1", "/other/v1.0/authenticate"] {
        let answer = world.gstn(&with_client(Request::new("GET", path)));
        assert_eq!((answer.status, answer.error_cd().as_str()), (404, "SBX404"), "{path}");
    }
}

#[test]
fn an_api_that_is_not_simulated_yet_says_so_and_never_pretends() {
    let world = World::new();
    let session = world.taxpayer(&json!({})).login(&world);
    let calls = [
        session.get("returns/gstr6", "RETSUM", "032025"),
        session.get("returns/itc04", "GET", "032025"),
        session.write("POST", "returns/gstr1", "RETSUBMIT", &json!({})),
        session.write("POST", "returns/gstr1", "GENSUM", &json!({})),
        session.write("POST", "returns/gstrptf", "RETNEWPTF", &json!({})).header("rtn_typ", "GSTR6"),
    ];
    for call in calls {
        let answer = world.gstn(&call);
        assert_eq!((answer.status, answer.error_cd().as_str()), (501, "SBX501"));
    }
}

#[test]
fn a_method_that_gstn_has_not_changes_nothing() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"state": "29"}));
    let session = taxpayer.login(&world);
    let payload = session.gstr1("032025", &["A1"]);
    for method in ["DELETE", "PATCH"] {
        let save = session.write(method, "returns/gstr1", "RETSAVE", &payload);
        assert_eq!(world.gstn(&save).error_cd(), "RET11403", "{method}");
        let login = taxpayer.auth_token_body(&world, OTP);
        let login = with_client(Request::new(method, "/taxpayerapi/v1.0/authenticate")).json(&login);
        assert_eq!(world.gstn(&login).error_cd(), "RET11403", "{method}");
    }
}

#[test]
fn an_action_that_gstn_has_not_is_an_invalid_request() {
    let world = World::new();
    let session = world.taxpayer(&json!({})).login(&world);
    let calls = [
        session.get("returns/gstr1", "B2Z", "032025"),
        session.get("returns/gstr1", "", "032025"),
        session.get("ledgers", "RICHES", "032025"),
        session.write("PUT", "returns/gstr1", "RETLOSE", &json!({})),
    ];
    for call in calls {
        assert_eq!(world.gstn(&call).error_cd(), "RET11403");
    }
}

#[test]
fn a_body_beyond_the_limit_is_refused_and_not_kept() {
    let world = World::with(|config| config.max_body_bytes = 1000);
    let session = world.taxpayer(&json!({})).login(&world);
    for request in [session.save("032025", &["A1"; 20]), session.save("032025", &["A1"; 20]).chunked()] {
        let answer = world.gstn(&request);
        assert_eq!((answer.status, answer.error_cd().as_str()), (413, "SBX413"));
    }
}
