//! What holds whatever comes in whatever order: nonces leave and are placed in order, nothing is lost.

use std::collections::{BTreeMap, BTreeSet};

use cloverleaf_types::weight::item_weight;
use proptest::prelude::*;

use super::*;

/// One input.
#[derive(Clone, Debug)]
enum Step {
    /// The next nonce of a busy sender.
    Next {
        chain: bool,
        sender: u8,
    },
    Send {
        chain: bool,
        sender: u8,
        nonce: u64,
        tag: u64,
    },
    Bundle {
        sender: u8,
        nonces: (u64, u64),
        lifetime_ms: u64,
    },
    Tell {
        chain: bool,
        sender: u8,
        nonce: u64,
    },
    Take {
        weight: u64,
    },
    /// A block that takes some of the own parcels; what it drops follows from the seed. `foreign`
    /// is a transaction that another lane carried.
    Decide {
        parcels: usize,
        seed: u64,
        foreign: Option<(bool, u8, u64)>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let sender = || 1_u8..4;
    let nonce = || 0_u64..6;
    prop_oneof![
        6 => (any::<bool>(), 4_u8..6).prop_map(|(chain, sender)| Step::Next { chain, sender }),
        6 => (any::<bool>(), sender(), nonce(), 0_u64..2)
            .prop_map(|(chain, sender, nonce, tag)| Step::Send { chain, sender, nonce, tag }),
        2 => (sender(), (nonce(), nonce()), 200_u64..3_000)
            .prop_map(|(sender, nonces, lifetime_ms)| Step::Bundle { sender, nonces, lifetime_ms }),
        1 => (any::<bool>(), sender(), nonce())
            .prop_map(|(chain, sender, nonce)| Step::Tell { chain, sender, nonce }),
        3 => (150_u64..1_200).prop_map(|weight| Step::Take { weight }),
        3 => (0_usize..4, any::<u64>(), proptest::option::weighted(0.2, (any::<bool>(), sender(), nonce())))
            .prop_map(|(parcels, seed, foreign)| Step::Decide { parcels, seed, foreign }),
    ]
}

/// Inputs around one full rollup, so that all that can go wrong there does.
fn busy_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (4_u8..6).prop_map(|sender| Step::Next { chain: true, sender }),
        3 => (150_u64..500).prop_map(|weight| Step::Take { weight }),
        3 => (0_usize..3, any::<u64>())
            .prop_map(|(parcels, seed)| Step::Decide { parcels, seed, foreign: None }),
        1 => step(),
    ]
}

fn rollup_of(chain: bool) -> ChainId {
    if chain { R1 } else { R2 }
}

/// One transaction of a parcel: whose nonce, if it has one.
type Nonce = (ChainId, u8, u64);

/// The network around one pool, as far as it matters.
struct World {
    pool: Pool,
    /// Items are dropped as `rollupFull` only. Other drops may reorder: what was sealed behind a
    /// stale parcel may be fresh (W1), and a nonce that was dropped for good may be sent again.
    only_full: bool,
    next_seq: u64,
    parcels: BTreeMap<u64, Sent>,
    closed_at: BTreeMap<ChainId, Height>,
    /// Every nonce placed, in the order of the blocks.
    placed: Vec<Nonce>,
    committed: BTreeSet<TransactionKey>,
    known: BTreeMap<Name, State>,
    nonces: BTreeMap<TransactionKey, Nonce>,
    next: BTreeMap<(bool, u8), u64>,
}

struct Sent {
    seen: Height,
    items: Vec<Item>,
}

impl World {
    fn new(only_full: bool) -> Self {
        Self {
            pool: pool(),
            only_full,
            next_seq: 0,
            parcels: BTreeMap::new(),
            closed_at: BTreeMap::new(),
            placed: Vec::new(),
            committed: BTreeSet::new(),
            known: BTreeMap::new(),
            nonces: BTreeMap::new(),
            next: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Next { chain, sender } => {
                let next = self.next.entry((*chain, *sender)).or_default();
                let sent = transaction(rollup_of(*chain), *sender, *next);
                *next += 1;
                self.admit(&alone(&sent));
            }
            Step::Send {
                chain,
                sender,
                nonce,
                tag,
            } => {
                let fee = u128::from(*tag);
                let sent = PooledTransaction {
                    max_fee_per_gas: 100 + 20 * fee,
                    max_priority_fee_per_gas: 10 + 2 * fee,
                    ..tagged(rollup_of(*chain), *sender, *nonce, *tag)
                };
                self.admit(&alone(&sent));
            }
            Step::Bundle {
                sender,
                nonces,
                lifetime_ms,
            } => {
                let legs = [
                    tagged(R1, *sender, nonces.0, 7),
                    tagged(R2, *sender, nonces.1, 7),
                ];
                let terms = Terms::until(self.pool.time_ms + lifetime_ms);
                self.admit(&bundle_with(terms, &legs));
            }
            Step::Tell {
                chain,
                sender,
                nonce,
            } => {
                let changes = self
                    .pool
                    .expect(rollup_of(*chain), address(*sender), *nonce);
                self.follow(&changes);
            }
            Step::Take { weight } => self.take(*weight),
            Step::Decide {
                parcels,
                seed,
                foreign,
            } => self.decide(*parcels, *seed, *foreign),
        }
    }

