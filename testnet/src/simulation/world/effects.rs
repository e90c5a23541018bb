//! What a machine did to the world: messages for the links, work for the disk, sightings for the
//! checker.

use bytes::Bytes;
use cloverleaf_consensus::Message;
use cloverleaf_mempool::pool::State;
use cloverleaf_replica::{Class, Commit, Recipient};
use cloverleaf_types::rollup::{Policy, Verification};
use cloverleaf_types::{BatchHeader, DropReason, Parcel, Round, Secp256k1};

use super::{Event, Posted, Simulation};
use crate::checker::{Violation, promises};
use crate::simulation::byzantine::Outgoing;
use crate::simulation::host::{Effect, Sighting};
use crate::simulation::script::Script;

impl Simulation {
    /// Takes up everything that a machine did.
    pub(super) fn settle(&mut self, host: usize) -> Result<(), Violation> {
        let boot = self.hosts[host].boot;
        for effect in self.hosts[host].take_effects() {
            match effect {
                Effect::Send { to, class, bytes } => {
                    let outgoing = Outgoing { to, class, bytes };
                    for outgoing in self.behave(host, outgoing) {
                        self.watch(host, &outgoing)?;
                        self.send(host, outgoing);
                    }
                }
                Effect::Later { after_us, done } => {
                    let event = Event::Done { host, boot, done };
                    self.queue.push(self.now_us + after_us, event);
                }
                Effect::Saw(sighting) => self.saw(host, sighting)?,
                Effect::Down => self.lost_power(host),
            }
        }
        match self.alarms.take().into_iter().next() {
            Some(what) if self.is_correct(host) => Err(self.misdeed(host, what)),
            _ => Ok(()),
        }
    }

    /// A machine has lost power: it comes back after the time that the fault said.
    pub(super) fn lost_power(&mut self, host: usize) {
        self.counts.crashes += 1;
        if let Some(off_us) = self.off_us[host] {
            let event = Event::PowerOn { host };
            self.queue.push(self.now_us + off_us, event);
        }
        self.refresh_links();
    }

    /// Gives a message to the links.
    pub(super) fn send(&mut self, host: usize, outgoing: Outgoing) {
        let Outgoing { to, class, bytes } = outgoing;
        let receivers: Vec<usize> = match to {
            Recipient::All => (0..self.hosts.len()).filter(|to| *to != host).collect(),
            Recipient::One(address) => self.machines_of(address).collect(),
        };
        for to in receivers {
            if self.is_kept_from(host, to, class, &bytes) {
                continue;
            }
            let Some(connection) = self.links.connection(host, to).filter(|_| to != host) else {
                continue;
            };
            let copies = self.links.delays_us(host, to, class, bytes.len());
            self.counts.duplicated += u64::from(copies.len() > 1);
            for at_us in copies.into_iter().map(|after_us| self.now_us + after_us) {
                self.counts.overtaken += u64::from(self.links.overtakes(host, to, at_us));
                let event = Event::Message {
                    from: host,
                    to,
                    connection,
                    class,
                    bytes: bytes.clone(),
                };
                self.queue.push(at_us, event);
            }
        }
    }

    /// The script, or a scene, keeps this message from a machine.
    fn is_kept_from(&self, from: usize, to: usize, class: Class, bytes: &Bytes) -> bool {
        let script = self.config.script.as_ref();
        let script = script.filter(|_| Script::lasts(self.time_ms()));
        if script.is_none() && self.kept_back.is_none() {
            return false;
        }
        let word = match class {
            Class::Votes => Message::decode(bytes).ok(),
            Class::Parcels | Class::Sync => None,
        };
        let posted = Posted {
            from,
            to,
            class,
            word: word.as_ref(),
        };
        let separates = |word: &Message| {
            script.is_some_and(|it| it.separates(word.height(), word.round(), from, to))
        };
        word.as_ref().is_some_and(separates)
            || self.kept_back.as_ref().is_some_and(|rule| rule(&posted))
    }

