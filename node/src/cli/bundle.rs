//! `bundle`: cross-rollup bundles, sent, followed and proven.

use std::path::PathBuf;

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::coins_bip39::English;
use alloy_signer_local::{MnemonicBuilder, PrivateKeySigner};
use clap::{Args, Subcommand};
use cloverleaf_api::json::{BundleStatus, SendBundle, SendLeg};
use cloverleaf_client::RpcClient;
use cloverleaf_evm::DEV_MNEMONIC;
use cloverleaf_types::{Atomicity, ChainId};
use eyre::{Context as _, Result, bail, eyre};
use serde::Serialize;
use serde_json::{Value, json};

use super::RpcArguments;
use super::runtime::runtime;
use crate::clock::{now_ms, pause};
use crate::exit::ExitCode;
use crate::terminal::Format;

/// How long the demo waits for its bundle, in milliseconds: its lifetime, and some blocks.
const DEMO_TIMEOUT_MS: u64 = 15_000;

/// Between two looks at a bundle, in milliseconds.
const POLL_MS: u64 = 50;

/// What the demo sends on each rollup, in wei.
const DEMO_VALUE_WEI: u64 = 1_000_000_000_000_000_000;

/// What `bundle` can do.
#[derive(Debug, Subcommand)]
pub(super) enum BundleCommand {
    /// Send a bundle over both demo rollups, wait for it, and say where it landed.
    Demo(RpcArguments),
    /// Say what became of a bundle.
    Status(HashArguments),
    /// Fetch the proof that a bundle was placed whole.
    Proof(ProofArguments),
}

/// Which bundle.
#[derive(Debug, Args)]
pub(super) struct HashArguments {
    /// The bundle's hash.
    hash: B256,
    #[command(flatten)]
    rpc: RpcArguments,
}

/// Which proof, and where it goes.
#[derive(Debug, Args)]
pub(super) struct ProofArguments {
    /// The bundle's hash.
    hash: B256,
    /// The file to write; standard output when absent.
    #[arg(long, short)]
    out: Option<PathBuf>,
    #[command(flatten)]
    rpc: RpcArguments,
}

pub(super) fn run(command: BundleCommand, format: Format) -> Result<ExitCode> {
    runtime()?.block_on(async {
        match command {
            BundleCommand::Demo(rpc) => demo(&RpcClient::new(&rpc.rpc)?, format).await,
            BundleCommand::Status(arguments) => status(&arguments, format).await,
            BundleCommand::Proof(arguments) => proof(&arguments, format).await,
        }
    })
}

async fn status(arguments: &HashArguments, format: Format) -> Result<ExitCode> {
    let client = RpcClient::new(&arguments.rpc.rpc)?;
    let Some(status) = client.bundle_status(arguments.hash).await? else {
        bail!("this node does not know bundle {}", arguments.hash);
    };
    format.print(&status, || describe(&status));
    Ok(ExitCode::OK)
}

async fn proof(arguments: &ProofArguments, format: Format) -> Result<ExitCode> {
    let client = RpcClient::new(&arguments.rpc.rpc)?;
    let Some(proof) = client.bundle_proof(arguments.hash).await? else {
        bail!(
            "bundle {} is not committed, or not known to this node",
            arguments.hash
        );
    };
    let text = serde_json::to_string_pretty(&proof)? + "\n";
    match &arguments.out {
        Some(path) => {
            std::fs::write(path, text).wrap_err_with(|| format!("writing {}", path.display()))?;
            format.print(&json!({"out": path}), || {
                format!("wrote {}", path.display())
            });
        }
        None => Format::Text.print(&proof, || text.trim_end().to_owned()),
    }
    Ok(ExitCode::OK)
}

/// Where the demo's bundle landed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Landed {
    #[serde(flatten)]
    status: BundleStatus,
    blocks: Vec<Value>,
    milliseconds: u64,
}

async fn demo(client: &RpcClient, format: Format) -> Result<ExitCode> {
    let rollups: Vec<ChainId> = crate::home::DEMO_ROLLUPS
        .iter()
        .map(|(id, _)| ChainId(*id))
        .collect();
    let (alice, bob) = (dev_account(0)?, dev_account(1)?);
    let mut legs = Vec::new();
    for (chain_id, (from, to)) in rollups
        .iter()
        .zip([(&alice, bob.address()), (&bob, alice.address())])
    {
        let raw = transfer(&client.rollup(*chain_id)?, *chain_id, from, to).await?;
        legs.push(SendLeg {
            chain_id: *chain_id,
            txs: vec![raw],
        });
    }
    let bundle = SendBundle {
        legs,
        atomicity: Atomicity::Inclusion,
        min_height: None,
        max_height: None,
        min_timestamp: None,
        max_timestamp: None,
    };
    let sent_ms = now_ms();
    let sent = client.send_bundle(&bundle).await?;
    let status = committed(client, sent.bundle_hash, sent_ms).await?;
    let milliseconds = now_ms().saturating_sub(sent_ms);
    let mut blocks = Vec::new();
    for leg in &status.legs {
        let hash = leg
            .txs
            .first()
            .ok_or_else(|| eyre!("a leg without a transaction"))?;
        blocks.push(executed(&client.rollup(leg.chain_id)?, *hash, sent_ms).await?);
    }
    let landed = Landed {
        status,
        blocks,
        milliseconds,
    };
    format.print(&landed, || landed_text(&landed));
    Ok(ExitCode::OK)
}

