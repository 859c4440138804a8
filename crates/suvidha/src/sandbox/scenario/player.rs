//! Takes the steps of a scenario, one after the other, and stops at the first that goes otherwise than it says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use gstn::Gstin;
use http::Method;
use serde_json::{Map, Value, json};
use suvidha_seam::Seam;

use super::answers::Answers;
use super::expect::{at, difference};
use super::file::{File, Save, SavedForm, Script, Step};
use super::value::{Scope, as_text};
use super::wire::{Call, Outcome, Party, Wire};
use crate::exit::{Exit, Failure};
use crate::sandbox::place::Management;

/// How long GSTN may take for a job before the scenario gives up.
const PATIENCE: Duration = Duration::from_secs(120);
const SHORTEST_REST: Duration = Duration::from_millis(5);
const LONGEST_REST: Duration = Duration::from_millis(500);

/// A scenario that went as it says.
pub(super) struct Played {
    pub(super) steps: usize,
    pub(super) words: String,
}

pub(super) struct Player<'a> {
    script: &'a Script,
    wire: Wire,
    management: Management,
    seam: Seam,
    scope: Scope,
    answers: Answers,
    parties: BTreeMap<String, Party>,
    steps: usize,
    words: String,
}

impl<'a> Player<'a> {
    pub(super) fn new(
        script: &'a Script,
        wire: Wire,
        management: Management,
        seam: Seam,
        answers: Answers,
    ) -> Self {
        let scope = Scope { vars: script.vars.clone(), templates: script.templates.clone() };
        Self {
            script,
            wire,
            management,
            seam,
            scope,
            answers,
            parties: BTreeMap::new(),
            steps: 0,
            words: String::new(),
        }
    }

    pub(super) fn play(mut self) -> Result<Played, Failure> {
        if let Some(clock) = &self.script.clock {
            self.move_clock(clock, true)?;
        }
        for (name, wanted) in &self.script.parties {
            let wanted = self.filled(wanted)?;
            let made =
                self.management.call(&Method::POST, "/taxpayers", Some(&wanted)).map_err(|failure| {
                    Failure { message: format!("party {name}: {}", failure.message), ..failure }
                })?;
            let text = |member: &str| as_text(&made[member]);
            let gstin = Gstin::parse_lenient(&text("gstin"))
                .map_err(|e| Failure::new(Exit::Protocol, format_args!("party {name}: {e}")))?;
            let party = Party { gstin, username: text("username"), otp: text("otp"), session: None };
            let known = json!({
                "gstin": gstin.as_str(), "username": party.username, "pan": party.pan(),
                "state": gstin.state().as_str(), "name": made["legal_name"],
            });
            self.scope.vars.insert(name.clone(), known);
            self.parties.insert(name.clone(), party);
        }
        self.take_all(&self.script.steps, "step")?;
        self.answers.end()?;
        Ok(Played { steps: self.steps, words: self.words })
    }

    fn take_all(&mut self, steps: &[Step], place: &str) -> Result<(), Failure> {
        (1..).zip(steps).try_for_each(|(number, step)| self.take(step, &format!("{place} {number}")))
    }

    /// Takes a step; a failure says where.
    fn take(&mut self, step: &Step, place: &str) -> Result<(), Failure> {
        let note = step.note.as_deref().map(|note| self.scope.text(note)).transpose().map_err(wrong)?;
        let place = note.as_ref().map_or_else(|| place.to_owned(), |note| format!("{place} ({note})"));
        if let Some(lists) = &step.each {
            return self.take_for_each(lists, &step.steps, &place);
        }
        if let Some(name) = &step.play {
            let script = self.script;
            let steps = script
                .blocks
                .get(name)
                .ok_or_else(|| wrong(format!("{place}: there is no block {name:?}")))?;
            self.assign(&step.with)?;
            return self.take_all(steps, &format!("{place}, {name}"));
        }
        self.steps += 1;
        let taken = self.deed(step).and_then(|outcome| {
            self.answers.note(&place, step, &outcome)?;
            self.judge(step, outcome)
        });
        taken.map_err(|failure| Failure { message: format!("{place}: {}", failure.message), ..failure })?;
        if let Some(note) = note {
            // Writing to a String cannot fail.
            let _ = writeln!(self.words, "{note}");
        }
        Ok(())
    }

