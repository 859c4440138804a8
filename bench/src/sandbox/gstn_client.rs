//! A release build of `suvidha sandbox`, and a GSP that calls it.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

use bytes::Bytes;
use gstn::crypto::{AppKey, Certificate, Sek, base64, evc_sid, evc_sign};
use gstn::envelope::Reply;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Failure;
use crate::load::Load;
use crate::process::{memory_kib, target_directory};

/// A large save takes seconds.
const PATIENCE: Duration = Duration::from_secs(600);
const SETTINGS: &str = r#"[simulator]
remembered_calls = 10
max_body = "64MiB"
[simulator.latency]
profile = "none"
[simulator.files]
limit = 1000000
"#;

/// The simulated GSTN in a process of its own. It is stopped when this is dropped.
pub(super) struct Simulated {
    gstn: Load,
    management: Load,
    token: String,
    client: (String, String),
    certificate: Certificate,
    process: Child,
    directory: TempDir,
}

/// A taxpayer's session as the client side holds it.
pub(super) struct Session {
    pub(super) gstin: String,
    username: String,
    auth_token: String,
    sek: Sek,
}

impl Simulated {
    pub(super) fn start() -> Result<Self, Failure> {
        let directory = TempDir::new_in(target_directory()?)?;
        let (ready, settings) = (directory.path().join("ready.json"), directory.path().join("settings.toml"));
        fs::write(&settings, SETTINGS)?;
        let log = File::create(directory.path().join("log"))?;
        let process = Command::new(target_directory()?.join("suvidha"))
            .args(["sandbox", "--gstn-port", "0", "--management-port", "0", "--log-level", "warn", "--data"])
            .arg(directory.path().join("data"))
            .arg("--config")
            .arg(&settings)
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("suvidha sandbox did not start (is it built for release?): {error}"))?;
        let up = wait_for(&ready, directory.path())?;
        let text = |name: &str| up[name].as_str().unwrap_or_default().to_owned();
        let read = |name: &str| fs::read_to_string(text(name)).map(|line| line.trim().to_owned());
        Ok(Self {
            gstn: Load::connect(address(&text("gstn"))?, 1)?,
            management: Load::connect(address(&text("gstn_management"))?, 1)?,
            token: read("gstn_management_token_file")?,
            client: (text("client_id"), read("client_secret_file")?),
            certificate: Certificate::from_pem(fs::read(text("gstn_certificate"))?)?,
            process,
            directory,
        })
    }

    /// The peak since [`forget_peak`](Self::forget_peak).
    pub(super) fn memory_kib(&self) -> Result<u64, Failure> {
        memory_kib(self.process.id(), "VmHWM")
    }

    pub(super) fn forget_peak(&self) -> Result<(), Failure> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5")?)
    }

    pub(super) fn disk_mib(&self) -> Result<u64, Failure> {
        let files = fs::read_dir(self.directory.path().join("data"))?;
        let sizes = files.map(|file| Ok(file?.metadata()?.len())).collect::<io::Result<Vec<_>>>()?;
        Ok(sizes.into_iter().sum::<u64>() >> 20)
    }

    pub(super) fn set_clock(&mut self, day: &str) -> Result<(), Failure> {
        self.manage("PUT", "/clock", &json!({ "at": day }), &[200]).map(drop)
    }

    /// Makes so many, all in Karnataka.
    pub(super) fn make_taxpayers(&mut self, number: usize) -> Result<Vec<Value>, Failure> {
        (0..number).map(|_| self.manage("POST", "/taxpayers", &json!({}), &[201])).collect()
    }

    fn manage(
        &mut self,
        method: &str,
        path: &str,
        body: &Value,
        expected: &'static [u16],
    ) -> Result<Value, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "sandbox")
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        let answered = self.management.run(vec![request], expected)?;
        Ok(serde_json::from_slice(&answered[0])?)
    }

    pub(super) fn log_in(&mut self, taxpayer: &Value) -> Result<Session, Failure> {
        const LOGIN: &str = "/taxpayerapi/v1.0/authenticate";
        let text = |name: &str| taxpayer[name].as_str().unwrap_or_default().to_owned();
        let (gstin, username) = (text("gstin"), text("username"));
        let key = AppKey::from_bytes([0x5a; 32]);
        let app_key = key.encrypt_for(self.certificate.public_key())?;
        let ask = json!({"action": "OTPREQUEST", "username": username, "app_key": app_key});
        self.call("POST", LOGIN, None, &gstin, Some(&ask))?;
        let otp = key.encrypt_otp(&text("otp"));
        let ask = json!({"action": "AUTHTOKEN", "username": username, "app_key": app_key, "otp": otp});
        let told = self.call("POST", LOGIN, None, &gstin, Some(&ask))?;
        let told: Value = serde_json::from_slice(&told)?;
        let part = |name: &str| told[name].as_str().ok_or("GSTN did not log the taxpayer in");
        Ok(Session {
            auth_token: part("auth_token")?.to_owned(),
            sek: key.open_sek(part("sek")?)?,
            gstin,
            username,
        })
    }

    /// Saves B2B invoices and waits until they are processed.
    pub(super) fn save(&mut self, session: &Session, period: &str, b2b: &Value) -> Result<(), Failure> {
        let payload = json!({"gstin": session.gstin, "fp": period, "b2b": b2b});
        let told = self.write(session, "returns/gstr1", "RETSAVE", &payload)?;
        self.wait(session, period, &told)
    }

    /// Closes and files a GSTR-1 with an EVC.
    pub(super) fn file(&mut self, session: &Session, period: &str) -> Result<(), Failure> {
        let own = json!({"gstin": session.gstin, "ret_period": period, "isnil": "N"});
        let told = self.write(session, "returns/gstrptf", "RETNEWPTF", &own)?;
        self.wait(session, period, &told)?;
        let summary = self.read(session, "returns/gstr1", "RETSUM", period)?.to_string();
        let pan = session.gstin.get(2..12).unwrap_or_default();
        let otp = "575757";
        let ask = format!(
            "/taxpayerapi/v1.0/authenticate?action=EVCOTP&gstin={}&pan={pan}&form_type=R1",
            session.gstin
        );
        self.call("GET", &ask, Some(session), &session.gstin, None)?;
        let sealed = session.sek.encrypt_request(summary.as_bytes());
        let body = json!({
            "action": "RETFILE", "data": sealed.data, "st": "EVC", "sid": evc_sid(pan, otp),
            "sign": evc_sign(pan, otp, &base64::encode(&summary)),
        });
        self.call("POST", "/taxpayerapi/v4.0/returns/gstr1", Some(session), &session.gstin, Some(&body))
            .map(drop)
    }

    /// A read within a session, decrypted.
    pub(super) fn read(
        &mut self,
        session: &Session,
        path: &str,
        action: &str,
        period: &str,
    ) -> Result<Value, Failure> {
        let query = format!("action={action}&gstin={}&ret_period={period}&rtnprd={period}", session.gstin);
        let path = format!("/taxpayerapi/v4.0/{path}?{query}");
        let told = self.call("GET", &path, Some(session), &session.gstin, None)?;
        let reply: Reply = serde_json::from_slice(&told)?;
        Ok(serde_json::from_slice(&session.sek.open_reply(&reply)?)?)
    }

    pub(super) fn search(&mut self, taxpayer: &Value) -> Result<(), Failure> {
        let gstin = taxpayer["gstin"].as_str().unwrap_or_default();
        let path = format!("/commonapi/v1.1/search?action=TP&gstin={gstin}");
        self.call("GET", &path, None, gstin, None).map(drop)
    }

    fn write(
        &mut self,
        session: &Session,
        path: &str,
        action: &str,
        payload: &Value,
    ) -> Result<Value, Failure> {
        let sealed = session.sek.encrypt_request(payload.to_string().as_bytes());
        let body = json!({"action": action, "data": sealed.data, "hmac": sealed.hmac});
        let path = format!("/taxpayerapi/v4.1/{path}");
        let told = self.call("POST", &path, Some(session), &session.gstin, Some(&body))?;
        let reply: Reply = serde_json::from_slice(&told)?;
        Ok(serde_json::from_slice(&session.sek.open_reply(&reply)?)?)
    }

    fn wait(&mut self, session: &Session, period: &str, accepted: &Value) -> Result<(), Failure> {
        let reference = accepted["reference_id"].as_str().ok_or("GSTN gave no reference id")?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let status = self.read(session, "returns", &format!("RETSTATUS&ref_id={reference}"), period)?;
            match status["status_cd"].as_str() {
                Some("REC" | "IP") => thread::sleep(Duration::from_millis(10)),
                Some("P") => return Ok(()),
                _ => return Err(format!("GSTN refused: {status}").into()),
            }
        }
        Err(format!("a job took more than {} s", PATIENCE.as_secs()).into())
    }

    /// GSTN's errors come with HTTP 200.
    fn call(
        &mut self,
        method: &str,
        path: &str,
        session: Option<&Session>,
        gstin: &str,
        body: Option<&Value>,
    ) -> Result<Bytes, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "sandbox")
            .header("clientid", &self.client.0)
            .header("client-secret", &self.client.1)
            .header("state-cd", gstin.get(..2).unwrap_or_default())
            .header("ip-usr", "10.0.0.1")
            .header("txn", "bench")
            .header("content-type", "application/json");
        if let Some(session) = session {
            request = request
                .header("username", &session.username)
                .header("auth-token", &session.auth_token)
                .header("gstin", gstin);
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let answered = self.gstn.run(vec![request.body(Full::new(Bytes::from(body)))?], &[200])?;
        let told: Value = serde_json::from_slice(&answered[0])?;
        if told["status_cd"] == "0" {
            return Err(format!("GSTN refused {method} {path}: {}", told["error"]).into());
        }
        Ok(answered[0].clone())
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn wait_for(ready: &Path, directory: &Path) -> Result<Value, Failure> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        if let Ok(text) = fs::read_to_string(ready) {
            return Ok(serde_json::from_str(&text)?);
        }
        thread::sleep(Duration::from_millis(20));
    }
    let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
    Err(format!("suvidha sandbox is not ready after 20 s; its log: {log}").into())
}

fn address(url: &str) -> Result<SocketAddr, Failure> {
    Ok(url.trim_start_matches("http://").trim_end_matches('/').parse()?)
}
