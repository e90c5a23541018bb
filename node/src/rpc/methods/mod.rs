//! The methods of the public endpoint: which exist where, and who answers them.

mod answer;
mod faucet;
mod overlay;
mod params;
mod send;
mod seq;

use std::sync::Arc;

use alloy_signer_local::PrivateKeySigner;
use cloverleaf_api::error::{RpcError, hex};
use cloverleaf_api::json::{FaucetRequest, FaucetResponse};
use cloverleaf_api::methods::{self, Class, METHODS};
use cloverleaf_types::ChainId;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::desk::{Desk, VERSION};
use super::envelope::Outcome;
use crate::clock::Stopwatch;
use faucet::Faucet;
pub(super) use params::Params;

/// Methods of the root beside `seq_*`.
const AT_ROOT: [&str; 6] = [
    "eth_sendRawTransaction",
    "eth_sendRawTransactionSync",
    "web3_clientVersion",
    "rpc_modules",
    "rpc.discover",
    "arb_checkPublisherHealth",
];

/// What is never passed on to a rollup's execution RPC: methods that act on the node behind it or
/// with its keys, ways past this sequencer, and subscriptions, which live in a connection of that RPC.
const NEVER_PASSED_ON: [&str; 13] = [
    "admin_",
    "anvil_",
    "debug_",
    "engine_",
    "evm_",
    "hardhat_",
    "mev_",
    "miner_",
    "personal_",
    "eth_cancel",
    "eth_sign",
    "eth_subscribe",
    "eth_unsubscribe",
];

/// How names of methods go on, after their namespace, that take a transaction in past this sequencer,
/// whatever the node behind calls itself.
const WAYS_PAST: [&str; 3] = ["send", "resend", "submit"];

/// What the methods are made of.
#[derive(Debug)]
pub(crate) struct MethodsConfig {
    /// Takes in, looks up, proves.
    pub(crate) desk: Desk,
    /// Pays for the faucet: in dev networks only.
    pub(crate) faucet: Option<PrivateKeySigner>,
    /// Where the node serves gRPC, as `http://host:port`.
    pub(crate) grpc: Option<String>,
}

/// Answers calls. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Methods {
    desk: Desk,
    faucet: Option<Arc<Faucet>>,
    grpc: Option<Arc<str>>,
}

/// Where a call came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/`: the network's.
    Root,
    /// `/rollup/<chainId>`: a rollup's, as its wallets see it.
    Rollup(ChainId),
}

impl Endpoint {
    /// The rollup whose transactions alone are taken here.
    fn rollup(self) -> Option<ChainId> {
        match self {
            Self::Root => None,
            Self::Rollup(chain_id) => Some(chain_id),
        }
    }
}

impl Methods {
    /// The methods of a node.
    pub(crate) fn new(config: MethodsConfig) -> Self {
        Self {
            faucet: config.faucet.map(|signer| Arc::new(Faucet::new(signer))),
            grpc: config.grpc.map(Arc::from),
            desk: config.desk,
        }
    }

    /// True for a rollup that has an endpoint here.
    pub(crate) fn is_registered(&self, chain_id: ChainId) -> bool {
        self.desk.is_registered(chain_id)
    }

    /// Answers a call.
    pub(crate) async fn call(
        &self,
        endpoint: Endpoint,
        method: &str,
        params: Option<&RawValue>,
    ) -> Outcome {
        let took = Stopwatch::start();
        let outcome = self.dispatch(endpoint, method, params).await;
        let metrics = &self.desk.handle().shared().metrics.rpc;
        metrics.answered(method, outcome.text(), took);
        outcome
    }

    /// Counts what came and was no call.
    pub(crate) fn is_no_call(&self, reason: &'static str) {
        self.desk.handle().shared().metrics.rpc.malformed(reason);
    }

    async fn dispatch(
        &self,
        endpoint: Endpoint,
        method: &str,
        params: Option<&RawValue>,
    ) -> Outcome {
        match (endpoint, method) {
            (_, "web3_clientVersion") => Outcome::of(Ok(VERSION)),
            (_, "rpc_modules") => Outcome::of(Ok(modules())),
            (_, "rpc.discover") => Outcome::of(Ok(discover(endpoint))),
            (_, "arb_checkPublisherHealth") => Outcome::of(self.desk.health()),
            (_, "eth_sendRawTransaction") => Outcome::of(self.send(endpoint, params).await),
            (_, "eth_sendRawTransactionSync") => self.send_sync(endpoint, params).await,
            (_, method) if method.starts_with("seq_") => self.seq(endpoint, method, params).await,
            (Endpoint::Root, method) => Outcome::Error(RpcError::method_not_found(method)),
            (Endpoint::Rollup(chain_id), method) => self.at_rollup(chain_id, method, params).await,
        }
    }

