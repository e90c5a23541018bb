//! Stops asking what does not answer.
//!
//! ```text
//!            failures in a row            after a pause
//!  closed ───────────────────► open ─────────────────────► half open: one call goes through
//!    ▲                          ▲                               │
//!    └───────── it is answered ─┼───────────────────────────────┤
//!                               └──────────────── it is not ────┘
//! ```
//! Otherwise every call of a rollup whose execution RPC is gone would hold a connection for as long
//! as an answer may take. The pure part: whoever asks brings the time.

use std::time::{Duration, Instant};

use cloverleaf_api::json::Circuit;

use crate::rpc::limits::{EXECUTION_FAILURES_MAX, EXECUTION_OPEN, EXECUTION_TIMEOUT};

/// The circuit breaker of one execution RPC.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Calls in a row that were not answered.
    failures: u32,
    /// Since that many failed: nothing is asked before.
    closed_until: Option<Instant>,
}

impl Breaker {
    /// Asks whether a call may go through.
    ///
    /// # Errors
    /// It may not: how long nobody is asked from now on.
    pub(super) fn enter(&mut self, now: Instant) -> Result<(), Duration> {
        let Some(until) = self.closed_until else {
            return Ok(());
        };
        let wait = until.saturating_duration_since(now);
        if !wait.is_zero() {
            return Err(wait);
        }
        // This call finds out; the next may when this one was given up by its own caller.
        self.closed_until = Some(now + EXECUTION_TIMEOUT);
        Ok(())
    }

    /// Hears how a call ended that went through.
    pub(super) fn leave(&mut self, now: Instant, answered: bool) {
        if answered {
            *self = Self::default();
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= EXECUTION_FAILURES_MAX {
            self.closed_until = Some(now + EXECUTION_OPEN);
        }
    }

    /// Its state, for those who watch.
    pub(super) fn circuit(&self, now: Instant) -> Circuit {
        match self.closed_until {
            None => Circuit::Closed,
            Some(until) if now < until => Circuit::Open,
            Some(_) => Circuit::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::instant;

    const A_MOMENT: Duration = Duration::from_millis(1);

    /// A breaker that has just opened, and when.
    fn opened() -> (Breaker, Instant) {
        let (mut breaker, now) = (Breaker::default(), instant());
        for _ in 0..EXECUTION_FAILURES_MAX {
            assert_eq!(breaker.circuit(now), Circuit::Closed);
            assert_eq!(breaker.enter(now), Ok(()));
            breaker.leave(now, false);
        }
        assert_eq!(breaker.circuit(now), Circuit::Open);
        (breaker, now)
    }

    #[test]
    fn opens_after_so_many_failures_in_a_row_and_says_how_long_it_stays_so() {
        let (mut breaker, now) = opened();
        assert_eq!(breaker.enter(now), Err(EXECUTION_OPEN));
        let last = now + EXECUTION_OPEN - A_MOMENT;
        assert_eq!(breaker.enter(last), Err(A_MOMENT));
        assert_eq!(breaker.circuit(now + EXECUTION_OPEN), Circuit::HalfOpen);
    }

    #[test]
    fn an_answer_in_between_begins_the_count_again() {
        let (mut breaker, now) = (Breaker::default(), instant());
        for _ in 1..EXECUTION_FAILURES_MAX {
            breaker.leave(now, false);
        }
        breaker.leave(now, true);
        for _ in 1..EXECUTION_FAILURES_MAX {
            breaker.leave(now, false);
        }
        assert_eq!(breaker.circuit(now), Circuit::Closed);
        breaker.leave(now, false);
        assert_eq!(breaker.circuit(now), Circuit::Open);
    }

    #[test]
    fn one_call_finds_out_whether_it_answers_again() {
        let (mut breaker, now) = opened();
        let later = now + EXECUTION_OPEN;
        assert_eq!(breaker.enter(later), Ok(()));
        assert!(breaker.enter(later).is_err(), "only one");
        breaker.leave(later, true);
        assert_eq!(breaker.circuit(later), Circuit::Closed);
        assert_eq!(breaker.enter(later), Ok(()));
    }

    #[test]
    fn opens_again_at_once_when_that_call_fails() {
        let (mut breaker, now) = opened();
        let later = now + EXECUTION_OPEN;
        assert_eq!(breaker.enter(later), Ok(()));
        breaker.leave(later, false);
        assert_eq!(breaker.enter(later), Err(EXECUTION_OPEN));
    }

    #[test]
    fn another_call_finds_out_when_the_first_is_given_up() {
        let (mut breaker, now) = opened();
        let later = now + EXECUTION_OPEN;
        assert_eq!(breaker.enter(later), Ok(()));
        assert_eq!(breaker.enter(later + EXECUTION_TIMEOUT), Ok(()));
    }
}
