//! What a taxpayer saves: the tables of GSTR-3B, read from a payload and written back.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::refusal;
use crate::amounts::Amount;
use crate::gstr1::GstnError;
use crate::ledgers::money::{Head, Heads, paise, rupees};

/// A value and the tax on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Supply {
    pub(crate) txval: i64,
    pub(crate) tax: Heads,
}

impl Supply {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { txval: self.txval.saturating_add(other.txval), tax: self.tax + other.tax }
    }

    /// `txval` and the taxes named.
    pub(crate) fn to_json(self, taxes: &[Head]) -> Value {
        let mut object = Map::new();
        object.insert("txval".into(), rupees(self.txval));
        for head in taxes {
            object.insert(head.amount_key().into(), rupees(self.tax[*head]));
        }
        Value::Object(object)
    }
}

/// Kinds of available credit: 4(A)(1) to (5).
pub(crate) const AVAILABLE: [&str; 5] = ["IMPG", "IMPS", "ISRC", "ISD", "OTH"];
/// Kinds of reversed credit, 4(B)(1) and (2), and of 4(D)(1) and (2).
pub(crate) const TWO_KINDS: [&str; 2] = ["RUL", "OTH"];
/// The lists of Table 3.2 and what AUTOLIAB calls them.
pub(crate) const INTER_STATE: [(&str, &str); 3] =
    [("unreg_details", "osup_unreg_3_2"), ("comp_details", "osup_comp_3_2"), ("uin_details", "osup_uin_3_2")];

/// A GSTR-3B as saved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    /// 3.1(a)
    pub(crate) taxable: Supply,
    /// 3.1(b)
    pub(crate) zero_rated: Supply,
    /// 3.1(c)
    pub(crate) nil_or_exempt: Supply,
    /// 3.1(d)
    pub(crate) reverse_charge: Supply,
    /// 3.1(e)
    pub(crate) outside_gst: Supply,
    /// 3.1.1(i): an operator pays for supplies through it, s.9(5).
    pub(crate) operator: Supply,
    /// 3.1.1(ii)
    pub(crate) through_operator: Supply,
    /// 3.2, by place of supply, in the order of [`INTER_STATE`].
    pub(crate) inter_state: [BTreeMap<String, Supply>; 3],
    /// 4(A), in the order of [`AVAILABLE`].
    pub(crate) available: [Heads; 5],
    /// 4(B), in the order of [`TWO_KINDS`].
    pub(crate) reversed: [Heads; 2],
    /// 4(D), in the order of [`TWO_KINDS`].
    pub(crate) other_details: [Heads; 2],
    /// 5: values between and within states, of supplies that bear no tax and that are outside GST.
    pub(crate) inward: [(i64, i64); 2],
    /// 5.1
    pub(crate) interest: Heads,
}

