//! GSTR-2B in parts, its regeneration, and actions in IMS, as they go over the wire.

use std::time::Duration;

use serde_json::{Value, json};
use suvidha_client::{Dsc, Error, ImsGoods, ImsRecords, NoStatement, Patience, Progress};

use crate::standin::{GSTIN, PAN, Scripted, StandIn};

fn quick() -> Patience {
    let pause = Duration::from_millis(5);
    Patience { first_pause: pause, longest_pause: pause, total: Duration::from_secs(5) }
}

fn head(parts: u64) -> Scripted {
    Scripted::sealed(&json!({"chksum": "c", "data": {"gendt": "14-05-2026", "fc": parts,
        "itcsumm": {"itcavl": {"nonrevsup": {"igst": 36}}}}}))
}

fn part(checksum: &str, number: &str) -> Scripted {
    let invoice = json!({"inum": number, "typ": "R", "itcavl": "Y", "igst": 18});
    Scripted::sealed(
        &json!({"chksum": checksum, "data": {"docdata": {"b2b": [{"ctin": "27AAPFU0939F1ZV", "inv": [invoice]}]}}}),
    )
}

#[tokio::test]
async fn a_statement_in_parts_is_asked_for_part_by_part_and_comes_whole() {
    let standin = StandIn::start().await;
    standin.script("GET2B", [head(2), part("c", "A1"), part("c", "A2")]);
    let twob = standin.taxpayer(&standin.gsp()).await.gstr2b("042026".parse().unwrap());
    let statement = twob.statement().await.unwrap();
    let numbers: Vec<_> = statement.documents.iter().map(|document| document.number.as_str()).collect();
    assert_eq!((numbers, statement.summary.available.net().igst.paise()), (vec!["A1", "A2"], 3_600));
    let asked: Vec<_> = standin
        .calls_of("GET2B")
        .iter()
        .map(|call| call.query.get("file_num").cloned().unwrap_or_default())
        .collect();
    assert_eq!(asked, ["", "1", "2"]);
    let call = standin.last_call();
    assert_eq!((&*call.query["rtnprd"], call.path.as_str()), ("042026", "/taxpayerapi/v4.2/returns/gstr2b"));
    assert!(!call.query.contains_key("ret_period"));
}

#[tokio::test]
async fn a_statement_that_was_made_again_meanwhile_is_not_put_together() {
    let standin = StandIn::start().await;
    standin.script("GET2B", [head(2), part("c", "A1"), part("d", "A2")]);
    let twob = standin.taxpayer(&standin.gsp()).await.gstr2b("042026".parse().unwrap());
    let error = twob.statement().await.unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }) && error.to_string().contains("made again"), "{error:?}");
}

#[tokio::test]
async fn one_part_is_no_part() {
    let standin = StandIn::start().await;
    standin.script("GET2B", [part("c", "A1")]);
    let twob = standin.taxpayer(&standin.gsp()).await.gstr2b("042026".parse().unwrap());
    assert_eq!(twob.statement().await.unwrap().documents.len(), 1);
    assert_eq!((twob.summary().await.unwrap().parts, standin.count("GET2B")), (1, 2));
}

#[tokio::test]
async fn a_statement_that_is_not_there_says_why() {
    let standin = StandIn::start().await;
    standin
        .script("GET2B", [Scripted::No("RET2B1018"), Scripted::No("GTR2B-001"), Scripted::No("RET2B1016")]);
    let twob = standin.taxpayer(&standin.gsp()).await.gstr2b("042026".parse().unwrap());
    for expected in [NoStatement::NotYet, NoStatement::NotApplicable] {
        let error = twob.statement().await.unwrap_err();
        assert!(matches!(&error, Error::NoStatement { why, .. } if *why == expected), "{error:?}");
        assert!(error.remedy().is_some());
    }
    assert!(matches!(twob.statement().await, Err(Error::NoDocuments(_))));
}

#[tokio::test]
async fn a_statement_is_made_again_and_waited_for() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let twob = taxpayer.gstr2b("042026".parse().unwrap());
    standin.script(
        "GEN2B",
        [Scripted::sealed(&json!({"int_tran_id": "t1"})), Scripted::No("IMS2005"), Scripted::No("GTR2B-002")],
    );
    standin.script(
        "GENSTS2B",
        [Scripted::sealed(&json!({"status_cd": "IP"})), Scripted::sealed(&json!({"status_cd": "P"}))],
    );
    let id = twob.regenerate().await.unwrap().unwrap();
    assert_eq!((id.as_str(), twob.wait(&id, quick()).await.unwrap().progress), ("t1", Progress::Processed));
    assert_eq!(standin.last_call().query["int_tran_id"], "t1");
    assert_eq!(twob.regenerate().await.unwrap(), None);
    let late = twob.regenerate().await.unwrap_err();
    assert!(matches!(late, Error::NoStatement { why: NoStatement::PreviousReturnMissing, .. }), "{late:?}");
}

