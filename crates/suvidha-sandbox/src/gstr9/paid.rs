//! What the year's filed GSTR-3B put into the annual return: line 4G, and Tables 6 and 9.

use gstn::FinancialYear;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use crate::amounts::Amount;
use crate::filed;
use crate::forms::Form;
use crate::gstr3b::{self, Taxable};
use crate::simulator::Simulator;
use crate::taxpayers::Taxpayer;

/// Taxes, by their names in a return.
const TAXES: [&str; 4] = ["iamt", "camt", "samt", "csamt"];

/// A head of Table 9: its name, its name in a summary, its cash, and from which credit it was paid.
type PaidHead = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const HEADS: [PaidHead; 4] = [
    (
        "iamt",
        "igst",
        "ipd",
        &[("tax_paid_itc_iamt", "i_pdi"), ("tax_paid_itc_camt", "i_pdc"), ("tax_paid_itc_samt", "i_pds")],
    ),
    ("camt", "cgst", "cpd", &[("tax_paid_itc_iamt", "c_pdi"), ("tax_paid_itc_camt", "c_pdc")]),
    ("samt", "sgst", "spd", &[("tax_paid_itc_iamt", "s_pdi"), ("tax_paid_itc_samt", "s_pds")]),
    ("csamt", "cess", "cspd", &[("tax_paid_itc_csamt", "cs_pdcs")]),
];

const INTEREST_PAID: [&str; 4] = ["i_intrpd", "c_intrpd", "s_intrpd", "cs_intrpd"];
const FEE_PAID: [&str; 2] = ["c_lfeepd", "s_lfeepd"];

/// The filed GSTR-3B of a year, as they were signed.
pub(super) struct Paid(Vec<Value>);

impl Paid {
    pub(super) fn in_year(
        conn: &Connection,
        simulator: &Simulator,
        taxpayer: &Taxpayer,
        year: FinancialYear,
    ) -> rusqlite::Result<Self> {
        let mut signed = Vec::new();
        for filed in filed::of(conn, &taxpayer.gstin)? {
            if filed.form == Form::Gstr3b && year.contains(filed.period) {
                let (today, rules) = (simulator.today(), simulator.rules());
                let taxable = Taxable::new(conn, taxpayer, filed.period, today, rules)?;
                signed.extend(gstr3b::summary(conn, &taxable)?);
            }
        }
        Ok(Self(signed))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// 4G: inward supplies on which the recipient pays tax, 3.1(d) of GSTR-3B.
    pub(super) fn reverse_charge(&self) -> Value {
        let keys = ["txval"].into_iter().chain(TAXES);
        keys.map(|key| (key, self.sum(|signed| Amount::read(&signed["sup_details"]["isup_rev"][key]))))
            .collect()
    }

    /// Table 6: the credit availed, and the part of it that distributors gave.
    pub(super) fn credit(&self) -> Map<String, Value> {
        let availed = |only: Option<&str>| -> Value {
            let of = |signed: &Value, key: &str| {
                let rows = signed["itc_elg"]["itc_avl"].as_array().into_iter().flatten();
                let wanted = rows.filter(|row| only.is_none_or(|kind| row["ty"] == kind));
                wanted.map(|row| Amount::read(&row[key])).sum()
            };
            TAXES.into_iter().map(|key| (key, self.sum(|signed| of(signed, key)))).collect()
        };
        Map::from_iter([("itc_3b".to_owned(), availed(None)), ("isd".to_owned(), availed(Some("ISD")))])
    }

    /// Table 9: tax payable and paid.
    pub(super) fn payment(&self) -> Map<String, Value> {
        let mut table = Map::new();
        for (name, head, cash, credit) in HEADS {
            let mut line = json!({
                "txpyble": self.payable(&[head], "tx"), "txpaid_cash": self.in_cash(&[cash]),
            });
            for (from, key) in credit {
                line[*from] = self.sum(|signed| Amount::read(&signed["tx_pmt"]["pditc"][key]));
            }
            table.insert(name.to_owned(), line);
        }
        let heads = HEADS.map(|(_, head, ..)| head);
        for (name, minor, paid) in [("intr", "intr", &INTEREST_PAID[..]), ("fee", "fee", &FEE_PAID[..])] {
            let line = json!({ "txpyble": self.payable(&heads, minor), "txpaid_cash": self.in_cash(paid) });
            table.insert(name.to_owned(), line);
        }
        table
    }

    fn payable(&self, heads: &[&str], minor: &str) -> Value {
        let of = |row: &Value| heads.iter().map(|head| Amount::read(&row[head][minor])).sum();
        self.sum(|signed| rows(&signed["tx_pmt"]["tx_py"]).map(of).sum())
    }

    fn in_cash(&self, keys: &[&str]) -> Value {
        let of = |row: &Value| keys.iter().map(|key| Amount::read(&row[*key])).sum();
        self.sum(|signed| rows(&signed["tx_pmt"]["pdcash"]).map(of).sum())
    }

    fn sum(&self, read: impl Fn(&Value) -> Amount) -> Value {
        self.0.iter().map(read).sum::<Amount>().to_json()
    }
}

fn rows(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
