//! Verifies the parcels of all peers, each peer's in its turn.
//!
//! ```text
//!  peer ─► queue ─► task ─┐
//!  peer ─► queue ─► task ─┼─► some at a time, one parcel each, whoever waits longest ─► replica
//!  peer ─► queue ─► task ─┘
//! ```
//! A parcel may cost a thousand times what its sender pays for it. So nobody waits for more than one
//! parcel of each other peer, and what holds no parcel waits for nobody.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_network::PeerName;
use cloverleaf_replica::{Input, Intake, IntakeError, Lately, Step, decode};
use cloverleaf_types::{Address, NetworkId, Secp256k1};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::sequencer::off_async_threads;

/// Most bytes of a peer's messages that wait here: a full lane, which an author may send in one piece.
/// What comes beyond that is lost, and comes again (A2).
const QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most messages of a peer that wait here: a lane's window of parcels, some seconds of acks and room.
const QUEUE_MESSAGES_MAX: usize = 1_024;

/// Fewest parcels that are verified at a time: work that waits for a core must not keep all others waiting.
const AT_A_TIME_MIN: usize = 2;

/// How many parcels are verified at a time: half the cores have the replica and those who ask for themselves.
pub(super) fn at_a_time() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    (cores / 2).max(AT_A_TIME_MIN)
}

/// The peers' queues and the tasks behind them.
pub(super) struct Verifier {
    queues: BTreeMap<PeerName, Queue>,
    tasks: JoinSet<()>,
    worker: Worker,
}

/// A message that waits, and its part of the queue.
type Waiting = (Address, Bytes, OwnedSemaphorePermit);

/// What waits of one peer.
struct Queue {
    messages: mpsc::Sender<Waiting>,
    room_bytes: Arc<Semaphore>,
}

/// What the tasks share.
#[derive(Clone)]
struct Worker {
    network: NetworkId,
    bulk: mpsc::Sender<Input>,
    /// Peers that sent what no correct node sends.
    at_fault: mpsc::Sender<PeerName>,
    bad: Counter,
    /// Handed out in the order in which it was asked for: that makes the turns.
    turns: Arc<Semaphore>,
    lately: Arc<Lately>,
}

impl Verifier {
    /// Verifies for `bulk`, so many parcels at a time. Tells who sent what is not well-formed; that is counted in `bad`.
    pub(super) fn new(
        network: NetworkId,
        at_a_time: usize,
        bulk: mpsc::Sender<Input>,
        at_fault: mpsc::Sender<PeerName>,
        bad: Counter,
    ) -> Self {
        Self {
            queues: BTreeMap::new(),
            tasks: JoinSet::new(),
            worker: Worker {
                network,
                bulk,
                at_fault,
                bad,
                turns: Arc::new(Semaphore::new(at_a_time)),
                lately: Arc::default(),
            },
        }
    }

    /// A message came. Never waits.
    pub(super) fn push(&mut self, name: &PeerName, from: Address, bytes: Bytes) {
        let open = self.queues.get(name);
        if open.is_none_or(|queue| queue.messages.is_closed()) {
            let queue = self.open(name.clone());
            self.queues.insert(name.clone(), queue);
        }
        if !self.queues[name].push(from, bytes) {
            tracing::debug!(%from, "a peer sends more parcels than it has turns");
        }
    }

    /// Only these peers may come again.
    pub(super) fn keep(&mut self, may_connect: impl Fn(&PeerName) -> bool) {
        self.queues.retain(|name, _| may_connect(name));
    }

    /// Ends once all that waits was taken, or the replica's thread has ended.
    pub(super) async fn finish(self) {
        let Self {
            queues, mut tasks, ..
        } = self;
        drop(queues);
        while let Some(ended) = tasks.join_next().await {
            note(ended);
        }
    }

    fn open(&mut self, name: PeerName) -> Queue {
        while let Some(ended) = self.tasks.try_join_next() {
            note(ended);
        }
        let (messages, waiting) = mpsc::channel(QUEUE_MESSAGES_MAX);
        self.tasks.spawn(self.worker.clone().serve(name, waiting));
        Queue {
            messages,
            room_bytes: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)),
        }
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "parcel verification ended early");
    }
}

