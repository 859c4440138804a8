//! The fault plan: what goes wrong on purpose, so that a program can be tried against it.
//!
//! A rule ([`NewFault`]) says what goes wrong with which calls, and how often. The same rules with the same seeds strike the
//! same calls in the same order. The plan is kept in the database, so a restart changes nothing; how many calls a rule has
//! matched without striking is written down with its next strike.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};
use serde::Serialize;

mod connection;
mod facts;
mod rule;
mod tamper;

pub(crate) use connection::{Cut, Faulty, Line, broken_off};
pub(crate) use facts::{Facts, Named};
pub use rule::{Each, FaultClock, FaultKind, FaultRuleError, NewFault};
pub(crate) use tamper::{Tampering, opened};

use crate::db::Db;
use crate::fault::Fault;
use crate::respond::Answer;
use rule::Rule;

/// Windows of a throttle begin with every minute of the real clock.
const MINUTE_MS: i64 = 60_000;

/// Where a rule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// The management port.
    Added,
    /// The fault plan that the sandbox was started with.
    File,
    /// The strict mode.
    Strict,
}

impl Origin {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::File => "file",
            Self::Strict => "strict",
        }
    }

    fn read(text: &str) -> Self {
        [Self::File, Self::Strict].into_iter().find(|origin| origin.as_str() == text).unwrap_or(Self::Added)
    }
}

/// A rule of the plan, as the management port lists it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Listed {
    pub(crate) id: i64,
    origin: Origin,
    /// How many calls it fitted.
    matched: u64,
    /// How many of them it struck.
    struck: u64,
    rule: NewFault,
}

struct Entry {
    id: i64,
    origin: Origin,
    rule: Rule,
    matched: u64,
    struck: u64,
    /// Of a throttle: the minute, and the calls of each in it.
    window: (i64, BTreeMap<String, u32>),
}

/// The rules in force.
pub(crate) struct FaultPlan {
    entries: Mutex<Vec<Entry>>,
    /// Held over a change of the rules, whose write to the disk must not hold up calls.
    changing: Mutex<()>,
}

/// What the plan does to a call.
#[derive(Default)]
pub(crate) struct Strikes {
    /// How long the answer is held back.
    pub(crate) delay: Duration,
    /// Whether the session that the call names is to end first.
    pub(crate) ends_session: bool,
    /// Refused with this, instead of being looked at.
    pub(crate) refusal: Option<Fault>,
    /// What becomes of the answer, and whether the call takes effect all the same.
    pub(crate) loss: Option<(Loss, bool)>,
    /// Their kinds, for the log of calls.
    pub(crate) kinds: Vec<FaultKind>,
}

/// How an answer is lost.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Loss {
    Cut(Cut),
    /// A line of text at this status.
    Text(StatusCode),
    /// A page of HTML at this status.
    Html(StatusCode),
}

