//! What entries come to, by day, ASP, API, error or place of the error.
//!
//! Where the sums that are kept suffice they answer, with the entries that they do not take in yet; else the entries are
//! gone through, some thousand in a transaction.
//! Memory grows with the groups, not with the entries.

use std::collections::BTreeMap;

use gstn::AspId;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};

use super::error::LedgerError;
use super::filter::Filter;
use super::ist;
use super::places::Places;
use super::reader::{LedgerReader, bounds};
use super::schema;
use super::stretch;
use super::usage::{TOTALS, Totals};

/// By what entries are brought together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// The IST day on which the call began, as `2026-11-22`.
    Day,
    /// The ASP, proven.
    Asp,
    /// The API.
    Api,
    /// The code of the error.
    Error,
    /// Where the error lies.
    Origin,
    /// How the call ended.
    Outcome,
}

/// Entries that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they have in common, in the order that was asked for; `None` where they have none.
    pub key: Vec<Option<String>>,
    /// What they come to.
    pub totals: Totals,
}

/// The entries of one ASP for one GSTIN and API on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyGroup {
    /// Which.
    pub key: DailyKey,
    /// What they come to.
    pub totals: Totals,
}

/// By what the daily summary is sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DailyKey {
    /// The IST day on which the calls began.
    pub day: Date,
    /// The GSTIN of their headers; empty if they had none.
    pub gstin: String,
    /// The API; empty if they led nowhere.
    pub api: String,
}

/// Some groups of the daily summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyPage {
    /// At most as many as were asked for, sorted by key.
    pub groups: Vec<DailyGroup>,
    /// Whether there are more behind the last.
    pub more: bool,
}

/// The most groups of one summary.
const MOST_GROUPS: usize = 100_000;

type Groups = BTreeMap<Vec<Option<String>>, Totals>;

impl LedgerReader {
    /// What the entries that answer to `filter` come to, brought together by all of `by`, sorted by key. Without any `by`
    /// it is one group, or none if there are no entries.
    ///
    /// # Errors
    /// [`LedgerError::TooManyGroups`] if there would be more than 100,000.
    pub fn summary(&self, filter: &Filter, by: &[By]) -> Result<Vec<Group>, LedgerError> {
        let mut groups = Groups::new();
        match days_of(filter).filter(|_| is_kept(filter, by)) {
            Some(days) => self.summary_of_usage(filter, by, days, &mut groups)?,
            None => {
                let places = self.reading(|connection| bounds(connection, filter))?;
                self.summary_of_entries(filter, by, places, &mut groups)?;
            }
        }
        Ok(groups.into_iter().map(|(key, totals)| Group { key, totals }).collect())
    }

    fn summary_of_usage(
        &self,
        filter: &Filter,
        by: &[By],
        (first, last): (Option<Date>, Option<Date>),
        groups: &mut Groups,
    ) -> Result<(), LedgerError> {
        let keys: Vec<_> = by.iter().map(|by| by.in_usage()).collect();
        let mut conditions = String::from("1");
        let mut values = Vec::new();
        for (sign, day) in [(">=", first), ("<", last)] {
            if let Some(day) = day {
                conditions.push_str(&format!(" AND day {sign} ?"));
                values.push(Value::Text(day.to_string()));
            }
        }
        let (more, more_values) =
            Filter { aspid: filter.aspid, api: filter.api.clone(), ..Filter::default() }.conditions();
        values.extend(more_values);
        let sql = format!(
            "SELECT {} FROM usage WHERE {conditions} AND {more} {}",
            [keys.clone(), TOTALS.split(", ").map(|column| format!("total({column})")).collect()]
                .concat()
                .join(", "),
            group_by(&keys)
        );
        // The sums and where they end, at one moment; what stands behind them stays as it is.
        let (fits, behind) = self.reading(|connection| {
            let behind = (schema::mark(connection, "head")?.seq + 1, schema::end(connection)?.seq);
            Ok((gather(connection, &sql, values, by, groups)?, behind))
        })?;
        few_enough(fits)?;
        self.summary_of_entries(filter, by, Places::new([behind]), groups)
    }

