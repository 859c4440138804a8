//! Where results go: a file with all that was measured, a page, perhaps a chart, and a section of `RESULTS.md`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::Failure;

/// Writes `<date>-<name>.json`, `.md` and `.svg` into `directory`, and the section of this name in the `RESULTS.md` beside it.
pub(crate) fn write(
    directory: &Path,
    name: &str,
    date: &str,
    raw: &Value,
    report: &str,
    chart: Option<&str>,
) -> Result<(), Failure> {
    fs::create_dir_all(directory)?;
    let file = |extension: &str| directory.join(format!("{date}-{name}.{extension}"));
    fs::write(file("json"), serde_json::to_string_pretty(raw)? + "\n")?;
    fs::write(file("md"), report)?;
    if let Some(chart) = chart {
        fs::write(file("svg"), chart)?;
    }
    let page = directory.with_file_name("RESULTS.md");
    let old = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    let folder = directory.file_name().unwrap_or_default().to_string_lossy();
    let at = |extension: &str| format!("{folder}/{date}-{name}.{extension}");
    let mut section = format!("{}\n\nRaw data: [{date}-{name}.json]({}).", report.trim(), at("json"));
    if chart.is_some() {
        section += &format!("\n\n![{name}]({})", at("svg"));
    }
    Ok(fs::write(&page, replaced(&old, name, &section)?)?)
}

/// `page` with what stands between the marks of this name replaced.
fn replaced(page: &str, name: &str, report: &str) -> Result<String, Failure> {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let told = || format!("the page has no marks {:?} and {end:?}", begin.trim());
    let (before, rest) = page.split_once(&begin).ok_or_else(told)?;
    let (_, after) = rest.split_once(&end).ok_or_else(told)?;
    Ok(format!("{before}{begin}\n{}\n\n{end}{after}", report.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_report_takes_the_place_of_the_old_one_and_nothing_else_changes() {
        let page = "# Results\n<!-- a: begin -->\nold\n<!-- a: end -->\nthe rest\n";
        let new = replaced(page, "a", "new\n").unwrap();
        assert_eq!(new, "# Results\n<!-- a: begin -->\n\nnew\n\n<!-- a: end -->\nthe rest\n");
        assert_eq!(replaced(&new, "a", "new\n").unwrap(), new);
        assert!(replaced(page, "b", "new").unwrap_err().to_string().contains("<!-- b: begin -->"));
    }
}