    fn admit(&mut self, submission: &Submission) {
        let committed = self.committed.clone();
        let index = |key: &TransactionKey| committed.contains(key).then_some(Height(1));
        let Ok(Admission::New { state, displaced }) = self.pool.admit(submission, index) else {
            return;
        };
        self.follow(&displaced);
        self.known.insert(submission.name(), state);
        for found in submission.transactions() {
            self.known.insert(Name::Transaction(found.key()), state);
            let sender = (1..6).find(|name| address(*name) == found.sender).unwrap();
            self.nonces
                .insert(found.key(), (found.chain_id, sender, found.nonce.unwrap()));
        }
    }

    /// O4: what leaves is the sender's next, and a bundle leaves alone.
    fn take(&mut self, weight: u64) {
        let in_flight: Vec<(Nonce, bool)> = self
            .parcels
            .values()
            .flat_map(|sent| self.nonces_of(&sent.items))
            .collect();
        let items = self.pool.take(weight, own(self.next_seq));
        assert!(items.iter().map(item_weight).sum::<u64>() <= weight, "W4");
        let mut before = in_flight;
        for leaving in self.nonces_of(&items) {
            let ((chain_id, sender, nonce), _) = leaving;
            for (earlier, leg) in before
                .iter()
                .filter(|((r, s, _), _)| (*r, *s) == (chain_id, sender))
            {
                assert!(earlier.2 < nonce, "{earlier:?} left before {nonce}");
                assert!(!leg, "{earlier:?} of a bundle is undecided");
            }
            before.push(leaving);
        }
        if !items.is_empty() {
            self.parcels.insert(
                self.next_seq,
                Sent {
                    seen: self.pool.height,
                    items,
                },
            );
            self.next_seq += 1;
        }
    }

    fn decide(&mut self, count: usize, seed: u64, foreign: Option<(bool, u8, u64)>) {
        let height = self.pool.height.next();
        let (mut drops, mut placed, mut full) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut own_cut = None;
        for _ in 0..count {
            let Some((seq, sent)) = self.parcels.pop_first() else {
                break;
            };
            let mut fate = Fate {
                seed: seed.wrapping_mul(seq + 3),
                only_full: self.only_full,
                sent: &sent,
                closed_at: &self.closed_at,
            };
            let stale = !self.only_full && fate.is_stale();
            for (index, item) in sent.items.iter().enumerate() {
                let reason = fate.of(item, &mut full, stale);
                let keys = item
                    .transactions()
                    .map(|(chain_id, found)| (chain_id, transaction_id(&found.raw)));
                let keys: Vec<TransactionKey> = keys.collect();
                let duplicate = keys
                    .iter()
                    .any(|key| self.committed.contains(key) || placed.contains(key));
                match reason {
                    Some(reason) => drops.push(dropped(seq, index, reason)),
                    None if duplicate => drops.push(dropped(seq, index, DropReason::Duplicate)),
                    None => placed.extend(keys),
                }
            }
            let seen = sent.seen;
            self.closed_at.retain(|_, at| seen < *at);
            own_cut = Some(cut(seq));
        }
        for chain_id in &full {
            self.closed_at.insert(*chain_id, height);
        }
        self.placed
            .extend(placed.iter().map(|key| self.nonces[key]));
        if let Some((chain, sender, nonce)) = foreign {
            let key = tagged(rollup_of(chain), sender, nonce, 0).key();
            if !self.committed.contains(&key) && !placed.contains(&key) {
                placed.push(key);
            }
        }
        self.committed.extend(placed.iter().copied());
        let full: Vec<ChainId> = full.into_iter().collect();
        let changes = self.pool.on_decided(&Decision {
            height,
            time_ms: self.pool.time_ms + 200,
            placed: &placed,
            own_cut: own_cut.as_ref(),
            drops: Some(&drops),
            full: &full,
        });
        self.follow(&changes);
    }

    fn follow(&mut self, changes: &[Change]) {
        for change in changes {
            self.known.insert(change.name, change.state);
        }
    }

    fn nonces_of(&self, items: &[Item]) -> Vec<(Nonce, bool)> {
        let nonces = items.iter().flat_map(|item| {
            let leg = matches!(item, Item::Bundle(_));
            let keys = item
                .transactions()
                .map(|(chain_id, found)| (chain_id, transaction_id(&found.raw)));
            // What another lane carried meanwhile is decided.
            let open = keys.filter(move |key| leg || !self.committed.contains(key));
            open.map(move |key| (self.nonces[&key], leg))
        });
        nonces.collect()
    }