#[tokio::test]
async fn decisions_go_to_gstn_as_it_wants_them_and_what_was_refused_comes_back() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let rows = json!({"b2b": [{"stin": "27AAPFU0939F1ZV", "rtnprd": "042026", "srcform": "R1", "inum": "A1", "idt": "05-04-2026",
        "txval": 100, "action": "N", "hash": "h", "srcfilstatus": "Filed"}]});
    let found = ImsRecords::read(rows.to_string().as_bytes()).unwrap();
    standin.script("SAVE", [Scripted::Echo]);
    let unanswered = taxpayer.ims().act([found.records[0].reject()]).await.unwrap_err();
    assert!(matches!(unanswered, Error::Protocol { .. }), "an answer without a number: {unanswered:?}");
    let sent = taxpayer.call_raw("returns/ims", "SAVE", json!({"a": 1})).await.unwrap();
    assert_eq!(sent, json!({"a": 1}));
    standin.script("SAVE", [Scripted::sealed(&json!({"reference_id": "ref-ims"}))]);
    let id = taxpayer.ims().act([found.records[0].reject()]).await.unwrap();
    let call = standin.last_call();
    assert_eq!((id.as_str(), call.path.as_str()), ("ref-ims", "/taxpayerapi/v1.2/returns/ims"));
    let report = json!({"b2b": [{"stin": "27AAPFU0939F1ZV", "error_cd": "IMSSAV0010", "error_msg": "m", "inv": [{"inum": "A1"}]}]});
    let status = json!({"status_cd": "ER", "transTypCd": "SAV", "proc_cnt": "0", "err_cnt": "1", "error_report": report});
    standin.script("REQSTS", [Scripted::sealed(&status)]);
    let status = taxpayer.ims().wait(&id, quick()).await.unwrap();
    assert_eq!((status.progress, status.refused[0].code.as_str()), (Progress::Failed, "IMSSAV0010"));
    standin.script("GETCNT", [Scripted::sealed(&json!({"imp_gds": {"ttl_cnt": 0}}))]);
    assert_eq!(taxpayer.ims().counts(ImsGoods::Imports).await.unwrap().total, 0);
    assert_eq!(standin.last_call().query["goods_typ"], "IMP_GDS");
}

#[tokio::test]
async fn a_filing_is_signed_with_a_certificate_over_what_gstn_wrote() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let gstr3b = taxpayer.gstr3b("042026".parse().unwrap());
    standin.script(
        "RETSUM",
        [Scripted::Sealed(r#"{ "gstin":"33AANCS2882A1ZG", "tx_pmt": {"tx_py": []} }"#.to_owned())],
    );
    standin.script("RETFILE", [Scripted::sealed(&json!({"ack_num": "AA1"}))]);
    let summary = gstr3b.summary().await.unwrap();
    let key = gstn::crypto::PrivateKey::generate_2048();
    let pair = rcgen::KeyPair::from_pem_and_sign_algo(&key.pkcs8_pem(), &rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&pair).unwrap().pem();
    let dsc = Dsc::from_pem(key.pkcs8_pem().as_bytes(), certificate).unwrap();
    let arn = gstr3b.file_with_dsc(&summary, &PAN.parse().unwrap(), &dsc).await.unwrap();
    assert_eq!(arn, "AA1");
    let body: Value = serde_json::from_slice(&standin.last_call().body).unwrap();
    assert_eq!((&body["st"], &body["sid"], body.get("hmac")), (&json!("DSC"), &json!(PAN), None));
    let signed = gstn::crypto::base64::encode(summary.text());
    gstn::crypto::dsc_verify(&signed, body["sign"].as_str().unwrap()).unwrap();
    assert!(format!("{dsc:?}") == "Dsc(…)" && summary.value()["gstin"] == GSTIN);
    let another = gstn::crypto::PrivateKey::generate_2048();
    let other = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&pair).unwrap().pem();
    let error = Dsc::from_pem(another.pkcs8_pem().as_bytes(), other).unwrap_err();
    assert!(error.to_string().contains("another key"), "{error}");
}
