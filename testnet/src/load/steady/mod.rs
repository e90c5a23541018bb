//! Load at a steady rate: everything is signed before, and goes out when it is due, whatever became of
//! what went before it.
//!
//! ```text
//!   Offer ─► Schedule ─┬─► SubmitStream, SubmitBundle ─► replies ─┐
//!                      │ due                                      ▼
//!                      └────────► StreamBlocks ─► commits ─► Outcome ─► holds, or why not
//! ```
//! Time counts from when something was due: a stall shows in all that it delays.

mod commits;
mod outcome;
mod rate;
mod schedule;
mod senders;
mod times;

pub use outcome::{Outcome, Part, RollupTimes};
pub use rate::{Trial, highest};
pub use schedule::{Offer, Unfit};
pub use times::{Latencies, Times};

use std::sync::Arc;
use std::time::Duration;

use cloverleaf_client::{Error as ClientError, RpcClient};
use tokio::time::{Instant, sleep_until};

use super::Targets;
use crate::process::Error as SystemError;
use crate::process::cpu_seconds;
use commits::Commits;
use schedule::Schedule;
use senders::Senders;

/// The beginning is so long after it is chosen: all senders wait for it then.
const LEAD: Duration = Duration::from_millis(500);

/// Nothing new for so long means that nothing more comes.
const DRAIN: Duration = Duration::from_secs(20);

/// Between two looks at what is committed.
const LOOK: Duration = Duration::from_millis(50);

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is offered makes no sense: whoever asks is at fault.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A node does not answer, or not as it should.
    #[error(transparent)]
    Node(#[from] ClientError),
    /// This machine does not say what this process uses.
    #[error(transparent)]
    System(#[from] SystemError),
}

/// Offers it to a network and waits until all that was taken in is in a block, or nothing comes any more.
///
/// # Errors
/// The offer makes no sense, or a node is not there. What a node refuses or loses is in the outcome.
///
/// # Panics
/// A task did.
pub async fn run(offer: &Offer, targets: &Targets) -> Result<Outcome, Error> {
    let schedule = Arc::new(Schedule::sign(offer, &targets.chain_ids)?);
    let tip = RpcClient::new(&targets.http[0])?
        .network_info()
        .await?
        .height;
    let commits = Commits::watch(&targets.grpc, tip.next(), &schedule).await?;
    let senders = Senders::new(&schedule, &targets.grpc)?;
    let used_s = cpu_seconds(std::process::id())?;
    let begin = now() + LEAD;
    let replies = senders.send(begin).await;
    wait_for(&commits, &replies.owed(&schedule)).await;
    let used_s = cpu_seconds(std::process::id())? - used_s;
    let seen = commits.end().await?;
    Ok(Outcome::new(
        offer,
        &schedule,
        &replies,
        &seen,
        (begin, used_s),
    ))
}

/// Waits until blocks hold all of these, or none holds another one for long.
async fn wait_for(commits: &Commits, owed: &[usize]) {
    let (mut missing, mut since) = (usize::MAX, now());
    loop {
        let left = commits.missing(owed);
        if left == 0 || (left == missing && since.elapsed() >= DRAIN) {
            return;
        }
        if left != missing {
            (missing, since) = (left, now());
        }
        sleep_until(now() + LOOK).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "real users have real time")]
fn now() -> Instant {
    Instant::now()
}
