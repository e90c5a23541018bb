//! What the network tells its owner.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::Class;

/// The text of a peer's id; cloning it is cheap.
pub type PeerName = Arc<str>;

/// Every so many events the bulk classes are looked at before votes, parcels and sync first by turns:
/// a flood of votes takes at most 15 of 16 turns, and one of votes and of a bulk class together leaves
/// the other one of 32.
const BULK_TURN: u32 = 16;

/// Something happened with a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkEvent {
    /// A session has begun: what is sent from now on goes to this peer. Time to send again what it
    /// needs now, for it may have missed what was sent before.
    Connected(PeerName),
    /// The session is over: what was sent last may be lost. A frame that had arrived before may
    /// still follow.
    Disconnected(PeerName),
    /// A frame arrived.
    Frame {
        /// Who sent it, for certain.
        peer: PeerName,
        /// Its class.
        class: Class,
        /// Its bytes, never checked by this crate; at most [`Class::frame_bytes_max`].
        bytes: Bytes,
    },
    /// The peer announced a frame over the limit of its class, which no correct node does. The
    /// connection was closed and will be dialled again.
    Oversize {
        /// Whose fault it is.
        peer: PeerName,
        /// The class of the stream.
        class: Class,
        /// The length that was announced.
        length_bytes: u32,
    },
}

/// The receiving end. Whoever has it must keep taking events: while it does not, streams stand
/// still. Dropping it ends the network.
pub struct NetworkEvents {
    sessions: watch::Receiver<Sessions>,
    /// The sessions as they were told last.
    told: Sessions,
    /// At most two events for each peer and one frame.
    ready: VecDeque<NetworkEvent>,
    /// All peers share the inbox of a class. Of those that wait for room in it whoever waits longest
    /// gets it, and each waits with one frame for each of its connections: nobody takes another's turn.
    inboxes: [mpsc::Receiver<NetworkEvent>; 3],
    turn: u32,
}

/// The sending ends of the inboxes, by class.
pub(crate) type Inboxes = [mpsc::Sender<NetworkEvent>; 3];

/// The latest session of every peer that may connect; a peer that may not any more has none.
pub(crate) type Sessions = BTreeMap<PeerName, Session>;

/// A peer's session. It is a state and not a message, so that it takes no room however often a peer
/// comes and goes while nobody looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Session {
    /// Counts the sessions of all peers, so that a peer that was taken off the list and put on it
    /// again never has the same one twice.
    pub(crate) number: u64,
    pub(crate) up: bool,
}

/// The channels of a network.
pub(crate) fn channels() -> (watch::Sender<Sessions>, Inboxes, NetworkEvents) {
    let (session_sender, sessions) = watch::channel(Sessions::new());
    let [votes, parcels, sync] = Class::ALL.map(|class| mpsc::channel(class.inbox_frames_max()));
    let inboxes = [votes.1, parcels.1, sync.1];
    let events = NetworkEvents {
        sessions,
        told: Sessions::new(),
        ready: VecDeque::new(),
        inboxes,
        turn: 0,
    };
    (session_sender, [votes.0, parcels.0, sync.0], events)
}

