//! A client id and secret: how ASPs identified themselves before tokens, and customers of the Karvy GSP still do.

use super::{Principal, Scene, judged};
use crate::error::{Error, Kind};
use crate::pipeline::head::{Head, Header};

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

const PAIRS: [(Header, Header); 2] =
    [(Header::ClientId, Header::ClientSecret), (Header::KarvyClientId, Header::KarvyClientSecret)];

/// The pairs of a request, under either name. Half a pair counts as none.
pub(super) fn presented<'h>(head: &Head<'h>) -> [Option<ClientCredentials<'h>>; 2] {
    PAIRS.map(|(id, secret)| Some(ClientCredentials { id: head.text(id)?, secret: head.text(secret)? }))
}

/// Of half a pair: the header that is there, and the one that is not.
pub(super) fn half(head: &Head<'_>) -> Option<(&'static str, &'static str)> {
    let halves = PAIRS.into_iter().flat_map(|(id, secret)| [(id, secret), (secret, id)]);
    halves
        .into_iter()
        .find(|(there, missing)| head.text(*there).is_some() && head.text(*missing).is_none())
        .map(|(there, missing)| (there.name(), missing.name()))
}
