//! What a caller can put into a request line and into GSTN headers: it is read or refused, and never panics.
//!
//! The input is a path, then lines of `name: value`.
#![no_main]

use gstn::headers::GstnHeaders;
use gstn::{AspId, FinancialYear, Gstin, IpUsr, Pan, ReturnPeriod, StateCode, Txn, catalogue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (path, headers) = input.split_once('\n').unwrap_or((input, ""));
    look_up(path);
    let headers: Vec<_> = headers.lines().filter_map(|line| line.split_once(": ")).collect();
    check_headers(&headers);
    for (_, value) in headers {
        parse(value);
    }
});

fn look_up(path: &str) {
    let (path, action) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let Some(location) = catalogue::locate(path) else { return };
    for method in ["GET", "PUT", "POST", "DELETE"] {
        if catalogue::find(location.family, location.path, method, action).is_some() {
            let methods = catalogue::is_known_path(location.family, location.path);
            assert!(methods.is_some_and(|methods| methods.contains(method)));
        }
    }
}

fn check_headers(headers: &[(&str, &str)]) {
    let get =
        |name: &str| headers.iter().find(|header| header.0.eq_ignore_ascii_case(name)).map(|header| header.1);
    let faults = match GstnHeaders::read(get) {
        Ok(headers) => [
            headers.contradictions().err(),
            headers.missing_mandatory(false),
            headers.missing_mandatory(true),
        ],
        Err(fault) => [Some(fault), None, None],
    };
    for fault in faults.into_iter().flatten() {
        assert!(catalogue::error(fault.code()).is_some(), "{fault}");
    }
}

fn parse(value: &str) {
    if let Ok(gstin) = Gstin::parse_lenient(value) {
        assert_eq!(gstin.as_str(), value.to_ascii_uppercase());
        assert_eq!(gstin.is_check_digit_valid(), value.parse::<Gstin>().is_ok());
        assert!(
            Gstin::with_check_digit(&value[..14]).is_ok() || gstin.kind() == gstn::EntityKind::Government
        );
    } else {
        assert!(value.parse::<Gstin>().is_err());
    }
    if let Ok(period) = value.parse::<ReturnPeriod>() {
        assert_eq!(period.to_string(), value);
    }
    if let Ok(year) = value.parse::<FinancialYear>() {
        assert_eq!(year.to_string().parse(), Ok(year));
    }
    if let Ok(address) = value.parse::<IpUsr>() {
        assert!(address.address().is_none_or(|address| value.parse() == Ok(address)));
    }
    assert!(value.parse::<AspId>().is_ok_and(|id| id.as_str() == value) || value.parse::<AspId>().is_err());
    assert!(value.parse::<Txn>().is_ok_and(|txn| txn.as_str() == value) || value.parse::<Txn>().is_err());
    assert!(
        value.parse::<StateCode>().is_ok_and(|state| state.as_str() == value)
            || value.parse::<StateCode>().is_err()
    );
    assert!(
        value.parse::<Pan>().is_ok_and(|pan| pan.as_str() == value.to_ascii_uppercase())
            || value.parse::<Pan>().is_err()
    );
}
