//! Makes a snapshot, of a running node and of a stopped one.

use std::fs;
use std::path::Path;

use cloverleaf_storage::Store;
use cloverleaf_types::{Genesis, Height};
use eyre::{Result, WrapErr as _, bail, eyre};

use super::{CONTENTS, Contents, FORMAT, blocks_dir, files};
use crate::home::{Lock, make_private_dir, read_genesis, store_dir};
use crate::operator::{self, Request};

/// Makes a snapshot of the blocks of a node's directory. A node that runs from it goes on; what it has
/// decided so far is in the snapshot.
///
/// # Errors
/// `out` exists, there is no block yet, or the disk failed; `out` is gone then.
pub(crate) fn create(home: &Path, out: &Path) -> Result<Contents> {
    let genesis = read_genesis(&home.join("genesis.json"))?;
    if out.exists() {
        bail!("{} exists; name a new directory", out.display());
    }
    make_private_dir(out)?;
    let created = fill(home, out, &genesis);
    if created.is_err() {
        let _what_is_left_says_that_it_is_not_finished = fs::remove_dir_all(out);
    }
    created
}

fn fill(home: &Path, out: &Path, genesis: &Genesis) -> Result<Contents> {
    let blocks = blocks_dir(&std::path::absolute(out)?);
    copy_blocks(home, &blocks, genesis)?;
    let store = Store::open_to_read(&blocks, genesis.network())?;
    let store = store.ok_or_else(|| nothing(home))?;
    let (last, block_hash) = store.tip().ok_or_else(|| nothing(home))?;
    let first = store.first_height()?.unwrap_or(Height(1));
    if !store.has_window(genesis.parameters.replay_window_ms)? {
        bail!(
            "{} lacks blocks of the replay window, so no node could go on from it (W1); take the \
             snapshot of another node",
            store_dir(home).display()
        );
    }
    drop(store);
    let contents = Contents {
        format: FORMAT,
        network: genesis.network(),
        first,
        last,
        block_hash,
        files: files::list(&blocks)?,
    };
    let path = out.join(CONTENTS);
    let text = serde_json::to_string_pretty(&contents)? + "\n";
    let written = fs::write(&path, text).and_then(|()| fs::File::open(&path)?.sync_all());
    written.wrap_err_with(|| format!("writing {}", path.display()))?;
    files::sync(out)?;
    Ok(contents)
}

/// Whoever has the directory's lock makes the copy: this process, or the node that it asks.
fn copy_blocks(home: &Path, to: &Path, genesis: &Genesis) -> Result<()> {
    let _lock = match Lock::take(home) {
        Ok(lock) => lock,
        Err(in_use) => {
            let to = to.to_path_buf();
            return operator::ask(home, &Request::Snapshot { to }).wrap_err(in_use);
        }
    };
    let (blocks, network) = (store_dir(home), genesis.network());
    // Looked at first: a store that is opened to be written is made when there is none.
    drop(Store::open_to_read(&blocks, network)?.ok_or_else(|| nothing(home))?);
    Ok(Store::open(&blocks, network)?.snapshot(to)?)
}

fn nothing(home: &Path) -> eyre::Report {
    eyre!("{} holds no block yet", store_dir(home).display())
}
