//! The taxpayers of the sandbox: made instantly, in any state, with a valid GSTIN.

use gstn::{EntityKind, Gstin, StateCode};
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use suvidha_seam::Seam;

use crate::clock::from_millis;
use crate::forms::Frequency;
use crate::ledgers;
pub use crate::ledgers::{Balances, CashBalance, HeadAmounts, MinorHeads};

/// The day GST began: a taxpayer registered then may save documents of any period.
const GST_BEGAN: Date = Date::constant(2017, 7, 1);
const ONE_CRORE: f64 = 1e7;
const LARGEST_TURNOVER: f64 = 1e13;
/// Above this turnover HSN codes are longer and no quarterly filing is allowed: 5 crore rupees.
const FIVE_CRORE: i64 = 50_000_000;
/// The shortest and the longest consent a taxpayer can give on the portal: six hours and thirty days.
pub(crate) const CONSENT_MINUTES: std::ops::RangeInclusive<u32> = 360..=43_200;

/// What a new taxpayer should be; whatever is left out is made up.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewTaxpayer {
    /// The GSTIN wanted. Its check digit must be right, unless `masked_check_digit` is set.
    pub gstin: Option<String>,
    /// Takes a published sample whose check digit was masked, such as `05ABNTY3290P8ZB`.
    pub masked_check_digit: bool,
    /// The state of the GSTIN to make up: two digits. Karnataka (29) when left out.
    pub state: Option<String>,
    /// The kind of GSTIN to make up. Regular when left out.
    pub kind: Option<EntityKind>,
    /// The user name on the GST portal. Made from the GSTIN when left out.
    pub username: Option<String>,
    /// The legal name.
    pub legal_name: Option<String>,
    /// The trade name. The legal name when left out.
    pub trade_name: Option<String>,
    /// The date of registration. 1 July 2017, the day GST began, when left out.
    pub registered_on: Option<Date>,
    /// What a search says about the registration. Active when left out.
    pub status: Option<Registration>,
    /// The day from which the registration is suspended; none when left out.
    pub suspended_on: Option<Date>,
    /// The day the registration ends or ended; none when left out.
    pub cancelled_on: Option<Date>,
    /// Under which rules of the Act. Regular when left out.
    pub scheme: Option<Scheme>,
    /// Aggregate turnover of the PAN in the year before, in rupees. One crore when left out.
    pub turnover: Option<f64>,
    /// How often returns are filed, until a preference is saved. Monthly when left out.
    pub filing: Option<Frequency>,
    /// Whether the taxpayer has switched API access on at the portal. True when left out.
    pub api_access: Option<bool>,
    /// How long the consent lasts from the OTP on, in minutes: 360 to 43200. The sandbox's setting when left out.
    pub consent_minutes: Option<u32>,
    /// What the ledgers begin with. Zero when left out.
    pub balances: Balances,
}

/// A taxpayer of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taxpayer {
    /// The GSTIN.
    pub gstin: Gstin,
    /// The user name on the GST portal, which logins need.
    pub username: String,
    /// The OTP that this taxpayer receives.
    pub otp: String,
    /// The legal name.
    pub legal_name: String,
    /// The trade name.
    pub trade_name: String,
    /// The state of registration: two digits.
    pub state: StateCode,
    /// The kind of taxpayer.
    pub kind: EntityKind,
    /// The date of registration.
    pub registered_on: Date,
    /// What a search says about the registration.
    pub status: Registration,
    /// The day from which the registration is suspended.
    pub suspended_on: Option<Date>,
    /// The day the registration ends or ended.
    pub cancelled_on: Option<Date>,
    /// Under which rules of the Act.
    pub scheme: Scheme,
    /// Aggregate turnover of the PAN in the year before, in whole rupees.
    pub turnover: i64,
    /// How often returns are filed, where no preference is saved.
    pub filing: Frequency,
    /// Whether API access is switched on at the portal.
    pub api_access: bool,
    /// How long the consent lasts from the OTP on, in minutes; none means the sandbox's setting.
    pub consent_minutes: Option<u32>,
    /// When the sandbox made the taxpayer.
    pub created_at: Timestamp,
}

/// Whether a registration is in force, in the words of the taxpayer search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Registration {
    /// In force.
    Active,
    /// Ended.
    Cancelled,
    /// Held by an officer.
    Suspended,
    /// Not in use.
    Inactive,
    /// Carried over from the time before GST.
    Provisional,
}

impl Taxpayer {
    /// What a search says about the registration on a day.
    pub(crate) fn status_on(&self, today: Date) -> Registration {
        let has_come = |day: Option<Date>| day.is_some_and(|day| day <= today);
        match self.status {
            _ if has_come(self.cancelled_on) => Registration::Cancelled,
            _ if has_come(self.suspended_on) => Registration::Suspended,
            status => status,
        }
    }

