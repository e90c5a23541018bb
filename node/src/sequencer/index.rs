//! W2: which transactions the durable blocks hold, from the store.

use cloverleaf_replica::PlacedIndex;
use cloverleaf_storage::Store;
use cloverleaf_types::{Height, TransactionKey};

use super::fatal::Fatal;

/// The transaction index of the store, if there is one. A store that cannot be read ends the node.
pub(super) struct StoreIndex {
    pub(super) store: Option<Store>,
    pub(super) fatal: Fatal,
}

impl PlacedIndex for StoreIndex {
    fn placed(&self, (chain_id, id): &TransactionKey) -> Option<Height> {
        let store = self.store.as_ref()?;
        match store.transaction(*chain_id, *id) {
            Ok(place) => place.map(|place| place.height),
            Err(error) => {
                self.fatal.store(&error);
                None
            }
        }
    }
}
