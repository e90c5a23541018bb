//! gRPC's messages that are begun and not ended, and streams that are opened and not read.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloverleaf_testnet::hostile::http2::{
    END_STREAM, Frame, Http2, STREAM_BLOCKS, SUBMIT, SUBMIT_STREAM, frame, kind, message_prefix,
};
use cloverleaf_testnet::hostile::limits::{
    ARRIVING_BYTES_PER_ADDRESS_MAX, CONNECTIONS_PER_ADDRESS_MAX, Held, STREAMS_PER_CONNECTION_MAX,
};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::{Attack, Attacked, Target};

/// The message that is announced: nearly the longest.
const MESSAGE_BYTES: u32 = 300 * 1024;
/// Of which so much comes: less than any window.
const SENT_BYTES: usize = 768;
/// Time for a message to come whole (`MESSAGE_TIMEOUT_MS`), and as long as a busy machine is late.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(22);
/// Time for all calls without room to be refused, on a busy machine.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(25);
/// Between two looks at how many are left.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// How long unread streams are watched; what a node ends by itself takes two minutes.
const WATCHED: Duration = Duration::from_millis(1_500);
/// The same in a full run: two times 60 s, and as long as a busy machine is late.
const WATCHED_LONG: Duration = Duration::from_secs(140);
/// Connections whose streams are not read.
const UNREADING: usize = 2;
/// The largest block that is streamed (`block_weight` and its headers).
const BLOCK_BYTES: usize = 5 * 1024 * 1024;

/// All calls of an address are a message that never ends.
pub(super) const HALF_SENT: Attack = Attack {
    name: "half-sent messages",
    held: |_| Held {
        grpc: CONNECTIONS_PER_ADDRESS_MAX,
        calls: CONNECTIONS_PER_ADDRESS_MAX * calls_of_a_connection(),
        arriving: 1,
        ..Held::default()
    },
    run: |target| Box::pin(half_sent(target)),
};

/// Streams of all blocks, with a window of one byte.
pub(super) const UNREAD_STREAMS: Attack = Attack {
    name: "unread streams",
    held: |_| Held {
        grpc: UNREADING,
        calls: UNREADING * calls_of_a_connection(),
        untaken: (UNREADING * calls_of_a_connection(), BLOCK_BYTES),
        ..Held::default()
    },
    run: |target| Box::pin(unread_streams(target)),
};

fn calls_of_a_connection() -> usize {
    usize::try_from(STREAMS_PER_CONNECTION_MAX).unwrap_or(usize::MAX)
}

async fn begin(target: &Target, window_bytes: u32) -> Result<Http2, String> {
    let stream = target.source.connect(0, target.grpc).await;
    let begun = Http2::begin(stream.map_err(|error| error.to_string())?, window_bytes).await;
    begun.map_err(|error| error.to_string())
}

/// Begins calls whose message does not come whole: all, or as many as the node lets this connection
/// begin before it ends it, for a newcomer or since it was too slow.
async fn begin_messages(target: Target) -> Result<(Http2, BTreeSet<u32>), String> {
    let mut connection = begin(&target, 65_535).await?;
    let mut open = BTreeSet::new();
    // The server's settings come first: more calls than it allows would be another attack.
    let begun = match connection.next().await {
        Ok(_settings) => begin_calls(&mut connection, &mut open).await,
        Err(error) => Err(error),
    };
    begun.or_else(unless_ended)?;
    Ok((connection, open))
}

async fn begin_calls(connection: &mut Http2, open: &mut BTreeSet<u32>) -> std::io::Result<()> {
    for number in 0..STREAMS_PER_CONNECTION_MAX {
        let path = if number % 2 == 0 {
            SUBMIT_STREAM
        } else {
            SUBMIT
        };
        let stream = connection.call(path).await?;
        let part = [message_prefix(MESSAGE_BYTES), vec![7; SENT_BYTES]].concat();
        connection
            .write(&frame(kind::DATA, 0, stream, &part))
            .await?;
        open.insert(stream);
    }
    Ok(())
}

/// That a connection has ended is an answer, whoever notices it first.
fn unless_ended(error: std::io::Error) -> Result<(), String> {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error.to_string()),
    }
}

