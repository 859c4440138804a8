//! Typed calls, and calls of anything else by name.

use serde_json::{Value, json};
use suvidha_client::{ApiCall, Date, Error, Origin, RegistrationStatus, Rupees, Side};

use crate::standin::{ARN, GSTIN, OTP, PAN, Scripted, StandIn};

fn rupees(text: &str) -> Rupees {
    text.parse().unwrap()
}

#[tokio::test]
async fn the_public_register_is_read_into_a_type_and_a_stranger_to_it_is_told_apart() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let found = gsp.search(&GSTIN.parse().unwrap()).await.unwrap();
    assert_eq!((found.gstin.as_str(), found.legal_name.as_str()), (GSTIN, "Sample Traders"));
    assert_eq!((found.status, found.registered_on), (RegistrationStatus::Active, None));
    assert_eq!(found.raw["lgnm"], "Sample Traders");
    let unknown = gsp.search(&"27AAPFU0939F1ZV".parse().unwrap()).await.unwrap_err();
    assert!(matches!(unknown, Error::NoDocuments(_)), "{unknown:?}");
}

#[tokio::test]
async fn anyone_may_ask_which_returns_a_taxpayer_has_filed() {
    let standin = StandIn::start().await;
    let list =
        json!({"EFiledlist": [{"rtntype": "GSTR1", "ret_prd": "042026", "dof": "10-05-2026", "arn": ARN}]});
    standin.script("RETTRACK", [Scripted::public(&list), Scripted::No("RET13510")]);
    let (gsp, gstin) = (standin.gsp(), GSTIN.parse().unwrap());
    let filed = gsp.track_returns(&gstin, "2026-27".parse().unwrap(), Some("R1")).await.unwrap();
    assert_eq!(filed.returns[0].filed_on, Some(Date::constant(2026, 5, 10)));
    let call = standin.last_call();
    assert_eq!((&*call.query["fy"], &*call.query["type"], &*call.query["gstin"]), ("2026-27", "R1", GSTIN));
    assert_eq!((call.path.as_str(), call.header("auth-token")), ("/commonapi/v1.0/returns", ""));
    let none = gsp.track_returns(&gstin, "2025-26".parse().unwrap(), None).await.unwrap_err();
    assert!(matches!(none, Error::NoDocuments(_)), "{none:?}");
    assert!(!standin.last_call().query.contains_key("type"));
}

#[tokio::test]
async fn a_taxpayer_asks_for_its_own_returns_within_its_session() {
    let standin = StandIn::start().await;
    standin.script("RETTRACK", [Scripted::sealed(&json!({"EFiledlist": [{"arn": ARN}]}))]);
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let filed = taxpayer.track_returns("042026".parse().unwrap(), None).await.unwrap();
    assert_eq!(filed.returns[0].arn, ARN);
    assert_eq!(standin.last_call().query["ret_period"], "042026");
}

#[tokio::test]
async fn ledgers_are_read_to_the_last_paisa() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;

    // A binary fraction would make ….92 of this.
    let balance = r#"{"cash_bal": {"cgst": {"tx": 90071992547409.93, "intr": 0.07}, "cgst_tot_bal": 90071992547410.00},
        "itc_bal": {"igst_bal": "12.5"}, "itc_blck_bal": {"igst_blck_bal": 2.5}}"#;
    standin.script("BAL", [Scripted::Sealed(balance.to_owned())]);
    let balance = taxpayer.ledger_balance("042026".parse().unwrap()).await.unwrap();
    assert_eq!(balance.cash.cgst.tax, rupees("90071992547409.93"));
    assert_eq!(balance.cash.cgst.total(), balance.cash.cgst_total);
    assert_eq!(balance.credit.igst - balance.blocked_credit.igst, rupees("10"));

    let cash = r#"{"op_bal": {"tot_rng_bal": 0}, "tr": [{"dt": "05/04/2026", "refNo": "C1", "tr_typ": "Cr",
        "igst": {"tx": 0.1, "fee": 0.2}, "tot_tr_amt": 0.3, "tot_rng_bal": 0.3}], "cl_bal": {"tot_rng_bal": 0.3}}"#;
    standin.script("CASH", [Scripted::Sealed(cash.to_owned())]);
    let (from, to) = (Date::constant(2026, 4, 1), Date::constant(2026, 4, 30));
    let cash = taxpayer.cash_ledger(from, to).await.unwrap();
    let call = standin.last_call();
    assert_eq!((&*call.query["fr_dt"], &*call.query["to_dt"]), ("01-04-2026", "30-04-2026"));
    assert_eq!((cash.entries[0].igst.total(), cash.entries[0].amount), (rupees("0.30"), cash.closing.total));

    let credit = r#"{"itcLdgDtls": {"tr": [{"dt": "20/04/2026", "tr_typ": "Dr", "sgstTaxAmt": 7, "tot_rng_bal": 1.01}],
        "cl_bal": {"sgstTaxBal": 1.01, "tot_rng_bal": 1.01}}, "provCrdBalList": {"provCrdBal": []}}"#;
    standin.script("ITC", [Scripted::Sealed(credit.to_owned())]);
    let credit = taxpayer.credit_ledger(from, to).await.unwrap();
    assert_eq!((credit.entries[0].side, credit.entries[0].sgst), (Side::Debit, rupees("7")));
    assert_eq!((credit.closing.sgst, credit.raw["provCrdBalList"].is_object()), (rupees("1.01"), true));

    standin.script("ITC", [Scripted::sealed(&json!({"hidden": 1}))]);
    let error = taxpayer.credit_ledger(from, to).await.unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }) && !error.to_string().contains("hidden"), "{error:?}");
}

