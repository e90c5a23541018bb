//! Connections of the gRPC port: as many as there are places for, and each begun in time.

use std::io::Result;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::handshake::Handshake;
use super::limits::HANDSHAKE_TIMEOUT_MS;
use crate::rpc::{Connections, Place};

/// A connection that gives its place back when it ends.
#[derive(Debug)]
pub(super) struct Connection {
    reading: Handshake<OwnedReadHalf>,
    writing: OwnedWriteHalf,
    _place: Place,
}

/// Accepts for ever.
pub(super) fn accept(listener: TcpListener) -> impl Stream<Item = Result<Connection>> {
    let accepting = (listener, Connections::default());
    futures::stream::unfold(accepting, |(listener, connections)| async move {
        let (stream, _remote, place) = connections.accept(&listener).await;
        let (reading, writing) = stream.into_split();
        let connection = Connection {
            reading: Handshake::new(reading, HANDSHAKE_TIMEOUT_MS),
            writing,
            _place: place,
        };
        Some((Ok(connection), (listener, connections)))
    })
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        TcpConnectInfo {
            local_addr: self.writing.local_addr().ok(),
            remote_addr: self.writing.peer_addr().ok(),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.reading).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.writing).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.writing).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.writing.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.writing).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.writing).poll_shutdown(context)
    }
}
