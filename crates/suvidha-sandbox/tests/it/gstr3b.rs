//! GSTR-3B from the values drawn for it to its acknowledgement number, and every way to be refused in between.

use serde_json::{Value, json};

use crate::filing::file_month;
use crate::http::Request;
use crate::ledgers::{all_entries, balance, challan};
use crate::schema::assert_matches;
use crate::taxpayer::{OTP, Session, reference_id};
use crate::world::World;

const PERIOD: &str = "032025";
const PATH: &str = "returns/gstr3b";

/// Sends a job and waits for its end: the status and the code of the error report, or the code of a refusal at once.
pub(crate) fn job(
    world: &World,
    session: &Session,
    period: &str,
    action: &str,
    payload: &Value,
) -> (String, String) {
    let path = format!("/taxpayerapi/v6.0/{PATH}?gstin={}&ret_period={period}", session.gstin);
    let request = session.call("PUT", &path).json(&session.sealed(action, &payload.to_string()));
    let answer = world.gstn(&request);
    if !answer.error_cd().is_empty() {
        return ("refused".into(), answer.error_cd());
    }
    let reference = reference_id(&session.open(&answer));
    let status = session.finished(world, period, &reference);
    let report = session.status(world, period, &reference)["error_report"]["error_cd"].clone();
    (status, report.as_str().unwrap_or_default().to_owned())
}

fn done() -> (String, String) {
    ("P".into(), String::new())
}

fn refused(status: &str, code: &str) -> (String, String) {
    (status.into(), code.into())
}

/// Reads, and holds the answer against its public shape where there is one.
pub(crate) fn read(world: &World, session: &Session, period: &str, action: &str) -> Value {
    let answer = session.open(&world.gstn(&session.get(PATH, action, period)));
    match action {
        "RETSUM" => assert_matches("gstr3b_summary", &answer),
        "AUTOLIAB" => assert_matches("gstr3b_autoliab", &answer),
        _ => {}
    }
    answer
}

pub(crate) fn file(world: &World, session: &Session, period: &str) -> Result<String, String> {
    let summary = read(world, session, period, "RETSUM").to_string();
    world.gstn(&session.evc_otp_for("R3B"));
    let answer = world.gstn(&session.file_as("RETFILE", PATH, &summary, session.pan(), OTP));
    if answer.error_cd().is_empty() {
        Ok(session.open(&answer)["ack_num"].as_str().unwrap().to_owned())
    } else {
        Err(answer.error_cd())
    }
}

pub(crate) fn move_clock(world: &World, day: &str) {
    assert_eq!(world.manage(&Request::new("PUT", "/clock").json(&json!({ "at": day }))).status, 200);
}

/// Two invoices of 1000 at 18 % to another state, 20 of central and state tax, and 50 on reverse charge.
pub(crate) fn march(session: &Session) -> Value {
    json!({
        "gstin": session.gstin, "ret_period": PERIOD,
        "sup_details": {
            "osup_det": {"txval": 2200, "iamt": 360, "camt": 20, "samt": 20, "csamt": 0},
            "isup_rev": {"txval": 1000, "iamt": 0, "camt": 50, "samt": 50, "csamt": 0},
        },
        "itc_elg": {"itc_avl": [{"ty": "ISRC", "camt": 50, "samt": 50}, {"ty": "OTH", "iamt": 100.5}]},
    })
}

/// What pays for [`march`] with 300 of integrated credit at hand: all the credit, and the rest in cash.
pub(crate) fn payment() -> Value {
    json!({
        "pdcash": [{"liab_ldg_id": 2_025_032, "trans_typ": 30002},
                   {"liab_ldg_id": 2_025_033, "trans_typ": 30003, "cpd": 50, "spd": 50}],
        "pditc": {"liab_ldg_id": 2_025_032, "trans_typ": 30002, "i_pdi": 360, "c_pdi": 20, "s_pdi": 20},
    })
}

