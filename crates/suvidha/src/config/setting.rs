//! What a value in the configuration may be, and how it is written there.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use gstn::Environment;
use ipnet::IpNet;
use toml::de::DeValue;

/// A type that can stand in the configuration.
pub(crate) trait Setting: Sized {
    /// The form in words, for "expected …".
    fn expected() -> String;
    /// Reads `value`; nothing where it has not the form.
    fn read(value: &DeValue<'_>) -> Option<Self>;
}

impl Setting for bool {
    fn expected() -> String {
        "true or false".into()
    }

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_bool()
    }
}

impl Setting for String {
    fn expected() -> String {
        "a text in quotes".into()
    }

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl Setting for PathBuf {
    fn expected() -> String {
        "a path in quotes".into()
    }

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_str().filter(|path| !path.is_empty()).map(Self::from)
    }
}

impl Setting for SocketAddr {
    fn expected() -> String {
        r#"an IP address and a port such as "127.0.0.1:7780" or "[::1]:7780""#.into()
    }

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
}

impl Setting for IpNet {
    fn expected() -> String {
        r#"an IP address or network such as "203.0.113.7" or "10.0.0.0/8""#.into()
    }

    fn read(value: &DeValue<'_>) -> Option<Self> {
        network(value.as_str()?)
    }
}

/// Reads a network; an address alone is the network of that one address.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse().ok().map(|address: std::net::IpAddr| IpNet::from(address)))
}

macro_rules! whole_numbers {
    ($($number:ty),+) => {$(
        impl Setting for $number {
            fn expected() -> String {
                match u32::try_from(<$number>::MAX) {
                    Ok(most) => format!("a whole number from 0 to {most}"),
                    Err(_) => "a whole number from 0 on".to_owned(),
                }
            }

            fn read(value: &DeValue<'_>) -> Option<Self> {
                let number = value.as_integer()?;
                Self::from_str_radix(number.as_str(), number.radix()).ok()
            }
        }
    )+};
}
whole_numbers!(u16, u32, u64, usize);

impl<T: Setting> Setting for Vec<T> {
    fn expected() -> String {
        format!("a list of values, each {}", T::expected())
    }

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_array()?.iter().map(|item| T::read(item.get_ref())).collect()
    }
}

impl Setting for Duration {
    fn expected() -> String {
        r#"a time such as "500ms", "30s", "5m", "6h" or "30d""#.into()
    }

    fn read(value: &DeValue<'_>) -> Option<Self> {
        duration(value.as_str()?)
    }
}

/// Reads a time written as a whole number and one of `ms`, `s`, `m`, `h`, `d`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// A time that may be shorter than a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Duration);

impl Setting for Moment {
    fn expected() -> String {
        r#"a time such as "250us", "1ms" or "1s""#.into()
    }

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let text = value.as_str()?;
        let time = match number_and_unit(text)? {
            (number, "us") => Some(Duration::from_micros(number)),
            _ => duration(text),
        };
        time.map(Self)
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let (unit, shift) = units
            .into_iter()
            .find(|(_, shift)| self.0 != 0 && self.0.trailing_zeros() >= *shift)
            .unwrap_or(("B", 0));
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

impl Setting for Bytes {
    fn expected() -> String {
        r#"a size such as "64KiB", "256MiB" or "1GiB""#.into()
    }

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let (number, unit) = number_and_unit(value.as_str()?)?;
        let bytes = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        number.checked_mul(bytes).map(Self)
    }
}

/// A share of a whole, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share(pub(crate) f64);

impl Setting for Share {
    fn expected() -> String {
        "a share from 0 to 1 such as 0.05".into()
    }

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let share: f64 = match value {
            DeValue::Float(share) => share.as_str().parse().ok()?,
            DeValue::Integer(share) => share.as_str().parse().ok()?,
            _ => return None,
        };
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

/// One of a few words. The list gives each with what it stands for.
pub(crate) trait Word: Copy + 'static {
    /// The words, and what they stand for.
    const WORDS: &'static [(&'static str, Self)];
}

impl<T: Word> Setting for T {
    fn expected() -> String {
        let words: Vec<_> = T::WORDS.iter().map(|(word, _)| format!("{word:?}")).collect();
        format!("one of {}", words.join(", "))
    }

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let text = value.as_str()?;
        T::WORDS.iter().find(|(word, _)| *word == text).map(|&(_, meaning)| meaning)
    }
}

impl Word for Environment {
    const WORDS: &'static [(&'static str, Self)] =
        &[("sandbox", Self::Sandbox), ("production", Self::Production)];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_number_and_a_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("30d"), Some(Duration::from_secs(2_592_000)));
        assert_eq!(duration("5 m"), Some(Duration::from_secs(300)));
        for wrong in
            ["", "5", "m", "-5s", "5 weeks", "1.5h", "99999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(duration(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_moment_may_be_shorter_than_a_millisecond() {
        let read =
            |text: &str| Moment::read(&DeValue::String(text.into())).map(|Moment(time)| time.as_micros());
        assert_eq!([read("250us"), read("1ms"), read("0us")], [Some(250), Some(1000), Some(0)]);
        assert_eq!([read("250"), read("0.25ms"), read("250ns")], [None; 3]);
    }

    #[test]
    fn an_address_alone_is_a_network_of_one() {
        assert_eq!(network("203.0.113.7").unwrap().to_string(), "203.0.113.7/32");
        assert_eq!(network("2001:db8::/32").unwrap().to_string(), "2001:db8::/32");
        assert_eq!(network("203.0.113.0/33"), None);
    }
}
