//! What sellers and buyers do to each other: the steps that the stories of GSTR-2A, GSTR-2B and IMS share.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use crate::taxpayer::{OTP, Session, Taxpayer, reference_id};
use crate::world::World;

/// A market with a clock in the hand: everybody logs in anew whenever the clock has moved.
pub(crate) struct Market {
    pub(crate) world: World,
    sessions: RefCell<BTreeMap<String, Rc<Session>>>,
}

impl Market {
    pub(crate) fn new(day: &str) -> Self {
        Self::of(World::new(), day)
    }

    pub(crate) fn of(world: World, day: &str) -> Self {
        let market = Self { world, sessions: RefCell::default() };
        market.on(day);
        market
    }

    /// Noon of a day in India, yyyy-mm-dd.
    pub(crate) fn on(&self, day: &str) {
        self.world.clock.set(format!("{day}T06:30:00Z").parse().unwrap());
        self.sessions.borrow_mut().clear();
    }

    pub(crate) fn party(&self, state: &str) -> Taxpayer {
        self.world.taxpayer(&json!({"state": state}))
    }

    /// One session a day, as long as no work of hours is waited for.
    fn session(&self, party: &Taxpayer) -> Rc<Session> {
        if let Some(session) = self.sessions.borrow().get(&party.gstin) {
            return session.clone();
        }
        let session = Rc::new(party.login(&self.world));
        self.sessions.borrow_mut().insert(party.gstin.clone(), session.clone());
        session
    }

    /// A GET; the code, where it is refused.
    pub(crate) fn get(
        &self,
        party: &Taxpayer,
        version: &str,
        path: &str,
        query: &str,
    ) -> Result<Value, String> {
        let session = self.session(party);
        let uri = format!("/taxpayerapi/{version}/returns/{path}?gstin={}&{query}", party.gstin);
        let answer = self.world.gstn(&session.call("GET", &uri));
        if answer.error_cd().is_empty() { Ok(session.open(&answer)) } else { Err(answer.error_cd()) }
    }

    /// A section of GSTR-2A.
    pub(crate) fn twoa(&self, party: &Taxpayer, section: &str, period: &str) -> Result<Value, String> {
        self.get(party, "v2.1", "gstr2a", &format!("action={section}&ret_period={period}"))
    }

    /// GSTR-2B in its newest version.
    pub(crate) fn twob(&self, party: &Taxpayer, period: &str) -> Result<Value, String> {
        self.get(party, "v4.2", "gstr2b", &format!("action=GET2B&rtnprd={period}"))
    }

    /// The records of IMS.
    pub(crate) fn ims(&self, party: &Taxpayer) -> Result<Value, String> {
        self.get(party, "v1.0", "ims", "action=GETINV")
    }

    /// An encrypted write that ends as a job; the code, where it is refused.
    pub(crate) fn write(
        &self,
        party: &Taxpayer,
        path: &str,
        action: &str,
        payload: &Value,
    ) -> Result<String, String> {
        let session = self.session(party);
        let answer = self.world.gstn(&session.write("PUT", path, action, payload));
        if answer.error_cd().is_empty() {
            Ok(reference_id(&session.open(&answer)))
        } else {
            Err(answer.error_cd())
        }
    }

    /// Waits for a job of GSTR-1, GSTR-2B or IMS, and gives what its status tells.
    pub(crate) fn outcome(&self, party: &Taxpayer, path: &str, action: &str, id: &str) -> Value {
        let key = if action == "RETSTATUS" { "ref_id" } else { "int_tran_id" };
        let query = format!("action={action}&{key}={id}&ret_period=012026");
        crate::world::until(|| {
            self.world.clock.advance(200);
            let told = self.get(party, "v1.0", path, &query).unwrap();
            (!matches!(told["status_cd"].as_str(), Some("REC" | "IP"))).then_some(told)
        })
    }

    /// Saves rows of a GSTR-1; the rest of what a return needs is added.
    pub(crate) fn save(&self, seller: &Taxpayer, period: &str, sections: Value) {
        self.save_as(seller, "gstr1", "RETSAVE", period, sections);
    }

