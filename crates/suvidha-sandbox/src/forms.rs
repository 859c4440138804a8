//! The forms a taxpayer files or reads, and how often they are due.

use serde::{Deserialize, Serialize};

/// A form, by the name GSTN gives it in `form_typ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Outward supplies; of a quarterly filer's first and second month, the invoice furnishing facility (IFF).
    Gstr1,
    /// Corrections of a GSTR-1 before the GSTR-3B of its period.
    Gstr1a,
    /// The summary return, by which tax is paid.
    Gstr3b,
    /// The recipient's statement of credit. It is made by GSTN, never filed.
    Gstr2b,
    /// The invoice management system. It has no period of its own.
    Ims,
}

impl Form {
    const ALL: [Self; 5] = [Self::Gstr1, Self::Gstr1a, Self::Gstr3b, Self::Gstr2b, Self::Ims];

    /// As in `form_typ`: `R1`, `R1A`, `R3B`, `R2B`, `IMS`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gstr1 => "R1",
            Self::Gstr1a => "R1A",
            Self::Gstr3b => "R3B",
            Self::Gstr2b => "R2B",
            Self::Ims => "IMS",
        }
    }

    /// As in RETTRACK's `rtntype`: `GSTR1`, `GSTR3B` and so on.
    pub const fn long_name(self) -> &'static str {
        match self {
            Self::Gstr1 => "GSTR1",
            Self::Gstr1a => "GSTR1A",
            Self::Gstr3b => "GSTR3B",
            Self::Gstr2b => "GSTR2B",
            Self::Ims => "IMS",
        }
    }

    /// The form of either of its names, in small or capital letters.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| {
            text.eq_ignore_ascii_case(form.as_str()) || text.eq_ignore_ascii_case(form.long_name())
        })
    }
}

/// How often a taxpayer files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frequency {
    /// Every month.
    #[default]
    Monthly,
    /// Every quarter, with payments in between (QRMP).
    Quarterly,
}

impl Frequency {
    /// `M` or `Q`, as in GETPREF.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monthly => "M",
            Self::Quarterly => "Q",
        }
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        [Self::Monthly, Self::Quarterly].into_iter().find(|frequency| frequency.as_str() == text)
    }
}
