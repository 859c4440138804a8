//! ASPs: who they are, whether they may call, and from where.

use std::collections::BTreeMap;
use std::fmt;

use gstn::AspId;
use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::Registry;
use super::columns::{parsed, storable, time};
use crate::error::StoreError;

/// What is asked of a new ASP: the fields both published GSPs ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAsp {
    /// The company's name, 1 to 200 characters.
    pub name: String,
    /// The person to talk to, 1 to 200 characters.
    pub contact_name: String,
    /// Where to write to.
    pub email: String,
    /// 7 to 15 digits, with an optional leading `+` and separators.
    pub phone: String,
}

/// An ASP as the registry knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asp {
    /// Ten digits, given by us.
    pub aspid: AspId,
    /// The company's name.
    pub name: String,
    /// The person to talk to.
    pub contact_name: String,
    /// Where to write to.
    pub email: String,
    /// As it was given.
    pub phone: String,
    /// Whether it may call.
    pub status: AspStatus,
    /// The networks it may call from; none means any.
    pub allowed_ips: Vec<IpNet>,
    /// Answer refusals with HTTP 200, for clients that look at `status_cd` alone.
    pub always_200: bool,
    /// Demand every mandatory GSTN header, or not; `None` leaves it to the environment.
    pub strict_headers: Option<bool>,
    /// How long its GSP sessions last, in minutes; `None` leaves it to the gateway.
    pub session_validity_min: Option<u16>,
    /// UTC, to the millisecond.
    pub created_at: Timestamp,
}

/// Whether an ASP may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AspStatus {
    /// It may.
    Active,
    /// Every call is refused until it is resumed.
    Suspended,
}

impl AspStatus {
    /// `active` or `suspended`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

impl fmt::Display for AspStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Registry {
    /// Takes in a new ASP, active, with a random aspid.
    ///
    /// # Errors
    /// [`StoreError::InvalidField`] names the first field that is not as [`NewAsp`] says.
    pub fn add_asp(&self, new: NewAsp) -> Result<Asp, StoreError> {
        let new = checked(new)?;
        let created_at = storable(self.0.seam.now());
        self.change(|transaction| {
            let asp = Asp {
                aspid: self.unused_aspid(transaction)?,
                name: new.name,
                contact_name: new.contact_name,
                email: new.email,
                phone: new.phone,
                status: AspStatus::Active,
                allowed_ips: Vec::new(),
                always_200: false,
                strict_headers: None,
                session_validity_min: None,
                created_at,
            };
            transaction.execute(
                "INSERT INTO asp (aspid, name, contact_name, email, phone, status, always_200, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'active', FALSE, ?6)",
                params![
                    asp.aspid.as_str(),
                    asp.name,
                    asp.contact_name,
                    asp.email,
                    asp.phone,
                    created_at.as_millisecond()
                ],
            )?;
            Ok(asp)
        })
    }

    /// Every ASP, the oldest first.
    pub fn asps(&self) -> Result<Vec<Asp>, StoreError> {
        read(&self.connection().transaction()?, None)
    }

    /// One ASP, if it exists.
    pub fn asp(&self, aspid: &AspId) -> Result<Option<Asp>, StoreError> {
        Ok(read(&self.connection().transaction()?, Some(aspid))?.pop())
    }

    /// Refuses every call of the ASP from now on; its credentials stay. Nothing changes if it is suspended.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn suspend(&self, aspid: &AspId) -> Result<(), StoreError> {
        self.set_status(aspid, AspStatus::Suspended)
    }

