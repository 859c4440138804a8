//! Masters: the products a taxpayer deals in, and those it buys from and sells to. SAVEMASTERS and GETMASTERS.
//!
//! A product is known by its name, a party by its GSTIN and by whether it is supplier or recipient. A row that is sent again
//! replaces the one before; `actionFlag` D takes it away. Rows that cannot be taken come back in lists of their
//! own, with a reason; the others are kept.

use gstn::Gstin;
use http::Method;
use rusqlite::{Connection, Transaction, params};
use serde_json::{Map, Value, json};

use crate::amounts::Amount;
use crate::auth::{invalid_session, required};
use crate::call::{Call, Resource};
use crate::fault::Fault;
use crate::payload;
use crate::respond::Answer;
use crate::returns::{no_record, own_gstin};
use crate::routes::not_here;
use crate::sessions;
use crate::simulator::Simulator;
use crate::taxpayers;

const PRODUCT: &str = "product";
const PARTY: &str = "party";

/// Creates the table, unless it is there.
pub(crate) fn create_table(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS masters (
             gstin TEXT NOT NULL,
             kind TEXT NOT NULL,               -- product or party
             key TEXT NOT NULL,
             body TEXT NOT NULL,               -- JSON
             PRIMARY KEY (gstin, kind, key)
         ) STRICT, WITHOUT ROWID;",
    )
}

/// `/taxpayerapi/*/usermasters`
pub(crate) fn answer(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let live = simulator.db.read(|tx| sessions::of_call(tx, simulator, client_id, call, invalid_session))?;
    let gstin = &live.taxpayer.gstin;
    let sealed = |told: &Value| Answer::sealed(&simulator.seam, &live.session.sek, told);
    if call.method == Method::GET {
        if call.query("action") != Some("GETMASTERS") {
            return Err(not_here(call, resource, call.query("action")));
        }
        own_gstin(&live, call)?;
        let told = simulator.db.read(|tx| kept(tx, gstin))?;
        return told.map(|told| sealed(&told)).ok_or_else(no_record);
    }
    let request = payload::envelope(call)?;
    match request.action_or(call.query("action")) {
        Some("SAVEMASTERS") => {
            let sent = payload::open(&request, &live.session.sek, true)?.json;
            let named = required(sent.get("userGstin").and_then(Value::as_str), "userGstin")?;
            if !named.eq_ignore_ascii_case(gstin.as_str()) {
                return Err(sessions::unauthorized());
            }
            simulator.db.write(|tx| save(tx, gstin, &sent)).map(|told| sealed(&told))
        }
        action => Err(not_here(call, resource, action)),
    }
}

/// A row that cannot be taken: what it said, a code and a reason.
fn refused(row: &Value, keys: &[&str], code: &str, message: &str) -> Value {
    let mut told: Map<String, Value> =
        keys.iter().filter_map(|key| Some(((*key).to_owned(), row.get(*key)?.clone()))).collect();
    told.insert("errCd".into(), code.into());
    told.insert("errMsg".into(), message.into());
    Value::Object(told)
}

fn save(tx: &Transaction<'_>, gstin: &Gstin, sent: &Value) -> Result<Value, Fault> {
    let rows = |name: &str| sent.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let (mut products_refused, mut parties_refused) = (Vec::new(), Vec::new());
    for row in rows("productsMasters") {
        match product(row) {
            Ok((key, body)) => put(tx, gstin, PRODUCT, &key, row, &body)?,
            Err((code, message)) => {
                products_refused.push(refused(row, &["productName", "hsn", "igst"], code, message));
            }
        }
    }
    for row in rows("supplierRecipientMasters") {
        match party(row) {
            Ok((key, body)) => put(tx, gstin, PARTY, &key, row, &body)?,
            Err((code, message)) => {
                let keys = ["gstin", "supplierRecipientName", "supplierRecipientFlag"];
                parties_refused.push(refused(row, &keys, code, message));
            }
        }
    }
    let mut told = kept(tx, gstin)?.unwrap_or_else(|| json!({ "userGstin": gstin.as_str() }));
    told["productsWithError"] = products_refused.into();
    told["supplierRecipientsWithError"] = parties_refused.into();
    Ok(told)
}

