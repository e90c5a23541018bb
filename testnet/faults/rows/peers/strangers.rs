//! Those who are no validators: silent connections, junk instead of a handshake, keys that nobody knows.

use std::time::Duration;

use cloverleaf_network::Keypair;
use cloverleaf_testnet::hostile::ended;
use cloverleaf_testnet::hostile::peer::RawPeer;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::{Attack, Evil};

/// Addresses that silent connections come from: more than there are places for handshakes.
const ADDRESSES: usize = 40;
/// Connections of each to every node.
const CONNECTIONS: usize = 3;
/// Between two rounds of them.
const ROUND_INTERVAL: Duration = Duration::from_millis(400);
/// Time for a handshake (`HANDSHAKE_TIMEOUT`), and as long as a busy machine may be late.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// Those who come at a time.
const AT_ONCE: usize = 4;
/// What a stream of libp2p begins with, and the protocol that it asks for.
const BEGINNING: &[u8] = b"\x13/multistream/1.0.0\n\x07/noise\n";

/// All places for handshakes are taken, again and again, while a validator comes back.
pub(super) const SILENT: Attack = Attack {
    name: "silent connections",
    run: |evil| Box::pin(silent(evil)),
    is_restarted_under: true,
};

/// Junk instead of a handshake, and after its beginning.
pub(super) const JUNK: Attack = Attack {
    name: "junk for a handshake",
    run: |evil| Box::pin(junk(evil)),
    is_restarted_under: false,
};

/// Whole handshakes with ever new keys.
pub(super) const UNKNOWN: Attack = Attack {
    name: "unknown peer ids",
    run: |evil| Box::pin(unknown(evil)),
    is_restarted_under: false,
};

async fn silent(evil: Evil) -> Result<(), String> {
    let mut rounds = interval(ROUND_INTERVAL);
    let mut held: Vec<TcpStream> = Vec::new();
    while !evil.is_over() {
        rounds.tick().await;
        let before = held.len();
        for (_, to) in &evil.impostor.peers {
            for number in 0..ADDRESSES * CONNECTIONS {
                // A node that is restarted does not listen for a moment.
                if let Ok(stream) = evil.source.connect(number % ADDRESSES, *to).await {
                    held.push(stream);
                    evil.acted();
                }
            }
        }
        held.drain(..before);
    }
    Ok(())
}

async fn junk(evil: Evil) -> Result<(), String> {
    let mut connecting = JoinSet::new();
    for number in 0..AT_ONCE {
        connecting.spawn(junk_from(evil.clone(), number));
    }
    for ended in connecting.join_all().await {
        ended?;
    }
    Ok(())
}

async fn junk_from(evil: Evil, number: usize) -> Result<(), String> {
    for round in 0_usize.. {
        if evil.is_over() {
            break;
        }
        let (_, to) = evil.impostor.peers[round % evil.impostor.peers.len()];
        let stream = evil.source.connect(number, to).await;
        let mut stream = stream.map_err(|error| error.to_string())?;
        let byte = u8::try_from((round + number) % 256).unwrap_or(0);
        let junk = vec![byte; 64 * 1024];
        let begin = [&b""[..], BEGINNING, &BEGINNING[..9]][round % 3];
        let bytes = [begin, &junk].concat();
        let _hung_up_meanwhile = timeout(HANDSHAKE_TIMEOUT, stream.write_all(&bytes)).await;
        if !ended(&mut stream, HANDSHAKE_TIMEOUT).await {
            return Err("junk for a handshake ends nothing".to_owned());
        }
        evil.acted();
    }
    Ok(())
}

async fn unknown(evil: Evil) -> Result<(), String> {
    let mut connecting = JoinSet::new();
    for _ in 0..AT_ONCE {
        connecting.spawn(unknown_from(evil.clone()));
    }
    for ended in connecting.join_all().await {
        ended?;
    }
    Ok(())
}

async fn unknown_from(evil: Evil) -> Result<(), String> {
    let network_id = evil.impostor.network_id();
    for round in 0_usize.. {
        if evil.is_over() {
            break;
        }
        let to = &evil.impostor.peers[round % evil.impostor.peers.len()];
        let mut peer = RawPeer::dial(&Keypair::generate(), to, &network_id).await?;
        if timeout(HANDSHAKE_TIMEOUT, peer.hung_up()).await.is_err() {
            return Err("a stranger stays connected".to_owned());
        }
        evil.acted();
    }
    Ok(())
}
