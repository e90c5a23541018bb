//! Signing and sending control transactions (S1), for the commands that change the network.

use std::path::PathBuf;

use alloy_primitives::Bytes;
use clap::Args;
use cloverleaf_api::State;
use cloverleaf_api::json::{Quantity, TransactionStatus};
use cloverleaf_client::RpcClient;
use cloverleaf_consensus::LocalSigner;
use cloverleaf_types::control::typed_data::TypedData;
use cloverleaf_types::{Action, Address, ChainId, ControlDraft, ControlTransaction, Signer as _};
use eyre::{Result, bail, eyre};
use serde::Serialize;
use serde_json::json;

use super::RpcArguments;
use crate::clock::{now_ms, pause};
use crate::exit::ExitCode;
use crate::home::read_signer;
use crate::terminal::Format;

/// How long a command waits, in milliseconds, until its change is in a block.
const TIMEOUT_MS: u64 = 30_000;

/// How often it asks, in milliseconds.
const POLL_MS: u64 = 50;

/// Who signs a change, and where it is sent.
#[derive(Debug, Args)]
pub(super) struct ControlArguments {
    /// The file with the signer's key in hex, mode 600: the network's authority's, or for a
    /// rollup's own entry its operator's.
    #[arg(long, required_unless_present = "signer")]
    key: Option<PathBuf>,
    /// Only print the EIP-712 typed data to sign elsewhere; send nothing.
    #[arg(long)]
    typed_data: bool,
    /// Who signs it elsewhere, where there is no key here.
    #[arg(
        long,
        value_name = "ADDRESS",
        requires = "typed_data",
        conflicts_with = "key"
    )]
    signer: Option<Address>,
    #[command(flatten)]
    rpc: RpcArguments,
}

/// A change that is in a block.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    signer: Address,
    nonce: u64,
    action: Action,
    #[serde(flatten)]
    status: TransactionStatus,
}

impl ControlArguments {
    /// The node that is asked.
    pub(super) fn client(&self) -> Result<RpcClient> {
        Ok(RpcClient::new(&self.rpc.rpc)?)
    }

    /// Who signs.
    pub(super) fn signer(&self) -> Result<Address> {
        match self.signer {
            Some(elsewhere) => Ok(elsewhere),
            None => Ok(self.read_signer()?.address()),
        }
    }

    fn read_signer(&self) -> Result<LocalSigner> {
        let key = self.key.as_ref();
        read_signer(key.ok_or_else(|| eyre!("--key FILE is missing: nothing can be signed"))?)
    }

    /// Signs the action, sends it, and waits until it is in a block.
    pub(super) async fn enact(&self, action: Action, format: Format) -> Result<ExitCode> {
        let client = self.client()?;
        let signer = self.signer()?;
        let info = client.network_info().await?;
        let Quantity(nonce) = client.call("seq_getControlNonce", json!([signer])).await?;
        let draft = ControlDraft { nonce, action };
        if self.typed_data {
            let typed = TypedData::of(&draft, info.network);
            format.print(&typed, || json!(typed).to_string());
            return Ok(ExitCode::OK);
        }
        let signer = self.read_signer()?;
        let transaction = ControlTransaction::sign(draft, info.network, &signer).into_inner();
        let raw = Bytes::from(transaction.encode());
        let _received: TransactionStatus = client
            .call("seq_sendTransaction", json!([Quantity(0), raw]))
            .await?;
        let status = decided(&client, &transaction).await?;
        let changed = Changed {
            signer: transaction.signer,
            nonce,
            action: transaction.draft.action,
            status,
        };
        format.print(&changed, || text(&changed));
        Ok(ExitCode::OK)
    }
}

/// Waits until the transaction is in a block.
async fn decided(
    client: &RpcClient,
    transaction: &ControlTransaction,
) -> Result<TransactionStatus> {
    let (id, sent_ms) = (transaction.id(), now_ms());
    loop {
        let name = json!([id, Quantity(ChainId::CONTROL.0)]);
        let status: Option<TransactionStatus> =
            client.call("seq_getTransactionStatus", name).await?;
        if let Some(status) = status.filter(|status| status.progress.state.is_final()) {
            if status.progress.state == State::Committed {
                return Ok(status);
            }
            let reason = status.progress.reason.unwrap_or_default();
            bail!(
                "the change was not made: {} {reason}; look at the network's state and sign it \
                 again",
                status.progress.state
            );
        }
        if now_ms().saturating_sub(sent_ms) > TIMEOUT_MS {
            bail!(
                "transaction {id} is not in a block after {TIMEOUT_MS} ms; it may still come: \
                 is the network running?"
            );
        }
        pause(POLL_MS).await;
    }
}

fn text(changed: &Changed) -> String {
    let height = changed.status.progress.height.unwrap_or_default();
    let what = match &changed.action {
        Action::RegisterRollup(rollup) => format!("rollup {} is registered", rollup.chain_id),
        Action::ChangeRollup(rollup) => format!("rollup {} is changed", rollup.chain_id),
        Action::SetRollupStatus { chain_id, status } => {
            format!("rollup {chain_id} is {}", status.text())
        }
        Action::ScheduleValidator(change) if change.power == 0 => format!(
            "validator {} leaves at height {}",
            change.address, change.effective
        ),
        Action::ScheduleValidator(change) => format!(
            "validator {} has power {} from height {}",
            change.address, change.power, change.effective
        ),
        Action::SetParameters(_) => "the parameters are set".to_owned(),
    };
    format!("{what}: block {height}, nonce {}", changed.nonce)
}
