//! RETBKP: which part of a return's tax belongs to earlier periods. Interest on it runs from their due dates.

use gstn::ReturnPeriod;
use rusqlite::Transaction;
use serde_json::{Value, json};

use super::save::precheck_save;
use super::{Taxable, processed, refusal, refused, store};
use crate::amounts::Amount;
use crate::gstr1::{Fault, GstnError, JobOutcome};
use crate::ledgers::money::{Head, Heads, paise};

/// Processes a break-up. It replaces the one before; an empty one takes it back.
pub(crate) fn save_breakup(
    tx: &Transaction<'_>,
    taxable: &Taxable<'_>,
    payload: &Value,
) -> rusqlite::Result<JobOutcome> {
    match precheck_save(tx, taxable) {
        Ok(()) => {}
        Err(Fault::Gstn(error)) => return Ok(refused(&error)),
        Err(Fault::Database(error)) => return Err(error),
    }
    let Some(kept) = store::find(tx, taxable.gstin, taxable.period)? else {
        return Ok(refused(&refusal("RT-3BAS1009", "No GSTR3B data is saved for the period")));
    };
    let lines = match read(&payload["breakup"]) {
        Ok(lines) => lines,
        Err(error) => return Ok(refused(&error)),
    };
    let tax = kept.saved.taxable.tax
        + kept.saved.zero_rated.tax
        + kept.saved.reverse_charge.tax
        + kept.saved.operator.tax;
    let sum = lines.iter().fold(Heads::ZERO, |sum, (_, heads)| sum + *heads);
    let later = lines.iter().any(|(period, _)| *period >= taxable.period);
    if later || (tax.map(|paise| paise.max(0)) - sum).any(|paise| paise < 0) {
        let message = "The break-up is over earlier periods, and not above the liability of the return";
        return Ok(refused(&refusal("RT-3BAS1070", message)));
    }
    store::put_breakup(tx, taxable.gstin, taxable.period, &write(&lines))?;
    Ok(processed())
}

/// The lines of a break-up as it is kept or sent. RET191106 for another form.
pub(super) fn read(lines: &Value) -> Result<Vec<(ReturnPeriod, Heads)>, GstnError> {
    let malformed = || refusal("RET191106", "Error in Json structure validation: breakup");
    let mut read: Vec<(ReturnPeriod, Heads)> = Vec::new();
    for line in lines.as_array().ok_or_else(malformed)? {
        let period: ReturnPeriod =
            line["ret_period"].as_str().and_then(|period| period.parse().ok()).ok_or_else(malformed)?;
        let liability = line["liability"].as_object().ok_or_else(malformed)?;
        let sound = Head::ALL.iter().all(|head| match liability.get(head.amount_key()) {
            None | Some(Value::Null) => true,
            Some(number) => {
                number.is_number()
                    && Amount::is_exact(number)
                    && (0..1_000_000_000_000_000).contains(&paise(number))
            }
        });
        if !sound || read.iter().any(|(known, _)| *known == period) {
            return Err(malformed());
        }
        read.push((period, Heads::of_return(&line["liability"])));
    }
    read.sort_by_key(|(period, _)| *period);
    Ok(read)
}

fn write(lines: &[(ReturnPeriod, Heads)]) -> Value {
    let line = |(period, heads): &(ReturnPeriod, Heads)| json!({ "ret_period": period.to_string(), "liability": heads.to_return() });
    lines.iter().map(line).collect()
}
