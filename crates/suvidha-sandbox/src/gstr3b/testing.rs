//! A taxpayer's books in memory, for the tests of this engine.

use gstn::{Gstin, ReturnPeriod};
use jiff::civil::Date;
use rusqlite::{Connection, Transaction};
use serde_json::Value;

use super::autoliab::Inward;
use super::payable::Payable;
use super::utilisation::{Proposal, payload, propose};
use super::{Taxable, create_tables, file, offset, save, store, summary};
use crate::calendar::{day_after, first_day};
use crate::filed;
use crate::forms::{Form, Frequency};
use crate::gstr1::{Fault, JobOutcome, JobStatus};
use crate::ledgers::challan::{self, Mode, NewChallan, Outcome};
use crate::ledgers::journal::{self, Account};
use crate::ledgers::money::{Cells, Heads, Minor};
use crate::rules::Rules;
use crate::taxpayers::Scheme;

/// A database in memory, used as the real one is.
pub(super) struct Memory(Connection);

impl Memory {
    fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../schema.sql")).unwrap();
        crate::gstr1::create_tables(&connection).unwrap();
        crate::ledgers::create_tables(&connection).unwrap();
        create_tables(&connection).unwrap();
        Self(connection)
    }

    pub(super) fn write<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let tx = self.0.unchecked_transaction()?;
        let outcome = work(&tx)?;
        tx.commit()?;
        Ok(outcome)
    }
}

pub(super) struct Books {
    pub(super) db: Memory,
    pub(super) gstin: Gstin,
    pub(super) rules: Rules,
    pub(super) today: Date,
}

impl Books {
    pub(super) fn new() -> Self {
        let today = jiff::civil::date(2025, 4, 1);
        Self { db: Memory::new(), gstin: "27AAPFU0939F1ZV".parse().unwrap(), rules: Rules::default(), today }
    }

    pub(super) fn taxable(&self, period: ReturnPeriod) -> Taxable<'_> {
        Taxable {
            gstin: &self.gstin,
            state: self.gstin.state(),
            period,
            frequency: Frequency::Monthly,
            today: self.today,
            registered_on: jiff::civil::date(2017, 7, 1),
            cancelled_on: None,
            scheme: Scheme::Regular,
            turnover: 10_000_000,
            rules: self.rules,
        }
    }

    /// It is `day` of the month after `period`, and its GSTR-1 is filed.
    pub(super) fn begin(&mut self, period: ReturnPeriod, day: i8) {
        self.today = self.today.max(day_after(period, day));
        self.db
            .write(|tx| filed::record(tx, &self.gstin, Form::Gstr1, period, "AA", first_day(period)))
            .unwrap();
    }

    pub(super) fn save(&self, period: ReturnPeriod, form: &Value) -> JobOutcome {
        self.db.write(|tx| save(tx, &self.taxable(period), form, &Inward::default())).unwrap()
    }

    pub(super) fn payable(&self, period: ReturnPeriod) -> Payable {
        self.read(|conn| {
            let kept = store::find(conn, &self.gstin, period)?.unwrap();
            summary::payable(conn, &self.taxable(period), &kept.saved)
        })
    }

    /// What the law lets be paid from credit, the rest in cash.
    pub(super) fn proposal(&self, period: ReturnPeriod, payable: &Payable) -> Proposal {
        let credit = self.read(|conn| summary::usable_credit(conn, &self.taxable(period), payable));
        propose(payable, credit)
    }

    pub(super) fn offset(&self, period: ReturnPeriod, proposal: Proposal, payable: &Payable) -> JobOutcome {
        let body = payload(proposal, payable, period);
        self.db.write(|tx| offset(tx, &self.taxable(period), &body, &Inward::default())).unwrap()
    }

    pub(super) fn file(&self, period: ReturnPeriod) -> Result<(), &'static str> {
        let signed = self.read(|conn| summary::summary(conn, &self.taxable(period))).unwrap();
        let filed = self.db.write(|tx| {
            file(tx, &self.taxable(period), &signed, &Inward::default(), &format!("ARN{period}"))
        });
        match filed {
            Ok(()) => Ok(()),
            Err(Fault::Gstn(error)) => Err(error.code),
            Err(Fault::Database(error)) => panic!("{error}"),
        }
    }

    /// Pays what the cash ledger lacks, by a challan over whole rupees.
    pub(super) fn pay_in(&self, cash: Cells) -> Cells {
        let mut lacking = cash - self.held(Account::Cash);
        for minor in Minor::ALL {
            lacking[minor] = lacking[minor].map(|paise| (paise.max(0) + 99) / 100 * 100);
        }
        if !lacking.is_zero() {
            let wanted = NewChallan { mode: Mode::Epy, amounts: lacking, bank: None };
            self.db
                .write(|tx| {
                    let made = challan::generate(tx, &self.gstin, self.gstin.state(), self.today, &wanted)?;
                    challan::pay(tx, &made.cpin, Outcome::Paid, self.today)
                })
                .unwrap();
        }
        lacking
    }

    pub(super) fn held(&self, account: Account) -> Cells {
        self.read(|conn| journal::balance(conn, &self.gstin, account))
    }

    pub(super) fn tax_held(&self, account: Account) -> Heads {
        self.held(account)[Minor::Tax]
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> T {
        read(&self.db.0).unwrap()
    }
}

pub(super) fn is_processed(outcome: &JobOutcome) -> bool {
    outcome.status == JobStatus::Processed
}

/// The code of a refusal.
pub(super) fn code(outcome: &JobOutcome) -> String {
    let report = outcome.error_report.as_ref();
    report.and_then(|report| report["error_cd"].as_str()).unwrap_or_default().to_owned()
}
