//! Values by nonce: few, mostly added behind the last and taken from the first. A single one, which is all
//! that most senders have, is kept here itself.

use std::collections::VecDeque;

/// Nonces rise.
#[derive(Clone, Debug)]
pub(super) enum Nonces<T> {
    /// At most one.
    One(Option<(u64, T)>),
    /// There were several.
    Many(VecDeque<(u64, T)>),
}

impl<T> Default for Nonces<T> {
    fn default() -> Self {
        Self::One(None)
    }
}

impl<T: Copy> Nonces<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    pub(super) fn get(&self, nonce: u64) -> Option<T> {
        let at = self.place_of(nonce).ok()?;
        self.pairs().nth(at).map(|(_, value)| *value)
    }

    pub(super) fn insert(&mut self, nonce: u64, value: T) {
        let place = self.place_of(nonce);
        match (&mut *self, place) {
            (Self::One(one @ None), _) | (Self::One(one), Ok(_)) => *one = Some((nonce, value)),
            (Self::Many(many), Ok(at)) => many[at] = (nonce, value),
            (Self::Many(many), Err(at)) => many.insert(at, (nonce, value)),
            (Self::One(one), Err(at)) => {
                let mut many = VecDeque::from_iter(one.take());
                many.insert(at, (nonce, value));
                *self = Self::Many(many);
            }
        }
    }

    pub(super) fn remove(&mut self, nonce: u64) -> Option<T> {
        let at = self.place_of(nonce).ok()?;
        let removed = match self {
            Self::One(one) => one.take(),
            Self::Many(many) => many.remove(at),
        };
        removed.map(|(_, value)| value)
    }

    pub(super) fn first(&self) -> Option<(u64, T)> {
        match self {
            Self::One(one) => *one,
            Self::Many(many) => many.front().copied(),
        }
    }

    pub(super) fn last(&self) -> Option<(u64, T)> {
        match self {
            Self::One(one) => *one,
            Self::Many(many) => many.back().copied(),
        }
    }

    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = T> {
        self.pairs().map(|(_, value)| *value)
    }

    /// From one nonce on, up to before another.
    pub(super) fn between(&self, low: u64, high: u64) -> impl Iterator<Item = T> {
        let [low, high] = [low, high.max(low)].map(|nonce| self.first_from(nonce));
        self.pairs()
            .skip(low)
            .take(high - low)
            .map(|(_, value)| *value)
    }

    /// From a nonce on.
    pub(super) fn from(&self, nonce: u64) -> impl Iterator<Item = T> {
        self.pairs()
            .skip(self.first_from(nonce))
            .map(|(_, value)| *value)
    }

    fn pairs(&self) -> impl DoubleEndedIterator<Item = &(u64, T)> {
        let (front, back) = match self {
            Self::One(one) => (one.as_slice(), &[][..]),
            Self::Many(many) => many.as_slices(),
        };
        front.iter().chain(back)
    }

    fn first_from(&self, nonce: u64) -> usize {
        self.place_of(nonce).unwrap_or_else(|at| at)
    }

    /// Where a nonce is, or would be.
    fn place_of(&self, nonce: u64) -> Result<usize, usize> {
        let by_nonce = |pair: &(u64, T)| pair.0.cmp(&nonce);
        match self {
            Self::One(one) => one.as_slice().binary_search_by(by_nonce),
            Self::Many(many) if many.back().is_some_and(|(last, _)| *last < nonce) => {
                Err(many.len())
            }
            Self::Many(many) => many.binary_search_by(by_nonce),
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
