//! `suvidha gst call`: any API of GSTN's catalogue, by its path and action.

use std::path::PathBuf;

use clap::Args;
use gstn::ReturnPeriod;
use serde::Serialize;
use serde_json::Value;
use suvidha_client::ApiCall;

use crate::exit::Failure;
use crate::output::{Answer, Output};

use super::large::whole;
use super::place::SessionPlace;
use super::returns::{pair, read_payload};

/// `suvidha gst call`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  suvidha gst call returns/gstr2b GET2B --query rtnprd=042026
  suvidha gst call returns/gstr3b RETSAVE --period 042026 --payload gstr3b.json

What is sent is encrypted under the taxpayer's session, and what comes back is opened, as GSTN wants
it. The answer is JSON, as GSTN gives it.")]
pub(crate) struct Call {
    /// Path of the API, with or without its family and version: returns/gstr2b, taxpayerapi/v4.2/returns/gstr2b
    path: String,
    /// GSTN's name of the action, such as GET2B
    action: String,
    /// The tax period, month and year, for the header `ret_period`
    #[arg(long, value_name = "MMYYYY")]
    period: Option<ReturnPeriod>,
    /// A parameter of the query; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    query: Vec<(String, String)>,
    /// The payload of an API that writes: JSON as GSTN defines it; `-` is standard input
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,
}

impl Call {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let mut call = ApiCall::named(&self.path, &self.action).map_err(|error| {
            Failure::from(error).remedy("What has a command of its own is listed by `suvidha gst --help`.")
        })?;
        if let Some(period) = self.period {
            call = call.ret_period(period);
        }
        for (name, value) in self.query {
            call = call.query(name, value);
        }
        if let Some(payload) = &self.payload {
            call = call.payload_text(read_payload(payload)?);
        }
        let taxpayer = place.open()?;
        let answer = taxpayer.call(call).await;
        output.show(&Answered(whole(&taxpayer, answer).await?))
    }
}

/// What GSTN answered.
#[derive(Serialize)]
struct Answered(Value);

impl Answer for Answered {
    fn words(&self) -> String {
        format!("{:#}\n", self.0)
    }
}
