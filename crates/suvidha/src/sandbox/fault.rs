//! `suvidha sandbox fault`: the fault plan of a running sandbox.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};
use suvidha_sandbox::NewFault;

use super::control::{Told, list, object, read_tree, text};
use super::place::ManagementOptions;
use crate::exit::{Exit, Failure};
use crate::output::table;

/// `suvidha sandbox fault`.
#[derive(Debug, Args)]
pub(crate) struct Fault {
    /// Which sandbox.
    #[command(flatten)]
    place: ManagementOptions,
    /// What to do.
    #[command(subcommand)]
    command: FaultCommand,
}

#[derive(Debug, Subcommand)]
enum FaultCommand {
    /// List the rules, and how often each struck
    List,
    /// Add a rule; what is left out does not narrow it down
    Add(Box<Add>),
    /// Add the rules of a fault plan: a file in TOML with a `[[faults]]` for each, or the same in JSON
    Load {
        /// The plan
        file: PathBuf,
    },
    /// Remove a rule
    Remove {
        /// Its number
        id: i64,
    },
    /// Remove every rule
    Clear,
}

#[derive(Debug, Args)]
struct Add {
    /// What goes wrong: delay, drop, reset, truncate, http_error, html, wrong_hmac, wrong_hash, unknown_fields,
    /// reordered_keys, session_death, error, stale_certificate, maintenance or throttle
    kind: String,
    /// Only this family of APIs, e.g. taxpayerapi
    #[arg(long)]
    family: Option<String>,
    /// Only this path below the version, e.g. returns/gstr1; with * at its end whatever begins like that
    #[arg(long)]
    path: Option<String>,
    /// Only this action, e.g. RETSAVE
    #[arg(long)]
    action: Option<String>,
    /// Only this HTTP method
    #[arg(long)]
    method: Option<String>,
    /// Only this taxpayer
    #[arg(long)]
    gstin: Option<String>,
    /// Only this GSP, by its clientid
    #[arg(long)]
    client: Option<String>,
    /// Only this ASP, where the GSP tells it in the header aspid
    #[arg(long)]
    asp: Option<String>,
    /// The share of calls it strikes, above 0 and up to 1
    #[arg(long)]
    rate: Option<f64>,
    /// Which calls a rate strikes: the same seed strikes the same ones
    #[arg(long, requires = "rate")]
    seed: Option<u64>,
    /// How often it strikes before it rests for good
    #[arg(long)]
    count: Option<u64>,
    /// How many calls it lets pass first
    #[arg(long)]
    skip: Option<u64>,
    /// From when on: an instant, or a day in India
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until when
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// By which clock these are meant: tax or real
    #[arg(long)]
    clock: Option<String>,
    /// Of drop, reset, http_error and html: the call takes effect all the same
    #[arg(long)]
    processed: bool,
    /// Of a delay
    #[arg(long, value_name = "MS")]
    milliseconds: Option<u64>,
    /// How much of a truncated answer arrives: 0 to 99
    #[arg(long)]
    percent: Option<u8>,
    /// The HTTP status of http_error, html and error
    #[arg(long)]
    status: Option<u16>,
    /// The code of an error, e.g. AUTH403, RTN_24 or RET12501
    #[arg(long)]
    code: Option<String>,
    /// The words of an error
    #[arg(long)]
    message: Option<String>,
    /// Of a throttle: how many calls a minute
    #[arg(long, value_name = "CALLS")]
    per_minute: Option<u32>,
    /// Of a throttle: whose calls are counted together: gstin or client
    #[arg(long)]
    each: Option<String>,
    /// A word for people
    #[arg(long)]
    note: Option<String>,
}

impl Add {
    fn rule(self) -> Value {
        object([
            ("kind", Some(self.kind.into())),
            ("family", self.family.map(Value::from)),
            ("path", self.path.map(Value::from)),
            ("action", self.action.map(Value::from)),
            ("method", self.method.map(Value::from)),
            ("gstin", self.gstin.map(Value::from)),
            ("client", self.client.map(Value::from)),
            ("asp", self.asp.map(Value::from)),
            ("rate", self.rate.map(Value::from)),
            ("seed", self.seed.map(Value::from)),
            ("count", self.count.map(Value::from)),
            ("skip", self.skip.map(Value::from)),
            ("from", self.from.map(Value::from)),
            ("until", self.until.map(Value::from)),
            ("clock", self.clock.map(Value::from)),
            ("processed", self.processed.then_some(json!(true))),
            ("milliseconds", self.milliseconds.map(Value::from)),
            ("percent", self.percent.map(Value::from)),
            ("status", self.status.map(Value::from)),
            ("code", self.code.map(Value::from)),
            ("message", self.message.map(Value::from)),
            ("per_minute", self.per_minute.map(Value::from)),
            ("each", self.each.map(Value::from)),
            ("note", self.note.map(Value::from)),
        ])
    }
}

impl Fault {
    pub(super) fn run(self) -> Result<Told, Failure> {
        let management = self.place.management()?;
        Ok(match self.command {
            FaultCommand::List => plan(management.get("/faults")?),
            FaultCommand::Add(add) => plan(management.call(&Method::POST, "/faults", Some(&add.rule()))?),
            FaultCommand::Load { file } => {
                let rules = json!({ "faults": read_plan(&file)? });
                plan(management.call(&Method::POST, "/faults", Some(&rules))?)
            }
            FaultCommand::Remove { id } => {
                let json = management.call(&Method::DELETE, &format!("/faults/{id}"), None)?;
                Told { words: format!("rule {id}: removed\n"), json }
            }
            FaultCommand::Clear => {
                let json = management.call(&Method::DELETE, "/faults", None)?;
                Told { words: format!("rules removed: {}\n", text(&json["removed"])), json }
            }
        })
    }
}

/// The rules of a fault plan file, each of which can be.
pub(crate) fn read_plan(file: &PathBuf) -> Result<Vec<NewFault>, Failure> {
    let wrong = |what: String| Failure::new(Exit::Data, format_args!("{}: {what}", file.display()));
    let tree = read_tree(file)?;
    let members = tree.as_object().ok_or_else(|| wrong("it holds no rules".to_owned()))?;
    if let Some(name) = members.keys().find(|name| *name != "faults") {
        return Err(wrong(format!("{name:?} is not known; each rule is a [[faults]]")));
    }
    let rules: Vec<NewFault> =
        serde_json::from_value(tree["faults"].clone()).map_err(|e| wrong(e.to_string()))?;
    for (number, rule) in (1..).zip(&rules) {
        rule.check().map_err(|e| wrong(format!("rule {number}: {e}")))?;
    }
    Ok(rules)
}

fn plan(json: Value) -> Told {
    let shown = |listed: &Value| {
        let rule = &listed["rule"];
        let narrowed: Vec<String> = rule
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| *name != "kind")
            .map(|(name, value)| format!("{name}={}", text(value)))
            .collect();
        [
            text(&listed["id"]),
            text(&rule["kind"]),
            text(&listed["matched"]),
            text(&listed["struck"]),
            text(&listed["origin"]),
            narrowed.join(" "),
        ]
    };
    let rows: Vec<[String; 6]> = list(&json["faults"]).iter().map(shown).collect();
    Told { words: table(["ID", "KIND", "MATCHED", "STRUCK", "ORIGIN", "RULE"], &rows), json }
}
