//! Where sessions are kept: over a restart, between processes, and when the store fails.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use suvidha_client::{
    Credentials, Error, FileStore, Gsp, GspSession, Lease, MemoryStore, SessionKey, SessionStore,
    StoreFuture, StoredSession, SummaryKind, Taxpayer,
};
use suvidha_seam::{ManualClock, Seam};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::standin::{GSTIN, OTP, StandIn, USERNAME};

/// A store that can be made to fail, or to panic, in one of its methods.
#[derive(Clone, Default)]
struct Shaky {
    store: Arc<MemoryStore>,
    fails: Arc<Mutex<Option<&'static str>>>,
    panics: Arc<AtomicBool>,
}

impl Shaky {
    fn fail(&self, at: Option<&'static str>) {
        *self.fails.lock().unwrap() = at;
    }

    fn check(&self, method: &str) -> Result<(), String> {
        if *self.fails.lock().unwrap() != Some(method) {
            return Ok(());
        }
        assert!(!self.panics.load(Ordering::SeqCst), "the store panics, as this test wants it");
        Err(format!("{method}: the database is down"))
    }
}

impl SessionStore for Shaky {
    fn load<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, Option<StoredSession>> {
        Box::pin(async {
            self.check("load")?;
            self.store.load(key).await
        })
    }

    fn save<'a>(&'a self, key: &'a SessionKey, session: &'a StoredSession) -> StoreFuture<'a, ()> {
        Box::pin(async {
            self.check("save")?;
            self.store.save(key, session).await
        })
    }

    fn remove<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, ()> {
        Box::pin(async {
            self.check("remove")?;
            self.store.remove(key).await
        })
    }

    fn lease<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, Lease> {
        Box::pin(async {
            self.check("lease")?;
            self.store.lease(key).await
        })
    }
}

async fn search(gsp: &Gsp) -> Result<(), Error> {
    gsp.search(&GSTIN.parse().unwrap()).await.map(drop)
}

async fn summary(taxpayer: &Taxpayer) -> Result<(), Error> {
    taxpayer.gstr1("042026".parse().unwrap()).summary(SummaryKind::Short).await.map(drop)
}

fn store_failed(outcome: Result<(), Error>) -> String {
    match outcome {
        Err(error @ Error::Store { .. }) => {
            assert!(error.remedy().is_some() && std::error::Error::source(&error).is_some());
            error.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_restart_goes_on_with_the_files_without_getkey_and_without_an_otp() {
    let standin = StandIn::start().await;
    let directory = tempfile::tempdir().unwrap();
    let program = || {
        let store = FileStore::new(directory.path().join("sessions")).unwrap();
        standin.getkey_builder().session_store(store).build().unwrap()
    };
    standin.taxpayer(&program()).await;
    standin.state().calls.clear();
    for _ in 0..2 {
        let gsp = program();
        summary(&gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME)).await.unwrap();
    }
    assert_eq!(standin.actions(), ["RETSUM", "RETSUM"]);

    let gsp = program();
    gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME).logout().await.unwrap();
    let taxpayer = program().taxpayer(GSTIN.parse().unwrap(), USERNAME);
    assert!(matches!(summary(&taxpayer).await, Err(Error::OtpRequired { .. })), "logged out for good");
}

#[tokio::test]
async fn programs_that_share_the_files_renew_each_session_once() {
    let standin = StandIn::start().await;
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at("2026-05-01T10:00:00Z".parse().unwrap()));
    let program = || {
        let store = FileStore::new(directory.path().join("sessions")).unwrap();
        let seam = Seam { clock: clock.clone(), ..Seam::system() };
        standin.getkey_builder().session_store(store).seam(seam).build().unwrap()
    };
    let programs: Vec<Gsp> = (0..4).map(|_| program()).collect();
    standin.taxpayer(&programs[0]).await;
    for gsp in &programs {
        summary(&gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME)).await.unwrap();
    }
    standin.state().calls.clear();
    clock.advance(355 * 60_000);
    let mut calls = JoinSet::new();
    for gsp in programs.iter().cycle().take(40) {
        let taxpayer = gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME);
        calls.spawn(async move { summary(&taxpayer).await });
    }
    assert!(calls.join_all().await.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!((standin.count("GETKEY"), standin.count("REFRESHTOKEN")), (1, 1));
}

