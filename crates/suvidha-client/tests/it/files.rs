//! Results too large for one answer: waited for, fetched through the gateway, checked and opened.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use suvidha_client::{
    Credentials, Download, DownloadFault, DownloadProgress, Error, Event, FilesOf, Gsp, LargeFiles, Patience,
    QueuedFiles, Taxpayer,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::standin::getkey::refused;
use crate::standin::{GSTIN, Scripted, StandIn, TOKEN, USERNAME};

const FIRST: &str = r#"{"b2b": [1]}"#;
const SECOND: &str = r#"{"b2b": [2]}"#;

fn quick() -> Patience {
    let pause = Duration::from_millis(10);
    Patience { first_pause: pause, longest_pause: pause, total: Duration::from_secs(20) }
}

fn queued() -> QueuedFiles {
    QueuedFiles::new("tok", FilesOf::Return("042026".parse().unwrap()))
}

async fn files(taxpayer: &Taxpayer) -> LargeFiles {
    taxpayer.wait_for_files(&queued(), quick()).await.unwrap()
}

/// What went wrong with a file, and with which.
fn fault(error: &Error) -> (usize, DownloadFault) {
    match error {
        Error::Download { file, fault, .. } => (*file, *fault),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_result_too_large_for_one_answer_is_waited_for_and_downloaded() {
    let standin = StandIn::start().await;
    let told = Arc::new(Mutex::new(String::new()));
    let log = told.clone();
    let logged = move |event: &Event| log.lock().unwrap().push_str(&format!("{event:?}\n"));
    let gsp = standin.gsp_builder().on_event(logged).build().unwrap();
    let taxpayer = standin.taxpayer(&gsp).await;
    standin.script("B2B", [Scripted::sealed(&json!({"est": "0", "token": "tok"}))]);
    let gstr1 = taxpayer.gstr1("042026".parse().unwrap());
    let Err(Error::Queued(queued)) = gstr1.section("B2B", &[]).await else { panic!("not queued") };
    assert_eq!((queued.token(), queued.of()), ("tok", FilesOf::Return("042026".parse().unwrap())));

    let paths = standin.lay_out(&[FIRST, SECOND]);
    let ready = standin.state().scripted_again("FILEDET");
    let once_more = Scripted::sealed(&json!({"est": "0", "token": "tok"}));
    standin.script("FILEDET", [Scripted::No("RTN_24"), Scripted::No("RTN_32"), once_more, ready]);
    let mut pauses = 0;
    let files = taxpayer.wait_for_files_with(&queued, quick(), |_| pauses += 1).await.unwrap();
    assert_eq!((pauses, files.len(), files.records()), (3, 2, 4));
    let asked = standin.last_call();
    assert_eq!((&*asked.query["token"], &*asked.query["ret_period"]), ("tok", "042026"));

    let progress = Arc::new(Mutex::new(Vec::new()));
    let seen = progress.clone();
    let mut download = taxpayer.download(&files).on_progress(move |at| seen.lock().unwrap().push(at));
    let first = download.next().await.unwrap().unwrap();
    assert_eq!(
        (first.file(), first.json(), first.value().unwrap()),
        (1, FIRST.as_bytes(), json!({"b2b": [1]}))
    );
    assert_eq!(standin.calls_of(&paths[1]).len(), 0, "one file at a time");
    assert_eq!(download.next().await.unwrap().unwrap().json(), SECOND.as_bytes());
    assert_eq!(download.next().await.unwrap(), None);

    let last: DownloadProgress = *progress.lock().unwrap().last().unwrap();
    assert_eq!((last.file, last.files, last.total), (2, 2, Some(last.bytes)));
    let fetched = standin.last_call();
    assert_eq!((&*fetched.query["md5"], fetched.header("x-ct-auth-token")), ("a-b_c", TOKEN));
    assert_eq!(fetched.header("auth-token"), "", "the session does not go to the host of files");
    assert!(!told.lock().unwrap().contains("secret-token") && !format!("{files:?}").contains("secret-token"));
}

#[tokio::test]
async fn the_first_question_waits_for_gstns_estimate_and_can_be_given_up() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    standin.script("GETINV", [Scripted::sealed(&json!({"est": 30, "token": "tok"}))]);
    let Err(Error::Queued(queued)) = taxpayer.call_raw("returns/ims", "GETINV", Value::Null).await else {
        panic!("not queued")
    };
    assert_eq!((queued.of(), queued.estimate()), (FilesOf::Ims, Duration::from_secs(1800)));
    assert!(queued.to_string().ends_with("in about 30 minutes"), "{queued}");
    let mut pauses = Vec::new();
    let waiting = taxpayer.wait_for_files_with(&queued, quick(), |pause| pauses.push(pause));
    assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
    assert_eq!(pauses, [Duration::from_secs(1800)]);
    assert_eq!(standin.calls_of("FILEDET").len(), 0);
}

#[tokio::test]
async fn files_that_are_not_ready_in_time_or_never_will_be_are_told_apart() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    standin.script("FILEDET", [Scripted::No("RTN_24")]);
    let patience = Patience { total: Duration::from_millis(30), ..quick() };
    let error = taxpayer.wait_for_files(&queued(), patience).await.unwrap_err();
    assert!(
        matches!(&error, Error::StillProcessing { reference_id, .. } if reference_id == "tok"),
        "{error:?}"
    );
    standin.script("FILEDET", [Scripted::No("RTN_25")]);
    let error = taxpayer.wait_for_files(&queued(), quick()).await.unwrap_err();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.code == "RTN_25"), "{error:?}");
}

