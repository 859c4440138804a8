//! A GSTR-1 from its first row to its ARN, and the public register.

use std::time::Duration;

use serde_json::{Value, json};
use suvidha_client::{ApiCall, Error, Origin, Patience, Progress, SummaryKind};

use crate::standin::{ARN, GSTIN, OTP, PAN, StandIn};

/// With blanks and number forms that must reach GSTN as they are.
const PAYLOAD: &str = r#"{ "gstin":"33AANCS2882A1ZG", "fp":"042026", "b2b":[{"ctin":"27AAPFU0939F1ZV","inv":[{"inum":"A/1","val":118.00}]}] }"#;

fn quick() -> Patience {
    let pause = Duration::from_millis(10);
    Patience { first_pause: pause, longest_pause: pause, total: Duration::from_secs(5) }
}

#[tokio::test]
async fn a_return_is_saved_read_back_summed_up_and_filed() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let taxpayer = standin.taxpayer(&gsp).await;
    let gstr1 = taxpayer.gstr1("042026".parse().unwrap());

    let reference_id = gstr1.save(PAYLOAD).await.unwrap();
    assert_eq!(reference_id, "ref-save");
    assert_eq!(standin.state().saved.as_deref(), Some(PAYLOAD.as_bytes()), "byte for byte");
    assert_eq!(standin.last_call().header("rtn_typ"), "GSTR1");

    let status = gstr1.wait(&reference_id, quick()).await.unwrap();
    assert_eq!((status.progress, status.refused.len()), (Progress::Processed, 0));
    assert_eq!(standin.last_call().query["ref_id"], "ref-save");

    let b2b = gstr1.section("B2B", &[("ctin", "27AAPFU0939F1ZV")]).await.unwrap();
    assert_eq!(b2b["b2b"][0]["inv"][0]["inum"], "A/1");
    let call = standin.last_call();
    assert_eq!(
        (&*call.query["action"], &*call.query["gstin"], &*call.query["ret_period"]),
        ("B2B", GSTIN, "042026")
    );
    assert_eq!(call.query["ctin"], "27AAPFU0939F1ZV");

    gstr1.new_proceed_to_file(false).await.unwrap();
    let summary = gstr1.summary(SummaryKind::Long).await.unwrap();
    assert_eq!(summary.value()["chksum"], "abc");
    assert_eq!(standin.last_call().query["smrytyp"], "L");

    let pan = PAN.parse().unwrap();
    gstr1.request_evc_otp(&pan).await.unwrap();
    let error = gstr1.file_with_evc(&summary, &pan, "000000").await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "a wrong OTP is not taken for a lack of documents");
    assert_eq!(gstr1.file_with_evc(&summary, &pan, OTP).await.unwrap(), ARN);
}

#[tokio::test]
async fn every_call_says_who_for_whom_and_with_a_txn_of_its_own() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let taxpayer = standin.taxpayer(&gsp).await;
    taxpayer.gstr1("042026".parse().unwrap()).reset().await.unwrap();
    let calls = standin.state().calls.clone();
    let mut txns: Vec<_> = calls.iter().map(|call| call.header("txn").to_owned()).collect();
    txns.sort_unstable();
    txns.dedup();
    assert_eq!(txns.len(), calls.len());
    for call in &calls {
        assert_eq!((call.header("state-cd"), call.header("ip-usr")), ("33", "127.0.0.1"));
        assert_eq!(call.header("clientid"), "", "GSTN's client credentials are the GSP's alone");
    }
}

#[tokio::test]
async fn what_belongs_to_another_return_is_not_sent() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let taxpayer = standin.taxpayer(&gsp).await;
    let gstr1 = taxpayer.gstr1("042026".parse().unwrap());
    let calls = standin.state().calls.len();
    let other_taxpayer = PAYLOAD.replace(GSTIN, "27AAPFU0939F1ZV");
    for bad in [other_taxpayer.as_str(), &PAYLOAD.replace("042026", "052026"), "{}", "[]", "not JSON", ""] {
        assert!(matches!(gstr1.save(bad).await, Err(Error::Invalid(_))), "{bad}");
    }
    assert_eq!(standin.state().calls.len(), calls);
}

#[tokio::test]
async fn a_section_with_nothing_in_it_is_told_apart_from_a_failure() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let taxpayer = standin.taxpayer(&gsp).await;
    let gstr1 = taxpayer.gstr1("042026".parse().unwrap());
    assert!(matches!(gstr1.section("B2B", &[]).await, Err(Error::NoDocuments(_))));
}

#[tokio::test]
async fn waiting_goes_through_every_state_and_reports_what_was_refused() {
    let standin = StandIn::start().await;
    let report =
        json!({"b2b": [{"ctin": "27AAPFU0939F1ZV", "error_cd": "RET191113", "error_msg": "bad", "inv": []}]});
    standin.state().statuses = vec![
        json!({"status_cd": "REC"}),
        json!({"status_cd": "IP"}),
        json!({"status_cd": "PE", "error_report": report}),
    ];
    let gsp = standin.gsp();
    let taxpayer = standin.taxpayer(&gsp).await;
    let mut seen = Vec::new();
    let gstr1 = taxpayer.gstr1("042026".parse().unwrap());
    let told = |status: &suvidha_client::ReturnStatus| seen.push(status.progress.as_str().to_owned());
    let status = gstr1.wait_with("ref-save", quick(), told).await.unwrap();
    assert_eq!(seen, ["REC", "IP", "PE"]);
    assert_eq!(status.refused[0].code, "RET191113");
}

#[tokio::test]
async fn patience_ends_with_the_reference_id_still_good() {
    let standin = StandIn::start().await;
    standin.state().statuses = vec![json!({"status_cd": "IP"})];
    let gsp = standin.gsp();
    let taxpayer = standin.taxpayer(&gsp).await;
    let patience = Patience { total: Duration::from_millis(20), ..quick() };
    let error = taxpayer.gstr1("042026".parse().unwrap()).wait("ref-save", patience).await.unwrap_err();
    assert!(matches!(&error, Error::StillProcessing { reference_id, .. } if reference_id == "ref-save"));
    assert!(error.retryable());
}

#[tokio::test]
async fn a_reference_id_that_gstn_does_not_know_is_refused() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let taxpayer = standin.taxpayer(&gsp).await;
    let error = taxpayer.gstr1("042026".parse().unwrap()).status("unknown").await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
    assert!(error.remedy().unwrap().contains("reference_id"));
}

#[tokio::test]
async fn any_other_api_is_called_with_the_cryptography_done() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let taxpayer = standin.taxpayer(&gsp).await;
    let call = ApiCall::put("taxpayerapi/v4.1/returns/gstr1", "RETSAVE")
        .ret_period("042026".parse().unwrap())
        .payload(&json!({"any": "thing"}))
        .unwrap();
    assert_eq!(taxpayer.call(call).await.unwrap(), json!({"reference_id": "ref-save"}));
    let saved: Value = serde_json::from_slice(standin.state().saved.as_deref().unwrap()).unwrap();
    assert_eq!(saved, json!({"any": "thing"}));
}

#[tokio::test]
async fn the_public_register_answers_without_a_login() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    assert_eq!(gsp.search(&GSTIN.parse().unwrap()).await.unwrap().legal_name, "Sample Traders");
    let call = standin.last_call();
    assert_eq!((call.header("auth-token"), call.header("username")), ("", ""));
    let error = gsp.search(&"27AAPFU0939F1ZV".parse().unwrap()).await.unwrap_err();
    assert_eq!((error.code(), error.origin()), (Some("FO8000"), Origin::Gstn));
}
