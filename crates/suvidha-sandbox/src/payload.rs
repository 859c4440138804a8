//! The encrypted body of a write: opened under the session key, never compared or written again as text.

use gstn::Gstin;
use gstn::ReturnPeriod;
use gstn::crypto::{Sek, base64};
use gstn::envelope::Request;
use serde_json::Value;

use crate::call::Call;
use crate::fault::Fault;

/// What a write says once it is opened.
pub(crate) struct Opened {
    /// The base64 text that the encryption held: what an EVC signature signs.
    pub(crate) text: String,
    pub(crate) json: Value,
}

/// The envelope of a write. A body that is no JSON object is GEN5007.
pub(crate) fn envelope(call: &Call) -> Result<Request, Fault> {
    serde_json::from_slice(&call.body).map_err(|_| Fault::new("GEN5007", "Malformed Request"))
}

/// Opens `data`. An `hmac` that is there must be right; saves cannot do without one, filings have none.
pub(crate) fn open(request: &Request, sek: &Sek, needs_hmac: bool) -> Result<Opened, Fault> {
    let nulls = || Fault::new("RET191101", "Decrypt request failed, values are null");
    let data = request.data.as_deref().filter(|data| !data.is_empty()).ok_or_else(nulls)?;
    let hmac = request.hmac.as_deref().filter(|hmac| !hmac.is_empty());
    if needs_hmac && hmac.is_none() {
        return Err(nulls());
    }
    let undecipherable = |_| Fault::new("RET191166", "Decryption or decoding of the payload failed");
    let text = sek.decrypt_request_text(data, hmac).map_err(undecipherable)?;
    let json = base64::decode_strict(text.as_bytes()).map_err(undecipherable)?;
    let json =
        serde_json::from_slice(&json).map_err(|_| Fault::new("RET191103", "Corrupted Data or File"))?;
    if !Value::is_object(&json) {
        return Err(Fault::new("RET191139", "Decoded payload is null"));
    }
    Ok(Opened { text: text.to_string(), json })
}

/// The period that the payload is for: `fp` in saves, `ret_period` elsewhere.
///
/// The payload must be the session's taxpayer's. Whether a header with another period is refused is a setting:
/// one client family sends today's month whatever it saves.
pub(crate) fn period(
    payload: &Value,
    gstin: &Gstin,
    call: &Call,
    strict: bool,
) -> Result<ReturnPeriod, Fault> {
    let text = |name: &str| payload.get(name).and_then(Value::as_str).map(str::trim);
    let differ = || Fault::new("RET191136", "Return period or GSTIN from header and payload differ");
    let named = text("gstin").ok_or_else(incomplete)?;
    if !named.eq_ignore_ascii_case(gstin.as_str()) {
        return Err(differ());
    }
    let period = text("fp").or_else(|| text("ret_period")).ok_or_else(incomplete)?;
    if strict && call.period_header().is_some_and(|header| header != period) {
        return Err(differ());
    }
    period.parse().map_err(|_| invalid_period())
}

/// The payload does not say whose or which month's it is.
pub(crate) const INCOMPLETE: &str = "RET191131";

fn incomplete() -> Fault {
    Fault::new(INCOMPLETE, "GSTIN or return period is missing in the payload")
}

/// AUTH113: six digits that are no month.
pub(crate) fn invalid_period() -> Fault {
    Fault::new("AUTH113", "Invalid Return Period")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn call(period_header: Option<&str>) -> Call {
        let mut headers = HeaderMap::new();
        if let Some(period) = period_header {
            headers.insert("ret_prd", period.parse().unwrap());
        }
        Call::new(Method::PUT, "/".parse().unwrap(), headers, Bytes::new(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_payload_names_the_period_and_a_header_is_held_against_it_only_when_strict() {
        let gstin = "27AAPFU0939F1ZV".parse().unwrap();
        let payload = json!({"gstin": "27aapfu0939f1zv", "fp": "012026"});
        let code = |outcome: Result<ReturnPeriod, Fault>| outcome.map(|p| p.to_string()).map_err(|f| f.code);
        let read = |header, strict| code(period(&payload, &gstin, &call(header), strict));
        assert_eq!(read(Some("022026"), false), Ok("012026".into()));
        assert_eq!(read(Some("022026"), true), Err("RET191136".into()));
        assert_eq!(read(Some("012026 "), true), Ok("012026".into()));
        assert_eq!(read(None, true), Ok("012026".into()));
        let other = json!({"gstin": "33AANCS2882A1ZG", "fp": "012026"});
        assert_eq!(code(period(&other, &gstin, &call(None), false)), Err("RET191136".into()));
        let nameless = json!({"gstin": "27AAPFU0939F1ZV"});
        assert_eq!(code(period(&nameless, &gstin, &call(None), false)), Err("RET191131".into()));
        let odd = json!({"gstin": "27AAPFU0939F1ZV", "ret_period": "132026"});
        assert_eq!(code(period(&odd, &gstin, &call(None), false)), Err("AUTH113".into()));
    }

    #[test]
    fn what_does_not_open_is_told_apart_only_as_far_as_gstn_does() {
        let sek = Sek::from_bytes([7; 32]);
        let code =
            |request: &Request, needs_hmac| open(request, &sek, needs_hmac).map(|_| ()).map_err(|f| f.code);
        let seal = |json: &[u8], sek: &Sek| {
            let sealed = sek.encrypt_request(json);
            Request { data: Some(sealed.data), hmac: Some(sealed.hmac), ..Default::default() }
        };
        let good = seal(br#"{"a": 1.0 }"#, &sek);
        assert_eq!(code(&good, true), Ok(()));
        assert_eq!(code(&Request { hmac: None, ..good.clone() }, false), Ok(()));
        assert_eq!(code(&Request { hmac: None, ..good.clone() }, true), Err("RET191101".into()));
        assert_eq!(code(&Request { data: None, ..good.clone() }, true), Err("RET191101".into()));
        let other_hmac = seal(b"{}", &sek).hmac;
        assert_eq!(code(&Request { hmac: other_hmac, ..good }, true), Err("RET191166".into()));
        assert_eq!(code(&seal(b"{}", &Sek::from_bytes([8; 32])), true), Err("RET191166".into()));
        assert_eq!(code(&seal(b"{\"a\":", &sek), true), Err("RET191103".into()));
        assert_eq!(code(&seal(b"null", &sek), true), Err("RET191139".into()));
    }
}
