//! The SDK proving itself by GetKey at a real gateway: it gets its session when it needs one, shares it, keeps it, and gets
//! another when it is over, whatever ended it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gstn::Environment::Sandbox;
use gstn::Gstin;
use gstn::crypto::{PrivateKey, sha256_hex};
use jiff::{SignedDuration, Timestamp};
use suvidha_client::{Event, FileStore, Gsp, GspBuilder};
use suvidha_seam::ManualClock;
use suvidha_store::{Plan, PlanKind, TopUp};
use suvidha_testkit::World;

use crate::by_getkey;

/// How many GSP sessions a client has got, by its own account.
#[derive(Clone, Default)]
struct Renewals(Arc<AtomicUsize>);

impl Renewals {
    fn counted(&self, builder: GspBuilder) -> Gsp {
        let count = Arc::clone(&self.0);
        let counted = builder.on_event(move |event| {
            if matches!(event, Event::SessionRefreshed { .. }) {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        counted.build().unwrap()
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-11-05T06:30:00Z".parse().unwrap()))
}

#[tokio::test]
async fn two_hundred_calls_on_an_expired_session_make_one_getkey() {
    let clock = clock();
    let world = World::at(clock.clone()).await.unwrap();
    let taxpayer = world.taxpayer().await.unwrap();
    let renewals = Renewals::default();
    let gsp = renewals.counted(by_getkey(&world, &world.sandbox));
    gsp.search(&taxpayer.gstin).await.unwrap();
    clock.advance(7 * 3_600_000);
    let search = |gstin: Gstin| {
        let gsp = gsp.clone();
        tokio::spawn(async move { gsp.search(&gstin).await.map(drop) })
    };
    let calls: Vec<_> = (0..200).map(|_| search(taxpayer.gstin)).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(renewals.count(), 2, "the first, and one for all two hundred");
}

#[tokio::test]
async fn a_session_on_disk_serves_the_program_that_is_started_next() {
    let world = World::start().await.unwrap();
    let taxpayer = world.taxpayer().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let renewals = Renewals::default();
    for _ in 0..2 {
        let store = FileStore::new(directory.path().join("sessions")).unwrap();
        let gsp = renewals.counted(by_getkey(&world, &world.sandbox).session_store(store));
        gsp.search(&taxpayer.gstin).await.unwrap();
    }
    assert_eq!(renewals.count(), 1);
}

#[tokio::test]
async fn a_session_that_dies_early_is_renewed_within_the_call() {
    let world = World::start().await.unwrap();
    let taxpayer = world.taxpayer().await.unwrap();
    let renewals = Renewals::default();
    let gsp = renewals.counted(by_getkey(&world, &world.sandbox));
    gsp.search(&taxpayer.gstin).await.unwrap();
    let wait_for = async |wanted: usize| {
        let deadline = Instant::now() + Duration::from_secs(10);
        while renewals.count() < wanted {
            gsp.search(&taxpayer.gstin).await.unwrap();
            assert!(Instant::now() < deadline, "{} of {wanted} sessions", renewals.count());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };

    world.registry.revoke_sessions(&world.aspid, Some(Sandbox)).unwrap();
    wait_for(2).await;
    gsp.search(&taxpayer.gstin).await.unwrap();
    assert_eq!(renewals.count(), 2, "the new one serves");
}

#[tokio::test]
async fn a_program_with_the_new_secret_and_one_with_the_old_both_work_in_the_overlap() {
    let clock = clock();
    let mut world = World::at(clock.clone()).await.unwrap();
    let taxpayer = world.taxpayer().await.unwrap();
    let old = by_getkey(&world, &world.sandbox).build().unwrap();
    let day = SignedDuration::from_hours(24);
    world.sandbox.secret = world.registry.rotate_asp_secret(&world.aspid, Sandbox, day).unwrap().secret;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        // Each time a client without a session, which must open what GetKey says now.
        let new = by_getkey(&world, &world.sandbox).build().unwrap();
        match new.search(&taxpayer.gstin).await {
            Ok(_) => break,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    old.search(&taxpayer.gstin).await.unwrap();

    clock.advance(25 * 3_600_000);
    let new = by_getkey(&world, &world.sandbox).build().unwrap();
    new.search(&taxpayer.gstin).await.unwrap();
    old.search(&taxpayer.gstin).await.unwrap_err();
}

#[tokio::test]
async fn an_asp_replaces_its_certificate_and_goes_on_with_the_new_key() {
    let clock = clock();
    let mut world = World::at(clock.clone()).await.unwrap();
    let taxpayer = world.taxpayer().await.unwrap();
    let old = by_getkey(&world, &world.sandbox).build().unwrap();
    let next = PrivateKey::generate_2048();
    let registered = old.replace_certificate(next.public_key().spki_pem()).await.unwrap();
    assert_eq!(registered.key_fingerprint, sha256_hex(next.public_key().spki_der()));
    assert_eq!((&registered.subject, &registered.fingerprint, registered.not_after), (&None, &None, None));
    let a_day_later: Timestamp = "2026-11-06T06:30:00Z".parse().unwrap();
    assert_eq!(registered.others_until, Some(a_day_later));
    old.refresh_session().await.unwrap();
    old.search(&taxpayer.gstin).await.unwrap();

    world.sandbox.key = next;
    let new = by_getkey(&world, &world.sandbox).build().unwrap();
    new.search(&taxpayer.gstin).await.unwrap();
    clock.advance(24 * 3_600_000);
    assert_eq!(old.refresh_session().await.unwrap_err().code(), Some("GSP663"));
    new.refresh_session().await.unwrap();
    let error = new.replace_certificate(world.sandbox.key.public_key().spki_pem()).await.unwrap_err();
    assert_eq!(error.code(), Some("GSP667"), "it is registered already: {error}");
}

#[tokio::test]
async fn an_asp_sees_what_it_has_left() {
    let world = World::at(clock()).await.unwrap();
    let taxpayer = world.taxpayer().await.unwrap();
    let gsp = by_getkey(&world, &world.sandbox).build().unwrap();
    let unmetered = gsp.balance().await.unwrap();
    assert_eq!((unmetered.units, unmetered.usable_until), (None, None));

    let plan = Plan { kind: PlanKind::Prepaid, monthly_cap: None };
    world.registry.set_plan(&world.aspid, Sandbox, plan).unwrap();
    let expires_at = Some("2027-03-31T18:30:00Z".parse().unwrap());
    world.registry.top_up(&world.aspid, Sandbox, TopUp { units: 10, expires_at, note: None }).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while gsp.balance().await.unwrap().units != Some(10) {
        assert!(Instant::now() < deadline, "{}", gsp.balance().await.unwrap());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    gsp.search(&taxpayer.gstin).await.unwrap();
    let left = gsp.balance().await.unwrap();
    assert_eq!((left.units, left.plan.as_deref()), (Some(9), Some("prepaid")));
    assert_eq!(left.usable_until, Some("2027-03-31T18:29:59Z".parse().unwrap()));
}
