//! Light verification of a stream: pure, in two halves.
//!
//! [`check`] looks at one item alone and does the heavy work (hashes, signatures); it can run on any
//! thread. [`Chain`] puts checked items in order and yields a batch once it, or one after it, is
//! proven:
//!
//! ```text
//!   seq    7        8        9 + proof     10 + proof
//!          held     held     yields 7,8,9  yields 10
//! ```

use alloy_primitives::B256;
use cloverleaf_api::proto::stream::v1::BatchItem;
use cloverleaf_api::wire::{self, BlockProof, BundleInclusion};
use cloverleaf_types::head::Head;
use cloverleaf_types::item::leg_hash;
use cloverleaf_types::limits::BRANCH_STEPS_MAX;
use cloverleaf_types::merkle::root_of_branch;
use cloverleaf_types::proof::HeadProof;
use cloverleaf_types::signature::Recover;
use cloverleaf_types::{Batch, ChainId, Header, Manifest, Span, TrustRoot, Verified};
use cloverleaf_types::{TransactionId, transaction_id};

use crate::error::ItemFault;

/// Most batches that wait for a proof: with one in a hundred proven there is room for ten misses.
pub const UNPROVEN_BATCHES_MAX: usize = 1_024;

/// A batch that the trusted validators decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBatch {
    /// The batch.
    pub batch: Verified<Batch>,
    /// The manifest of each span, in order; nothing when the batch came without a proof of its own,
    /// since then nothing is proven about bundles.
    pub bundles: Option<Vec<Manifest>>,
}

/// An item of which everything was checked that can be seen in it alone.
#[derive(Clone, Debug)]
pub struct Checked {
    batch: VerifiedBatch,
    is_proven: bool,
}

/// A rollup's batches in order, up to the last proven one.
#[derive(Clone, Debug)]
pub struct Chain {
    head: Head,
    unproven: Vec<VerifiedBatch>,
}

impl VerifiedBatch {
    /// The bundle of each span, in order, if the batch came with a proof of its own.
    #[must_use]
    pub fn bundle_hashes(&self) -> Option<Vec<B256>> {
        let manifests = self.bundles.as_ref()?.iter();
        Some(manifests.map(Manifest::bundle_hash).collect())
    }
}

/// Checks an item alone: its body, and if it has one its proof and its bundles.
///
/// # Errors
/// The first thing that is not so; the upstream is at fault.
pub fn check(
    item: BatchItem,
    chain_id: ChainId,
    trust: &TrustRoot,
    recover: &dyn Recover,
) -> Result<Checked, ItemFault> {
    let item = wire::decode_item(item)?;
    let batch = item.batch.verify()?; // M2: every id again
    let found = batch.header().chain_id;
    if found != chain_id {
        return Err(ItemFault::WrongRollup {
            found,
            expected: chain_id,
        });
    }
    let Some(proof) = item.proof else {
        let batch = VerifiedBatch {
            batch,
            bundles: None,
        };
        return Ok(Checked {
            batch,
            is_proven: false,
        });
    };
    let header = check_proof(&batch, proof, trust, recover)?;
    let bundles = check_bundles(&batch, item.bundles, &header)?;
    let batch = VerifiedBatch {
        batch,
        bundles: Some(bundles),
    };
    Ok(Checked {
        batch,
        is_proven: true,
    })
}

/// M3: the trusted validators decided the batch's own block, after which the batch is the head.
fn check_proof(
    batch: &Batch,
    proof: BlockProof,
    trust: &TrustRoot,
    recover: &dyn Recover,
) -> Result<Header, ItemFault> {
    let proof = HeadProof {
        head: Head::of(batch.header()),
        header: proof.header,
        certificate: proof.certificate,
        branch: proof.head_branch,
    };
    proof.verify(trust, recover)?;
    let (batch, header) = (batch.header(), proof.header);
    let is_own = batch.height == header.height
        && batch.timestamp_ms == header.timestamp_ms
        && batch.l1 == header.l1;
    if is_own {
        Ok(header)
    } else {
        Err(ItemFault::WrongBlock {
            batch: batch.height,
            proof: header.height,
        })
    }
}

