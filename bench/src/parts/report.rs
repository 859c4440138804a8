//! The page: one table for each group of benches, and the payload path beside the sum of its primitives.

use std::fmt::Write as _;

use super::Run;
use super::estimates::Estimate;
use crate::Failure;

/// The payload that is compared with other clients.
pub(crate) const COMPARED: &str = "payload to GSTN, 10 MB";

/// How a payload is called on its way, and what it goes through.
const WAYS: [(&str, [&str; 4]); 2] = [
    ("payload to GSTN", ["base64 of the JSON", "HMAC-SHA256", "AES-256-ECB", "base64 of the ciphertext"]),
    ("payload from GSTN", ["base64 of the ciphertext", "AES-256-ECB", "HMAC-SHA256", "base64 of the JSON"]),
];
const WHOLE: &str = "whole";

pub(crate) fn page(run: &Run) -> Result<String, Failure> {
    let mut page = String::new();
    if run.quick {
        page.push_str("**A quick run, to see that all of it works. These figures say little.**\n\n");
    }
    let [before, after] = &run.load;
    writeln!(page, "{}; load average before: {before}; after: {after}.", run.machine.line())?;
    let mut told = "";
    for estimate in &run.estimates {
        let group = estimate.group.as_str();
        if group == told || group.starts_with("payload ") {
            continue;
        }
        told = group;
        table(&mut page, run, group)?;
    }
    for (way, primitives) in WAYS {
        payloads(&mut page, run, way, &primitives)?;
    }
    clients(&mut page, run)?;
    Ok(page)
}

fn of_group<'a>(run: &'a Run, group: &str) -> impl Iterator<Item = &'a Estimate> {
    run.estimates.iter().filter(move |estimate| estimate.group == group)
}

fn table(page: &mut String, run: &Run, group: &str) -> Result<(), Failure> {
    writeln!(page, "\n### {group}\n\n| | median | 95 % confidence | per second |\n|---|---|---|---|")?;
    for estimate in of_group(run, group) {
        let [low, high] = estimate.between.map(time);
        let per_second = estimate.per_second().unwrap_or(1e9 / estimate.median);
        let name = &estimate.name;
        writeln!(page, "| {name} | {} | {low} to {high} | {} |", time(estimate.median), count(per_second))?;
    }
    if group == "GetKey" {
        verification(page, run)?;
    }
    Ok(())
}

/// GetKey beside `openssl speed`.
fn verification(page: &mut String, run: &Run) -> Result<(), Failure> {
    let whole = of_group(run, "GetKey").find(|estimate| estimate.name == "the whole message");
    match &run.openssl {
        Some(Ok(per_second)) => {
            writeln!(
                page,
                "| `openssl speed rsa2048`: verify | {} | | {} |",
                time(1e9 / per_second),
                count(*per_second)
            )?;
            if let Some(whole) = whole {
                let ratio = 1e9 / whole.median / per_second;
                writeln!(page, "\nWhole messages to verifications of `openssl speed`: **{ratio:.2}**.")?;
            }
        }
        Some(Err(missing)) => writeln!(page, "\nNot compared with `openssl speed`: {missing}.")?,
        None => {}
    }
    Ok(())
}

/// A payload in one direction, by its size.
fn payloads(page: &mut String, run: &Run, way: &str, primitives: &[&str; 4]) -> Result<(), Failure> {
    let prefix = format!("{way}, ");
    let rows: Vec<_> = run
        .estimates
        .iter()
        .filter(|estimate| estimate.name == WHOLE && estimate.group.starts_with(&prefix))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let heads = primitives.join(" | ");
    writeln!(page, "\n### {way}\n\n| JSON | whole | MB/s | {heads} | their sum | sum to whole |")?;
    writeln!(page, "|{}", "---|".repeat(9))?;
    for whole in rows {
        let alone: Option<Vec<f64>> = primitives
            .iter()
            .map(|name| of_group(run, &whole.group).find(|one| one.name == *name).map(|one| one.median))
            .collect();
        let size = &whole.group[prefix.len()..];
        let speed = whole.per_second().unwrap_or_default() / 1e6;
        write!(page, "| {size} | {} | {} | ", time(whole.median), count(speed))?;
        match alone {
            Some(alone) => {
                let sum: f64 = alone.iter().sum();
                let alone: Vec<_> = alone.into_iter().map(time).collect();
                writeln!(page, "{} | {} | **{:.2}** |", alone.join(" | "), time(sum), sum / whole.median)?;
            }
            None => writeln!(page, "- | - | - | - | - | - |")?,
        }
    }
    Ok(())
}

