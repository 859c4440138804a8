//! What the ASP has left with its GSP.

use std::fmt;

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;

use crate::answer::{Stage, read};
use crate::error::Error;
use crate::gsp::{Gsp, Outgoing};
use crate::transport::Answer;

const GETAPIBALANCE: &str = "aspapi/v1.0/getapibalance";

/// What an ASP may yet use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Balance {
    /// Units that are left, less what calls under way may cost; `None` where there is no limit to them. Below zero when the
    /// GSP has taken back more than was left.
    pub units: Option<i64>,
    /// The last moment at which they can be used, UTC; of a plan by the month, when this month's end. `None` where there is no
    /// limit, and where no units were ever bought.
    pub usable_until: Option<Timestamp>,
    /// The plan, such as `prepaid`, if the GSP says so.
    pub plan: Option<String>,
}

/// `4850 units until 2027-03-31T18:29:59Z`.
impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.units, self.usable_until) {
            (None, _) => f.write_str("as many units as are wanted"),
            (Some(units), Some(until)) => write!(f, "{units} units until {until}"),
            (Some(units), None) => write!(f, "{units} units"),
        }
    }
}

impl Gsp {
    /// What the ASP has left with its GSP. Asking is free of charge.
    ///
    /// ```no_run
    /// # async fn example(gsp: suvidha_client::Gsp) -> Result<(), Box<dyn std::error::Error>> {
    /// let balance = gsp.balance().await?;
    /// if balance.units.is_some_and(|units| units < 1000) {
    ///     println!("time to buy calls: {balance}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Every kind but [`Error::OtpRequired`].
    pub async fn balance(&self) -> Result<Balance, Error> {
        let outgoing = Outgoing {
            method: Method::GET,
            target: GETAPIBALANCE,
            action: "GETAPIBALANCE",
            gstin: None,
            headers: self.common_headers(None)?,
            body: Default::default(),
        };
        self.call(&outgoing, balance).await
    }
}

fn balance(answer: &Answer) -> Result<Balance, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Written {
        api_bal: i64,
        api_bal_exp_dt: Option<Timestamp>,
        plan: Option<String>,
        #[serde(default)]
        unlimited: bool,
    }
    let Written { api_bal, api_bal_exp_dt, plan, unlimited } = read(answer, Stage::Outside)?;
    // Who never bought anything is told the beginning of 1970, in India.
    let until = api_bal_exp_dt.filter(|until| !unlimited && *until > Timestamp::UNIX_EPOCH);
    Ok(Balance { units: (!unlimited).then_some(api_bal), usable_until: until, plan })
}
