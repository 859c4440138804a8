//! AUTOLIAB: what the system draws from the filed GSTR-1, GSTR-1A and IFFs, and from GSTR-2B. Nothing of it is kept: it
//! follows from what is filed, so that a change of either half shows at once.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::Taxable;
use super::form::{INTER_STATE, Supply};
use crate::calendar::ends_quarter;
use crate::clock::dashed;
use crate::filed;
use crate::forms::{Form, Frequency};
use crate::gstr1::Subject;
use crate::gstr1::liability::{self, Cell, Contribution, Recipient};
use crate::ledgers::money::{Head, Heads, rupees, to_paise};
use crate::taxpayers::{self, Scheme};

/// What recipients' rejections add to the liability, by the table in which AUTOLIAB shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// `ims_9b_cn`, `ims_9c_cn`, `ims_9a_9c_dn` or `ims_15_b2ba`.
    pub(crate) table: &'static str,
    pub(crate) supply: Supply,
}

impl Rejected {
    /// By the section of the supplier's return that a recipient rejected.
    pub(crate) fn of_section(section: &str, supply: Supply) -> Self {
        let table = match section {
            "cdnr" => "ims_9b_cn",
            "cdnra" => "ims_9c_cn",
            "ecoma" => "ims_15_b2ba",
            _ => "ims_9a_9c_dn",
        };
        Self { table, supply }
    }

    fn cell(&self) -> Cell {
        if self.table == "ims_15_b2ba" { Cell::Operator } else { Cell::Taxable }
    }
}

/// What comes from the taxpayer's recipients and suppliers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inward {
    /// The day on which GSTR-2B was made, and its `itcsumm`.
    pub(crate) statement: Option<(Date, Value)>,
    pub(crate) rejected: Vec<Rejected>,
    /// IMS actions were taken after GSTR-2B was made: it must be made again before GSTR-3B is paid or filed.
    pub(crate) is_stale: bool,
}

/// One table of the detail.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Detail {
    table: &'static str,
    /// As `det_q` names the return; `det` has none.
    form: String,
    supply: Supply,
    by_state: BTreeMap<String, Supply>,
}

/// Credit of one line of Table 4.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Credit {
    pub(crate) available: Heads,
    /// Credit notes, which take away.
    pub(crate) notes: Heads,
}

impl Credit {
    pub(crate) fn net(&self) -> Heads {
        self.available - self.notes
    }
}

/// The ITC half.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DrawnCredit {
    /// 4(A)(1), (3), (4) and (5), as in [`CREDIT_CELLS`].
    pub(crate) available: [Credit; 4],
    /// 4(B)(2)
    pub(crate) reversed: Heads,
    /// 4(D)(2)
    pub(crate) unavailable: Heads,
    /// 3.1(d), with the value of the supplies.
    pub(crate) reverse_charge: Supply,
}

/// The lines of 4(A) that are drawn, and the places of their kind in a save.
pub(crate) const CREDIT_CELLS: [(&str, usize); 4] =
    [("itc4a1", 0), ("itc4a3", 2), ("itc4a4", 3), ("itc4a5", 4)];

/// What is drawn for one GSTR-3B.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drawn {
    gstr1_on: Option<Date>,
    gstr1a_on: Option<Date>,
    statement_on: Option<Date>,
    details: BTreeMap<Cell, Vec<Detail>>,
    /// Unregistered, composition, UN bodies.
    inter_state: [Vec<Detail>; 3],
    pub(crate) credit: Option<DrawnCredit>,
}

/// Draws the values of a return.
pub(crate) fn draw(conn: &Connection, taxable: &Taxable<'_>, inward: &Inward) -> rusqlite::Result<Drawn> {
    let mut drawn = Drawn::default();
    let quarterly = taxable.frequency == Frequency::Quarterly;
    let mut schemes = BTreeMap::new();
    for month in liability::months(taxable.period, quarterly) {
        for form in [Form::Gstr1, Form::Gstr1a] {
            let Some(found) = filed::find(conn, taxable.gstin, form, month)? else { continue };
            if month == taxable.period {
                match form {
                    Form::Gstr1a => drawn.gstr1a_on = Some(found.on),
                    _ => drawn.gstr1_on = Some(found.on),
                }
            }
            let subject = Subject {
                form,
                rules: taxable.rules,
                ..Subject::new(taxable.gstin, month, taxable.today, taxable.registered_on)
            };
            let rows = liability::contributions(conn, &subject)?;
            let label = if quarterly { label(month, taxable, conn)? } else { String::new() };
            for row in rows {
                let kind = inter_state_kind(conn, &row, &mut schemes)?;
                drawn.add(&row, &label, kind);
            }
        }
    }
    if drawn.gstr1_on.is_some() {
        for rejected in &inward.rejected {
            let details = drawn.details.entry(rejected.cell()).or_default();
            add_detail(details, rejected.table, "IFF/GSTR-1 Quarterly", rejected.supply, None);
        }
    }
    if let Some((on, summary)) = &inward.statement {
        drawn.statement_on = Some(*on);
        drawn.credit = Some(DrawnCredit::of(summary, taxable));
    }
    Ok(drawn)
}

