//! The one journal behind every ledger and statement of a taxpayer.
//!
//! A posting is a set of lines that add up to nothing: what enters one account leaves another. What comes from
//! beyond the ledgers (a bank, a declared supply, a credit accrued) leaves the account `Outside`. Every entry keeps the
//! balance after it, so that a balance is one look-up, however long the journal is.

use gstn::{Gstin, ReturnPeriod};
use jiff::civil::Date;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::money::{Cells, Head, Minor};

/// What an entry belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Account {
    /// The electronic cash ledger.
    Cash,
    /// The electronic credit ledger; amounts stand under the minor head "tax".
    Credit,
    /// The part of the credit that an officer blocked (Rule 86A).
    Blocked,
    /// The liability register, part I. What is owed stands below zero.
    Liability,
    /// The negative liability statement: supplies other than on reverse charge.
    NegativeOther,
    /// The negative liability statement: reverse charge and section 9(5).
    NegativeReverse,
    /// The credit reversal and re-claimed statement.
    Reclaim,
    /// The statement of liability and credit on reverse charge.
    ReverseCharge,
    /// Whatever is not a ledger of the taxpayer's.
    Outside,
}

impl Account {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 9] = [
        Self::Cash,
        Self::Credit,
        Self::Blocked,
        Self::Liability,
        Self::NegativeOther,
        Self::NegativeReverse,
        Self::Reclaim,
        Self::ReverseCharge,
        Self::Outside,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Credit => "credit",
            Self::Blocked => "blocked",
            Self::Liability => "liability",
            Self::NegativeOther => "negative",
            Self::NegativeReverse => "negative-reverse",
            Self::Reclaim => "reclaim",
            Self::ReverseCharge => "reverse-charge",
            Self::Outside => "outside",
        }
    }

    /// Whether the account can hold no less than nothing. A statement may be overdrawn (that is warned of), and the
    /// liability register is below zero by what it is for.
    pub(crate) const fn must_cover(self) -> bool {
        matches!(
            self,
            Self::Cash | Self::Credit | Self::Blocked | Self::NegativeOther | Self::NegativeReverse
        )
    }
}

/// One line of a posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) account: Account,
    /// What enters (above zero) or leaves the account.
    pub(crate) change: Cells,
    /// Letters, digits and blanks alone, as GSTN's descriptions have.
    pub(crate) description: &'static str,
}

/// Lines that belong together.
#[derive(Debug, Clone)]
pub(crate) struct Posting<'a> {
    pub(crate) gstin: &'a Gstin,
    pub(crate) on: Date,
    pub(crate) period: Option<ReturnPeriod>,
    /// A CIN, an ARN or a debit entry number.
    pub(crate) reference: &'a str,
    pub(crate) lines: Vec<Line>,
}

impl<'a> Posting<'a> {
    pub(crate) fn new(gstin: &'a Gstin, on: Date, reference: &'a str) -> Self {
        Self { gstin, on, period: None, reference, lines: Vec::new() }
    }

    pub(crate) fn of_period(self, period: ReturnPeriod) -> Self {
        Self { period: Some(period), ..self }
    }

    /// Adds a line, unless it would change nothing.
    pub(crate) fn line(mut self, account: Account, change: Cells, description: &'static str) -> Self {
        if !change.is_zero() {
            self.lines.push(Line { account, change, description });
        }
        self
    }

    /// Lets everything that the lines so far bring in leave `Outside`.
    pub(crate) fn against_outside(self) -> Self {
        let brought = self.lines.iter().fold(Cells::ZERO, |sum, line| sum + line.change);
        self.line(Account::Outside, -brought, "")
    }
}

/// Why nothing was posted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PostingError {
    #[error("the lines of a posting leave {0} paise without a counterpart")]
    Unbalanced(i64),
    #[error("the {} ledger has too little under {} {}", .account.as_str(), .head.as_str(), .minor.as_str())]
    TooLittle { account: Account, head: Head, minor: Minor },
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Which posting of the taxpayer's it is part of.
    pub(crate) posting: i64,
    pub(crate) day: Date,
    pub(crate) period: Option<ReturnPeriod>,
    pub(crate) reference: String,
    pub(crate) description: String,
    pub(crate) change: Cells,
    pub(crate) balance: Cells,
}