    /// Gives something to spend, in dev networks.
    ///
    /// # Errors
    /// There is no faucet here, or its transaction is refused.
    pub(crate) async fn faucet(&self, request: &FaucetRequest) -> Result<FaucetResponse, RpcError> {
        match &self.faucet {
            Some(faucet) => faucet.give(&self.desk, request).await,
            None => Err(Faucet::absent()),
        }
    }

    async fn at_rollup(
        &self,
        chain_id: ChainId,
        method: &str,
        params: Option<&RawValue>,
    ) -> Outcome {
        match method {
            "eth_sendRawTransactionConditional" => {
                Outcome::of(self.send_conditional(chain_id, params).await)
            }
            "eth_chainId" => Outcome::of(Ok(hex(chain_id.0))),
            "net_version" => Outcome::of(Ok(chain_id.to_string())),
            "eth_getTransactionCount" => self.transaction_count(chain_id, params).await,
            "eth_getTransactionByHash" => self.transaction_by_hash(chain_id, params).await,
            method if is_passed_on(method) => {
                self.desk
                    .executions()
                    .pass_on(chain_id, method, params)
                    .await
            }
            method => Outcome::Error(RpcError::method_not_found(method)),
        }
    }
}

/// True for what takes something in: in a batch it waits for its turn.
fn takes_in(method: &str) -> bool {
    method.starts_with("eth_send") || method.starts_with("seq_send")
}

fn is_passed_on(method: &str) -> bool {
    let verb = method.split_once('_').map_or(method, |(_, verb)| verb);
    let is_refused = NEVER_PASSED_ON
        .iter()
        .any(|prefix| method.starts_with(prefix));
    !is_refused && WAYS_PAST.iter().all(|way| !verb.starts_with(way))
}

fn is_at_root(method: &str) -> bool {
    method.starts_with("seq_") || AT_ROOT.contains(&method)
}

/// The methods of an endpoint, as an OpenRPC document.
fn discover(endpoint: Endpoint) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    match endpoint {
        Endpoint::Rollup(_) => {
            let classes = [
                Class::Ours,
                Class::Seq,
                Class::Overlay,
                Class::Read,
                Class::Rollup,
            ];
            methods::discover(version, &classes)
        }
        Endpoint::Root => {
            let mut document = methods::discover(version, &[Class::Ours, Class::Seq]);
            if let Some(listed) = document["methods"].as_array_mut() {
                listed.retain(|method| method["name"].as_str().is_some_and(is_at_root));
            }
            document
        }
    }
}

/// The namespaces of the table, with geth's version number of them.
fn modules() -> Value {
    let namespaces = METHODS
        .iter()
        .filter_map(|method| method.name.split(['_', '.']).next());
    namespaces
        .map(|namespace| (namespace.to_owned(), json!("1.0")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(endpoint: Endpoint) -> Vec<String> {
        let document = discover(endpoint);
        let methods = document["methods"].as_array().unwrap().iter();
        methods
            .map(|method| method["name"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn root_lists_what_it_serves_and_a_rollup_lists_the_whole_table() {
        let root = listed(Endpoint::Root);
        assert!(
            AT_ROOT
                .iter()
                .all(|method| root.iter().any(|listed| listed == method))
        );
        assert!(root.iter().all(|method| is_at_root(method)));
        assert!(root.iter().any(|method| method == "seq_sendBundle"));
        assert_eq!(listed(Endpoint::Rollup(ChainId(901))).len(), METHODS.len());
    }

    #[test]
    fn nothing_that_acts_on_the_node_behind_or_goes_past_the_sequencer_is_passed_on() {
        for method in [
            "admin_addPeer",
            "anvil_setBalance",
            "debug_setHead",
            "engine_newPayloadV4",
            "eth_cancelPrivateTransaction",
            "eth_resend",
            "eth_sendTransaction",
            "eth_sendRawTransactionSync",
            "eth_sign",
            "eth_signTransaction",
            "eth_submitWork",
            "eth_subscribe",
            "evm_mine",
            "hardhat_impersonateAccount",
            "mev_simBundle",
            "miner_stop",
            "personal_unlockAccount",
            "timeboost_sendExpressLaneTransaction",
            "zks_sendRawTransactionWithDetailedOutput",
        ] {
            assert!(!is_passed_on(method), "{method}");
        }
        let reads = METHODS.iter().filter(|method| method.class == Class::Read);
        assert!(reads.into_iter().all(|method| is_passed_on(method.name)));
        assert!(is_passed_on("zkevm_batchNumber") && is_passed_on("eth_fillTransaction"));
    }

    #[test]
    fn modules_are_the_namespaces_of_the_table() {
        let modules = modules();
        let names: Vec<&String> = modules.as_object().unwrap().keys().collect();
        assert_eq!(names, ["arb", "eth", "net", "rollup", "rpc", "seq", "web3"]);
    }
}
