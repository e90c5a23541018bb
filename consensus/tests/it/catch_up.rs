//! Sync: how a node that fell behind gets the blocks, and from whom it does not take them.

use std::sync::Arc;

use crate::support::{Cluster, NETWORK};
use bytes::Bytes;
use cloverleaf_consensus::{
    BlockPart, BlockSync, Input, RANGE_HEIGHTS_MAX, RESPONSE_BYTES_MAX, SyncInput, SyncMessage,
    SyncOutput, To,
};
use cloverleaf_types::block::BLOCK_BYTES_MAX;
use cloverleaf_types::hash::transaction_id;
use cloverleaf_types::limits::TRANSACTION_BYTES_MAX;
use cloverleaf_types::{
    Address, B256, Batch, BatchDraft, ChainId, DecidedBlock, Height, Secp256k1,
};

/// Transactions of the largest size that take two parts of a block and some of the third.
const LONG_TRANSACTIONS: usize = 2 * RESPONSE_BYTES_MAX / TRANSACTION_BYTES_MAX + 1;

/// A network of four that decided some heights.
fn history(heights: u64) -> Cluster {
    let mut net = Cluster::new(4, 1);
    net.start_all();
    assert!(net.run_until(60_000, |net| (0..4).all(|node| net.tip(node) >= heights)));
    net
}

fn peer(name: u8) -> Address {
    Address::repeat_byte(name)
}

/// A sync with an empty store, and what it has said so far.
struct Behind {
    net: Cluster,
    sync: BlockSync,
    now_ms: u64,
    block_bytes_max: usize,
    said: Vec<SyncOutput>,
}

impl Behind {
    fn new(heights: u64) -> Self {
        let net = history(heights);
        let sync = BlockSync::new(NETWORK, Arc::new(Secp256k1));
        let mut behind = Self {
            net,
            sync,
            now_ms: 1_000,
            block_bytes_max: BLOCK_BYTES_MAX,
            said: Vec::new(),
        };
        behind.applied(0);
        behind
    }

    fn give(&mut self, input: SyncInput) {
        self.said = self.sync.handle(self.now_ms, input);
    }

    fn applied(&mut self, tip: u64) {
        let validators = self.net.set.clone();
        self.give(SyncInput::Applied {
            tip: Height(tip),
            first: Height(1),
            validators,
            block_bytes_max: self.block_bytes_max,
        });
    }

    fn hear(&mut self, from: Address, message: SyncMessage) {
        self.give(SyncInput::Message { from, message });
    }

    fn status(&mut self, from: Address, tip: u64) {
        self.hear(
            from,
            SyncMessage::Status {
                tip: Height(tip),
                first: Height(1),
            },
        );
    }

    fn blocks(&self, from: u64, count: u64) -> Vec<Bytes> {
        let first = usize::try_from(from - 1).unwrap();
        self.net.nodes[0].blocks[first..first + usize::try_from(count).unwrap()].to_vec()
    }

    fn requests(&self) -> Vec<(Address, u64, u64)> {
        let request = |output: &SyncOutput| match output {
            SyncOutput::Send {
                to: To::One(to),
                message: SyncMessage::Request { from, count },
            } => Some((*to, from.0, *count)),
            _ => None,
        };
        self.said.iter().filter_map(request).collect()
    }

    fn handed_over(&self) -> Vec<u64> {
        let block = |output: &SyncOutput| match output {
            SyncOutput::Apply(block) => Some(block.height().0),
            _ => None,
        };
        self.said.iter().filter_map(block).collect()
    }

    fn lied(&self) -> bool {
        self.said
            .iter()
            .any(|output| matches!(output, SyncOutput::Lied { .. }))
    }
}

/// A decided block with so much more in it that it comes in three parts.
fn long(decided: &Bytes) -> Bytes {
    longer(decided, LONG_TRANSACTIONS)
}

