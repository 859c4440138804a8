//! The whole way of a call: client, gateway, GSTN and back, with nothing in between made up.
#![expect(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod errors;
mod getkey;
mod returns;
mod sessions;

use suvidha_client::{Credentials, Gsp};
use suvidha_testkit::World;

/// A client of `world`'s gateway, with its ASP's token.
fn gsp(world: &World) -> Gsp {
    Gsp::builder(world.gateway_url()).credentials(Credentials::token(world.token.clone())).build().unwrap()
}
