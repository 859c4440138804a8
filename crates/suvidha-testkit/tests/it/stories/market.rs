//! Buyers and sellers with a tax clock in the hand, who reach GSTN through the SDK and the gateway.

use std::time::Duration;

use serde_json::{Map, Value, json};
use suvidha_client::{ApiCall, Error, Gsp, Patience, Progress, ReturnPeriod, SummaryKind, Taxpayer};
use suvidha_testkit::World;

use crate::gsp;

const OTP: &str = "575757";
pub(super) const JANUARY: &str = "012026";
pub(super) const FEBRUARY: &str = "022026";

pub(super) struct Market {
    pub(super) world: World,
    gsp: Gsp,
}

/// A taxpayer who is logged in. Moving the tax clock does not log it out.
pub(super) struct Party(pub(super) Taxpayer);

impl Market {
    /// Noon of a day in India.
    pub(super) async fn on(day: &str) -> Self {
        let world = World::start().await.unwrap();
        let gsp = gsp(&world);
        let market = Self { world, gsp };
        market.day(day).await;
        market
    }

    pub(super) async fn day(&self, day: &str) {
        self.manage("PUT", "/clock", json!({ "at": day })).await;
    }

    pub(super) async fn party(&self, wanted: Value) -> Party {
        let made = self.world.gstn.create_taxpayer(serde_json::from_value(wanted).unwrap()).await.unwrap();
        let taxpayer = self.gsp.taxpayer(made.gstin, made.username);
        taxpayer.request_otp().await.unwrap().verify(OTP).await.unwrap();
        Party(taxpayer)
    }

    pub(super) async fn manage(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.world.manage(method, path, &body).await.unwrap();
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.body);
        answer.body
    }
}

fn patience() -> Patience {
    let pause = Duration::from_millis(5);
    Patience { first_pause: pause, longest_pause: pause, total: Duration::from_secs(30) }
}

fn period(text: &str) -> ReturnPeriod {
    text.parse().unwrap()
}

/// GSTN's code of a refusal.
pub(super) fn code(error: &Error) -> String {
    error.code().unwrap_or_else(|| panic!("{error}")).to_owned()
}

impl Party {
    pub(super) fn gstin(&self) -> &str {
        self.0.gstin().as_str()
    }

    /// An API by its name; GSTN's code where it is refused.
    pub(super) async fn call(&self, path: &str, action: &str, input: Value) -> Result<Value, String> {
        self.0.call_raw(path, action, input).await.map_err(|error| code(&error))
    }

    /// Waits for a job; what is wrong with it where it failed.
    async fn ended(&self, month: &str, reference: &str) -> Result<(), String> {
        let status = self.0.wait_for(period(month), reference, patience(), |_| ()).await.unwrap();
        match status.progress {
            Progress::Processed => Ok(()),
            _ => Err(status.refused.first().map(|row| row.code.clone()).unwrap_or_default()),
        }
    }

    /// A write that ends as a job.
    pub(super) async fn job(
        &self,
        path: &str,
        action: &str,
        month: &str,
        input: Value,
    ) -> Result<(), String> {
        let accepted = self.call(path, action, input).await?;
        self.ended(month, accepted["reference_id"].as_str().unwrap()).await
    }

    pub(super) async fn save(&self, month: &str, sections: Value) {
        self.save_form("returns/gstr1", "RETSAVE", month, sections).await;
    }

    pub(super) async fn save_form(&self, path: &str, action: &str, month: &str, sections: Value) {
        let mut payload = json!({"gstin": self.gstin(), "fp": month});
        payload.as_object_mut().unwrap().extend(sections.as_object().unwrap().clone());
        self.job(path, action, month, payload).await.unwrap();
    }

    /// Adds Tables 12 and 13, and files.
    pub(super) async fn file_gstr1(&self, month: &str) -> Result<String, String> {
        self.save(month, tables_12_and_13()).await;
        self.file_as_it_is(month).await
    }

    pub(super) async fn file_as_it_is(&self, month: &str) -> Result<String, String> {
        self.proceed_and_file(month, false).await
    }

    /// Files a GSTR-1 without supplies.
    pub(super) async fn file_nil_gstr1(&self, month: &str) {
        self.proceed_and_file(month, true).await.unwrap();
    }

