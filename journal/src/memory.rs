//! A disk in memory that can crash, for the simulator and for tests, and for looking at journals without
//! touching them.
//!
//! It keeps apart what is synced and what is only written. [`MemoryDisk::crash`] keeps the first and
//! does to the second what power loss does: it keeps a prefix, or any of its sectors, and what is missing
//! is the end of the file or zeros. All of it follows from the seed. Names (a new file, a rename, a removal) are
//! durable at once, as the seam demands.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Disk, File};

/// What a disk writes at once, in bytes.
const SECTOR_BYTES: usize = 512;

/// A folder in memory. Clones are handles to the same folder.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    files: Arc<Mutex<BTreeMap<String, MemoryFile>>>,
}

/// A file of a [`MemoryDisk`]. Clones are handles to the same file.
#[derive(Clone, Debug, Default)]
pub struct MemoryFile {
    content: Arc<Mutex<Content>>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// How many of the bytes survive a crash for certain.
    synced_len: usize,
    /// How often the file was synced.
    syncs: u64,
}

impl MemoryDisk {
    /// An empty folder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Power loss: every file loses a part of what was not synced, or all of it; what is lost may
    /// be zeros instead, and a later sector may be kept where an earlier one is lost. The same seed on the same content gives the same result. Handles that were
    /// opened before write to files that are no longer there.
    pub fn crash(&mut self, seed: u64) {
        let mut random = SplitMix(seed);
        for file in lock(&self.files).values_mut() {
            let mut content = lock(&file.content).clone();
            let written = content.bytes.len();
            let kept = random.between(content.synced_len, written);
            match random.next() % 3 {
                0 => content.bytes.truncate(kept),
                1 => {
                    let grown = random.between(kept, written);
                    content.bytes.truncate(kept);
                    content.bytes.resize(grown, 0);
                }
                _ => {
                    content.bytes.truncate(random.between(kept, written));
                    content.lose_sectors(&mut random);
                }
            }
            content.synced_len = content.bytes.len();
            *file = MemoryFile {
                content: Arc::new(Mutex::new(content)),
            };
        }
    }

    /// The bytes that a crash could take, over all files.
    pub fn unsynced_bytes(&self) -> usize {
        let files = lock(&self.files);
        files
            .values()
            .map(|file| lock(&file.content))
            .map(|c| c.bytes.len() - c.synced_len)
            .sum()
    }

    /// How often a file of this name was synced; 0 when there is none.
    pub fn syncs(&self, name: &str) -> u64 {
        lock(&self.files)
            .get(name)
            .map_or(0, |file| lock(&file.content).syncs)
    }

    /// What is in the file, when there is one.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        lock(&self.files)
            .get(name)
            .map(|file| lock(&file.content).bytes.clone())
    }

    /// Puts `bytes` into the file, durably, whatever was there: a disk that rots, or a backup that
    /// was put back.
    pub fn set_contents(&mut self, name: &str, bytes: Vec<u8>) {
        let content = Content {
            synced_len: bytes.len(),
            bytes,
            syncs: 0,
        };
        let file = MemoryFile {
            content: Arc::new(Mutex::new(content)),
        };
        lock(&self.files).insert(name.to_owned(), file);
    }
}

impl Content {
    /// Each sector of what was not synced is written, or it is what it was before: synced bytes and zeros.
    fn lose_sectors(&mut self, random: &mut SplitMix) {
        let synced_len = self.synced_len;
        for (sector, bytes) in self.bytes.chunks_mut(SECTOR_BYTES).enumerate() {
            let synced = synced_len.saturating_sub(sector * SECTOR_BYTES);
            let unsynced = bytes.get_mut(synced..).unwrap_or_default();
            if random.next().is_multiple_of(2) {
                unsynced.fill(0);
            }
        }
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;

    fn open(&self, name: &str) -> io::Result<MemoryFile> {
        Ok(lock(&self.files)
            .entry(name.to_owned())
            .or_default()
            .clone())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.files).keys().cloned().collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = lock(&self.files);
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no file `{from}`"));
        let file = files.remove(from).ok_or_else(missing)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        lock(&self.files).remove(name);
        Ok(())
    }
}

impl File for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        lock(&self.content).bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut content = lock(&self.content);
        content.synced_len = content.bytes.len();
        content.syncs += 1;
        Ok(())
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(lock(&self.content).bytes.clone())
    }

    /// Durable at once: the only tails that a journal cuts off were never synced, so a cut that
    /// comes undone would only be made again.
    fn truncate(&mut self, len_bytes: u64) -> io::Result<()> {
        let mut content = lock(&self.content);
        let len = usize::try_from(len_bytes).map_err(io::Error::other)?;
        content.bytes.resize(len, 0);
        content.synced_len = content.synced_len.min(len);
        Ok(())
    }
}

/// Nothing is left half done under these locks, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// SplitMix64: eight lines of good enough randomness, the same on every machine.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included.
    fn between(&mut self, low: usize, high: usize) -> usize {
        let choices = u64::try_from(high - low).expect("an address has at most 64 bits") + 1;
        low + usize::try_from(self.next() % choices).expect("not above high")
    }
}