/// The number of the opening balances; real postings count from one.
const OPENING: i64 = 0;

/// Creates the journal, unless it is there.
pub(crate) fn create_table(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS ledger_entries (
             gstin TEXT NOT NULL,
             account TEXT NOT NULL,
             number INTEGER NOT NULL,          -- runs in the account
             posting INTEGER NOT NULL,         -- runs over the taxpayer's accounts
             day TEXT NOT NULL,                -- yyyy-mm-dd, never before that of the entry before
             period TEXT,
             reference TEXT NOT NULL,
             description TEXT NOT NULL,
             change TEXT NOT NULL,             -- twenty amounts in paise
             balance TEXT NOT NULL,
             PRIMARY KEY (gstin, account, number)
         ) STRICT, WITHOUT ROWID;
         CREATE INDEX IF NOT EXISTS ledger_entries_by_day ON ledger_entries (gstin, account, day, number);
         CREATE INDEX IF NOT EXISTS ledger_entries_by_posting ON ledger_entries (gstin, posting);",
    )
}

/// Posts all lines or none, and gives the posting's number.
pub(crate) fn post(tx: &Transaction<'_>, posting: &Posting<'_>) -> Result<i64, PostingError> {
    let rest = posting.lines.iter().map(|line| line.change.total()).fold(0, i64::saturating_add);
    if rest != 0 {
        return Err(PostingError::Unbalanced(rest));
    }
    let number = 1 + last_posting(tx, posting.gstin)?;
    add_lines(tx, posting, number)?;
    Ok(number)
}

/// Posts what the ledgers of a new taxpayer begin with: it outlives [`reopen`].
pub(crate) fn open(tx: &Transaction<'_>, posting: Posting<'_>) -> Result<(), PostingError> {
    add_lines(tx, &posting.against_outside(), OPENING)
}

fn add_lines(tx: &Transaction<'_>, posting: &Posting<'_>, number: i64) -> Result<(), PostingError> {
    posting.lines.iter().try_for_each(|line| add(tx, posting, number, line))
}