    /// Whether the turnover is above 5 crore rupees.
    pub(crate) fn above_five_crore(&self) -> bool {
        self.turnover > FIVE_CRORE
    }
}

impl Registration {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Cancelled => "Cancelled",
            Self::Suspended => "Suspended",
            Self::Inactive => "Inactive",
            Self::Provisional => "Provisional",
        }
    }

    fn read(text: &str) -> Self {
        [Self::Cancelled, Self::Suspended, Self::Inactive, Self::Provisional]
            .into_iter()
            .find(|registration| registration.as_str() == text)
            .unwrap_or(Self::Active)
    }
}

/// Under which rules of the Act a taxpayer is registered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// The normal rules.
    #[default]
    Regular,
    /// A small taxpayer who pays on turnover and claims no credit (s.10).
    Composition,
    /// A unit in a special economic zone.
    SezUnit,
    /// A developer of a special economic zone.
    SezDeveloper,
    /// An input service distributor.
    Isd,
    /// A casual taxable person.
    Casual,
    /// A non-resident taxable person.
    NonResident,
}

impl Scheme {
    const ALL: [Self; 7] = [
        Self::Regular,
        Self::Composition,
        Self::SezUnit,
        Self::SezDeveloper,
        Self::Isd,
        Self::Casual,
        Self::NonResident,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Composition => "composition",
            Self::SezUnit => "sez_unit",
            Self::SezDeveloper => "sez_developer",
            Self::Isd => "isd",
            Self::Casual => "casual",
            Self::NonResident => "non_resident",
        }
    }

    /// As a taxpayer search names it (`dty`).
    pub(crate) const fn duty_type(self) -> &'static str {
        match self {
            Self::Regular => "Regular",
            Self::Composition => "Composition",
            Self::SezUnit => "SEZ Unit",
            Self::SezDeveloper => "SEZ Developer",
            Self::Isd => "Input Service Distributor (ISD)",
            Self::Casual => "Casual Taxable Person",
            Self::NonResident => "Non-Resident Taxable Person",
        }
    }

    fn read(text: &str) -> Self {
        Self::ALL.into_iter().find(|scheme| scheme.as_str() == text).unwrap_or_default()
    }
}

/// Why a taxpayer cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TaxpayerError {
    /// The GSTIN or the state is not one.
    #[error(transparent)]
    Identifier(#[from] gstn::IdentifierError),
    /// There is one with this GSTIN already.
    #[error("there is a taxpayer with GSTIN {0} already")]
    GstinTaken(Gstin),
    /// There is one with this user name already.
    #[error("there is a taxpayer with the user name {0:?} already")]
    UsernameTaken(String),
    /// The user name is empty, too long or holds control characters.
    #[error("a user name has 1 to 64 printable characters without blanks at its ends")]
    Username,
    /// The consent is shorter or longer than the portal allows.
    #[error("consent_minutes must be 360 (six hours) to 43200 (thirty days), not {0}")]
    Consent(u32),
    /// A ledger balance is no amount of money.
    #[error("a balance must be an amount in rupees from 0 to 10^13, not {0}")]
    Balance(f64),
    /// The turnover is no amount of money.
    #[error("turnover must be an amount in rupees from 0 to 10^13, not {0}")]
    Turnover(f64),
    /// A filing preference lacks one of its halves.
    #[error("filing_from goes with filing: from which period on, and how often")]
    FilingFrom,
    /// The database failed.
    #[error("the sandbox database failed: {0}")]
    Database(#[from] rusqlite::Error),
}

/// Makes the taxpayer that `wanted` describes.
pub(crate) fn create(
    tx: &Transaction<'_>,
    seam: &Seam,
    otp: &str,
    wanted: NewTaxpayer,
) -> Result<Taxpayer, TaxpayerError> {
    let gstin = match &wanted.gstin {
        Some(text) if wanted.masked_check_digit => Gstin::parse_lenient(text)?,
        Some(text) => text.parse()?,
        None => invent_gstin(tx, seam, wanted.state.as_deref().unwrap_or("29"), wanted.kind)?,
    };
    let username = wanted.username.unwrap_or_else(|| format!("sbx_{}", gstin.as_str().to_ascii_lowercase()));
    check_username(&username)?;
    if let Some(minutes) = wanted.consent_minutes.filter(|minutes| !CONSENT_MINUTES.contains(minutes)) {
        return Err(TaxpayerError::Consent(minutes));
    }
    if by_gstin(tx, &gstin, otp)?.is_some() {
        return Err(TaxpayerError::GstinTaken(gstin));
    }
    if by_username(tx, &username, otp)?.is_some() {
        return Err(TaxpayerError::UsernameTaken(username));
    }
    let legal_name =
        wanted.legal_name.unwrap_or_else(|| format!("Sandbox Traders {}", &gstin.as_str()[2..12]));
    let taxpayer = Taxpayer {
        gstin,
        username,
        otp: otp.to_owned(),
        trade_name: wanted.trade_name.unwrap_or_else(|| legal_name.clone()),
        legal_name,
        state: gstin.state(),
        kind: gstin.kind(),
        registered_on: wanted.registered_on.unwrap_or(GST_BEGAN),
        status: wanted.status.unwrap_or(Registration::Active),
        suspended_on: wanted.suspended_on,
        cancelled_on: wanted.cancelled_on,
        scheme: wanted.scheme.unwrap_or_default(),
        turnover: whole_rupees(wanted.turnover.unwrap_or(ONE_CRORE))?,
        filing: wanted.filing.unwrap_or_default(),
        api_access: wanted.api_access.unwrap_or(true),
        consent_minutes: wanted.consent_minutes,
        created_at: seam.now(),
    };
    insert(tx, &taxpayer)?;
    ledgers::seed(tx, &gstin, taxpayer.registered_on, &wanted.balances)?;
    Ok(taxpayer)
}

pub(crate) fn whole_rupees(turnover: f64) -> Result<i64, TaxpayerError> {
    if !(0.0..=LARGEST_TURNOVER).contains(&turnover) {
        return Err(TaxpayerError::Turnover(turnover));
    }
    Ok(turnover.round() as i64)
}

fn check_username(username: &str) -> Result<(), TaxpayerError> {
    let fits = (1..=64).contains(&username.chars().count())
        && username.trim() == username
        && !username.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(TaxpayerError::Username) }
}

