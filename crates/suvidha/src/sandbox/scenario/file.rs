//! A scenario file: parties, variables, templates of documents, blocks of steps, and the steps.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::exit::{Exit, Failure};
use crate::sandbox::control::read_tree;

/// All of a scenario.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    /// What it is called.
    pub(super) name: String,
    /// What it shows, for people.
    #[serde(default, rename = "about")]
    _about: String,
    /// Where the tax clock stands at the beginning, at a standstill; where it is when left out.
    pub(super) clock: Option<String>,
    /// Variables, for `${name}`.
    #[serde(default)]
    pub(super) vars: BTreeMap<String, Value>,
    /// The taxpayers, by the names that the steps call them: each as the management port makes it.
    #[serde(default)]
    pub(super) parties: BTreeMap<String, Value>,
    /// Pieces of payloads, for `{ template = "name", … }`.
    #[serde(default)]
    pub(super) templates: BTreeMap<String, Value>,
    /// Steps under a name, for `play`.
    #[serde(default)]
    pub(super) blocks: BTreeMap<String, Vec<Step>>,
    pub(super) steps: Vec<Step>,
}

/// One step: what it does, and what comes of it. Exactly one of the first group.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Step {
    /// Logs parties in.
    pub(super) login: Option<Names>,
    /// Sets the tax clock, `2026-04-14`, or moves it, `+3 days`.
    pub(super) clock: Option<String>,
    /// Saves a form and waits until GSTN is done with it.
    pub(super) save: Option<Save>,
    /// Files a return as it is saved: reads the summary, signs it by EVC, files. A GSTR-1 proceeds to file before.
    pub(super) file: Option<File>,
    /// Calls an API of GSTN: `GET returns/gstr1 B2B`.
    pub(super) call: Option<String>,
    /// Calls the management port: `POST /faults`.
    pub(super) manage: Option<String>,
    /// Gives variables values.
    #[serde(rename = "let")]
    pub(super) assign: Option<Map<String, Value>>,
    /// Takes the steps below once for each of the values, the lists in step with each other.
    pub(super) each: Option<BTreeMap<String, Value>>,
    /// Takes the steps of a block.
    pub(super) play: Option<String>,

    /// Who does it.
    #[serde(rename = "as")]
    pub(super) party: Option<String>,
    /// A word for people.
    pub(super) note: Option<String>,
    /// Of a call: its tax period.
    pub(super) period: Option<String>,
    /// Of a call: more of its query.
    pub(super) query: Map<String, Value>,
    /// Of a call: more of its headers.
    pub(super) headers: Map<String, Value>,
    /// Of a call: what is encrypted in its body.
    pub(super) payload: Option<Value>,
    /// Of a call of the management: its body.
    pub(super) body: Option<Value>,
    /// Of a call: sign it by EVC for this form, such as `R3B`.
    pub(super) sign: Option<String>,
    /// Of a call that is answered with a reference id: wait for the job, whose end this is: P, PE or ER.
    pub(super) job: Option<String>,
    /// Of a call: call again until the answer is this.
    pub(super) until: BTreeMap<String, Value>,
    /// Of `play`: variables for it.
    pub(super) with: Map<String, Value>,
    /// Of `each`.
    pub(super) steps: Vec<Step>,

    /// The answer, by JSON pointer.
    pub(super) expect: BTreeMap<String, Value>,
    /// The code with which GSTN refuses.
    pub(super) error: Option<String>,
    /// The HTTP status with which the management refuses.
    pub(super) status: Option<u16>,
    /// No answer of GSTN's comes back.
    pub(super) lost: bool,
    /// Variables that take values from the answer, by JSON pointer.
    pub(super) keep: BTreeMap<String, String>,
}

/// One name, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Names {
    One(String),
    Several(Vec<String>),
}

impl Names {
    pub(super) fn list(&self) -> Vec<&str> {
        match self {
            Self::One(name) => vec![name],
            Self::Several(names) => names.iter().map(String::as_str).collect(),
        }
    }
}

/// What is saved.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Save {
    /// Without `gstin` and the period, which are added.
    pub(super) payload: Value,
    pub(super) period: String,
    #[serde(default)]
    pub(super) form: SavedForm,
}

/// A form that is saved with RETSAVE.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SavedForm {
    #[default]
    Gstr1,
    Gstr3b,
}

/// What is filed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) period: String,
    #[serde(default)]
    pub(super) form: SavedForm,
    /// Of a GSTR-1: nothing was supplied.
    #[serde(default)]
    pub(super) nil: bool,
}

impl Step {
    /// How many things it says to do.
    fn deeds(&self) -> usize {
        [
            self.login.is_some(),
            self.clock.is_some(),
            self.save.is_some(),
            self.file.is_some(),
            self.call.is_some(),
            self.manage.is_some(),
            self.assign.is_some(),
            self.each.is_some(),
            self.play.is_some(),
        ]
        .into_iter()
        .filter(|there| *there)
        .count()
    }

    fn check(&self, place: &str) -> Result<(), String> {
        if self.deeds() != 1 {
            return Err(format!(
                "{place}: a step does exactly one of login, clock, save, file, call, manage, let, each, play"
            ));
        }
        if self.each.is_some() == self.steps.is_empty() {
            return Err(format!("{place}: `each` and `steps` go together"));
        }
        if self.file.as_ref().is_some_and(|file| file.nil && file.form == SavedForm::Gstr3b) {
            return Err(format!(
                "{place}: `nil` is of a GSTR-1; a GSTR-3B is nil when nothing is saved in it"
            ));
        }
        check_all(&self.steps, place)
    }
}

fn check_all(steps: &[Step], place: &str) -> Result<(), String> {
    (1..).zip(steps).try_for_each(|(number, step)| step.check(&format!("{place}.{number}")))
}

impl Script {
    pub(super) fn read(file: &PathBuf) -> Result<Self, Failure> {
        let wrong = |what: String| Failure::new(Exit::Data, format_args!("{}: {what}", file.display()));
        let script: Self = serde_json::from_value(read_tree(file)?).map_err(|e| wrong(e.to_string()))?;
        check_all(&script.steps, "step").map_err(wrong)?;
        for (name, steps) in &script.blocks {
            check_all(steps, &format!("block {name}")).map_err(wrong)?;
        }
        Ok(script)
    }

    /// Gives variables of the file other values: `months=12`. A text stays a text, anything else is read as JSON.
    pub(super) fn set(&mut self, changes: &[String]) -> Result<(), Failure> {
        let wrong = |what: String| Failure::new(Exit::Usage, format_args!("--set {what}"));
        for change in changes {
            let (name, value) =
                change.split_once('=').ok_or_else(|| wrong(format!("{change}: NAME=VALUE is wanted")))?;
            let stands = self
                .vars
                .get_mut(name)
                .ok_or_else(|| wrong(format!("{change}: the scenario has no variable {name:?}")))?;
            *stands = match stands {
                Value::String(_) => value.into(),
                _ => serde_json::from_str(value).map_err(|e| wrong(format!("{change}: {e}")))?,
            };
        }
        Ok(())
    }
}
