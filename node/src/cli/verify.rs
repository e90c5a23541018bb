//! `trust` and `verify`: proofs that need no node.

use std::path::PathBuf;

use clap::Args;
use cloverleaf_api::json::Evidence;
use cloverleaf_client::{Error, Proven, RpcClient, advance_trust, load_trust, verify_proof};
use cloverleaf_types::{Secp256k1, TrustRoot};
use eyre::{Context as _, Result};
use serde_json::json;

use super::RpcArguments;
use super::runtime::runtime;
use crate::clock::now_ms;
use crate::exit::ExitCode;
use crate::misdeed;
use crate::terminal::{self, Format};

/// Whose trust root.
#[derive(Debug, Args)]
pub(super) struct TrustArguments {
    /// A trust root to go on from: the node is not believed, but has to show what the validators
    /// that this root knows have decided since.
    #[arg(long)]
    from: Option<PathBuf>,
    #[command(flatten)]
    rpc: RpcArguments,
}

/// What is checked against what.
#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// The proof, as `seq_getBundleProof` or `seq_getProof` answers it, or evidence against a validator,
    /// as `seq_getEvidence` does and as a node keeps it in `evidence/`.
    proof: PathBuf,
    /// The trust root, as `trust` writes it.
    #[arg(long)]
    trust: PathBuf,
}

/// Prints the trust root of the network behind a node: of its beginning, for which that node is
/// believed once; or of its present, proven from a root that is there already.
pub(super) fn trust(arguments: &TrustArguments, _format: Format) -> Result<ExitCode> {
    let client = RpcClient::new(&arguments.rpc.rpc)?;
    let trust = runtime()?.block_on(async {
        match &arguments.from {
            None => Ok::<_, eyre::Report>(client.network_info().await?.trust),
            Some(path) => Ok(advance_trust(&load_trust(path)?, &client, now_ms()).await?),
        }
    })?;
    let text = serde_json::to_string_pretty(&trust)?;
    // A trust root is a file for programs, whatever form was asked for.
    Format::Text.print(&trust, || text);
    Ok(ExitCode::OK)
}

/// Checks a proof, or evidence, offline.
pub(super) fn verify(arguments: &VerifyArguments, format: Format) -> Result<ExitCode> {
    let trust = load_trust(&arguments.trust)?;
    let proof = std::fs::read_to_string(&arguments.proof)
        .wrap_err_with(|| format!("reading {}", arguments.proof.display()))?;
    let value: serde_json::Value = serde_json::from_str(&proof).unwrap_or_default();
    if value.get("offender").is_some() {
        return Ok(verify_evidence(value, &trust, format));
    }
    match verify_proof(&proof, &trust, &Secp256k1, now_ms()) {
        Ok(proven) => {
            let (value, text) = describe(&proven);
            format.print(&value, || text);
            Ok(ExitCode::OK)
        }
        Err(error) => {
            let step = match &error {
                Error::Proof(failed) => failed.step(),
                _ => "format",
            };
            Ok(not_proven(step, &error, format))
        }
    }
}

fn verify_evidence(value: serde_json::Value, trust: &TrustRoot, format: Format) -> ExitCode {
    let evidence: Evidence = match serde_json::from_value(value) {
        Ok(evidence) => evidence,
        Err(error) => return not_proven("format", &error, format),
    };
    if let Err(doubt) = misdeed::verify(&evidence, trust) {
        return not_proven(doubt.step(), &doubt, format);
    }
    let Evidence {
        kind,
        offender,
        slot,
        ..
    } = &evidence;
    let value = json!({
        "valid": true, "kind": "evidence", "misdeed": kind, "offender": offender, "slot": slot,
    });
    format.print(&value, || {
        let deed = match evidence.signed.len() {
            1 => "signed a false mark",
            _ => "signed two",
        };
        format!("proven: validator {offender} {deed} ({kind})\n  {slot}")
    });
    ExitCode::OK
}

fn not_proven(step: &str, reason: &impl ToString, format: Format) -> ExitCode {
    let reason = reason.to_string();
    let value = json!({"valid": false, "step": step, "reason": reason});
    format.print(&value, || format!("NOT PROVEN, step {step}"));
    terminal::note(format_args!("{reason}"));
    ExitCode::FAILED
}

fn describe(proven: &Proven) -> (serde_json::Value, String) {
    match proven {
        Proven::Bundle(proof) => {
            let height = proof.header.height;
            let value = json!({
                "valid": true, "kind": "bundle", "bundleHash": proof.bundle_hash,
                "height": height, "legs": proof.manifest.legs,
            });
            let mut lines = vec![
                format!("proven: bundle {}", proof.bundle_hash),
                format!(
                    "  decided at height {height} by {} validators",
                    proof.certificate.signatures.len()
                ),
            ];
            for leg in &proof.manifest.legs {
                lines.push(format!(
                    "  rollup {}: batch {}, transactions {} to {}",
                    leg.chain_id,
                    leg.seq,
                    leg.first,
                    leg.first.saturating_add(leg.count).saturating_sub(1)
                ));
            }
            (value, lines.join("\n"))
        }
        Proven::Head(proof) => {
            let value = json!({
                "valid": true, "kind": "head", "head": proof.head, "height": proof.header.height,
            });
            let text = format!(
                "proven: batch {} is the head of rollup {} after height {}",
                proof.head.seq, proof.head.chain_id, proof.header.height
            );
            (value, text)
        }
    }
}
