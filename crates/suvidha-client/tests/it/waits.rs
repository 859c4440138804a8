//! Waiting for GSTN: what is waited out, what is not, and how to stop.

use std::time::{Duration, Instant};

use serde_json::json;
use suvidha_client::{Error, Patience, ReturnStatus};

use crate::standin::{Scripted, StandIn};

fn quick() -> Patience {
    let pause = Duration::from_millis(10);
    Patience { first_pause: pause, longest_pause: pause, total: Duration::from_secs(20) }
}

fn in_process() -> Scripted {
    Scripted::sealed(&json!({"status_cd": "IP"}))
}

fn processed() -> Scripted {
    Scripted::sealed(&json!({"status_cd": "P"}))
}

#[tokio::test]
async fn what_may_pass_on_the_way_is_waited_out() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let bad_gateway = Scripted::Plain(502, b"<html>bad gateway</html>".to_vec());
    standin.script(
        "RETSTATUS",
        [bad_gateway.clone(), in_process(), bad_gateway, Scripted::No("RET13504"), processed()],
    );
    let status = taxpayer.wait_for("042026".parse().unwrap(), "ref-1", quick(), |_| ()).await.unwrap();
    assert!(status.progress.is_final());
    assert_eq!(standin.calls_of("RETSTATUS").len(), 5);
}

#[tokio::test]
async fn the_gateways_wish_to_be_left_alone_is_respected() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    standin.script("RETSTATUS", [Scripted::Throttled(1), processed()]);
    let begun = Instant::now();
    taxpayer.wait_for("042026".parse().unwrap(), "ref-1", quick(), |_| ()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "it asked again before it was allowed to");

    standin.script("RETSTATUS", [Scripted::Throttled(3600)]);
    let error = taxpayer.wait_for("042026".parse().unwrap(), "ref-1", quick(), |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Throttled { retry_after: Some(_), .. }), "not for an hour: {error:?}");
}

#[tokio::test]
async fn a_gateway_that_stays_away_and_a_no_that_stays_are_told() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let wait =
        async || taxpayer.wait_for("042026".parse().unwrap(), "ref-1", quick(), |_| ()).await.unwrap_err();
    standin.script("RETSTATUS", [Scripted::Plain(503, Vec::new())]);
    assert!(matches!(wait().await, Error::Unavailable { .. }));
    assert_eq!(standin.calls_of("RETSTATUS").len(), 5);
    standin.script("RETSTATUS", [Scripted::No("RET13508")]);
    assert!(matches!(wait().await, Error::Refused(_)));
    assert_eq!(standin.calls_of("RETSTATUS").len(), 6, "asked once");
}

#[tokio::test]
async fn waiting_stops_when_its_future_is_dropped() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    standin.script("RETSTATUS", [in_process()]);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let progress = move |status: &ReturnStatus| tell.send(status.progress.clone()).unwrap();
    let waiting = tokio::spawn(async move {
        taxpayer.wait_for("042026".parse().unwrap(), "ref-1", quick(), progress).await.map(drop)
    });
    told.recv().await.unwrap();
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    while told.recv().await.is_some() {}
    let asked = standin.calls_of("RETSTATUS").len();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(standin.calls_of("RETSTATUS").len(), asked);
}
