//! Follows one rollup's batches over several upstreams and yields what it has verified.
//!
//! ```text
//!         ┌── none free: wait ◄─┐
//!   choose upstream ─► open ─► item ─► check ─► chain ─► ready ─► next()
//!         ▲              │       │        └ wrong: excluded
//!         └── backs off ─┴───────┘ refused, ended
//! ```

mod contact;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cloverleaf_api::Reason;
use cloverleaf_api::grpc::ErrorInfo;
use cloverleaf_api::json::quantity;
use cloverleaf_api::proto::stream::v1::stream_service_client::StreamServiceClient;
use cloverleaf_api::proto::stream::v1::{BatchItem, Proofs, StreamBatchesRequest};
use cloverleaf_types::limits::BATCH_BYTES_MAX;
use cloverleaf_types::proof::ProofError;
use cloverleaf_types::{ChainId, Head, Secp256k1, TrustRoot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};

use crate::clock::{Clock, pause, unix_ms};
use crate::error::{Error, ItemFault};
use crate::trust::{BATCH_WAIT_MS, Until, check_fresh, confirm, learn};
use crate::upstreams::{BackoffLimits, Choice, Upstreams};
use crate::verify::{Chain, Checked, VerifiedBatch, check};
pub use contact::Contact;

/// Longest stream item, in bytes: the longest batch with its framing, and 1 MiB of proofs.
pub const ITEM_BYTES_MAX: usize = BATCH_BYTES_MAX + BATCH_BYTES_MAX / 8 + 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What to follow.
#[derive(Clone, Debug)]
pub struct FollowerConfig {
    /// The trusted validators.
    pub trust: TrustRoot,
    /// The last batch that the caller holds: [`Head::empty`] for a rollup's beginning. It names
    /// the rollup.
    pub head: Head,
    /// Who is asked, as `http://host:port` of gRPC services, in this order.
    pub upstreams: Vec<String>,
    /// How long to wait for what.
    pub timing: Timing,
}

/// How long a follower waits for what, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// After an upstream's first failure; it doubles with each.
    pub backoff_first_ms: u64,
    /// The longest such wait.
    pub backoff_longest_ms: u64,
    /// How long an upstream that sent a wrong item is not asked.
    pub exclusion_ms: u64,
    /// How long silence is believed: then the next upstream is asked, because an upstream that
    /// withholds batches looks like a rollup that has none.
    pub silence_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            backoff_first_ms: 100,
            backoff_longest_ms: 5_000,
            exclusion_ms: 60_000,
            silence_ms: 30_000,
        }
    }
}

/// Follows one rollup's batches.
#[derive(Debug)]
pub struct Follower {
    chain_id: ChainId,
    trust: Arc<TrustRoot>,
    /// What an upstream has shown of other validators, until it has shown the next batch by them too:
    /// a root that begins above that batch could not verify it, whoever sent it.
    learned: Option<Arc<TrustRoot>>,
    chain: Chain,
    urls: Vec<String>,
    endpoints: Vec<Endpoint>,
    upstreams: Upstreams,
    silence_ms: u64,
    clock: Clock,
    contact: Contact,
    connection: Option<Connection>,
    ready: VecDeque<VerifiedBatch>,
    /// Upstreams that answered `pruned` since the last verified batch.
    pruned: usize,
}

/// A running stream, and the check of its last item: kept here, so that dropping `next` half-way
/// loses nothing.
#[derive(Debug)]
struct Connection {
    upstream: usize,
    stream: Streaming<BatchItem>,
    /// When the follower last had something true from anybody: a liar does not serve.
    served_ms: u64,
    checking: Option<JoinHandle<Result<Checked, ItemFault>>>,
}

/// Why a stream is left.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Refused, not reachable, or broken off.
    Refused(Status),
    /// Chain 0's next batch, which a root needs, is not kept any more.
    ControlPruned { wanted: u64, status: Status },
    /// Not reachable.
    Unreachable(tonic::transport::Error),
    /// Ended by the upstream: it stops, or this side was too slow.
    Ended,
    /// Nothing came for long.
    Silent,
    /// A wrong item.
    Wrong(ItemFault),
    /// A check did not end.
    CutOff(String),
}

