//! What a validator's key opens: sessions of its own, streams, votes, blocks.

use std::time::Duration;

use bytes::Bytes;
use cloverleaf_consensus::{Message, RANGE_HEIGHTS_MAX, Signed, SyncMessage, Vote};
use cloverleaf_network::Class;
use cloverleaf_testnet::hostile::peer::{CHANNELS, RawPeer};
use cloverleaf_types::{B256, Height, Round, Signer as _, VoteKind};
use tokio::time::{interval, timeout};

use super::{Attack, Evil};

/// Time for a node to end what breaks the protocol, on a busy machine.
const ENDING_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for a session.
const SESSION_TIMEOUT: Duration = Duration::from_secs(15);
/// Streams that are opened on a connection; a correct node opens four.
const STREAMS: usize = 100;
/// A name of another network.
const OTHER_NETWORK: &str = "0bad";
/// Frames in a row, as far as there is room for them.
const IN_A_ROW: usize = 256;
/// From one row to the next: the cores are those of the attacked, too.
const TURN: Duration = Duration::from_millis(1);
/// Votes that are signed once and sent again and again.
const VOTES: u64 = 64;

/// The key speaks for another network.
pub(super) const WRONG_NETWORK: Attack = Attack {
    name: "another network",
    run: |evil| Box::pin(wrong_network(evil)),
    is_restarted_under: false,
};

/// Many streams on one connection.
pub(super) const STREAM_FLOOD: Attack = Attack {
    name: "floods of streams",
    run: |evil| Box::pin(streams(evil)),
    is_restarted_under: false,
};

/// Frames over the limit of their class.
pub(super) const OVERSIZE: Attack = Attack {
    name: "oversize frames",
    run: |evil| Box::pin(oversize(evil)),
    is_restarted_under: false,
};

/// Frames that are announced and do not come, by a peer without a pulse.
pub(super) const HALF_FRAMES: Attack = Attack {
    name: "half-sent frames",
    run: |evil| Box::pin(half_frames(evil)),
    is_restarted_under: false,
};

/// Signed votes of heights that are far away.
pub(super) const FAR_VOTES: Attack = Attack {
    name: "votes of far heights",
    run: |evil| Box::pin(far_votes(evil)),
    is_restarted_under: false,
};

/// All blocks are asked for at once, and no answer is read.
pub(super) const SYNC_REQUESTS: Attack = Attack {
    name: "requests of all blocks",
    run: |evil| Box::pin(sync_requests(evil)),
    is_restarted_under: false,
};

/// Frames of every class that are no messages.
pub(super) const JUNK: Attack = Attack {
    name: "junk frames",
    run: |evil| Box::pin(junk(evil)),
    is_restarted_under: false,
};

/// Dials each node in its turn until it is over, and does something with the connection.
async fn dial_again<W: Future<Output = Result<(), String>>>(
    evil: &Evil,
    network_id: &str,
    mut work: impl FnMut(RawPeer, usize) -> W,
) -> Result<(), String> {
    for round in 0_usize.. {
        if evil.is_over() {
            break;
        }
        let to = &evil.impostor.peers[round % evil.impostor.peers.len()];
        let peer = RawPeer::dial(&evil.impostor.keypair, to, network_id).await?;
        work(peer, round).await?;
        evil.acted();
    }
    Ok(())
}

/// Waits until a node hangs up.
async fn until_hung_up(mut peer: RawPeer, what: &str) -> Result<(), String> {
    let hung_up = timeout(ENDING_TIMEOUT, peer.hung_up()).await;
    hung_up.map_err(|_| format!("{what} ends nothing"))
}

async fn wrong_network(evil: Evil) -> Result<(), String> {
    let work = |mut peer: RawPeer, round: usize| async move {
        let channel = CHANNELS[round % CHANNELS.len()];
        if peer.open(OTHER_NETWORK, channel).await.is_ok() {
            return Err("a stream of another network is accepted".to_owned());
        }
        until_hung_up(peer, "a peer of another network").await
    };
    dial_again(&evil, OTHER_NETWORK, work).await
}

