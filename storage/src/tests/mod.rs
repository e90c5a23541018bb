//! The store on a real RocksDB in a temporary directory.

mod check;
mod damage;
mod durability;
mod fixture;
mod flips;
mod index;
mod lookups;
mod model;
mod prune;
mod reads;
mod real;
mod recent;
mod snapshot;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Store;
use fixture::{Chain, NETWORK};

/// A store in a directory that goes away.
struct Home {
    directory: TempDir,
}

impl Home {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self { directory }
    }

    /// A directory that does not exist before it is opened.
    fn path(&self) -> PathBuf {
        self.directory.path().join("node").join("blocks")
    }

    fn open(&self) -> Store {
        Store::open(&self.path(), NETWORK).unwrap()
    }

    /// The files as they are now, as if the process had been killed: nothing is flushed or closed.
    fn crash_image(&self, store: &Store) -> Self {
        // Files must not come and go while they are copied one by one.
        store.database().settle().unwrap();
        self.copy()
    }

    fn copy(&self) -> Self {
        let image = Self::new();
        fs::create_dir_all(image.path()).unwrap();
        for file in fs::read_dir(self.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), image.path().join(file.file_name())).unwrap();
        }
        image
    }

    /// RocksDB's latest log with anything in it.
    fn log(&self) -> PathBuf {
        let files = fs::read_dir(self.path()).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let is_log =
            |path: &PathBuf| path.extension().is_some_and(|it| it == "log") && length(path) > 0;
        files.filter(is_log).max().unwrap()
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// A store with this many blocks.
fn store_with(blocks: u64) -> (Home, Store, Chain) {
    let (home, mut chain) = (Home::new(), Chain::new());
    let store = home.open();
    for _ in 0..blocks {
        store.commit(&chain.next_usual().commit()).unwrap();
    }
    (home, store, chain)
}
