//! AUTOLIAB: what GSTN has drawn for a GSTR-3B, one half from GSTR-1 and GSTR-1A, the other from GSTR-2B.

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::rupees::Rupees;
use crate::taxes::Taxes;
use crate::tolerant::{day, list, object, one_or_many, read, text};

/// What GSTN has drawn for a GSTR-3B.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AutoLiability {
    /// `r1fildt`: when the GSTR-1 was filed; none as long as it is not, and then there are no supplies here.
    pub gstr1_filed_on: Option<Date>,
    /// `r1afildt`: when the GSTR-1A was filed, if it was.
    pub gstr1a_filed_on: Option<Date>,
    /// `r2bgendt`: when the GSTR-2B was made; none as long as it is not, and then there is no credit here.
    pub gstr2b_generated_on: Option<Date>,
    /// `r3bgendt`: when all this was drawn.
    pub generated_on: Option<Date>,
    /// `sup_details`: Tables 3.1 and 3.1.1.
    pub supplies: DrawnSupplies,
    /// `inter_sup`: Table 3.2.
    pub inter_state: DrawnInterState,
    /// `elgitc`: Table 4.
    pub credit: DrawnCredit,
    /// `error`: why a half is missing.
    pub missing: Vec<MissingHalf>,
    /// GSTN's answer as it came, with what each cell is made of (`det`).
    pub raw: Value,
    gstin: String,
    period: String,
}

/// Tables 3.1 and 3.1.1.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct DrawnSupplies {
    /// `osup_3_1a`: taxable supplies, other than the following.
    #[serde(rename = "osup_3_1a", deserialize_with = "subtotal")]
    pub taxable: Taxes,
    /// `osup_3_1b`: zero-rated supplies.
    #[serde(rename = "osup_3_1b", deserialize_with = "subtotal")]
    pub zero_rated: Taxes,
    /// `osup_3_1c`: nil-rated and exempt supplies.
    #[serde(rename = "osup_3_1c", deserialize_with = "subtotal")]
    pub nil_or_exempt: Taxes,
    /// `isup_3_1d`: inward supplies under reverse charge.
    #[serde(rename = "isup_3_1d", deserialize_with = "subtotal")]
    pub reverse_charge: Taxes,
    /// `osup_3_1e`: supplies outside GST.
    #[serde(rename = "osup_3_1e", deserialize_with = "subtotal")]
    pub outside_gst: Taxes,
    /// `esup_3_1_1a`: supplies for which the taxpayer pays as an operator, s.9(5).
    #[serde(rename = "esup_3_1_1a", deserialize_with = "subtotal")]
    pub operator: Taxes,
    /// `esup_3_1_1b`: supplies through an operator, who pays.
    #[serde(rename = "esup_3_1_1b", deserialize_with = "subtotal")]
    pub through_operator: Taxes,
}

/// Table 3.2: supplies between states, of those in 3.1(a).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct DrawnInterState {
    /// `osup_unreg_3_2`: to unregistered persons.
    #[serde(rename = "osup_unreg_3_2", deserialize_with = "states")]
    pub unregistered: Vec<StateSupply>,
    /// `osup_comp_3_2`: to persons under the composition scheme.
    #[serde(rename = "osup_comp_3_2", deserialize_with = "states")]
    pub composition: Vec<StateSupply>,
    /// `osup_uin_3_2`: to holders of a UIN.
    #[serde(rename = "osup_uin_3_2", deserialize_with = "states")]
    pub uin: Vec<StateSupply>,
}

/// What was supplied to a state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct StateSupply {
    /// `pos`: the state's code.
    #[serde(rename = "pos", deserialize_with = "text")]
    pub place_of_supply: String,
    /// `txval`.
    #[serde(rename = "txval")]
    pub taxable: Rupees,
    /// `iamt`: integrated tax.
    #[serde(rename = "iamt")]
    pub igst: Rupees,
}