/// A decided block with so many transactions of the largest size more. Its header says nothing of them;
/// only the state would show that.
fn longer(decided: &Bytes, count: usize) -> Bytes {
    let mut decided = DecidedBlock::decode(decided.clone())
        .unwrap()
        .claimed()
        .clone();
    let header = &decided.block.header;
    let draft = BatchDraft {
        chain_id: ChainId(901),
        seq: 1,
        prev_batch_hash: B256::ZERO,
        height: header.height,
        timestamp_ms: header.timestamp_ms,
        l1: header.l1,
        full: Vec::new(),
    };
    let transactions = vec![Bytes::from(vec![7; TRANSACTION_BYTES_MAX]); count];
    let ids: Vec<_> = transactions.iter().map(|raw| transaction_id(raw)).collect();
    let batch = Batch::build(draft, Vec::new(), transactions, &ids);
    decided.block.batches.push(batch.into_inner());
    decided.encode()
}

/// A node that lacks one block, which is long.
struct Lacking {
    behind: Behind,
    block: Bytes,
}

impl Lacking {
    fn new() -> Self {
        let mut behind = Behind::new(1);
        behind.status(peer(1), 1);
        behind.now_ms += 500;
        behind.give(SyncInput::Tick);
        assert_eq!(behind.requests(), [(peer(1), 1, 1)]);
        let block = long(&behind.blocks(1, 1)[0]);
        Self { behind, block }
    }

    fn part(&self, number: usize) -> BlockPart {
        let offset = number * RESPONSE_BYTES_MAX;
        BlockPart::of(Height(1), &self.block, offset).unwrap()
    }

    fn hear_part(&mut self, number: usize) {
        let part = SyncMessage::Part(self.part(number));
        self.behind.hear(peer(1), part);
    }

    /// The number of the part that it asks for.
    fn asks_for(&self) -> Option<usize> {
        self.behind.said.iter().find_map(|output| match output {
            SyncOutput::Send {
                to: To::One(to),
                message: SyncMessage::More { offset, .. },
            } if *to == peer(1) => Some(offset / RESPONSE_BYTES_MAX),
            _ => None,
        })
    }
}

#[test]
fn long_block_comes_in_parts_one_after_the_other() {
    let mut lacking = Lacking::new();
    lacking.hear_part(0);
    assert_eq!(lacking.asks_for(), Some(1));
    lacking.hear_part(0);
    assert_eq!(lacking.asks_for(), None, "it was not asked for again");
    lacking.hear_part(1);
    assert_eq!(lacking.asks_for(), Some(2));
    lacking.hear_part(2);
    assert_eq!(lacking.asks_for(), None);
    assert_eq!(lacking.behind.handed_over(), [1]);
}

#[test]
fn part_that_comes_late_is_taken_and_the_rest_asked_for() {
    let mut lacking = Lacking::new();
    lacking.hear_part(0);
    lacking.behind.now_ms += 3_000;
    lacking.behind.give(SyncInput::Tick);
    assert_eq!(lacking.asks_for(), None);
    lacking.hear_part(1);
    assert_eq!(lacking.asks_for(), Some(2));
    lacking.hear_part(2);
    assert_eq!(lacking.behind.handed_over(), [1]);
}

#[test]
fn whoever_changes_a_part_of_a_long_block_is_not_asked_again_and_another_is() {
    let mut lacking = Lacking::new();
    lacking.behind.status(peer(2), 1);
    lacking.hear_part(0);
    let mut part = lacking.part(1);
    let mut bytes = part.bytes.to_vec();
    bytes[100] ^= 1;
    part.bytes = bytes.into();
    lacking.behind.hear(peer(1), SyncMessage::Part(part));
    lacking.hear_part(2);
    assert!(lacking.behind.lied() && lacking.behind.handed_over().is_empty());
    assert_eq!(lacking.behind.requests(), [(peer(2), 1, 1)]);

    let mut lacking = Lacking::new();
    lacking.hear_part(0);
    let mut part = lacking.part(1);
    part.length += 1;
    lacking.behind.hear(peer(1), SyncMessage::Part(part));
    assert!(lacking.behind.lied());
}

