//! What every part of the simulated GSTN works with.

use gstn::crypto::{PrivateKey, ct_eq, sha256};
use http::StatusCode;
use jiff::civil::Date;
use suvidha_seam::Seam;
use tokio::sync::Notify;

use crate::call::Call;
use crate::call_log::CallLog;
use crate::clock::ist_date;
use crate::config::Config;
use crate::db::Db;
use crate::fault::Fault;

/// The simulated GSTN, shared by both listeners and the job worker.
pub(crate) struct Simulator {
    pub(crate) config: Config,
    pub(crate) seam: Seam,
    pub(crate) db: Db,
    pub(crate) private_key: PrivateKey,
    pub(crate) certificate_pem: String,
    pub(crate) call_log: CallLog,
    /// Rung when a job was added.
    pub(crate) new_job: Notify,
}

impl Simulator {
    /// The date in India.
    pub(crate) fn today(&self) -> Date {
        ist_date(self.seam.now())
    }

    /// The GSP that calls, by its `clientid` and `client-secret`. GSTN refuses strangers before it looks at
    /// anything else, and at HTTP 403.
    pub(crate) fn identify_client<'a>(&'a self, call: &Call) -> Result<&'a str, Fault> {
        let refused = |code, message: &'static str| Fault::new(code, message).at(StatusCode::FORBIDDEN);
        let client_id =
            call.header(gstn::headers::CLIENT_ID).ok_or_else(|| refused("AUT4031", "ClientID is null"))?;
        let client_secret = call
            .header(gstn::headers::CLIENT_SECRET)
            .ok_or_else(|| refused("AUT4032", "Client-Secret is null"))?;
        let client = self.config.clients.iter().find(|client| client.client_id == client_id);
        let client = client.ok_or_else(|| refused("AUT4033", "Invalid Client ID"))?;
        if same_secret(client.client_secret.expose(), client_secret) {
            Ok(&client.client_id)
        } else {
            Err(refused("AUT4034", "Invalid Client-Secret"))
        }
    }
}

/// Compares by hash, so that neither content nor length shows in the time taken.
pub(crate) fn same_secret(expected: &str, presented: &str) -> bool {
    ct_eq(&sha256(expected.as_bytes()), &sha256(presented.as_bytes()))
}
