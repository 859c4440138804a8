//! The credit reversal and re-claimed statement, and the statement of liability and credit on reverse charge: what was
//! reversed may be claimed again, and what was paid on reverse charge may be claimed, and no more.

use rusqlite::{Connection, Transaction, params};
use serde_json::{Value, json};

use super::form::Saved;
use super::{Taxable, refusal};
use crate::amounts::Amount;
use crate::clock::slashed;
use crate::gstr1::{Fault, GstnError};
use crate::ledgers::journal::{self, Account, Posting, PostingError};
use crate::ledgers::money::{Cells, Head, Heads, Minor, paise};
use jiff::civil::Date;

/// How often an opening balance may be reported: once, and amended three times (advisories of 31.08.23 and 23.08.24).
const REPORTS: i64 = 4;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Statement {
    Reclaim,
    ReverseCharge,
}

impl Statement {
    pub(crate) const fn account(self) -> Account {
        match self {
            Self::Reclaim => Account::Reclaim,
            Self::ReverseCharge => Account::ReverseCharge,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Reclaim => "reclaim",
            Self::ReverseCharge => "reverse-charge",
        }
    }

    /// The column in which an opening balance stands.
    const fn opening_column(self) -> &'static str {
        match self {
            Self::Reclaim => "itc4b2",
            Self::ReverseCharge => "inwardsup_3_1d",
        }
    }

    fn exists(self, taxable: &Taxable<'_>) -> bool {
        match self {
            Self::Reclaim => taxable.rules.has_reclaim_statement(taxable.period),
            Self::ReverseCharge => taxable.rules.has_reverse_charge_statement(taxable.period),
        }
    }

    /// What a return enters and takes, column by column.
    fn columns(self, saved: &Saved) -> Vec<(&'static str, Heads)> {
        match self {
            Self::Reclaim => vec![("itc4b2", saved.reversed[1]), ("itc4d1", -saved.other_details[0])],
            Self::ReverseCharge => vec![
                ("inwardsup_3_1d", saved.reverse_charge.tax),
                ("itc4a2", -saved.available[1]),
                ("itc4a3", -saved.available[2]),
            ],
        }
    }
}

const BOTH: [Statement; 2] = [Statement::Reclaim, Statement::ReverseCharge];

/// Which statement a return would overdraw, in words: a warning, or a refusal where that rule is on (advisory of
/// 29.12.25).
pub(crate) fn overdrawn(
    conn: &Connection,
    taxable: &Taxable<'_>,
    saved: &Saved,
) -> rusqlite::Result<Option<String>> {
    for statement in BOTH.into_iter().filter(|statement| statement.exists(taxable)) {
        let held = journal::balance(conn, taxable.gstin, statement.account())?[Minor::Tax];
        let after = statement.columns(saved).into_iter().fold(held, |sum, (_, heads)| sum + heads);
        if let Some(head) = Head::ALL.into_iter().find(|head| after[*head] < 0) {
            let words = match statement {
                Statement::Reclaim => "ITC reclaimed in 4(D)(1) is more than the reclaim statement holds",
                Statement::ReverseCharge => {
                    "ITC on reverse charge in 4(A)(2) and 4(A)(3) is more than was paid"
                }
            };
            return Ok(Some(format!("{words} for {}", head.as_str())));
        }
    }
    Ok(None)
}

/// Enters a filed return into the statements.
pub(super) fn post(
    tx: &Transaction<'_>,
    taxable: &Taxable<'_>,
    saved: &Saved,
    arn: &str,
) -> rusqlite::Result<()> {
    for statement in BOTH.into_iter().filter(|statement| statement.exists(taxable)) {
        let mut posting = Posting::new(taxable.gstin, taxable.today, arn).of_period(taxable.period);
        for (column, heads) in statement.columns(saved) {
            posting = posting.line(statement.account(), Cells::of_tax(heads), column);
        }
        if !posting.lines.is_empty() {
            journal::post(tx, &posting.against_outside()).map_err(database)?;
        }
    }
    Ok(())
}

fn database(error: PostingError) -> rusqlite::Error {
    match error {
        PostingError::Database(error) => error,
        other => rusqlite::Error::ToSqlConversionFailure(other.into()),
    }
}

/// SAVEOB and SAVERCMOPNBAL: reports an opening balance, or amends it, and gives the number of the report.
pub(crate) fn report_opening(
    tx: &Transaction<'_>,
    gstin: &gstn::Gstin,
    statement: Statement,
    payload: &Value,
    today: Date,
) -> Result<String, Fault> {
    let balance = read_balance(&payload["opnbal"])?;
    let action: String = payload["action"].as_str().unwrap_or("SAVE").chars().take(20).collect();
    let earlier = openings(tx, gstin, statement)?;
    let number = i64::try_from(earlier.len()).unwrap_or(REPORTS) + 1;
    if number > REPORTS {
        let message = "The opening balance was reported once and amended three times already";
        return Err(refusal("RET12590", message).into());
    }
    let before = earlier.last().map_or(Heads::ZERO, |row| Heads::of_statement(&row.balance));
    let refno = format!("OB{}{number}", gstin.as_str());
    let posting = Posting::new(gstin, today, &refno).line(
        statement.account(),
        Cells::of_tax(balance - before),
        statement.opening_column(),
    );
    if !posting.lines.is_empty() {
        journal::post(tx, &posting.against_outside()).map_err(database)?;
    }
    tx.prepare_cached("INSERT INTO gstr3b_openings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(
        params![
            gstin.as_str(),
            statement.as_str(),
            number,
            today.to_string(),
            refno,
            action,
            balance.to_statement().to_string(),
        ],
    )?;
    Ok(refno)
}

fn read_balance(value: &Value) -> Result<Heads, GstnError> {
    let malformed = || refusal("RET191106", "Error in Json structure validation: opnbal");
    let object = value.as_object().ok_or_else(malformed)?;
    let sound = object.iter().all(|(key, number)| {
        Head::ALL.iter().any(|head| head.as_str() == key)
            && number.is_number()
            && Amount::is_exact(number)
            && paise(number).abs() < 1_000_000_000_000_000
    });
    if sound { Ok(Heads::of_statement(value)) } else { Err(malformed()) }
}

/// A reported opening balance.
struct Opening {
    day: String,
    refno: String,
    action: String,
    balance: Value,
}

fn openings(conn: &Connection, gstin: &gstn::Gstin, statement: Statement) -> rusqlite::Result<Vec<Opening>> {
    conn.prepare_cached(
        "SELECT day, refno, action, balance FROM gstr3b_openings WHERE gstin = ?1 AND statement = ?2 ORDER BY number",
    )?
    .query_map(params![gstin.as_str(), statement.as_str()], |row| {
        let balance: String = row.get(3)?;
        Ok(Opening {
            day: row.get(0)?,
            refno: row.get(1)?,
            action: row.get(2)?,
            balance: serde_json::from_str(&balance).unwrap_or_default(),
        })
    })?
    .collect()
}

/// OPENINGBAL and RCMOPNBAL.
pub(crate) fn opening(
    conn: &Connection,
    gstin: &gstn::Gstin,
    statement: Statement,
) -> rusqlite::Result<Value> {
    let row = |opening: &Opening| {
        let day = opening.day.parse().map(slashed).unwrap_or_default();
        json!({
            "trandt": day, "refno": opening.refno, "action": opening.action, "opnbal": opening.balance,
        })
    };
    let rows: Vec<Value> = openings(conn, gstin, statement)?.iter().map(row).collect();
    Ok(json!({ "gstin": gstin.as_str(), "tr": rows }))
}
