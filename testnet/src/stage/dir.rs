//! Where a network keeps its files while it is looked at.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::disks;
use crate::process::Error;

/// An empty directory, removed when nobody has to look at it any more: a node's disk is 75 MB.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
    is_kept: bool,
    /// Locked, so that no other run takes the directory for one that failed.
    _held: File,
}

impl Dir {
    /// Makes it anew; what a failed run left there goes.
    ///
    /// # Errors
    /// It cannot be made, or another run has it.
    pub fn new(path: PathBuf) -> Result<Self, Error> {
        let held = hold(&path).map_err(Error::system(format!("taking {}", path.display())))?;
        disks::sweep(&path);
        let _what_a_failed_run_left = fs::remove_dir_all(&path);
        let what = format!("making {}", path.display());
        fs::create_dir_all(&path).map_err(Error::system(what))?;
        Ok(Self {
            path,
            is_kept: false,
            _held: held,
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

fn hold(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let held = File::create(path.with_added_extension("lock"))?;
    held.try_lock()?;
    Ok(held)
}

impl Drop for Dir {
    fn drop(&mut self) {
        if !self.is_kept && !std::thread::panicking() {
            let _gone = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_of_a_run_is_not_taken_by_another() {
        let dir = Dir::of_process("dir-test").unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "kept").unwrap();
        assert!(Dir::new(dir.path().to_owned()).is_err());
        assert!(file.exists());
        let path = dir.path().to_owned();
        drop(dir);
        assert!(Dir::new(path).is_ok());
    }
}
