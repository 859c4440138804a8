//! GSP sessions over the whole way, made and used by a program that knows nothing but the protocol: they outlive a
//! gateway, are shared by its replicas, follow the key ring, end when they are revoked, and belong to one environment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gstn::Environment::{Production, Sandbox};
use gstn::crypto::PrivateKey;
use gstn::getkey::GetKeyReply;
use jiff::SignedDuration;
use suvidha_seam::{Clock, ManualClock};
use suvidha_testkit::{Answer, EnrolledAsp, Session, World};

/// When the story begins: 12:00 in India.
const NOON: &str = "2026-11-05T06:30:00Z";

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOON.parse().unwrap()))
}

/// A search for a taxpayer that GSTN knows: the simplest call that takes the whole way.
struct Search(String);

impl Search {
    async fn of(world: &World) -> Self {
        let taxpayer = world.taxpayer().await.unwrap();
        Self(format!("/commonapi/v1.1/search?action=TP&gstin={}", taxpayer.gstin))
    }

    async fn at(&self, url: &str, asp: &EnrolledAsp, session: &Session) -> Answer {
        asp.get(url, session, &self.0).await.unwrap()
    }
}

#[track_caller]
fn served(answer: &Answer) {
    assert_eq!((answer.status, answer.body["status_cd"].as_str()), (200, Some("1")), "{}", answer.body);
}

#[track_caller]
fn refused(answer: &Answer, code: &str) {
    assert_eq!(answer.error_cd(), Some(code), "{}", answer.body);
}

