//! A bundle is in a block whole, or not at all: joined over all rollups' batches.

use std::collections::BTreeMap;

use cloverleaf_types::item::leg_hash;
use cloverleaf_types::{Block, ChainId, Manifest, Span, TransactionId, transaction_id};

use super::Violation;

/// Checks that the spans of all batches and the manifests of a block name the same legs.
///
/// # Errors
/// What is missing, moved or split.
pub fn check(block: &Block) -> Result<(), Violation> {
    let height = block.header.height;
    let broken = |what: String| Err(Violation::Atomicity { height, what });
    // By manifest and leg, over all rollups: which rollup, where.
    let mut legs: BTreeMap<(u32, u32), (ChainId, Span)> = BTreeMap::new();
    for batch in &block.batches {
        let mut free = 0;
        for span in batch.spans() {
            let chain_id = batch.header().chain_id;
            if span.first < free
                || span.count == 0
                || span.first + span.count > batch.header().count
            {
                return broken(format!(
                    "rollup {chain_id}: span {span:?} overlaps or is outside"
                ));
            }
            free = span.first + span.count;
            let place = (span.manifest, span.leg);
            if legs.insert(place, (chain_id, *span)).is_some() {
                return broken(format!("leg {place:?} is there twice"));
            }
        }
    }
    for (index, manifest) in (0_u32..).zip(&block.manifests) {
        check_manifest(block, index, manifest, &mut legs).or_else(broken)?;
    }
    match legs.first_key_value() {
        Some((place, _)) => broken(format!("span {place:?} belongs to no bundle")),
        None => Ok(()),
    }
}

fn check_manifest(
    block: &Block,
    index: u32,
    manifest: &Manifest,
    legs: &mut BTreeMap<(u32, u32), (ChainId, Span)>,
) -> Result<(), String> {
    if manifest.index != index || manifest.legs.is_empty() {
        return Err(format!("manifest {index} is numbered {}", manifest.index));
    }
    for (position, leg) in (0_u32..).zip(&manifest.legs) {
        let Some((chain_id, span)) = legs.remove(&(index, position)) else {
            return Err(format!("bundle {index} lacks its leg {position}"));
        };
        let place = (span.legs, span.first, span.count, chain_id);
        let count = u32::try_from(manifest.legs.len()).expect("a bundle has few legs");
        if place != (count, leg.first, leg.count, leg.chain_id) {
            return Err(format!("leg {position} of bundle {index} is elsewhere"));
        }
        let ids: Vec<TransactionId> = block
            .batch(chain_id)
            .into_iter()
            .flat_map(|batch| batch.transactions())
            .skip(usize::try_from(span.first).expect("a position"))
            .take(usize::try_from(span.count).expect("a count"))
            .map(|raw| transaction_id(raw))
            .collect();
        if leg_hash(chain_id, &ids) != leg.leg_hash {
            return Err(format!(
                "leg {position} of bundle {index} has other transactions"
            ));
        }
    }
    Ok(())
}
