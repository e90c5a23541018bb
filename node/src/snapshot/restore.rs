//! Begins a node's directory with a snapshot that somebody made, who is not believed.
//!
//! ```text
//! files ─► hashes of snapshot.json ─► copied beside ─► checked from genesis ─► amnesia ─► db/
//! ```
//! What is checked is what was copied. Until the last step, one rename, the directory has no blocks.

use std::fs;
use std::path::{Path, PathBuf};

use cloverleaf_journal::FileDisk;
use cloverleaf_storage::{Checked, Store};
use cloverleaf_types::{Genesis, NetworkId, Secp256k1, TrustRoot};
use eyre::{Result, WrapErr as _, bail, eyre};

use super::{Contents, blocks_dir, files};
use crate::home::{Home, make_private_dir};
use crate::sequencer::forget_signed;

/// Findings that a refusal tells.
const FINDINGS_TOLD: usize = 5;

/// What a directory begins with.
#[derive(Debug)]
pub(crate) struct Restored {
    /// What was checked.
    pub(crate) checked: Checked,
    /// Places of transactions and bundles that were left out: the blocks that they name were pruned, so
    /// nothing vouches for them.
    pub(crate) places_left_out: u64,
}

/// Checks a snapshot and changes nothing: its files, and all of its blocks from genesis, or also against
/// what is trusted besides.
///
/// # Errors
/// What is wrong first, by its file or its height.
pub(crate) fn verify(
    snapshot: &Path,
    genesis: &Genesis,
    trusted: Option<TrustRoot>,
) -> Result<Checked> {
    let contents = Contents::read(snapshot)?;
    check_network(&contents, genesis, trusted.as_ref())?;
    let blocks = blocks_dir(snapshot);
    files::check(&blocks, &contents.files)?;
    check_blocks(&blocks, &contents, genesis, trusted)
}

/// Puts a snapshot's blocks into a node's directory that has none, after all of it was checked. The
/// directory's key has amnesia from then on (D4): nobody can tell what it signed while these blocks were
/// made.
///
/// # Errors
/// There are blocks, or what is wrong with the snapshot first; the directory is as before then, but that
/// its key may have amnesia already.
pub(crate) fn restore(
    home: &Home,
    snapshot: &Path,
    trusted: Option<TrustRoot>,
) -> Result<Restored> {
    let (store, genesis) = (home.store_dir(), &home.genesis);
    let is_empty = holds_nothing(&store, genesis.network())?;
    if store.exists() && !is_empty {
        bail!(
            "{} is there already; keep it aside first, so that there is one history",
            store.display()
        );
    }
    let contents = Contents::read(snapshot)?;
    check_network(&contents, genesis, trusted.as_ref())?;
    let beside = beside(home)?;
    let filled = fill(&beside, snapshot, &contents, genesis, trusted);
    if filled.is_err() {
        let _what_is_left_is_removed_by_the_next = fs::remove_dir_all(&beside);
    }
    let restored = filled?;
    let journals = FileDisk::open(home.journal_dir())?;
    // D4
    forget_signed(&journals, home.keys.address())?;
    if is_empty {
        fs::remove_dir_all(&store).wrap_err_with(|| format!("removing {}", store.display()))?;
    }
    fs::rename(&beside, &store).wrap_err_with(|| format!("renaming {}", beside.display()))?;
    files::sync(&home.dir)?;
    Ok(restored)
}

/// Whether there is a store that a start began, and no block in it yet.
fn holds_nothing(store: &Path, network: NetworkId) -> Result<bool> {
    Ok(Store::is_begun(store)? && Store::open_to_read(store, network)?.is_none())
}

/// An empty directory beside the store's place.
fn beside(home: &Home) -> Result<PathBuf> {
    let path = home.dir.join("db.restoring");
    if path.exists() {
        fs::remove_dir_all(&path).wrap_err_with(|| format!("removing {}", path.display()))?;
    }
    make_private_dir(&path)?;
    Ok(path)
}

fn fill(
    to: &Path,
    snapshot: &Path,
    contents: &Contents,
    genesis: &Genesis,
    trusted: Option<TrustRoot>,
) -> Result<Restored> {
    files::copy(&blocks_dir(snapshot), &contents.files, to)?;
    let checked = check_blocks(to, contents, genesis, trusted)?;
    let places_left_out = Store::open(to, genesis.network())?.forget_unproven_places()?;
    Ok(Restored {
        checked,
        places_left_out,
    })
}

fn check_network(
    contents: &Contents,
    genesis: &Genesis,
    trusted: Option<&TrustRoot>,
) -> Result<()> {
    let (found, expected) = (contents.network, genesis.network());
    if found != expected {
        bail!("the snapshot is of network {found}, and the genesis of {expected}");
    }
    match trusted.map(|root| root.network) {
        Some(found) if found != expected => {
            bail!("the trust root is of network {found}, and the genesis of {expected}")
        }
        _ => Ok(()),
    }
}

fn check_blocks(
    blocks: &Path,
    contents: &Contents,
    genesis: &Genesis,
    trusted: Option<TrustRoot>,
) -> Result<Checked> {
    // D7
    let store = Store::open_to_read(blocks, genesis.network())?;
    let store = store.ok_or_else(|| eyre!("{} holds no block", blocks.display()))?;
    let checked = store.check_from(genesis, trusted, &Secp256k1)?;
    let checked = checked.ok_or_else(|| eyre!("{} holds no block", blocks.display()))?;
    if !checked.is_whole() {
        let found = checked.findings.iter().take(FINDINGS_TOLD);
        let found: Vec<String> = found.map(ToString::to_string).collect();
        bail!(
            "the snapshot is not what the network decided, and nothing of it is used:\n{}",
            found.join("\n")
        );
    }
    let tip = store.tip();
    if tip != Some((contents.last, contents.block_hash)) {
        bail!(
            "snapshot.json names block {}, {}, as the latest; the blocks end with {tip:?}",
            contents.last,
            contents.block_hash
        );
    }
    Ok(checked)
}
