//! Whether `openapi.json` says what is there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{OPEN, OPENAPI, table};

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

#[test]
fn every_route_is_documented_and_every_documented_route_is_there() {
    let document = document();
    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| (method.clone(), path.clone()))
        })
        .collect();
    let there: BTreeSet<(String, String)> =
        table().into_iter().map(|(method, path, _)| (method.to_owned(), path.to_owned())).collect();
    assert_eq!(documented, there);
}

#[test]
fn what_needs_no_token_says_so() {
    let document = document();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert_eq!(operation.get("security").is_some(), OPEN.contains(&path.as_str()), "{method} {path}");
        }
    }
}

/// The members that serde knows are in the words with which it refuses another.
fn known<T: serde::de::DeserializeOwned>(minimal: &str) -> BTreeSet<String> {
    let mut body: Value = serde_json::from_str(minimal).unwrap();
    body["?"] = Value::Null;
    let Err(refusal) = serde_json::from_value::<T>(body) else { panic!("it takes unknown members") };
    let refusal = refusal.to_string();
    let (_, names) = refusal.split_once("expected ").unwrap();
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_member_of_a_request_is_documented() {
    let document = document();
    let documented = |schema: &str| {
        let members = document["components"]["schemas"][schema]["properties"].as_object();
        members.unwrap_or_else(|| panic!("{schema} is missing")).keys().cloned().collect::<BTreeSet<_>>()
    };
    assert_eq!(documented("NewTaxpayer"), known::<crate::taxpayers::NewTaxpayer>("{}"));
    assert_eq!(documented("TaxpayerChange"), known::<crate::taxpayer_change::TaxpayerChange>("{}"));
    assert_eq!(documented("NewApplicant"), known::<crate::applicants::NewApplicant>("{}"));
    assert_eq!(documented("NewFault"), known::<crate::faults::NewFault>(r#"{"kind":"drop"}"#));
    assert_eq!(documented("ClockChange"), known::<crate::tax_clock::ClockChange>("{}"));
    assert_eq!(documented("NewSnapshot"), known::<super::snapshots::NewSnapshot>(r#"{"name":"a"}"#));
    let of_payments = [
        ("BlockRequest", known::<super::payments::BlockRequest>(r#"{"head":"igst","amount":1}"#)),
        ("ChallanRequest", known::<super::payments::ChallanRequest>(r#"{"amounts":{}}"#)),
        ("Payment", known::<super::payments::Payment>("{}")),
        (
            "RefundRequest",
            known::<super::payments::RefundRequest>(r#"{"ledger":"cash","head":"igst","amount":1}"#),
        ),
        (
            "TransferRequest",
            known::<super::payments::TransferRequest>(
                r#"{"from":{"head":"igst"},"to":{"head":"igst"},"amount":1}"#,
            ),
        ),
    ];
    for (schema, known) in of_payments {
        assert_eq!(documented(schema), known, "{schema}");
    }
    assert_eq!(documented("Reset"), known::<super::reset::Reset>("{}"));
    let due_date = r#"{"form":"R1","period":"122025","due":"2026-01-13"}"#;
    assert_eq!(documented("DueDate"), known::<super::due_dates::DueDate>(due_date));
}