pub(crate) fn insert(tx: &Transaction<'_>, taxpayer: &Taxpayer) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO taxpayers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        taxpayer.gstin.as_str(),
        taxpayer.username,
        taxpayer.legal_name,
        taxpayer.trade_name,
        taxpayer.status.as_str(),
        taxpayer.scheme.as_str(),
        taxpayer.turnover,
        taxpayer.filing.as_str(),
        taxpayer.registered_on.to_string(),
        taxpayer.suspended_on.map(|day| day.to_string()),
        taxpayer.cancelled_on.map(|day| day.to_string()),
        taxpayer.api_access,
        taxpayer.consent_minutes,
        taxpayer.created_at.as_millisecond(),
    ])?;
    Ok(())
}

/// A GSTIN of the wanted state and kind that nobody in the sandbox has.
fn invent_gstin(
    conn: &Connection,
    seam: &Seam,
    state: &str,
    kind: Option<EntityKind>,
) -> Result<Gstin, TaxpayerError> {
    let state: StateCode = state.parse()?;
    let kind = kind.unwrap_or(EntityKind::Regular);
    loop {
        // A government GSTIN ends in a digit, which the check character is only now and then.
        let Ok(gstin) = Gstin::with_check_digit(&first_fourteen(seam, state, kind)) else { continue };
        if gstin.kind() == kind && by_gstin(conn, &gstin, "")?.is_none() {
            return Ok(gstin);
        }
    }
}

/// Random text of the form that GSTINs of `kind` have before their check digit.
fn first_fourteen(seam: &Seam, state: StateCode, kind: EntityKind) -> String {
    let form = match kind {
        EntityKind::Regular => "@@@C@####@1Z",
        EntityKind::Government => "@@@@#####@1Z",
        EntityKind::Tds => "@@@C@####@1D",
        EntityKind::Tcs => "@@@C@####@1C",
        EntityKind::Nri => "##@@@#####NR",
        EntityKind::Oidar => "##@@@#####OS",
        EntityKind::UnBody => "##@@@#####UN",
    };
    let state = if kind == EntityKind::Oidar { "99" } else { state.as_str() };
    let random = seam.random::<12>();
    let drawn = form.bytes().zip(random).map(|(mask, byte)| match mask {
        b'#' => char::from(b'0' + byte % 10),
        b'@' => char::from(b'A' + byte % 26),
        literal => char::from(literal),
    });
    state.chars().chain(drawn).collect()
}

/// The taxpayer with this GSTIN.
pub(crate) fn by_gstin(conn: &Connection, gstin: &Gstin, otp: &str) -> rusqlite::Result<Option<Taxpayer>> {
    conn.prepare_cached("SELECT * FROM taxpayers WHERE gstin = ?1")?
        .query_row([gstin.as_str()], |row| read(row, otp))
        .optional()
}