fn add(tx: &Transaction<'_>, posting: &Posting<'_>, number: i64, line: &Line) -> Result<(), PostingError> {
    let before: Option<(i64, String, String)> = tx
        .prepare_cached(
            "SELECT number, day, balance FROM ledger_entries WHERE gstin = ?1 AND account = ?2
             ORDER BY number DESC LIMIT 1",
        )?
        .query_row(params![posting.gstin.as_str(), line.account.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let (last, day, balance) = match before {
        None => (0, posting.on.to_string(), Cells::ZERO),
        // A clock that was set back does not turn the order of entries round.
        Some((last, day, balance)) => (last, day.max(posting.on.to_string()), read_cells(&balance)?),
    };
    let balance = balance + line.change;
    if line.account.must_cover()
        && let Some((head, minor)) = balance.first_negative()
    {
        return Err(PostingError::TooLittle { account: line.account, head, minor });
    }
    tx.prepare_cached("INSERT INTO ledger_entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
        .execute(params![
            posting.gstin.as_str(),
            line.account.as_str(),
            last + 1,
            number,
            day,
            posting.period.map(|period| period.to_string()),
            posting.reference,
            line.description,
            line.change.to_text(),
            balance.to_text(),
        ])?;
    Ok(())
}

/// Gives a posting another reference: what was offset under a debit entry number is filed under an ARN.
pub(crate) fn refer(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    posting: i64,
    reference: &str,
) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE ledger_entries SET reference = ?3 WHERE gstin = ?1 AND posting = ?2")?
        .execute(params![gstin.as_str(), posting, reference])
        .map(drop)
}

/// What an account holds now.
pub(crate) fn balance(conn: &Connection, gstin: &Gstin, account: Account) -> rusqlite::Result<Cells> {
    balance_where(conn, gstin, account, "9999-12-31")
}

/// What an account held before `day` began.
pub(crate) fn balance_before(
    conn: &Connection,
    gstin: &Gstin,
    account: Account,
    day: Date,
) -> rusqlite::Result<Cells> {
    balance_where(conn, gstin, account, &day.to_string())
}

const BALANCE_BEFORE: &str = "SELECT balance FROM ledger_entries
     WHERE gstin = ?1 AND account = ?2 AND day < ?3 ORDER BY day DESC, number DESC LIMIT 1";

fn balance_where(
    conn: &Connection,
    gstin: &Gstin,
    account: Account,
    before: &str,
) -> rusqlite::Result<Cells> {
    let text: Option<String> = conn
        .prepare_cached(BALANCE_BEFORE)?
        .query_row(params![gstin.as_str(), account.as_str(), before], |row| row.get(0))
        .optional()?;
    text.map_or(Ok(Cells::ZERO), |text| read_cells(&text))
}

const ENTRIES_BETWEEN: &str = "SELECT posting, day, period, reference, description, change, balance
     FROM ledger_entries WHERE gstin = ?1 AND account = ?2 AND day BETWEEN ?3 AND ?4 ORDER BY day, number";

/// The entries of an account from one day to another, both included, oldest first.
pub(crate) fn between(
    conn: &Connection,
    gstin: &Gstin,
    account: Account,
    from: Date,
    to: Date,
) -> rusqlite::Result<Vec<Entry>> {
    conn.prepare_cached(ENTRIES_BETWEEN)?
        .query_map(params![gstin.as_str(), account.as_str(), from.to_string(), to.to_string()], read_entry)?
        .collect()
}

/// Forgets everything but the opening balances of one taxpayer, or of all.
pub(crate) fn reopen(tx: &Transaction<'_>, gstin: Option<&Gstin>) -> rusqlite::Result<()> {
    match gstin {
        Some(gstin) => {
            tx.execute("DELETE FROM ledger_entries WHERE gstin = ?1 AND posting > 0", [gstin.as_str()])?
        }
        None => tx.execute("DELETE FROM ledger_entries WHERE posting > 0", [])?,
    };
    Ok(())
}

fn last_posting(conn: &Connection, gstin: &Gstin) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT coalesce(max(posting), 0) FROM ledger_entries WHERE gstin = ?1")?
        .query_row([gstin.as_str()], |row| row.get(0))
}

fn read_entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let (day, period): (String, Option<String>) = (row.get(1)?, row.get(2)?);
    let (change, balance): (String, String) = (row.get(5)?, row.get(6)?);
    Ok(Entry {
        posting: row.get(0)?,
        day: day.parse().map_err(|_| unreadable(&day))?,
        period: period.map(|text| text.parse().map_err(|_| unreadable(&text))).transpose()?,
        reference: row.get(3)?,
        description: row.get(4)?,
        change: read_cells(&change)?,
        balance: read_cells(&balance)?,
    })
}

fn read_cells(text: &str) -> rusqlite::Result<Cells> {
    Cells::from_text(text).ok_or_else(|| unreadable(text))
}

