//! VALID: where a return differs from what GSTN has drawn for it.

use serde_json::Value;

/// What GSTN says of a return that was compared with what it has drawn.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Validation {
    /// `isValid`: nothing differs.
    pub valid: bool,
    /// `error_message`, where there is something to say.
    pub message: String,
    /// The cells that differ.
    pub differences: Vec<DifferentCell>,
    /// GSTN's answer as it came.
    pub raw: Value,
}

/// A cell that differs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DifferentCell {
    /// The table, such as `sup_details`.
    pub table: String,
    /// The cell, such as `osup_3_1a`.
    pub cell: String,
    /// `pos`: in Table 3.2, the code of the state.
    pub place_of_supply: Option<String>,
    /// `error_fields`: what of it differs, such as `txval`.
    pub fields: Vec<String>,
}

impl Validation {
    pub(super) fn new(raw: Value) -> Self {
        let text = |key: &str| raw.get(key).and_then(Value::as_str).unwrap_or_default().trim();
        let mut differences = Vec::new();
        for (table, cells) in raw.as_object().into_iter().flatten() {
            for (cell, found) in cells.as_object().into_iter().flatten() {
                let rows = found.as_array().map_or(std::slice::from_ref(found), Vec::as_slice);
                differences.extend(rows.iter().filter_map(|row| different(table, cell, row)));
            }
        }
        let valid = matches!(text("isValid"), "Y" | "y" | "true") || raw["isValid"] == true;
        Self { valid, message: text("error_message").to_owned(), differences, raw }
    }
}

fn different(table: &str, cell: &str, row: &Value) -> Option<DifferentCell> {
    let fields: Vec<String> =
        row.get("error_fields")?.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    Some(DifferentCell {
        table: table.to_owned(),
        cell: cell.to_owned(),
        place_of_supply: row.get("pos").and_then(Value::as_str).map(str::to_owned),
        fields,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_cell_that_differs_is_told() {
        let told = Validation::new(
            json!({"gstin": "g", "isValid": "N", "error_message": "Some values differ",
            "sup_details": {"osup_3_1a": {"error_fields": ["txval", "iamt"]}},
            "inter_sup": {"osup_unreg_3_2": [{"pos": "29", "error_fields": ["iamt"]}, {"pos": "27", "error_fields": ["txval"]}]}}),
        );
        let shown: Vec<_> = told
            .differences
            .iter()
            .map(|cell| {
                format!("{} {:?} {}", cell.cell, cell.place_of_supply.as_deref(), cell.fields.join("+"))
            })
            .collect();
        let expected = [
            "osup_unreg_3_2 Some(\"29\") iamt",
            "osup_unreg_3_2 Some(\"27\") txval",
            "osup_3_1a None txval+iamt",
        ];
        assert_eq!((told.valid, told.message.as_str()), (false, "Some values differ"));
        assert!(
            shown.len() == 3 && expected.iter().all(|cell| shown.iter().any(|shown| shown == cell)),
            "{shown:?}"
        );
        assert!(Validation::new(json!({"isValid": "Y"})).valid && !Validation::new(Value::Null).valid);
    }
}
