//! What a GSP does for a taxpayer: logs in, saves, asks, files, with the client side of GSTN's cryptography.

use gstn::crypto::{AppKey, Sek, base64, evc_sid, evc_sign};
use gstn::envelope::Reply;
use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::schema::assert_matches;
use crate::world::{CLIENT_ID, CLIENT_SECRET, World, until};

pub(crate) const OTP: &str = "575757";

pub(crate) struct Taxpayer {
    pub(crate) gstin: String,
    pub(crate) username: String,
    pub(crate) app_key: AppKey,
}

/// A session as the client side holds it.
pub(crate) struct Session {
    pub(crate) gstin: String,
    pub(crate) username: String,
    pub(crate) auth_token: String,
    pub(crate) expiry: u64,
    pub(crate) sek: Sek,
}

impl Taxpayer {
    pub(crate) fn new(made: &Value) -> Self {
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        assert_eq!(made["otp"], OTP);
        Self { gstin: text("gstin"), username: text("username"), app_key: AppKey::from_bytes([0x5a; 32]) }
    }

    pub(crate) fn sealed_app_key(&self, world: &World) -> String {
        self.app_key.encrypt_for(&world.certificate()).unwrap()
    }

    pub(crate) fn otp_request(&self, world: &World) -> Request {
        let app_key = self.sealed_app_key(world);
        let body = json!({"action": "OTPREQUEST", "username": self.username, "app_key": app_key});
        authentication(&self.gstin).json(&body)
    }

    pub(crate) fn auth_token(&self, world: &World, otp: &str) -> Request {
        authentication(&self.gstin).json(&self.auth_token_body(world, otp))
    }

    pub(crate) fn auth_token_body(&self, world: &World, otp: &str) -> Value {
        json!({
            "action": "AUTHTOKEN", "username": self.username, "app_key": self.sealed_app_key(world),
            "otp": self.app_key.encrypt_otp(otp),
        })
    }

    pub(crate) fn login(&self, world: &World) -> Session {
        assert_eq!(world.gstn(&self.otp_request(world)).error_cd(), "");
        self.session(&world.gstn(&self.auth_token(world, OTP)))
    }

    pub(crate) fn session(&self, answer: &Response) -> Session {
        assert_eq!(answer.error_cd(), "");
        let body = answer.json();
        Session {
            gstin: self.gstin.clone(),
            username: self.username.clone(),
            auth_token: body["auth_token"].as_str().unwrap().to_owned(),
            expiry: body["expiry"].as_u64().unwrap(),
            sek: self.app_key.open_sek(body["sek"].as_str().unwrap()).unwrap(),
        }
    }
}

impl Session {
    pub(crate) fn refresh(&self, app_key: &AppKey) -> Request {
        authentication(&self.gstin).json(&json!({
            "action": "REFRESHTOKEN", "username": self.username, "auth_token": self.auth_token,
            "app_key": self.sek.seal_app_key(app_key),
        }))
    }

    pub(crate) fn logout(&self, app_key: &str) -> Request {
        authentication(&self.gstin).json(&json!({
            "action": "LOGOUT", "username": self.username, "auth_token": self.auth_token, "app_key": app_key,
        }))
    }

    /// A call with all headers that the documents ask for.
    pub(crate) fn call(&self, method: &'static str, path: &str) -> Request {
        with_client(Request::new(method, path))
            .header("state-cd", &self.gstin[..2])
            .header("ip-usr", "123.456.789.100")
            .header("txn", "txn123")
            .header("username", &self.username)
            .header("auth-token", &self.auth_token)
            .header("gstin", &self.gstin)
    }

    pub(crate) fn get(&self, path: &str, action: &str, period: &str) -> Request {
        let query = format!("action={action}&gstin={}&ret_period={period}", self.gstin);
        self.call("GET", &format!("/taxpayerapi/v1.1/{path}?{query}"))
    }

    /// An encrypted write.
    pub(crate) fn write(&self, method: &'static str, path: &str, action: &str, payload: &Value) -> Request {
        self.call(method, &format!("/taxpayerapi/v4.1/{path}"))
            .json(&self.sealed(action, &payload.to_string()))
    }

    pub(crate) fn sealed(&self, action: &str, payload: &str) -> Value {
        let sealed = self.sek.encrypt_request(payload.as_bytes());
        json!({"action": action, "data": sealed.data, "hmac": sealed.hmac})
    }

