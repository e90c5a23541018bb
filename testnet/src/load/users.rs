//! The workers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_client::{Error, RpcClient};
use cloverleaf_mempool::Name;
use cloverleaf_types::limits::BUNDLE_LIFETIME_MAX_MS;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{Answer, Answers, Grpc, Lives, Signed, Told, Wallet, send_batch};

/// Transactions of one account, before the next goes to another node.
const NONCES: u64 = 16;

/// Calls of a JSON-RPC batch.
const BATCH_CALLS: u64 = 10;

/// Workers that do the same thing.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// How many.
    pub workers: usize,
    /// Between two things that one of them sends, in milliseconds, if it is answered so soon.
    pub interval_ms: u64,
}

/// What is sent, and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Makes every account.
    pub seed: u64,
    /// One transaction each, waiting for `available`.
    pub transfers: Group,
    /// Ten transactions each, as one JSON-RPC batch, waiting for `received`.
    pub batches: Group,
    /// One transaction each, to two nodes at once: it is placed once.
    pub twice: Group,
    /// One bundle each, waiting for `available`.
    pub bundles: Group,
}

/// Where it is sent.
#[derive(Clone, Debug)]
pub struct Targets {
    /// gRPC of every node, as `http://host:port`.
    pub grpc: Vec<String>,
    /// JSON-RPC of every node, in the same order.
    pub http: Vec<String>,
    /// The rollups; a bundle has a leg on each.
    pub chain_ids: Vec<u64>,
}

/// Running users.
#[derive(Debug)]
pub struct Load {
    workers: JoinSet<()>,
    users: Users,
}

/// What workers share.
#[derive(Clone, Debug)]
struct Users {
    seed: u64,
    lives: Lives,
    grpc: Vec<Grpc>,
    http: Vec<RpcClient>,
    chain_ids: Arc<Vec<u64>>,
    answers: Arc<Mutex<Answers>>,
    is_over: Arc<AtomicBool>,
}

impl Plan {
    /// About this many transactions and bundles in a second, as long as nodes answer.
    ///
    /// ```text
    ///  80 workers ─► Submit(AVAILABLE)              240 tx/s ┐
    ///   4 workers ─► JSON-RPC batches of 10         133 tx/s ├─ of 380 tx/s and 8 bundles/s
    ///   8 workers ─► Submit(AVAILABLE) to two nodes   8 tx/s │
    ///  16 workers ─► SubmitBundle(AVAILABLE)          8  /s  ┘
    /// ```
    #[must_use]
    pub fn of_rates(seed: u64, transactions_per_s: usize, bundles_per_s: usize) -> Self {
        let group = |workers: usize, interval_ms: u64| Group {
            workers,
            interval_ms,
        };
        let of_380 = |workers: usize| (workers * transactions_per_s).div_ceil(380);
        Self {
            seed,
            transfers: group(of_380(80), 333),
            batches: group(of_380(4), 300),
            twice: group(of_380(8), 1_000),
            bundles: group(2 * bundles_per_s, 2_000),
        }
    }
}

impl Load {
    /// Starts sending to all nodes.
    ///
    /// # Errors
    /// A target is no address.
    pub fn start(
        plan: Plan,
        targets: &Targets,
        lives: &Lives,
        runtime: &Handle,
    ) -> Result<Self, Error> {
        let _entered = runtime.enter();
        let grpc = targets.grpc.iter().map(|url| Grpc::new(url));
        let http = targets.http.iter().map(|url| RpcClient::new(url));
        let users = Users {
            seed: plan.seed,
            lives: lives.clone(),
            grpc: grpc.collect::<Result<_, _>>()?,
            http: http.collect::<Result<_, _>>()?,
            chain_ids: Arc::new(targets.chain_ids.clone()),
            answers: Arc::default(),
            is_over: Arc::default(),
        };
        let mut workers = JoinSet::new();
        for worker in 0..plan.transfers.workers {
            workers.spawn(users.clone().send_transfers(worker, ticks(plan.transfers)));
        }
        for worker in 0..plan.batches.workers {
            let worker = 10_000 + worker;
            workers.spawn(users.clone().send_batches(worker, ticks(plan.batches)));
        }
        for worker in 0..plan.bundles.workers {
            let worker = 20_000 + worker;
            workers.spawn(users.clone().send_bundles(worker, ticks(plan.bundles)));
        }
        for worker in 0..plan.twice.workers {
            let worker = 30_000 + worker;
            workers.spawn(users.clone().send_twice(worker, ticks(plan.twice)));
        }
        Ok(Self { workers, users })
    }

