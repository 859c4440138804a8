//! A taxpayer's session at GSTN, and the file that carries it from one run of a program to the next.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gstn::Gstin;
use gstn::crypto::{AppKey, Sek, base64};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::Error;
use gstn::SecretString;

/// A taxpayer's session at GSTN: the `auth-token`, and the keys under which its calls travel.
///
/// It lives for [`expires_at`](Self::expires_at) (six hours at GSTN) and can be prolonged until then with
/// [`Gsp::refresh`](crate::Gsp::refresh), as long as the taxpayer's consent lasts (up to 30 days).
#[derive(Debug, Clone)]
pub struct Session {
    pub(crate) gstin: Gstin,
    pub(crate) username: String,
    pub(crate) auth_token: SecretString,
    pub(crate) app_key: AppKey,
    pub(crate) sek: Sek,
    pub(crate) expires_at: Timestamp,
}

impl Session {
    /// The taxpayer.
    pub fn gstin(&self) -> &Gstin {
        &self.gstin
    }

    /// The taxpayer's user name at the GST portal.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// When GSTN will stop taking the `auth-token`, UTC.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Whether the session ends within `margin` of `now`, or has ended.
    pub fn ends_within(&self, margin: SignedDuration, now: Timestamp) -> bool {
        self.expires_at.duration_since(now) <= margin
    }
}

/// All that a program needs to go on where it stopped: the session, and the way it was made.
///
/// It holds secrets. [`write`](Self::write) is the only way they leave memory: to a file that only its owner can read.
#[derive(Debug, Clone)]
pub struct StoredSession {
    /// The gateway's address, as given to [`Gsp::builder`](crate::Gsp::builder).
    pub gateway: String,
    /// The ASP's token.
    pub token: SecretString,
    /// CA certificates in PEM that the gateway's certificate is verified against, beside the system's.
    pub ca_pem: Option<String>,
    /// The end user's address, sent as `ip-usr`.
    pub ip_usr: String,
    /// The taxpayer's session.
    pub session: Session,
}

impl StoredSession {
    /// Writes the file with mode 0600, whole or not at all. Directories on the way are made, for the owner alone.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let text = Zeroizing::new(self.to_json());
        replace_file(path, text.as_bytes()).map_err(|source| Error::File { path: path.to_owned(), source })
    }

    /// Reads a file made by [`write`](Self::write). A file that others may read is refused.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let fault = |source| Error::File { path: path.to_owned(), source };
        refuse_if_others_can_read(path).map_err(fault)?;
        let text = Zeroizing::new(fs::read_to_string(path).map_err(fault)?);
        let invalid =
            || fault(io::Error::new(io::ErrorKind::InvalidData, "not a session file of this version"));
        Self::from_json(&text).ok_or_else(invalid)
    }

    fn to_json(&self) -> String {
        let session = &self.session;
        let file = OnDisk {
            version: 1,
            gateway: self.gateway.clone(),
            token: self.token.expose().to_owned(),
            ca_pem: self.ca_pem.clone(),
            ip_usr: self.ip_usr.clone(),
            gstin: session.gstin.as_str().to_owned(),
            username: session.username.clone(),
            auth_token: session.auth_token.expose().to_owned(),
            app_key: base64::encode(session.app_key.as_bytes()),
            sek: base64::encode(session.sek.as_bytes()),
            expires_at: session.expires_at.to_string(),
        };
        serde_json::to_string_pretty(&file).unwrap_or_default()
    }

    fn from_json(text: &str) -> Option<Self> {
        let file: OnDisk = serde_json::from_str(text).ok()?;
        if file.version != 1 {
            return None;
        }
        let key = |text: &str| base64::decode_strict(text).ok().map(Zeroizing::new);
        let session = Session {
            gstin: Gstin::parse_lenient(&file.gstin).ok()?,
            username: file.username.clone(),
            auth_token: SecretString::from(file.auth_token.as_str()),
            app_key: AppKey::try_from_slice(&key(&file.app_key)?).ok()?,
            sek: Sek::try_from_slice(&key(&file.sek)?).ok()?,
            expires_at: file.expires_at.parse().ok()?,
        };
        let token = SecretString::from(file.token.as_str());
        let (gateway, ca_pem, ip_usr) = (file.gateway.clone(), file.ca_pem.clone(), file.ip_usr.clone());
        Some(Self { gateway, token, ca_pem, ip_usr, session })
    }
}

