//! A taxpayer's way into GSTN: OTP, session, refresh, logout, and the OTP that signs a return.

use std::fmt;

use gstn::crypto::{AppKey, PublicKey, base64};
use gstn::envelope::{AuthReply, AuthRequest};
use gstn::{Pan, SecretString};
use http::{HeaderMap, Method};
use jiff::SignedDuration;

use crate::answer::{Stage, done, protocol, read};
use crate::api_call::{to_json, with_query};
use crate::error::Error;
use crate::gsp::Outgoing;
use crate::keeper::Renewal;
use crate::session::{Kept, Session, key};
use crate::taxpayer::{Refresh, Taxpayer};
use crate::transport::Answer;

const AUTHENTICATE: &str = "taxpayerapi/v1.0/authenticate";
/// GSTN could not read what was encrypted with its certificate: ours is last year's.
const STALE_CERTIFICATE: &str = "TEC4002";

/// A login that waits for the OTP which GSTN has sent to the taxpayer's phone and e-mail. It is good for ten minutes.
///
/// Where the OTP comes to another process than the one that asked for it, [`app_key_base64`](Self::app_key_base64) goes
/// there, and [`Taxpayer::resume_login`] goes on.
#[must_use = "without it the OTP is of no use"]
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
    /// Asks GSTN to send the taxpayer an OTP.
    ///
    /// # Errors
    /// [`Error::Refused`] with GSTN's code, e.g. AUTH002 where the taxpayer has not enabled API access, and every other
    /// kind but [`Error::OtpRequired`].
    pub async fn request_otp(&self) -> Result<PendingLogin, Error> {
        let app_key = AppKey::from_bytes(self.gsp().wire().seam.random());
        let request = |sealed: String| AuthRequest { app_key: Some(sealed), ..self.request("OTPREQUEST") };
        let answered = |answer: &Answer| done(answer, Stage::Outside);
        self.authenticate(&app_key, &self.headers()?, request, answered).await?;
        Ok(PendingLogin { taxpayer: self.clone(), app_key })
    }

    /// Goes on with a login that another process began: `app_key_base64` is what
    /// [`PendingLogin::app_key_base64`] gave there.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is no base64 of 32 bytes.
    pub fn resume_login(&self, app_key_base64: &str) -> Result<PendingLogin, Error> {
        let app_key = key(app_key_base64, AppKey::try_from_slice);
        let app_key = app_key.ok_or_else(|| Error::Invalid("an app key is base64 of 32 bytes".to_owned()))?;
        Ok(PendingLogin { taxpayer: self.clone(), app_key })
    }

    /// Ends the session at GSTN, and forgets it here and in the store. A session that GSTN has ended already is forgotten
    /// all the same; that there is none is no error.
    ///
    /// # Errors
    /// Every kind but [`Error::OtpRequired`]. The session is kept then.
    pub async fn logout(&self) -> Result<(), Error> {
        let mut ended: Vec<Session> = Vec::new();
        // More than one only where a call has just refreshed the session that is to end.
        while let Some(session) = self.session().await? {
            if ended.iter().any(|ended| ended.id() == session.id()) {
                return Err(self.not_removed());
            }
            let request = |sealed: String| AuthRequest {
                app_key: Some(sealed),
                auth_token: Some(session.auth_token.expose().to_owned()),
                ..self.request("LOGOUT")
            };
            let headers = self.session_headers(&session)?;
            let answered = |answer: &Answer| done(answer, Stage::Write);
            match self.authenticate(&session.app_key, &headers, request, answered).await {
                Ok(()) | Err(Error::OtpRequired { .. }) => self.forget(&session).await?,
                Err(error) => return Err(error),
            }
            ended.push(session);
        }
        Ok(())
    }

    /// Asks GSTN to send the signatory an OTP that signs a return: `form_type` is `R1` for GSTR-1.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn request_evc_otp(&self, pan: &Pan, form_type: &str) -> Result<(), Error> {
        let query = [
            ("action", "EVCOTP"),
            ("gstin", self.gstin().as_str()),
            ("pan", pan.as_str()),
            ("form_type", form_type),
        ];
        let target = with_query(AUTHENTICATE, &query);
        let prepare = |session: &Session| {
            Ok(Outgoing::get(&target, "EVCOTP", *self.gstin(), self.session_headers(session)?))
        };
        self.in_session(prepare, |_, answer| done(answer, Stage::Write)).await
    }

    fn request(&self, action: &str) -> AuthRequest {
        request(action, self.username())
    }

    /// Posts a request with the app key under GSTN's RSA key; once more with a fresh certificate if ours is stale.
    async fn authenticate<T>(
        &self,
        app_key: &AppKey,
        headers: &HeaderMap,
        request: impl Fn(String) -> AuthRequest,
        read: impl Fn(&Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let certificate = self.gsp().gstn_certificate().await?;
        match self.post_sealed(app_key, &certificate, headers, &request, &read).await {
            Err(error)
                if error.code() == Some(STALE_CERTIFICATE)
                    && self.gsp().drop_certificate(&certificate).await =>
            {
                let certificate = self.gsp().gstn_certificate().await?;
                self.post_sealed(app_key, &certificate, headers, &request, &read).await
            }
            outcome => outcome,
        }
    }

    async fn post_sealed<T>(
        &self,
        app_key: &AppKey,
        certificate: &PublicKey,
        headers: &HeaderMap,
        request: &impl Fn(String) -> AuthRequest,
        read: &impl Fn(&Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let sealed = app_key
            .encrypt_for(certificate)
            .map_err(|_| Error::Invalid("GSTN's certificate cannot encrypt an app key".to_owned()))?;
        let request = request(sealed);
        let outgoing = Outgoing {
            method: Method::POST,
            target: AUTHENTICATE,
            action: &request.action,
            gstin: Some(*self.gstin()),
            headers: headers.clone(),
            body: to_json(&request)?.into(),
        };
        self.gsp().call(&outgoing, read).await
    }
}

impl PendingLogin {
    /// The key under which GSTN will send the session's, in base64. A secret; with it and the OTP anyone can log in.
    pub fn app_key_base64(&self) -> SecretString {
        SecretString::from(base64::encode(self.app_key.as_bytes()))
    }

    /// Logs in with the OTP. After a wrong one it can be called again. The taxpayer's calls go on with the new session,
    /// which is in the store; where the store fails it is kept in memory, and the next call saves it.
    ///
    /// # Errors
    /// [`Error::Refused`] for a wrong OTP (AUTH4034), [`Error::Invalid`] for what cannot be one, [`Error::Store`], and
    /// every other kind but [`Error::OtpRequired`].
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
        let session = |answer: &Answer| session_from(taxpayer.refresh_of(), app_key, answer, Stage::Outside);
        let session = taxpayer.authenticate(app_key, &taxpayer.headers()?, request, session).await?;
        taxpayer.take(session).await
    }
}

