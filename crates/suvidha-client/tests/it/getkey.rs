//! An ASP's session with its GSP: got when it is needed, kept alive, and got once however many need it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gstn::crypto::PrivateKey;
use jiff::Timestamp;
use serde_json::json;
use suvidha_client::{Error, Event, Gsp, MemoryStore, Origin};
use suvidha_seam::{ManualClock, Seam, SeededRng};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::standin::getkey::{ASP_KEY, ASP_SECRET, ASPID, NEXT_ASP_SECRET, credentials, refused};
use crate::standin::{GSTIN, StandIn};

const MINUTE: i64 = 60_000;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-05-01T10:00:00Z".parse().unwrap()))
}

fn held(clock: &Arc<ManualClock>) -> Seam {
    Seam { clock: clock.clone(), ..Seam::system() }
}

/// A call that needs nothing but the ASP's session.
async fn search(gsp: &Gsp) -> Result<(), Error> {
    gsp.search(&GSTIN.parse().unwrap()).await.map(drop)
}

/// Two hundred calls at once; the codes of those that failed.
async fn two_hundred(gsp: &Gsp, once_they_wait: impl FnOnce()) -> Vec<Option<String>> {
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let gsp = gsp.clone();
        calls.spawn(async move { search(&gsp).await });
    }
    // One turn of this runtime's only thread, and each of them has begun.
    tokio::task::yield_now().await;
    once_they_wait();
    let outcomes = calls.join_all().await;
    outcomes.into_iter().filter_map(Result::err).map(|error| error.code().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_call_gets_a_session_first_and_shows_the_secret_under_its_key() {
    let standin = StandIn::start().await;
    let gsp = standin.getkey_builder().build().unwrap();
    search(&gsp).await.unwrap();
    search(&gsp).await.unwrap();
    assert_eq!(standin.actions(), ["GETKEY", "TP", "TP"]);
    let calls = standin.state().calls.clone();
    for call in &calls[1..] {
        assert_eq!((call.header("aspid"), call.header("session-id")), (ASPID, "gsp-session-1"));
        assert_eq!(call.header("x-ct-auth-token"), "");
    }
    let session = gsp.session().await.unwrap().unwrap();
    assert_eq!(session.session_id(), "gsp-session-1");
    assert_eq!(standin.count("GETKEY"), 1, "to look at the session is not to renew it");
    assert_eq!(gsp.refresh_session().await.unwrap().unwrap().session_id(), "gsp-session-2");
    assert!(standin.gsp().session().await.unwrap().is_none(), "there is no session with a token");
}

#[tokio::test]
async fn two_hundred_calls_on_an_expired_session_make_one_getkey() {
    let (standin, clock) = (StandIn::start().await, clock());
    let gsp = standin.getkey_builder().seam(held(&clock)).build().unwrap();
    search(&gsp).await.unwrap();
    clock.advance(361 * MINUTE);
    assert_eq!(two_hundred(&gsp, || ()).await, [None; 0]);
    assert_eq!(standin.count("GETKEY"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_calls_whose_session_was_revoked_make_one_getkey() {
    let standin = StandIn::start().await;
    let gsp = standin.getkey_builder().build().unwrap();
    search(&gsp).await.unwrap();
    standin.state().getkey.end_sessions();
    assert_eq!(two_hundred(&gsp, || ()).await, [None; 0]);
    assert_eq!(standin.count("GETKEY"), 2);
}

#[tokio::test]
async fn those_who_wait_share_a_failure() {
    let standin = StandIn::start().await;
    let gsp = standin.getkey_builder().build().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    standin.state().getkey.gate = Some(gate.clone());
    standin.state().getkey.refusal = Some(refused(401, "GSP013"));
    let failures = two_hundred(&gsp, || gate.add_permits(1)).await;
    assert_eq!(failures, vec![Some("GSP013".to_owned()); 200]);
    assert_eq!(standin.actions(), ["GETKEY"]);

    standin.state().getkey.gate = None;
    standin.state().getkey.refusal = None;
    gsp.refresh_session().await.unwrap();
    search(&gsp).await.unwrap();
}

#[tokio::test]
async fn a_session_is_renewed_before_it_ends_and_a_fleet_does_not_renew_at_once() {
    let (standin, clock) = (StandIn::start().await, clock());
    let fleet: Vec<Gsp> = (0..6)
        .map(|seed| {
            let seam = Seam { clock: clock.clone(), rng: Arc::new(SeededRng::new(seed)) };
            standin.getkey_builder().seam(seam).build().unwrap()
        })
        .collect();
    for gsp in &fleet {
        search(gsp).await.unwrap();
    }
    clock.advance(349 * MINUTE);
    let mut renewals = Vec::new();
    for _ in 0..13 {
        let before = standin.count("GETKEY");
        for gsp in &fleet {
            search(gsp).await.unwrap();
        }
        renewals.push(standin.count("GETKEY") - before);
        clock.advance(MINUTE / 2);
    }
    assert_eq!(
        renewals.iter().sum::<usize>(),
        6,
        "each once, five minutes before the end at the latest: {renewals:?}"
    );
    assert_eq!(renewals[..2], [0, 0], "and ten minutes before it at the earliest");
    assert!(renewals.iter().all(|together| *together < 6), "{renewals:?}");
}

#[tokio::test]
async fn a_session_that_died_early_is_replaced_and_the_call_repeated() {
    let standin = StandIn::start().await;
    let gsp = standin.getkey_builder().build().unwrap();
    let taxpayer = standin.taxpayer(&gsp).await;
    let gstr1 = taxpayer.gstr1("042026".parse().unwrap());
    standin.state().getkey.end_sessions();
    gstr1.reset().await.unwrap();
    standin.state().getkey.change_keys();
    gstr1.reset().await.unwrap();
    let expected =
        ["GETKEY", "OTPREQUEST", "AUTHTOKEN", "RESET", "GETKEY", "RESET", "RESET", "GETKEY", "RESET"];
    assert_eq!(standin.actions(), expected);
}

#[tokio::test]
async fn a_session_that_dies_twice_is_an_error_and_no_endless_loop() {
    let standin = StandIn::start().await;
    let gsp = standin.getkey_builder().build().unwrap();
    standin.state().getkey.all_dead = true;
    let error = search(&gsp).await.unwrap_err();
    assert_eq!((error.code(), error.origin()), (Some("GSP022"), Origin::Gsp));
    assert_eq!(standin.actions(), ["GETKEY", "TP", "GETKEY", "TP"]);
    standin.state().getkey.all_dead = false;
    search(&gsp).await.unwrap();
}

#[tokio::test]
async fn another_secret_than_the_gsps_is_told_as_such() {
    let standin = StandIn::start().await;
    let wrong = credentials(NEXT_ASP_SECRET, &ASP_KEY);
    let gsp = standin.gsp_builder().credentials(wrong).build().unwrap();
    let error = search(&gsp).await.unwrap_err();
    assert!(matches!(error, Error::WrongAspSecret { .. }), "{error:?}");
    assert!(error.to_string().contains(ASPID) && error.remedy().is_some());
    assert_eq!((error.origin(), error.request_id()), (Origin::Client, Some("01900000-request")));
    assert_eq!(standin.actions(), ["GETKEY"], "no call was sent");
}

#[tokio::test]
async fn a_key_whose_certificate_the_gsp_has_not_is_told_with_the_gateways_remedy() {
    let standin = StandIn::start().await;
    let wrong = credentials(ASP_SECRET, &PrivateKey::generate_2048());
    let gsp = standin.gsp_builder().credentials(wrong).build().unwrap();
    let error = search(&gsp).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)));
    assert_eq!(
        (error.code(), error.origin(), error.remedy()),
        (Some("GSP014"), Origin::Gsp, Some("Do this."))
    );
    assert_eq!(standin.actions(), ["GETKEY"]);
}

#[tokio::test]
async fn while_the_secret_changes_the_old_one_and_the_new_one_open_a_session() {
    let standin = StandIn::start().await;
    standin.state().getkey.secrets = vec![ASP_SECRET, NEXT_ASP_SECRET];
    for secret in [ASP_SECRET, NEXT_ASP_SECRET] {
        let gsp = standin.gsp_builder().credentials(credentials(secret, &ASP_KEY)).build().unwrap();
        search(&gsp).await.unwrap();
    }
    standin.state().getkey.secrets = vec![NEXT_ASP_SECRET];
    let gsp = standin.getkey_builder().build().unwrap();
    assert!(matches!(search(&gsp).await, Err(Error::WrongAspSecret { .. })));
}

#[tokio::test]
async fn other_gsps_write_numbers_as_texts_and_refusals_without_a_code() {
    let standin = StandIn::start().await;
    standin.state().getkey.validity_min = json!("360");
    let gsp = standin.getkey_builder().build().unwrap();
    search(&gsp).await.unwrap();
    standin.state().getkey.refusal = Some((200, json!({"status_cd": "0", "message": "Certificate missing"})));
    let error = gsp.refresh_session().await.unwrap_err();
    assert!(
        matches!(error, Error::Refused(_)) && error.to_string().contains("Certificate missing"),
        "{error}"
    );
}

/// Of the events, how far clocks were corrected.
fn corrections(events: &Mutex<Vec<Event>>) -> Vec<i64> {
    let events = events.lock().unwrap();
    let seconds = |event: &Event| match event {
        Event::ClockCorrected { seconds, .. } => Some(*seconds),
        _ => None,
    };
    events.iter().filter_map(seconds).collect()
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_corrected_by_the_gateways() {
    let (standin, clock) = (StandIn::start().await, clock());
    standin.state().getkey.now = Some("2026-05-01T09:20:00Z".parse().unwrap());
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = events.clone();
    let builder = standin.getkey_builder().seam(held(&clock));
    let gsp = builder.on_event(move |event| told.lock().unwrap().push(event.clone())).build().unwrap();
    search(&gsp).await.unwrap();
    assert_eq!(corrections(&events), [-2400]);
    gsp.refresh_session().await.unwrap();
    assert_eq!(standin.actions(), ["GETKEY", "GETKEY", "TP", "GETKEY"], "what was learnt is kept");
}

#[tokio::test]
async fn a_date_that_does_not_help_leaves_the_gateways_refusal() {
    let (standin, clock) = (StandIn::start().await, clock());
    let now: Timestamp = "2026-05-01T09:20:00Z".parse().unwrap();
    standin.state().getkey.now = Some(now);
    for (date, asked) in
        [("2026-05-01T10:00:01Z", 1), ("2026-05-03T10:00:01Z", 1), ("2026-05-01T10:30:00Z", 2)]
    {
        standin.state().getkey.date = Some(date.parse().unwrap());
        let gsp = standin.getkey_builder().seam(held(&clock)).build().unwrap();
        let before = standin.count("GETKEY");
        assert_eq!(search(&gsp).await.unwrap_err().code(), Some("GSP660"));
        assert_eq!(standin.count("GETKEY") - before, asked, "{date}");
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_renewed_serves_to_its_end() {
    let (standin, clock) = (StandIn::start().await, clock());
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = events.clone();
    let builder = standin.getkey_builder().seam(held(&clock));
    let gsp = builder.on_event(move |event| told.lock().unwrap().push(event.clone())).build().unwrap();
    search(&gsp).await.unwrap();

    standin.state().getkey.refusal = Some((503, json!("down for a while")));
    clock.advance(356 * MINUTE);
    search(&gsp).await.unwrap();
    search(&gsp).await.unwrap();
    assert_eq!(standin.count("GETKEY"), 2, "the next try has time");
    clock.advance(MINUTE);
    search(&gsp).await.unwrap();
    assert_eq!(standin.count("GETKEY"), 3);
    let failed = |event: &&Event| {
        matches!(event, Event::RefreshFailed { gstin: None, error: Error::Unavailable { .. }, .. })
    };
    assert_eq!(events.lock().unwrap().iter().filter(failed).count(), 2);

    clock.advance(4 * MINUTE);
    assert!(matches!(search(&gsp).await, Err(Error::Unavailable { .. })));
    standin.state().getkey.refusal = None;
    search(&gsp).await.unwrap();
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_break_off_what_others_need() {
    let standin = StandIn::start().await;
    let gsp = standin.getkey_builder().build().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    standin.state().getkey.gate = Some(gate.clone());
    let impatient = {
        let gsp = gsp.clone();
        tokio::spawn(async move { search(&gsp).await })
    };
    tokio::task::yield_now().await;
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    gate.add_permits(1);
    search(&gsp).await.unwrap();
    assert_eq!(standin.actions(), ["GETKEY", "TP"]);
}

#[test]
fn a_renewal_that_went_with_its_runtime_is_nothing_to_wait_for() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (outside, first, second) = (runtime(), runtime(), runtime());
    let standin = outside.block_on(StandIn::start());
    let gsp = standin.getkey_builder().build().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    standin.state().getkey.gate = Some(gate.clone());
    let here = gsp.clone();
    first.spawn(async move { search(&here).await });
    let deadline = Instant::now() + Duration::from_secs(30);
    while standin.state().connections == 0 {
        assert!(Instant::now() < deadline, "GetKey did not begin");
        std::thread::yield_now();
    }
    first.shutdown_background();
    gate.add_permits(2);
    let search = async { tokio::time::timeout(Duration::from_secs(30), search(&gsp)).await };
    second.block_on(search).unwrap().unwrap();
}

#[tokio::test]
async fn a_session_of_any_length_serves_while_it_lasts_and_no_longer() {
    for (validity_min, sessions) in [(json!(0), 3), (json!("1"), 1), (json!(4_294_967_295_u32), 1)] {
        let (standin, clock) = (StandIn::start().await, clock());
        standin.state().getkey.validity_min = validity_min;
        let store = Arc::new(MemoryStore::new());
        let builder = || standin.getkey_builder().seam(held(&clock)).session_store(store.clone());
        let gsp = builder().build().unwrap();
        search(&gsp).await.unwrap();
        search(&gsp).await.unwrap();
        let next_run = builder().build().unwrap();
        search(&next_run).await.unwrap();
        assert_eq!(standin.count("GETKEY"), sessions);
        clock.advance(-100_000 * MINUTE);
        search(&next_run).await.unwrap();
        standin.state().getkey.end_sessions();
        search(&next_run).await.unwrap();
    }
}
