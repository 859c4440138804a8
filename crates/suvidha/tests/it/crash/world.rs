//! A gateway before a stand-in for GSTN, ASPs of every plan, and whoever kills it.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use suvidha_store::PlanKind;
use suvidha_store::ledger::{Filter, LedgerReader, Order, Outcome, Recorded};

use super::books::{Fault, Figures, Found, Kept, Known, Teller, Told, compare};
use super::gstn::Gstn;
use super::load::{Caller, Chance, call, call_until};
use super::{Durability, Moment};
use crate::command::{PATIENCE, Place, Server};

/// Connections of each caller.
const CONNECTIONS: usize = 4;
/// So few units that credit runs out again and again.
const TOP_UP: i64 = 150;
const BETWEEN_TOP_UPS: Duration = Duration::from_millis(40);
const PAGE: usize = 1_000;

const CONFIG: &str = r#"
[log]
format = "json"
[admin]
listen = "127.0.0.1:0"
[registry]
path = "registry.sqlite"
sealing_key_file = "sealing.key"
[ledger]
directory = "ledger"
durability = "DURABILITY"
[environments.sandbox]
listen = "127.0.0.1:0"
[environments.sandbox.identify]
password = true
[environments.sandbox.upstream]
url = "http://GSTN"
client_id = "l7xx0123456789abcdef0123456789abcdef"
client_secret_file = "client-secret"
[environments.production]
enabled = false
"#;
const SERVE: &str = "serve --config suvidha.toml --log-level info,suvidha::call=warn";
const SANDBOX: &str = "--environment sandbox --config suvidha.toml";

/// An ASP that pays before it calls.
struct Prepaid {
    aspid: String,
    password: String,
}

/// One ledger, those who call, and all that they know.
pub(super) struct World {
    pub(super) chance: Chance,
    place: Place,
    gstn: Gstn,
    callers: Vec<Caller>,
    prepaid: Vec<Prepaid>,
    known: Known,
    durability: Durability,
    /// What starts the gateways, if something is to stand between them and the kernel.
    pub(super) launcher: Vec<String>,
    /// Whether the last end may have cost entries.
    may_lose: bool,
    /// Calls made for the comparison, and gateways that were called.
    questions: usize,
    gateways: usize,
    /// Whole answers whose entry is known to be missing: they stay missing.
    lost: BTreeSet<String>,
}

impl World {
    /// Two prepaid ASPs, a postpaid and an unmetered one, and a stranger; nobody has called.
    pub(super) fn new(durability: Durability, seed: u64) -> Self {
        let (place, gstn) = (Place::new(), Gstn::start());
        let config = CONFIG.replace("DURABILITY", durability.as_str());
        place.write("suvidha.toml", &config.replace("GSTN", &gstn.address.to_string()));
        place.write("client-secret", "0123456789abcdef0123456789abcdef");
        let mut world = Self {
            chance: Chance::new(seed),
            place,
            gstn,
            callers: vec![Caller::with_token(None, "00000000-0000-4000-8000-000000000000", 0)],
            prepaid: Vec::new(),
            known: Known::default(),
            durability,
            launcher: Vec::new(),
            may_lose: false,
            questions: 0,
            gateways: 0,
            lost: BTreeSet::new(),
        };
        for plan in ["prepaid", "prepaid", "postpaid", "unmetered"] {
            world.add_asp(plan);
        }
        world
    }

    fn add_asp(&mut self, plan: &str) {
        let contact = "--contact-name Asha --email a@example.in --phone +919876543210 --config suvidha.toml";
        let asp = self.place.json(&format!("asp add --name {plan} {contact}"));
        let aspid = text(&asp, "aspid");
        let issued = self.place.json(&format!("asp token issue {aspid} {SANDBOX}"));
        let price = u64::from(plan != "unmetered");
        self.callers.push(Caller::with_token(Some(&aspid), &text(&issued, "token"), price));
        self.place.json(&format!("asp plan {aspid} {plan} {SANDBOX}"));
        if plan == "prepaid" {
            self.known.topped_up.insert(aspid.clone(), 0);
            self.prepaid.push(Prepaid { aspid, password: text(&asp, "password") });
            self.top_up(self.prepaid.len() - 1, TOP_UP);
        }
    }

