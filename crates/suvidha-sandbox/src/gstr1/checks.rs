//! May this row stand? The order of the checks, and those that belong to one section.

use gstn::ReturnPeriod;
use rusqlite::Connection;

use super::documents::{self, written};
use super::originals;
use super::rows::Row;
use super::schema::parse_date;
use super::totals::Totals;
use super::{GstnError, Subject, taxes};

/// What a check says that had to look into the books.
pub(super) type Verdict<T> = rusqlite::Result<Result<T, GstnError>>;

/// Every check of a row that is not a deletion; the first fault found is the row's. An amendment that may stand
/// comes back with the totals of its original.
pub(super) fn check_row(connection: &Connection, subject: &Subject, row: &Row) -> Verdict<Option<Totals>> {
    if let Err(error) = check_by_itself(subject, row) {
        return Ok(Err(error));
    }
    let original = match originals::find(connection, subject, row)? {
        Ok(original) => original,
        Err(error) => return Ok(Err(error)),
    };
    Ok(match documents::check_number(connection, subject, row)? {
        Some(error) => Err(error),
        None => Ok(original),
    })
}

/// The checks that need nothing but the row.
fn check_by_itself(subject: &Subject, row: &Row) -> Result<(), GstnError> {
    documents::check_parties(subject, row)?;
    check_place_of_supply(subject, row)?;
    documents::check_date(subject, row)?;
    taxes::check_supply_type(subject, row)?;
    check_differential(row)?;
    check_large_supply(subject, row)?;
    check_note(row)?;
    check_shipping_bill(subject, row)?;
    taxes::check(subject, row)
}

/// C RET191112
fn check_place_of_supply(subject: &Subject, row: &Row) -> Result<(), GstnError> {
    match row.text("pos") {
        Some(pos) if !subject.rules.knows_state(pos, subject.period) => {
            Err(GstnError::new("RET191112", format!("Please enter the correct State code in POS, not {pos}")))
        }
        _ => Ok(()),
    }
}

/// `diff_percent` is 0.65 or has no effect. Real files write none, 1 or 100 for the latter. C values, I code
fn check_differential(row: &Row) -> Result<(), GstnError> {
    let percent = row.amount("diff_percent");
    if [0, 65, 100, 10_000].contains(&percent.hundredths()) {
        return Ok(());
    }
    Err(GstnError::new("RET191175", format!("diff_percent may only be 0.65, not {}", percent.to_json())))
}

/// Large supplies to consumers of other states. C RET191160, RET191180
fn check_large_supply(subject: &Subject, row: &Row) -> Result<(), GstnError> {
    let large = matches!(row.table.section, "b2cl" | "b2cla");
    if !large && row.text("typ") != Some("B2CL") {
        return Ok(());
    }
    if row.text("pos") == Some(subject.state()) {
        return Err(GstnError::new(
            "RET191160",
            "For B2CL supplies POS may not be the state of the supplier",
        ));
    }
    // An amended invoice was large by the rule of its own month.
    let original = row.table.original_numbering().and_then(|numbering| row.date(numbering));
    let month = original
        .and_then(|day| ReturnPeriod::new(u16::try_from(day.year()).ok()?, u8::try_from(day.month()).ok()?));
    let threshold = subject.rules.b2cl_threshold(month.unwrap_or(subject.period));
    if large && row.amount("val") <= threshold {
        let message = format!("B2CL invoice value cannot be less than Rs {}", threshold.to_json());
        return Err(GstnError::new("RET191180", message));
    }
    Ok(())
}

/// C RET191193
fn check_note(row: &Row) -> Result<(), GstnError> {
    match row.text("ntty") {
        Some("R") => Err(GstnError::new("RET191193", "Refund note is not allowed")),
        _ => Ok(()),
    }
}

