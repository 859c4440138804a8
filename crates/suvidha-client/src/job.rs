//! GSTN works on saves in the background: what RETSTATUS says about one.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// How far GSTN is with a save, reset or proceed-to-file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// `REC`: received.
    Received,
    /// `IP`: in process.
    InProcess,
    /// `P`: processed, all of it.
    Processed,
    /// `PE`: processed, but some rows were refused; the others were kept.
    ProcessedWithErrors,
    /// `ER`: refused, nothing was kept.
    Failed,
    /// A code that GSTN did not use so far.
    Other(String),
}

impl Progress {
    /// GSTN's code.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Received => "REC",
            Self::InProcess => "IP",
            Self::Processed => "P",
            Self::ProcessedWithErrors => "PE",
            Self::Failed => "ER",
            Self::Other(code) => code,
        }
    }

    /// Whether GSTN has finished with it, well or badly.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Processed | Self::ProcessedWithErrors | Self::Failed)
    }
}

impl From<&str> for Progress {
    fn from(code: &str) -> Self {
        match code {
            "REC" => Self::Received,
            "IP" => Self::InProcess,
            "P" => Self::Processed,
            "PE" => Self::ProcessedWithErrors,
            "ER" => Self::Failed,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Received => "received",
            Self::InProcess => "in process",
            Self::Processed => "processed",
            Self::ProcessedWithErrors => "processed with errors",
            Self::Failed => "failed",
            Self::Other(code) => code,
        })
    }
}

/// RETSTATUS: what has become of a job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReturnStatus {
    /// How far it is.
    pub progress: Progress,
    /// What was asked for, e.g. `SAVE`.
    pub action: Option<String>,
    /// Why rows, or the whole, were refused.
    pub refused: Vec<RefusedRow>,
    /// GSTN's answer as it came.
    pub raw: Value,
}

/// Something that GSTN refused: a row, a group of rows under one counterparty, or the whole payload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RefusedRow {
    /// The section, e.g. `b2b`; empty where the whole payload was refused.
    pub section: String,
    /// `error_cd`, e.g. `RET191113`.
    pub code: String,
    /// `error_msg`.
    pub message: String,
    /// The counterparty (`ctin`), or what else the group goes by: `pos`, `exp_typ`.
    pub group: Option<String>,
    /// Numbers of the documents concerned.
    pub documents: Vec<String>,
}

impl ReturnStatus {
    /// Reads RETSTATUS; `None` if it has no status.
    pub(crate) fn read(raw: Value) -> Option<Self> {
        #[derive(Deserialize)]
        struct Status {
            status_cd: String,
            action: Option<String>,
            #[serde(default)]
            error_report: Value,
        }
        let Status { status_cd, action, error_report } = Status::deserialize(&raw).ok()?;
        let refused = refused_rows(&error_report);
        Some(Self { progress: Progress::from(status_cd.as_str()), action, refused, raw })
    }
}

/// `{error_cd, error_msg}` for the whole, or per section one entry or a list of entries.
fn refused_rows(report: &Value) -> Vec<RefusedRow> {
    if let Some(whole) = refused_row("", report) {
        return vec![whole];
    }
    let sections = report.as_object().into_iter().flatten();
    sections
        .flat_map(|(section, entries)| {
            let entries = entries.as_array().map_or(std::slice::from_ref(entries), Vec::as_slice);
            entries.iter().filter_map(|entry| refused_row(section, entry)).collect::<Vec<_>>()
        })
        .collect()
}

fn refused_row(section: &str, entry: &Value) -> Option<RefusedRow> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let rows = ["inv", "nt"].iter().filter_map(|key| entry.get(key)?.as_array()).flatten();
    let number = |row: &Value| ["inum", "nt_num"].iter().find_map(|key| text(row, key));
    Some(RefusedRow {
        section: section.to_owned(),
        code: text(entry, "error_cd")?,
        message: text(entry, "error_msg").unwrap_or_default(),
        group: ["ctin", "pos", "exp_typ"].iter().find_map(|key| text(entry, key)),
        documents: rows.filter_map(number).chain(number(entry)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_by_section_becomes_rows() {
        let status = ReturnStatus::read(json!({
            "form_typ": "R1", "status_cd": "PE", "action": "SAVE",
            "error_report": {
                "b2b": [{"ctin": "27AAPFU0939F1ZV", "error_cd": "RET191113", "error_msg": "bad",
                         "inv": [{"inum": "A1"}, {"inum": "A2"}]}],
                "cdnur": [{"nt_num": "N1", "error_cd": "RET191133", "error_msg": "worse"}],
                "hsn": {"data": [], "error_cd": "RET191175", "error_msg": "worst"},
            },
        }))
        .unwrap();
        assert_eq!(status.progress, Progress::ProcessedWithErrors);
        let shown: Vec<_> =
            status.refused.iter().map(|row| (row.section.as_str(), row.documents.join(","))).collect();
        assert_eq!(shown, [("b2b", "A1,A2".to_owned()), ("cdnur", "N1".to_owned()), ("hsn", String::new())]);
        assert_eq!(status.refused[0].group.as_deref(), Some("27AAPFU0939F1ZV"));
    }

    #[test]
    fn a_refusal_of_the_whole_is_one_row_without_a_section() {
        let report = json!({"error_cd": "RET191106", "error_msg": "no"});
        let status = ReturnStatus::read(json!({"status_cd": "ER", "error_report": report})).unwrap();
        assert!(status.progress.is_final());
        assert_eq!((status.refused.len(), status.refused[0].section.as_str()), (1, ""));
    }

    #[test]
    fn states_without_a_report_are_read_and_nonsense_is_not() {
        assert_eq!(ReturnStatus::read(json!({"status_cd": "IP"})).unwrap().progress, Progress::InProcess);
        let unknown = ReturnStatus::read(json!({"status_cd": "XX"})).unwrap();
        assert!(!unknown.progress.is_final() && unknown.progress.as_str() == "XX");
        assert!(ReturnStatus::read(json!({"reference_id": "1"})).is_none());
    }
}
