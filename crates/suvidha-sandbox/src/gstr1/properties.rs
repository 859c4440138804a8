//! What must hold for any books: sums, checksums, and indifference to order.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::testing::{Books, CUSTOMER, NEIGHBOUR, b2b, every_section, processed};

/// An invoice of one to three rates: number, whether it crosses the state border, taxable paise at each rate.
type Invoice = (u32, bool, [Option<u64>; 3]);

const RATES: [u64; 3] = [5, 12, 18];

fn invoices() -> impl Strategy<Value = Vec<Invoice>> {
    let taxable = prop::option::of(0..1_000_000_000_u64);
    let invoice = (any::<bool>(), [taxable.clone(), taxable.clone(), taxable]);
    prop::collection::vec(invoice, 1..8).prop_map(|invoices| {
        let numbered = invoices.into_iter().enumerate();
        numbered
            .map(|(index, (inter, mut taxable))| {
                taxable[0] = taxable[0].or(Some(1));
                (u32::try_from(index).unwrap() + 1, inter, taxable)
            })
            .collect()
    })
}

fn rupees(paise: u64) -> Value {
    format!("{}.{:02}", paise / 100, paise % 100).parse::<f64>().unwrap().into()
}

/// As (taxable, IGST, CGST) in paise, and as JSON.
fn written((number, inter, taxable): &Invoice) -> ([u64; 3], Value) {
    let (mut sums, mut items) = ([0; 3], Vec::new());
    for (index, taxable) in
        taxable.iter().enumerate().filter_map(|(index, taxable)| Some((index, (*taxable)?)))
    {
        let tax = taxable * RATES[index] / 100;
        let mut detail = json!({"rt": RATES[index], "txval": rupees(taxable)});
        sums[0] += taxable;
        if *inter {
            sums[1] += tax;
            detail["iamt"] = rupees(tax);
        } else {
            sums[2] += tax / 2;
            detail["camt"] = rupees(tax / 2);
            detail["samt"] = rupees(tax / 2);
        }
        items.push(json!({"num": index + 1, "itm_det": detail}));
    }
    let (ctin, pos) = if *inter { (CUSTOMER, "33") } else { (NEIGHBOUR, "27") };
    let changes = json!({"inum": format!("P/{number}"), "ctin": ctin, "pos": pos, "itms": items});
    (sums, b2b(&changes)["b2b"][0].clone())
}

fn books_with(invoices: &[Invoice]) -> Books {
    let mut books = Books::new();
    let groups: Vec<Value> = invoices.iter().map(|invoice| written(invoice).1).collect();
    assert_eq!(books.save_july(&json!({ "b2b": groups })), processed());
    books
}

fn checksum(books: &Books) -> Value {
    books.summary("072025", false).unwrap()["chksum"].clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_sums_of_a_summary_are_those_of_its_rows(invoices in invoices()) {
        let books = books_with(&invoices);
        let mut sums = [0; 3];
        for invoice in &invoices {
            written(invoice).0.iter().zip(&mut sums).for_each(|(paise, sum)| *sum += paise);
        }
        for name in ["B2B", "TTL_LIAB"] {
            let line = books.line(name);
            prop_assert_eq!(&line["ttl_rec"], &json!(invoices.len()));
            for (column, paise) in ["ttl_tax", "ttl_igst", "ttl_cgst"].into_iter().zip(sums) {
                prop_assert_eq!(line[column].as_f64(), rupees(paise).as_f64(), "{}.{}", name, column);
            }
        }
    }

    #[test]
    fn the_order_of_saving_leaves_no_trace(
        (invoices, shuffled) in invoices().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        cut in any::<prop::sample::Index>(),
    ) {
        let at_once = books_with(&invoices);
        let mut in_parts = Books::new();
        let (first, second) = shuffled.split_at(cut.index(shuffled.len()));
        for part in [first, second].into_iter().filter(|part| !part.is_empty()) {
            let groups: Vec<Value> = part.iter().map(|invoice| written(invoice).1).collect();
            prop_assert_eq!(in_parts.save_july(&json!({ "b2b": groups })), processed());
        }
        prop_assert_eq!(at_once.summary("072025", true), in_parts.summary("072025", true));
        prop_assert_eq!(at_once.section("072025", "B2B"), in_parts.section("072025", "B2B"));
    }

    #[test]
    fn the_checksum_changes_with_the_data_and_only_then(
        invoices in invoices(),
        which in any::<prop::sample::Index>(),
        by in 1..1_000_u64,
    ) {
        let mut books = books_with(&invoices);
        let before = checksum(&books);
        let chosen = which.get(&invoices);
        let mut changed = *chosen;
        changed.2[0] = changed.2[0].map(|paise| paise + by * 100);
        books.save_july(&json!({"b2b": [written(&changed).1]}));
        prop_assert_ne!(&checksum(&books), &before);
        books.save_july(&json!({"b2b": [written(chosen).1]}));
        prop_assert_eq!(&checksum(&books), &before);
        books.save_july(&json!({"b2b": [{"ctin": written(chosen).1["ctin"], "inv": [
            {"flag": "D", "inum": format!("P/{}", chosen.0), "idt": "05-07-2025"}]}]}));
        let after = books.summary("072025", false).map(|summary| summary["chksum"].clone());
        prop_assert_ne!(after.as_ref(), Some(&before));
    }

    /// One value of a good payload replaced by something else: the outcome is an answer, never a panic, and a
    /// report is there exactly when something was refused.
    #[test]
    fn a_damaged_payload_gets_an_answer(
        which in any::<prop::sample::Index>(),
        leaf in prop_oneof![
            Just(Value::Null), Just(json!([])), Just(json!({})), Just(json!(-0.005)), Just(json!(1e300)),
            Just(json!("D")), Just(json!("31-12-9999")), Just(json!("00-00-0000")), "\\PC{0,20}".prop_map(Value::from),
        ],
    ) {
        let mut payload = every_section();
        let pointers = pointers(&payload);
        let path: &String = which.get(&pointers);
        *payload.pointer_mut(path).unwrap() = leaf;
        let outcome = Books::new().save("072025", &payload);
        prop_assert_eq!(outcome.status.as_str() == "P", outcome.error_report.is_none());
    }
}

/// The JSON pointers of every value inside `value`.
fn pointers(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(key, value)| (format!("/{key}"), value)).collect(),
        Value::Array(values) => {
            values.iter().enumerate().map(|(at, value)| (format!("/{at}"), value)).collect()
        }
        _ => Vec::new(),
    };
    let deeper = |(step, value): &(String, &Value)| {
        let mut paths: Vec<String> =
            pointers(value).into_iter().map(|path| format!("{step}{path}")).collect();
        paths.push(step.clone());
        paths
    };
    children.iter().flat_map(deeper).collect()
}