    pub(crate) fn open(&self, answer: &Response) -> Value {
        assert_eq!(answer.error_cd(), "", "{}", String::from_utf8_lossy(&answer.body));
        let reply: Reply = serde_json::from_slice(&answer.body).unwrap();
        assert!(reply.hmac.is_some());
        serde_json::from_slice(&self.sek.open_reply(&reply).unwrap()).unwrap()
    }

    /// A GSTR-1 with one interstate invoice per number.
    pub(crate) fn gstr1(&self, period: &str, numbers: &[&str]) -> Value {
        let (month, year) = period.split_at(2);
        let invoice = |number: &&str| {
            json!({
                "inum": number, "idt": format!("05-{month}-{year}"), "val": 1180, "pos": "27", "rchrg": "N",
                "inv_typ": "R",
                "itms": [{"num": 1, "itm_det": {"rt": 18, "txval": 1000, "iamt": 180, "csamt": 0}}],
            })
        };
        let invoices: Vec<Value> = numbers.iter().map(invoice).collect();
        json!({"gstin": self.gstin, "fp": period, "b2b": [{"ctin": "27AAPFU0939F1ZV", "inv": invoices}]})
    }

    pub(crate) fn save(&self, period: &str, numbers: &[&str]) -> Request {
        self.write("PUT", "returns/gstr1", "RETSAVE", &self.gstr1(period, numbers))
    }

    /// Saves and gives the reference id.
    pub(crate) fn saved(&self, world: &World, period: &str, numbers: &[&str]) -> String {
        reference_id(&self.open(&world.gstn(&self.save(period, numbers))))
    }

    pub(crate) fn ask_status(&self, period: &str, reference_id: &str) -> Request {
        self.get("returns", &format!("RETSTATUS&ref_id={reference_id}"), period)
    }

    pub(crate) fn status(&self, world: &World, period: &str, reference_id: &str) -> Value {
        let told = self.open(&world.gstn(&self.ask_status(period, reference_id)));
        if told["form_typ"] == "R1" || told["form_typ"] == "R1A" {
            assert_matches("retstatus", &told);
        }
        told
    }

    /// Waits for a job to end, moving the clock, and gives its status.
    pub(crate) fn finished(&self, world: &World, period: &str, reference_id: &str) -> String {
        until(|| {
            world.clock.advance(200);
            let status = self.status(world, period, reference_id)["status_cd"].as_str().unwrap().to_owned();
            (status != "REC" && status != "IP").then_some(status)
        })
    }

    pub(crate) fn evc_otp(&self, pan: &str) -> Request {
        self.ask_evc_otp(pan, "R1")
    }

    /// An EVC OTP for a form, under the taxpayer's own PAN.
    pub(crate) fn evc_otp_for(&self, form: &str) -> Request {
        self.ask_evc_otp(self.pan(), form)
    }

    fn ask_evc_otp(&self, pan: &str, form: &str) -> Request {
        let query = format!("action=EVCOTP&gstin={}&pan={pan}&form_type={form}", self.gstin);
        self.call("GET", &format!("/taxpayerapi/v1.0/authenticate?{query}"))
    }

    /// RETFILE of a summary text, signed under the PAN and the OTP.
    pub(crate) fn file(&self, summary: &str, pan: &str, otp: &str) -> Request {
        self.file_as("RETFILE", "returns/gstr1", summary, pan, otp)
    }

    /// The same for another form.
    pub(crate) fn file_as(&self, action: &str, path: &str, summary: &str, pan: &str, otp: &str) -> Request {
        let sign = evc_sign(pan, otp, &base64::encode(summary));
        let mut body = self.sealed(action, summary);
        body.as_object_mut().unwrap().remove("hmac");
        body["sign"] = json!(sign);
        body["st"] = json!("EVC");
        body["sid"] = json!(evc_sid(pan, otp));
        self.call("POST", &format!("/taxpayerapi/v4.0/{path}")).json(&body)
    }

    pub(crate) fn pan(&self) -> &str {
        &self.gstin[2..12]
    }
}

pub(crate) fn reference_id(reply: &Value) -> String {
    reply["reference_id"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
}

pub(crate) fn with_client(request: Request) -> Request {
    request.header("clientid", CLIENT_ID).header("client-secret", CLIENT_SECRET)
}

fn authentication(gstin: &str) -> Request {
    with_client(Request::new("POST", "/taxpayerapi/v1.0/authenticate"))
        .header("state-cd", &gstin[..2])
        .header("ip-usr", "10.0.0.1")
        .header("txn", "LAPN24235325555")
}
