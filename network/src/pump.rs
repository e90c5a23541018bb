//! The tasks of the streams: frames from a stream into an inbox, frames from an outbox into a
//! stream, and the pulse.

use std::{io, sync::Arc, time::Duration};

use futures::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt,
    io::{BufReader, BufWriter},
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    Class, NetworkEvent, PeerName,
    frame::{self, FrameError},
    outbox::Outbox,
};

/// Small frames are read and written together up to this many bytes; larger ones pass by the buffer.
const BUFFER_BYTES: usize = 16 * 1024;

/// How often a byte is written to the pulse stream.
const PULSE_INTERVAL: Duration = Duration::from_secs(1);
/// How long nothing may come from it. A process that dies is noticed at once, for its system closes
/// the connection; this is for a machine that lost its power, or a line that was cut.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(8);

/// Why a stream came to its end. Always ends its connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamEnd {
    #[error("the peer closed it")]
    Closed,
    #[error("the network is stopping")]
    Stopping,
    #[error("nothing was heard from the peer for too long")]
    Silent,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("writing failed: {0}")]
    Write(io::Error),
}

/// Reads frames until the stream ends. While the inbox is full nothing is read, and the peer's
/// window fills up: that is all the flow control there is.
pub(crate) async fn read_frames(
    stream: impl AsyncRead + Unpin,
    peer: PeerName,
    class: Class,
    inbox: mpsc::Sender<NetworkEvent>,
) -> StreamEnd {
    let mut stream = BufReader::with_capacity(BUFFER_BYTES, stream);
    loop {
        let (event, end) = match frame::read(&mut stream, class.frame_bytes_max()).await {
            Ok(Some(bytes)) => (
                NetworkEvent::Frame {
                    peer: peer.clone(),
                    class,
                    bytes,
                },
                None,
            ),
            Ok(None) => return StreamEnd::Closed,
            Err(FrameError::TooLong { length_bytes }) => {
                let event = NetworkEvent::Oversize {
                    peer: peer.clone(),
                    class,
                    length_bytes,
                };
                (event, Some(FrameError::TooLong { length_bytes }))
            }
            Err(error) => return error.into(),
        };
        if inbox.send(event).await.is_err() {
            return StreamEnd::Stopping;
        }
        if let Some(end) = end {
            return end.into();
        }
    }
}

/// Writes the frames of an outbox until the stream breaks, and flushes whenever none waits.
pub(crate) async fn write_frames(
    stream: impl AsyncWrite + Unpin,
    outbox: Arc<Outbox>,
) -> StreamEnd {
    let mut stream = BufWriter::with_capacity(BUFFER_BYTES, stream);
    loop {
        let frame = match outbox.try_pop() {
            Some(frame) => frame,
            None => match stream.flush().await {
                Ok(()) => outbox.pop().await,
                Err(error) => return StreamEnd::Write(error),
            },
        };
        if let Err(error) = frame::write(&mut stream, &frame).await {
            outbox.put_back(frame);
            return StreamEnd::Write(error);
        }
    }
}

/// Shows the peer that we are alive, until the stream breaks.
pub(crate) async fn write_pulse(mut stream: impl AsyncWrite + Unpin) -> StreamEnd {
    let mut beats = interval(PULSE_INTERVAL);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        if let Err(error) = stream.write_all(&[0]).await {
            return StreamEnd::Write(error);
        }
        if let Err(error) = stream.flush().await {
            return StreamEnd::Write(error);
        }
    }
}

/// Listens to the peer's pulse, until the stream breaks or is silent for `silence_max`.
pub(crate) async fn read_pulse(
    mut stream: impl AsyncRead + Unpin,
    silence_max: Duration,
) -> StreamEnd {
    let mut beats = [0; 64];
    loop {
        match timeout(silence_max, stream.read(&mut beats)).await {
            Ok(Ok(0)) => return StreamEnd::Closed,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return FrameError::from(error).into(),
            Err(_) => return StreamEnd::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;
    use tokio_util::compat::TokioAsyncReadCompatExt;

    use super::*;

    const SHORT: Duration = Duration::from_millis(10);

    #[tokio::test]
    async fn a_pulse_that_stops_ends_the_stream() {
        let (mut peer, stream) = {
            let (a, b) = duplex(8);
            (a.compat(), b.compat())
        };
        peer.write_all(&[0]).await.expect("memory");
        let end = read_pulse(stream, SHORT).await;
        assert!(matches!(end, StreamEnd::Silent), "{end}");
    }

    #[tokio::test]
    async fn a_pulse_is_heard_until_the_peer_closes_it() {
        let (peer, stream) = duplex(8);
        let (mut heard, mut writing) = (stream.compat(), Box::pin(write_pulse(peer.compat())));
        let mut beat = [1];
        tokio::select! {
            end = &mut writing => panic!("the pulse stopped: {end}"),
            read = heard.read_exact(&mut beat) => read.expect("memory"),
        }
        assert_eq!(beat, [0]);
        drop(writing);
        let end = read_pulse(heard, Duration::MAX).await;
        assert!(matches!(end, StreamEnd::Closed), "{end}");
    }

    #[tokio::test]
    async fn a_frame_that_could_not_be_written_is_given_back() {
        let outbox = Arc::new(Outbox::new(Class::Votes));
        outbox.open();
        outbox.push(vec![7; 2 * BUFFER_BYTES].into()).expect("room");
        let (peer, stream) = duplex(8);
        drop(peer);
        let end = write_frames(stream.compat(), outbox.clone()).await;
        assert!(matches!(end, StreamEnd::Write(_)), "{end}");
        assert_eq!(
            outbox.try_pop().map(|frame| frame.len()),
            Some(2 * BUFFER_BYTES)
        );
    }
}
