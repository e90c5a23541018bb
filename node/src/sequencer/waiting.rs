//! Who waits for what became of an item.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use cloverleaf_mempool::pool::{Name, State};
use cloverleaf_types::Bound;
use tokio::sync::oneshot;

use super::handle::Until;

/// Those who wait for an acknowledgement, at most; further ones are answered with the present state.
const WAITING_MAX: usize = 100_000;

/// Those of them who wait for the same item: some connections of a library that sends again. One item
/// that cannot go on must not take the places of all others.
const WAITING_FOR_ONE_MAX: usize = 64;

/// Names that are looked at, whenever somebody begins to wait, for those who have left: more than the
/// one that is added, so that those who left become fewer.
const LOOKS: usize = 2;

/// Who waits. An item that is parked for hours tells nobody anything, so who leaves meanwhile is
/// found by looking.
#[derive(Default)]
pub(super) struct Waiting {
    by_name: BTreeMap<Name, Vec<(Until, oneshot::Sender<State>)>>,
    count: usize,
    /// The name that was looked at last.
    looked_at: Option<Name>,
}

impl Waiting {
    /// How many wait, and may wait at most.
    pub(super) fn bound(&self) -> Bound {
        Bound::new("waiting_clients", self.count, WAITING_MAX)
    }

    /// Says when it is reached.
    pub(super) fn receiver(
        &mut self,
        name: Name,
        state: State,
        until: Until,
    ) -> oneshot::Receiver<State> {
        let (reply, reached) = oneshot::channel();
        self.wait(name, state, until, reply);
        reached
    }

    /// Replies when it is reached: at once when it is, or when too many wait.
    pub(super) fn wait(
        &mut self,
        name: Name,
        state: State,
        until: Until,
        reply: oneshot::Sender<State>,
    ) {
        self.forget_gone(&name);
        self.look_around();
        let for_this = self.by_name.get(&name).map_or(0, Vec::len);
        let is_full = self.count >= WAITING_MAX || for_this >= WAITING_FOR_ONE_MAX;
        if is_full || is_reached(state, until) {
            let _gone = reply.send(state);
            return;
        }
        self.count += 1;
        self.by_name.entry(name).or_default().push((until, reply));
    }

    /// An item came to another state.
    pub(super) fn progress(&mut self, name: Name, state: State) {
        let Some(waiting) = self.by_name.remove(&name) else {
            return;
        };
        self.count -= waiting.len();
        for (until, reply) in waiting {
            if is_reached(state, until) {
                let _gone = reply.send(state);
            } else if !reply.is_closed() {
                self.count += 1;
                self.by_name.entry(name).or_default().push((until, reply));
            }
        }
    }

    /// Forgets who left some names, the next ones in their order each time.
    fn look_around(&mut self) {
        for _ in 0..LOOKS {
            let from = self.looked_at.map_or(Unbounded, Excluded);
            let mut names = self.by_name.range((from, Unbounded));
            self.looked_at = names.next().map(|(name, _)| *name);
            if let Some(name) = self.looked_at {
                self.forget_gone(&name);
            }
        }
    }

    fn forget_gone(&mut self, name: &Name) {
        let Some(waiting) = self.by_name.get_mut(name) else {
            return;
        };
        self.count -= waiting.len();
        waiting.retain(|(_, reply)| !reply.is_closed());
        self.count += waiting.len();
        if waiting.is_empty() {
            self.by_name.remove(name);
        }
    }
}

fn is_reached(state: State, until: Until) -> bool {
    state.is_ended() || (until == Until::Available && matches!(state, State::Available { .. }))
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::{B256, Height};

    use super::*;

    fn name(number: usize) -> Name {
        Name::Bundle(B256::left_padding_from(&number.to_be_bytes()))
    }

    fn wait(waiting: &mut Waiting, number: usize) -> oneshot::Receiver<State> {
        waiting.receiver(name(number), State::Pending, Until::Committed)
    }

    fn is_answered(reached: &mut oneshot::Receiver<State>) -> bool {
        reached.try_recv().is_ok()
    }

    #[test]
    fn who_left_takes_no_place_whether_for_one_item_or_for_many() {
        for numbers in [1, 2 * WAITING_MAX] {
            let mut waiting = Waiting::default();
            for step in 0..2 * WAITING_MAX {
                drop(wait(&mut waiting, step % numbers));
                assert!(waiting.count <= LOOKS, "{} after {step}", waiting.count);
            }
            assert!(!is_answered(&mut wait(&mut waiting, 0)));
        }
    }

    #[test]
    fn who_left_behind_others_who_stay_is_found() {
        let mut waiting = Waiting::default();
        let all: Vec<_> = (0..1_000)
            .map(|number| wait(&mut waiting, number))
            .collect();
        let staying: Vec<_> = all.into_iter().step_by(2).collect();
        for _ in 0..1_000 {
            drop(wait(&mut waiting, 0));
        }
        assert!(waiting.count <= staying.len() + 1, "{}", waiting.count);
    }

    #[test]
    fn one_item_has_its_share_of_places_and_another_still_has_its_own() {
        let mut waiting = Waiting::default();
        let mut of_one: Vec<_> = (0..=WAITING_FOR_ONE_MAX)
            .map(|_| wait(&mut waiting, 1))
            .collect();
        assert!(is_answered(&mut of_one[WAITING_FOR_ONE_MAX]));
        assert!(!of_one[..WAITING_FOR_ONE_MAX].iter_mut().any(is_answered));
        assert!(!is_answered(&mut wait(&mut waiting, 2)));
        waiting.progress(name(1), State::Committed { height: Height(3) });
        assert!(of_one[..WAITING_FOR_ONE_MAX].iter_mut().all(is_answered));
    }

    #[test]
    fn places_have_an_end() {
        let mut waiting = Waiting::default();
        let all: Vec<_> = (0..WAITING_MAX).map(|it| wait(&mut waiting, it)).collect();
        assert!(is_answered(&mut wait(&mut waiting, WAITING_MAX)));
        drop(all);
        assert!(!is_answered(&mut wait(&mut waiting, WAITING_MAX + 1)));
    }
}
