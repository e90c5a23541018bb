//! Block sync inside the replica (C4): blocks that others decided, and blocks for others.

use bytes::Bytes;
use cloverleaf_bundle::apply;
use cloverleaf_consensus::Input as Drive;
use cloverleaf_consensus::{RESPONSE_BYTES_MAX, SyncInput, SyncMessage, SyncOutput};
use cloverleaf_types::block::block_bytes_max;
use cloverleaf_types::{Address, DecidedBlock, Height, Verified};

use crate::config::Halt;
use crate::output::{BlockRange, Class, Output, Recipient};
use crate::replica::Replica;

impl Replica {
    /// Gives block sync an input and passes on what follows.
    pub(crate) fn synchronise(&mut self, input: SyncInput) {
        for output in self.sync.handle(self.now_ms, input) {
            match output {
                SyncOutput::Send { to, message } => self.outputs.push(Output::Send {
                    to: match to {
                        cloverleaf_consensus::To::All => Recipient::All,
                        cloverleaf_consensus::To::One(peer) => Recipient::One(peer),
                    },
                    class: Class::Sync,
                    bytes: message.encode(),
                }),
                SyncOutput::Read { peer, from, .. }
                    if !self.served_blocks.may_serve(peer, self.now_ms) =>
                {
                    tracing::debug!(%peer, "a peer asks for more blocks than it can be sent");
                    let blocks = Vec::new();
                    self.synchronise(SyncInput::Blocks { peer, from, blocks });
                }
                SyncOutput::Read { peer, from, count } => {
                    let to = Height(from.0.saturating_add(count).saturating_sub(1));
                    let range = BlockRange {
                        peer,
                        from,
                        to,
                        bytes_max: RESPONSE_BYTES_MAX,
                    };
                    self.outputs.push(Output::ReadBlocks(range));
                }
                SyncOutput::Certified { height } => self.drive(Drive::Certified { height }),
                SyncOutput::Apply(block) => self.apply_synced(block),
                SyncOutput::Lied { peer, what } => {
                    tracing::warn!(%peer, what, "peer is not asked for blocks for a minute");
                }
                SyncOutput::WakeAt(at_ms) => self.wakes.sync_ms = Some(at_ms),
            }
        }
    }

    /// The longest that the next block may be, encoded, in bytes.
    pub(crate) fn next_block_bytes_max(&self) -> usize {
        block_bytes_max(self.chain.state().parameters().block_weight)
    }

    /// A message came on the sync stream.
    pub(crate) fn receive_sync(&mut self, from: Address, bytes: &Bytes) {
        match SyncMessage::decode(bytes) {
            Ok(message) => self.synchronise(SyncInput::Message { from, message }),
            Err(error) => tracing::warn!(%from, %error, "not a sync message"),
        }
    }

    /// A block whose certificate holds. Without room for it, it waits (D6).
    pub(crate) fn apply_synced(&mut self, decided: Box<Verified<DecidedBlock>>) {
        let height = decided.height();
        if self.committing.is_some() || height != self.chain.height().next() {
            return; // Consensus decided it meanwhile.
        }
        if !self.may_write() {
            self.deferred = Some(decided);
            return;
        }
        self.check_own_vote(&decided);
        match apply(self.chain.state(), &decided.block) {
            Ok(state) => self.commit_synced(decided.into_inner(), state),
            Err(error) if error.is_of_batches() => self.synchronise(SyncInput::Refused {
                what: error.to_string(),
            }),
            Err(error) => {
                let reason = error.to_string();
                self.in_question = Some(decided.block.value());
                self.halt(Halt::CertifiedBlockRefused { height, reason });
            }
        }
    }
}
