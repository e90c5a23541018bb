//! Why something was refused: one table for every interface.
//!
//! Codes are those that wallets and libraries know; none is invented. `docs/spec/errors.md` is
//! generated from this table.

/// A gRPC status code, by its number in the gRPC specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum GrpcCode {
    /// The request is wrong, whatever the state.
    InvalidArgument = 3,
    /// There is no such thing.
    NotFound = 5,
    /// A limit is reached.
    ResourceExhausted = 8,
    /// The request does not fit the present state.
    FailedPrecondition = 9,
    /// It was pruned.
    OutOfRange = 11,
    /// There is no such method.
    Unimplemented = 12,
    /// A defect.
    Internal = 13,
    /// Try again.
    Unavailable = 14,
}

impl GrpcCode {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::InvalidArgument => 3,
            Self::NotFound => 5,
            Self::ResourceExhausted => 8,
            Self::FailedPrecondition => 9,
            Self::OutOfRange => 11,
            Self::Unimplemented => 12,
            Self::Internal => 13,
            Self::Unavailable => 14,
        }
    }

    /// Its name in the gRPC specification.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::NotFound => "NOT_FOUND",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

macro_rules! reasons {
    ($($reason:ident = $text:literal, $code:literal, $http:literal, $grpc:ident, $words:literal, $doc:literal;)+) => {
        /// A machine-readable reason: `data.reason` of a JSON-RPC error, `reason` of a gRPC error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $doc] $reason,)+
        }

        impl Reason {
            /// Every reason, grouped by code.
            pub const ALL: &'static [Self] = &[$(Self::$reason,)+];

            /// Its name.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$reason => $text,)+ }
            }

            /// The JSON-RPC error code.
            #[must_use]
            pub const fn code(self) -> i32 {
                match self { $(Self::$reason => $code,)+ }
            }

            /// The HTTP status of a call that is not part of a JSON-RPC batch. Refusals are 200,
            /// or libraries would not read the code.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$reason => $http,)+ }
            }

            /// The gRPC status code.
            #[must_use]
            pub const fn grpc_code(self) -> GrpcCode {
                match self { $(Self::$reason => GrpcCode::$grpc,)+ }
            }

            /// How the message begins; with code -32000 geth's exact words, which libraries match.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self { $(Self::$reason => $words,)+ }
            }

            /// What it means and what to do, in one sentence.
            #[must_use]
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$reason => $doc,)+ }
            }
        }
    };
}

