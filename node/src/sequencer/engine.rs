//! The replica's thread: inputs in, outputs done in their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloverleaf_bundle::State;
use cloverleaf_journal::{JournalError, SegmentedJournal};
use cloverleaf_mempool::pool::{self, Admission, Name};
use cloverleaf_mempool::{Refusal, Submission};
use cloverleaf_replica::{Input, Output, Replica};
use cloverleaf_types::{Address, ChainId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::committer::{Committer, StoreWork};
use super::completions::Completions;
use super::fatal::Fatal;
use super::handle::{HandIn, HandedIn, Request, Shared, Taken, Until};
use super::meter::Meter;
use super::parcel_writer::{ParcelWrite, ParcelWriter};
use super::peers::Peers;
use crate::clock::{SteadyClock, Stopwatch, pause};

/// Longest sleep in milliseconds, so that a clock that jumped is noticed.
const IDLE_MAX_MS: u64 = 1_000;

/// Votes that are taken in a row while something else waits. They come first, but whoever floods this
/// node with them must not hold up its own writes, its timeouts or its clients.
const URGENT_IN_A_ROW: usize = 64;

/// Parcels and sync messages that are taken in a row: each is more work than a vote.
const BULK_IN_A_ROW: usize = 8;

/// Clients' requests that are taken in a row.
const REQUESTS_IN_A_ROW: usize = 64;

/// Those who wait for an acknowledgement, at most; further ones are answered with the present state.
const WAITING_MAX: usize = 100_000;

/// What comes to the thread.
pub(super) struct Inboxes {
    pub(super) urgent: mpsc::Receiver<Input>,
    pub(super) bulk: mpsc::Receiver<Input>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) completions: Completions,
}

/// Owns the replica and does what it wants done.
pub(super) struct Engine {
    pub(super) replica: Replica,
    pub(super) votes: SegmentedJournal,
    pub(super) parcel_writer: ParcelWriter,
    pub(super) committer: Committer,
    pub(super) peers: Peers,
    pub(super) shared: Arc<Shared>,
    pub(super) tip: watch::Sender<Arc<State>>,
    pub(super) fatal: Fatal,
    pub(super) waiting: Waiting,
    pub(super) clock: SteadyClock,
    pub(super) meter: Meter,
}

/// Who waits for what became of an item.
#[derive(Default)]
pub(super) struct Waiting {
    by_name: BTreeMap<Name, Vec<(Until, oneshot::Sender<pool::State>)>>,
    count: usize,
}

impl Engine {
    /// Runs until it is stopped, or must end.
    pub(super) async fn run(mut self, start: Input, mut inboxes: Inboxes, stop: CancellationToken) {
        if !self.handle(start) {
            return;
        }
        while self.take_turns(&mut inboxes) {
            let wake_in_ms = self.wake_in_ms();
            let go_on = tokio::select! {
                biased;
                () = stop.cancelled() => false,
                () = inboxes.completions.wait() => true,
                Some(input) = inboxes.urgent.recv() => self.handle(input),
                Some(input) = inboxes.bulk.recv() => self.handle(input),
                Some(request) = inboxes.requests.recv() => self.answer(request),
                () = pause(wake_in_ms) => true,
            };
            if !go_on {
                return;
            }
        }
    }

    /// Takes of everything that waits, each kind for its turn; false when nothing more may be done.
    fn take_turns(&mut self, inboxes: &mut Inboxes) -> bool {
        self.shared.vitals.turn.begin();
        let done = inboxes.completions.take();
        let go_on = (self.wake_in_ms() > 0 || self.handle(Input::Tick))
            && done.into_iter().all(|input| self.handle(input))
            && in_a_row(&mut inboxes.urgent, URGENT_IN_A_ROW).all(|input| self.handle(input))
            && in_a_row(&mut inboxes.bulk, BULK_IN_A_ROW).all(|input| self.handle(input))
            && in_a_row(&mut inboxes.requests, REQUESTS_IN_A_ROW)
                .all(|request| self.answer(request));
        let now_ms = self.clock.now_ms();
        self.meter.look(&self.replica, &self.peers, false, now_ms);
        self.shared.vitals.turn.end();
        go_on
    }

