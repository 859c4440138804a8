//! What an ASP has left.

use serde_json::{Value, json};
use suvidha_client::{Balance, Error};

use crate::standin::{Scripted, StandIn};

const PATH: &str = "/aspapi/v1.0/getapibalance";

/// What the client makes of the answer `json`.
async fn read(json: Value) -> Result<Balance, Error> {
    let standin = StandIn::start().await;
    let gsp = standin.getkey_builder().build().unwrap();
    standin.script(PATH, [Scripted::Plain(200, json.to_string().into_bytes())]);
    let balance = gsp.balance().await;
    let call = standin.last_call();
    assert_eq!((call.method.as_str(), call.header("session-id")), ("GET", "gsp-session-1"));
    balance
}

#[tokio::test]
async fn a_balance_is_read_whatever_the_plan() {
    let prepaid = read(json!({
        "ApiBal": 4850, "ApiBalExpDt": "2027-03-31T23:59:59+05:30", "Plan": "prepaid", "Unlimited": false,
    }));
    let prepaid = prepaid.await.unwrap();
    assert_eq!((prepaid.units, prepaid.plan.as_deref()), (Some(4850), Some("prepaid")));
    assert_eq!(prepaid.to_string(), "4850 units until 2027-03-31T18:29:59Z");

    let unlimited = read(json!({
        "ApiBal": 2_147_483_647, "ApiBalExpDt": "2099-12-31T23:59:59+05:30", "Plan": "unmetered", "Unlimited": true,
    }));
    let unlimited = unlimited.await.unwrap();
    assert_eq!((unlimited.units, unlimited.usable_until), (None, None));
    assert_eq!(unlimited.to_string(), "as many units as are wanted");

    let never = read(json!({"ApiBal": 0, "ApiBalExpDt": "1970-01-01T00:00:00+05:30", "Plan": "prepaid"}));
    assert_eq!(never.await.unwrap().to_string(), "0 units");
    let bare = read(json!({"ApiBal": 7, "ApiBalExpDt": "2027-03-31T23:59:59+05:30"})).await.unwrap();
    assert_eq!((bare.units, bare.plan), (Some(7), None));
}

#[tokio::test]
async fn what_is_no_balance_is_an_error() {
    assert!(matches!(read(json!({"ApiBal": "many"})).await, Err(Error::Protocol { .. })));
    let refused = json!({"status_cd": "0", "error": {"error_cd": "GSP025", "message": "Slowly."}});
    let refused = read(refused).await.unwrap_err();
    assert_eq!(refused.code(), Some("GSP025"), "{refused}");
}
