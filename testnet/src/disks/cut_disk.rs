//! A disk whose power can be cut at any instant, while what writes to it goes on.
//!
//! ```text
//!   files ─► inner ext4 ─► loop device, direct ─► image ─► outer ext4 ─► loop device
//!                 page cache: lost by a cut         ▲ frozen, copied, thawed
//! ```
//! A copy of an image that is written to meanwhile is of no instant: it can hold a block that was
//! written after a flush, and lack one from before it, which no cut of power leaves; the inner journal
//! could not mend that. Where files are copied by reference the copy is atomic, but ext4 cannot. To
//! freeze the inner system would sync it, and nothing could be lost. So the outer one is frozen: every
//! write to the image that was over is in it, every other one waits, and what is in the inner system's
//! memory stays there. The copy is the disk of that instant, and the node notices a slow write.
//!
//! What a drive with a volatile cache loses besides, writes that were over and never flushed, is not
//! lost here: the simulator's disks lose that.

use std::path::{Path, PathBuf};

use super::LoopDisk;
use super::commands::run;
use crate::process::Error;

/// How much larger than the inner disk the outer one is, in MiB: for its own books.
const AROUND_MIB: u64 = 128;

/// A disk whose power can be cut. Whoever drops it unmounts both.
#[derive(Debug)]
pub struct CutDisk {
    inner: Option<LoopDisk>,
    image: PathBuf,
    mount: PathBuf,
    outer: LoopDisk,
}

/// Lets the writes go on, also after a failure.
struct Frozen<'a>(&'a Path);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let _thawed = run("fsfreeze", &["--unfreeze".as_ref(), self.0.as_os_str()]);
    }
}

impl CutDisk {
    /// Makes an empty disk in a new directory.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make(dir: &Path, size_mib: u64) -> Result<Self, Error> {
        let what = format!("making {}", dir.display());
        std::fs::create_dir_all(dir).map_err(Error::system(what))?;
        let (outside, mount) = (dir.join("outer"), dir.join("disk"));
        let outer = LoopDisk::make(&dir.join("outer.img"), size_mib + AROUND_MIB, &outside)?;
        let image = outside.join("disk.img");
        let inner = Some(LoopDisk::make(&image, size_mib, &mount)?);
        Ok(Self {
            inner,
            image,
            mount,
            outer,
        })
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// Copies what the disk holds at this instant into a file, then does something before writes go on:
    /// whatever leaves a process until then was durable before.
    ///
    /// # Errors
    /// It cannot be frozen or copied.
    pub fn cut<T>(&self, copy: &Path, before_it_goes_on: impl FnOnce() -> T) -> Result<T, Error> {
        let outside = self.outer.path();
        run("fsfreeze", &["--freeze".as_ref(), outside.as_os_str()])?;
        let frozen = Frozen(outside);
        let sparse = ["--sparse=always".as_ref(), self.image.as_os_str()];
        run("cp", &[&sparse[..], &[copy.as_os_str()]].concat())?;
        let done = before_it_goes_on();
        drop(frozen);
        Ok(done)
    }

    /// Goes on with a copy in the place of what the disk has: power is there again. Nobody may use the
    /// disk meanwhile.
    ///
    /// # Errors
    /// The copy cannot be mounted.
    pub fn go_on_with(&mut self, copy: &Path) -> Result<(), Error> {
        self.inner = None;
        let sparse = ["--sparse=always".as_ref(), copy.as_os_str()];
        run("cp", &[&sparse[..], &[self.image.as_os_str()]].concat())?;
        self.inner = Some(LoopDisk::attach(&self.image, &self.mount)?);
        Ok(())
    }
}
