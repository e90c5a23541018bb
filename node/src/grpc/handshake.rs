//! A connection that must begin in time. HTTP/2 asks nobody whether they are there before their
//! preface has come, so whoever connects and says nothing would keep a place for ever.

use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use crate::clock::pause;

/// Bytes of HTTP/2's preface (RFC 9113, 3.4); from then on keepalive watches the connection.
const PREFACE_BYTES: usize = 24;

/// The reading half of a connection, whose first bytes must come before a deadline.
pub(super) struct Handshake<S> {
    stream: S,
    /// Nothing once they have come.
    waiting: Option<Waiting>,
}

struct Waiting {
    missing_bytes: usize,
    deadline: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<S> Handshake<S> {
    /// Gives the other side so long, in milliseconds, from now on.
    pub(super) fn new(stream: S, timeout_ms: u64) -> Self {
        Self {
            stream,
            waiting: Some(Waiting {
                missing_bytes: PREFACE_BYTES,
                deadline: Box::pin(pause(timeout_ms)),
            }),
        }
    }
}

impl<S> core::fmt::Debug for Handshake<S> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let missing = self.waiting.as_ref().map(|it| it.missing_bytes);
        formatter
            .debug_struct("Handshake")
            .field("missing_bytes", &missing)
            .finish_non_exhaustive()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Handshake<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(waiting) = &mut self.waiting else {
            return polled;
        };
        if polled.is_pending() {
            ready!(waiting.deadline.as_mut().poll(context));
            let error = Error::new(ErrorKind::TimedOut, "the connection did not begin in time");
            return Poll::Ready(Err(error));
        }
        let read_bytes = buffer.filled().len() - before;
        waiting.missing_bytes = waiting.missing_bytes.saturating_sub(read_bytes);
        if waiting.missing_bytes == 0 {
            self.waiting = None;
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    async fn begun_with(bytes: usize) -> (Handshake<DuplexStream>, DuplexStream) {
        let (mut client, server) = duplex(64);
        let mut server = Handshake::new(server, 20);
        client.write_all(&vec![0; bytes]).await.unwrap();
        server.read_exact(&mut vec![0; bytes]).await.unwrap();
        (server, client)
    }

    #[tokio::test]
    async fn connection_that_does_not_send_the_whole_preface_is_ended() {
        for bytes in [0, PREFACE_BYTES - 1] {
            let (mut server, _silent) = begun_with(bytes).await;
            let error = server.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "after {bytes} bytes");
        }
    }

    #[tokio::test]
    async fn connection_that_has_begun_has_no_deadline() {
        for bytes in [PREFACE_BYTES, PREFACE_BYTES + 1] {
            let (server, _silent) = begun_with(bytes).await;
            assert!(server.waiting.is_none(), "after {bytes} bytes");
        }
    }
}