/// 10 MB beside the client in Python.
fn clients(page: &mut String, run: &Run) -> Result<(), Failure> {
    let python = match &run.python {
        None => return Ok(()),
        Some(Err(missing)) => {
            writeln!(page, "\nNot compared with a client in Python: {missing}.")?;
            return Ok(());
        }
        Some(Ok(python)) => python,
    };
    writeln!(
        page,
        "\n### 10 MB beside a client in {}\n\n| | ours | Python | times |\n|---|---|---|---|",
        python.what
    )?;
    for ((way, _), theirs) in WAYS.into_iter().zip([python.seal, python.open]) {
        let group = format!("{way}, 10 MB");
        let Some(ours) = of_group(run, &group).find(|one| one.name == WHOLE) else { continue };
        let times = theirs / ours.median;
        writeln!(page, "| {way} | {} | {} | **{times:.1}** |", time(ours.median), time(theirs))?;
    }
    Ok(())
}

/// Nanoseconds, in the unit that suits them.
fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "µs"),
        n => (n / 1e6, "ms"),
    };
    format!("{value:.*} {unit}", if value < 100.0 { 1 } else { 0 })
}

/// A whole number with its thousands apart.
fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut apart = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::super::clients::Client;
    use super::super::estimates::tests::estimate;
    use super::*;
    use crate::machine::Machine;

    fn run(estimates: Vec<Estimate>) -> Run {
        let python = Client { what: "Python 3".to_owned(), seal: 9e7, open: 8e7 };
        let load = ["1".to_owned(), "2".to_owned()];
        Run {
            machine: Machine::this(),
            load,
            quick: false,
            estimates,
            openssl: Some(Ok(5e4)),
            python: Some(Ok(python)),
        }
    }

    #[test]
    fn a_payload_is_told_beside_the_sum_of_its_primitives() {
        let bytes = Some(10_000_000);
        let one = |name: &str, time: f64| estimate(COMPARED, name, time, bytes);
        let mut estimates = vec![one(WHOLE, 1e7)];
        estimates.extend(WAYS[0].1.map(|name| one(name, 2e6)));
        let page = page(&run(estimates)).unwrap();
        let row = "| 10 MB | 10.0 ms | 1,000 | 2.0 ms | 2.0 ms | 2.0 ms | 2.0 ms | 8.0 ms | **0.80** |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("| payload to GSTN | 10.0 ms | 90.0 ms | **9.0** |"), "{page}");
        assert!(!page.contains("payload from GSTN"), "{page}");
    }

    #[test]
    fn what_a_filter_left_out_makes_no_sum() {
        let page = page(&run(vec![estimate("payload to GSTN, 1 MB", WHOLE, 1e6, Some(1_000_000))])).unwrap();
        assert!(page.contains("| 1 MB | 1.0 ms | 1,000 | - | - |"), "{page}");
    }

    #[test]
    fn getkey_is_told_beside_openssl_and_what_is_missing_is_named() {
        let getkey = || vec![estimate("GetKey", "the whole message", 25_000.0, None)];
        let told = page(&run(getkey())).unwrap();
        assert!(told.contains("| the whole message | 25.0 µs | 25.0 µs to 25.0 µs | 40,000 |"), "{told}");
        assert!(told.contains("**0.80**"), "{told}");
        let without = Run {
            openssl: Some(Err("no openssl".to_owned())),
            python: Some(Err("no Python".to_owned())),
            ..run(getkey())
        };
        let told = page(&without).unwrap();
        assert!(told.contains("no openssl") && told.contains("no Python"), "{told}");
    }

    #[test]
    fn numbers_are_told_in_the_unit_that_suits_them() {
        assert_eq!(
            [30.0, 2_140.0, 1_083_000.0, 251_000_000.0].map(time),
            ["30.0 ns", "2.1 µs", "1.1 ms", "251 ms"]
        );
        assert_eq!([7.0, 1234.0, 1_970_000.0].map(count), ["7", "1,234", "1,970,000"]);
    }
}