    async fn proceed_and_file(&self, month: &str, nil: bool) -> Result<String, String> {
        let gstr1 = self.0.gstr1(period(month));
        let reference = gstr1.new_proceed_to_file(nil).await.map_err(|error| code(&error))?;
        self.ended(month, &reference).await?;
        let (summary, pan) =
            (gstr1.summary(SummaryKind::Short).await.unwrap(), self.0.gstin().pan().unwrap());
        gstr1.request_evc_otp(&pan).await.unwrap();
        gstr1.file_with_evc(&summary, &pan, OTP).await.map_err(|error| code(&error))
    }

    pub(super) async fn twoa(&self, month: &str) -> Result<Value, String> {
        self.call("returns/gstr2a", "B2B", json!({"ret_period": month})).await
    }

    pub(super) async fn twob(&self, month: &str) -> Result<Value, String> {
        self.call("returns/gstr2b", "GET2B", json!({"rtnprd": month}))
            .await
            .map(|answer| answer["data"].clone())
    }

    /// Makes GSTR-2B again.
    pub(super) async fn again(&self, month: &str) -> Result<(), String> {
        let input = json!({"rtin": self.gstin(), "itcprd": month});
        let accepted = self.call("returns/gstr2b", "GEN2B", input).await?;
        let asked = json!({"int_tran_id": accepted["int_tran_id"]});
        self.until("returns/gstr2b", "GENSTS2B", asked).await;
        Ok(())
    }

    async fn until(&self, path: &str, action: &str, asked: Value) {
        for _ in 0..2000 {
            let told = self.call(path, action, asked.clone()).await.unwrap();
            match told["status_cd"].as_str() {
                Some("P") => return,
                Some("REC" | "IP") => tokio::time::sleep(Duration::from_millis(5)).await,
                _ => panic!("{action}: {told}"),
            }
        }
        panic!("{action} never ends");
    }

    /// The record of a document in IMS, with its section.
    pub(super) async fn record(&self, number: &str) -> Option<(String, Value)> {
        let all = self.call("returns/ims", "GETINV", json!({"section": "ALL"})).await.ok()?;
        all.as_object()?.iter().find_map(|(section, rows)| {
            let is_it = |row: &&Value| ["inum", "nt_num"].iter().any(|name| row[*name] == number);
            Some((section.clone(), rows.as_array()?.iter().find(is_it)?.clone()))
        })
    }

    /// Accepts (`A`), rejects (`R`) or keeps pending (`P`).
    pub(super) async fn act(&self, number: &str, action: &str) {
        const SHOWN_ONLY: [&str; 10] = [
            "srcfilstatus",
            "ispendactblocked",
            "isItcRedReqBlocked",
            "isRemarksBlocked",
            "remarks",
            "itcRedReq",
            "declIgst",
            "declCgst",
            "declSgst",
            "declCess",
        ];
        let (section, row) = self.record(number).await.unwrap();
        let mut row: Map<String, Value> = row.as_object().unwrap().clone();
        row.retain(|name, _| !SHOWN_ONLY.contains(&name.as_str()));
        let previous = row.insert("action".into(), action.into()).unwrap();
        row.insert("prev_status".into(), previous);
        let input = json!({"rtin": self.gstin(), "reqtyp": "SAVE", "invdata": {section: [row]}});
        let accepted = self.call("returns/ims", "SAVE", input).await.unwrap();
        self.until("returns/ims", "REQSTS", json!({"int_tran_id": accepted["int_tran_id"]})).await;
    }

    /// What GSTN draws for GSTR-3B.
    pub(super) async fn drawn(&self, month: &str) -> Value {
        let told = self.call("returns/gstr3b", "AUTOLIAB", json!({"ret_period": month})).await.unwrap();
        told["r3bautopop"]["liabitc"].clone()
    }

    /// Saves a GSTR-3B as GSTN draws it: outward supplies, and all other credit.
    pub(super) async fn save_gstr3b(&self, month: &str) {
        let drawn = self.drawn(month).await;
        let mut payload = json!({"gstin": self.gstin(), "ret_period": month});
        let taxable = &drawn["sup_details"]["osup_3_1a"]["subtotal"];
        if taxable.is_object() {
            payload["sup_details"] = json!({ "osup_det": taxable });
        }
        let credit = &drawn["elgitc"]["itc4a5"]["subtotal"];
        if let Some(credit) = credit.as_object() {
            let mut line = credit.clone();
            line.remove("txval");
            line.insert("ty".into(), "OTH".into());
            payload["itc_elg"] = json!({ "itc_avl": [line] });
        }
        self.job("returns/gstr3b", "RETSAVE", month, payload).await.unwrap();
    }

