//! Sessions of taxpayers and of public users: opened by a login, prolonged by a refresh, ended by time or logout.

use gstn::Gstin;
use gstn::crypto::Sek;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::call::Call;
use crate::clock::from_millis;
use crate::config::{AtSessionLimit, Config};
use crate::fault::Fault;
use crate::simulator::Simulator;
use crate::taxpayers::{self, Taxpayer};

const MILLIS_PER_MINUTE: i64 = 60_000;
/// Expired sessions are told apart from unknown ones for as long as the longest consent.
const REMEMBERED_MINUTES: i64 = 31 * 24 * 60;

/// A session that was opened some time ago.
pub(crate) struct Session {
    pub(crate) auth_token: String,
    pub(crate) client_id: String,
    pub(crate) username: String,
    /// None for a public user.
    pub(crate) gstin: Option<Gstin>,
    pub(crate) sek: Sek,
    pub(crate) expires_at: Timestamp,
    pub(crate) consent_until: Timestamp,
}

/// A session that a call has proved itself with, and whose taxpayer allows it.
pub(crate) struct LiveSession {
    pub(crate) session: Session,
    pub(crate) taxpayer: Taxpayer,
}

/// Who logs in, and until when the consent lasts.
pub(crate) struct Login<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) username: &'a str,
    pub(crate) gstin: Option<&'a Gstin>,
    pub(crate) consent_until: Timestamp,
}

impl Session {
    /// Whole minutes until the token expires, as `expiry` tells them.
    pub(crate) fn expiry_minutes(&self, now: Timestamp) -> u32 {
        let left = self.expires_at.as_millisecond() - now.as_millisecond();
        u32::try_from(left / MILLIS_PER_MINUTE).unwrap_or(0)
    }
}

/// `minutes` after `at`.
pub(crate) fn minutes_after(at: Timestamp, minutes: u32) -> Timestamp {
    from_millis(at.as_millisecond() + i64::from(minutes) * MILLIS_PER_MINUTE)
}

/// Opens a session, after making room for it as the configuration says.
pub(crate) fn open(tx: &Transaction<'_>, simulator: &Simulator, login: &Login<'_>) -> Result<Session, Fault> {
    let now = simulator.seam.now();
    forget_old(tx, now)?;
    make_room(tx, &simulator.config, login, now)?;
    let session = Session {
        auth_token: hex(simulator.seam.random::<16>()),
        client_id: login.client_id.to_owned(),
        username: login.username.to_owned(),
        gstin: login.gstin.copied(),
        sek: Sek::from_bytes(simulator.seam.random()),
        expires_at: minutes_after(now, simulator.config.token_minutes).min(login.consent_until),
        consent_until: login.consent_until,
    };
    insert(tx, &session, now)?;
    Ok(session)
}

/// Ends a session; its token is unknown from then on, and its key is gone.
pub(crate) fn end(tx: &Transaction<'_>, auth_token: &str) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM sessions WHERE auth_token = ?1")?.execute([auth_token])?;
    Ok(())
}

/// The key of a token's session, expired or not.
pub(crate) fn key(conn: &Connection, auth_token: &str) -> rusqlite::Result<Option<Sek>> {
    conn.prepare_cached("SELECT sek FROM sessions WHERE auth_token = ?1")?
        .query_row([auth_token], |row| row.get(0).map(Sek::from_bytes))
        .optional()
}

/// The session of a token. `unknown` is answered for no session, an ended one, or one of another user or GSP;
/// AUTH4038 for one that has run out.
pub(crate) fn find(
    conn: &Connection,
    client_id: &str,
    username: Option<&str>,
    auth_token: &str,
    now: Timestamp,
    unknown: impl Fn() -> Fault,
) -> Result<Session, Fault> {
    let session = conn
        .prepare_cached("SELECT * FROM sessions WHERE auth_token = ?1")?
        .query_row([auth_token], read)
        .optional()?
        .filter(|session| session.client_id == client_id)
        .filter(|session| username.is_none_or(|username| session.username == username))
        .ok_or_else(unknown)?;
    if session.expires_at <= now {
        return Err(Fault::new("AUTH4038", "Session Expired"));
    }
    Ok(session)
}

