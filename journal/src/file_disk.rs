//! The disk seam over `std::fs`.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::{Disk, File};

/// Only the owner may list or enter the folder.
const FOLDER_MODE: u32 = 0o700;
/// Only the owner may read or write a file.
const FILE_MODE: u32 = 0o600;

/// A folder of the file system. Its errors name the path.
#[derive(Clone, Debug)]
pub struct FileDisk {
    folder: PathBuf,
}

/// A file of a [`FileDisk`].
#[derive(Debug)]
pub struct DiskFile {
    path: PathBuf,
    file: fs::File,
}

impl FileDisk {
    /// Uses `folder`, which is created with its parents (mode 0700) when it is missing.
    ///
    /// # Errors
    /// The folder cannot be created or synced.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        create_folder(&folder).map_err(at(&folder))?;
        Ok(Self { folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        debug_assert!(!name.contains('/'), "a name is not a path: {name}");
        self.folder.join(name)
    }
}

impl Disk for FileDisk {
    type File = DiskFile;

    fn open(&self, name: &str) -> io::Result<DiskFile> {
        let path = self.path(name);
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(at(&path))?;
        // Also for a file that was there: its creator may have died before this line.
        sync_folder(&self.folder)?;
        Ok(DiskFile { path, file })
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(at(&self.folder))? {
            // A name that is not text is none of ours.
            names.extend(entry.map_err(at(&self.folder))?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let path = self.path(from);
        fs::rename(&path, self.path(to)).map_err(at(&path))?;
        sync_folder(&self.folder)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Ok(()) => sync_folder(&self.folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(at(&path)(error)),
        }
    }
}

impl File for DiskFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).map_err(at(&self.path))
    }

    fn sync(&mut self) -> io::Result<()> {
        // fdatasync: the content and the length, not the times.
        self.file.sync_data().map_err(at(&self.path))
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        fs::read(&self.path).map_err(at(&self.path))
    }

    fn truncate(&mut self, len_bytes: u64) -> io::Result<()> {
        self.file.set_len(len_bytes).map_err(at(&self.path))
    }
}

/// Creates the missing folders from the top; each is durable in its parent.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_folder(parent)?;
    DirBuilder::new().mode(FOLDER_MODE).create(folder)?;
    sync_folder(parent)
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(at(folder))
}

/// For `map_err`: puts the path before what the system said.
fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    let path = path.to_owned();
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
