//! Everything that this process logs, at every level.

use std::io;
use std::sync::{Mutex, Once};

use serde_json::Value;
use tracing_subscriber::filter::LevelFilter;

use crate::stage::soon;

static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// From now on. Called as often as one likes.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(LevelFilter::TRACE)
            .with_writer(|| Sink)
            .init();
    });
}

struct Sink;

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        WRITTEN.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn text() -> String {
    String::from_utf8_lossy(&WRITTEN.lock().unwrap()).into_owned()
}

/// The settlements of the calls whose `field` is `value`; waits until there is one.
pub(crate) fn settled(field: &str, value: &str) -> Vec<Value> {
    let find = || -> Vec<Value> {
        let text = text();
        let lines = text.lines().filter(|line| line.contains("suvidha::call") && line.contains(value));
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &Value| line[field] == value)
            .collect()
    };
    assert!(soon(|| !find().is_empty()), "no call was settled whose {field} is {value}");
    find()
}
