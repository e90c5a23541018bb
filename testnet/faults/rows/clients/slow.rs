//! Those who take their time: half a header, half a body, answers that nobody reads.

use std::time::Duration;

use cloverleaf_testnet::hostile::all_ended;
use cloverleaf_testnet::hostile::http1::{post, request};
use cloverleaf_testnet::hostile::limits::{
    BATCH_CALLS_MAX, BODY_BYTES_MAX, CONNECTIONS_PER_ADDRESS_MAX, Held,
};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::interval;

use super::{Attack, Attacked, Target};
use crate::rows::siege::CHAINS;

/// A busy machine may be so late in ending what is over.
const LATE: Duration = Duration::from_secs(8);
/// Time for headers (`HEADER_TIMEOUT`).
const HEADERS_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a request (`REQUEST_TIMEOUT`).
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long somebody may read nothing (`WRITE_STALL_MAX_MS`).
const WRITE_TIMEOUT: Duration = Duration::from_secs(90);

/// Between two drops of a slow sender.
const DRIP_INTERVAL: Duration = Duration::from_millis(100);
/// How many drops are watched; what is left then ends by its own limit.
const DRIPS: usize = 15;

/// Headers come a few bytes at a time and never end.
pub(super) const HEADERS: Attack = Attack {
    name: "slow headers",
    held: |_| Held {
        http: 4 * CONNECTIONS_PER_ADDRESS_MAX,
        ..Held::default()
    },
    run: |target| Box::pin(headers(target)),
};

/// Bodies come in part, then a byte at a time.
pub(super) const BODIES: Attack = Attack {
    name: "slow bodies",
    held: |_| Held {
        http: 2 * CONNECTIONS_PER_ADDRESS_MAX,
        bodies: 2 * CONNECTIONS_PER_ADDRESS_MAX,
        ..Held::default()
    },
    run: |target| Box::pin(bodies(target)),
};

/// Connections that ask for long answers and read none.
const READING: usize = 8;

/// Long answers are asked for and not read.
pub(super) const READERS: Attack = Attack {
    name: "unread answers",
    held: |_| Held {
        http: READING,
        bodies: READING,
        batches: READING,
        ..Held::default()
    },
    run: |target| Box::pin(readers(target)),
};

/// As many connections as these addresses may have.
pub(super) async fn connect(target: &Target, addresses: usize) -> Result<Vec<TcpStream>, String> {
    let mut streams = Vec::new();
    for number in 0..addresses * CONNECTIONS_PER_ADDRESS_MAX {
        let stream = target.source.connect(number % addresses, target.http).await;
        streams.push(stream.map_err(|error| format!("connecting: {error}"))?);
    }
    Ok(streams)
}

/// Writes a few bytes into each, again and again.
async fn drip(streams: &mut [TcpStream], drop: &[u8]) {
    let mut ticks = interval(DRIP_INTERVAL);
    for _ in 0..DRIPS {
        ticks.tick().await;
        for stream in streams.iter_mut() {
            let _ended = stream.write_all(drop).await;
        }
    }
}

async fn headers(target: Target) -> Result<Attacked, String> {
    let mut streams = connect(&target, 4).await?;
    let begin = post("/", 100);
    let cut = usize::try_from(target.seed).unwrap_or(0) % 40 + 1;
    for stream in &mut streams {
        let begun = stream.write_all(&begin.as_bytes()[..cut]).await;
        begun.map_err(|error| error.to_string())?;
    }
    drip(&mut streams, b"a").await;
    end(streams, HEADERS_TIMEOUT)
}

async fn bodies(target: Target) -> Result<Attacked, String> {
    let mut streams = connect(&target, 2).await?;
    let begin = [
        post("/", BODY_BYTES_MAX).as_bytes(),
        &vec![b' '; BODY_BYTES_MAX / 2],
    ]
    .concat();
    for stream in &mut streams {
        let begun = stream.write_all(&begin).await;
        begun.map_err(|error| error.to_string())?;
    }
    drip(&mut streams, b" ").await;
    end(streams, BODY_TIMEOUT)
}

/// All end within their limit.
fn end(streams: Vec<TcpStream>, limit: Duration) -> Result<Attacked, String> {
    let count = streams.len();
    let ended = async move {
        match all_ended(streams, limit + LATE).await {
            0 => Ok(()),
            left => Err(format!(
                "{left} of {count} connections go on after {limit:?}"
            )),
        }
    };
    Attacked::later(count, Some(Box::pin(ended)))
}

/// A batch that asks for the longest answers.
pub(super) fn long_batch(target: &Target, calls: usize) -> String {
    let call = |id: usize| {
        let (chain_id, seq) = (CHAINS[0], target.long_batch);
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"seq_getBatch","params":["{chain_id:#x}","{seq:#x}"]}}"#
        )
    };
    let calls: Vec<String> = (0..calls).map(call).collect();
    format!("[{}]", calls.join(","))
}

async fn readers(target: Target) -> Result<Attacked, String> {
    let asked = request("/", long_batch(&target, BATCH_CALLS_MAX).as_bytes());
    let mut streams = Vec::new();
    for _ in 0..READING {
        let stream = target.source.connect_with(0, target.http, Some(4096)).await;
        let mut stream = stream.map_err(|error| error.to_string())?;
        // Two, of which the second is not begun before the first is read.
        for _ in 0..2 {
            let sent = stream.write_all(&asked).await;
            sent.map_err(|error| error.to_string())?;
        }
        streams.push(stream);
    }
    let mut ticks = interval(DRIP_INTERVAL);
    for _ in 0..DRIPS {
        ticks.tick().await;
    }
    if !target.is_full {
        return Attacked::now(READING);
    }
    // That the node has ended them is seen by its descriptors, since reading would be no attack.
    let kept = async move {
        let mut ticks = interval(WRITE_TIMEOUT + LATE);
        ticks.tick().await;
        ticks.tick().await;
        drop(streams);
        Ok(())
    };
    Attacked::later(READING, Some(Box::pin(kept)))
}
