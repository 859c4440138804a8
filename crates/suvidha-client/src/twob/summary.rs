//! `itcsumm`: the credit of a GSTR-2B by what may be done with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::taxes::Taxes;
use crate::tolerant::object;

/// The credit of a GSTR-2B, by what may be done with it. What a version leaves out is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ItcSummary {
    /// `itcavl`: may be claimed in GSTR-3B.
    #[serde(rename = "itcavl", deserialize_with = "object")]
    pub available: ItcGroups,
    /// `itcunavl`: may not.
    #[serde(rename = "itcunavl", deserialize_with = "object")]
    pub unavailable: ItcGroups,
    /// `itcrev`: to be reversed, as the supplier has not paid its tax (Rule 37A).
    #[serde(rename = "itcrev", deserialize_with = "object")]
    pub reversal: ItcGroups,
    /// `itcRejected`: rejected in IMS; it counts nowhere.
    #[serde(rename = "itcRejected", deserialize_with = "object")]
    pub rejected: ItcGroups,
}

/// Credit by kind of supply.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ItcGroups {
    /// `nonrevsup`: other supplies than those under reverse charge; 4(A)(5) of GSTR-3B.
    #[serde(rename = "nonrevsup", deserialize_with = "object")]
    pub other_supplies: ItcGroup,
    /// `isdsup`: of input service distributors; 4(A)(4).
    #[serde(rename = "isdsup", deserialize_with = "object")]
    pub distributors: ItcGroup,
    /// `revsup`: supplies under reverse charge; 4(A)(3).
    #[serde(rename = "revsup", deserialize_with = "object")]
    pub reverse_charge: ItcGroup,
    /// `imports`: of goods; 4(A)(1).
    #[serde(rename = "imports", deserialize_with = "object")]
    pub imports: ItcGroup,
    /// `othersup`: credit notes, which take away from the others.
    #[serde(rename = "othersup", deserialize_with = "object")]
    pub credit_notes: ItcGroup,
}

impl ItcGroups {
    /// All kinds together, less credit notes.
    pub fn net(&self) -> Taxes {
        let added = [&self.other_supplies, &self.distributors, &self.reverse_charge, &self.imports];
        added.into_iter().map(|group| group.total).sum::<Taxes>() - self.credit_notes.total
    }
}

/// One kind of supply: all of it, and by section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ItcGroup {
    /// All sections together.
    pub total: Taxes,
    /// By section, such as `b2b` or `cdnrrev`.
    pub sections: BTreeMap<String, Taxes>,
}

impl<'de> Deserialize<'de> for ItcGroup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = BTreeMap::<String, Box<RawValue>>::deserialize(deserializer)?;
        let mut group = Self::default();
        for (name, value) in fields {
            let amount = || serde_json::from_str(value.get()).map_err(serde::de::Error::custom);
            match name.as_str() {
                "igst" => group.total.igst = amount()?,
                "cgst" => group.total.cgst = amount()?,
                "sgst" => group.total.sgst = amount()?,
                "cess" => group.total.cess = amount()?,
                "txval" => group.total.taxable = amount()?,
                _ if value.get().starts_with('{') => {
                    let taxes = serde_json::from_str(value.get()).map_err(serde::de::Error::custom)?;
                    group.sections.insert(name, taxes);
                }
                _ => (),
            }
        }
        Ok(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_notes_take_away_and_what_a_version_leaves_out_is_nothing() {
        let json = r#"{"itcavl": {"nonrevsup": {"igst": 1000.1, "cgst": 0, "b2b": {"igst": 1000.05}, "b2ba": {"igst": "0.05"}},
            "imports": {"igst": 5, "cess": 1, "impg": {"igst": 5, "cess": 1}}, "isdsup": null,
            "othersup": {"igst": 0.1, "cdnr": {"igst": 0.1}, "new": 1}}}"#;
        let summary: ItcSummary = serde_json::from_str(json).unwrap();
        let net = summary.available.net();
        assert_eq!((net.igst.paise(), net.cess.paise(), net.tax().paise()), (100_500, 100, 100_600));
        assert_eq!(summary.available.other_supplies.sections["b2ba"].igst.paise(), 5);
        assert_eq!((summary.rejected, summary.reversal), (ItcGroups::default(), ItcGroups::default()));
        assert!(serde_json::from_str::<ItcSummary>(r#"{"itcavl": {"imports": {"igst": "x"}}}"#).is_err());
    }
}
