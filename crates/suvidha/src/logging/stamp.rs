//! The time of a log line: UTC to the microsecond, as `2026-11-22T10:15:30.123456Z`.

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::sync::Arc;

use jiff::Timestamp;
use suvidha_seam::Clock;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Writes the time that its clock shows.
#[derive(Clone)]
pub(super) struct Stamp(pub(super) Arc<dyn Clock>);

/// A second as text. It serves thousands of lines, and making the text costs more than the rest of a stamp.
struct Second {
    number: i64,
    text: String,
}

thread_local! {
    static SECOND: RefCell<Second> = const { RefCell::new(Second { number: i64::MIN, text: String::new() }) };
}

impl Stamp {
    pub(super) fn write(&self, line: &mut impl Write) -> fmt::Result {
        let micros = self.0.now().as_microsecond();
        let number = micros.div_euclid(1_000_000);
        SECOND.with_borrow_mut(|second| {
            if second.number != number {
                second.text.clear();
                write!(second.text, "{}", Timestamp::from_second(number).unwrap_or_default())?;
                // The Z goes after the fraction.
                second.text.pop();
                second.number = number;
            }
            line.write_str(&second.text)
        })?;
        let (mut fraction, mut rest) = (*b".000000Z", micros.rem_euclid(1_000_000));
        for digit in fraction[1..7].iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        line.write_str(str::from_utf8(&fraction).unwrap_or_default())
    }
}

impl FormatTime for Stamp {
    fn format_time(&self, line: &mut Writer<'_>) -> fmt::Result {
        self.write(line)
    }
}

#[cfg(test)]
mod tests {
    use suvidha_seam::ManualClock;

    use super::*;

    #[test]
    fn a_stamp_follows_its_clock_to_the_microsecond() {
        struct Fixed(&'static str);
        impl Clock for Fixed {
            fn now(&self) -> Timestamp {
                self.0.parse().unwrap()
            }
        }
        let stamp = |clock: Arc<dyn Clock>| {
            let mut text = String::new();
            Stamp(clock).write(&mut text).unwrap();
            text
        };
        for (at, shown) in [
            ("2026-11-22T10:15:30Z", "2026-11-22T10:15:30.000000Z"),
            ("2026-11-22T10:15:30.000001999Z", "2026-11-22T10:15:30.000001Z"),
            ("2026-11-22T10:15:30.98765Z", "2026-11-22T10:15:30.987650Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000Z"),
        ] {
            assert_eq!(stamp(Arc::new(Fixed(at))), shown);
        }
        let clock = Arc::new(ManualClock::at("2027-02-28T23:59:59.999Z".parse().unwrap()));
        assert_eq!(stamp(clock.clone()), "2027-02-28T23:59:59.999000Z");
        clock.advance(1);
        assert_eq!(stamp(clock), "2027-03-01T00:00:00.000000Z");
    }
}