    /// Lets the ASP call again. Nothing changes if it is active.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn resume(&self, aspid: &AspId) -> Result<(), StoreError> {
        self.set_status(aspid, AspStatus::Active)
    }

    /// Replaces the networks the ASP may call from; an empty list means any. Host bits are cleared.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn set_allowed_ips(&self, aspid: &AspId, networks: Vec<IpNet>) -> Result<(), StoreError> {
        self.change(|transaction| {
            require(transaction, aspid)?;
            transaction.execute("DELETE FROM asp_allowed_ip WHERE aspid = ?1", [aspid.as_str()])?;
            let mut insert = transaction
                .prepare("INSERT OR IGNORE INTO asp_allowed_ip (aspid, network) VALUES (?1, ?2)")?;
            for network in networks {
                insert.execute([aspid.as_str(), &network.trunc().to_string()])?;
            }
            Ok(())
        })
    }

    /// Answers this ASP's refusals with HTTP 200, or with real statuses.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn set_always_200(&self, aspid: &AspId, always_200: bool) -> Result<(), StoreError> {
        self.change(|transaction| {
            require(transaction, aspid)?;
            transaction.execute(
                "UPDATE asp SET always_200 = ?2 WHERE aspid = ?1 AND always_200 <> ?2",
                params![aspid.as_str(), always_200],
            )?;
            Ok(())
        })
    }

    /// Demands every mandatory GSTN header of this ASP, or does not; `None` leaves it to the environment.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn set_strict_headers(&self, aspid: &AspId, strict: Option<bool>) -> Result<(), StoreError> {
        self.change(|transaction| {
            require(transaction, aspid)?;
            transaction.execute(
                "UPDATE asp SET strict_headers = ?2 WHERE aspid = ?1 AND strict_headers IS NOT ?2",
                params![aspid.as_str(), strict],
            )?;
            Ok(())
        })
    }

    fn set_status(&self, aspid: &AspId, status: AspStatus) -> Result<(), StoreError> {
        self.change(|transaction| {
            require(transaction, aspid)?;
            transaction.execute(
                "UPDATE asp SET status = ?2 WHERE aspid = ?1 AND status <> ?2",
                [aspid.as_str(), status.as_str()],
            )?;
            Ok(())
        })
    }

    /// Ten digits, the first not 0, so that a spreadsheet does not shorten it.
    fn unused_aspid(&self, transaction: &Transaction<'_>) -> Result<AspId, StoreError> {
        loop {
            let number = 1_000_000_000 + u64::from_be_bytes(self.0.seam.random()) % 9_000_000_000;
            let taken = transaction
                .query_row("SELECT 1 FROM asp WHERE aspid = ?1", [number.to_string()], |_| Ok(()))
                .optional()?;
            if let (None, Ok(aspid)) = (taken, number.to_string().parse()) {
                return Ok(aspid);
            }
        }
    }
}

/// [`StoreError::AspNotFound`] unless the ASP exists.
pub(super) fn require(connection: &Connection, aspid: &AspId) -> Result<(), StoreError> {
    connection
        .query_row("SELECT 1 FROM asp WHERE aspid = ?1", [aspid.as_str()], |_| Ok(()))
        .optional()?
        .ok_or_else(|| StoreError::AspNotFound(*aspid))
}

