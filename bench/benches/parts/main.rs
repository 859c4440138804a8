//! The parts of a call, each by itself, under criterion: what `cargo xtask bench parts` runs and reports.
//!
//! Each file is one table of the report: a group of criterion is its title, a function of the group one row.

mod getkey;
mod ledger;
mod payload;
mod registry;
mod session;

use criterion::Criterion;

/// The product's: it is a part of what each costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    session::bench(&mut criterion);
    getkey::bench(&mut criterion);
    payload::bench(&mut criterion);
    ledger::bench(&mut criterion);
    registry::bench(&mut criterion);
    criterion.final_summary();
}