/// The live session of a taxpayer call, from its `auth-token` and `username` headers.
///
/// A `gstin` or `state-cd` header must fit the session if it is there; neither need be.
pub(crate) fn of_call(
    conn: &Connection,
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    unknown: impl Fn() -> Fault,
) -> Result<LiveSession, Fault> {
    let auth_token = call.header(gstn::headers::AUTH_TOKEN).ok_or_else(|| Fault::missing("auth-token"))?;
    let username = call.header(gstn::headers::USERNAME).ok_or_else(|| Fault::missing("username"))?;
    let session = find(conn, client_id, Some(username), auth_token, simulator.seam.now(), &unknown)?;
    let gstin = session.gstin.ok_or_else(&unknown)?;
    let taxpayer = taxpayers::by_gstin(conn, &gstin, &simulator.config.otp)?.ok_or_else(&unknown)?;
    if !taxpayer.api_access {
        return Err(api_access_disabled());
    }
    if call.header(gstn::headers::GSTIN).is_some_and(|named| !named.eq_ignore_ascii_case(gstin.as_str())) {
        return Err(unauthorized());
    }
    if call.header(gstn::headers::STATE_CD).is_some_and(|named| named != gstin.state().as_str()) {
        return Err(Fault::new("RET11404", "State code is not valid"));
    }
    Ok(LiveSession { session, taxpayer })
}

/// AUTH002: the taxpayer has not switched API access on, or has switched it off again.
pub(crate) fn api_access_disabled() -> Fault {
    Fault::new("AUTH002", "API access is disabled by the taxpayer")
}

/// RET11402: the session is another taxpayer's.
pub(crate) fn unauthorized() -> Fault {
    Fault::new("RET11402", "Unauthorized User!")
}

fn make_room(tx: &Transaction<'_>, config: &Config, login: &Login<'_>, now: Timestamp) -> Result<(), Fault> {
    let live: Vec<String> = tx
        .prepare_cached(
            "SELECT auth_token FROM sessions WHERE client_id = ?1 AND username = ?2 AND gstin IS ?3
             AND expires_at > ?4 ORDER BY created_at, rowid",
        )?
        .query_map(
            params![login.client_id, login.username, login.gstin.map(Gstin::as_str), now.as_millisecond()],
            |row| row.get(0),
        )?
        .collect::<rusqlite::Result<_>>()?;
    let limit = config.session_limit.max(1) as usize;
    let surplus = (live.len() + 1).saturating_sub(limit);
    if surplus > 0 && config.at_session_limit == AtSessionLimit::Refuse {
        return Err(Fault::new("AUTH403", "Maximum session allowed for user with this GSP account exceeded"));
    }
    for auth_token in live.iter().take(surplus) {
        end(tx, auth_token)?;
    }
    Ok(())
}

fn forget_old(tx: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    let oldest = now.as_millisecond() - REMEMBERED_MINUTES * MILLIS_PER_MINUTE;
    tx.prepare_cached("DELETE FROM sessions WHERE expires_at < ?1")?.execute([oldest])?;
    Ok(())
}

fn insert(tx: &Transaction<'_>, session: &Session, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO sessions
             (auth_token, client_id, username, gstin, sek, created_at, expires_at, consent_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        session.auth_token,
        session.client_id,
        session.username,
        session.gstin.as_ref().map(Gstin::as_str),
        session.sek.as_bytes(),
        now.as_millisecond(),
        session.expires_at.as_millisecond(),
        session.consent_until.as_millisecond(),
    ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Session> {
    let gstin = match row.get_ref("gstin")?.as_str_or_null()? {
        Some(_) => Some(taxpayers::read_gstin(row, "gstin")?),
        None => None,
    };
    Ok(Session {
        auth_token: row.get("auth_token")?,
        client_id: row.get("client_id")?,
        username: row.get("username")?,
        gstin,
        sek: Sek::from_bytes(row.get("sek")?),
        expires_at: from_millis(row.get("expires_at")?),
        consent_until: from_millis(row.get("consent_until")?),
    })
}

fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}
