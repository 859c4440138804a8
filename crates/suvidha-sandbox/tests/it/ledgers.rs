//! Ledgers over days, and how they agree with BAL.

use serde_json::{Value, json};

use crate::filing::file_month;
use crate::gstr3b::{file, job, march, move_clock, read};
use crate::http::Request;
use crate::schema::assert_matches;
use crate::taxpayer::Session;
use crate::world::World;

const EVER: &str = "fr_dt=01-07-2017&to_dt=31-12-2030";

pub(crate) fn ledger(world: &World, session: &Session, action: &str, days: &str) -> Value {
    let path = format!("/taxpayerapi/v0.3/ledgers?action={action}&gstin={}&{days}", session.gstin);
    let answer = session.open(&world.gstn(&session.call("GET", &path)));
    match action {
        "CASH" | "CASHDTL" => assert_matches("ledger_cash", &answer),
        "ITC" => assert_matches("ledger_itc", &answer),
        "TAX" => assert_matches("ledger_tax", &answer),
        "BAL" => assert_matches("ledger_bal", &answer),
        _ => {}
    }
    answer
}

pub(crate) fn balance(world: &World, session: &Session) -> Value {
    ledger(world, session, "BAL", "ret_period=032025")
}

/// Makes a challan at the management port and pays it.
pub(crate) fn challan(world: &World, session: &Session, amounts: &Value) -> Value {
    let path = format!("/taxpayers/{}/challans", session.gstin);
    let made = world.manage(&Request::new("POST", path).json(&json!({ "amounts": amounts })));
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let cpin = made.json()["cpin"].as_str().unwrap().to_owned();
    world.manage(&Request::new("POST", format!("/challans/{cpin}/pay")).json(&json!({}))).json()
}

/// The entries of cash, credit and liability; their last balances must be those of BAL.
pub(crate) fn all_entries(world: &World, session: &Session) -> (Vec<Value>, Vec<Value>, Vec<Value>) {
    let told = balance(world, session);
    let rows = |ledger: &Value| ledger["tr"].as_array().unwrap().clone();
    let cash = ledger(world, session, "CASH", EVER);
    let credit = ledger(world, session, "ITC", EVER)["itcLdgDtls"].clone();
    let liability = ledger(world, session, "TAX", EVER);
    for head in ["igst", "cgst", "sgst", "cess"] {
        let of_bal = told["cash_bal"][format!("{head}_tot_bal")].clone();
        assert_eq!(cash["cl_bal"][format!("{head}bal")]["tot"], of_bal);
        assert_eq!(credit["cl_bal"][format!("{head}TaxBal")], told["itc_bal"][format!("{head}_bal")]);
    }
    // The opening balances stand on the day of registration, 1 July 2017.
    let real = |rows: Vec<Value>| rows.into_iter().filter(|row| row["desc"] != "Opening Balance").collect();
    (real(rows(&cash)), real(rows(&credit)), real(rows(&liability)))
}

#[test]
fn ledgers_are_told_by_days() {
    let world = World::new();
    let session = world
        .taxpayer(&json!({"balances": {"cash": {"cgst": {"tx": 5.5}}, "credit": {"igst": 7}}}))
        .login(&world);
    let paid = challan(&world, &session, &json!({"cgst": {"tx": 10, "fee": 3}}));
    move_clock(&world, "2025-04-12");
    challan(&world, &session, &json!({"igst": {"tx": 100}}));
    let first = ledger(&world, &session, "CASH", "fr_dt=10-04-2025&to_dt=11-04-2025");
    assert_eq!((&first["fr_dt"], &first["to_dt"]), (&json!("10/04/2025"), &json!("11/04/2025")));
    assert_eq!(
        (&first["op_bal"]["tot_rng_bal"], &first["cl_bal"]["tot_rng_bal"]),
        (&json!(5.5), &json!(18.5))
    );
    let [entry] = first["tr"].as_array().unwrap().as_slice() else { panic!("{first}") };
    assert_eq!(entry["refNo"], paid["cin"]);
    assert_eq!(
        (&entry["dt"], &entry["dpt_dt"], &entry["tr_typ"]),
        (&json!("10/04/2025"), &json!("10/04/2025"), &json!("Cr"))
    );
    assert_eq!(entry["cgst"], json!({"tx": 10, "intr": 0, "pen": 0, "fee": 3, "oth": 0, "tot": 13}));
    let both = ledger(&world, &session, "CASHDTL", "fr_dt=10/04/2025&to_dt=12/04/2025");
    assert_eq!(both["tr"].as_array().unwrap().len(), 2);
    let credit = ledger(&world, &session, "ITC", "fr_dt=01-01-2025&to_dt=31-12-2025");
    assert_eq!(credit["itcLdgDtls"]["op_bal"]["igstTaxBal"], 7);
    assert_eq!(credit["itcLdgDtls"]["tr"], json!([]));
    let code = |action: &str, days: &str| {
        let path = format!("/taxpayerapi/v0.3/ledgers?action={action}&{days}");
        world.gstn(&session.call("GET", &path)).error_cd()
    };
    assert_eq!(code("CASH", "fr_dt=2025-04-10&to_dt=12-04-2025"), "RET13511");
    assert_eq!(code("CASH", "fr_dt=31-02-2025&to_dt=12-04-2025"), "RET13511");
    assert_eq!(code("CASH", "fr_dt=13-04-2025&to_dt=12-04-2025"), "AUTH143");
    assert_eq!(code("CASH", "fr_dt=13-04-2025"), "GEN5001");
    assert_eq!(code("CASHSUM", EVER), "SBX501");
    assert_eq!(code("RETLIAB", "ret_period=032025"), "RT-3BAS1009");
}

