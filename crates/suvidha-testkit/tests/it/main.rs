//! The whole way of a call: client, gateway, GSTN and back, with nothing in between made up.
#![expect(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod errors;
mod files;
mod getkey;
mod returns;
mod sdk;
mod sessions;
mod stories;
mod typed;

use suvidha_client::{Credentials, Gsp, GspBuilder, SigningKey};
use suvidha_testkit::{EnrolledAsp, World};

/// A client of `world`'s gateway, with its ASP's token.
fn gsp(world: &World) -> Gsp {
    Gsp::builder(world.gateway_url()).credentials(Credentials::token(world.token.clone())).build().unwrap()
}

/// A client of the gateway that proves by GetKey to be `asp`, and goes by the world's clock.
fn by_getkey(world: &World, asp: &EnrolledAsp) -> GspBuilder {
    let key = SigningKey::from_pkcs8_der(asp.key.pkcs8_der()).unwrap();
    let credentials = Credentials::getkey(asp.aspid.as_str(), asp.secret.clone(), key);
    Gsp::builder(world.url(asp.environment)).credentials(credentials).seam(world.seam())
}
