//! Challans: how money gets into the cash ledger. A challan is known by its CPIN, and once a bank has confirmed the
//! payment by its CIN (portal help, "Create the challan").

use gstn::{Gstin, StateCode};
use jiff::ToSpan;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::journal::{self, Account, Posting, PostingError};
use super::money::{Cells, Head, Minor, rupees};
use super::serials;
use crate::calendar::{first_day, last_day, period_of};
use crate::clock::slashed;

/// A challan lives fifteen days (portal help, "Create the challan").
const DAYS_TO_PAY: i32 = 15;
/// What may be paid over the counter by one taxpayer in one tax period: 10,000 rupees (Rule 87(3), proviso).
const OVER_THE_COUNTER: i64 = 1_000_000;
/// The bank that confirms payments where a challan names none.
const DEFAULT_BANK: &str = "SBIN";

/// How a challan is to be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Net banking.
    #[default]
    Epy,
    /// Credit or debit card.
    Card,
    /// Unified payments interface.
    Upi,
    /// Over the counter of a bank.
    Otc,
    /// NEFT or RTGS.
    Neft,
}

impl Mode {
    const ALL: [Self; 5] = [Self::Epy, Self::Card, Self::Upi, Self::Otc, Self::Neft];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Epy => "epy",
            Self::Card => "card",
            Self::Upi => "upi",
            Self::Otc => "otc",
            Self::Neft => "neft",
        }
    }
}

/// Where a challan stands. `Expired` is derived from the day it is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    /// Made, and not paid.
    Generated,
    /// Paid over the counter or by transfer, and not confirmed yet.
    Awaiting,
    /// Confirmed: the money is in the cash ledger.
    Paid,
    /// The bank refused; it may be tried again.
    Failed,
    /// Fifteen days have passed.
    Expired,
}

impl Status {
    const ALL: [Self; 4] = [Self::Generated, Self::Awaiting, Self::Paid, Self::Failed];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Generated => "GENERATED",
            Self::Awaiting => "AWAITING",
            Self::Paid => "PAID",
            Self::Failed => "FAILED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// What a challan is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewChallan {
    pub(crate) mode: Mode,
    pub(crate) amounts: Cells,
    /// Four letters of a bank, or the three digits that older CINs end in.
    pub(crate) bank: Option<String>,
}

/// A challan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challan {
    pub(crate) cpin: String,
    pub(crate) gstin: Gstin,
    pub(crate) created_on: Date,
    pub(crate) expires_on: Date,
    pub(crate) mode: Mode,
    pub(crate) amounts: Cells,
    pub(crate) bank: String,
    pub(crate) status: Status,
    pub(crate) cin: Option<String>,
    pub(crate) paid_on: Option<Date>,
}

/// What the bank says to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// The money is there.
    #[default]
    Paid,
    /// It is on its way: over the counter, or by NEFT or RTGS.
    Awaiting,
    /// The payment failed.
    Failed,
}

/// Why a challan is not made or not paid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChallanError {
    #[error("a challan is over whole rupees above zero, below 10^13 in all")]
    Amount,
    #[error("a bank is four letters, or the three digits of an older code")]
    Bank,
    #[error("over the counter not more than 10,000 rupees may be paid for a tax period")]
    OverTheCounter,
    #[error("LG9221: there is no challan {0}")]
    Unknown(String),
    #[error("challan {cpin} is {}", .status.as_str())]
    NotPayable { cpin: String, status: Status },
    #[error("only a payment over the counter or by NEFT or RTGS waits for the bank")]
    NothingToAwait,
    #[error(transparent)]
    Posting(#[from] PostingError),
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

/// Creates the table, unless it is there.
pub(crate) fn create_table(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS challans (
             cpin TEXT PRIMARY KEY,
             gstin TEXT NOT NULL,
             created_on TEXT NOT NULL,         -- yyyy-mm-dd in India, as the other days
             expires_on TEXT NOT NULL,
             mode TEXT NOT NULL,
             amounts TEXT NOT NULL,            -- twenty amounts in paise
             bank TEXT NOT NULL,
             status TEXT NOT NULL,
             cin TEXT,
             paid_on TEXT
         ) STRICT;
         CREATE INDEX IF NOT EXISTS challans_by_taxpayer ON challans (gstin, created_on);",
    )
}