impl NetworkEvents {
    /// The next event; `None` when the network has stopped. May be cancelled: nothing is lost.
    pub async fn recv(&mut self) -> Option<NetworkEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let frame = self.next_frame().await?;
            // The session of a frame began before the frame arrived: it is told before it too.
            self.tell_sessions();
            self.ready.extend(frame);
        }
    }

    /// A frame, or `Some(None)` when sessions have changed, or `None` at the end.
    async fn next_frame(&mut self) -> Option<Option<NetworkEvent>> {
        let [votes, parcels, sync] = &mut self.inboxes;
        self.turn = self.turn.wrapping_add(1);
        if self.turn.is_multiple_of(BULK_TURN) {
            let parcels_first = (self.turn / BULK_TURN).is_multiple_of(2);
            let (first, second) = if parcels_first {
                (&mut *parcels, &mut *sync)
            } else {
                (&mut *sync, &mut *parcels)
            };
            if let Ok(frame) = first.try_recv().or_else(|_| second.try_recv()) {
                return Some(Some(frame));
            }
        }
        tokio::select! {
            biased;
            changed = self.sessions.changed() => changed.ok().map(|()| None),
            Some(frame) = votes.recv() => Some(Some(frame)),
            Some(frame) = parcels.recv() => Some(Some(frame)),
            Some(frame) = sync.recv() => Some(Some(frame)),
        }
    }

    fn tell_sessions(&mut self) {
        let now = self.sessions.borrow_and_update().clone();
        let off_the_list = self
            .told
            .iter()
            .filter(|(name, _)| !now.contains_key(*name));
        for (name, _) in off_the_list.filter(|(_, told)| told.up) {
            self.ready
                .push_back(NetworkEvent::Disconnected(name.clone()));
        }
        for (name, now) in &now {
            let told = self.told.get(name).copied().unwrap_or_default();
            let is_new = now.number != told.number;
            if told.up && (is_new || !now.up) {
                self.ready
                    .push_back(NetworkEvent::Disconnected(name.clone()));
            }
            if now.up && (is_new || !told.up) {
                self.ready.push_back(NetworkEvent::Connected(name.clone()));
            }
        }
        self.told = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(class: Class, mark: u8) -> NetworkEvent {
        NetworkEvent::Frame {
            peer: "anna".into(),
            class,
            bytes: vec![mark].into(),
        }
    }

    fn fill(inbox: &mpsc::Sender<NetworkEvent>, class: Class) {
        while inbox.try_send(frame(class, 0)).is_ok() {}
    }

    fn connected() -> NetworkEvent {
        NetworkEvent::Connected("anna".into())
    }

    fn anna(number: u64, up: bool) -> Sessions {
        Sessions::from([("anna".into(), Session { number, up })])
    }

    fn disconnected() -> NetworkEvent {
        NetworkEvent::Disconnected("anna".into())
    }

    #[tokio::test]
    async fn sessions_come_first_then_votes_then_bulk() {
        let (sessions, inboxes, mut events) = channels();
        for class in [Class::Sync, Class::Parcels, Class::Votes] {
            inboxes[class.index()]
                .try_send(frame(class, 1))
                .expect("room");
        }
        sessions.send_replace(anna(1, true));
        assert_eq!(events.recv().await, Some(connected()));
        for class in Class::ALL {
            assert_eq!(events.recv().await, Some(frame(class, 1)));
        }
    }

    #[tokio::test]
    async fn a_peer_that_came_and_went_unseen_is_told_as_what_remains() {
        let (sessions, _inboxes, mut events) = channels();
        sessions.send_replace(anna(1, true));
        assert_eq!(events.recv().await, Some(connected()));
        // Gone and back: the owner must send again what was lost.
        sessions.send_replace(anna(1, false));
        sessions.send_replace(anna(2, true));
        assert_eq!(events.recv().await, Some(disconnected()));
        assert_eq!(events.recv().await, Some(connected()));
        // Gone, back, gone.
        sessions.send_replace(anna(3, false));
        assert_eq!(events.recv().await, Some(disconnected()));
        // Back and gone: nothing to tell; then back.
        sessions.send_replace(anna(4, false));
        sessions.send_replace(anna(5, true));
        assert_eq!(events.recv().await, Some(connected()));
    }

    #[tokio::test]
    async fn a_peer_that_is_taken_off_the_list_is_told_as_gone() {
        let (sessions, _inboxes, mut events) = channels();
        sessions.send_replace(anna(1, true));
        assert_eq!(events.recv().await, Some(connected()));
        sessions.send_replace(Sessions::new());
        assert_eq!(events.recv().await, Some(disconnected()));
        // Off the list and on it again while nobody looked.
        sessions.send_replace(anna(2, true));
        assert_eq!(events.recv().await, Some(connected()));
        sessions.send_replace(Sessions::new());
        sessions.send_replace(anna(3, true));
        assert_eq!(events.recv().await, Some(disconnected()));
        assert_eq!(events.recv().await, Some(connected()));
    }

    #[tokio::test]
    async fn a_flood_of_votes_and_of_a_bulk_class_does_not_stop_the_other() {
        for (flood, other) in [(Class::Sync, Class::Parcels), (Class::Parcels, Class::Sync)] {
            let (_sessions, inboxes, mut events) = channels();
            let mut others = 0;
            for _ in 0..4 * BULK_TURN {
                for class in [Class::Votes, flood] {
                    fill(&inboxes[class.index()], class);
                }
                let _waits = inboxes[other.index()].try_send(frame(other, 1));
                let event = events.recv().await.expect("votes wait");
                others += u32::from(event == frame(other, 1));
            }
            assert_eq!(others, 2, "{other:?} beside {flood:?}");
        }
    }

    #[tokio::test]
    async fn a_peer_that_always_has_a_frame_takes_no_other_peers_turn() {
        let (_sessions, inboxes, mut events) = channels();
        let inbox = &inboxes[Class::Sync.index()];
        fill(inbox, Class::Sync);
        // As the pumps do: each waits with one frame, and with the next one as soon as that is in.
        let mut waiting = [1, 2, 3].map(|peer| Box::pin(inbox.send(frame(Class::Sync, peer))));
        for pump in &mut waiting {
            assert!(futures::poll!(pump.as_mut()).is_pending());
        }
        let mut came = [0; 4];
        for _ in 0..30 {
            let Some(NetworkEvent::Frame { bytes, .. }) = events.recv().await else {
                unreachable!("a frame");
            };
            came[usize::from(bytes[0])] += 1;
            for (pump, peer) in waiting.iter_mut().zip(1..) {
                // The first is greedy: it is asked again until it waits.
                while futures::poll!(pump.as_mut()).is_ready() {
                    pump.set(inbox.send(frame(Class::Sync, peer)));
                }
            }
        }
        let mine = &came[1..];
        assert!(mine.iter().all(|count| *count >= 9), "{came:?}");
    }

    #[tokio::test]
    async fn the_end_of_the_network_is_the_end_of_the_events() {
        let (sessions, inboxes, mut events) = channels();
        drop((sessions, inboxes));
        assert_eq!(events.recv().await, None);
    }
}