/// REFRESHTOKEN: another session in place of `old`, which is over then.
pub(crate) async fn refresh_token(of: &Refresh, old: &Session) -> Result<Session, Error> {
    let request = AuthRequest {
        app_key: Some(old.sek.seal_app_key(&old.app_key)),
        auth_token: Some(old.auth_token.expose().to_owned()),
        ..request("REFRESHTOKEN", &of.username)
    };
    let outgoing = Outgoing {
        method: Method::POST,
        target: AUTHENTICATE,
        action: "REFRESHTOKEN",
        gstin: Some(of.gstin),
        headers: of.session_headers(old)?,
        body: to_json(&request)?.into(),
    };
    of.gsp.call(&outgoing, |answer| session_from(of, &old.app_key, answer, Stage::Refresh)).await
}

fn request(action: &str, username: &str) -> AuthRequest {
    AuthRequest { action: action.to_owned(), username: Some(username.to_owned()), ..Default::default() }
}

fn session_from(of: &Refresh, app_key: &AppKey, answer: &Answer, stage: Stage) -> Result<Session, Error> {
    let reply: AuthReply = read(answer, stage)?;
    let sek =
        app_key.open_sek(&reply.sek).map_err(|_| protocol(answer, "brings a sek that does not open"))?;
    let issued_at = of.seam().now();
    let lifetime = SignedDuration::from_mins(i64::from(reply.expiry));
    let expires_at = issued_at.saturating_add(lifetime);
    Ok(Session {
        gstin: of.gstin,
        username: of.username.clone(),
        auth_token: SecretString::from(reply.auth_token),
        app_key: app_key.clone(),
        sek,
        issued_at,
        expires_at: expires_at.map_err(|_| protocol(answer, "gives the session no sensible end"))?,
    })
}
