//! `suvidha ledger verify`: the proof that nothing was altered, entry by entry.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use serde::Serialize;
use suvidha_store::ledger::{Finding, Head, Seq, Verified};

use super::place::LedgerPlace;
use crate::exit::{Exit, Failure};
use crate::output::{Output, fields, print, warn};

/// `suvidha ledger verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A head that was noted earlier: nothing up to it may have been written anew or cut off since
    #[arg(long, value_name = "SEQ:HASH")]
    head: Option<Head>,
}

impl Verify {
    pub(super) fn run(self, place: &LedgerPlace, output: Output) -> Result<(), Failure> {
        let reader = place.open()?;
        let progress = Progress::until(reader.head()?.seq);
        let mut told = Ok(());
        let verified = reader.verify(
            self.head,
            |finding| {
                progress.wipe();
                let line = if output.json { json(&Line::from(&finding)) } else { Ok(format!("{finding}\n")) };
                let printed = line.and_then(|line| print(&line));
                if told.is_ok() {
                    told = printed;
                }
            },
            |seq| progress.show(seq),
        );
        progress.wipe();
        let verified = verified?;
        told?;
        let result = Verdict::of(place, &verified);
        print(&if output.json { json(&result)? } else { result.words() })?;
        if let (true, Some(head)) = (verified.known_head_forgotten, self.head) {
            warn(format_args!(
                "entry {} and those behind it were removed by age: the head that was noted there cannot be compared",
                head.seq
            ));
        }
        match verified.findings {
            0 => Ok(()),
            findings => Err(failed(place, findings)),
        }
    }
}

fn failed(place: &LedgerPlace, findings: u64) -> Failure {
    let what = if findings == 1 { "1 finding".to_owned() } else { format!("{findings} findings") };
    let message = format_args!("{what}: {} is not as it was written", place.path.display());
    Failure::new(Exit::Data, message).remedy(
        "Keep a copy of the file as it is, with its -wal and -shm; compare with a backup or an export, and find out who could write it.",
    )
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    let line = serde_json::to_string(value);
    line.map(|line| line + "\n")
        .map_err(|e| Failure::new(Exit::Io, format_args!("cannot write the answer as JSON: {e}")))
}

/// A finding, for programs.
#[derive(Serialize)]
struct Line {
    finding: &'static str,
    seq: Option<Seq>,
    request_id: Option<String>,
    message: String,
}

impl From<&Finding> for Line {
    fn from(finding: &Finding) -> Self {
        Self {
            finding: finding.kind(),
            seq: finding.seq(),
            request_id: finding.id().map(|id| id.to_string()),
            message: finding.to_string(),
        }
    }
}

/// What came out of it.
#[derive(Serialize)]
struct Verdict {
    environment: &'static str,
    findings: u64,
    entries: u64,
    /// The entry before the first that is kept, where entries were removed by age.
    anchor: Option<String>,
    /// As `--head` takes it.
    head: String,
}

impl Verdict {
    fn of(place: &LedgerPlace, verified: &Verified) -> Self {
        let Verified { entries, findings, .. } = *verified;
        let anchor = (verified.anchor.seq > 0).then(|| verified.anchor.to_string());
        let head = verified.head.to_string();
        Self { environment: place.environment.as_str(), findings, entries, anchor, head }
    }

    fn words(&self) -> String {
        let findings = if self.findings == 0 { "none".to_owned() } else { self.findings.to_string() };
        let mut lines = vec![
            ("environment", self.environment.to_owned()),
            ("entries", self.entries.to_string()),
            ("findings", findings),
        ];
        lines.extend(
            self.anchor
                .clone()
                .map(|anchor| ("goes on from", format!("{anchor}  (what came before was removed by age)"))),
        );
        lines.push(("head", self.head.clone()));
        let note = "note the head elsewhere: `suvidha ledger verify --head` proves with it that nothing up to here was changed\n";
        fields(&lines) + if self.findings == 0 { note } else { "" }
    }
}

/// How far it is, for a person who waits at a terminal.
struct Progress {
    head: Seq,
    shown: bool,
}

impl Progress {
    fn until(head: Seq) -> Self {
        Self { head, shown: io::stderr().is_terminal() }
    }

    fn show(&self, seq: Seq) {
        self.write(format_args!("\rentry {seq} of {}", self.head.max(seq)));
    }

    fn wipe(&self) {
        self.write(format_args!("\r\x1b[K"));
    }

    fn write(&self, text: std::fmt::Arguments<'_>) {
        if self.shown {
            // It is a courtesy.
            let _ = io::stderr().write_fmt(text);
        }
    }
}
