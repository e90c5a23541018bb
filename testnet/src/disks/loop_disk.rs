//! A disk of a size: an ext4 in a file.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::commands::run;
use crate::process::Error;

const MIB: u64 = 1024 * 1024;

/// What is written block by block, in bytes, when a disk is filled to its last byte: its own books and
/// what others write take a part of it that nobody knows before.
const LAST_BYTES: u64 = 8 * MIB;

/// A mounted image. Whoever drops it unmounts it and lets go of its loop device.
#[derive(Debug)]
pub struct LoopDisk {
    mount: PathBuf,
    device: String,
    is_mounted: bool,
}

impl LoopDisk {
    /// Makes an empty disk in a new file, and mounts it at a new directory.
    ///
    /// # Errors
    /// It cannot be made: mostly because nobody but root can.
    pub fn make(image: &Path, size_mib: u64, mount: &Path) -> Result<Self, Error> {
        let what = || format!("making {}", image.display());
        let file = File::create(image).map_err(Error::system(what()))?;
        file.set_len(size_mib * MIB)
            .map_err(Error::system(what()))?;
        // Without blocks that only root may use: nodes run as root here.
        let options = ["-q", "-F", "-m", "0"].map(AsRef::as_ref);
        run("mkfs.ext4", &[&options[..], &[image.as_os_str()]].concat())?;
        let disk = Self::attach(image, mount)?;
        let _is_not_there = fs::remove_dir(mount.join("lost+found"));
        Ok(disk)
    }

    /// Mounts an image. What is written goes to its file directly, so that the file is what a disk
    /// would have: nothing of it waits in the machine's own cache of that file.
    ///
    /// # Errors
    /// It cannot be mounted.
    pub fn attach(image: &Path, mount: &Path) -> Result<Self, Error> {
        let what = format!("making {}", mount.display());
        fs::create_dir_all(mount).map_err(Error::system(what))?;
        let options = ["--find", "--show", "--direct-io=on"].map(AsRef::as_ref);
        let device = run("losetup", &[&options[..], &[image.as_os_str()]].concat())?;
        // From here on its end lets go of the device.
        let mut disk = Self {
            mount: mount.to_owned(),
            device,
            is_mounted: false,
        };
        run("mount", &[disk.device.as_ref(), mount.as_os_str()])?;
        disk.is_mounted = true;
        Ok(disk)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// Bytes that others than root may still write.
    ///
    /// # Errors
    /// The system does not say.
    pub fn free_bytes(&self) -> Result<u64, Error> {
        let arguments = ["--output=avail", "--block-size=1"].map(AsRef::as_ref);
        let said = run("df", &[&arguments[..], &[self.mount.as_os_str()]].concat())?;
        let free = said
            .lines()
            .last()
            .and_then(|line| line.trim().parse().ok());
        free.ok_or_else(|| Error::Shape {
            what: "what `df` says".to_owned(),
            problem: said.clone(),
        })
    }

    /// Fills it with a file of this name until so many bytes are free.
    ///
    /// # Errors
    /// There are fewer already, or the file cannot be made.
    pub fn fill(&self, name: &str, left_bytes: u64) -> Result<(), Error> {
        let taken = self.free_bytes()?.saturating_sub(left_bytes);
        let file = self.mount.join(name);
        let length = ["--length".to_owned(), taken.to_string()];
        let [option, length] = &length;
        run(
            "fallocate",
            &[option.as_ref(), length.as_ref(), file.as_os_str()],
        )
        .map(drop)
    }

    /// Fills it with a file of this name to its last byte, whatever others write meanwhile.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn fill_up(&self, name: &str) -> Result<(), Error> {
        self.fill(name, LAST_BYTES)?;
        let path = self.mount.join(name);
        let what = || format!("filling {}", path.display());
        let mut file = File::options()
            .append(true)
            .open(&path)
            .map_err(Error::system(what()))?;
        loop {
            match file.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(full) if full.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(Error::system(what())(error)),
            }
        }
    }

    /// Removes a file that it was filled with.
    ///
    /// # Errors
    /// There is none.
    pub fn empty(&self, name: &str) -> Result<(), Error> {
        let file = self.mount.join(name);
        fs::remove_file(&file).map_err(Error::system(format!("removing {}", file.display())))
    }

    /// Unmounts it now. Its file stays.
    pub fn detach(self) {
        drop(self);
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        let mount = self.mount.as_os_str();
        if self.is_mounted && run("umount", &[mount]).is_err() {
            // Somebody still has a file open: it goes away with him.
            let _gone_later = run("umount", &["--lazy".as_ref(), mount]);
        }
        let _is_free = run("losetup", &["--detach", &self.device]);
    }
}
