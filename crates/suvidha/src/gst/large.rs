//! Results too large for one answer, which GSTN prepares as files: waited for, fetched, and put together again.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;
use suvidha_client::{Error, Patience, QueuedFiles, Taxpayer};

use crate::exit::Failure;

/// What GSTN answered, be it at once or in files.
pub(crate) async fn whole(taxpayer: &Taxpayer, answer: Result<Value, Error>) -> Result<Value, Failure> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(Error::Queued(queued)) => fetch(taxpayer, &queued).await,
        Err(error) => Err(error.into()),
    }
}

/// The same as text, for what is read into a type.
pub(crate) async fn whole_text(taxpayer: &Taxpayer, queued: &QueuedFiles) -> Result<Vec<u8>, Failure> {
    Ok(fetch(taxpayer, queued).await?.to_string().into_bytes())
}

async fn fetch(taxpayer: &Taxpayer, queued: &QueuedFiles) -> Result<Value, Failure> {
    say(&queued.to_string());
    let files = taxpayer.wait_for_files(queued, Patience::default()).await?;
    let mut download = taxpayer.download(&files);
    let mut whole = Value::Null;
    while let Some(document) = download.next().await? {
        say(&format!("file {} of {}", document.file(), files.len()));
        whole = joined(whole, document.value()?);
    }
    Ok(whole)
}

/// For the person who waits; a script's output stays as it is.
fn say(what: &str) {
    let mut err = io::stderr();
    if err.is_terminal() {
        // A note that cannot be shown is no reason to stop.
        let _ = writeln!(err, "{what}");
    }
}

/// Each file holds some of the rows: lists are appended to each other, wherever they are.
fn joined(one: Value, more: Value) -> Value {
    match (one, more) {
        (Value::Array(mut rows), Value::Array(others)) => {
            rows.extend(others);
            Value::Array(rows)
        }
        (Value::Object(mut fields), Value::Object(others)) => {
            for (name, value) in others {
                let before = fields.remove(&name).unwrap_or_default();
                fields.insert(name, joined(before, value));
            }
            Value::Object(fields)
        }
        (one, Value::Null) => one,
        (_, more) => more,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_rows_of_all_files_make_one_section() {
        let files = [
            json!({"b2b": [{"ctin": "A"}], "chksum": "x"}),
            json!({"b2b": [{"ctin": "B"}, {"ctin": "A"}]}),
            json!({"b2b": [], "cdnr": [{"ctin": "C"}], "chksum": "y"}),
        ];
        let whole = files.into_iter().fold(Value::Null, joined);
        let expected = json!({"b2b": [{"ctin": "A"}, {"ctin": "B"}, {"ctin": "A"}], "cdnr": [{"ctin": "C"}], "chksum": "y"});
        assert_eq!(whole, expected);
    }
}
