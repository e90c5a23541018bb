//! Nodes over real loopback connections.

mod support;

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_network::{
    Class, HANDSHAKES_MAX, Keypair, NetworkError, NetworkEvent, SendError, address_text,
};
use support::{
    NETWORK_ID, Node, connect_from, line::Line, mesh, named, own_address, pair, raw::RawPeer,
};
use tokio::{net::TcpStream, sync::Notify, task::JoinSet};

const TEXT: Bytes = Bytes::from_static(b"text");

#[tokio::test]
async fn two_nodes_exchange_frames_of_every_class_up_to_its_limit() {
    let (mut anna, mut bert) = pair().await;
    for class in Class::ALL {
        for length in [0, 1, class.frame_bytes_max()] {
            let frame = Bytes::from(vec![7; length]);
            anna.handle
                .send(&bert.name(), class, frame.clone())
                .expect("connected");
            assert_eq!(bert.frame().await, (anna.name(), class, frame.clone()));
            bert.handle
                .send(&anna.name(), class, frame.clone())
                .expect("connected");
            assert_eq!(anna.frame().await, (bert.name(), class, frame));
        }
    }
}

#[tokio::test]
async fn frames_of_a_class_arrive_in_order() {
    let (anna, mut bert) = pair().await;
    for number in 0..2_000_u16 {
        let frame = Bytes::copy_from_slice(&number.to_be_bytes());
        anna.handle
            .send(&bert.name(), Class::Votes, frame)
            .expect("connected");
    }
    for number in 0..2_000_u16 {
        assert_eq!(bert.frame().await.2, number.to_be_bytes().as_slice());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_nodes_that_dial_each_other_at_once_all_hear_each_other() {
    let mut nodes = mesh(4).await;
    // Many rounds: while surplus connections come up, no session may change.
    for round in 0..50_u8 {
        for node in &nodes {
            for class in Class::ALL {
                let queued = node.handle.broadcast(class, Bytes::from(vec![round]));
                assert_eq!(queued, Ok(3));
            }
        }
        for node in &mut nodes {
            for _ in 0..3 * Class::ALL.len() {
                assert_eq!(node.frame().await.2, [round].as_slice());
            }
        }
    }
    for node in &nodes {
        assert_eq!(node.handle.connected().len(), 3);
    }
}

#[tokio::test]
async fn an_unknown_peer_is_refused_and_counted() {
    let (anna, mut bert) = pair().await;
    let stranger = Keypair::generate();
    let raw = RawPeer::dial(
        &stranger,
        anna.handle.peer_id_text(),
        anna.handle.listen_address(),
        NETWORK_ID,
    );
    raw.hung_up().await;
    assert_eq!(anna.handle.refused_connections(), 1);
    assert_eq!(anna.handle.connected(), [bert.name()]);
    let refused = anna
        .handle
        .send(&stranger.peer_id_text(), Class::Votes, TEXT);
    assert_eq!(
        refused,
        Err(SendError::UnknownPeer {
            peer: stranger.peer_id_text()
        })
    );
    anna.handle
        .send(&bert.name(), Class::Votes, TEXT)
        .expect("still connected");
    assert_eq!(bert.frame().await.2, TEXT);
}

#[tokio::test]
async fn validator_is_connected_while_strangers_have_all_places_for_handshakes() {
    let (anna_key, bert_key) = (Keypair::generate(), Keypair::generate());
    // Bert does not listen there, but it is where he comes from.
    let bert_listens = named(&bert_key, Some("/ip4/127.0.0.1/tcp/1".to_owned()));
    let anna_at = own_address();
    let mut anna = Node::start_at(&anna_key, anna_at, vec![bert_listens]).await;
    let mut silent = Vec::new();
    // More than there are places, none of them of few addresses.
    for number in 0..2 * HANDSHAKES_MAX {
        let [.., low] = number.to_be_bytes();
        silent.push(connect_from([127, 200, 1, low], anna_at).await);
    }
    let mut bert = Node::start(&bert_key, vec![anna.as_peer()]).await;
    anna.expect_connected(&bert.name()).await;
    bert.expect_connected(&anna.name()).await;
    // Their time is not over yet, so he has none of their places.
    let is_open = |stream: &&TcpStream| stream.try_read(&mut [0]).is_err();
    let left = silent.iter().filter(is_open).count();
    assert!(left >= HANDSHAKES_MAX, "{left} strangers are left");
}

#[tokio::test]
async fn who_is_put_on_the_list_may_connect_from_then_on_without_a_restart() {
    let (anna, mut bert) = pair().await;
    let key = Keypair::generate();
    let mut carl = Node::start(&key, vec![anna.as_peer()]).await;
    let mut anna = anna;
    while anna.handle.refused_connections() == 0 {
        tokio::task::yield_now().await;
    }
    let list = [named(&bert.key, None), named(&key, None)];
    anna.handle.set_peers(&list).expect("in order");
    anna.expect_connected(&carl.name()).await;
    carl.expect_connected(&anna.name()).await;
    // The session that was there is the same.
    assert_eq!(anna.handle.broadcast(Class::Votes, TEXT), Ok(2));
    assert_eq!(bert.frame().await.2, TEXT);
    assert_eq!(carl.frame().await.2, TEXT);
}

#[tokio::test]
async fn who_is_taken_off_the_list_is_hung_up_on_and_refused_until_it_is_put_back() {
    let (mut anna, mut bert) = pair().await;
    let list = [named(&bert.key, None)];
    anna.handle.set_peers(&[]).expect("in order");
    assert_eq!(anna.event().await, NetworkEvent::Disconnected(bert.name()));
    assert_eq!(bert.event().await, NetworkEvent::Disconnected(anna.name()));
    let refused = anna.handle.send(&bert.name(), Class::Votes, TEXT);
    assert!(matches!(refused, Err(SendError::UnknownPeer { .. })));
    while anna.handle.refused_connections() == 0 {
        tokio::task::yield_now().await; // it dials again
    }
    anna.handle.set_peers(&list).expect("in order");
    anna.expect_connected(&bert.name()).await;
    bert.expect_connected(&anna.name()).await;
}

#[tokio::test]
async fn a_list_with_a_mistake_changes_nothing() {
    let (anna, mut bert) = pair().await;
    let twice = [named(&bert.key, None), named(&bert.key, None)];
    let refused = anna.handle.set_peers(&twice);
    assert!(matches!(refused, Err(NetworkError::PeerTwice { .. })));
    let sent = anna.handle.send(&bert.name(), Class::Votes, TEXT);
    sent.expect("still connected");
    assert_eq!(bert.frame().await.2, TEXT);
}

#[tokio::test]
async fn an_oversize_frame_is_reported_and_ends_the_connection() {
    for class in Class::ALL {
        let key = Keypair::generate();
        let mut anna = Node::start(&Keypair::generate(), vec![named(&key, None)]).await;
        let (name, address) = (anna.name(), anna.handle.listen_address().to_owned());
        let mut raw = RawPeer::dial(&key, &name, &address, NETWORK_ID);
        let peer = key.peer_id_text().into();
        anna.expect_connected(&peer).await;
        let length_bytes = u32::try_from(class.frame_bytes_max() + 1).expect("small");
        let answer = raw
            .write(NETWORK_ID, class.name(), &length_bytes.to_be_bytes())
            .await;
        assert!(answer.is_empty());
        raw.hung_up().await;
        // The end of the session and the report come in either order.
        let events = [anna.event().await, anna.event().await];
        let oversize = NetworkEvent::Oversize {
            peer: peer.clone(),
            class,
            length_bytes,
        };
        assert!(events.contains(&oversize), "{events:?}");
        assert!(
            events.contains(&NetworkEvent::Disconnected(peer)),
            "{events:?}"
        );
    }
}

#[tokio::test]
async fn a_peer_of_another_network_gets_no_session() {
    let key = Keypair::generate();
    let anna = Node::start(&Keypair::generate(), vec![named(&key, None)]).await;
    let (name, address) = (anna.name(), anna.handle.listen_address().to_owned());
    let mut raw = RawPeer::dial(&key, &name, &address, "0bad");
    assert!(raw.is_refused("0bad", "votes").await);
    raw.hung_up().await;
    assert_eq!(anna.handle.connected().len(), 0);
    let refused = anna.handle.send(&key.peer_id_text(), Class::Votes, TEXT);
    assert_eq!(refused, Err(SendError::NotConnected));
}

/// Both nodes greet whoever connects with this mark, until each has heard it from the other; says
/// whether the first was told that the second had been away.
async fn greet(anna: &mut Node, bert: &mut Node, mark: u8) -> bool {
    let (mut heard, mut was_away) = ([false; 2], false);
    while heard != [true; 2] {
        let (event, at) = support::in_time(async {
            tokio::select! {
                event = anna.events.recv() => (event, 0),
                event = bert.events.recv() => (event, 1),
            }
        })
        .await;
        match event.expect("both networks run") {
            NetworkEvent::Connected(peer) => {
                let here = if at == 0 { &anna.handle } else { &bert.handle };
                let _gone_again = here.send(&peer, Class::Votes, Bytes::from(vec![mark]));
            }
            NetworkEvent::Disconnected(_) => was_away |= at == 0,
            NetworkEvent::Frame { bytes, .. } => heard[at] |= bytes == [mark].as_slice(),
            other @ NetworkEvent::Oversize { .. } => unreachable!("{other:?}"),
        }
    }
    was_away
}

#[tokio::test]
async fn a_restarted_peer_with_the_same_key_and_address_is_connected_again() {
    let (anna_key, bert_key) = (Keypair::generate(), Keypair::generate());
    let (anna_at, bert_at) = (own_address(), own_address());
    let anna_peers = vec![named(&bert_key, Some(address_text(bert_at)))];
    // One restarted peer dials, the other only waits to be dialled.
    for bert_dials in [Some(address_text(anna_at)), None] {
        let bert_peers = vec![named(&anna_key, bert_dials)];
        let mut anna = Node::start_at(&anna_key, anna_at, anna_peers.clone()).await;
        let mut bert = Node::start_at(&bert_key, bert_at, bert_peers.clone()).await;
        greet(&mut anna, &mut bert, 0).await;
        for mark in 1..4 {
            bert.handle.shutdown();
            bert.ended().await.expect("stopped as told");
            bert = Node::start_at(&bert_key, bert_at, bert_peers.clone()).await;
            assert!(
                greet(&mut anna, &mut bert, mark).await,
                "told to send again"
            );
        }
        anna.handle.shutdown();
        anna.ended().await.expect("stopped as told");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_stops_neither_votes_to_others_nor_its_own() {
    let mut nodes = mesh(3).await;
    let (mut slow, mut quick, anna) = (
        nodes.pop().expect("three"),
        nodes.pop().expect("three"),
        nodes.pop().expect("three"),
    );
    // Nobody takes the slow node's events while its bulk queues are kept full.
    let (mut flood, full) = (JoinSet::new(), Arc::new(Notify::new()));
    let both_full = full.clone();
    let (handle, to) = (anna.handle.clone(), slow.name());
    flood.spawn(async move {
        let parcel = Bytes::from(vec![7; Class::Parcels.frame_bytes_max()]);
        let blocks = Bytes::from(vec![7; Class::Sync.frame_bytes_max()]);
        loop {
            while handle.send(&to, Class::Parcels, parcel.clone()).is_ok() {}
            while handle.send(&to, Class::Sync, blocks.clone()).is_ok() {}
            both_full.notify_one();
            tokio::task::yield_now().await;
        }
    });
    support::in_time(full.notified()).await;
    for number in 0..200_u8 {
        let frame = Bytes::from(vec![number]);
        anna.handle
            .send(&quick.name(), Class::Votes, frame.clone())
            .expect("connected");
        assert_eq!(quick.frame().await.2, frame);
    }
    assert!(
        anna.handle.dropped(&slow.name(), Class::Parcels) > 0,
        "the queue was full"
    );
    assert_eq!(anna.handle.dropped(&slow.name(), Class::Votes), 0);
    anna.handle
        .send(&slow.name(), Class::Votes, TEXT)
        .expect("connected");
    // Behind bulk data that was received before, but not behind all that waits.
    let mut bulk = 0_usize;
    while slow.frame().await.1 != Class::Votes {
        bulk += 1;
    }
    assert!(bulk < 100, "{bulk} bulk frames came first");
    flood.shutdown().await;
}

#[tokio::test]
async fn a_line_that_goes_dead_is_noticed_and_replaced_whatever_waits_in_it() {
    let (anna_key, bert_key) = (Keypair::generate(), Keypair::generate());
    let anna_at = own_address();
    let mut anna = Node::start_at(&anna_key, anna_at, vec![named(&bert_key, None)]).await;
    let line = Line::to(anna_at).await;
    let through = named(&anna_key, Some(address_text(line.address)));
    let mut bert = Node::start(&bert_key, vec![through]).await;
    greet(&mut anna, &mut bert, 1).await;
    line.go_dead();
    for class in Class::ALL {
        // More than the windows and the system's buffers hold.
        let frame = Bytes::from(vec![7; class.frame_bytes_max()]);
        while anna.handle.dropped(&bert.name(), class) == 0 {
            let _full = anna.handle.send(&bert.name(), class, frame.clone());
        }
    }
    assert!(greet(&mut anna, &mut bert, 2).await, "told to send again");
}

#[tokio::test]
async fn a_frame_to_nobody_or_over_the_limit_is_an_error() {
    let peer = Keypair::generate();
    let anna = Node::start(&Keypair::generate(), vec![named(&peer, None)]).await;
    let (name, class) = (peer.peer_id_text(), Class::Votes);
    assert_eq!(
        anna.handle.send(&name, class, TEXT),
        Err(SendError::NotConnected)
    );
    assert_eq!(anna.handle.broadcast(class, TEXT), Ok(0));
    let len_bytes = class.frame_bytes_max() + 1;
    let long = Bytes::from(vec![0; len_bytes]);
    let too_long = SendError::TooLong { class, len_bytes };
    assert_eq!(
        anna.handle.send(&name, class, long.clone()),
        Err(too_long.clone())
    );
    assert_eq!(anna.handle.broadcast(class, long), Err(too_long));
    assert_eq!(anna.handle.dropped(&name, class), 0);
}

#[tokio::test]
async fn dropping_the_events_stops_the_network() {
    let (anna, mut bert) = pair().await;
    let name = anna.name();
    let Node {
        events, handle: _, ..
    } = anna;
    drop(events);
    assert_eq!(bert.event().await, NetworkEvent::Disconnected(name.clone()));
    assert_eq!(
        bert.handle.send(&name, Class::Votes, TEXT),
        Err(SendError::NotConnected)
    );
}

#[tokio::test]
async fn shutdown_ends_the_task_and_the_events() {
    let (mut anna, _bert) = pair().await;
    anna.handle.shutdown();
    assert_eq!(support::in_time(anna.events.recv()).await, None);
    anna.ended().await.expect("stopped as told");
}
