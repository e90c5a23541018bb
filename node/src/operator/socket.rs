//! The operator's socket: what only the owner of a node's directory may ask of the running node.
//!
//! ```text
//! DIR/operator.sock    one request a connection; a line of JSON each way
//! ```
//! The directory is its owner's alone (0700, checked at start), so whoever reaches the socket may ask.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cloverleaf_storage::Store;
use eyre::{Result, WrapErr as _, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::clock::pause;
use crate::sequencer::off_async_threads;

/// The socket's name in the node's directory.
const NAME: &str = "operator.sock";

/// Longest request, in bytes: a path of 4,096 bytes, each of which JSON may write as six.
const REQUEST_BYTES_MAX: u64 = 32 * 1024;

/// Longest wait for a request, in milliseconds: who connects has one, and the next waits for its end.
const REQUEST_WAIT_MS: u64 = 5_000;

/// Wait after a connection that could not be taken, in milliseconds: no descriptor is free then.
const ACCEPT_PAUSE_MS: u64 = 1_000;

/// Longest wait for an answer: a snapshot writes what is in memory, and links or copies every file.
const ANSWER_WAIT: Duration = Duration::from_secs(3_600);

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Request {
    /// Write a copy of the blocks as they are now.
    Snapshot {
        /// A directory that is yet to be made.
        to: PathBuf,
    },
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Answer {
    Done,
    Failed { reason: String },
}

/// The socket of a running node; its file goes with it.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Takes the socket of a directory, whose lock this process holds.
    ///
    /// # Errors
    /// The directory cannot be written, or its path is longer than a socket's may be.
    pub(crate) fn bind(dir: &Path) -> io::Result<Self> {
        let path = dir.join(NAME);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {} // it was that of a process that was killed
        }
        let listener = UnixListener::bind(&path)?;
        Ok(Self { listener, path })
    }

    /// Answers one request after the other until `stop` is cancelled.
    pub(crate) async fn serve(self, store: Store, stop: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    if let Err(error) = answer(stream, &store).await {
                        tracing::warn!(%error, "who asked at the operator's socket got no answer");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the operator's socket cannot take a connection");
                    pause(ACCEPT_PAUSE_MS).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _gone_already = std::fs::remove_file(&self.path);
    }
}

async fn answer(stream: UnixStream, store: &Store) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new(read.take(REQUEST_BYTES_MAX));
    tokio::select! {
        read = reader.read_line(&mut line) => drop(read?),
        () = pause(REQUEST_WAIT_MS) => bail!("no request within {REQUEST_WAIT_MS} ms"),
    }
    let answer = match serde_json::from_str(&line) {
        Ok(request) => carry_out(request, store.clone()).await?,
        Err(problem) => Answer::Failed {
            reason: format!("this version of the node knows no such request: {problem}"),
        },
    };
    let text = serde_json::to_string(&answer)? + "\n";
    Ok(write.write_all(text.as_bytes()).await?)
}

async fn carry_out(request: Request, store: Store) -> Result<Answer> {
    let Request::Snapshot { to } = request;
    let done = off_async_threads(move || store.snapshot(&to)).await?;
    Ok(match done {
        Ok(()) => Answer::Done,
        Err(error) => Answer::Failed {
            reason: error.to_string(),
        },
    })
}

/// Asks the node that runs from a directory, and waits until it is done.
///
/// # Errors
/// No node answers there, or it could not do it.
pub(crate) fn ask(dir: &Path, request: &Request) -> Result<()> {
    let path = dir.join(NAME);
    let asked = || format!("asking the node at {}", path.display());
    let mut stream = std::os::unix::net::UnixStream::connect(&path).wrap_err_with(asked)?;
    stream.set_read_timeout(Some(ANSWER_WAIT))?;
    let text = serde_json::to_string(request)? + "\n";
    stream.write_all(text.as_bytes()).wrap_err_with(asked)?;
    let mut line = String::new();
    let answered = BufReader::new(stream).read_line(&mut line);
    if answered.wrap_err_with(asked)? == 0 {
        bail!("the node at {} ended before it answered", path.display());
    }
    match serde_json::from_str(&line).wrap_err_with(asked)? {
        Answer::Done => Ok(()),
        Answer::Failed { reason } => bail!(reason),
    }
}
