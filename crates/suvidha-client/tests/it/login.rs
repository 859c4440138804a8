//! A taxpayer's way in, on, and out.

use std::sync::Arc;

use suvidha_client::{Error, Origin, SummaryKind};
use suvidha_seam::{ManualClock, Seam};

use crate::standin::{GSTIN, OTP, PAN, StandIn, USERNAME};

#[tokio::test]
async fn a_taxpayer_logs_in_with_an_otp_and_out_again() {
    let standin = StandIn::start().await;
    let clock = Arc::new(ManualClock::at("2026-05-01T10:00:00Z".parse().unwrap()));
    let gsp = standin.gsp_builder().seam(Seam { clock, ..Seam::system() }).build().unwrap();
    let taxpayer = standin.taxpayer(&gsp).await;
    let session = taxpayer.session().await.unwrap().unwrap();
    assert_eq!((session.gstin().as_str(), session.username()), (GSTIN, USERNAME));
    assert_eq!(session.expires_at().to_string(), "2026-05-01T16:00:00Z", "expiry is in minutes");

    taxpayer.logout().await.unwrap();
    assert!(taxpayer.session().await.unwrap().is_none());
    let calls = standin.state().calls.len();
    taxpayer.logout().await.unwrap();
    let error = taxpayer.gstr1("042026".parse().unwrap()).reset().await.unwrap_err();
    assert!(matches!(error, Error::OtpRequired { .. }), "{error:?}");
    assert_eq!(standin.state().calls.len(), calls, "there is nothing to ask GSTN for");
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
async fn an_otp_that_comes_to_another_process_than_asked_for_it_logs_in() {
    let standin = StandIn::start().await;
    let asked = standin.gsp().taxpayer(GSTIN.parse().unwrap(), USERNAME).request_otp().await.unwrap();
    let app_key = asked.app_key_base64();
    let here = standin.gsp().taxpayer(GSTIN.parse().unwrap(), USERNAME);
    here.resume_login(app_key.expose()).unwrap().verify(OTP).await.unwrap();
    here.gstr1("042026".parse().unwrap()).summary(SummaryKind::Short).await.unwrap();
    for bad in ["", "c2hvcnQ=", "hidden"] {
        let error = here.resume_login(bad).unwrap_err();
        assert!(matches!(error, Error::Invalid(_)) && !error.to_string().contains("hidden"));
    }
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
    let taxpayer = standin.taxpayer(&gsp).await;
    let old = taxpayer.session().await.unwrap().unwrap();
    taxpayer.refresh().await.unwrap();
    let gstr1 = taxpayer.gstr1("042026".parse().unwrap());
    gstr1.summary(SummaryKind::Short).await.unwrap();

    taxpayer.resume(old).await.unwrap();
    assert!(matches!(gstr1.summary(SummaryKind::Short).await, Err(Error::OtpRequired { .. })));
    assert!(matches!(taxpayer.refresh().await, Err(Error::OtpRequired { .. })));
}

#[tokio::test]
async fn a_client_with_last_years_certificate_recovers() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let taxpayer = standin.taxpayer(&gsp).await;
    assert_eq!(standin.state().certificates_served, 1, "one certificate serves many calls");

    standin.change_certificate();
    taxpayer.logout().await.unwrap();
    standin.taxpayer(&gsp).await;
    assert_eq!(standin.state().certificates_served, 2);

    standin.change_certificate();
    let login = gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME).request_otp().await.unwrap();
    standin.change_certificate();
    login.verify(OTP).await.unwrap();
}

#[tokio::test]
async fn a_certificate_given_by_hand_is_not_replaced_behind_its_owners_back() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp_builder().gstn_certificate(standin.certificate()).build().unwrap();
    standin.taxpayer(&gsp).await;
    standin.change_certificate();
    let error = gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME).request_otp().await.unwrap_err();
    assert_eq!(error.code(), Some("TEC4002"));
    assert_eq!(standin.state().certificates_served, 0);
}

#[tokio::test]
async fn everything_runs_in_tasks_of_its_own() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp();
    let whole_life = async move {
        gsp.search(&GSTIN.parse().unwrap()).await?;
        let taxpayer = gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME);
        taxpayer.request_otp().await?.verify(OTP).await?;
        taxpayer.gstr1("042026".parse().unwrap()).reset().await?;
        taxpayer.request_evc_otp(&PAN.parse().unwrap(), "R1").await?;
        taxpayer.refresh().await?;
        taxpayer.logout().await
    };
    tokio::spawn(whole_life).await.unwrap().unwrap();
}