fn unreadable(text: &str) -> rusqlite::Error {
    let error = format!("{text:?} is not what the journal writes");
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::money::Heads;
    use super::*;

    fn books() -> (Connection, Gstin) {
        let connection = Connection::open_in_memory().unwrap();
        create_table(&connection).unwrap();
        (connection, "27AAPFU0939F1ZV".parse().unwrap())
    }

    fn tax(igst: i64) -> Cells {
        Cells::of_tax(Heads::new(igst, 0, 0, 0))
    }

    #[test]
    fn a_posting_adds_up_to_nothing_or_is_none() {
        let (mut connection, gstin) = books();
        let tx = connection.transaction().unwrap();
        let on = date(2026, 1, 20);
        let paid_in = Posting::new(&gstin, on, "CIN1").line(Account::Cash, tax(100), "Amount deposited");
        assert!(matches!(post(&tx, &paid_in), Err(PostingError::Unbalanced(100))));
        assert_eq!(post(&tx, &paid_in.against_outside()).unwrap(), 1);
        let paid_out = Posting::new(&gstin, on, "DC1")
            .line(Account::Cash, tax(-101), "Other than reverse charge")
            .line(Account::Liability, tax(101), "Other than reverse charge");
        let refused = post(&tx, &paid_out);
        assert!(
            matches!(refused, Err(PostingError::TooLittle { account: Account::Cash, .. })),
            "{refused:?}"
        );
        assert_eq!(balance(&tx, &gstin, Account::Cash).unwrap(), tax(100));
        assert_eq!(balance(&tx, &gstin, Account::Outside).unwrap(), tax(-100));
    }

    #[test]
    fn a_range_of_days_begins_with_what_was_there_before() {
        let (mut connection, gstin) = books();
        let tx = connection.transaction().unwrap();
        for (day, amount) in [(5, 1), (6, 10), (6, 100), (8, 1000)] {
            let posting =
                Posting::new(&gstin, date(2026, 1, day), "X").line(Account::Cash, tax(amount), "in");
            post(&tx, &posting.against_outside()).unwrap();
        }
        let changes = |from: i8, to: i8| {
            let found = between(&tx, &gstin, Account::Cash, date(2026, 1, from), date(2026, 1, to)).unwrap();
            found.iter().map(|entry| entry.change.total()).collect::<Vec<_>>()
        };
        assert_eq!(changes(6, 7), [10, 100]);
        assert_eq!(changes(1, 31), [1, 10, 100, 1000]);
        let before = |day| balance_before(&tx, &gstin, Account::Cash, date(2026, 1, day)).unwrap().total();
        assert_eq!([before(1), before(6), before(7), before(31)], [0, 1, 111, 1111]);
        // The clock is set back: the entry still comes after the others.
        let late =
            Posting::new(&gstin, date(2025, 1, 1), "X").line(Account::Cash, tax(5), "in").against_outside();
        assert_eq!(post(&tx, &late).unwrap(), 5);
        assert_eq!(changes(8, 8), [1000, 5]);
        assert_eq!(balance(&tx, &gstin, Account::Cash).unwrap(), tax(1116));
    }

    #[test]
    fn a_reference_changes_in_every_line_of_its_posting() {
        let (mut connection, gstin) = books();
        let tx = connection.transaction().unwrap();
        for reference in ["A", "B"] {
            let posting = Posting::new(&gstin, date(2026, 1, 1), reference).line(Account::Cash, tax(1), "in");
            post(&tx, &posting.against_outside()).unwrap();
        }
        refer(&tx, &gstin, 2, "ARN").unwrap();
        let all = between(&tx, &gstin, Account::Cash, date(2026, 1, 1), date(2026, 1, 1)).unwrap();
        assert_eq!(all.iter().map(|entry| entry.reference.as_str()).collect::<Vec<_>>(), ["A", "ARN"]);
        reopen(&tx, Some(&gstin)).unwrap();
        assert_eq!(balance(&tx, &gstin, Account::Cash).unwrap(), Cells::ZERO);
    }

    /// One taxpayer's long history must not make a balance slow, nor anybody else's.
    #[test]
    fn balances_and_ranges_use_an_index() {
        let (connection, _) = books();
        for sql in [BALANCE_BEFORE, ENTRIES_BETWEEN] {
            let parameters = rusqlite::params_from_iter(vec![""; if sql == BALANCE_BEFORE { 3 } else { 4 }]);
            let plan: String = connection
                .query_row(&format!("EXPLAIN QUERY PLAN {sql}"), parameters, |row| row.get(3))
                .unwrap();
            assert!(plan.contains("ledger_entries_by_day"), "{plan}");
        }
    }
}