impl Failure {
    /// For who asks one upstream only.
    pub(crate) fn into_error(self, chain_id: ChainId, url: &str) -> Error {
        let url = url.to_owned();
        let unreachable = |problem: String| Error::Unreachable {
            url: url.clone(),
            problem,
        };
        match self {
            Self::Wrong(fault @ ItemFault::Contradiction { .. }) => {
                Error::Contradiction { chain_id, fault }
            }
            Self::Wrong(fault) => Error::Wrong { url, fault },
            Self::CutOff(problem) => Error::CutOff { problem },
            Self::Refused(status) => unreachable(status.message().to_owned()),
            Self::ControlPruned { wanted, status } => pruned(ChainId::CONTROL, wanted, &status),
            Self::Unreachable(error) => unreachable(error.to_string()),
            Self::Ended | Self::Silent => unreachable("its stream ended early".to_owned()),
        }
    }
}

/// The settings of a connection to a node's gRPC services.
///
/// # Errors
/// `url` is no address.
pub fn endpoint(url: &str) -> Result<Endpoint, Error> {
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|_| Error::BadUrl {
        url: url.to_owned(),
    })?;
    let endpoint = endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    Ok(endpoint)
}

impl Follower {
    /// Prepares to follow; connects when the first batch is asked for.
    ///
    /// # Errors
    /// No upstream, or one that is no address.
    pub fn new(config: FollowerConfig) -> Result<Self, Error> {
        if config.upstreams.is_empty() {
            return Err(Error::NoUpstream);
        }
        let endpoints = config.upstreams.iter().map(|url| endpoint(url));
        let timing = config.timing;
        let limits = BackoffLimits {
            first_ms: timing.backoff_first_ms,
            longest_ms: timing.backoff_longest_ms,
            exclusion_ms: timing.exclusion_ms,
        };
        let clock = Clock::start();
        Ok(Self {
            chain_id: config.head.chain_id,
            trust: Arc::new(config.trust),
            learned: None,
            chain: Chain::new(config.head),
            endpoints: endpoints.collect::<Result<_, _>>()?,
            upstreams: Upstreams::new(config.upstreams.len(), limits),
            urls: config.upstreams,
            silence_ms: timing.silence_ms,
            clock,
            contact: Contact::new(clock),
            connection: None,
            ready: VecDeque::new(),
            pruned: 0,
        })
    }