/// Tells this program, started once more, that it is another process of a story: the gateway's address and the directory.
const ANOTHER_PROCESS: &str = "SUVIDHA_CLIENT_TEST_PROCESS";

/// Starts the test of that name as a process of its own.
fn another_process(test: &str, gateway: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(ANOTHER_PROCESS, format!("{gateway} {}", directory.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the other process was told, if this is one.
fn told() -> Option<(String, FileStore)> {
    let told = std::env::var(ANOTHER_PROCESS).ok()?;
    let (gateway, directory) = told.split_once(' ').unwrap();
    Some((gateway.to_owned(), FileStore::new(directory).unwrap()))
}

#[tokio::test]
async fn processes_that_share_the_files_renew_a_session_once() {
    let gsp_at = |gateway: &str, store: FileStore, time: &str| {
        let seam = Seam { clock: Arc::new(ManualClock::at(time.parse().unwrap())), ..Seam::system() };
        let builder = Gsp::builder(gateway).credentials(Credentials::token(crate::standin::TOKEN));
        builder.session_store(store).seam(seam).build().unwrap()
    };
    if let Some((gateway, store)) = told() {
        let taxpayer =
            gsp_at(&gateway, store, "2026-05-01T15:55:00Z").taxpayer(GSTIN.parse().unwrap(), USERNAME);
        let mut calls = JoinSet::new();
        for _ in 0..10 {
            let taxpayer = taxpayer.clone();
            calls.spawn(async move { summary(&taxpayer).await });
        }
        calls.join_all().await.into_iter().for_each(Result::unwrap);
        return;
    }
    let standin = StandIn::start().await;
    let (gateway, directory) = (format!("http://{}", standin.address), tempfile::tempdir().unwrap());
    let directory = directory.path().join("sessions");
    let store = FileStore::new(&directory).unwrap();
    standin.taxpayer(&gsp_at(&gateway, store, "2026-05-01T10:00:00Z")).await;
    let name = "stores::processes_that_share_the_files_renew_a_session_once";
    let processes = [(); 4].map(|()| another_process(name, &gateway, &directory));
    for process in processes {
        let output = tokio::task::spawn_blocking(|| process.wait_with_output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!((standin.count("REFRESHTOKEN"), standin.count("RETSUM")), (1, 40));
}

#[tokio::test]
async fn a_process_that_is_killed_lets_go_of_what_it_was_renewing() {
    if let Some((gateway, store)) = told() {
        let _refresh = Gsp::builder(gateway)
            .credentials(Credentials::token(crate::standin::TOKEN))
            .session_store(store)
            .build()
            .unwrap()
            .taxpayer(GSTIN.parse().unwrap(), USERNAME)
            .refresh()
            .await;
        panic!("the gateway never answers");
    }
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = format!("http://{}", silent.local_addr().unwrap());
    let standin = StandIn::start().await;
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("sessions");
    let gsp_at = |gateway: &str| {
        let builder = Gsp::builder(gateway).credentials(Credentials::token(crate::standin::TOKEN));
        builder.session_store(FileStore::new(&directory).unwrap()).build().unwrap()
    };
    let session = standin.taxpayer(&standin.gsp()).await.session().await.unwrap().unwrap();
    let here = gsp_at(&gateway).taxpayer(GSTIN.parse().unwrap(), USERNAME);
    here.resume(session).await.unwrap();
    let name = "stores::a_process_that_is_killed_lets_go_of_what_it_was_renewing";
    let mut process = another_process(name, &gateway, &directory);
    let called = async || timeout(Duration::from_secs(30), silent.accept()).await.unwrap().unwrap().0;
    let _connection = called().await;
    let waiting = tokio::spawn(async move { here.refresh().await });
    process.kill().unwrap();
    process.wait().unwrap();
    drop(called().await);
    assert!(matches!(waiting.await.unwrap(), Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn environments_and_asps_do_not_take_each_others_sessions() {
    let standin = StandIn::start().await;
    let store = Arc::new(MemoryStore::new());
    let gsp = standin.getkey_builder().session_store(store.clone()).build().unwrap();
    standin.taxpayer(&gsp).await;
    standin.state().api_prefix = "/other";
    let other = Gsp::builder(format!("http://{}/other", standin.address))
        .credentials(Credentials::token(crate::standin::TOKEN))
        .session_store(store)
        .build()
        .unwrap();
    let taxpayer = other.taxpayer(GSTIN.parse().unwrap(), USERNAME);
    assert!(matches!(summary(&taxpayer).await, Err(Error::OtpRequired { .. })));
}

#[tokio::test]
async fn a_store_that_fails_is_reported_and_nothing_is_sent() {
    let standin = StandIn::start().await;
    let store = Shaky::default();
    let gsp = standin.getkey_builder().session_store(store.clone()).build().unwrap();
    for method in ["load", "lease"] {
        store.fail(Some(method));
        let said = store_failed(search(&gsp).await);
        assert!(said.contains(&format!("{method}: the database is down")), "{said}");
        assert!(said.contains("7857622155"), "{said}");
        assert!(standin.actions().is_empty());
    }
}

#[tokio::test]
async fn a_session_that_could_not_be_saved_is_not_used_and_not_lost() {
    let standin = StandIn::start().await;
    let store = Shaky::default();
    let gsp = standin.getkey_builder().session_store(store.clone()).build().unwrap();
    store.fail(Some("save"));
    for _ in 0..3 {
        store_failed(search(&gsp).await);
    }
    assert_eq!(standin.actions(), ["GETKEY"], "asked for once, and no call made with it");
    store.fail(None);
    search(&gsp).await.unwrap();
    assert_eq!(standin.actions(), ["GETKEY", "TP"]);
    let key = gsp.session().await.unwrap().unwrap();
    let restarted = standin.getkey_builder().session_store(store).build().unwrap();
    assert_eq!(restarted.session().await.unwrap().unwrap().session_id(), key.session_id());
}

#[tokio::test]
async fn an_otp_is_not_wasted_on_a_store_that_fails() {
    let standin = StandIn::start().await;
    let store = Shaky::default();
    let gsp = standin.gsp_builder().session_store(store.clone()).build().unwrap();
    let taxpayer = gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME);
    let login = taxpayer.request_otp().await.unwrap();
    for method in ["save", "lease"] {
        store.fail(Some(method));
        store_failed(login.verify(OTP).await.map(drop));
        store_failed(summary(&taxpayer).await);
        store.fail(None);
        summary(&taxpayer).await.unwrap();
    }

    store.fail(Some("save"));
    store_failed(taxpayer.refresh().await.map(drop));
    store.fail(None);
    summary(&taxpayer).await.unwrap();
    store.fail(Some("remove"));
    store_failed(taxpayer.logout().await);
}

#[tokio::test]
async fn a_token_that_could_not_be_saved_outlives_the_handle_that_got_it() {
    let standin = StandIn::start().await;
    let store = Shaky::default();
    let gsp = standin.gsp_builder().session_store(store.clone()).build().unwrap();
    // As a web application holds it: for one request.
    let taxpayer = || gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME);
    drop(standin.taxpayer(&gsp).await);
    store.fail(Some("save"));
    for _ in 0..2 {
        store_failed(taxpayer().refresh().await.map(drop));
        store_failed(summary(&taxpayer()).await);
    }
    store.fail(None);
    summary(&taxpayer()).await.unwrap();
    let refreshes = standin.count("REFRESHTOKEN");

    store.fail(Some("save"));
    store_failed(taxpayer().refresh().await.map(drop));
    store.fail(None);
    standin.taxpayer(&gsp).await;
    summary(&taxpayer()).await.unwrap();
    assert_eq!(standin.count("REFRESHTOKEN"), refreshes + 1, "the new login counts, not what was left");
}

#[tokio::test]
async fn a_store_that_panics_fails_like_any_other() {
    let standin = StandIn::start().await;
    let store = Shaky::default();
    let gsp = standin.getkey_builder().session_store(store.clone()).build().unwrap();
    store.panics.store(true, Ordering::SeqCst);
    store.fail(Some("load"));
    assert!(store_failed(search(&gsp).await).contains("panicked"));
    store.fail(None);
    search(&gsp).await.unwrap();
}

/// Keeps what TaxProGST's `RefreshSessionCompleted` hands out: id, key and end, in columns of their own.
#[derive(Default)]
struct Columns(Mutex<Option<(String, String, String)>>);

impl SessionStore for Columns {
    fn load<'a>(&'a self, _: &'a SessionKey) -> StoreFuture<'a, Option<StoredSession>> {
        Box::pin(async {
            let row = self.0.lock().unwrap().clone();
            let Some((id, key, end)) = row else { return Ok(None) };
            Ok(Some(StoredSession::Gsp(GspSession::new(id, &key, end.parse()?)?)))
        })
    }

    fn save<'a>(&'a self, _: &'a SessionKey, session: &'a StoredSession) -> StoreFuture<'a, ()> {
        let StoredSession::Gsp(session) = session else { panic!("a taxpayer's") };
        let id = session.session_id().to_owned();
        let row = (id, session.key_base64().expose().to_owned(), session.expires_at().to_string());
        *self.0.lock().unwrap() = Some(row);
        Box::pin(async { Ok(()) })
    }

    fn remove<'a>(&'a self, _: &'a SessionKey) -> StoreFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn an_application_keeps_id_key_and_end_in_its_own_columns() {
    let standin = StandIn::start().await;
    let store = Arc::new(Columns::default());
    for _ in 0..2 {
        search(&standin.getkey_builder().session_store(store.clone()).build().unwrap()).await.unwrap();
    }
    assert_eq!(standin.actions(), ["GETKEY", "TP", "TP"]);
}

#[tokio::test]
async fn a_session_of_the_wrong_kind_is_the_stores_fault() {
    let standin = StandIn::start().await;
    let store = Arc::new(Columns::default());
    let gsp = standin.getkey_builder().session_store(store).build().unwrap();
    search(&gsp).await.unwrap();
    let taxpayer = gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME);
    assert!(store_failed(summary(&taxpayer).await).contains("another kind"));
}

/// Gives for every taxpayer the row of one of them, and removes nothing: a table whose keys do not tell capitals apart, and
/// a replica that lags behind.
#[derive(Default)]
struct OneRow(Mutex<Option<StoredSession>>);

impl SessionStore for OneRow {
    fn load<'a>(&'a self, _: &'a SessionKey) -> StoreFuture<'a, Option<StoredSession>> {
        Box::pin(async { Ok(self.0.lock().unwrap().clone()) })
    }

    fn save<'a>(&'a self, _: &'a SessionKey, session: &'a StoredSession) -> StoreFuture<'a, ()> {
        self.0.lock().unwrap().get_or_insert_with(|| session.clone());
        Box::pin(async { Ok(()) })
    }

    fn remove<'a>(&'a self, _: &'a SessionKey) -> StoreFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_session_of_another_taxpayer_is_not_taken_from_the_store() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp_builder().session_store(OneRow::default()).build().unwrap();
    standin.taxpayer(&gsp).await;
    standin.state().calls.clear();
    let other = gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME.to_ascii_lowercase());
    assert!(store_failed(summary(&other).await).contains("somebody else"));
    assert!(standin.actions().is_empty());
}

#[tokio::test]
async fn a_store_that_does_not_remove_is_told_and_not_asked_for_ever() {
    let standin = StandIn::start().await;
    let gsp = standin.gsp_builder().session_store(OneRow::default()).build().unwrap();
    let taxpayer = standin.taxpayer(&gsp).await;
    assert!(store_failed(taxpayer.logout().await).contains("still there"));
    assert_eq!(standin.count("LOGOUT"), 1);
}

#[tokio::test]
async fn a_store_that_gives_the_session_before_does_not_displace_the_new_one() {
    let standin = StandIn::start().await;
    let clock = Arc::new(ManualClock::at("2026-05-01T10:00:00Z".parse().unwrap()));
    let builder = standin.gsp_builder().seam(Seam { clock: clock.clone(), ..Seam::system() });
    let taxpayer = standin.taxpayer(&builder.session_store(OneRow::default()).build().unwrap()).await;
    clock.advance(355 * 60_000);
    summary(&taxpayer).await.unwrap();
    clock.advance(4 * 60_000);
    taxpayer.refresh().await.unwrap();
    summary(&taxpayer).await.unwrap();
    assert_eq!(standin.count("REFRESHTOKEN"), 2);
}
