//! `kill -9` of `suvidha up` in the middle of saves: what got a `reference_id` is still there, and so are the sessions. And of the
//! sandbox in the middle of payments and saves: what was half done is done wholly or not at all.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::command::{Place, gstr1, gstr1_of, manage, recent_periods, try_to_manage};

/// GSTN works on one save of a period at a time and refuses another: savers go round the periods.
const SAVERS: usize = 4;
const PERIODS: usize = 6;

#[test]
fn every_save_that_got_a_reference_id_survives_kill_9() {
    let place = Arc::new(Place::new());
    let up = format!("up --listen 127.0.0.1:0 --sandbox-port {}", port_of_its_own());
    let (mut server, ready) = place.start_ready(&up);
    let gstin = ready["taxpayer"]["gstin"].as_str().unwrap().to_owned();
    place.run("gst login --demo --auth getkey --session session").succeeds();

    let accepted = Arc::new(Mutex::new(Vec::<(String, String)>::new()));
    let killed = Arc::new(AtomicBool::new(false));
    let savers: Vec<_> = (0..SAVERS)
        .map(|saver| {
            let (place, accepted, killed, gstin) =
                (place.clone(), accepted.clone(), killed.clone(), gstin.clone());
            thread::spawn(move || {
                for (round, period) in recent_periods(PERIODS).iter().cycle().enumerate() {
                    if killed.load(Ordering::SeqCst) {
                        return;
                    }
                    let payload = place.write(
                        &format!("{saver}.json"),
                        &gstr1(&gstin, period, &format!("S{saver}/{round}")),
                    );
                    let line = format!(
                        "gst save --session session --json --period {} {}",
                        period.0,
                        payload.display()
                    );
                    let ended = place.run(&line);
                    if ended.code == 0 {
                        let reference_id = ended.json()["reference_id"].as_str().unwrap().to_owned();
                        accepted.lock().unwrap().push((period.0.clone(), reference_id));
                    }
                }
            })
        })
        .collect();

    server.wait_until("a dozen saves are accepted", || accepted.lock().unwrap().len() >= 12);
    server.signal("KILL");
    server.wait();
    killed.store(true, Ordering::SeqCst);
    for saver in savers {
        saver.join().unwrap();
    }

    let (server, _) = place.start_ready(&up);
    for (period, reference_id) in accepted.lock().unwrap().iter() {
        let line = format!("gst status --session session --wait --period {period} {reference_id}");
        let status = place.json(&line);
        assert_eq!(status["status_cd"], "P", "{reference_id}: {status}");
    }
    server.stop();
}

/// So many documents are in each of the saves that are to be whole.
const DOCUMENTS: usize = 40;
const PAYERS: usize = 3;

#[test]
fn what_was_half_done_at_kill_9_is_done_wholly_or_not_at_all() {
    let place = Arc::new(Place::new());
    let up = format!("up --listen 127.0.0.1:0 --sandbox-port {}", port_of_its_own());
    let (mut server, ready) = place.start_ready(&up);
    let gstin = ready["taxpayer"]["gstin"].as_str().unwrap().to_owned();
    place.run("gst login --demo --session session").succeeds();
    let cash = |ready: &Value| {
        let (_, state) = manage(ready, "GET", &format!("/state/{gstin}"), &Value::Null);
        (state["balance"]["cash_bal"]["igst"]["tx"].as_f64().unwrap_or_else(|| panic!("{state}")) * 100.0)
            as usize
    };
    let cash_before = cash(&ready);
    let killed = Arc::new(AtomicBool::new(false));
    let paid = Arc::new(AtomicUsize::new(0));
    let payers: Vec<_> = (0..PAYERS)
        .map(|_| {
            let (ready, gstin, killed, paid) = (ready.clone(), gstin.clone(), killed.clone(), paid.clone());
            thread::spawn(move || {
                while !killed.load(Ordering::SeqCst) {
                    if pay_a_rupee(&ready, &gstin).is_ok() {
                        paid.fetch_add(1, Ordering::SeqCst);
                    }
                }
            })
        })
        .collect();
    let period = recent_periods(1).remove(0);
    let mut saves = 0;
    while saves < 4 {
        let numbers: Vec<_> = (0..DOCUMENTS).map(|number| format!("S{saves}/{number}")).collect();
        let payload = place.write("large.json", &gstr1_of(&gstin, &period, &numbers));
        let line = format!("gst save --session session --json --period {} {}", period.0, payload.display());
        saves += usize::from(place.run(&line).code == 0);
    }
    server.wait_until("dozens of challans are paid", || paid.load(Ordering::SeqCst) >= 24);
    server.signal("KILL");
    server.wait();
    killed.store(true, Ordering::SeqCst);
    for payer in payers {
        payer.join().unwrap();
    }

    let (mut server, ready) = place.start_ready(&up);
    let state = || manage(&ready, "GET", &format!("/state/{gstin}"), &Value::Null).1;
    server.wait_until("the jobs are taken up again", || {
        state()["jobs"].as_array().unwrap().iter().all(|job| job["status"].is_string())
    });
    let state = state();
    let documents = state["returns"][0]["documents"].as_u64().unwrap();
    assert_eq!(documents, (saves * DOCUMENTS) as u64, "a save was applied in part: {state}");
    let (_, told) = manage(&ready, "GET", &format!("/challans?gstin={gstin}"), &Value::Null);
    let challans = told["challans"].as_array().unwrap();
    let credited = challans.iter().filter(|challan| challan["status"] == "PAID").count();
    let (known, at_most) = (paid.load(Ordering::SeqCst), paid.load(Ordering::SeqCst) + PAYERS);
    assert!((known..=at_most).contains(&credited), "{credited} are paid, {known} were answered");
    let entered = cash(&ready) - cash_before;
    assert_eq!(entered, credited * 100, "each challan that is paid is in the cash ledger, and nothing else");
    server.stop();
}

fn pay_a_rupee(ready: &Value, gstin: &str) -> std::io::Result<()> {
    let challan = json!({"amounts": {"igst": {"tx": 1}}});
    let (_, made) = try_to_manage(ready, "POST", &format!("/taxpayers/{gstin}/challans"), &challan)?;
    let cpin = made["cpin"].as_str().unwrap_or_default();
    let (status, _) = try_to_manage(ready, "POST", &format!("/challans/{cpin}/pay"), &json!({}))?;
    if status == 200 { Ok(()) } else { Err(std::io::Error::other(format!("{status}"))) }
}

/// A port below those that the system gives to connections: nobody takes it while the gateway is down, the other test
/// of this file included.
fn port_of_its_own() -> u16 {
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 5_000) as u16 + 500 * ASKED.fetch_add(1, Ordering::SeqCst);
    (first..30_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}
