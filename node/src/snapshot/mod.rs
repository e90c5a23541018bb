//! Snapshots: a node's blocks in a directory of their own, which another node can begin with.
//!
//! ```text
//! SNAPSHOT/
//!   snapshot.json   the network, from where to where the blocks go, every file of db/ with its hash
//!   db/             decided blocks (RocksDB)
//! ```
//! Nothing else is in it: no key, no vote, no parcel (D2). A snapshot without `snapshot.json` was never
//! finished. Whoever restores one believes nothing of it: see [`restore`].

mod create;
mod files;
mod restore;

use std::path::{Path, PathBuf};

use cloverleaf_types::{B256, Height};
use eyre::{Result, WrapErr as _, bail};
use serde::{Deserialize, Serialize};

use files::Entry;

pub(crate) use create::create;
pub(crate) use restore::{Restored, restore, verify};

/// The version of the layout.
const FORMAT: u32 = 1;

/// The file that a snapshot has when it is finished.
const CONTENTS: &str = "snapshot.json";

/// Longest `snapshot.json`, in bytes: a hundred thousand files, of 64 MB or more each.
const CONTENTS_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// What a snapshot says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Contents {
    format: u32,
    /// The network.
    pub(crate) network: B256,
    /// The lowest block in it.
    pub(crate) first: Height,
    /// The latest.
    pub(crate) last: Height,
    /// The latest's hash.
    pub(crate) block_hash: B256,
    /// The files of `db/`, by name.
    pub(crate) files: Vec<Entry>,
}

impl Contents {
    fn read(snapshot: &Path) -> Result<Self> {
        let path = snapshot.join(CONTENTS);
        let reading = || {
            format!(
                "{} is no finished snapshot: reading {CONTENTS}",
                snapshot.display()
            )
        };
        let bytes = path.metadata().wrap_err_with(reading)?.len();
        if bytes > CONTENTS_BYTES_MAX {
            bail!(
                "{} has {bytes} bytes, at most {CONTENTS_BYTES_MAX} are possible",
                path.display()
            );
        }
        let text = std::fs::read_to_string(&path).wrap_err_with(reading)?;
        let contents: Self = serde_json::from_str(&text)
            .wrap_err_with(|| format!("{} is not what `snapshot create` wrote", path.display()))?;
        if contents.format != FORMAT {
            bail!(
                "{} has format {}, this version reads {FORMAT}; use the version that wrote it",
                snapshot.display(),
                contents.format
            );
        }
        Ok(contents)
    }
}

/// Where a snapshot's blocks are.
fn blocks_dir(snapshot: &Path) -> PathBuf {
    snapshot.join("db")
}
