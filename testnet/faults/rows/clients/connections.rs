//! More connections than there are places: of one address, and of all.

use std::time::Duration;

use cloverleaf_testnet::hostile::http1::{Answer, ask};
use cloverleaf_testnet::hostile::limits::{CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, Held};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::interval;

use super::{Attack, Attacked, Target};

/// Time for an answer: the cores are shared with the attack.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Addresses that together want more than all places.
const ADDRESSES: usize = CONNECTIONS_MAX / CONNECTIONS_PER_ADDRESS_MAX + 4;
/// Times that all of them connect anew.
const ROUNDS: usize = 3;
/// Between two of these.
const ROUND_INTERVAL: Duration = Duration::from_millis(500);

/// One address opens three times as many as it may have.
pub(super) const OF_ONE_ADDRESS: Attack = Attack {
    name: "connections of one address",
    held: |_| Held {
        http: CONNECTIONS_PER_ADDRESS_MAX,
        ..Held::default()
    },
    run: |target| Box::pin(of_one_address(target)),
};

/// Twenty addresses take all places there are, of both ports.
pub(super) const OF_ALL_PLACES: Attack = Attack {
    name: "connections for all places",
    held: |_| Held {
        http: CONNECTIONS_MAX,
        grpc: CONNECTIONS_MAX,
        ..Held::default()
    },
    run: |target| Box::pin(of_all_places(target)),
};

async fn of_one_address(target: Target) -> Result<Attacked, String> {
    let count = 3 * CONNECTIONS_PER_ADDRESS_MAX;
    let mut streams = Vec::new();
    for _ in 0..count {
        let stream = target.source.connect(0, target.http).await;
        streams.push(stream.map_err(|error| error.to_string())?);
    }
    let mut asking = JoinSet::new();
    for mut stream in streams {
        asking.spawn(async move {
            let asked = b"GET /v1/rollups HTTP/1.1\r\nHost: node\r\n\r\n";
            (ask(&mut stream, asked, ANSWER_TIMEOUT).await, stream)
        });
    }
    let answers = asking.join_all().await;
    let served = answers.iter().filter(|(it, _)| it.status() == Some(200));
    let ended = answers.iter().filter(|(it, _)| *it == Answer::Ended);
    match (served.count(), ended.count()) {
        (CONNECTIONS_PER_ADDRESS_MAX, ended) if ended == count - CONNECTIONS_PER_ADDRESS_MAX => {
            Attacked::now(count)
        }
        (served, ended) => Err(format!(
            "of {count}, {served} were served and {ended} ended"
        )),
    }
}

async fn of_all_places(target: Target) -> Result<Attacked, String> {
    let mut streams: Vec<TcpStream> = Vec::new();
    let mut rounds = interval(ROUND_INTERVAL);
    for _ in 0..ROUNDS {
        rounds.tick().await;
        // Whom the node hung up on comes again before the others go.
        let before = streams.len();
        for number in 0..ADDRESSES * CONNECTIONS_PER_ADDRESS_MAX {
            for port in [target.http, target.grpc] {
                let stream = target.source.connect(number % ADDRESSES, port).await;
                streams.push(stream.map_err(|error| error.to_string())?);
            }
        }
        streams.drain(..before);
    }
    // Honest users come with new connections all the time: they are watched by the row.
    rounds.tick().await;
    Attacked::now(ROUNDS * ADDRESSES * CONNECTIONS_PER_ADDRESS_MAX)
}