/// What the gateway comes to answer within ten seconds: it looks at the registry twice a second.
async fn until(wanted: Option<&str>, mut ask: impl AsyncFnMut() -> Answer) {
    let begun = Instant::now();
    loop {
        let answer = ask().await;
        if answer.error_cd() == wanted {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "still {answer:?}, not {wanted:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_asp_gets_a_session_calls_gstn_in_it_and_renews_it() {
    let clock = clock();
    let world = World::at(clock.clone()).await.unwrap();
    let (asp, url, search) = (&world.sandbox, world.gateway_url(), Search::of(&world).await);

    let answer = asp.getkey(&url, &asp.signed().unwrap()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let reply: GetKeyReply = serde_json::from_value(answer.body.clone()).unwrap();
    assert_eq!((&*reply.txn, &*reply.message, reply.enc_key_next), ("getkey-1", "", None));
    let first = asp.open(&answer).unwrap();
    assert_eq!((first.id.len(), first.validity_min), (31, 360));
    served(&search.at(&url, asp, &first).await);

    clock.advance(359 * 60_000);
    let second = asp.session(&url).await.unwrap();
    assert_ne!(second.id, first.id);
    served(&search.at(&url, asp, &first).await);
    clock.advance(60_000);
    refused(&search.at(&url, asp, &first).await, "GSP022");
    served(&search.at(&url, asp, &second).await);
}

#[tokio::test]
async fn a_call_that_does_not_prove_itself_never_reaches_gstn() {
    let world = World::start().await.unwrap();
    let (asp, url, search) = (&world.sandbox, world.gateway_url(), Search::of(&world).await);
    let (session, other) = (asp.session(&url).await.unwrap(), asp.session(&url).await.unwrap());

    let mixed = Session { id: other.id.clone(), ..session.clone() };
    refused(&search.at(&url, asp, &mixed).await, "GSP017");
    let place = session.id.len() - 2;
    let changed = if session.id.as_bytes()[place] == b'A' { "B" } else { "A" };
    let mut altered = session.clone();
    altered.id.replace_range(place..=place, changed);
    refused(&search.at(&url, asp, &altered).await, "GSP017");

    let stranger = world.registry.add_asp(suvidha_store::NewAsp {
        name: "Another ASP".to_owned(),
        contact_name: "Ravi".to_owned(),
        email: "ravi@example.com".to_owned(),
        phone: "+91 12345 67891".to_owned(),
    });
    let mut stranger = world.enrol(stranger.unwrap().aspid, Sandbox).unwrap();
    until(None, async || stranger.getkey(&url, &stranger.signed().unwrap()).await.unwrap()).await;
    refused(&search.at(&url, &stranger, &session).await, "GSP017");
    let own = stranger.session(&url).await.unwrap();
    served(&search.at(&url, &stranger, &own).await);
    stranger.secret = asp.secret.clone();
    refused(&search.at(&url, &stranger, &own).await, "GSP018");
}

#[tokio::test]
async fn a_getkey_call_is_of_this_moment_signed_by_the_asp_and_used_once() {
    let clock = clock();
    let mut world = World::at(clock.clone()).await.unwrap();
    let url = world.gateway_url();
    let asp = &world.sandbox;
    let hour = SignedDuration::from_hours(1);

    let stale = asp.getkey(&url, &asp.signed_at(clock.now() - hour).unwrap()).await.unwrap();
    refused(&stale, "GSP660");
    let in_utc = asp.signed_at(clock.now() - SignedDuration::from_mins(330)).unwrap();
    let in_utc = asp.getkey(&url, &in_utc).await.unwrap();
    refused(&in_utc, "GSP660");
    assert!(in_utc.body["message"].as_str().unwrap().contains("UTC"), "{}", in_utc.body);

    let request = asp.signed().unwrap();
    asp.open(&asp.getkey(&url, &request).await.unwrap()).unwrap();
    let replayed = asp.getkey(&url, &request).await.unwrap();
    refused(&replayed, "GSP661");
    assert_eq!((&replayed.body["status_cd"], &replayed.body["txn"]), (&"0".into(), &"getkey-1".into()));

    world.sandbox.key = PrivateKey::generate_2048();
    let asp = &world.sandbox;
    refused(&asp.getkey(&url, &asp.signed().unwrap()).await.unwrap(), "GSP014");
}

#[tokio::test]
async fn a_session_outlives_the_gateway_and_serves_at_its_neighbour() {
    let mut world = World::start().await.unwrap();
    let search = Search::of(&world).await;
    let neighbour = world.another_gateway().unwrap();
    let here = world.sandbox.session(&world.gateway_url()).await.unwrap();
    let there = world.sandbox.session(&neighbour.url(Sandbox)).await.unwrap();
    served(&search.at(&neighbour.url(Sandbox), &world.sandbox, &here).await);
    served(&search.at(&world.gateway_url(), &world.sandbox, &there).await);

    drop(neighbour);
    world.restart_gateway().unwrap();
    for session in [here, there] {
        served(&search.at(&world.gateway_url(), &world.sandbox, &session).await);
    }
}

#[tokio::test]
async fn a_session_lives_as_long_as_its_key_is_in_the_ring() {
    let clock = clock();
    let world = World::at(clock.clone()).await.unwrap();
    let (asp, url, search) = (&world.sandbox, world.gateway_url(), Search::of(&world).await);
    let old = asp.session(&url).await.unwrap();
    served(&search.at(&url, asp, &old).await);

    world.registry.rotate_session_key(Sandbox).unwrap();
    clock.advance(10_000);
    let deadline = Instant::now() + Duration::from_secs(10);
    let new = loop {
        let session = asp.session(&url).await.unwrap();
        // The first byte of an id, and so nearly its first two characters, names its key.
        if session.id[..2] != old.id[..2] {
            break session;
        }
        assert!(Instant::now() < deadline, "the new key does not take over");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for session in [&old, &new] {
        served(&search.at(&url, asp, session).await);
    }

    world.registry.retire_session_key(Sandbox, 1).unwrap();
    until(Some("GSP022"), async || search.at(&url, asp, &old).await).await;
    served(&search.at(&url, asp, &new).await);
}

#[tokio::test]
async fn revoked_sessions_end_and_new_ones_serve() {
    let world = World::start().await.unwrap();
    let (asp, url, search) = (&world.sandbox, world.gateway_url(), Search::of(&world).await);
    let elsewhere = world.production.session(&world.url(Production)).await.unwrap();
    let session = asp.session(&url).await.unwrap();
    served(&search.at(&url, asp, &session).await);

    world.registry.revoke_sessions(&world.aspid, Some(Sandbox)).unwrap();
    until(Some("GSP022"), async || search.at(&url, asp, &session).await).await;
    served(&search.at(&url, asp, &asp.session(&url).await.unwrap()).await);
    served(&search.at(&world.url(Production), &world.production, &elsewhere).await);
}

#[tokio::test]
async fn one_environments_secret_and_sessions_are_nothing_in_the_other() {
    let world = World::start().await.unwrap();
    let search = Search::of(&world).await;
    let session = world.sandbox.session(&world.url(Sandbox)).await.unwrap();
    served(&search.at(&world.url(Sandbox), &world.sandbox, &session).await);
    refused(&search.at(&world.url(Production), &world.sandbox, &session).await, "GSP017");
    refused(&search.at(&world.url(Production), &world.production, &session).await, "GSP017");

    let misdirected = world.sandbox.session(&world.url(Production)).await;
    assert!(misdirected.is_err(), "the production environment answers under the production secret");
    let own = world.production.session(&world.url(Production)).await.unwrap();
    served(&search.at(&world.url(Production), &world.production, &own).await);
}

#[tokio::test]
async fn a_secret_is_changed_without_an_outage() {
    let clock = clock();
    let mut world = World::at(clock.clone()).await.unwrap();
    let (url, search) = (world.gateway_url(), Search::of(&world).await);
    let before = world.sandbox.session(&url).await.unwrap();
    let day = SignedDuration::from_hours(24);
    let rotated = world.registry.rotate_asp_secret(&world.aspid, Sandbox, day).unwrap();
    let old = std::mem::replace(&mut world.sandbox.secret, rotated.secret);

    // The ASP has changed; what it got under the old secret goes on.
    let asp = &world.sandbox;
    let deadline = Instant::now() + Duration::from_secs(10);
    let after = loop {
        match asp.session(&url).await {
            Ok(session) => break session,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for session in [&before, &after] {
        served(&search.at(&url, asp, session).await);
    }

    // A program that has not changed yet knows nothing of it.
    let new = std::mem::replace(&mut world.sandbox.secret, old);
    let late = world.sandbox.session(&url).await.unwrap();
    served(&search.at(&url, &world.sandbox, &late).await);
    clock.advance(24 * 3_600_000);
    let too_late = world.sandbox.session(&url).await;
    assert!(too_late.is_err(), "the overlap is over");
    world.sandbox.secret = new;
    let session = world.sandbox.session(&url).await.unwrap();
    served(&search.at(&url, &world.sandbox, &session).await);
}
