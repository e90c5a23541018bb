//! Catch up with decided blocks, from peers of which some lie.
//!
//! ```text
//!   status ◄─► status        a peer is ahead:
//!   request ─► 16 heights from each of two peers ─► kept until their turn
//!   for tip + 1: certificate (quorum of the known set) ─► parts (all hashes) ─► Apply ─► Applied
//!                                                                                 └─► Refused
//! ```
//! The set that decides tip + 1 is known from applying tip, so blocks are verified one by one, in
//! order, however they arrive; the certificate before the body, which costs more. Whoever sent
//! something false is not asked for a minute. A block that is longer than a response comes in parts.
//!
//! Pure like the driver: no I/O, no clock. Its caller owns the store and applies the blocks.

mod message;
mod output;
mod parts;
mod peers;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_types::{
    Address, DecidedBlock, Height, NetworkId, Recover, Unchecked, ValidatorSet,
};

pub use message::{SYNC_MESSAGE_BYTES_MAX, SyncMessage};
pub use output::{SyncInput, SyncOutput};
pub use parts::BlockPart;
use parts::{Added, Parts};
use peers::{Asked, Peers};

use crate::driver::To;

/// Most heights of one request: at 200 ms a block, three seconds of the network's life.
pub const RANGE_HEIGHTS_MAX: u64 = 16;

/// Most bytes of blocks in one response; a block that is longer by itself comes in parts of this length.
pub const RESPONSE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Requests open at a time, each at another peer.
const REQUESTS_MAX: usize = 2;

/// Heights above the tip that are fetched or kept: what the open requests may bring.
const WINDOW_HEIGHTS: u64 = RANGE_HEIGHTS_MAX * 2;

/// Bytes of kept blocks and parts above which none but the next is asked for: what the open requests bring of
/// the default's full blocks.
const KEPT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// How long one missing block is left to consensus, in milliseconds: a peer that is first by a
/// height is no reason to ask for it.
const LAG_GRACE_MS: u64 = 500;

/// How often an unchanged status is repeated, in milliseconds.
const STATUS_REPEAT_MS: u64 = 2_000;

/// Lowest heights that a node which removes old blocks does not offer: what it removes while a request
/// for them is on its way.
const REMOVED_SOON_HEIGHTS: u64 = RANGE_HEIGHTS_MAX;

/// A block that waits for its turn.
struct Kept {
    sender: Address,
    /// How long it is encoded.
    bytes: usize,
    block: Unchecked<DecidedBlock>,
}

/// A node's view of who has which blocks.
pub struct BlockSync {
    network: NetworkId,
    recover: Arc<dyn Recover>,
    now_ms: u64,
    tip: Height,
    first: Height,
    validators: Option<Arc<ValidatorSet>>,
    /// The longest that the block of `tip + 1` may be, encoded, in bytes.
    block_bytes_max: usize,
    peers: Peers,
    /// Blocks that wait for their turn.
    kept: BTreeMap<Height, Kept>,
    parts: Parts,
    /// The block handed over for application, and its sender.
    applying: Option<(Height, Address)>,
    /// Since when a peer has been exactly one height ahead.
    lagging_since_ms: Option<u64>,
    /// Peers for which the store is being read, and where in the first block the answer begins.
    serving: BTreeMap<Address, usize>,
    /// From where on peers keep blocks, when none keeps the next one.
    unkept: Option<Height>,
    status_due_ms: u64,
    woken_at_ms: Option<u64>,
    outputs: Vec<SyncOutput>,
}

impl BlockSync {
    /// Knows nothing before its first [`SyncInput::Applied`].
    #[must_use]
    pub fn new(network: NetworkId, recover: Arc<dyn Recover>) -> Self {
        Self {
            network,
            recover,
            now_ms: 0,
            tip: Height::GENESIS,
            first: Height::GENESIS,
            validators: None,
            block_bytes_max: 0,
            peers: Peers::default(),
            kept: BTreeMap::new(),
            parts: Parts::default(),
            applying: None,
            lagging_since_ms: None,
            serving: BTreeMap::new(),
            unkept: None,
            status_due_ms: 0,
            woken_at_ms: None,
            outputs: Vec::new(),
        }
    }