#[test]
fn a_month_is_drawn_saved_paid_and_filed_and_the_ledgers_agree_with_bal() {
    let world = World::new();
    let session =
        world.taxpayer(&json!({"state": "29", "balances": {"credit": {"igst": 300}}})).login(&world);
    let drawn = read(&world, &session, PERIOD, "AUTOLIAB");
    assert!(
        drawn["r3bautopop"]["r1fildt"].is_null() && drawn["r3bautopop"]["liabitc"]["sup_details"].is_null()
    );
    file_month(&world, &session, PERIOD, &["A1", "A2"]);
    let drawn = read(&world, &session, PERIOD, "AUTOLIAB")["r3bautopop"].clone();
    assert_eq!(drawn["r1fildt"], "10-04-2025");
    let taxable = &drawn["liabitc"]["sup_details"]["osup_3_1a"];
    assert_eq!(taxable["subtotal"], json!({"txval": 2000, "iamt": 360, "camt": 0, "samt": 0, "csamt": 0}));
    assert_eq!(taxable["det"]["tbl4a"], taxable["subtotal"]);

    assert_eq!(job(&world, &session, PERIOD, "RETOFFSET", &payment()), refused("refused", "RT-3BAS1009"));
    assert_eq!(job(&world, &session, PERIOD, "RETSAVE", &march(&session)), done());
    let summary = read(&world, &session, PERIOD, "RETSUM");
    assert_eq!(summary["tx_pmt"]["tx_py"][0]["igst"], json!({"tx": 360, "intr": 0}));
    assert_eq!(summary["tx_pmt"]["tx_py"][1]["cgst"], json!({"tx": 50, "intr": 0, "fee": 0}));
    assert_eq!(summary["itc_elg"]["itc_net"], json!({"iamt": 100.5, "camt": 50, "samt": 50, "csamt": 0}));
    assert!(summary["tx_pmt"].get("pdcash").is_none());
    assert_eq!(file(&world, &session, PERIOD), Err("RT_FIL_10".into()), "it is not offset");

    assert_eq!(
        job(&world, &session, PERIOD, "RETOFFSET", &payment()),
        refused("ER", "RT-3BAS1070"),
        "no cash"
    );
    challan(&world, &session, &json!({"cgst": {"tx": 50}, "sgst": {"tx": 50}}));
    assert_eq!(job(&world, &session, PERIOD, "RETOFFSET", &payment()), done());
    let told = balance(&world, &session);
    assert_eq!(told["cash_bal"]["cgst_tot_bal"], 0);
    assert_eq!(told["itc_bal"], json!({"igst_bal": 0.5, "cgst_bal": 50, "sgst_bal": 50, "cess_bal": 0}));
    let paid = read(&world, &session, PERIOD, "RETSUM");
    assert_eq!(paid["tx_pmt"]["pditc"]["i_pdi"], 360);

    assert_eq!(job(&world, &session, PERIOD, "RETOFFSET", &payment()), refused("refused", "RTN_17"));
    assert_eq!(job(&world, &session, PERIOD, "RETSAVE", &march(&session)), refused("refused", "RTN_17"));
    let arn = file(&world, &session, PERIOD).unwrap();
    assert!(arn.starts_with("AA290325000002"), "{arn}");
    assert_eq!(file(&world, &session, PERIOD), Err("RT_FIL_02".into()));
    assert_eq!(job(&world, &session, PERIOD, "RETSAVE", &march(&session)), refused("refused", "RET191183"));
    assert_eq!(job(&world, &session, PERIOD, "RETOFFSET", &payment()), refused("refused", "RET00009"));
    assert_eq!(read(&world, &session, PERIOD, "RETSUM"), paid, "what is filed stays");

    let (cash, credit, liability) = all_entries(&world, &session);
    assert!(credit.iter().chain(&liability).all(|row| row["ref_no"] == *arn));
    assert_eq!(cash.iter().map(|row| &row["tot_tr_amt"]).collect::<Vec<_>>(), [100, 100]);
    assert_eq!(liability.last().unwrap()["tot_rng_bal"], 0, "nothing is owed any more");
    let tracked = session.open(&world.gstn(&session.get("returns", "RETTRACK&type=R3B", PERIOD)));
    assert_eq!(tracked["EFiledlist"][0]["rtntype"], "GSTR3B");
}

