//! The replica's thread: inputs in, outputs done in their order.

use std::sync::Arc;

use cloverleaf_bundle::State;
use cloverleaf_journal::{JournalError, SegmentedJournal};
use cloverleaf_mempool::pool::Admission;
use cloverleaf_mempool::{Refusal, Submission};
use cloverleaf_replica::{Input, Output, Replica};
use cloverleaf_types::{Address, Bound, ChainId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::committer::{Committer, StoreWork};
use super::completions::Completions;
use super::dump::Scene;
use super::fatal::Fatal;
use super::handle::{HandIn, HandedIn, REQUESTS_MAX, Request, Shared, Taken, Until};
use super::inbound::{BULK_MAX, SYNC_MAX, URGENT_MAX};
use super::meter::Meter;
use super::parcel_writer::{ParcelWrite, ParcelWriter};
use super::peers::Peers;
use super::reader::Reader;
use super::waiting::Waiting;
use crate::clock::{SteadyClock, Stopwatch, pause};

/// Longest sleep in milliseconds, so that a clock that jumped is noticed.
const IDLE_MAX_MS: u64 = 1_000;

/// Votes that are taken in a row while something else waits. They come first, but whoever floods this
/// node with them must not hold up its own writes, its timeouts or its clients.
const URGENT_IN_A_ROW: usize = 64;

/// Parcels that are taken in a row: each is more work than a vote.
const BULK_IN_A_ROW: usize = 8;

/// Sync messages that are taken in a row: one may hold sixteen blocks.
const SYNC_IN_A_ROW: usize = 2;

/// Clients' requests that are taken in a row; those that hand in several count as many.
const REQUESTS_IN_A_ROW: usize = 64;

/// What comes to the thread.
pub(super) struct Inboxes {
    pub(super) urgent: mpsc::Receiver<Input>,
    pub(super) sync: mpsc::Receiver<Input>,
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
    pub(super) reader: Reader,
    pub(super) peers: Peers,
    pub(super) shared: Arc<Shared>,
    pub(super) tip: watch::Sender<Arc<State>>,
    pub(super) fatal: Fatal,
    pub(super) waiting: Waiting,
    pub(super) clock: SteadyClock,
    pub(super) meter: Meter,
}

/// What an idle thread woke up for.
enum Woken {
    Start([Input; 2]),
    Input(Input),
    Request(Request),
}

impl Inboxes {
    /// What waits in them.
    fn bounds(&self) -> [Bound; 5] {
        [
            Bound::new("votes_inbox", self.urgent.len(), URGENT_MAX),
            Bound::new("sync_inbox", self.sync.len(), SYNC_MAX),
            Bound::new("bulk_inbox", self.bulk.len(), BULK_MAX),
            Bound::new("requests_inbox", self.requests.len(), REQUESTS_MAX),
            self.completions.bound(),
        ]
    }

    /// The next thing that comes; nothing when something is finished, which is taken in a turn.
    async fn wait(&mut self) -> Option<Woken> {
        tokio::select! {
            biased;
            () = self.completions.wait() => None,
            Some(input) = self.urgent.recv() => Some(Woken::Input(input)),
            Some(input) = self.sync.recv() => Some(Woken::Input(input)),
            Some(input) = self.bulk.recv() => Some(Woken::Input(input)),
            Some(request) = self.requests.recv() => Some(Woken::Request(request)),
        }
    }
}

impl Engine {
    /// Runs until it is stopped, or must end.
    pub(super) async fn run(
        mut self,
        start: [Input; 2],
        mut inboxes: Inboxes,
        stop: CancellationToken,
    ) {
        let mut woken = Some(Woken::Start(start));
        while self.take_turns(woken, &mut inboxes) {
            let wake_in_ms = self.wake_in_ms();
            // Nothing is done here: what a thread is at is seen in its turns alone.
            woken = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                woken = inboxes.wait() => woken,
                () = pause(wake_in_ms) => None,
            };
        }
    }

    /// Takes what it woke up for, then of everything that waits, each kind for its turn; false when
    /// nothing more may be done.
    fn take_turns(&mut self, woken: Option<Woken>, inboxes: &mut Inboxes) -> bool {
        self.shared.vitals.turn.begin();
        let go_on = match woken {
            Some(Woken::Start(inputs)) => inputs.into_iter().all(|input| self.handle(input)),
            Some(Woken::Input(input)) => self.handle(input),
            Some(Woken::Request(request)) => self.answer(request),
            None => true,
        };
        let go_on = go_on && self.take_what_waits(inboxes) && self.is_within_bounds(inboxes);
        let now_ms = self.clock.now_ms();
        self.meter.look(&self.replica, &self.peers, false, now_ms);
        self.shared.vitals.turn.end();
        go_on
    }

    /// Now and then: whether all that grows keeps within its limit. False when something does not, and
    /// nothing more may be done.
    fn is_within_bounds(&mut self, inboxes: &Inboxes) -> bool {
        let now_ms = self.clock.now_ms();
        if !self.meter.is_time_for_bounds(now_ms) {
            return true;
        }
        let mut bounds = self.replica.bounds();
        bounds.extend(self.disk_bounds());
        bounds.extend(inboxes.bounds());
        bounds.extend([self.waiting.bound(), self.meter.bound()]);
        let beyond = self.shared.metrics.replica.bounds(&bounds);
        if let Some(bound) = beyond {
            self.fatal.beyond(&bound);
        }
        beyond.is_none()
    }

    /// What waits for the disk threads.
    fn disk_bounds(&self) -> [Bound; 3] {
        let reader = self.reader.bound();
        [self.committer.bound(), self.parcel_writer.bound(), reader]
    }

    fn take_what_waits(&mut self, inboxes: &mut Inboxes) -> bool {
        let done = inboxes.completions.take();
        (self.wake_in_ms() > 0 || self.handle(Input::Tick))
            && done.into_iter().all(|input| self.handle(input))
            && in_a_row(&mut inboxes.urgent, URGENT_IN_A_ROW).all(|input| self.handle(input))
            && in_a_row(&mut inboxes.sync, SYNC_IN_A_ROW).all(|input| self.handle(input))
            && in_a_row(&mut inboxes.bulk, BULK_IN_A_ROW).all(|input| self.handle(input))
            && self.answer_in_a_row(&mut inboxes.requests)
    }

    fn answer_in_a_row(&mut self, requests: &mut mpsc::Receiver<Request>) -> bool {
        let mut turns = 0;
        while turns < REQUESTS_IN_A_ROW
            && let Ok(request) = requests.try_recv()
        {
            turns += request.turns();
            if !self.answer(request) {
                return false;
            }
        }
        true
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
            self.fatal.saw(Scene::at(&self.replica));
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
            Request::Gaps {
                chain_id,
                after,
                count_max,
                reply,
            } => {
                let _gone = reply.send(self.replica.gaps(chain_id, after, count_max));
            }
            Request::Status { names, reply } => {
                let states = names.iter().map(|name| self.replica.status(name));
                let _gone = reply.send(states.collect());
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

    /// All that was handed in together, at one turn; false when nothing more may be done.
    fn submit(&mut self, now_ms: u64, hand_in: HandIn) -> (HandedIn, bool) {
        let senders = self.unknown_senders(&hand_in);
        if !senders.is_empty() {
            return (HandedIn::AskFirst { hand_in, senders }, true);
        }
        let mut go_on = true;
        for (chain_id, sender, nonce) in hand_in.told {
            let outputs = self.replica.expect_nonce(now_ms, chain_id, sender, nonce);
            go_on = go_on && self.release(outputs);
        }
        let mut answers = Vec::with_capacity(hand_in.submissions.len());
        for (submission, until) in hand_in.submissions {
            if !go_on {
                break;
            }
            let (answer, goes_on) = self.admit(now_ms, &submission, until);
            answers.push(answer);
            go_on = goes_on;
        }
        (HandedIn::Answered(answers), go_on)
    }

    fn admit(
        &mut self,
        now_ms: u64,
        submission: &Submission,
        until: Option<Until>,
    ) -> (Result<Taken, Refusal>, bool) {
        let (admitted, outputs) = self.replica.submit(now_ms, submission);
        self.meter.admitted(submission.name(), &admitted, now_ms);
        let go_on = self.release(outputs);
        let taken = admitted.map(|admission| {
            let (Admission::New { state, .. } | Admission::AlreadyKnown { state }) = admission;
            let name = submission.name();
            // What was released just now may have sealed it.
            let state = self.replica.status(&name).unwrap_or(state);
            let reached = until.map(|until| self.waiting.receiver(name, state, until));
            Taken { state, reached }
        });
        (taken, go_on)
    }

    /// Whose rollups are to be asked, each once.
    fn unknown_senders(&self, hand_in: &HandIn) -> Vec<(ChainId, Address)> {
        let submissions = hand_in.submissions.iter();
        let transactions = submissions.flat_map(|(submission, _)| submission.transactions());
        let asked =
            transactions.filter(|it| it.nonce.is_some() && hand_in.asks.contains(&it.chain_id));
        let mut senders: Vec<_> = asked.map(|it| (it.chain_id, it.sender)).collect();
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
                Output::ReadBlocks(range) => self.reader.push(range),
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
                Output::KeepEvidence { misdeed, range } => {
                    self.committer.push(StoreWork::Evidence { misdeed, range })
                }
                Output::Halt(halt) => {
                    let scene = Scene::of_replica(&self.replica);
                    self.fatal.halt(&halt, scene);
                    return false;
                }
            };
            if !done {
                if self.committer.is_full() {
                    self.fatal.beyond(&self.committer.bound());
                } else if self.parcel_writer.is_full() {
                    self.fatal.beyond(&self.parcel_writer.bound());
                } else if self.reader.is_full() {
                    self.fatal.beyond(&self.reader.bound());
                } else {
                    self.fatal.broken("a disk thread has ended");
                }
                return false;
            }
        }
        true
    }

    fn journal(
        &mut self,
        records: &[cloverleaf_replica::JournalRecord],
    ) -> Result<(), JournalError> {
        self.shared.vitals.votes.begin();
        for record in records {
            self.votes.append(record.height.0, &record.bytes)?;
        }
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
