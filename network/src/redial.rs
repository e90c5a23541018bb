//! When to dial a peer, counted in ticks of the mesh: the same events give the same dials.

/// The pause after the first failed dial, in milliseconds, and the unit of all others.
pub const REDIAL_MS_MIN: u64 = 100;
/// The longest pause between two dials, in milliseconds.
pub const REDIAL_MS_MAX: u64 = 2_000;

/// [`REDIAL_MS_MAX`] in ticks of [`REDIAL_MS_MIN`].
const PAUSE_TICKS_MAX: u64 = REDIAL_MS_MAX / REDIAL_MS_MIN;
/// A connection that lasted this many ticks (2 s) was a good one: after it the pauses start anew. A
/// peer that accepts and hangs up at once does not get us to dial ten times a second.
const SETTLED_TICKS: u64 = 20;

/// One peer's dialling.
#[derive(Debug)]
pub(crate) struct Redial {
    state: State,
    /// The next pause, in ticks.
    pause_ticks: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Not connected, to be dialled when no tick is left.
    Pausing { ticks_left: u64 },
    /// Dialled; the outcome is open.
    Dialling,
    /// Connected, whoever dialled.
    Up { ticks: u64 },
}

impl Redial {
    /// Dials at the first tick.
    pub(crate) fn new() -> Self {
        Self {
            state: State::Pausing { ticks_left: 1 },
            pause_ticks: 1,
        }
    }

    /// One tick has passed: whether to dial now.
    pub(crate) fn tick(&mut self) -> bool {
        match &mut self.state {
            State::Pausing { ticks_left: 1 } => {
                self.state = State::Dialling;
                true
            }
            State::Pausing { ticks_left } => {
                *ticks_left -= 1;
                false
            }
            State::Dialling => false,
            State::Up { ticks } => {
                *ticks += 1;
                false
            }
        }
    }

    /// The dial came to nothing. Of no interest when the peer has dialled us meanwhile.
    pub(crate) fn failed(&mut self) {
        if self.state == State::Dialling {
            self.pause();
        }
    }

    /// There is a connection.
    pub(crate) fn connected(&mut self) {
        if !matches!(self.state, State::Up { .. }) {
            self.state = State::Up { ticks: 0 };
        }
    }

    /// The last connection is gone.
    pub(crate) fn lost(&mut self) {
        if matches!(self.state, State::Up { ticks } if ticks >= SETTLED_TICKS) {
            self.pause_ticks = 1;
        }
        self.pause();
    }

    fn pause(&mut self) {
        self.state = State::Pausing {
            ticks_left: self.pause_ticks,
        };
        self.pause_ticks = (self.pause_ticks * 2).min(PAUSE_TICKS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks until the next dial.
    fn ticks_to_dial(redial: &mut Redial) -> u64 {
        (1..=PAUSE_TICKS_MAX)
            .find(|_| redial.tick())
            .expect("no pause is longer")
    }

    fn stay_up(redial: &mut Redial, ticks: u64) {
        redial.connected();
        for _ in 0..ticks {
            assert!(!redial.tick(), "nobody dials who is connected");
        }
        redial.lost();
    }

    #[test]
    fn pauses_double_up_to_two_seconds() {
        let mut redial = Redial::new();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            pauses.push(ticks_to_dial(&mut redial) * REDIAL_MS_MIN);
            assert!(!redial.tick(), "one dial at a time");
            redial.failed();
        }
        assert_eq!(pauses, [100, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
    }

    #[test]
    fn a_peer_that_was_up_for_two_seconds_is_dialled_at_the_next_tick() {
        let mut redial = Redial::new();
        for _ in 0..6 {
            ticks_to_dial(&mut redial);
            redial.failed();
        }
        stay_up(&mut redial, SETTLED_TICKS);
        assert_eq!(ticks_to_dial(&mut redial), 1);
    }

    #[test]
    fn a_peer_that_hangs_up_at_once_is_dialled_less_and_less() {
        let mut redial = Redial::new();
        let mut pauses = Vec::new();
        for _ in 0..4 {
            pauses.push(ticks_to_dial(&mut redial));
            stay_up(&mut redial, 1);
        }
        assert_eq!(pauses, [1, 1, 2, 4]);
    }

    #[test]
    fn a_failed_dial_does_not_matter_when_the_peer_has_dialled_us() {
        let mut redial = Redial::new();
        assert!(redial.tick());
        redial.connected();
        redial.failed();
        for _ in 0..100 {
            assert!(!redial.tick());
        }
    }
}
