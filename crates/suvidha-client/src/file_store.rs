//! Sessions in files that only their owner can read, one file for each, which processes may share.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gstn::crypto::sha256_hex;
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::session::StoredSession;
use crate::store::{Lease, SessionKey, SessionStore, StoreError, StoreFuture};

/// How often a lease that another process holds is asked for.
const LEASE_PAUSE: Duration = Duration::from_millis(20);
/// Longer than any renewal takes: its connection, its answer, and once more after a correction of the clock.
const LEASE_PATIENCE: Duration = Duration::from_secs(300);
/// A draft is written in a moment; one that is older is of a process that died.
const DRAFT_LIFE: Duration = Duration::from_secs(3600);

/// Keeps sessions in a directory of their own, so that they outlive the program: mode 0700, a file of mode 0600 for each
/// session, replaced in one step.
///
/// Several processes may share one directory on one machine. While one renews a session the others wait and take it over;
/// a process that dies meanwhile keeps nobody waiting. The empty `.lock` beside each session stays when the session goes:
/// to remove it would let two processes hold it at once. What a crash left half-written is removed by a later start.
///
/// ```
/// use suvidha_client::{Credentials, FileStore, Gsp};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let directory = directory.path().join("sessions");
/// let gsp = Gsp::builder("https://gsp.example.in")
///     .credentials(Credentials::token("an-example"))
///     .session_store(FileStore::new(directory)?)
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FileStore {
    directory: PathBuf,
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileStore").field(&self.directory).finish()
    }
}

impl FileStore {
    /// Opens the directory; makes it, and those on the way, for the owner alone if it is not there.
    ///
    /// # Errors
    /// [`Error::Store`] if it cannot be made or written, if it is another user's, or if others may look into it.
    pub fn new(directory: impl Into<PathBuf>) -> Result<Self, Error> {
        let directory = directory.into();
        let opened = create_private_directory(&directory)
            .and_then(|()| refuse_if_others_may(&fs::metadata(&directory)?, "chmod 700"))
            .and_then(|()| prove_and_sweep(&directory));
        match opened {
            Ok(()) => Ok(Self { directory }),
            Err(error) => {
                let what = format!("cannot keep sessions in {}", directory.display());
                Err(Error::store(what, error.into()))
            }
        }
    }

    /// A name to be read by people, and a digest that makes it one of its own whatever the name leaves out.
    fn path(&self, key: &SessionKey, extension: &str) -> PathBuf {
        let (kind, of) = match key {
            SessionKey::Gsp { aspid, .. } => ("gsp", aspid.to_string()),
            SessionKey::Taxpayer { gstin, username, .. } => ("taxpayer", format!("{gstin}-{username}")),
        };
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let of: String = of.chars().map(plain).take(60).collect();
        let digest = sha256_hex(key.to_string().as_bytes());
        self.directory.join(format!("{kind}-{of}-{}.{extension}", &digest[..16]))
    }

    /// Runs `work` where it may block.
    async fn blocking<T: Send + 'static>(
        path: PathBuf,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = tokio::task::spawn_blocking(move || {
            let outcome = work(&path);
            outcome.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        });
        Ok(done.await??)
    }
}

impl SessionStore for FileStore {
    fn load<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, Option<StoredSession>> {
        Box::pin(Self::blocking(self.path(key, "json"), read_private_file))
    }

    fn save<'a>(&'a self, key: &'a SessionKey, session: &'a StoredSession) -> StoreFuture<'a, ()> {
        let text = session.to_json();
        let path = self.path(key, "json");
        Box::pin(Self::blocking(path, move |path| replace_file(path, text.expose().as_bytes())))
    }

    fn remove<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, ()> {
        Box::pin(Self::blocking(self.path(key, "json"), |path| match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }))
    }

    /// A lock of the operating system on a file beside the session's.
    fn lease<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, Lease> {
        let path = self.path(key, "lock");
        Box::pin(async move {
            let patience = Instant::now() + LEASE_PATIENCE;
            loop {
                if let Some(lock) = Self::blocking(path.clone(), try_lock).await? {
                    return Ok(Box::new(lock) as Lease);
                }
                if Instant::now() >= patience {
                    return Err(format!("{}: another process does not let go of it", path.display()).into());
                }
                sleep(LEASE_PAUSE).await;
            }
        })
    }
}

fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = private(OpenOptions::new().create(true).truncate(false).write(true)).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A file that others may read is refused: who knows who has its secrets.
fn read_private_file(path: &Path) -> io::Result<Option<StoredSession>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    refuse_if_others_may(&file.metadata()?, "chmod 600")?;
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text)?;
    let damaged = |error| io::Error::other(format!("{error}; remove the file to do without it"));
    StoredSession::from_json(&text).map(Some).map_err(damaged)
}

/// A reader sees the old file or the new one, never a part; a crash leaves no secret that others can read.
fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let (draft, mut file) = new_draft(path)?;
    let written =
        file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // What could not be put in its place must not stay behind; the first error is the one to tell.
        let _ = fs::remove_file(&draft);
        return written;
    }
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// A file beside `path` that nobody else writes: not another task, nor a process of the same number elsewhere.
fn new_draft(path: &Path) -> io::Result<(PathBuf, File)> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    loop {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let draft = path.with_file_name(format!(".{name}.{}.{serial}", std::process::id()));
        match private(OpenOptions::new().write(true).create_new(true)).open(&draft) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
            opened => return opened.map(|file| (draft, file)),
        }
    }
}

/// Finds out now, and not when the first session must be saved, whether the directory can be written; and takes away the
/// secrets that a crash left in drafts.
fn prove_and_sweep(directory: &Path) -> io::Result<()> {
    let (draft, file) = new_draft(&directory.join("start.json"))?;
    let own = file.metadata();
    fs::remove_file(draft)?;
    let own = own?;
    refuse_if_anothers(&fs::metadata(directory)?, &own)?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !(name.starts_with('.') && name.contains(".json.")) {
            continue;
        }
        // One that has just been put in its place is not there any more; the next start finds what is left.
        let age = entry.metadata().and_then(|draft| Ok(own.modified()?.duration_since(draft.modified()?)));
        if age.is_ok_and(|age| age.is_ok_and(|age| age > DRAFT_LIFE)) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

fn create_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Whoever owns the directory can put another session into it; it matters to the superuser, who may write everywhere.
#[cfg(unix)]
fn refuse_if_anothers(directory: &fs::Metadata, own: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    if directory.uid() == own.uid() {
        return Ok(());
    }
    let why = format!("it belongs to user {}, who could put sessions into it", directory.uid());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

#[cfg(not(unix))]
fn refuse_if_anothers(_: &fs::Metadata, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn refuse_if_others_may(metadata: &fs::Metadata, cure: &str) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let why = format!("others than its owner may use this place of secrets; {cure} it");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

#[cfg(not(unix))]
fn refuse_if_others_may(_: &fs::Metadata, _: &str) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::{gsp_session, taxpayer_session};

    fn key(username: &str) -> SessionKey {
        let gstin = "33AANCS2882A1ZG".parse().unwrap();
        SessionKey::taxpayer("https://gsp", gstin, username)
    }

    fn store() -> (tempfile::TempDir, FileStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = FileStore::new(directory.path().join("deep/er")).unwrap();
        (directory, store)
    }

    fn names(store: &FileStore) -> Vec<String> {
        let entries = fs::read_dir(&store.directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_session_survives_its_file_and_leaves_nothing_else_behind() {
        let (_directory, store) = store();
        let key = key("TN_NT2.2265");
        assert!(store.load(&key).await.unwrap().is_none());
        store.save(&key, &StoredSession::Gsp(gsp_session())).await.unwrap();
        let session = StoredSession::Taxpayer(taxpayer_session());
        store.save(&key, &session).await.unwrap();
        let read = store.load(&key).await.unwrap().unwrap();
        assert_eq!(read.to_json().expose(), session.to_json().expose());
        assert_eq!(names(&store).len(), 1);
        store.remove(&key).await.unwrap();
        store.remove(&key).await.unwrap();
        assert!(store.load(&key).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn names_of_people_stay_names_of_files() {
        let (_directory, store) = store();
        let session = StoredSession::Taxpayer(taxpayer_session());
        let long = "x".repeat(300);
        let all = ["a", "A", "a/../../b", "..", "a b", "a\0b", "नाम", long.as_str()];
        for username in all {
            store.save(&key(username), &session).await.unwrap();
        }
        let names = names(&store);
        assert_eq!(names.len(), all.len());
        let folded: std::collections::HashSet<_> = names.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(folded.len(), all.len(), "a disk that does not tell capitals apart keeps them apart");
        for name in &names {
            assert!(name.starts_with("taxpayer-33AANCS2882A1ZG-") && name.is_ascii() && name.len() < 120);
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_can_read_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let (_directory, store) = store();
        let session = StoredSession::Taxpayer(taxpayer_session());
        let (key, path) = (key("x"), store.path(&key("x"), "json"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        store.save(&key, &session).await.unwrap();
        let _lease = store.lease(&key).await.unwrap();
        assert_eq!((mode(&path), mode(&store.directory)), (0o600, 0o700));
        assert_eq!(mode(&store.path(&key, "lock")), 0o600);

        chmod(&path, 0o640);
        let error = store.load(&key).await.unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
        store.save(&key, &session).await.unwrap();
        assert_eq!(mode(&path), 0o600, "made private again");

        chmod(&store.directory, 0o755);
        let error = FileStore::new(&store.directory).unwrap_err();
        assert!(matches!(error, Error::Store { .. }) && error.to_string().contains("chmod 700"), "{error}");
    }

    #[test]
    fn what_a_crash_left_half_written_goes_with_a_later_start() {
        let (_directory, store) = store();
        let (stale, _) = new_draft(&store.path(&key("stale"), "json")).unwrap();
        let (fresh, file) = new_draft(&store.path(&key("fresh"), "json")).unwrap();
        let long_ago = file.metadata().unwrap().modified().unwrap() - 2 * DRAFT_LIFE;
        for path in [&stale, &store.directory.join(".somebody-elses"), &store.path(&key("x"), "json")] {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        FileStore::new(&store.directory).unwrap();
        assert!(!stale.exists() && fresh.exists());
        assert_eq!(names(&store).len(), 3, "and nothing else: {:?}", names(&store));
    }

    #[cfg(unix)]
    #[test]
    fn the_directory_must_be_ones_own() {
        use std::os::unix::fs::{MetadataExt, chown};
        let (_directory, store) = store();
        let own = fs::metadata(&store.directory).unwrap();
        // Only the superuser can give things away; for all others the root is another's.
        let others = match own.uid() {
            0 => chown(&store.directory, Some(65_534), None).map(|()| store.directory.as_path()).unwrap(),
            _ => Path::new("/"),
        };
        let error = refuse_if_anothers(&fs::metadata(others).unwrap(), &own).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(matches!(FileStore::new(others), Err(Error::Store { .. })));
    }

    #[tokio::test]
    async fn a_damaged_file_is_told_with_what_to_do_and_repeats_no_secret() {
        let (_directory, store) = store();
        let key = key("x");
        let whole = StoredSession::Taxpayer(taxpayer_session()).to_json();
        for damaged in [&whole.expose()[..40], "", "hidden"] {
            replace_file(&store.path(&key, "json"), damaged.as_bytes()).unwrap();
            let error = store.load(&key).await.unwrap_err().to_string();
            assert!(error.contains(".json") && error.contains("remove the file"), "{error}");
            assert!(!error.contains("hidden"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_lease_keeps_others_waiting_until_it_is_dropped() {
        let (_directory, store) = store();
        let (one, other) = (key("one"), key("other"));
        let another_process = FileStore::new(&store.directory).unwrap();
        let lease = store.lease(&one).await.unwrap();
        drop(another_process.lease(&other).await.unwrap());
        assert!(try_lock(&another_process.path(&one, "lock")).unwrap().is_none());
        let waiting = tokio::spawn(async move { another_process.lease(&key("one")).await.map(drop) });
        drop(lease);
        waiting.await.unwrap().unwrap();
    }
}
