//! Values by nonce: few, mostly added behind the last and taken from the first.

use std::collections::VecDeque;

/// Nonces rise.
#[derive(Clone, Debug)]
pub(super) struct Nonces<T>(VecDeque<(u64, T)>);

impl<T> Default for Nonces<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Copy> Nonces<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, nonce: u64) -> Option<T> {
        let at = self.place_of(nonce).ok()?;
        Some(self.0[at].1)
    }

    pub(super) fn insert(&mut self, nonce: u64, value: T) {
        match self.place_of(nonce) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (nonce, value)),
        }
    }

    pub(super) fn remove(&mut self, nonce: u64) -> Option<T> {
        let at = self.place_of(nonce).ok()?;
        let (_, value) = self.0.remove(at)?;
        Some(value)
    }

    pub(super) fn first(&self) -> Option<(u64, T)> {
        self.0.front().copied()
    }

    pub(super) fn last(&self) -> Option<(u64, T)> {
        self.0.back().copied()
    }

    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = T> {
        self.0.iter().map(|(_, value)| *value)
    }

    /// From one nonce on, up to before another.
    pub(super) fn between(&self, low: u64, high: u64) -> impl Iterator<Item = T> {
        let [low, high] = [low, high.max(low)].map(|nonce| self.first_from(nonce));
        self.0.range(low..high).map(|(_, value)| *value)
    }

    /// From a nonce on.
    pub(super) fn from(&self, nonce: u64) -> impl Iterator<Item = T> {
        self.0
            .range(self.first_from(nonce)..)
            .map(|(_, value)| *value)
    }

    fn first_from(&self, nonce: u64) -> usize {
        self.place_of(nonce).unwrap_or_else(|at| at)
    }

    /// Where a nonce is, or would be.
    fn place_of(&self, nonce: u64) -> Result<usize, usize> {
        match self.0.back() {
            Some((last, _)) if *last >= nonce => self.0.binary_search_by_key(&nonce, |it| it.0),
            _ => Err(self.0.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nonces_hold_what_a_map_holds(
            steps in prop::collection::vec((0..40_u64, any::<Option<u8>>()), 0..200), low in 0..45_u64, high in 0..45_u64,
        ) {
            let (mut nonces, mut map) = (Nonces::default(), BTreeMap::new());
            for (nonce, value) in steps {
                match value {
                    Some(value) => {
                        nonces.insert(nonce, value);
                        map.insert(nonce, value);
                    }
                    None => prop_assert_eq!(nonces.remove(nonce), map.remove(&nonce)),
                }
                prop_assert_eq!(nonces.get(low), map.get(&low).copied());
                prop_assert_eq!(nonces.first(), map.first_key_value().map(|(at, it)| (*at, *it)));
                prop_assert_eq!(nonces.last(), map.last_key_value().map(|(at, it)| (*at, *it)));
            }
            let values = |range: &mut dyn Iterator<Item = u8>| range.collect::<Vec<_>>();
            prop_assert_eq!(values(&mut nonces.values()), values(&mut map.values().copied()));
            prop_assert_eq!(values(&mut nonces.from(low)), values(&mut map.range(low..).map(|it| *it.1)));
            if low <= high {
                let between = values(&mut map.range(low..high).map(|it| *it.1));
                prop_assert_eq!(values(&mut nonces.between(low, high)), between);
            }
        }
    }
}