/// B5, M1: every span is a leg of a bundle of this block, in the place that its manifest names.
fn check_bundles(
    batch: &Batch,
    bundles: Vec<BundleInclusion>,
    header: &Header,
) -> Result<Vec<Manifest>, ItemFault> {
    let spans = batch.spans();
    if bundles.len() != spans.len() {
        let span = bundles.len().min(spans.len());
        return Err(ItemFault::Bundle {
            span,
            part: "number",
        });
    }
    let check = |(position, (span, bundle)): (usize, (&Span, BundleInclusion))| match bundle_fault(
        batch, span, &bundle, header,
    ) {
        None => Ok(bundle.manifest),
        Some(part) => Err(ItemFault::Bundle {
            span: position,
            part,
        }),
    };
    spans.iter().zip(bundles).enumerate().map(check).collect()
}

fn bundle_fault(
    batch: &Batch,
    span: &Span,
    bundle: &BundleInclusion,
    header: &Header,
) -> Option<&'static str> {
    let BundleInclusion { manifest, branch } = bundle;
    let root = root_of_branch(manifest.leaf_hash(), branch);
    if branch.len() > BRANCH_STEPS_MAX || root != header.bundles_root {
        return Some("branch");
    }
    let (Ok(position), Ok(legs)) = (usize::try_from(span.leg), usize::try_from(span.legs)) else {
        return Some("place");
    };
    let leg = manifest.legs.get(position).filter(|leg| {
        let at = (leg.chain_id, leg.seq, leg.first, leg.count);
        at == (
            batch.header().chain_id,
            batch.header().seq,
            span.first,
            span.count,
        )
    });
    let Some(leg) = leg.filter(|_| manifest.index == span.manifest && manifest.legs.len() == legs)
    else {
        return Some("place");
    };
    let ids = ids_of(batch, span);
    (leg_hash(leg.chain_id, &ids) != leg.leg_hash).then_some("transactions")
}

/// The ids of a span, which lies in the batch: `Batch::verify` saw to that.
fn ids_of(batch: &Batch, span: &Span) -> Vec<TransactionId> {
    let first = usize::try_from(span.first).unwrap_or(usize::MAX);
    let count = usize::try_from(span.count).unwrap_or(usize::MAX);
    let transactions = batch.transactions().iter().skip(first).take(count);
    transactions.map(|raw| transaction_id(raw)).collect()
}

impl Chain {
    /// A chain that goes on from a head: [`Head::empty`] for a rollup's beginning.
    #[must_use]
    pub fn new(head: Head) -> Self {
        Self {
            head,
            unproven: Vec::new(),
        }
    }

    /// The last proven batch.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The batch to ask for when a stream begins.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.head.seq + 1
    }

    /// Forgets the batches that wait for a proof: their upstream is left.
    pub fn forget_unproven(&mut self) {
        self.unproven.clear();
    }

    /// Takes the next item, and yields what it proves: itself and all that waited before it.
    ///
    /// # Errors
    /// It is not next, or does not follow; the chain is as before, without what waited if that may
    /// be at fault.
    pub fn extend(&mut self, item: Checked) -> Result<Vec<VerifiedBatch>, ItemFault> {
        let Checked { batch, is_proven } = item;
        let header = batch.batch.header();
        let tip = self
            .unproven
            .last()
            .map_or(self.head, |last| Head::of(last.batch.header()));
        let (expected, found) = (tip.seq + 1, header.seq);
        if found != expected {
            return Err(ItemFault::OutOfOrder { expected, found });
        }
        if header.prev_batch_hash != tip.batch_hash {
            let fault = self.unchained(&batch, is_proven);
            self.forget_unproven();
            return Err(fault);
        }
        if !is_proven && self.unproven.len() == UNPROVEN_BATCHES_MAX {
            self.forget_unproven();
            return Err(ItemFault::Unproven {
                count: UNPROVEN_BATCHES_MAX,
            });
        }
        let head = Head::of(header);
        self.unproven.push(batch);
        if !is_proven {
            return Ok(Vec::new());
        }
        self.head = head;
        Ok(std::mem::take(&mut self.unproven))
    }

    /// A proven batch that does not follow a proven one is more than an upstream's lie.
    fn unchained(&self, batch: &VerifiedBatch, is_proven: bool) -> ItemFault {
        let header = batch.batch.header();
        if is_proven && self.unproven.is_empty() {
            let (seq, decided) = (header.seq, header.prev_batch_hash);
            ItemFault::Contradiction {
                seq,
                decided,
                held: self.head.batch_hash,
            }
        } else {
            ItemFault::NotChained { seq: header.seq }
        }
    }
}

#[cfg(test)]
mod tests;
