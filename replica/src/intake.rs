//! From bytes of the parcels stream to something that the replica can take at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cloverleaf_bundle::Prepared;
use cloverleaf_mempool::parcels::{FalseSender, Message, check_marked};
use cloverleaf_types::error::{DecodeError, ParcelError};
use cloverleaf_types::{B256, NetworkId, Parcel, Recover};

use crate::input::Intake;

/// How many parcels [`Lately`] remembers, and how many bytes of them: what comes again waits behind what has
/// come meanwhile, which is as much as the queues of a few peers hold.
const LATELY_MAX: usize = 1_024;
const LATELY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Why a message of the parcels stream is worthless. Its sender is at fault: a correct validator
/// forwards only what it checked.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Not a message.
    #[error("not a message of the parcels stream: {0}")]
    Decode(#[from] DecodeError),
    /// Not well-formed (L5).
    #[error(transparent)]
    Parcel(#[from] ParcelError),
}

/// Why a parcel of a message is not taken.
enum Unfit {
    Worthless(IntakeError),
    /// L1: its author is at fault, and has signed it.
    FalseSender(Box<FalseSender>),
}

/// The parcels that were verified last. One that comes again, from its author or from another, is not
/// verified again. What is in it was well-formed whoever sent it. Several may verify for it at once.
#[derive(Debug, Default)]
pub struct Lately(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    /// The latest first.
    parcels: VecDeque<Arc<Prepared>>,
    bytes: usize,
}

/// How far a message is.
#[derive(Debug)]
pub enum Step {
    /// The replica can take it.
    Taken(Intake),
    /// It holds a parcel that is not verified yet.
    Unverified(Unverified),
}

/// A message whose parcels are verified one at a time: a reply holds so many of them that whoever
/// verifies for several peers must be able to turn to another in between.
#[derive(Debug)]
pub struct Unverified {
    /// What was asked for, if it is a reply and not a parcel alone.
    reply_to: Option<B256>,
    encoded: VecDeque<Bytes>,
    verified: Vec<Arc<Prepared>>,
}

/// Decodes a message and checks the parcels in it (L5), whatever the state is. It takes as long as the
/// signatures in it take, so it is called beside the thread that runs the replica. A parcel that is
/// well-formed but for a false mark (L1) becomes evidence against its author, and nothing else of its
/// message is used.
///
/// # Errors
/// The first thing that is wrong with it; nothing of it is used.
pub fn intake(
    bytes: &Bytes,
    network: NetworkId,
    recover: &dyn Recover,
) -> Result<Intake, IntakeError> {
    let mut step = decode(bytes)?;
    loop {
        match step {
            Step::Taken(taken) => return Ok(taken),
            Step::Unverified(rest) => {
                step = rest.verify_next(network, recover, &Lately::default())?;
            }
        }
    }
}

/// The beginning of [`intake`]: decodes a message, which costs little, and verifies nothing.
///
/// # Errors
/// It is not a message.
pub fn decode(bytes: &Bytes) -> Result<Step, IntakeError> {
    let unverified = |reply_to, encoded: Vec<Bytes>| Unverified {
        reply_to,
        encoded: encoded.into(),
        verified: Vec::new(),
    };
    let taken = match Message::decode(bytes)? {
        Message::Parcel(encoded) => return Ok(unverified(None, vec![encoded]).step()),
        Message::Parcels { hash, parcels } => return Ok(unverified(Some(hash), parcels).step()),
        Message::Ack(entries) => Intake::Ack(entries),
        Message::Fetch(fetch) => Intake::Fetch(fetch),
        Message::Decided { hash, height } => Intake::Decided { hash, height },
    };
    Ok(Step::Taken(taken))
}

impl Unverified {
    /// Verifies one parcel: with hundreds of marks in it that takes tens of milliseconds.
    ///
    /// # Errors
    /// What is wrong with it; nothing of the message is used.
    pub fn verify_next(
        mut self,
        network: NetworkId,
        recover: &dyn Recover,
        lately: &Lately,
    ) -> Result<Step, IntakeError> {
        if let Some(encoded) = self.encoded.pop_front() {
            match lately.prepare(encoded, network, recover) {
                Ok(prepared) => self.verified.push(prepared),
                Err(Unfit::Worthless(error)) => return Err(error),
                Err(Unfit::FalseSender(found)) => {
                    return Ok(Step::Taken(Intake::FalseSender(*found)));
                }
            }
        }
        Ok(self.step())
    }

    fn step(mut self) -> Step {
        if !self.encoded.is_empty() {
            return Step::Unverified(self);
        }
        match (self.reply_to, self.verified.pop()) {
            (None, Some(parcel)) => Step::Taken(Intake::Parcel(parcel)),
            (reply_to, last) => Step::Taken(Intake::Reply {
                hash: reply_to.unwrap_or_default(),
                parcels: self.verified.into_iter().chain(last).collect(),
            }),
        }
    }
}

impl Lately {
    fn prepare(
        &self,
        encoded: Bytes,
        network: NetworkId,
        recover: &dyn Recover,
    ) -> Result<Arc<Prepared>, Unfit> {
        if let Some(known) = self.known(&encoded) {
            return Ok(known);
        }
        // Nobody waits for what this takes.
        let prepared = prepare(encoded, network, recover)?;
        self.remembered().add(Arc::clone(&prepared));
        Ok(prepared)
    }

    /// All of its bytes are compared: a hash of its header would say nothing of its items.
    fn known(&self, encoded: &Bytes) -> Option<Arc<Prepared>> {
        let remembered = self.remembered();
        let mut parcels = remembered.parcels.iter();
        parcels.find(|it| it.parcel.encoded() == encoded).cloned()
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn add(&mut self, prepared: Arc<Prepared>) {
        self.bytes += prepared.parcel.encoded().len();
        self.parcels.push_front(prepared);
        while self.parcels.len() > LATELY_MAX || self.bytes > LATELY_BYTES_MAX {
            let Some(oldest) = self.parcels.pop_back() else {
                return;
            };
            self.bytes -= oldest.parcel.encoded().len();
        }
    }
}

fn prepare(
    encoded: Bytes,
    network: NetworkId,
    recover: &dyn Recover,
) -> Result<Arc<Prepared>, Unfit> {
    let worthless = |error: IntakeError| Unfit::Worthless(error);
    let parcel = Parcel::decode(encoded).map_err(|error| worthless(error.into()))?;
    let parcel = parcel
        .verify(network, recover)
        .map_err(|error| worthless(error.into()))?;
    let prepared = Arc::new(Prepared::new(Arc::new(parcel)));
    check_marked(&prepared).map_err(|found| Unfit::FalseSender(Box::new(found)))?;
    Ok(prepared)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use cloverleaf_consensus::LocalSigner;
    use cloverleaf_types::error::SignatureError;
    use cloverleaf_types::{
        Address, ChainId, Epoch, Height, Item, ParcelDraft, Secp256k1, Signature, Signer as _,
        Slot, Transaction, Verified,
    };

    use super::*;

    const NETWORK: NetworkId = B256::repeat_byte(1);

    /// Counts what was verified.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Recover for Counting {
        fn recover(&self, digest: B256, signature: &Signature) -> Result<Address, SignatureError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Secp256k1.recover(digest, signature)
        }
    }

    fn parcel(seq: u64) -> Verified<Parcel> {
        let signer = LocalSigner::new(&[1; 32]).unwrap();
        Parcel::seal(draft(&signer, seq), &signer)
    }

    fn draft(signer: &LocalSigner, seq: u64) -> ParcelDraft {
        ParcelDraft {
            network: NETWORK,
            slot: Slot {
                author: signer.address(),
                epoch: Epoch(0),
                seq,
            },
            prev: B256::repeat_byte(u8::from(seq > 0)),
            seen: Height(0),
            time_ms: 0,
            items: Vec::new(),
        }
    }

    fn next(step: Step, recover: &Counting, lately: &Lately) -> Result<Step, IntakeError> {
        let Step::Unverified(rest) = step else {
            panic!("{step:?}");
        };
        rest.verify_next(NETWORK, recover, lately)
    }

    #[test]
    fn parcel_that_comes_again_is_not_verified_again() {
        let (recover, lately) = (Counting::default(), Lately::default());
        let message = Message::Parcel(parcel(0).encoded().clone()).encode();
        for _ in 0..5 {
            let taken = next(decode(&message).unwrap(), &recover, &lately).unwrap();
            let Step::Taken(Intake::Parcel(prepared)) = taken else {
                panic!("{taken:?}");
            };
            assert_eq!(prepared.parcel.hash(), parcel(0).hash());
        }
        assert_eq!(recover.0.load(Ordering::Relaxed), 1);
        // What differs in a byte is another, wherever the byte is.
        let mut changed = message.to_vec();
        *changed.last_mut().unwrap() ^= 1;
        let changed = decode(&changed.into());
        assert!(changed.is_err() || next(changed.unwrap(), &recover, &lately).is_err());

        // Of others it remembers a few.
        for seq in 1..=LATELY_MAX as u64 {
            let message = Message::Parcel(parcel(seq).encoded().clone()).encode();
            next(decode(&message).unwrap(), &recover, &lately).unwrap();
        }
        assert_eq!(lately.remembered().parcels.len(), LATELY_MAX);
        next(decode(&message).unwrap(), &recover, &lately).unwrap();
        assert_eq!(recover.0.load(Ordering::Relaxed), LATELY_MAX + 2);
    }

    #[test]
    fn what_is_remembered_has_a_limit_in_bytes() {
        let signer = LocalSigner::new(&[1; 32]).unwrap();
        let long = |seq: u64| {
            let transaction = Transaction {
                sender: Address::ZERO,
                checked: false,
                raw: vec![7; 256 * 1024].into(),
            };
            let chain_id = ChainId(101);
            let draft = ParcelDraft {
                items: vec![Item::Transaction {
                    chain_id,
                    transaction,
                }],
                ..draft(&signer, seq)
            };
            Arc::new(Prepared::new(Arc::new(Parcel::seal(draft, &signer))))
        };
        let mut remembered = Remembered::default();
        for seq in 0..200 {
            remembered.add(long(seq));
            let bytes = remembered.parcels.iter();
            let bytes: usize = bytes.map(|it| it.parcel.encoded().len()).sum();
            assert_eq!(remembered.bytes, bytes);
            assert!(bytes <= LATELY_BYTES_MAX);
        }
        // A parcel is a little longer than what is in it.
        assert_eq!(remembered.parcels.len(), 127);
        assert_eq!(remembered.parcels[0].parcel.header().seq, 199);
    }

    #[test]
    fn reply_is_verified_parcel_by_parcel() {
        let (recover, lately) = (Counting::default(), Lately::default());
        let hash = parcel(2).hash();
        let parcels = [2, 1, 0].map(|seq| parcel(seq).encoded().clone()).to_vec();
        let mut step = decode(&Message::Parcels { hash, parcels }.encode()).unwrap();
        for verified in 1..=3 {
            step = next(step, &recover, &lately).unwrap();
            assert_eq!(recover.0.load(Ordering::Relaxed), verified);
        }
        let Step::Taken(Intake::Reply { parcels, .. }) = step else {
            panic!("{step:?}");
        };
        let seqs = parcels.iter().map(|prepared| prepared.parcel.slot().seq);
        assert_eq!(seqs.collect::<Vec<_>>(), [2, 1, 0]);

        let none = Message::Parcels {
            hash,
            parcels: Vec::new(),
        };
        let step = decode(&none.encode()).unwrap();
        assert!(matches!(step, Step::Taken(Intake::Reply { parcels, .. }) if parcels.is_empty()));
    }
}
