//! Money: challans made and paid, and what moves between ledgers at the portal or by an officer.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use gstn::Gstin;
use http::StatusCode;
use jiff::civil::Date;
use rusqlite::Transaction;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refusal, Shared, no_taxpayer, off_thread, read_gstin};
use crate::ledgers::challan::{self, ChallanError, Mode, NewChallan, Outcome};
use crate::ledgers::journal::PostingError;
use crate::ledgers::statements;
use crate::ledgers::transfers::{self, Cell, HeadName, MinorName, TransferError};
use crate::ledgers::{self, CashBalance};
use crate::simulator::Simulator;
use crate::taxpayers::{self, Taxpayer};

impl From<PostingError> for Refusal {
    fn from(error: PostingError) -> Self {
        match error {
            PostingError::Database(error) => error.into(),
            _ => Self(StatusCode::CONFLICT, error.to_string()),
        }
    }
}

impl From<ChallanError> for Refusal {
    fn from(error: ChallanError) -> Self {
        match error {
            ChallanError::Database(error) => error.into(),
            ChallanError::Posting(error) => error.into(),
            ChallanError::Unknown(_) => Self(StatusCode::NOT_FOUND, error.to_string()),
            ChallanError::NotPayable { .. } => Self(StatusCode::CONFLICT, error.to_string()),
            _ => Self::wrong(error),
        }
    }
}

impl From<TransferError> for Refusal {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::Database(error) => error.into(),
            TransferError::Posting(error) => error.into(),
            TransferError::Unpaid => Self(StatusCode::CONFLICT, error.to_string()),
            _ => Self::wrong(error),
        }
    }
}

/// A challan to be made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChallanRequest {
    /// `epy` when left out.
    #[serde(default)]
    mode: Mode,
    /// Four letters, or the three digits of an older code.
    bank: Option<String>,
    /// Whole rupees, by tax head and minor head.
    amounts: CashBalance,
}

pub(super) async fn create(
    State(simulator): Shared,
    Path(gstin): Path<String>,
    wanted: Result<Json<ChallanRequest>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(wanted) = wanted?;
    let amounts = ledgers::cells(&wanted.amounts)?;
    let wanted = NewChallan { mode: wanted.mode, amounts, bank: wanted.bank };
    let made = change(simulator, &gstin, move |tx, taxpayer, today| {
        Ok(challan::generate(tx, &taxpayer.gstin, taxpayer.state, today, &wanted)?.to_json())
    });
    Ok((StatusCode::CREATED, Json(made.await?)).into_response())
}

/// Whose challans are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChallanPage {
    gstin: String,
    /// yyyy-mm-dd, included, as the other one.
    from: Option<Date>,
    to: Option<Date>,
}

pub(super) async fn list(
    State(simulator): Shared,
    page: Result<Query<ChallanPage>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(page) = page?;
    let gstin = read_gstin(&page.gstin)?;
    let found = off_thread(simulator, move |simulator| {
        let today = simulator.today();
        let (from, to) = (page.from.unwrap_or(Date::MIN), page.to.unwrap_or(Date::MAX));
        Ok(simulator.db.read(|tx| challan::between(tx, &gstin, from, to, today))?)
    });
    let rows: Vec<Value> = found.await?.iter().map(challan::Challan::to_json).collect();
    Ok(Json(json!({ "challans": rows })))
}

pub(super) async fn show(State(simulator): Shared, Path(cpin): Path<String>) -> Result<Json<Value>, Refusal> {
    off_thread(simulator, move |simulator| {
        let today = simulator.today();
        let found = simulator.db.read(|tx| challan::find(tx, &cpin, today))?;
        Ok(Json(found.ok_or(ChallanError::Unknown(cpin))?.to_json()))
    })
    .await
}

/// What the bank says.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Payment {
    /// `paid` when left out.
    outcome: Outcome,
}

