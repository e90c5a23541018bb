//! Why a stage came to an end.

use crate::process;

/// Something that must not happen, or that keeps us from looking.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A process did not do what it was started for.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// A node could not be asked.
    #[error(transparent)]
    Client(#[from] cloverleaf_client::Error),
    /// The network did what it must not, or did not what it must.
    #[error("{0}")]
    Broken(String),
}

impl Fault {
    /// The network did what it must not.
    pub fn broken(what: impl Into<String>) -> Self {
        Self::Broken(what.into())
    }
}