/// Table 4.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct DrawnCredit {
    /// `itc4a1`: of imports of goods.
    #[serde(rename = "itc4a1", deserialize_with = "subtotal")]
    pub imports: Taxes,
    /// `itc4a3`: of supplies under reverse charge.
    #[serde(rename = "itc4a3", deserialize_with = "subtotal")]
    pub reverse_charge: Taxes,
    /// `itc4a4`: of input service distributors.
    #[serde(rename = "itc4a4", deserialize_with = "subtotal")]
    pub distributors: Taxes,
    /// `itc4a5`: all other.
    #[serde(rename = "itc4a5", deserialize_with = "subtotal")]
    pub other: Taxes,
    /// `itc4b2`: to be reversed.
    #[serde(rename = "itc4b2", deserialize_with = "subtotal")]
    pub reversed: Taxes,
    /// `itc4d2`: not to be had.
    #[serde(rename = "itc4d2", deserialize_with = "subtotal")]
    pub unavailable: Taxes,
}

impl DrawnCredit {
    /// 4(C): what the return adds to the credit ledger.
    pub fn net(&self) -> Taxes {
        self.imports + self.reverse_charge + self.distributors + self.other - self.reversed
    }
}

/// Why a half could not be drawn.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MissingHalf {
    /// `error_cd`.
    #[serde(rename = "error_cd", deserialize_with = "text")]
    pub code: String,
    /// `error_desc`, `error_msg`.
    #[serde(rename = "error_desc", alias = "error_msg", deserialize_with = "text")]
    pub message: String,
}

/// A cell: what it comes to is beside what it is made of.
fn subtotal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Taxes, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Cell {
        #[serde(deserialize_with = "object")]
        subtotal: Taxes,
    }
    object::<D, Cell>(deserializer).map(|cell| cell.subtotal)
}

fn states<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<StateSupply>, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Cell {
        #[serde(deserialize_with = "list")]
        subtotal: Vec<StateSupply>,
    }
    object::<D, Cell>(deserializer).map(|cell| cell.subtotal)
}

impl AutoLiability {
    pub(super) fn read(answer: &[u8]) -> Result<Self, Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Answer {
            r3bautopop: Drawn,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Drawn {
            #[serde(deserialize_with = "day")]
            r1fildt: Option<Date>,
            #[serde(deserialize_with = "day")]
            r1afildt: Option<Date>,
            #[serde(deserialize_with = "day")]
            r2bgendt: Option<Date>,
            #[serde(deserialize_with = "day")]
            r3bgendt: Option<Date>,
            #[serde(deserialize_with = "object")]
            liabitc: Halves,
            #[serde(deserialize_with = "one_or_many")]
            error: Vec<MissingHalf>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Halves {
            #[serde(deserialize_with = "text")]
            gstin: String,
            #[serde(deserialize_with = "text")]
            ret_period: String,
            #[serde(deserialize_with = "object")]
            sup_details: DrawnSupplies,
            #[serde(deserialize_with = "object")]
            inter_sup: DrawnInterState,
            #[serde(deserialize_with = "object")]
            elgitc: DrawnCredit,
        }
        let (Answer { r3bautopop: drawn }, raw) = read::<Answer>(answer, "the answer to AUTOLIAB")?;
        Ok(Self {
            gstr1_filed_on: drawn.r1fildt,
            gstr1a_filed_on: drawn.r1afildt,
            gstr2b_generated_on: drawn.r2bgendt,
            generated_on: drawn.r3bgendt,
            supplies: drawn.liabitc.sup_details,
            inter_state: drawn.liabitc.inter_sup,
            credit: drawn.liabitc.elgitc,
            missing: drawn.error,
            raw,
            gstin: drawn.liabitc.gstin,
            period: drawn.liabitc.ret_period,
        })
    }

    /// A GSTR-3B that declares all this and nothing else, to be saved as it is or filled up first. Of the tables that nothing
    /// is drawn for (imports of services, interest, reclaimed credit, Table 5) it says nothing.
    pub fn to_return(&self) -> Value {
        let (supplies, credit) = (&self.supplies, &self.credit);
        let all = ["iamt", "camt", "samt", "csamt"];
        let supply = |taxes: &Taxes, names: &[&str]| {
            let mut cell = heads(taxes, names);
            cell.insert("txval".to_owned(), json!(taxes.taxable));
            Value::Object(cell)
        };
        let kind = |ty: &str, taxes: &Taxes| {
            let mut row = heads(taxes, &all);
            row.insert("ty".to_owned(), ty.into());
            Value::Object(row)
        };
        json!({
            "gstin": self.gstin,
            "ret_period": self.period,
            "sup_details": {
                "osup_det": supply(&supplies.taxable, &all),
                "osup_zero": supply(&supplies.zero_rated, &["iamt", "csamt"]),
                "osup_nil_exmp": supply(&supplies.nil_or_exempt, &[]),
                "isup_rev": supply(&supplies.reverse_charge, &all),
                "osup_nongst": supply(&supplies.outside_gst, &[]),
            },
            "eco_dtls": {
                "eco_sup": supply(&supplies.operator, &all),
                "eco_reg_sup": supply(&supplies.through_operator, &[]),
            },
            "inter_sup": {
                "unreg_details": self.inter_state.unregistered,
                "comp_details": self.inter_state.composition,
                "uin_details": self.inter_state.uin,
            },
            "itc_elg": {
                "itc_avl": [
                    kind("IMPG", &credit.imports),
                    kind("IMPS", &Taxes::default()),
                    kind("ISRC", &credit.reverse_charge),
                    kind("ISD", &credit.distributors),
                    kind("OTH", &credit.other),
                ],
                "itc_rev": [kind("RUL", &Taxes::default()), kind("OTH", &credit.reversed)],
                "itc_net": heads(&credit.net(), &all),
                "itc_inelg": [kind("RUL", &Taxes::default()), kind("OTH", &credit.unavailable)],
            },
        })
    }
}

/// The heads of `names`, in GSTN's order.
fn heads(taxes: &Taxes, names: &[&str]) -> Map<String, Value> {
    let all = ["iamt", "camt", "samt", "csamt"].into_iter().zip(taxes.heads());
    all.filter(|(name, _)| names.contains(name))
        .map(|(name, amount)| (name.to_owned(), json!(amount)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWN: &str = r#"{"r3bautopop": {"r1fildt": "11-05-2026", "r2bgendt": "14-05-2026", "r3bgendt": "14-05-2026", "liabitc": {
        "gstin": "33AANCS2882A1ZG", "ret_period": "042026",
        "sup_details": {"osup_3_1a": {"subtotal": {"txval": 1000.1, "iamt": 180.02, "camt": 0, "samt": 0, "csamt": 0},
                                      "det": {"tbl4a": {"txval": 1000.1, "iamt": 180.02}}},
                        "isup_3_1d": {"subtotal": {"txval": 10, "camt": 0.9, "samt": 0.9}}},
        "inter_sup": {"osup_unreg_3_2": {"subtotal": [{"pos": "29", "txval": 500, "iamt": 90}], "det": {}}},
        "elgitc": {"itc4a5": {"subtotal": {"iamt": 100.5}}, "itc4b2": {"subtotal": {"iamt": 0.5}}}}, "error": []}}"#;

