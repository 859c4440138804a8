//! Which entries to read.

use gstn::AspId;
use gstn::catalogue::Origin;
use jiff::Timestamp;
use rusqlite::types::Value;
use uuid::Uuid;

use super::entry::Outcome;

/// Which entries are asked for: those to which all that is given applies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Of this ASP, proven.
    pub aspid: Option<AspId>,
    /// With this GSTIN in the header, as it was sent.
    pub gstin: Option<String>,
    /// Of this API, or of those below it: `taxpayerapi/returns` takes in `taxpayerapi/returns/gstr1`.
    pub api: Option<String>,
    /// With this action.
    pub action: Option<String>,
    /// With this error.
    pub error_cd: Option<String>,
    /// With an error that lies there.
    pub origin: Option<Origin>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// Answered with this HTTP status.
    pub status: Option<u16>,
    /// With this transaction id.
    pub txn: Option<String>,
    /// With this request id.
    pub id: Option<Uuid>,
    /// Begun at this instant or later.
    pub from: Option<Timestamp>,
    /// Begun before this instant.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// The conditions but for the place, as SQL after `WHERE`, and what stands for its question marks.
    pub(super) fn conditions(&self) -> (String, Vec<Value>) {
        let mut sql = String::from("1");
        let mut values = Vec::new();
        let text = |text: &Option<String>| text.clone().map(Value::Text);
        for (column, value) in [
            ("aspid", self.aspid.map(|aspid| Value::Text(aspid.as_str().to_owned()))),
            ("gstin", text(&self.gstin)),
            ("action", text(&self.action)),
            ("error_cd", text(&self.error_cd)),
            ("origin", self.origin.map(|origin| Value::Text(origin.as_str().to_owned()))),
            ("outcome", self.outcome.map(|outcome| Value::Text(outcome.as_str().to_owned()))),
            ("status", self.status.map(|status| Value::Integer(status.into()))),
            ("txn", text(&self.txn)),
            ("id", self.id.map(|id| Value::Blob(id.as_bytes().to_vec()))),
        ] {
            if let Some(value) = value {
                sql.push_str(&format!(" AND {column} = ?"));
                values.push(value);
            }
        }
        if let Some(api) = &self.api {
            // A zero comes after a slash.
            sql.push_str(" AND (api = ? OR (api > ? AND api < ?))");
            values.extend([api.clone(), format!("{api}/"), format!("{api}0")].map(Value::Text));
        }
        for (sign, at) in [(">=", self.from), ("<", self.until)] {
            if let Some(at) = at {
                sql.push_str(&format!(" AND at {sign} ?"));
                values.push(Value::Integer(at.as_microsecond()));
            }
        }
        (sql, values)
    }
}
