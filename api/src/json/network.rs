//! `seq_networkInfo`, `seq_listRollups`, `seq_getHead` and the faucet.

use alloy_primitives::{Address, B256};
use cloverleaf_types::rollup::{Format, Policy, Status, Verification};
use cloverleaf_types::{
    ChainId, Height, NetworkId, Parameters, TransactionId, TrustRoot, ValidatorChange, ValidatorSet,
};
use serde::{Deserialize, Serialize};

use super::quantity;

/// What a node says of its network and of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInfo {
    /// The network: the hash of its genesis.
    pub network: NetworkId,
    /// The network's name for people.
    pub name: String,
    /// The node's program, as `web3_clientVersion` says it.
    pub version: String,
    /// The latest decided block.
    #[serde(with = "quantity")]
    pub height: Height,
    /// Its hash; the network's id before the first.
    pub block_hash: B256,
    /// Its time in milliseconds since 1970.
    #[serde(with = "quantity")]
    pub timestamp: u64,
    /// The node's own validator, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validator: Option<Address>,
    /// Validators that this node is connected to, without itself.
    pub peers: u32,
    /// Where the node serves gRPC, as `http://host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<String>,
    /// A trust root as `trust.json` has it. Who takes it from here trusts this node.
    pub trust: TrustRoot,
    /// Who decides the next block.
    pub validators: ValidatorSet,
    /// Changes of the validators that wait for their height.
    pub scheduled: Vec<ValidatorChange>,
    /// Who signs control transactions for the network.
    pub authority: Address,
    /// What the network has chosen, under the names of `genesis.json`.
    pub parameters: Parameters,
}

/// A registered rollup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollup {
    /// Its chain id.
    #[serde(with = "quantity")]
    pub chain_id: ChainId,
    /// Its name for people.
    pub name: String,
    /// How its transactions are encoded.
    pub format: Format,
    /// Who verifies them.
    pub verification: Verification,
    /// In which order a pool seals them.
    pub policy: Policy,
    /// Whether it takes part.
    pub status: Status,
    /// Most weight that one block gives it; 0 stands for the block's own limit.
    #[serde(with = "quantity")]
    pub weight_limit: u64,
    /// Its share when rollups compete.
    #[serde(with = "quantity")]
    pub share: u64,
    /// It accepts legs of bundles.
    pub bundles: bool,
    /// Who may change the entry.
    pub operator: Address,
    /// Its latest batch.
    pub head: RollupHead,
    /// Whether this node knows an execution RPC for it.
    pub execution_rpc: bool,
    /// Whether this node asks that execution RPC at present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_circuit: Option<Circuit>,
}

/// The circuit breaker between a node and a rollup's execution RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Circuit {
    /// Calls go through.
    Closed,
    /// It did not answer several times in a row: nobody asks it for a while.
    Open,
    /// The next call finds out whether it answers again.
    HalfOpen,
}

impl Circuit {
    /// Its name.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "halfOpen",
        }
    }
}

/// A rollup's latest batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollupHead {
    /// Its number; 0 before the first.
    #[serde(with = "quantity")]
    pub seq: u64,
    /// Its hash.
    pub batch_hash: B256,
}

/// `seq_getHead`: a rollup's latest batch as of the latest block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The rollup.
    #[serde(with = "quantity")]
    pub chain_id: ChainId,
    /// The batch's number; 0 before the first.
    #[serde(with = "quantity")]
    pub seq: u64,
    /// The batch's hash.
    pub batch_hash: B256,
    /// The latest decided block, after which this is the head; not the batch's own.
    #[serde(with = "quantity")]
    pub height: Height,
}

/// `POST /v1/faucet`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaucetRequest {
    /// The rollup.
    #[serde(with = "quantity")]
    pub chain_id: ChainId,
    /// Who gets something.
    pub address: Address,
}

/// The transaction that gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FaucetResponse {
    /// The rollup.
    #[serde(with = "quantity")]
    pub chain_id: ChainId,
    /// The transaction; its receipt says when it arrived.
    pub hash: TransactionId,
}

impl Rollup {
    /// The shape of a registry entry; `execution_circuit` where the node knows an execution RPC.
    #[must_use]
    pub fn of(
        entry: &cloverleaf_types::Rollup,
        head: cloverleaf_types::Head,
        execution_circuit: Option<Circuit>,
    ) -> Self {
        Self {
            chain_id: entry.chain_id,
            name: entry.name.clone(),
            format: entry.format,
            verification: entry.verification,
            policy: entry.policy,
            status: entry.status,
            weight_limit: entry.weight_limit,
            share: entry.share,
            bundles: entry.bundles,
            operator: entry.operator,
            head: RollupHead {
                seq: head.seq,
                batch_hash: head.batch_hash,
            },
            execution_rpc: execution_circuit.is_some(),
            execution_circuit,
        }
    }
}

impl Head {
    /// The shape of a head after the block of `height`.
    #[must_use]
    pub const fn of(head: cloverleaf_types::Head, height: Height) -> Self {
        Self {
            chain_id: head.chain_id,
            seq: head.seq,
            batch_hash: head.batch_hash,
            height,
        }
    }
}
