//! Users: a steady stream of transactions and bundles, and what they were told of each.
//!
//! ```text
//!  80 workers ─► Submit(AVAILABLE)              240 tx/s ┐
//!   4 workers ─► JSON-RPC batches of 10         133 tx/s ├─► Answers
//!   8 workers ─► Submit(AVAILABLE) to two nodes   8 tx/s │
//!  16 workers ─► SubmitBundle(AVAILABLE)          8  /s  ┘
//! ```
//! A worker uses an account at one node until that does not answer: what became of its last
//! transaction is then unknown, so a new account goes on at the next node.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_mempool::Name;
use cloverleaf_types::limits::BUNDLE_LIFETIME_MAX_MS;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Interval, interval};

use crate::clients::{Answer, Grpc, Http};
use crate::scene::now_ms;
use crate::seen::Node;
use crate::wallet::{Signed, Wallet};

/// The rollups.
pub(crate) const CHAINS: [u64; 2] = [901, 902];

const TRANSFER_WORKERS: usize = 80;
const TRANSFER_INTERVAL: Duration = Duration::from_millis(333);
/// Transactions of one account, before the next goes to another node.
const NONCES: u64 = 16;

const BATCH_WORKERS: usize = 4;
const BATCH_INTERVAL: Duration = Duration::from_millis(300);
/// Calls of a JSON-RPC batch.
const BATCH_CALLS: u64 = 10;

const TWICE_WORKERS: usize = 8;
const TWICE_INTERVAL: Duration = Duration::from_secs(1);

const BUNDLE_WORKERS: usize = 16;
const BUNDLE_INTERVAL: Duration = Duration::from_secs(2);

/// How often each node has been killed: what it had only in memory went with it.
#[derive(Clone)]
pub(crate) struct Lives(Arc<Vec<AtomicU64>>);

impl Lives {
    pub(crate) fn new(nodes: usize) -> Self {
        Self(Arc::new((0..nodes).map(|_| AtomicU64::new(0)).collect()))
    }

    /// To be called before a node is killed.
    pub(crate) fn end(&self, node: Node) {
        self.0[node].fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn of(&self, node: Node) -> u64 {
        self.0[node].load(Ordering::SeqCst)
    }
}

/// Something that a node has said of something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) name: Name,
    pub(crate) node: Node,
    /// The node's life in which it was sent.
    pub(crate) life: u64,
}

/// What users were told.
#[derive(Default)]
pub(crate) struct Answers {
    /// `available`: never lost.
    pub(crate) available: Vec<Told>,
    /// `received`: lost only with the node.
    pub(crate) received: Vec<Told>,
    /// No answer.
    pub(crate) silence: usize,
    /// Anything else: nothing else is right.
    pub(crate) wrong: Vec<String>,
}

/// Running users.
pub(crate) struct Load {
    workers: JoinSet<()>,
    users: Users,
}

/// What workers share.
#[derive(Clone)]
struct Users {
    /// Makes every account.
    seed: u64,
    lives: Lives,
    grpc: Vec<Grpc>,
    http: Vec<Http>,
    answers: Arc<Mutex<Answers>>,
    is_over: Arc<AtomicBool>,
}

impl Load {
    /// Starts sending to all nodes.
    pub(crate) fn start(
        seed: u64,
        runtime: &Handle,
        lives: &Lives,
        grpc: &[String],
        http: &[String],
    ) -> Self {
        let _entered = runtime.enter();
        let users = Users {
            seed,
            lives: lives.clone(),
            grpc: grpc.iter().map(|url| Grpc::new(url)).collect(),
            http: http.iter().map(|url| Http::new(url)).collect(),
            answers: Arc::default(),
            is_over: Arc::default(),
        };
        let mut workers = JoinSet::new();
        for worker in 0..TRANSFER_WORKERS {
            workers.spawn_on(users.clone().send_transfers(worker), runtime);
        }
        for worker in 0..BATCH_WORKERS {
            workers.spawn_on(users.clone().send_batches(1_000 + worker), runtime);
        }
        for worker in 0..TWICE_WORKERS {
            workers.spawn_on(users.clone().send_twice(3_000 + worker), runtime);
        }
        for worker in 0..BUNDLE_WORKERS {
            workers.spawn_on(users.clone().send_bundles(2_000 + worker), runtime);
        }
        Self { workers, users }
    }

    /// Transactions and bundles that nodes have taken in so far.
    pub(crate) fn taken(&self) -> (usize, usize) {
        self.users.with_answers(|answers| answers.taken())
    }

    /// Stops, and waits for the answers that are still to come.
    pub(crate) async fn stop(mut self) -> Answers {
        self.users.is_over.store(true, Ordering::SeqCst);
        while let Some(ended) = self.workers.join_next().await {
            ended.expect("a worker does not fail");
        }
        self.users.with_answers(std::mem::take)
    }
}

