//! Which upstream to ask: the one that works, and after a failure the next.
//!
//! Pure: the caller says what time it is.

/// The upstreams of a follower.
#[derive(Clone, Debug)]
pub(crate) struct Upstreams {
    upstreams: Vec<Upstream>,
    /// Whom to ask first.
    current: usize,
    limits: BackoffLimits,
}

/// How long a failure keeps an upstream out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackoffLimits {
    /// After a first failure, in milliseconds; it doubles with each.
    pub(crate) first_ms: u64,
    /// At most, in milliseconds.
    pub(crate) longest_ms: u64,
    /// After a wrong item, in milliseconds.
    pub(crate) exclusion_ms: u64,
}

/// Whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// This one.
    Ask(usize),
    /// Nobody for so many milliseconds.
    Wait(u64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Upstream {
    failures: u32,
    free_at_ms: u64,
}

impl Upstreams {
    /// `count` upstreams, at least one.
    pub(crate) fn new(count: usize, limits: BackoffLimits) -> Self {
        Self {
            upstreams: vec![Upstream::default(); count],
            current: 0,
            limits,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.upstreams.len()
    }

    /// The first that is free, from the current one on.
    pub(crate) fn choose(&mut self, now_ms: u64) -> Choice {
        let count = self.upstreams.len();
        let mut in_turn = (0..count).map(|step| (self.current + step) % count);
        if let Some(free) = in_turn.find(|index| self.upstreams[*index].free_at_ms <= now_ms) {
            self.current = free;
            return Choice::Ask(free);
        }
        let frees = self.upstreams.iter().map(|upstream| upstream.free_at_ms);
        Choice::Wait(frees.min().unwrap_or(now_ms).saturating_sub(now_ms))
    }

    /// It gave something true.
    pub(crate) fn worked(&mut self, index: usize) {
        self.upstreams[index].failures = 0;
    }

    /// It did not answer, or ended the stream.
    pub(crate) fn failed(&mut self, index: usize, now_ms: u64) {
        let upstream = &mut self.upstreams[index];
        let doublings = upstream.failures.min(u64::BITS - 1);
        let wait_ms = self.limits.first_ms.saturating_mul(1 << doublings);
        upstream.failures = upstream.failures.saturating_add(1);
        self.keep_out(index, now_ms, wait_ms.min(self.limits.longest_ms));
    }

    /// It gave something wrong.
    pub(crate) fn lied(&mut self, index: usize, now_ms: u64) {
        self.keep_out(index, now_ms, self.limits.exclusion_ms);
    }

    /// Another is asked next, without blame.
    pub(crate) fn pass(&mut self, index: usize) {
        self.current = (index + 1) % self.upstreams.len();
    }

    fn keep_out(&mut self, index: usize, now_ms: u64, wait_ms: u64) {
        self.upstreams[index].free_at_ms = now_ms.saturating_add(wait_ms);
        self.pass(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Upstreams {
        let limits = BackoffLimits {
            first_ms: 100,
            longest_ms: 5_000,
            exclusion_ms: 60_000,
        };
        Upstreams::new(3, limits)
    }

    #[test]
    fn upstream_that_works_stays() {
        let mut upstreams = three();
        upstreams.worked(0);
        assert_eq!(upstreams.choose(0), Choice::Ask(0));
        assert_eq!(upstreams.choose(9), Choice::Ask(0));
        upstreams.pass(0);
        assert_eq!(upstreams.choose(9), Choice::Ask(1));
    }

    #[test]
    fn after_a_failure_the_next_is_asked_and_the_first_is_free_again_later() {
        let mut upstreams = three();
        upstreams.failed(0, 1_000);
        assert_eq!(upstreams.choose(1_000), Choice::Ask(1));
        upstreams.failed(1, 1_000);
        upstreams.failed(2, 1_050);
        assert_eq!(upstreams.choose(1_060), Choice::Wait(40));
        assert_eq!(upstreams.choose(1_100), Choice::Ask(0));
    }

    #[test]
    fn backoff_doubles_up_to_its_limit_and_ends_with_success() {
        let mut upstreams = Upstreams::new(1, three().limits);
        let mut waits = Vec::new();
        for _ in 0..8 {
            upstreams.failed(0, 0);
            waits.push(upstreams.choose(0));
        }
        let expected = [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000];
        assert_eq!(waits, expected.map(Choice::Wait));
        upstreams.worked(0);
        upstreams.failed(0, 0);
        assert_eq!(upstreams.choose(0), Choice::Wait(100));
        for _ in 0..100 {
            upstreams.failed(0, 0);
        }
        assert_eq!(upstreams.choose(0), Choice::Wait(5_000));
    }

    #[test]
    fn liar_stays_out_for_its_time() {
        let mut upstreams = three();
        upstreams.lied(0, 0);
        upstreams.failed(1, 0);
        upstreams.failed(2, 0);
        assert_eq!(upstreams.choose(100), Choice::Ask(1));
        upstreams.failed(1, 60_000);
        upstreams.failed(2, 60_000);
        assert_eq!(upstreams.choose(60_000), Choice::Ask(0));
    }
}