async fn streams(evil: Evil) -> Result<(), String> {
    let network_id = evil.impostor.network_id();
    let work = |mut peer: RawPeer, _| {
        let network_id = network_id.clone();
        async move {
            let mut kept = Vec::new();
            for number in 0..STREAMS {
                let channel = CHANNELS[number % CHANNELS.len()];
                // Whether it is refused or reset, the node's streams go on.
                let opening = peer.open(&network_id, channel);
                match timeout(ENDING_TIMEOUT, opening).await {
                    Ok(Ok(stream)) => kept.push(stream),
                    Ok(Err(_)) | Err(_) => break,
                }
            }
            Ok(())
        }
    };
    dial_again(&evil, &network_id, work).await
}

async fn oversize(evil: Evil) -> Result<(), String> {
    let network_id = evil.impostor.network_id();
    let work = |mut peer: RawPeer, round: usize| {
        let network_id = network_id.clone();
        async move {
            let class = Class::ALL[round % Class::ALL.len()];
            let length = u32::try_from(class.frame_bytes_max() + 1).unwrap_or(u32::MAX);
            let length = if round.is_multiple_of(2) {
                length
            } else {
                u32::MAX
            };
            let head = length.to_be_bytes();
            // The oldest of too many connections is given up before it is read.
            let _kept = peer.write(&network_id, class.name(), &head).await;
            until_hung_up(peer, "an oversize frame").await
        }
    };
    dial_again(&evil, &network_id, work).await
}

async fn half_frames(evil: Evil) -> Result<(), String> {
    let network_id = evil.impostor.network_id();
    let work = |mut peer: RawPeer, _| {
        let network_id = network_id.clone();
        async move {
            let mut kept = Vec::new();
            for class in Class::ALL {
                let length = u32::try_from(class.frame_bytes_max()).unwrap_or(u32::MAX);
                let half = [
                    &length.to_be_bytes()[..],
                    &vec![7; class.frame_bytes_max() / 2],
                ]
                .concat();
                let writing = peer.write(&network_id, class.name(), &half);
                kept.push(timeout(Duration::from_secs(1), writing).await);
            }
            Ok(())
        }
    };
    dial_again(&evil, &network_id, work).await
}

/// Sends these in turn to all, as fast as they are taken. What a node says is not read.
async fn flood(evil: &Evil, frames: &[(Class, Bytes)]) -> Result<(), String> {
    let mesh = evil.impostor.join().await?;
    let sessions = mesh.connected(evil.impostor.peers.len());
    let connected = timeout(SESSION_TIMEOUT, sessions).await;
    connected.map_err(|_| "the validator's key gets no session".to_owned())?;
    let (mut frames, mut turns) = (frames.iter().cycle(), interval(TURN));
    while !evil.is_over() {
        for (class, bytes) in frames.by_ref().take(IN_A_ROW) {
            if mesh.broadcast(*class, bytes) == 0 {
                break;
            }
            evil.acted();
        }
        turns.tick().await;
    }
    Ok(())
}

async fn far_votes(evil: Evil) -> Result<(), String> {
    let network = evil.impostor.genesis.network();
    let signer = &evil.impostor.signer;
    let vote = |number: u64| {
        let vote = Vote {
            height: Height((1 << (number % 40)) + number),
            round: Round(u32::try_from(number % 7).unwrap_or(0)),
            kind: VoteKind::Precommit,
            block_hash: Some(B256::with_last_byte(u8::try_from(number).unwrap_or(0))),
            voter: signer.address(),
        };
        let message = Message::Vote(Signed::by(vote, network, signer));
        (Class::Votes, message.encode())
    };
    let votes: Vec<_> = (evil.seed..evil.seed + VOTES).map(vote).collect();
    flood(&evil, &votes).await
}

async fn sync_requests(evil: Evil) -> Result<(), String> {
    let request = |from: u64| {
        let message = SyncMessage::Request {
            from: Height(from),
            count: RANGE_HEIGHTS_MAX,
        };
        (Class::Sync, message.encode())
    };
    let requests: Vec<_> = [1, 2, 17, u64::MAX / 2].map(request).into();
    flood(&evil, &requests).await
}

async fn junk(evil: Evil) -> Result<(), String> {
    let byte = u8::try_from(evil.seed % 256).unwrap_or(0);
    let frames: Vec<(Class, Bytes)> = Class::ALL
        .iter()
        .map(|class| (*class, vec![byte; class.frame_bytes_max()].into()))
        .collect();
    flood(&evil, &frames).await
}
