//! HTTP/2 as nobody should speak it, at the gRPC port.

use std::time::Duration;

use cloverleaf_testnet::hostile::http2::{
    END_HEADERS, Http2, PREFACE, SUBMIT_STREAM, frame, headers, initial_window, kind,
};
use cloverleaf_testnet::hostile::limits::{CONNECTIONS_PER_ADDRESS_MAX, Held};
use cloverleaf_testnet::hostile::{all_ended, ended};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Attack, Attacked, Target};

/// A ping that is not answered (`KEEPALIVE_INTERVAL` and `KEEPALIVE_TIMEOUT`), and as long as a busy
/// machine may be late.
const SILENT_TIMEOUT: Duration = Duration::from_secs(42);
/// The same for the preface (`HANDSHAKE_TIMEOUT_MS`).
const PREFACE_TIMEOUT: Duration = Duration::from_secs(13);
/// Time to end what goes too far.
const ENDING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a flood goes on that the node may also just take slowly.
const FLOODING: Duration = Duration::from_millis(1_500);
/// Flooding connections.
const FLOODING_AT_ONCE: usize = 4;
/// Calls that are begun and reset in one piece.
const RESETS: u32 = 1_000;
/// Frames that headers go on in.
const CONTINUATIONS: usize = 1_000;

/// Connections that say nothing: before the preface, and after it.
pub(super) const SILENT: Attack = Attack {
    name: "silent HTTP/2",
    held: |_| Held {
        grpc: CONNECTIONS_PER_ADDRESS_MAX,
        ..Held::default()
    },
    run: |target| Box::pin(silent(target)),
};

/// Calls that are reset as soon as they have begun (CVE-2023-44487).
pub(super) const RAPID_RESET: Attack = Attack {
    name: "rapid resets",
    held: flooding,
    run: |target| Box::pin(rapid_reset(target)),
};

/// Headers that go on and on.
pub(super) const CONTINUATION: Attack = Attack {
    name: "endless headers",
    held: flooding,
    run: |target| Box::pin(continuation(target)),
};

/// Frames of a body that have nothing in them.
pub(super) const EMPTY_DATA: Attack = Attack {
    name: "empty frames",
    held: flooding,
    run: |target| Box::pin(empty_data(target)),
};

/// Settings and pings whose answers nobody reads.
pub(super) const SETTINGS: Attack = Attack {
    name: "floods of settings",
    held: flooding,
    run: |target| Box::pin(settings(target)),
};

fn flooding(_: &Target) -> Held {
    Held {
        grpc: FLOODING_AT_ONCE,
        calls: 64 * FLOODING_AT_ONCE,
        ..Held::default()
    }
}

async fn connect(target: &Target) -> Result<TcpStream, String> {
    let stream = target.source.connect(0, target.grpc).await;
    stream.map_err(|error| error.to_string())
}

/// A connection of HTTP/2 that reads little.
async fn begin(target: &Target) -> Result<Http2, String> {
    let begun = Http2::begin(connect(target).await?, 65_535).await;
    begun.map_err(|error| error.to_string())
}

async fn silent(target: Target) -> Result<Attacked, String> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for _ in 0..CONNECTIONS_PER_ADDRESS_MAX / 2 {
        let mut begins = connect(&target).await?;
        let part = &PREFACE[..usize::try_from(target.seed % 23).unwrap_or(0)];
        begins
            .write_all(part)
            .await
            .map_err(|error| error.to_string())?;
        before.push(begins);
        after.push(begin(&target).await?.into_stream());
    }
    let count = before.len() + after.len();
    let ended = async move {
        let left = tokio::join!(
            all_ended(before, PREFACE_TIMEOUT),
            all_ended(after, SILENT_TIMEOUT),
        );
        match left {
            (0, 0) => Ok(()),
            (before, after) => Err(format!(
                "{before} without a preface and {after} without a word after it go on"
            )),
        }
    };
    Attacked::later(count, Some(Box::pin(ended)))
}

/// Sends a flood over each of some connections, each of which the node ends.
async fn end_of_floods(target: &Target, flood: &[u8], what: &str) -> Result<Attacked, String> {
    for _ in 0..FLOODING_AT_ONCE {
        let mut connection = begin(target).await?;
        let _hung_up_meanwhile = timeout(ENDING_TIMEOUT, connection.write(flood)).await;
        let mut stream = connection.into_stream();
        if !ended(&mut stream, ENDING_TIMEOUT).await {
            return Err(format!("{what} end nothing"));
        }
    }
    Attacked::now(FLOODING_AT_ONCE)
}

async fn rapid_reset(target: Target) -> Result<Attacked, String> {
    let block = headers(SUBMIT_STREAM);
    let cancel = 8_u32.to_be_bytes();
    let reset = |number: u32| {
        let stream = 2 * number + 1;
        let begun = frame(kind::HEADERS, END_HEADERS, stream, &block);
        [begun, frame(kind::RST_STREAM, 0, stream, &cancel)].concat()
    };
    let flood: Vec<u8> = (0..RESETS).flat_map(reset).collect();
    end_of_floods(&target, &flood, "calls that are reset").await
}

async fn continuation(target: Target) -> Result<Attacked, String> {
    let mut flood = frame(kind::HEADERS, 0, 1, &headers(SUBMIT_STREAM));
    // Literals with a name and a value of a kilobyte each.
    let long = [
        &[0x00, 0x7f, 0xe9, 0x06][..],
        &[b'a'; 1000],
        &[0x7f, 0xe9, 0x06],
        &[b'b'; 1000],
    ];
    let more = frame(kind::CONTINUATION, 0, 1, &long.concat().repeat(8));
    for _ in 0..CONTINUATIONS {
        flood.extend(&more);
    }
    end_of_floods(&target, &flood, "endless headers").await
}

/// Sends a flood over some connections at once for a while, if the node takes it for so long.
async fn flood_for_a_while(connections: Vec<Http2>, flood: Vec<u8>) -> Result<Attacked, String> {
    let count = connections.len();
    let mut floods = JoinSet::new();
    for mut connection in connections {
        let flood = flood.clone();
        floods.spawn(async move {
            let flooding = async { while connection.write(&flood).await.is_ok() {} };
            let _over = timeout(FLOODING, flooding).await;
        });
    }
    floods.join_all().await;
    Attacked::now(count)
}

async fn empty_data(target: Target) -> Result<Attacked, String> {
    let mut connections = Vec::new();
    for _ in 0..FLOODING_AT_ONCE {
        let mut connection = begin(&target).await?;
        let begun = connection.call(SUBMIT_STREAM).await;
        begun.map_err(|error| error.to_string())?;
        connections.push(connection);
    }
    let flood = frame(kind::DATA, 0, 1, &[]).repeat(1_000);
    flood_for_a_while(connections, flood).await
}

async fn settings(target: Target) -> Result<Attacked, String> {
    let mut connections = Vec::new();
    for _ in 0..FLOODING_AT_ONCE {
        connections.push(begin(&target).await?);
    }
    let one = [initial_window(65_535), frame(kind::PING, 0, 0, &[7; 8])].concat();
    flood_for_a_while(connections, one.repeat(500)).await
}