    /// The highest height that peers of power f + 1 say they have applied, so that a correct one is
    /// among them; genesis before they have said so.
    #[must_use]
    pub fn vouched_tip(&self) -> Height {
        let validators = self.validators.as_deref();
        validators.map_or(Height::GENESIS, |set| self.peers.vouched_tip(set))
    }

    /// Whether enough peers have said how far they are: more power than may be faulty, or, with this
    /// node's own, a quorum. Without so many connected nothing can be decided.
    #[must_use]
    pub fn is_informed(&self, own: Address) -> bool {
        self.validators.as_deref().is_some_and(|set| {
            let heard = self.peers.power_heard(set);
            set.has_correct(heard) || set.is_quorum(heard.saturating_add(set.power_of(own)))
        })
    }

    /// From where on peers keep blocks, when none of them keeps the one after this node's tip.
    #[must_use]
    pub fn kept_from(&self) -> Option<Height> {
        self.peers.kept_from(self.tip.next())
    }

    /// Takes one input and says what must be done, in order.
    pub fn handle(&mut self, now_ms: u64, input: SyncInput) -> Vec<SyncOutput> {
        self.now_ms = self.now_ms.max(now_ms);
        match input {
            SyncInput::Applied {
                tip,
                first,
                validators,
                block_bytes_max,
            } => {
                self.block_bytes_max = block_bytes_max;
                self.applied(tip, first, validators);
            }
            SyncInput::Kept { first } => self.first = first,
            SyncInput::Refused { what } => self.refused(&what),
            SyncInput::Message { from, message } => self.receive(from, message),
            SyncInput::Connected { peer } => self.send_status(To::One(peer)),
            SyncInput::Disconnected { peer } => {
                self.peers.gone(peer);
                self.parts.forget(peer);
            }
            SyncInput::Blocks { peer, from, blocks } => self.respond(peer, from, blocks),
            SyncInput::Tick => self.woken_at_ms = None,
        }
        self.advance();
        core::mem::take(&mut self.outputs)
    }

    fn applied(&mut self, tip: Height, first: Height, validators: Arc<ValidatorSet>) {
        (self.tip, self.first, self.validators) = (tip, first, Some(validators));
        self.applying = None;
        self.lagging_since_ms = None;
        self.kept = self.kept.split_off(&tip.next());
        self.parts.forget_up_to(tip);
        self.send_status(To::All);
        self.status_due_ms = self.now_ms.saturating_add(STATUS_REPEAT_MS);
    }

    /// The header was certified and the batches were not its own: another peer has the true ones.
    fn refused(&mut self, what: &str) {
        if let Some((height, sender)) = self.applying.take() {
            self.blame(sender, format!("block {height}: {what}"));
        }
    }

    fn receive(&mut self, from: Address, message: SyncMessage) {
        match message {
            SyncMessage::Status { tip, first } => self.peers.heard(from, tip, first),
            SyncMessage::Request {
                from: height,
                count,
            } => self.serve(from, height, count, 0),
            SyncMessage::Response {
                from: height,
                blocks,
            } => {
                if let Some(asked) = self.peers.answered(from, height, 0) {
                    self.keep(from, asked, blocks);
                }
            }
            SyncMessage::More { height, offset } => self.serve(from, height, 1, offset),
            SyncMessage::Part(part) => self.keep_part(from, &part),
        }
    }

    fn serve(&mut self, peer: Address, from: Height, count: u64, offset: usize) {
        if from < self.first {
            return self.send_status(To::One(peer)); // it was removed since the last one
        }
        if from > self.tip || self.serving.contains_key(&peer) {
            return;
        }
        self.serving.insert(peer, offset);
        let count = count.min(RANGE_HEIGHTS_MAX).min(self.tip.0 - from.0 + 1);
        self.outputs.push(SyncOutput::Read { peer, from, count });
    }

    fn respond(&mut self, peer: Address, from: Height, blocks: Vec<Bytes>) {
        let Some(offset) = self.serving.remove(&peer) else {
            return;
        };
        let Some(message) = SyncMessage::answer(from, blocks, offset) else {
            // Removed, or unreadable here: others may have it.
            return self.send_status(To::One(peer));
        };
        self.send(peer, message);
    }

