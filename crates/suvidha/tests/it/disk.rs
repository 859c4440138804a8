//! When the disk fails: calls are refused clearly, nothing is silently dropped, and the steps of docs/operations-ledger.md
//! bring a gateway back.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use suvidha_store::ledger::{Entry, Filter, LedgerReader, Order, Outcome};

use crate::command::{Place, Server, exchange, get};

const UP: &str = "up --listen 127.0.0.1:0 --data data";

/// A running `suvidha up`, and the calls that were made of it.
struct Gateway {
    server: Server,
    /// The search of the demo taxpayer.
    search: String,
    url: String,
    token: String,
    /// The txn of each call, with its status and our error code.
    made: Vec<(String, u16, String)>,
}

impl Gateway {
    fn start(place: &Place, launcher: &[&str]) -> Self {
        let (server, ready) = place.start_ready_by(launcher, UP);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (url, token) = (text(&ready["environments"]["sandbox"]), text(&ready["asp"]["token"]));
        let gstin = text(&ready["taxpayer"]["gstin"]);
        let search = format!("{url}/commonapi/v1.1/search?action=TP&gstin={gstin}");
        Self { server, search, url, token, made: Vec::new() }
    }

    /// Makes a call with a txn of its own: its status, and our code if it was refused.
    fn call(&mut self) -> (u16, String) {
        let txn = format!("{}-{}", self.server.id(), self.made.len());
        let headers = format!("x-ct-auth-token: {}\r\ntxn: {txn}", self.token);
        let (status, answer) = exchange("GET", &self.search, &headers, "");
        let code = answer["error"]["error_cd"].as_str().unwrap_or_default().to_owned();
        self.made.push((txn, status, code.clone()));
        (status, code)
    }

    fn is_ready(&self) -> bool {
        get(&format!("{}/readyz", self.url), "accept: */*").0 == 200
    }

    /// Calls that were made, each with its one entry.
    #[track_caller]
    fn check_entries(&self, ledger: &Path) {
        let entries = entries(ledger);
        for (txn, status, code) in &self.made {
            let own: Vec<_> = entries.iter().filter(|entry| entry.txn.as_ref() == Some(txn)).collect();
            let [entry] = own[..] else {
                panic!("{txn}, answered {status} {code}, has {} entries", own.len())
            };
            let outcome = match code.as_str() {
                "GSP643" => Outcome::Refused,
                "GSP644" => Outcome::Unrecorded,
                _ => Outcome::Answered,
            };
            assert_eq!((entry.outcome, entry.status), (outcome, Some(*status)), "{txn} {code}");
        }
        assert!(entries.len() >= self.made.len());
    }
}

fn entries(ledger: &Path) -> Vec<Entry> {
    let reader = LedgerReader::open(ledger).unwrap();
    let page = reader.entries(&Filter::default(), Order::OldestFirst, None, 10_000).unwrap();
    assert!(!page.more);
    page.entries.into_iter().map(|recorded| recorded.entry).collect()
}

fn ledger(place: &Place) -> PathBuf {
    place.path("data/ledger/sandbox.sqlite")
}

fn is_root() -> bool {
    let told = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(told.stdout).unwrap().trim() == "0"
}

