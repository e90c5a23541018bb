//! What one client may take of a node, at the limit and beyond it.

use alloy_primitives::Bytes;
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_mempool::pool::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use crate::grpc::submit;
use crate::network::{ALPHA, shared, start};

/// The largest bundle, and room.
const GRPC_SUBMISSION_BYTES_MAX: usize = 320 * 1024;

/// What a `SubmitRequest` has beside its transaction: tags, a chain id, a length and a wait.
const SUBMIT_BYTES: usize = 3 + 4 + 2;

const CONNECTIONS_PER_ADDRESS_MAX: usize = 32;

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
