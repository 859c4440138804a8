//! Annual aggregate turnover: what the filed returns of a year add up to, for one GSTIN and for its PAN.

use gstn::FinancialYear;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::amounts::Amount;
use crate::calendar::{ends_quarter, period_of};
use crate::directory;
use crate::filed;
use crate::forms::{Form, Frequency};
use crate::gstr1::Annual;
use crate::preferences::frequency;
use crate::simulator::Simulator;
use crate::taxpayers::Taxpayer;

/// What a GSTIN filed in a year.
pub(crate) struct Year {
    /// The lines of its GSTR-1, IFF and GSTR-1A.
    pub(crate) lines: Annual,
    /// How many months they cover.
    months: u8,
}

impl Year {
    /// Whether there is no filed return.
    pub(crate) fn is_empty(&self) -> bool {
        self.months == 0 && self.lines == Annual::default()
    }

    /// The turnover of twelve months, as far as the months filed tell it; none when none is filed.
    fn estimate(&self) -> Option<Amount> {
        let months = i128::from(self.months.min(12));
        let filed = self.lines.turnover().hundredths();
        (months > 0).then(|| Amount::from_hundredths((filed * 12 + filed.signum() * months / 2) / months))
    }
}

/// What a taxpayer filed in a year.
pub(crate) fn of_year(
    conn: &Connection,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    year: FinancialYear,
) -> rusqlite::Result<Year> {
    let mut found = Year { lines: Annual::default(), months: 0 };
    for filed in filed::of(conn, &taxpayer.gstin)?.into_iter().filter(|filed| year.contains(filed.period)) {
        if !matches!(filed.form, Form::Gstr1 | Form::Gstr1a) {
            continue;
        }
        found.lines.add(conn, &simulator.subject(taxpayer, filed.form, filed.period))?;
        found.months += match (filed.form, frequency(conn, &taxpayer.gstin, filed.period)?) {
            (Form::Gstr1, Frequency::Monthly) => 1,
            (Form::Gstr1, Frequency::Quarterly) if ends_quarter(filed.period) => 3,
            _ => 0,
        };
    }
    Ok(found)
}

/// The reply of AATO. `final*`, what an officer settled, is known of one year alone: the year before the present, whose
/// turnover the taxpayer was made with. That is the PAN's; it is the GSTIN's own where there is no other. Nobody
/// declares a turnover here, so `tpdecto` is empty.
pub(crate) fn aato(
    conn: &Connection,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    year: FinancialYear,
) -> rusqlite::Result<Value> {
    let own = of_year(conn, simulator, taxpayer, year)?;
    let mut of_pan = vec![(own.lines.turnover(), own.estimate())];
    let pan = taxpayer.gstin.pan();
    if let Some(pan) = pan {
        let all = directory::with_pan(conn, pan.as_str())?;
        for other in all.iter().filter(|other| other.gstin != taxpayer.gstin) {
            let other = of_year(conn, simulator, other, year)?;
            of_pan.push((other.lines.turnover(), other.estimate()));
        }
    }
    let mut told = json!({
        "gstin": taxpayer.gstin.as_str(),
        "fy": year.to_string(),
        "gsttofil": own.lines.turnover().to_json(),
        "pantofil": of_pan.iter().map(|(filed, _)| *filed).sum::<Amount>().to_json(),
        "tpdecto": [],
    });
    if let Some(pan) = pan {
        told["pan"] = pan.as_str().into();
    }
    if let Some(estimate) = own.estimate() {
        told["estgstto"] = estimate.to_json();
    }
    if of_pan.iter().any(|(_, estimate)| estimate.is_some()) {
        told["estpanto"] = of_pan.iter().filter_map(|(_, estimate)| *estimate).sum::<Amount>().to_json();
    }
    let present = period_of(simulator.today()).map(gstn::ReturnPeriod::financial_year);
    if present.is_some_and(|present| present.start_year() == year.start_year() + 1) {
        let settled = Amount::rupees(taxpayer.turnover).to_json();
        if of_pan.len() == 1 {
            told["finalgstto"] = settled.clone();
        }
        told["finalpanto"] = settled;
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_is_estimated_from_the_months_filed() {
        let mut lines = Annual::default();
        lines.put_for_test(Amount::from_hundredths(10_001));
        for (months, expected) in
            [(0, None), (1, Some(120_012)), (7, Some(17_145)), (12, Some(10_001)), (13, Some(10_001))]
        {
            let year = Year { lines: lines.clone(), months };
            assert_eq!(year.estimate().map(Amount::hundredths), expected, "{months}");
        }
    }
}