impl FaultPlan {
    /// The plan as the database keeps it.
    pub(crate) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { entries: Mutex::new(read(conn)?), changing: Mutex::default() })
    }

    /// Takes up what the database keeps, after all of it was replaced.
    pub(crate) fn resume(&self, db: &Db) -> rusqlite::Result<()> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = db.read(|tx| read(tx))?;
        *self.entries() = kept;
        Ok(())
    }

    /// The rules in the order in which they are looked at.
    pub(crate) fn list(&self) -> Vec<Listed> {
        self.entries().iter().map(Entry::listed).collect()
    }

    /// Adds rules at the end of the plan, all or none.
    pub(crate) fn add(
        &self,
        db: &Db,
        origin: Origin,
        rules: Vec<NewFault>,
    ) -> Result<Vec<Listed>, FaultPlanError> {
        let rules = rules.into_iter().map(Rule::read).collect::<Result<Vec<_>, _>>()?;
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let added = db.write(|tx| rules.into_iter().map(|rule| insert(tx, origin, rule)).collect())?;
        let added: Vec<Entry> = added;
        let listed = added.iter().map(Entry::listed).collect();
        self.entries().extend(added);
        Ok(listed)
    }

    /// Puts `rules` in place of those of the same origin, unless they are the same: then their counts go on.
    pub(crate) fn replace(&self, db: &Db, origin: Origin, rules: &[NewFault]) -> Result<(), FaultPlanError> {
        let present: Vec<Listed> = self.list().into_iter().filter(|listed| listed.origin == origin).collect();
        if present.iter().map(|listed| &listed.rule).eq(rules) {
            return Ok(());
        }
        self.remove(db, |entry| entry.origin == origin)?;
        self.add(db, origin, rules.to_vec()).map(drop)
    }

    /// Removes the rule of this number; whether there was one.
    pub(crate) fn remove_one(&self, db: &Db, id: i64) -> rusqlite::Result<bool> {
        Ok(self.remove(db, |entry| entry.id == id)? > 0)
    }

    /// Removes every rule, and tells how many there were.
    pub(crate) fn clear(&self, db: &Db) -> rusqlite::Result<usize> {
        self.remove(db, |_| true)
    }

    fn remove(&self, db: &Db, goes: impl Fn(&Entry) -> bool) -> rusqlite::Result<usize> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let ids: Vec<i64> = self.entries().iter().filter(|entry| goes(entry)).map(|entry| entry.id).collect();
        db.write(|tx| {
            ids.iter().try_for_each(|id| tx.execute("DELETE FROM faults WHERE id = ?1", [id]).map(drop))
        })?;
        self.entries().retain(|entry| !ids.contains(&entry.id));
        Ok(ids.len())
    }

    /// What befalls a call before it is looked at, or whatever it is answered. The first rule that decides it does.
    pub(crate) fn strike(&self, db: &Db, facts: &Facts<'_>, now: Timestamp, tax_now: Timestamp) -> Strikes {
        let mut strikes = Strikes::default();
        self.each_that_strikes(db, facts, now, tax_now, FaultKind::comes_first, |rule| {
            strikes.take(rule);
            !strikes.is_decided()
        });
        strikes
    }

    /// What is done to the payload of an answer that has one.
    pub(crate) fn tampering(
        &self,
        db: &Db,
        facts: &Facts<'_>,
        now: Timestamp,
        tax_now: Timestamp,
    ) -> Tampering {
        let mut tampering = Tampering::default();
        self.each_that_strikes(db, facts, now, tax_now, FaultKind::tampers, |rule| {
            tampering.take(rule.given.kind);
            true
        });
        tampering
    }

    /// Counts the call with each rule of `kinds` that fits it, and hands those that strike it to `struck`, until that says
    /// false.
    fn each_that_strikes(
        &self,
        db: &Db,
        facts: &Facts<'_>,
        now: Timestamp,
        tax_now: Timestamp,
        kinds: impl Fn(FaultKind) -> bool,
        mut struck: impl FnMut(&Rule) -> bool,
    ) {
        let mut counts = Vec::new();
        for entry in self.entries().iter_mut() {
            if !kinds(entry.rule.given.kind) || !entry.rule.matches(facts, now, tax_now) {
                continue;
            }
            if entry.counts_a_strike(facts, now) {
                counts.push((entry.id, entry.matched, entry.struck));
                if !struck(&entry.rule) {
                    break;
                }
            }
        }
        if counts.is_empty() {
            return;
        }
        // Two calls at a time may come here in the other order: counts only rise.
        let written = db.write(|tx| -> rusqlite::Result<()> {
            let mut update = tx.prepare_cached(
                "UPDATE faults SET matched = max(matched, ?2), struck = max(struck, ?3) WHERE id = ?1",
            )?;
            counts.iter().try_for_each(|(id, matched, struck)| {
                update.execute(params![id, stored(*matched), stored(*struck)]).map(drop)
            })
        });
        if let Err(error) = written {
            tracing::error!(%error, "the counts of the fault plan could not be written");
        }
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why rules were not added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FaultPlanError {
    #[error(transparent)]
    Rule(#[from] FaultRuleError),
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

impl Entry {
    fn listed(&self) -> Listed {
        Listed {
            id: self.id,
            origin: self.origin,
            matched: self.matched,
            struck: self.struck,
            rule: self.rule.given.clone(),
        }
    }

    /// Counts a call that the rule fits, and whether it strikes it.
    fn counts_a_strike(&mut self, facts: &Facts<'_>, now: Timestamp) -> bool {
        let nth = self.matched;
        self.matched += 1;
        let strikes = self.rule.strikes(nth, self.struck) && self.is_over_the_limit(facts, now);
        self.struck += u64::from(strikes);
        strikes
    }

    /// Of a throttle: whether this is one call too many in its minute. Other kinds have no limit.
    fn is_over_the_limit(&mut self, facts: &Facts<'_>, now: Timestamp) -> bool {
        let Some(limit) = self.rule.given.per_minute else { return true };
        let whose = match self.rule.given.each.unwrap_or_default() {
            Each::Gstin => facts.gstin.map(str::to_ascii_uppercase),
            Each::Client => facts.client.map(str::to_owned),
        };
        let Some(whose) = whose else { return false };
        let minute = now.as_millisecond().div_euclid(MINUTE_MS);
        if self.window.0 != minute {
            self.window = (minute, BTreeMap::new());
        }
        let calls = self.window.1.entry(whose).or_default();
        *calls = calls.saturating_add(1);
        *calls > limit
    }
}

impl FaultKind {
    /// Needs nothing of the answer.
    fn comes_first(self) -> bool {
        !self.tampers()
    }

    fn tampers(self) -> bool {
        matches!(self, Self::WrongHmac | Self::WrongHash | Self::UnknownFields | Self::ReorderedKeys)
    }

    /// As in a rule: `http_error`.
    pub(crate) fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

impl Strikes {
    fn is_decided(&self) -> bool {
        self.refusal.is_some() || self.loss.is_some()
    }

    fn take(&mut self, rule: &Rule) {
        let given = &rule.given;
        self.kinds.push(given.kind);
        let lost = |loss| Some((loss, rule.is_processed()));
        match given.kind {
            FaultKind::Delay => self.delay += Duration::from_millis(given.milliseconds.unwrap_or(0)),
            FaultKind::SessionDeath => self.ends_session = true,
            FaultKind::Drop => self.loss = lost(Loss::Cut(Cut::Closed)),
            FaultKind::Reset => self.loss = lost(Loss::Cut(Cut::Reset)),
            FaultKind::Truncate => self.loss = lost(Loss::Cut(Cut::After { percent: rule.percent() })),
            FaultKind::HttpError => {
                self.loss = lost(Loss::Text(rule.status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE)));
            }
            FaultKind::Html => self.loss = lost(Loss::Html(rule.status.unwrap_or(StatusCode::OK))),
            FaultKind::Error => self.refusal = Some(error(rule)),
            FaultKind::StaleCertificate => self.refusal = Some(Fault::not_for_this_certificate()),
            FaultKind::Maintenance => {
                let words = "GSTN is under maintenance. Please try again later";
                self.refusal = Some(Fault::new("GEN5008", words).at(StatusCode::SERVICE_UNAVAILABLE));
            }
            FaultKind::Throttle => {
                let words = "Too many calls in this minute";
                self.refusal = Some(Fault::new("GEN5005", words).at(StatusCode::TOO_MANY_REQUESTS));
            }
            // These are not looked at here.
            FaultKind::WrongHmac
            | FaultKind::WrongHash
            | FaultKind::UnknownFields
            | FaultKind::ReorderedKeys => {}
        }
    }
}

/// The error that a rule names, in its own words or in those of the catalogue.
fn error(rule: &Rule) -> Fault {
    let code = rule.given.code.clone().unwrap_or_default();
    let known = gstn::catalogue::error(&code).map(|entry| entry.message);
    let message = rule.given.message.clone().or_else(|| known.map(str::to_owned));
    Fault {
        status: rule.status.unwrap_or(StatusCode::OK),
        code: code.into(),
        message: message.unwrap_or_else(|| "Refused by the fault plan".to_owned()).into(),
    }
}

impl Loss {
    /// The answer in place of the one that is lost; none where that one is cut.
    pub(crate) fn in_its_place(self) -> Option<Answer> {
        match self {
            Self::Cut(_) => None,
            Self::Text(status) => Some(Answer::text(status, "text/plain", "Service Unavailable\n")),
            Self::Html(status) => {
                let page = "<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please \
                            consult with your administrator.</body></html>\n";
                Some(Answer::text(status, "text/html", page))
            }
        }
    }
}

/// A small share of faults that a program overcomes by calling again: every one of them comes before the call takes effect.
pub(crate) fn strict_rules() -> Vec<NewFault> {
    let of = |kind, rate, seed| NewFault {
        rate: Some(rate),
        seed: Some(seed),
        note: Some("strict mode".to_owned()),
        ..NewFault::of(kind)
    };
    vec![
        NewFault { milliseconds: Some(300), ..of(FaultKind::Delay, 0.03, 1) },
        NewFault { method: Some("GET".to_owned()), ..of(FaultKind::HttpError, 0.01, 2) },
        NewFault { method: Some("GET".to_owned()), ..of(FaultKind::Drop, 0.01, 3) },
        NewFault { method: Some("GET".to_owned()), ..of(FaultKind::Truncate, 0.005, 4) },
        NewFault {
            method: Some("GET".to_owned()),
            code: Some("GEN5008".to_owned()),
            message: Some("Internal Server Error".to_owned()),
            ..of(FaultKind::Error, 0.01, 5)
        },
    ]
}

fn read(conn: &Connection) -> rusqlite::Result<Vec<Entry>> {
    let mut select = conn.prepare("SELECT id, rule, origin, matched, struck FROM faults ORDER BY id")?;
    let mut rows = select.query([])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, text): (i64, String) = (row.get(0)?, row.get(1)?);
        let given = serde_json::from_str::<NewFault>(&text).map_err(|error| error.to_string());
        match given.and_then(|given| Rule::read(given).map_err(|error| error.to_string())) {
            Ok(rule) => entries.push(Entry {
                id,
                origin: Origin::read(&row.get::<_, String>(2)?),
                rule,
                matched: counted(row.get(3)?),
                struck: counted(row.get(4)?),
                window: Default::default(),
            }),
            Err(error) => {
                tracing::warn!(id, error, "a rule of the fault plan cannot be read, and is left out")
            }
        }
    }
    Ok(entries)
}

fn insert(tx: &Transaction<'_>, origin: Origin, rule: Rule) -> rusqlite::Result<Entry> {
    let text = serde_json::to_string(&rule.given)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    tx.execute(
        "INSERT INTO faults (rule, origin, matched, struck) VALUES (?1, ?2, 0, 0)",
        params![text, origin.as_str()],
    )?;
    Ok(Entry { id: tx.last_insert_rowid(), origin, rule, matched: 0, struck: 0, window: Default::default() })
}

fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn counted(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}