    fn wake_in_ms(&mut self) -> u64 {
        let (wake_ms, now_ms) = (self.replica.next_wake_ms(), self.clock.now_ms());
        wake_ms.map_or(IDLE_MAX_MS, |at_ms| {
            at_ms.saturating_sub(now_ms).min(IDLE_MAX_MS)
        })
    }

    /// False when nothing more may be done.
    fn handle(&mut self, input: Input) -> bool {
        let committed = matches!(input, Input::Committed { .. });
        let is_news = committed
            || matches!(
                input,
                Input::Start { .. }
                    | Input::Connected(_)
                    | Input::Disconnected(_)
                    | Input::Sync { .. }
            );
        let now_ms = self.clock.now_ms();
        self.meter.input(&input, now_ms);
        let outputs = self.replica.handle(now_ms, input);
        if committed {
            self.peers.follow(self.replica.state());
            self.tip
                .send_replace(Arc::new(self.replica.state().clone()));
        }
        if is_news {
            self.meter.look(&self.replica, &self.peers, true, now_ms);
        }
        self.release(outputs)
    }

    fn answer(&mut self, request: Request) -> bool {
        let now_ms = self.clock.now_ms();
        match request {
            Request::Submit { hand_in, reply } => {
                let (answer, go_on) = self.submit(now_ms, *hand_in);
                let _gone = reply.send(answer);
                return go_on;
            }
            Request::Expect {
                chain_id,
                sender,
                nonce,
            } => {
                let outputs = self.replica.expect_nonce(now_ms, chain_id, sender, nonce);
                return self.release(outputs);
            }
            Request::PendingNonce {
                chain_id,
                sender,
                reply,
            } => {
                let _gone = reply.send(self.replica.pending_nonce(chain_id, sender));
            }
            Request::Gaps { count_max, reply } => {
                let _gone = reply.send(self.replica.gaps(count_max));
            }
            Request::Status { name, reply } => {
                let _gone = reply.send(self.replica.status(&name));
            }
            Request::Raw { key, reply } => {
                let _gone = reply.send(self.replica.raw(&key));
            }
            Request::Wait { name, until, reply } => match self.replica.status(&name) {
                Some(state) => self.waiting.wait(name, state, until, reply),
                None => drop(reply),
            },
        }
        true
    }

    /// All of a submission at one turn; false when nothing more may be done.
    fn submit(&mut self, now_ms: u64, hand_in: HandIn) -> (Result<HandedIn, Refusal>, bool) {
        let HandIn {
            submission,
            told,
            ask_first,
            until,
        } = hand_in;
        if ask_first {
            let senders = self.unknown_senders(&submission);
            if !senders.is_empty() {
                let ask_first = HandedIn::AskFirst {
                    submission,
                    senders,
                };
                return (Ok(ask_first), true);
            }
        }
        let mut go_on = true;
        for (chain_id, sender, nonce) in told {
            let outputs = self.replica.expect_nonce(now_ms, chain_id, sender, nonce);
            go_on = go_on && self.release(outputs);
        }
        let (admitted, outputs) = self.replica.submit(now_ms, &submission);
        self.meter.admitted(submission.name(), &admitted, now_ms);
        go_on = go_on && self.release(outputs);
        let taken = admitted.map(|admission| {
            let (Admission::New { state, .. } | Admission::AlreadyKnown { state }) = admission;
            let name = submission.name();
            // What was released just now may have sealed it.
            let state = self.replica.status(&name).unwrap_or(state);
            let reached = until.map(|until| self.waiting.receiver(name, state, until));
            HandedIn::Taken(Taken { state, reached })
        });
        (taken, go_on)
    }

