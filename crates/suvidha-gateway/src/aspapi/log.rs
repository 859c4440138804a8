//! `apitxn/dailytxn` and `dailytxnlog`: the calls of one day in India, in the order in which they ended.

use gstn::catalogue::Origin;
use gstn::envelope::StatusCd;
use http::Response;
use suvidha_store::PlanKind;
use suvidha_store::ledger::{Entry, Filter, LedgerError, LedgerReader, Order, Seq};

use super::list::{self, Read, Rows};
use super::parameters::Parameters;
use super::table::{Cell, Table};
use super::{Desk, days};
use crate::body::Content;
use crate::error::Error;

pub(super) async fn respond(desk: &Desk<'_>, parameter: &'static str) -> Result<Response<Content>, Error> {
    let parameters = Parameters::read(&desk.call.head, &[parameter])?;
    let day = parameters.day(parameter)?;
    let members = [(parameter, day.to_string().into())];
    let calls = Calls(Filter { aspid: Some(desk.asp.aspid), ..days::filter(day) });
    list::respond(desk, &parameters, &members, &format!("transactions-{day}"), calls).await
}

/// The calls of one ASP on one day.
struct Calls(Filter);

impl Rows for Calls {
    type Cursor = Seq;
    const NAME: &'static str = "Txns";
    const COLUMNS: &'static [&'static str] = &COLUMNS;

    fn read(
        &mut self,
        reader: &LedgerReader,
        after: Option<&Seq>,
        limit: usize,
        table: &mut Table,
    ) -> Result<Read<Seq>, LedgerError> {
        let page = reader.entries(&self.0, Order::OldestFirst, after.copied(), limit)?;
        for recorded in &page.entries {
            table.row(row(&recorded.entry));
        }
        Ok(Read { rows: page.entries.len(), next: page.more.then_some(page.reached) })
    }
}

/// As in a row of the log: [`row`] has their values. The entry's place in the ledger is not among them: it would tell how many
/// calls others make.
const COLUMNS: [&str; 22] = [
    "Time",
    "RequestID",
    "TxnID",
    "GSTIN",
    "UserIP",
    "AppVer",
    "Method",
    "Api",
    "ApiAction",
    "ApiVersion",
    "HttpStatus",
    "StatusCd",
    "ErrCode",
    "ErrOrigin",
    "Outcome",
    "BytesIn",
    "BytesOut",
    "GstnMs",
    "TotalMs",
    "Plan",
    "Units",
    "Admitted",
];

fn row(entry: &Entry) -> [Cell<'_>; COLUMNS.len()] {
    [
        Cell::text(days::written_exactly(entry.at)),
        Cell::text(entry.id.to_string()),
        Cell::maybe(entry.txn.as_deref()),
        Cell::maybe(entry.gstin.as_deref()),
        Cell::maybe(entry.ip_usr.as_deref()),
        Cell::maybe(entry.appver.as_deref()),
        Cell::maybe(entry.method.as_deref()),
        Cell::maybe(entry.api.as_deref()),
        Cell::maybe(entry.action.as_deref()),
        Cell::maybe(entry.version.as_deref()),
        entry.status.map_or(Cell::Nothing, Cell::number),
        Cell::maybe(entry.status_cd.map(StatusCd::as_str)),
        Cell::maybe(entry.error_cd.as_deref()),
        Cell::maybe(entry.origin.map(Origin::as_str)),
        Cell::text(entry.outcome.as_str()),
        Cell::number(entry.bytes_in),
        Cell::number(entry.bytes_out),
        entry.gstn_us.map_or(Cell::Nothing, milliseconds),
        milliseconds(entry.total_us),
        Cell::maybe(entry.plan.map(PlanKind::as_str)),
        Cell::number(entry.units),
        Cell::Flag(entry.admitted),
    ]
}

/// Rounded up: nothing takes no time.
fn milliseconds(micros: u64) -> Cell<'static> {
    Cell::number(micros.div_ceil(1000))
}
