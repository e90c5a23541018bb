//! Who proposes, and who is passed over because it was absent (P1).

use alloy_primitives::Address;
use cloverleaf_types::{CutEntry, Height, Round};

use super::State;

impl State {
    /// The order in which validators propose the next height: the present ones by address, then
    /// those marked absent, each part rotated by the height.
    #[must_use]
    pub fn proposers(&self) -> Vec<Address> {
        let all = self
            .validators
            .validators()
            .iter()
            .map(|validator| validator.address);
        let (absent, present): (Vec<Address>, Vec<Address>) =
            all.partition(|address| self.absent.contains_key(address));
        let height = self.height.next();
        let present_count = present.len();
        let mut order = rotated(&present, height.0);
        order.extend(rotated(&absent, height.0 + length(present_count)));
        order
    }

    /// The proposer of a round of the next height.
    #[must_use]
    pub fn proposer(&self, round: Round) -> Address {
        let order = self.proposers();
        let position = u64::from(round.0) % length(order.len());
        order[usize::try_from(position).expect("a position in a list")]
    }

    /// The proposers of the rounds of the next height before `round`.
    pub(super) fn missed_proposers(&self, round: Round) -> Vec<Address> {
        let order = self.proposers();
        order
            .into_iter()
            .take(usize::try_from(round.0).unwrap_or(usize::MAX))
            .collect()
    }

    /// Marks validators absent, and drops the oldest marks, so that never more than f of the power
    /// is passed over.
    pub(super) fn mark_absent(&mut self, height: Height, missed: Vec<Address>) {
        for address in missed {
            self.absent.insert(address, height);
        }
        while self.validators.power_of_all(self.absent.keys().copied())
            > self.validators.fault_power()
        {
            let oldest = self
                .absent
                .iter()
                .min_by_key(|(address, height)| (**height, **address));
            let Some(oldest) = oldest.map(|(address, _)| *address) else {
                break;
            };
            self.absent.remove(&oldest);
        }
    }

    /// Ends the marks of validators whose lanes prove that they saw the marking block.
    pub(super) fn end_absence(&mut self, author: Address, entry: &CutEntry) {
        if self
            .absent
            .get(&author)
            .is_some_and(|marked| entry.seen >= *marked)
        {
            self.absent.remove(&author);
        }
    }
}

fn rotated(addresses: &[Address], by: u64) -> Vec<Address> {
    if addresses.is_empty() {
        return Vec::new();
    }
    let by = usize::try_from(by % length(addresses.len())).expect("a position in a list");
    [&addresses[by..], &addresses[..by]].concat()
}

fn length(count: usize) -> u64 {
    u64::try_from(count).expect("a list's length fits 64 bits")
}
