//! What anyone may ask of GSTN about a taxpayer: no taxpayer's consent, no encryption.

use gstn::crypto::base64;
use gstn::{FinancialYear, Gstin, StateCode};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use crate::answer::{Stage, protocol, read};
use crate::api_call::ApiCall;
use crate::call::json;
use crate::error::Error;
use crate::gsp::{Gsp, Outgoing};
use crate::returns::FiledReturns;
use crate::tolerant::{self, day, list, text, yes};
use crate::transport::Answer;

/// What the public register says about a GSTIN.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Registration {
    /// The GSTIN, as the register writes it.
    #[serde(deserialize_with = "text")]
    pub gstin: String,
    /// `lgnm`: the legal name.
    #[serde(rename = "lgnm", deserialize_with = "text")]
    pub legal_name: String,
    /// `tradeNam`: the name under which the business trades.
    #[serde(rename = "tradeNam", deserialize_with = "text")]
    pub trade_name: String,
    /// `sts`.
    #[serde(rename = "sts")]
    pub status: RegistrationStatus,
    /// `dty`: the kind of taxpayer, such as `Regular` or `Composition`.
    #[serde(rename = "dty", deserialize_with = "text")]
    pub kind: String,
    /// `ctb`: the constitution of the business, such as `Private Limited Company`.
    #[serde(rename = "ctb", deserialize_with = "text")]
    pub constitution: String,
    /// `rgdt`: registered on.
    #[serde(rename = "rgdt", deserialize_with = "day")]
    pub registered_on: Option<Date>,
    /// `cxdt`: cancelled on.
    #[serde(rename = "cxdt", deserialize_with = "day")]
    pub cancelled_on: Option<Date>,
    /// `lstupdt`: last changed on.
    #[serde(rename = "lstupdt", deserialize_with = "day")]
    pub updated_on: Option<Date>,
    /// `einvoiceStatus`: whether e-invoices are switched on.
    #[serde(rename = "einvoiceStatus", deserialize_with = "yes")]
    pub einvoice: Option<bool>,
    /// `nba`: what the business does.
    #[serde(rename = "nba", deserialize_with = "list")]
    pub activities: Vec<String>,
    /// `stj`: the state's jurisdiction.
    #[serde(rename = "stj", deserialize_with = "text")]
    pub state_jurisdiction: String,
    /// `ctj`: the centre's jurisdiction.
    #[serde(rename = "ctj", deserialize_with = "text")]
    pub centre_jurisdiction: String,
    /// `pradr`: the principal place of business.
    #[serde(rename = "pradr")]
    pub principal_place: Option<Place>,
    /// `adadr`: further places of business.
    #[serde(rename = "adadr", deserialize_with = "list")]
    pub additional_places: Vec<Place>,
    /// GSTN's answer as it came.
    #[serde(skip)]
    pub raw: Value,
}

/// Where a registration stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "Option<String>")]
#[non_exhaustive]
pub enum RegistrationStatus {
    /// `Active`.
    Active,
    /// `Cancelled`, by the taxpayer or of the office's own accord (`Cancelled suo-moto`).
    Cancelled,
    /// `Suspended`: a cancellation is under way.
    Suspended,
    /// `Inactive`.
    Inactive,
    /// `Provisional`.
    Provisional,
    /// A status that is none of these.
    Other(String),
    /// The register gave none.
    #[default]
    Unknown,
}

impl From<Option<String>> for RegistrationStatus {
    fn from(status: Option<String>) -> Self {
        let status = status.unwrap_or_default();
        match status.trim().to_ascii_lowercase().as_str() {
            "" => Self::Unknown,
            "active" => Self::Active,
            "suspended" => Self::Suspended,
            "inactive" => Self::Inactive,
            "provisional" => Self::Provisional,
            cancelled if cancelled.starts_with("cancelled") => Self::Cancelled,
            _ => Self::Other(status),
        }
    }
}

/// A place of business.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Place {
    /// `addr`.
    #[serde(rename = "addr", deserialize_with = "tolerant::object")]
    pub address: Address,
    /// `ntr`: what is done there, such as `Office / Sale Office`.
    #[serde(rename = "ntr", deserialize_with = "text")]
    pub nature: String,
}

/// An address in India. What is not known is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Address {
    /// `flno`: floor.
    #[serde(rename = "flno", deserialize_with = "text")]
    pub floor: String,
    /// `bno`: number of the building.
    #[serde(rename = "bno", deserialize_with = "text")]
    pub building_number: String,
    /// `bnm`: name of the building.
    #[serde(rename = "bnm", deserialize_with = "text")]
    pub building_name: String,
    /// `st`: street.
    #[serde(rename = "st", deserialize_with = "text")]
    pub street: String,
    /// `locality`.
    #[serde(deserialize_with = "text")]
    pub locality: String,
    /// `loc`: village, town or part of a city.
    #[serde(rename = "loc", deserialize_with = "text")]
    pub location: String,
    /// `city`.
    #[serde(deserialize_with = "text")]
    pub city: String,
    /// `dst`: district.
    #[serde(rename = "dst", deserialize_with = "text")]
    pub district: String,
    /// `stcd`: state, by name.
    #[serde(rename = "stcd", deserialize_with = "text")]
    pub state: String,
    /// `pncd`: PIN code.
    #[serde(rename = "pncd", deserialize_with = "text")]
    pub pin_code: String,
    /// `landMark`.
    #[serde(rename = "landMark", deserialize_with = "text")]
    pub landmark: String,
}