#[test]
fn calls_that_cannot_be_a_gstr3b_are_refused_in_its_own_words() {
    let world = World::new();
    let small = world.taxpayer(&json!({"state": "29", "scheme": "composition"})).login(&world);
    let own = |session: &Session| json!({"gstin": session.gstin, "ret_period": PERIOD});
    assert_eq!(job(&world, &small, PERIOD, "RETSAVE", &own(&small)), refused("refused", "RTN_27"));
    let session = world.taxpayer(&json!({"state": "29", "cancelled_on": "2025-02-28"})).login(&world);
    assert_eq!(job(&world, &session, PERIOD, "RETSAVE", &own(&session)), refused("refused", "RT-3BGV1005"));
    assert_eq!(job(&world, &session, "022025", "RETSAVE", &own(&small)), refused("refused", "RT-3BSP104"));
    let nameless = json!({"ret_period": "022025"});
    assert_eq!(job(&world, &session, "022025", "RETSAVE", &nameless), refused("refused", "RET191131"));
    let odd = json!({"gstin": session.gstin, "ret_period": "022025", "sup_detail": {}});
    assert_eq!(job(&world, &session, "022025", "RETSAVE", &odd), refused("ER", "RET191106"));
    assert_eq!(world.gstn(&session.get(PATH, "RETSUM", "022025")).error_cd(), "RT-3BAS1009");
    assert_eq!(world.gstn(&session.get(PATH, "RETSUBMIT", "022025")).error_cd(), "RET11403");
    let submit = session.write("POST", PATH, "RETSUBMIT", &own(&session));
    assert_eq!(world.gstn(&submit).error_cd(), "SBX501");
    let fee = session.get("returns", "LATEFEEBREAKUP&rtn_typ=R1A", "022025");
    assert_eq!(world.gstn(&fee).error_cd(), "SBX501");

    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    file_month(&world, &session, PERIOD, &["A1"]);
    assert_eq!(job(&world, &session, PERIOD, "RETSAVE", &own(&session)), done());
    let summary = read(&world, &session, PERIOD, "RETSUM");
    let code = |summary: &Value, otp: &str| {
        let request = session.file_as("RETFILE", PATH, &summary.to_string(), session.pan(), otp);
        world.gstn(&request).error_cd()
    };
    assert_eq!(code(&summary, OTP), "RT-3BAS1043", "no OTP was asked for");
    world.gstn(&session.evc_otp_for("R3B"));
    assert_eq!(code(&summary, "111111"), "RT-3BAS1043");
    let mut other = summary.clone();
    other["sup_details"]["osup_det"]["iamt"] = 1.into();
    assert_eq!(code(&other, OTP), "RT_FIL_09");
    other = summary.clone();
    other["gstin"] = small.gstin.clone().into();
    assert_eq!(code(&other, OTP), "RT-3BSP104");
    assert_eq!(code(&summary, OTP), "");
}

#[test]
fn integrated_credit_goes_first() {
    let world = World::new();
    let balances = json!({"credit": {"igst": 400, "cgst": 100, "sgst": 100},
                          "cash": {"cgst": {"tx": 50}, "sgst": {"tx": 50}}});
    let session = world.taxpayer(&json!({"state": "29", "balances": balances})).login(&world);
    file_month(&world, &session, PERIOD, &["A1", "A2"]);
    assert_eq!(job(&world, &session, PERIOD, "RETSAVE", &march(&session)), done());
    let mut proposal = payment();
    proposal["pditc"]["c_pdi"] = 0.into();
    proposal["pditc"]["c_pdc"] = 20.into();
    let offset = |proposal: &Value| job(&world, &session, PERIOD, "RETOFFSET", proposal);
    assert_eq!(offset(&proposal), refused("ER", "RT-3BAS1070"), "integrated credit is left (section 49A)");
    let mut unknown = payment();
    unknown["pditc"]["c_pds"] = 20.into();
    assert_eq!(offset(&unknown), refused("ER", "RET191106"), "state credit never pays central tax");
    let mut other = payment();
    other["pdcash"][1]["liab_ldg_id"] = 7.into();
    assert_eq!(offset(&other), refused("ER", "RET11403"));
    assert_eq!(offset(&payment()), done());
    assert_eq!(balance(&world, &session)["itc_bal"]["igst_bal"], 100.5);
}

