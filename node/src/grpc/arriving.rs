//! Requests on their way in: each message comes whole in time, and has room meanwhile.
//!
//! ```text
//!  HTTP/2 ─► Arriving ─► tonic's decoder, which sets memory aside for a whole message
//!            reads 1 byte of flags and 4 of length of each message, and counts what is missing
//! ```

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use cloverleaf_api::error::RpcError;
use cloverleaf_api::reason::Reason;
use hyper::Request;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tonic::Status;
use tower::Service;

use super::incoming::Caller;
use super::limits::{
    ARRIVING_BYTES_PER_ADDRESS_MAX, ARRIVING_UNCOUNTED_BYTES_MAX, MESSAGE_TIMEOUT_MS,
    SUBMISSION_BYTES_MAX,
};
use super::refusal::status;
use super::room::{Part, Room};
use crate::clock::pause;

/// When to come back after there was no room, in milliseconds: most messages come within that.
const NO_ROOM_RETRY_MS: u64 = 1_000;

/// Bytes before each message: flags and its length.
const PREFIX_BYTES: usize = 5;

/// A service whose requests are watched while they come.
#[derive(Clone, Debug)]
pub(super) struct Watched<S> {
    inner: S,
    room: Room,
}

impl<S> Watched<S> {
    /// All calls share this room.
    pub(super) fn new(inner: S, room: Room) -> Self {
        Self { inner, room }
    }
}

impl<S> Service<Request<tonic::body::Body>> for Watched<S>
where
    S: Service<Request<tonic::body::Body>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> S::Future {
        let caller = request.extensions().get::<Caller>().cloned();
        let (room, timeout_ms) = (self.room.clone(), MESSAGE_TIMEOUT_MS);
        self.inner.call(request.map(|body| match caller {
            Some(caller) => tonic::body::Body::new(Arriving::new(body, caller, room, timeout_ms)),
            None => body,
        }))
    }
}

/// A body whose messages are counted.
struct Arriving<B> {
    body: B,
    caller: Caller,
    room: Room,
    timeout_ms: u64,
    /// What has come of the next message's prefix.
    prefix: Vec<u8>,
    /// What is missing of the message behind it.
    missing_bytes: usize,
    /// While a message has begun and not come whole.
    deadline: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    part: Option<Part>,
}

impl<B> Arriving<B> {
    fn new(body: B, caller: Caller, room: Room, timeout_ms: u64) -> Self {
        Self {
            body,
            caller,
            room,
            timeout_ms,
            prefix: Vec::with_capacity(PREFIX_BYTES),
            missing_bytes: 0,
            deadline: None,
            part: None,
        }
    }

    /// Notes what has come.
    fn read(&mut self, mut bytes: &[u8]) -> Result<(), Status> {
        while !bytes.is_empty() {
            if self.missing_bytes == 0 {
                let wanted = PREFIX_BYTES - self.prefix.len();
                let (prefix, rest) = bytes.split_at(wanted.min(bytes.len()));
                self.prefix.extend_from_slice(prefix);
                bytes = rest;
                if let [_flags, length @ ..] = self.prefix.as_slice()
                    && let Ok(length) = <[u8; PREFIX_BYTES - 1]>::try_from(length)
                {
                    self.begin(u32::from_be_bytes(length))?;
                }
            }
            let read_bytes = self.missing_bytes.min(bytes.len());
            self.missing_bytes -= read_bytes;
            bytes = &bytes[read_bytes..];
            if self.missing_bytes == 0 {
                self.part = None;
            }
        }
        let has_begun = self.missing_bytes > 0 || !self.prefix.is_empty();
        if !has_begun {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = Some(Box::pin(pause(self.timeout_ms)));
        }
        Ok(())
    }