#[test]
fn peer_that_fell_silent_within_a_long_block_is_asked_for_the_rest_of_it() {
    let mut lacking = Lacking::new();
    lacking.hear_part(0);
    // Late, then left alone for a while, then asked like anybody.
    for after_ms in [5_000, 5_000, 500] {
        lacking.behind.now_ms += after_ms;
        lacking.behind.give(SyncInput::Tick);
    }
    assert_eq!(lacking.asks_for(), Some(1));
    lacking.hear_part(1);
    lacking.hear_part(2);
    assert_eq!(lacking.behind.handed_over(), [1]);
}

#[test]
fn next_block_that_is_longer_than_the_network_allows_is_its_senders_fault() {
    let mut lacking = Lacking::new();
    lacking.behind.block_bytes_max = lacking.block.len() - 1;
    lacking.behind.applied(0);
    lacking.hear_part(0);
    assert!(lacking.behind.lied());
    let mut lacking = Lacking::new();
    lacking.behind.block_bytes_max = lacking.block.len();
    lacking.behind.applied(0);
    lacking.hear_part(0);
    assert_eq!(lacking.asks_for(), Some(1));
}

#[test]
fn who_has_lied_is_asked_last() {
    let mut behind = Behind::new(3);
    behind.status(peer(1), 3);
    behind.hear(
        peer(1),
        SyncMessage::Response {
            from: Height(1),
            blocks: Vec::new(),
        },
    );
    assert!(behind.lied());
    behind.now_ms += 60_000;
    behind.status(peer(2), 3);
    assert_eq!(behind.requests(), [(peer(2), 1, 3)]);
}

#[test]
fn server_sends_a_long_block_in_parts_as_they_are_asked_for() {
    let mut serving = Lacking::new();
    serving.behind.applied(1);
    let (from, to) = (Height(1), peer(3));
    let request = SyncMessage::Request { from, count: 1 };
    let more = |number| SyncMessage::More {
        height: from,
        offset: number * RESPONSE_BYTES_MAX,
    };
    for (number, asked) in [request, more(1), more(2)].into_iter().enumerate() {
        serving.behind.hear(to, asked);
        let is_read = |output: &SyncOutput| matches!(output, SyncOutput::Read { count: 1, .. });
        assert!(serving.behind.said.iter().any(is_read));
        let blocks = vec![serving.block.clone()];
        let peer = to;
        serving
            .behind
            .give(SyncInput::Blocks { peer, from, blocks });
        let part = SyncMessage::Part(serving.part(number));
        let is_sent = |output: &SyncOutput| matches!(output, SyncOutput::Send { message, .. } if *message == part);
        assert!(serving.behind.said.iter().any(is_sent));
    }
}

#[test]
fn while_much_waits_for_its_turn_only_the_next_block_is_asked_for() {
    let mut behind = Behind::new(40);
    behind.status(peer(1), 40);
    let from = Height(1);
    let blocks = behind.blocks(1, 1);
    behind.hear(peer(1), SyncMessage::Response { from, blocks });
    assert_eq!(behind.handed_over(), [1]);
    // 17 of them are more than 128 MiB.
    for height in 2..=18 {
        let count = RANGE_HEIGHTS_MAX.min(32 - height + 1);
        assert_eq!(behind.requests(), [(peer(1), height, count)]);
        let from = Height(height);
        let blocks = vec![longer(&behind.blocks(height, 1)[0], 62)];
        behind.hear(peer(1), SyncMessage::Response { from, blocks });
    }
    assert_eq!(behind.requests(), []);
    behind.applied(1);
    assert_eq!(behind.handed_over(), [2]);
    assert_eq!(behind.requests(), [(peer(1), 19, 15)]);
}

