//! `suvidha sandbox taxpayer`: the taxpayers of a running sandbox.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::control::{Told, list, object, text};
use super::place::{ManagementOptions, encoded};
use crate::exit::Failure;
use crate::output::{fields, table};

/// `suvidha sandbox taxpayer`.
#[derive(Debug, Args)]
pub(crate) struct Taxpayer {
    /// Which sandbox.
    #[command(flatten)]
    place: ManagementOptions,
    /// What to do.
    #[command(subcommand)]
    command: TaxpayerCommand,
}

#[derive(Debug, Subcommand)]
enum TaxpayerCommand {
    /// Make one; whatever is left out is made up
    Add(Add),
    /// List them
    List,
    /// Show one
    Show {
        /// Whose
        gstin: String,
    },
    /// Change one as at the portal or by an officer; whatever is left out stays
    Set(Set),
}

#[derive(Debug, Args)]
struct Add {
    /// The GSTIN wanted
    #[arg(long)]
    gstin: Option<String>,
    /// Take a published sample whose check digit was masked
    #[arg(long, requires = "gstin")]
    masked_check_digit: bool,
    /// The state of the GSTIN to make up: two digits; 29 when left out
    #[arg(long, conflicts_with = "gstin")]
    state: Option<String>,
    /// The kind of the GSTIN to make up: regular, government, tds, tcs, nri, oidar, un_body
    #[arg(long, conflicts_with = "gstin")]
    kind: Option<String>,
    /// The user name on the GST portal
    #[arg(long)]
    username: Option<String>,
    /// The date of registration, e.g. 2017-07-01
    #[arg(long, value_name = "DATE")]
    registered_on: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Set {
    /// Whose
    gstin: String,
    /// Whether API access is switched on at the portal
    #[arg(long, value_name = "on|off", value_parser = on_or_off)]
    api_access: Option<bool>,
    /// The registration as long as no date has come: Active, Cancelled, Suspended, Inactive, Provisional
    #[arg(long)]
    status: Option<String>,
    /// Suspend the registration from this day on; `none` takes it back
    #[arg(long, value_name = "DATE|none")]
    suspended_on: Option<String>,
    /// Cancel the registration from this day on; `none` takes it back
    #[arg(long, value_name = "DATE|none")]
    cancelled_on: Option<String>,
    /// The period (MMYYYY) from whose quarter on --filing holds; the present one when left out
    #[arg(long, value_name = "PERIOD", requires = "filing")]
    filing_from: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// What can be said at first, and changed later.
#[derive(Debug, Args)]
struct Common {
    /// The legal name
    #[arg(long, value_name = "NAME")]
    legal_name: Option<String>,
    /// The trade name
    #[arg(long, value_name = "NAME")]
    trade_name: Option<String>,
    /// regular, composition, sez_unit, sez_developer, isd, casual or non_resident
    #[arg(long)]
    scheme: Option<String>,
    /// Turnover of the PAN in the year before, in rupees
    #[arg(long, value_name = "RUPEES")]
    turnover: Option<f64>,
    /// How often returns are filed: monthly or quarterly
    #[arg(long)]
    filing: Option<String>,
    /// How long the consent lasts from the OTP on, in minutes: 360 to 43200
    #[arg(long, value_name = "MINUTES")]
    consent_minutes: Option<u32>,
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("it is either on or off".to_owned()),
    }
}

impl Common {
    fn add_to(self, mut wanted: Value) -> Value {
        let common = object([
            ("legal_name", self.legal_name.map(Value::from)),
            ("trade_name", self.trade_name.map(Value::from)),
            ("scheme", self.scheme.map(Value::from)),
            ("turnover", self.turnover.map(Value::from)),
            ("filing", self.filing.map(Value::from)),
            ("consent_minutes", self.consent_minutes.map(Value::from)),
        ]);
        if let (Some(wanted), Value::Object(common)) = (wanted.as_object_mut(), common) {
            wanted.extend(common);
        }
        wanted
    }
}

impl Taxpayer {
    pub(super) fn run(self) -> Result<Told, Failure> {
        let management = self.place.management()?;
        Ok(match self.command {
            TaxpayerCommand::Add(add) => {
                let wanted = object([
                    ("gstin", add.gstin.map(Value::from)),
                    ("masked_check_digit", add.masked_check_digit.then_some(json!(true))),
                    ("state", add.state.map(Value::from)),
                    ("kind", add.kind.map(Value::from)),
                    ("username", add.username.map(Value::from)),
                    ("registered_on", add.registered_on.map(Value::from)),
                ]);
                one(management.call(&Method::POST, "/taxpayers", Some(&add.common.add_to(wanted)))?)
            }
            TaxpayerCommand::List => {
                let json = management.get("/taxpayers")?;
                let columns = ["gstin", "username", "otp", "status", "scheme", "filing", "legal_name"];
                let rows: Vec<[String; 7]> = list(&json["taxpayers"])
                    .iter()
                    .map(|taxpayer| columns.map(|column| text(&taxpayer[column])))
                    .collect();
                let headings = ["GSTIN", "USER NAME", "OTP", "STATUS", "SCHEME", "FILES", "LEGAL NAME"];
                Told { words: table(headings, &rows), json }
            }
            TaxpayerCommand::Show { gstin } => one(management.get(&path(&gstin))?),
            TaxpayerCommand::Set(set) => {
                let day = |day: String| if day == "none" { Value::Null } else { day.into() };
                let wanted = object([
                    ("api_access", set.api_access.map(Value::from)),
                    ("status", set.status.map(Value::from)),
                    ("suspended_on", set.suspended_on.map(day)),
                    ("cancelled_on", set.cancelled_on.map(day)),
                    ("filing_from", set.filing_from.map(Value::from)),
                ]);
                let path = path(&set.gstin);
                one(management.call(&Method::PATCH, &path, Some(&set.common.add_to(wanted)))?)
            }
        })
    }
}

fn path(gstin: &str) -> String {
    format!("/taxpayers/{}", encoded(gstin))
}

fn one(json: Value) -> Told {
    let names = [
        ("gstin", "gstin"),
        ("user name", "username"),
        ("OTP", "otp"),
        ("legal name", "legal_name"),
        ("trade name", "trade_name"),
        ("status", "status"),
        ("suspended on", "suspended_on"),
        ("cancelled on", "cancelled_on"),
        ("scheme", "scheme"),
        ("turnover", "turnover"),
        ("files", "filing"),
        ("API access", "api_access"),
    ];
    let lines: Vec<(&str, String)> = names
        .into_iter()
        .filter(|(_, member)| !json[member].is_null())
        .map(|(name, member)| (name, text(&json[member])))
        .collect();
    Told { words: fields(&lines), json }
}
