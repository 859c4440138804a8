//! A client id and secret: how ASPs identified themselves before tokens, and customers of the Karvy GSP still do.

use gstn::headers::{CLIENT_ID, CLIENT_SECRET, KARVY_CLIENT_ID, KARVY_CLIENT_SECRET};
use http::HeaderMap;

use super::{Principal, Scene, judged, text};
use crate::error::{Error, Kind};

/// A pair, as sent.
pub(super) struct ClientCredentials<'a> {
    id: &'a str,
    secret: &'a str,
}

impl ClientCredentials<'_> {
    /// Whose they are.
    pub(super) fn judge(&self, scene: Scene<'_>) -> Result<Principal, Error> {
        let Scene { environment, snapshot, now } = scene;
        let lookup = snapshot.by_client_credentials(environment, self.id, self.secret, now);
        judged(lookup, Kind::UnknownClientCredentials)
    }
}

const PAIRS: [(&str, &str); 2] = [(CLIENT_ID, CLIENT_SECRET), (KARVY_CLIENT_ID, KARVY_CLIENT_SECRET)];

/// The pairs of a request, under either name. Half a pair counts as none.
pub(super) fn presented(headers: &HeaderMap) -> [Option<ClientCredentials<'_>>; 2] {
    PAIRS.map(|(id, secret)| {
        Some(ClientCredentials { id: text(headers, id)?, secret: text(headers, secret)? })
    })
}

/// Of half a pair: the header that is there, and the one that is not.
pub(super) fn half(headers: &HeaderMap) -> Option<(&'static str, &'static str)> {
    let halves = PAIRS.into_iter().flat_map(|(id, secret)| [(id, secret), (secret, id)]);
    halves
        .into_iter()
        .find(|(there, missing)| text(headers, there).is_some() && text(headers, missing).is_none())
}
