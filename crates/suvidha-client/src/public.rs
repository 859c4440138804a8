//! Public calls: no taxpayer's consent, no encryption.

use gstn::Gstin;
use gstn::crypto::base64;
use serde_json::Value;

use crate::answer::{Stage, protocol, read};
use crate::call::with_query;
use crate::error::Error;
use crate::gsp::{Gsp, Outgoing};
use crate::transport::Answer;

impl Gsp {
    /// What the public register says about a GSTIN: `lgnm` (legal name), `tradeNam`, `sts` (status), `dty` (kind),
    /// `rgdt` (registered on, dd/mm/yyyy), `pradr` (principal address) and more.
    pub async fn search(&self, gstin: &Gstin) -> Result<Value, Error> {
        let target = with_query("commonapi/v1.1/search", &[("action", "TP"), ("gstin", gstin.as_str())]);
        let headers = self.common_headers(gstin.state())?;
        self.call(&Outgoing::get(&target, "TP", *gstin, headers), open).await
    }
}

/// GSTN gives `data` as base64 of JSON; some GSPs decode it, some leave the envelope away.
fn open(answer: &Answer) -> Result<Value, Error> {
    let mut reply: Value = read(answer, Stage::Outside)?;
    match reply.get_mut("data").map(Value::take) {
        Some(Value::String(data)) => base64::decode_lenient(&data)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| protocol(answer, "brings data that is not base64 of JSON")),
        Some(plain @ Value::Object(_)) => Ok(plain),
        None if reply.get("gstin").is_some() => Ok(reply),
        _ => Err(protocol(answer, "brings no data")),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};
    use serde_json::json;

    use super::*;

    fn opened(body: &Value) -> Result<Value, Error> {
        let body = Bytes::from(body.to_string());
        open(&Answer { status: StatusCode::OK, headers: HeaderMap::new(), body })
    }

    #[test]
    fn the_taxpayer_is_found_in_every_wrapping_that_is_met() {
        let taxpayer = json!({"gstin": "33AANCS2882A1ZG", "lgnm": "A"});
        let data = base64::encode(taxpayer.to_string());
        assert_eq!(opened(&json!({"status_cd": "1", "data": data})).unwrap(), taxpayer);
        assert_eq!(opened(&json!({"status_cd": "1", "data": taxpayer})).unwrap(), taxpayer);
        assert_eq!(opened(&taxpayer).unwrap(), taxpayer);
        for bad in [json!({"status_cd": "1"}), json!({"status_cd": "1", "data": "!"}), json!([1])] {
            assert!(matches!(opened(&bad), Err(Error::Protocol { .. })));
        }
    }
}
