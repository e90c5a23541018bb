//! Honest users of the node that is attacked: each sends, waits for its block, and begins anew with
//! connections of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloverleaf_api::State;
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_client::RpcClient;
use cloverleaf_testnet::load::{Answer, Grpc, Signed, Wallet};
use cloverleaf_testnet::process::Stopwatch;
use cloverleaf_types::ChainId;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::CHAINS;

/// Users over JSON-RPC, and as many over gRPC.
const USERS: usize = 3;

/// Transactions of one account; the next has new connections.
const NONCES: u64 = 4;

/// Between two requests of a user, if it is answered so soon.
const INTERVAL: Duration = Duration::from_millis(100);

/// How long an honest user waits for anything: longer than a node takes for any answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The users.
pub(crate) struct Honest {
    workers: JoinSet<()>,
    users: Users,
}

/// What they met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// How long answers took, in milliseconds.
    answers_ms: Vec<u64>,
    /// How long it took until something was in a block.
    commits_ms: Vec<u64>,
}

#[derive(Clone)]
struct Users {
    seed: u64,
    http: String,
    grpc: String,
    met: Arc<Mutex<Met>>,
    is_over: Arc<AtomicBool>,
}

#[derive(Default)]
struct Met {
    figures: Figures,
    count: usize,
    refusal: Option<String>,
}

impl Figures {
    /// Adds what others met.
    pub(crate) fn add(&mut self, other: &Self) {
        self.answers_ms.extend(&other.answers_ms);
        self.commits_ms.extend(&other.commits_ms);
    }

    /// The time in which 99 of 100 answers came, in milliseconds.
    pub(crate) fn answer_p99_ms(&self) -> u64 {
        p99(&self.answers_ms)
    }

    /// The same until something was in a block.
    pub(crate) fn commit_p99_ms(&self) -> u64 {
        p99(&self.commits_ms)
    }

    /// How many transactions came into blocks.
    pub(crate) fn commits(&self) -> u64 {
        u64::try_from(self.commits_ms.len()).unwrap_or(u64::MAX)
    }
}

fn p99(times: &[u64]) -> u64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * 99 / 100).copied().unwrap_or(0)
}

impl Honest {
    /// Begins to use a node.
    pub(crate) fn begin(seed: u64, http: &str, grpc: &str, runtime: &Handle) -> Self {
        let users = Users {
            seed,
            http: http.to_owned(),
            grpc: grpc.to_owned(),
            met: Arc::default(),
            is_over: Arc::default(),
        };
        let mut workers = JoinSet::new();
        for user in 0..USERS {
            workers.spawn_on(users.clone().over_http(user), runtime);
            workers.spawn_on(users.clone().over_grpc(USERS + user), runtime);
        }
        Self { workers, users }
    }

    /// Has transactions of one rollup placed; the batch that the last of them is in.
    pub(crate) async fn place_all(grpc: &str, http: &str, all: &[Signed]) -> Result<u64, String> {
        let said = |error: cloverleaf_client::Error| error.to_string();
        let mut client = Grpc::new(grpc).map_err(said)?;
        for (number, signed) in all.iter().enumerate() {
            let is_last = number + 1 == all.len();
            let wait = if is_last {
                Wait::Committed
            } else {
                Wait::Received
            };
            match client.submit(signed, wait).await {
                Answer::Reached(_) => {}
                other => return Err(format!("a long transaction: {other:?}")),
            }
        }
        let node = RpcClient::new(http).map_err(said)?;
        let last = all.last().ok_or("there is none")?;
        let status = node.transaction_status(last.key.1).await.map_err(said)?;
        let batch = status.and_then(|status| status.seq);
        batch.ok_or_else(|| "it is in no batch".to_owned())
    }

    /// How many of their transactions are in blocks.
    pub(crate) fn count(&self) -> usize {
        self.users.met().count
    }

    /// What they met since the last time.
    pub(crate) fn take(&self) -> Figures {
        std::mem::take(&mut self.users.met().figures)
    }

    /// The first time that one of them was not served.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.users.met().refusal.clone()
    }

    /// Stops them.
    pub(crate) async fn stop(&mut self) {
        self.users.is_over.store(true, Ordering::SeqCst);
        while self.workers.join_next().await.is_some() {}
    }
}

impl Users {
    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    async fn over_http(self, user: usize) {
        let chain_id = CHAINS[user % CHAINS.len()];
        for account in 0_u64.. {
            let wallet = Wallet::seeded(self.seed, user, account);
            for nonce in 0..NONCES {
                if self.is_over() {
                    return;
                }
                let signed = wallet.transfer(chain_id, nonce);
                let asked = timeout(PATIENCE, self.send(chain_id, &signed)).await;
                let asked = asked.unwrap_or_else(|_| Err("nothing in time".to_owned()));
                if let Err(problem) = asked {
                    return self.refused(format!("over JSON-RPC: {problem}"));
                }
            }
        }
    }

    async fn send(&self, chain_id: u64, signed: &Signed) -> Result<(), String> {
        let said = |error: cloverleaf_client::Error| error.to_string();
        let client = RpcClient::new(&self.http).map_err(said)?;
        let rollup = client.rollup(ChainId(chain_id)).map_err(said)?;
        let whole = Stopwatch::start();
        rollup
            .send_raw_transaction(&signed.raw)
            .await
            .map_err(said)?;
        self.met().figures.answers_ms.push(ms(whole));
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let took = Stopwatch::start();
            let status = client
                .transaction_status(signed.key.1)
                .await
                .map_err(said)?;
            self.met().figures.answers_ms.push(ms(took));
            let state = status.map(|status| status.progress.state);
            match state {
                Some(State::Committed) => {
                    self.committed(whole);
                    return Ok(());
                }
                Some(state) if state.is_final() => return Err(format!("it is {state}")),
                Some(_) | None => {}
            }
        }
    }

    async fn over_grpc(self, user: usize) {
        let chain_id = CHAINS[user % CHAINS.len()];
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for account in 0_u64.. {
            let wallet = Wallet::seeded(self.seed, user, account);
            let mut client = match Grpc::new(&self.grpc) {
                Ok(client) => client,
                Err(error) => return self.refused(error.to_string()),
            };
            for nonce in 0..NONCES {
                ticks.tick().await;
                if self.is_over() {
                    return;
                }
                let signed = wallet.transfer(chain_id, nonce);
                let took = Stopwatch::start();
                let answer = timeout(PATIENCE, client.submit(&signed, Wait::Committed)).await;
                match answer {
                    Ok(Answer::Reached(_)) => self.committed(took),
                    other => return self.refused(format!("over gRPC: {other:?}")),
                }
            }
        }
    }

    fn committed(&self, took: Stopwatch) {
        let mut met = self.met();
        met.figures.commits_ms.push(ms(took));
        met.count += 1;
    }

    fn refused(&self, problem: String) {
        let mut met = self.met();
        if met.refusal.is_none() {
            met.refusal = Some(format!("an honest user was not served {problem}"));
        }
    }
}

fn ms(since: Stopwatch) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
