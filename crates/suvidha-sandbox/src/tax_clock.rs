//! The clock that returns go by. It may stand apart from the real one, stand still, or run ahead, so that a year can be
//! lived in an afternoon.

use std::sync::{Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::clock::ist_date;
use crate::db::Db;
use crate::moment;

/// What a clock of normal speed gains in a second.
const NORMAL: i64 = 1000;
const DAY_MS: f64 = 86_400_000.0;
/// More than a year a second serves nobody.
const FASTEST: f64 = 366.0;
/// GST began on 1 July 2017, and tax periods end with 2099.
const FIRST_DAY: Date = Date::constant(2017, 7, 1);
const LAST_YEAR: i16 = 2099;

/// How the clock goes: at the real instant `real_ms` it showed `tax_ms`, and it gains `per_second` milliseconds in every
/// real second since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Course {
    real_ms: i64,
    tax_ms: i64,
    per_second: i64,
}

impl Course {
    const REAL: Self = Self { real_ms: 0, tax_ms: 0, per_second: NORMAL };

    fn at(&self, now: Timestamp) -> Timestamp {
        let since = i128::from(now.as_millisecond()) - i128::from(self.real_ms);
        let gained = since * i128::from(self.per_second) / i128::from(NORMAL);
        let shown = i64::try_from(i128::from(self.tax_ms) + gained).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(shown).unwrap_or(Timestamp::MAX)
    }

    fn is_real(&self) -> bool {
        self.real_ms == self.tax_ms && self.per_second == NORMAL
    }
}

/// The tax clock, as the database keeps it.
#[derive(Debug)]
pub(crate) struct TaxClock {
    course: RwLock<Course>,
    /// Held over a change: the clock and the disk cannot disagree about which of two came last. The course itself is never
    /// locked over a write, whose work may ask for the time.
    changing: Mutex<()>,
}

/// What is to become of the clock. One of `at`, `advance` and `real` at most, and one of `days_per_second`, `hold` and
/// `real`; what is not named stays as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClockChange {
    /// To this instant, or to noon of this day in India.
    pub(crate) at: Option<String>,
    /// On by this span of time on the calendar of India, such as `3 days`, `1 month` or `P1M`; back by `-3 days`.
    pub(crate) advance: Option<String>,
    /// How many days pass in a real second.
    pub(crate) days_per_second: Option<f64>,
    /// It stands still, or goes on at normal speed.
    pub(crate) hold: Option<bool>,
    /// It shows the real time again.
    pub(crate) real: bool,
}

/// How the clock stands.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ClockState {
    /// What returns take for now, in India.
    tax_now: String,
    /// The day of it.
    date: Date,
    /// The real time.
    real_now: Timestamp,
    /// `real`, `apart` (at normal speed), `held` or `running`.
    mode: &'static str,
    /// How many days pass in a real second.
    days_per_second: f64,
}

/// Why a clock cannot be set so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClockError {
    #[error("{0}")]
    Wrong(String),
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

fn wrong(reason: impl Into<String>) -> ClockError {
    ClockError::Wrong(reason.into())
}

