//! Where a network keeps its files while it is looked at.

use std::fs;
use std::path::{Path, PathBuf};

use crate::disks;
use crate::process::Error;

/// An empty directory, removed when nobody has to look at it any more: a node's disk is 75 MB.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
    is_kept: bool,
}

impl Dir {
    /// Makes it anew; what a failed run left there goes.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(path: PathBuf) -> Result<Self, Error> {
        disks::sweep(&path);
        let _what_a_failed_run_left = fs::remove_dir_all(&path);
        let what = format!("making {}", path.display());
        fs::create_dir_all(&path).map_err(Error::system(what))?;
        Ok(Self {
            path,
            is_kept: false,
        })
    }

    /// One that no other process has.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn of_process(name: &str) -> Result<Self, Error> {
        let name = format!("cloverleaf-{name}-{}", std::process::id());
        Self::new(std::env::temp_dir().join(name))
    }

    /// One beside this executable, which is on a disk: where others are may be memory alone.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn beside_executable(name: &str) -> Result<Self, Error> {
        let executable = std::env::current_exe();
        let executable = executable.map_err(Error::system("finding this executable"))?;
        let folder = executable.parent().unwrap_or(Path::new("."));
        Self::new(folder.join(name))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It stays, for whoever looks into it.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if !self.is_kept && !std::thread::panicking() {
            let _gone = fs::remove_dir_all(&self.path);
        }
    }
}
