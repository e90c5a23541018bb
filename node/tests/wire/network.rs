//! Networks that run beside the tests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::mpsc::sync_channel;

use cloverleaf_mempool::pool::Limits;
use cloverleaf_types::ChainId;
use tokio::net::TcpListener;

use crate::endpoint::Http;
use crate::node::{TestNode, TestOptions};
use crate::overlay;

/// The rollup whose execution RPC is the stub.
pub(crate) const ALPHA: u64 = 901;

/// The rollup whose execution RPC does not answer.
pub(crate) const BETA: u64 = 902;

/// A rollup without an execution RPC.
pub(crate) const GAMMA: u64 = 905;

/// A rollup whose transactions only itself understands.
pub(crate) const OPAQUE: u64 = 77;

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:1";

/// Where a network is asked.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) http: Http,
    pub(crate) grpc: String,
    /// Metrics and health.
    pub(crate) metrics: Http,
}

/// The network that most tests share.
pub(crate) fn shared() -> &'static Network {
    static SHARED: LazyLock<Network> = LazyLock::new(|| start("shared", Limits::default(), true));
    &SHARED
}

/// A network of its own, for as long as the tests run.
pub(crate) fn start(name: &'static str, limits: Limits, faucet: bool) -> Network {
    let (started, starting) = sync_channel(1);
    let run = move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let node = start_node(name, limits, faucet).await;
            started.send(Network::of(&node)).unwrap();
            std::future::pending::<()>().await;
        });
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .unwrap();
    starting.recv().expect("the network starts")
}

/// A node in the caller's runtime, to be stopped by it.
pub(crate) async fn start_node(name: &str, limits: Limits, faucet: bool) -> TestNode {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("wire-{name}"));
    let _new = std::fs::remove_dir_all(&dir);
    let stub = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stub_url = format!("http://{}", stub.local_addr().unwrap());
    serve_for_ever(stub);
    let executions = BTreeMap::from([
        (ChainId(ALPHA), stub_url),
        (ChainId(BETA), NOBODY.to_owned()),
    ]);
    TestNode::start(TestOptions {
        dir,
        limits,
        executions,
        keep_heights: 0,
        faucet,
    })
    .await
    .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
fn serve_for_ever(stub: TcpListener) {
    tokio::spawn(async move { axum::serve(stub, overlay::stub()).await });
}

impl Network {
    pub(crate) fn of(node: &TestNode) -> Self {
        Self {
            http: Http::new(&node.http_url),
            grpc: node.grpc_url.clone(),
            metrics: Http::new(&node.metrics_url),
        }
    }
}