/// How `det_q` names the return that a table comes from.
fn label(month: gstn::ReturnPeriod, taxable: &Taxable<'_>, conn: &Connection) -> rusqlite::Result<String> {
    if !ends_quarter(month) {
        return Ok(format!("IFF - {}", month_name(month)));
    }
    let corrected = filed::find(conn, taxable.gstin, Form::Gstr1a, month)?.is_some();
    Ok(if corrected { "GSTR-1/1A Quarterly" } else { "GSTR-1 Quarterly" }.to_owned())
}

fn month_name(month: gstn::ReturnPeriod) -> &'static str {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    NAMES.get(usize::from(month.month()).saturating_sub(1)).copied().unwrap_or_default()
}

/// The list of Table 3.2 in which a supply counts, if in one.
fn inter_state_kind(
    conn: &Connection,
    row: &Contribution,
    schemes: &mut BTreeMap<String, bool>,
) -> rusqlite::Result<Option<usize>> {
    Ok(match &row.inter_state {
        None => None,
        Some((_, Recipient::Unregistered)) => Some(0),
        Some((_, recipient)) if recipient.is_un_body() => Some(2),
        Some((_, Recipient::Registered(gstin))) => {
            let composition = match schemes.get(gstin.as_str()) {
                Some(known) => *known,
                None => {
                    let found = taxpayers::by_gstin(conn, gstin, "")?;
                    let composition = found.is_some_and(|taxpayer| taxpayer.scheme == Scheme::Composition);
                    schemes.insert(gstin.as_str().to_owned(), composition);
                    composition
                }
            };
            composition.then_some(1)
        }
    })
}

fn add_detail(
    details: &mut Vec<Detail>,
    table: &'static str,
    form: &str,
    supply: Supply,
    state: Option<&str>,
) {
    let found = details.iter().position(|detail| detail.table == table && detail.form == form);
    let index = found.unwrap_or_else(|| {
        let by_state = BTreeMap::new();
        details.push(Detail { table, form: form.to_owned(), supply: Supply::default(), by_state });
        details.len() - 1
    });
    if let Some(detail) = details.get_mut(index) {
        detail.supply = detail.supply.plus(supply);
        if let Some(state) = state {
            let sum = detail.by_state.entry(state.to_owned()).or_default();
            *sum = sum.plus(supply);
        }
    }
}

impl Drawn {
    fn add(&mut self, row: &Contribution, form: &str, inter_state: Option<usize>) {
        let [igst, cgst, sgst, cess] = [row.igst, row.cgst, row.sgst, row.cess].map(to_paise);
        let supply = Supply { txval: to_paise(row.taxable), tax: Heads::new(igst, cgst, sgst, cess) };
        if supply == Supply::default() {
            return;
        }
        add_detail(self.details.entry(row.cell).or_default(), row.table, form, supply, None);
        if let (Some(kind), Some((state, _))) = (inter_state, &row.inter_state) {
            let tax = Heads::new(supply.tax[Head::Igst], 0, 0, 0);
            add_detail(&mut self.inter_state[kind], row.table, form, Supply { tax, ..supply }, Some(state));
        }
    }

    /// Whether the liability half is there.
    pub(crate) fn has_liability(&self) -> bool {
        self.gstr1_on.is_some()
    }

    /// The total of a cell.
    pub(crate) fn supply(&self, cell: Cell) -> Supply {
        let details = self.details.get(&cell).map(Vec::as_slice).unwrap_or_default();
        details.iter().fold(Supply::default(), |sum, detail| sum.plus(detail.supply))
    }