#[tokio::test]
async fn a_list_of_files_that_lacks_something_or_leads_elsewhere_is_refused() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let (hash, ek) = ("0".repeat(64), "A".repeat(43) + "=");
    let list = |ul: &str| json!({"urls": [{"ul": ul, "hash": hash}], "ek": ek, "fc": 1});
    let with = |key: &str, value: Value| {
        let mut list = list("/returns/a");
        list[key] = value;
        list
    };
    let bad = [
        (with("ek", Value::Null), "no key"),
        (with("ek", json!("AAAA")), "not 32 bytes"),
        (with("fc", json!(2)), "1 of 2 files"),
        (with("urls", json!([])), "0 of 1 files"),
        (with("urls", json!([{"ul": "/returns/a", "hash": ""}])), "the hash"),
        (json!({"urls": 1}), "form"),
        (list("https://evil.example/returns/a"), "address"),
        (list("//evil.example/returns/a"), "address"),
        (list("/returns/../taxpayerapi/v1.0/returns"), "address"),
        (list("/taxpayerapi/v1.0/returns"), "address"),
        (list("/returns/a b"), "address"),
        (list("/returns/a\\..\\b"), "address"),
        (list(""), "address"),
    ];
    for (answer, why) in bad {
        standin.script("FILEDET", [Scripted::sealed(&answer)]);
        let error = taxpayer.wait_for_files(&queued(), quick()).await.unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{answer}: {error:?}");
        assert!(error.to_string().contains(why) && !error.to_string().contains("evil"), "{answer}: {error}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_and_nothing_of_it_is_given_out() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let paths = standin.lay_out(&[FIRST, SECOND]);
    let files = files(&taxpayer).await;
    let good = standin.state().scripted_again(&paths[1]);
    let mut download = taxpayer.download(&files);
    download.next().await.unwrap();

    for status in [403, 404, 410] {
        standin.script(&paths[1], [Scripted::Plain(status, b"<html>gone</html>".to_vec())]);
        let error = download.next().await.unwrap_err();
        assert_eq!((fault(&error), error.retryable()), ((2, DownloadFault::Expired), false));
        assert!(error.remedy().unwrap().contains("wait_for_files") && error.request_id().is_some());
    }
    let Scripted::Plain(_, mut damaged) = good.clone() else { panic!("no file") };
    *damaged.last_mut().unwrap() ^= 1;
    standin.script(&paths[1], [Scripted::Plain(200, damaged)]);
    let error = download.next().await.unwrap_err();
    assert_eq!((fault(&error), error.retryable()), ((2, DownloadFault::Hash), true));

    standin.script(&paths[1], [Scripted::No("AUTH4033")]);
    assert!(matches!(download.next().await.unwrap_err(), Error::Refused(_)), "the gateway's no stays one");
    standin.script(&paths[1], [Scripted::Throttled(7)]);
    assert!(matches!(download.next().await.unwrap_err(), Error::Throttled { .. }));
    standin.script(&paths[1], [Scripted::Plain(200, b"{\"status_cd\":\"1\"}".to_vec())]);
    assert!(matches!(download.next().await.unwrap_err(), Error::Protocol { .. }));

    standin.script(&paths[1], [good]);
    assert_eq!(
        download.next().await.unwrap().unwrap().json(),
        SECOND.as_bytes(),
        "it goes on where it failed"
    );
}

#[tokio::test]
async fn progress_is_of_the_file_and_not_of_a_session_that_died_before_it() {
    let standin = StandIn::start().await;
    let gsp = standin.getkey_builder().build().unwrap();
    let taxpayer = standin.taxpayer(&gsp).await;
    let paths = standin.lay_out(&[FIRST]);
    let files = files(&taxpayer).await;
    let file = standin.state().scripted_again(&paths[0]);
    for status in [401, 200] {
        let dead = Scripted::Plain(status, refused(401, "GSP022").1.to_string().into_bytes());
        standin.script(&paths[0], [dead, file.clone()]);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = seen.clone();
        let mut download = taxpayer.download(&files).on_progress(move |at| told.lock().unwrap().push(at));
        download.next().await.unwrap().unwrap();
        let seen: Vec<DownloadProgress> = seen.lock().unwrap().clone();
        assert!(seen.is_sorted_by_key(|at| at.bytes), "{seen:?}");
        assert!(!seen.is_empty() && seen.iter().all(|at| at.total == Some(seen[seen.len() - 1].bytes)));
    }
}

#[tokio::test]
async fn a_file_larger_than_allowed_is_not_taken_into_memory() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let large: String = (0..40_000).map(|at| format!("{at},")).collect();
    standin.lay_out(&[&format!("[{large}0]")]);
    let files = files(&taxpayer).await;
    let small = |bytes| standin.gsp_builder().max_answer_bytes(bytes).build().unwrap();
    let taxpayer = small(1000).taxpayer(GSTIN.parse().unwrap(), USERNAME);
    let error = taxpayer.download(&files).next().await.unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }) && error.to_string().contains("1000 bytes"), "{error}");
}