#[test]
fn what_is_below_zero_is_carried_over_and_pays_the_next_month() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    file_month(&world, &session, "032025", &["A1"]);
    let form = |period: &str, igst: i64| {
        json!({"gstin": session.gstin, "ret_period": period,
               "sup_details": {"osup_det": {"txval": igst, "iamt": igst}}})
    };
    let save = |period: &str, igst| job(&world, &session, period, "RETSAVE", &form(period, igst)).0;
    assert_eq!(save("032025", -70), "P");
    file(&world, &session, "032025").unwrap();
    let carried = ledger(&world, &session, "NEGLIAB", EVER);
    assert_eq!(
        (&carried["closebal"][0]["igst"], &carried["negliabdtls"][0]["trantyp"]),
        (&json!(70), &json!("Credit"))
    );
    move_clock(&world, "2025-05-09");
    file_month(&world, &session, "042025", &["B1"]);
    assert_eq!(save("042025", 100), "P");
    let payment = read(&world, &session, "042025", "RETSUM")["tx_pmt"].clone();
    assert_eq!(payment["adjnegliab"][0]["igst"]["tx"], 70);
    assert_eq!(payment["net_tax_pay"][0]["igst"]["tx"], 30);
    challan(&world, &session, &json!({"igst": {"tx": 30}}));
    let paid =
        json!({"pdcash": [{"trans_typ": 30002, "ipd": 30}], "pdnls": [{"trans_typ": 30002, "ipd": 70}]});
    assert_eq!(job(&world, &session, "042025", "RETOFFSET", &paid), ("P".into(), String::new()));
    let used = ledger(&world, &session, "NEGLIABGET", "from_date=01-05-2025&to_date=31-05-2025");
    assert_eq!((&used["openbal"][0]["igst"], &used["closebal"][0]["igst"]), (&json!(70), &json!(0)));
    let (cash, _, liability) = all_entries(&world, &session);
    assert_eq!((cash.len(), liability.len()), (2, 2));
    assert_eq!(ledger(&world, &session, "TAX", "ret_period=042025")["tr"].as_array().unwrap().len(), 2);
    assert_eq!(ledger(&world, &session, "TAX", "fr_dt=032025&to_dt=032025")["tr"], json!([]));
}

#[test]
fn money_moves_at_the_portal_and_a_reset_takes_ledgers_back_to_their_beginning() {
    let world = World::new();
    let balances = json!({"cash": {"igst": {"tx": 100}}, "credit": {"cgst": 50}});
    let session = world.taxpayer(&json!({"state": "29", "balances": balances})).login(&world);
    let control = |what: &str, body: Value| {
        let path = format!("/taxpayers/{}/{what}", session.gstin);
        let answer = world.manage(&Request::new("POST", path).json(&body));
        (answer.status, answer.json())
    };
    let transfer = json!({"from": {"head": "igst"}, "to": {"head": "cgst", "minor": "fee"}, "amount": 40});
    let (status, told) = control("transfers", transfer);
    assert_eq!((status, &told["cash_bal"]["cgst"]["fee"]), (200, &json!(40)));
    assert_eq!(
        control("refunds", json!({"ledger": "cash", "head": "igst", "amount": 61})).0,
        409,
        "more than is there"
    );
    let (_, told) = control("refunds", json!({"ledger": "credit", "head": "cgst", "amount": 20.5}));
    assert_eq!(told["itc_bal"]["cgst_bal"], 29.5);
    let (_, told) = control("blocked-credit", json!({"head": "cgst", "amount": 29}));
    assert_eq!(
        (&told["itc_bal"]["cgst_bal"], &told["itc_blck_bal"]["cgst_blck_bal"]),
        (&json!(29.5), &json!(29))
    );
    assert_eq!(control("transfers", json!({"from": {"head": "igst"}})).0, 422);
    assert_eq!(control("refunds", json!({"ledger": "cash", "head": "igst", "amount": -1})).0, 422);
    world.manage(&Request::new("POST", "/reset").json(&json!({ "gstin": session.gstin })));
    let session = Session { ..session };
    let taxpayer = world.manage(&Request::new("GET", format!("/taxpayers/{}", session.gstin))).json();
    let again = crate::taxpayer::Taxpayer::new(&taxpayer).login(&world);
    let told = balance(&world, &again);
    assert_eq!((&told["cash_bal"]["igst"]["tx"], &told["itc_bal"]["cgst_bal"]), (&json!(100), &json!(50)));
    assert_eq!(told["itc_blck_bal"]["cgst_blck_bal"], 0);
}

/// Rule 86A: what an officer blocked stays in the ledger and pays nothing.
#[test]
fn blocked_credit_cannot_be_used() {
    let world = World::new();
    let balances = json!({"credit": {"igst": 300}, "cash": {"cgst": {"tx": 50}, "sgst": {"tx": 50}},
                          "blocked_credit": {"igst": 1}});
    let session = world.taxpayer(&json!({"state": "29", "balances": balances})).login(&world);
    file_month(&world, &session, "032025", &["A1", "A2"]);
    assert_eq!(job(&world, &session, "032025", "RETSAVE", &march(&session)).0, "P");
    let all = json!({"pdcash": [{"trans_typ": 30003, "cpd": 50, "spd": 50}],
                     "pditc": {"trans_typ": 30002, "i_pdi": 360, "c_pdi": 20, "s_pdi": 20}});
    assert_eq!(job(&world, &session, "032025", "RETOFFSET", &all), ("ER".into(), "RT-3BAS1070".into()));
}
