//! The demo ASP and the demo taxpayer of `suvidha up`: made once, kept, and made again only where they were lost.

use std::path::Path;

use gstn::{AspId, Environment, Gstin, Pan};
use suvidha_sandbox::{NewTaxpayer, Running, Taxpayer, TaxpayerError};
use suvidha_seam::Seam;
use suvidha_store::{AspStatus, NewAsp, NewToken, Registry, SecretString, StoreError, TokenLookup};
use tracing::warn;

use super::getkey::{self, GetKey};
use crate::exit::{Exit, Failure};

const ASPID: &str = "up/demo-aspid";
const TOKEN: &str = "up/demo-token";
/// No PAN has an O in the fourth place: it is nobody's.
const GSTIN: &str = "29DEMOS1234D1ZG";
const USERNAME: &str = "demo";
/// The taxpayer of the sample request in ClearTax's documentation, which works as it is printed there.
const SAMPLE_GSTIN: &str = "33SEEDS1234S1ZC";
const SAMPLE_USERNAME: &str = "yourusername";

/// What a newcomer needs for a first call.
pub(super) struct Demo {
    pub(super) aspid: AspId,
    /// Sealed in the registry, so that every start can show it: it opens nothing but the sandbox.
    pub(super) token: SecretString,
    pub(super) getkey: GetKey,
    pub(super) taxpayer: DemoTaxpayer,
}

/// The taxpayer that a newcomer logs in.
pub(super) struct DemoTaxpayer {
    pub(super) gstin: Gstin,
    pub(super) username: String,
    /// Whoever files signs with it.
    pub(super) pan: Pan,
}

/// Finds or makes the demo ASP, a token of it that works, what it needs for GetKey, and the demo taxpayer.
pub(super) async fn prepare(
    registry: &Registry,
    gstn: &Running,
    data: &Path,
    seam: &Seam,
) -> Result<Demo, Failure> {
    let aspid = demo_asp(registry)?;
    let token = demo_token(registry, &aspid, seam)?;
    let getkey = getkey::prepare(registry, &aspid, &data.join("demo-asp"), seam)?;
    let taxpayer = demo_taxpayer(gstn).await?;
    Ok(Demo { aspid, token, getkey, taxpayer })
}

fn demo_asp(registry: &Registry) -> Result<AspId, StoreError> {
    if let Some(aspid) = registry.secret(ASPID)?.and_then(|text| text.expose().parse().ok())
        && let Some(asp) = registry.asp(&aspid)?
    {
        if asp.status == AspStatus::Suspended {
            warn!(%aspid, "the demo ASP is suspended; resume it with `suvidha asp resume`");
        }
        return Ok(aspid);
    }
    let asp = registry.add_asp(NewAsp {
        name: "Demo ASP".to_owned(),
        contact_name: "Demo".to_owned(),
        email: "demo@example.com".to_owned(),
        phone: "+91 00000 00000".to_owned(),
    })?;
    registry.put_secret(ASPID, asp.aspid.as_str())?;
    Ok(asp.aspid)
}

fn demo_token(registry: &Registry, aspid: &AspId, seam: &Seam) -> Result<SecretString, StoreError> {
    if let Some(token) = registry.secret(TOKEN)? {
        let snapshot = registry.snapshot()?;
        match snapshot.by_token(Environment::Sandbox, token.expose(), seam.now()) {
            TokenLookup::Found { asp, .. } if asp.aspid == *aspid => return Ok(token),
            _ => warn!("the demo token is no longer valid; a new one is made"),
        }
    }
    let new = NewToken { label: Some("suvidha up".to_owned()), expires_at: None };
    let token = registry.issue_token(aspid, Environment::Sandbox, new)?.token;
    registry.put_secret(TOKEN, token.expose())?;
    Ok(token)
}

/// The demo taxpayer is the same on every machine, so that a transcript holds everywhere.
async fn demo_taxpayer(gstn: &Running) -> Result<DemoTaxpayer, Failure> {
    let gstin = taxpayer(gstn, GSTIN, USERNAME, "Demo Traders").await?;
    taxpayer(gstn, SAMPLE_GSTIN, SAMPLE_USERNAME, "Sample Traders").await?;
    let pan = gstin.pan().ok_or_else(|| Failure::new(Exit::Data, "the demo taxpayer has no PAN"))?;
    Ok(DemoTaxpayer { gstin, username: USERNAME.to_owned(), pan })
}

/// Makes a taxpayer, unless it is there from an earlier start.
async fn taxpayer(gstn: &Running, gstin: &str, username: &str, name: &str) -> Result<Gstin, Failure> {
    let wanted = NewTaxpayer {
        gstin: Some(gstin.to_owned()),
        username: Some(username.to_owned()),
        legal_name: Some(format!("{name} Private Limited")),
        trade_name: Some(name.to_owned()),
        ..NewTaxpayer::default()
    };
    match gstn.create_taxpayer(wanted).await {
        Ok(Taxpayer { gstin, .. }) | Err(TaxpayerError::GstinTaken(gstin)) => Ok(gstin),
        Err(error) => {
            Err(Failure::new(Exit::Unavailable, format_args!("cannot make the taxpayer {gstin}: {error}")))
        }
    }
}
