//! The value that consensus decides (C1): the whole of it, named by its block hash.

use core::cmp::Ordering;
use std::sync::Arc;

use cloverleaf_types::{B256, Value};
use malachite_core_types as malachite;

/// A header and a cut, hashed once and shared from then on.
///
/// Two candidates are equal when their block hashes are: the header commits to the cut, and a
/// value whose `cut_hash` does not match never gets as far as being compared (V1).
#[derive(Clone, Debug)]
pub struct Candidate {
    id: B256,
    value: Arc<Value>,
}

impl Candidate {
    /// Names the value by its block hash.
    #[must_use]
    pub fn new(value: Value) -> Self {
        Self {
            id: value.id(),
            value: Arc::new(value),
        }
    }

    /// The block hash: what validators vote for.
    #[must_use]
    pub fn id(&self) -> B256 {
        self.id
    }

    /// The header and the cut.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id)
    }
}

impl malachite::Value for Candidate {
    type Id = B256;

    fn id(&self) -> B256 {
        self.id
    }
}
