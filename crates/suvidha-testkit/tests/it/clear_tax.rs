//! The sample request of ClearTax's documentation, as printed there apart from host, token and app key.

use std::io::{Read, Write};
use std::net::TcpStream;

use gstn::crypto::{AppKey, PublicKey};
use suvidha_testkit::{NewTaxpayer, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_request_works_as_printed() {
    let world = World::start().await.unwrap();
    let sample = NewTaxpayer {
        state: Some("33".to_owned()),
        username: Some("yourusername".to_owned()),
        ..NewTaxpayer::default()
    };
    world.gstn.create_taxpayer(sample).await.unwrap();
    let gstn = PublicKey::from_pem(std::fs::read(&world.gstn.certificate_pem).unwrap()).unwrap();
    let app_key = AppKey::from_bytes([7; 32]).encrypt_for(&gstn).unwrap();

    let body = format!(r#"{{"action":"OTPREQUEST","app_key":"{app_key}","username":"yourusername"}}"#);
    let request = format!(
        "POST /api/taxpayerapi/v0.2/authenticate HTTP/1.1\r\nHost: gateway\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\
         Content-Type: application/json\r\nappkey: {app_key}\r\nX-CT-Auth-Token: {}\r\nstate-cd: 33\r\n\
         ip-usr: 123.456.789.100\r\ntxn: txn123\r\ngstin: gstinNumber\r\nusername: username\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        world.token.expose(),
        body.len()
    );
    let mut connection = TcpStream::connect(world.gateway_url().trim_start_matches("http://")).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("x-suvidha-sandbox: 1"), "{answer}");
    assert!(answer.ends_with(r#"{"status_cd":"1"}"#), "{answer}");
}
