//! The frames that wait to be sent to one peer in one class.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{Class, Overflow, SendError};

/// What a frame costs besides its bytes, in bytes: many small frames are bounded too.
const FRAME_COST_BYTES: usize = 64;

/// A bounded queue. Anybody puts in without waiting; one writer at a time takes out.
pub(crate) struct Outbox {
    class: Class,
    queue: Mutex<Queue>,
    filled: Notify,
}

#[derive(Default)]
struct Queue {
    /// Whether the peer is connected. Nothing waits for a peer that is away: it would be out of date.
    open: bool,
    frames: VecDeque<Bytes>,
    cost_bytes: usize,
    dropped: u64,
}

impl Outbox {
    pub(crate) fn new(class: Class) -> Self {
        Self {
            class,
            queue: Mutex::default(),
            filled: Notify::new(),
        }
    }

    /// The peer is connected: frames may wait.
    pub(crate) fn open(&self) {
        self.lock().open = true;
    }

    /// The peer is gone: what waits is dropped.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.open = false;
        while queue.take().is_some() {
            queue.dropped += 1;
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.lock().open
    }

    /// How many frames were dropped since the start: for want of room, or with a lost connection.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Queues a frame, by the rule of its class when there is no room.
    pub(crate) fn push(&self, frame: Bytes) -> Result<(), SendError> {
        let (class, len_bytes) = (self.class, frame.len());
        if len_bytes > class.frame_bytes_max() {
            return Err(SendError::TooLong { class, len_bytes });
        }
        let mut queue = self.lock();
        if !queue.open {
            return Err(SendError::NotConnected);
        }
        while queue.cost_bytes + cost(&frame) > class.queue_bytes_max() {
            queue.dropped += 1;
            if class.overflow() == Overflow::DropNewest || queue.take().is_none() {
                return Err(SendError::QueueFull { class });
            }
        }
        queue.cost_bytes += cost(&frame);
        queue.frames.push_back(frame);
        drop(queue);
        self.filled.notify_one();
        Ok(())
    }

    /// Takes the oldest frame, if there is one.
    pub(crate) fn try_pop(&self) -> Option<Bytes> {
        self.lock().take()
    }

    /// Takes the oldest frame, waiting for it. May be cancelled: then nothing was taken.
    pub(crate) async fn pop(&self) -> Bytes {
        loop {
            if let Some(frame) = self.try_pop() {
                return frame;
            }
            // A frame that came in between has left a permit: this returns at once.
            self.filled.notified().await;
        }
    }

    /// Gives a frame back that could not be written: it is the oldest again.
    pub(crate) fn put_back(&self, frame: Bytes) {
        let mut queue = self.lock();
        if queue.open {
            queue.cost_bytes += cost(&frame);
            queue.frames.push_front(frame);
        } else {
            queue.dropped += 1;
        }
    }

    /// Nothing is left half done under the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn take(&mut self) -> Option<Bytes> {
        let frame = self.frames.pop_front()?;
        self.cost_bytes -= cost(&frame);
        Some(frame)
    }
}

fn cost(frame: &Bytes) -> usize {
    frame.len() + FRAME_COST_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(class: Class) -> Outbox {
        let outbox = Outbox::new(class);
        outbox.open();
        outbox
    }

    /// A frame of the class' largest size, marked with a number.
    fn large(class: Class, mark: u8) -> Bytes {
        vec![mark; class.frame_bytes_max()].into()
    }

    /// How many of the largest frames fit.
    fn room(class: Class) -> u8 {
        let frames = class.queue_bytes_max() / (class.frame_bytes_max() + FRAME_COST_BYTES);
        u8::try_from(frames).expect("few")
    }

    #[test]
    fn a_full_queue_of_votes_drops_the_oldest() {
        let outbox = open(Class::Votes);
        for mark in 0..room(Class::Votes) + 2 {
            outbox.push(large(Class::Votes, mark)).expect("makes room");
        }
        assert_eq!(outbox.dropped(), 2);
        assert_eq!(outbox.try_pop().expect("full")[0], 2);
    }

    #[test]
    fn a_full_queue_of_parcels_or_sync_refuses_the_newest() {
        for class in [Class::Parcels, Class::Sync] {
            let outbox = open(class);
            for mark in 0..room(class) {
                outbox.push(large(class, mark)).expect("room");
            }
            let refused = outbox.push(large(class, 99));
            assert_eq!(refused, Err(SendError::QueueFull { class }));
            assert_eq!(outbox.dropped(), 1);
            assert_eq!(outbox.try_pop().expect("full")[0], 0);
            outbox.push(large(class, 99)).expect("room again");
        }
    }

    #[test]
    fn empty_frames_are_bounded_too() {
        let outbox = open(Class::Parcels);
        let accepted = std::iter::repeat_with(|| outbox.push(Bytes::new()))
            .take_while(Result::is_ok)
            .count();
        assert_eq!(
            accepted,
            Class::Parcels.queue_bytes_max() / FRAME_COST_BYTES
        );
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_and_not_counted_as_dropped() {
        let class = Class::Votes;
        let outbox = open(class);
        let long = Bytes::from(vec![0; class.frame_bytes_max() + 1]);
        let len_bytes = long.len();
        assert_eq!(
            outbox.push(long),
            Err(SendError::TooLong { class, len_bytes })
        );
        assert_eq!(outbox.dropped(), 0);
    }

    #[test]
    fn nothing_waits_for_a_peer_that_is_away() {
        let outbox = Outbox::new(Class::Votes);
        assert_eq!(outbox.push(Bytes::new()), Err(SendError::NotConnected));
        outbox.open();
        outbox.push(Bytes::new()).expect("open");
        outbox.close();
        assert_eq!((outbox.dropped(), outbox.try_pop()), (1, None));
        outbox.put_back(Bytes::new());
        assert_eq!((outbox.dropped(), outbox.try_pop()), (2, None));
    }

    #[test]
    fn a_frame_given_back_is_the_next_again() {
        let outbox = open(Class::Votes);
        for mark in [1, 2] {
            outbox.push(Bytes::from(vec![mark])).expect("room");
        }
        let frame = outbox.try_pop().expect("two wait");
        outbox.put_back(frame);
        assert_eq!(outbox.try_pop().expect("two wait"), [1].as_slice());
    }

    #[tokio::test]
    async fn a_waiting_writer_is_woken_and_none_is_missed() {
        let outbox = std::sync::Arc::new(open(Class::Votes));
        let mut tasks = tokio::task::JoinSet::new();
        let taken = outbox.clone();
        tasks.spawn(async move { [taken.pop().await, taken.pop().await, taken.pop().await] });
        tokio::task::yield_now().await;
        for mark in 0..3 {
            outbox.push(Bytes::from(vec![mark])).expect("room");
        }
        let frames = tasks
            .join_next()
            .await
            .expect("one task")
            .expect("no panic");
        assert_eq!(frames.map(|frame| frame[0]), [0, 1, 2]);
    }
}
