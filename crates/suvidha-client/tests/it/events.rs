//! What an application hears, in which order, and what it never hears.

use std::sync::{Arc, Mutex};

use gstn::crypto::base64;
use suvidha_client::{Error, Event, SummaryKind};
use suvidha_seam::{ManualClock, Seam};

use crate::standin::getkey::{ASP_KEY, ASP_SECRET, ASPID};
use crate::standin::{GSTIN, OTP, PAN, StandIn, USERNAME};

/// An event in a word or two.
fn word(event: &Event) -> String {
    match event {
        Event::SessionRefreshed { .. } => "session".to_owned(),
        Event::AuthTokenRefreshed { .. } => "token".to_owned(),
        Event::OtpRequired { .. } => "otp".to_owned(),
        Event::CallStarting { call, .. } => format!("{}…", call.action),
        Event::CallFinished { call, outcome: Ok(()), .. } => call.action.clone(),
        Event::CallFinished { call, outcome: Err(error), .. } => {
            format!("{} {}", call.action, error.code().unwrap_or("?"))
        }
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn events_come_in_the_order_in_which_things_happen() {
    let standin = StandIn::start().await;
    let clock = Arc::new(ManualClock::at("2026-05-01T10:00:00Z".parse().unwrap()));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let words = || std::mem::take(&mut *heard.lock().unwrap()).iter().map(word).collect::<Vec<_>>();
    let told = heard.clone();
    let builder = standin.getkey_builder().seam(Seam { clock: clock.clone(), ..Seam::system() });
    let gsp = builder.on_event(move |event| told.lock().unwrap().push(event.clone())).build().unwrap();

    let taxpayer = standin.taxpayer(&gsp).await;
    assert_eq!(words(), ["session", "OTPREQUEST…", "OTPREQUEST", "AUTHTOKEN…", "AUTHTOKEN"]);

    let gstr1 = taxpayer.gstr1("042026".parse().unwrap());
    clock.advance(365 * 60_000 - 10 * 60_000);
    gstr1.summary(SummaryKind::Short).await.unwrap();
    assert_eq!(words(), ["session", "REFRESHTOKEN…", "REFRESHTOKEN", "token", "RETSUM…", "RETSUM"]);

    standin.state().getkey.end_sessions();
    gstr1.summary(SummaryKind::Short).await.unwrap();
    assert_eq!(words(), ["RETSUM…", "RETSUM GSP022", "session", "RETSUM…", "RETSUM"]);

    standin.end_sessions();
    gstr1.summary(SummaryKind::Short).await.unwrap_err();
    let expected = ["RETSUM…", "RETSUM AUTH4033", "REFRESHTOKEN…", "REFRESHTOKEN AUTH4038", "otp"];
    assert_eq!(words(), expected);
}

#[tokio::test]
async fn a_call_is_told_with_everything_that_finds_it_again() {
    let standin = StandIn::start().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    let gsp = standin.gsp_builder().on_event(move |event| told.lock().unwrap().push(event.clone()));
    gsp.build().unwrap().search(&GSTIN.parse().unwrap()).await.unwrap();
    let heard = heard.lock().unwrap();
    let [Event::CallStarting { call, .. }, Event::CallFinished { call: same, http_status, request_id, .. }] =
        &heard[..]
    else {
        panic!("{heard:?}")
    };
    assert_eq!(call, same);
    assert_eq!((call.method.as_str(), call.path.as_str()), ("GET", "commonapi/v1.1/search"));
    assert_eq!(call.gstin.unwrap().as_str(), GSTIN);
    assert_eq!(call.txn, standin.last_call().header("txn"));
    assert_eq!((*http_status, request_id.as_deref()), (Some(200), Some("01900000-request")));
}

#[tokio::test]
async fn a_handler_that_panics_hurts_nobody_else() {
    let standin = StandIn::start().await;
    let heard = Arc::new(Mutex::new(0));
    let told = heard.clone();
    let builder = standin.getkey_builder().on_event(|_| panic!("this handler panics, as this test wants it"));
    let gsp = builder.on_event(move |_| *told.lock().unwrap() += 1).build().unwrap();
    gsp.search(&GSTIN.parse().unwrap()).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), 3);
}

#[tokio::test]
async fn no_secret_is_in_an_event_an_error_a_url_or_a_debug() {
    let standin = StandIn::start().await;
    let heard = Arc::new(Mutex::new(String::new()));
    let told = heard.clone();
    let gsp = standin.getkey_builder();
    let gsp =
        gsp.on_event(move |event| told.lock().unwrap().push_str(&format!("{event:?}\n"))).build().unwrap();
    let taxpayer = standin.taxpayer(&gsp).await;
    let gstr1 = taxpayer.gstr1("042026".parse().unwrap());
    gstr1.request_evc_otp(&PAN.parse().unwrap()).await.unwrap();
    taxpayer.refresh().await.unwrap();
    let session = (gsp.session().await.unwrap().unwrap(), taxpayer.session().await.unwrap().unwrap());
    let aeks: Vec<[u8; 32]> = standin.state().getkey.keys().copied().collect();
    standin.state().getkey.secrets = vec![crate::standin::getkey::NEXT_ASP_SECRET];
    let wrong: Error = gsp.refresh_session().await.unwrap_err();
    standin.end_sessions();
    let over = gstr1.summary(SummaryKind::Short).await.unwrap_err();

    let mut shown = heard.lock().unwrap().clone();
    shown.push_str(&format!("{gsp:?} {taxpayer:?} {gstr1:?} {session:#?} {wrong:?} {wrong} {over:?} {over}"));
    let calls = standin.state().calls.clone();
    for call in &calls {
        shown.push_str(&format!("{} {:?}", call.path, call.query));
    }
    let header = |name: &str| {
        calls
            .iter()
            .map(|call| call.header(name).to_owned())
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
    };
    let signed = calls.iter().filter(|call| call.action() == "GETKEY").map(|call| {
        let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
        body["signed_content"].as_str().unwrap().to_owned()
    });
    let mut secrets: Vec<String> = [header("asp-secret"), header("auth-token"), signed.collect()].concat();
    assert!(secrets.len() > 6, "{secrets:?}");
    secrets.extend([ASP_SECRET, OTP].map(str::to_owned));
    secrets.push(base64::encode(&ASP_KEY.pkcs8_der()[..60]));
    for key in aeks.iter().chain(&[[0x41; 32], [0x42; 32]]) {
        secrets.push(base64::encode(key));
        secrets.push(key.iter().map(|byte| format!("{byte:02x}")).collect());
        secrets.push(format!("{0}, {0}, {0}", key[0]));
    }
    for secret in &secrets {
        assert!(!shown.contains(secret.as_str()), "{secret} in {shown}");
    }
    assert!(shown.contains(ASPID) && shown.contains(USERNAME), "the events are there");
}
