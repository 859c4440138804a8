//! Credit, plans and limits on a running gateway, and an operator who changes them beside it.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::{Place, Server, get};

/// How soon a running gateway follows the operator.
const FOLLOWS: Duration = Duration::from_secs(2);

/// `suvidha up`, and the demo ASP, which calls.
struct Shop {
    place: Place,
    server: Server,
    ready: Value,
}

/// An answer as an ASP's program takes it: the HTTP status, and the error code where there is one.
type Told = (u16, String);

impl Shop {
    fn open() -> Self {
        Self::open_in(Place::new())
    }

    fn open_in(place: Place) -> Self {
        let (server, ready) = place.start_ready("up --listen 127.0.0.1:0");
        Self { place, server, ready }
    }

    fn close(self) -> Place {
        self.server.stop();
        self.place
    }

    fn aspid(&self) -> &str {
        self.ready["asp"]["aspid"].as_str().unwrap()
    }

    /// Runs `suvidha asp COMMAND ASPID --environment sandbox WORDS`.
    fn operator(&self, command: &str, words: &str) -> Value {
        self.place.json(&format!("asp {command} {} --environment sandbox {words}", self.aspid()))
    }

    /// Searches the demo taxpayer as the demo ASP.
    fn call(&self) -> Told {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (gateway, gstin) =
            (text(&self.ready["environments"]["sandbox"]), text(&self.ready["taxpayer"]["gstin"]));
        let url = format!("{gateway}/commonapi/v1.1/search?action=TP&gstin={gstin}");
        let (status, answer) = get(&url, &format!("x-ct-auth-token: {}", text(&self.ready["asp"]["token"])));
        (status, answer["error"]["error_cd"].as_str().unwrap_or_default().to_owned())
    }

    /// Calls until the answer is as expected, which it must be for a call that is made two seconds after now. Answers how many
    /// calls went through.
    fn follows(&self, status: u16, error_cd: &str) -> u64 {
        let (start, mut answered) = (Instant::now(), 0);
        loop {
            let asked = start.elapsed();
            let told = self.call();
            answered += u64::from(told.0 == 200);
            if told == (status, error_cd.to_owned()) {
                return answered;
            }
            assert!(asked < FOLLOWS, "{asked:?} after the command a call is still answered with {told:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The balance that the ASP is told.
    fn own_balance(&self) -> Value {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let url = format!("{}/aspapi/v1.1/getapibalance", text(&self.ready["environments"]["sandbox"]));
        let password = text(&self.ready["asp"]["password"]);
        get(&url, &format!("aspid: {}\r\npassword: {password}", self.aspid())).1["ApiBal"].clone()
    }

    fn used_and_balance(&self) -> (i64, i64) {
        let account = self.operator("plan", "");
        (account["used"].as_i64().unwrap(), account["balance"].as_i64().unwrap())
    }
}

fn served() -> Told {
    (200, String::new())
}

fn without_credit() -> Told {
    (402, "GSP019".to_owned())
}

#[test]
fn of_64_clients_that_race_for_the_last_10_credits_exactly_10_are_served() {
    let shop = Shop::open();
    shop.operator("plan", "prepaid");
    shop.operator("topup", "10 --expires 30d");
    let shop = Shop::open_in(shop.close());

    let start = Barrier::new(64);
    let answers: Vec<Told> = thread::scope(|threads| {
        let clients: Vec<_> = (0..64)
            .map(|_| {
                threads.spawn(|| {
                    start.wait();
                    shop.call()
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let count = |told: Told| answers.iter().filter(|answer| **answer == told).count();
    assert_eq!((count(served()), count(without_credit())), (10, 54), "{answers:?}");
    assert_eq!((shop.used_and_balance(), shop.own_balance()), ((10, 0), 0.into()));

    let aspid = shop.aspid().to_owned();
    let place = shop.close();
    let account = place.json(&format!("asp plan {aspid} --environment sandbox"));
    assert_eq!((&account["used"], &account["balance"]), (&10.into(), &0.into()), "with no gateway running");
    let shop = Shop::open_in(place);
    assert_eq!(shop.call(), without_credit());
    assert_eq!(shop.used_and_balance(), (10, 0), "after a restart");
    shop.close();
}

#[test]
fn a_running_gateway_follows_top_ups_and_take_backs() {
    let shop = Shop::open();
    assert_eq!(shop.call(), served());
    shop.operator("plan", "prepaid");
    shop.follows(402, "GSP019");
    assert_eq!(shop.used_and_balance(), (0, 0), "unmetered calls cost nothing");

    shop.operator("topup", "1000 --expires 30d");
    assert_eq!(shop.follows(200, ""), 1);
    assert_eq!(shop.call(), served());
    assert_eq!((shop.used_and_balance(), shop.own_balance()), ((2, 998), 998.into()));

    let line = format!("asp topup {} --environment sandbox 999 --take-back", shop.aspid());
    shop.place.run(&line).fails(65, "999 units cannot be taken back");
    // Calls until the gateway has followed would use what is taken back.
    shop.place.json(&format!("asp suspend {}", shop.aspid()));
    let used = 2 + shop.follows(403, "GSP024") as i64;
    assert_eq!(shop.used_and_balance(), (used, 1000 - used));
    shop.operator("topup", &format!("{} --take-back", 1000 - used));
    shop.place.json(&format!("asp resume {}", shop.aspid()));
    assert_eq!(shop.follows(402, "GSP019"), 0);
    assert_eq!(shop.used_and_balance(), (used, 0));
    let words = shop.place.run("asp list").out;
    assert!(words.contains("sandbox: prepaid, 0 left until 20"), "{words}");
    shop.close();
}

#[test]
fn a_running_gateway_follows_from_plan_to_plan() {
    let shop = Shop::open();
    shop.operator("plan", "prepaid");
    shop.follows(402, "GSP019");
    shop.operator("plan", "postpaid --monthly-cap 3");
    assert_eq!(shop.follows(200, ""), 1);
    let capped = (402, "GSP674".to_owned());
    assert_eq!(
        [shop.call(), shop.call(), shop.call(), shop.call()],
        [served(), served(), capped.clone(), capped.clone()]
    );
    let shop = Shop::open_in(shop.close());
    assert_eq!(shop.call(), capped, "a month's units outlast a restart");
    let account = shop.operator("plan", "--monthly-cap 4");
    assert_eq!((&account["used_this_month"], &account["monthly_cap"]), (&3.into(), &4.into()));
    assert_eq!(shop.follows(200, ""), 1);
    assert_eq!(shop.call(), capped);
    shop.operator("plan", "unmetered");
    shop.follows(200, "");
    assert_eq!(shop.used_and_balance(), (0, 0), "nothing of it was prepaid");
    shop.close();
}

#[test]
fn a_running_gateway_follows_limits() {
    let shop = Shop::open();
    assert_eq!(shop.call(), served());
    shop.operator("limits", "--per-day 1");
    shop.follows(429, "GSP671");
    let shop = Shop::open_in(shop.close());
    assert_eq!(shop.call(), (429, "GSP671".to_owned()), "a day's calls outlast a restart");
    shop.operator("limits", "--per-day none --per-month 1");
    shop.follows(429, "GSP672");
    shop.operator("limits", "--per-month default");
    shop.follows(200, "");
    shop.operator("limits", "--api-family commonapi --per-day 1");
    shop.follows(429, "GSP671");
    shop.operator("limits", "--api-family commonapi --per-day default");
    shop.follows(200, "");
    shop.close();
}
