//! One rule of the fault plan: what goes wrong, with which calls, how often, and when.

use std::borrow::Cow;

use gstn::crypto::sha256;
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use crate::moment;

/// The longest delay: ten minutes. Whoever waits longer has given up.
const LONGEST_DELAY_MS: u64 = 600_000;
/// How much of an answer arrives before it breaks off, in percent, unless the rule says otherwise.
const HALF: u8 = 50;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The answer is held back for `milliseconds` of real time.
    Delay,
    /// The connection is closed without an answer.
    Drop,
    /// The connection is reset (TCP RST) without an answer.
    Reset,
    /// The answer breaks off after `percent` of it.
    Truncate,
    /// An HTTP status, 503 unless `status` says otherwise, with a line of text instead of JSON.
    HttpError,
    /// A page of HTML instead of JSON, at `status` (200 unless given).
    Html,
    /// The `hmac` of the answer does not fit its data.
    WrongHmac,
    /// The `hash` of each file does not fit the file, in the answers that tell where files are (FILEDET and its like).
    WrongHash,
    /// Objects in the decrypted answer have a member that no document knows.
    UnknownFields,
    /// The members of the decrypted answer come in another order.
    ReorderedKeys,
    /// The session that the call names ends before the call is looked at.
    SessionDeath,
    /// GSTN's error `code`, such as AUTH403, RTN_24 or RET12501.
    Error,
    /// Nothing that was encrypted for GSTN's certificate opens: TEC4002.
    StaleCertificate,
    /// GSTN is being worked on from `from` to `until`: HTTP 503 with GEN5008.
    Maintenance,
    /// More than `per_minute` calls a minute of each `each` are refused: HTTP 429 with GEN5005.
    Throttle,
}

/// By which clock `from` and `until` are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultClock {
    /// The clock that returns go by.
    #[default]
    Tax,
    /// The real one.
    Real,
}

/// Whose calls a throttle counts together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Each {
    /// Those of a taxpayer.
    #[default]
    Gstin,
    /// Those of a GSP, by its client id.
    Client,
}

/// A rule as it is given: in a fault plan, or to the management port. Whatever is left out does not narrow it down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewFault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// A word for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The family of the API: the first segment of its path, such as `taxpayerapi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// The path below the version, such as `returns/gstr1`; with `*` at its end whatever begins like that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The action, such as `RETSAVE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The HTTP method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The taxpayer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gstin: Option<String>,
    /// The GSP, by its `clientid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The ASP, where the GSP tells it in the header `aspid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asp: Option<String>,
    /// The share of calls it strikes, above 0 and up to 1. All of them when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// How often it strikes before it rests for good. For ever when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How many calls it lets pass before the first that it may strike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<u64>,
    /// Which calls a `rate` strikes: the same seed strikes the same ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// From when on: an instant (RFC 3339), or a day in India.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until when, that instant or the beginning of that day excluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// By which clock `from` and `until` are meant: `tax`, or `real`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<FaultClock>,
    /// Whether the call takes effect all the same, so that only the answer is lost. `drop`, `reset`, `http_error` and
    /// `html` alone; they come before the call when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processed: Option<bool>,
    /// Of a `delay`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// How much of a truncated answer arrives: 0 to 99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// The HTTP status of `http_error`, `html` and `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The code of an `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The words of an `error`; those of the catalogue when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Of a `throttle`: calls a minute of the real clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    /// Of a `throttle`: whose calls are counted together, each `gstin`'s or each `client`'s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
}

/// Why a rule cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct FaultRuleError {
    /// The member of the rule.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
}

impl NewFault {
    /// A rule of this kind that strikes every call.
    pub fn of(kind: FaultKind) -> Self {
        Self {
            kind,
            note: None,
            family: None,
            path: None,
            action: None,
            method: None,
            gstin: None,
            client: None,
            asp: None,
            rate: None,
            count: None,
            skip: None,
            seed: None,
            from: None,
            until: None,
            clock: None,
            processed: None,
            milliseconds: None,
            percent: None,
            status: None,
            code: None,
            message: None,
            per_minute: None,
            each: None,
        }
    }

    /// Whether it can be, with every member it has.
    ///
    /// # Errors
    /// The first member that is wrong, missing, or does not belong to this kind.
    pub fn check(&self) -> Result<(), FaultRuleError> {
        Rule::read(self.clone()).map(drop)
    }
}

/// A rule that can be applied.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) given: NewFault,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    pub(super) status: Option<StatusCode>,
}

