//! Tests of an embedded rollup around its chain.

use std::time::Duration;

use cloverleaf_types::{B256, Head, Height, TrustRoot, Validator, ValidatorSet};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

/// How long anything may take that takes milliseconds.
const SOON: Duration = Duration::from_secs(30);

/// Connections of one address, and one more.
const TOO_MANY: usize = 33;

fn root() -> TrustRoot {
    let network = B256::repeat_byte(1);
    let validator = Validator {
        address: Address::repeat_byte(7),
        power: 1,
        peer_id: "peer".to_owned(),
    };
    TrustRoot {
        network,
        height: Height::GENESIS,
        time_ms: 0,
        trust_period_ms: u64::MAX,
        validators: ValidatorSet::new(vec![validator]).unwrap(),
        scheduled: Vec::new(),
        control: Head::empty(network, ChainId::CONTROL),
    }
}

#[tokio::test]
async fn rollups_own_port_hangs_up_on_an_address_that_has_too_many_connections() {
    let dir = tempfile::tempdir().unwrap();
    let rollup = Embedded::start(EmbeddedConfig {
        chain_id: ChainId(901),
        dir: dir.path().to_owned(),
        address: ([127, 0, 0, 1], 0).into(),
        genesis_time_s: 0,
        faucet: None,
        trust: KeptTrust::open(dir.path(), root(), None).unwrap(),
        upstreams: vec!["http://127.0.0.1:1".to_owned()],
        sequencer: None,
    });
    let rollup = rollup.await.unwrap();
    let address = rollup.url().strip_prefix("http://").unwrap();
    let mut connections = Vec::new();
    for _ in 0..TOO_MANY {
        connections.push(TcpStream::connect(address).await.unwrap());
    }
    let last = connections.last_mut().unwrap();
    let mut answer = [0; 1];
    let ended = timeout(SOON, last.read(&mut answer)).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
    drop(connections);
    rollup.stop().await;
}