/// A file system of half a megabyte, which only root can make.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(at).unwrap();
        let line = ["-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs"];
        let mounted = is_root() && Command::new("mount").args(line).arg(at).status().unwrap().success();
        mounted.then(|| Self(at.to_owned()))
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut filler = OpenOptions::new().create(true).append(true).open(self.0.join("filler")).unwrap();
        for piece in [4096, 1] {
            while filler.write_all(&vec![0; piece]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_calls_until_there_is_room_again() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(&place.path("data/ledger")) else {
        // Without the rights to mount one, a limit on the size of files does what a full disk does.
        return no_room_in_files(&place);
    };
    let mut gateway = Gateway::start(&place, &[]);
    (0..5).for_each(|_| assert_eq!(gateway.call(), (200, String::new())));
    let mut failing = 0;
    // SQLite may find a little room of its own a few times: what is full is filled once more.
    for _ in 0..500 {
        disk.fill();
        match gateway.call() {
            (200, _) => failing = 0,
            (503, code) if code == "GSP643" || code == "GSP644" => failing += 1,
            other => panic!("{other:?}"),
        }
        if failing == 20 {
            break;
        }
    }
    assert_eq!(failing, 20, "the disk never became full: {}", gateway.server.log());
    assert!(!gateway.is_ready());
    gateway.server.wait_for_log("the disk that holds the ledger");
    disk.make_room();
    recovers(gateway, &place);
}

/// The same story, with a limit on the size of files instead of a small disk.
fn no_room_in_files(place: &Place) {
    let hint = "this test needs root and the right to mount a tmpfs, or else prlimit (Debian: util-linux)";
    let mut gateway = Gateway::start(place, &["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    (0..5).for_each(|_| assert_eq!(gateway.call(), (200, String::new())));
    let id = gateway.server.id().to_string();
    let limit = |bytes: &str| {
        let line = ["--pid", &id, &format!("--fsize={bytes}")];
        assert!(Command::new("prlimit").args(line).status().expect(hint).success(), "{hint}");
    };
    limit("1:unlimited");
    assert_eq!(gateway.call(), (503, "GSP644".to_owned()));
    (0..20).for_each(|_| assert_eq!(gateway.call(), (503, "GSP643".to_owned())));
    assert!(!gateway.is_ready());
    limit("unlimited:unlimited");
    recovers(gateway, place);
}

#[test]
fn a_file_that_may_not_grow_refuses_calls_until_it_may() {
    no_room_in_files(&Place::new());
}

/// The gateway goes on by itself, and every call that was made has its one entry.
fn recovers(mut gateway: Gateway, place: &Place) {
    let url = format!("{}/readyz", gateway.url);
    gateway.server.wait_until("it is ready again", || get(&url, "accept: */*").0 == 200);
    assert_eq!(gateway.call(), (200, String::new()));
    gateway.check_entries(&ledger(place));
    assert_eq!(entries(&ledger(place)).len(), gateway.made.len());
    gateway.server.stop();
}

/// Root may write where nobody may, unless this is taken from it.
fn without_privileges() -> &'static [&'static str] {
    if is_root() { &["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"] } else { &[] }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// What the document says: the directory, and every file in it, for SQLite gives those that it makes the rights of the
/// first.
fn give_back_the_rights(directory: &Path) {
    set_mode(directory, 0o700);
    fs::read_dir(directory).unwrap().for_each(|file| set_mode(&file.unwrap().path(), 0o600));
}

/// Starting must fail, and say so.
#[track_caller]
fn does_not_start(place: &Place, code: i32, saying: &str) {
    let mut server = place.start_by(without_privileges(), UP);
    let status = server.wait();
    assert_eq!(status.code(), Some(code), "{}", server.log());
    assert!(server.log().contains(saying), "{saying:?} is not in: {}", server.log());
}

#[test]
fn a_ledger_that_may_not_be_written_does_not_start_until_it_may() {
    let place = Place::new();
    let mut gateway = Gateway::start(&place, without_privileges());
    (0..3).for_each(|_| assert_eq!(gateway.call().0, 200));
    gateway.server.stop();
    let (file, directory) = (ledger(&place), place.path("data/ledger"));
    for (path, forbidding) in [(&file, 0o400), (&directory, 0o500)] {
        set_mode(path, forbidding);
        does_not_start(&place, 77, ".sqlite is read-only");
        give_back_the_rights(&directory);
    }
    let mut gateway = Gateway::start(&place, without_privileges());
    assert_eq!(gateway.call().0, 200);
    assert_eq!(entries(&file).len(), 4);
    gateway.server.stop();
}

#[test]
fn a_ledger_that_becomes_read_only_refuses_calls_until_it_is_not() {
    let place = Place::new();
    let mut gateway = Gateway::start(&place, without_privileges());
    assert_eq!(gateway.call().0, 200);
    set_mode(&ledger(&place), 0o400);
    // What is open stays open. A lock of another program makes the gateway open the file anew.
    let other = Connection::open(ledger(&place)).unwrap();
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(gateway.call(), (503, "GSP644".to_owned()));
    drop(other);
    gateway.server.wait_for_log("GSP643");
    (0..10).for_each(|_| assert_eq!(gateway.call(), (503, "GSP643".to_owned())));
    give_back_the_rights(&place.path("data/ledger"));
    recovers(gateway, &place);
}

/// Overwrites the pages in the middle of the file.
fn damage(file: &Path) {
    let mut open = File::options().write(true).open(file).unwrap();
    let length = open.metadata().unwrap().len();
    open.seek(SeekFrom::Start(4096)).unwrap();
    open.write_all(&vec![0xa5; usize::try_from(length - 4096).unwrap()]).unwrap();
}

#[test]
fn a_damaged_ledger_does_not_start_and_its_backup_does() {
    let place = Place::new();
    let mut gateway = Gateway::start(&place, &[]);
    (0..3).for_each(|_| assert_eq!(gateway.call().0, 200));
    // A backup of a running gateway's ledger, as the document says.
    let (file, backup) = (ledger(&place), place.path("backup.sqlite"));
    let reader = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    reader.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    drop(reader);
    gateway.server.stop();
    damage(&file);
    does_not_start(&place, 65, "damaged");

    let damaged = place.path("damaged.sqlite");
    fs::rename(&file, &damaged).unwrap();
    fs::copy(&backup, &file).unwrap();
    let mut gateway = Gateway::start(&place, &[]);
    assert_eq!(gateway.call().0, 200);
    assert_eq!(entries(&file).len(), 4);
    gateway.server.stop();
}

#[test]
fn a_ledger_that_is_damaged_under_a_running_gateway_refuses_calls() {
    let place = Place::new();
    let mut gateway = Gateway::start(&place, &[]);
    assert_eq!(gateway.call().0, 200);
    let file = ledger(&place);
    let backup = place.path("backup.sqlite");
    let other = Connection::open(&file).unwrap();
    other.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    other.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); BEGIN IMMEDIATE").unwrap();
    damage(&file);
    // The lock makes the gateway open the file anew, and see it.
    assert_eq!(gateway.call(), (503, "GSP644".to_owned()));
    drop(other);
    gateway.server.wait_for_log("GSP643");
    (0..10).for_each(|_| assert_eq!(gateway.call(), (503, "GSP643".to_owned())));
    gateway.server.signal("TERM");
    assert_eq!(gateway.server.wait().code(), Some(0), "{}", gateway.server.log());
    let log = gateway.server.log();
    assert!(log.contains("11 entries could not be written"), "what is lost is told: {log}");
    fs::copy(&backup, &file).unwrap();
    let mut gateway = Gateway::start(&place, &[]);
    assert_eq!(gateway.call().0, 200);
    assert_eq!(entries(&file).len(), 2);
    gateway.server.stop();
}
