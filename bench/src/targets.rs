//! What is to be reached, and whether it is.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::Failure;

/// What is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Good {
    /// No more than the bound.
    Less,
    /// No less than the bound.
    More,
}

/// One target.
pub(crate) struct Target {
    pub(crate) what: &'static str,
    /// What was measured; nothing where it was not.
    pub(crate) value: Option<f64>,
    pub(crate) good: Good,
    /// What it must be, and what it should be.
    pub(crate) reach: Option<f64>,
    pub(crate) then: Option<f64>,
}

impl Target {
    fn met(&self, bound: Option<f64>) -> Option<bool> {
        let (value, bound) = (self.value?, bound?);
        Some(match self.good {
            Good::Less => value <= bound,
            Good::More => value >= bound,
        })
    }

    pub(crate) fn raw(&self) -> Value {
        json!({
            "what": self.what,
            "measured": self.value,
            "reach": self.reach,
            "reached": self.met(self.reach),
            "then": self.then,
            "then_reached": self.met(self.then),
        })
    }
}

/// A table of them.
pub(crate) fn table(targets: &[Target]) -> Result<String, Failure> {
    let mut text = "| what | measured | reach | | then | |\n|---|---|---|---|---|---|\n".to_owned();
    for target in targets {
        let Target { what, value, good, reach, then } = target;
        let measured = value.map_or("not measured".to_owned(), |value| format!("**{value:.2}**"));
        let sign = if *good == Good::Less { "≤" } else { "≥" };
        let bound = |bound: Option<f64>| bound.map(|bound| format!("{sign} {bound:.2}")).unwrap_or_default();
        let told = |bound| match target.met(bound) {
            Some(true) => "reached",
            Some(false) => "missed",
            None => "",
        };
        let [reached, so_then] = [*reach, *then].map(told);
        writeln!(
            text,
            "| {what} | {measured} | {} | {reached} | {} | {so_then} |",
            bound(*reach),
            bound(*then)
        )?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_reached_missed_or_not_measured() {
        let target = |good, value| Target { what: "it", value, good, reach: Some(1.15), then: Some(1.0) };
        let less = [Some(1.0), Some(1.1), Some(1.2), None].map(|value| target(Good::Less, value));
        let table = table(&less).unwrap();
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| it | **1.00** | ≤ 1.15 | reached | ≤ 1.00 | reached |",
                "| it | **1.10** | ≤ 1.15 | reached | ≤ 1.00 | missed |",
                "| it | **1.20** | ≤ 1.15 | missed | ≤ 1.00 | missed |",
                "| it | not measured | ≤ 1.15 |  | ≤ 1.00 |  |",
            ]
        );
        assert_eq!(target(Good::More, Some(1.1)).met(Some(1.0)), Some(true));
        assert_eq!(target(Good::More, Some(0.9)).met(Some(1.0)), Some(false));
    }
}
