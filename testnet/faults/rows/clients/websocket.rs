//! WebSockets that say too much at a time, too often, or nothing.

use std::time::Duration;

use cloverleaf_testnet::hostile::limits::{
    BODY_BYTES_MAX, CONNECTIONS_PER_ADDRESS_MAX, Held, SUBSCRIPTIONS_MAX,
};
use cloverleaf_testnet::hostile::websocket::{FIN, PING, TEXT, frame, head, next_text, open, say};
use cloverleaf_testnet::hostile::{all_ended, ended};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Attack, Attacked, Target};

/// Two pings, of which the first is not answered (`WEBSOCKET_PING_INTERVAL`), the last words
/// (`FAREWELL_TIMEOUT`), and as long as a busy machine may be late.
const SILENT_TIMEOUT: Duration = Duration::from_secs(48);
/// Time to end what broke the protocol.
const ENDING_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long pings are sent.
const PINGING: Duration = Duration::from_millis(1_500);
/// Those who ping.
const PINGERS: usize = 8;

/// Nobody answers its pings.
pub(super) const HALF_OPEN: Attack = Attack {
    name: "half-open WebSockets",
    held: |_| Held {
        http: CONNECTIONS_PER_ADDRESS_MAX,
        ..Held::default()
    },
    run: |target| Box::pin(half_open(target)),
};

/// Frames and messages longer than any may be, and frames that are none.
pub(super) const OVERSIZE: Attack = Attack {
    name: "oversize frames",
    held: |_| Held {
        http: 8,
        bodies: 8,
        ..Held::default()
    },
    run: |target| Box::pin(oversize(target)),
};

/// Pings, as fast as they go, whose answers nobody reads.
pub(super) const PINGS: Attack = Attack {
    name: "floods of pings",
    held: |_| Held {
        http: PINGERS,
        ..Held::default()
    },
    run: |target| Box::pin(pings(target)),
};

/// One subscription more than there may be, again and again.
pub(super) const SUBSCRIPTIONS: Attack = Attack {
    name: "too many subscriptions",
    held: |_| Held {
        http: 1,
        ..Held::default()
    },
    run: |target| Box::pin(subscriptions(target)),
};

/// An open WebSocket.
pub(super) async fn websocket(target: &Target, number: usize) -> Result<TcpStream, String> {
    let stream = target.source.connect(number, target.http).await;
    let mut stream = stream.map_err(|error| error.to_string())?;
    open(&mut stream).await.map_err(|error| error.to_string())?;
    Ok(stream)
}

async fn half_open(target: Target) -> Result<Attacked, String> {
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS_PER_ADDRESS_MAX {
        streams.push(websocket(&target, 0).await?);
    }
    let count = streams.len();
    let ended = async move {
        match all_ended(streams, SILENT_TIMEOUT).await {
            0 => Ok(()),
            left => Err(format!("{left} of {count} go on though nobody is there")),
        }
    };
    Attacked::later(count, Some(Box::pin(ended)))
}

async fn oversize(target: Target) -> Result<Attacked, String> {
    let long = vec![b' '; BODY_BYTES_MAX + 1];
    let half = vec![b' '; BODY_BYTES_MAX / 2 + 1];
    let mut unmasked = frame(FIN | TEXT, b"{}");
    unmasked[1] &= 0x7f;
    let broken: [(&str, Vec<u8>); 8] = [
        ("a frame of 2^63 bytes", head(FIN | TEXT, 1 << 63)),
        ("a frame over the limit", frame(FIN | TEXT, &long)),
        (
            "a message over the limit",
            [frame(TEXT, &half), frame(FIN, &half)].concat(),
        ),
        ("an unmasked frame", unmasked),
        ("a frame of no kind", frame(FIN | 0x0b, b"")),
        ("a reserved bit", frame(0x40 | FIN | TEXT, b"{}")),
        ("a long ping", frame(FIN | PING, &[7; 126])),
        ("a text that is none", frame(FIN | TEXT, &[0xff, 0xfe])),
    ];
    let count = broken.len();
    for (what, bytes) in broken {
        let mut stream = websocket(&target, 0).await?;
        let _hung_up_meanwhile = timeout(ANSWER_TIMEOUT, stream.write_all(&bytes)).await;
        if !ended(&mut stream, ENDING_TIMEOUT).await {
            return Err(format!("{what} ends nothing"));
        }
    }
    Attacked::now(count)
}

async fn pings(target: Target) -> Result<Attacked, String> {
    let many = frame(FIN | PING, &[7; 125]).repeat(100);
    let mut pinging = JoinSet::new();
    for _ in 0..PINGERS {
        let mut stream = websocket(&target, 0).await?;
        let many = many.clone();
        pinging.spawn(async move {
            // Ends when the node ends it or takes no more, at the latest with the time.
            let flood = async { while stream.write_all(&many).await.is_ok() {} };
            let _over = timeout(PINGING, flood).await;
        });
    }
    pinging.join_all().await;
    Attacked::now(PINGERS)
}

async fn subscriptions(target: Target) -> Result<Attacked, String> {
    let mut stream = websocket(&target, 0).await?;
    let mut refused = 0;
    for id in 1..=3 * SUBSCRIPTIONS_MAX {
        let asked = subscribe(id, "blocks");
        say(&mut stream, &asked)
            .await
            .map_err(|error| error.to_string())?;
        let answer = timeout(ANSWER_TIMEOUT, answer_to(&mut stream, id)).await;
        let answer = answer.map_err(|_| format!("call {id} has no answer"))??;
        let is_refused = answer["error"]["data"]["reason"] == "tooManySubscriptions";
        if is_refused != (id > SUBSCRIPTIONS_MAX) {
            return Err(format!("subscription {id}: {answer}"));
        }
        refused += usize::from(is_refused);
    }
    Attacked::now(refused)
}

/// A call that subscribes.
pub(super) fn subscribe(id: usize, topic: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"seq_subscribe","params":["{topic}"]}}"#)
}

/// The answer to a call, notifications passed over.
pub(super) async fn answer_to(stream: &mut TcpStream, id: usize) -> Result<Value, String> {
    loop {
        let text = next_text(stream).await.map_err(|error| error.to_string())?;
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if value["id"] == id {
            return Ok(value);
        }
    }
}
