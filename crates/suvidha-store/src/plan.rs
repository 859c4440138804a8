//! The plans by which calls are paid for: named by the operator in the registry, written to every entry of the ledger.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How an ASP pays for its calls in an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanKind {
    /// With credits bought before, which are good until a date.
    Prepaid,
    /// Afterwards: units are counted, up to a monthly cap where there is one.
    Postpaid,
    /// Not at all: units are not counted.
    #[default]
    Unmetered,
}

impl PlanKind {
    /// Each of them, in the order people list them.
    pub const ALL: [Self; 3] = [Self::Prepaid, Self::Postpaid, Self::Unmetered];

    /// `prepaid`, `postpaid` or `unmetered`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepaid => "prepaid",
            Self::Postpaid => "postpaid",
            Self::Unmetered => "unmetered",
        }
    }
}

impl fmt::Display for PlanKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for PlanKind {
    type Err = UnknownPlan;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownPlan)
    }
}

/// The text names no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the plan must be `prepaid`, `postpaid` or `unmetered`")]
pub struct UnknownPlan;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_nothing_else_does() {
        for kind in PlanKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("Prepaid".parse::<PlanKind>(), Err(UnknownPlan));
        assert_eq!("".parse::<PlanKind>(), Err(UnknownPlan));
    }
}
