//! Agreement at its barest: four threads that share blocks and votes over TCP, and sync what a validator
//! of ours syncs. No signatures, no hashes, no timeouts: nobody fails here.
//!
//! ```text
//!  leader of h   block ─ log (synced) ─ proposal (synced) ─► block to all
//!  all           block ─ store (synced; the others) ─ prevote (synced) ─► to all
//!                prevotes of 3 ─ precommit (synced) ─► to all
//!                precommits of 3 ─ commit: the block once more (synced) ─ h + 1
//! ```
//! Writes go over files that were written before, which costs less than making them longer, as a validator
//! does. Connections are made once, each validator has one to each other.

mod link;
mod validator;

use std::io::Result;
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tempfile::TempDir;

use crate::{Progress, VALIDATORS};
use link::mesh;
use validator::Validator;

/// A running network; dropping it ends its threads.
pub struct BareLoop {
    progress: Arc<Progress>,
    stop: Arc<AtomicBool>,
    sockets: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
    _folder: TempDir,
}

impl BareLoop {
    /// Starts one whose blocks have so many bytes, with its files in a folder inside of this one.
    ///
    /// # Errors
    /// There is no room for its files, or no port.
    pub fn start(inside: &Path, block_bytes: usize) -> Result<Self> {
        let folder = tempfile::tempdir_in(inside)?;
        let (progress, stop) = (Arc::<Progress>::default(), Arc::<AtomicBool>::default());
        let (mut sockets, mut threads) = (Vec::new(), Vec::new());
        for (index, links) in mesh()?.into_iter().enumerate() {
            for socket in &links.outgoing {
                sockets.push(socket.try_clone()?);
            }
            let own = folder.path().join(index.to_string());
            let mut validator = Validator::new(index, &own, block_bytes, links)?;
            threads.append(&mut validator.readers);
            let (progress, stop) = (Arc::clone(&progress), Arc::clone(&stop));
            threads.push(std::thread::spawn(move || {
                for height in 1.. {
                    let decided = validator.decide(height);
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    decided.expect("a network of which nobody fails");
                    progress.finished(height);
                }
            }));
        }
        assert_eq!(sockets.len(), VALIDATORS * (VALIDATORS - 1));
        Ok(Self {
            progress,
            stop,
            sockets,
            threads,
            _folder: folder,
        })
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }
}

impl Drop for BareLoop {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for socket in &self.sockets {
            // One that was closed before is closed.
            let _closed = socket.shutdown(Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            assert!(thread.join().is_ok(), "a validator ended with a panic");
        }
    }
}