#[test]
fn node_that_slept_catches_up_and_then_takes_part() {
    let mut net = Cluster::new(4, 2);
    net.with_sync = true;
    let sleeper = 3;
    for node in 0..3 {
        net.start(node);
    }
    assert!(net.run_until(60_000, |net| net.tip(0) >= 40));
    net.start(sleeper);
    let started_ms = net.now_ms;
    assert!(net.run_until(10_000, |net| net.tip(sleeper) >= 40));
    assert!(
        net.now_ms - started_ms < 1_000,
        "{} ms",
        net.now_ms - started_ms
    );
    let decided = net.nodes[sleeper].decisions.len();
    assert!(
        net.run_until(10_000, |net| net.nodes[sleeper].decisions.len()
            >= decided + 5)
    );
    net.assert_agreement();
}

#[test]
fn ranges_are_asked_of_two_peers_and_applied_in_order() {
    let mut behind = Behind::new(40);
    behind.status(peer(1), 40);
    assert_eq!(behind.requests(), [(peer(1), 1, RANGE_HEIGHTS_MAX)]);
    behind.status(peer(2), 40);
    assert_eq!(behind.requests(), [(peer(2), 17, RANGE_HEIGHTS_MAX)]);
    behind.status(peer(3), 40);
    assert_eq!(behind.requests(), []);
    let later = behind.blocks(17, 16);
    behind.hear(
        peer(2),
        SyncMessage::Response {
            from: Height(17),
            blocks: later,
        },
    );
    assert!(behind.handed_over().is_empty(), "their turn has not come");
    let certified = behind
        .said
        .iter()
        .any(|output| matches!(output, SyncOutput::Certified { height: Height(32) }));
    assert!(certified, "C4: the set vouches for height 32 already");
    let first = behind.blocks(1, 16);
    behind.hear(
        peer(1),
        SyncMessage::Response {
            from: Height(1),
            blocks: first,
        },
    );
    for height in 1..=32 {
        assert_eq!(behind.handed_over(), [height]);
        behind.applied(height);
    }
}

#[test]
fn single_missing_block_is_left_to_consensus_for_a_while() {
    let mut behind = Behind::new(1);
    behind.status(peer(1), 1);
    assert_eq!(behind.requests(), []);
    behind.now_ms += 600;
    behind.give(SyncInput::Tick);
    assert_eq!(behind.requests(), [(peer(1), 1, 1)]);
}

#[test]
fn liar_about_a_certificate_or_a_body_is_not_asked_for_a_minute() {
    for part in ["certificate", "body", "height", "bytes", "nothing"] {
        let mut behind = Behind::new(3);
        behind.status(peer(1), 3);
        assert_eq!(behind.requests(), [(peer(1), 1, 3)]);
        let mut blocks = behind.blocks(1, 3);
        let mut block = DecidedBlock::decode(blocks[0].clone())
            .unwrap()
            .claimed()
            .clone();
        match part {
            "certificate" => block.certificate.signatures.truncate(2),
            "body" => block.block.cut.push(cloverleaf_types::CutEntry {
                lane: 0,
                epoch: cloverleaf_types::Epoch(0),
                seq: 0,
                parcel_hash: cloverleaf_types::B256::ZERO,
                seen: Height(0),
            }),
            _ => {}
        }
        blocks[0] = block.encode();
        match part {
            "height" => blocks.swap(0, 1),
            "bytes" => blocks[0] = Bytes::from_static(&[1, 2, 3]),
            "nothing" => blocks.clear(),
            _ => {}
        }
        behind.hear(
            peer(1),
            SyncMessage::Response {
                from: Height(1),
                blocks,
            },
        );
        assert!(behind.lied(), "{part}: {:?}", behind.said);
        assert_eq!(
            (behind.handed_over(), behind.requests()),
            (vec![], vec![]),
            "{part}"
        );
        behind.now_ms += 50_000;
        behind.status(peer(1), 3);
        assert_eq!(behind.requests(), [], "{part}");
        // Somebody honest is asked instead, and later the liar gets another chance.
        behind.status(peer(2), 3);
        assert_eq!(behind.requests(), [(peer(2), 1, 3)], "{part}");
        behind.now_ms += 20_000;
        behind.give(SyncInput::Tick);
        assert_eq!(
            behind.requests(),
            [(peer(1), 1, 3)],
            "{part}: the silent one is left out"
        );
        let blocks = behind.blocks(1, 3);
        behind.hear(
            peer(1),
            SyncMessage::Response {
                from: Height(1),
                blocks,
            },
        );
        assert_eq!(behind.handed_over(), [1], "{part}");
    }
}

