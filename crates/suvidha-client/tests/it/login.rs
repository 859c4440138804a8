//! A taxpayer's way in, on, and out.

use std::sync::Arc;

use jiff::SignedDuration;
use suvidha_client::{Error, Gsp, Origin, StoredSession, SummaryKind};
use suvidha_seam::{ManualClock, Seam};

use crate::standin::{GSTIN, OTP, StandIn, USERNAME};

#[tokio::test]
async fn a_taxpayer_logs_in_with_an_otp_and_out_again() {
    let standin = StandIn::start().await;
    let clock = Arc::new(ManualClock::at("2026-05-01T10:00:00Z".parse().unwrap()));
    let gsp = standin.gsp_builder().seam(Seam { clock, ..Seam::system() }).build().unwrap();
    let session = standin.session(&gsp).await;
    assert_eq!((session.gstin().as_str(), session.username()), (GSTIN, USERNAME));
    assert_eq!(session.expires_at().to_string(), "2026-05-01T16:00:00Z", "expiry is in minutes");

    gsp.logout(&session).await.unwrap();
    let error = gsp.logout(&session).await.unwrap_err();
    assert!(matches!(error, Error::OtpRequired(_)), "{error:?}");
}

#[tokio::test]
async fn after_a_wrong_otp_the_right_one_still_works() {
    let standin = StandIn::start().await;
    let login = standin.gsp().taxpayer(GSTIN.parse().unwrap(), USERNAME).request_otp().await.unwrap();
    let error = login.verify("000000").await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)));
    assert_eq!((error.code(), error.origin()), (Some("AUTH4034"), Origin::Gstn));
    login.verify("575757\n").await.unwrap();
}

#[tokio::test]
async fn what_is_no_otp_is_not_sent() {
    let standin = StandIn::start().await;
    let login = standin.gsp().taxpayer(GSTIN.parse().unwrap(), USERNAME).request_otp().await.unwrap();
    let calls = standin.state().calls.len();
    for otp in ["", "  ", "57 57 57", "1234567890123"] {
        assert!(matches!(login.verify(otp).await, Err(Error::Invalid(_))));
    }
    assert_eq!(standin.state().calls.len(), calls);
}

#[tokio::test]
async fn a_refreshed_session_goes_on_and_the_old_one_is_over() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let old = standin.session(&gsp).await;
    let new = gsp.refresh(&old).await.unwrap();
    let period = "042026".parse().unwrap();
    gsp.gstr1(&new, period).summary(SummaryKind::Short).await.unwrap();
    assert!(matches!(gsp.gstr1(&old, period).summary(SummaryKind::Short).await, Err(Error::OtpRequired(_))));
    assert!(matches!(gsp.refresh(&old).await, Err(Error::OtpRequired(_))));
    gsp.refresh(&new).await.unwrap();
}

#[tokio::test]
async fn a_client_with_last_years_certificate_recovers() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let session = standin.session(&gsp).await;
    assert_eq!(standin.state().certificates_served, 1, "one certificate serves many calls");

    standin.change_certificate();
    gsp.logout(&session).await.unwrap();
    let session = standin.session(&gsp).await;
    assert_eq!(standin.state().certificates_served, 2);

    standin.change_certificate();
    let login = gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME).request_otp().await.unwrap();
    standin.change_certificate();
    login.verify(OTP).await.unwrap();
    assert_eq!(session.username(), USERNAME);
}

#[tokio::test]
async fn a_certificate_given_by_hand_is_not_replaced_behind_its_owners_back() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp_builder().gstn_certificate(standin.certificate()).build().unwrap();
    standin.session(&gsp).await;
    standin.change_certificate();
    let error = gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME).request_otp().await.unwrap_err();
    assert_eq!(error.code(), Some("TEC4002"));
    assert_eq!(standin.state().certificates_served, 0);
}

#[tokio::test]
async fn a_session_outlives_the_program_in_its_file() {
    let standin = StandIn::start().await;
    let session = standin.session(&standin.gsp()).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session.json");
    let stored = StoredSession {
        gateway: format!("http://{}", standin.address),
        token: crate::standin::TOKEN.into(),
        ca_pem: None,
        ip_usr: "203.0.113.7".to_owned(),
        session,
    };
    stored.write(&path).unwrap();

    let StoredSession { gateway, token, ip_usr, session, .. } = StoredSession::read(&path).unwrap();
    let gsp = Gsp::builder(gateway).token(token).ip_usr(ip_usr).build().unwrap();
    gsp.gstr1(&session, "042026".parse().unwrap()).summary(SummaryKind::Short).await.unwrap();
    assert_eq!(standin.last_call().header("ip-usr"), "203.0.113.7");
    assert!(!session.ends_within(SignedDuration::from_hours(1), Seam::system().now()));
}
