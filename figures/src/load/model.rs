//! What four validators do for each transaction at least, on these cores: recover its sender, name it, hash it
//! in its parcel and in its batch, and prove it.
//!
//! Ordering, storing, sending between validators and taking in are not in it, so it is less than what really
//! has to be done.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cloverleaf_bench::Wallet;
use cloverleaf_types::merkle::{leaf_hashes, root};
use cloverleaf_types::rollup::Verification;
use cloverleaf_types::{B256, ChainId, Recover as _, Secp256k1, transaction_ids};
use eyre::Result;
use sha2::{Digest as _, Sha256};

use super::VALIDATORS;
use crate::capacity::DATA_BYTES;
use crate::heights::count;

/// How long each limit is measured.
const RUN: Duration = Duration::from_millis(300);

/// Transactions of a batch: so many are named and proved at once.
const MANY: usize = 1_000;

/// A small durable write, in bytes, and how long from one to the next.
const WRITE_BYTES: usize = 4 * 1024;
const WRITE_INTERVAL: Duration = Duration::from_millis(50);

/// What this machine does at best, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    recover_us: f64,
    /// A transaction's id, of many at once.
    id_us: f64,
    /// SHA-256 of a transaction.
    hash_us: f64,
    /// A leaf's part of a tree over many.
    branch_us: f64,
}

impl Limits {
    /// One thread, one thing after the other.
    pub(super) fn measure() -> Self {
        let mut wallet = Wallet::new("limits", ChainId(901));
        let (raw, hash) = (wallet.with_data(DATA_BYTES), B256::repeat_byte(9));
        let signature = wallet.sign_hash(hash);
        let raws = vec![raw.clone(); MANY];
        let ids = transaction_ids(raws.iter().map(|raw| &raw[..]));
        Self {
            recover_us: each_us(|| Secp256k1.recover(black_box(hash), black_box(&signature))),
            id_us: each_us(|| transaction_ids(black_box(&raws).iter().map(|raw| &raw[..])))
                / count(MANY),
            hash_us: each_us(|| Sha256::digest(black_box(&raw))),
            branch_us: each_us(|| root(leaf_hashes(black_box(&ids)))) / count(MANY),
        }
    }

    /// What is done for each transaction, by all validators together, and how long that takes.
    pub(super) fn stages(&self, verification: Verification) -> [(&'static str, f64); 3] {
        let all = count(VALIDATORS);
        let verifiers = match verification {
            Verification::Opaque => 0.0,
            Verification::Once => 1.0,
            Verification::Everywhere => all,
        };
        [
            ("senders recovered", verifiers * self.recover_us),
            ("ids", all * self.id_us),
            // In its parcel's body and in its batch's; a leaf and a node of its batch's tree.
            (
                "bodies and trees",
                all * (2.0 * self.hash_us + self.branch_us),
            ),
        ]
    }

    /// What these cores could take in a second, if whoever sends takes so much of them.
    pub(super) fn bound(&self, verification: Verification, own_us: f64, cores: usize) -> f64 {
        let stages = self.stages(verification).into_iter();
        let each_us: f64 = stages.map(|(_, each_us)| each_us).sum();
        count(cores) * 1e6 / (each_us + own_us)
    }
}

fn each_us<T>(mut work: impl FnMut() -> T) -> f64 {
    let (start, mut times) = (Instant::now(), 0_usize);
    while start.elapsed() < RUN {
        for _ in 0..10 {
            black_box(work());
        }
        times += 10;
    }
    start.elapsed().as_secs_f64() * 1e6 / count(times)
}

/// Small durable writes beside whatever else runs, until it is over; when each began and how long it took.
pub(super) fn durable_writes(dir: &Path, is_over: &AtomicBool) -> Result<Vec<(Instant, Duration)>> {
    let file = File::create(dir.join("durable-writes"))?;
    file.write_all_at(&[1; WRITE_BYTES], 0)?;
    file.sync_all()?;
    let mut writes = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        file.write_all_at(&[7; WRITE_BYTES], 0)?;
        file.sync_data()?;
        writes.push((begin, begin.elapsed()));
        std::thread::sleep(WRITE_INTERVAL);
    }
    Ok(writes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        recover_us: 40.0,
        id_us: 0.5,
        hash_us: 0.2,
        branch_us: 0.1,
    };

    #[test]
    fn bound_is_what_all_cores_have_for_all_stages_and_the_sender() {
        let sum = |verification| {
            LIMITS
                .stages(verification)
                .map(|(_, each_us)| each_us)
                .iter()
                .sum::<f64>()
        };
        assert_eq!(sum(Verification::Opaque), 4.0);
        assert_eq!(sum(Verification::Once), 44.0);
        assert_eq!(sum(Verification::Everywhere), 164.0);
        assert_eq!(LIMITS.bound(Verification::Once, 6.0, 2), 40_000.0);
    }
}
