//! What the vote journal says of where its key signs from (D4).
//!
//! ```text
//!   Signing 0 ─ entries ─ Signing none ─ entries once more ─ Signing H ─ entries
//!                │             │         └─ only if H was accepted: those of H and above
//!                │             └─ amnesia begins: nothing is signed
//!                └─ what a restart goes on from, until amnesia begins
//! ```
//! What stands before an amnesia is of another life: it is neither replayed nor a guard afterwards, but
//! for what is written once more.

use std::convert::Infallible;

use cloverleaf_consensus::JournalEntry;
use cloverleaf_types::vote::vote_digest;
use cloverleaf_types::{Address, CommitCertificate, Height, NetworkId, Recover, VoteKind};

use crate::output::JournalRecord;

/// Latest decided blocks whose certificates are looked at for votes that the journal does not know:
/// about a minute of a busy network. A certificate holds the votes that decided and no others, so one
/// alone says little, and so many in a row a lot.
pub(crate) const CERTIFICATES_READ_MAX: u64 = 256;

/// The decided blocks beside a vote journal.
pub struct Decided<'a, E = Infallible> {
    /// The network.
    pub network: NetworkId,
    /// Checks signatures.
    pub recover: &'a dyn Recover,
    /// The height of the latest durable block.
    pub tip: Height,
    /// Reads the certificate of a block; nothing when it is not kept.
    pub certificate: &'a dyn Fn(Height) -> Result<Option<CommitCertificate>, E>,
}

/// What a vote journal says of a key.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// From where on the key signs; nothing while it has amnesia, or without a word of it.
    pub(crate) from: Option<Height>,
    /// The highest height that it ever said it signs from.
    pub(crate) highest: Option<Height>,
    /// What the journal holds of the present life of the key, or of the last one before its amnesia.
    pub(crate) entries: Vec<JournalEntry>,
}

impl Told {
    /// Reads a vote journal, in its order.
    pub(crate) fn by(votes: &[JournalEntry], own: Address) -> Self {
        let mut told = Self::default();
        let mut once_more = Vec::new();
        for entry in votes {
            match entry {
                JournalEntry::Signing { key, from } if *key == own => {
                    if let Some(from) = from {
                        if told.from.is_none() {
                            told.entries = std::mem::take(&mut once_more);
                        }
                        told.highest = told.highest.max(Some(*from));
                    }
                    told.from = *from;
                    once_more.clear();
                }
                _ if told.from.is_some() => told.entries.push(entry.clone()),
                _ => once_more.push(entry.clone()),
            }
        }
        told
    }

    /// The height of the latest message that the key signed in this life.
    fn signed(&self, own: Address) -> Option<Height> {
        let own = self.entries.iter().filter(|it| it.signer() == Some(own));
        own.map(JournalEntry::height).max()
    }
}

/// From where on a key signs, as its vote journal says beside the decided blocks; nothing with amnesia
/// (D4): nothing in the journal says it, the key signed what the blocks do not lead to, or one of the
/// latest certificates holds a vote of it that the journal lacks.
///
/// # Errors
/// A certificate cannot be read.
pub fn signs_from<E>(
    votes: &[JournalEntry],
    key: Address,
    decided: &Decided<'_, E>,
) -> Result<Option<Height>, E> {
    let told = Told::by(votes, key);
    let Some(from) = told.from else {
        return Ok(None);
    };
    let tip = decided.tip;
    let signed = told.signed(key).unwrap_or(Height::GENESIS);
    if signed.max(from) > tip.next() {
        tracing::warn!(%tip, %from, %signed, "the store is older than the vote journal");
        return Ok(None);
    }
    if let Some(height) = voted_unknown(key, signed.max(from), decided)? {
        tracing::warn!(%height, "the vote journal is older than the store: it lacks this key's vote");
        return Ok(None);
    }
    Ok(Some(from))
}

/// A height above all that the vote journal knows whose certificate holds a vote of this key. What a
/// node decided by votes it journalled; what it took by sync holds no vote that it did not cast. What an
/// earlier life signed at the very height from which this one signs was accepted.
fn voted_unknown<E>(
    key: Address,
    known: Height,
    decided: &Decided<'_, E>,
) -> Result<Option<Height>, E> {
    let mut height = decided.tip;
    while height > known && height > decided.tip.back(CERTIFICATES_READ_MAX) {
        let certificate = (decided.certificate)(height)?;
        if certificate.is_some_and(|found| is_voter(&found, key, decided)) {
            return Ok(Some(height));
        }
        height = height.back(1);
    }
    Ok(None)
}

