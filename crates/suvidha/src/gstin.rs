//! `suvidha gstin check`: what a GSTIN says about itself, without asking anybody.

use gstn::Gstin;
use serde::Serialize;

use crate::cli::GstinCommand;
use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output, table};

/// Runs `suvidha gstin …`.
pub(crate) fn run(command: GstinCommand, output: Output) -> Result<(), Failure> {
    let GstinCommand::Check { gstins } = command;
    let checked = Checked(gstins.iter().map(|text| check(text)).collect());
    output.show(&checked)?;
    match checked.0.iter().filter(|row| !row.valid).count() {
        0 => Ok(()),
        1 if checked.0.len() == 1 => Err(Failure::new(Exit::Data, "it is not a GSTIN")),
        wrong => Err(Failure::new(Exit::Data, format_args!("{wrong} of {} are not GSTINs", checked.0.len()))),
    }
}

#[derive(Serialize)]
struct Checked(Vec<Row>);

#[derive(Serialize)]
struct Row {
    gstin: String,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    parts: Option<Parts>,
}

#[derive(Serialize)]
struct Parts {
    state: &'static str,
    state_name: &'static str,
    kind: gstn::EntityKind,
    #[serde(skip)]
    kind_name: &'static str,
    pan: Option<String>,
}

fn check(text: &str) -> Row {
    match text.parse::<Gstin>() {
        Ok(gstin) => {
            let parts = Parts {
                state: gstin.state().as_str(),
                state_name: gstin.state().name(),
                kind: gstin.kind(),
                kind_name: gstin.kind().name(),
                pan: gstin.pan().map(|pan| pan.as_str().to_owned()),
            };
            Row { gstin: gstin.as_str().to_owned(), valid: true, reason: None, parts: Some(parts) }
        }
        Err(fault) => {
            Row { gstin: text.to_owned(), valid: false, reason: Some(fault.to_string()), parts: None }
        }
    }
}

impl Answer for Checked {
    fn words(&self) -> String {
        let cells = |row: &Row| match &row.parts {
            Some(parts) => [
                row.gstin.clone(),
                "valid".to_owned(),
                format!("{} {}", parts.state, parts.state_name),
                parts.kind_name.to_owned(),
                parts.pan.clone().unwrap_or_else(|| "-".to_owned()),
            ],
            None => [
                row.gstin.clone(),
                format!("wrong: {}", row.reason.as_deref().unwrap_or_default()),
                String::new(),
                String::new(),
                String::new(),
            ],
        };
        let rows: Vec<_> = self.0.iter().map(cells).collect();
        table(["GSTIN", "CHECK", "STATE", "KIND", "PAN"], &rows)
    }
}
