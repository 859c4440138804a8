//! `suvidha gst login` and `logout`.

use clap::Args;
use gstn::Gstin;
use serde::Serialize;
use suvidha_client::SecretString;

use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output, fields, instant};
use crate::secret::from_stdin;

use super::connection::{GatewayOptions, secret};
use super::place::SessionPlace;

/// `suvidha gst login`.
#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    gateway: GatewayOptions,
    /// The taxpayer
    #[arg(long)]
    gstin: Option<Gstin>,
    /// The taxpayer's user name at the GST portal
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// The OTP, where it is known beforehand; asked for when left out, but for the demo taxpayer
    #[arg(long, value_parser = secret)]
    otp: Option<SecretString>,
}

impl Login {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let ready = self.gateway.ready()?;
        let access = self.gateway.access(ready.as_ref())?;
        let gsp = place.gsp(&access)?;
        let demo = ready.map(|ready| ready.taxpayer);
        // The demo taxpayer's name and OTP are of use to the demo taxpayer alone.
        let demo = demo.filter(|demo| self.gstin.is_none_or(|gstin| gstin.as_str() == demo.gstin));
        let gstin = match (self.gstin, &demo) {
            (Some(gstin), _) => gstin,
            (None, Some(demo)) => demo.gstin.parse().map_err(|e| Failure::new(Exit::Data, e))?,
            (None, None) => return Err(missing("--gstin")),
        };
        let username = self.username.or_else(|| demo.as_ref().map(|demo| demo.username.clone()));
        let username = username.ok_or_else(|| missing("--username"))?;
        let taxpayer = gsp.taxpayer(gstin, username);
        let login = taxpayer.request_otp().await?;
        let session = match self.otp.or(demo.map(|demo| SecretString::from(demo.otp))) {
            Some(otp) => login.verify(otp.expose()).await?,
            None => login.verify(from_stdin("OTP")?.expose()).await?,
        };
        let answer = LoggedIn {
            gstin: gstin.as_str().to_owned(),
            username: session.username().to_owned(),
            gateway: access.gateway.clone(),
            expires_at: instant(session.expires_at()),
            session: place.directory().display().to_string(),
        };
        place.keep(&access, &taxpayer)?;
        output.show(&answer)
    }
}

fn missing(option: &str) -> Failure {
    Failure::new(Exit::Usage, format_args!("{option} is missing"))
        .remedy("Name the taxpayer with --gstin and --username, or use --demo with `suvidha up`.")
}

/// Ends the session at GSTN; one that GSTN has ended already is forgotten all the same.
pub(crate) async fn logout(place: &SessionPlace, output: Output) -> Result<(), Failure> {
    let taxpayer = place.open()?;
    taxpayer.logout().await?;
    place.forget()?;
    output.show(&LoggedOut { logged_out: taxpayer.gstin().as_str().to_owned() })
}

#[derive(Serialize)]
struct LoggedIn {
    gstin: String,
    username: String,
    gateway: String,
    expires_at: String,
    session: String,
}

impl Answer for LoggedIn {
    fn words(&self) -> String {
        fields(&[
            ("logged in", self.gstin.clone()),
            ("as", self.username.clone()),
            ("through", self.gateway.clone()),
            ("until", self.expires_at.clone()),
            ("kept in", self.session.clone()),
        ])
    }
}

#[derive(Serialize)]
struct LoggedOut {
    logged_out: String,
}

impl Answer for LoggedOut {
    fn words(&self) -> String {
        fields(&[("logged out", self.logged_out.clone())])
    }
}
