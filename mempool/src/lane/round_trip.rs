//! How long a peer takes to acknowledge what it is sent.
//!
//! Smoothed as TCP smooths it (RFC 6298): an ack that is later than usual by four times the usual difference
//! is late. Whatever was sent again in between, an ack is timed from when its parcel was sent first: too
//! long an estimate costs time when a parcel is lost, too short a one sends everything twice.

use super::RESEND_DELAY_MAX_MS;

/// What is known of one peer's acks. Times are in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrip {
    /// A parcel's number, and when it was sent: one at a time.
    timed: Option<(u64, u64)>,
    /// How long an ack takes, and by how much that differs, each eight times, so that nothing is lost in
    /// rounding.
    usual: Option<Usual>,
}

#[derive(Clone, Copy, Debug)]
struct Usual {
    time_x8: u64,
    difference_x8: u64,
}

impl RoundTrip {
    /// A parcel was sent for the first time.
    pub(super) fn on_sent(&mut self, seq: u64, now_ms: u64) {
        self.timed.get_or_insert((seq, now_ms));
    }

    /// An ack names a parcel, and with it those before.
    pub(super) fn on_ack(&mut self, seq: u64, now_ms: u64) {
        let acked = self.timed.take_if(|(timed, _)| *timed <= seq);
        if let Some((_, sent_ms)) = acked {
            self.note(now_ms.saturating_sub(sent_ms));
        }
    }

    /// What is under way is on no connection any more.
    pub(super) fn forget_timed(&mut self) {
        self.timed = None;
    }

    /// How long an ack may take before it is late.
    pub(super) fn late_ms(&self) -> u64 {
        self.usual.map_or(0, |usual| {
            usual
                .time_x8
                .saturating_add(usual.difference_x8.saturating_mul(4))
                / 8
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

    fn after(times_ms: &[u64]) -> RoundTrip {
        let mut trip = RoundTrip::default();
        for (seq, took_ms) in (0..).zip(times_ms) {
            trip.on_sent(seq, 1_000);
            trip.on_ack(seq, 1_000 + took_ms);
        }
        trip
    }

    #[test]
    fn first_ack_is_late_at_three_times_its_time_and_steady_ones_soon_after_theirs() {
        assert_eq!(RoundTrip::default().late_ms(), 0);
        assert_eq!(after(&[200]).late_ms(), 600);
        let steady = after(&[200; 40]).late_ms();
        assert!((200..=202).contains(&steady), "{steady}");
        assert!(after(&[150, 250].repeat(20)).late_ms() > 300);
    }

    #[test]
    fn one_parcel_is_timed_at_a_time_from_when_it_was_sent_first() {
        let mut trip = RoundTrip::default();
        trip.on_sent(3, 0);
        trip.on_sent(4, 90);
        trip.on_ack(2, 95);
        assert_eq!(trip.late_ms(), 0, "not this one");
        trip.on_ack(4, 100);
        assert_eq!(trip.late_ms(), 300);
        trip.on_ack(5, 500);
        assert_eq!(trip.late_ms(), 300, "nothing was timed");
    }

    #[test]
    fn peer_that_was_away_for_long_counts_as_one_that_takes_as_long_as_any_may() {
        assert_eq!(
            after(&[u64::MAX - 1_000]).late_ms(),
            3 * RESEND_DELAY_MAX_MS
        );
    }
}
