//! What nodes say of each other and of themselves: no evidence against anybody who is correct, and
//! nothing that holds more than it may.

use cloverleaf_client::{Error, RpcClient};
use cloverleaf_replica::Misdeed;
use cloverleaf_types::{Address, Genesis, Secp256k1};
use tokio::runtime::Handle;

use super::audit::Network;
use super::{Counts, Watched, gauges};

/// Asks every node.
pub(super) fn judge(network: &Network, watched: &Watched, counts: &mut Counts, runtime: &Handle) {
    for (node, urls) in network.nodes.iter().enumerate() {
        let found = runtime.block_on(accusations(&urls.http, &network.genesis));
        let found = found.unwrap_or_else(|error| vec![(Address::ZERO, error.to_string())]);
        for (accused, what) in found {
            if network.faulty.contains(&accused) && what.is_empty() {
                counts.evidence += 1;
                continue;
            }
            let fault = format!("evidence: node {node} against {accused}: {what}");
            watched.lock().fail(fault);
        }
        counts.bounds += bounds(node, urls.metrics.as_deref(), watched);
    }
}

/// Whom a node has evidence against; with why it proves nothing, if it does not.
async fn accusations(http: &str, genesis: &Genesis) -> Result<Vec<(Address, String)>, Error> {
    let client = RpcClient::new(http)?;
    let mut found = Vec::new();
    for name in client.evidence_names().await? {
        let piece = client.evidence(&name.name).await?;
        let Some(piece) = piece else {
            found.push((name.offender, "what is listed is not there".to_owned()));
            continue;
        };
        let doubt = match Misdeed::decode(&piece.encoded.0) {
            Err(error) => error.to_string(),
            Ok(misdeed) if misdeed.network != genesis.network() => "another network's".to_owned(),
            Ok(misdeed) if misdeed.offender() != name.offender => "another's".to_owned(),
            Ok(misdeed) => match misdeed.verify(&Secp256k1) {
                Ok(()) => String::new(),
                Err(error) => error.to_string(),
            },
        };
        found.push((name.offender, doubt));
    }
    Ok(found)
}

/// Compares what everything that grows at a node holds with its limit; how many those are.
fn bounds(node: usize, metrics: Option<&str>, watched: &Watched) -> usize {
    let Some(url) = metrics else {
        return 0;
    };
    let held = match gauges::ask(url) {
        Ok(held) => held,
        Err(error) => {
            let fault = format!("bounds: node {node}'s metrics: {error}");
            watched.lock().fail(fault);
            return 0;
        }
    };
    for (name, held) in &held {
        if let Some(fault) = held.fault() {
            watched
                .lock()
                .fail(format!("bounds: node {node}, {name} {fault}"));
        }
    }
    held.len()
}
