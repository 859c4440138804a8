//! What a program may do with the types of the client, whatever is inside them.

use suvidha_client::{
    ApiCall, Balance, Call, Credentials, Document, Download, Error, Event, FileStore, FiledReturns, Gsp,
    GspBuilder, GspSession, Gstr1, LargeFiles, LedgerBalance, MemoryStore, Patience, PendingLogin,
    QueuedFiles, Refusal, RegisteredCertificate, Registration, ReturnStatus, Session, SessionKey,
    SessionStore, SigningKey, StoredSession, Summary, SummaryKind, Taxpayer,
};

use crate::standin::{GSTIN, PAN, USERNAME};

fn shared<T: Send + Sync + 'static>() {}

fn spawned(_: impl Future + Send) {}

#[test]
fn everything_may_be_shared_by_threads() {
    shared::<(Gsp, GspBuilder, Taxpayer, Gstr1, PendingLogin, ApiCall, Patience)>();
    shared::<(Credentials, SigningKey, Session, GspSession, StoredSession, SessionKey)>();
    shared::<(MemoryStore, FileStore, Box<dyn SessionStore>, Error, Refusal, Event, Call)>();
    shared::<(Summary, ReturnStatus, LedgerBalance, FiledReturns, Registration, RegisteredCertificate)>();
    shared::<(Balance, QueuedFiles, LargeFiles, Download, Document)>();
}

#[test]
fn every_call_may_be_spawned() {
    let gsp = Gsp::builder("http://127.0.0.1:1").credentials(Credentials::token("t")).build().unwrap();
    let gstin = GSTIN.parse().unwrap();
    let taxpayer = gsp.taxpayer(gstin, USERNAME);
    let (period, pan) = ("042026".parse().unwrap(), PAN.parse().unwrap());
    let day = "2026-04-01".parse().unwrap();
    spawned(gsp.session());
    spawned(gsp.search(&gstin));
    spawned(gsp.replace_certificate(""));
    spawned(gsp.balance());
    spawned(gsp.call_public(ApiCall::get("commonapi/v1.1/search", "TP")));
    spawned(taxpayer.request_otp());
    spawned(async { taxpayer.resume_login("")?.verify("").await });
    spawned(taxpayer.refresh());
    spawned(taxpayer.logout());
    spawned(taxpayer.request_evc_otp(&pan, "R1"));
    spawned(taxpayer.cash_ledger(day, day));
    spawned(taxpayer.call(ApiCall::get("p", "A")));
    spawned(taxpayer.wait_for(period, "", Patience::default(), |_| ()));
    let queued = QueuedFiles::new("t", suvidha_client::FilesOf::Ims);
    spawned(taxpayer.wait_for_files(&queued, Patience::default()));
    let gstr1 = taxpayer.gstr1(period);
    spawned(gstr1.save(""));
    spawned(gstr1.section("B2B", &[]));
    spawned(gstr1.summary(SummaryKind::Short));
}

#[test]
fn an_error_is_one_for_every_framework_of_errors() {
    let error: Box<dyn std::error::Error + Send + Sync> = Error::unavailable("down", false).into();
    assert!(error.downcast_ref::<Error>().is_some_and(Error::retryable));
}
