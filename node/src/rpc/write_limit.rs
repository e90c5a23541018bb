//! A connection whose peer takes nothing for too long is ended, so that it gives its place back.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use crate::clock::pause;

/// How long a peer may take nothing, in milliseconds: longer than a stream's reader may, and than
/// what it is then told takes.
pub(super) const WRITE_STALL_MAX_MS: u64 = 90_000;

/// The writing half of a connection, with a time limit for a write that waits.
pub(super) struct WriteLimit<S> {
    stream: S,
    stall_max_ms: u64,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<S: AsyncWrite + Unpin> WriteLimit<S> {
    /// Ends with an error when a write waits for so long.
    pub(super) fn new(stream: S, stall_max_ms: u64) -> Self {
        Self {
            stream,
            stall_max_ms,
            stalled: None,
        }
    }

    /// What a write came to, unless it waits for too long.
    fn in_time<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stall_max_ms = self.stall_max_ms;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(pause(stall_max_ms)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(Error::new(
            ErrorKind::TimedOut,
            "the peer takes nothing",
        )))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteLimit<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.in_time(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn peer_that_takes_nothing_is_given_up() {
        let (near, _far) = duplex(4);
        let mut near = WriteLimit::new(near, 20);
        let error = near.write_all(b"more than four").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn peer_that_takes_a_little_at_a_time_gets_everything() {
        let (near, mut far) = duplex(4);
        let mut near = WriteLimit::new(near, WRITE_STALL_MAX_MS);
        let writing = async {
            near.write_all(b"more than four").await.unwrap();
            assert!(near.stalled.is_none(), "it is not waited for");
        };
        let reading = async {
            let mut taken = [0; 14];
            for byte in &mut taken {
                *byte = far.read_u8().await.unwrap();
            }
            taken
        };
        let ((), taken) = tokio::join!(writing, reading);
        assert_eq!(&taken, b"more than four");
    }
}
