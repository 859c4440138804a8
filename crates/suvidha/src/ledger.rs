//! `suvidha ledger`: what became of every call, read from the ledger's file beside a running gateway or without one.

use clap::{Args, Subcommand};
use suvidha_seam::Seam;

use crate::exit::Failure;
use crate::output::Output;

mod columns;
mod csv;
mod entry;
mod export;
mod filter;
mod follow;
mod forms;
mod list;
mod moment;
mod parquet;
mod place;
mod summary;
mod tail;
mod target;
mod verify;

pub(crate) use columns::rfc3339;
pub(crate) use entry::ist;
pub(crate) use follow::Follower;
pub(crate) use forms::printable;
pub(crate) use place::{LedgerOptions, LedgerPlace, directory};

/// `suvidha ledger`.
#[derive(Debug, Args)]
pub(crate) struct Ledger {
    /// Which ledger.
    #[command(flatten)]
    pub(crate) place: LedgerOptions,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: LedgerCommand,
}

/// `suvidha ledger …`.
#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Show the last entries, and with --follow those to come
    Tail(tail::Tail),
    /// List entries, the newest first
    List(list::List),
    /// Count calls, errors and units by day, ASP, API, error, origin or outcome
    Summary(summary::Summary),
    /// Write every entry that is asked for to a file or to standard output, however many there are
    Export(export::Export),
    /// Prove that no entry was changed, removed, inserted or moved; prints the head to note down elsewhere
    ///
    /// Recomputes the hash of every entry and compares the sums that balances are made from with the entries. Ends with 0 if
    /// nothing is wrong, with 65 and every finding named otherwise. A chain can be cut off at its end and still fit: what
    /// proves that it was not is a head that was noted before, given as --head.
    Verify(verify::Verify),
}

/// Runs `suvidha ledger …`.
pub(crate) fn run(command: Ledger, output: Output, seam: &Seam) -> Result<(), Failure> {
    let place = LedgerPlace::from_options(&command.place)?;
    match command.command {
        LedgerCommand::Tail(tail) => tail.run(&place, output, seam.now()),
        LedgerCommand::List(list) => list.run(&place, output, seam.now()),
        LedgerCommand::Summary(summary) => summary.run(&place, output, seam.now()),
        LedgerCommand::Export(export) => export.run(&place, output, seam.now()),
        LedgerCommand::Verify(verify) => verify.run(&place, output),
    }
}
