//! Connections of the gRPC port: as many as there are places for, each begun in time, and ended when
//! its place is taken back.

use std::io::{Error, ErrorKind, Result};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use super::handshake::Handshake;
use super::limits::HANDSHAKE_TIMEOUT_MS;
use crate::rpc::{Connections, Place};

/// A connection that gives its place back when it ends.
#[derive(Debug)]
pub(super) struct Connection {
    reading: Handshake<OwnedReadHalf>,
    writing: OwnedWriteHalf,
    place: Place,
    taken_back: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Who makes a call, and over what.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The address, or the network of one, that the connection counts for.
    pub(super) address: IpAddr,
    /// To be cancelled to hang up.
    pub(super) connection: CancellationToken,
}

/// Accepts for ever.
pub(super) fn accept(listener: TcpListener) -> impl Stream<Item = Result<Connection>> {
    let accepting = (listener, Connections::of_node());
    futures::stream::unfold(accepting, |(listener, connections)| async move {
        let (stream, _remote, place) = connections.accept(&listener).await;
        let (reading, writing) = stream.into_split();
        let connection = Connection {
            reading: Handshake::new(reading, HANDSHAKE_TIMEOUT_MS),
            writing,
            taken_back: Box::pin(place.taken_back().clone().cancelled_owned()),
            place,
        };
        Some((Ok(connection), (listener, connections)))
    })
}

impl Connection {
    /// An error once it is to end. HTTP/2 reads or writes whenever anything happens.
    fn check(&mut self, context: &mut Context<'_>) -> Result<()> {
        match self.taken_back.as_mut().poll(context) {
            Poll::Pending => Ok(()),
            Poll::Ready(()) => Err(Error::new(ErrorKind::ConnectionReset, "hung up on")),
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        Caller {
            address: self.place.address(),
            connection: self.place.taken_back().clone(),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.reading).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.writing).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.check(context)?;
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