pub(super) async fn pay(
    State(simulator): Shared,
    Path(cpin): Path<String>,
    payment: Result<Json<Payment>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Json(payment) = payment?;
    off_thread(simulator, move |simulator| {
        let today = simulator.today();
        let paid = simulator.db.write(|tx| challan::pay(tx, &cpin, payment.outcome, today))?;
        Ok(Json(paid.to_json()))
    })
    .await
}

/// PMT-09: cash from one cell to another.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferRequest {
    from: Cell,
    to: Cell,
    /// Another registration of the same PAN; the same one when left out.
    to_gstin: Option<String>,
    /// Rupees.
    amount: f64,
}

pub(super) async fn transfer(
    State(simulator): Shared,
    Path(gstin): Path<String>,
    wanted: Result<Json<TransferRequest>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Json(wanted) = wanted?;
    let paise = ledgers::paise(wanted.amount)?;
    let taker = wanted.to_gstin.as_deref().map(read_gstin).transpose()?;
    let told = change(simulator, &gstin, move |tx, taxpayer, today| {
        let taker = taker.unwrap_or(taxpayer.gstin);
        if taxpayers::by_gstin(tx, &taker, "")?.is_none() {
            return Err(no_taxpayer(&taker));
        }
        transfers::transfer(tx, (&taxpayer.gstin, wanted.from), (&taker, wanted.to), paise, today)?;
        Ok(statements::balance(tx, &taxpayer.gstin)?)
    });
    Ok(Json(told.await?))
}

/// A refund claimed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefundRequest {
    ledger: Ledger,
    head: HeadName,
    /// Of the cash ledger; `tx` when left out.
    #[serde(default)]
    minor: MinorName,
    /// Rupees.
    amount: f64,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ledger {
    Cash,
    Credit,
}

pub(super) async fn refund(
    State(simulator): Shared,
    Path(gstin): Path<String>,
    wanted: Result<Json<RefundRequest>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Json(wanted) = wanted?;
    let paise = ledgers::paise(wanted.amount)?;
    let told = change(simulator, &gstin, move |tx, taxpayer, today| {
        let gstin = &taxpayer.gstin;
        let cell = Cell { head: wanted.head, minor: wanted.minor };
        match wanted.ledger {
            Ledger::Cash => transfers::refund_cash(tx, gstin, cell, paise, today)?,
            Ledger::Credit => transfers::refund_credit(tx, gstin, wanted.head, paise, today)?,
        }
        Ok(statements::balance(tx, gstin)?)
    });
    Ok(Json(told.await?))
}

/// Credit blocked by an officer (Rule 86A), or unblocked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlockRequest {
    head: HeadName,
    /// Rupees.
    amount: f64,
    /// Whether the credit is set free instead.
    #[serde(default)]
    unblock: bool,
}

pub(super) async fn block(
    State(simulator): Shared,
    Path(gstin): Path<String>,
    wanted: Result<Json<BlockRequest>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Json(wanted) = wanted?;
    let paise = ledgers::paise(wanted.amount)?;
    let told = change(simulator, &gstin, move |tx, taxpayer, today| {
        let paise = if wanted.unblock { -paise } else { paise };
        transfers::block(tx, &taxpayer.gstin, wanted.head, paise, today)?;
        Ok(statements::balance(tx, &taxpayer.gstin)?)
    });
    Ok(Json(told.await?))
}

/// Changes the ledgers of a taxpayer in one transaction, on the day of the tax clock.
async fn change(
    simulator: std::sync::Arc<Simulator>,
    gstin: &str,
    work: impl FnOnce(&Transaction<'_>, &Taxpayer, Date) -> Result<Value, Refusal> + Send + 'static,
) -> Result<Value, Refusal> {
    let gstin: Gstin = read_gstin(gstin)?;
    off_thread(simulator, move |simulator| {
        let today = simulator.today();
        simulator.db.write(|tx| {
            let taxpayer = taxpayers::by_gstin(tx, &gstin, "")?.ok_or_else(|| no_taxpayer(&gstin))?;
            work(tx, &taxpayer, today)
        })
    })
    .await
}