#[test]
fn the_return_of_a_month_waits_for_those_before_and_lets_the_next_one_go() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let nil = |period: &str| json!({"gstin": session.gstin, "ret_period": period});
    assert_eq!(job(&world, &session, PERIOD, "RETSAVE", &nil(PERIOD)), done());
    assert_eq!(file(&world, &session, PERIOD), Err("RET192409".into()), "GSTR-1 of March comes first");
    file_month(&world, &session, PERIOD, &["A1"]);
    move_clock(&world, "2025-05-09");
    assert_eq!(job(&world, &session, "042025", "RETSAVE", &nil("042025")), refused("refused", "RET192409"));
    assert_eq!(
        job(&world, &session, "062025", "RETSAVE", &nil("062025")),
        refused("refused", "RT-3BGV1005"),
        "June has not begun"
    );
    assert!(file(&world, &session, PERIOD).is_ok(), "a nil return needs no offset");
    assert_eq!(job(&world, &session, "042025", "RETSAVE", &nil("042025")), done());
    file_month(&world, &session, "042025", &["A9"]);
}

#[test]
fn a_late_return_costs_interest_and_a_fee_with_the_next_one() {
    let world = World::new();
    let balances = json!({"credit": {"igst": 300}, "cash": {"cgst": {"tx": 50000, "fee": 500}, "sgst": {"tx": 50000, "fee": 500}}});
    let session = world.taxpayer(&json!({"state": "29", "balances": balances})).login(&world);
    file_month(&world, &session, PERIOD, &["A1", "A2"]);
    let mut form = march(&session);
    form["sup_details"]["isup_rev"] = json!({"txval": 1_000_000, "camt": 50_000, "samt": 50_000});
    assert_eq!(job(&world, &session, PERIOD, "RETSAVE", &form), done());
    move_clock(&world, "2025-04-30");
    let fee = |world: &World, form: &str| {
        session.open(&world.gstn(&session.get(
            "returns",
            &format!("LATEFEEBREAKUP&rtn_typ={form}"),
            "042025",
        )))
    };
    assert_eq!(fee(&world, "R1")["priorPrdLtFee"]["ltFeeDet"], json!([]), "GSTR-1 was filed in time");
    let mut late = payment();
    late["pdcash"][1]["cpd"] = 50_000.into();
    late["pdcash"][1]["spd"] = 50_000.into();
    assert_eq!(job(&world, &session, PERIOD, "RETOFFSET", &late), done());
    file(&world, &session, PERIOD).unwrap();

    let interest = read(&world, &session, "042025", "RETINT");
    // 50000 × 18 % × 10 / 365 = 246.58, in whole rupees.
    assert_eq!(interest["interest"], json!({"iamt": 0, "camt": 247, "samt": 247, "csamt": 0}));
    assert_eq!((&interest["filed_period"], &interest["filingdt"]), (&json!(PERIOD), &json!("30-04-2025")));
    let line = &interest["interestbreakup"][0];
    assert_eq!((&line["duedate"], &line["rates"][0]["delay"]), (&json!("20-04-2025"), &json!(10)));
    let fee = fee(&world, "R3B");
    assert_eq!(fee["priorPrdLtFee"]["totcgstamnt"], 250);
    assert_eq!(fee["priorPrdLtFee"]["ltFeeDet"][0]["totalDays"], 10);

    let mut april = json!({"gstin": session.gstin, "ret_period": "042025"});
    april["intr_ltfee"] = json!({"intr_details": {"camt": 247, "samt": 247}});
    move_clock(&world, "2025-05-02");
    assert_eq!(job(&world, &session, "042025", "CMPINT", &april), done());
    assert_eq!(job(&world, &session, "042025", "RETSAVE", &april), done());
    let owed = &read(&world, &session, "042025", "RETSUM")["tx_pmt"]["tx_py"][0]["cgst"];
    assert_eq!(*owed, json!({"tx": 0, "intr": 247, "fee": 250}));
    let open = session.open(&world.gstn(&session.get("ledgers", "RETLIAB&ret_typ=R3B", "042025")));
    assert_eq!(open["op_liab"][0]["cgst"]["tot"], 497);
}

