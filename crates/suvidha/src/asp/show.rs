//! What `suvidha asp` shows of an ASP: itself, whether it is enrolled, on what terms it calls, and all of its credentials.

use gstn::{AspId, Environment};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::Serialize;
use suvidha_store::{Registry, StoreError};

use super::balance::Ledgers;
use super::{cert, client, limits, password, plan, secret, token};
use crate::exit::Failure;
use crate::output::{Answer, fields, instant, table};

/// An ASP without its credentials.
pub(super) fn one(registry: &Registry, aspid: &AspId) -> Result<AspRow, StoreError> {
    registry.asp(aspid)?.map(AspRow::from).ok_or(StoreError::AspNotFound(*aspid))
}

/// An ASP with its terms and its credentials.
pub(super) fn whole(
    registry: &Registry,
    ledgers: &Ledgers,
    aspid: &AspId,
    now: Timestamp,
) -> Result<WholeAsp, Failure> {
    Ok(WholeAsp {
        asp: one(registry, aspid)?,
        plans: plan::list(registry, ledgers, aspid, now)?,
        limits: limits::list(registry, aspid)?,
        secrets: secret::list(registry, aspid, now)?,
        passwords: password::list(registry, aspid)?,
        certificates: cert::list(registry, aspid, now)?,
        sessions: revocations(registry, aspid)?,
        tokens: token::list(registry, aspid, now)?,
        client_credentials: client::list(registry, aspid)?,
    })
}

fn revocations(registry: &Registry, aspid: &AspId) -> Result<Vec<Revoked>, StoreError> {
    let revoked = |(environment, at)| Revoked { environment, valid_from: instant(at) };
    Ok(registry.sessions_valid_from(aspid)?.into_iter().map(revoked).collect())
}

/// Every ASP, with where it is enrolled and how it pays.
pub(super) fn list(registry: &Registry, ledgers: &Ledgers, now: Timestamp) -> Result<AspList, Failure> {
    let listed = |asp: suvidha_store::Asp| {
        let plans = plan::list(registry, ledgers, &asp.aspid, now)?;
        let getkey = enrolments(registry, &asp.aspid, now)?;
        Ok(Listed { asp: asp.into(), plans, getkey })
    };
    registry.asps()?.into_iter().map(listed).collect::<Result<_, _>>().map(AspList)
}

#[derive(Serialize)]
pub(super) struct AspRow {
    pub(super) aspid: String,
    name: String,
    contact_name: String,
    email: String,
    phone: String,
    status: &'static str,
    allowed_ips: Vec<IpNet>,
    always_200: bool,
    strict_headers: Option<bool>,
    session_validity_min: Option<u16>,
    created_at: String,
}

impl From<suvidha_store::Asp> for AspRow {
    fn from(asp: suvidha_store::Asp) -> Self {
        Self {
            aspid: asp.aspid.as_str().to_owned(),
            name: asp.name,
            contact_name: asp.contact_name,
            email: asp.email,
            phone: asp.phone,
            status: asp.status.as_str(),
            allowed_ips: asp.allowed_ips,
            always_200: asp.always_200,
            strict_headers: asp.strict_headers,
            session_validity_min: asp.session_validity_min,
            created_at: instant(asp.created_at),
        }
    }
}

impl AspRow {
    fn allowed_ips(&self) -> String {
        let ips: Vec<_> = self.allowed_ips.iter().map(IpNet::to_string).collect();
        if ips.is_empty() { "any".to_owned() } else { ips.join(", ") }
    }
}

impl Answer for AspRow {
    fn words(&self) -> String {
        let strict = match self.strict_headers {
            Some(true) => "strict",
            Some(false) => "lenient",
            None => "as the environment says",
        };
        fields(&[
            ("aspid", self.aspid.clone()),
            ("name", self.name.clone()),
            ("contact", self.contact_name.clone()),
            ("e-mail", self.email.clone()),
            ("phone", self.phone.clone()),
            ("status", self.status.to_owned()),
            ("may call from", self.allowed_ips()),
            ("always HTTP 200", if self.always_200 { "yes" } else { "no" }.to_owned()),
            ("header checks", strict.to_owned()),
            ("sessions last", self.session_validity_min.map_or("as the gateway says".to_owned(), length)),
            ("since", self.created_at.clone()),
        ])
    }
}

/// A number of minutes in the largest unit that holds it whole, as the command line takes it.
fn length(minutes: u16) -> String {
    match minutes {
        days if days % 1440 == 0 => format!("{}d", days / 1440),
        hours if hours % 60 == 0 => format!("{}h", hours / 60),
        minutes => format!("{minutes}m"),
    }
}

