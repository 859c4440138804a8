//! A chart of the scenarios at full speed: what a call costs beside nginx, in bars. It reads on light and dark pages alike.

use std::fmt::Write as _;

use super::contestant::Kind;
use super::record::{Record, Results};
use super::scenario::SCENARIOS;
use crate::Failure;
use crate::figures::median;

const WIDTH: f64 = 860.0;
/// Where the bars begin, and how far the longest may go.
const LEFT: f64 = 220.0;
const LONGEST: f64 = 500.0;
const ROW: f64 = 22.0;
const HEAD: f64 = 46.0;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 } .head { font-weight: 600 }
.peer { fill: #8b949e } .ours { fill: #0969da } .one { stroke: #cf222e; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .peer { fill: #6e7681 } .ours { fill: #4493f8 } .one { stroke: #ff7b72 } }";

/// One bar.
struct Bar {
    title: &'static str,
    ours: bool,
    ratio: f64,
    cost: f64,
}

/// Draws it; nothing where nothing was measured at full speed beside nginx.
pub(crate) fn draw(results: &Results) -> Result<Option<String>, Failure> {
    let groups: Vec<_> = SCENARIOS.iter().map(|scenario| (scenario, bars(results, scenario.name))).collect();
    let longest = groups.iter().flat_map(|(_, bars)| bars).map(|bar| bar.ratio).fold(0.0, f64::max);
    if longest == 0.0 {
        return Ok(None);
    }
    let scale = LONGEST / longest;
    let (mut body, mut y) = (String::new(), 30.0);
    writeln!(
        body,
        r#"<text class="head" x="16" y="{y}">CPU time per call, nginx = 1 (same round, median)</text>"#
    )?;
    for (scenario, bars) in groups.iter().filter(|(_, bars)| !bars.is_empty()) {
        y += HEAD;
        writeln!(body, r#"<text class="head" x="16" y="{:.0}">{}</text>"#, y - 12.0, escaped(scenario.what))?;
        let (one, top, bottom) = (LEFT + scale, y, y + ROW * bars.len() as f64);
        for bar in bars {
            let class = if bar.ours { "ours" } else { "peer" };
            let (width, middle) = (bar.ratio * scale, y + 15.0);
            writeln!(
                body,
                r#"<text x="{:.0}" y="{middle:.0}" text-anchor="end">{}</text>"#,
                LEFT - 8.0,
                bar.title
            )?;
            writeln!(
                body,
                r#"<rect class="{class}" x="{LEFT}" y="{:.0}" width="{width:.1}" height="16"/>"#,
                y + 2.0
            )?;
            writeln!(
                body,
                r#"<text x="{:.0}" y="{middle:.0}">{:.2} ({:.0} µs)</text>"#,
                LEFT + width + 6.0,
                bar.ratio,
                bar.cost
            )?;
            y += ROW;
        }
        writeln!(body, r#"<line class="one" x1="{one:.1}" x2="{one:.1}" y1="{top:.0}" y2="{bottom:.0}"/>"#)?;
    }
    let height = y + 20.0;
    Ok(Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" height=\"{height:.0}\" \
         role=\"img\" aria-label=\"CPU time per call beside nginx\">\n<style>{STYLE}</style>\n{body}</svg>\n"
    )))
}

fn bars(results: &Results, scenario: &str) -> Vec<Bar> {
    let cost = |record: &Record| record.sample.map(|sample| sample.cost);
    let bar = |kind: &Kind| {
        let ratios = results.paired(scenario, (*kind, Kind::Nginx), cost, |cost, nginx| cost / nginx);
        let costs = results.of(scenario, *kind).filter_map(cost).collect();
        Some(Bar {
            title: kind.short(),
            ours: matches!(kind, Kind::Suvidha(..)),
            ratio: median(ratios)?,
            cost: median(costs)?,
        })
    };
    let kinds = SCENARIOS.iter().find(|one| one.name == scenario).map_or(&[][..], |one| one.kinds);
    kinds.iter().filter(|kind| **kind != Kind::Direct).filter_map(bar).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
