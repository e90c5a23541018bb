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
    /// How many transactions were refused, by reason.
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

/// Who sends what, ready to begin.
#[derive(Debug)]
pub(super) struct Senders {
    schedule: Arc<Schedule>,
    streams: Vec<(Submitter, Vec<usize>)>,
    bundlers: Vec<Submitter>,
}

impl Senders {
    /// Divides everything among streams to these nodes.
    pub(super) fn new(schedule: &Arc<Schedule>, grpc: &[String]) -> Result<Self, ClientError> {
        let divided = schedule.by_stream(STREAMS * grpc.len());
        let turns = divided.into_iter().zip(grpc.iter().cycle());
        let streams = turns.map(|(positions, url)| Ok((Submitter::new(url)?, positions)));
        let urls = grpc.iter().cycle().take(BUNDLE_CONNECTIONS * grpc.len());
        Ok(Self {
            schedule: Arc::clone(schedule),
            streams: streams.collect::<Result<_, ClientError>>()?,
            bundlers: urls
                .map(|url| Submitter::new(url))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Sends everything, and hears until all is answered, or for some time after the last was due.
    pub(super) async fn send(self, begin: Instant) -> Replies {
        let mut replies = Replies {
            taken: vec![None; self.schedule.len()],
            refused: BTreeMap::new(),
        };
        let mut senders = JoinSet::new();
        for (submitter, positions) in self.streams {
            let schedule = Arc::clone(&self.schedule);
            senders.spawn(send_singles(submitter, schedule, positions, begin));
        }
        senders.spawn(send_bundles(self.bundlers, self.schedule, begin));
        while let Some(heard) = senders.join_next().await {
            replies.note(heard.expect("a sender does not fail"));
        }
        replies
    }
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
        heard.note((position, 1), said, now().saturating_duration_since(due));
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
        let (count, due) = (due.legs.len(), begin + due.at);
        wait_until(due).await;
        waiting.spawn(async move {
            let last_ms = now_ms() + BUNDLE_LIFETIME_MAX_MS / 2;
            let said = submitter.submit_bundle(legs, last_ms, Wait::Received).await;
            (
                (position, count),
                said,
                now().saturating_duration_since(due),
            )
        });
        while let Some(done) = waiting.try_join_next() {
            let (sent, said, after) = done.expect("a call does not fail");
            heard.note(sent, said, after);
        }
    }
    while let Some(done) = waiting.join_next().await {
        let (sent, said, after) = done.expect("a call does not fail");
        heard.note(sent, said, after);
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
    /// What was said to something of so many transactions.
    fn note(&mut self, (position, count): (usize, usize), said: Submitted, after: Duration) {
        let mut refuse = |reason| *self.refused.entry(reason).or_default() += count;
        match said {
            Submitted::Reached(_) => self.taken.push((position, after)),
            Submitted::Late(state) => refuse(format!("only {state}")),
            Submitted::Refused(reason) => refuse(reason),
            Submitted::Unknown => {}
        }
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