    /// Keeps what a peer was asked for, if it is what it was asked for.
    fn keep(&mut self, peer: Address, asked: Asked, blocks: Vec<Bytes>) {
        let from = asked.from;
        if blocks.is_empty() {
            if !self.peers.may_have_removed(peer, from) {
                self.blame(peer, "it has no block that it claims to have".to_owned());
            }
            return;
        }
        let mut height = from;
        for encoded in blocks {
            let bytes = encoded.len();
            let block = match DecidedBlock::decode(encoded) {
                Ok(block) => block,
                Err(error) => return self.blame(peer, format!("block {height}: {error}")),
            };
            if block.claimed().height() != height || !asked.may_bring(height) {
                return self.blame(peer, format!("it sent another block than {height}"));
            }
            if height > self.tip {
                let sender = peer;
                let kept = Kept {
                    sender,
                    bytes,
                    block,
                };
                self.kept.insert(height, kept);
            }
            height = height.next();
        }
        self.certify_latest(height.back(1));
    }

    /// Adds a part of a long block to those before it, and asks for the next one.
    fn keep_part(&mut self, peer: Address, part: &BlockPart) {
        let (height, offset) = (part.height, part.offset);
        let Some(asked) = self.peers.answered(peer, height, offset) else {
            return;
        };
        if height <= self.tip {
            return; // Decided here meanwhile.
        }
        // Until a later one the network may change its parameters.
        if height == self.tip.next() && part.length > self.block_bytes_max {
            return self.blame(peer, format!("block {height} is longer than any may be"));
        }
        let peers = &self.peers;
        match self.parts.add(peer, part, |other| peers.is_asked(other)) {
            // It came late, and something else is asked of its sender by now.
            Added::More if self.peers.is_asked(peer) => {}
            Added::More => self.ask_more(peer, height),
            Added::Whole(block) => self.keep(peer, asked, vec![block]),
            Added::Useless => {}
            Added::OtherLength => self.blame(peer, format!("block {height} changed its length")),
        }
    }

    fn ask_more(&mut self, peer: Address, height: Height) {
        let offset = self.parts.end_of(peer, height);
        self.peers.ask_more(peer, height, offset, self.now_ms);
        self.send(peer, SyncMessage::More { height, offset });
    }

    /// C4: a quorum of the set that this node knows vouches for a height further on, so nothing
    /// up to there needs to be run.
    fn certify_latest(&mut self, height: Height) {
        let Some(Kept { block, .. }) = self.kept.get(&height) else {
            return;
        };
        let Some(validators) = &self.validators else {
            return;
        };
        let DecidedBlock { block, certificate } = block.claimed();
        let same_set = block.header.validators_hash == validators.hash();
        let (network, recover) = (self.network, &*self.recover);
        let hash = block.hash();
        if same_set
            && certificate
                .verify(network, height, hash, validators, recover)
                .is_ok()
        {
            self.outputs.push(SyncOutput::Certified { height });
        }
    }

    fn advance(&mut self) {
        self.peers.exclude_silent(self.now_ms);
        self.apply_next();
        self.request();
        self.tell_unkept();
        if self.validators.is_some() && self.now_ms >= self.status_due_ms {
            self.send_status(To::All);
            self.status_due_ms = self.now_ms.saturating_add(STATUS_REPEAT_MS);
        }
        self.wake();
    }

    /// Hands over the block of tip + 1 if it is here and true.
    fn apply_next(&mut self) {
        let height = self.tip.next();
        if self.applying.is_some() {
            return;
        }
        let Some(validators) = self.validators.clone() else {
            return;
        };
        let Some(Kept { sender, block, .. }) = self.kept.remove(&height) else {
            return;
        };
        let claimed = block.claimed();
        let (certificate, hash) = (&claimed.certificate, claimed.block.hash());
        let certified = certificate.verify(self.network, height, hash, &validators, &*self.recover);
        if let Err(error) = certified {
            return self.blame(sender, format!("block {height}: {error}"));
        }
        self.outputs.push(SyncOutput::Certified { height });
        match block.verify_parts() {
            Ok(block) => {
                self.applying = Some((height, sender));
                self.outputs.push(SyncOutput::Apply(Box::new(block)));
            }
            // Its hash is certified, so another peer has the true parts.
            Err(error) => self.blame(sender, format!("block {height}: {error}")),
        }
    }