/// A gateway that serves `whole` once, of the next file ten bytes out of a thousand, and then nothing: it hangs up, or
/// stays silent.
async fn half_a_gateway(whole: Option<Vec<u8>>, hangs_up: bool) -> Taxpayer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut answer = async |length: usize, bytes: &[u8]| {
            assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(&[head.as_bytes(), bytes].concat()).await.unwrap();
        };
        if let Some(whole) = whole {
            answer(whole.len(), &whole).await;
        }
        answer(1000, b"0123456789").await;
        if !hangs_up {
            std::future::pending().await
        }
    });
    let gsp =
        Gsp::builder(format!("http://{address}")).credentials(Credentials::token(TOKEN)).build().unwrap();
    gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME)
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_of_a_file_leaves_nothing() {
    let standin = StandIn::start().await;
    standin.lay_out(&[FIRST]);
    let files = files(&standin.taxpayer(&standin.gsp()).await).await;
    let taxpayer = half_a_gateway(None, true).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let progress = seen.clone();
    let told = move |at: DownloadProgress| progress.lock().unwrap().push((at.bytes, at.total));
    let directory = tempfile::tempdir().unwrap();
    let download = taxpayer.download(&files).on_progress(told);
    let error = download.save_to(directory.path().join("gstr1")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert_eq!(*seen.lock().unwrap(), [(10, Some(1000))]);
    assert_eq!(names_in(directory.path()), [""; 0]);
}

#[tokio::test]
async fn a_result_is_saved_whole_or_not_at_all() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let paths = standin.lay_out(&[FIRST, SECOND]);
    let files = files(&taxpayer).await;
    let good = standin.state().scripted_again(&paths[1]);
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("gstr1");
    let download = || -> Download { taxpayer.download(&files) };

    standin.script(&paths[1], [Scripted::Plain(410, Vec::new())]);
    let error = download().save_to(&target).await.unwrap_err();
    assert_eq!(fault(&error), (2, DownloadFault::Expired));
    assert_eq!(names_in(directory.path()), [""; 0]);

    standin.script(&paths[1], [good]);
    let saved = download().save_to(&target).await.unwrap();
    assert_eq!(saved, [target.join("1.json"), target.join("2.json")]);
    assert_eq!(std::fs::read(&saved[1]).unwrap(), SECOND.as_bytes());
    assert_eq!(names_in(directory.path()), ["gstr1"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&target), mode(&saved[0])), (0o700, 0o600));
    }

    let error = download().save_to(&target).await.unwrap_err();
    assert!(matches!(error, Error::File { .. }), "what is there is not replaced: {error:?}");
    let error = download().save_to(directory.path().join("no/such/place")).await.unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error:?}");
    assert_eq!(names_in(directory.path()), ["gstr1"]);
}

#[tokio::test]
async fn a_download_that_is_dropped_leaves_nothing() {
    let standin = StandIn::start().await;
    let taxpayer = standin.taxpayer(&standin.gsp()).await;
    let paths = standin.lay_out(&[FIRST, SECOND]);
    let files = files(&taxpayer).await;
    let Scripted::Plain(_, whole) = standin.state().scripted_again(&paths[0]) else { panic!("no file") };
    let taxpayer = half_a_gateway(Some(whole), false).await;
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("gstr1");
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let download = taxpayer.download(&files).on_progress(move |at| tell.send(at.file).unwrap());
    let saving = tokio::spawn(async move { download.save_to(target).await });
    while told.recv().await.unwrap() == 1 {}
    assert!(names_in(directory.path())[0].starts_with(".gstr1."), "the first file is there, and hidden");
    saving.abort();
    assert!(saving.await.unwrap_err().is_cancelled());
    assert_eq!(names_in(directory.path()), [""; 0]);
}

fn names_in(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}
