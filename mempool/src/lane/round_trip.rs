//! How long a peer takes to acknowledge what it is sent (A2).
//!
//! Smoothed as TCP smooths it (RFC 6298). An ack of what was sent again says nothing, since it may be of the
//! first or of the second (Karn): such a time is not taken.

use super::RESEND_DELAY_MAX_MS;

/// What is known of one peer's acks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrip {
    /// One at a time.
    timed: Option<Timed>,
    usual: Option<Usual>,
}

/// A parcel that is under way.
#[derive(Clone, Copy, Debug)]
struct Timed {
    seq: u64,
    sent_ms: u64,
    /// It may have been sent twice.
    again: bool,
}

/// How long an ack takes, and by how much that differs: in eighths of a millisecond, since each time
/// changes it by an eighth.
#[derive(Clone, Copy, Debug)]
struct Usual {
    time_x8: u64,
    difference_x8: u64,
}

impl RoundTrip {
    /// A parcel was sent for the first time.
    pub(super) fn on_sent(&mut self, seq: u64, now_ms: u64) {
        self.timed.get_or_insert(Timed {
            seq,
            sent_ms: now_ms,
            again: false,
        });
    }

    /// Parcels that are under way were sent again.
    pub(super) fn on_sent_again(&mut self) {
        if let Some(timed) = &mut self.timed {
            timed.again = true;
        }
    }

    /// An ack names a parcel, and with it those before; true when it tells how long it took.
    pub(super) fn on_ack(&mut self, seq: u64, now_ms: u64) -> bool {
        let acked = self.timed.take_if(|timed| timed.seq <= seq);
        let Some(timed) = acked.filter(|timed| !timed.again) else {
            return false;
        };
        self.note(now_ms.saturating_sub(timed.sent_ms));
        true
    }

    /// Parcels up to a number are acked no more.
    pub(super) fn on_cut(&mut self, seq: u64) {
        self.timed.take_if(|timed| timed.seq <= seq);
    }

    /// What is under way goes on no connection any more.
    pub(super) fn forget_timed(&mut self) {
        self.timed = None;
    }

    /// How long an ack may take before it is late, with so much room at least.
    pub(super) fn late_ms(&self, room_ms: u64) -> u64 {
        self.usual.map_or(room_ms, |usual| {
            let differs_ms = usual.difference_x8 / 2;
            usual.time_x8 / 8 + differs_ms.max(room_ms)
        })
    }

    fn note(&mut self, took_ms: u64) {
        let took_ms = took_ms.min(RESEND_DELAY_MAX_MS);
        let took_x8 = 8 * took_ms;
        self.usual = Some(match self.usual {
            None => Usual {
                time_x8: took_x8,
                difference_x8: took_x8 / 2,
            },
            Some(usual) => Usual {
                time_x8: usual.time_x8 - usual.time_x8 / 8 + took_ms,
                difference_x8: usual.difference_x8 - usual.difference_x8 / 4
                    + usual.time_x8.abs_diff(took_x8) / 4,
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM_MS: u64 = 100;

    fn after(times_ms: &[u64]) -> RoundTrip {
        let mut trip = RoundTrip::default();
        for (seq, took_ms) in (0..).zip(times_ms) {
            trip.on_sent(seq, 1_000);
            assert!(trip.on_ack(seq, 1_000 + took_ms));
        }
        trip
    }

    #[test]
    fn first_ack_is_late_at_three_times_its_time_and_steady_ones_when_the_room_is_over() {
        assert_eq!(RoundTrip::default().late_ms(ROOM_MS), ROOM_MS);
        assert_eq!(after(&[200]).late_ms(ROOM_MS), 600);
        let steady = after(&[200; 40]).late_ms(ROOM_MS);
        assert_eq!(steady, 200 + ROOM_MS);
        assert!(after(&[100, 300].repeat(20)).late_ms(ROOM_MS) > 500);
    }

    #[test]
    fn one_parcel_is_timed_at_a_time_from_when_it_was_sent() {
        let mut trip = RoundTrip::default();
        trip.on_sent(3, 0);
        trip.on_sent(4, 90);
        assert!(!trip.on_ack(2, 95));
        assert!(trip.on_ack(4, 100));
        assert_eq!(trip.late_ms(0), 300);
        assert!(!trip.on_ack(5, 500));
        trip.on_sent(6, 600);
        trip.on_cut(6);
        assert!(!trip.on_ack(7, 90_000), "cut before it was acked");
    }

    #[test]
    fn ack_of_what_was_sent_twice_is_no_time() {
        let mut trip = after(&[10; 40]);
        trip.on_sent(50, 0);
        trip.on_sent_again();
        assert!(!trip.on_ack(50, 4_000));
        assert_eq!(trip.late_ms(ROOM_MS), 10 + ROOM_MS);
        trip.on_sent(51, 0);
        assert!(trip.on_ack(51, 10));
    }

    #[test]
    fn no_time_counts_for_more_than_the_longest_wait() {
        let longest = after(&[u64::MAX - 1_000]);
        assert_eq!(longest.late_ms(ROOM_MS), 3 * RESEND_DELAY_MAX_MS);
    }
}