    /// The totals of a list of Table 3.2, by place of supply.
    pub(crate) fn by_state(&self, kind: usize) -> BTreeMap<String, Supply> {
        let mut states: BTreeMap<String, Supply> = BTreeMap::new();
        for (state, supply) in
            self.inter_state.get(kind).into_iter().flatten().flat_map(|detail| &detail.by_state)
        {
            let sum = states.entry(state.clone()).or_default();
            *sum = sum.plus(*supply);
        }
        states.retain(|_, supply| *supply != Supply::default());
        states
    }

    /// The reply of AUTOLIAB.
    pub(crate) fn to_json(&self, taxable: &Taxable<'_>) -> Value {
        let mut told = Map::new();
        let mut date = |name: &str, on: Option<Date>| {
            if let Some(on) = on {
                told.insert(name.to_owned(), dashed(on).into());
            }
        };
        date("r1fildt", self.gstr1_on);
        date("r1afildt", self.gstr1a_on);
        date("r2bgendt", self.statement_on);
        date("r3bgendt", [self.gstr1_on, self.gstr1a_on, self.statement_on].into_iter().flatten().max());
        let mut half = Map::new();
        half.insert("gstin".into(), taxable.gstin.as_str().into());
        half.insert("ret_period".into(), taxable.period.to_string().into());
        let mut supplies = Map::new();
        if self.has_liability() {
            self.write_supplies(taxable, &mut supplies);
            half.insert("inter_sup".into(), self.inter_state_json(taxable));
        }
        if let Some(credit) = &self.credit {
            supplies.insert("isup_3_1d".into(), credit.reverse_charge_json(taxable));
            half.insert("elgitc".into(), credit.to_json(taxable));
        }
        if !supplies.is_empty() {
            half.insert("sup_details".into(), Value::Object(supplies));
        }
        told.insert("liabitc".into(), Value::Object(half));
        told.insert("error".into(), self.missing_halves());
        json!({ "r3bautopop": told })
    }

    /// Why a half is missing, in words; GSTN's codes for it are not public.
    fn missing_halves(&self) -> Value {
        let mut errors = Vec::new();
        if !self.has_liability() {
            errors.push(
                json!({ "error_cd": "RT-3BAS1009", "error_desc": "GSTR-1 of the period is not filed" }),
            );
        }
        if self.credit.is_none() {
            errors.push(
                json!({ "error_cd": "RET2B1023", "error_desc": "GSTR-2B of the period is not generated" }),
            );
        }
        errors.into()
    }

    fn write_supplies(&self, taxable: &Taxable<'_>, told: &mut Map<String, Value>) {
        const CELLS: [(&str, Cell, &[Head]); 6] = [
            ("osup_3_1a", Cell::Taxable, &Head::ALL),
            ("osup_3_1b", Cell::ZeroRated, &[Head::Igst, Head::Cess]),
            ("osup_3_1c", Cell::NilOrExempt, &[]),
            ("osup_3_1e", Cell::OutsideGst, &[]),
            ("esup_3_1_1a", Cell::Operator, &Head::ALL),
            ("esup_3_1_1b", Cell::ThroughOperator, &[]),
        ];
        for (name, cell, heads) in CELLS {
            let details = self.details.get(&cell).map(Vec::as_slice).unwrap_or_default();
            let of_table = |table: &str| -> Vec<Head> {
                heads_of_table(table).iter().copied().filter(|head| heads.contains(head)).collect()
            };
            let row = |detail: &Detail| detail.supply.to_json(&of_table(detail.table));
            let subtotal = self.supply(cell).to_json(heads);
            told.insert(name.into(), with_details(taxable, subtotal, details, row));
        }
    }

    fn inter_state_json(&self, taxable: &Taxable<'_>) -> Value {
        let mut lists = Map::new();
        let states = |states: &BTreeMap<String, Supply>| -> Value {
            let row = |(pos, supply): (&String, &Supply)| json!({"pos": pos, "txval": rupees(supply.txval), "iamt": rupees(supply.tax[Head::Igst])});
            states.iter().map(row).collect()
        };
        for (kind, (_, name)) in INTER_STATE.into_iter().enumerate() {
            let details = &self.inter_state[kind];
            let row = |detail: &Detail| json!({ "pos_det": states(&detail.by_state) });
            let list = with_details(taxable, states(&self.by_state(kind)), details, row);
            lists.insert(name.into(), list);
        }
        Value::Object(lists)
    }
}