/// True for what ends a call.
fn ends(frame: &Frame) -> bool {
    let is_last =
        [kind::HEADERS, kind::DATA].contains(&frame.kind) && frame.flags & END_STREAM != 0;
    is_last || frame.kind == kind::RST_STREAM
}

/// Reads until all calls have ended, each by itself or with their connection; `left` counts them down.
async fn all_calls_ended(
    mut connection: Http2,
    mut open: BTreeSet<u32>,
    left: Arc<AtomicUsize>,
) -> Result<(), String> {
    while !open.is_empty() {
        match connection.next().await {
            Ok(frame) if ends(&frame) && open.remove(&frame.stream) => {
                left.fetch_sub(1, Ordering::SeqCst);
            }
            Ok(_) => {}
            Err(error) => {
                unless_ended(error)?;
                left.fetch_sub(open.len(), Ordering::SeqCst);
                break;
            }
        }
    }
    Ok(())
}

async fn half_sent(target: Target) -> Result<Attacked, String> {
    let mut beginning = JoinSet::new();
    for _ in 0..CONNECTIONS_PER_ADDRESS_MAX {
        beginning.spawn(begin_messages(target.clone()));
    }
    let connections = beginning.join_all().await;
    let connections: Vec<_> = connections.into_iter().collect::<Result<_, _>>()?;
    let begun = connections.iter().map(|(_, open)| open.len()).sum();
    let bytes = usize::try_from(MESSAGE_BYTES).unwrap_or(usize::MAX);
    let kept_max = ARRIVING_BYTES_PER_ADDRESS_MAX / bytes;
    if begun <= kept_max {
        return Err(format!("no more than {begun} messages could be begun"));
    }
    let (left, mut reading) = (Arc::new(AtomicUsize::new(begun)), JoinSet::new());
    for (connection, open) in connections {
        reading.spawn(all_calls_ended(connection, open, Arc::clone(&left)));
    }
    // Those for which there is no room are refused at once.
    let refused = async {
        let mut looks = interval(LOOK_INTERVAL);
        while left.load(Ordering::SeqCst) > kept_max {
            looks.tick().await;
        }
    };
    if timeout(REFUSAL_TIMEOUT, refused).await.is_err() {
        let kept = left.load(Ordering::SeqCst);
        return Err(format!(
            "{kept} of {begun} half-sent messages of {bytes} bytes are kept"
        ));
    }
    let ended = async move {
        let all = timeout(MESSAGE_TIMEOUT, reading.join_all()).await;
        let Ok(all) = all else {
            let kept = left.load(Ordering::SeqCst);
            return Err(format!("{kept} half-sent messages are still waited for"));
        };
        all.into_iter().collect()
    };
    Attacked::later(begun, Some(Box::pin(ended)))
}

async fn unread_streams(target: Target) -> Result<Attacked, String> {
    let from_first = [message_prefix(2), vec![0x08, 1]].concat();
    let mut connections = Vec::new();
    for _ in 0..UNREADING {
        let mut connection = begin(&target, 1).await?;
        for _ in 0..STREAMS_PER_CONNECTION_MAX {
            let begun = connection.call(STREAM_BLOCKS).await;
            let stream = begun.map_err(|error| error.to_string())?;
            let asked = frame(kind::DATA, END_STREAM, stream, &from_first);
            let sent = connection.write(&asked).await;
            sent.map_err(|error| error.to_string())?;
        }
        connections.push(connection);
    }
    let count = UNREADING * calls_of_a_connection();
    if !target.is_full {
        let mut ticks = interval(WATCHED);
        ticks.tick().await;
        ticks.tick().await;
        return Attacked::now(count);
    }
    // They answer pings, so only that they read nothing speaks against them.
    let ended = async move {
        let mut reading = JoinSet::new();
        for mut connection in connections {
            reading.spawn(async move {
                let until_the_end = async { while connection.next().await.is_ok() {} };
                timeout(WATCHED_LONG, until_the_end).await.is_ok()
            });
        }
        let ended = reading.join_all().await;
        let left = ended.iter().filter(|ended| !**ended).count();
        if left > 0 {
            return Err(format!(
                "{left} connections go on whose streams nobody reads"
            ));
        }
        Ok(())
    };
    Attacked::later(count, Some(Box::pin(ended)))
}
