//! HTTP/1.1 as text.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest answer that is kept; the rest is read and forgotten.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status and a body.
    Status(u16, Vec<u8>),
    /// The connection ended without one.
    Ended,
    /// Nothing in time.
    Silence,
}

impl Answer {
    /// Its status, if it has one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status(status, _) => Some(*status),
            Self::Ended | Self::Silence => None,
        }
    }
}

/// The head of a request that has a body of so many bytes.
#[must_use]
pub fn post(path: &str, bytes: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: node\r\nContent-Type: application/json\r\n\
         Content-Length: {bytes}\r\n\r\n"
    )
}

/// A whole request with a body.
#[must_use]
pub fn request(path: &str, body: &[u8]) -> Vec<u8> {
    [post(path, body.len()).as_bytes(), body].concat()
}

/// Sends bytes, whatever becomes of them, and reads the answer to the first request in them.
pub async fn ask(stream: &mut TcpStream, bytes: &[u8], within: Duration) -> Answer {
    let (mut reading, mut writing) = stream.split();
    // A server may answer and hang up before it has read everything.
    let sending = async {
        let _refused = writing.write_all(bytes).await;
        std::future::pending::<()>().await;
    };
    let answered = async {
        tokio::select! {
            answer = read(&mut reading) => answer,
            () = sending => Err(Error::from(ErrorKind::BrokenPipe)),
        }
    };
    match timeout(within, answered).await {
        Ok(Ok((status, body))) => Answer::Status(status, body),
        Ok(Err(_)) => Answer::Ended,
        Err(_) => Answer::Silence,
    }
}

/// Reads one answer: its status and its body, which has a length.
///
/// # Errors
/// The connection ends first.
pub async fn read(reading: &mut (impl AsyncRead + Unpin)) -> Result<(u16, Vec<u8>)> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break at + 4;
        }
        if reading.read_buf(&mut bytes).await? == 0 {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let status = text.split(' ').nth(1).and_then(|it| it.parse().ok());
    let status = status.ok_or_else(|| Error::from(ErrorKind::InvalidData))?;
    let length = text
        .lines()
        .find_map(|it| it.strip_prefix("content-length:"));
    let length: usize = length.and_then(|it| it.trim().parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(head);
    while body.len() < length.min(KEPT_BYTES_MAX) {
        if reading.read_buf(&mut body).await? == 0 {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
    }
    Ok((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answer_is_read_with_its_status_and_its_body() {
        let sent = b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nabc";
        let (status, body) = read(&mut &sent[..]).await.unwrap();
        assert_eq!((status, body.as_slice()), (413, &b"abc"[..]));
        let torn = &sent[..sent.len() - 1];
        assert!(read(&mut &torn[..]).await.is_err());
    }
}