/// Every ASP, or the one asked for, the oldest first.
pub(super) fn read(transaction: &Transaction<'_>, only: Option<&AspId>) -> Result<Vec<Asp>, StoreError> {
    let only = only.map(AspId::as_str);
    let mut networks = BTreeMap::<AspId, Vec<IpNet>>::new();
    let mut allowed = transaction.prepare_cached(
        "SELECT aspid, network FROM asp_allowed_ip WHERE ?1 IS NULL OR aspid = ?1 ORDER BY network",
    )?;
    let mut rows = allowed.query([only])?;
    while let Some(row) = rows.next()? {
        networks.entry(parsed(row, "aspid")?).or_default().push(parsed(row, "network")?);
    }
    let mut asps = transaction
        .prepare_cached("SELECT * FROM asp WHERE ?1 IS NULL OR aspid = ?1 ORDER BY created_at, aspid")?;
    let asps = asps.query_map([only], |row| {
        let mut asp = from_row(row)?;
        asp.allowed_ips = networks.remove(&asp.aspid).unwrap_or_default();
        Ok(asp)
    })?;
    Ok(asps.collect::<Result<_, _>>()?)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Asp> {
    Ok(Asp {
        aspid: parsed(row, "aspid")?,
        name: row.get("name")?,
        contact_name: row.get("contact_name")?,
        email: row.get("email")?,
        phone: row.get("phone")?,
        status: match row.get_ref("status")?.as_str()? {
            "active" => AspStatus::Active,
            _ => AspStatus::Suspended,
        },
        allowed_ips: Vec::new(),
        always_200: row.get("always_200")?,
        strict_headers: row.get("strict_headers")?,
        session_validity_min: row.get("session_validity_min")?,
        created_at: time(row, "created_at")?,
    })
}

fn checked(new: NewAsp) -> Result<NewAsp, StoreError> {
    let trim = |text: String| text.trim().to_owned();
    let new = NewAsp {
        name: trim(new.name),
        contact_name: trim(new.contact_name),
        email: trim(new.email),
        phone: trim(new.phone),
    };
    let fields = [
        ("name", &new.name, text_fault(&new.name, 200)),
        ("contact name", &new.contact_name, text_fault(&new.contact_name, 200)),
        ("e-mail address", &new.email, email_fault(&new.email)),
        ("phone number", &new.phone, phone_fault(&new.phone)),
    ];
    for (field, value, fault) in fields {
        if let Some(reason) = fault {
            return Err(StoreError::InvalidField { field, value: value.clone(), reason });
        }
    }
    Ok(new)
}

/// What is wrong with a line of text of at most `limit` characters.
pub(super) fn text_fault(text: &str, limit: usize) -> Option<String> {
    if text.is_empty() {
        return Some("must not be empty".to_owned());
    }
    if text.chars().count() > limit {
        return Some(format!("is longer than {limit} characters"));
    }
    text.chars().any(char::is_control).then(|| "must not hold control characters".to_owned())
}

/// The shape only; whether mail arrives is seen by writing to it.
fn email_fault(email: &str) -> Option<String> {
    if let Some(fault) = text_fault(email, 254) {
        return Some(fault);
    }
    let plausible = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.contains('@')
            && !email.contains(char::is_whitespace)
            && domain.contains('.')
            && domain.split('.').all(|label| !label.is_empty())
    });
    (!plausible).then(|| "does not look like name@example.com".to_owned())
}

fn phone_fault(phone: &str) -> Option<String> {
    let digits = phone.chars().filter(char::is_ascii_digit).count();
    let number = phone.strip_prefix('+').unwrap_or(phone);
    let plausible = (7..=15).contains(&digits)
        && number.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '(' | ')'));
    (!plausible).then(|| "does not look like +91 98765 43210".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_judged_by_their_shape() {
        for good in ["a@b.in", "first.last+gst@mail.example.co.in", "ग्राहक@उदाहरण.भारत"]
        {
            assert_eq!(email_fault(good), None, "{good}");
        }
        for bad in ["", "a", "a@b", "@b.in", "a@", "a@b..in", "a@.in", "a@b@c.in", "a b@c.in", "a@b.in\n"] {
            assert!(email_fault(bad).is_some(), "{bad:?}");
        }
        assert!(email_fault(&format!("{}@b.in", "a".repeat(250))).is_some());
    }

    #[test]
    fn phone_numbers_are_judged_by_their_shape() {
        for good in ["9876543210", "+91 98765 43210", "(022) 2345-6789", "+919876543210"] {
            assert_eq!(phone_fault(good), None, "{good}");
        }
        for bad in
            ["", "123456", "98765x3210", "91+9876543210", "++919876543210", "1234567890123456", "९८७६५४३२१०"]
        {
            assert!(phone_fault(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert_eq!(text_fault(&"क".repeat(200), 200), None);
        assert!(text_fault(&"क".repeat(201), 200).is_some());
        assert!(text_fault("two\nlines", 200).is_some());
    }
}