    fn top_up(&mut self, prepaid: usize, units: i64) {
        let aspid = &self.prepaid[prepaid].aspid;
        top_up(&self.place, aspid, units);
        *self.known.topped_up.entry(aspid.clone()).or_default() += units;
    }

    /// Starts a gateway, lets everybody call it, and ends it at `moment`.
    pub(super) fn end_at(&mut self, moment: Moment) {
        self.may_lose =
            self.durability == Durability::Relaxed && !matches!(moment, Moment::Told(_) | Moment::Recovered);
        if let Moment::Starting(after) = moment {
            let starting = self.place.start(SERVE);
            thread::sleep(after);
            return kill(starting);
        }
        let (gateway, address) = self.start();
        let over = AtomicBool::new(false);
        let (place, name, seed) = (&self.place, self.gateways, self.chance.below(u64::MAX));
        let (told, added) = thread::scope(|scope| {
            let callers: Vec<_> = (0..self.callers.len() * CONNECTIONS)
                .map(|index| {
                    let (caller, over) = (&self.callers[index / CONNECTIONS], &over);
                    let chance = Chance::new(seed.wrapping_add(index as u64));
                    let name = format!("g{name}-c{index}");
                    scope.spawn(move || call_until(over, address, caller, &name, &chance))
                })
                .collect();
            let topping_up = scope.spawn(|| top_up_until(&over, place, &self.prepaid));
            self.wait_for(moment);
            match moment {
                Moment::Told(_) | Moment::Recovered => gateway.stop(),
                _ => kill(gateway),
            }
            over.store(true, Ordering::Relaxed);
            let told: Vec<Told> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
            (told, topping_up.join().unwrap())
        });
        assert!(told.iter().any(|call| call.answer.as_ref().is_some_and(|answer| answer.by_gstn)), "no load");
        self.known.calls.extend(told);
        for (index, units) in added.into_iter().enumerate() {
            *self.known.topped_up.entry(self.prepaid[index].aspid.clone()).or_default() += units;
        }
    }

    /// Starts a gateway on what the last one left, compares, and sees that it serves again.
    pub(super) fn compare_after_restart(&mut self) -> (Figures, Vec<Fault>) {
        let (gateway, address) = self.start();
        // What is in the ledger now was there before the kill.
        let verdict = self.compare(Vec::new());
        self.note_lost(&verdict.1);
        self.see_it_serve(address);
        gateway.stop();
        self.without_known_losses(verdict)
    }

    /// Compares once more after a gateway that was told to stop, which loses nothing under any durability.
    pub(super) fn compare_at_the_end(&mut self) -> (Figures, Vec<Fault>) {
        let (gateway, address) = self.start();
        self.see_it_serve(address);
        let balances = self.balances(address);
        gateway.stop();
        // The tool that an auditor would use finds no fault either.
        self.place.run("ledger verify --environment sandbox --config suvidha.toml").succeeds();
        let verdict = self.compare(balances);
        self.without_known_losses(verdict)
    }

