//! What GSTN knows of a taxpayer's size and rhythm: AATO, GETPREF and SAVEPREF.

use gstn::FinancialYear;
use gstn::envelope::Request;
use serde_json::{Value, json};

use crate::auth::required;
use crate::call::Call;
use crate::fault::Fault;
use crate::forms::Frequency;
use crate::payload;
use crate::preferences;
use crate::respond::Answer;
use crate::returns::{no_record, own_gstin};
use crate::sessions::{self, LiveSession};
use crate::simulator::Simulator;
use crate::taxpayers::Taxpayer;
use crate::turnover;

/// `GET /taxpayerapi/*/returns?action=AATO&gstin=&fy=`. RET13510 for a year that has not begun.
pub(crate) fn aato(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
    own_gstin(live, call)?;
    let year = read_year(call)?;
    let begun =
        year.periods().next().is_some_and(|april| crate::calendar::first_day(april) <= simulator.today());
    if !begun {
        return Err(no_record());
    }
    let told = simulator.db.read(|tx| turnover::aato(tx, simulator, &live.taxpayer, year))?;
    Ok(Answer::sealed(&simulator.seam, &live.session.sek, &told))
}

/// `GET /taxpayerapi/*/returns?action=GETPREF&gstin=&fy=`
pub(crate) fn preference(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
    own_gstin(live, call)?;
    let told = of_year(simulator, &live.taxpayer, read_year(call)?)?;
    Ok(Answer::sealed(&simulator.seam, &live.session.sek, &told))
}

/// What GETPREF tells, to the taxpayer and to anyone; RET13510 when no quarter of the year is known.
pub(crate) fn of_year(
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    year: FinancialYear,
) -> Result<Value, Fault> {
    let (rules, today) = (simulator.rules(), simulator.today());
    let known = simulator.db.read(|tx| preferences::of_year(tx, taxpayer, year, &rules, today))?;
    if known.is_empty() {
        return Err(no_record());
    }
    let row = |(number, frequency): (u8, Frequency)| json!({ "quarter": format!("Q{number}"), "preference": frequency.as_str() });
    Ok(json!({ "response": known.into_iter().map(row).collect::<Vec<_>>() }))
}

/// `PUT /taxpayerapi/*/returns`, SAVEPREF: `{gstin, fy, quarter, preference}`. Its answer has the status inside, too:
/// clients look for it there.
pub(crate) fn choose(simulator: &Simulator, live: &LiveSession, request: &Request) -> Result<Answer, Fault> {
    let opened = payload::open(request, &live.session.sek, true)?;
    let text = |name: &str| required(opened.json.get(name).and_then(Value::as_str), name);
    if !text("gstin")?.eq_ignore_ascii_case(live.taxpayer.gstin.as_str()) {
        return Err(sessions::unauthorized());
    }
    let year: FinancialYear = text("fy")?.parse().map_err(|_| invalid("fy"))?;
    let number = text("quarter")?.strip_prefix('Q').and_then(|number| number.parse().ok());
    let quarter = number.and_then(|number| preferences::quarter_number(year, number));
    let quarter = quarter.ok_or_else(|| invalid("quarter"))?;
    let wanted = Frequency::read(text("preference")?).ok_or_else(|| invalid("preference"))?;
    let (rules, today) = (simulator.rules(), simulator.today());
    simulator.db.write(|tx| preferences::choose(tx, &live.taxpayer, &rules, quarter, wanted, today))?;
    Ok(Answer::sealed(&simulator.seam, &live.session.sek, &json!({ "status_cd": "1" })))
}

/// The financial year of a query: `fy=2024-25`.
pub(crate) fn read_year(call: &Call) -> Result<FinancialYear, Fault> {
    required(call.query("fy"), "fy")?.parse().map_err(|_| invalid("fy"))
}

fn invalid(what: &str) -> Fault {
    Fault::new("AUTH143", format!("Invalid request parameters: {what}"))
}