/// The file's shape. Keys are base64 of 32 bytes; the time is RFC 3339 in UTC.
#[derive(Serialize, Deserialize)]
struct OnDisk {
    version: u32,
    gateway: String,
    token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_pem: Option<String>,
    ip_usr: String,
    gstin: String,
    username: String,
    auth_token: String,
    app_key: String,
    sek: String,
    expires_at: String,
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        for secret in [&mut self.token, &mut self.auth_token, &mut self.app_key, &mut self.sek] {
            secret.zeroize();
        }
    }
}

/// A reader sees the old file or the new one, never a part; a crash leaves no secret readable by others.
fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    create_private_directory(&directory)?;
    let name = path.file_name().ok_or_else(|| io::Error::other("names no file"))?;
    let new = directory.join(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let written = write_private_file(&new, content).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // What could not be put in its place must not stay behind; that it may not exist is no second error.
        let _ = fs::remove_file(&new);
        return written;
    }
    File::open(&directory)?.sync_all()
}

fn write_private_file(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn create_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn refuse_if_others_can_read(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if fs::metadata(path)?.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "others can read this file of secrets; chmod 600 it"))
}

#[cfg(not(unix))]
fn refuse_if_others_can_read(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> StoredSession {
        StoredSession {
            gateway: "http://127.0.0.1:1".to_owned(),
            token: "hidden-token".into(),
            ca_pem: Some("pem".to_owned()),
            ip_usr: "127.0.0.1".to_owned(),
            session: Session {
                gstin: "33AANCS2882A1ZG".parse().unwrap(),
                username: "TN_NT2.2265".to_owned(),
                auth_token: "hidden-auth".into(),
                app_key: AppKey::from_bytes([1; 32]),
                sek: Sek::from_bytes([2; 32]),
                expires_at: "2026-11-22T10:15:30Z".parse().unwrap(),
            },
        }
    }

    #[test]
    fn a_session_survives_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/er/session.json");
        stored().write(&path).unwrap();
        stored().write(&path).unwrap();
        let read = StoredSession::read(&path).unwrap();
        assert_eq!(read.to_json(), stored().to_json());
        assert_eq!(read.session.sek, stored().session.sek);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing stays behind");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("session.json");
        stored().write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = StoredSession::read(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
        stored().write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "made private again");
    }

    #[test]
    fn a_damaged_file_is_an_error_that_repeats_no_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("session.json");
        let whole = stored().to_json();
        for damaged in
            [&whole[..whole.len() / 2], "", "[]", &whole.replace("\"version\": 1", "\"version\": 9")]
        {
            replace_file(&path, damaged.as_bytes()).unwrap();
            let error = StoredSession::read(&path).unwrap_err();
            assert!(matches!(error, Error::File { .. }));
            assert!(!error.to_string().contains("hidden"));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:#?}", stored());
        let keys = [base64::encode([1; 32]), base64::encode([2; 32])];
        assert!(!shown.contains("hidden") && !keys.iter().any(|key| shown.contains(key)), "{shown}");
    }

    #[test]
    fn the_end_is_seen_coming() {
        let session = stored().session;
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let margin = SignedDuration::from_mins(10);
        assert!(!session.ends_within(margin, at("2026-11-22T10:05:29Z")));
        assert!(session.ends_within(margin, at("2026-11-22T10:05:30Z")));
        assert!(session.ends_within(margin, at("2026-11-22T11:00:00Z")));
    }
}
