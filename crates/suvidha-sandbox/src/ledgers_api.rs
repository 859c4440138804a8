//! The ledger calls of a taxpayer: what is asked, and in which words a ledger answers.

use gstn::{Gstin, ReturnPeriod};
use http::Method;
use jiff::civil::Date;
use rusqlite::Connection;
use serde_json::Value;

use crate::auth::invalid_session;
use crate::call::{Call, Resource};
use crate::fault::Fault;
use crate::gstr3b_api;
use crate::ledgers::journal::Account;
use crate::ledgers::statements::{self, Days, LiabilityRange};
use crate::payload;
use crate::respond::Answer;
use crate::returns::own_gstin;
use crate::routes::not_here;
use crate::sessions;
use crate::simulator::Simulator;

/// `/taxpayerapi/*/ledgers`, which older clients write `/returns/ledgers`.
pub(crate) fn answer(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let action = call.query("action");
    if call.method == Method::GET && matches!(action, Some("RETLIAB" | "TAXPAYABLE")) {
        let live =
            simulator.db.read(|tx| sessions::of_call(tx, simulator, client_id, call, invalid_session))?;
        return gstr3b_api::open_liability(simulator, &live, call);
    }
    let (Some(ask), &Method::GET) = (action.and_then(Ask::read), &call.method) else {
        return Err(not_here(call, resource, action));
    };
    simulator.db.read(|tx| {
        let live = sessions::of_call(tx, simulator, client_id, call, invalid_session)?;
        own_gstin(&live, call)?;
        let told = ask.answer(tx, &live.taxpayer.gstin, call)?;
        Ok(Answer::sealed(&simulator.seam, &live.session.sek, &told))
    })
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Balance,
    Cash,
    Credit,
    Liability,
    NegativeLiability,
    Reclaim,
    ReverseCharge,
}

impl Ask {
    /// The action, or one of its older names.
    fn read(action: &str) -> Option<Self> {
        Some(match action {
            "BAL" => Self::Balance,
            "CASH" | "CASHDTL" => Self::Cash,
            "ITC" | "ITCDTL" => Self::Credit,
            "TAX" => Self::Liability,
            "NEGLIAB" | "NEGLIABGET" => Self::NegativeLiability,
            "REVRCLM" => Self::Reclaim,
            "RCM" => Self::ReverseCharge,
            _ => return None,
        })
    }

    fn answer(self, conn: &Connection, gstin: &Gstin, call: &Call) -> Result<Value, Fault> {
        Ok(match self {
            Self::Balance => statements::balance(conn, gstin)?,
            Self::Cash => statements::cash(conn, gstin, days(call)?)?,
            Self::Credit => statements::credit(conn, gstin, days(call)?)?,
            Self::Liability => statements::liability(conn, gstin, liability_range(call)?)?,
            Self::NegativeLiability => statements::negative_liability(conn, gstin, days(call)?)?,
            Self::Reclaim => statements::columns(conn, gstin, Account::Reclaim, days(call)?)?,
            Self::ReverseCharge => statements::columns(conn, gstin, Account::ReverseCharge, days(call)?)?,
        })
    }
}

/// The days a client asks for, dd-mm-yyyy or dd/mm/yyyy, under one of the three names that clients use.
fn days(call: &Call) -> Result<Days, Fault> {
    let named = |names: [&'static str; 3]| {
        let given = names.into_iter().find_map(|name| call.query(name)).map(str::trim);
        given.filter(|text| !text.is_empty()).ok_or_else(|| Fault::missing_parameter(names[0]))
    };
    let from = day(named(["fr_dt", "frdt", "from_date"])?)?;
    let to = day(named(["to_dt", "todt", "to_date"])?)?;
    in_order(from, to)?;
    Ok(Days { from, to })
}

fn in_order<T: PartialOrd>(from: T, to: T) -> Result<(), Fault> {
    if from <= to {
        Ok(())
    } else {
        Err(Fault::new("AUTH143", "Invalid request parameters: fr_dt is after to_dt"))
    }
}

fn day(text: &str) -> Result<Date, Fault> {
    let malformed = || Fault::new("RET13511", "Date format entered is Invalid");
    let mut parts = text.split(['-', '/']);
    let (Some(day), Some(month), Some(year), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed());
    };
    if (day.len(), month.len(), year.len()) != (2, 2, 4) {
        return Err(malformed());
    }
    format!("{year}-{month}-{day}").parse().map_err(|_| malformed())
}

/// TAX takes days, or tax periods in their place, or one `ret_period`.
fn liability_range(call: &Call) -> Result<LiabilityRange, Fault> {
    let period = |text: &str| text.trim().parse::<ReturnPeriod>().map_err(|_| payload::invalid_period());
    match (call.query("fr_dt"), call.query("to_dt"), call.query("ret_period")) {
        (None, None, Some(one)) => {
            let one = period(one)?;
            Ok(LiabilityRange::Periods(one, one))
        }
        (Some(first), Some(last), _) if first.trim().len() == 6 && last.trim().len() == 6 => {
            let (first, last) = (period(first)?, period(last)?);
            in_order(first, last)?;
            Ok(LiabilityRange::Periods(first, last))
        }
        _ => Ok(LiabilityRange::Days(days(call)?)),
    }
}