/// `subtotal` with `det`, or for a quarter with `det_q`, in which each table is a list by return.
fn with_details(
    taxable: &Taxable<'_>,
    subtotal: Value,
    details: &[Detail],
    row: impl Fn(&Detail) -> Value,
) -> Value {
    let mut tables = Map::new();
    for detail in details {
        let mut told = row(detail);
        if taxable.frequency == Frequency::Monthly {
            tables.insert(detail.table.into(), told);
            continue;
        }
        told["form"] = detail.form.as_str().into();
        match tables.get_mut(detail.table).and_then(Value::as_array_mut) {
            Some(list) => list.push(told),
            None => {
                // What recipients rejected stands once, whatever the return.
                let told = if detail.table.starts_with("ims_") { told } else { json!([told]) };
                tables.insert(detail.table.into(), told);
            }
        }
    }
    let name = if taxable.frequency == Frequency::Monthly { "det" } else { "det_q" };
    json!({ "subtotal": subtotal, name: tables })
}

/// The taxes that a table can bear.
fn heads_of_table(table: &str) -> &'static [Head] {
    match table {
        "tbl4b" | "tbl8" | "tbl14b" => &[],
        "tbl5a" | "tbl5b" | "tbl7b_1" | "tbl10b" | "tbl11_i_a_2" | "tbl11_i_b_2" => &[Head::Igst, Head::Cess],
        "tbl7a_1" | "tbl10a" | "tbl11_i_a_1" | "tbl11_i_b_1" => &[Head::Cgst, Head::Sgst, Head::Cess],
        _ => &Head::ALL,
    }
}

impl DrawnCredit {
    /// From the summary of GSTR-2B. Credit notes take from 4(A) since January 2023, and were reversed in 4(B)(2)
    /// before (advisory of 17.02.23).
    fn of(summary: &Value, taxable: &Taxable<'_>) -> Self {
        let (available, unavailable) = (&summary["itcavl"], &summary["itcunavl"]);
        let section = |group: &Value, sections: [&str; 2]| {
            sections.iter().fold(Heads::ZERO, |sum, name| sum + Heads::of_statement(&group[*name]))
        };
        let credit = |group: &str, notes: [&str; 2]| Credit {
            available: Heads::of_statement(&available[group]),
            notes: section(&available["othersup"], notes),
        };
        let mut lines = [
            Credit { available: Heads::of_statement(&available["imports"]), notes: Heads::ZERO },
            credit("revsup", ["cdnrrev", "cdnrarev"]),
            credit("isdsup", ["isd", "isda"]),
            credit("nonrevsup", ["cdnr", "cdnra"]),
        ];
        let mut reversed = Heads::of_statement(&summary["itcrev"]);
        let reverse_charge = lines[1].net();
        if !taxable.rules.credit_notes_are_netted(taxable.period) {
            for line in &mut lines {
                reversed += std::mem::take(&mut line.notes);
            }
        }
        let groups = ["nonrevsup", "isdsup", "revsup", "imports"];
        let unavailable = groups.iter().fold(-Heads::of_statement(&unavailable["othersup"]), |sum, group| {
            sum + Heads::of_statement(&unavailable[*group])
        });
        let value: i64 = [&available["revsup"], &summary["itcunavl"]["revsup"]]
            .into_iter()
            .flat_map(|group| group.as_object().into_iter().flat_map(Map::values))
            .map(|section| crate::ledgers::money::paise(&section["txval"]))
            .fold(0, i64::saturating_add);
        let reverse_charge = Supply {
            txval: value,
            tax: reverse_charge + Heads::of_statement(&summary["itcunavl"]["revsup"]),
        };
        Self { available: lines, reversed, unavailable, reverse_charge }
    }

    fn reverse_charge_json(&self, taxable: &Taxable<'_>) -> Value {
        let mut detail = self.reverse_charge.tax.to_statement();
        detail["txval"] = rupees(self.reverse_charge.txval);
        self::credit_cell(taxable, self.reverse_charge.to_json(&Head::ALL), [("itcavl", detail)])
    }

    fn to_json(&self, taxable: &Taxable<'_>) -> Value {
        let mut told = Map::new();
        for ((name, _), credit) in CREDIT_CELLS.into_iter().zip(self.available) {
            let details =
                [("itcavl", credit.available.to_statement()), ("itcavl_cn", credit.notes.to_statement())];
            let details =
                details.into_iter().filter(|(kind, _)| *kind == "itcavl" || !credit.notes.is_zero());
            told.insert(name.into(), credit_cell(taxable, Value::Object(credit.net().to_return()), details));
        }
        let reversed = [("itcrev", self.reversed.to_statement())];
        told.insert(
            "itc4b2".into(),
            credit_cell(taxable, Value::Object(self.reversed.to_return()), reversed),
        );
        let unavailable = [("itcunavl", self.unavailable.to_statement())];
        told.insert(
            "itc4d2".into(),
            credit_cell(taxable, Value::Object(self.unavailable.to_return()), unavailable),
        );
        Value::Object(told)
    }
}

