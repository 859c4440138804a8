//! A client id and secret: how ASPs identified themselves before tokens, and customers of the Karvy GSP still do.

use gstn::headers::{CLIENT_ID, CLIENT_SECRET, KARVY_CLIENT_ID, KARVY_CLIENT_SECRET};
use http::HeaderMap;

/// A pair, as sent.
pub(super) struct ClientCredentials<'a> {
    pub(super) id: &'a str,
    pub(super) secret: &'a str,
}

/// The pairs of a request, under either name. Half a pair counts as none.
pub(super) fn presented(headers: &HeaderMap) -> [Option<ClientCredentials<'_>>; 2] {
    [(CLIENT_ID, CLIENT_SECRET), (KARVY_CLIENT_ID, KARVY_CLIENT_SECRET)].map(|(id, secret)| {
        let read =
            |name: &str| headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty());
        Some(ClientCredentials { id: read(id)?, secret: read(secret)? })
    })
}
