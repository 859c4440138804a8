//! The README's transcripts, run against real processes: what is printed there is what a reader gets.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command::Place;

#[test]
fn the_readme_transcript_is_true() {
    run_the_readme("gst login --demo");
}

#[test]
fn the_readme_transcript_is_true_by_getkey_too() {
    run_the_readme("gst login --demo --auth getkey");
}

#[test]
fn the_operators_transcript_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let steps = console_steps(&fs::read_to_string(root.join("docs/operating.md")).unwrap());
    for part in ["tail", "list", "summary", "export", "verify --head"] {
        assert!(
            steps.iter().any(|step| step.command.contains(part)),
            "docs/operating.md no longer tells {part}"
        );
    }
    run_beside_a_gateway(&steps);
}

/// Runs the README's steps with `login` in place of its `gst login --demo`.
fn run_the_readme(login: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let mut steps = console_steps(&readme);
    let told = |part: &str| steps.iter().any(|step| step.command.contains(part));
    for part in ["gst login", "gst save", "gst status", "gst get", "gst summary", "gst file", "gst search"] {
        assert!(told(part), "the README no longer tells {part}");
    }

    for step in &mut steps {
        step.command = step.command.replace("gst login --demo", login);
    }
    run_beside_a_gateway(&steps);
}

/// Runs the steps where `suvidha up` is running; what each prints must be what is told.
fn run_beside_a_gateway(steps: &[Step]) {
    let place = Place::new();
    let (server, _) = place.start_ready("up --listen 127.0.0.1:0");
    for (step, printed) in steps.iter().zip(run(&place, steps)) {
        assert!(
            matches(&step.expected, &printed),
            "$ {}\nshould print:\n{}\nbut printed:\n{printed}",
            step.command,
            step.expected.join("\n")
        );
    }
    server.stop();
}

/// A command of a transcript, and the lines it prints. `[..]` stands for anything within a line, and alone on a line
/// for any number of lines.
struct Step {
    command: String,
    expected: Vec<String>,
}

/// The steps of all ```` ```console ```` blocks: `$ ` begins a command, `> ` goes on with it.
fn console_steps(markdown: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut within = false;
    for line in markdown.lines() {
        match (within, line) {
            (_, "```console") => within = true,
            (_, line) if line.starts_with("```") => within = false,
            (false, _) | (true, "") => {}
            (true, line) => {
                if let Some(command) = line.strip_prefix("$ ") {
                    steps.push(Step { command: command.to_owned(), expected: Vec::new() });
                } else if let Some(more) = line.strip_prefix("> ") {
                    let step = steps.last_mut().unwrap();
                    step.command = format!("{}\n{more}", step.command);
                } else {
                    steps.last_mut().unwrap().expected.push(line.to_owned());
                }
            }
        }
    }
    steps
}

/// Runs all commands in one shell, as a reader would, and returns what each printed.
fn run(place: &Place, steps: &[Step]) -> Vec<String> {
    const MARK: &str = "--- next command ---";
    let script: String = steps.iter().map(|step| format!("{}\necho '{MARK}'\n", step.command)).collect();
    let binary = Path::new(env!("CARGO_BIN_EXE_suvidha"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-e", "-c", &format!("exec 2>&1\n{script}")])
        .current_dir(place.path("."))
        .env("PATH", path)
        .env("XDG_STATE_HOME", place.path("state"))
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    printed.split(&format!("{MARK}\n")).map(|part| part.trim_end().to_owned()).collect()
}

fn matches(expected: &[String], printed: &str) -> bool {
    let printed: Vec<&str> = printed.lines().filter(|line| !line.is_empty()).collect();
    lines_match(expected, &printed)
}

fn lines_match(expected: &[String], printed: &[&str]) -> bool {
    match (expected, printed) {
        ([], []) => true,
        ([any, rest @ ..], printed) if any == "[..]" => {
            (0..=printed.len()).any(|skipped| lines_match(rest, &printed[skipped..]))
        }
        ([line, rest @ ..], [first, others @ ..]) => line_matches(line, first) && lines_match(rest, others),
        _ => false,
    }
}

fn line_matches(expected: &str, printed: &str) -> bool {
    match expected.split_once("[..]") {
        None => expected.trim_end() == printed.trim_end(),
        Some((before, after)) => printed.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().any(|(at, _)| line_matches(after, &rest[at..])) || after.is_empty()
        }),
    }
}

#[test]
fn the_matcher_of_transcripts_can_fail() {
    let expected = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert!(matches(&expected(&["a [..] c", "[..]", "z"]), "a bb c\nx\ny\nz"));
    assert!(matches(&expected(&["id [..]"]), "id 42"));
    for (lines, printed) in [
        (&["a"][..], "b"),
        (&["a"], "a\nb"),
        (&["a", "b"], "a"),
        (&["a [..] c"], "a b d"),
        (&["[..]", "z"], "x"),
    ] {
        assert!(!matches(&expected(lines), printed), "{lines:?} {printed}");
    }
}
