//! `kill -9` of `suvidha up` in the middle of saves: what got a `reference_id` is still there, and so are the sessions.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::command::{Place, gstr1, recent_periods};

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

/// A port below those that the system gives to connections: nobody takes it while the gateway is down.
fn port_of_its_own() -> u16 {
    let first = 20_000 + (std::process::id() % 5_000) as u16;
    (first..30_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}