    /// The request ids of such answers, given to one caller one after another by a gateway that is then told to stop.
    pub(super) fn answers_one_by_one(&mut self, answers: &[&str]) -> Vec<String> {
        let (gateway, address) = self.start();
        let caller = self.callers.last().unwrap().clone();
        let asked = answers.iter().map(|answer| {
            let path = format!("/taxpayerapi/v4.1/returns/gstr1?action=B2B&answer={answer}");
            self.ask(address, &caller, &path).0.answer.unwrap().request_id
        });
        let ids = asked.collect();
        gateway.stop();
        ids
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    fn wait_for(&self, moment: Moment) {
        match moment {
            Moment::UnderLoad(after) | Moment::Told(after) | Moment::Starting(after) => thread::sleep(after),
            Moment::Checkpoint => {
                let state =
                    || fs::metadata(self.ledger()).map(|file| (file.len(), file.modified().unwrap())).ok();
                let before = state();
                until("a checkpoint", || state() != before);
            }
            Moment::Recovered => {
                let log = || fs::read_to_string(self.place.path("err")).unwrap();
                until("the ledger fails", || log().contains("the ledger cannot be written"));
                until("the ledger is written again", || log().contains("the ledger is being written again"));
            }
        }
    }

    fn start(&mut self) -> (Server, SocketAddr) {
        self.gateways += 1;
        let launcher: Vec<&str> = self.launcher.iter().map(String::as_str).collect();
        let (gateway, address) = self.place.start_listening_by(&launcher, SERVE);
        (gateway, address.parse().unwrap())
    }

    /// Each ASP is answered by GSTN, the prepaid ones after a top-up.
    fn see_it_serve(&mut self, address: SocketAddr) {
        for prepaid in 0..self.prepaid.len() {
            self.top_up(prepaid, TOP_UP);
        }
        for caller in self.callers.clone().iter().filter(|caller| caller.aspid.is_some()) {
            let begun = Instant::now();
            loop {
                let path = "/taxpayerapi/v4.1/returns/gstr1?action=B2B&answer=short";
                let (told, body) = self.ask(address, caller, path);
                match told.answer {
                    Some(answer) if answer.by_gstn => break,
                    _ => {
                        assert!(begun.elapsed() < PATIENCE, "{:?} is not served again: {body}", caller.aspid)
                    }
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// What the ASPs and the operator are told of balances, while nobody else calls.
    fn balances(&mut self, address: SocketAddr) -> Vec<(Teller, String, i64)> {
        let mut balances = Vec::new();
        for index in 0..self.prepaid.len() {
            let aspid = self.prepaid[index].aspid.clone();
            let plan = self.place.json(&format!("asp plan {aspid} {SANDBOX}"));
            let expected = plan["balance"].as_i64().unwrap();
            balances.push(("suvidha asp plan", aspid.clone(), expected));
            // The gateway follows the last top-up within two seconds.
            let begun = Instant::now();
            let mut told = self.told_balance(address, index);
            while told != expected && begun.elapsed() < Duration::from_secs(10) {
                thread::sleep(Duration::from_millis(100));
                told = self.told_balance(address, index);
            }
            balances.push(("getapibalance", aspid, told));
        }
        balances
    }

    fn told_balance(&mut self, address: SocketAddr, prepaid: usize) -> i64 {
        let Prepaid { aspid, password } = &self.prepaid[prepaid];
        let credentials = format!("aspid: {aspid}\r\npassword: {password}\r\n");
        let caller = Caller { aspid: Some(aspid.clone()), credentials, price: 0 };
        let (_, body) = self.ask(address, &caller, "/aspapi/v1.1/getapibalance");
        let told: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("not JSON: {body}"));
        told["ApiBal"].as_i64().unwrap_or_else(|| panic!("no balance in {told}"))
    }

    /// One call, noted like all.
    fn ask(&mut self, address: SocketAddr, caller: &Caller, path: &str) -> (Told, String) {
        self.questions += 1;
        let (told, body) = call(address, caller, path, &format!("question-{}", self.questions)).unwrap();
        self.known.calls.push(told.clone());
        (told, body)
    }

    fn compare(&mut self, balances: Vec<(Teller, String, i64)>) -> (Figures, Vec<Fault>) {
        self.known.at_gstn = self.gstn.seen();
        let mut found = Found { entries: entries(&self.ledger()), balances };
        for Prepaid { aspid, .. } in &self.prepaid {
            let reader = LedgerReader::open(&self.ledger()).unwrap();
            let left =
                self.known.topped_up[aspid] - reader.charged(&aspid.parse().unwrap()).unwrap().cast_signed();
            found.balances.push(("the ledger's account", aspid.clone(), left));
        }
        let verified =
            LedgerReader::open(&self.ledger()).unwrap().verify(None, |finding| panic!("{finding}"), |_| {});
        assert_eq!(verified.unwrap().entries, found.entries.len() as u64, "not all was verified");
        compare(&self.known, &found)
    }

    /// Under `relaxed` a kill may cost the last entries: these calls are known from now on as unrecorded.
    fn note_lost(&mut self, faults: &[Fault]) {
        if self.may_lose {
            let lost = faults.iter().filter_map(|fault| match fault {
                Fault::Lost { txn } => Some(txn.clone()),
                _ => None,
            });
            self.lost.extend(lost);
        }
    }

    fn without_known_losses(&self, (figures, mut faults): (Figures, Vec<Fault>)) -> (Figures, Vec<Fault>) {
        faults.retain(|fault| !matches!(fault, Fault::Lost { txn } if self.lost.contains(txn)));
        (figures, faults)
    }

    fn ledger(&self) -> PathBuf {
        self.place.path("ledger/sandbox.sqlite")
    }
}

fn top_up(place: &Place, aspid: &str, units: i64) {
    place.json(&format!("asp topup {aspid} {units} --expires 30d {SANDBOX}"));
}

/// Tops each up in turn, and says what each was given.
fn top_up_until(over: &AtomicBool, place: &Place, prepaid: &[Prepaid]) -> Vec<i64> {
    let mut added = vec![0; prepaid.len()];
    for index in (0..prepaid.len()).cycle() {
        if over.load(Ordering::Relaxed) {
            break;
        }
        top_up(place, &prepaid[index].aspid, TOP_UP);
        added[index] += TOP_UP;
        thread::sleep(BETWEEN_TOP_UPS);
    }
    added
}

/// SIGKILL: what it has not said by now, it never says.
fn kill(gateway: Server) {
    drop(gateway);
}

fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_micros(200));
    }
}

/// Every entry, from the first.
fn entries(ledger: &Path) -> Vec<Kept> {
    let reader = LedgerReader::open(ledger).unwrap();
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = reader.entries(&Filter::default(), Order::OldestFirst, after, PAGE).unwrap();
        all.extend(page.entries.into_iter().map(kept));
        if !page.more {
            return all;
        }
        after = Some(page.reached);
    }
}

