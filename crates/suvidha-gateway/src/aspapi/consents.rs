//! `consents`: which taxpayers this ASP has sessions of, since when and until when. GSTN tells taxpayers the same of their side.

use gstn::AspId;
use http::Response;
use jiff::Timestamp;
use suvidha_store::ledger::{Consent, LedgerError, LedgerReader};

use super::list::{self, Read, Rows};
use super::parameters::Parameters;
use super::table::{Cell, Table};
use super::{Desk, days};
use crate::body::Content;
use crate::error::Error;

const GSTIN: &str = "gstin";

pub(super) async fn respond(desk: &Desk<'_>) -> Result<Response<Content>, Error> {
    let parameters = Parameters::read(&desk.call.head, &[GSTIN])?;
    let consents = Consents {
        aspid: desk.asp.aspid,
        gstin: parameters.text(GSTIN).map(str::to_ascii_uppercase),
        now: desk.visit.door.plane.seam.now(),
    };
    list::respond(desk, &parameters, &[], "consents", consents).await
}

/// What one ASP has, of all taxpayers or of one.
struct Consents {
    aspid: AspId,
    gstin: Option<String>,
    now: Timestamp,
}

impl Rows for Consents {
    /// GSTIN and username.
    type Cursor = (String, String);
    const NAME: &'static str = "consents";
    const COLUMNS: &'static [&'static str] =
        &["gstin", "username", "state", "granted_at", "refreshed_at", "lapses_at", "ended_at"];

    fn read(
        &mut self,
        reader: &LedgerReader,
        after: Option<&Self::Cursor>,
        limit: usize,
        table: &mut Table,
    ) -> Result<Read<Self::Cursor>, LedgerError> {
        // Before the first user of the one taxpayer stands the empty name.
        let after = after.map(|(gstin, username)| (gstin.as_str(), username.as_str()));
        let after = after.or(self.gstin.as_deref().map(|gstin| (gstin, "")));
        let mut found = reader.consents(&self.aspid, after, limit.saturating_add(1))?;
        if let Some(gstin) = &self.gstin {
            found.retain(|consent| consent.gstin == *gstin);
        }
        let more = found.len() > limit;
        found.truncate(limit);
        for consent in &found {
            table.row(self.row(consent));
        }
        let last = found.last().filter(|_| more);
        let next = last.map(|consent| (consent.gstin.clone(), consent.username.clone()));
        Ok(Read { rows: found.len(), next })
    }
}

impl Consents {
    fn row<'c>(&self, consent: &'c Consent) -> [Cell<'c>; 7] {
        let Consent { gstin, username, granted_at, refreshed_at, lapses_at, ended_at } = consent;
        let time = |at: &Option<Timestamp>| Cell::maybe(at.map(days::written));
        [
            Cell::text(gstin),
            Cell::text(username),
            Cell::text(state(consent, self.now)),
            time(granted_at),
            time(refreshed_at),
            time(lapses_at),
            time(ended_at),
        ]
    }
}

/// Where the session of a taxpayer stands.
fn state(consent: &Consent, now: Timestamp) -> &'static str {
    match (consent.ended_at, consent.lapses_at) {
        (Some(_), _) => "ended",
        (None, Some(lapses_at)) if lapses_at <= now => "lapsed",
        (None, Some(_)) => "live",
        (None, None) => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_live_until_it_lapses_or_is_ended() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let state = |lapses_at, ended_at| {
            let (gstin, username) = (String::new(), String::new());
            let consent =
                Consent { gstin, username, granted_at: at(1), refreshed_at: None, lapses_at, ended_at };
            state(&consent, at(100).unwrap())
        };
        assert_eq!(state(at(101), None), "live");
        assert_eq!(state(at(100), None), "lapsed");
        assert_eq!(state(at(101), at(50)), "ended");
        assert_eq!(state(None, None), "unknown");
    }
}
