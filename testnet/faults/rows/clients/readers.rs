//! Thousands of subscribers, of whom some never read.

use std::time::Duration;

use cloverleaf_testnet::hostile::limits::{CONNECTIONS_PER_ADDRESS_MAX, Held, SUBSCRIPTIONS_MAX};
use cloverleaf_testnet::hostile::websocket::{next_text, say};
use cloverleaf_testnet::process::Stopwatch;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::websocket::{subscribe, websocket};
use super::{Attack, Attacked, Target};
use crate::rows::siege::CHAINS;

/// How long they are there.
const WATCHED: Duration = Duration::from_secs(2);
/// The same in a full run.
const WATCHED_LONG: Duration = Duration::from_secs(15);
/// Longest time to subscribe: thousands do.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(60);
/// The least room for what is not read.
const SMALL_BUFFER_BYTES: u32 = 4096;

/// WebSockets with all the subscriptions that each may have, and server-sent events: 5,000 in a full
/// run, 500 of whom never read.
pub(super) const SUBSCRIBERS: Attack = Attack {
    name: "subscribers, many unread",
    held: |target| Held {
        http: connections(target).iter().sum(),
        bodies: connections(target)[1] + connections(target)[2],
        ..Held::default()
    },
    run: |target| Box::pin(subscribers(target)),
};

/// WebSockets that read, WebSockets that do not, server-sent events that nobody reads. Each WebSocket
/// has 32 subscriptions.
fn connections(target: &Target) -> [usize; 3] {
    if target.is_full {
        [4_500_usize.div_ceil(SUBSCRIPTIONS_MAX), 14, 52]
    } else {
        [8, 1, 8]
    }
}

async fn subscribers(target: Target) -> Result<Attacked, String> {
    let [reading, silent, events] = connections(&target);
    let watched = if target.is_full {
        WATCHED_LONG
    } else {
        WATCHED
    };
    let mut unread = Vec::new();
    for number in 0..events {
        let address = 1_000 + number / CONNECTIONS_PER_ADDRESS_MAX;
        let room = Some(SMALL_BUFFER_BYTES);
        let stream = target.source.connect_with(address, target.http, room).await;
        let mut stream = stream.map_err(|error| error.to_string())?;
        let chain_id = CHAINS[number % CHAINS.len()];
        let asked =
            format!("GET /v1/rollups/{chain_id}/stream?from=1 HTTP/1.1\r\nHost: node\r\n\r\n");
        let sent = stream.write_all(asked.as_bytes()).await;
        sent.map_err(|error| error.to_string())?;
        unread.push(stream);
    }
    for number in 0..silent {
        let mut stream = websocket(&target, 2_000 + number / CONNECTIONS_PER_ADDRESS_MAX).await?;
        for id in 0..SUBSCRIPTIONS_MAX {
            let said = say(&mut stream, &subscribe(id, "blocks")).await;
            said.map_err(|error| error.to_string())?;
        }
        unread.push(stream);
    }
    let mut readers = JoinSet::new();
    for number in 0..reading {
        readers.spawn(read(target.clone(), number, watched));
    }
    for read in readers.join_all().await {
        read?;
    }
    let count = (reading + silent) * SUBSCRIPTIONS_MAX + events;
    drop(unread);
    Attacked::now(count)
}

/// Subscribes as often as a WebSocket may, and reads what comes. Each subscription must be heard of.
async fn read(target: Target, number: usize, watched: Duration) -> Result<(), String> {
    let mut stream = websocket(&target, number / CONNECTIONS_PER_ADDRESS_MAX).await?;
    let subscribing = async {
        for id in 0..SUBSCRIPTIONS_MAX {
            let said = say(&mut stream, &subscribe(id, "blocks")).await;
            said.map_err(|error| error.to_string())?;
        }
        let mut answers = 0;
        while answers < SUBSCRIPTIONS_MAX {
            let text = next_text(&mut stream)
                .await
                .map_err(|error| error.to_string())?;
            answers += usize::from(text.contains("\"result\":\"0x") && text.contains("\"id\":"));
        }
        Ok::<(), String>(())
    };
    let subscribed = timeout(SUBSCRIBE_TIMEOUT, subscribing).await;
    subscribed.map_err(|_| "subscribing takes too long".to_owned())??;
    let (watch, mut heard) = (Stopwatch::start(), 0);
    // At least so long, and until every subscription has said something.
    let listening = async {
        while watch.elapsed() < watched || heard < SUBSCRIPTIONS_MAX {
            let text = next_text(&mut stream).await;
            text.map_err(|error| format!("a subscriber that reads: {error}"))?;
            heard += 1;
        }
        Ok::<(), String>(())
    };
    let listened = timeout(watched + SUBSCRIBE_TIMEOUT, listening).await;
    listened.map_err(|_| "a subscriber that reads hears nothing".to_owned())?
}