    #[test]
    fn both_halves_are_read_and_make_a_return() {
        let drawn = AutoLiability::read(DRAWN.as_bytes()).unwrap();
        assert_eq!(drawn.gstr1_filed_on, Some(jiff::civil::date(2026, 5, 11)));
        assert_eq!(
            (drawn.supplies.taxable.igst.paise(), drawn.supplies.reverse_charge.tax().paise()),
            (18_002, 180)
        );
        assert_eq!((drawn.credit.net().igst.paise(), drawn.missing.len()), (10_000, 0));
        let saved = drawn.to_return();
        assert_eq!((&saved["gstin"], &saved["ret_period"]), (&json!("33AANCS2882A1ZG"), &json!("042026")));
        assert_eq!(saved["sup_details"]["osup_det"]["txval"], json!(1000.1));
        assert_eq!(saved["sup_details"]["osup_nongst"], json!({"txval": 0}));
        assert_eq!(saved["inter_sup"]["unreg_details"], json!([{"pos": "29", "txval": 500, "iamt": 90}]));
        assert_eq!(
            saved["itc_elg"]["itc_avl"][4],
            json!({"ty": "OTH", "iamt": 100.5, "camt": 0, "samt": 0, "csamt": 0})
        );
        assert_eq!(saved["itc_elg"]["itc_net"]["iamt"], json!(100));
    }

    #[test]
    fn a_half_that_is_missing_says_why() {
        let json = br#"{"r3bautopop": {"liabitc": null, "error": {"error_cd": "RET2B1023", "error_msg": "no GSTR-2B"}}}"#;
        let drawn = AutoLiability::read(json).unwrap();
        assert_eq!((drawn.gstr1_filed_on, drawn.gstr2b_generated_on), (None, None));
        assert_eq!(
            (drawn.missing[0].code.as_str(), drawn.missing[0].message.as_str()),
            ("RET2B1023", "no GSTR-2B")
        );
    }
}
