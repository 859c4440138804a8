//! Noes of the gateway, replies that were tampered with, sessions that died, and secrets that must not show.

use suvidha_client::{Credentials, Error, Origin, SummaryKind};

use crate::standin::{GSTIN, OTP, StandIn, TOKEN, Tampering, USERNAME};

#[tokio::test]
async fn a_token_that_the_gateway_does_not_know_is_the_gateways_no() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp_builder().credentials(Credentials::token("svd_sbx_other")).build().unwrap();
    let error = gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME).request_otp().await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)));
    assert_eq!((error.code(), error.origin(), error.retryable()), (Some("GSP602"), Origin::Gsp, false));
    assert_eq!(error.remedy(), Some("Ask the operator for a token."));
    assert_eq!(error.request_id(), Some("01900000-request"));
    assert_eq!(error.to_string(), "GSP602: The token is not known.");
}

#[tokio::test]
async fn a_reply_that_was_changed_on_the_way_is_not_believed() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let taxpayer = standin.taxpayer(&gsp).await;
    let gstr1 = taxpayer.gstr1("042026".parse().unwrap());
    let all =
        [Tampering::WrongHmac, Tampering::NoHmac, Tampering::RekOfAnotherSession, Tampering::DataCutShort];
    for tampering in all {
        standin.state().tampering = Some(tampering);
        let error = gstr1.summary(SummaryKind::Short).await.unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{tampering:?}: {error:?}");
        assert_eq!(error.request_id(), Some("01900000-request"));
    }
    standin.state().tampering = None;
    gstr1.summary(SummaryKind::Short).await.unwrap();
}

#[tokio::test]
async fn a_session_that_gstn_ended_asks_for_an_otp_by_its_type() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let taxpayer = standin.taxpayer(&gsp).await;
    standin.end_sessions();
    let gstr1 = taxpayer.gstr1("042026".parse().unwrap());
    let error = gstr1.section("B2B", &[]).await.unwrap_err();
    assert!(matches!(error, Error::OtpRequired { .. }));
    assert!(error.remedy().is_some());
    assert!(matches!(gstr1.reset().await, Err(Error::OtpRequired { .. })));
    assert!(matches!(
        gstr1.request_evc_otp(&crate::standin::PAN.parse().unwrap()).await,
        Err(Error::OtpRequired { .. })
    ));
}

#[tokio::test]
async fn nothing_that_can_be_printed_holds_a_secret() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let taxpayer = gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME);
    let login = taxpayer.request_otp().await.unwrap();
    let session = login.verify(OTP).await.unwrap();
    let gstr1 = taxpayer.gstr1("042026".parse().unwrap());
    gstr1.summary(SummaryKind::Short).await.unwrap();
    let auth_token = standin.last_call().header("auth-token").to_owned();
    standin.end_sessions();
    let error = gstr1.summary(SummaryKind::Short).await.unwrap_err();

    let shown = format!("{gsp:?} {taxpayer:?} {login:?} {session:#?} {gstr1:?} {error:?} {error}");
    for secret in [TOKEN, OTP, auth_token.as_str()] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let sek: String = vec!["41"; 32].join("");
    assert!(!shown.contains(&sek) && !shown.contains("65, 65, 65"), "the SEK in {shown}");
    let call = standin.last_call();
    assert!(call.query.values().all(|value| *value != auth_token), "a secret is a header, never a query");
}
