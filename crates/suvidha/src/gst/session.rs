//! `suvidha gst session`: what a login is, and how long it lasts.

use serde::Serialize;

use crate::exit::Failure;
use crate::output::{Answer, Output, fields, instant};

use super::place::{SessionPlace, not_logged_in};

/// Shows the login. With GetKey, a session with the GSP that has lapsed is renewed first, as any call would; where that
/// fails the rest is shown all the same.
pub(crate) async fn run(place: &SessionPlace, output: Output) -> Result<(), Failure> {
    let login = place.login()?.ok_or_else(not_logged_in)?;
    let gsp = place.gsp(&login.access)?;
    let taxpayer = gsp.taxpayer(login.taxpayer()?, login.username.as_str());
    let now = place.seam().now();
    let taxpayers = taxpayer.session().await?.map(|session| session.expires_at());
    let gsps = gsp.session().await;
    output.show(&Sessions {
        gateway: login.access.gateway,
        auth: login.access.proof.auth(),
        aspid: login.access.proof.aspid().map(str::to_owned),
        gsp_session_expires_at: gsps.iter().flatten().next().map(|session| instant(session.expires_at())),
        gstin: taxpayer.gstin().as_str().to_owned(),
        username: login.username,
        taxpayer_session_expires_at: taxpayers.filter(|end| *end > now).map(instant),
        session: place.directory().display().to_string(),
    })?;
    Ok(gsps.map(drop)?)
}

#[derive(Serialize)]
struct Sessions {
    gateway: String,
    auth: &'static str,
    aspid: Option<String>,
    gsp_session_expires_at: Option<String>,
    gstin: String,
    username: String,
    taxpayer_session_expires_at: Option<String>,
    session: String,
}

impl Answer for Sessions {
    fn words(&self) -> String {
        let until = |end: &Option<String>, otherwise: &str| match end {
            Some(end) => format!("until {end}"),
            None => otherwise.to_owned(),
        };
        let with_gsp = self.aspid.as_ref().map(|_| until(&self.gsp_session_expires_at, "none"));
        let at_gstn = until(&self.taxpayer_session_expires_at, "over: log in again with `suvidha gst login`");
        let lines = [
            ("gateway", Some(self.gateway.clone())),
            ("auth", Some(self.auth.to_owned())),
            ("ASP", self.aspid.clone()),
            ("GSP session", with_gsp),
            ("taxpayer", Some(self.gstin.clone())),
            ("as", Some(self.username.clone())),
            ("GSTN session", Some(at_gstn)),
            ("kept in", Some(self.session.clone())),
        ];
        let lines: Vec<_> = lines.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        fields(&lines)
    }
}
