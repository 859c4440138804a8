//! A call within a taxpayer's session: sealed on the way out, opened and verified on the way in.

use gstn::envelope::Reply;
use serde_json::Value;

use crate::answer::{Stage, protocol, read};
use crate::api_call::ApiCall;
use crate::error::Error;
use crate::files::QueuedFiles;
use crate::gsp::Outgoing;
use crate::session::Session;
use crate::taxpayer::Taxpayer;
use crate::transport::Answer;

impl Taxpayer {
    /// Makes a call and returns what GSTN answered, decrypted and verified; `null` where it said only "done".
    ///
    /// The taxpayer's session is refreshed first where it is about to end, and once more where GSTN says that it died
    /// early.
    ///
    /// # Errors
    /// [`Error::OtpRequired`] where the taxpayer must log in again, [`Error::Queued`] where the result is too large for one
    /// answer, and every other kind of [`Error`].
    pub async fn call(&self, call: ApiCall) -> Result<Value, Error> {
        json(&self.call_text(call).await?)
    }

    /// An API of GSTN's catalogue by name, with the cryptography done: `input` is the query of an API that reads, and the
    /// payload of one that writes. [`ApiCall::named`] says how names are written, and takes what this does not: a
    /// payload byte for byte, a header, a signature.
    ///
    /// ```no_run
    /// use serde_json::json;
    ///
    /// # async fn example(taxpayer: suvidha_client::Taxpayer) -> Result<(), Box<dyn std::error::Error>> {
    /// let statement = taxpayer.call_raw("returns/gstr2b", "GET2B", json!({"rtnprd": "042026"})).await?;
    /// println!("{}", statement["data"]["itcsumm"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] with near misses where the catalogue has no such API, and as [`call`](Self::call).
    pub async fn call_raw(&self, path: &str, action: &str, input: Value) -> Result<Value, Error> {
        self.call(ApiCall::named(path, action)?.input(&input)?).await
    }

    /// As [`call`](Self::call), but the JSON text as GSTN wrote it; empty where it said only "done".
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_text(&self, call: ApiCall) -> Result<Vec<u8>, Error> {
        if call.is_public() {
            return self.gsp().public(&call, Some(self.gstin().state())).await;
        }
        call.check()?;
        let target = call.target(Some(self.gstin()));
        let stage = if call.is_read() { Stage::Read } else { Stage::Write };
        let prepare = |session: &Session| {
            let mut headers = self.session_headers(session)?;
            call.put_headers(&mut headers)?;
            Ok(Outgoing {
                method: call.method().clone(),
                target: &target,
                action: call.action(),
                gstin: Some(*self.gstin()),
                headers,
                body: call.seal(&session.sek)?.into(),
            })
        };
        self.in_session(prepare, |session, answer| open(session, answer, stage, &call)).await
    }
}

/// A reply without an HMAC is refused: only the HMAC says that nobody changed it on the way.
fn open(session: &Session, answer: &Answer, stage: Stage, call: &ApiCall) -> Result<Vec<u8>, Error> {
    let reply: Reply = read(answer, stage)?;
    let text = match (&reply.data, &reply.rek, &reply.hmac) {
        (None, _, _) => return Ok(Vec::new()),
        (Some(_), Some(_), Some(_)) => session.sek.open_reply(&reply).map_err(|_| {
            protocol(answer, "does not open under the session's key: it was changed on the way, or meant for another session")
        })?,
        (Some(_), _, _) => return Err(protocol(answer, "carries data without a rek and an hmac")),
    };
    match QueuedFiles::in_answer(&text, || call.files()).filter(|_| call.is_read()) {
        Some(queued) => Err(Error::Queued(Box::new(queued))),
        None => Ok(text),
    }
}

/// The JSON of an answer; `null` where it was only "done".
pub(crate) fn json(text: &[u8]) -> Result<Value, Error> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(text).map_err(|_| Error::Protocol {
        what: "what GSTN's answer decrypts to is not JSON".to_owned(),
        request_id: None,
    })
}