    fn take_for_each(
        &mut self,
        lists: &BTreeMap<String, Value>,
        steps: &[Step],
        place: &str,
    ) -> Result<(), Failure> {
        let mut filled = Vec::new();
        for (name, list) in lists {
            match self.filled(list)? {
                Value::Array(items) => filled.push((name.clone(), items)),
                other => return Err(wrong(format!("{place}: {name} should be a list, not {other}"))),
            }
        }
        let rounds = filled.iter().map(|(_, items)| items.len()).min().unwrap_or(0);
        if filled.iter().any(|(_, items)| items.len() != rounds) {
            return Err(wrong(format!("{place}: the lists of `each` have different lengths")));
        }
        for round in 0..rounds {
            let mut told = Vec::new();
            for (name, items) in &filled {
                told.push(match &items[round] {
                    Value::Object(_) | Value::Array(_) => format!("{name} {}", round + 1),
                    plain => format!("{name}={}", as_text(plain)),
                });
                self.scope.vars.insert(name.clone(), items[round].clone());
            }
            self.take_all(steps, &format!("{place}, {}", told.join(" ")))?;
        }
        Ok(())
    }

    fn deed(&mut self, step: &Step) -> Result<Outcome, Failure> {
        if let Some(names) = &step.login {
            return self.log_in(&names.list());
        }
        if let Some(clock) = &step.clock {
            return self.move_clock(clock, false).map(Outcome::Answered);
        }
        if let Some(values) = &step.assign {
            self.assign(values)?;
            return Ok(Outcome::Answered(Value::Null));
        }
        if let Some(save) = &step.save {
            return self.save(step, save);
        }
        if let Some(file) = &step.file {
            return self.file(step, file);
        }
        if let Some(call) = &step.call {
            return self.call(step, call);
        }
        match &step.manage {
            Some(manage) => self.manage(step, manage),
            None => Err(wrong("the step does nothing")),
        }
    }

    /// Holds what came of a step against what it says, and keeps what it wants kept.
    fn judge(&mut self, step: &Step, outcome: Outcome) -> Result<(), Failure> {
        let refused = |what: String| Failure::new(Exit::Refused, what);
        let answer = match (outcome, &step.error) {
            (Outcome::Lost(_), _) if step.lost => return Ok(()),
            (Outcome::Lost(why), _) => return Err(refused(format!("no answer came back: {why}"))),
            (other, _) if step.lost => return Err(refused(format!("an answer came back: {other:?}"))),
            (Outcome::Refused { code, .. }, Some(expected)) if code == self.text(expected)? => return Ok(()),
            (Outcome::Refused { code, message }, expected) => {
                let expected = expected.as_ref().map(|code| format!(", not with {code}")).unwrap_or_default();
                return Err(refused(format!("it was refused with {code} ({message}){expected}")));
            }
            (Outcome::Answered(answer), Some(expected)) => {
                return Err(refused(format!(
                    "it should be refused with {expected}, and was answered {answer}"
                )));
            }
            (Outcome::Answered(answer), None) => answer,
        };
        if let Some(different) = self.differences(&answer, &step.expect)? {
            return Err(refused(format!("{different}\n  the answer: {answer}")));
        }
        for (name, pointer) in &step.keep {
            let pointer = self.text(pointer)?;
            let kept = at(&answer, &pointer)
                .ok_or_else(|| refused(format!("there is no {pointer} to keep in the answer: {answer}")))?;
            self.scope.vars.insert(name.clone(), kept.clone());
        }
        Ok(())
    }

    /// What is not as expected; nothing if all of it is.
    fn differences(
        &self,
        answer: &Value,
        expected: &BTreeMap<String, Value>,
    ) -> Result<Option<String>, Failure> {
        let mut told = Vec::new();
        for (pointer, wanted) in expected {
            told.extend(difference(answer, &self.text(pointer)?, &self.filled(wanted)?));
        }
        Ok((!told.is_empty()).then(|| told.join("\n  ")))
    }

    fn log_in(&mut self, names: &[&str]) -> Result<Outcome, Failure> {
        for name in names {
            let name = self.text(name)?;
            let party = self.parties.get_mut(&name).ok_or_else(|| nobody(&name))?;
            match self.wire.login(party, &self.seam)? {
                Outcome::Answered(_) => {}
                other => return Ok(other),
            }
        }
        Ok(Outcome::Answered(Value::Null))
    }

    /// Sets the tax clock, where it stands still: a scenario is the same however fast it is played. Or moves it.
    fn move_clock(&self, clock: &str, hold: bool) -> Result<Value, Failure> {
        let clock = self.text(clock)?;
        let change = match clock.strip_prefix('+') {
            Some(span) => json!({ "advance": span }),
            None => json!({ "at": clock, "hold": true }),
        };
        let change = if hold { json!({ "at": clock, "hold": true }) } else { change };
        self.management.call(&Method::PUT, "/clock", Some(&change))
    }

