//! Sends what is due, and hears what nodes say to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_client::{Error as ClientError, Submitted, Submitter};
use cloverleaf_types::limits::BUNDLE_LIFETIME_MAX_MS;
use futures::{StreamExt as _, stream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::super::users::now_ms;
use super::schedule::Schedule;
use super::{DRAIN, now};

/// Streams to each node, a connection each.
const STREAMS: usize = 4;

/// Connections to each node for bundles.
const BUNDLE_CONNECTIONS: usize = 2;

/// What nodes said, by position.
#[derive(Debug)]
pub(super) struct Replies {
    /// How long after it was due it was taken in.
    pub(super) taken: Vec<Option<Duration>>,
    /// How many were refused, by reason.
    pub(super) refused: BTreeMap<String, usize>,
}

/// What one sender heard.
#[derive(Debug, Default)]
struct Heard {
    taken: Vec<(usize, Duration)>,
    refused: BTreeMap<String, usize>,
}

impl Replies {
    /// What blocks have to hold: it was taken in, and so was all of its account that comes before it.
    pub(super) fn owed(&self, schedule: &Schedule) -> Vec<usize> {
        let mut is_owed = vec![false; self.taken.len()];
        for position in 0..self.taken.len() {
            let before = schedule.before(position);
            is_owed[position] =
                self.taken[position].is_some() && before.is_none_or(|before| is_owed[before]);
        }
        let positions = is_owed.into_iter().enumerate();
        positions
            .filter_map(|(position, owed)| owed.then_some(position))
            .collect()
    }
}

/// Sends everything to these nodes, and hears until all is answered or nothing comes for long.
pub(super) async fn send(
    schedule: &Arc<Schedule>,
    grpc: &[String],
    begin: Instant,
) -> Result<Replies, ClientError> {
    let mut senders = JoinSet::new();
    let streams = schedule.by_stream(STREAMS * grpc.len());
    for (turn, positions) in streams.into_iter().enumerate() {
        let submitter = Submitter::new(&grpc[turn % grpc.len()])?;
        senders.spawn(send_singles(
            submitter,
            Arc::clone(schedule),
            positions,
            begin,
        ));
    }
    let mut submitters = Vec::new();
    for _ in 0..BUNDLE_CONNECTIONS {
        for url in grpc {
            submitters.push(Submitter::new(url)?);
        }
    }
    senders.spawn(send_bundles(submitters, Arc::clone(schedule), begin));
    let mut replies = Replies {
        taken: vec![None; schedule.len()],
        refused: BTreeMap::new(),
    };
    while let Some(heard) = senders.join_next().await {
        replies.note(heard.expect("a sender does not fail"));
    }
    Ok(replies)
}

/// Sends on one stream: each at its time, or as soon as the node reads on.
async fn send_singles(
    mut submitter: Submitter,
    schedule: Arc<Schedule>,
    positions: Vec<usize>,
    begin: Instant,
) -> Heard {
    let mut heard = Heard::default();
    let Some(last) = positions.last() else {
        return heard;
    };
    let end = begin + schedule.get(*last).at + DRAIN;
    let sent = Arc::clone(&schedule);
    let transactions = stream::iter(positions.clone()).then(move |position| {
        let sent = Arc::clone(&sent);
        async move {
            let due = sent.get(position);
            wait_until(begin + due.at).await;
            (due.legs[0].key.0, due.legs[0].raw.clone())
        }
    });
    let Ok(mut replies) = submitter.submit_all(transactions, Wait::Received).await else {
        return heard; // all of it is unanswered
    };
    for position in positions {
        let Ok(Some(said)) = timeout_at(end, replies.next()).await else {
            return heard;
        };
        let due = begin + schedule.get(position).at;
        heard.note(position, said, now().saturating_duration_since(due));
    }
    heard
}

/// Sends bundles at their time, whatever became of those before.
async fn send_bundles(
    submitters: Vec<Submitter>,
    schedule: Arc<Schedule>,
    begin: Instant,
) -> Heard {
    let (mut heard, mut waiting) = (Heard::default(), JoinSet::new());
    for (turn, position) in schedule.bundle_positions().enumerate() {
        let mut submitter = submitters[turn % submitters.len()].clone();
        let due = schedule.get(position);
        let legs = due.legs.iter();
        let legs = legs.map(|leg| (leg.key.0, vec![leg.raw.clone()])).collect();
        let due = begin + due.at;
        wait_until(due).await;
        waiting.spawn(async move {
            let last_ms = now_ms() + BUNDLE_LIFETIME_MAX_MS / 2;
            let said = submitter.submit_bundle(legs, last_ms, Wait::Received).await;
            (position, said, now().saturating_duration_since(due))
        });
        while let Some(done) = waiting.try_join_next() {
            let (position, said, after) = done.expect("a call does not fail");
            heard.note(position, said, after);
        }
    }
    while let Some(done) = waiting.join_next().await {
        let (position, said, after) = done.expect("a call does not fail");
        heard.note(position, said, after);
    }
    heard
}

/// Most are due already when the machine is busy: a timer for each would make it busier.
async fn wait_until(at: Instant) {
    if now() < at {
        sleep_until(at).await;
    }
}

impl Heard {
    fn note(&mut self, position: usize, said: Submitted, after: Duration) {
        match said {
            Submitted::Reached(_) => self.taken.push((position, after)),
            Submitted::Late(state) => self.refuse(format!("only {state}")),
            Submitted::Refused(reason) => self.refuse(reason),
            Submitted::Unknown => {}
        }
    }

    fn refuse(&mut self, reason: String) {
        *self.refused.entry(reason).or_default() += 1;
    }
}

impl Replies {
    fn note(&mut self, heard: Heard) {
        for (position, after) in heard.taken {
            self.taken[position] = Some(after);
        }
        for (reason, count) in heard.refused {
            *self.refused.entry(reason).or_default() += count;
        }
    }
}
