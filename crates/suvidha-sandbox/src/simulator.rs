//! What every part of the simulated GSTN works with.

use gstn::crypto::{PrivateKey, ct_eq, sha256};
use gstn::{ReturnPeriod, SecretString};
use http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use suvidha_seam::Seam;
use tokio::sync::Notify;

use crate::call::Call;
use crate::call_log::CallLog;
use crate::clock::ist_date;
use crate::config::Config;
use crate::db::Db;
use crate::fault::Fault;
use crate::faults::FaultPlan;
use crate::forms::Form;
use crate::gstr1::Subject;
use crate::inward::Moment;
use crate::rules::Rules;
use crate::tax_clock::TaxClock;
use crate::taxpayers::Taxpayer;

/// The simulated GSTN, shared by both listeners and the job worker.
pub(crate) struct Simulator {
    pub(crate) config: Config,
    pub(crate) seam: Seam,
    pub(crate) db: Db,
    pub(crate) tax_clock: TaxClock,
    pub(crate) faults: FaultPlan,
    pub(crate) private_key: PrivateKey,
    pub(crate) certificate_pem: String,
    /// What the management port asks for; none where it asks for nothing.
    pub(crate) management_token: Option<SecretString>,
    pub(crate) call_log: CallLog,
    /// Rung when a job was added.
    pub(crate) new_job: Notify,
    /// Rung when a list was too large for its answer.
    pub(crate) new_list: Notify,
}

impl Simulator {
    /// The instant that returns, due dates and statements go by. Sessions, OTPs and the latency of jobs go by the
    /// real clock, `seam.now()`: moving the tax clock logs nobody out.
    pub(crate) fn tax_now(&self) -> Timestamp {
        self.tax_clock.at(self.seam.now())
    }

    /// The date in India by the tax clock.
    pub(crate) fn today(&self) -> Date {
        ist_date(self.tax_now())
    }

    /// Takes up what the database holds, after all of it was replaced; a tax clock that stood apart goes on from
    /// `tax_now`.
    pub(crate) fn take_up(&self, tax_now: Option<Timestamp>) -> rusqlite::Result<()> {
        self.tax_clock.resume(&self.db, self.seam.now(), tax_now)?;
        self.faults.resume(&self.db)?;
        self.new_job.notify_one();
        self.new_list.notify_one();
        Ok(())
    }

    /// The rules in force.
    pub(crate) fn rules(&self) -> Rules {
        Rules { as_of: self.config.rules_as_of, ..self.config.rules }
    }

    /// What the statements of recipients are judged by.
    pub(crate) fn moment(&self) -> Moment {
        Moment { rules: self.rules(), now: self.tax_now() }
    }

    /// A return of a taxpayer, as it is to be judged today.
    pub(crate) fn subject<'a>(
        &self,
        taxpayer: &'a Taxpayer,
        form: Form,
        period: ReturnPeriod,
    ) -> Subject<'a> {
        Subject {
            gstin: &taxpayer.gstin,
            form,
            period,
            today: self.today(),
            registered_on: taxpayer.registered_on,
            above_five_crore: taxpayer.above_five_crore(),
            rules: self.rules(),
        }
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
