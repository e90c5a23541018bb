//! Readers of streams: server-sent events and WebSockets, as far as tests need them.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

/// The usual client's address.
pub(crate) const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// What a socket of a reader that reads slowly holds, in bytes.
pub(crate) const SMALL_BUFFER_BYTES: u32 = 4_096;

/// A connection from one of the addresses of this machine.
pub(crate) async fn connect(
    authority: &str,
    from: Ipv4Addr,
    buffer_bytes: Option<u32>,
) -> TcpStream {
    let to: SocketAddr = authority.parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(bytes) = buffer_bytes {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    socket.bind((IpAddr::V4(from), 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// An event as a browser dispatches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<u64>,
    pub(crate) data: Value,
}

/// Reads a stream of events. It asks in HTTP/1.0, so that the body is plain and ends with the
/// connection.
pub(crate) struct Events {
    pub(crate) status: u16,
    pub(crate) head: String,
    lines: BufReader<TcpStream>,
}

impl Events {
    /// Opens a stream on a connection; `headers` are whole lines.
    pub(crate) async fn open(stream: TcpStream, path: &str, headers: &str) -> Self {
        let mut lines = BufReader::new(stream);
        let request = format!("GET {path} HTTP/1.0\r\nHost: test\r\n{headers}\r\n");
        lines.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(lines.read_line(&mut head).await.unwrap(), 0, "{head}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            head,
            lines,
        }
    }

    /// The next event; nothing at the end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let (mut name, mut id, mut data) = (String::new(), None, None);
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("event", value)) => name = value.to_owned(),
                Some(("id", value)) => id = value.parse().ok(),
                Some(("data", value)) => data = serde_json::from_str(value).ok(),
                Some(_) => {}
                None => {
                    if let Some(data) = data.take() {
                        return Some(Event { name, id, data });
                    }
                }
            }
        }
    }

    /// The body of an answer that is no stream.
    pub(crate) async fn body(mut self) -> Value {
        let mut body = String::new();
        self.lines.read_to_string(&mut body).await.unwrap();
        serde_json::from_str(&body).unwrap()
    }
}

/// A JSON-RPC client on a WebSocket.
pub(crate) struct Socket {
    socket: WebSocketStream<TcpStream>,
    asked: u64,
    /// Notifications that came while an answer was awaited.
    waiting: VecDeque<Value>,
}

impl Socket {
    /// Opens a WebSocket on a connection.
    pub(crate) async fn open(stream: TcpStream, path: &str) -> Self {
        Self::try_open(stream, path).await.unwrap()
    }

    pub(crate) async fn try_open(stream: TcpStream, path: &str) -> Result<Self, Error> {
        let url = format!("ws://{}{path}", stream.peer_addr().unwrap());
        let (socket, _response) = tokio_tungstenite::client_async(url, stream).await?;
        Ok(Self {
            socket,
            asked: 0,
            waiting: VecDeque::new(),
        })
    }

    /// Makes a call; the whole answer.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let call = json!({
            "jsonrpc": "2.0", "id": self.asked, "method": method, "params": params,
        });
        self.say(&call.to_string()).await;
        loop {
            let said = self.read().await.expect("the answer comes");
            if said["id"] == self.asked {
                return said;
            }
            self.waiting.push_back(said);
        }
    }

    /// Makes a call that succeeds; its result.
    pub(crate) async fn result(&mut self, method: &str, params: Value) -> Value {
        let answer = self.call(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The parameters of the next notification; nothing when the connection has ended.
    pub(crate) async fn notification(&mut self) -> Option<Value> {
        let said = match self.waiting.pop_front() {
            Some(said) => said,
            None => self.read().await?,
        };
        assert_eq!(said["method"], "seq_subscription", "{said}");
        Some(said["params"].clone())
    }

    /// Sends text as it is.
    pub(crate) async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next text as JSON; nothing when the connection has ended.
    pub(crate) async fn read(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await?.ok()? {
                Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }
}
