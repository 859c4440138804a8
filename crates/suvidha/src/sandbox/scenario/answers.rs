//! What the parties of a scenario were told, written down: two plays of one seed can be held against each other.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::file::Step;
use super::wire::Outcome;
use crate::exit::{Exit, Failure};

/// What is another each time: the numbers of jobs, which depend on how often a job was asked about before, and instants of the
/// real clock.
const BY_CHANCE: [&str; 5] = ["reference_id", "ref_id", "int_tran_id", "created_at", "real_now"];

/// A line of JSON for each step that is answered; nothing unless a file is wanted.
pub(super) struct Answers(Option<(BufWriter<File>, PathBuf)>);

impl Answers {
    /// Makes the file, or empties it.
    pub(super) fn to(file: Option<&Path>) -> Result<Self, Failure> {
        let made = file.map(|file| {
            let made = File::create(file).map_err(|e| {
                Failure::io(Exit::CannotCreate, format_args!("cannot create {}", file.display()), &e)
            })?;
            Ok((BufWriter::new(made), file.to_owned()))
        });
        made.transpose().map(Self)
    }

    /// Writes down what came of a step.
    pub(super) fn note(&mut self, place: &str, step: &Step, outcome: &Outcome) -> Result<(), Failure> {
        let Some((out, file)) = &mut self.0 else { return Ok(()) };
        let told = match outcome {
            // Of a log-in, of a variable.
            Outcome::Answered(Value::Null) => return Ok(()),
            Outcome::Answered(answer) => json!({ "answer": without_chance(answer) }),
            Outcome::Refused { code, message } => json!({ "error": code, "message": message }),
            Outcome::Lost(_) => json!({ "lost": true }),
        };
        let mut line = Map::from_iter([("step".to_owned(), Value::from(place))]);
        line.extend(
            step.call.as_deref().or(step.manage.as_deref()).map(|call| ("call".to_owned(), call.into())),
        );
        line.extend(told.as_object().cloned().into_iter().flatten());
        writeln!(out, "{}", Value::Object(line)).map_err(|e| cannot_write(file, &e))
    }

    /// Sees to it that all is in the file.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        match &mut self.0 {
            Some((out, file)) => out.flush().map_err(|e| cannot_write(file, &e)),
            None => Ok(()),
        }
    }
}

fn cannot_write(file: &Path, error: &std::io::Error) -> Failure {
    Failure::io(Exit::Io, format_args!("cannot write {}", file.display()), error)
}

fn without_chance(answer: &Value) -> Value {
    match answer {
        Value::Object(members) => {
            let told = members.iter().filter(|(name, _)| !BY_CHANCE.contains(&name.as_str()));
            Value::Object(told.map(|(name, value)| (name.clone(), without_chance(value))).collect())
        }
        Value::Array(items) => items.iter().map(without_chance).collect(),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn answers_are_written_down_but_for_what_is_chance() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("answers.jsonl");
        let mut answers = Answers::to(Some(&file)).unwrap();
        let step = Step { call: Some("GET returns/ims REQSTS".to_owned()), ..Step::default() };
        let told =
            json!({"status_cd": "P", "reference_id": "7", "jobs": [{"reference_id": "8", "form": "R1"}]});
        answers.note("step 1", &step, &Outcome::Answered(told)).unwrap();
        answers.note("step 2", &Step::default(), &Outcome::Answered(Value::Null)).unwrap();
        let refused = Outcome::Refused { code: "RET13510".into(), message: "none".into() };
        answers.note("step 3", &Step::default(), &refused).unwrap();
        answers.end().unwrap();
        let expected = [
            json!({"step": "step 1", "call": "GET returns/ims REQSTS",
                   "answer": {"status_cd": "P", "jobs": [{"form": "R1"}]}}),
            json!({"step": "step 3", "error": "RET13510", "message": "none"}),
        ];
        let written = fs::read_to_string(&file).unwrap();
        let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, expected);
        assert!(Answers::to(Some(&dir.path().join("nowhere/answers"))).is_err());
        Answers::to(None).unwrap().note("step 1", &step, &refused).unwrap();
    }
}