impl Rule {
    pub(super) fn read(given: NewFault) -> Result<Self, FaultRuleError> {
        check_members(&given)?;
        check_numbers(&given)?;
        let instant = |text: &Option<String>, field| {
            let read = |text: &String| moment::start(text).map_err(|reason| wrong(field, reason));
            text.as_ref().map(read).transpose()
        };
        let (from, until) = (instant(&given.from, "from")?, instant(&given.until, "until")?);
        if from.zip(until).is_some_and(|(from, until)| from >= until) {
            return Err(wrong("until", "must be later than `from`"));
        }
        let status = given.status.map(|status| {
            StatusCode::from_u16(status)
                .ok()
                .filter(|status| (200..=599).contains(&status.as_u16()))
                .ok_or_else(|| wrong("status", "must be an HTTP status from 200 to 599"))
        });
        Ok(Self { from, until, status: status.transpose()?, given })
    }

    pub(super) fn matches(&self, facts: &Facts<'_>, now: Timestamp, tax_now: Timestamp) -> bool {
        let at = if self.given.clock == Some(FaultClock::Real) { now } else { tax_now };
        let same = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| is.is_some_and(|is| is.eq_ignore_ascii_case(wanted)))
        };
        self.from.is_none_or(|from| at >= from)
            && self.until.is_none_or(|until| at < until)
            && same(&self.given.family, facts.family)
            && same(&self.given.action, facts.action)
            && same(&self.given.method, Some(facts.method))
            && same(&self.given.gstin, facts.gstin)
            && same(&self.given.client, facts.client)
            && same(&self.given.asp, facts.asp)
            && self.given.path.as_ref().is_none_or(|wanted| is_path(wanted, &facts.path))
            && (self.given.kind != FaultKind::StaleCertificate || facts.sealed_for_certificate)
            && (self.given.kind != FaultKind::WrongHash || facts.asks_for_files())
            && (self.given.kind != FaultKind::SessionDeath || facts.auth_token.is_some())
    }

    /// Whether it strikes the call that is the `nth` (from 0) to match it, having struck `struck` before.
    pub(super) fn strikes(&self, nth: u64, struck: u64) -> bool {
        let skip = self.given.skip.unwrap_or(0);
        nth >= skip
            && self.given.count.is_none_or(|count| struck < count)
            && self.given.rate.is_none_or(|rate| share(self.given.seed.unwrap_or(0), nth) < rate)
    }

    pub(super) fn is_processed(&self) -> bool {
        self.given.processed.unwrap_or(false) || self.given.kind == FaultKind::Truncate
    }

    pub(super) fn percent(&self) -> u8 {
        self.given.percent.unwrap_or(HALF)
    }
}

/// A number from 0 to 1 that depends on the seed and the number of the call alone.
fn share(seed: u64, nth: u64) -> f64 {
    let hash = sha256(&[seed.to_be_bytes(), nth.to_be_bytes()].concat());
    let (first, _) = hash.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    // 53 bits are what an f64 holds exactly.
    (u64::from_be_bytes(*first) >> 11) as f64 / (1_u64 << 53) as f64
}

fn is_path(wanted: &str, path: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(beginning) => path.starts_with(beginning),
        None => path == wanted.trim_matches('/'),
    }
}

fn wrong(field: &'static str, reason: impl Into<Cow<'static, str>>) -> FaultRuleError {
    FaultRuleError { field, reason: reason.into() }
}

/// A member that means nothing for this kind is a mistake, and so is one that is missing.
fn check_members(given: &NewFault) -> Result<(), FaultRuleError> {
    use FaultKind as Kind;
    let is = |kinds: &[Kind]| kinds.contains(&given.kind);
    let strange = "has no meaning for this kind";
    for (field, there, belongs) in [
        ("milliseconds", given.milliseconds.is_some(), is(&[Kind::Delay])),
        ("percent", given.percent.is_some(), is(&[Kind::Truncate])),
        ("status", given.status.is_some(), is(&[Kind::HttpError, Kind::Html, Kind::Error])),
        ("code", given.code.is_some(), is(&[Kind::Error])),
        ("message", given.message.is_some(), is(&[Kind::Error])),
        ("per_minute", given.per_minute.is_some(), is(&[Kind::Throttle])),
        ("each", given.each.is_some(), is(&[Kind::Throttle])),
        ("rate", given.rate.is_some(), !is(&[Kind::Throttle])),
        ("seed", given.seed.is_some(), given.rate.is_some()),
        ("clock", given.clock.is_some(), given.from.is_some() || given.until.is_some()),
        ("processed", given.processed.is_some(), is(&[Kind::Drop, Kind::Reset, Kind::HttpError, Kind::Html])),
    ] {
        if there && !belongs {
            return Err(wrong(field, strange));
        }
    }
    for (field, missing) in [
        ("milliseconds", is(&[Kind::Delay]) && given.milliseconds.is_none()),
        ("code", is(&[Kind::Error]) && given.code.is_none()),
        ("per_minute", is(&[Kind::Throttle]) && given.per_minute.is_none()),
    ] {
        if missing {
            return Err(wrong(field, "is missing"));
        }
    }
    Ok(())
}

