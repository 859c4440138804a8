//! A list too large for one answer, all the way: token, files through the gateway, hash, key, documents.

use std::sync::Arc;

use serde_json::{Value, json};
use suvidha_client::{Credentials, DownloadFault, Error, Gsp, Patience, Taxpayer};
use suvidha_seam::{Clock, ManualClock};
use suvidha_testkit::World;

const OTP: &str = "575757";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A world in which three documents are too many for one answer, and two for one file.
async fn world(clock: &Arc<ManualClock>) -> World {
    let clock: Arc<dyn Clock> = clock.clone();
    World::with(clock, |config| {
        config.files.limit = 3;
        config.files.per_archive = 2;
    })
    .await
    .unwrap()
}

/// A taxpayer with five invoices, who calls the gateway under `prefix`.
async fn seller(world: &World, prefix: &str) -> Taxpayer {
    let new = serde_json::from_value(json!({"state": "29"})).unwrap();
    let made = world.gstn.create_taxpayer(new).await.unwrap();
    let gsp: Gsp = Gsp::builder(format!("{}{prefix}", world.gateway_url()))
        .credentials(Credentials::token(world.token.clone()))
        .build()
        .unwrap();
    let taxpayer = gsp.taxpayer(made.gstin, made.username);
    taxpayer.request_otp().await.unwrap().verify(OTP).await.unwrap();
    let invoice = |number: usize| {
        json!({"inum": format!("S/{number}"), "idt": "05-10-2026", "val": 1180, "pos": "27", "rchrg": "N", "inv_typ": "R",
            "itms": [{"num": 1, "itm_det": {"rt": 18, "txval": 1000, "iamt": 180, "csamt": 0}}]})
    };
    let invoices: Vec<Value> = (1..=5).map(invoice).collect();
    let payload = json!({"gstin": taxpayer.gstin().as_str(), "fp": "102026",
        "b2b": [{"ctin": "27AAPFU0939F1ZV", "inv": invoices}]});
    let gstr1 = taxpayer.gstr1("102026".parse().unwrap());
    let saved = gstr1.save(payload.to_string()).await.unwrap();
    gstr1.wait(&saved, Patience::default()).await.unwrap();
    taxpayer
}

#[tokio::test]
async fn a_large_list_is_downloaded_under_every_style_of_paths() {
    let clock = Arc::new(ManualClock::at("2026-11-05T06:30:00Z".parse().unwrap()));
    let world = world(&clock).await;
    for prefix in ["", "/api", "/gsp/api"] {
        let taxpayer = seller(&world, prefix).await;
        let gstr1 = taxpayer.gstr1("102026".parse().unwrap());
        let Err(Error::Queued(queued)) = gstr1.section("B2B", &[]).await else { panic!("not queued") };
        let files = taxpayer.wait_for_files(&queued, Patience::default()).await.unwrap();
        assert_eq!((files.len(), files.records()), (3, 5), "{prefix}");
        let mut download = taxpayer.download(&files);
        let mut numbers = Vec::new();
        while let Some(document) = download.next().await.unwrap() {
            let list = document.value().unwrap();
            let invoices = list["b2b"][0]["inv"].as_array().unwrap().iter();
            numbers.extend(invoices.map(|invoice| invoice["inum"].as_str().unwrap().to_owned()));
        }
        assert_eq!(numbers, ["S/1", "S/2", "S/3", "S/4", "S/5"], "{prefix}");
    }
}

#[tokio::test]
async fn an_address_of_yesterday_has_expired() {
    let clock = Arc::new(ManualClock::at("2026-11-05T06:30:00Z".parse().unwrap()));
    let world = world(&clock).await;
    let taxpayer = seller(&world, "").await;
    let gstr1 = taxpayer.gstr1("102026".parse().unwrap());
    let Err(Error::Queued(queued)) = gstr1.section("B2B", &[]).await else { panic!("not queued") };
    let files = taxpayer.wait_for_files(&queued, Patience::default()).await.unwrap();
    clock.advance(DAY_MS);
    let error = taxpayer.download(&files).next().await.unwrap_err();
    assert!(matches!(error, Error::Download { fault: DownloadFault::Expired, .. }), "{error:?}");
}