async fn committed(client: &RpcClient, hash: B256, sent_ms: u64) -> Result<BundleStatus> {
    loop {
        if let Some(status) = client.bundle_status(hash).await?
            && status.progress.state.is_final()
        {
            if status.progress.height.is_none() {
                bail!("the bundle was not placed: {}", describe(&status));
            }
            return Ok(status);
        }
        in_time(sent_ms, "the bundle was not decided")?;
        pause(POLL_MS).await;
    }
}

/// The rollup's block that executed a transaction.
async fn executed(rollup: &RpcClient, hash: B256, sent_ms: u64) -> Result<Value> {
    loop {
        let receipt: Value = rollup
            .call("eth_getTransactionReceipt", json!([hash]))
            .await?;
        if !receipt.is_null() {
            if receipt["status"] != json!("0x1") {
                bail!("transaction {hash} was executed and reverted");
            }
            return Ok(json!({
                "blockNumber": receipt["blockNumber"],
                "transactionIndex": receipt["transactionIndex"],
            }));
        }
        in_time(sent_ms, "a rollup did not execute the bundle's leg")?;
        pause(POLL_MS).await;
    }
}

fn in_time(sent_ms: u64, what: &str) -> Result<()> {
    if now_ms().saturating_sub(sent_ms) > DEMO_TIMEOUT_MS {
        bail!("{what} within {DEMO_TIMEOUT_MS} ms; is the network running?");
    }
    Ok(())
}

/// A signed transfer of 1 ETH, ready to be a leg.
async fn transfer(
    rollup: &RpcClient,
    chain_id: ChainId,
    from: &PrivateKeySigner,
    to: Address,
) -> Result<Bytes> {
    let nonce: String = rollup
        .call(
            "eth_getTransactionCount",
            json!([from.address(), "pending"]),
        )
        .await?;
    let gas_price: String = rollup.call("eth_gasPrice", json!([])).await?;
    let transaction = TxEip1559 {
        chain_id: chain_id.0,
        nonce: quantity(&nonce)?,
        gas_limit: 21_000,
        max_fee_per_gas: u128::from(quantity(&gas_price)?).saturating_mul(2),
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(to),
        value: U256::from(DEMO_VALUE_WEI),
        ..TxEip1559::default()
    };
    let signature = from.sign_hash_sync(&transaction.signature_hash())?;
    let envelope = TxEnvelope::from(transaction.into_signed(signature));
    Ok(alloy_network::eip2718::Encodable2718::encoded_2718(&envelope).into())
}

fn quantity(text: &str) -> Result<u64> {
    cloverleaf_api::json::quantity::parse(text).ok_or_else(|| eyre!("{text} is no quantity"))
}

fn dev_account(index: u32) -> Result<PrivateKeySigner> {
    let builder = MnemonicBuilder::<English>::default().phrase(DEV_MNEMONIC);
    Ok(builder.index(index)?.build()?)
}

fn describe(status: &BundleStatus) -> String {
    let progress = &status.progress;
    let mut text = format!("bundle {}  {}", status.bundle_hash, progress.state);
    if let Some(reason) = &progress.reason {
        text.push_str(&format!(" ({reason})"));
    }
    if let Some(height) = progress.height {
        text.push_str(&format!(" at height {height}"));
    }
    text
}

fn landed_text(landed: &Landed) -> String {
    let mut lines = vec![format!(
        "{} after {} ms",
        describe(&landed.status),
        landed.milliseconds
    )];
    for (leg, block) in landed.status.legs.iter().zip(&landed.blocks) {
        let number = block["blockNumber"]
            .as_str()
            .and_then(|text| quantity(text).ok());
        lines.push(format!(
            "  rollup {}: batch {}, block {}, transaction {}",
            leg.chain_id,
            leg.seq.unwrap_or_default(),
            number.unwrap_or_default(),
            leg.txs.first().copied().unwrap_or_default()
        ));
    }
    lines.push(format!(
        "prove it: cloverleaf bundle proof {} -o proof.json",
        landed.status.bundle_hash
    ));
    lines.join("\n")
}
