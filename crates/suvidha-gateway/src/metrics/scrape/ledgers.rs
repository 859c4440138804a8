//! How the ledgers are: whether calls can be recorded, and how long that takes.

use std::fmt::Result;

use suvidha_store::ledger::{CommitTimes, Figures, Health};

use super::super::histogram::Counted;
use super::super::page::{Family, Page, bytes, family, seconds};
use crate::gateway::House;

type Labels = [(&'static str, &'static str); 1];

pub(super) fn ledgers(page: &mut Page<'_>, house: &House) -> Result {
    let all: Vec<_> = house.doors.iter().filter_map(|door| Some((door, door.recorder.as_ref()?))).collect();
    let health = all.iter().flat_map(|(door, recorder)| {
        let health = recorder.health();
        let of = |state, is: bool| {
            ([("environment", door.environment.as_str()), ("state", state)], f64::from(u8::from(is)))
        };
        [
            of("writing", health == Health::Writing),
            of("overloaded", health == Health::Overloaded),
            of("failed", matches!(health, Health::Failed { .. })),
        ]
    });
    page.gauges(
        &family(
            "ledger_state",
            "1 for the state that the ledger is in; calls are recorded while it is writing",
        ),
        health,
    )?;

    let figures: Vec<(Labels, Figures)> = all
        .iter()
        .map(|(door, recorder)| ([("environment", door.environment.as_str())], recorder.figures()))
        .collect();
    let mut gauges = |family: &Family, of: fn(&Figures) -> f64| {
        page.gauges(family, figures.iter().map(|(labels, figures)| (*labels, of(figures))))
    };
    gauges(&family("ledger_queue", "Entries that wait to be written"), |figures| figures.queued as f64)?;
    gauges(&family("ledger_head_seq", "The place of the last entry"), |figures| figures.head.seq as f64)?;
    gauges(&bytes("ledger_size", "The ledger on disk"), |figures| figures.bytes as f64)?;
    let mut counters = |family: &Family, of: fn(&Figures) -> u64| {
        page.counters(family, figures.iter().map(|(labels, figures)| (*labels, of(figures))))
    };
    counters(&family("ledger_entries", "Entries written"), |figures| figures.entries)?;
    counters(
        &family("ledger_failures", "Groups of entries that could not be written when they were tried"),
        |figures| figures.failures,
    )?;
    page.histograms(
        &seconds("ledger_commit", "How long it took to write a group of entries, to the disk's word"),
        figures.iter().map(|(labels, figures)| (*labels, counted(&figures.commits))),
    )?;
    let lost = all
        .iter()
        .map(|(door, recorder)| ([("environment", door.environment.as_str())], recorder.refusals_lost()));
    page.counters(
        &family(
            "ledger_lost_refusals",
            "Refusals without an entry: too many came while the ledger could not be written",
        ),
        lost,
    )
}

fn counted(commits: &CommitTimes) -> Counted {
    let bounds = CommitTimes::BOUNDS.into_iter().chain([f64::INFINITY]);
    Counted { classes: bounds.zip(commits.counts).collect(), sum: commits.sum.as_secs_f64() }
}