    fn assign(&mut self, values: &Map<String, Value>) -> Result<(), Failure> {
        for (name, value) in values {
            let value = self.filled(value)?;
            self.scope.vars.insert(name.clone(), value);
        }
        Ok(())
    }

    fn manage(&self, step: &Step, manage: &str) -> Result<Outcome, Failure> {
        let manage = self.text(manage)?;
        let (method, path) = manage
            .split_once(' ')
            .ok_or_else(|| wrong(format!("{manage:?} should be a method and a path, as in POST /reset")))?;
        let body = step.body.as_ref().map(|body| self.filled(body)).transpose()?;
        let (status, answer) = self.management.answer(&method_of(method)?, path.trim(), body.as_ref())?;
        let expected = step.status.unwrap_or(if status == 201 { 201 } else { 200 });
        if status == expected {
            return Ok(Outcome::Answered(answer));
        }
        Ok(Outcome::Refused { code: format!("HTTP {status}"), message: as_text(&answer["error"]["message"]) })
    }

    fn call(&self, step: &Step, call: &str) -> Result<Outcome, Failure> {
        let call = self.text(call)?;
        let mut words = call.split_whitespace();
        let (Some(method), Some(path), action) =
            (words.next(), words.next(), words.next().unwrap_or_default())
        else {
            return Err(wrong(format!(
                "{call:?} should be a method, a path and an action, as in GET returns/gstr1 B2B"
            )));
        };
        let texts = |values: &Map<String, Value>| -> Result<Map<String, Value>, Failure> {
            values.iter().map(|(name, value)| Ok((name.clone(), self.filled(value)?))).collect()
        };
        let period = step.period.as_deref().map(|period| self.text(period)).transpose()?;
        let payload = step.payload.as_ref().map(|payload| self.filled(payload)).transpose()?;
        let sign = step.sign.as_deref().map(|form| self.text(form)).transpose()?;
        let (query, headers) = (texts(&step.query)?, texts(&step.headers)?);
        let made = Call {
            method: method_of(method)?,
            path,
            action,
            period: period.as_deref(),
            query: Some(&query),
            headers: Some(&headers),
            payload: payload.as_ref(),
            sign: sign.as_deref(),
        };
        let party = step.party.as_deref().map(|_| self.party(step)).transpose()?;
        if party.is_none() && !path.starts_with("commonapi/") {
            return Err(wrong("the call of a taxpayer's API needs `as`"));
        }
        let outcome = self.until(step, || self.wire.call(party, &made))?;
        match (&step.job, outcome, party) {
            (Some(end), Outcome::Answered(answer), Some(party)) => {
                self.job_ends(party, &answer, end, period.as_deref())
            }
            (_, outcome, _) => Ok(outcome),
        }
    }

    /// Calls once, or until the answer is what `until` says.
    fn until(
        &self,
        step: &Step,
        mut call: impl FnMut() -> Result<Outcome, Failure>,
    ) -> Result<Outcome, Failure> {
        let mut rest = Rest::new();
        loop {
            let outcome = call()?;
            if step.until.is_empty() {
                return Ok(outcome);
            }
            let told = match &outcome {
                Outcome::Answered(answer) => match self.differences(answer, &step.until)? {
                    None => return Ok(outcome),
                    Some(told) => told,
                },
                other => format!("{other:?}"),
            };
            rest.take(&told)?;
        }
    }

    fn save(&self, step: &Step, save: &Save) -> Result<Outcome, Failure> {
        let party = self.party(step)?;
        let period = self.text(&save.period)?;
        let mut payload = self.filled(&save.payload)?;
        let (path, name) = match save.form {
            SavedForm::Gstr1 => ("returns/gstr1", "fp"),
            SavedForm::Gstr3b => ("returns/gstr3b", "ret_period"),
        };
        payload["gstin"] = party.gstin.as_str().into();
        payload[name] = period.as_str().into();
        let saved = self.wire.call(Some(party), &write(Method::PUT, path, "RETSAVE", &period, &payload))?;
        let Outcome::Answered(answer) = saved else { return Ok(saved) };
        self.job_ends(party, &answer, step.job.as_deref().unwrap_or("P"), Some(&period))
    }

