//! GSTN works on saves in the background: what RETSTATUS says about one, and REQSTS and GENSTS2B of theirs.

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

/// RETSTATUS, REQSTS of IMS, GENSTS2B of GSTR-2B: what has become of a job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReturnStatus {
    /// How far it is.
    pub progress: Progress,
    /// What was asked for, e.g. `SAVE`; of IMS `SAV` or `RST`.
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

/// By what GSTN groups the rows of a section.
const GROUPS: [&str; 4] = ["ctin", "stin", "pos", "exp_typ"];

impl ReturnStatus {
    /// Reads RETSTATUS; `None` if it has no status.
    pub(crate) fn read(raw: Value) -> Option<Self> {
        #[derive(Deserialize)]
        struct Status {
            status_cd: String,
            #[serde(alias = "transTypCd")]
            action: Option<String>,
            #[serde(default)]
            error_report: Value,
            err_cd: Option<String>,
            err_msg: Option<String>,
        }
        let Status { status_cd, action, error_report, err_cd, err_msg } = Status::deserialize(&raw).ok()?;
        let mut refused = refused_rows(&error_report);
        if let Some(code) = err_cd.filter(|code| !code.is_empty()) {
            let message = err_msg.unwrap_or_default();
            refused.insert(0, RefusedRow { code, message, ..RefusedRow::default() });
        }
        Some(Self { progress: Progress::from(status_cd.as_str()), action, refused, raw })
    }
}

/// `{error_cd, error_msg}` for the whole, or per section one entry or a list of entries.
fn refused_rows(report: &Value) -> Vec<RefusedRow> {
    if let Some(whole) = refused_row("", report) {
        return vec![whole];
    }
    let sections = report.as_object().into_iter().flatten();
    sections.flat_map(|(section, entries)| refused_in(section, entries, None)).collect()
}

/// What is refused in an entry or a list of them: each as a whole, or else the rows of it that are.
fn refused_in(section: &str, entry: &Value, group: Option<&str>) -> Vec<RefusedRow> {
    let within = |entries: &[Value], group| -> Vec<RefusedRow> {
        entries.iter().flat_map(|entry| refused_in(section, entry, group)).collect()
    };
    match (refused_row(section, entry), entry) {
        (Some(row), _) => vec![RefusedRow { group: row.group.or(group.map(str::to_owned)), ..row }],
        (None, Value::Array(entries)) => within(entries, group),
        (None, Value::Object(fields)) => {
            let own = GROUPS.iter().find_map(|key| entry.get(*key)?.as_str());
            let lists = fields.values().filter_map(Value::as_array);
            lists.flat_map(|rows| within(rows, own.or(group))).collect()
        }
        _ => Vec::new(),
    }
}

/// None if nothing is said against `entry` itself.
fn refused_row(section: &str, entry: &Value) -> Option<RefusedRow> {
    let text = |value: &Value, key: &str| match value.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let (code, message) = (text(entry, "error_cd"), text(entry, "error_msg"));
    let rows = ["inv", "nt"].iter().filter_map(|key| entry.get(key)?.as_array()).flatten();
    let number = |row: &Value| ["inum", "nt_num"].iter().find_map(|key| text(row, key));
    (code.is_some() || message.is_some()).then(|| RefusedRow {
        section: section.to_owned(),
        code: code.unwrap_or_default(),
        message: message.unwrap_or_default(),
        group: GROUPS.iter().find_map(|key| text(entry, key)),
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
    fn nothing_that_was_refused_is_passed_over_however_it_is_written() {
        let report = json!({
            "b2b": [{"ctin": "27AAPFU0939F1ZV", "inv": [
                {"inum": 1001, "error_cd": 191113, "error_msg": "bad"},
                {"inum": "A2", "error_msg": "without a code", "itms": [{"num": 1}]},
                {"inum": "A3"}]}],
            "b2cs": [{"pos": "29", "error_cd": "RET191250"}],
            "nil": {"inv": [{"sply_ty": "INTRB2B", "error_cd": "RET191300", "error_msg": "worse"}]},
            "hsn": {"data": [{"num": 1}]},
        });
        let refused = ReturnStatus::read(json!({"status_cd": "PE", "error_report": report})).unwrap().refused;
        let shown = |row: &RefusedRow| {
            format!("{} {} {:?} {}", row.section, row.code, row.group.as_deref(), row.documents.join(","))
        };
        let expected = [
            "b2b 191113 Some(\"27AAPFU0939F1ZV\") 1001",
            "b2b  Some(\"27AAPFU0939F1ZV\") A2",
            "b2cs RET191250 Some(\"29\") ",
            "nil RET191300 None ",
        ];
        assert_eq!(refused.iter().map(shown).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_refusal_of_the_whole_is_one_row_without_a_section() {
        let report = json!({"error_cd": "RET191106", "error_msg": "no"});
        let status = ReturnStatus::read(json!({"status_cd": "ER", "error_report": report})).unwrap();
        assert!(status.progress.is_final());
        assert_eq!((status.refused.len(), status.refused[0].section.as_str()), (1, ""));
    }

    #[test]
    fn what_ims_and_gstr2b_refuse_is_read_too() {
        let report = json!({"b2bcn": [{"stin": "27AAPFU0939F1ZV", "error_cd": "IMSSAV0010", "error_msg": "no",
                                       "inv": [{"rtnprd": "042026", "inum": "C1"}]}]});
        let saved = json!({"status_cd": "PE", "transTypCd": "SAV", "proc_cnt": "1", "err_cnt": "1", "error_report": report});
        let status = ReturnStatus::read(saved).unwrap();
        assert_eq!(
            (status.action.as_deref(), status.refused[0].documents.join(",")),
            (Some("SAV"), "C1".to_owned())
        );
        assert_eq!(status.refused[0].group.as_deref(), Some("27AAPFU0939F1ZV"));
        let failed = json!({"status_cd": "ER", "err_cd": "GTR2B-002", "err_msg": "GSTR-3B first"});
        let refused = ReturnStatus::read(failed).unwrap().refused;
        assert_eq!(
            (refused.len(), refused[0].code.as_str(), refused[0].section.as_str()),
            (1, "GTR2B-002", "")
        );
    }

    #[test]
    fn states_without_a_report_are_read_and_nonsense_is_not() {
        assert_eq!(ReturnStatus::read(json!({"status_cd": "IP"})).unwrap().progress, Progress::InProcess);
        let unknown = ReturnStatus::read(json!({"status_cd": "XX"})).unwrap();
        assert!(!unknown.progress.is_final() && unknown.progress.as_str() == "XX");
        assert!(ReturnStatus::read(json!({"reference_id": "1"})).is_none());
    }
}