    fn unknown_senders(&self, submission: &Submission) -> Vec<(ChainId, Address)> {
        let numbered = submission.transactions().filter(|it| it.nonce.is_some());
        let mut senders: Vec<_> = numbered.map(|it| (it.chain_id, it.sender)).collect();
        senders.sort_unstable();
        senders.dedup();
        senders.retain(|(chain_id, sender)| !self.replica.knows_sender(*chain_id, *sender));
        senders
    }

    /// D1: one after the other; a failed write ends the node before the next one.
    fn release(&mut self, outputs: Vec<Output>) -> bool {
        for output in outputs {
            self.meter.output(&output, self.clock.now_ms());
            let done = match output {
                Output::Journal(records) => match self.journal(&records) {
                    Ok(()) => true,
                    Err(error) => {
                        self.fatal.journal(&error);
                        return false;
                    }
                },
                Output::Send { to, class, bytes } => {
                    self.peers.send(to, class, bytes);
                    true
                }
                Output::LogParcel(kept) => self.parcel_writer.write(ParcelWrite::Log(kept)),
                Output::StoreParcel(kept) => self.parcel_writer.write(ParcelWrite::Store(kept)),
                Output::ForgetParcels {
                    stored_below,
                    logged_below,
                } => self.parcel_writer.write(ParcelWrite::Forget {
                    stored_below,
                    logged_below,
                }),
                Output::Commit(commit) => self.committer.push(StoreWork::Commit(commit)),
                Output::ReadBlocks(range) => self.committer.push(StoreWork::Read(range)),
                Output::ForgetVotes(below) => match self.votes.remove_below(below.0) {
                    Ok(_) => true,
                    Err(error) => {
                        self.fatal.journal(&error);
                        return false;
                    }
                },
                Output::Progress { name, state } => {
                    self.waiting.progress(name, state);
                    true
                }
                Output::Halt(halt) => {
                    self.fatal.halt(&halt);
                    return false;
                }
            };
            if !done {
                self.fatal
                    .broken("a disk thread has ended, or its queue is beyond its limit");
                return false;
            }
        }
        true
    }

    fn journal(
        &mut self,
        records: &[cloverleaf_replica::JournalRecord],
    ) -> Result<(), JournalError> {
        for record in records {
            self.votes.append(record.height.0, &record.bytes)?;
        }
        self.shared.vitals.votes.begin();
        let took = Stopwatch::start();
        self.votes.sync()?;
        let (journal, size) = (&self.shared.metrics.journal, self.votes.len_bytes());
        journal.synced("votes", records.len(), size, took);
        self.shared.vitals.votes.end();
        Ok(())
    }
}

/// What waits in an inbox, at most so many.
fn in_a_row<T>(inbox: &mut mpsc::Receiver<T>, count_max: usize) -> impl Iterator<Item = T> {
    std::iter::from_fn(|| inbox.try_recv().ok()).take(count_max)
}

impl Waiting {
    /// Says when it is reached.
    fn receiver(
        &mut self,
        name: Name,
        state: pool::State,
        until: Until,
    ) -> oneshot::Receiver<pool::State> {
        let (reply, reached) = oneshot::channel();
        self.wait(name, state, until, reply);
        reached
    }

    fn wait(
        &mut self,
        name: Name,
        state: pool::State,
        until: Until,
        reply: oneshot::Sender<pool::State>,
    ) {
        if is_reached(state, until) || self.count >= WAITING_MAX {
            let _gone = reply.send(state);
            return;
        }
        self.count += 1;
        self.by_name.entry(name).or_default().push((until, reply));
    }

    fn progress(&mut self, name: Name, state: pool::State) {
        let Some(waiting) = self.by_name.remove(&name) else {
            return;
        };
        self.count -= waiting.len();
        for (until, reply) in waiting {
            if is_reached(state, until) {
                let _gone = reply.send(state);
            } else if !reply.is_closed() {
                self.count += 1;
                self.by_name.entry(name).or_default().push((until, reply));
            }
        }
    }
}

fn is_reached(state: pool::State, until: Until) -> bool {
    state.is_ended()
        || (until == Until::Available && matches!(state, pool::State::Available { .. }))
}
