//! Taxpayers' sessions: kept alive while the taxpayer's consent lasts, and given up when only an OTP helps.

use std::sync::{Arc, Mutex};

use suvidha_client::{Error, Event, Gsp, MemoryStore, SummaryKind, Taxpayer};
use suvidha_seam::{ManualClock, Seam};
use tokio::task::JoinSet;

use crate::standin::{ARN, GSTIN, OTP, PAN, StandIn, USERNAME};

const MINUTE: i64 = 60_000;

/// A taxpayer logged in at a moment that stands still, and what was told about it.
struct Story {
    standin: StandIn,
    clock: Arc<ManualClock>,
    gsp: Gsp,
    taxpayer: Taxpayer,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Story {
    async fn begin() -> Self {
        let standin = StandIn::start().await;
        let clock = Arc::new(ManualClock::at("2026-05-01T10:00:00Z".parse().unwrap()));
        let events = Arc::new(Mutex::new(Vec::new()));
        let told = events.clone();
        let builder = standin.gsp_builder().seam(Seam { clock: clock.clone(), ..Seam::system() });
        let gsp = builder.on_event(move |event| told.lock().unwrap().push(event.clone())).build().unwrap();
        let taxpayer = standin.taxpayer(&gsp).await;
        standin.state().calls.clear();
        Self { standin, clock, gsp, taxpayer, events }
    }

    /// How many events were of this kind.
    fn told(&self, kind: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|event| kind(event)).count()
    }

    fn told_of_otp(&self) -> usize {
        self.told(|event| matches!(event, Event::OtpRequired { username, .. } if username == USERNAME))
    }
}

async fn summary(taxpayer: &Taxpayer) -> Result<(), Error> {
    taxpayer.gstr1("042026".parse().unwrap()).summary(SummaryKind::Short).await.map(drop)
}

fn needs_otp(outcome: Result<(), Error>) -> bool {
    matches!(outcome, Err(Error::OtpRequired { .. }))
}

#[tokio::test]
async fn a_token_is_refreshed_before_it_ends_and_once_for_all_who_wait() {
    let story = Story::begin().await;
    let end = story.taxpayer.session().await.unwrap().unwrap().expires_at();
    story.clock.advance(339 * MINUTE);
    summary(&story.taxpayer).await.unwrap();
    assert_eq!(story.standin.actions(), ["RETSUM"]);

    story.clock.advance(12 * MINUTE);
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        // Handles and clones are of one session.
        let taxpayer = story.gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME).clone();
        calls.spawn(async move { summary(&taxpayer).await });
    }
    assert!(calls.join_all().await.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!(story.standin.count("REFRESHTOKEN"), 1);
    assert!(story.taxpayer.session().await.unwrap().unwrap().expires_at() > end);
    assert_eq!(story.told(|event| matches!(event, Event::AuthTokenRefreshed { .. })), 1);
}

