//! `suvidha gst search`: the public register.

use clap::Args;
use gstn::Gstin;
use serde::Serialize;
use serde_json::Value;

use crate::exit::Failure;
use crate::output::{Answer, Output, fields};

use super::connection::GatewayOptions;
use super::place::SessionPlace;

/// `suvidha gst search`.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Whom to look up
    gstin: Gstin,
    #[command(flatten)]
    gateway: GatewayOptions,
}

impl Search {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let gsp = self.gateway.gsp(place)?;
        output.show(&Found(gsp.search(&self.gstin).await?.raw))
    }
}

/// The register's entry, as GSTN gives it.
#[derive(Serialize)]
struct Found(Value);

impl Answer for Found {
    fn words(&self) -> String {
        let text = |key: &str| self.0.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let lines = [
            ("gstin", text("gstin")),
            ("legal name", text("lgnm")),
            ("trade name", text("tradeNam")),
            ("status", text("sts")),
            ("kind", text("dty")),
            ("constitution", text("ctb")),
            ("registered", text("rgdt")),
            ("cancelled", text("cxdt")),
            ("address", address(&self.0["pradr"]["addr"])),
        ];
        fields(&lines.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>())
    }
}

/// From the door outwards, as on an envelope.
fn address(address: &Value) -> String {
    let parts = ["flno", "bno", "bnm", "st", "loc", "city", "dst", "stcd", "pncd"];
    let parts = parts.iter().filter_map(|part| address.get(part)?.as_str());
    let mut parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    parts.dedup();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_known_is_shown_and_once() {
        let found = Found(json!({"gstin": "33AANCS2882A1ZG", "lgnm": "Sample", "cxdt": "",
            "pradr": {"addr": {"bno": "12", "st": "", "dst": "Tamil Nadu", "stcd": "Tamil Nadu", "pncd": "600001"}}}));
        let expected =
            "gstin       33AANCS2882A1ZG\nlegal name  Sample\naddress     12, Tamil Nadu, 600001\n";
        assert_eq!(found.words(), expected);
    }
}
