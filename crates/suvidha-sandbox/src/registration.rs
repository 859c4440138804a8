//! What a registration lets its holder file: returns of its own kind, for the periods in which it is in force.
//!
//! A registration that has ended, or is suspended, still opens the books: its holder logs in and reads.

use gstn::{EntityKind, ReturnPeriod};
use jiff::civil::Date;

use crate::calendar::first_day;
use crate::clock::dashed;
use crate::fault::Fault;
use crate::forms::Form;
use crate::taxpayers::{Registration, Scheme, Taxpayer};

/// Whether a taxpayer may save and file `form` of `period`, as far as the registration goes.
///
/// # Errors
/// RTN_27 for a form that is not the taxpayer's (s.37(1), s.39(1)); AUTH151 for a period that begins after the
/// registration ended (s.29) or was suspended (Rule 21A). A status without a day holds for every period.
pub(crate) fn may_file(taxpayer: &Taxpayer, form: Form, period: ReturnPeriod) -> Result<(), Fault> {
    if !files_as_a_regular_taxpayer(taxpayer) {
        return Err(Fault::new("RTN_27", "The User is not a Registered Normal Taxpayer"));
    }
    let begins = first_day(period);
    for (status, day) in
        [(Registration::Cancelled, taxpayer.cancelled_on), (Registration::Suspended, taxpayer.suspended_on)]
    {
        let bars = match day {
            Some(day) => begins > day,
            None => taxpayer.status == status,
        };
        if bars {
            return Err(not_in_force(form, status, day));
        }
    }
    Ok(())
}

/// Those who pay on turnover, distribute credit, deduct or collect tax, or come from abroad have returns of their own.
fn files_as_a_regular_taxpayer(taxpayer: &Taxpayer) -> bool {
    let by_scheme = !matches!(taxpayer.scheme, Scheme::Composition | Scheme::Isd | Scheme::NonResident);
    by_scheme && matches!(taxpayer.kind, EntityKind::Regular | EntityKind::Government)
}

fn not_in_force(form: Form, status: Registration, day: Option<Date>) -> Fault {
    let form = form.long_name();
    let since = day.map(|day| format!(" from {}", dashed(day))).unwrap_or_default();
    let status = status.as_str().to_lowercase();
    let message = format!(
        "You are not authorised to access {form} for this return period: the registration is {status}{since}"
    );
    Fault::new("AUTH151", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use suvidha_seam::Seam;

    use super::*;
    use crate::db::Db;
    use crate::taxpayers::{self, NewTaxpayer};

    fn refusal(wanted: serde_json::Value, period: &str) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let wanted: NewTaxpayer = serde_json::from_value(wanted).unwrap();
        let taxpayer = db.write(|tx| taxpayers::create(tx, &Seam::system(), "575757", wanted)).unwrap();
        let outcome = may_file(&taxpayer, Form::Gstr1, period.parse().unwrap());
        outcome.err().map(|fault| fault.code.into_owned())
    }

    #[test]
    fn a_period_is_open_as_long_as_the_registration_was_in_force_in_it() {
        let barred = Some("AUTH151".to_owned());
        for (wanted, period, expected) in [
            (json!({}), "042026", None),
            (json!({"cancelled_on": "2026-04-15"}), "042026", None),
            (json!({"cancelled_on": "2026-04-15"}), "052026", barred.clone()),
            (json!({"cancelled_on": "2026-05-01"}), "052026", None),
            (json!({"suspended_on": "2026-04-15"}), "042026", None),
            (json!({"suspended_on": "2026-04-15"}), "062026", barred.clone()),
            (json!({"status": "Cancelled"}), "042026", barred.clone()),
            (json!({"status": "Suspended"}), "042026", barred.clone()),
            (json!({"status": "Cancelled", "cancelled_on": "2026-04-15"}), "042026", None),
            (json!({"status": "Inactive"}), "042026", None),
        ] {
            assert_eq!(refusal(wanted.clone(), period), expected, "{wanted} {period}");
        }
    }

    #[test]
    fn only_regular_taxpayers_file_gstr1() {
        let other = Some("RTN_27".to_owned());
        for (wanted, expected) in [
            (json!({"scheme": "composition"}), other.clone()),
            (json!({"scheme": "isd"}), other.clone()),
            (json!({"scheme": "non_resident"}), other.clone()),
            (json!({"scheme": "sez_unit"}), None),
            (json!({"scheme": "casual"}), None),
            (json!({"kind": "tds"}), other.clone()),
            (json!({"kind": "un_body"}), other),
        ] {
            assert_eq!(refusal(wanted.clone(), "042026"), expected, "{wanted}");
        }
    }
}
