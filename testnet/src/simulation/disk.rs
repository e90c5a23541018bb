//! A disk whose power can fail in the middle of a sync.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloverleaf_journal::memory::{MemoryDisk, MemoryFile};
use cloverleaf_journal::{Disk, File};

/// The journals' disk of one machine: in memory, kept over restarts.
#[derive(Clone, Debug)]
pub(crate) struct PoweredDisk {
    memory: MemoryDisk,
    power: Arc<AtomicBool>,
}

/// A file of it.
#[derive(Debug)]
pub(crate) struct PoweredFile {
    memory: MemoryFile,
    power: Arc<AtomicBool>,
}

impl PoweredDisk {
    pub(crate) fn new() -> Self {
        Self {
            memory: MemoryDisk::new(),
            power: Arc::new(AtomicBool::new(true)),
        }
    }

    /// From now on nothing is synced any more: what is written may be lost.
    pub(crate) fn fail_power(&self) {
        self.power.store(false, Ordering::Relaxed);
    }

    /// The files whose names begin so are gone.
    pub(crate) fn wipe(&self, prefix: &str) {
        let files = self.memory.list().expect("a disk in memory lists");
        for name in files.iter().filter(|name| name.starts_with(prefix)) {
            self.memory.remove(name).expect("a disk in memory removes");
        }
    }

    /// What it holds now, written or synced, as a copy holds it.
    pub(crate) fn copy(&self) -> Vec<(String, Vec<u8>)> {
        let files = self.memory.list().expect("a disk in memory lists");
        let content = |name: String| {
            let bytes = self.memory.contents(&name)?;
            Some((name, bytes))
        };
        files.into_iter().filter_map(content).collect()
    }

    /// A copy of the files whose names begin so is put back in their place.
    pub(crate) fn put_back(&mut self, prefix: &str, files: Vec<(String, Vec<u8>)>) {
        self.wipe(prefix);
        for (name, bytes) in files {
            self.memory.set_contents(&name, bytes);
        }
    }

    /// Power is back: what was not synced is gone, in part or torn.
    pub(crate) fn restore_power(&mut self, seed: u64) {
        self.memory.crash(seed);
        self.power.store(true, Ordering::Relaxed);
    }
}

impl Disk for PoweredDisk {
    type File = PoweredFile;

    fn open(&self, name: &str) -> io::Result<PoweredFile> {
        let memory = self.memory.open(name)?;
        let power = Arc::clone(&self.power);
        Ok(PoweredFile { memory, power })
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.memory.list()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.memory.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.memory.remove(name)
    }
}

impl File for PoweredFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.memory.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.power.load(Ordering::Relaxed) {
            self.memory.sync()
        } else {
            Err(io::Error::other("the power is gone"))
        }
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        self.memory.read()
    }

    fn truncate(&mut self, len_bytes: u64) -> io::Result<()> {
        self.memory.truncate(len_bytes)
    }
}
