//! Keep decided blocks in RocksDB.
//!
//! # Guarantees
//! * When [`Store::commit`] has returned, block, places of bundles and state are durable together: one write
//!   batch, synced once, survives `kill -9` and power loss on a disk that keeps what it
//!   acknowledged.
//! * The index of transactions follows: their places are found from then on, and what a crash takes of
//!   them is made again from the blocks.
//! * Nothing is readable before it is durable, and height follows height without a gap, from the first
//!   block or from the lowest that was not pruned.
//! * What is read is what was decided: a header is hashed and compared with its certificate, a
//!   batch's transactions are hashed again and its header is led to the block's `heads_root`.
//!   Signatures, places and the list of a block's batches are under RocksDB's checksums alone. Damage
//!   is an error that names column and key, never another answer.
//! * After a failed write or sync the store refuses all further commits: the system may have
//!   dropped the data that it could not write, so trying again proves nothing (the node ends).
//! * A directory belongs to one network and one process.
//!
//! # Format
//! Numbers are big-endian: heights, chain ids and `seq` of 8 bytes, indexes of 4.
//! ```text
//! column        key                value
//! meta          name               network: 32 bytes · format: 4 bytes
//!                                  tip: height ‖ block hash · state: as the caller encodes it
//!                                  first: height, once blocks were removed
//! blocks        height             rlp([header, [cut entry, …], certificate, [manifest, …]])
//! heights       height ‖ chain_id  seq
//! batches       chain_id ‖ seq     the batch as it is streamed, in blob files
//! branches      chain_id ‖ seq     rlp([height, [branch step, …]])
//! transactions  chain_id ‖ id      height ‖ seq ‖ index
//!               name               goes to: the height up to which places are here
//! bundles       bundle hash        height ‖ index
//! ```
//! A batch is stored once, under its rollup, and a block is put together from its batches. A bundle
//! or an opaque transaction that was placed again after the replay window is found at its latest
//! place.
//!
//! # Recovery
//! Opening replays RocksDB's own log. A record of which a power cut kept a part was never acknowledged
//! and is cut off; damage refuses to open, by the file's name, since it was acknowledged. Whether
//! the tip is as high as it must be, only the journals' watermark can say: the highest height that they
//! hold a signature for (D4). Then the index of transactions is completed from where it says that it goes to.
//!
//! [`Store::check`] reads everything and holds it against everything else, without changing anything.
//!
//! [`Store::snapshot`] writes a copy of a store that is in use. What a copy from elsewhere holds is used
//! only after [`Store::check_from`] has held all of it against genesis, and against what is trusted
//! besides.
//!
//! # Limits
//! [`limits`] bounds memory, files and logs. A store keeps everything until [`Store::prune`] is called.
#![forbid(unsafe_code)]
#![deny(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]
#![warn(missing_docs)]

mod error;
pub mod limits;

mod column;
mod database;
mod keys;
mod log_file;
mod memory;

mod commit;
mod decision;
mod index;
mod places;
mod recent;
mod store;

mod batches;
mod blocks;
mod prune;

mod check;
mod snapshot;
mod stats;

pub use batches::StoredBatch;
pub use check::{Checked, FINDINGS_MAX, Finding};
pub use commit::Commit;
pub use decision::Decision;
pub use error::StoreError;
pub use memory::Memory;
pub use places::{BundlePlace, TransactionPlace};
pub use prune::Needed;
pub use stats::{ColumnSize, RollupSpan, Stats};
pub use store::Store;

#[cfg(test)]
mod tests;
