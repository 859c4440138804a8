//! `suvidha sandbox taxpayer|clock|fault|…`: a running sandbox, managed from the command line.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use http::Method;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::place::{ManagementOptions, encoded};
use super::scenario::Scenario;
use super::{fault, taxpayer};
use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output, fields, table};

/// What to do with a running sandbox.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Make, show and change taxpayers
    Taxpayer(taxpayer::Taxpayer),
    /// Show the clock that returns go by, set it, move it, run it at a speed
    Clock(Clock),
    /// Make the simulated GSTN fail: list, add and remove the rules of its fault plan
    Fault(fault::Fault),
    /// Play a scenario: taxpayers, steps and what every party should see, from a file
    Scenario(Scenario),
    /// List the calls that the simulated GSTN received, with what they said
    Calls(Calls),
    /// Show what there is of a taxpayer: returns saved and filed, jobs, rows
    State(State),
    /// Keep the whole world under a name, and bring it back
    Snapshot(Snapshot),
    /// Forget one taxpayer's returns and logins, everyone's, or the whole world
    Reset(Reset),
}

/// `suvidha sandbox clock`.
#[derive(Debug, Args)]
pub(crate) struct Clock {
    /// Which sandbox.
    #[command(flatten)]
    place: ManagementOptions,
    /// What to do; shows the clock when left out.
    #[command(subcommand)]
    command: Option<ClockCommand>,
}

#[derive(Debug, Subcommand)]
enum ClockCommand {
    /// Show it
    Show,
    /// Set it to an instant, to a time in India, or to noon of a day in India
    Set {
        /// E.g. 2026-04-14, 2026-04-14T15:00 or 2026-04-14T15:00:00+05:30
        at: String,
        /// And let it stand still there
        #[arg(long)]
        hold: bool,
    },
    /// Move it on by a span on the calendar of India
    Advance {
        /// E.g. 3days, 1month, P1M; -3days moves it back
        #[arg(allow_hyphen_values = true)]
        span: String,
    },
    /// Let it run at a speed
    Run {
        /// How many days pass in a second, up to 366
        days_per_second: f64,
    },
    /// Let it stand still
    Hold,
    /// Let it go on at normal speed
    Go,
    /// Let it show the real time again
    Real,
}

/// `suvidha sandbox calls`.
#[derive(Debug, Args)]
pub(crate) struct Calls {
    /// Which sandbox.
    #[command(flatten)]
    place: ManagementOptions,
    /// Only those of this taxpayer
    #[arg(long)]
    gstin: Option<String>,
    /// Only those to this API: a path such as returns/gstr1, an action such as RETSAVE, or both with a blank between
    #[arg(long)]
    api: Option<String>,
    /// Only those from this instant, or this day in India, on
    #[arg(long)]
    since: Option<String>,
    /// Only those after the call of this number
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
    /// How many at most, up to 1000
    #[arg(long, default_value_t = 100)]
    limit: u16,
    /// With --json: show the decrypted bodies and answers, too
    #[arg(long)]
    bodies: bool,
}

/// `suvidha sandbox state`.
#[derive(Debug, Args)]
pub(crate) struct State {
    /// Which sandbox.
    #[command(flatten)]
    place: ManagementOptions,
    /// Whose
    gstin: String,
}

/// `suvidha sandbox snapshot`.
#[derive(Debug, Args)]
pub(crate) struct Snapshot {
    /// Which sandbox.
    #[command(flatten)]
    place: ManagementOptions,
    /// What to do.
    #[command(subcommand)]
    command: SnapshotCommand,
}

#[derive(Debug, Subcommand)]
enum SnapshotCommand {
    /// List them
    List,
    /// Keep the present world
    Take {
        /// Letters, digits, hyphens and underscores
        name: String,
        /// Even in place of an earlier one
        #[arg(long)]
        replace: bool,
    },
    /// Put the world of a snapshot in place of the present one
    Restore {
        /// Which
        name: String,
    },
    /// Throw one away
    Remove {
        /// Which
        name: String,
    },
}

