//! Filing, and what RETTRACK tells of it afterwards.

use gstn::envelope::Request;
use gstn::{FinancialYear, Gstin, ReturnPeriod};
use rusqlite::{Connection, Transaction};
use serde_json::{Value, json};

use crate::arn;
use crate::calendar::ends_quarter;
use crate::clock::dashed;
use crate::fault::Fault;
use crate::filed::{self, Filed};
use crate::forms::{Form, Frequency};
use crate::gstr1::{self, Subject};
use crate::payload::Opened;
use crate::preferences::frequency;
use crate::signing;
use crate::simulator::Simulator;
use crate::taxpayers::Taxpayer;

/// RETFILE of a GSTR-1 or GSTR-1A: checks who signs and what, files, and gives the ARN.
pub(crate) fn file_gstr1(
    tx: &Transaction<'_>,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    subject: &Subject<'_>,
    request: &Request,
    opened: &Opened,
) -> Result<Value, Fault> {
    gstr1::precheck_file(tx, subject)?;
    let signed = Signed { taxpayer, form: subject.form, period: subject.period, request, opened };
    file(tx, simulator, &signed, |arn| Ok(gstr1::file(tx, subject, &opened.json, arn)?))
}

/// A return that somebody signed, to be filed.
pub(crate) struct Signed<'a> {
    pub(crate) taxpayer: &'a Taxpayer,
    pub(crate) form: Form,
    pub(crate) period: ReturnPeriod,
    pub(crate) request: &'a Request,
    pub(crate) opened: &'a Opened,
}

/// RETFILE of any form, once the form has looked whether it is filed already: checks the signature, lets the form file
/// under a new ARN, and uses the signature up.
pub(crate) fn file(
    tx: &Transaction<'_>,
    simulator: &Simulator,
    signed: &Signed<'_>,
    file: impl FnOnce(&str) -> Result<(), Fault>,
) -> Result<Value, Fault> {
    let Signed { taxpayer, form, period, request, opened } = signed;
    signing::check(tx, simulator, taxpayer, *form, request, opened)?;
    let arn = arn::next(tx, taxpayer.state, *period)?;
    file(&arn)?;
    signing::use_up(tx, &taxpayer.gstin, *form)?;
    Ok(json!({ "ack_num": arn }))
}

/// What RETTRACK is asked: whose returns, of which year or period, and of which form.
pub(crate) struct Track<'a> {
    pub(crate) gstin: &'a Gstin,
    pub(crate) year: Option<FinancialYear>,
    pub(crate) period: Option<ReturnPeriod>,
    pub(crate) form: Option<&'a str>,
}

/// The returns really filed, oldest period first; RET13510 when there is none.
pub(crate) fn track(conn: &Connection, asked: &Track<'_>) -> Result<Value, Fault> {
    let mut filed = filed::of(conn, asked.gstin)?;
    filed.retain(|filed| asked.year.is_none_or(|year| year.contains(filed.period)));
    filed.retain(|filed| asked.period.is_none_or(|period| period == filed.period));
    let mut rows = Vec::new();
    for filed in filed {
        let kind = kind_of(conn, asked.gstin, &filed)?;
        // An IFF is filed as a GSTR-1: who asks for GSTR-1 means both. A form that nobody can have filed is no record.
        let is_wanted = |form: &str| form.eq_ignore_ascii_case(kind) || Form::read(form) == Some(filed.form);
        if asked.form.is_none_or(is_wanted) {
            rows.push(json!({
                "valid": "Y", "mof": "ONLINE", "dof": dashed(filed.on), "ret_prd": filed.period.to_string(),
                "rtntype": kind, "arn": filed.arn, "status": "Filed",
            }));
        }
    }
    if rows.is_empty() {
        return Err(Fault::new("RET13510", "No record found"));
    }
    Ok(json!({ "EFiledlist": rows }))
}

/// `rtntype`: a quarterly filer's GSTR-1 of a quarter's first and second month is an IFF.
fn kind_of(conn: &Connection, gstin: &Gstin, filed: &Filed) -> rusqlite::Result<&'static str> {
    let may_be_iff = filed.form == Form::Gstr1 && !ends_quarter(filed.period);
    let is_iff = may_be_iff && frequency(conn, gstin, filed.period)? == Frequency::Quarterly;
    Ok(if is_iff { "IFF" } else { filed.form.long_name() })
}
