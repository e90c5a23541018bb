//! The seam to what was placed long ago.

use cloverleaf_types::{Height, TransactionKey};

/// Knows every transaction of the durable blocks (W2). Called by [`crate::Replica`] on its caller's
/// thread for each submission, so it must answer at once, from a point look-up; an index that cannot
/// answer has lost its disk, and ends the process itself.
pub trait PlacedIndex: Send {
    /// The height of the block that placed the transaction.
    fn placed(&self, key: &TransactionKey) -> Option<Height>;
}
