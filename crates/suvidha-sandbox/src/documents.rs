//! Documents that a taxpayer uploads, and gets back as they were: DOCUPLOAD, DOCSTATUS, DOCDOWNLOAD.

use gstn::Gstin;
use gstn::crypto::base64;
use http::Method;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

use crate::auth::{invalid_session, required};
use crate::call::{Call, Resource};
use crate::fault::Fault;
use crate::payload;
use crate::respond::Answer;
use crate::returns::own_gstin;
use crate::routes::not_here;
use crate::sessions::{self, LiveSession};
use crate::simulator::Simulator;

/// Creates the table, unless it is there.
pub(crate) fn create_table(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS documents (
             doc_id TEXT PRIMARY KEY,
             gstin TEXT NOT NULL,
             content_type TEXT NOT NULL,
             name TEXT NOT NULL,
             content TEXT NOT NULL             -- base64
         ) STRICT, WITHOUT ROWID;",
    )
}

/// `/taxpayerapi/*/document`
pub(crate) fn answer(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let live = simulator.db.read(|tx| sessions::of_call(tx, simulator, client_id, call, invalid_session))?;
    if call.method == Method::GET {
        let action = call.query("action");
        let told = match action {
            // All that is known of this answer is that it is a status: a document that was taken is there.
            Some("DOCSTATUS") => find(simulator, &live, call).map(|_| json!({ "status_cd": "1" }))?,
            Some("DOCDOWNLOAD") => find(simulator, &live, call)?,
            action => return Err(not_here(call, resource, action)),
        };
        return Ok(Answer::sealed(&simulator.seam, &live.session.sek, &told));
    }
    let request = payload::envelope(call)?;
    match request.action_or(call.query("action")) {
        Some("DOCUPLOAD") => {
            let opened = payload::open(&request, &live.session.sek, true)?;
            let doc_id = keep(simulator, &live.taxpayer.gstin, &opened.json)?;
            Ok(Answer::sealed(&simulator.seam, &live.session.sek, &json!({ "doc_id": doc_id })))
        }
        action => Err(not_here(call, resource, action)),
    }
}

/// Keeps a document and gives its id: fifteen digits, as long as the schemas allow.
fn keep(simulator: &Simulator, gstin: &Gstin, sent: &Value) -> Result<String, Fault> {
    let text = |name: &str| required(sent.get(name).and_then(Value::as_str), name);
    let (content_type, name, content) = (text("ct")?, text("doc_nam")?, text("data")?);
    if base64::decode_strict(content).is_err() {
        return Err(Fault::new("RET191103", "Corrupted Data or File"));
    }
    let drawn = u64::from_be_bytes(simulator.seam.random());
    let doc_id = format!("{:015}", drawn % 1_000_000_000_000_000);
    simulator.db.write(|tx| -> rusqlite::Result<()> {
        tx.prepare_cached("INSERT INTO documents VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            doc_id,
            gstin.as_str(),
            content_type,
            name,
            content
        ])?;
        Ok(())
    })?;
    Ok(doc_id)
}

/// The taxpayer's document of the id asked for; RET13508 when there is none.
fn find(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Value, Fault> {
    own_gstin(live, call)?;
    let doc_id = required(call.query("doc_id"), "doc_id")?;
    let found = simulator.db.read(|tx| {
        tx.prepare_cached(
            "SELECT content_type, content, name FROM documents WHERE doc_id = ?1 AND gstin = ?2",
        )?
        .query_row(params![doc_id, live.taxpayer.gstin.as_str()], |row| {
            let text = |column: usize| row.get::<_, String>(column);
            Ok(json!({ "ct": text(0)?, "data": text(1)?, "doc_nam": text(2)? }))
        })
        .optional()
    })?;
    found.ok_or_else(|| Fault::new("RET13508", "No Details Found for the Provided Inputs"))
}