    fn behave(&mut self, host: usize, outgoing: Outgoing) -> Vec<Outgoing> {
        if self.is_correct(host) {
            return vec![outgoing];
        }
        let truth = outgoing.clone();
        let instead = self.ask(host, |behaviour, scene| {
            behaviour.instead_of(scene, outgoing)
        });
        let instead = instead.unwrap_or_else(|| vec![truth.clone()]);
        if instead != [truth.clone()] {
            self.count_misdeed(host);
        }
        let lies = instead.iter().filter(|it| it.bytes != truth.bytes);
        let lies = u64::try_from(lies.count()).expect("a few");
        match truth.class {
            Class::Sync => self.counts.false_blocks += lies,
            Class::Votes => self.counts.false_words += lies,
            Class::Parcels => self.counts.false_parcels += lies,
        }
        instead
    }

    /// What correct keys sign is seen when it leaves.
    fn watch(&mut self, host: usize, outgoing: &Outgoing) -> Result<(), Violation> {
        if !self.is_correct(host) {
            return Ok(());
        }
        match outgoing.class {
            Class::Sync => Ok(()),
            Class::Votes => {
                let message = Message::decode(&outgoing.bytes)
                    .map_err(|error| self.misdeed(host, error.to_string()))?;
                match &message {
                    // Relayed messages are their signers' business.
                    Message::Vote(signed) if !self.owns(host, signed.message.voter) => Ok(()),
                    Message::Proposal(signed) if !self.owns(host, signed.message.proposer) => {
                        Ok(())
                    }
                    own => self.judge.said(own),
                }
            }
            Class::Parcels => {
                let parcel = match cloverleaf_mempool::Message::decode(&outgoing.bytes) {
                    Ok(cloverleaf_mempool::Message::Parcel(encoded)) => Parcel::decode(encoded),
                    _ => return Ok(()),
                };
                let parcel = parcel.map_err(|error| self.misdeed(host, error.to_string()))?;
                let header = parcel.claimed().header();
                if self.owns(host, header.author) {
                    self.judge.sealed(header)?;
                }
                Ok(())
            }
        }
    }

    fn saw(&mut self, host: usize, sighting: Sighting) -> Result<(), Violation> {
        let node = self.hosts[host].address;
        match sighting {
            Sighting::Held(parcel) => self.judge.held(&parcel)?,
            Sighting::Decided(commit) => {
                self.decided(host, &commit)?;
            }
            Sighting::Progress(_, State::Available { .. })
                if self.rolled_back.contains_key(&host) => {}
            Sighting::Progress(name, State::Available { .. }) if self.is_correct(host) => {
                self.judge.available(node, name);
                self.workload.trust(&name);
            }
            Sighting::Progress(name, state) if self.is_correct(host) && state.is_ended() => {
                let removed = matches!(state, State::Dropped { reason, .. } if reason == DropReason::AuthorRemoved);
                self.counts.author_removed += u64::from(removed);
                self.counts.gave_way += u64::from(state == State::Rejected);
                if matches!(state, State::Replaced { .. }) {
                    self.counts.replaced += 1;
                    if !self.workload.may_be_replaced(&name) {
                        let what = format!(
                            "it says {state:?} of {name:?}, for whose nonces nothing else was sent"
                        );
                        return Err(self.misdeed(host, what));
                    }
                }
                self.judge.ended(node, name, &state)?;
            }
            Sighting::Progress(..) => {}
            Sighting::Halted(what) => {
                if self.is_correct(host) {
                    return Err(self.misdeed(host, what));
                }
            }
            Sighting::NotAccused(accused) => {
                if self.is_correct(host) {
                    return Err(Violation::NoEvidence { node, accused });
                }
            }
            Sighting::Worthless { from, what } => {
                let sender = self.index_of(from);
                if let Some(sender) = sender.filter(|sender| self.is_correct(*sender)) {
                    return Err(self.misdeed(sender, format!("it sends what is worthless: {what}")));
                }
            }
        }
        Ok(())
    }

