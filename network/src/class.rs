//! The classes of messages and the limits of each.

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What a frame is part of. Each class has a stream and a queue of its own to every peer, so that
/// one never waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Proposals, votes, acknowledgements: small, urgent, soon out of date.
    Votes,
    /// Parcels of transactions.
    Parcels,
    /// Blocks and whatever else a peer that was away asks for.
    Sync,
}

/// What happens to a frame for which there is no room in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The frames that have waited longest are dropped: a newer vote replaces an older one.
    DropOldest,
    /// The frame itself is dropped and its sender told: it can be sent, or asked for, again.
    DropNewest,
}

impl Class {
    /// All classes, in the order in which received frames are handed out.
    pub const ALL: [Self; 3] = [Self::Votes, Self::Parcels, Self::Sync];

    /// The name in the protocol and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Votes => "votes",
            Self::Parcels => "parcels",
            Self::Sync => "sync",
        }
    }

    /// The longest frame, in bytes. Votes: a proposal with a cut of 16 KiB, certificates, and room.
    /// Parcels: one parcel. Sync: a range, or a part of a long block, of 8 MiB, and room.
    pub const fn frame_bytes_max(self) -> usize {
        match self {
            Self::Votes => 256 * KIB,
            Self::Parcels => MIB,
            Self::Sync => 9 * MIB,
        }
    }

    /// How much may wait to be sent to one peer, in bytes, each frame counted with a little for
    /// itself. Frames of a broadcast share their bytes.
    pub const fn queue_bytes_max(self) -> usize {
        match self {
            Self::Votes => 4 * MIB,
            Self::Parcels => 16 * MIB,
            Self::Sync => 32 * MIB,
        }
    }

    /// What gives way when the queue is full.
    pub const fn overflow(self) -> Overflow {
        match self {
            Self::Votes => Overflow::DropOldest,
            Self::Parcels | Self::Sync => Overflow::DropNewest,
        }
    }

    /// How many received frames, from all peers, may wait to be handed out.
    pub const fn inbox_frames_max(self) -> usize {
        match self {
            Self::Votes => 256,
            Self::Parcels => 16,
            Self::Sync => 2,
        }
    }

    /// The place in an array with one entry for each class.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Votes => 0,
            Self::Parcels => 1,
            Self::Sync => 2,
        }
    }
}