    fn summary_of_entries(
        &self,
        filter: &Filter,
        by: &[By],
        places: Places,
        groups: &mut Groups,
    ) -> Result<(), LedgerError> {
        let keys: Vec<_> = by.iter().map(|by| by.in_entries()).collect();
        let (conditions, values) = filter.conditions();
        for piece in places {
            let fits = self.reading(|connection| {
                let (places, more_values) = stretch::places_for(connection, filter, piece)?;
                let values = [values.clone(), more_values].concat();
                gather(connection, &of_entries(&keys, &conditions, places), values, by, groups)
            })?;
            few_enough(fits)?;
        }
        Ok(())
    }

    /// What an ASP's entries from one IST day to another (both included) come to, by day, GSTIN and API: at most `limit`
    /// groups, beginning behind `after`.
    pub fn daily_summary(
        &self,
        aspid: &AspId,
        (first, last): (Date, Date),
        after: Option<&DailyKey>,
        limit: usize,
    ) -> Result<DailyPage, LedgerError> {
        let mut page = DailyPage { groups: Vec::new(), more: false };
        let first = ist::number(first);
        let mut next = after.map_or(first, |after| first.max(ist::number(after.day)));
        while let Some(day) = self.reading(|connection| kept_day(connection, next))? {
            if day > ist::number(last) {
                break;
            }
            next = day + 1;
            let room = limit - page.groups.len();
            let date = ist::date(day);
            let after = after.filter(|after| after.day == date);
            let mut groups = self.day_of_asp(aspid, day, after, room + 1)?;
            page.more = groups.len() > room;
            groups.truncate(room);
            page.groups.extend(groups);
            if page.more {
                break;
            }
        }
        Ok(page)
    }

    /// The first `limit` groups of one day, behind `after`.
    fn day_of_asp(
        &self,
        aspid: &AspId,
        day: i64,
        after: Option<&DailyKey>,
        limit: usize,
    ) -> Result<Vec<DailyGroup>, LedgerError> {
        let filter = Filter {
            aspid: Some(*aspid),
            from: Some(ist::day_start(day)),
            until: Some(ist::day_start(day + 1)),
            ..Filter::default()
        };
        let (mut conditions, mut values) = filter.conditions();
        if let Some(after) = after {
            conditions.push_str(" AND (coalesce(gstin, ''), coalesce(api, '')) > (?, ?)");
            values.extend([&after.gstin, &after.api].map(|text| Value::Text(text.clone())));
        }
        let keys = ["coalesce(gstin, '')", "coalesce(api, '')"].map(str::to_owned);
        let mut groups: BTreeMap<(String, String), Totals> = BTreeMap::new();
        for piece in self.reading(|connection| bounds(connection, &filter))? {
            self.reading(|connection| {
                let (places, more_values) = stretch::places_for(connection, &filter, piece)?;
                let sql = of_entries(&keys, &conditions, places);
                each_group(connection, &sql, [values.clone(), more_values].concat(), |row| {
                    let key = (row.get(0)?, row.get(1)?);
                    groups.entry(key).or_default().merge(&Totals::from_row(row, 2)?);
                    // What is not among the first now will never be.
                    if groups.len() > limit {
                        groups.pop_last();
                    }
                    Ok(true)
                })
            })?;
        }
        let day = ist::date(day);
        let group = |((gstin, api), totals)| DailyGroup { key: DailyKey { day, gstin, api }, totals };
        Ok(groups.into_iter().map(group).collect())
    }
}

impl By {
    /// The column of `usage`, or what stands for it.
    fn in_usage(self) -> String {
        match self {
            Self::Day => "day".to_owned(),
            other => format!("nullif({}, '')", other.in_entries()),
        }
    }

    fn in_entries(self) -> String {
        match self {
            Self::Day => "(at + 19800000000) / 86400000000",
            Self::Asp => "aspid",
            Self::Api => "api",
            Self::Error => "error_cd",
            Self::Origin => "origin",
            Self::Outcome => "outcome",
        }
        .to_owned()
    }

