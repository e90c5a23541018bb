//! What one client may take of a node, at the limit and beyond it.

use std::net::SocketAddr;
use std::time::Duration;

use alloy_consensus::TxEip1559;
use alloy_primitives::Bytes;
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_mempool::pool::Limits;
use cloverleaf_testnet::hostile::http2::{
    END_HEADERS, END_STREAM, Http2, SUBMIT_STREAM, frame, headers, kind, message_prefix,
};
use cloverleaf_testnet::hostile::limits::{
    ARRIVING_BYTES_PER_ADDRESS_MAX, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX,
};
use cloverleaf_testnet::hostile::{Source, ended, websocket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use crate::grpc::submit;
use crate::network::{ALPHA, shared, start};
use crate::wallet::{Wallet, transfer};

/// The largest bundle, and room.
const GRPC_SUBMISSION_BYTES_MAX: usize = 320 * 1024;

/// What a `SubmitRequest` has beside its transaction: tags, a chain id, a length and a wait.
const SUBMIT_BYTES: usize = 3 + 4 + 2;

/// A message that is announced and does not come.
const HALF_SENT_BYTES: u32 = 300 * 1024;

/// What is not taken for so long is not taken.
const STILL: Duration = Duration::from_secs(1);

/// How long something that happens at once may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn grpc_submission_has_a_limit_at_what_a_bundle_needs() {
    let largest = GRPC_SUBMISSION_BYTES_MAX - SUBMIT_BYTES;
    for (bytes, code) in [
        (largest - 1, Code::InvalidArgument),
        (largest, Code::InvalidArgument),
        (largest + 1, Code::OutOfRange),
    ] {
        let raw = Bytes::from(vec![0xff; bytes]);
        let refused = submit(shared(), ALPHA, &raw, Wait::Received)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), code, "{bytes} bytes: {refused:?}");
    }
}

/// What comes back on a connection that asks for something.
async fn asked(stream: &mut TcpStream) -> std::io::Result<usize> {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await?;
    stream.read(&mut [0; 1024]).await
}

#[tokio::test]
async fn one_address_has_a_limit_of_open_connections() {
    let network = start("connections", Limits::default(), false);
    let address = network.http.authority();
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS_PER_ADDRESS_MAX {
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert!(asked(&mut stream).await.unwrap() > 0);
        open.push(stream);
    }
    let mut refused = TcpStream::connect(address).await.unwrap();
    assert!(
        matches!(asked(&mut refused).await, Ok(0) | Err(_)),
        "hung up on"
    );
    for stream in &mut open {
        assert!(asked(stream).await.unwrap() > 0, "those before go on");
    }
}

#[tokio::test]
async fn newcomer_is_served_when_few_addresses_have_taken_all_places() {
    let network = start("all-places", Limits::default(), false);
    let address: SocketAddr = network.http.authority().parse().unwrap();
    let source = Source::new(77);
    let greedy = CONNECTIONS_MAX / CONNECTIONS_PER_ADDRESS_MAX;
    let mut open = Vec::new();
    for number in 0..CONNECTIONS_MAX {
        open.push(source.connect(number % greedy, address).await.unwrap());
    }
    let mut last = open.pop().unwrap();
    // The last of them has come in, so all have.
    assert!(asked(&mut last).await.unwrap() > 0);
    let mut newcomer = TcpStream::connect(address).await.unwrap();
    assert!(asked(&mut newcomer).await.unwrap() > 0);
    // An address with the most has lost its newest, and that one alone; its end may be on its way.
    open.push(last);
    let is_over = |stream: &&TcpStream| matches!(stream.try_read(&mut [0; 8]), Ok(0));
    let lost = async {
        loop {
            let lost = open.iter().filter(is_over).count();
            if lost > 0 {
                return lost;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(tokio::time::timeout(DEADLINE, lost).await, Ok(1));
}

#[tokio::test]
async fn half_sent_messages_of_an_address_have_so_much_room_and_others_are_refused() {
    let network = start("half-sent", Limits::default(), false);
    let authority = network.grpc.trim_start_matches("http://");
    let stream = Source::new(78).connect(0, authority.parse().unwrap()).await;
    let mut connection = Http2::begin(stream.unwrap(), 65_535).await.unwrap();
    let bytes = usize::try_from(HALF_SENT_BYTES).unwrap();
    let kept = ARRIVING_BYTES_PER_ADDRESS_MAX / bytes;
    let count = kept + 20;
    for _ in 0..count {
        let call = connection.call(SUBMIT_STREAM).await.unwrap();
        let begun = frame(kind::DATA, 0, call, &message_prefix(HALF_SENT_BYTES));
        connection.write(&begun).await.unwrap();
    }
    let mut refused = 0;
    let refusals = async {
        while refused < count - kept {
            let frame = connection.next().await.unwrap();
            refused += usize::from(frame.kind == kind::HEADERS && frame.flags & END_STREAM != 0);
        }
    };
    tokio::time::timeout(DEADLINE, refusals).await.unwrap();
    // Another address has its own room.
    let raw = Wallet::new().signed(TxEip1559 {
        gas_limit: 10_000_000,
        input: Bytes::from(vec![7; 100_000]),
        ..transfer(ALPHA, 0)
    });
    submit(&network, ALPHA, &raw, Wait::Committed)
        .await
        .unwrap();
}

#[tokio::test]
async fn connection_that_resets_its_calls_is_ended() {
    let network = start("resets", Limits::default(), false);
    let authority = network.grpc.trim_start_matches("http://");
    let stream = TcpStream::connect(authority).await.unwrap();
    let mut connection = Http2::begin(stream, 65_535).await.unwrap();
    let headers = headers(SUBMIT_STREAM);
    let flood: Vec<u8> = (0..1_000)
        .flat_map(|number| {
            let stream = 2 * number + 1;
            let begun = frame(kind::HEADERS, END_HEADERS, stream, &headers);
            [begun, frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
        })
        .collect();
    let _hung_up_meanwhile = connection.write(&flood).await;
    assert!(ended(&mut connection.into_stream(), DEADLINE).await);
}

#[tokio::test]
async fn websocket_whose_pongs_are_not_read_is_not_read_either() {
    let network = start("pings", Limits::default(), false);
    let address: SocketAddr = network.http.authority().parse().unwrap();
    let source = Source::new(79);
    let mut stream = source.connect_with(0, address, Some(4096)).await.unwrap();
    websocket::open(&mut stream).await.unwrap();
    let pings = websocket::frame(websocket::FIN | websocket::PING, &[7; 125]).repeat(1_000);
    let mut sent = 0;
    // Until nothing more is taken; the system's buffers hold some megabytes for each side.
    while let Ok(taken) = tokio::time::timeout(STILL, stream.write_all(&pings)).await {
        taken.unwrap();
        sent += pings.len();
        assert!(
            sent < 24 * 1024 * 1024,
            "the node holds what it cannot send"
        );
    }
}