    pub(crate) fn save_as(&self, seller: &Taxpayer, form: &str, action: &str, period: &str, sections: Value) {
        let mut payload = json!({"gstin": seller.gstin, "fp": period});
        for (name, rows) in sections.as_object().unwrap() {
            payload[name] = rows.clone();
        }
        let path = format!("returns/{form}");
        let id = self.write(seller, &path, action, &payload).unwrap();
        let told = self.outcome(seller, form, "RETSTATUS", &id);
        assert_eq!(told["status_cd"], "P", "{told}");
    }

    /// Proceeds to file and files what is saved, with Tables 12 and 13.
    pub(crate) fn file(&self, seller: &Taxpayer, period: &str) {
        self.save(seller, period, statements());
        self.file_bare(seller, period);
    }

    /// The same without these tables: of an IFF, and of the time before May 2025.
    pub(crate) fn file_bare(&self, seller: &Taxpayer, period: &str) {
        let session = self.session(seller);
        let own = json!({"gstin": session.gstin, "ret_period": period, "isnil": "N"});
        let proceed = session.write("POST", "returns/gstrptf", "RETNEWPTF", &own).header("rtn_typ", "GSTR1");
        let proceeded = reference_id(&session.open(&self.world.gstn(&proceed)));
        self.file_as(seller, period, "R1", "gstr1", "RETFILE", &proceeded);
    }

    /// Proceeds to file and files a GSTR-1A.
    pub(crate) fn file_1a(&self, seller: &Taxpayer, period: &str) {
        let own = json!({"gstin": seller.gstin, "ret_period": period});
        let proceeded = self.write(seller, "returns/gstr1a", "R1ARETNEWPTF", &own).unwrap();
        self.file_as(seller, period, "R1A", "gstr1a", "RETFILER1A", &proceeded);
    }

    fn file_as(
        &self,
        seller: &Taxpayer,
        period: &str,
        form: &str,
        path: &str,
        action: &str,
        proceeded: &str,
    ) {
        let told = self.outcome(seller, path, "RETSTATUS", proceeded);
        assert_eq!(told["status_cd"], "P", "{told}");
        let session = self.session(seller);
        let path = format!("returns/{path}");
        let summary = session.open(&self.world.gstn(&session.get(&path, "RETSUM", period))).to_string();
        assert_eq!(self.world.gstn(&session.evc_otp_for(form)).error_cd(), "");
        let filed = self.world.gstn(&session.file_as(action, &path, &summary, session.pan(), OTP));
        assert!(session.open(&filed)["ack_num"].is_string());
    }

    /// As if a GSTR-3B had been filed on a day.
    pub(crate) fn files_3b(&self, party: &Taxpayer, period: &str, day: &str) {
        self.change(
            "INSERT INTO filed_returns VALUES (?1, 'R3B', ?2, 'AA290126000001Z', ?3)",
            &[&party.gstin, period, day],
        );
    }

    /// Changes what no API of the sandbox changes yet.
    pub(crate) fn change(&self, sql: &str, parameters: &[&str]) {
        self.world.database().execute(sql, rusqlite::params_from_iter(parameters)).unwrap();
    }

    /// Acts on the record of a document, as it stands in IMS; more fields may be declared.
    pub(crate) fn act(&self, party: &Taxpayer, number: &str, action: &str, more: Value) -> Value {
        let (section, row) = self.record(party, number);
        let mut row = answered(&row, action);
        row.extend(more.as_object().cloned().unwrap_or_default());
        self.save_actions(party, &section, vec![row.into()])
    }

    /// A save of rows in one section; gives what REQSTS tells.
    pub(crate) fn save_actions(&self, party: &Taxpayer, section: &str, rows: Vec<Value>) -> Value {
        let payload = json!({"rtin": party.gstin, "reqtyp": "SAVE", "invdata": {section: rows}});
        let id = self.write(party, "returns/ims", "SAVE", &payload).unwrap();
        self.outcome(party, "ims", "REQSTS", &id)
    }

    /// The section and the row of a document in IMS.
    pub(crate) fn record(&self, party: &Taxpayer, number: &str) -> (String, Value) {
        let standing = self.ims(party).unwrap();
        find_record(&standing, number).unwrap_or_else(|| panic!("{number} is not in {standing}"))
    }