/// The taxpayer with this user name, which counts in small and capital letters as written.
pub(crate) fn by_username(
    conn: &Connection,
    username: &str,
    otp: &str,
) -> rusqlite::Result<Option<Taxpayer>> {
    conn.prepare_cached("SELECT * FROM taxpayers WHERE username = ?1")?
        .query_row([username], |row| read(row, otp))
        .optional()
}

/// All taxpayers, oldest first.
pub(crate) fn all(conn: &Connection, otp: &str) -> rusqlite::Result<Vec<Taxpayer>> {
    conn.prepare_cached("SELECT * FROM taxpayers ORDER BY created_at, gstin")?
        .query_map([], |row| read(row, otp))?
        .collect()
}

/// A row of the table.
pub(crate) fn read(row: &Row<'_>, otp: &str) -> rusqlite::Result<Taxpayer> {
    let gstin = read_gstin(row, "gstin")?;
    Ok(Taxpayer {
        gstin,
        username: row.get("username")?,
        otp: otp.to_owned(),
        legal_name: row.get("legal_name")?,
        trade_name: row.get("trade_name")?,
        state: gstin.state(),
        kind: gstin.kind(),
        registered_on: row.get::<_, String>("registered_on")?.parse().unwrap_or(GST_BEGAN),
        status: Registration::read(&row.get::<_, String>("status")?),
        suspended_on: day(row, "suspended_on")?,
        cancelled_on: day(row, "cancelled_on")?,
        scheme: Scheme::read(&row.get::<_, String>("scheme")?),
        turnover: row.get("turnover")?,
        filing: Frequency::read(&row.get::<_, String>("filing")?).unwrap_or_default(),
        api_access: row.get("api_access")?,
        consent_minutes: row.get("consent_minutes")?,
        created_at: from_millis(row.get("created_at")?),
    })
}

fn day(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Date>> {
    Ok(row.get::<_, Option<String>>(column)?.and_then(|day| day.parse().ok()))
}

/// The GSTIN in a column; taxpayers with a masked check digit are let in at the door, so here too.
pub(crate) fn read_gstin(row: &Row<'_>, column: &str) -> rusqlite::Result<Gstin> {
    let text: String = row.get(column)?;
    Gstin::parse_lenient(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use suvidha_seam::{ManualClock, SeededRng};

    use super::*;
    use crate::db::Db;

    fn seam() -> Seam {
        let clock = ManualClock::at("2026-01-10T00:00:00Z".parse().unwrap());
        Seam { clock: Arc::new(clock), rng: Arc::new(SeededRng::new(3)) }
    }

    #[test]
    fn a_taxpayer_of_every_state_and_kind_has_a_valid_gstin_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (db, seam) = (Db::open(dir.path()).unwrap(), seam());
        let kinds = ["regular", "government", "tds", "tcs", "nri", "oidar", "un_body"];
        let mut seen = HashSet::new();
        for state in StateCode::all() {
            for kind in kinds {
                let wanted = format!(r#"{{"state":"{state}","kind":"{kind}"}}"#);
                let wanted: NewTaxpayer = serde_json::from_str(&wanted).unwrap();
                let made = db.write(|tx| create(tx, &seam, "575757", wanted.clone())).unwrap();
                assert_eq!(Some(made.kind), wanted.kind);
                assert!(made.kind == EntityKind::Oidar || made.state == state);
                assert_eq!(made.gstin.as_str().parse(), Ok(made.gstin), "its check digit is right");
                assert!(seen.insert(made.gstin));
            }
        }
    }

    #[test]
    fn what_cannot_be_a_taxpayer_is_refused_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let (db, seam) = (Db::open(dir.path()).unwrap(), seam());
        let make = |json: &str| {
            db.write(|tx| create(tx, &seam, "575757", serde_json::from_str(json).unwrap()))
                .map_err(|error| error.to_string())
        };
        make(r#"{"gstin":"27AAPFU0939F1ZV","username":"asha"}"#).unwrap();
        assert!(make(r#"{"gstin":"27AAPFU0939F1ZV"}"#).unwrap_err().contains("already"));
        assert!(make(r#"{"username":"asha"}"#).unwrap_err().contains("user name \"asha\""));
        assert!(make(r#"{"gstin":"05ABNTY3290P8ZB"}"#).is_err());
        make(r#"{"gstin":"05ABNTY3290P8ZB","masked_check_digit":true}"#).unwrap();
        assert!(make(r#"{"state":"98"}"#).is_err());
        assert!(make(r#"{"consent_minutes":359}"#).unwrap_err().contains("359"));
        assert!(make(r#"{"username":""}"#).is_err());
        assert!(make(r#"{"turnover":-1}"#).unwrap_err().contains("turnover"));
    }
}