/// What an ASP needs for GetKey in an environment where it has any of it.
#[derive(Serialize)]
struct Enrolled {
    environment: Environment,
    has_secret: bool,
    /// While an old secret counts beside the new one: until when.
    secret_overlap_until: Option<String>,
    live_certificates: usize,
    /// When the last live certificate expires; nothing where a bare public key never does.
    certificates_expire_at: Option<String>,
}

fn enrolments(registry: &Registry, aspid: &AspId, now: Timestamp) -> Result<Vec<Enrolled>, StoreError> {
    let secrets = secret::list(registry, aspid, now)?;
    let certificates = cert::list(registry, aspid, now)?;
    let enrolled = |environment| Enrolled {
        environment,
        has_secret: secrets.newest_in(environment).is_some(),
        secret_overlap_until: secrets.overlap_in(environment),
        live_certificates: certificates.live_in(environment).count(),
        certificates_expire_at: certificates.last_expiry_in(environment),
    };
    let all = Environment::ALL.into_iter().map(enrolled);
    Ok(all.filter(|one| one.has_secret || one.live_certificates > 0).collect())
}

impl Enrolled {
    fn words(&self) -> String {
        let certificates = match (self.live_certificates, &self.certificates_expire_at) {
            (0, _) => "no certificate".to_owned(),
            (_, Some(at)) => format!("certificate until {}", &at[..10]),
            (_, None) => "bare key".to_owned(),
        };
        let overlap = self.secret_overlap_until.as_ref();
        let secret = match overlap {
            _ if !self.has_secret => ", no secret".to_owned(),
            Some(until) => format!(", two secrets until {until}"),
            None => String::new(),
        };
        format!("{}: {certificates}{secret}", self.environment)
    }
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    asp: AspRow,
    plans: plan::Plans,
    getkey: Vec<Enrolled>,
}

/// Every ASP.
#[derive(Serialize)]
pub(super) struct AspList(Vec<Listed>);

impl Answer for AspList {
    fn words(&self) -> String {
        if self.0.is_empty() {
            return "no ASP yet; take one in with `suvidha asp add`\n".to_owned();
        }
        let row = |Listed { asp, plans, getkey }: &Listed| {
            let getkey: Vec<_> = getkey.iter().map(Enrolled::words).collect();
            [
                asp.aspid.clone(),
                asp.name.clone(),
                asp.status.to_owned(),
                asp.allowed_ips(),
                asp.created_at.clone(),
                plans.in_short(),
                if getkey.is_empty() { "not enrolled".to_owned() } else { getkey.join("; ") },
            ]
        };
        table(
            ["ASPID", "NAME", "STATUS", "MAY CALL FROM", "SINCE", "PLAN", "GETKEY"],
            &self.0.iter().map(row).collect::<Vec<_>>(),
        )
    }
}

/// Sessions made before an instant are refused.
#[derive(Serialize)]
struct Revoked {
    environment: Environment,
    valid_from: String,
}

/// An ASP, on what terms it calls, and what it proves itself with.
#[derive(Serialize)]
pub(super) struct WholeAsp {
    #[serde(flatten)]
    asp: AspRow,
    plans: plan::Plans,
    limits: limits::AllAgreed,
    secrets: secret::Secrets,
    passwords: password::Passwords,
    certificates: cert::Certificates,
    sessions: Vec<Revoked>,
    tokens: token::Tokens,
    client_credentials: client::ClientCredentials,
}

impl WholeAsp {
    fn sessions_words(&self) -> String {
        if self.sessions.is_empty() {
            return "never revoked\n".to_owned();
        }
        let row = |revoked: &Revoked| [revoked.environment.to_string(), revoked.valid_from.clone()];
        table(["ENVIRONMENT", "VALID FROM"], &self.sessions.iter().map(row).collect::<Vec<_>>())
    }
}

impl Answer for WholeAsp {
    fn words(&self) -> String {
        let parts = [
            ("Plans", self.plans.words()),
            ("Limits", self.limits.words()),
            ("ASP secrets", self.secrets.words()),
            ("Account passwords", self.passwords.words()),
            ("Certificates", self.certificates.words()),
            ("Sessions", self.sessions_words()),
            ("Tokens", self.tokens.words()),
            ("Client credentials", self.client_credentials.words()),
        ];
        let parts = parts.iter().map(|(heading, words)| format!("\n{heading}\n{words}"));
        self.asp.words() + &parts.collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_the_largest_unit() {
        assert_eq!([300, 90, 2880, 360].map(length), ["5h", "90m", "2d", "6h"]);
    }
}
