//! The host of the files: `/returns/{day}/{form}/{token}/{file}?md5=&expires=`. It does not speak GST: what it refuses
//! is a bare status.

use gstn::crypto::ct_eq;
use http::{Method, StatusCode};

use super::details::signature;
use super::store;
use crate::call::Call;
use crate::fault::Fault;
use crate::respond::Answer;
use crate::simulator::Simulator;

/// The file at the path of `call`; none if that is no path of a file.
pub(crate) fn download(simulator: &Simulator, call: &Call) -> Option<Result<Answer, Fault>> {
    let segments: Vec<&str> = call.uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
    match segments.as_slice() {
        ["returns", day, form, token, file] => {
            let path = format!("/returns/{day}/{form}/{token}/{file}");
            Some(serve(simulator, call, &path, token).map_err(Fault::from))
        }
        _ => None,
    }
}

fn serve(simulator: &Simulator, call: &Call, path: &str, token: &str) -> rusqlite::Result<Answer> {
    let bare = |status| Ok(Answer::bare(status));
    if call.method != Method::GET {
        return bare(StatusCode::METHOD_NOT_ALLOWED);
    }
    simulator.db.read(|tx| {
        let Some(list) = store::find(tx, token)? else { return bare(StatusCode::NOT_FOUND) };
        let files = store::files(tx, token)?;
        let Some(file) = files.into_iter().find(|file| list.path(file.number) == path) else {
            return bare(StatusCode::NOT_FOUND);
        };
        let expires: Option<i64> = call.query("expires").and_then(|seconds| seconds.parse().ok());
        let (Some(expires), Some(signed)) = (expires, call.query("md5")) else {
            return bare(StatusCode::FORBIDDEN);
        };
        if !ct_eq(signature(&list, path, expires).as_bytes(), signed.as_bytes()) {
            return bare(StatusCode::FORBIDDEN);
        }
        if expires <= simulator.seam.now().as_second() {
            return bare(StatusCode::GONE);
        }
        match store::archive(tx, token, file.number)? {
            Some(bytes) => Ok(Answer::file(bytes)),
            None => bare(StatusCode::NOT_FOUND),
        }
    })
}