impl Saved {
    /// Reads a payload. RET191106 for what has not the published form.
    pub(crate) fn read(payload: &Value) -> Result<Self, GstnError> {
        let known = [
            "gstin",
            "ret_period",
            "sup_details",
            "inter_sup",
            "eco_dtls",
            "itc_elg",
            "inward_sup",
            "intr_ltfee",
            // Clients send back what RETSUM told them. GSTN works these out by itself.
            "tx_pmt",
            "liab_breakup",
        ];
        let payload = object(payload, &known, "the payload")?;
        let section = |name: &str, known: &[&str]| member(payload, name, known);
        let supplies =
            section("sup_details", &["osup_det", "osup_zero", "osup_nil_exmp", "isup_rev", "osup_nongst"])?;
        let operators = section("eco_dtls", &["eco_sup", "eco_reg_sup"])?;
        let between = section("inter_sup", &INTER_STATE.map(|(list, _)| list))?;
        let credit = section("itc_elg", &["itc_avl", "itc_rev", "itc_net", "itc_inelg"])?;
        let inward = section("inward_sup", &["isup_details"])?;
        let charges = section("intr_ltfee", &["intr_details", "ltfee_details"])?;
        let [unregistered, composition, un_bodies] = INTER_STATE;
        let saved = Self {
            taxable: supply(&supplies, "osup_det", true)?,
            zero_rated: supply(&supplies, "osup_zero", true)?,
            nil_or_exempt: supply(&supplies, "osup_nil_exmp", false)?,
            reverse_charge: supply(&supplies, "isup_rev", true)?,
            outside_gst: supply(&supplies, "osup_nongst", false)?,
            operator: supply(&operators, "eco_sup", true)?,
            through_operator: supply(&operators, "eco_reg_sup", false)?,
            inter_state: [
                by_state(&between, unregistered.0)?,
                by_state(&between, composition.0)?,
                by_state(&between, un_bodies.0)?,
            ],
            available: by_kind(&credit, "itc_avl", AVAILABLE)?,
            reversed: by_kind(&credit, "itc_rev", TWO_KINDS)?,
            other_details: by_kind(&credit, "itc_inelg", TWO_KINDS)?,
            inward: inward_values(&inward)?,
            interest: heads(charges.get("intr_details"), "intr_details")?,
        };
        heads(credit.get("itc_net"), "itc_net")?;
        heads(charges.get("ltfee_details"), "ltfee_details")?;
        if saved.interest.any(|paise| paise < 0) {
            return Err(malformed("intr_details"));
        }
        if !saved.zero_rated.tax.zip(Heads::new(0, 1, 1, 0), |tax, none| tax * none).is_zero() {
            return Err(malformed("osup_zero"));
        }
        Ok(saved)
    }

    /// As RETSUM tells it, without payment and late fee.
    pub(crate) fn write(&self) -> Map<String, Value> {
        const IGST_AND_CESS: [Head; 2] = [Head::Igst, Head::Cess];
        let all = &Head::ALL;
        let lists = INTER_STATE.iter().zip(&self.inter_state).map(|((list, _), states)| {
            let row = |(pos, supply): (&String, &Supply)| {
                json!({"pos": pos, "txval": rupees(supply.txval), "iamt": rupees(supply.tax[Head::Igst])})
            };
            ((*list).to_owned(), states.iter().map(row).collect::<Value>())
        });
        let kinds = |kinds: &[&str], amounts: &[Heads]| -> Value {
            kinds.iter().zip(amounts).map(|(kind, heads)| typed(kind, heads.to_return())).collect()
        };
        let inward = [("GST", self.inward[0]), ("NONGST", self.inward[1])];
        let inward = inward
            .map(|(ty, (inter, intra))| json!({"ty": ty, "inter": rupees(inter), "intra": rupees(intra)}));
        let mut form = Map::new();
        let mut put = |name: &str, value: Value| form.insert(name.to_owned(), value);
        put(
            "sup_details",
            json!({
                "osup_det": self.taxable.to_json(all), "osup_zero": self.zero_rated.to_json(&IGST_AND_CESS),
                "osup_nil_exmp": self.nil_or_exempt.to_json(&[]), "isup_rev": self.reverse_charge.to_json(all),
                "osup_nongst": self.outside_gst.to_json(&[]),
            }),
        );
        put("inter_sup", Value::Object(lists.collect()));
        put(
            "eco_dtls",
            json!({"eco_sup": self.operator.to_json(all), "eco_reg_sup": self.through_operator.to_json(&[])}),
        );
        put(
            "itc_elg",
            json!({
                "itc_avl": kinds(&AVAILABLE, &self.available), "itc_rev": kinds(&TWO_KINDS, &self.reversed),
                "itc_net": self.net_credit().to_return(), "itc_inelg": kinds(&TWO_KINDS, &self.other_details),
            }),
        );
        put("inward_sup", json!({ "isup_details": inward }));
        form
    }

    /// As the database keeps it: what [`Saved::read`] reads.
    pub(crate) fn to_payload(&self) -> Value {
        let mut payload = self.write();
        payload.insert("intr_ltfee".into(), json!({ "intr_details": self.interest.to_return() }));
        Value::Object(payload)
    }