reasons! {
    ParseError = "parseError", -32700, 400, InvalidArgument,
        "parse error", "The request is not JSON.";

    BatchTooLarge = "batchTooLarge", -32600, 200, InvalidArgument,
        "batch too large", "The JSON-RPC batch has more calls than `limit`; send several.";
    BodyTooLarge = "bodyTooLarge", -32600, 413, InvalidArgument,
        "request too large", "The request has more bytes than `limit`; send several.";

    MethodNotFound = "methodNotFound", -32601, 200, Unimplemented,
        "the method does not exist/is not available", "No such method here; `rpc.discover` lists those that exist, and reads of a rollup need its execution RPC.";

    MalformedRlp = "malformedRlp", -32602, 200, InvalidArgument,
        "malformed transaction", "The bytes are not a canonically encoded transaction.";
    MalformedJson = "malformedJson", -32602, 200, InvalidArgument,
        "malformed parameters", "The parameters do not have the method's shape; `field` names the first that differs.";
    BadHex = "badHex", -32602, 200, InvalidArgument,
        "invalid hex", "A field is not hex with 0x in front, or not of its length.";
    UnknownField = "unknownField", -32602, 200, InvalidArgument,
        "unknown field", "The object has a field that this version does not know; nothing is ignored in silence.";
    NotSupported = "notSupported", -32602, 200, InvalidArgument,
        "not supported", "The field is known, and refused because this version does not enforce it.";
    ZeroLegs = "zeroLegs", -32602, 200, InvalidArgument,
        "the bundle has no leg", "A bundle needs at least one leg.";
    TooManyLegs = "tooManyLegs", -32602, 200, InvalidArgument,
        "too many legs", "A bundle has at most 16 legs.";
    EmptyLeg = "emptyLeg", -32602, 200, InvalidArgument,
        "empty leg", "Every leg needs at least one transaction.";
    ControlLeg = "controlLeg", -32602, 200, InvalidArgument,
        "leg on chain 0", "Chain 0 is the network's own and takes no legs.";
    TooManyTransactions = "tooManyTransactions", -32602, 200, InvalidArgument,
        "too many transactions", "A bundle has at most 64 transactions in all its legs.";
    BundleTooLarge = "bundleTooLarge", -32602, 200, InvalidArgument,
        "bundle too large", "A bundle has at most 262144 bytes of transactions in all its legs.";
    DuplicateRollup = "duplicateRollup", -32602, 200, InvalidArgument,
        "two legs for one rollup", "Put all of a rollup's transactions in one leg.";
    DuplicateTransaction = "duplicateTransaction", -32602, 200, InvalidArgument,
        "a transaction twice", "A bundle holds a transaction once.";
    WindowEmpty = "windowEmpty", -32602, 200, InvalidArgument,
        "empty window", "No height or no block time lies between the bundle's minimum and maximum.";
    WindowTooFar = "windowTooFar", -32602, 200, InvalidArgument,
        "window too far", "`maxTimestamp` is at most 120 seconds ahead; it is in milliseconds.";

    NonceTooLow = "nonceTooLow", -32000, 200, FailedPrecondition,
        "nonce too low", "The sender has used this nonce; ask for `eth_getTransactionCount(address, \"pending\")`.";
    ReplacementUnderpriced = "replacementUnderpriced", -32000, 200, FailedPrecondition,
        "replacement transaction underpriced", "A pooled transaction has this sender and nonce; a replacement pays at least 10 % more.";
    InvalidSender = "invalidSender", -32000, 200, InvalidArgument,
        "invalid sender", "The signature does not verify.";
    WrongChainId = "wrongChainId", -32000, 200, InvalidArgument,
        "invalid chain id for signer", "The transaction names another chain than this endpoint's.";
    TransactionTypeNotSupported = "transactionTypeNotSupported", -32000, 200, InvalidArgument,
        "transaction type not supported", "The rollup takes transactions of types 0, 1, 2 and 4.";
    NotReplayProtected = "notReplayProtected", -32000, 200, InvalidArgument,
        "only replay-protected (EIP-155) transactions allowed over RPC", "The transaction names no chain, so it could be sent to any.";
    OversizedData = "oversizedData", -32000, 200, InvalidArgument,
        "oversized data", "A transaction has at most 131072 bytes.";
    IntrinsicGasTooLow = "intrinsicGasTooLow", -32000, 200, InvalidArgument,
        "intrinsic gas too low", "The gas limit does not cover the transaction's own bytes.";
    FeeCapBelowTip = "feeCapBelowTip", -32000, 200, InvalidArgument,
        "max priority fee per gas higher than max fee per gas", "The tip is above all that the transaction offers.";

    NotFound = "notFound", -32001, 404, NotFound,
        "not found", "This node does not know it, or it is not committed yet.";
    Pruned = "pruned", -32001, 410, OutOfRange,
        "pruned", "This node no longer has it; `firstAvailable` is the first that it has.";

    UnknownRollup = "unknownRollup", -32003, 404, NotFound,
        "unknown rollup", "No rollup with this chain id is registered; `seq_listRollups` lists them.";
    InactiveRollup = "inactiveRollup", -32003, 200, FailedPrecondition,
        "the rollup is not active", "The rollup is paused or retired.";
    AtomicityRefused = "atomicityRefused", -32003, 200, FailedPrecondition,
        "the rollup takes no bundles of this atomicity", "A leg's rollup does not accept the bundle's atomicity.";
    LegChainMismatch = "legChainMismatch", -32003, 200, InvalidArgument,
        "a transaction names another chain than its leg", "Every transaction of a leg names the leg's chain.";
    LegBadSignature = "legBadSignature", -32003, 200, InvalidArgument,
        "a leg's signature does not verify", "Sign the transaction for the leg's chain.";
    BadControl = "badControl", -32003, 200, FailedPrecondition,
        "bad control transaction", "A change of the network that its state does not allow, or not by this signer; the message says what to change before it is signed again.";
    Expired = "expired", -32003, 200, FailedPrecondition,
        "the window is over", "The latest block has reached the bundle's maximum height or time, so no later block may place it.";
    TooLate = "tooLate", -32003, 200, FailedPrecondition,
        "too late", "Reserved for cancellation (B10), which is not built: no answer gives it yet.";

    NotPlaced = "notPlaced", -32003, 200, FailedPrecondition,
        "the transaction was not placed", "It was replaced, expired or dropped before its receipt came; `state` and `dropped` say which.";
    SkippedByRollup = "skippedByRollup", -32003, 200, FailedPrecondition,
        "the rollup skipped the transaction", "It is in a block, but invalid for its rollup: there will be no receipt; `skipped` names the rollup's rule.";

    TimedOut = "timedOut", 4, 200, Unavailable,
        "the transaction was taken in, but has no receipt yet", "EIP-7966: `data` is its hash; ask for its receipt, or send it again.";
    Queued = "queued", 5, 200, FailedPrecondition,
        "the transaction waits for an earlier one", "EIP-7966: `data` is its hash; it was taken in, and waits for an earlier nonce of its sender.";

    PoolFull = "poolFull", -32005, 429, ResourceExhausted,
        "the pool is full", "Wait `retryAfterMs`, or pay more than the cheapest pooled transaction.";
    SenderFull = "senderFull", -32005, 429, ResourceExhausted,
        "the sender has too many pooled transactions", "The nonce is too far above the sender's next: wait until some are committed, or send the nonce that is missing.";
    RollupShareFull = "rollupShareFull", -32005, 429, ResourceExhausted,
        "the rollup's share of the pool is full", "Wait `retryAfterMs` and send it again.";
    LaneFull = "laneFull", -32005, 429, ResourceExhausted,
        "this node's lane is full", "Wait `retryAfterMs`, or send to another node.";
    RateLimited = "rateLimited", -32005, 429, ResourceExhausted,
        "rate limited", "Wait `retryAfterMs` and send it again.";
    Lagged = "lagged", -32005, 429, ResourceExhausted,
        "the reader is too slow", "A stream took nothing for too long and was cut off; resume at `cursor`.";
    TooManySubscriptions = "tooManySubscriptions", -32005, 429, ResourceExhausted,
        "the connection has too many subscriptions", "Unsubscribe from one, or open another connection.";

    NoQuorum = "noQuorum", -32603, 503, Unavailable,
        "no quorum", "Too few validators answer, so nothing is acknowledged; send it again.";
    NotValidator = "notValidator", -32603, 503, Unavailable,
        "this node is no validator", "It is not, not yet, or not for much longer; send to another.";
    DiskLow = "diskLow", -32603, 503, Unavailable,
        "this node's disk is nearly full", "It takes in nothing new until there is room (D6): wait `retryAfterMs`, or send to another.";
    ExecutionRpcDown = "executionRpcDown", -32603, 502, Unavailable,
        "the rollup's execution RPC does not answer", "Ordering goes on; reads of this rollup do not.";
    ShuttingDown = "shuttingDown", -32603, 503, Unavailable,
        "shutting down", "This node is stopping; send to another.";
    Internal = "internal", -32603, 500, Internal,
        "internal error", "A defect of this node; its log says more.";
}

