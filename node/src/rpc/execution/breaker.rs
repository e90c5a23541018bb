//! Stops asking what does not answer.
//!
//! ```text
//!          failures in a row               one call decides
//!  closed ──────────────────► half open ─────────────────────► open
//!    ▲                          │   ▲       it is not answered   │
//!    └───── it is answered ─────┘   └──────── after a pause ─────┘
//! ```
//! Otherwise every call of a rollup whose execution RPC is gone would hold a connection for as long
//! as an answer may take. A call that takes too long may be its caller's fault: it is no failure when
//! another one was answered meanwhile. The pure part: whoever asks brings the time.

use std::time::{Duration, Instant};

use cloverleaf_api::json::Circuit;

use crate::rpc::limits::{EXECUTION_FAILURES_MAX, EXECUTION_OPEN, EXECUTION_TIMEOUT};

/// The circuit breaker of one execution RPC.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Calls that were answered, ever.
    answers: u64,
    /// Calls in a row that were not answered.
    failures: u32,
    /// Since that many failed: nothing is asked before.
    closed_until: Option<Instant>,
}

/// A call that may go through, until it is told how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    /// The calls that were answered before it.
    answers: u64,
    /// Nobody else is asked until this one ends.
    pub(super) decides: bool,
}

impl Breaker {
    /// Asks whether a call may go through.
    ///
    /// # Errors
    /// It may not: how long nobody is asked from now on.
    pub(super) fn enter(&mut self, now: Instant) -> Result<Pass, Duration> {
        let answers = self.answers;
        let Some(until) = self.closed_until else {
            let decides = false;
            return Ok(Pass { answers, decides });
        };
        let wait = until.saturating_duration_since(now);
        if !wait.is_zero() {
            return Err(wait);
        }
        // This call finds out; the next may when this one was given up by its own caller.
        self.closed_until = Some(now + EXECUTION_TIMEOUT);
        let decides = true;
        Ok(Pass { answers, decides })
    }

    /// Hears how a call ended that went through.
    pub(super) fn leave(&mut self, now: Instant, pass: Pass, answered: bool) {
        if answered {
            *self = Self {
                answers: self.answers.wrapping_add(1),
                ..Self::default()
            };
        } else if pass.decides {
            self.closed_until = Some(now + EXECUTION_OPEN);
        } else if pass.answers == self.answers {
            self.failures = self.failures.saturating_add(1);
            if self.failures >= EXECUTION_FAILURES_MAX {
                self.closed_until.get_or_insert(now);
            }
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

    impl Breaker {
        /// A call that goes through and ends.
        fn call(&mut self, now: Instant, answered: bool) {
            let pass = self.enter(now).unwrap();
            self.leave(now, pass, answered);
        }
    }

    /// A breaker that is half open after failures in a row, and when.
    fn doubtful() -> (Breaker, Instant) {
        let (mut breaker, now) = (Breaker::default(), instant());
        for _ in 0..EXECUTION_FAILURES_MAX {
            assert_eq!(breaker.circuit(now), Circuit::Closed);
            breaker.call(now, false);
        }
        assert_eq!(breaker.circuit(now), Circuit::HalfOpen);
        (breaker, now)
    }

    #[test]
    fn opens_when_the_call_after_so_many_failures_fails_too_and_says_how_long_it_stays_so() {
        let (mut breaker, now) = doubtful();
        breaker.call(now, false);
        assert_eq!(breaker.circuit(now), Circuit::Open);
        assert_eq!(breaker.enter(now), Err(EXECUTION_OPEN));
        let last = now + EXECUTION_OPEN - A_MOMENT;
        assert_eq!(breaker.enter(last), Err(A_MOMENT));
        assert_eq!(breaker.circuit(now + EXECUTION_OPEN), Circuit::HalfOpen);
    }

    #[test]
    fn an_answer_in_between_begins_the_count_again() {
        let (mut breaker, now) = (Breaker::default(), instant());
        for _ in 0..2 {
            for _ in 1..EXECUTION_FAILURES_MAX {
                breaker.call(now, false);
            }
            breaker.call(now, true);
        }
        assert_eq!(breaker.circuit(now), Circuit::Closed);
    }

    #[test]
    fn calls_that_end_without_an_answer_are_no_failures_when_another_was_answered_meanwhile() {
        let (mut breaker, now) = (Breaker::default(), instant());
        let slow = [(); 9].map(|()| breaker.enter(now).unwrap());
        breaker.call(now, true);
        for pass in slow {
            breaker.leave(now, pass, false);
        }
        assert_eq!(breaker.circuit(now), Circuit::Closed);
        for _ in 1..EXECUTION_FAILURES_MAX {
            breaker.call(now, false);
        }
        assert_eq!(breaker.circuit(now), Circuit::Closed, "none was counted");
    }

    #[test]
    fn one_call_finds_out_whether_it_answers_again() {
        let (mut breaker, now) = doubtful();
        let pass = breaker.enter(now).unwrap();
        assert!(pass.decides);
        assert!(breaker.enter(now).is_err(), "only one");
        breaker.leave(now, pass, true);
        assert_eq!(breaker.circuit(now), Circuit::Closed);
        assert!(!breaker.enter(now).unwrap().decides);
    }

    #[test]
    fn calls_that_fail_while_it_is_open_do_not_keep_it_so() {
        let (mut breaker, now) = (Breaker::default(), instant());
        let slow = breaker.enter(now).unwrap();
        for _ in 0..=EXECUTION_FAILURES_MAX {
            breaker.call(now, false);
        }
        breaker.leave(now + A_MOMENT, slow, false);
        let half_open = now + EXECUTION_OPEN;
        assert_eq!(breaker.circuit(half_open), Circuit::HalfOpen);
    }

    #[test]
    fn another_call_finds_out_when_the_first_is_given_up() {
        let (mut breaker, now) = doubtful();
        assert!(breaker.enter(now).unwrap().decides);
        assert!(breaker.enter(now + EXECUTION_TIMEOUT).unwrap().decides);
    }
}
