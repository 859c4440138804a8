//! The token of the management port: made at first start, kept ever after, for the owner of the data directory alone.

use std::fs;
use std::io;
use std::path::Path;

use gstn::SecretString;
use suvidha_seam::Seam;

use crate::certificate::write;
use crate::server::SandboxError;

/// Its file in the data directory.
pub(crate) const FILE: &str = "management-token";

/// Reads the token kept in `data_dir`, or makes one of 32 hexadecimal digits.
pub(crate) fn load_or_create(data_dir: &Path, seam: &Seam) -> Result<SecretString, SandboxError> {
    let path = data_dir.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => Ok(SecretString::new(text.trim())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SandboxError::io(&path, error)),
        _ => {
            let token = format!("{:032x}", u128::from_be_bytes(seam.random()));
            write(&path, format!("{token}\n").as_bytes(), 0o600)?;
            Ok(SecretString::new(token))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let seam = Seam::system();
        let first = load_or_create(dir.path(), &seam).unwrap();
        assert_eq!(first.expose().len(), 32);
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(load_or_create(dir.path(), &seam).unwrap().expose(), first.expose());
        fs::write(dir.path().join(FILE), "\n").unwrap();
        assert_ne!(
            load_or_create(dir.path(), &seam).unwrap().expose(),
            first.expose(),
            "an empty one is none"
        );
    }
}
