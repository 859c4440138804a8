//! What must never be written down.

use crate::log;
use crate::stage::{self, CLIENT_SECRET, Sandbox, stage};
use crate::stand_in::{Act, StandIn, ok};

#[test]
fn no_secret_appears_in_any_log_at_any_level() {
    let gstn = StandIn::new(|seen| match seen.body.is_empty() {
        true => Act::AnswerAndReset(Vec::new()),
        false => Act::Answer(ok(r#"{"status_cd":"1","auth_token":"marker-auth-token","sek":"marker-sek"}"#)),
    });
    let stage = stage(gstn.address);
    let issued = stage.registry.issue_client_credentials(&stage.aspid, Sandbox, None, None).unwrap();
    let (id, secret) = (issued.client_id, issued.client_secret.expose().to_owned());
    let by_client = format!("clientid: {id}\r\nclient-secret: {secret}\r\nauth-token: marker-session\r\n");
    let body = r#"{"action":"AUTHTOKEN","app_key":"marker-app-key","otp":"marker-otp"}"#;
    let path = "/taxpayerapi/v1.0/authenticate?action=EVCOTP&otp=marker-query-otp&pan=marker-pan";
    let post = stage::request("POST", path, &by_client, body);
    assert!(stage::soon(|| stage.exchange(&post).status == 200));
    let headers = format!("appkey: marker-app-key-header\r\n{by_client}txn: SECRECY\r\n");
    stage.get(path, &headers).is_refusal("GSP027", 502);
    stage.get("/returns/01072025/R1/marker-file-token/f.tar.gz?md5=marker-md5", "").is_refusal("GSP027", 502);
    let doubled = format!("{by_client}x_ct_auth_token: marker-copy\r\n");
    let doubled = stage.get(path, &doubled);
    doubled.is_refusal("GSP614", 400);
    let unknown = stage.exchange(stage::request("GET", path, "authorization: Bearer marker-unknown\r\n", ""));
    unknown.is_refusal("GSP602", 401);
    stage
        .exchange("GET marker-target HTTP/1.1\r\nx-ct-auth-token: marker-malformed\r\n\r\n")
        .is_refusal("GSP610", 400);
    for answer in [doubled, unknown] {
        assert!(!answer.text().contains("marker"), "{}", answer.text());
    }
    log::settled("txn", "SECRECY");
    let text = log::text();
    for secret in ["marker-", CLIENT_SECRET, &stage.token, &secret] {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} was logged");
    }
}