fn credit_cell(
    taxable: &Taxable<'_>,
    subtotal: Value,
    details: impl IntoIterator<Item = (&'static str, Value)>,
) -> Value {
    let monthly = taxable.frequency == Frequency::Monthly;
    let detail = |(name, mut heads): (&'static str, Value)| {
        if !monthly {
            heads["form"] = month_name(taxable.period).into();
            heads = json!([heads]);
        }
        (name.to_owned(), heads)
    };
    let details: Map<String, Value> = details.into_iter().map(detail).collect();
    json!({ "subtotal": subtotal, if monthly { "det" } else { "det_q" }: details })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Books;
    use super::*;

    fn summary() -> Value {
        let of = |igst: i64| json!({"igst": igst, "cgst": 0, "sgst": 0, "cess": 0});
        let group = |igst: i64, section: &str, txval: i64| {
            let mut group = of(igst);
            group[section] = of(igst);
            group[section]["txval"] = txval.into();
            group
        };
        json!({
            "itcavl": {
                "nonrevsup": group(1000, "b2b", 9000), "isdsup": group(50, "isd", 0), "revsup": group(200, "b2b", 2000),
                "imports": group(70, "impg", 0),
                "othersup": {"cdnr": of(100), "cdnra": of(10), "cdnrrev": of(5), "cdnrarev": of(0), "isd": of(1)},
            },
            "itcunavl": {"nonrevsup": group(30, "b2b", 300), "othersup": of(4)},
            "itcrev": of(8),
        })
    }

    /// The form of GSTR-3B, Table 4, and the advisory of 17.02.23: credit notes take from 4(A) from January 2023 on, and
    /// were reversed in 4(B)(2) before.
    #[test]
    fn credit_is_drawn_line_by_line() {
        let books = Books::new();
        for (period, lines, reversed) in
            [("122022", [70, 200, 50, 1000], 8 + 116), ("012023", [70, 195, 49, 890], 8)]
        {
            let drawn = DrawnCredit::of(&summary(), &books.taxable(period.parse().unwrap()));
            assert_eq!(drawn.available.map(|credit| credit.net()[Head::Igst] / 100), lines, "{period}");
            assert_eq!(drawn.reversed[Head::Igst] / 100, reversed, "{period}");
            assert_eq!(drawn.unavailable[Head::Igst] / 100, 26);
            let supply = drawn.reverse_charge;
            assert_eq!(
                (supply.txval / 100, supply.tax[Head::Igst] / 100),
                (2000, 195),
                "less what a note took back"
            );
        }
    }

    /// FAQ on IMS of 19.06.25: what recipients rejected is added to the supplier's liability.
    #[test]
    fn rejections_are_added_once_gstr1_is_filed() {
        let mut books = Books::new();
        let period = "042025".parse().unwrap();
        let supply = Supply { txval: 0, tax: Heads::new(180, 0, 0, 0) };
        let rejected =
            ["cdnr", "cdnra", "b2ba", "ecoma"].map(|section| Rejected::of_section(section, supply));
        let inward = Inward {
            rejected: rejected.to_vec(),
            statement: Some((books.today, summary())),
            is_stale: false,
        };
        let draw = |books: &Books| books.read(|conn| draw(conn, &books.taxable(period), &inward));
        assert_eq!(draw(&books).supply(Cell::Taxable), Supply::default());
        books.begin(period, 11);
        let drawn = draw(&books);
        assert_eq!(drawn.supply(Cell::Taxable).tax[Head::Igst], 540);
        assert_eq!(drawn.supply(Cell::Operator).tax[Head::Igst], 180);
        let told = drawn.to_json(&books.taxable(period));
        let half = &told["r3bautopop"]["liabitc"];
        assert_eq!(half["sup_details"]["osup_3_1a"]["det"]["ims_9b_cn"]["iamt"], 1.8);
        assert_eq!(half["elgitc"]["itc4a5"]["det"]["itcavl_cn"]["igst"], 110);
        assert_eq!(half["elgitc"]["itc4a5"]["subtotal"]["iamt"], 890);
        assert_eq!(told["r3bautopop"]["error"], json!([]));
    }
}