impl Gsp {
    /// What the public register says about a GSTIN.
    ///
    /// ```no_run
    /// # async fn example(gsp: suvidha_client::Gsp) -> Result<(), Box<dyn std::error::Error>> {
    /// let found = gsp.search(&"33AANCS2882A1ZG".parse()?).await?;
    /// println!("{}, registered on {:?}", found.legal_name, found.registered_on);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoDocuments`] where the register knows no such GSTIN, and every other kind of [`Error`] but
    /// [`Error::OtpRequired`].
    pub async fn search(&self, gstin: &Gstin) -> Result<Registration, Error> {
        let call = ApiCall::get("commonapi/v1.1/search", "TP").query("gstin", gstin.as_str());
        let (registration, raw) =
            tolerant::read::<Registration>(&self.public(&call, None).await?, "what the register says")?;
        Ok(Registration { raw, ..registration })
    }

    /// The returns that a taxpayer has filed for a financial year, of one `form` (`R1`, `R3B` …) or of all.
    ///
    /// # Errors
    /// [`Error::NoDocuments`] where there is none, and every other kind of [`Error`] but [`Error::OtpRequired`].
    pub async fn track_returns(
        &self,
        gstin: &Gstin,
        year: FinancialYear,
        form: Option<&str>,
    ) -> Result<FiledReturns, Error> {
        let call = ApiCall::get("commonapi/v1.0/returns", "RETTRACK")
            .query("gstin", gstin.as_str())
            .query("fy", year.to_string());
        let call = form.into_iter().fold(call, |call, form| call.query("type", form));
        FiledReturns::read(&self.public(&call, None).await?)
    }

    /// Any other public API of GSTN's catalogue by name, with `input` as its query. [`ApiCall::named`] says how names are
    /// written. A gateway that checks headers strictly wants a `gstin` or a `stateCode` in it.
    ///
    /// ```no_run
    /// use serde_json::json;
    ///
    /// # async fn example(gsp: suvidha_client::Gsp) -> Result<(), Box<dyn std::error::Error>> {
    /// let found = gsp.call_raw("commonapi/search", "TPPAN", json!({"pan": "AANCS2882A"})).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] with near misses where the catalogue has no such API, or where it is one of a taxpayer
    /// ([`Taxpayer::call_raw`](crate::Taxpayer::call_raw)), and every other kind of [`Error`] but
    /// [`Error::OtpRequired`].
    pub async fn call_raw(&self, path: &str, action: &str, input: Value) -> Result<Value, Error> {
        self.call_public(ApiCall::named(path, action)?.input(&input)?).await
    }

    /// Makes a call without a taxpayer's session, of an API under `commonapi`.
    ///
    /// # Errors
    /// As [`call_raw`](Self::call_raw).
    pub async fn call_public(&self, call: ApiCall) -> Result<Value, Error> {
        json(&self.public(&call, None).await?)
    }

    /// A public call; `state` is the caller's, for one that names no other.
    pub(crate) async fn public(&self, call: &ApiCall, state: Option<StateCode>) -> Result<Vec<u8>, Error> {
        call.check()?;
        if !call.is_public() {
            let what = format!("{call:?} needs a taxpayer's session: make it on a Taxpayer");
            return Err(Error::Invalid(what));
        }
        let mut headers = self.common_headers(call.state().or(state))?;
        call.put_headers(&mut headers)?;
        let outgoing = Outgoing {
            method: call.method().clone(),
            target: &call.target(None),
            action: call.action(),
            gstin: call.gstin(),
            headers,
            body: call.plain().into(),
        };
        self.call(&outgoing, open).await
    }
}

/// The JSON of a public answer. GSTN gives `data` as base64 of JSON; some GSPs decode it, some leave the envelope
/// away.
fn open(answer: &Answer) -> Result<Vec<u8>, Error> {
    let mut reply: Value = read(answer, Stage::Public)?;
    let object = reply.as_object_mut().ok_or_else(|| protocol(answer, "is not a JSON object"))?;
    match object.remove("data") {
        Some(Value::String(data)) => base64::decode_lenient(&data)
            .map_err(|_| protocol(answer, "brings data that is not base64 of JSON")),
        Some(plain @ (Value::Object(_) | Value::Array(_))) => Ok(plain.to_string().into_bytes()),
        _ if object.keys().any(|key| key != "status_cd" && key != "status_desc") => {
            Ok(reply.to_string().into_bytes())
        }
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
        let json = open(&Answer { status: StatusCode::OK, headers: HeaderMap::new(), body })?;
        Ok(serde_json::from_slice(&json).unwrap())
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

    #[test]
    fn an_entry_of_the_register_is_read_whatever_it_leaves_out() {
        let read = |json: Value| tolerant::read::<Registration>(json.to_string().as_bytes(), "it").unwrap().0;
        let whole = read(json!({
            "gstin": "33AANCS2882A1ZG", "lgnm": "Sample Traders", "tradeNam": "ST", "sts": "Cancelled suo-moto",
            "rgdt": "01/07/2017", "cxdt": "31/03/2024", "einvoiceStatus": "Yes", "nba": ["Retail Business"],
            "pradr": {"addr": {"bnm": "House", "pncd": 600001, "lt": ""}, "ntr": "Office"}, "adadr": [], "new": {},
        }));
        assert_eq!((whole.status, whole.einvoice), (RegistrationStatus::Cancelled, Some(true)));
        assert_eq!(whole.registered_on, Some(jiff::civil::date(2017, 7, 1)));
        assert_eq!(whole.principal_place.unwrap().address.pin_code, "600001");

        let bare = read(json!({"lgnm": null, "sts": null, "cxdt": "", "nba": null, "pradr": {"addr": null}}));
        assert_eq!(
            (bare.legal_name.as_str(), bare.status, bare.cancelled_on),
            ("", RegistrationStatus::Unknown, None)
        );
        assert_eq!(read(json!({"sts": "Dormant"})).status, RegistrationStatus::Other("Dormant".to_owned()));
    }
}