    fn request(&mut self) {
        let best = self.peers.best_tip(self.now_ms);
        if self.validators.is_none() || !self.lags_enough(best) {
            return;
        }
        let mut height = self.applying.map_or(self.tip, |(height, _)| height).next();
        let last = best.0.min(self.fetched_up_to(height).0);
        while height.0 <= last && self.peers.open_requests() < REQUESTS_MAX {
            let missing =
                |height| !self.kept.contains_key(&height) && !self.peers.is_asked_for(height);
            let run = (height.0..=last)
                .take_while(|height| missing(Height(*height)))
                .count();
            let run = u64::try_from(run)
                .unwrap_or(u64::MAX)
                .min(RANGE_HEIGHTS_MAX);
            if run == 0 {
                height = height.next();
                continue;
            }
            let parts = &self.parts;
            let has_begun = |peer| parts.end_of(peer, height) > 0;
            let asked = self.peers.ask(height, run, self.now_ms, has_begun);
            let Some((peer, count)) = asked else { return };
            let from = height;
            if self.parts.end_of(peer, from) > 0 {
                self.ask_more(peer, from);
                height = height.next();
                continue;
            }
            self.send(peer, SyncMessage::Request { from, count });
            height = Height(height.0 + count);
        }
    }

    /// The highest height that is asked for, when this is the next one.
    fn fetched_up_to(&self, next: Height) -> Height {
        let kept: usize = self.kept.values().map(|kept| kept.bytes).sum();
        if kept + self.parts.bytes() >= KEPT_BYTES_MAX {
            return next;
        }
        Height(self.tip.0.saturating_add(WINDOW_HEIGHTS))
    }

    fn lags_enough(&mut self, best: Height) -> bool {
        match best.0.saturating_sub(self.tip.0) {
            0 => {
                self.lagging_since_ms = None;
                false
            }
            1 => {
                let since_ms = *self.lagging_since_ms.get_or_insert(self.now_ms);
                self.now_ms >= since_ms.saturating_add(LAG_GRACE_MS)
            }
            _ => true,
        }
    }

    fn tell_unkept(&mut self) {
        let kept_from = self.kept_from();
        if let Some(from) = kept_from.filter(|_| self.unkept.is_none()) {
            tracing::warn!(
                next = %self.tip.next(), kept_from = %from,
                "no peer keeps the next block, so this node cannot follow: it was away for longer than its \
                 peers keep blocks"
            );
        }
        self.unkept = kept_from;
    }

    /// The lowest height that peers are told to ask for: what is removed soon is not offered.
    fn offered_from(&self) -> Height {
        let is_removing = self.first > Height(1);
        let slack = if is_removing { REMOVED_SOON_HEIGHTS } else { 0 };
        Height(self.first.0.saturating_add(slack)).min(self.tip.max(self.first))
    }

    fn blame(&mut self, peer: Address, what: String) {
        tracing::warn!(%peer, %what, "peer sent a false block; not asked for a minute");
        self.peers.exclude_liar(peer, self.now_ms);
        self.kept.retain(|_, kept| kept.sender != peer);
        self.parts.forget(peer);
        self.outputs.push(SyncOutput::Lied { peer, what });
    }

    fn send_status(&mut self, to: To) {
        let message = SyncMessage::Status {
            tip: self.tip,
            first: self.offered_from(),
        };
        self.outputs.push(SyncOutput::Send { to, message });
    }

    fn send(&mut self, peer: Address, message: SyncMessage) {
        let to = To::One(peer);
        self.outputs.push(SyncOutput::Send { to, message });
    }

    fn wake(&mut self) {
        let lag = self
            .lagging_since_ms
            .map(|since_ms| since_ms.saturating_add(LAG_GRACE_MS));
        let times = [
            Some(self.status_due_ms),
            lag,
            self.peers.next_ms(self.now_ms),
        ];
        let next = times
            .into_iter()
            .flatten()
            .filter(|at_ms| *at_ms > self.now_ms)
            .min();
        if next != self.woken_at_ms {
            self.woken_at_ms = next;
            self.outputs.extend(next.map(SyncOutput::WakeAt));
        }
    }
}