    fn decided(&mut self, host: usize, commit: &Commit) -> Result<(), Violation> {
        let node = self.hosts[host].address;
        let block = &commit.block;
        let height = block.height();
        self.digest.number(height.0);
        self.digest.bytes(block.certificate.block_hash.as_slice());
        if self.offered[host].contains(&height.0) {
            self.counts.synced += 1;
        }
        self.note_equivocations(host)?;
        self.note_remembered(host)?;
        self.judge_misdeeds(host)?;
        if !self.is_correct(host) {
            return Ok(());
        }
        let parent = self.judge.state().clone();
        let Some(left) = self.judge.decided(node, block)? else {
            return Ok(());
        };
        self.proposers
            .push(parent.proposer(block.block.header.round));
        self.count_changes(parent.validators());
        self.counts.heights += 1;
        self.counts.later_rounds += u64::from(block.block.header.round > Round::FIRST);
        let count = |count: usize| u64::try_from(count).expect("a block is limited");
        self.counts.transactions += count(block.block.transaction_count());
        self.counts.bundles += count(block.block.manifests.len());
        for batch in &block.block.batches {
            self.count_batch(batch.header());
        }
        self.counts.follow_changes(&block.block);
        self.blocks.push(block.clone());
        self.readers.follow(&block.block, self.hosts.len());
        for dropped in &left {
            *self.counts.drops.entry(dropped.reason).or_default() += 1;
        }
        let ended = left.iter().filter(|left| !left.reason.is_retried());
        let names: Vec<_> = ended.flat_map(promises::names).collect();
        self.workload.follow(&block.block, &names);
        self.end_isolation();
        Ok(())
    }

    /// By how its rollup is registered.
    fn count_batch(&mut self, batch: &BatchHeader) {
        let mut rollups = self.genesis.rollups.iter();
        let Some(rollup) = rollups.find(|it| it.chain_id == batch.chain_id) else {
            return;
        };
        let count = u64::from(batch.count);
        let counts = &mut self.counts;
        match rollup.verification {
            Verification::Once => counts.verified_once += count,
            Verification::Everywhere => counts.verified_everywhere += count,
            Verification::Opaque => counts.verified_by_nobody += count,
        }
        match rollup.policy {
            Policy::Fifo => counts.by_arrival += count,
            Policy::Priority => counts.by_priority += count,
        }
    }

    /// Evidence must hold, and accuse nobody who is correct.
    fn note_equivocations(&mut self, host: usize) -> Result<(), Violation> {
        let Some(replica) = self.hosts[host].replica() else {
            return Ok(());
        };
        let fresh: Vec<_> = replica
            .evidence()
            .filter(|evidence| !self.evidence.contains(&evidence.encode()))
            .cloned()
            .collect();
        for evidence in fresh {
            let holds = evidence.holds(self.genesis.network(), &Secp256k1);
            if !holds || !self.may_accuse(evidence.offender()) {
                return Err(Violation::FalseEvidence {
                    accused: evidence.offender(),
                    what: format!("{evidence:?}"),
                });
            }
            self.counts.vote_equivocations += 1;
            self.evidence.insert(evidence.encode());
        }
        Ok(())
    }

    /// A key that had amnesia signs again, or one that signs has amnesia: only of a disk of before.
    fn note_remembered(&mut self, host: usize) -> Result<(), Violation> {
        let Some(replica) = self.hosts[host].replica() else {
            return Ok(());
        };
        let height = replica.state().height().0;
        let is_amnesiac = replica.observe().is_amnesiac;
        let signs = self.hosts[host].signs();
        if signs && self.wiped.remove(&host) {
            self.counts.remembered += 1;
        }
        if let Some(found) = self.rolled_back.get_mut(&host) {
            if is_amnesiac && !found.noticed {
                found.noticed = true;
                self.counts.old_disks_noticed += 1;
            }
            if signs && (found.noticed || height > found.until) {
                self.rolled_back.remove(&host);
            }
        } else if is_amnesiac && !self.wiped.contains(&host) && self.is_correct(host) {
            let what = "it has amnesia, and its disk has lost nothing";
            return Err(self.misdeed(host, what.to_owned()));
        }
        Ok(())
    }

    /// Whether evidence may speak against a key: it is Byzantine, or ran from a disk of before.
    pub(super) fn may_accuse(&self, key: cloverleaf_types::Address) -> bool {
        let host = self.index_of(key);
        host.is_some_and(|host| !self.is_correct(host) || self.suspects.contains(&host))
    }

    pub(super) fn misdeed(&self, host: usize, what: String) -> Violation {
        Violation::Node {
            node: self.hosts[host].address,
            what,
        }
    }

    fn owns(&self, host: usize, address: cloverleaf_types::Address) -> bool {
        self.hosts[host].address == address
    }
}