    /// Nothing is lost: whatever was admitted has one state, and is where that state says.
    fn check(&self) {
        for (name, last) in &self.known {
            let state = self.pool.state(name).expect("nothing is forgotten");
            assert!(
                !last.is_ended() || state == *last,
                "{name:?}: told {last:?}, is {state:?}"
            );
        }
        let pool = &self.pool;
        let mut held = 0;
        let mut bytes = 0;
        let sealed: BTreeSet<EntryId> = pool.sealed.values().flatten().copied().collect();
        let ready: BTreeSet<EntryId> = pool.ready.entries().into_iter().collect();
        for full in pool.ready.waited_for() {
            let is_shut = pool.throttle.is_shut(full, pool.undecided());
            assert!(is_shut, "{full} may have room, and something waits for it");
        }
        let yielding = pool.yielding.holding(&pool.entries);
        let claims = pool.entries.iter().flat_map(|(_, entry)| &entry.claims);
        let senders = claims.map(|claim| claim.sender);
        let gapped: BTreeSet<SenderKey> = senders
            .filter(|sender| pool.accounts.queue_of(sender).unwrap().has_gap())
            .collect();
        assert_eq!(pool.gapped, gapped);
        let open = pool.accounts.iter().all(|it| !it.queue.is_empty());
        assert!(open, "an account of which nothing is left is closed");
        for (id, entry) in pool.entries.iter() {
            assert!(!entry.state.is_ended());
            assert_eq!(sealed.contains(&id), entry.state.is_sealed());
            assert_eq!(ready.contains(&id), pool.may_be_sealed(id, entry));
            assert_eq!(ready.contains(&id), entry.in_line);
            assert_eq!(
                matches!(entry.state, State::Parked { .. }),
                pool.gap_of(entry).is_some() && !entry.state.is_sealed()
            );
            let mut keys = entry.keys();
            assert!(keys.all(|key| pool.entries.holder_of(&key) == Some(id)));
            let mut claims = entry.claims.iter();
            assert!(claims.all(|it| pool.accounts[it.account].sender == it.sender));
            assert_eq!(yielding.contains(&id), self.may_give_way(id, entry));
            held += entry.transactions().count();
            bytes += entry.parts().map(|part| part.bytes).sum::<usize>();
        }
        assert_eq!((held, bytes), (pool.len(), pool.bytes()));
        let placed_twice = self.placed.iter().collect::<BTreeSet<_>>().len() < self.placed.len();
        assert!(!placed_twice, "a nonce is placed once");
    }

    /// Nothing here has a later nonce of one of its senders, and no promise holds it.
    fn may_give_way(&self, id: EntryId, entry: &Entry) -> bool {
        let others = self.pool.entries.iter().filter(|(other, _)| *other != id);
        let mut later = others.flat_map(|(_, other)| &other.claims);
        let is_before = |other: &entry::Claim| {
            let mut own = entry.claims.iter();
            own.any(|own| own.sender == other.sender && own.nonce < other.nonce)
        };
        !entry.promised && !entry.state.is_sealed() && !later.any(is_before)
    }

    fn check_order(&self) {
        for (position, (chain_id, sender, nonce)) in self.placed.iter().enumerate() {
            let later = self.placed[position..]
                .iter()
                .filter(|(r, s, _)| (r, s) == (chain_id, sender));
            assert!(
                later.into_iter().all(|(_, _, later)| later >= nonce),
                "{:?}",
                self.placed
            );
        }
    }
}

/// What a block does to one parcel (O2, O3), from a seed.
struct Fate<'a> {
    seed: u64,
    only_full: bool,
    sent: &'a Sent,
    closed_at: &'a BTreeMap<ChainId, Height>,
}

impl Fate<'_> {
    fn draw(&mut self, sides: u64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % sides
    }

    /// A parcel is stale as a whole (W1).
    fn is_stale(&mut self) -> bool {
        self.draw(8) == 0
    }

    fn of(&mut self, item: &Item, full: &mut BTreeSet<ChainId>, stale: bool) -> Option<DropReason> {
        if stale {
            return Some(DropReason::Stale);
        }
        let chains: Vec<ChainId> = item.transactions().map(|(chain_id, _)| chain_id).collect();
        let closed = |chain_id: &ChainId| {
            full.contains(chain_id)
                || self
                    .closed_at
                    .get(chain_id)
                    .is_some_and(|at| self.sent.seen < *at)
        };
        if chains.iter().any(closed) {
            return Some(DropReason::RollupFull);
        }
        match self.draw(if self.only_full { 4 } else { 10 }) {
            0 => {
                full.insert(chains[0]);
                Some(DropReason::RollupFull)
            }
            1 if !self.only_full => Some(DropReason::TooLarge),
            _ => None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nonces_leave_in_order_and_nothing_is_lost(steps in proptest::collection::vec(step(), 1..80)) {
        let mut world = World::new(false);
        for step in &steps {
            world.step(step);
            world.check();
        }
    }

    #[test]
    fn nonces_are_placed_in_order_whatever_is_full(steps in proptest::collection::vec(busy_step(), 1..80)) {
        let mut world = World::new(true);
        for step in &steps {
            world.step(step);
        }
        world.check_order();
    }
}
