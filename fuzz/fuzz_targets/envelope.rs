//! JSON from strangers: the peek agrees with a real parser, and envelopes are read or refused, and never panic.
#![no_main]

use gstn::envelope::{AuthReply, AuthRequest, Reply, Request, StatusCd, peek};
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let half = peek(&input[..input.len() / 2]);
    let whole = peek(input);
    if half.status_cd.is_some() {
        assert_eq!(half.status_cd, whole.status_cd);
    }
    if let Ok(value) = serde_json::from_slice::<Value>(input) {
        let rewritten = serde_json::to_vec_pretty(&value).unwrap();
        agrees(&value, &rewritten);
        if serde_json::from_slice::<WithoutDoubledKeys>(input).is_ok() {
            agrees(&value, input);
        }
    }
    reads_back::<Request>(input);
    reads_back::<AuthRequest>(input);
    reads_back::<Reply>(input);
    reads_back::<AuthReply>(input);
});

/// serde refuses a doubled key of a struct. With doubled keys the peek takes the first and a parser the last.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct WithoutDoubledKeys {
    status_cd: Option<Value>,
    error: Option<ErrorWithoutDoubledKeys>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct ErrorWithoutDoubledKeys {
    error_cd: Option<Value>,
}

fn agrees(value: &Value, bytes: &[u8]) {
    let told = peek(bytes);
    let object = value.as_object();
    let status_cd =
        object.and_then(|object| serde_json::from_value::<StatusCd>(object.get("status_cd")?.clone()).ok());
    assert_eq!(told.status_cd, status_cd);
    if status_cd.is_some_and(StatusCd::is_success) {
        assert_eq!(told.error_cd, None);
        return;
    }
    let error = object.and_then(|object| object.get("error")?.as_object());
    if let Some(error_cd) =
        error.and_then(|error| error.get("error_cd")?.as_str()).filter(|code| code.len() <= 64)
    {
        assert_eq!(told.error_cd.as_deref(), Some(error_cd));
    }
}

fn reads_back<T: for<'de> Deserialize<'de> + Serialize + PartialEq + std::fmt::Debug>(input: &[u8]) {
    if let Ok(envelope) = serde_json::from_slice::<T>(input) {
        let written = serde_json::to_vec(&envelope).unwrap();
        assert_eq!(serde_json::from_slice::<T>(&written).unwrap(), envelope);
    }
}