fn kept(Recorded { seq, entry, .. }: Recorded) -> Kept {
    Kept {
        seq,
        id: entry.id.to_string(),
        txn: entry.txn,
        aspid: entry.aspid.map(|aspid| aspid.as_str().to_owned()),
        status: entry.status.unwrap_or_default(),
        whole: matches!(entry.outcome, Outcome::Answered | Outcome::Refused | Outcome::Unrecorded),
        bytes_out: (entry.outcome != Outcome::Unrecorded).then_some(entry.bytes_out),
        prepaid: entry.plan == Some(PlanKind::Prepaid),
        units: entry.units,
    }
}

fn text(json: &Value, key: &str) -> String {
    json[key].as_str().unwrap_or_else(|| panic!("no {key} in {json}")).to_owned()
}

/// What a run has shown.
pub(super) struct Report {
    durability: Durability,
    seed: u64,
    comparisons: Vec<(Figures, Vec<Fault>)>,
}

impl Report {
    pub(super) const HEAD: &str = "\
| run | seed | durability | restarts | calls sent | answered whole | entries | lost | cut off, unrecorded | units charged | faults |
|---|---|---|---|---|---|---|---|---|---|---|";

    pub(super) fn new(durability: Durability, seed: u64) -> Self {
        Self { durability, seed, comparisons: Vec::new() }
    }

    pub(super) fn add(&mut self, comparison: (Figures, Vec<Fault>)) {
        self.comparisons.push(comparison);
    }

    pub(super) fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.comparisons.iter().flat_map(|(_, faults)| faults)
    }

    /// The last comparison is of everything.
    pub(super) fn row(&self, run: u64) -> String {
        let Figures { sent, answered, entries, lost, cut_off_unrecorded, charged } =
            self.comparisons.last().map(|(figures, _)| *figures).unwrap_or_default();
        let (durability, seed) = (self.durability.as_str(), self.seed);
        let (comparisons, faults) = (self.comparisons.len(), self.faults().count());
        format!(
            "| {run} | {seed} | {durability} | {comparisons} | {sent} | {answered} | {entries} | {lost} | \
             {cut_off_unrecorded} | {charged} | {faults} |"
        )
    }
}
