//! Sessions that last as long as GSTN lets them, and credentials that last as long as the operator does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use suvidha_client::Error;
use suvidha_seam::ManualClock;
use suvidha_testkit::World;

use crate::gsp;

const OTP: &str = "575757";
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

#[tokio::test]
async fn a_session_is_refreshed_without_an_otp_and_dies_when_it_is_not() {
    let clock = Arc::new(ManualClock::at("2026-11-05T06:30:00Z".parse().unwrap()));
    let world = World::at(clock.clone()).await.unwrap();
    let gsp = gsp(&world);
    let known = world.taxpayer().await.unwrap();
    let taxpayer = gsp.taxpayer(known.gstin, &known.username);
    let first = taxpayer.request_otp().await.unwrap().verify(OTP).await.unwrap();

    clock.advance(5 * HOUR);
    taxpayer.refresh().await.unwrap();
    clock.advance(5 * HOUR);
    let gstr1 = taxpayer.gstr1("102026".parse().unwrap());
    gstr1.reset().await.unwrap();
    clock.advance(355 * MINUTE - 5 * HOUR);
    gstr1.reset().await.unwrap();
    assert!(
        taxpayer.session().await.unwrap().unwrap().expires_at() > first.expires_at(),
        "refreshed by itself"
    );

    clock.advance(7 * HOUR);
    let expired = gstr1.reset().await.unwrap_err();
    assert!(matches!(expired, Error::OtpRequired { .. }), "{expired}");
}

#[tokio::test]
async fn a_suspended_asp_is_refused_and_a_resumed_one_served_without_a_restart() {
    let world = World::start().await.unwrap();
    let gsp = gsp(&world);
    let taxpayer = world.taxpayer().await.unwrap();
    gsp.search(&taxpayer.gstin).await.unwrap();

    world.registry.suspend(&world.aspid).unwrap();
    let refused = poll(async || gsp.search(&taxpayer.gstin).await.err()).await;
    assert_eq!(refused.code(), Some("GSP024"));

    world.registry.resume(&world.aspid).unwrap();
    poll(async || gsp.search(&taxpayer.gstin).await.ok()).await;
}

/// What `ask` comes to have within ten seconds.
async fn poll<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(had) = ask().await {
            return had;
        }
        assert!(Instant::now() < deadline, "it did not happen in ten seconds");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