/// Forgets the challans of one taxpayer, or all.
pub(crate) fn forget(tx: &Transaction<'_>, gstin: Option<&Gstin>) -> rusqlite::Result<()> {
    match gstin {
        Some(gstin) => tx.execute("DELETE FROM challans WHERE gstin = ?1", [gstin.as_str()])?,
        None => tx.execute("DELETE FROM challans", [])?,
    };
    Ok(())
}

/// Makes a challan; its amounts are frozen from then on.
pub(crate) fn generate(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    state: StateCode,
    today: Date,
    wanted: &NewChallan,
) -> Result<Challan, ChallanError> {
    check_amounts(wanted.amounts)?;
    let bank = wanted.bank.clone().unwrap_or_else(|| DEFAULT_BANK.to_owned()).to_ascii_uppercase();
    let is_code = (bank.len() == 4 && bank.bytes().all(|byte| byte.is_ascii_uppercase()))
        || (bank.len() == 3 && bank.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_code {
        return Err(ChallanError::Bank);
    }
    if wanted.mode == Mode::Otc {
        let sum = over_the_counter(tx, gstin, today)?.saturating_add(wanted.amounts.total());
        if sum > OVER_THE_COUNTER {
            return Err(ChallanError::OverTheCounter);
        }
    }
    let challan = Challan {
        cpin: serials::cpin(tx, state, today)?,
        gstin: *gstin,
        created_on: today,
        expires_on: today.saturating_add(DAYS_TO_PAY.days()),
        mode: wanted.mode,
        amounts: wanted.amounts,
        bank,
        status: Status::Generated,
        cin: None,
        paid_on: None,
    };
    tx.prepare_cached("INSERT INTO challans VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL, NULL)")?.execute(
        params![
            challan.cpin,
            gstin.as_str(),
            challan.created_on.to_string(),
            challan.expires_on.to_string(),
            challan.mode.as_str(),
            challan.amounts.to_text(),
            challan.bank,
            challan.status.as_str(),
        ],
    )?;
    Ok(challan)
}

fn check_amounts(amounts: Cells) -> Result<(), ChallanError> {
    let whole =
        Minor::ALL.into_iter().all(|minor| !amounts[minor].any(|paise| paise < 0 || paise % 100 != 0));
    let fits = (1..1_000_000_000_000_000).contains(&amounts.total());
    if whole && fits { Ok(()) } else { Err(ChallanError::Amount) }
}

/// What was paid, or is to be paid, over the counter in the month of `today`.
fn over_the_counter(conn: &Connection, gstin: &Gstin, today: Date) -> rusqlite::Result<i64> {
    let Some(month) = period_of(today) else { return Ok(0) };
    let of_month = between(conn, gstin, first_day(month), last_day(month), today)?;
    let counted = |challan: &&Challan| challan.mode == Mode::Otc && challan.status != Status::Expired;
    Ok(of_month.iter().filter(counted).map(|challan| challan.amounts.total()).fold(0, i64::saturating_add))
}

/// What the bank says to a challan. When it is paid, the money is in the cash ledger at once, under the CIN.
pub(crate) fn pay(
    tx: &Transaction<'_>,
    cpin: &str,
    outcome: Outcome,
    today: Date,
) -> Result<Challan, ChallanError> {
    let challan = find(tx, cpin, today)?.ok_or_else(|| ChallanError::Unknown(cpin.to_owned()))?;
    if matches!(challan.status, Status::Paid | Status::Expired) {
        return Err(ChallanError::NotPayable { cpin: cpin.to_owned(), status: challan.status });
    }
    let (status, cin, paid_on) = match outcome {
        Outcome::Paid => (Status::Paid, Some(cin(&challan)), Some(today)),
        Outcome::Failed => (Status::Failed, None, None),
        Outcome::Awaiting if matches!(challan.mode, Mode::Otc | Mode::Neft) => (Status::Awaiting, None, None),
        Outcome::Awaiting => return Err(ChallanError::NothingToAwait),
    };
    if let Some(cin) = &cin {
        let posting =
            Posting::new(&challan.gstin, today, cin).line(Account::Cash, challan.amounts, "Amount deposited");
        journal::post(tx, &posting.against_outside())?;
    }
    tx.prepare_cached("UPDATE challans SET status = ?2, cin = ?3, paid_on = ?4 WHERE cpin = ?1")?
        .execute(params![cpin, status.as_str(), cin, paid_on.map(|day| day.to_string())])?;
    Ok(Challan { status, cin, paid_on, ..challan })
}

/// The four letters of a bank stand before the CPIN, the three digits of an older code behind it.
fn cin(challan: &Challan) -> String {
    if challan.bank.len() == 4 {
        format!("{}{}", challan.bank, challan.cpin)
    } else {
        format!("{}{}", challan.cpin, challan.bank)
    }
}

/// The challan with this CPIN.
pub(crate) fn find(conn: &Connection, cpin: &str, today: Date) -> rusqlite::Result<Option<Challan>> {
    conn.prepare_cached("SELECT * FROM challans WHERE cpin = ?1")?
        .query_row([cpin], |row| read(row, today))
        .optional()
}

/// A taxpayer's challans made from one day to another, both included, oldest first.
pub(crate) fn between(
    conn: &Connection,
    gstin: &Gstin,
    from: Date,
    to: Date,
    today: Date,
) -> rusqlite::Result<Vec<Challan>> {
    conn.prepare_cached(
        "SELECT * FROM challans WHERE gstin = ?1 AND created_on BETWEEN ?2 AND ?3 ORDER BY created_on, cpin",
    )?
    .query_map(params![gstin.as_str(), from.to_string(), to.to_string()], |row| read(row, today))?
    .collect()
}

fn read(row: &Row<'_>, today: Date) -> rusqlite::Result<Challan> {
    let text = |column: &str| row.get::<_, String>(column);
    let day = |column: &str| {
        let day: Option<String> = row.get(column)?;
        Ok::<_, rusqlite::Error>(day.and_then(|day| day.parse::<Date>().ok()))
    };
    let (status, mode) = (text("status")?, text("mode")?);
    let status = Status::ALL.into_iter().find(|known| known.as_str() == status).unwrap_or(Status::Generated);
    let expires_on = day("expires_on")?.unwrap_or_default();
    let expired = status != Status::Paid && today > expires_on;
    Ok(Challan {
        cpin: text("cpin")?,
        gstin: crate::taxpayers::read_gstin(row, "gstin")?,
        created_on: day("created_on")?.unwrap_or_default(),
        expires_on,
        mode: Mode::ALL.into_iter().find(|known| known.as_str() == mode).unwrap_or_default(),
        amounts: Cells::from_text(&text("amounts")?).unwrap_or_default(),
        bank: text("bank")?,
        status: if expired { Status::Expired } else { status },
        cin: row.get("cin")?,
        paid_on: day("paid_on")?,
    })
}

impl Challan {
    /// As the management port shows it: amounts in rupees.
    pub(crate) fn to_json(&self) -> Value {
        let mut amounts = Map::new();
        for head in Head::ALL {
            amounts.insert(head.as_str().into(), self.amounts.of_head(head));
        }
        json!({
            "cpin": self.cpin, "gstin": self.gstin.as_str(), "mode": self.mode.as_str(), "bank": self.bank,
            "created_on": slashed(self.created_on), "expires_on": slashed(self.expires_on),
            "amounts": amounts, "total": rupees(self.amounts.total()), "status": self.status.as_str(),
            "cin": self.cin, "paid_on": self.paid_on.map(slashed),
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::create_tables;
    use super::super::money::Heads;
    use super::*;

    const MADE_ON: Date = date(2026, 1, 5);

    fn books() -> (Connection, Gstin) {
        let connection = Connection::open_in_memory().unwrap();
        create_tables(&connection).unwrap();
        (connection, "27AAPFU0939F1ZV".parse().unwrap())
    }

    /// Amounts under tax alone.
    fn of_tax(tax: Heads) -> NewChallan {
        NewChallan { mode: Mode::Epy, amounts: Cells::of_tax(tax), bank: None }
    }

    fn make(tx: &Transaction<'_>, gstin: &Gstin, wanted: &NewChallan) -> Result<Challan, ChallanError> {
        generate(tx, gstin, gstin.state(), MADE_ON, wanted)
    }

    #[test]
    fn a_paid_challan_is_cash_under_its_cin_and_is_paid_once() {
        let (mut connection, gstin) = books();
        let tx = connection.transaction().unwrap();
        let challan = make(&tx, &gstin, &of_tax(Heads::new(10_000, 0, 0, 0))).unwrap();
        assert_eq!((challan.cpin.as_str(), challan.status), ("26012700000001", Status::Generated));
        let failed = pay(&tx, &challan.cpin, Outcome::Failed, MADE_ON).unwrap();
        assert_eq!((failed.status, failed.cin), (Status::Failed, None));
        assert!(matches!(
            pay(&tx, &challan.cpin, Outcome::Awaiting, MADE_ON),
            Err(ChallanError::NothingToAwait)
        ));
        let paid = pay(&tx, &challan.cpin, Outcome::Paid, MADE_ON).unwrap();
        assert_eq!(paid.cin.as_deref(), Some("SBIN26012700000001"));
        assert_eq!(find(&tx, &challan.cpin, MADE_ON).unwrap(), Some(paid));
        let again = pay(&tx, &challan.cpin, Outcome::Paid, MADE_ON);
        assert!(matches!(again, Err(ChallanError::NotPayable { status: Status::Paid, .. })));
        let held = journal::balance(&tx, &gstin, Account::Cash).unwrap();
        assert_eq!(held, Cells::of_tax(Heads::new(10_000, 0, 0, 0)));
        assert!(matches!(pay(&tx, "1", Outcome::Paid, MADE_ON), Err(ChallanError::Unknown(_))));
    }

    /// Portal help, "Create the challan": valid for fifteen days.
    #[test]
    fn a_challan_expires_after_fifteen_days() {
        let (mut connection, gstin) = books();
        let tx = connection.transaction().unwrap();
        let challan = make(&tx, &gstin, &of_tax(Heads::new(100, 0, 0, 0))).unwrap();
        assert_eq!(find(&tx, &challan.cpin, date(2026, 1, 20)).unwrap().unwrap().status, Status::Generated);
        let late = pay(&tx, &challan.cpin, Outcome::Paid, date(2026, 1, 21));
        assert!(matches!(late, Err(ChallanError::NotPayable { status: Status::Expired, .. })));
        assert!(pay(&tx, &challan.cpin, Outcome::Paid, date(2026, 1, 20)).is_ok());
    }

    /// Rule 87(3), first proviso: up to ten thousand rupees per challan per tax period.
    #[test]
    fn over_the_counter_a_month_takes_ten_thousand_rupees() {
        let (mut connection, gstin) = books();
        let tx = connection.transaction().unwrap();
        let otc = |rupees: i64| NewChallan { mode: Mode::Otc, ..of_tax(Heads::new(rupees * 100, 0, 0, 0)) };
        assert!(matches!(make(&tx, &gstin, &otc(10_001)), Err(ChallanError::OverTheCounter)));
        let first = make(&tx, &gstin, &otc(6_000)).unwrap();
        assert!(matches!(make(&tx, &gstin, &otc(4_001)), Err(ChallanError::OverTheCounter)));
        assert!(make(&tx, &gstin, &otc(4_000)).is_ok());
        let waiting = pay(&tx, &first.cpin, Outcome::Awaiting, MADE_ON).unwrap();
        assert_eq!(waiting.status, Status::Awaiting);
        assert!(journal::balance(&tx, &gstin, Account::Cash).unwrap().is_zero());
        assert_eq!(pay(&tx, &first.cpin, Outcome::Paid, MADE_ON).unwrap().status, Status::Paid);
    }

    #[test]
    fn what_is_no_amount_or_no_bank_is_refused() {
        let (mut connection, gstin) = books();
        let tx = connection.transaction().unwrap();
        for heads in [
            Heads::ZERO,
            Heads::new(150, 0, 0, 0),
            Heads::new(200, -100, 0, 0),
            Heads::new(i64::MAX - 7, 0, 0, 0),
        ] {
            assert!(matches!(make(&tx, &gstin, &of_tax(heads)), Err(ChallanError::Amount)), "{heads:?}");
        }
        let with_bank =
            |bank: &str| NewChallan { bank: Some(bank.to_owned()), ..of_tax(Heads::new(100, 0, 0, 0)) };
        assert!(matches!(make(&tx, &gstin, &with_bank("SBI")), Err(ChallanError::Bank)));
        let older = make(&tx, &gstin, &with_bank("123")).unwrap();
        let paid = pay(&tx, &older.cpin, Outcome::Paid, MADE_ON).unwrap();
        assert_eq!(paid.cin, Some(format!("{}123", older.cpin)));
    }
}