    /// The next batch, verified. Waits until there is one; may be dropped and called again, and
    /// nothing is lost or repeated.
    ///
    /// # Errors
    /// No upstream has the next batch any more; or what was decided contradicts what the caller
    /// holds; or the trust root is too old; or the program is shutting down. Everything else is tried
    /// again.
    pub async fn next(&mut self) -> Result<VerifiedBatch, Error> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(batch);
            }
            check_fresh(&self.trust, unix_ms())?;
            let upstream = match self
                .connection
                .as_ref()
                .map(|connection| connection.upstream)
            {
                Some(upstream) => upstream,
                None => self.choose().await,
            };
            if let Err(failure) = self.advance(upstream).await {
                self.leave(upstream, failure)?;
            }
        }
    }

    /// What is trusted now: with the validators that were learned of, and the time of the last batch,
    /// or of the last block after which an upstream proved that there was none. Kept when the batches
    /// that were yielded are, it is what to go on with later, whatever the age of the root that the
    /// follower began with.
    #[must_use]
    pub fn trust(&self) -> &TrustRoot {
        &self.trust
    }

    /// Whether an upstream serves it, for whoever watches: [`Follower::next`] tries for ever.
    #[must_use]
    pub fn contact(&self) -> Contact {
        self.contact.clone()
    }

    async fn choose(&mut self) -> usize {
        loop {
            match self.upstreams.choose(self.clock.now_ms()) {
                Choice::Ask(upstream) => return upstream,
                Choice::Wait(milliseconds) => pause(milliseconds).await,
            }
        }
    }

    /// One step with an upstream: open the stream, or take an item.
    async fn advance(&mut self, upstream: usize) -> Result<(), Failure> {
        let Some(connection) = self.connection.as_mut() else {
            self.connection = Some(self.open(upstream).await?);
            self.contact.found();
            return Ok(());
        };
        if connection.checking.is_none() {
            let item = match connection.item(self.silence_ms).await {
                Err(Failure::Silent) => return Err(self.silent(upstream).await),
                item => item?,
            };
            let trust = Arc::clone(self.learned.as_ref().unwrap_or(&self.trust));
            let chain_id = self.chain_id;
            let work = move || check(item, chain_id, &trust, &Secp256k1);
            connection.checking = Some(off_async_threads(work));
        }
        let checked = match connection.checked().await {
            Err(Failure::Wrong(ItemFault::Proof(fault @ ProofError::Validators { .. }))) => {
                return self.learn(upstream, fault).await;
            }
            checked => checked?,
        };
        let batches = self.chain.extend(checked).map_err(Failure::Wrong)?;
        if let Some(last) = batches.last() {
            connection.served_ms = self.clock.now_ms();
            let timestamp_ms = last.batch.header().timestamp_ms;
            if let Some(learned) = self.learned.take() {
                tracing::info!(height = %learned.height, "the validators have changed");
                self.trust = learned;
            }
            Arc::make_mut(&mut self.trust).saw(timestamp_ms.min(unix_ms()));
            self.upstreams.worked(upstream);
            self.pruned = 0;
        }
        self.ready.extend(batches);
        Ok(())
    }

    /// Learns of other validators from the upstream that shows a block of theirs; its stream begins
    /// again after that. An upstream that cannot show where they come from is wrong.
    async fn learn(&mut self, upstream: usize, fault: ProofError) -> Result<(), Failure> {
        self.disconnect(false);
        let ProofError::Validators { height, found, .. } = fault else {
            return Err(Failure::Wrong(fault.into()));
        };
        let until = Until::Set {
            height,
            hash: found,
        };
        let channel = self.endpoints[upstream].connect().await;
        let channel = channel.map_err(Failure::Unreachable)?;
        let wait_ms = self.silence_ms.min(BATCH_WAIT_MS);
        let known = self.learned.as_ref().unwrap_or(&self.trust);
        let learned = learn(TrustRoot::clone(known), channel, until, wait_ms).await;
        let trust = learned.map_err(|failure| match failure {
            Failure::Silent => Failure::Wrong(fault.into()),
            other => other,
        })?;
        self.learned = Some(Arc::new(trust));
        Ok(())
    }

    /// Why a silent upstream is left. It is asked first whether there is no batch: its proof keeps the
    /// root fresh, which would end with its period while the rollup is idle.
    async fn silent(&mut self, upstream: usize) -> Failure {
        let (trust, head) = (TrustRoot::clone(&self.trust), self.chain.head());
        let wait_ms = self.silence_ms.min(BATCH_WAIT_MS);
        let asked = async {
            let channel = self.endpoints[upstream].connect().await;
            let channel = channel.map_err(Failure::Unreachable)?;
            confirm(trust, channel, head, wait_ms, unix_ms()).await
        };
        match asked.await {
            Ok(Some(trust)) => self.trust = Arc::new(trust),
            Ok(None) => {}
            Err(wrong @ (Failure::Wrong(_) | Failure::CutOff(_))) => return wrong,
            Err(problem) => tracing::debug!(?problem, "a silent upstream proves nothing"),
        }
        Failure::Silent
    }

    async fn open(&self, upstream: usize) -> Result<Connection, Failure> {
        let channel: Channel = self.endpoints[upstream]
            .connect()
            .await
            .map_err(Failure::Unreachable)?;
        let mut client =
            StreamServiceClient::new(channel).max_decoding_message_size(ITEM_BYTES_MAX);
        let request = StreamBatchesRequest {
            chain_id: self.chain_id.0,
            from_seq: self.chain.next_seq(),
            proofs: Proofs::Every.into(),
            proof_interval: 0,
        };
        let answer = timeout(
            Duration::from_millis(self.silence_ms),
            client.stream_batches(request),
        );
        let response = answer
            .await
            .map_err(|_| Failure::Silent)?
            .map_err(Failure::Refused)?;
        Ok(Connection {
            upstream,
            stream: response.into_inner(),
            served_ms: self.contact.lost_since_ms().unwrap_or(0),
            checking: None,
        })
    }

    /// Leaves a stream, if there is one; what a liar served does not count.
    fn disconnect(&mut self, is_liar: bool) {
        self.chain.forget_unproven();
        let Some(connection) = self.connection.take() else {
            return;
        };
        let now_ms = self.clock.now_ms();
        let since_ms = if is_liar {
            connection.served_ms
        } else {
            now_ms
        };
        self.contact.lost(since_ms);
    }

    /// Leaves an upstream, and decides whether to go on.
    fn leave(&mut self, upstream: usize, failure: Failure) -> Result<(), Error> {
        self.learned = None;
        self.disconnect(matches!(failure, Failure::Wrong(_)));
        let url = &self.urls[upstream];
        let chain_id = self.chain_id;
        let now_ms = self.clock.now_ms();
        match failure {
            Failure::Wrong(fault @ ItemFault::Contradiction { .. }) => {
                return Err(Error::Contradiction { chain_id, fault });
            }
            Failure::Wrong(fault) => {
                tracing::warn!(%chain_id, %url, %fault, "upstream sent a wrong item: excluded");
                self.upstreams.lied(upstream, now_ms);
            }
            Failure::CutOff(problem) => return Err(Error::CutOff { problem }),
            Failure::Silent => {
                tracing::debug!(%chain_id, %url, "upstream is silent: asking the next");
                self.upstreams.pass(upstream);
            }
            Failure::Ended => {
                tracing::debug!(%chain_id, %url, "upstream ended the stream");
                self.upstreams.failed(upstream, now_ms);
            }
            Failure::Unreachable(problem) => {
                tracing::info!(%chain_id, %url, %problem, "upstream is not reachable");
                self.upstreams.failed(upstream, now_ms);
            }
            Failure::Refused(status) if is_lagged(&status) => {
                tracing::debug!(%chain_id, %url, "this side was too slow: coming back");
            }
            Failure::Refused(status) => {
                let problem = status.message();
                tracing::info!(%chain_id, %url, %problem, "upstream refused the stream");
                self.upstreams.failed(upstream, now_ms);
                if status.code() == Code::OutOfRange {
                    return self.note_pruned(pruned(chain_id, self.chain.next_seq(), &status));
                }
            }
            Failure::ControlPruned { wanted, status } => {
                tracing::info!(%chain_id, %url, wanted, "upstream has pruned chain 0's batch");
                self.upstreams.failed(upstream, now_ms);
                return self.note_pruned(pruned(ChainId::CONTROL, wanted, &status));
            }
        }
        Ok(())
    }

    fn note_pruned(&mut self, error: Error) -> Result<(), Error> {
        self.pruned += 1;
        if self.pruned < self.upstreams.len() {
            return Ok(());
        }
        self.pruned = 0;
        Err(error)
    }
}