    pub(super) async fn offset(&self, month: &str, pdcash: Value, pditc: Value) -> Result<(), String> {
        let input = json!({"gstin": self.gstin(), "ret_period": month, "pdcash": pdcash, "pditc": pditc});
        self.job("returns/gstr3b", "RETOFFSET", month, input).await
    }

    /// `liab_ldg_id` of what is owed other than on reverse charge.
    pub(super) async fn liability(&self, month: &str) -> Value {
        let told = self.call("returns/gstr3b", "RETSUM", json!({"ret_period": month})).await.unwrap();
        let owed = told["tx_pmt"]["tx_py"].as_array().unwrap();
        owed.iter().find(|row| row["trans_typ"] == 30002).unwrap()["liab_ldg_id"].clone()
    }

    pub(super) async fn file_saved_gstr3b(&self, month: &str) -> Result<String, String> {
        let pan = self.0.gstin().pan().unwrap();
        let ask = ApiCall::get("taxpayerapi/v1.0/authenticate", "EVCOTP");
        let ask = ask.query("pan", pan.as_str()).query("form_type", "R3B");
        self.0.call(ask).await.map_err(|error| code(&error))?;
        let sum = ApiCall::get("taxpayerapi/v6.0/returns/gstr3b", "RETSUM").ret_period(period(month));
        let summary = self.0.call_text(sum).await.map_err(|error| code(&error))?;
        let file = ApiCall::post("taxpayerapi/v6.0/returns/gstr3b", "RETFILE").ret_period(period(month));
        let filed = self.0.call(file.payload_text(summary).sign_with_evc(&pan, OTP)).await;
        filed.map(|told| told["ack_num"].as_str().unwrap().to_owned()).map_err(|error| code(&error))
    }

    /// Drawn, saved and filed, where nothing is owed in tax but what opening credit of IGST pays.
    pub(super) async fn file_gstr3b(&self, month: &str) -> Result<String, String> {
        self.save_gstr3b(month).await;
        let sum = self.call("returns/gstr3b", "RETSUM", json!({"ret_period": month})).await.unwrap();
        let owed = sum["tx_pmt"]["tx_py"].as_array().cloned().unwrap_or_default();
        let tax = owed.iter().find(|row| row["trans_typ"] == 30002);
        if let Some(tax) = tax.filter(|row| row["igst"]["tx"].as_f64().is_some_and(|tax| tax > 0.0)) {
            let own = json!({"liab_ldg_id": tax["liab_ldg_id"], "trans_typ": 30002});
            let mut credit = own.clone();
            credit["i_pdi"] = tax["igst"]["tx"].clone();
            self.offset(month, json!([own]), credit).await?;
        }
        self.file_saved_gstr3b(month).await
    }
}

/// An invoice of 1000 rupees at 18 %, between states.
pub(super) fn invoice(number: &str, date: &str, pos: &str) -> Value {
    json!({
        "inum": number, "idt": date, "val": 1180, "pos": pos, "rchrg": "N", "inv_typ": "R",
        "itms": [{"num": 1, "itm_det": {"rt": 18, "txval": 1000, "iamt": 180, "csamt": 0}}],
    })
}

pub(super) fn b2b(buyer: &Party, invoices: &[Value]) -> Value {
    json!({"b2b": [{"ctin": buyer.gstin(), "inv": invoices}]})
}

fn tables_12_and_13() -> Value {
    let hsn = json!({"num": 1, "hsn_sc": "8471", "uqc": "NOS", "qty": 1, "rt": 18, "txval": 1000, "iamt": 180,
        "camt": 0, "samt": 0, "csamt": 0});
    let documents = json!([{"num": 1, "from": "A1", "to": "A9", "totnum": 9, "cancel": 0, "net_issue": 9}]);
    json!({"hsn": {"hsn_b2b": [hsn]}, "doc_issue": {"doc_det": [{"doc_num": 1, "docs": documents}]}})
}

/// The numbers of the documents in a section of GSTR-2B.
pub(super) fn numbers(section: &Value) -> Vec<String> {
    let suppliers = section.as_array().into_iter().flatten();
    let rows = suppliers.flat_map(|supplier| ["inv", "nt"].map(|list| supplier[list].as_array().cloned()));
    let number =
        |row: Value| ["inum", "ntnum"].iter().find_map(|name| row[*name].as_str().map(str::to_owned));
    rows.flatten().flatten().filter_map(number).collect()
}
