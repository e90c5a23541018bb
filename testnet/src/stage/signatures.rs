//! What the keys of a network signed, by the journals of all nodes over all their lives.
//!
//! A node's vote journal holds what it signed, before it left, and what it counted of others; its
//! parcel logs hold its own parcels and those that it acknowledged. Blocks show what has left a node:
//! certificates its precommits, cuts its parcels. Whoever signed two things for one slot, in whatever
//! life, is found as soon as both are in any of these.

use std::fs;
use std::path::Path;

use cloverleaf_consensus::{JournalEntry, Message};
use cloverleaf_journal::memory::MemoryDisk;
use cloverleaf_journal::{Disk as _, File as _, Outcome, SegmentedJournal};
use cloverleaf_types::{NetworkId, Parcel};

use super::{Fault, Stage};
use crate::checker::{SignatureWatch, Violation};
use crate::external::{Node, Shown};
use crate::process::Error;

/// The journals with signatures in them.
const JOURNALS: [&str; 3] = ["votes", "lane", "parcels"];

/// Everything that was found signed.
pub struct Signatures {
    watch: SignatureWatch,
    compared: u64,
}

impl Signatures {
    /// Watches a network.
    #[must_use]
    pub fn new(network: NetworkId) -> Self {
        Self {
            watch: SignatureWatch::new(network),
            compared: 0,
        }
    }

    /// How many were compared, each as often as it was read.
    #[must_use]
    pub fn compared(&self) -> u64 {
        self.compared
    }

    /// How many were compared since the last time.
    pub fn take_compared(&mut self) -> u64 {
        std::mem::take(&mut self.compared)
    }

    /// Reads a node's journals, whether it runs or not, and changes nothing.
    ///
    /// # Errors
    /// A key signed two things; or a file is damaged or cannot be read.
    pub fn read(&mut self, journals: &Path) -> Result<(), Fault> {
        let disk = copied(journals)?;
        for name in JOURNALS {
            let damaged = |what: String| Fault::broken(format!("{}: {what}", journals.display()));
            let opened = SegmentedJournal::open(disk.clone(), name, u64::MAX);
            let opened = opened.map_err(|error| damaged(error.to_string()))?;
            for found in opened.outcomes {
                // A node that runs, or was killed, may not have written its last record whole.
                if !matches!(found.outcome, Outcome::TornTail { .. }) {
                    return Err(damaged(format!("{}: {:?}", found.file, found.outcome)));
                }
            }
            for record in opened.records {
                self.note(name, record.payload.into())
                    .map_err(|what| damaged(format!("{name}: {what}")))?;
            }
        }
        Ok(())
    }

    /// Compares what blocks have shown.
    ///
    /// # Errors
    /// A key signed two things.
    pub fn compare(&mut self, shown: &Shown) -> Result<(), Fault> {
        let twice = |violation: Violation| Fault::broken(format!("shown by blocks: {violation}"));
        for vote in &shown.precommits {
            self.compared += 1;
            self.watch.vote(vote).map_err(twice)?;
        }
        for (slot, parcel_hash) in &shown.parcels {
            self.compared += 1;
            self.watch.named(*slot, *parcel_hash).map_err(twice)?;
        }
        Ok(())
    }

    fn note(&mut self, journal: &str, payload: bytes::Bytes) -> Result<(), String> {
        if journal == "votes" {
            let entry = JournalEntry::decode(&payload).map_err(|error| error.to_string())?;
            let messages = match entry {
                JournalEntry::Vote(signed) => vec![Message::Vote(signed)],
                JournalEntry::Proposal(signed) => vec![Message::Proposal(signed)],
                JournalEntry::Polka(polka) => {
                    let prevotes = polka.signed_votes().into_iter();
                    prevotes.map(Message::Vote).collect()
                }
                _ => Vec::new(),
            };
            for message in messages {
                self.compared += 1;
                let noted = self.watch.message(&message);
                noted.map_err(|violation| violation.to_string())?;
            }
            return Ok(());
        }
        let parcel = Parcel::decode(payload).map_err(|error| error.to_string())?;
        self.compared += 1;
        let noted = self.watch.parcel(parcel.claimed().header());
        noted.map_err(|violation| violation.to_string())
    }
}

impl Stage {
    /// What the keys of this network signed: nothing yet.
    #[must_use]
    pub fn signatures(&self) -> Signatures {
        Signatures::new(self.network.genesis().network())
    }

    /// Reads the journals of a node.
    ///
    /// # Errors
    /// As [`Signatures::read`].
    pub fn read_signatures(&self, node: Node, signatures: &mut Signatures) -> Result<(), Fault> {
        let home = self.network.dir().join(format!("node{node}"));
        signatures.read(&home.join("journal"))
    }