impl Connection {
    async fn item(&mut self, silence_ms: u64) -> Result<BatchItem, Failure> {
        let message = timeout(Duration::from_millis(silence_ms), self.stream.message());
        let message = message.await.map_err(|_| Failure::Silent)?;
        message.map_err(Failure::Refused)?.ok_or(Failure::Ended)
    }

    async fn checked(&mut self) -> Result<Checked, Failure> {
        let Some(checking) = self.checking.as_mut() else {
            return Err(Failure::CutOff("no check is running".into()));
        };
        let checked = checking.await;
        self.checking = None;
        checked
            .map_err(|error| Failure::CutOff(error.to_string()))?
            .map_err(Failure::Wrong)
    }
}

/// True when the upstream says that this side took nothing for too long.
fn is_lagged(status: &Status) -> bool {
    let info = ErrorInfo::from_details(status.details());
    info.and_then(|info| info.reason()) == Some(Reason::Lagged)
}

fn pruned(chain_id: ChainId, wanted: u64, status: &Status) -> Error {
    let first = first_available(status);
    Error::Pruned {
        chain_id,
        wanted,
        first,
    }
}

fn first_available(status: &Status) -> u64 {
    let info = ErrorInfo::from_details(status.details());
    let text = info
        .as_ref()
        .and_then(|info| info.metadata.get("firstAvailable"));
    text.and_then(|text| quantity::parse(text).or_else(|| text.parse().ok()))
        .unwrap_or(0)
}

/// Starts work that takes milliseconds: hashes of a whole batch, signatures of a quorum.
#[expect(clippy::disallowed_methods, reason = "its owner awaits it")]
pub(crate) fn off_async_threads<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    tokio::task::spawn_blocking(work)
}

#[cfg(test)]
mod tests;
