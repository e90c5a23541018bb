//! HTTP/2 by hand: frames of any shape (RFC 9113), and gRPC's messages in them.
//!
//! ```text
//!  length 3 | kind 1 | flags 1 | stream 4 | payload          a frame
//!  flags 1 | length 4 | bytes                                 a message of gRPC, in DATA frames
//! ```

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What a connection begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frame kinds.
pub mod kind {
    /// Bytes of a body.
    pub const DATA: u8 = 0;
    /// Begins a call.
    pub const HEADERS: u8 = 1;
    /// Ends a call at once.
    pub const RST_STREAM: u8 = 3;
    /// How the sender wants to be written to.
    pub const SETTINGS: u8 = 4;
    /// Asks for an answer.
    pub const PING: u8 = 6;
    /// Ends the connection.
    pub const GOAWAY: u8 = 7;
    /// Lets the other side send more.
    pub const WINDOW_UPDATE: u8 = 8;
    /// Goes on with headers.
    pub const CONTINUATION: u8 = 9;
}

/// The last frame of a direction of a stream.
pub const END_STREAM: u8 = 1;
/// The answer to a setting or a ping.
pub const ACK: u8 = 1;
/// The last frame of headers.
pub const END_HEADERS: u8 = 4;

/// The setting of how much may be sent on a new stream at first.
const INITIAL_WINDOW_SIZE: u16 = 4;

/// The window of a connection before it is widened.
const WINDOW_BYTES: u32 = 65_535;

/// `SubmitStream`, by its path.
pub const SUBMIT_STREAM: &str = "/cloverleaf.sequencer.v1.SequencerService/SubmitStream";
/// `Submit`.
pub const SUBMIT: &str = "/cloverleaf.sequencer.v1.SequencerService/Submit";
/// `StreamBlocks`.
pub const STREAM_BLOCKS: &str = "/cloverleaf.stream.v1.StreamService/StreamBlocks";

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its kind.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// A connection whose client does what it is told.
#[derive(Debug)]
pub struct Http2 {
    stream: TcpStream,
    next_call: u32,
}

/// A frame's bytes.
///
/// # Panics
/// The payload is longer than frames are.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("frames are short");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The headers of a gRPC call, none of them compressed (RFC 7541, 6.2.2).
#[must_use]
pub fn headers(path: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86]; // POST, http
    let mut literal = |name: &[u8], value: &str| {
        block.extend(name);
        block.push(u8::try_from(value.len()).expect("short"));
        block.extend(value.as_bytes());
    };
    literal(&[0x04], path);
    literal(&[0x01], "node");
    literal(&[0x0f, 0x10], "application/grpc");
    literal(&[&[0x00, 2][..], b"te"].concat(), "trailers");
    block
}

/// The beginning of a gRPC message: as long as it says, whatever follows.
#[must_use]
pub fn message_prefix(length: u32) -> Vec<u8> {
    [&[0], length.to_be_bytes().as_slice()].concat()
}

/// A setting that lets the server send so much on each stream.
#[must_use]
pub fn initial_window(bytes: u32) -> Vec<u8> {
    let setting = [
        &INITIAL_WINDOW_SIZE.to_be_bytes()[..],
        &bytes.to_be_bytes()[..],
    ];
    frame(kind::SETTINGS, 0, 0, &setting.concat())
}

impl Http2 {
    /// Begins a connection, which lets the server send so much on each stream.
    ///
    /// # Errors
    /// It ends.
    pub async fn begin(mut stream: TcpStream, window_bytes: u32) -> Result<Self> {
        let beginning = [PREFACE.to_vec(), initial_window(window_bytes)].concat();
        stream.write_all(&beginning).await?;
        Ok(Self {
            stream,
            next_call: 1,
        })
    }

    /// Begins a call; its stream.
    ///
    /// # Errors
    /// The connection ends.
    pub async fn call(&mut self, path: &str) -> Result<u32> {
        let stream = self.next_call;
        self.next_call += 2;
        let headers = frame(kind::HEADERS, END_HEADERS, stream, &headers(path));
        self.write(&headers).await?;
        Ok(stream)
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// The connection ends.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Takes as much as comes from now on: widens the connection's window for good.
    ///
    /// # Errors
    /// The connection ends.
    pub async fn take_everything(&mut self) -> Result<()> {
        let more = (u32::MAX >> 1) - WINDOW_BYTES;
        let update = frame(kind::WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        self.write(&update).await
    }

    /// The next frame, acknowledged if it is a setting or a ping.
    ///
    /// # Errors
    /// The connection ends.
    pub async fn next(&mut self) -> Result<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await?;
        let [first, second, third, kind, flags, stream @ ..] = head;
        let length = u32::from_be_bytes([0, first, second, third]);
        let length = usize::try_from(length).map_err(|_| Error::from(ErrorKind::InvalidData))?;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await?;
        if [kind::SETTINGS, kind::PING].contains(&kind) && flags & ACK == 0 {
            let answer = if kind == kind::PING {
                &payload[..]
            } else {
                &[]
            };
            self.write(&frame(kind, ACK, 0, answer)).await?;
        }
        Ok(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & (u32::MAX >> 1),
            payload,
        })
    }

    /// The connection, to be read as bytes.
    #[must_use]
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_has_these_bytes() {
        let ping = frame(kind::PING, ACK, 0, &[7; 8]);
        assert_eq!(ping[..9], [0, 0, 8, 6, 1, 0, 0, 0, 0]);
        assert_eq!(message_prefix(258), [0, 0, 0, 1, 2]);
    }

    #[test]
    fn headers_are_literals_of_known_names() {
        let block = headers("/a");
        assert!(block.starts_with(&[0x83, 0x86, 0x04, 2, b'/', b'a', 0x01, 4]));
        assert!(block.ends_with(b"\x00\x02te\x08trailers"));
    }
}
