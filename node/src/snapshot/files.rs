//! The files of a snapshot, each with its length and hash, so that one that was lost or changed on the
//! way is named.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use alloy_primitives::Keccak256;
use cloverleaf_types::B256;
use eyre::{Result, WrapErr as _, bail};
use serde::{Deserialize, Serialize};

/// Bytes that are read at a time.
const READ_BYTES: usize = 1024 * 1024;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Entry {
    name: String,
    bytes: u64,
    hash: B256,
}

/// All files of a folder, by name.
pub(super) fn list(folder: &Path) -> Result<Vec<Entry>> {
    let names = names(folder)?.into_iter();
    let entries = names.map(|name| {
        let path = folder.join(&name);
        let (bytes, hash) = read(&path, |_| Ok(()))?;
        Ok(Entry { name, bytes, hash })
    });
    entries.collect()
}

/// Checks that a folder holds these files and no others.
pub(super) fn check(folder: &Path, entries: &[Entry]) -> Result<()> {
    check_names(folder, entries)?;
    entries.iter().try_for_each(|entry| {
        let path = folder.join(&entry.name);
        entry.compare(&path, read(&path, |_| Ok(()))?)
    })
}

/// Copies a folder's files into a new one and syncs them; the bytes that were checked are those that were
/// written.
pub(super) fn copy(folder: &Path, entries: &[Entry], to: &Path) -> Result<()> {
    check_names(folder, entries)?;
    for entry in entries {
        let (path, target) = (folder.join(&entry.name), to.join(&entry.name));
        let writing = || format!("writing {}", target.display());
        let mut file = File::create_new(&target).wrap_err_with(writing)?;
        let found = read(&path, |bytes| file.write_all(bytes).wrap_err_with(writing))?;
        entry.compare(&path, found)?;
        file.sync_all().wrap_err_with(writing)?;
    }
    sync(to)
}

/// Makes the names in a folder durable.
pub(super) fn sync(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.wrap_err_with(|| format!("syncing {}", folder.display()))
}

impl Entry {
    fn compare(&self, path: &Path, (bytes, hash): (u64, B256)) -> Result<()> {
        if bytes != self.bytes {
            bail!("{} has {bytes} bytes, not {}", path.display(), self.bytes);
        }
        if hash != self.hash {
            bail!(
                "{} has changed: its hash is {hash}, not {}",
                path.display(),
                self.hash
            );
        }
        Ok(())
    }
}

fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let listing = || format!("listing {}", folder.display());
    let mut names = BTreeSet::new();
    for found in fs::read_dir(folder).wrap_err_with(listing)? {
        let found = found.wrap_err_with(listing)?;
        let path: PathBuf = found.path();
        if !found.file_type().wrap_err_with(listing)?.is_file() {
            bail!("{} is no file", path.display());
        }
        let name = found.file_name().into_string();
        names
            .insert(name.map_err(|_| eyre::eyre!("{} is no name of a file here", path.display()))?);
    }
    Ok(names)
}

/// A name that is in the folder holds no path out of it.
fn check_names(folder: &Path, entries: &[Entry]) -> Result<()> {
    let found = names(folder)?;
    let listed: BTreeSet<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    if let Some(name) = listed.difference(&found).next() {
        bail!("{} is missing", folder.join(name).display());
    }
    if let Some(name) = found.difference(&listed).next() {
        bail!(
            "{} is not listed in the snapshot",
            folder.join(name).display()
        );
    }
    Ok(())
}

/// Reads a file through, and gives its length and hash.
fn read(path: &Path, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<(u64, B256)> {
    let reading = || format!("reading {}", path.display());
    let mut file = File::open(path).wrap_err_with(reading)?;
    let (mut buffer, mut bytes, mut hasher) = (vec![0; READ_BYTES], 0_u64, Keccak256::new());
    loop {
        let read = file.read(&mut buffer).wrap_err_with(reading)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else {
            return Ok((bytes, hasher.finalize()));
        };
        hasher.update(part);
        each(part)?;
        bytes = bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with two files, and its list.
    fn folder() -> (tempfile::TempDir, Vec<Entry>) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), b"alpha").unwrap();
        fs::write(dir.path().join("b"), b"beta").unwrap();
        let entries = list(dir.path()).unwrap();
        (dir, entries)
    }

    fn refusal(dir: &Path, entries: &[Entry]) -> String {
        check(dir, entries).unwrap_err().to_string()
    }

    #[test]
    fn folder_with_a_lost_changed_cut_or_added_file_is_refused_by_the_files_name() {
        let (dir, entries) = folder();
        let dir = dir.path();
        check(dir, &entries).unwrap();
        fs::write(dir.join("b"), b"bet@").unwrap();
        assert!(refusal(dir, &entries).contains("/b has changed"));
        fs::write(dir.join("b"), b"bet").unwrap();
        assert!(refusal(dir, &entries).contains("/b has 3 bytes, not 4"));
        fs::remove_file(dir.join("b")).unwrap();
        assert!(refusal(dir, &entries).contains("/b is missing"));
        fs::write(dir.join("b"), b"beta").unwrap();
        fs::write(dir.join("c"), b"").unwrap();
        assert!(refusal(dir, &entries).contains("/c is not listed"));
    }

    #[test]
    fn copy_has_what_was_listed_and_ends_at_a_file_that_has_changed() {
        let (dir, entries) = folder();
        let to = tempfile::tempdir().unwrap();
        copy(dir.path(), &entries, to.path()).unwrap();
        assert_eq!(list(to.path()).unwrap(), entries);
        fs::write(dir.path().join("a"), b"Alpha").unwrap();
        let to = tempfile::tempdir().unwrap();
        let refused = copy(dir.path(), &entries, to.path()).unwrap_err();
        assert!(refused.to_string().contains("/a has changed"), "{refused}");
    }
}
