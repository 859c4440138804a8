//! The error report of a save: what was refused, as it was sent, and why (gstn.md 3.9, C).

use serde_json::{Map, Value, json};

use super::GstnError;
use super::rows::SentRow;

/// The report on a payload that was refused as a whole.
pub(super) fn flat(error: &GstnError) -> Value {
    json!({ "error_msg": error.message, "error_cd": error.code })
}

/// A report that grows row by row.
#[derive(Debug, Default)]
pub(super) struct ErrorReport(Map<String, Value>);

impl ErrorReport {
    /// One entry for each refused row, even where rows were sent in one group: real reports repeat the group,
    /// with the error beside `ctin`.
    pub(super) fn row(&mut self, sent: &SentRow, error: &GstnError) {
        let table = sent.row.table;
        let mut entry = sent.group.clone();
        if table.list.is_empty() {
            entry.extend(sent.sent.as_object().cloned().unwrap_or_default());
        } else {
            entry.insert(table.list.into(), json!([sent.sent]));
        }
        let entry = with_error(entry, error);
        let section = self
            .0
            .entry(table.section)
            .or_insert_with(|| if table.part.is_empty() { json!([]) } else { json!({}) });
        let list = match section {
            Value::Object(parts) => parts.entry(table.part).or_insert_with(|| json!([])),
            list => list,
        };
        if let Value::Array(entries) = list {
            entries.push(entry);
        }
    }

    /// A section that stands or falls as a whole.
    pub(super) fn section(&mut self, section: &str, sent: &Value, error: &GstnError) {
        let object = sent.as_object().cloned().unwrap_or_default();
        self.0.insert(section.into(), with_error(object, error));
    }

    pub(super) fn into_value(self) -> Option<Value> {
        (!self.0.is_empty()).then_some(Value::Object(self.0))
    }
}

fn with_error(mut entry: Map<String, Value>, error: &GstnError) -> Value {
    entry.insert("error_msg".into(), error.message.clone().into());
    entry.insert("error_cd".into(), error.code.into());
    Value::Object(entry)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::JobStatus;
    use super::super::testing::{Books, CUSTOMER, OPERATOR, b2b, payload};

    /// The shape of a real report: one entry for each invoice, the error beside `ctin`, the invoice as sent.
    #[test]
    fn each_refused_invoice_comes_back_as_it_was_sent() {
        let mut sections = b2b(&json!({"ctin": "33AANCS2882A1ZH", "diff_percent": 100, "flag": "U"}));
        let invoice = sections["b2b"][0]["inv"][0].clone();
        let mut second = invoice.clone();
        second["inum"] = "A/2".into();
        sections["b2b"][0]["inv"].as_array_mut().unwrap().push(second.clone());
        sections["b2b"].as_array_mut().unwrap().push(b2b(&json!({"inum": "A/3"}))["b2b"][0].clone());
        let outcome = Books::new().save_july(&sections);
        assert_eq!(outcome.status, JobStatus::ProcessedWithErrors);
        let entry = |invoice: &Value| {
            json!({"ctin": "33AANCS2882A1ZH", "inv": [invoice], "error_cd": "RET191113",
                "error_msg": "The GSTIN is invalid. Please enter a valid GSTIN."})
        };
        assert_eq!(outcome.error_report, Some(json!({"b2b": [entry(&invoice), entry(&second)]})));
    }

    #[test]
    fn the_entry_has_the_shape_of_its_section() {
        let b2cs = json!({"sply_ty": "INTRA", "pos": "33", "typ": "OE", "rt": 5, "txval": 100, "camt": 2.5, "samt": 2.5});
        let supeco = json!({"etin": CUSTOMER, "suppval": 1, "igst": 0, "cgst": 0, "sgst": 0});
        let fine = json!({"etin": OPERATOR, "suppval": 1, "igst": 0, "cgst": 0, "sgst": 0});
        let doc_issue = json!({"doc_det": [{"doc_num": 1, "docs": [
            {"num": 1, "from": "A", "to": "B", "totnum": 2, "cancel": 0, "net_issue": 1}]}]});
        let outcome = Books::new().save_july(&json!({"b2cs": [b2cs], "supeco": {"clttx": [supeco, fine]},
            "doc_issue": doc_issue}));
        assert_eq!(outcome.status, JobStatus::ProcessedWithErrors);
        let report = outcome.error_report.unwrap();
        for (entry, sent, code) in [
            (&report["b2cs"][0], &b2cs, "RET191178"),
            (&report["supeco"]["clttx"][0], &supeco, "RET191152"),
            (&report["doc_issue"], &doc_issue, "RET191203"),
        ] {
            assert_eq!(entry["error_cd"], code);
            for (key, value) in sent.as_object().unwrap() {
                assert_eq!(&entry[key], value);
            }
        }
        assert_eq!(report["supeco"]["clttx"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_payload_refused_as_a_whole_has_a_flat_report() {
        let outcome = Books::new().save_july(&json!({"b2b": [{}]}));
        assert_eq!(outcome.status, JobStatus::Error);
        assert_eq!(
            outcome.error_report,
            Some(json!({"error_cd": "RET191106",
                "error_msg": "Error in Json structure validation: b2b[0].ctin is missing"}))
        );
        let all_bad = Books::new().save("072025", &payload("072025", &b2b(&json!({"pos": "28"}))));
        assert_eq!(all_bad.status, JobStatus::Error);
        assert_eq!(all_bad.error_report.unwrap()["b2b"][0]["error_cd"], "RET191112");
    }
}
