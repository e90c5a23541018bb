//! What only scenes do.

use cloverleaf_consensus::{Message, Signed, Vote};
use cloverleaf_replica::{Class, Recipient};
use cloverleaf_types::{B256, Height, Round, VoteKind};

use super::Simulation;
use crate::checker::Violation;
use crate::simulation::byzantine::Outgoing;

/// A message on its way, as a scene looks at it.
#[derive(Clone, Copy)]
pub struct Posted<'a> {
    /// The machine that sends it.
    pub from: usize,
    /// The machine that gets it.
    pub to: usize,
    /// What it is part of.
    pub class: Class,
    /// What it says, of those about the running height.
    pub word: Option<&'a Message>,
}

/// Says which messages do not arrive.
pub(super) type KeptBack = Box<dyn Fn(&Posted<'_>) -> bool>;

/// A copy of a machine's vote journal.
pub struct VoteJournal(Vec<(String, Vec<u8>)>);

impl Simulation {
    /// From now on messages of which the rule says so do not arrive, in the place of those of before.
    pub fn keep_back(&mut self, rule: impl Fn(&Posted<'_>) -> bool + 'static) {
        self.kept_back = Some(Box::new(rule));
    }

    /// Everything arrives again.
    pub fn let_through(&mut self) {
        self.kept_back = None;
    }

    /// Clients submit now, besides when it is their time.
    ///
    /// # Errors
    /// A broken invariant.
    pub fn submit_now(&mut self) -> Result<(), Violation> {
        self.submit()
    }

    /// The machines that propose in the rounds of the next height, in turn.
    #[must_use]
    pub fn next_proposers(&self) -> Vec<usize> {
        let order = self.state().proposers().into_iter();
        order
            .flat_map(|address| self.machines_of(address))
            .collect()
    }

    /// The height of a machine's latest block.
    #[must_use]
    pub fn height_of(&self, host: usize) -> u64 {
        self.hosts[host].store().tip().0
    }

    /// The round in which a machine saw a height decided.
    #[must_use]
    pub fn decided_in(&self, host: usize, height: u64) -> Option<Round> {
        let certificate = self.hosts[host].store().certificate(Height(height));
        certificate.map(|certificate| certificate.round)
    }

    /// Copies a machine's vote journal as it is now.
    #[must_use]
    pub fn vote_journal(&self, host: usize) -> VoteJournal {
        VoteJournal(self.hosts[host].copy_votes())
    }

    /// A machine that has no power has a vote journal of before beside its store and its lane log.
    pub fn put_back_vote_journal(&mut self, host: usize, votes: VoteJournal) {
        self.hosts[host].put_back_votes(votes.0);
        self.counts.wiped_votes += 1;
        self.wiped.insert(host);
        self.unstarted.insert(host);
        let promised = self.judge.wiped(self.hosts[host].address, false);
        self.workload.distrust(&promised);
    }

    /// A Byzantine validator sends everybody votes for the height after the one that runs, two a round,
    /// each for a block that nobody made.
    pub fn send_junk_votes(&mut self, host: usize, count: u32) {
        for number in 0..count {
            let kind = match number % 2 {
                0 => VoteKind::Prevote,
                _ => VoteKind::Precommit,
            };
            let vote = Vote {
                height: Height(self.height() + 2),
                round: Round(number / 2),
                kind,
                block_hash: Some(B256::left_padding_from(&number.to_be_bytes())),
                voter: self.hosts[host].address,
            };
            let signer = &*self.hosts[host].signer;
            let signed = Signed::by(vote, self.genesis.network(), signer);
            let outgoing = Outgoing {
                to: Recipient::All,
                class: Class::Votes,
                bytes: Message::Vote(signed).encode(),
            };
            self.send(host, outgoing);
        }
    }

    /// How many messages of later heights a running machine holds.
    #[must_use]
    pub fn early_messages(&self, host: usize) -> usize {
        let bounds = self.hosts[host].replica().map(|replica| replica.bounds());
        let mut bounds = bounds.into_iter().flatten();
        let found = bounds.find(|bound| bound.of == "early_messages");
        found.map_or(0, |bound| bound.len)
    }
}
