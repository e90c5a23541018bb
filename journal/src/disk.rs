//! The seam to the disk: what a journal asks of a folder and of a file in it.
//!
//! The journals call these methods from their owner's thread, one at a time; a call blocks until it
//! is done. No call is ever retried: an error ends the use of the journal. A name is a plain file
//! name without a path.

use std::io;

/// A folder of files.
///
/// Whatever changes the folder (a new name, a rename, a removal) is durable when the call returns.
pub trait Disk {
    /// An open file of this disk.
    type File: File;

    /// Opens the file `name` for appending; creates it, empty, when there is none.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// The names of all files, sorted.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Gives the file `from` the name `to`, in one step; a file of that name is replaced. Open
    /// handles stay with their file.
    ///
    /// # Errors
    /// Whatever the disk says; among others, that there is no file `from`.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes the file `name`; no such file is not an error.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// An open file that grows at its end.
pub trait File {
    /// Writes `bytes` at the end. They need not be durable before [`File::sync`].
    ///
    /// # Errors
    /// Whatever the disk says; a part of the bytes may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything written, and the file's length, durable.
    ///
    /// # Errors
    /// Whatever the disk says; nothing is then known about what is durable.
    fn sync(&mut self) -> io::Result<()>;

    /// The whole content.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn read(&mut self) -> io::Result<Vec<u8>>;

    /// Cuts the file to `len_bytes`; durable after the next [`File::sync`].
    ///
    /// # Errors
    /// Whatever the disk says.
    fn truncate(&mut self, len_bytes: u64) -> io::Result<()>;
}
