//! O3: nonces stay in order when a rollup is full, over blocks and over re-sealing.

use std::collections::BTreeSet;

use cloverleaf_types::{Address, Block, ChainId, Item, Slot};
use proptest::prelude::*;

use super::world::cases;
use crate::support::items::TX_WEIGHT;
use crate::support::network::narrow;
use crate::support::{Network, names, sized};

const LANES: usize = 3;
const CHAINS: [u64; 2] = [901, 902];
const NONCES: u64 = 25;

/// One sender's transactions for one rollup, at one author. It learns what became of them from
/// batches and their `full` alone, as a node does.
struct Sender {
    lane: usize,
    chain_id: u64,
    pooled: BTreeSet<u64>,
    sealed: BTreeSet<u64>,
    placed: Vec<u64>,
}

/// A transaction's name tells its sender.
fn name(lane: usize, nonce: u64) -> u64 {
    1_000 * lane as u64 + nonce
}

impl Sender {
    fn seal(&mut self, count: usize) -> Vec<Item> {
        let nonces: Vec<u64> = self.pooled.iter().copied().take(count).collect();
        let items = nonces.into_iter().map(|nonce| {
            self.pooled.remove(&nonce);
            self.sealed.insert(nonce);
            let length = [8, 72, 200, 40][usize::try_from(nonce % 4).expect("below four")];
            sized(self.chain_id, name(self.lane, nonce), length)
        });
        items.collect()
    }

    fn learn(&mut self, block: &Block, author: Address) {
        for found in names(block, self.chain_id) {
            if found / 1_000 == self.lane as u64 {
                self.placed.push(found % 1_000);
                self.sealed.remove(&(found % 1_000));
                self.pooled.remove(&(found % 1_000));
            }
        }
        let batch = block.batch(ChainId(self.chain_id));
        if batch.is_some_and(|batch| batch.header().full.contains(&author)) {
            // What it had sealed without knowing will be dropped, cut or not.
            self.pooled.append(&mut self.sealed);
        }
    }
}

/// How many transactions each sender seals, how many parcels of each lane are cut.
type Turn = ([usize; 6], [usize; LANES]);

fn turn() -> impl Strategy<Value = Turn> {
    let counts = prop::array::uniform3(prop::sample::select(vec![0, 1, 1, 2, 9]));
    (prop::array::uniform6(0_usize..6), counts)
}

fn senders() -> Vec<Sender> {
    let lanes = (0..LANES).flat_map(|lane| CHAINS.map(|chain_id| (lane, chain_id)));
    lanes
        .map(|(lane, chain_id)| Sender {
            lane,
            chain_id,
            pooled: (0..NONCES).collect(),
            sealed: BTreeSet::new(),
            placed: Vec::new(),
        })
        .collect()
}

fn take_turn(network: &mut Network, senders: &mut [Sender], (seals, cuts): Turn) -> Vec<Slot> {
    let mut slots = Vec::new();
    for lane in 0..LANES {
        let mut items = Vec::new();
        for (sender, count) in senders.iter_mut().zip(seals) {
            if sender.lane == lane {
                items.extend(sender.seal(count));
            }
        }
        slots.push(network.seal(lane, items));
    }
    let ordered = network.decide(&network.propose_some(10, &cuts));
    for sender in senders {
        let author = network.lanes[sender.lane].author;
        sender.learn(&ordered.block, author);
    }
    slots
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn every_senders_nonces_are_placed_in_order_without_a_gap_and_all_of_them_in_the_end(
        turns in prop::collection::vec(turn(), 1..25), room in 2_u64..8,
    ) {
        let rollups = CHAINS.map(|chain_id| narrow(chain_id, room * TX_WEIGHT)).into();
        let mut network = Network::new(LANES as u8, rollups);
        let mut senders = senders();
        let drain = ([5; 6], [99; LANES]);
        let turns = turns.into_iter().chain(std::iter::repeat_n(drain, 200));
        for turn in turns {
            take_turn(&mut network, &mut senders, turn);
            for sender in &senders {
                let placed = u64::try_from(sender.placed.len()).unwrap();
                prop_assert_eq!(&sender.placed, &(0..placed).collect::<Vec<_>>());
            }
            if senders.iter().all(|sender| sender.placed.len() as u64 == NONCES) {
                return Ok(());
            }
        }
        prop_assert!(false, "the backlog does not drain");
    }
}