    /// Reads the journals of all nodes, and what blocks have shown.
    ///
    /// # Errors
    /// As [`Signatures::read`].
    pub fn read_all_signatures(&self, signatures: &mut Signatures) -> Result<(), Fault> {
        let shown = self.seen().shown();
        signatures.compare(&shown)?;
        let mut nodes = 0..self.network.validators();
        nodes.try_for_each(|node| self.read_signatures(node, signatures))
    }
}

/// A folder in memory: opening a journal cuts its torn tail off, which is its owner's alone to do.
fn copied(folder: &Path) -> Result<MemoryDisk, Error> {
    let what = || format!("reading {}", folder.display());
    let disk = MemoryDisk::new();
    for entry in fs::read_dir(folder).map_err(Error::system(what()))? {
        let path = entry.map_err(Error::system(what()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Its owner may remove it meanwhile.
        let Ok(bytes) = fs::read(&path) else {
            continue;
        };
        let mut file = disk.open(&name).map_err(Error::system(what()))?;
        file.append(&bytes).map_err(Error::system(what()))?;
        file.sync().map_err(Error::system(what()))?;
    }
    Ok(disk)
}

#[cfg(test)]
mod tests {
    use cloverleaf_consensus::{LocalSigner, Signable as _, Signed, Vote};
    use cloverleaf_journal::{FileDisk, Journal};
    use cloverleaf_types::{B256, Epoch, Height, Round, Signer as _, Slot, VoteKind};

    use super::*;
    use crate::stage::Dir;

    const NETWORK: NetworkId = B256::repeat_byte(7);

    fn vote(block: u8) -> JournalEntry {
        let key = LocalSigner::new(&[9; 32]).unwrap();
        let message = Vote {
            height: Height(3),
            round: Round::FIRST,
            kind: VoteKind::Precommit,
            block_hash: Some(B256::repeat_byte(block)),
            voter: key.address(),
        };
        let signature = key.sign(message.digest(NETWORK));
        JournalEntry::Vote(Signed { message, signature })
    }

    fn journal(dir: &Dir, node: usize, entry: &JournalEntry) -> std::path::PathBuf {
        let folder = dir.path().join(format!("node{node}"));
        let disk = FileDisk::open(&folder).unwrap();
        let mut votes = Journal::open(disk, "votes-0000000001").unwrap().journal;
        votes.append(3, &entry.encode()).unwrap();
        votes.sync().unwrap();
        folder
    }

    #[test]
    fn key_that_signed_two_blocks_is_found_in_the_journals_of_two_nodes() {
        let dir = Dir::of_process("signatures").unwrap();
        let (one, other) = (journal(&dir, 0, &vote(1)), journal(&dir, 1, &vote(2)));
        let mut signatures = Signatures::new(NETWORK);
        signatures.read(&one).unwrap();
        signatures.read(&one).unwrap();
        assert_eq!(signatures.compared(), 2);
        let fault = signatures.read(&other).unwrap_err();
        assert!(fault.to_string().contains("double signing"), "{fault}");
    }

    // The node went on with what its disk had, and that was not what had left it.
    #[test]
    fn key_that_signed_otherwise_than_blocks_have_shown_is_found_in_its_own_journal() {
        let dir = Dir::of_process("shown").unwrap();
        let other = journal(&dir, 0, &vote(2));
        let JournalEntry::Vote(shown) = vote(1) else {
            panic!("a vote");
        };
        let slot = Slot {
            author: shown.message.voter,
            epoch: Epoch(1),
            seq: 4,
        };
        let shown = |parcel: u8| Shown {
            precommits: vec![shown.message.clone()],
            parcels: vec![(slot, B256::repeat_byte(parcel))],
        };
        let mut signatures = Signatures::new(NETWORK);
        signatures.compare(&shown(1)).unwrap();
        signatures.compare(&shown(1)).unwrap();
        assert_eq!(signatures.compared(), 4);
        let fault = signatures.read(&other).unwrap_err();
        assert!(fault.to_string().contains("double signing"), "{fault}");
        let fault = signatures.compare(&shown(2)).unwrap_err();
        assert!(fault.to_string().contains("Parcel(1, 4)"), "{fault}");
    }

    #[test]
    fn torn_tail_of_a_killed_node_is_left_where_it_is_and_damage_is_told() {
        let dir = Dir::of_process("torn").unwrap();
        let folder = journal(&dir, 0, &vote(1));
        let file = folder.join("votes-0000000001");
        let whole = fs::read(&file).unwrap();
        fs::write(&file, [&whole[..], &whole[..10]].concat()).unwrap();
        let mut signatures = Signatures::new(NETWORK);
        signatures.read(&folder).unwrap();
        assert_eq!(fs::read(&file).unwrap().len(), whole.len() + 10);
        let mut damaged = whole.clone();
        damaged[20] ^= 1;
        fs::write(&file, [&damaged[..], &whole[..]].concat()).unwrap();
        let fault = signatures.read(&folder).unwrap_err();
        assert!(fault.to_string().contains("Damaged"), "{fault}");
    }
}
