//! The JSON-RPC methods: who answers each, and what it does.

use serde_json::{Value, json};

/// Who answers a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The node, for wallets and forwarders.
    Ours,
    /// The node, about the network.
    Seq,
    /// The rollup's execution RPC, corrected by what is pooled here.
    Overlay,
    /// The rollup's execution RPC; without one, the method does not exist.
    Read,
    /// The embedded rollup.
    Rollup,
}

/// One method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Who answers it.
    pub class: Class,
    /// The names of its parameters; `?` marks those that may be left out.
    pub params: &'static [&'static str],
    /// What it does, in one line.
    pub doc: &'static str,
}

const fn method(
    class: Class,
    name: &'static str,
    params: &'static [&'static str],
    doc: &'static str,
) -> Method {
    Method {
        name,
        class,
        params,
        doc,
    }
}

/// Every method, by class.
pub const METHODS: &[Method] = {
    use Class::{Ours, Overlay, Rollup, Seq};
    &[
        method(
            Ours,
            "eth_sendRawTransaction",
            &["raw"],
            "Takes a transaction in and answers its hash; a known one is answered alike.",
        ),
        method(
            Ours,
            "eth_sendRawTransactionSync",
            &["raw", "timeoutMs?"],
            "Takes a transaction in and answers its receipt (EIP-7966). Waits 2 s, or as long as asked, at most 8 s; needs the rollup's execution RPC.",
        ),
        method(
            Ours,
            "eth_sendRawTransactionConditional",
            &["raw", "conditions?"],
            "Takes a transaction in that only a block of the given time may place (ERC-7796: `timestampMin`, `timestampMax` in seconds); only at /rollup/<chainId>.",
        ),
        method(
            Ours,
            "eth_chainId",
            &[],
            "The rollup's chain id; only at /rollup/<chainId>.",
        ),
        method(
            Ours,
            "net_version",
            &[],
            "The rollup's chain id in decimal.",
        ),
        method(
            Ours,
            "web3_clientVersion",
            &[],
            "The node's program and version.",
        ),
        method(
            Ours,
            "rpc_modules",
            &[],
            "The namespaces that this endpoint serves.",
        ),
        method(
            Ours,
            "rpc.discover",
            &[],
            "This table, as an OpenRPC document.",
        ),
        method(
            Ours,
            "arb_checkPublisherHealth",
            &[],
            "Null while blocks are decided: what Nitro's forwarders ask.",
        ),
        method(
            Seq,
            "seq_sendTransaction",
            &["chainId", "raw"],
            "Takes a rollup's transaction in, of whatever format, and answers how far it has come.",
        ),
        method(
            Seq,
            "seq_sendBundle",
            &["bundle"],
            "Takes a bundle in: all legs in one block, or none. That is inclusion: a leg may still revert in its rollup, and whoever sees a leg can place it alone, which drops the whole bundle.",
        ),
        method(
            Seq,
            "seq_getBundleStatus",
            &["bundleHash"],
            "How far a bundle has come; null when this node does not know it.",
        ),
        method(
            Seq,
            "seq_getBundleProof",
            &["bundleHash"],
            "Proves that a bundle's legs are all in one block; null until it is committed.",
        ),
        method(
            Seq,
            "seq_getTransactionStatus",
            &["hash", "chainId?"],
            "How far a transaction has come; null when this node does not know it.",
        ),
        method(
            Seq,
            "seq_getBlock",
            &["height"],
            "A block by height, or \"latest\".",
        ),
        method(
            Seq,
            "seq_getBatch",
            &["chainId", "seq"],
            "A rollup's batch with its transactions, by number or \"latest\".",
        ),
        method(
            Seq,
            "seq_getHead",
            &["chainId"],
            "A rollup's latest batch, and the block after which it is.",
        ),
        method(
            Seq,
            "seq_getProof",
            &["chainId"],
            "Proves a rollup's head after the latest block.",
        ),
        method(
            Seq,
            "seq_getControlNonce",
            &["address"],
            "The next nonce of whoever signs control transactions of chain 0.",
        ),
        method(
            Seq,
            "seq_listRollups",
            &[],
            "The registered rollups with their heads.",
        ),
        method(
            Seq,
            "seq_networkInfo",
            &[],
            "The network, its latest block, its parameters and a trust root.",
        ),
        method(
            Seq,
            "seq_listEvidence",
            &[],
            "The names of the evidence that this node keeps against validators that signed what no correct one signs.",
        ),
        method(
            Seq,
            "seq_getEvidence",
            &["name"],
            "A piece of evidence, which `cloverleaf verify` checks without a node; null when it is not here.",
        ),
        method(
            Seq,
            "seq_subscribe",
            &["topic", "options?"],
            "Subscribes to \"batches\" of a rollup, \"blocks\" or \"bundles\", from any point; over a WebSocket.",
        ),
        method(
            Seq,
            "seq_unsubscribe",
            &["subscription"],
            "Ends a subscription of this WebSocket; false when there is none.",
        ),
        method(
            Overlay,
            "eth_getTransactionCount",
            &["address", "block?"],
            "The rollup's answer; for \"pending\" also what was sequenced and pooled here.",
        ),
        method(
            Overlay,
            "eth_getTransactionByHash",
            &["hash"],
            "The rollup's answer, or the pending transaction as this node has it.",
        ),
        method(
            Overlay,
            "eth_getTransactionReceipt",
            &["hash"],
            "The rollup's answer; null until it has executed the transaction.",
        ),
        method(Overlay, "eth_gasPrice", &[], "The rollup's answer."),
        method(
            Overlay,
            "eth_maxPriorityFeePerGas",
            &[],
            "The rollup's answer.",
        ),
        method(
            Overlay,
            "eth_feeHistory",
            &["blockCount", "newestBlock", "rewardPercentiles?"],
            "The rollup's answer.",
        ),
        read("eth_blockNumber"),
        read("eth_getBlockByNumber"),
        read("eth_getBlockByHash"),
        read("eth_getBlockReceipts"),
        read("eth_getBlockTransactionCountByNumber"),
        read("eth_getBlockTransactionCountByHash"),
        read("eth_getTransactionByBlockNumberAndIndex"),
        read("eth_getTransactionByBlockHashAndIndex"),
        read("eth_getBalance"),
        read("eth_getCode"),
        read("eth_getStorageAt"),
        read("eth_call"),
        read("eth_estimateGas"),
        read("eth_createAccessList"),
        read("eth_fillTransaction"),
        read("eth_getLogs"),
        read("eth_getProof"),
        read("eth_syncing"),
        method(
            Rollup,
            "rollup_getOutput",
            &["seq"],
            "What executing a batch came to; null until it is executed.",
        ),
    ]
};

