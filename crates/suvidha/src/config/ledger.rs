//! `[ledger]`: where calls are recorded, and what an answer waits for.

use std::path::Path;
use std::time::Duration;

use suvidha_gateway::config::{Durability, Ledger};

use super::reader::Section;
use super::setting::{Moment, Word};
use crate::registry::DEFAULT_DATA_DIR;

/// The longest that entries may wait for company.
const LONGEST_GATHERING: Duration = Duration::from_secs(1);
/// The longest that entries are kept, if not for ever: a hundred years, in months.
const LONGEST_RETENTION: u16 = 1200;

pub(super) fn from_section(mut section: Section<'_, '_>, base: &Path) -> Ledger {
    let default = Ledger::new(Path::new(DEFAULT_DATA_DIR).join("ledger"));
    Ledger {
        directory: base.join(section.get("directory", default.directory)),
        durability: section.get("durability", default.durability),
        gather_us: gather(&mut section, default.gather_us),
        retention_months: retention(&mut section),
    }
}

fn gather(section: &mut Section<'_, '_>, default: u64) -> u64 {
    let at = section.locate("gather");
    let Moment(time) = section.get("gather", Moment(Duration::from_micros(default)));
    if time > LONGEST_GATHERING {
        section.problem(at, "gather", "every answer would wait for it; it is at most 1s");
        return default;
    }
    u64::try_from(time.as_micros()).unwrap_or(default)
}

fn retention(section: &mut Section<'_, '_>) -> Option<u16> {
    let at = section.locate("retention");
    let months = section.optional("retention")?;
    if !(1..=LONGEST_RETENTION).contains(&months) {
        section.problem(at, "retention", format_args!("{months} is outside 1 to {LONGEST_RETENTION} months"));
        return None;
    }
    Some(months)
}

impl Word for Durability {
    const WORDS: &'static [(&'static str, Self)] = &[("strict", Self::Strict), ("relaxed", Self::Relaxed)];
}
