//! How long a transaction takes from its submission to the answer that it is committed.

use std::time::Duration;

use cloverleaf_api::proto::sequencer::v1::State;
use eyre::{Result, eyre};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::connection::Connection;
use cloverleaf_bench::Wallet;
pub(crate) use cloverleaf_testnet::load::steady::Latencies;

/// What half of them and 99 of a hundred did not exceed, and the longest.
pub(crate) fn told(times: &Latencies) -> String {
    let [half, most, all] = [500, 990, 1_000].map(|permille| times.permille_ms(permille));
    format!("{half:.1}, {most:.1}, {all:.1} ms")
}

/// One after the other: the next is submitted when the last is committed.
pub(crate) async fn closed(
    connection: &Connection,
    wallet: &mut Wallet,
    count: usize,
) -> Result<Latencies> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let raw = wallet.transfer();
        let start = Instant::now();
        committed(connection.commit(wallet.chain_id, raw).await)?;
        times.push(start.elapsed());
    }
    Ok(Latencies::new(times))
}

/// On a schedule that was made before: every `interval`, whatever became of those before. Time counts
/// from when a transaction was to be submitted, so a stall shows in all that it delays.
pub(crate) async fn open(
    connection: &Connection,
    wallet: &mut Wallet,
    count: usize,
    interval: Duration,
) -> Result<Latencies> {
    let raws: Vec<_> = (0..count).map(|_| wallet.transfer()).collect();
    let begin = Instant::now() + interval;
    let mut due = begin;
    let mut waiting = JoinSet::new();
    for raw in raws {
        let (connection, chain_id, intended) = (connection.clone(), wallet.chain_id, due);
        due += interval;
        waiting.spawn(async move {
            sleep_until(intended).await;
            let answer = connection.commit(chain_id, raw).await;
            (answer, intended.elapsed())
        });
    }
    let mut times = Vec::with_capacity(count);
    while let Some(done) = waiting.join_next().await {
        let (answer, time) = done?;
        committed(answer)?;
        times.push(time);
    }
    Ok(Latencies::new(times))
}

fn committed(answer: Result<State, String>) -> Result<()> {
    answer
        .map(|_committed| ())
        .map_err(|reason| eyre!("refused: {reason}"))
}