fn check_numbers(given: &NewFault) -> Result<(), FaultRuleError> {
    let must =
        |holds: bool, field, reason: &'static str| if holds { Ok(()) } else { Err(wrong(field, reason)) };
    must(given.rate.is_none_or(|rate| rate > 0.0 && rate <= 1.0), "rate", "must be above 0 and at most 1")?;
    must(given.count != Some(0), "count", "must be at least 1")?;
    must(given.percent.is_none_or(|percent| percent < 100), "percent", "must be 0 to 99")?;
    must(
        given.milliseconds.is_none_or(|ms| ms <= LONGEST_DELAY_MS),
        "milliseconds",
        "must be at most 600000 (ten minutes)",
    )?;
    let code = given.code.as_deref();
    must(
        code.is_none_or(|code| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_graphic())),
        "code",
        "must be an error code",
    )?;
    let fits = |text: &Option<String>| text.as_deref().is_none_or(|text| HeaderValue::from_str(text).is_ok());
    must(fits(&given.client) && fits(&given.asp), "client", "must be text that fits into a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> Result<Rule, String> {
        let given: NewFault = serde_json::from_str(json).map_err(|error| error.to_string())?;
        Rule::read(given).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_a_rule_is_refused_by_name() {
        for (json, field) in [
            (r#"{"kind":"earthquake"}"#, "earthquake"),
            (r#"{"kind":"drop","colour":"red"}"#, "colour"),
            (r#"{"kind":"delay"}"#, "milliseconds"),
            (r#"{"kind":"delay","milliseconds":600001}"#, "milliseconds"),
            (r#"{"kind":"drop","milliseconds":5}"#, "milliseconds"),
            (r#"{"kind":"error"}"#, "code"),
            (r#"{"kind":"error","code":""}"#, "code"),
            (r#"{"kind":"throttle"}"#, "per_minute"),
            (r#"{"kind":"drop","rate":0}"#, "rate"),
            (r#"{"kind":"drop","rate":1.5}"#, "rate"),
            (r#"{"kind":"drop","seed":3}"#, "seed"),
            (r#"{"kind":"drop","count":0}"#, "count"),
            (r#"{"kind":"truncate","percent":100}"#, "percent"),
            (r#"{"kind":"http_error","status":99}"#, "status"),
            (r#"{"kind":"drop","clock":"real"}"#, "clock"),
            (r#"{"kind":"maintenance","from":"soon"}"#, "from"),
            (r#"{"kind":"maintenance","from":"2026-02-02","until":"2026-02-01"}"#, "until"),
            (r#"{"kind":"wrong_hmac","processed":true}"#, "processed"),
        ] {
            let refusal = rule(json).unwrap_err();
            assert!(refusal.contains(field), "{json}: {refusal}");
        }
        rule(r#"{"kind":"http_error","status":502,"path":"returns/*","rate":0.5,"seed":9}"#).unwrap();
    }

    #[test]
    fn the_same_seed_strikes_the_same_calls_and_about_as_many_as_the_rate_says() {
        let rule = |seed| rule(&format!(r#"{{"kind":"drop","rate":0.25,"seed":{seed}}}"#)).unwrap();
        let struck = |rule: &Rule| (0..1000).filter(|&nth| rule.strikes(nth, 0)).collect::<Vec<_>>();
        assert_eq!(struck(&rule(1)), struck(&rule(1)));
        assert_ne!(struck(&rule(1)), struck(&rule(2)));
        assert!((200..300).contains(&struck(&rule(1)).len()), "{}", struck(&rule(1)).len());
        assert_eq!(struck(&rule(7))[..4], [7, 17, 23, 26], "and so on every machine and in every version");
    }

    #[test]
    fn skip_comes_before_the_first_strike_and_count_after_the_last() {
        let rule = rule(r#"{"kind":"drop","skip":2,"count":3}"#).unwrap();
        let mut struck = 0;
        let told: Vec<bool> = (0..8)
            .map(|nth| {
                let strikes = rule.strikes(nth, struck);
                struck += u64::from(strikes);
                strikes
            })
            .collect();
        assert_eq!(told, [false, false, true, true, true, false, false, false]);
    }
}