#[test]
fn liar_that_comes_back_is_not_asked_before_its_minute_is_over() {
    let mut behind = Behind::new(3);
    behind.status(peer(1), 3);
    assert_eq!(behind.requests(), [(peer(1), 1, 3)]);
    let from = Height(1);
    let blocks = vec![Bytes::from_static(&[1, 2, 3])];
    behind.hear(peer(1), SyncMessage::Response { from, blocks });
    assert!(behind.lied());
    for (after_ms, asked) in [(100, 0), (50_000, 0), (9_000, 0), (1_000, 1)] {
        behind.now_ms += after_ms;
        behind.give(SyncInput::Disconnected { peer: peer(1) });
        behind.give(SyncInput::Connected { peer: peer(1) });
        behind.status(peer(1), 3);
        assert_eq!(behind.requests().len(), asked, "{} ms", behind.now_ms);
    }
}

#[test]
fn peer_that_comes_back_is_asked_after_those_that_stayed() {
    let mut behind = Behind::new(40);
    for (name, from) in [(2, 1), (1, 17)] {
        behind.status(peer(name), 40);
        assert_eq!(behind.requests(), [(peer(name), from, 16)]);
    }
    for (name, first) in [(2, 1), (1, 17)] {
        let (from, blocks) = (Height(first), behind.blocks(first, 16));
        behind.hear(peer(name), SyncMessage::Response { from, blocks });
    }
    behind.give(SyncInput::Disconnected { peer: peer(1) });
    behind.status(peer(1), 40);
    behind.applied(16);
    assert_eq!(behind.requests(), [(peer(2), 33, 8)]);
}

#[test]
fn unasked_blocks_are_ignored() {
    let mut behind = Behind::new(3);
    let blocks = behind.blocks(1, 3);
    behind.hear(
        peer(1),
        SyncMessage::Response {
            from: Height(1),
            blocks,
        },
    );
    assert_eq!((behind.handed_over(), behind.lied()), (vec![], false));
}

#[test]
fn server_reads_within_its_limits_and_once_per_peer_at_a_time() {
    let mut behind = Behind::new(40);
    behind.applied(40);
    behind.hear(
        peer(1),
        SyncMessage::Request {
            from: Height(30),
            count: 16,
        },
    );
    let reads = |behind: &Behind| {
        let read = |output: &SyncOutput| match output {
            SyncOutput::Read { from, count, .. } => Some((from.0, *count)),
            _ => None,
        };
        behind.said.iter().filter_map(read).collect::<Vec<_>>()
    };
    assert_eq!(reads(&behind), [(30, 11)]);
    behind.hear(
        peer(1),
        SyncMessage::Request {
            from: Height(1),
            count: 1,
        },
    );
    assert_eq!(reads(&behind), [], "one at a time");
    let blocks = behind.blocks(30, 11);
    behind.give(SyncInput::Blocks {
        peer: peer(1),
        from: Height(30),
        blocks: blocks.clone(),
    });
    let answer = SyncMessage::Response {
        from: Height(30),
        blocks,
    };
    let sent = behind.said.iter().any(|output| {
        matches!(output, SyncOutput::Send { to: To::One(_), message } if *message == answer)
    });
    assert!(sent);
    behind.hear(
        peer(1),
        SyncMessage::Request {
            from: Height(41),
            count: 1,
        },
    );
    assert_eq!(reads(&behind), [], "not there yet");
}

