//! The sandbox as its callers meet it: real HTTP, real cryptography, a clock that is moved by hand.

mod field;
mod filing;
mod http;
mod login;
mod management;
mod public;
mod restart;
mod saves;
mod strangers;
mod taxpayer;
mod world;
