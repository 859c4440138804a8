//! The live view, on a pseudo-terminal as on a screen, and once without one.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use gstn::Environment::Sandbox;
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use suvidha_seam::Seam;
use suvidha_store::ledger::{Entry, Release};

use super::book;
use crate::command::{PATIENCE, Place};

/// An entry of just now.
fn recent(entry: Entry) -> Entry {
    Entry { at: Seam::system().now(), ..entry }
}

fn a_minute() -> Vec<Entry> {
    book::one_of_each().into_iter().map(recent).collect()
}

#[test]
fn one_frame_tells_of_the_last_minute_alone() {
    let place = Place::new();
    book::write(&place, book::one_of_each().into_iter().chain(a_minute()));
    let ended = place.run("top --once");
    ended.succeeds();
    for part in [
        "sandbox",
        "entry 8",
        "4 calls, 1 given up by the ASP, 2 units",
        "at GSTN",
        "41.0 ms",
        "GSP602 1",
        "RET11416 1",
        "1234567890",
        "2222222222",
        "(unproven)",
    ] {
        assert!(ended.out.contains(part), "{part:?} is not in: {}", ended.out);
    }
    assert!(!ended.out.contains('\u{1b}'), "{}", ended.out);

    let figures = place.json("top --once");
    assert_eq!(
        (&figures["calls"], &figures["units"], &figures["abandoned"]),
        (&4.into(), &2.into(), &1.into())
    );
    assert_eq!((&figures["gstn"]["p50_us"], &figures["total"]["max_us"]), (&41_000.into(), &41_370.into()));
    assert_eq!(figures["errors"][0]["origin"], "gsp");
    place.run("top").fails(64, "needs a terminal");
    place.run("top --interval 1").fails(64, "100ms to 1h");
}

/// A `suvidha top` on a screen of its own.
struct Screen {
    child: Child,
    keyboard: File,
    terminal: OwnedFd,
    shown: Arc<Mutex<String>>,
}

impl Screen {
    fn start(command: &mut Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let terminal = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        tcsetwinsize(&terminal, size(100, 40)).unwrap();
        let end = || terminal.try_clone().unwrap();
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut screen, kept) = (File::from(master.try_clone().unwrap()), Arc::clone(&shown));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        });
        Self { child, keyboard: File::from(master), terminal, shown }
    }

    fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    /// Waits until something is shown behind what was shown before.
    fn wait_for(&self, what: &str, mut after: usize) -> usize {
        let start = Instant::now();
        loop {
            let shown = self.shown();
            if let Some(at) = shown[after..].find(what) {
                after += at + what.len();
                return after;
            }
            assert!(start.elapsed() < PATIENCE, "{what:?} is not shown: {shown:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// The terminal is as it was: lines, echo, its own screen, a cursor.
    fn assert_ended_well(mut self) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end: {:?}", self.shown());
            thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(status.code(), Some(0), "{:?}", self.shown());
        self.wait_for("\u{1b}[?25h\u{1b}[0m\u{1b}[?1049l", 0);
        let modes = tcgetattr(&self.terminal).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(columns: u16, lines: u16) -> Winsize {
    Winsize { ws_col: columns, ws_row: lines, ws_xpixel: 0, ws_ypixel: 0 }
}

#[test]
fn a_screen_follows_the_calls_the_keys_and_its_size() {
    let place = Place::new();
    let writer = book::open(&place, Sandbox);
    let mut screen = Screen::start(place.command("top --interval 100ms").env_remove("NO_COLOR"));
    let after = screen.wait_for("0 calls", 0);
    assert!(
        !tcgetattr(&screen.terminal).unwrap().local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    );
    assert!(screen.shown().contains("\u{1b}[7m"), "headings stand out");
    for entry in a_minute() {
        writer.submit(entry, Release::Done);
    }
    let after = screen.wait_for("4 calls", after);
    let after = screen.wait_for("(now by calls)", after);
    screen.press(b"s");
    let after = screen.wait_for("(now by errors)", after);
    screen.press(b"\x1b[A");
    tcsetwinsize(&screen.terminal, size(30, 10)).unwrap();
    screen.signal("WINCH");
    let after = screen.wait_for("more\u{1b}[K", after);
    screen.wait_for("q quit   s sort ASPs (now by e\u{1b}[K", after);
    screen.press(b"q");
    screen.assert_ended_well();
    writer.stop().unwrap();
}

#[test]
fn signals_give_the_terminal_back_and_no_color_means_none() {
    let place = Place::new();
    book::write(&place, a_minute());
    for signal in ["TERM", "INT", "HUP"] {
        let screen = Screen::start(place.command("top").env("NO_COLOR", "1"));
        screen.wait_for("(now by calls)", 0);
        assert!(!screen.shown().contains("\u{1b}[7m"), "{:?}", screen.shown());
        screen.signal(signal);
        screen.assert_ended_well();
    }
}