// C4
#[test]
fn running_height_is_abandoned_for_its_synced_block_and_certified_heights_are_not_started() {
    let mut net = history(3);
    let blocks = net.nodes[0].blocks.clone();
    let mut late = Cluster::new(4, 3);
    late.rule = Box::new(|_, _, _| false);
    late.start(0);
    late.run_for(100);
    let height = |net: &Cluster| net.nodes[0].driver.as_ref().unwrap().status().height;
    assert_eq!(height(&late), Height(1), "it runs height 1 alone");
    late.input(0, Input::Certified { height: Height(3) });
    late.nodes[0].sent.clear();
    for encoded in &blocks[..2] {
        let block = DecidedBlock::decode(encoded.clone())
            .unwrap()
            .verify_parts()
            .unwrap();
        late.apply(0, &block);
        late.run_for(5_000);
    }
    assert!(
        late.nodes[0].sent.is_empty(),
        "C4: nothing more about the height that came by sync"
    );
    let signed = late.nodes[0]
        .signed
        .keys()
        .filter(|slot| slot.height > Height(1))
        .count();
    assert_eq!(signed, 0, "C4: heights 2 and 3 are certified");
    let block = DecidedBlock::decode(blocks[2].clone())
        .unwrap()
        .verify_parts()
        .unwrap();
    late.apply(0, &block);
    late.run_for(5_000);
    assert_eq!(height(&late), Height(4));
    net.run_for(1);
}

// C4
#[test]
fn certified_height_that_others_run_is_started_all_the_same() {
    let mut net = Cluster::new(4, 5);
    for node in [0, 1, 3] {
        net.start(node);
        // Somebody who is silent showed node 3 a certificate, and keeps the block to himself.
        if node == 3 {
            net.input(3, Input::Certified { height: Height(1) });
        }
    }
    assert!(net.run_until(60_000, |net| net.tip(3) >= 2));
    net.assert_agreement();
}

// C4
#[test]
fn sender_of_batches_that_are_not_the_headers_is_not_asked_again_and_another_is() {
    let mut behind = Behind::new(3);
    behind.status(peer(1), 3);
    let from = Height(1);
    let blocks = behind.blocks(1, 3);
    behind.hear(peer(1), SyncMessage::Response { from, blocks });
    assert_eq!(behind.handed_over(), [1]);
    behind.give(SyncInput::Refused {
        what: "other heads".to_owned(),
    });
    assert!(behind.lied() && behind.handed_over().is_empty());
    behind.status(peer(1), 3);
    assert_eq!(behind.requests(), []);
    behind.status(peer(2), 3);
    assert_eq!(behind.requests(), [(peer(2), 1, 3)]);
    let blocks = behind.blocks(1, 3);
    behind.hear(peer(2), SyncMessage::Response { from, blocks });
    assert_eq!(behind.handed_over(), [1]);
}

#[test]
fn silent_peer_is_left_alone_for_a_while() {
    let mut behind = Behind::new(3);
    behind.status(peer(1), 3);
    assert_eq!(behind.requests(), [(peer(1), 1, 3)]);
    for (after_ms, asked) in [(2_900, 0), (200, 0), (4_000, 0), (1_100, 1)] {
        behind.now_ms += after_ms;
        behind.give(SyncInput::Tick);
        assert_eq!(behind.requests().len(), asked, "{} ms", behind.now_ms);
    }
}

#[test]
fn answer_that_comes_late_is_taken_and_ends_the_wait() {
    let mut behind = Behind::new(6);
    behind.status(peer(1), 6);
    assert_eq!(behind.requests(), [(peer(1), 1, 6)]);
    behind.now_ms += 3_100;
    behind.give(SyncInput::Tick);
    assert_eq!(behind.requests(), []);
    let (from, blocks) = (Height(1), behind.blocks(1, 3));
    behind.hear(peer(1), SyncMessage::Response { from, blocks });
    assert_eq!(behind.handed_over(), [1]);
    assert_eq!(behind.requests(), [(peer(1), 4, 3)]);
    // A second one is not what anybody asked for.
    let blocks = behind.blocks(2, 3);
    behind.hear(peer(1), SyncMessage::Response { from, blocks });
    assert!(!behind.lied());
}