type Taken = Result<(String, Value), (&'static str, &'static str)>;

fn product(row: &Value) -> Taken {
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    let (name, hsn) = (text("productName"), text("hsn"));
    if name.is_empty() {
        return Err(("RET191194", "HSN or Description is mandatory"));
    }
    if !(2..=8).contains(&hsn.len()) || !hsn.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(("RET191349", "HSN is invalid"));
    }
    let igst = row.get("igst").filter(|rate| rate.is_number()).map(Amount::read);
    let Some(igst) = igst.filter(|rate| (0..=10_000).contains(&rate.hundredths())) else {
        return Err(("RET191175", "Rate is not in the rate list"));
    };
    let half = Amount::from_hundredths(igst.hundredths() / 2).to_json();
    let body = json!({
        "productName": name, "hsn": hsn, "uqc": text("uqc"), "igst": igst.to_json(), "cgst": half, "sgst": half,
    });
    Ok((name.to_uppercase(), body))
}

fn party(row: &Value) -> Taken {
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    let Ok(gstin) = text("gstin").to_ascii_uppercase().parse::<Gstin>() else {
        return Err(("RET191113", "The GSTIN is invalid. Please enter a valid GSTIN."));
    };
    let flag = text("supplierRecipientFlag");
    let body = json!({
        "gstin": gstin.as_str(), "supplierRecipientName": text("supplierRecipientName"),
        "supplierRecipientFlag": flag,
    });
    Ok((format!("{gstin} {flag}"), body))
}

fn put(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    kind: &str,
    key: &str,
    row: &Value,
    body: &Value,
) -> rusqlite::Result<()> {
    if row.get("actionFlag").and_then(Value::as_str) == Some("D") {
        tx.prepare_cached("DELETE FROM masters WHERE gstin = ?1 AND kind = ?2 AND key = ?3")?
            .execute(params![gstin.as_str(), kind, key])?;
    } else {
        tx.prepare_cached("INSERT OR REPLACE INTO masters VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            gstin.as_str(),
            kind,
            key,
            body.to_string()
        ])?;
    }
    Ok(())
}

/// All that a taxpayer keeps; none when that is nothing.
fn kept(conn: &Connection, gstin: &Gstin) -> rusqlite::Result<Option<Value>> {
    let rows = |kind: &str| -> rusqlite::Result<Vec<Value>> {
        let mut select =
            conn.prepare_cached("SELECT body FROM masters WHERE gstin = ?1 AND kind = ?2 ORDER BY key")?;
        let bodies = select.query_map(params![gstin.as_str(), kind], |row| row.get::<_, String>(0))?;
        bodies.map(|body| Ok(serde_json::from_str(&body?).unwrap_or_default())).collect()
    };
    let (products, mut parties) = (rows(PRODUCT)?, rows(PARTY)?);
    if products.is_empty() && parties.is_empty() {
        return Ok(None);
    }
    for party in &mut parties {
        let known = party["gstin"].as_str().and_then(|gstin| gstin.parse::<Gstin>().ok());
        let Some(known) = known.map(|gstin| taxpayers::by_gstin(conn, &gstin, "")).transpose()?.flatten()
        else {
            continue;
        };
        party["legalName"] = known.legal_name.into();
        party["tradeName"] = known.trade_name.into();
        party["registrationStatus"] = known.status.as_str().into();
        party["taxpayerType"] = known.scheme.duty_type().into();
    }
    Ok(Some(json!({
        "userGstin": gstin.as_str(), "productsMasters": products, "supplierRecipientMasters": parties,
    })))
}
