//! Files that are there after power was lost: what names a node and its network is written once, and
//! nothing makes it again.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use eyre::{Context as _, Result};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It may exist, and everybody may read it.
    Open,
    /// It is new, and its owner's alone.
    Secret,
}

/// Writes a file; its bytes and its name are durable then.
///
/// # Errors
/// It cannot be written, or a secret is there already.
pub(super) fn write(path: &Path, text: &str, kind: Kind) -> Result<()> {
    let mut options = OpenOptions::new();
    match kind {
        Kind::Open => options.write(true).create(true).truncate(true),
        Kind::Secret => options.write(true).create_new(true).mode(0o600),
    };
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.wrap_err_with(|| format!("writing {}", path.display()))?;
    sync_names(path.parent().unwrap_or(path))
}

/// Makes the names in a directory durable.
///
/// # Errors
/// The disk failed.
pub(super) fn sync_names(dir: &Path) -> Result<()> {
    // What a path without a parent is in.
    let here = Path::new(".");
    let dir = if dir.as_os_str().is_empty() {
        here
    } else {
        dir
    };
    let synced = File::open(dir).and_then(|opened| opened.sync_all());
    synced.wrap_err_with(|| format!("writing {}", dir.display()))
}