#[tokio::test]
async fn taxpayers_do_not_wait_for_each_other() {
    let story = Story::begin().await;
    let others: Vec<_> = (0..20)
        .map(|number| story.gsp.taxpayer(GSTIN.parse().unwrap(), format!("{USERNAME}.{number}")))
        .collect();
    for taxpayer in &others {
        taxpayer.request_otp().await.unwrap().verify(OTP).await.unwrap();
    }
    story.clock.advance(355 * MINUTE);
    let mut calls = JoinSet::new();
    for taxpayer in others.iter().chain(&others) {
        let taxpayer = taxpayer.clone();
        calls.spawn(async move { summary(&taxpayer).await });
    }
    assert!(calls.join_all().await.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!(story.standin.count("REFRESHTOKEN"), 20);
    let tokens: std::collections::HashSet<_> = story
        .standin
        .state()
        .calls
        .iter()
        .filter(|call| call.action() == "RETSUM")
        .map(|call| (call.header("username").to_owned(), call.header("auth-token").to_owned()))
        .collect();
    assert_eq!(tokens.len(), 20, "each with a token of its own");
}

#[tokio::test]
async fn a_token_that_died_early_is_refreshed_and_the_call_sealed_anew() {
    let story = Story::begin().await;
    let gstr1 = story.taxpayer.gstr1("042026".parse().unwrap());
    story.standin.tire_sessions();
    gstr1.save(r#"{"gstin":"33AANCS2882A1ZG","fp":"042026"}"#).await.unwrap();
    assert_eq!(story.standin.actions(), ["RETSAVE", "REFRESHTOKEN", "RETSAVE"]);
    assert!(story.standin.state().saved.is_some(), "GSTN could read it under the new key");

    let summary = gstr1.summary(SummaryKind::Short).await.unwrap();
    story.standin.tire_sessions();
    let pan = PAN.parse().unwrap();
    assert_eq!(gstr1.file_with_evc(&summary, &pan, OTP).await.unwrap(), ARN);
    assert_eq!(story.told_of_otp(), 0);
}

#[tokio::test]
async fn a_token_that_dies_twice_is_given_up() {
    for code in ["AUTH4033", "AUTH4038", "RET11402"] {
        let story = Story::begin().await;
        story.standin.state().session_refusal = Some(code);
        let error = summary(&story.taxpayer).await.unwrap_err();
        assert!(matches!(error, Error::OtpRequired { .. }) && error.code() == Some(code), "{error:?}");
        let calls = ["RETSUM", "REFRESHTOKEN", "RETSUM"];
        assert_eq!(story.standin.actions(), calls);
        assert!(needs_otp(summary(&story.taxpayer).await));
        assert_eq!(story.standin.actions(), calls, "there is nothing left to try");
        assert_eq!(story.told_of_otp(), 1);
    }
}

#[tokio::test]
async fn a_session_that_gstn_ended_needs_an_otp_and_it_is_told_once() {
    let story = Story::begin().await;
    story.standin.end_sessions();
    let error = summary(&story.taxpayer).await.unwrap_err();
    assert_eq!(error.code(), Some("AUTH4038"), "what GSTN said to the refresh");
    for _ in 0..5 {
        assert!(needs_otp(summary(&story.taxpayer).await));
    }
    assert_eq!(story.standin.actions(), ["RETSUM", "REFRESHTOKEN"]);
    assert_eq!(story.told_of_otp(), 1);

    story.taxpayer.request_otp().await.unwrap().verify(OTP).await.unwrap();
    summary(&story.taxpayer).await.unwrap();
    story.standin.end_sessions();
    assert!(needs_otp(summary(&story.taxpayer).await));
    assert_eq!(story.told_of_otp(), 2, "a new session is a new story");
}

#[tokio::test]
async fn when_consent_is_over_the_session_serves_to_its_end() {
    let story = Story::begin().await;
    story.standin.state().refresh_refusal = Some("AUTH4037");
    story.clock.advance(351 * MINUTE);
    for _ in 0..3 {
        summary(&story.taxpayer).await.unwrap();
        story.clock.advance(MINUTE);
    }
    assert_eq!(story.standin.count("REFRESHTOKEN"), 1, "asking again changes nothing");
    assert_eq!(story.told(|event| matches!(event, Event::RefreshFailed { gstin: Some(_), .. })), 1);
    story.clock.advance(10 * MINUTE);
    let error = summary(&story.taxpayer).await.unwrap_err();
    assert!(matches!(error, Error::OtpRequired { refusal: None, .. }), "{error:?}");
    assert!(error.remedy().is_some());
    assert_eq!((story.standin.count("RETSUM"), story.told_of_otp()), (3, 1));
}

#[tokio::test]
async fn a_taxpayer_who_never_logged_in_needs_an_otp_and_nothing_is_sent() {
    let standin = StandIn::start().await;
    let taxpayer = standin.gsp().taxpayer(GSTIN.parse().unwrap(), USERNAME);
    assert!(needs_otp(summary(&taxpayer).await));
    assert!(needs_otp(taxpayer.refresh().await.map(drop)));
    assert!(taxpayer.session().await.unwrap().is_none());
    taxpayer.logout().await.unwrap();
    assert!(standin.actions().is_empty());
}

#[tokio::test]
async fn a_session_refreshed_elsewhere_is_taken_over() {
    let standin = StandIn::start().await;
    let store = Arc::new(MemoryStore::new());
    let gsp = || standin.gsp_builder().session_store(store.clone()).build().unwrap();
    let (here, there) = (standin.taxpayer(&gsp()).await, gsp().taxpayer(GSTIN.parse().unwrap(), USERNAME));
    summary(&there).await.unwrap();
    here.refresh().await.unwrap();
    standin.state().calls.clear();
    summary(&there).await.unwrap();
    assert_eq!(standin.actions(), ["RETSUM", "RETSUM"], "the second with the token that is in the store");

    here.logout().await.unwrap();
    assert!(needs_otp(summary(&there).await));
}

#[tokio::test]
async fn a_session_of_another_taxpayer_is_not_taken() {
    let story = Story::begin().await;
    let session = story.taxpayer.session().await.unwrap().unwrap();
    let other = story.gsp.taxpayer(GSTIN.parse().unwrap(), "somebody else");
    assert!(matches!(other.resume(session.clone()).await, Err(Error::Invalid(_))));

    let builder = story.standin.gsp_builder().seam(Seam { clock: story.clock.clone(), ..Seam::system() });
    let elsewhere = builder.build().unwrap().taxpayer(GSTIN.parse().unwrap(), USERNAME);
    elsewhere.resume(session).await.unwrap();
    summary(&elsewhere).await.unwrap();
}