    fn begin(&mut self, length: u32) -> Result<(), Status> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.prefix.clear();
        self.deadline = None;
        self.missing_bytes = length;
        // What is over the limit of all is refused by the decoder, before it sets anything aside.
        if (ARRIVING_UNCOUNTED_BYTES_MAX + 1..=SUBMISSION_BYTES_MAX).contains(&length) {
            let part = self.room.take(self.caller.address, length);
            self.part = Some(part.ok_or_else(no_room)?);
        }
        Ok(())
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Arriving<B>
where
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let noted = frame.data_ref().map_or(Ok(()), |data| self.read(data));
                Poll::Ready(Some(noted.map(|()| frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                Poll::Ready(Some(Err(Status::from_error(error.into()))))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let Some(deadline) = &mut self.deadline else {
                    return Poll::Pending;
                };
                ready!(deadline.as_mut().poll(context));
                self.part = None;
                Poll::Ready(Some(Err(late(self.timeout_ms))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn no_room() -> Status {
    let detail = format_args!(
        "{ARRIVING_BYTES_PER_ADDRESS_MAX} bytes of messages of one address may be on their way"
    );
    let error = RpcError::because(Reason::RateLimited, detail);
    status(&error.retry_after(NO_ROOM_RETRY_MS))
}

fn late(timeout_ms: u64) -> Status {
    Status::deadline_exceeded(format!(
        "a message did not come whole within {timeout_ms} ms"
    ))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use cloverleaf_api::grpc::ErrorInfo;
    use futures::{StreamExt as _, stream};
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio_util::sync::CancellationToken;
    use tonic::Code;

    use super::*;

    const LONG: u32 = 300 * 1024;

    fn caller() -> Caller {
        Caller {
            address: IpAddr::from([127, 0, 0, 1]),
            connection: CancellationToken::new(),
        }
    }

    /// A body of these pieces, which then says nothing more.
    fn unended(
        room: &Room,
        pieces: Vec<Vec<u8>>,
        timeout_ms: u64,
    ) -> Arriving<impl Body<Data = Bytes, Error = Status> + Unpin> {
        let frames = pieces
            .into_iter()
            .map(|it| Ok(Frame::data(Bytes::from(it))));
        let body = StreamBody::new(stream::iter(frames).chain(stream::pending()));
        Arriving::new(body, caller(), room.clone(), timeout_ms)
    }

    fn begun(length: u32) -> Vec<u8> {
        [&[0], length.to_be_bytes().as_slice()].concat()
    }

    #[tokio::test]
    async fn message_that_does_not_come_whole_in_time_ends_its_call() {
        let room = Room::default();
        let beginnings = [
            vec![0],
            begun(1),
            [begun(10), vec![7; 9]].concat(),
            begun(LONG),
        ];
        for beginning in beginnings {
            let mut body = unended(&room, vec![beginning], 20);
            assert!(body.frame().await.unwrap().is_ok());
            let late = body.frame().await.unwrap().unwrap_err();
            assert_eq!(late.code(), Code::DeadlineExceeded);
        }
    }

    #[tokio::test]
    async fn stream_between_two_messages_has_no_deadline_and_no_room() {
        let room = Room::default();
        // Two messages in pieces of three bytes.
        let two = [begun(4), vec![7; 4], begun(LONG), vec![7; LONG as usize]].concat();
        let pieces: Vec<Vec<u8>> = two.chunks(3).map(<[u8]>::to_vec).collect();
        let count = pieces.len();
        let mut body = unended(&room, pieces, 20);
        for _ in 0..count {
            assert!(body.frame().await.unwrap().is_ok());
        }
        assert!(body.deadline.is_none() && body.part.is_none());
    }

    #[tokio::test]
    async fn messages_that_have_begun_have_room_for_so_many_bytes_of_one_address() {
        let room = Room::default();
        let long_bytes = usize::try_from(LONG).unwrap();
        let mut bodies = Vec::new();
        for _ in 0..ARRIVING_BYTES_PER_ADDRESS_MAX / long_bytes {
            let mut body = unended(&room, vec![begun(LONG)], 60_000);
            assert!(body.frame().await.unwrap().is_ok());
            bodies.push(body);
        }
        let mut refused = unended(&room, vec![begun(LONG)], 60_000);
        let refused = refused.frame().await.unwrap().unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        let info = ErrorInfo::from_details(refused.details()).unwrap();
        assert_eq!(info.reason, "rateLimited");
        // Most transactions need none.
        let small = u32::try_from(ARRIVING_UNCOUNTED_BYTES_MAX).unwrap();
        let mut body = unended(&room, vec![begun(small)], 60_000);
        assert!(body.frame().await.unwrap().is_ok());
        bodies.pop();
        let mut body = unended(&room, vec![begun(LONG)], 60_000);
        assert!(body.frame().await.unwrap().is_ok());
    }
}
