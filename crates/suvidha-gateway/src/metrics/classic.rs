//! The older text form of Prometheus, made from that of OpenMetrics: the same samples under the names that they bear there.

use std::fmt::Write as _;

/// Names the families of counters and infos as their samples are named, and leaves out what the older form does not know.
pub(super) fn from_openmetrics(text: &str) -> String {
    let mut classic = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map(|(_, words)| words);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(classic, "# HELP {name}{suffix} {}", help.take().unwrap_or_default());
            let _ = writeln!(classic, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            let _ = writeln!(classic, "{line}");
        }
    }
    classic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_named_as_their_samples() {
        let openmetrics = "# HELP a_seconds Time.\n# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1.5\n\
            # HELP b Calls.\n# TYPE b counter\nb_total{x=\"# TYPE\"} 2\n# HELP c What.\n# TYPE c info\nc_info{v=\"1\"} 1\n# EOF\n";
        let classic = "# HELP a_seconds Time.\n# TYPE a_seconds gauge\na_seconds 1.5\n# HELP b_total Calls.\n\
            # TYPE b_total counter\nb_total{x=\"# TYPE\"} 2\n# HELP c_info What.\n# TYPE c_info gauge\nc_info{v=\"1\"} 1\n";
        assert_eq!(from_openmetrics(openmetrics), classic);
    }
}