    /// Makes the statement of a period again; `P`, or the code.
    pub(crate) fn make_again(&self, party: &Taxpayer, period: &str) -> Result<Value, String> {
        let payload = json!({"rtin": party.gstin, "itcprd": period});
        let id = self.write(party, "returns/gstr2b", "GEN2B", &payload)?;
        Ok(self.outcome(party, "gstr2b", "GENSTS2B", &id)["status_cd"].clone())
    }
}

/// The section and the row of a document among the records of IMS.
pub(crate) fn find_record(standing: &Value, number: &str) -> Option<(String, Value)> {
    standing.as_object()?.iter().find_map(|(section, rows)| {
        let is_meant = |row: &&Value| ["inum", "nt_num", "boenum"].iter().any(|name| row[*name] == number);
        Some((section.clone(), rows.as_array()?.iter().find(is_meant)?.clone()))
    })
}

/// A row of GETINV as a save gives it back.
pub(crate) fn answered(row: &Value, action: &str) -> Map<String, Value> {
    let mut row = row.as_object().unwrap().clone();
    let previous = row.remove("action").unwrap();
    for name in [
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
    ] {
        row.remove(name);
    }
    row.insert("prev_status".into(), previous);
    row.insert("action".into(), action.into());
    row
}

/// An invoice of 1000 rupees and 18 percent between states. `more` overrides its fields.
pub(crate) fn invoice(number: &str, date: &str, pos: &str, more: Value) -> Value {
    let mut invoice = json!({
        "inum": number, "idt": date, "val": 1180, "pos": pos, "rchrg": "N", "inv_typ": "R",
        "itms": [{"num": 1, "itm_det": {"rt": 18, "txval": 1000, "iamt": 180, "csamt": 0}}],
    });
    merge(&mut invoice, more);
    invoice
}

/// A note of the same amounts; `kind` is C or D.
pub(crate) fn note(number: &str, date: &str, pos: &str, kind: &str, more: Value) -> Value {
    let mut note = json!({
        "nt_num": number, "nt_dt": date, "ntty": kind, "val": 1180, "pos": pos, "rchrg": "N", "inv_typ": "R",
        "itms": [{"num": 1, "itm_det": {"rt": 18, "txval": 1000, "iamt": 180, "csamt": 0}}],
    });
    merge(&mut note, more);
    note
}

/// Items of another taxable value at 18 percent between states.
pub(crate) fn worth(taxable: i64) -> Value {
    json!({
        "val": taxable * 118 / 100,
        "itms": [{"num": 1, "itm_det": {"rt": 18, "txval": taxable, "iamt": taxable * 18 / 100, "csamt": 0}}],
    })
}

/// The same inside a state.
pub(crate) fn inside_worth(taxable: i64) -> Value {
    json!({
        "val": taxable * 118 / 100,
        "itms": [{"num": 1, "itm_det": {
            "rt": 18, "txval": taxable, "camt": taxable * 9 / 100, "samt": taxable * 9 / 100, "csamt": 0}}],
    })
}

fn merge(value: &mut Value, more: Value) {
    for (name, field) in more.as_object().into_iter().flatten() {
        value[name] = field.clone();
    }
}

/// `{"b2b": [{"ctin": …, "inv": [ … ]}]}`
pub(crate) fn b2b(buyer: &Taxpayer, invoices: &[Value]) -> Value {
    json!({"b2b": [{"ctin": buyer.gstin, "inv": invoices}]})
}

/// Tables 12 and 13, which a return from May 2025 on cannot do without.
fn statements() -> Value {
    let hsn = json!({"num": 1, "hsn_sc": "8471", "desc": "Machines", "uqc": "NOS", "qty": 1, "rt": 18,
        "txval": 1000, "iamt": 180, "camt": 0, "samt": 0, "csamt": 0});
    json!({
        "hsn": {"hsn_b2b": [hsn], "hsn_b2c": []},
        "doc_issue": {"doc_det": [{"doc_num": 1, "docs": [
            {"num": 1, "from": "A1", "to": "A9", "totnum": 9, "cancel": 0, "net_issue": 9}]}]},
    })
}
