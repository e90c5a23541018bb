//! All checks together, fed with what nodes emit.

use std::sync::Arc;

use cloverleaf_bundle::State;
use cloverleaf_consensus::Message;
use cloverleaf_mempool::Name;
use cloverleaf_mempool::pool;
use cloverleaf_types::{Address, DecidedBlock, Genesis, Height, Parcel, ParcelHeader, Recover};
use cloverleaf_types::{TransactionKey, Verified};

use super::chain::{ChainChecker, Seen};
use super::replay::{Left, Replay};
use super::signatures::Signed;
use super::streams::Streams;
use super::window::Window;
use super::{Promises, SignatureWatch, Violation, atomicity, marks};

/// Judges one network.
pub struct Judge {
    chain: ChainChecker,
    streams: Streams,
    window: Window,
    replay: Replay,
    signatures: SignatureWatch,
    promises: Promises,
    recover: Arc<dyn Recover>,
}

impl Judge {
    /// Knows genesis.
    #[must_use]
    pub fn new(genesis: &Genesis, recover: Arc<dyn Recover>) -> Self {
        Self {
            chain: ChainChecker::new(genesis, Arc::clone(&recover)),
            streams: Streams::new(genesis),
            window: Window::new(genesis.parameters.replay_window_ms),
            replay: Replay::new(genesis),
            signatures: SignatureWatch::new(genesis.network()),
            promises: Promises::default(),
            recover,
        }
    }

    /// A block is decided and durable at a correct node. For the first of its height: what it left
    /// out.
    ///
    /// # Errors
    /// A broken invariant.
    pub fn decided(
        &mut self,
        node: Address,
        decided: &DecidedBlock,
    ) -> Result<Option<Vec<Left>>, Violation> {
        if self.chain.decided(node, decided)? == Seen::Known {
            return Ok(None);
        }
        let block = &decided.block;
        self.streams.follow(block)?;
        atomicity::check(block)?;
        self.window.follow(block)?;
        let left = self.replay.follow(block)?;
        self.chain
            .follow_validators(self.replay.state().validators());
        self.promises.follow(block, &left);
        Ok(Some(left))
    }

    /// A node starts with this tip.
    ///
    /// # Errors
    /// It lacks a block that it said is durable.
    pub fn restarted(&mut self, node: Address, tip: Height) -> Result<(), Violation> {
        self.chain.restarted(node, tip)
    }

    /// A node's journals are wiped, or its whole disk; returns what it promised.
    pub fn wiped(&mut self, node: Address, all: bool) -> Vec<Name> {
        if all {
            self.chain.emptied(node);
        }
        self.promises.forgotten(node)
    }

    /// What a node's key has signed so far.
    #[must_use]
    pub fn signed_by(&self, node: Address) -> Signed {
        self.signatures.of(node)
    }

    /// A node's disk is replaced by what it was when its key had signed this: until it notices, it is
    /// one of those that may be faulty. Returns what it promised, which nobody keeps now.
    pub fn put_back(&mut self, node: Address, signed: &Signed) -> Vec<Name> {
        self.chain.emptied(node);
        self.signatures.forget_since(node, signed);
        self.promises.void(node)
    }

    /// Somebody holds a parcel.
    ///
    /// # Errors
    /// It marks what its claimed sender did not sign.
    pub fn held(&mut self, parcel: &Arc<Verified<Parcel>>) -> Result<(), Violation> {
        if self.replay.hold(parcel) {
            marks::check(parcel, &*self.recover)?;
        }
        Ok(())
    }

    /// A correct node sent a message of the votes stream.
    ///
    /// # Errors
    /// A key signed twice in a slot.
    pub fn said(&mut self, message: &Message) -> Result<(), Violation> {
        self.signatures.message(message)
    }

    /// A correct node sent a parcel of its own.
    ///
    /// # Errors
    /// A key signed twice in a slot.
    pub fn sealed(&mut self, header: &ParcelHeader) -> Result<(), Violation> {
        self.signatures.parcel(header)
    }

    /// A correct node says that an item is available.
    pub fn available(&mut self, node: Address, name: Name) {
        self.promises.available(node, name);
    }

    /// A correct node says that an item has ended, and how.
    ///
    /// # Errors
    /// What was available may not end so.
    pub fn ended(&mut self, node: Address, name: Name, how: &pool::State) -> Result<(), Violation> {
        self.promises.ended(node, name, how)
    }

    /// A validator is removed; returns what ends with it.
    pub fn removed(&mut self, node: Address) -> Vec<Name> {
        self.promises.removed(node)
    }

    /// What was promised.
    #[must_use]
    pub fn promises(&self) -> &Promises {
        &self.promises
    }

    /// The state after the highest block.
    #[must_use]
    pub fn state(&self) -> &State {
        self.replay.state()
    }

    /// The block that placed a transaction last.
    #[must_use]
    pub fn placed(&self, key: &TransactionKey) -> Option<Height> {
        self.window.placed(key)
    }
}
