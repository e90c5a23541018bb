//! Replicas that must not go on, and clocks that go wrong.

use cloverleaf_consensus::{Halt as ConsensusHalt, JournalEntry, Signable as _, Signed, Vote};
use cloverleaf_mempool::{PooledTransaction, Submission};
use cloverleaf_replica::{Halt, Input, Output};
use cloverleaf_types::{Height, Parameters, Round, Signer as _, VoteKind};

use crate::support::{Network, WIDE, parameters};

#[test]
fn halt_releases_nothing_afterwards() {
    let mut network = Network::off(1, at_once());
    // The key has signed something later than the store knows of.
    let vote = own_vote(&network, Height(5));
    let signing = network.machines[0].disk.votes[0].clone();
    network.machines[0].boot(&network.genesis);
    let now_ms = network.now_ms;
    let replica = network.machines[0].replica.as_mut().unwrap();
    let start = Input::Start {
        votes: vec![signing, vote],
        first_kept: Height(1),
    };
    let mut outputs = replica.handle(now_ms, start);
    if !matches!(outputs.last(), Some(Output::Halt(_))) {
        outputs = replica.handle(now_ms + 1_000, Input::Tick);
    }
    let refused = Halt::Consensus(ConsensusHalt::GuardRefused(Box::new(refusal(&outputs))));
    assert!(matches!(outputs.last(), Some(Output::Halt(halt)) if *halt == refused));

    let transaction = PooledTransaction::opaque(WIDE, vec![1].into(), 10, now_ms).unwrap();
    let (_, outputs) = replica.submit(now_ms + 2_000, &Submission::Transaction(transaction));
    assert!(outputs.is_empty());
    assert!(replica.handle(now_ms + 3_000, Input::Tick).is_empty());
    let height = Height(1);
    assert!(
        replica
            .handle(now_ms, Input::Committed { height })
            .is_empty()
    );
}

#[test]
fn wake_up_in_the_past_does_not_come_back_for_ever() {
    let mut network = Network::of(4);
    let key = network.submit(0, WIDE, 1);
    for jump_ms in [1, 50, 5_000, 3_600_000] {
        network.run_ms(100);
        network.now_ms += jump_ms;
        for index in 0..4 {
            // The harness itself checks that one tick does all that is overdue.
            network.input(index, Input::Tick);
            let replica = network.machines[index].replica.as_ref().unwrap();
            assert!(
                replica
                    .next_wake_ms()
                    .is_some_and(|at_ms| at_ms > network.now_ms)
            );
        }
    }
    network.until_placed(&[key]);
}

// T1
#[test]
fn clock_that_is_set_back_takes_back_no_time_of_a_block() {
    let mut network = Network::of(1);
    let key = network.submit(0, WIDE, 1);
    network.until_placed(&[key]);
    let before_ms = network.tip(0).timestamp_ms();
    network.now_ms -= 60;
    let key = network.submit(0, WIDE, 2);
    network.until_placed(&[key]);
    assert!(network.tip(0).timestamp_ms() > before_ms);
}

fn at_once() -> Parameters {
    Parameters {
        block_time_ms: 0,
        empty_block_interval_ms: 0,
        ..parameters()
    }
}

fn own_vote(network: &Network, height: Height) -> JournalEntry {
    let key = &network.machines[0].key;
    let message = Vote {
        height,
        round: Round::FIRST,
        kind: VoteKind::Prevote,
        block_hash: None,
        voter: key.address(),
    };
    let signature = key.sign(message.digest(network.genesis.network()));
    JournalEntry::Vote(Signed { message, signature })
}

fn refusal(outputs: &[Output]) -> cloverleaf_consensus::Refusal {
    let halts = outputs.iter().filter_map(|output| match output {
        Output::Halt(Halt::Consensus(ConsensusHalt::GuardRefused(refusal))) => Some(refusal),
        _ => None,
    });
    let found: Vec<_> = halts.collect();
    assert_eq!(found.len(), 1, "{outputs:?}");
    found[0].as_ref().clone()
}
