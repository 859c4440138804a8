//! Reads what GSTN answers the way it is written in the field: keys missing or new, numbers as texts, empty dates.

use gstn::ReturnPeriod;
use jiff::civil::Date;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::Error;

/// An answer as a type and as it came. `what` says whose answer it is, for the error.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8], what: &str) -> Result<(T, Value), Error> {
    // What serde says of a fault may repeat the answer.
    let unlike = || Error::Protocol {
        what: format!("{what} is not in the form that GSTN documents"),
        request_id: None,
    };
    let typed = serde_json::from_slice(json).map_err(|_| unlike())?;
    Ok((typed, serde_json::from_slice(json).map_err(|_| unlike())?))
}

/// A text, be it written as a number; empty where there is none.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text.trim().to_owned(),
        plain @ (Value::Number(_) | Value::Bool(_)) => plain.to_string(),
        _ => String::new(),
    })
}

/// What a text says, where it can be read; `None` of an empty text too.
pub(crate) fn parsed<'de, D: Deserializer<'de>, T: std::str::FromStr>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(text(deserializer)?.parse().ok())
}

/// A day as GSTN writes it, `dd/mm/yyyy`, `dd-mm-yyyy` or `dd-Mon-yy`; `None` where there is none.
pub(crate) fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    Ok(day_in(&text(deserializer)?))
}

fn day_in(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, ['/', '-']);
    let (day, month, year) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    match month_named(month) {
        Some(month) => Date::new(short_year(year)?, month, day).ok(),
        None if year.len() == 4 => Date::new(year.parse().ok()?, month.parse().ok()?, day).ok(),
        None => None,
    }
}

/// `Nov` is 11.
fn month_named(text: &str) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let place = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(text))?;
    i8::try_from(place + 1).ok()
}

/// `19` is 2019: there was no GST before 2017.
fn short_year(text: &str) -> Option<i16> {
    match text.len() {
        2 => Some(2000 + text.parse::<i16>().ok()?),
        4 => text.parse().ok(),
        _ => None,
    }
}

/// A period as GSTN writes it, `112019` or `Nov-19`; `None` where there is none.
pub(crate) fn period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ReturnPeriod>, D::Error> {
    Ok(period_in(&text(deserializer)?))
}

fn period_in(text: &str) -> Option<ReturnPeriod> {
    if let Ok(period) = text.parse() {
        return Some(period);
    }
    let (month, year) = text.split_once('-')?;
    ReturnPeriod::new(short_year(year)?.try_into().ok()?, month_named(month)?.unsigned_abs())
}

/// A list, or the one thing that stands in its place; nothing, or `null`, is an empty one.
pub(crate) fn one_or_many<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    let text = raw.get().trim_start();
    let read = match text.as_bytes().first() {
        Some(b'[') => serde_json::from_str(text),
        Some(b'{') => serde_json::from_str(text).map(|one| vec![one]),
        _ => Ok(Vec::new()),
    };
    read.map_err(serde::de::Error::custom)
}

/// The first that says something: GSTN has the same thing under several names.
pub(crate) fn first(texts: &[&str]) -> String {
    texts.iter().find(|text| !text.is_empty()).copied().unwrap_or_default().to_owned()
}

/// How many; nothing is none.
pub(crate) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(parsed(deserializer)?.unwrap_or_default())
}

/// `Yes` or `Y` as true, `No` or `N` as false.
pub(crate) fn yes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let text = text(deserializer)?;
    let says = |words: [&str; 3]| words.iter().any(|word| word.eq_ignore_ascii_case(&text));
    Ok(if says(["Yes", "Y", "true"]) {
        Some(true)
    } else if says(["No", "N", "false"]) {
        Some(false)
    } else {
        None
    })
}

/// A list; nothing, or `null`, is an empty one.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An object; nothing, or `null`, is an empty one.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_with_either_stroke_and_nonsense_is_none() {
        let date = |year, month, day| Some(jiff::civil::date(year, month, day));
        assert_eq!(day_in("01/07/2017"), date(2017, 7, 1));
        assert_eq!(day_in("29-02-2024"), date(2024, 2, 29));
        assert_eq!(day_in("18-Nov-19"), date(2019, 11, 18));
        for bad in
            ["", "NA", "2017-07-01", "30/02/2024", "1/2/24", "01/07/2017 10:00", "18-Nvm-19", "18-Nov-9"]
        {
            assert_eq!(day_in(bad), None, "{bad}");
        }
        for (text, period) in
            [("Nov-19", Some("112019")), ("apr-2018", Some("042018")), ("022020", Some("022020"))]
        {
            assert_eq!(period_in(text), period.map(|period| period.parse().unwrap()), "{text}");
        }
        for bad in ["", "Nov", "Nov-1", "132020", "11-19"] {
            assert_eq!(period_in(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_answer_of_another_form_is_told_without_its_content() {
        #[derive(Debug, Deserialize)]
        struct Expected {
            #[expect(dead_code, reason = "never read: the answers are unlike it")]
            number: u8,
        }
        for bad in [r#"{"number": "hidden"}"#, "hidden"] {
            let error = read::<Expected>(bad.as_bytes(), "the answer to BAL").unwrap_err();
            assert!(
                error.to_string().starts_with("the answer to BAL")
                    && !format!("{error:?}").contains("hidden")
            );
        }
    }
}
