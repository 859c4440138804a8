//! Lists too large for one answer: prepared as files, and fetched one by one.
//!
//! A list that exceeds `files.limit` documents is answered with a token and an estimate. Its files are made behind the
//! caller's back (`make`), in stretches, so that no more than one archive's documents are ever in memory. FILEDET tells
//! where they are (`details`): RTN_24 while they are being made, then addresses that expire, the key `ek` and the hash
//! of each. The GSTN listener serves them (`download`). Everything is in the database: it survives a restart, and a
//! snapshot or a reset takes it along.
//!
//! Whoever answers a list calls [`answer_list`], and teaches `source` to read it.

mod archive;
mod cut;
mod details;
mod download;
mod make;
mod source;
mod store;

use rusqlite::Connection;
use serde_json::json;

use crate::fault::Fault;
use crate::respond::Answer;
use crate::sessions::LiveSession;
use crate::simulator::Simulator;

pub(crate) use details::{details, of_ims, of_return};
pub(crate) use download::download;
pub(crate) use make::work;
pub(crate) use store::{Asked, ListOf};

/// Creates the tables, unless they are there.
pub(crate) fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    store::create_tables(connection)
}

/// Answers a list, or says by which token its files can be asked for. None when there is nothing in the list: what
/// that is called differs by form.
pub(crate) fn answer_list(
    simulator: &Simulator,
    live: &LiveSession,
    asked: &Asked,
) -> Result<Option<Answer>, Fault> {
    let limit = simulator.config.files.limit;
    let first = simulator.db.read(|tx| source::read(tx, simulator, &live.taxpayer, asked, None, limit))?;
    let Some(list) = first.list else { return Ok(None) };
    if first.next.is_none() {
        return Ok(Some(Answer::sealed(&simulator.seam, &live.session.sek, &list)));
    }
    let token = simulator.db.write(|tx| store::queue(tx, simulator, &live.taxpayer.gstin, asked))?;
    simulator.new_list.notify_one();
    let est = simulator.config.files.estimate_minutes.to_string();
    Ok(Some(Answer::sealed(&simulator.seam, &live.session.sek, &json!({ "est": est, "token": token }))))
}