impl Answers {
    fn taken(&self) -> (usize, usize) {
        let is_bundle = |told: &&Told| matches!(told.name, Name::Bundle(_));
        let bundles = self.available.iter().filter(is_bundle).count();
        (
            self.available.len() - bundles + self.received.len(),
            bundles,
        )
    }
}

impl Users {
    fn with_answers<T>(&self, look: impl FnOnce(&mut Answers) -> T) -> T {
        look(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for the next tick; false when it is over.
    async fn next(&self, tick: &mut Interval) -> bool {
        tick.tick().await;
        !self.is_over.load(Ordering::SeqCst)
    }

    /// Notes an answer; false when there was none and nothing more goes to this node.
    fn note(&self, answer: Answer, told: impl FnOnce(Name) -> Told, is_promise: bool) -> bool {
        let is_answer = !matches!(answer, Answer::Silence);
        self.with_answers(|answers| match answer {
            Answer::Reached(name) if is_promise => answers.available.push(told(name)),
            Answer::Reached(name) => answers.received.push(told(name)),
            Answer::Silence => answers.silence += 1,
            Answer::Late(state) => answers.wrong.push(format!("only {state}")),
            Answer::Refused(why) => answers.wrong.push(why),
        });
        is_answer
    }

    async fn send_transfers(self, worker: usize) {
        let mut tick = interval(TRANSFER_INTERVAL);
        for account in 0_u64.. {
            let wallet = Wallet::seeded(self.seed, worker, account);
            let (node, chain_id) = self.route(worker, account);
            let mut client = self.grpc[node].clone();
            for nonce in 0..NONCES {
                if !self.next(&mut tick).await {
                    return;
                }
                let signed = wallet.transfer(chain_id, nonce);
                let life = self.lives.of(node);
                let answer = client.submit(&signed, Wait::Available).await;
                if !self.note(answer, |name| Told { name, node, life }, true) {
                    break;
                }
            }
        }
    }

    async fn send_batches(self, worker: usize) {
        let mut tick = interval(BATCH_INTERVAL);
        for account in 0_u64.. {
            if !self.next(&mut tick).await {
                return;
            }
            let wallet = Wallet::seeded(self.seed, worker, account);
            let (node, chain_id) = self.route(worker, account);
            let nonces = 0..BATCH_CALLS;
            let batch: Vec<Signed> = nonces
                .map(|nonce| wallet.transfer(chain_id, nonce))
                .collect();
            let life = self.lives.of(node);
            for answer in self.http[node].send(&batch).await {
                self.note(answer, |name| Told { name, node, life }, false);
            }
        }
    }

    /// Who gets no answer sends again elsewhere; here both ways are open, and one place is right.
    async fn send_twice(self, worker: usize) {
        let mut tick = interval(TWICE_INTERVAL);
        for account in 0_u64.. {
            if !self.next(&mut tick).await {
                return;
            }
            let (node, chain_id) = self.route(worker, account);
            let signed = Wallet::seeded(self.seed, worker, account).transfer(chain_id, 0);
            let nodes = [node, (node + 1) % self.grpc.len()];
            let lives = nodes.map(|node| self.lives.of(node));
            let [mut one, mut two] = nodes.map(|node| self.grpc[node].clone());
            let answers = tokio::join!(
                one.submit(&signed, Wait::Available),
                two.submit(&signed, Wait::Available),
            );
            for ((node, life), answer) in nodes
                .into_iter()
                .zip(lives)
                .zip(<[Answer; 2]>::from(answers))
            {
                self.note(answer, |name| Told { name, node, life }, true);
            }
        }
    }

    async fn send_bundles(self, worker: usize) {
        let mut tick = interval(BUNDLE_INTERVAL);
        for bundle in 0_u64.. {
            if !self.next(&mut tick).await {
                return;
            }
            let legs = bundle_legs(self.seed, worker, bundle);
            let (node, _) = self.route(worker, bundle);
            let life = self.lives.of(node);
            // Long enough for any pause of the network: what is available must not expire.
            let until_ms = now_ms() + BUNDLE_LIFETIME_MAX_MS / 2;
            let mut client = self.grpc[node].clone();
            let answer = client.submit_bundle(&legs, until_ms, Wait::Available).await;
            self.note(answer, |name| Told { name, node, life }, true);
        }
    }

    /// The node and the rollup of an account: all in turn.
    fn route(&self, worker: usize, account: u64) -> (Node, u64) {
        let turn = worker + usize::try_from(account).unwrap();
        (
            turn % self.grpc.len(),
            CHAINS[turn / self.grpc.len() % CHAINS.len()],
        )
    }
}

/// A transfer on each rollup, of an account that nobody else uses.
pub(crate) fn bundle_legs(seed: u64, worker: usize, bundle: u64) -> [Signed; 2] {
    let wallet = Wallet::seeded(seed, worker, bundle);
    CHAINS.map(|chain_id| wallet.transfer(chain_id, 0))
}