    /// Transactions and bundles that nodes have taken in since the last [`take`](Self::take).
    #[must_use]
    pub fn taken(&self) -> (usize, usize) {
        self.users.with_answers(|answers| answers.taken())
    }

    /// Hands over what was answered since the last time.
    #[must_use]
    pub fn take(&self) -> Answers {
        self.users.with_answers(std::mem::take)
    }

    /// Stops, and waits for the answers that are still to come.
    ///
    /// # Panics
    /// A worker did.
    pub async fn stop(mut self) -> Answers {
        self.users.is_over.store(true, Ordering::SeqCst);
        while let Some(ended) = self.workers.join_next().await {
            ended.expect("a worker does not fail");
        }
        self.take()
    }
}

/// A worker that was late does not hurry afterwards.
fn ticks(group: Group) -> Interval {
    let mut ticks = interval(Duration::from_millis(group.interval_ms.max(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
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

    /// Notes an answer; false when it was not certainly taken in: then the account ends.
    fn note(&self, answer: Answer, told: impl FnOnce(Name) -> Told, is_promise: bool) -> bool {
        let is_taken = matches!(answer, Answer::Reached(_));
        let wrong = |answers: &mut Answers, why| *answers.wrong.entry(why).or_default() += 1;
        self.with_answers(|answers| match answer {
            Answer::Reached(name) if is_promise => answers.available.push(told(name)),
            Answer::Reached(name) => answers.received.push(told(name)),
            Answer::Silence => answers.silence += 1,
            Answer::Late(state) => wrong(answers, format!("only {state}")),
            Answer::Refused(why) => wrong(answers, why),
        });
        is_taken
    }

    async fn send_transfers(self, worker: usize, mut tick: Interval) {
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
                if !self.note(answer, |name| told(name, node, life), true) {
                    break;
                }
            }
        }
    }

    async fn send_batches(self, worker: usize, mut tick: Interval) {
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
            for answer in send_batch(&self.http[node], &batch).await {
                self.note(answer, |name| told(name, node, life), false);
            }
        }
    }

    /// Who gets no answer sends again elsewhere; here both ways are open, and one place is right.
    async fn send_twice(self, worker: usize, mut tick: Interval) {
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
                self.note(answer, |name| told(name, node, life), true);
            }
        }
    }

    async fn send_bundles(self, worker: usize, mut tick: Interval) {
        for bundle in 0_u64.. {
            if !self.next(&mut tick).await {
                return;
            }
            let legs = bundle_legs(self.seed, worker, bundle, &self.chain_ids);
            let (node, _) = self.route(worker, bundle);
            let life = self.lives.of(node);
            // Long enough for any pause of the network: what is available must not expire.
            let until_ms = now_ms() + BUNDLE_LIFETIME_MAX_MS / 2;
            let mut client = self.grpc[node].clone();
            let answer = client.submit_bundle(&legs, until_ms, Wait::Available).await;
            let told = |name| Told {
                max_timestamp_ms: Some(until_ms),
                ..told(name, node, life)
            };
            self.note(answer, told, true);
        }
    }

    /// The node and the rollup of an account: all in turn.
    fn route(&self, worker: usize, account: u64) -> (usize, u64) {
        let turn = worker + usize::try_from(account).expect("few accounts");
        let (nodes, chain_ids) = (self.grpc.len(), &self.chain_ids);
        (turn % nodes, chain_ids[turn / nodes % chain_ids.len()])
    }
}

fn told(name: Name, node: usize, life: u64) -> Told {
    Told {
        name,
        node,
        life,
        max_timestamp_ms: None,
    }
}

/// Now, in milliseconds since 1970, as nodes have it.
#[expect(clippy::disallowed_methods, reason = "real users have real time")]
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// A transfer on each rollup, of an account that nobody else uses.
#[must_use]
pub fn bundle_legs(seed: u64, worker: usize, bundle: u64, chain_ids: &[u64]) -> Vec<Signed> {
    let wallet = Wallet::seeded(seed, worker, bundle);
    let legs = chain_ids.iter();
    legs.map(|chain_id| wallet.transfer(*chain_id, 0)).collect()
}
