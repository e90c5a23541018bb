//! A `cloverleaf dev` of its own: started by path, in its own directory, on its own ports.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use alloy_primitives::Address;
use cloverleaf_api::json::FaucetRequest;
use cloverleaf_client::rpc::RpcClient;
use cloverleaf_types::ChainId;
use eyre::{Result, WrapErr as _, ensure, eyre};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// Time for the network to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Time for it to answer, or to come to rest.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How often it is asked whether something has happened.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The rollups of a dev network.
pub(crate) const ROLLUPS: [ChainId; 2] = [ChainId(901), ChainId(902)];

/// A running network. Dropping it kills its process.
pub(crate) struct DevNetwork {
    child: Child,
    dir: TempDir,
    pub(crate) rpc: RpcClient,
    /// The gRPC endpoints of all validators.
    pub(crate) grpc: Vec<String>,
    pub(crate) block_time_ms: u64,
}

impl DevNetwork {
    /// Starts a copy of the program at `binary`, so that nobody changes it meanwhile.
    pub(crate) async fn start(
        binary: &Path,
        port_base: u16,
        block_time_ms: Option<u64>,
    ) -> Result<Self> {
        let dir = crate::machine::directory()?;
        let program = dir.path().join("cloverleaf");
        std::fs::copy(binary, &program).wrap_err_with(|| format!("{}", binary.display()))?;
        let mut command = Command::new(&program);
        command.args(["--json", "dev", "--port-base", &port_base.to_string()]);
        command.arg("--data").arg(dir.path().join("data"));
        if let Some(block_time_ms) = block_time_ms {
            command.args(["--block-time-ms", &block_time_ms.to_string()]);
        }
        let log = File::create(dir.path().join("log"))?;
        command
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or_else(|| eyre!("no output"))?;
        let mut lines = BufReader::new(output).lines();
        let ready = timeout(START_TIMEOUT, lines.next_line()).await??;
        let ready = ready.ok_or_else(|| eyre!("the network did not start: {}", log_of(&dir)))?;
        let ready: Value = serde_json::from_str(&ready)?;
        let validators = ready["validators"].as_array().cloned().unwrap_or_default();
        let mut grpc = Vec::new();
        for validator in &validators {
            let rpc = RpcClient::new(validator.as_str().unwrap_or_default())?;
            let info = rpc.network_info().await?;
            grpc.push(info.grpc.ok_or_else(|| eyre!("no gRPC at {}", rpc.url()))?);
        }
        let rpc = RpcClient::new(ready["rpc"].as_str().unwrap_or_default())?;
        let block_time_ms = rpc.network_info().await?.parameters.block_time_ms;
        Ok(Self {
            child,
            dir,
            rpc,
            grpc,
            block_time_ms,
        })
    }

    /// Its process.
    pub(crate) fn process(&self) -> Result<u32> {
        let id = self.child.id();
        id.ok_or_else(|| eyre!("the network has ended: {}", log_of(&self.dir)))
    }

    /// The latest decided height.
    pub(crate) async fn height(&self) -> Result<u64> {
        Ok(self.rpc.network_info().await?.height.0)
    }

    /// Gives accounts something to spend, and waits until it is theirs.
    pub(crate) async fn fund(&self, accounts: &[(ChainId, Address)]) -> Result<()> {
        for (chain_id, address) in accounts {
            let request = FaucetRequest {
                chain_id: *chain_id,
                address: *address,
            };
            let give = async {
                // The faucet's own account has a limit of what is undecided.
                while self.rpc.faucet(&request).await.is_err() {
                    sleep(POLL_INTERVAL).await;
                }
            };
            timeout(SETTLE_TIMEOUT, give)
                .await
                .wrap_err("the faucet gives nothing")?;
        }
        self.rest().await
    }

    /// Waits until both rollups have executed all that was decided, and nothing more comes.
    pub(crate) async fn rest(&self) -> Result<()> {
        let rest = async {
            loop {
                let mut rested = true;
                for chain_id in ROLLUPS {
                    let head = self.rpc.head(chain_id).await?.seq;
                    let wallet = self.rpc.rollup(chain_id)?;
                    let number: String = wallet
                        .call("eth_blockNumber", Value::Array(Vec::new()))
                        .await?;
                    rested &= number == format!("{head:#x}");
                }
                if rested {
                    return Ok(());
                }
                sleep(POLL_INTERVAL).await;
            }
        };
        timeout(SETTLE_TIMEOUT, rest)
            .await
            .wrap_err("the rollups do not catch up")?
    }

    /// Stops it as Ctrl-C does, and returns what it complained about.
    pub(crate) async fn stop(mut self) -> Result<String> {
        let process = self.process()?.to_string();
        Command::new("kill").arg(&process).status().await?;
        let ended = timeout(SETTLE_TIMEOUT, self.child.wait())
            .await
            .wrap_err("it does not stop")??;
        ensure!(ended.success(), "the network failed: {}", log_of(&self.dir));
        Ok(log_of(&self.dir))
    }
}

fn log_of(dir: &TempDir) -> String {
    std::fs::read_to_string(dir.path().join("log")).unwrap_or_default()
}
