//! What an embedded rollup trusts, kept beside its blocks: genesis alone is over after the trust
//! period, however long the rollup has followed.

use std::path::{Path, PathBuf};

use cloverleaf_client::{load_trust, save_trust};
use cloverleaf_types::{Head, TrustRoot};
use eyre::{Context as _, Result, bail};

use crate::sequencer::off_async_threads;

/// The file, as `cloverleaf trust` writes one.
const FILE: &str = "trust.json";

/// How much time of blocks may pass before a root is written again for its time alone, in
/// milliseconds: nothing to the disk, and nothing of a trust period.
const KEEP_INTERVAL_MS: u64 = 600_000;

/// A rollup's trust root, in memory and in its file.
#[derive(Debug)]
pub(crate) struct KeptTrust {
    path: PathBuf,
    root: TrustRoot,
    /// What the file has, as far as it decides about writing it again.
    written: Option<(Head, u64)>,
}

impl KeptTrust {
    /// The newest of what is kept in the rollup's directory, genesis' root, and one that an operator
    /// gives: the one whose validators were known to decide last.
    ///
    /// # Errors
    /// The file is no trust root, or a root is another network's.
    pub(crate) fn open(dir: &Path, genesis: TrustRoot, given: Option<TrustRoot>) -> Result<Self> {
        let path = dir.join(FILE);
        let kept = if path.is_file() {
            let kept = load_trust(&path);
            Some(kept.wrap_err_with(|| format!("reading {}", path.display()))?)
        } else {
            None
        };
        let written = kept.as_ref().map(|kept| (kept.control, kept.time_ms));
        let mut root = genesis;
        for other in [given, kept].into_iter().flatten() {
            if other.network != root.network {
                bail!(
                    "a trust root for {} is of network {}, the genesis of network {}",
                    dir.display(),
                    other.network,
                    root.network
                );
            }
            // Of two of the same time, what was kept knows more of chain 0.
            if other.time_ms >= root.time_ms {
                root = other;
            }
        }
        Ok(Self {
            path,
            root,
            written,
        })
    }

    /// For those who have the keys of all validators themselves: nobody else can have decided.
    pub(crate) fn vouch(&mut self, now_ms: u64) {
        self.root.saw(now_ms);
    }

    /// What to begin with.
    pub(crate) fn root(&self) -> &TrustRoot {
        &self.root
    }

    /// Takes note of what a follower trusts when all that it yielded is executed: the root may begin
    /// at the next batch, and would not verify the one before. Writes it when validators have changed,
    /// and now and then. A rollup whose disk fails here goes on, and tries again.
    pub(crate) async fn note(&mut self, root: &TrustRoot) {
        self.root = root.clone();
        if !self.is_due() {
            return;
        }
        self.written = Some((root.control, root.time_ms));
        let (path, root) = (self.path.clone(), root.clone());
        let saved = off_async_threads(move || save_trust(&path, &root)).await;
        if let Err(error) = saved.and_then(|saved| Ok(saved?)) {
            tracing::warn!(%error, "a rollup's trust root is not kept");
        }
    }

    fn is_due(&self) -> bool {
        self.written.is_none_or(|(control, time_ms)| {
            control != self.root.control
                || self.root.time_ms >= time_ms.saturating_add(KEEP_INTERVAL_MS)
        })
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::{B256, ChainId, Height, Validator, ValidatorSet};

    use super::*;

    const GENESIS_MS: u64 = 1_000_000;

    fn genesis() -> TrustRoot {
        let network = B256::repeat_byte(1);
        let validator = Validator {
            address: cloverleaf_types::Address::repeat_byte(7),
            power: 1,
            peer_id: "peer".to_owned(),
        };
        TrustRoot {
            network,
            height: Height::GENESIS,
            time_ms: GENESIS_MS,
            trust_period_ms: 5_000_000,
            validators: ValidatorSet::new(vec![validator]).unwrap(),
            scheduled: Vec::new(),
            control: Head::empty(network, ChainId::CONTROL),
        }
    }

    fn at(time_ms: u64) -> TrustRoot {
        TrustRoot {
            time_ms,
            ..genesis()
        }
    }

    fn begins_with(dir: &Path, given: Option<TrustRoot>) -> TrustRoot {
        let kept = KeptTrust::open(dir, genesis(), given).unwrap();
        kept.root().clone()
    }

    #[tokio::test]
    async fn rollup_that_comes_back_after_genesis_period_begins_with_what_it_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut kept = KeptTrust::open(dir.path(), genesis(), None).unwrap();
        assert_eq!(*kept.root(), genesis());
        let seen = at(GENESIS_MS + 4_000_000);
        kept.note(&seen).await;
        assert_eq!(*kept.root(), seen, "a run after an error goes on with it");
        let then_ms = GENESIS_MS + 5_000_001;
        assert!(!genesis().is_fresh(then_ms));
        assert!(begins_with(dir.path(), None).is_fresh(then_ms));
    }

    #[tokio::test]
    async fn root_is_written_for_another_set_at_once_and_for_its_time_every_ten_minutes() {
        let dir = tempfile::tempdir().unwrap();
        let mut kept = KeptTrust::open(dir.path(), genesis(), None).unwrap();
        let first = at(GENESIS_MS + 1);
        kept.note(&first).await;
        assert_eq!(begins_with(dir.path(), None), first);
        kept.note(&at(first.time_ms + KEEP_INTERVAL_MS - 1)).await;
        assert_eq!(begins_with(dir.path(), None), first);
        let later = at(first.time_ms + KEEP_INTERVAL_MS);
        kept.note(&later).await;
        assert_eq!(begins_with(dir.path(), None), later);
        let mut changed = at(later.time_ms + 1);
        changed.control.seq += 1;
        kept.note(&changed).await;
        assert_eq!(begins_with(dir.path(), None), changed);
    }

    #[tokio::test]
    async fn newest_of_the_roots_is_begun_with_and_another_networks_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let given = at(GENESIS_MS + 20);
        assert_eq!(begins_with(dir.path(), Some(given.clone())), given);
        let mut kept = KeptTrust::open(dir.path(), genesis(), None).unwrap();
        kept.note(&at(GENESIS_MS + 10)).await;
        assert_eq!(begins_with(dir.path(), Some(given.clone())), given);
        assert_eq!(begins_with(dir.path(), None), at(GENESIS_MS + 10));
        assert_eq!(
            begins_with(dir.path(), Some(at(GENESIS_MS + 5))),
            at(GENESIS_MS + 10)
        );
        let mut foreign = given;
        foreign.network = B256::repeat_byte(2);
        let refused = KeptTrust::open(dir.path(), genesis(), Some(foreign)).unwrap_err();
        assert!(refused.to_string().contains("network"), "{refused}");
    }

    #[test]
    fn who_has_all_keys_vouches_for_validators_of_any_age() {
        let dir = tempfile::tempdir().unwrap();
        let mut kept = KeptTrust::open(dir.path(), genesis(), None).unwrap();
        let now_ms = GENESIS_MS + 50_000_000;
        kept.vouch(now_ms);
        assert!(kept.root().is_fresh(now_ms));
    }

    #[test]
    fn file_that_holds_no_root_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "{}").unwrap();
        let refused = KeptTrust::open(dir.path(), genesis(), None).unwrap_err();
        assert!(refused.to_string().contains(FILE), "{refused}");
    }
}
