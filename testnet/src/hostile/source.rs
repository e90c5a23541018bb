//! Where hostile connections come from, and how they end.

use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Time for the other side to take a connection: it is on this machine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Loopback addresses other than the one that honest clients have.
#[derive(Clone, Copy, Debug)]
pub struct Source(u8);

impl Source {
    /// Addresses `127.x.0.0/16`.
    ///
    /// # Panics
    /// 127.0.0.0/16 is everybody's.
    #[must_use]
    pub fn new(network: u8) -> Self {
        assert!(network > 0, "127.0.0.0/16 is everybody's");
        Self(network)
    }

    /// The address with this number.
    #[must_use]
    pub fn address(self, number: usize) -> Ipv4Addr {
        let [.., high, low] = (number + 1).to_be_bytes();
        Ipv4Addr::new(127, self.0, high, low)
    }

    /// Connects from the address with this number.
    ///
    /// # Errors
    /// The other side does not take the connection.
    pub async fn connect(self, number: usize, to: SocketAddr) -> Result<TcpStream> {
        self.connect_with(number, to, None).await
    }

    /// The same, with room for so few bytes that are not read.
    ///
    /// # Errors
    /// The other side does not take the connection.
    pub async fn connect_with(
        self,
        number: usize,
        to: SocketAddr,
        receive_bytes: Option<u32>,
    ) -> Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = receive_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind((self.address(number), 0).into())?;
        let connected = timeout(CONNECT_TIMEOUT, socket.connect(to)).await;
        let stream = connected.map_err(|_| Error::from(ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Reads until the other side ends the connection, in order or by reset; true if it does so in time.
pub async fn ended(stream: &mut (impl AsyncRead + Unpin), within: Duration) -> bool {
    let mut bytes = vec![0; 64 * 1024];
    let ended = async {
        loop {
            match stream.read(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    };
    timeout(within, ended).await.is_ok()
}

/// The same for many; how many are still there after that time.
///
/// # Panics
/// Reading one did.
pub async fn all_ended(streams: Vec<TcpStream>, within: Duration) -> usize {
    let mut reading = JoinSet::new();
    for mut stream in streams {
        reading.spawn(async move { ended(&mut stream, within).await });
    }
    let ended = reading.join_all().await;
    ended.into_iter().filter(|ended| !ended).count()
}
