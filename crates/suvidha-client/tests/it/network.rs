//! The way to the gateway: kept connections, prefixes, and everything that breaks.

use std::time::Duration;

use suvidha_client::{Credentials, Error, Gsp, Origin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::standin::{GSTIN, PAN, Scripted, StandIn, USERNAME};

/// A server that reads one request on each connection, answers `answer`, and closes.
async fn blunt_server(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_head(&mut stream).await;
            stream.write_all(&answer).await.unwrap();
        }
    });
    format!("http://{address}")
}

async fn read_head(stream: &mut TcpStream) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.unwrap() == 1 {
        head.push(byte[0]);
    }
}

async fn search_at(base: &str) -> Error {
    let gsp = Gsp::builder(base).credentials(Credentials::token("t")).max_answer_bytes(1000).build().unwrap();
    gsp.search(&GSTIN.parse().unwrap()).await.unwrap_err()
}

fn with_body(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

#[tokio::test]
async fn who_wants_no_limit_gets_none() {
    let standin = StandIn::start().await;
    let builder = standin.gsp_builder().timeout(Duration::MAX).connect_timeout(Duration::MAX);
    builder.build().unwrap().search(&GSTIN.parse().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_page_of_a_proxy_does_not_say_that_an_otp_was_sent_or_a_session_ended() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let taxpayer = standin.taxpayer(&gsp).await;
    let pan = PAN.parse().unwrap();
    for page in [&b"<html>Please accept our terms.</html>"[..], b"", b"{}"] {
        for action in ["OTPREQUEST", "LOGOUT", "EVCOTP"] {
            standin.script(action, [Scripted::Plain(200, page.to_vec())]);
        }
        assert!(matches!(taxpayer.request_otp().await, Err(Error::Protocol { .. })));
        assert!(matches!(taxpayer.request_evc_otp(&pan, "R1").await, Err(Error::Protocol { .. })));
        assert!(matches!(taxpayer.logout().await, Err(Error::Protocol { .. })));
    }
    assert!(taxpayer.session().await.unwrap().is_some(), "for all we know it lives");
}

#[tokio::test]
async fn one_connection_serves_many_calls() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    standin.taxpayer(&gsp).await;
    gsp.search(&GSTIN.parse().unwrap()).await.unwrap();
    assert!(standin.state().calls.iter().all(|call| call.connection == 1));
}

#[tokio::test]
async fn a_connection_that_died_at_rest_is_replaced_without_a_word() {
    let standin = StandIn::start().await;
    let body = br#"{"status_cd":"1","data":{"gstin":"33AANCS2882A1ZG"}}"#;
    let base = blunt_server(with_body("200 OK", body)).await;
    let gsp = Gsp::builder(base).credentials(Credentials::token("t")).build().unwrap();
    for _ in 0..5 {
        gsp.search(&GSTIN.parse().unwrap()).await.unwrap();
        // The server has closed; let the news arrive.
        standin.gsp().search(&GSTIN.parse().unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_prefix_goes_before_every_call_but_not_before_a_certificate_at_the_root() {
    let standin = StandIn::start().await;
    standin.state().api_prefix = "/gsp/api";
    let gsp = Gsp::builder(format!("http://{}/gsp/api/", standin.address))
        .credentials(Credentials::token(crate::standin::TOKEN));
    let gsp = gsp.build().unwrap();
    standin.taxpayer(&gsp).await;
    assert_eq!(standin.state().certificates_served, 1);
    assert_eq!(standin.last_call().path, "/gsp/api/taxpayerapi/v1.0/authenticate");
}

#[tokio::test]
async fn nobody_at_home_means_that_nothing_arrived() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = search_at(&base).await;
    assert!(matches!(error, Error::Unavailable { may_have_arrived: false, .. }), "{error:?}");
    assert_eq!(error.origin(), Origin::Network);
    assert!(error.to_string().contains(&base) && error.retryable());
}

#[tokio::test]
async fn a_call_that_was_sent_and_not_answered_may_have_arrived() {
    let error = search_at(&blunt_server(Vec::new()).await).await;
    assert!(matches!(error, Error::Unavailable { may_have_arrived: true, .. }), "{error:?}");

    let mut half = with_body("200 OK", br#"{"status_cd":"1"}"#);
    half.truncate(half.len() - 3);
    let error = search_at(&blunt_server(half).await).await;
    assert!(matches!(error, Error::Unavailable { may_have_arrived: true, .. }), "{error:?}");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let gsp = Gsp::builder(base)
        .credentials(Credentials::token("t"))
        .timeout(Duration::from_millis(50))
        .connect_timeout(Duration::from_millis(50));
    let error = gsp.build().unwrap().search(&GSTIN.parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { may_have_arrived: true, .. }), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let standin = StandIn::start().await;
    let elsewhere =
        format!("HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n", standin.address);
    let error = search_at(&blunt_server(elsewhere.into_bytes()).await).await;
    assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
    assert!(standin.state().calls.is_empty());
}

#[tokio::test]
async fn an_answer_beyond_all_bounds_is_not_taken_in() {
    for head in ["HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
        let answer = [head.as_bytes(), &[b' '; 2000]].concat();
        let error = search_at(&blunt_server(answer).await).await;
        assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn something_else_at_the_address_is_recognised() {
    let page = with_body("200 OK", b"<html>welcome to nginx</html>");
    assert!(matches!(search_at(&blunt_server(page.clone()).await).await, Error::Protocol { .. }));
    let gsp = Gsp::builder(blunt_server(page).await).credentials(Credentials::token("t")).build().unwrap();
    let error = gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME).request_otp().await.unwrap_err();
    assert!(error.to_string().contains("no certificate of GSTN"), "{error}");
    assert!(matches!(
        search_at(&blunt_server(b"not HTTP at all\r\n\r\n".to_vec()).await).await,
        Error::Unavailable { .. }
    ));
}
