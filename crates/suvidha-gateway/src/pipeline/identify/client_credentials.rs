//! A client id and secret: how ASPs identified themselves before tokens, and customers of the Karvy GSP still do.

use gstn::headers::{CLIENT_ID, CLIENT_SECRET, KARVY_CLIENT_ID, KARVY_CLIENT_SECRET};
use http::HeaderMap;

/// A pair, as sent.
pub(super) struct ClientCredentials<'a> {
    pub(super) id: &'a str,
    pub(super) secret: &'a str,
}

const PAIRS: [(&str, &str); 2] = [(CLIENT_ID, CLIENT_SECRET), (KARVY_CLIENT_ID, KARVY_CLIENT_SECRET)];

/// The pairs of a request, under either name. Half a pair counts as none.
pub(super) fn presented(headers: &HeaderMap) -> [Option<ClientCredentials<'_>>; 2] {
    PAIRS.map(|(id, secret)| {
        Some(ClientCredentials { id: read(headers, id)?, secret: read(headers, secret)? })
    })
}

/// Of half a pair: the header that is there, and the one that is not.
pub(super) fn half(headers: &HeaderMap) -> Option<(&'static str, &'static str)> {
    let halves = PAIRS.into_iter().flat_map(|(id, secret)| [(id, secret), (secret, id)]);
    halves
        .into_iter()
        .find(|(there, missing)| read(headers, there).is_some() && read(headers, missing).is_none())
}

fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
}
