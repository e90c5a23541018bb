//! WebSocket by hand: frames of any shape (RFC 6455).

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http1::{Answer, ask};

/// A text, which may go on in frames after it.
pub const TEXT: u8 = 1;
/// Asks for a pong.
pub const PING: u8 = 9;
/// Answers a ping.
pub const PONG: u8 = 10;
/// The last frame of a message.
pub const FIN: u8 = 0x80;

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The mask of every frame: any will do.
const MASK: [u8; 4] = [1, 2, 3, 4];

/// Makes a connection a WebSocket.
///
/// # Errors
/// The server does not want to.
pub async fn open(stream: &mut TcpStream) -> Result<()> {
    let asked = "GET / HTTP/1.1\r\nHost: node\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    match ask(stream, asked.as_bytes(), HANDSHAKE_TIMEOUT).await {
        Answer::Status(101, _) => Ok(()),
        other => Err(Error::new(
            ErrorKind::ConnectionRefused,
            format!("{other:?}"),
        )),
    }
}

/// The head of a masked frame that says it has so many bytes.
#[must_use]
pub fn head(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..126 => bytes.push(0x80 | u8::try_from(length).unwrap_or(0)),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend(&length.to_be_bytes()[6..]);
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes
}

/// A masked frame.
///
/// # Panics
/// Never: a length has 64 bits.
#[must_use]
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(first, u64::try_from(payload.len()).expect("64 bits"));
    let masked = payload.iter().zip(MASK.iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Sends a text.
///
/// # Errors
/// The connection ends.
pub async fn say(stream: &mut TcpStream, text: &str) -> Result<()> {
    stream.write_all(&frame(FIN | TEXT, text.as_bytes())).await
}

/// The next frame of the server: its first byte and its payload.
///
/// # Errors
/// The connection ends.
pub async fn next(stream: &mut TcpStream) -> Result<(u8, Vec<u8>)> {
    let mut begin = [0; 2];
    stream.read_exact(&mut begin).await?;
    let length = match begin[1] {
        126 => u64::from(stream.read_u16().await?),
        127 => stream.read_u64().await?,
        length => u64::from(length),
    };
    let length = usize::try_from(length).map_err(|_| Error::from(ErrorKind::InvalidData))?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    Ok((begin[0], payload))
}

/// The next text, pings answered.
///
/// # Errors
/// The connection ends.
pub async fn next_text(stream: &mut TcpStream) -> Result<String> {
    loop {
        let (first, payload) = next(stream).await?;
        match first & 0x0f {
            TEXT => return Ok(String::from_utf8_lossy(&payload).into_owned()),
            PING => stream.write_all(&frame(FIN | PONG, &payload)).await?,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_takes_as_many_bytes_as_it_needs() {
        assert_eq!(head(FIN | TEXT, 5)[..2], [0x81, 0x85]);
        assert_eq!(head(FIN | TEXT, 300)[..4], [0x81, 0xfe, 1, 44]);
        assert_eq!(head(TEXT, 1 << 63)[..3], [1, 0xff, 0x80]);
        assert_eq!(frame(FIN | TEXT, &[1, 2])[6..], [0, 0]);
    }
}
