//! What the compiler and clippy cannot hold: how long a file may be, and which crate may know which.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;

const LONGEST_FILE: usize = 600;

/// The crates of ours that each crate may depend on, outside of tests.
const LAYERS: [(&str, &[&str]); 7] = [
    ("gstn", &[]),
    ("suvidha-seam", &[]),
    ("suvidha-store", &["gstn", "suvidha-seam"]),
    ("suvidha-gateway", &["gstn", "suvidha-seam", "suvidha-store"]),
    ("suvidha-sandbox", &["gstn", "suvidha-seam"]),
    ("suvidha-client", &["gstn", "suvidha-seam"]),
    ("suvidha-testkit", &["gstn", "suvidha-seam", "suvidha-store", "suvidha-gateway", "suvidha-sandbox"]),
];

/// Checks every source file and every crate's manifest.
pub(crate) fn check() -> Outcome {
    let mut faults = Vec::new();
    for directory in ["crates", "bench", "xtask", "fuzz/fuzz_targets"] {
        for file in sources_below(Path::new(directory))? {
            let lines = read(&file)?.lines().count();
            if lines > LONGEST_FILE {
                faults.push(format!("{}: {lines} lines, more than {LONGEST_FILE}", file.display()));
            }
        }
    }
    for (name, allowed) in LAYERS {
        let manifest = read(&Path::new("crates").join(name).join("Cargo.toml"))?;
        for dependency in own_dependencies(&manifest) {
            if !allowed.contains(&dependency) {
                faults.push(format!("{name} may not depend on {dependency} (ARCHITECTURE.md)"));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// The crates of ours in `[dependencies]`.
fn own_dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let names =
        lines.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| *name == "gstn" || name.starts_with("suvidha"))
}

fn sources_below(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let entries = fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(sources_below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_dependencies_are_found_and_those_of_tests_are_not() {
        let manifest = "[package]\nname = \"x\"\n\n[dependencies]\nbytes.workspace = true\ngstn.workspace = true\n\
                        suvidha-seam = { path = \"..\" }\n\n[dev-dependencies]\nsuvidha-client.workspace = true\n";
        assert_eq!(own_dependencies(manifest).collect::<Vec<_>>(), ["gstn", "suvidha-seam"]);
    }

    #[test]
    fn this_workspace_is_in_order() {
        std::env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        assert_eq!(check(), Ok(()));
    }
}