/// `suvidha sandbox reset`.
#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// Which sandbox.
    #[command(flatten)]
    place: ManagementOptions,
    /// One taxpayer's data; everyone's when left out
    #[arg(long)]
    gstin: Option<String>,
    /// The taxpayers themselves, too
    #[arg(long)]
    taxpayers: bool,
    /// The whole world: taxpayers, clock and fault plan, too
    #[arg(long, conflicts_with = "gstin")]
    everything: bool,
}

/// An answer of the sandbox: its JSON for programs, some words for people.
pub(super) struct Told {
    pub(super) json: Value,
    pub(super) words: String,
}

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl Answer for Told {
    fn words(&self) -> String {
        self.words.clone()
    }
}

/// Runs a command over the management port.
pub(crate) fn run(command: SandboxCommand, output: Output) -> Result<(), Failure> {
    let told = match command {
        SandboxCommand::Taxpayer(taxpayer) => taxpayer.run()?,
        SandboxCommand::Clock(clock) => clock.run()?,
        SandboxCommand::Fault(fault) => fault.run()?,
        SandboxCommand::Scenario(scenario) => return scenario.run(output),
        SandboxCommand::Calls(calls) => calls.run()?,
        SandboxCommand::State(state) => state.run()?,
        SandboxCommand::Snapshot(snapshot) => snapshot.run()?,
        SandboxCommand::Reset(reset) => {
            let wanted = json!({ "taxpayers": reset.taxpayers, "everything": reset.everything });
            let wanted = with(wanted, "gstin", reset.gstin);
            let json = reset.place.management()?.call(&Method::POST, "/reset", Some(&wanted))?;
            Told { words: format!("reset: {}\n", text(&json["reset"])), json }
        }
    };
    output.show(&told)
}

impl Clock {
    fn run(self) -> Result<Told, Failure> {
        let management = self.place.management()?;
        let change = match self.command {
            None | Some(ClockCommand::Show) => None,
            Some(ClockCommand::Set { at, hold: true }) => Some(json!({ "at": at, "hold": true })),
            Some(ClockCommand::Set { at, hold: false }) => Some(json!({ "at": at })),
            Some(ClockCommand::Advance { span }) => Some(json!({ "advance": span })),
            Some(ClockCommand::Run { days_per_second }) => {
                Some(json!({ "days_per_second": days_per_second }))
            }
            Some(ClockCommand::Hold) => Some(json!({ "hold": true })),
            Some(ClockCommand::Go) => Some(json!({ "hold": false })),
            Some(ClockCommand::Real) => Some(json!({ "real": true })),
        };
        let json = match change {
            None => management.get("/clock")?,
            Some(change) => management.call(&Method::PUT, "/clock", Some(&change))?,
        };
        let mode = match text(&json["mode"]).as_str() {
            "real" => "shows the real time".to_owned(),
            "apart" => "goes on at normal speed, apart from the real time".to_owned(),
            "held" => "stands still".to_owned(),
            _ => format!("runs at {} days a second", json["days_per_second"]),
        };
        let words = fields(&[
            ("tax time", text(&json["tax_now"])),
            ("it", mode),
            ("real time", text(&json["real_now"])),
        ]);
        Ok(Told { json, words })
    }
}