/// C RET191176
fn check_shipping_bill(subject: &Subject, row: &Row) -> Result<(), GstnError> {
    let Some(shipped) = row.text("sbdt").and_then(parse_date) else { return Ok(()) };
    let invoiced = row.text("idt").and_then(parse_date);
    let error = |fault: &str| {
        Err(GstnError::new("RET191176", format!("Shipping bill date {} {fault}", written(shipped))))
    };
    if invoiced.is_some_and(|invoiced| shipped < invoiced) {
        return error("is before the invoice date");
    }
    if shipped > subject.today {
        return error("is in the future");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{
        Books, CUSTOMER, NEIGHBOUR, OPERATOR, SUPPLIER, b2b, codes, item, merge, payload, processed,
    };

    /// Saves into July 2025 and gives the codes of what was refused.
    fn refusals(sections: &Value) -> Vec<String> {
        codes(&Books::new().save_july(sections))
    }

    fn assert_codes(cases: Vec<(Value, &str)>) {
        for (sections, expected) in cases {
            let expected: Vec<&str> = expected.split_whitespace().collect();
            assert_eq!(refusals(&sections), expected, "{sections}");
        }
    }

    #[test]
    fn parties() {
        assert_codes(vec![
            (b2b(&json!({})), ""),
            (b2b(&json!({"ctin": "33AANCS2882A1ZH"})), "RET191113"),
            (b2b(&json!({"ctin": SUPPLIER, "pos": "33"})), "RET191113"),
            (b2b(&json!({"ctin": "01AABCE2207R1Z5"})), ""),
            (b2b(&json!({"ctin": CUSTOMER.to_lowercase()})), ""),
            (b2b(&json!({"etin": OPERATOR})), ""),
            (b2b(&json!({"etin": ""})), ""),
            (b2b(&json!({"etin": "27AAICF1234Q1CM"})), "RET191152"),
        ]);
    }

    #[test]
    fn dates() {
        assert_codes(vec![
            (b2b(&json!({"idt": "31-07-2025"})), ""),
            (b2b(&json!({"idt": "01-08-2025"})), "RET191114"),
            (b2b(&json!({"idt": "01-01-2024"})), ""),
            (b2b(&json!({"idt": "31-12-2023"})), "RET191114"),
            (b2b(&json!({"idt": "30-06-2017"})), "RET191184"),
        ]);
        let mut books = Books::new();
        books.registered_on = jiff::civil::date(2025, 7, 6);
        assert_eq!(codes(&books.save_july(&b2b(&json!({})))), ["RET191114"], "before registration");
        let note = json!({"cdnr": [{"ctin": CUSTOMER, "nt": [{"ntty": "C", "nt_num": "1", "nt_dt": "01-08-2025",
            "val": 118, "pos": "33", "rchrg": "N", "inv_typ": "R", "itms": item(18.0, 100.0, &json!({"iamt": 18}))}]}]});
        assert_eq!(refusals(&note), ["RET191126"]);
    }

    #[test]
    fn rates_and_items() {
        let two = |first: Value, second: Value| b2b(&json!({"itms": [first, second]}));
        let bare = json!({"inum": "K/1", "idt": "05-07-2025", "val": 1, "pos": "33", "sply_ty": "INTER", "inv_typ": "R",
            "flag": "N", "itms": []});
        let bare = json!({"ecom": {"b2b": [{"stin": NEIGHBOUR, "rtin": CUSTOMER, "inv": [bare]}]}});
        let one = |num: i32, rt: f64, iamt: f64| json!({"num": num, "itm_det": {"rt": rt, "txval": 100, "iamt": iamt}});
        assert_codes(vec![
            (bare, "RET191107"),
            (two(one(1, 5.0, 5.0), one(2, 18.0, 18.0)), ""),
            (two(one(1, 5.0, 5.0), one(1, 18.0, 18.0)), "RET191172"),
            (two(one(1, 18.0, 18.0), one(2, 18.0, 18.0)), "RET191117"),
            (b2b(&json!({"itms": item(13.0, 100.0, &json!({"iamt": 13}))})), "RET191175"),
            (b2b(&json!({"itms": item(0.25, 1000.0, &json!({"iamt": 2.5}))})), ""),
            (b2b(&json!({"itms": item(18.004, 1000.0, &json!({"iamt": 180}))})), "RET191175"),
            (b2b(&json!({"itms": item(40.0, 100.0, &json!({"iamt": 40}))})), "RET191175"),
            (b2b(&json!({"diff_percent": 0.5})), "RET191175"),
        ]);
    }

    #[test]
    fn inter_and_intra_state_tax() {
        let halves = |amount: f64| item(18.0, 1000.0, &json!({"camt": amount, "samt": amount}));
        let igst = |amount: f64| item(18.0, 1000.0, &json!({"iamt": amount}));
        let both = item(18.0, 1000.0, &json!({"iamt": 180, "camt": 90, "samt": 90}));
        let home = |itms: Value, more: Value| {
            let mut changes = json!({"ctin": NEIGHBOUR, "pos": "27", "itms": itms});
            merge(&mut changes, &more);
            b2b(&changes)
        };
        let typ = |name: &str| json!({"inv_typ": name});
        assert_codes(vec![
            (home(halves(90.0), json!({})), ""),
            (home(igst(180.0), json!({})), "RET191150"),
            (home(both.clone(), json!({})), "RET191150"),
            (b2b(&json!({"itms": halves(90.0)})), "RET191150"),
            (b2b(&json!({"itms": item(18.0, 1000.0, &json!({}))})), "RET191150"),
            (b2b(&json!({"itms": item(18.0, 1000.0, &json!({})), "rchrg": "Y"})), ""),
            // one rupee a line
            (b2b(&json!({"itms": igst(181.0)})), ""),
            (b2b(&json!({"itms": igst(181.01)})), "RET191150"),
            (home(halves(91.01), json!({})), "RET191150"),
            (b2b(&json!({"itms": igst(117.0), "diff_percent": 0.65})), ""),
            (b2b(&json!({"itms": igst(180.0), "diff_percent": 0.65})), "RET191150"),
            (b2b(&json!({"itms": igst(180.0), "diff_percent": 100})), ""),
            // SEZ is another state, wherever it lies
            (home(igst(180.0), typ("SEWP")), ""),
            (home(halves(90.0), typ("SEWP")), "RET191189"),
            (home(igst(0.0), typ("SEWOP")), ""),
            (home(igst(180.0), typ("SEWOP")), "RET191150"),
            (home(igst(0.0), typ("SEWP")), "RET191150"),
            (home(igst(180.0), typ("CBW")), ""),
            (home(halves(90.0), typ("CBW")), "RET191150"),
            (home(igst(180.0), typ("DE")), ""),
            (home(halves(90.0), typ("DE")), ""),
            (home(both, typ("DE")), "RET191150"),
            (b2b(&json!({"itms": halves(90.0), "inv_typ": "DE"})), "RET191150"),
        ]);
        let mut books = Books::new();
        books.rules.check_tax_amounts = false;
        assert_eq!(books.save_july(&b2b(&json!({"itms": igst(500.0)}))), processed());
    }

    #[test]
    fn exports() {
        let export = |typ: &str, iamt: f64, more: Value| {
            let mut invoice = json!({"inum": "E/1", "idt": "10-07-2025", "val": 1180,
                "itms": [{"rt": 18, "txval": 1000, "iamt": iamt}]});
            merge(&mut invoice, &more);
            json!({"exp": [{"exp_typ": typ, "inv": [invoice]}]})
        };
        assert_codes(vec![
            (export("WPAY", 180.0, json!({})), ""),
            (export("WPAY", 0.0, json!({})), "RET191150"),
            (export("WOPAY", 0.0, json!({})), ""),
            (export("WOPAY", 180.0, json!({})), "RET191150"),
            (
                export("WPAY", 180.0, json!({"sbnum": "1234567", "sbdt": "10-07-2025", "sbpcode": "INMAA1"})),
                "",
            ),
            (export("WPAY", 180.0, json!({"sbdt": "09-07-2025"})), "RET191176"),
            (export("WPAY", 180.0, json!({"sbdt": "21-08-2025"})), "RET191176"),
        ]);
    }

    #[test]
    fn large_supplies_to_consumers() {
        let large = |pos: &str, val: f64| {
            json!({"b2cl": [{"pos": pos, "inv": [{"inum": "L/1", "idt": "10-07-2025", "val": val,
                "itms": item(18.0, 1000.0, &json!({"iamt": 180}))}]}]})
        };
        assert_codes(vec![
            (large("33", 100_000.01), ""),
            (large("33", 100_000.0), "RET191180"),
            (large("27", 300_000.0), "RET191160"),
            (large("28", 300_000.0), "RET191112"),
            (large("25", 300_000.0), "RET191112"),
        ]);
        let mut books = Books::new();
        let of_old = |val: f64| {
            let mut sections = large("33", val);
            sections["b2cl"][0]["inv"][0]["idt"] = "10-07-2024".into();
            payload("072024", &sections)
        };
        assert_eq!(codes(&books.save("072024", &of_old(250_000.0))), ["RET191180"]);
        assert_eq!(books.save("072024", &of_old(250_001.0)), processed());
    }

    #[test]
    fn rate_rows() {
        let row = |changes: Value| {
            let mut row = json!({"sply_ty": "INTRA", "pos": "27", "typ": "OE", "rt": 5, "txval": 100, "camt": 2.5,
                "samt": 2.5});
            merge(&mut row, &changes);
            json!({"b2cs": [row]})
        };
        let inter = json!({"sply_ty": "INTER", "pos": "33", "camt": null, "samt": null, "iamt": 5});
        assert_codes(vec![
            (row(json!({})), ""),
            (row(json!({"txval": -100, "camt": -2.5, "samt": -2.5})), ""),
            (row(json!({"pos": "33"})), "RET191178"),
            (row(inter.clone()), ""),
            (row(json!({"sply_ty": "INTER"})), "RET191179"),
            (row(json!({"typ": "E"})), "RET191152"),
            (row(json!({"typ": "E", "etin": OPERATOR})), ""),
            (row(json!({"typ": "OE", "etin": OPERATOR})), "RET191152"),
            (row(json!({"rt": 14})), "RET191175"),
            (
                json!({"b2cs": [row(json!({}))["b2cs"][0], row(json!({"txval": 200, "camt": 5, "samt": 5}))["b2cs"][0]]}),
                "RET191117 RET191117",
            ),
            (
                json!({"at": [{"pos": "33", "sply_ty": "INTRA", "itms": [{"rt": 5, "ad_amt": 100}]}]}),
                "RET191178",
            ),
            (
                json!({"txpd": [{"pos": "33", "sply_ty": "INTER", "itms": [{"rt": 5, "ad_amt": 100, "iamt": 7}]}]}),
                "RET191150",
            ),
            (
                json!({"at": [{"pos": "33", "sply_ty": "INTER", "itms": [{"rt": 5, "ad_amt": 100, "iamt": 5}]},
                {"pos": "33", "sply_ty": "INTER", "itms": [{"rt": 5, "ad_amt": 100, "iamt": 5}]}]}),
                "RET191117 RET191117",
            ),
        ]);
    }

    #[test]
    fn notes() {
        let note = |typ: &str| {
            json!({"cdnr": [{"ctin": CUSTOMER, "nt": [{"ntty": typ, "nt_num": "1",
            "nt_dt": "01-07-2025", "val": 118, "pos": "33", "rchrg": "N", "inv_typ": "R",
            "itms": item(18.0, 100.0, &json!({"iamt": 18}))}]}]})
        };
        let unregistered = |typ: &str, pos: &str, iamt: f64| {
            json!({"cdnur": [{"typ": typ, "ntty": "D", "nt_num": "1",
            "nt_dt": "01-07-2025", "val": 118, "pos": pos, "itms": item(18.0, 100.0, &json!({"iamt": iamt}))}]})
        };
        assert_codes(vec![
            (note("C"), ""),
            (note("D"), ""),
            (note("R"), "RET191193"),
            (unregistered("B2CL", "33", 18.0), ""),
            (unregistered("B2CL", "27", 18.0), "RET191160"),
            (unregistered("EXPWOP", "96", 18.0), "RET191150"),
            (unregistered("EXPWP", "96", 0.0), "RET191150"),
        ]);
    }

    #[test]
    fn operators() {
        let table_14 = |part: &str, etin: &str| json!({"supeco": {part: [{"etin": etin, "suppval": 100, "igst": 5, "cgst": 0, "sgst": 0}]}});
        let table_15 = |stin: &str, pos: &str| {
            json!({"ecom": {"b2c": [{"stin": stin, "pos": pos, "sply_ty": "INTRA", "rt": 5, "txval": 100, "camt": 2.5,
                "samt": 2.5, "flag": "N"}]}})
        };
        assert_codes(vec![
            (table_14("clttx", OPERATOR), ""),
            (table_14("clttx", CUSTOMER), "RET191152"),
            (table_14("paytx", CUSTOMER), ""),
            (table_14("paytx", SUPPLIER), "RET191152"),
            (table_15(CUSTOMER, "33"), ""),
            (table_15(CUSTOMER, "27"), "RET191178"),
            (table_15(SUPPLIER, "27"), "RET191113"),
        ]);
    }

    #[test]
    fn statements_of_the_month() {
        let hsn = |changes: Value| {
            let mut row = json!({"num": 1, "hsn_sc": "8471", "uqc": "NOS", "qty": 1, "rt": 18, "txval": 100, "iamt": 18});
            merge(&mut row, &changes);
            row
        };
        let b2b_half = |rows: Value| json!({"hsn": {"hsn_b2b": rows}});
        let documents = |net: i32| {
            json!({"doc_issue": {"doc_det": [{"doc_num": 1, "docs": [{"num": 1, "from": "A1", "to": "A9", "totnum": 9,
                "cancel": 2, "net_issue": net}]}]}})
        };
        assert_codes(vec![
            (b2b_half(json!([hsn(json!({}))])), ""),
            (b2b_half(json!([hsn(json!({"hsn_sc": "84"}))])), "RET191350"),
            (b2b_half(json!([hsn(json!({"hsn_sc": "7701"}))])), "RET191349"),
            (b2b_half(json!([hsn(json!({"uqc": "XYZ"}))])), "RET191195"),
            (b2b_half(json!([hsn(json!({"uqc": "NA"}))])), "RET191195"),
            (b2b_half(json!([hsn(json!({"uqc": "NA", "hsn_sc": "998314"}))])), ""),
            (b2b_half(json!([hsn(json!({"rt": 13}))])), "RET191175"),
            (b2b_half(json!([hsn(json!({"hsn_sc": "", "rt": null, "val": 118, "desc": "x"}))])), "RET191194"),
            (b2b_half(json!([hsn(json!({})), hsn(json!({"num": 2}))])), "RET191117"),
            (b2b_half(json!([hsn(json!({})), hsn(json!({"rt": 5}))])), "RET191172"),
            (json!({"hsn": {"hsn_b2b": [hsn(json!({}))], "hsn_b2c": [hsn(json!({}))]}}), ""),
            (json!({"hsn": {"data": [hsn(json!({}))]}}), "RET191106"),
            (documents(7), ""),
            (documents(9), "RET191203"),
            (
                json!({"nil": {"inv": [{"sply_ty": "INTRB2B", "nil_amt": 1, "expt_amt": 0, "ngsup_amt": 0},
                {"sply_ty": "INTRB2B", "nil_amt": 1, "expt_amt": 0, "ngsup_amt": 0}]}}),
                "RET191117",
            ),
        ]);
        let mut books = Books::new();
        books.above_five_crore = true;
        assert_eq!(codes(&books.save_july(&b2b_half(json!([hsn(json!({}))])))), ["RET191350"], "six digits");
        let of_old = payload("042025", &json!({"hsn": {"data": [hsn(json!({}))]}}));
        assert_eq!(Books::new().save("042025", &of_old), processed());
    }
}