const fn read(name: &'static str) -> Method {
    method(Class::Read, name, &[], "The rollup's answer.")
}

/// The method of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

/// The answer to `rpc.discover`: the methods of some classes as an OpenRPC document.
#[must_use]
pub fn discover(version: &str, classes: &[Class]) -> Value {
    let shown = METHODS
        .iter()
        .filter(|method| classes.contains(&method.class));
    let methods: Vec<Value> = shown.map(describe).collect();
    json!({
        "openrpc": "1.3.2",
        "info": {"title": "Cloverleaf", "version": version},
        "methods": methods,
    })
}

fn describe(method: &Method) -> Value {
    let param = |param: &&str| {
        let name = param.trim_end_matches('?');
        json!({"name": name, "required": name == *param, "schema": {}})
    };
    let params: Vec<Value> = method.params.iter().map(param).collect();
    json!({
        "name": method.name,
        "summary": method.doc,
        "params": params,
        "result": {"name": "result", "schema": {}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_in_the_table_once_with_a_sentence() {
        for (position, method) in METHODS.iter().enumerate() {
            assert_eq!(
                find(method.name),
                Some(&METHODS[position]),
                "{} twice",
                method.name
            );
            assert!(method.doc.ends_with('.'), "{}", method.name);
        }
        assert_eq!(find("eth_sign"), None);
    }

    #[test]
    fn names_say_their_class() {
        for method in METHODS {
            let is_seq = method.name.starts_with("seq_");
            assert_eq!(is_seq, method.class == Class::Seq, "{}", method.name);
            let is_rollup = method.name.starts_with("rollup_");
            assert_eq!(is_rollup, method.class == Class::Rollup, "{}", method.name);
        }
    }

    #[test]
    fn discovery_lists_the_classes_asked_for() {
        let document = discover("0.1.0", &[Class::Seq]);
        let methods = document["methods"].as_array().unwrap();
        assert!(
            methods
                .iter()
                .all(|method| method["name"].as_str().unwrap().starts_with("seq_"))
        );
        let status = methods
            .iter()
            .find(|method| method["name"] == "seq_getTransactionStatus");
        let params = &status.unwrap()["params"];
        assert_eq!(params[0]["required"], true);
        assert_eq!(
            (&params[1]["name"], &params[1]["required"]),
            (&json!("chainId"), &json!(false))
        );
    }
}
