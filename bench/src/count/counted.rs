//! What runs under callgrind: calls of one kind through the gateway, one after another, entries of the ledger, or runs of one
//! function.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use crate::Failure;
use crate::functions;
use crate::ledger;
use crate::world::{Identity, World};

/// The argument with which the program starts itself.
pub(crate) const WORD: &str = "under-callgrind";

/// Entries of the ledger, each in a group of its own, and all in one.
pub(crate) const ENTRIES: [&str; 2] = ["ledger-entry", "ledger-entry-grouped"];

/// The kinds of calls.
pub(crate) const CALLS: [&str; 7] = [
    "call-token",
    "call-session",
    "call-new-session",
    "call-refused",
    "call-download-256k",
    "call-upload-100k",
    "call-getkey",
];

/// The function at whose beginning callgrind writes down what the thread did since the last time.
pub(crate) const DUMP: &str = "write_down_what_was_done";

/// Makes so many calls of a kind, writes so many entries, or runs a function so often. Reports the threads of the process, as
/// callgrind numbers them: `thread NUMBER NAME`.
pub(crate) fn run(directory: &Path, what: &str, times: usize) -> Result<String, Failure> {
    if let Some((_, function)) = functions::all()?.into_iter().find(|(name, _)| *name == what) {
        return if run_function(&*function, times) {
            Ok(String::new())
        } else {
            Err(format!("{what} does not do its work").into())
        };
    }
    if ENTRIES.contains(&what) {
        return ledger::write(directory, times, what == "ledger-entry-grouped");
    }
    let mut world = World::start(directory)?;
    let (requests, status) = requests(&mut world, what, times)?;
    for request in requests.iter().cycle().take(times) {
        world.caller.call(request, status)?;
    }
    // Now each has given itself its name.
    threads()
}

/// Once, and then so often between two dumps. Says whether it did its work.
fn run_function(function: &dyn Fn() -> bool, times: usize) -> bool {
    let works = function();
    write_down_what_was_done();
    for _ in 0..times {
        black_box(function());
    }
    write_down_what_was_done();
    works
}

#[inline(never)]
fn write_down_what_was_done() {
    black_box(());
}

/// What to send in turn, and the status of the answers.
fn requests(world: &mut World, what: &str, times: usize) -> Result<(Vec<Vec<u8>>, u16), Failure> {
    let requests = match what {
        "call-token" => vec![get(&world.token, "")],
        "call-session" => vec![get(&world.session()?, "")],
        "call-new-session" => {
            (0..times).map(|_| Ok(get(&world.session()?, ""))).collect::<Result<_, Failure>>()?
        }
        "call-refused" => {
            // The only one of its day that goes through.
            let request = get(&world.exhausted, "");
            world.caller.call(&request, 200)?;
            return Ok((vec![request], 429));
        }
        "call-download-256k" => vec![get(&world.token, "&bytes=262144")],
        "call-upload-100k" => vec![put(&world.token, 100 * 1024)],
        "call-getkey" => (0..times).map(|_| world.getkey()).collect::<Result<_, _>>()?,
        other => return Err(format!("nothing is counted that is called {other:?}").into()),
    };
    Ok((requests, 200))
}

/// A call for a taxpayer, with the headers that GSTN wants of it.
fn get(identity: &Identity, more: &str) -> Vec<u8> {
    request("GET", identity, more, &[])
}

/// The same with a body.
fn put(identity: &Identity, bytes: usize) -> Vec<u8> {
    request("PUT", identity, "", &vec![b'x'; bytes])
}

fn request(method: &str, identity: &Identity, more: &str, body: &[u8]) -> Vec<u8> {
    let mut head = format!(
        "{method} /taxpayerapi/v4.1/returns/gstr1?action=B2B&gstin=29DEMOS1234D1ZG&ret_period=102026{more} HTTP/1.1\r\n\
         host: gateway\r\ncontent-type: application/json\r\ngstin: 29DEMOS1234D1ZG\r\nstate-cd: 29\r\n\
         username: demo\r\nauth-token: 8a227e0ba56042a0acdf98b3477d2c03\r\nret_period: 102026\r\n\
         ip-usr: 192.0.2.7\r\ntxn: count\r\n"
    );
    for (name, value) in identity {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += &format!("content-length: {}\r\n", body.len());
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// Callgrind numbers threads as they are made. So does the kernel, but where it is out of numbers it begins anew with low ones.
pub(crate) fn threads() -> Result<String, Failure> {
    let first = std::process::id();
    let mut tasks = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?;
        let number: u32 = task.file_name().to_string_lossy().parse()?;
        tasks.push((number < first, number, fs::read_to_string(task.path().join("comm"))?));
    }
    tasks.sort_unstable();
    let mut report = String::new();
    for (number, (.., name)) in tasks.iter().enumerate() {
        writeln!(report, "thread {} {}", number + 1, name.trim())?;
    }
    Ok(report)
}