#[tokio::test]
async fn an_api_that_reads_is_called_by_name_with_its_query() {
    let standin = StandIn::start().await;
    standin.script("GET2B", [Scripted::sealed(&json!({"chksum": "c"}))]);
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let input = json!({"rtnprd": "042026", "file_num": 1});
    let statement = taxpayer.call_raw("returns/gstr2b", "GET2B", input).await.unwrap();
    assert_eq!(statement, json!({"chksum": "c"}));
    let call = standin.last_call();
    assert_eq!((call.method.as_str(), call.path.as_str()), ("GET", "/taxpayerapi/v4.2/returns/gstr2b"));
    let query: Vec<_> =
        ["action", "gstin", "rtnprd", "file_num"].map(|name| call.query[name].as_str()).into();
    assert_eq!(query, ["GET2B", GSTIN, "042026", "1"]);
    assert_eq!((call.header("ret_period"), call.query.contains_key("ret_period")), ("042026", false));
}

#[tokio::test]
async fn an_api_that_writes_is_called_by_name_with_its_payload_sealed() {
    let standin = StandIn::start().await;
    standin.script("RETSAVE", [Scripted::Echo]);
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let payload =
        json!({"gstin": GSTIN, "ret_period": "042026", "sup_details": {"osup_det": {"txval": 1000.5}}});
    assert_eq!(taxpayer.call_raw("returns/gstr3b", "RETSAVE", payload.clone()).await.unwrap(), payload);
    let call = standin.last_call();
    assert_eq!((call.method.as_str(), call.path.as_str()), ("PUT", "/taxpayerapi/v6.0/returns/gstr3b"));
    let told: Vec<_> =
        ["rtn_typ", "userrole", "api_version", "ret_period"].map(|name| call.header(name)).into();
    assert_eq!(told, ["GSTR3B", "GSTR3B", "6.0", "042026"]);
    assert!(!String::from_utf8_lossy(&call.body).contains("sup_details"));
}

#[tokio::test]
async fn public_apis_are_called_by_name_without_a_login_from_either_handle() {
    let standin = StandIn::start().await;
    standin.script("TPPAN", [Scripted::public(&json!([{"gstin": GSTIN}]))]);
    let gsp = standin.gsp();
    let found = gsp.call_raw("commonapi/search", "TPPAN", json!({"pan": PAN})).await.unwrap();
    assert_eq!(found[0]["gstin"], GSTIN);
    let call = standin.last_call();
    assert_eq!((&*call.query["pan"], call.header("auth-token"), call.header("state-cd")), (PAN, "", ""));
    let stranger = gsp.taxpayer(GSTIN.parse().unwrap(), "nobody");
    assert_eq!(stranger.call_raw("commonapi/search", "TPPAN", json!({"pan": PAN})).await.unwrap(), found);
    assert_eq!(standin.last_call().header("state-cd"), "33", "the taxpayer's own");
    let by_gstin = json!({"gstin": GSTIN});
    gsp.call_raw("commonapi/search", "TP", by_gstin).await.unwrap();
    assert_eq!(standin.last_call().header("state-cd"), "33");
    let in_a_state = json!({"pan": PAN, "stateCode": "27"});
    gsp.call_raw("commonapi/search", "TPPAN", in_a_state).await.unwrap();
    assert_eq!(standin.last_call().header("state-cd"), "27");
}

#[tokio::test]
async fn what_is_not_to_be_called_by_name_is_refused_before_it_is_sent() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let taxpayer = standin.taxpayer(&gsp).await;
    let calls = standin.state().calls.len();
    let refusals = [
        (
            taxpayer.call_raw("returns/gstr2b", "GETB2", Value::Null).await,
            "did you mean returns/gstr2b GET2B",
        ),
        (taxpayer.call_raw("authenticate", "OTPREQUEST", Value::Null).await, "request_otp"),
        (taxpayer.call_raw("returns/gstr3b", "RETFILE", json!({})).await, "sign_with_evc"),
        (taxpayer.call_raw("eicore/Invoice", "POST", json!({})).await, "keys of their own"),
        (gsp.call_raw("returns/gstr2b", "GET2B", Value::Null).await, "a taxpayer's session"),
    ];
    for (outcome, hint) in refusals {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Invalid(_)) && error.to_string().contains(hint), "{error}");
        assert_eq!(error.origin(), Origin::Client);
    }
    assert_eq!(standin.state().calls.len(), calls);
}

#[tokio::test]
async fn any_form_is_filed_with_an_evc() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let pan = PAN.parse().unwrap();
    let gstr1 = taxpayer.gstr1("042026".parse().unwrap());
    let summary = gstr1.summary(Default::default()).await.unwrap();
    let filing = ApiCall::named("returns/gstr3b", "RETFILE").unwrap().ret_period("042026".parse().unwrap());
    let filing = filing.payload_text(summary.text()).sign_with_evc(&pan, OTP);
    assert_eq!(taxpayer.call(filing).await.unwrap(), json!({"ack_num": ARN}));
}