    /// 4(C): credit available less credit reversed.
    pub(crate) fn net_credit(&self) -> Heads {
        let sum = |amounts: &[Heads]| amounts.iter().fold(Heads::ZERO, |sum, heads| sum + *heads);
        sum(&self.available) - sum(&self.reversed)
    }

    /// Nothing was supplied, nothing received and nothing is to be paid.
    pub(crate) fn is_nil(&self) -> bool {
        *self == Self::default()
    }
}

fn typed(kind: &str, mut amounts: Map<String, Value>) -> Value {
    amounts.insert("ty".into(), kind.into());
    Value::Object(amounts)
}

fn malformed(what: &str) -> GstnError {
    refusal("RET191106", format!("Error in Json structure validation: {what}"))
}

/// An object that has no other members than `known`.
fn object<'a>(value: &'a Value, known: &[&str], what: &str) -> Result<&'a Map<String, Value>, GstnError> {
    let object = value.as_object().ok_or_else(|| malformed(what))?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(malformed(&format!("{key} in {what}"))),
        None => Ok(object),
    }
}

/// A member that is an object; none when it is absent or null.
fn member(parent: &Map<String, Value>, name: &str, known: &[&str]) -> Result<Map<String, Value>, GstnError> {
    match parent.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(value) => object(value, known, name).cloned(),
    }
}

/// An amount in rupees: at most two decimals and thirteen digits before them.
fn amount(value: Option<&Value>, what: &str) -> Result<i64, GstnError> {
    const LARGEST: i64 = 1_000_000_000_000_000;
    match value {
        None | Some(Value::Null) => Ok(0),
        Some(number @ Value::Number(_)) if Amount::is_exact(number) && paise(number).abs() < LARGEST => {
            Ok(paise(number))
        }
        Some(_) => Err(malformed(what)),
    }
}

fn tax_of(object: &Map<String, Value>, what: &str) -> Result<Heads, GstnError> {
    let mut tax = Heads::ZERO;
    for head in Head::ALL {
        tax[head] = amount(object.get(head.amount_key()), what)?;
    }
    Ok(tax)
}

fn heads(value: Option<&Value>, what: &str) -> Result<Heads, GstnError> {
    match value {
        None | Some(Value::Null) => Ok(Heads::ZERO),
        Some(value) => tax_of(object(value, &["iamt", "camt", "samt", "csamt"], what)?, what),
    }
}

fn supply(parent: &Map<String, Value>, name: &str, has_tax: bool) -> Result<Supply, GstnError> {
    let found = member(parent, name, &["txval", "iamt", "camt", "samt", "csamt"])?;
    let supply = Supply { txval: amount(found.get("txval"), name)?, tax: tax_of(&found, name)? };
    if has_tax || supply.tax.is_zero() { Ok(supply) } else { Err(malformed(name)) }
}

fn list<'a>(parent: &'a Map<String, Value>, name: &str) -> Result<&'a [Value], GstnError> {
    match parent.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(rows)) => Ok(rows),
        Some(_) => Err(malformed(name)),
    }
}

/// Rows of Table 3.2. A state that stands twice counts together, as clients split rows.
fn by_state(parent: &Map<String, Value>, name: &str) -> Result<BTreeMap<String, Supply>, GstnError> {
    let mut states: BTreeMap<String, Supply> = BTreeMap::new();
    for row in list(parent, name)? {
        let row = object(row, &["pos", "txval", "iamt"], name)?;
        let pos = row.get("pos").and_then(Value::as_str).unwrap_or_default();
        if pos.len() != 2 || !pos.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed(name));
        }
        let tax = Heads::new(amount(row.get("iamt"), name)?, 0, 0, 0);
        let supply = Supply { txval: amount(row.get("txval"), name)?, tax };
        let sum = states.entry(pos.to_owned()).or_default();
        *sum = sum.plus(supply);
    }
    states.retain(|_, supply| *supply != Supply::default());
    Ok(states)
}