#[test]
fn from_july_2025_the_liability_is_what_gstr1_makes_it() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29", "registered_on": "2025-03-01"})).login(&world);
    file_month(&world, &session, PERIOD, &["A1"]);
    let form = |txval: u32, iamt: u32| {
        json!({"gstin": session.gstin, "ret_period": PERIOD,
               "sup_details": {"osup_det": {"txval": txval, "iamt": iamt}}})
    };
    let valid = |form: &Value| {
        let request = session.write("POST", PATH, "VALID", form);
        session.open(&world.gstn(&request))
    };
    assert_eq!(valid(&form(1000, 180))["isValid"], "Y");
    let differs = valid(&form(1000, 170));
    assert_eq!(differs["isValid"], "N");
    assert_eq!(differs["sup_details"]["osup_3_1a"], json!({"error_fields": ["iamt"]}));
    assert_eq!(job(&world, &session, PERIOD, "RETSAVE", &form(1000, 170)), done(), "March 2025 is open");
    let strict = World::with(|config| config.rules_as_of = Some("072025".parse().unwrap()));
    let session = strict.taxpayer(&json!({"state": "29", "registered_on": "2025-03-01"})).login(&strict);
    let form = |iamt: u32| {
        json!({"gstin": session.gstin, "ret_period": PERIOD,
               "sup_details": {"osup_nongst": {"txval": iamt}}})
    };
    assert_eq!(job(&strict, &session, PERIOD, "RETSAVE", &form(5)), done(), "GSTR-1 is not filed yet");
    let own = json!({"gstin": session.gstin, "ret_period": PERIOD, "isnil": "Y"});
    strict.gstn(&session.write("POST", "returns/gstrptf", "RETNEWPTF", &own).header("rtn_typ", "GSTR1"));
    let summary = session.open(&strict.gstn(&session.get("returns/gstr1", "RETSUM", PERIOD))).to_string();
    strict.gstn(&session.evc_otp(session.pan()));
    assert_eq!(strict.gstn(&session.file(&summary, session.pan(), OTP)).error_cd(), "");
    assert_eq!(job(&strict, &session, PERIOD, "RETSAVE", &form(5)), refused("ER", "RET12502"));
    assert_eq!(
        file(&strict, &session, PERIOD),
        Err("RET12502".into()),
        "what was saved before is judged, too"
    );
    assert_eq!(job(&strict, &session, PERIOD, "RETSAVE", &form(0)), done());
    assert!(file(&strict, &session, PERIOD).is_ok());
}

#[test]
fn a_quarterly_filer_has_one_return_for_the_quarter_and_sees_its_months() {
    // By the rules of April no HSN rows are needed in June.
    let world = World::with(|config| config.rules_as_of = Some("042025".parse().unwrap()));
    let session = world.taxpayer(&json!({"state": "29", "filing": "quarterly"})).login(&world);
    move_clock(&world, "2025-05-12");
    file_month(&world, &session, "042025", &["A1"]);
    move_clock(&world, "2025-07-12");
    let nil = |period: &str| json!({"gstin": session.gstin, "ret_period": period});
    assert_eq!(job(&world, &session, "052025", "RETSAVE", &nil("052025")), refused("refused", "RT-3BGV1005"));
    assert_eq!(job(&world, &session, "062025", "RETSAVE", &nil("062025")), done());
    assert_eq!(world.gstn(&session.get(PATH, "AUTOLIAB", "052025")).error_cd(), "RT-3BGV1005");
    let drawn = read(&world, &session, "062025", "AUTOLIAB");
    assert!(drawn["r3bautopop"]["liabitc"]["sup_details"].is_null(), "the quarter is not filed");
    file_month(&world, &session, "062025", &["A2", "A3"]);
    let drawn = read(&world, &session, "062025", "AUTOLIAB");
    let taxable = &drawn["r3bautopop"]["liabitc"]["sup_details"]["osup_3_1a"];
    assert_eq!((&taxable["subtotal"]["txval"], &taxable["subtotal"]["iamt"]), (&json!(3000), &json!(540)));
    assert!(taxable.get("det").is_none());
    let row = |form: &str, times: i64| json!({"form": form, "txval": 1000 * times, "iamt": 180 * times, "camt": 0, "samt": 0, "csamt": 0});
    assert_eq!(taxable["det_q"]["tbl4a"], json!([row("IFF - April", 1), row("GSTR-1 Quarterly", 2)]));
    assert!(file(&world, &session, "062025").is_ok(), "nothing is owed by what was saved");
}