impl Calls {
    fn run(self) -> Result<Told, Failure> {
        let after = self.after.map(|after| after.to_string());
        let query: Vec<String> = [
            ("gstin", self.gstin),
            ("api", self.api),
            ("since", self.since),
            ("after", after),
            ("limit", Some(self.limit.to_string())),
            ("bodies", self.bodies.then(|| "true".to_owned())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", encoded(&value?))))
        .collect();
        let json = self.place.management()?.get(&format!("/calls?{}", query.join("&")))?;
        let rows: Vec<[String; 8]> = list(&json["calls"])
            .iter()
            .map(|call| {
                ["id", "at", "gstin", "method", "path", "action", "error_cd", "fault"]
                    .map(|name| text(&call[name]))
            })
            .collect();
        let words = table(["ID", "AT", "GSTIN", "METHOD", "PATH", "ACTION", "ERROR", "FAULT"], &rows);
        Ok(Told { json, words })
    }
}

impl State {
    fn run(self) -> Result<Told, Failure> {
        let json = self.place.management()?.get(&format!("/state/{}", encoded(&self.gstin)))?;
        let mut words = fields(&[
            ("gstin", text(&json["taxpayer"]["gstin"])),
            ("name", text(&json["taxpayer"]["legal_name"])),
            ("status", text(&json["status"])),
            ("scheme", text(&json["taxpayer"]["scheme"])),
            ("files", text(&json["filing"])),
            ("today", text(&json["today"])),
            ("sessions", text(&json["sessions"])),
        ]);
        let part = |name: &str, columns: [&str; 3]| {
            let rows: Vec<[String; 3]> =
                list(&json[name]).iter().map(|row| columns.map(|column| text(&row[column]))).collect();
            let headings = columns.map(str::to_ascii_uppercase);
            if rows.is_empty() {
                String::new()
            } else {
                format!("\n{name}\n{}", table(headings.each_ref().map(String::as_str), &rows))
            }
        };
        words.push_str(&part("returns", ["form", "period", "documents"]));
        words.push_str(&part("filed", ["form", "period", "arn"]));
        words.push_str(&part("jobs", ["form", "action", "status"]));
        Ok(Told { json, words })
    }
}

impl Snapshot {
    fn run(self) -> Result<Told, Failure> {
        let management = self.place.management()?;
        let of = |json: Value, done: &str| {
            let words = format!("{}: {done} (tax time {})\n", text(&json["name"]), text(&json["tax_now"]));
            Told { json, words }
        };
        Ok(match self.command {
            SnapshotCommand::List => {
                let json = management.get("/snapshots")?;
                let row = |snapshot: &Value| {
                    ["name", "taken_at", "tax_now", "bytes"].map(|name| text(&snapshot[name]))
                };
                let rows: Vec<[String; 4]> = list(&json["snapshots"]).iter().map(row).collect();
                Told { words: table(["NAME", "TAKEN AT", "TAX TIME", "BYTES"], &rows), json }
            }
            SnapshotCommand::Take { name, replace } => {
                let wanted = json!({ "name": name, "replace": replace });
                of(management.call(&Method::POST, "/snapshots", Some(&wanted))?, "taken")
            }
            SnapshotCommand::Restore { name } => {
                let path = format!("/snapshots/{}/restore", encoded(&name));
                of(management.call(&Method::POST, &path, None)?, "restored")
            }
            SnapshotCommand::Remove { name } => {
                let path = format!("/snapshots/{}", encoded(&name));
                Told {
                    json: management.call(&Method::DELETE, &path, None)?,
                    words: format!("{name}: removed\n"),
                }
            }
        })
    }
}

/// The object with one more member, where there is a value for it.
pub(super) fn with<T: Into<Value>>(mut object: Value, name: &str, value: Option<T>) -> Value {
    if let Some(value) = value {
        object[name] = value.into();
    }
    object
}

/// An object of the members that have a value.
pub(super) fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let given = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A value as a cell of a table.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => crate::ledger::printable(text),
        other => other.to_string(),
    }
}

/// Reads a TOML or JSON file as JSON.
pub(super) fn read_tree(file: &PathBuf) -> Result<Value, Failure> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .map_err(|e| Failure::io(Exit::Data, format_args!("cannot read {name}"), &e))?;
    if file.extension().is_some_and(|extension| extension == "json") {
        return serde_json::from_str(&text)
            .map_err(|e| Failure::new(Exit::Data, format_args!("{name}: {e}")));
    }
    let tree = toml::from_str(&text).map_err(|e| Failure::new(Exit::Data, format_args!("{name}: {e}")))?;
    Ok(plain(tree))
}

/// A value of TOML as JSON; its dates and times are texts.
fn plain(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(plain).collect(),
        toml::Value::Table(members) => {
            members.into_iter().map(|(name, value)| (name, plain(value))).collect()
        }
    }
}
