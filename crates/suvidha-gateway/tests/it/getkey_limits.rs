//! Guessing must cost others more than us.

use gstn::AspId;
use gstn::crypto::base64;
use suvidha_gateway::config::Config;
use suvidha_store::Registry;

use crate::enrolled::{Enrolled, KEY, Message, enrolled_with};
use crate::stage;
use crate::stand_in::StandIn;

const STRANGER: &str = "198.51.100.1";
const HOME: &str = "203.0.113.7";

fn asp() -> Enrolled {
    asp_and(|_, _| ())
}

fn asp_and(prepare: impl FnOnce(&Registry, &AspId)) -> Enrolled {
    let change = |config: &mut Config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        config.getkey.failures_per_address = 3;
        config.getkey.failures_per_asp = 5;
        config.getkey.calls_per_asp = 20;
    };
    enrolled_with(StandIn::content().address, change, prepare)
}

/// In the ASP's name, without its key.
fn forged(asp: &Enrolled) -> Message {
    Message { signed_content: base64::encode([7; 256]), ..asp.message() }
}

#[test]
fn after_so_many_failures_not_even_a_right_signature_is_looked_at() {
    let asp = asp();
    for _ in 0..3 {
        asp.send(&forged(&asp).from(STRANGER)).refuses_getkey("GSP014", 401);
    }
    let answer = asp.send(&asp.message().from(STRANGER));
    answer.refuses_getkey("GSP025", 429);
    assert_eq!(answer.header("retry-after"), Some("20"));
    assert_eq!(answer.json()["error"]["retryable"], true);
    // A stamp out of time costs nothing, and counts for nothing.
    asp.send(&asp.stamped("22112026044530").from(STRANGER)).refuses_getkey("GSP660", 401);
    assert_eq!(asp.send(&asp.message().from(HOME)).status, 200, "others call from elsewhere");
    asp.advance(20);
    assert_eq!(asp.send(&asp.message().from(STRANGER)).status, 200);
}

#[test]
fn strangers_cannot_lock_out_an_asp_that_calls_from_its_usual_address() {
    let mut another = None;
    let asp = asp_and(|registry, _| another = Some(stage::an_asp(registry)));
    assert_eq!(asp.send(&asp.message().from(HOME)).status, 200);
    let mut verified = 0;
    for last in 1..=20 {
        let answer = asp.send(&forged(&asp).from(&format!("198.51.100.{last}")));
        verified += usize::from(answer.status == 401);
    }
    assert_eq!(verified, 5, "from however many addresses they come");
    asp.send(&asp.message().from("198.51.100.99")).refuses_getkey("GSP025", 429);
    assert_eq!(asp.send(&asp.message().from(HOME)).status, 200);
    let theirs = Message::new(&another.unwrap(), &KEY, &asp.message().timestamp);
    asp.send(&theirs.from("198.51.100.99")).refuses_getkey("GSP013", 401);
}

#[test]
fn nor_one_that_calls_from_a_registered_address_for_the_first_time() {
    let asp = asp_and(|registry, aspid| {
        registry.set_allowed_ips(aspid, vec!["203.0.113.0/24".parse().unwrap()]).unwrap();
    });
    for last in 1..=20 {
        asp.send(&forged(&asp).from(&format!("198.51.100.{last}")));
    }
    asp.send(&asp.message().from("198.51.100.99")).refuses_getkey("GSP025", 429);
    assert_eq!(asp.send(&asp.message().from(HOME)).status, 200);
}

#[test]
fn one_environments_failures_are_not_the_others() {
    let asp = asp();
    for _ in 0..4 {
        asp.send(&forged(&asp).from(STRANGER));
    }
    asp.send(&asp.message().from(STRANGER)).refuses_getkey("GSP025", 429);
    asp.send_in(stage::Production, &asp.message().from(STRANGER)).refuses_getkey("GSP013", 401);
}

#[test]
fn replays_and_unknown_asps_count_as_failures_and_successes_have_a_limit_of_their_own() {
    let asp = asp();
    let message = asp.message().from(STRANGER);
    assert_eq!(asp.send(&message).status, 200);
    let unknown = |asp: &Enrolled| {
        let mut message = asp.message().from("198.51.100.2");
        message.headers = message.headers.replace(asp.aspid().as_str(), "1234567890");
        message
    };
    for _ in 0..3 {
        asp.send(&message).refuses_getkey("GSP661", 401);
        asp.send(&unknown(&asp)).refuses_getkey("GSP012", 401);
    }
    asp.send(&message).refuses_getkey("GSP025", 429);
    asp.send(&unknown(&asp)).refuses_getkey("GSP025", 429);
    let successes = (0..30).filter(|_| asp.send(&asp.message().from(HOME)).status == 200).count();
    assert_eq!(successes, 19, "one of the twenty came from elsewhere");
    let answer = asp.send(&asp.message().from(HOME));
    answer.refuses_getkey("GSP025", 429);
    assert_eq!(answer.header("retry-after"), Some("3"));
}
