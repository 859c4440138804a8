//! A taxpayer's way into GSTN: OTP, session, refresh, logout, and the OTP that signs a return.

use std::fmt;

use gstn::crypto::{AppKey, PublicKey};
use gstn::envelope::{AuthReply, AuthRequest};
use gstn::{Gstin, Pan, headers};
use http::{HeaderMap, Method};
use jiff::SignedDuration;

use crate::answer::{Stage, check, protocol, read};
use crate::call::{to_json, with_query};
use crate::error::Error;
use crate::gsp::{Gsp, put};
use crate::session::Session;
use crate::transport::Answer;
use gstn::SecretString;

const AUTHENTICATE: &str = "taxpayerapi/v1.0/authenticate";
/// GSTN could not read what was encrypted with its certificate: ours is last year's.
const STALE_CERTIFICATE: &str = "TEC4002";

/// A taxpayer who may log in.
#[derive(Debug, Clone)]
pub struct Taxpayer {
    gsp: Gsp,
    gstin: Gstin,
    username: String,
}

/// A login that waits for the OTP which GSTN has sent to the taxpayer's phone and e-mail. It is good for ten minutes.
pub struct PendingLogin {
    taxpayer: Taxpayer,
    app_key: AppKey,
}

impl fmt::Debug for PendingLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingLogin").field("taxpayer", &self.taxpayer).finish_non_exhaustive()
    }
}

impl Taxpayer {
    pub(crate) fn new(gsp: Gsp, gstin: Gstin, username: String) -> Self {
        Self { gsp, gstin, username }
    }

    /// Asks GSTN to send the taxpayer an OTP.
    pub async fn request_otp(&self) -> Result<PendingLogin, Error> {
        let app_key = AppKey::from_bytes(self.gsp.seam().random());
        let request = |sealed: String| AuthRequest { app_key: Some(sealed), ..self.request("OTPREQUEST") };
        let answer = self.authenticate(&app_key, Stage::Outside, &self.headers()?, request).await?;
        check(&answer, Stage::Outside)?;
        Ok(PendingLogin { taxpayer: self.clone(), app_key })
    }

    fn request(&self, action: &str) -> AuthRequest {
        AuthRequest { action: action.to_owned(), username: Some(self.username.clone()), ..Default::default() }
    }

    fn headers(&self) -> Result<HeaderMap, Error> {
        let mut map = self.gsp.common_headers(self.gstin.state())?;
        put(&mut map, headers::GSTIN, self.gstin.as_str())?;
        put(&mut map, headers::USERNAME, &self.username)?;
        Ok(map)
    }

    /// Posts a request with the app key under GSTN's RSA key; once more with a fresh certificate if ours is stale.
    async fn authenticate(
        &self,
        app_key: &AppKey,
        stage: Stage,
        headers: &HeaderMap,
        request: impl Fn(String) -> AuthRequest,
    ) -> Result<Answer, Error> {
        let post = async |certificate: &PublicKey| {
            let sealed = app_key
                .encrypt_for(certificate)
                .map_err(|_| Error::Invalid("GSTN's certificate cannot encrypt an app key".to_owned()))?;
            self.gsp.send(Method::POST, AUTHENTICATE, headers.clone(), to_json(&request(sealed))?).await
        };
        let certificate = self.gsp.gstn_certificate().await?;
        let answer = post(&certificate).await?;
        let stale = check(&answer, stage).is_err_and(|error| error.code() == Some(STALE_CERTIFICATE));
        if stale && self.gsp.drop_certificate(&certificate).await {
            return post(&self.gsp.gstn_certificate().await?).await;
        }
        Ok(answer)
    }
}

impl PendingLogin {
    /// Logs in with the OTP. After a wrong one it can be called again.
    pub async fn verify(&self, otp: &str) -> Result<Session, Error> {
        let otp = otp.trim();
        if otp.is_empty() || otp.len() > 12 || !otp.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::Invalid("an OTP is a few digits".to_owned()));
        }
        let Self { taxpayer, app_key } = self;
        let request = |sealed: String| AuthRequest {
            app_key: Some(sealed),
            otp: Some(app_key.encrypt_otp(otp)),
            ..taxpayer.request("AUTHTOKEN")
        };
        let answer = taxpayer.authenticate(app_key, Stage::Outside, &taxpayer.headers()?, request).await?;
        session_from(taxpayer, app_key, &answer, Stage::Outside)
    }
}

impl Gsp {
    /// Prolongs a session without an OTP, while the taxpayer's consent lasts. The old session is over then.
    ///
    /// [`Error::OtpRequired`] says that the taxpayer must log in again.
    pub async fn refresh(&self, session: &Session) -> Result<Session, Error> {
        let taxpayer = self.taxpayer(session.gstin, session.username.clone());
        let request = AuthRequest {
            app_key: Some(session.sek.seal_app_key(&session.app_key)),
            auth_token: Some(session.auth_token.expose().to_owned()),
            ..taxpayer.request("REFRESHTOKEN")
        };
        let headers = self.session_headers(session)?;
        let answer = self.send(Method::POST, AUTHENTICATE, headers, to_json(&request)?).await?;
        session_from(&taxpayer, &session.app_key, &answer, Stage::Refresh)
    }

    /// Ends a session at GSTN.
    pub async fn logout(&self, session: &Session) -> Result<(), Error> {
        let taxpayer = self.taxpayer(session.gstin, session.username.clone());
        let request = |sealed: String| AuthRequest {
            app_key: Some(sealed),
            auth_token: Some(session.auth_token.expose().to_owned()),
            ..taxpayer.request("LOGOUT")
        };
        let headers = self.session_headers(session)?;
        let answer = taxpayer.authenticate(&session.app_key, Stage::Write, &headers, request).await?;
        check(&answer, Stage::Write)
    }

    /// Asks GSTN to send the signatory an OTP that signs a return: `form_type` is `R1` for GSTR-1.
    pub async fn request_evc_otp(&self, session: &Session, pan: &Pan, form_type: &str) -> Result<(), Error> {
        let query = [
            ("action", "EVCOTP"),
            ("gstin", session.gstin.as_str()),
            ("pan", pan.as_str()),
            ("form_type", form_type),
        ];
        let headers = self.session_headers(session)?;
        let answer = self.send(Method::GET, &with_query(AUTHENTICATE, &query), headers, Vec::new()).await?;
        check(&answer, Stage::Write)
    }
}

fn session_from(
    taxpayer: &Taxpayer,
    app_key: &AppKey,
    answer: &Answer,
    stage: Stage,
) -> Result<Session, Error> {
    let reply: AuthReply = read(answer, stage)?;
    let sek =
        app_key.open_sek(&reply.sek).map_err(|_| protocol(answer, "brings a sek that does not open"))?;
    let lifetime = SignedDuration::from_mins(i64::from(reply.expiry));
    let expires_at = taxpayer.gsp.seam().now().saturating_add(lifetime);
    Ok(Session {
        gstin: taxpayer.gstin,
        username: taxpayer.username.clone(),
        auth_token: SecretString::from(reply.auth_token),
        app_key: app_key.clone(),
        sek,
        expires_at: expires_at.map_err(|_| protocol(answer, "gives the session no sensible end"))?,
    })
}