impl Queue {
    /// False when there is no room.
    fn push(&self, from: Address, bytes: Bytes) -> bool {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room_bytes).try_acquire_many_owned(length);
        room.is_ok_and(|room| self.messages.try_send((from, bytes, room)).is_ok())
    }
}

impl Worker {
    /// Takes a peer's messages until there are no more, or one is not well-formed.
    async fn serve(self, name: PeerName, mut waiting: mpsc::Receiver<Waiting>) {
        while let Some((from, bytes, _room)) = waiting.recv().await {
            let Ok(taken) = self.take(&bytes).await else {
                return;
            };
            let (message, is_at_fault) = match taken {
                // L1: evidence against its author; but nobody correct has acked it or sends it on.
                Ok(message @ Intake::FalseSender(_)) => (Some(message), true),
                Ok(message) => (Some(message), false),
                Err(error) => {
                    tracing::warn!(%from, %error, "a peer sent a bad parcel message");
                    self.bad.inc();
                    (None, true)
                }
            };
            if let Some(message) = message
                && (self.bulk.send(Input::Parcels { from, message }).await).is_err()
            {
                return;
            }
            if is_at_fault {
                let _stopping = self.at_fault.send(name).await;
                return;
            }
        }
    }

    async fn take(&self, bytes: &Bytes) -> eyre::Result<Result<Intake, IntakeError>> {
        let mut step = decode(bytes);
        loop {
            let rest = match step {
                Ok(Step::Taken(message)) => return Ok(Ok(message)),
                Ok(Step::Unverified(rest)) => rest,
                Err(error) => return Ok(Err(error)),
            };
            let turn = self.turns.acquire().await?;
            let (network, lately) = (self.network, Arc::clone(&self.lately));
            let work = move || rest.verify_next(network, &Secp256k1, &lately);
            step = off_async_threads(work).await?;
            drop(turn);
            // Work that is done before it is waited for would let nobody else ask for a turn.
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_consensus::LocalSigner;
    use cloverleaf_mempool::Message;
    use cloverleaf_types::{
        B256, ChainId, Epoch, Height, Item, Parcel, ParcelDraft, Signer as _, Slot, Transaction,
    };

    use super::*;

    const NETWORK: NetworkId = B256::repeat_byte(1);
    const ANNA: Address = Address::repeat_byte(0xa);
    const BERT: Address = Address::repeat_byte(0xb);

    struct Bench {
        verifier: Verifier,
        bulk: mpsc::Receiver<Input>,
        at_fault: mpsc::Receiver<PeerName>,
        bad: Counter,
    }

    impl Bench {
        fn new() -> Self {
            let (bulk, taken) = mpsc::channel(2 * QUEUE_MESSAGES_MAX);
            let (faults, at_fault) = mpsc::channel(1);
            let bad = Counter::default();
            Self {
                verifier: Verifier::new(NETWORK, 1, bulk, faults, bad.clone()),
                bulk: taken,
                at_fault,
                bad,
            }
        }

        fn push(&mut self, from: Address, message: &Message) {
            let name = from.to_string().as_str().into();
            self.verifier.push(&name, from, message.encode());
        }

        /// Who sent the next message that the replica gets, and the message.
        async fn taken(&mut self) -> (Address, Intake) {
            match self.bulk.recv().await {
                Some(Input::Parcels { from, message }) => (from, message),
                other => panic!("{other:?}"),
            }
        }

        /// All that the replica still gets, by sender.
        async fn rest(mut self) -> Vec<Address> {
            self.verifier.finish().await;
            let mut senders = Vec::new();
            while let Ok(Input::Parcels { from, .. }) = self.bulk.try_recv() {
                senders.push(from);
            }
            senders
        }
    }

    /// A parcel of somebody who signs it; it claims a sender who did not sign what is in it.
    fn parcel(seq: u64, checked: bool) -> Bytes {
        let signer = LocalSigner::new(&[1; 32]).unwrap();
        let transaction = Transaction {
            sender: Address::repeat_byte(7),
            checked,
            raw: Bytes::from(vec![9; 100]),
        };
        let draft = ParcelDraft {
            network: NETWORK,
            slot: Slot {
                author: signer.address(),
                epoch: Epoch(0),
                seq,
            },
            prev: B256::repeat_byte(u8::from(seq > 0)),
            seen: Height(0),
            time_ms: 0,
            items: vec![Item::Transaction {
                chain_id: ChainId(101),
                transaction,
            }],
        };
        Parcel::seal(draft, &signer).encoded().clone()
    }

    #[tokio::test]
    async fn parcels_of_a_peer_that_floods_take_no_turn_of_another() {
        let mut bench = Bench::new();
        for seq in 0..100 {
            bench.push(ANNA, &Message::Parcel(parcel(seq, false)));
        }
        let reply = Message::Parcels {
            hash: B256::ZERO,
            parcels: (100..200).map(|seq| parcel(seq, false)).collect(),
        };
        bench.push(BERT, &reply);
        let carl = Address::repeat_byte(0xc);
        bench.push(carl, &Message::Parcel(parcel(200, false)));
        bench.push(carl, &Message::Ack(Vec::new()));
        // A turn of Anna's, one of Bert's with one parcel of his hundred, and it is Carl's.
        let mut before = Vec::new();
        loop {
            match bench.taken().await.0 {
                from if from == carl => break,
                from => before.push(from),
            }
        }
        assert!(before.len() <= 2, "{before:?}");
        assert!(!before.contains(&BERT), "his reply is not verified whole");
        assert_eq!(bench.rest().await.len() + before.len(), 102);
    }

    #[tokio::test]
    async fn peer_that_sends_more_than_it_has_room_for_loses_the_rest_and_nobody_waits() {
        let mut bench = Bench::new();
        let ack = Message::Ack(Vec::new());
        for _ in 0..2 * QUEUE_MESSAGES_MAX {
            bench.push(ANNA, &ack);
        }
        bench.push(BERT, &ack);
        let senders = bench.rest().await;
        let of = |peer| senders.iter().filter(|from| **from == peer).count();
        assert_eq!((of(ANNA), of(BERT)), (QUEUE_MESSAGES_MAX, 1));
    }

    #[tokio::test]
    async fn queue_has_room_for_so_many_bytes_and_again_when_they_are_taken() {
        let (messages, mut waiting) = mpsc::channel(QUEUE_MESSAGES_MAX);
        let room_bytes = Arc::new(Semaphore::new(QUEUE_BYTES_MAX));
        let queue = Queue {
            messages,
            room_bytes,
        };
        let half = Bytes::from(vec![0; QUEUE_BYTES_MAX / 2]);
        let pushed = [(); 3].map(|()| queue.push(ANNA, half.clone()));
        assert_eq!(pushed, [true, true, false]);
        drop(waiting.recv().await);
        assert!(queue.push(ANNA, half));
    }

    #[tokio::test]
    async fn who_sends_what_is_not_well_formed_is_told_and_nothing_more_of_it_is_verified() {
        let mut bench = Bench::new();
        bench.push(ANNA, &Message::Parcel(Bytes::from_static(b"no parcel")));
        bench.push(BERT, &Message::Parcel(parcel(0, false)));
        for _ in 0..10 {
            bench.push(ANNA, &Message::Parcel(parcel(1, false)));
        }
        let name = bench.at_fault.recv().await.unwrap();
        assert_eq!(name, PeerName::from(ANNA.to_string().as_str()));
        assert_eq!(bench.bad.get(), 1);
        assert_eq!(bench.rest().await, [BERT]);
    }

    #[tokio::test]
    async fn false_mark_is_evidence_against_its_author_and_whoever_sends_it_is_at_fault() {
        let mut bench = Bench::new();
        bench.push(ANNA, &Message::Parcel(parcel(0, true)));
        bench.push(ANNA, &Message::Parcel(parcel(1, true)));
        let (from, message) = bench.taken().await;
        let Intake::FalseSender(found) = message else {
            panic!("{message:?}");
        };
        assert_eq!(from, ANNA);
        assert_ne!(found.slot().author, ANNA);
        let name = bench.at_fault.recv().await.unwrap();
        assert_eq!(name, PeerName::from(ANNA.to_string().as_str()));
        assert!(bench.rest().await.is_empty());
    }
}
