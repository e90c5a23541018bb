//! What this node keeps against validators.

use std::sync::Arc;

use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{Evidence, EvidenceName};

use super::{Desk, broken};

impl Desk {
    /// What is kept.
    pub(crate) fn evidence_names(&self) -> Vec<EvidenceName> {
        self.handle.shared().evidence.list()
    }

    /// A piece by its name; nothing when it is not here.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) async fn evidence(&self, name: String) -> Result<Option<Evidence>, RpcError> {
        let kept = Arc::clone(&self.handle.shared().evidence);
        self.read(move |_| kept.read(&name).map_err(broken)).await
    }
}