fn by_kind<const N: usize>(
    parent: &Map<String, Value>,
    name: &str,
    kinds: [&str; N],
) -> Result<[Heads; N], GstnError> {
    let mut amounts = [None; N];
    for row in list(parent, name)? {
        let row = object(row, &["ty", "iamt", "camt", "samt", "csamt"], name)?;
        let ty = row.get("ty").and_then(Value::as_str);
        let kind = kinds.iter().position(|kind| Some(*kind) == ty).ok_or_else(|| malformed(name))?;
        if amounts[kind].replace(tax_of(row, name)?).is_some() {
            return Err(malformed(name));
        }
    }
    Ok(amounts.map(Option::unwrap_or_default))
}

fn inward_values(parent: &Map<String, Value>) -> Result<[(i64, i64); 2], GstnError> {
    let mut values = [(0, 0); 2];
    for row in list(parent, "isup_details")? {
        let row = object(row, &["ty", "inter", "intra"], "isup_details")?;
        let ty = row.get("ty").and_then(Value::as_str);
        let kind = ["GST", "NONGST"].iter().position(|kind| Some(*kind) == ty);
        let kind = kind.ok_or_else(|| malformed("isup_details"))?;
        values[kind] = (amount(row.get("inter"), "isup_details")?, amount(row.get("intra"), "isup_details")?);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_what_is_told() {
        let payload = json!({
            "gstin": "05AVHPB7348G1ZP", "ret_period": "042017",
            "sup_details": {"osup_det": {"txval": 250, "iamt": 100.5, "camt": 200, "samt": 200, "csamt": 400},
                            "osup_zero": {"txval": 10, "iamt": 1, "csamt": 0}},
            "inter_sup": {"unreg_details": [{"pos": "07", "txval": 250, "iamt": 200}, {"pos": "07", "txval": 1, "iamt": 1}]},
            "itc_elg": {"itc_avl": [{"ty": "OTH", "iamt": 136.53, "camt": 274, "samt": 162.99, "csamt": 103}],
                        "itc_rev": [{"ty": "RUL", "iamt": 36.53}]},
            "inward_sup": {"isup_details": [{"ty": "NONGST", "inter": 300, "intra": 400}]},
            "intr_ltfee": {"intr_details": {"iamt": 10}},
        });
        let saved = Saved::read(&payload).unwrap();
        assert_eq!(saved.net_credit(), Heads::new(10_000, 27_400, 16_299, 10_300));
        let written = Value::Object(saved.write());
        assert_eq!(written["sup_details"]["osup_det"]["iamt"], json!(100.5));
        assert_eq!(written["inter_sup"]["unreg_details"], json!([{"pos": "07", "txval": 251, "iamt": 201}]));
        assert_eq!(
            written["itc_elg"]["itc_net"],
            json!({"iamt": 100, "camt": 274, "samt": 162.99, "csamt": 103})
        );
        let again = Saved { interest: Heads::ZERO, ..saved.clone() };
        assert_eq!(Saved::read(&written), Ok(again));
        assert!(!saved.is_nil() && Saved::read(&json!({})).unwrap().is_nil());
    }

    #[test]
    fn what_has_another_form_is_refused() {
        for payload in [
            json!([]),
            json!({"sup_detail": {}}),
            json!({"sup_details": []}),
            json!({"sup_details": {"osup_det": {"txval": "1"}}}),
            json!({"sup_details": {"osup_det": {"txval": 0.001}}}),
            json!({"sup_details": {"osup_det": {"txval": 1e13}}}),
            json!({"sup_details": {"osup_nil_exmp": {"txval": 1, "iamt": 1}}}),
            json!({"sup_details": {"osup_zero": {"txval": 1, "camt": 1}}}),
            json!({"inter_sup": {"unreg_details": [{"pos": "7"}]}}),
            json!({"itc_elg": {"itc_avl": [{"ty": "IMP"}]}}),
            json!({"itc_elg": {"itc_avl": [{"ty": "OTH"}, {"ty": "OTH"}]}}),
            json!({"itc_elg": {" itc_inelg": []}}),
            json!({"intr_ltfee": {"intr_details": {"iamt": -1}}}),
        ] {
            assert_eq!(Saved::read(&payload).unwrap_err().code, "RET191106", "{payload}");
        }
    }
}