#[test]
fn statements_limit_what_is_claimed_again() {
    let world = World::with(|config| config.rules.statements_block = true);
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let report = |action: &str, igst: f64| {
        let payload = json!({"gstin": session.gstin, "opnbal": {"igst": igst}, "action": "SAVE"});
        world.gstn(&session.write("PUT", PATH, action, &payload)).error_cd()
    };
    assert_eq!(report("SAVEOB", 100.0), "");
    assert_eq!(report("SAVEOB", 80.5), "", "amended");
    assert_eq!(read(&world, &session, PERIOD, "CLOSINGBAL")["clsbal"]["igst"], 80.5);
    assert_eq!(read(&world, &session, PERIOD, "OPENINGBAL")["tr"][1]["opnbal"]["igst"], 80.5);
    assert_eq!(report("SAVEOB", 80.5), "");
    assert_eq!(report("SAVEOB", 80.5), "");
    assert_eq!(report("SAVEOB", 80.5), "RET12590", "once, and three amendments");
    assert_eq!(report("SAVERCMOPNBAL", 10.0), "");
    file_month(&world, &session, PERIOD, &["A1"]);
    let form = |again: f64| {
        json!({"gstin": session.gstin, "ret_period": PERIOD,
               "itc_elg": {"itc_avl": [{"ty": "OTH", "iamt": 300}, {"ty": "ISRC", "iamt": 4}],
                           "itc_rev": [{"ty": "OTH", "iamt": 20}], "itc_inelg": [{"ty": "RUL", "iamt": again}]}})
    };
    let valid = |form: &Value| session.open(&world.gstn(&session.write("POST", PATH, "VALID", form)));
    assert!(valid(&form(100.51))["error_message"].as_str().unwrap().contains("4(D)(1)"));
    assert!(valid(&form(100.5)).to_string().find("4(D)(1)").is_none());
    assert_eq!(job(&world, &session, PERIOD, "RETSAVE", &form(100.51)), done());
    let nothing = json!({"pdcash": []});
    assert_eq!(job(&world, &session, PERIOD, "RETOFFSET", &nothing), refused("ER", "RET12502"));
    assert_eq!(job(&world, &session, PERIOD, "RETSAVE", &form(100.5)), done());
    file(&world, &session, PERIOD).unwrap();
    assert_eq!(read(&world, &session, PERIOD, "CLOSINGBAL")["clsbal"]["igst"], 0);
    assert_eq!(read(&world, &session, PERIOD, "RCMCLOSINGBAL")["clsbal"]["igst"], 6);
    assert_eq!(balance(&world, &session)["itc_bal"]["igst_bal"], 284);
}

#[test]
fn what_a_supplier_filed_is_the_recipients_credit_from_the_fourteenth_on() {
    let world = World::new();
    let recipient = world.taxpayer(&json!({"gstin": "27AAPFU0939F1ZV"})).login(&world);
    let supplier = world.taxpayer(&json!({"state": "29"})).login(&world);
    file_month(&world, &supplier, PERIOD, &["A1", "A2"]);
    let before = read(&world, &recipient, PERIOD, "AUTOLIAB");
    assert!(before["r3bautopop"]["liabitc"]["elgitc"].is_null());
    assert_eq!(before["r3bautopop"]["error"].as_array().unwrap().len(), 2, "neither half is there");
    move_clock(&world, "2025-04-15");
    let after = read(&world, &recipient, PERIOD, "AUTOLIAB")["r3bautopop"].clone();
    assert_eq!(after["r2bgendt"], "14-04-2025");
    let line = &after["liabitc"]["elgitc"]["itc4a5"];
    assert_eq!((&line["subtotal"]["iamt"], &line["det"]["itcavl"]["igst"]), (&json!(360), &json!(360)));
    let form = json!({"gstin": recipient.gstin, "ret_period": PERIOD,
                      "itc_elg": {"itc_avl": [{"ty": "OTH", "iamt": 360}]}});
    let request = recipient.write("POST", PATH, "VALID", &form);
    assert_eq!(recipient.open(&world.gstn(&request))["isValid"], "Y");
}

#[test]
fn a_late_gstr1_is_told_with_its_fee() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    move_clock(&world, "2025-04-16");
    file_month(&world, &session, PERIOD, &["A1"]);
    let told = session.open(&world.gstn(&session.get("returns", "LATEFEEBREAKUP&rtn_typ=GSTR1", "042025")));
    assert_eq!((&told["rtnTyp"], &told["priorPrdLtFee"]["totsgstamnt"]), (&json!("GSTR1"), &json!(125)));
    let detail = &told["priorPrdLtFee"]["ltFeeDet"][0];
    assert_eq!((&detail["rtnPrdOrg"], &detail["totalDays"]), (&json!(PERIOD), &json!(5)));
}