impl TaxClock {
    /// The clock as the database keeps it.
    pub(crate) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { course: RwLock::new(read(conn)?), changing: Mutex::default() })
    }

    /// What it shows at the real instant `now`.
    pub(crate) fn at(&self, now: Timestamp) -> Timestamp {
        self.course().at(now)
    }

    /// How it stands at the real instant `now`.
    pub(crate) fn state(&self, now: Timestamp) -> ClockState {
        let course = self.course();
        let mode = match course.per_second {
            _ if course.is_real() => "real",
            NORMAL => "apart",
            0 => "held",
            _ => "running",
        };
        let tax_now = course.at(now);
        ClockState {
            tax_now: format!("{}+05:30", moment::civil(tax_now).strftime("%Y-%m-%dT%H:%M:%S")),
            date: ist_date(tax_now),
            real_now: now,
            mode,
            days_per_second: course.per_second as f64 / DAY_MS,
        }
    }

    /// Sets it, on disk before anybody sees it.
    pub(crate) fn change(&self, db: &Db, now: Timestamp, change: &ClockChange) -> Result<(), ClockError> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = changed(self.course(), now, change)?;
        db.write(|tx| write(tx, changed))?;
        self.show(changed);
        Ok(())
    }

    /// Takes up what the database keeps, after all of it was replaced. A clock that stood apart goes on from `shown`.
    pub(crate) fn resume(&self, db: &Db, now: Timestamp, shown: Option<Timestamp>) -> rusqlite::Result<()> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = db.read(|tx| read(tx))?;
        let resumed = match shown {
            Some(shown) if !kept.is_real() => {
                Course { real_ms: now.as_millisecond(), tax_ms: shown.as_millisecond(), ..kept }
            }
            _ => kept,
        };
        db.write(|tx| write(tx, resumed))?;
        self.show(resumed);
        Ok(())
    }

    fn show(&self, course: Course) {
        *self.course.write().unwrap_or_else(PoisonError::into_inner) = course;
    }

    fn course(&self) -> Course {
        *self.course.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn changed(course: Course, now: Timestamp, change: &ClockChange) -> Result<Course, ClockError> {
    let given = |names: &[bool]| names.iter().filter(|given| **given).count();
    let (at, advance) = (change.at.is_some(), change.advance.is_some());
    let (speed, hold) = (change.days_per_second.is_some(), change.hold.is_some());
    match (given(&[at, advance, change.real]), given(&[speed, hold, change.real])) {
        (0, 0) => return Err(wrong("say one of at, advance, days_per_second, hold, real")),
        (0 | 1, 0 | 1) => {}
        _ => {
            return Err(wrong(
                "at, advance and real exclude each other, and so do days_per_second, hold and real",
            ));
        }
    }
    if change.real {
        return Ok(Course::REAL);
    }
    let shown = course.at(now);
    let shown = match (&change.at, &change.advance) {
        (Some(at), _) => moment::within(at).map_err(wrong)?,
        (_, Some(span)) => moment::after(shown, span).map_err(wrong)?,
        _ => shown,
    };
    let day = ist_date(shown);
    if day < FIRST_DAY || day.year() > LAST_YEAR {
        return Err(wrong(format!(
            "{day} is not between 2017-07-01, when GST began, and the end of {LAST_YEAR}"
        )));
    }
    let per_second = match (change.days_per_second, change.hold) {
        (Some(days), _) if days > 0.0 && days <= FASTEST => (days * DAY_MS).round() as i64,
        (Some(days), _) => {
            return Err(wrong(format!("days_per_second must be above 0 and at most {FASTEST}, not {days}")));
        }
        (_, Some(true)) => 0,
        (_, Some(false)) => NORMAL,
        _ => course.per_second,
    };
    Ok(Course { real_ms: now.as_millisecond(), tax_ms: shown.as_millisecond(), per_second })
}

fn read(conn: &Connection) -> rusqlite::Result<Course> {
    let kept = conn
        .query_row("SELECT real_ms, tax_ms, per_second FROM tax_clock", [], |row| {
            Ok(Course { real_ms: row.get(0)?, tax_ms: row.get(1)?, per_second: row.get(2)? })
        })
        .optional()?;
    Ok(kept.unwrap_or(Course::REAL))
}

fn write(conn: &Connection, course: Course) -> rusqlite::Result<()> {
    if course.is_real() {
        return conn.execute("DELETE FROM tax_clock", []).map(drop);
    }
    conn.execute(
        "INSERT OR REPLACE INTO tax_clock (one, real_ms, tax_ms, per_second) VALUES (1, ?1, ?2, ?3)",
        params![course.real_ms, course.tax_ms, course.per_second],
    )
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_millis;

    const NOW: &str = "2026-01-10T00:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn later(seconds: i64) -> Timestamp {
        from_millis(now().as_millisecond() + seconds * 1000)
    }

    fn change(json: &str) -> ClockChange {
        serde_json::from_str(json).unwrap()
    }

    fn clock() -> (tempfile::TempDir, Db, TaxClock) {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let clock = db.read(|tx| TaxClock::load(tx)).unwrap();
        (dir, db, clock)
    }

    #[test]
    fn it_is_set_moved_held_and_run_and_kept() {
        let (_dir, db, clock) = clock();
        let set = |at: i64, json: &str| clock.change(&db, later(at), &change(json)).unwrap();
        let shown = |at: i64| clock.at(later(at)).to_string();
        assert_eq!(shown(0), NOW);
        set(0, r#"{"at":"2025-04-14"}"#);
        assert_eq!((shown(0), shown(60)), ("2025-04-14T06:30:00Z".into(), "2025-04-14T06:31:00Z".into()));
        set(60, r#"{"advance":"1 month","hold":true}"#);
        assert_eq!((shown(60), shown(99)), ("2025-05-14T06:31:00Z".into(), "2025-05-14T06:31:00Z".into()));
        set(100, r#"{"days_per_second":2}"#);
        assert_eq!((shown(100), shown(101)), ("2025-05-14T06:31:00Z".into(), "2025-05-16T06:31:00Z".into()));
        assert_eq!(clock.state(later(101)).mode, "running");
        let kept = db.read(|tx| TaxClock::load(tx)).unwrap();
        assert_eq!(
            kept.at(later(103)),
            clock.at(later(103)),
            "a restart keeps it, and it has run on meanwhile"
        );
        set(102, r#"{"hold":false}"#);
        assert_eq!((shown(103), clock.state(later(103)).mode), ("2025-05-18T06:31:01Z".into(), "apart"));
        set(104, r#"{"real":true}"#);
        assert_eq!((shown(104), clock.state(later(104)).mode), (later(104).to_string(), "real"));
    }

    #[test]
    fn a_restored_clock_goes_on_from_where_it_was() {
        let (_dir, db, clock) = clock();
        clock.change(&db, later(0), &change(r#"{"at":"2025-04-14"}"#)).unwrap();
        let taken = clock.at(later(5));
        clock.resume(&db, later(1000), Some(taken)).unwrap();
        assert_eq!(clock.at(later(1000)).to_string(), "2025-04-14T06:30:05Z");
        assert_eq!(clock.at(later(1001)).to_string(), "2025-04-14T06:30:06Z");
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_changes_nothing() {
        let (_dir, db, clock) = clock();
        for (json, word) in [
            ("{}", "say one of"),
            (r#"{"at":"2025-04-14","advance":"1d"}"#, "exclude"),
            (r#"{"hold":true,"days_per_second":1}"#, "exclude"),
            (r#"{"real":true,"at":"2025-04-14"}"#, "exclude"),
            (r#"{"at":"2016-01-01"}"#, "GST began"),
            (r#"{"at":"2100-01-01"}"#, "2099"),
            (r#"{"days_per_second":0}"#, "days_per_second"),
            (r#"{"days_per_second":400}"#, "days_per_second"),
            (r#"{"advance":"soon"}"#, "soon"),
        ] {
            let refusal = clock.change(&db, now(), &change(json)).unwrap_err().to_string();
            assert!(refusal.contains(word), "{json}: {refusal}");
            assert_eq!(clock.at(now()), now());
        }
    }
}
