//! What can go wrong, and whose fault it is.

use std::path::PathBuf;

use alloy_primitives::B256;
use cloverleaf_api::{Reason, WireError};
use cloverleaf_types::error::Mismatch;
use cloverleaf_types::proof::ProofError;
use cloverleaf_types::trust::TrustError;
use cloverleaf_types::{ChainId, Height};
use serde_json::Value;

/// A stream item that does not prove what it claims. The upstream that sent it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemFault {
    /// It is not what the proto file says.
    #[error("{0}")]
    Wire(#[from] WireError),
    /// The batch's body is not what its header commits to.
    #[error("{0}")]
    Body(#[from] Mismatch),
    /// It is another rollup's batch.
    #[error("the batch is of rollup {found}, not {expected}")]
    WrongRollup {
        /// The batch's.
        found: ChainId,
        /// The one that was asked for.
        expected: ChainId,
    },
    /// Certificate, header or head branch do not prove the batch.
    #[error("{0}")]
    Proof(#[from] ProofError),
    /// The proof is of another block than the batch's own.
    #[error("the batch is of height {batch}, its proof of height {proof} or of another time")]
    WrongBlock {
        /// The batch's.
        batch: Height,
        /// The header's.
        proof: Height,
    },
    /// What it says about a bundle is not so.
    #[error("span {span}: its bundle's {part} does not match")]
    Bundle {
        /// The span's position in the batch.
        span: usize,
        /// `number` (of bundles), `branch`, `place` or `transactions`.
        part: &'static str,
    },
    /// Chain 0's batch cannot be followed.
    #[error("chain 0: {0}")]
    Control(#[from] TrustError),
    /// It is not the next batch.
    #[error("batch {found} came where {expected} is next")]
    OutOfOrder {
        /// The next batch.
        expected: u64,
        /// The batch that came.
        found: u64,
    },
    /// It does not name the batch before it.
    #[error("batch {seq} does not follow the batch before it")]
    NotChained {
        /// The batch.
        seq: u64,
    },
    /// Too many batches without a proof.
    #[error("{count} batches came without a proof")]
    Unproven {
        /// How many.
        count: usize,
    },
    /// The validators decided a batch that does not follow what this side holds: it holds a batch
    /// of another network, or more than a third of the power is Byzantine. No upstream's fault.
    #[error("batch {seq} was decided on {decided}, but here the batch before it is {held}")]
    Contradiction {
        /// The decided batch.
        seq: u64,
        /// What it names as the batch before it.
        decided: B256,
        /// What is held here.
        held: B256,
    },
}

/// A call or a task that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none. The caller's fault.
    #[error("`{url}` is no address; it looks like http://127.0.0.1:4545")]
    BadUrl {
        /// What was given.
        url: String,
    },
    /// A follower needs at least one upstream. The caller's fault.
    #[error("no upstream to follow was given")]
    NoUpstream,
    /// Nobody answers.
    #[error("{url} does not answer: {problem}; is the node running?")]
    Unreachable {
        /// Who was asked.
        url: String,
        /// What the network says.
        problem: String,
    },
    /// The answer did not come in time.
    #[error("{url} did not answer within {timeout_ms} ms")]
    TimedOut {
        /// Who was asked.
        url: String,
        /// The limit in milliseconds.
        timeout_ms: u64,
    },
    /// The answer is no JSON-RPC.
    #[error("{url} answered HTTP {status} without JSON-RPC: {problem}")]
    NotJsonRpc {
        /// Who was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong.
        problem: String,
    },
    /// The node refused the call, and says why.
    #[error("{method}: {message}")]
    Refused {
        /// The call.
        method: String,
        /// The JSON-RPC code.
        code: i64,
        /// The node's words.
        message: String,
        /// The reason, if this version knows it.
        reason: Option<Reason>,
        /// The evidence, or null.
        data: Value,
    },
    /// The result does not have the method's shape: the node is of another version.
    #[error("the result of {method} is not understood: {problem}")]
    Shape {
        /// The call.
        method: String,
        /// What is wrong.
        problem: String,
    },
    /// No upstream has the next batch any more.
    #[error("batch {wanted} of rollup {chain_id} was pruned everywhere; the first left is {first}")]
    Pruned {
        /// The rollup.
        chain_id: ChainId,
        /// The next batch.
        wanted: u64,
        /// The first that the last upstream asked still has; 0 when it did not say.
        first: u64,
    },
    /// Decided batches contradict what is held here. Do not go on.
    #[error("rollup {chain_id}: {fault}; do not go on")]
    Contradiction {
        /// The rollup.
        chain_id: ChainId,
        /// What contradicts what.
        fault: ItemFault,
    },
    /// What an upstream sends does not prove what it claims. It is at fault.
    #[error("{url} sends what is not decided: {fault}")]
    Wrong {
        /// Who was asked.
        url: String,
        /// What is wrong.
        fault: ItemFault,
    },
    /// A rollup has not executed what the sequencer ordered.
    #[error("rollup {chain_id} has not executed batch {seq} within {timeout_ms} ms")]
    NotExecuted {
        /// The rollup.
        chain_id: ChainId,
        /// The batch.
        seq: u64,
        /// The limit in milliseconds.
        timeout_ms: u64,
    },
    /// A check was cut off: the program is shutting down.
    #[error("a check was cut off: {problem}")]
    CutOff {
        /// What the runtime says.
        problem: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A text is not the JSON that it should be.
    #[error("this is no {what}: {problem}")]
    Format {
        /// What it should be.
        what: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A proof does not prove what it says. Its maker is at fault, or the trust root is not this
    /// network's, or too old.
    #[error("{0}")]
    Proof(#[from] ProofError),
}
