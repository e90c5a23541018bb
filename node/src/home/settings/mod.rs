//! A node's settings: what there is to set, what each means, and what it is when nobody sets it.
//!
//! ```text
//!  default  <  node.toml  <  CLOVERLEAF_RPC__PORT=…  <  --rpc.port …
//! ```

mod check;
mod layers;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use cloverleaf_mempool::pool;
use cloverleaf_stream::limits::RECENT_BYTES_MAX;
use cloverleaf_types::ChainId;
use eyre::Result;
use serde::{Deserialize, Serialize};

use super::{Ports, durable};

pub use layers::{Layers, Loaded, Origin};

/// One thing that can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Where it stands: `section.name`, or a name alone.
    pub key: &'static str,
    /// What it means, with its unit.
    pub about: &'static str,
}

/// A section of settings. The doc of a field is what `config default` and the manual say.
macro_rules! section {
    ($(#[doc = $doc:literal])* $name:ident, $prefix:literal, {
        $($(#[doc = $about:literal])* $field:ident: $type:ty,)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $about])* pub $field: $type,)*
        }

        impl $name {
            const SETTINGS: &[Setting] = &[$(Setting {
                key: concat!($prefix, stringify!($field)),
                about: concat!($($about),*),
            },)*];
        }
    };
}

section!(
    /// The public HTTP port.
    RpcSettings, "rpc.", {
        /// Address that JSON-RPC listens on.
        address: IpAddr,
        /// Its port.
        port: u16,
    }
);

section!(
    /// The gRPC port.
    GrpcSettings, "grpc.", {
        /// Address that gRPC listens on.
        address: IpAddr,
        /// Its port.
        port: u16,
        /// URL under which others reach it, as `seq_networkInfo` says it. Empty: the address that it
        /// listens on, and nothing when that is all interfaces.
        announce: String,
    }
);

section!(
    /// The operator's port.
    MetricsSettings, "metrics.", {
        /// Address that metrics and health listen on. Whoever reaches it sees all that is counted.
        address: IpAddr,
        /// Its port.
        port: u16,
    }
);

section!(
    /// The port for other validators.
    NetworkSettings, "network.", {
        /// Address that libp2p listens on.
        address: IpAddr,
        /// Its port.
        port: u16,
    }
);

section!(
    /// What is logged, to standard error.
    LogSettings, "log.", {
        /// `text` or `json`.
        format: LogFormat,
        /// What is logged: a level, or levels by module, as `info,cloverleaf_network=debug`.
        filter: String,
    }
);

section!(
    /// Where secrets are. They are read from files alone, which only their owner may read.
    KeySettings, "keys.", {
        /// File of the key that signs votes and parcels, from the node's directory.
        consensus_file: PathBuf,
        /// File of the key that names the node on the network, from the node's directory.
        network_file: PathBuf,
    }
);

section!(
    /// What the pool holds at most.
    PoolSettings, "pool.", {
        /// Most transactions.
        transactions_max: usize,
        /// Most raw bytes.
        bytes_max: usize,
        /// Most undecided transactions of one sender on one rollup.
        sender_transactions_max: u64,
        /// Longest wait of a transaction alone, in milliseconds.
        transaction_lifetime_ms: u64,
        /// How many own transactions and bundles are remembered that have ended, with how: about 300
        /// bytes each.
        ended_max: usize,
        /// How many senders are remembered of whom nothing waits, with their next nonce: about 100 bytes
        /// each.
        senders_max: usize,
    }
);

section!(
    /// What is kept on the disk.
    StoreSettings, "store.", {
        /// How many of the latest blocks are kept; 0 keeps all. What replays and proofs of the validators
        /// need is kept besides. A validator that is away for longer than all others keep cannot follow any
        /// more.
        keep_heights: u64,
        /// Free bytes of the disk below which nothing new is taken in; 0 sets no floor.
        disk_soft_floor_bytes: u64,
        /// Free bytes of the disk below which nothing is written: no vote, no parcel, no block. At most
        /// the soft floor; 0 sets no floor.
        disk_hard_floor_bytes: u64,
        /// Memory for blocks of tables that were read, in bytes.
        cache_bytes: usize,
        /// Memory for what is in no table yet, in bytes; at least 1 MiB.
        write_buffers_bytes: usize,
    }
);

section!(
    /// What streams keep at hand.
    StreamSettings, "streams.", {
        /// Memory for recent batches, in bytes: who comes back soon is served without the disk.
        recent_bytes: usize,
    }
);

section!(
    /// All settings of one node.
    NodeConfig, "", {
        /// The ports follow from it: JSON-RPC has this one, gRPC the next, metrics 3 and validators 4
        /// above.
        port_base: u16,
        /// Address that the public ports and the port for validators listen on.
        listen_address: IpAddr,
        /// The public HTTP port.
        rpc: RpcSettings,
        /// The gRPC port.
        grpc: GrpcSettings,
        /// The operator's port.
        metrics: MetricsSettings,
        /// The port for other validators.
        network: NetworkSettings,
        /// What is logged.
        log: LogSettings,
        /// Where secrets are.
        keys: KeySettings,
        /// What the pool holds at most.
        pool: PoolSettings,
        /// What is kept on the disk.
        store: StoreSettings,
        /// What streams keep at hand.
        streams: StreamSettings,
        /// The other validators: a list of `peer_id` (as genesis names it) and `address` (`IP:port`).
        peers: Vec<Peer>,
        /// Rollups' own JSON-RPC, asked for reads and nonces: a list of `chain_id` and `url`.
        execution: Vec<ExecutionRpc>,
    }
);

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Another validator: who it is, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its libp2p peer id, as genesis names it.
    pub peer_id: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// A rollup's own JSON-RPC endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionRpc {
    /// The rollup.
    pub chain_id: ChainId,
    /// Its `http://` URL.
    pub url: String,
}

/// What is logged when nobody says otherwise: what an operator should see.
pub const DEFAULT_LOG_FILTER: &str = "warn";

/// The soft floor when nobody says otherwise: twice the hard one, so that what was taken in can still
/// be decided, and somebody can come and look.
const SOFT_FLOOR_BYTES: u64 = 2 * HARD_FLOOR_BYTES;

/// The hard floor when nobody says otherwise: what the store may write by itself after the node has
/// stopped asking it to, when it merges its files.
const HARD_FLOOR_BYTES: u64 = 1024 * 1024 * 1024;

impl NodeConfig {
    /// A node on loopback that asks no rollups.
    #[must_use]
    pub fn new(ports: Ports, peers: Vec<Peer>) -> Self {
        Self {
            peers,
            ..Self::defaults(ports, loopback())
        }
    }

    /// What holds when only the ports and the listening address are set.
    pub(in crate::home) fn defaults(ports: Ports, listen_address: IpAddr) -> Self {
        let limits = pool::Limits::default();
        let memory = cloverleaf_storage::Memory::default();
        Self {
            port_base: ports.base(),
            listen_address,
            rpc: RpcSettings {
                address: listen_address,
                port: ports.http(),
            },
            grpc: GrpcSettings {
                address: listen_address,
                port: ports.grpc(),
                announce: String::new(),
            },
            metrics: MetricsSettings {
                address: loopback(),
                port: ports.metrics(),
            },
            network: NetworkSettings {
                address: listen_address,
                port: ports.network(),
            },
            log: LogSettings {
                format: LogFormat::Text,
                filter: DEFAULT_LOG_FILTER.to_owned(),
            },
            keys: KeySettings {
                consensus_file: "keys/consensus.key".into(),
                network_file: "keys/network.key".into(),
            },
            pool: PoolSettings {
                transactions_max: limits.transactions_max,
                bytes_max: limits.bytes_max,
                sender_transactions_max: limits.sender_transactions_max,
                transaction_lifetime_ms: limits.transaction_lifetime_ms,
                ended_max: limits.ended_max,
                senders_max: limits.senders_max,
            },
            store: StoreSettings {
                keep_heights: 0,
                disk_soft_floor_bytes: SOFT_FLOOR_BYTES,
                disk_hard_floor_bytes: HARD_FLOOR_BYTES,
                cache_bytes: memory.cache_bytes,
                write_buffers_bytes: memory.write_buffers_bytes,
            },
            streams: StreamSettings {
                recent_bytes: RECENT_BYTES_MAX,
            },
            peers: Vec::new(),
            execution: Vec::new(),
        }
    }

    /// Reads and checks a file alone, without the environment.
    ///
    /// # Errors
    /// It is missing, has an unknown key, or a value is out of range.
    pub fn read(path: &Path) -> Result<Self> {
        Ok(Layers::new().file(path)?.load()?.config)
    }

    /// Writes a file with what no default follows from: base and address, peers, execution RPCs.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let own = Own {
            port_base: self.port_base,
            listen_address: self.listen_address,
            peers: &self.peers,
            execution: &self.execution,
        };
        let text = toml::to_string_pretty(&own)?;
        durable::write(path, &text, durable::Kind::Open)
    }

    /// Everything that can be set, in the order of the manual.
    pub fn settings() -> impl Iterator<Item = &'static Setting> {
        let sections = [
            RpcSettings::SETTINGS,
            GrpcSettings::SETTINGS,
            MetricsSettings::SETTINGS,
            NetworkSettings::SETTINGS,
            LogSettings::SETTINGS,
            KeySettings::SETTINGS,
            PoolSettings::SETTINGS,
            StoreSettings::SETTINGS,
            StreamSettings::SETTINGS,
        ];
        let is_section = |top: &&Setting| {
            let mut keys = sections.iter().flat_map(|section| section.iter());
            keys.any(|inner| inner.key.split('.').next() == Some(top.key))
        };
        let tops: Vec<_> = Self::SETTINGS
            .iter()
            .filter(|top| !is_section(top))
            .collect();
        tops.into_iter().chain(sections.into_iter().flatten())
    }

    /// What the pool may hold.
    #[must_use]
    pub fn pool_limits(&self) -> pool::Limits {
        pool::Limits {
            transactions_max: self.pool.transactions_max,
            bytes_max: self.pool.bytes_max,
            sender_transactions_max: self.pool.sender_transactions_max,
            transaction_lifetime_ms: self.pool.transaction_lifetime_ms,
            ended_max: self.pool.ended_max,
            senders_max: self.pool.senders_max,
        }
    }

    /// The URL of gRPC that clients are told; nothing when nobody knows it.
    #[must_use]
    pub fn announced_grpc(&self, listening: SocketAddr) -> Option<String> {
        if !self.grpc.announce.is_empty() {
            return Some(self.grpc.announce.clone());
        }
        let is_reachable = !listening.ip().is_unspecified();
        is_reachable.then(|| format!("http://{listening}"))
    }
}

/// What [`NodeConfig::write`] writes.
#[derive(Serialize)]
struct Own<'a> {
    port_base: u16,
    listen_address: IpAddr,
    peers: &'a [Peer],
    execution: &'a [ExecutionRpc],
}

pub(in crate::home) fn loopback() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}
