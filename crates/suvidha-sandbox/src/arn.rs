//! The acknowledgement number of a filing: two letters, the state, MMYY of the tax period, six digits, a check character.

use gstn::{ReturnPeriod, StateCode, check_character};
use rusqlite::{Transaction, params};

const SERIALS_PER_LETTERS: i64 = 1_000_000;

/// The next ARN of a state and tax period. It is used up only if `tx` commits.
pub(crate) fn next(tx: &Transaction<'_>, state: StateCode, period: ReturnPeriod) -> rusqlite::Result<String> {
    let serial: i64 = tx
        .prepare_cached(
            "INSERT INTO arn_serials VALUES (?1, ?2, 1)
             ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last",
        )?
        .query_row(params![state.as_str(), period.to_string()], |row| row.get(0))?;
    Ok(compose(serial, state, period))
}

/// The letters run AA, AB, AC … as the six digits overflow (gst-engine.md section 5).
fn compose(serial: i64, state: StateCode, period: ReturnPeriod) -> String {
    let carry = serial / SERIALS_PER_LETTERS;
    let letter = |index: i64| char::from(b'A' + u8::try_from(index % 26).unwrap_or(0));
    let (first, second) = (letter(carry / 26), letter(carry));
    let (month, year, digits) = (period.month(), period.year() % 100, serial % SERIALS_PER_LETTERS);
    let first14 = format!("{first}{second}{state}{month:02}{year:02}{digits:06}");
    let check = check_character(&first14).map(String::from).unwrap_or_default();
    first14 + &check
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    fn karnataka() -> (StateCode, ReturnPeriod) {
        ("29".parse().unwrap(), "032026".parse().unwrap())
    }

    #[test]
    fn an_arn_is_fifteen_characters_with_a_right_check_character() {
        let (state, period) = karnataka();
        for (serial, start) in [
            (1, "AA290326000001"),
            (999_999, "AA290326999999"),
            (1_000_000, "AB290326000000"),
            (26_000_000, "BA"),
        ] {
            let arn = compose(serial, state, period);
            assert!(arn.starts_with(start), "{arn}");
            assert_eq!(arn.len(), 15);
            assert_eq!(arn.chars().last(), check_character(&arn[..14]));
        }
    }

    #[test]
    fn numbers_run_on_per_state_and_period() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let (state, period) = karnataka();
        let take = |state, period| db.write(|tx| next(tx, state, period)).unwrap();
        assert!(take(state, period).starts_with("AA290326000001"));
        assert!(take(state, period).starts_with("AA290326000002"));
        assert!(take("27".parse().unwrap(), period).starts_with("AA270326000001"));
        assert!(take(state, "042026".parse().unwrap()).starts_with("AA290426000001"));
    }
}
