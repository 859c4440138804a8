//! HTTP/1.1 as a client speaks it: what a request looks like on the wire, and what the bytes of an answer mean.
//!
//! It is ours and not a library's because a call drives its connection itself, in its own task, and because what it does
//! per call is little. Nothing in here reads from a connection or knows what GSTN is: `exchange.rs` does. What an answer's
//! bytes mean does not depend on how they arrive; where an answer could be read in two ways, it is refused.

mod body;
mod head;
mod outgoing;

pub(super) use self::body::{Framing, Next};
pub(crate) use self::head::Lines;
pub(super) use self::head::{Head, HeadReader, Malformed};
pub(super) use self::outgoing::Fault;
pub(crate) use self::outgoing::Outgoing;