    /// Waits for the job of a reference id, which must end so; its status is what came of the step.
    fn job_ends(
        &self,
        party: &Party,
        answer: &Value,
        end: &str,
        period: Option<&str>,
    ) -> Result<Outcome, Failure> {
        let reference = answer.get("reference_id").or_else(|| answer.get("ref_id")).map(as_text);
        let reference = reference.ok_or_else(|| {
            Failure::new(Exit::Refused, format_args!("no reference id came back: {answer}"))
        })?;
        let query = Map::from_iter([("ref_id".to_owned(), reference.into())]);
        let ask = Call { query: Some(&query), ..read("returns", "RETSTATUS", period) };
        let mut rest = Rest::new();
        loop {
            let outcome = self.wire.call(Some(party), &ask)?;
            let Outcome::Answered(status) = outcome else { return Ok(outcome) };
            let reached = as_text(&status["status_cd"]);
            if reached == self.text(end)? {
                return Ok(Outcome::Answered(status));
            }
            if reached != "REC" && reached != "IP" {
                return Err(Failure::new(
                    Exit::Refused,
                    format_args!("it ended as {reached}, not {end}: {status}"),
                ));
            }
            rest.take(&format!("its status is {reached}"))?;
        }
    }

    /// Files a return. What GSTN refuses on the way is what comes of the step.
    fn file(&self, step: &Step, file: &File) -> Result<Outcome, Failure> {
        let party = self.party(step)?;
        let period = self.text(&file.period)?;
        match file.form {
            SavedForm::Gstr1 => self.file_gstr1(party, &period, file.nil),
            SavedForm::Gstr3b => self.sign_and_file(party, &period, "returns/gstr3b", "R3B"),
        }
    }

    /// Proceeds to file, and files.
    fn file_gstr1(&self, party: &Party, period: &str, nil: bool) -> Result<Outcome, Failure> {
        let mut payload = json!({ "gstin": party.gstin.as_str(), "ret_period": period });
        if nil {
            payload["isnil"] = "Y".into();
        }
        let proceed = write(Method::POST, "returns/gstrptf", "RETNEWPTF", period, &payload);
        let outcome = self.wire.call(Some(party), &proceed)?;
        let Outcome::Answered(answer) = outcome else { return Ok(outcome) };
        match self.job_ends(party, &answer, "P", Some(period))? {
            Outcome::Answered(_) => self.sign_and_file(party, period, "returns/gstr1", "R1"),
            other => Ok(other),
        }
    }

    /// Reads the summary, signs it by EVC and files it.
    fn sign_and_file(&self, party: &Party, period: &str, path: &str, form: &str) -> Result<Outcome, Failure> {
        let outcome = self.wire.call(Some(party), &read(path, "RETSUM", Some(period)))?;
        let Outcome::Answered(summary) = outcome else { return Ok(outcome) };
        let signed = write(Method::POST, path, "RETFILE", period, &summary);
        self.wire.call(Some(party), &Call { sign: Some(form), ..signed })
    }

    fn party(&self, step: &Step) -> Result<&Party, Failure> {
        let name = step.party.as_deref().ok_or_else(|| wrong("who does it? `as` is missing"))?;
        let name = self.text(name)?;
        self.parties.get(&name).ok_or_else(|| nobody(&name))
    }

    fn text(&self, text: &str) -> Result<String, Failure> {
        self.scope.text(text).map_err(wrong)
    }

    fn filled(&self, value: &Value) -> Result<Value, Failure> {
        self.scope.fill(value).map_err(wrong)
    }
}

fn read<'a>(path: &'a str, action: &'a str, period: Option<&'a str>) -> Call<'a> {
    Call { method: Method::GET, path, action, period, query: None, headers: None, payload: None, sign: None }
}

fn write<'a>(
    method: Method,
    path: &'a str,
    action: &'a str,
    period: &'a str,
    payload: &'a Value,
) -> Call<'a> {
    Call { method, payload: Some(payload), ..read(path, action, Some(period)) }
}

/// The pauses between questions, growing, until patience ends.
struct Rest {
    since: Instant,
    next: Duration,
}

impl Rest {
    fn new() -> Self {
        Self { since: Instant::now(), next: SHORTEST_REST }
    }

    fn take(&mut self, told: &str) -> Result<(), Failure> {
        if self.since.elapsed() > PATIENCE {
            let words = format!("waited {} s in vain: {told}", PATIENCE.as_secs());
            return Err(Failure::new(Exit::TryLater, words));
        }
        sleep(self.next);
        self.next = (self.next * 2).min(LONGEST_REST);
        Ok(())
    }
}

fn method_of(text: &str) -> Result<Method, Failure> {
    match text {
        "GET" => Ok(Method::GET),
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        "DELETE" => Ok(Method::DELETE),
        other => Err(wrong(format!("{other:?} is no method"))),
    }
}

fn nobody(name: &str) -> Failure {
    wrong(format!("there is no party {name:?}"))
}

/// The scenario itself is wrong.
fn wrong(what: impl ToString) -> Failure {
    Failure::new(Exit::Data, what.to_string())
}