#[test]
fn two_requests_from_one_height_may_be_answered_in_any_order() {
    for counts in [[2, 6], [6, 2]] {
        let mut behind = Behind::new(6);
        behind.status(peer(1), 2);
        assert_eq!(behind.requests(), [(peer(1), 1, 2)]);
        for after_ms in [3_100, 5_100] {
            behind.now_ms += after_ms;
            behind.status(peer(1), 6);
        }
        assert_eq!(behind.requests(), [(peer(1), 1, 6)]);
        for last in counts {
            let (from, blocks) = (Height(1), behind.blocks(1, last));
            behind.hear(peer(1), SyncMessage::Response { from, blocks });
            assert!(!behind.lied());
        }
        behind.applied(1);
        assert_eq!(behind.handed_over(), [2]);
    }
}

fn status(tip: u64, first: u64) -> SyncMessage {
    let (tip, first) = (Height(tip), Height(first));
    SyncMessage::Status { tip, first }
}

#[test]
fn block_that_no_peer_keeps_is_told_and_asked_of_nobody() {
    let mut behind = Behind::new(3);
    for name in [1, 2] {
        behind.hear(peer(name), status(3, 2));
        assert_eq!(behind.requests(), []);
    }
    assert_eq!(behind.sync.kept_from(), Some(Height(2)));
    behind.hear(peer(3), status(3, 1));
    assert_eq!(behind.sync.kept_from(), None);
    assert_eq!(behind.requests(), [(peer(3), 1, 3)]);
}

#[test]
fn peer_that_removes_what_it_was_asked_for_is_no_liar() {
    let mut behind = Behind::new(4);
    behind.applied(1);
    behind.hear(peer(1), status(4, 2));
    assert_eq!(behind.requests(), [(peer(1), 2, 3)]);
    let nothing = |from| SyncMessage::Response {
        from: Height(from),
        blocks: Vec::new(),
    };
    behind.hear(peer(1), nothing(2));
    assert!(!behind.lied());
    assert_eq!(behind.requests(), [], "it is not asked for that again");
    // One that says it removes nothing has what it claims.
    behind.hear(peer(2), status(4, 1));
    assert_eq!(behind.requests(), [(peer(2), 2, 3)]);
    behind.hear(peer(2), nothing(2));
    assert!(behind.lied());
    // One that says first what it has removed is asked for the next that it has, without delay.
    behind.hear(peer(3), status(4, 2));
    assert_eq!(behind.requests(), [(peer(3), 2, 3)]);
    behind.applied(2);
    assert_eq!(behind.requests(), []);
    behind.hear(peer(3), status(4, 3));
    assert_eq!(
        behind.requests(),
        [(peer(1), 3, 2)],
        "whoever was asked longest ago"
    );
}

#[test]
fn node_that_removes_old_blocks_offers_those_that_stay_for_a_while() {
    let mut behind = Behind::new(1);
    let offered = |behind: &Behind| {
        behind.said.iter().find_map(|output| match output {
            SyncOutput::Send {
                message: SyncMessage::Status { first, .. },
                ..
            } => Some(first.0),
            _ => None,
        })
    };
    behind.applied(100);
    assert_eq!(offered(&behind), Some(1));
    behind.give(SyncInput::Kept { first: Height(30) });
    let asked = SyncMessage::Request {
        from: Height(29),
        count: 1,
    };
    behind.hear(peer(1), asked);
    let slack = RANGE_HEIGHTS_MAX;
    assert_eq!(
        offered(&behind),
        Some(30 + slack),
        "it is told what there is"
    );
    let asked = SyncMessage::Request {
        from: Height(30),
        count: 1,
    };
    behind.hear(peer(1), asked);
    assert!(
        matches!(behind.said[..], [SyncOutput::Read { .. }]),
        "{:?}",
        behind.said
    );
}