fn is_voter<E>(certificate: &CommitCertificate, key: Address, decided: &Decided<'_, E>) -> bool {
    let CommitCertificate {
        height,
        round,
        block_hash,
        ..
    } = *certificate;
    let kind = VoteKind::Precommit;
    let digest = vote_digest(decided.network, height, round, kind, Some(block_hash));
    let mut signers = certificate.signatures.iter();
    signers.any(|it| decided.recover.recover(digest, &it.signature) == Ok(key))
}

/// The vote journal's record of where a key signs from: with genesis's height, its first one, which is
/// written together with a newly made key (D4).
#[must_use]
pub fn signing_record(key: Address, from: Option<Height>) -> JournalRecord {
    record(&JournalEntry::Signing { key, from })
}

/// An entry as the vote journal keeps it.
pub(crate) fn record(entry: &JournalEntry) -> JournalRecord {
    JournalRecord {
        height: entry.height(),
        bytes: entry.encode(),
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_consensus::Step;
    use cloverleaf_types::{Round, Secp256k1};

    use super::*;

    const KEY: Address = Address::repeat_byte(7);

    fn signing(from: Option<u64>) -> JournalEntry {
        let from = from.map(Height);
        JournalEntry::Signing { key: KEY, from }
    }

    fn timeout(height: u64) -> JournalEntry {
        JournalEntry::Timeout {
            height: Height(height),
            round: Round::FIRST,
            step: Step::Propose,
        }
    }

    // D4
    #[test]
    fn what_stands_before_an_amnesia_is_of_another_life_but_for_what_is_written_once_more() {
        let (zero, none) = (signing(Some(0)), signing(None));
        let first = [zero.clone(), timeout(8), timeout(9)];
        let told = Told::by(&first, KEY);
        assert_eq!((told.from, told.entries.len()), (Some(Height(0)), 2));

        // Power fails while what is written once more is written: it is begun anew.
        let torn = [&first[..], &[none.clone(), timeout(9)]].concat();
        let told = Told::by(&torn, KEY);
        assert_eq!(
            (told.from, told.entries),
            (None, vec![timeout(8), timeout(9)])
        );

        let again = [
            &first[..],
            &[none.clone(), timeout(9), signing(Some(9)), timeout(10)],
        ]
        .concat();
        let told = Told::by(&again, KEY);
        assert_eq!(
            (told.from, told.highest),
            (Some(Height(9)), Some(Height(9)))
        );
        assert_eq!(told.entries, [timeout(9), timeout(10)]);

        let later = [&first[..], &[none.clone(), signing(Some(12)), timeout(12)]].concat();
        assert_eq!(Told::by(&later, KEY).entries, [timeout(12)]);

        // What a damaged journal's successor says of it.
        let successor = [none.clone(), signing(Some(6)), none.clone()];
        let told = Told::by(&successor, KEY);
        assert_eq!((told.from, told.highest), (None, Some(Height(6))));
        assert_eq!(told.entries, []);

        // A journal whose first record is lost may have holes.
        let headless = [timeout(8), none];
        assert_eq!(Told::by(&headless, KEY).entries, []);
    }

    // D4
    #[test]
    fn key_does_not_sign_below_where_its_journal_says_nor_beside_a_store_that_is_older() {
        let none = |_: Height| Ok::<_, Infallible>(None);
        let from = |votes: &[JournalEntry], tip| {
            let decided = Decided {
                network: NetworkId::repeat_byte(1),
                recover: &Secp256k1,
                tip: Height(tip),
                certificate: &none,
            };
            signs_from(votes, KEY, &decided).unwrap()
        };
        assert_eq!(from(&[], 0), None);
        assert_eq!(
            from(&[signing(Some(0)), signing(Some(6))], 5),
            Some(Height(6))
        );
        assert_eq!(from(&[signing(Some(0)), signing(Some(6))], 4), None);
        assert_eq!(from(&[signing(Some(0)), signing(None)], 9), None);
    }
}
