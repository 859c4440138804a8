//! A GSTR-1 from the OTP to the ARN.

use std::sync::Arc;

use serde_json::{Value, json};
use suvidha_client::{ApiCall, Gsp, Patience, Progress, SummaryKind};
use suvidha_seam::ManualClock;
use suvidha_testkit::{NewTaxpayer, World};

use crate::{by_getkey, gsp};

const OTP: &str = "575757";

fn invoice(number: &str, rate: u32, tax: f64) -> Value {
    json!({"inum": number, "idt": "05-10-2026", "val": 1000.0 + tax, "pos": "27", "rchrg": "N", "inv_typ": "R",
        "itms": [{"num": 1, "itm_det": {"rt": rate, "txval": 1000, "iamt": tax, "csamt": 0}}]})
}

/// A world in which the return of October 2026 is due.
async fn world() -> World {
    World::at(Arc::new(ManualClock::at("2026-11-05T06:30:00Z".parse().unwrap()))).await.unwrap()
}

#[tokio::test]
async fn a_return_is_saved_corrected_summed_up_and_filed() {
    let world = world().await;
    file_a_return(&world, gsp(&world)).await;
}

#[tokio::test]
async fn a_return_is_filed_with_getkey_in_production_just_so() {
    let world = world().await;
    file_a_return(&world, by_getkey(&world, &world.production).build().unwrap()).await;
}

async fn file_a_return(world: &World, gsp: Gsp) {
    let demo = world
        .gstn
        .create_taxpayer(NewTaxpayer { state: Some("29".to_owned()), ..NewTaxpayer::default() })
        .await
        .unwrap();
    let taxpayer = gsp.taxpayer(demo.gstin, &demo.username);
    taxpayer.request_otp().await.unwrap().verify(OTP).await.unwrap();
    let period = "102026".parse().unwrap();
    let gstr1 = taxpayer.gstr1(period);

    // Of two invoices one has a rate that does not exist: the other is kept.
    let save = |invoices: Value, more: Value| {
        let mut payload = json!({"gstin": demo.gstin.as_str(), "fp": "102026",
            "b2b": [{"ctin": "27AAPFU0939F1ZV", "inv": invoices}]});
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        payload.to_string()
    };
    let both = save(json!([invoice("S/1", 18, 180.0), invoice("S/2", 17, 170.0)]), json!({}));
    let status = gstr1.wait(&gstr1.save(both).await.unwrap(), Patience::default()).await.unwrap();
    assert_eq!(status.progress, Progress::ProcessedWithErrors);
    assert_eq!(status.refused.iter().map(|row| &*row.code).collect::<Vec<_>>(), ["RET191175"]);

    let rest = json!({
        "hsn": {"hsn_b2b": [{"num": 1, "hsn_sc": "8471", "txval": 2000, "rt": 18, "iamt": 360, "uqc": "NOS", "qty": 2}]},
        "doc_issue": {"doc_det": [{"doc_num": 1, "docs": [
            {"num": 1, "from": "S/1", "to": "S/2", "totnum": 2, "cancel": 0, "net_issue": 2}]}]}});
    let corrected = save(json!([invoice("S/2", 18, 180.0)]), rest);
    let status = gstr1.wait(&gstr1.save(corrected).await.unwrap(), Patience::default()).await.unwrap();
    assert_eq!(status.progress, Progress::Processed, "{:?}", status.raw);

    let b2b = gstr1.section("B2B", &[]).await.unwrap();
    assert_eq!(b2b["b2b"][0]["inv"].as_array().unwrap().len(), 2);

    let proceed = gstr1.new_proceed_to_file(false).await.unwrap();
    let status = gstr1.wait(&proceed, Patience::default()).await.unwrap();
    assert_eq!(status.progress, Progress::Processed, "{:?}", status.raw);
    let summary = gstr1.summary(SummaryKind::Short).await.unwrap();
    let pan = demo.gstin.pan().unwrap();
    gstr1.request_evc_otp(&pan).await.unwrap();
    let arn = gstr1.file_with_evc(&summary, &pan, OTP).await.unwrap();

    let track = ApiCall::get("/taxpayerapi/v1.0/returns", "RETTRACK").ret_period(period).query("type", "R1");
    let filed = taxpayer.call(track).await.unwrap();
    assert_eq!(filed["EFiledlist"][0]["arn"], arn);
    assert!(gstr1.save(save(json!([invoice("S/3", 18, 180.0)]), json!({}))).await.is_err(), "it is filed");
}