    /// The key in the column `index`; days are numbers in entries.
    fn read(self, row: &Row<'_>, index: usize) -> rusqlite::Result<Option<String>> {
        match row.get_ref(index)? {
            ValueRef::Integer(day) if self == Self::Day => Ok(Some(ist::date(day).to_string())),
            _ => row.get(index),
        }
    }
}

/// Whether the sums that are kept can answer.
fn is_kept(filter: &Filter, by: &[By]) -> bool {
    let rest = Filter { aspid: None, api: None, from: None, until: None, ..filter.clone() };
    rest == Filter::default() && by.iter().all(|by| matches!(by, By::Day | By::Asp | By::Api))
}

/// The IST days that `filter` spans, the last excluded; `None` if it begins or ends within one.
fn days_of(filter: &Filter) -> Option<(Option<Date>, Option<Date>)> {
    let whole = |at: Option<Timestamp>| match at {
        None => Some(None),
        Some(at) => {
            let day = ist::day_number(at);
            (ist::day_start(day) == at).then(|| Some(ist::date(day)))
        }
    };
    Some((whole(filter.from)?, whole(filter.until)?))
}

fn of_entries(keys: &[String], conditions: &str, places: &str) -> String {
    let totals = "count(*), total(admitted), total(outcome = 'refused'), total(units), \
         total(iif(plan = 'prepaid', units, 0)), total(iif(plan = 'postpaid', units, 0)), \
         total(origin = 'asp'), total(origin = 'gsp'), total(origin = 'gstn'), total(origin = 'network'), \
         total(bytes_in), total(bytes_out), total(gstn_us), total(total_us)";
    let columns = [keys, &[totals.to_owned()]].concat().join(", ");
    format!("SELECT {columns} FROM entry WHERE {conditions} AND {places} {}", group_by(keys))
}

fn group_by(keys: &[String]) -> String {
    let places: Vec<_> = (1..=keys.len()).map(|place| place.to_string()).collect();
    if keys.is_empty() { "HAVING count(*) > 0".to_owned() } else { format!("GROUP BY {}", places.join(", ")) }
}

/// Adds the groups that `sql` finds to `groups`. Answers whether they are few enough.
fn gather(
    connection: &Connection,
    sql: &str,
    values: Vec<Value>,
    by: &[By],
    groups: &mut Groups,
) -> rusqlite::Result<bool> {
    each_group(connection, sql, values, |row| {
        let key = by.iter().enumerate().map(|(index, by)| by.read(row, index)).collect::<Result<_, _>>()?;
        groups.entry(key).or_default().merge(&Totals::from_row(row, by.len())?);
        Ok(groups.len() <= MOST_GROUPS)
    })
}

fn few_enough(fits: bool) -> Result<(), LedgerError> {
    if fits { Ok(()) } else { Err(LedgerError::TooManyGroups { most: MOST_GROUPS }) }
}

/// Hands each row to `take`, until it has enough. Answers whether it had all.
fn each_group(
    connection: &Connection,
    sql: &str,
    values: Vec<Value>,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<bool>,
) -> rusqlite::Result<bool> {
    let mut read = connection.prepare_cached(sql)?;
    let mut rows = read.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        if !take(row)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The first IST day from `day` on of which entries are kept.
fn kept_day(connection: &Connection, day: i64) -> rusqlite::Result<Option<i64>> {
    let mut read = connection.prepare_cached("SELECT min(quarter) FROM quarter WHERE quarter >= ?1")?;
    let quarter: Option<i64> = read.query_row([ist::quarters_of_day(day).start()], |row| row.get(0))?;
    let mut read = connection
        .prepare_cached("SELECT min(at) FROM entry WHERE seq > (SELECT seq FROM head) AND at >= ?1")?;
    let behind: Option<i64> = read.query_row([ist::day_start(day).as_microsecond()], |row| row.get(0))?;
    let behind = behind.and_then(|at| Timestamp::from_microsecond(at).ok()).map(ist::day_number);
    Ok(quarter.map(ist::day_of_quarter).into_iter().chain(behind).min())
}