impl Reason {
    /// True when the same request can succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self.code(), -32005) || matches!(self.grpc_code(), GrpcCode::Unavailable)
    }

    /// The reason of a name, if this version knows it.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.text() == text)
    }

    /// True where `data` of a JSON-RPC error is the transaction's hash alone (EIP-7966).
    #[must_use]
    pub const fn has_hash_alone(self) -> bool {
        matches!(self, Self::TimedOut | Self::Queued)
    }

    /// Where it is documented.
    #[must_use]
    pub fn docs(self) -> String {
        format!("docs/spec/errors.md#{}", self.text())
    }
}

impl core::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `eth_` libraries know, and JSON-RPC itself: nothing else may appear.
    const KNOWN_CODES: [i32; 10] = [
        -32700, -32600, -32601, -32602, -32603, -32000, -32001, -32003, 4, 5,
    ];

    #[test]
    fn no_code_is_invented() {
        for reason in Reason::ALL {
            let code = reason.code();
            assert!(
                KNOWN_CODES.contains(&code) || code == -32005,
                "{reason}: {code}"
            );
        }
    }

    #[test]
    fn every_reason_has_one_name_and_a_sentence() {
        for (position, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(Reason::from_text(reason.text()), Some(*reason));
            let earlier = &Reason::ALL[..position];
            assert!(
                earlier.iter().all(|other| other.text() != reason.text()),
                "{reason} twice"
            );
            assert!(
                reason.doc().ends_with('.') && reason.doc().len() > 20,
                "{reason}"
            );
            assert!(!reason.words().is_empty());
            assert_eq!(reason.grpc_code().number(), reason.grpc_code() as i32);
        }
        assert_eq!(Reason::from_text("nope"), None);
    }

    #[test]
    fn limits_answer_429_and_can_be_retried() {
        for reason in Reason::ALL.iter().filter(|reason| reason.code() == -32005) {
            assert_eq!(reason.http_status(), 429, "{reason}");
            assert!(reason.is_retryable());
        }
        assert!(Reason::NoQuorum.is_retryable());
        assert!(!Reason::NonceTooLow.is_retryable() && !Reason::Internal.is_retryable());
    }

    #[test]
    fn geths_words_are_exact() {
        let words = |code| {
            let with_code = Reason::ALL
                .iter()
                .filter(move |reason| reason.code() == code);
            with_code.map(|reason| reason.words()).collect::<Vec<_>>()
        };
        assert_eq!(
            words(-32000),
            [
                "nonce too low",
                "replacement transaction underpriced",
                "invalid sender",
                "invalid chain id for signer",
                "transaction type not supported",
                "only replay-protected (EIP-155) transactions allowed over RPC",
                "oversized data",
                "intrinsic gas too low",
                "max priority fee per gas higher than max fee per gas",
            ]
        );
    }
}
