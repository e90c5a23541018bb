//! Hands the schedule in, whatever became of what was handed in before.

use std::time::Duration;

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_client::{Submitted, Submitter};
use cloverleaf_types::{TransactionKey, transaction_id};
use eyre::{Result, bail};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::schedule::{Due, Schedule, WARM_UP};

/// Connections to each validator: each carries 64 calls at once, and all wait for a block.
const CONNECTIONS: usize = 8;

/// How long a bundle may be placed after its submission, in milliseconds.
const BUNDLE_MS: u64 = 10_000;

/// The beginning is so long after it is chosen: all tasks are there then.
const LEAD: Duration = Duration::from_millis(500);

/// Something that was committed.
pub(super) struct Answer {
    /// When it was to be submitted.
    pub(super) intended: Instant,
    /// When the client was told that it is committed.
    pub(super) answered: Instant,
    /// Whether its times count.
    pub(super) is_timed: bool,
    /// Its transactions: more than one for a bundle.
    pub(super) keys: Vec<TransactionKey>,
}

/// Submits everything at its time, to the validators in turn; each waits until it is committed.
pub(super) async fn submit(grpc: &[String], schedule: Schedule) -> Result<Vec<Answer>> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        for url in grpc {
            connections.push(Submitter::new(url)?);
        }
    }
    let begin = Instant::now() + LEAD;
    let mut running = JoinSet::new();
    for due in schedule.0 {
        // All of an account's by one connection, which keeps their order.
        let rollup = usize::try_from(due.legs[0].0.0)?;
        let submitter = connections[rollup % connections.len()].clone();
        running.spawn(committed(submitter, due, begin));
    }
    let mut answers = Vec::with_capacity(running.len());
    while let Some(answer) = running.join_next().await {
        answers.push(answer??);
    }
    Ok(answers)
}

async fn committed(mut submitter: Submitter, due: Due, begin: Instant) -> Result<Answer> {
    let keys = due
        .legs
        .iter()
        .map(|(chain, raw)| (*chain, transaction_id(raw)));
    let keys: Vec<TransactionKey> = keys.collect();
    let intended = begin + due.at;
    sleep_until(intended).await;
    let submitted = match <[_; 1]>::try_from(due.legs) {
        Ok([(chain, raw)]) => submitter.submit(chain, raw, Wait::Committed).await,
        Err(legs) => {
            let legs = legs.into_iter().map(|(chain, raw)| (chain, vec![raw]));
            let last_ms = crate::machine::now_ms()? + BUNDLE_MS;
            submitter
                .submit_bundle(legs.collect(), last_ms, Wait::Committed)
                .await
        }
    };
    match submitted {
        Submitted::Reached(_) => Ok(Answer {
            intended,
            answered: Instant::now(),
            is_timed: due.at >= WARM_UP,
            keys,
        }),
        other => bail!("not committed after {:?}: {other:?}", intended.elapsed()),
    }
}
