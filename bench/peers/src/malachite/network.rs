//! Four engines in this process, connected over loopback, and their applications.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eyre::{Result, WrapErr as _};
use malachite_app_channel::app::config::{
    ConsensusConfig, GossipSubConfig, NodeConfig, PubSubProtocol, ValueSyncConfig,
};
use malachite_app_channel::app::types::Keypair;
use malachite_app_channel::app::types::codec::Codec as _;
use malachite_app_channel::{
    Channels, ConsensusContext, EngineBuilder, EngineHandle, NetworkContext, NetworkIdentity,
    RequestContext, Signer as _, SyncContext, WalContext,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::application::Application;
use super::assembly::Assembly;
use super::codec::Borsh;
use super::context::Four;
use super::signing::{Anyone, Key, PrivateKey};
use super::store::Store;
use super::types::{Address, Height, Validator, Validators};
use crate::{Progress, VALIDATORS, payload};

/// Connections from one address: all of them come from loopback.
const CONNECTIONS_PER_IP: usize = 64;

/// Requests that an engine's channel holds.
const REQUESTS_MAX: usize = 100;

/// Time for tasks to end when a network is dropped.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// How messages reach all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The engine's default.
    GossipSub,
    /// Each to each: less work among few.
    Broadcast,
}

/// A running network; dropping it ends it.
pub struct Malachite {
    progress: Arc<Progress>,
    engines: Vec<EngineHandle>,
    runtime: Option<Runtime>,
    _folder: TempDir,
}

/// What one validator is given.
struct Seat {
    own: Address,
    key: [u8; 32],
    config: Config,
}

#[derive(Clone, Debug)]
struct Config {
    moniker: String,
    consensus: ConsensusConfig,
    value_sync: ValueSyncConfig,
}

impl Protocol {
    /// How a bench names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GossipSub => "gossipsub",
            Self::Broadcast => "broadcast",
        }
    }
}

impl Malachite {
    /// Starts one whose blocks have so many bytes, with its files in a folder inside of this one; blocks are
    /// durable before the next height begins, or are not kept at all.
    ///
    /// # Errors
    /// A port or a file cannot be had.
    pub fn start(
        inside: &Path,
        block_bytes: usize,
        protocol: Protocol,
        is_durable: bool,
    ) -> Result<Self> {
        let folder = tempfile::tempdir_in(inside)?;
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let progress = Arc::<Progress>::default();
        let seats = seats(protocol)?;
        let validators = Validators(seats.iter().map(Seat::validator).collect());
        let mut engines = Vec::new();
        for seat in seats {
            let own = folder.path().join(seat.own.to_string());
            std::fs::create_dir(&own)?;
            let stored = own.join("store");
            let store = Store::open(is_durable.then_some(stored.as_path()))?;
            let (address, started) = (seat.own, runtime.block_on(seat.start(&own)));
            let (channels, engine) = started.wrap_err("an engine does not start")?;
            engines.push(engine);
            let application = Application {
                channels,
                own: address,
                validators: validators.clone(),
                payload: payload(0, block_bytes),
                store,
                progress: Arc::clone(&progress),
                height: Height::default(),
                assembly: Assembly::default(),
                proposed: BTreeMap::new(),
            };
            runtime.spawn(async move {
                let ended = application.run().await;
                ended.expect("an application whose engine is correct");
            });
        }
        Ok(Self {
            progress,
            engines,
            runtime: Some(runtime),
            _folder: folder,
        })
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }
}

impl Drop for Malachite {
    fn drop(&mut self) {
        for engine in &self.engines {
            engine.actor.kill();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(END_TIMEOUT);
        }
    }
}

impl Seat {
    fn validator(&self) -> Validator {
        Validator {
            address: self.own,
            key: PrivateKey::from(self.key).public_key(),
        }
    }

    async fn start(self, folder: &Path) -> Result<(Channels<Four>, EngineHandle)> {
        let public_key = self.validator().key.as_bytes().to_vec();
        let signer = Key(PrivateKey::from(self.key));
        // Another key than the validator's: the proof binds the two.
        let network_key = Keypair::generate_ed25519();
        let peer = network_key.public().to_peer_id().to_bytes();
        let proof = signer.sign_validator_proof(public_key, peer).await?;
        let identity = NetworkIdentity::new_validator(
            self.config.moniker.clone(),
            network_key,
            self.own.to_string(),
            Borsh.encode(&proof)?,
        );
        let log = folder.join("wal").join("consensus.wal");
        let consensus =
            ConsensusContext::new_validator(self.own, Box::new(Anyone), Box::new(signer));
        EngineBuilder::new(Four, self.config)
            .with_default_wal(WalContext::new(log, Borsh))
            .with_default_network(NetworkContext::new(identity, Borsh))
            .with_default_sync(SyncContext::new(Borsh))
            .with_default_consensus(consensus)
            .with_default_request(RequestContext::new(REQUESTS_MAX))
            .build()
            .await
    }
}

impl NodeConfig for Config {
    fn moniker(&self) -> &str {
        &self.moniker
    }

    fn consensus(&self) -> &ConsensusConfig {
        &self.consensus
    }

    fn consensus_mut(&mut self) -> &mut ConsensusConfig {
        &mut self.consensus
    }

    fn value_sync(&self) -> &ValueSyncConfig {
        &self.value_sync
    }

    fn value_sync_mut(&mut self) -> &mut ValueSyncConfig {
        &mut self.value_sync
    }
}

/// The keys and settings of all, each a persistent peer of the others.
fn seats(protocol: Protocol) -> Result<Vec<Seat>> {
    let ports = free_ports()?;
    let seat = |index: usize| {
        let mut consensus = ConsensusConfig::default();
        let network = &mut consensus.p2p;
        network.listen_addr = address(ports[index]).parse()?;
        for (_, port) in ports
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index)
        {
            network.persistent_peers.push(address(*port).parse()?);
        }
        network.discovery.max_connections_per_ip = CONNECTIONS_PER_IP;
        network.protocol = match protocol {
            Protocol::GossipSub => PubSubProtocol::GossipSub(GossipSubConfig::default()),
            Protocol::Broadcast => PubSubProtocol::Broadcast,
        };
        let name = u8::try_from(index).expect("there are four");
        Ok(Seat {
            own: Address(name),
            key: [name + 1; 32],
            config: Config {
                moniker: format!("validator {index}"),
                consensus,
                value_sync: ValueSyncConfig::default(),
            },
        })
    };
    (0..VALIDATORS).map(seat).collect()
}

fn address(port: u16) -> String {
    format!("/ip4/127.0.0.1/tcp/{port}")
}

/// Ports that nobody listens on.
fn free_ports() -> Result<Vec<u16>> {
    // All at once, or the same could come twice.
    let listeners = (0..VALIDATORS).map(|_| TcpListener::bind("127.0.0.1:0"));
    let listeners = listeners.collect::<std::io::Result<Vec<_>>>()?;
    let ports = listeners.iter().map(|it| Ok(it.local_addr()?.port()));
    ports.collect()
}
