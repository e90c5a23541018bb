//! Evidence in a node's directory, by the node's own hand: the key of a peer that is down signs two votes
//! for one slot.

use std::path::Path;
use std::time::Duration;

use cloverleaf_consensus::{Message, Signed, Vote};
use cloverleaf_network::Class;
use cloverleaf_testnet::hostile::peer::Impostor;
use cloverleaf_testnet::process::Network;
use cloverleaf_types::{B256, Height, Round, Signer as _, VoteKind};
use tokio::time::{interval, timeout};

use super::scene::SOON;

/// Between two attempts, each in the height that the node is about to decide and in the one after it.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(50);

/// A key of a network, to be used while its node is down.
pub(super) fn key_of(network: &Network, node: usize) -> Result<Impostor, String> {
    let home = network.dir().join(format!("node{node}"));
    let others = (0..network.validators()).filter(|other| *other != node);
    let listening: Vec<_> = others
        .map(|other| (other, network.peer_address(other)))
        .collect();
    Impostor::of(network.genesis(), &home, &listening)
}

/// Signs two votes for a slot of every height that comes, until a file is in `evidence`. The highest
/// height that it signed for.
pub(super) async fn sign_twice(
    key: &Impostor,
    evidence: &Path,
    tip: impl AsyncFn() -> Option<u64>,
) -> Result<u64, String> {
    let mesh = key.join().await?;
    let connected = timeout(SOON, mesh.connected(key.peers.len())).await;
    connected.map_err(|_| "the key gets no session".to_owned())?;
    let mut last = 0;
    let signing = async {
        let mut attempts = interval(ATTEMPT_INTERVAL);
        while !has_files(evidence) {
            attempts.tick().await;
            let Some(tip) = tip().await else { continue };
            last = last.max(tip + 2);
            for (height, block) in [(tip + 1, 1), (tip + 1, 2), (last, 1), (last, 2)] {
                mesh.broadcast(Class::Votes, &vote(key, height, block).encode());
            }
        }
    };
    let signed = timeout(SOON, signing).await;
    signed.map_err(|_| "nobody keeps evidence of two votes for one slot".to_owned())?;
    Ok(last)
}

fn vote(key: &Impostor, height: u64, block: u8) -> Message {
    let vote = Vote {
        height: Height(height),
        round: Round::FIRST,
        kind: VoteKind::Prevote,
        block_hash: Some(B256::repeat_byte(block)),
        voter: key.signer.address(),
    };
    Message::Vote(Signed::by(vote, key.genesis.network(), &key.signer))
}

fn has_files(folder: &Path) -> bool {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| Path::new(&name).extension().is_some_and(|it| it == "json"))
}
