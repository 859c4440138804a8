//! When what an ASP presents was last used, as the data plane tells it.

use jiff::Timestamp;
use rusqlite::{TransactionBehavior, params};

use super::Registry;
use super::ids::{AspSecretId, CertificateId, CredentialId};
use crate::error::StoreError;

/// Something an ASP has used to prove itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Used {
    /// A token or a pair of client credentials.
    Credential(CredentialId),
    /// An ASP secret.
    AspSecret(AspSecretId),
    /// A certificate, by a GetKey call signed with its key.
    Certificate(CertificateId),
}

impl Used {
    fn row(self) -> (&'static str, i64) {
        match self {
            Self::Credential(id) => ("credential", id.as_i64()),
            Self::AspSecret(id) => ("asp_secret", id.as_i64()),
            Self::Certificate(id) => ("asp_certificate", id.as_i64()),
        }
    }
}

impl Registry {
    /// Notes when things were last used, many at once. An earlier time than the one noted is passed over, as
    /// are ids that do not exist. Does not move the version.
    pub fn touch(&self, used: &[(Used, Timestamp)]) -> Result<(), StoreError> {
        if used.is_empty() {
            return Ok(());
        }
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (used, at) in used {
            let (table, id) = used.row();
            let mut touch = transaction.prepare_cached(&format!(
                "UPDATE {table} SET last_used_at = ?2
                 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)"
            ))?;
            touch.execute(params![id, at.as_millisecond()])?;
        }
        Ok(transaction.commit()?)
    }
}
