//! What can go wrong.

/// Why the data plane could not be started or reloaded.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration names no environment.
    #[error("no environment is configured")]
    NoEnvironment,
    /// Something that cannot change without a restart.
    #[error("{what} cannot be changed by a reload; restart the gateway")]
    ListenerChanged {
        /// Which setting.
        what: String,
    },
}
