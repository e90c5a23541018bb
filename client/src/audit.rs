//! Audits rollups: is every bundle whole in what they executed?
//!
//! The outputs of several rollups are joined by (height, manifest), which names a bundle on all of
//! them. What the outputs say must fit together by itself; with the manifests that the validators
//! decided, it must also be what was ordered: every leg present, once, in its place, in the batch
//! that its manifest names, with exactly its transactions.

mod collect;

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use cloverleaf_api::json::{BatchOutput, Span};
use cloverleaf_types::item::leg_hash;
use cloverleaf_types::{ChainId, Height, Manifest, ManifestLeg, TransactionId};

pub use collect::{EXECUTION_TIMEOUT_MS, Sources, collect};

/// Names a bundle on all its rollups: its block's height, and its index in the block.
pub type BundleName = (Height, u32);

/// Most legs of a bundle (B1): no output makes an audit look for more.
const LEGS_MAX: u32 = 16;

/// What an audit looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Every rollup's outputs, from its first batch on.
    pub outputs: BTreeMap<ChainId, Vec<BatchOutput>>,
    /// The bundles with a leg on these rollups that the validators decided; without them only the
    /// outputs are joined.
    pub manifests: Option<BTreeMap<BundleName, Manifest>>,
    /// Bundles above are not looked at: not all rollups are known so far.
    pub up_to: Height,
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Bundles of which every leg was checked. Zero means that nothing was audited.
    pub bundles_checked: usize,
    /// Bundles with a leg on a rollup that was not audited; their other legs were checked.
    pub bundles_elsewhere: usize,
    /// Batches looked at.
    pub batches: usize,
    /// What is wrong, by rollup and by bundle.
    pub violations: Vec<Violation>,
}

/// Something that must never be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A rollup skipped or repeated a batch.
    #[error("rollup {chain_id}: output {found} stands where batch {expected} belongs")]
    Batches {
        /// The rollup.
        chain_id: ChainId,
        /// The next batch.
        expected: u64,
        /// The output found.
        found: u64,
    },
    /// A batch is of no later block than the one before it.
    #[error("rollup {chain_id}: batch {seq} is not of a later block than the batch before it")]
    Heights {
        /// The rollup.
        chain_id: ChainId,
        /// The batch.
        seq: u64,
    },
    /// Spans overlap or lie outside their batch.
    #[error("rollup {chain_id}: the spans of batch {seq} overlap or lie outside the batch")]
    Spans {
        /// The rollup.
        chain_id: ChainId,
        /// The batch.
        seq: u64,
    },
    /// Legs of one bundle say different things of it.
    #[error("bundle {1} of height {0}: its legs disagree about it", .name.0, .name.1)]
    Disagreement {
        /// The bundle.
        name: BundleName,
    },
    /// A leg is nowhere.
    #[error("bundle {1} of height {0}: leg {leg} is missing", .name.0, .name.1)]
    LegMissing {
        /// The bundle.
        name: BundleName,
        /// The leg.
        leg: u32,
    },
    /// A leg is in several places.
    #[error("bundle {1} of height {0}: leg {leg} is in {count} places", .name.0, .name.1)]
    LegSplit {
        /// The bundle.
        name: BundleName,
        /// The leg.
        leg: u32,
        /// How many.
        count: usize,
    },
    /// A leg is not where its manifest says.
    #[error("bundle {1} of height {0}: leg {leg} is not where its manifest says", .name.0, .name.1)]
    LegMoved {
        /// The bundle.
        name: BundleName,
        /// The leg.
        leg: u32,
    },
    /// A leg holds other transactions than were ordered.
    #[error("bundle {1} of height {0}: leg {leg} holds other transactions", .name.0, .name.1)]
    LegChanged {
        /// The bundle.
        name: BundleName,
        /// The leg.
        leg: u32,
    },
    /// A rollup executed a bundle that was never decided.
    #[error("bundle {1} of height {0} was never decided", .name.0, .name.1)]
    Undecided {
        /// The bundle.
        name: BundleName,
    },
}

/// A leg as an output shows it.
struct Found<'a> {
    chain_id: ChainId,
    seq: u64,
    span: &'a Span,
    ids: Vec<TransactionId>,
}

type Joined<'a> = BTreeMap<BundleName, Vec<Found<'a>>>;

/// Audits the outputs: pure, and the same for the same evidence.
#[must_use]
pub fn audit(evidence: &Evidence) -> Report {
    let mut report = Report::default();
    let mut joined = Joined::new();
    for (chain_id, outputs) in &evidence.outputs {
        report.batches += outputs.len();
        check_sequence(*chain_id, outputs, &mut report.violations);
        for output in outputs
            .iter()
            .filter(|output| output.height <= evidence.up_to)
        {
            join(*chain_id, output, &mut joined, &mut report.violations);
        }
    }
    let decided = evidence.manifests.iter().flat_map(BTreeMap::keys);
    let decided = decided.filter(|name| name.0 <= evidence.up_to);
    let names: BTreeSet<BundleName> = joined.keys().chain(decided).copied().collect();
    for name in names {
        let found = joined.get(&name).map_or(&[][..], Vec::as_slice);
        check_bundle(name, found, evidence, &mut report);
    }
    report
}

fn check_sequence(chain_id: ChainId, outputs: &[BatchOutput], violations: &mut Vec<Violation>) {
    let mut last = (0, Height::GENESIS);
    for output in outputs {
        let (expected, found) = (last.0 + 1, output.seq);
        if found != expected || output.chain_id != chain_id {
            violations.push(Violation::Batches {
                chain_id,
                expected,
                found,
            });
        }
        if output.height <= last.1 {
            violations.push(Violation::Heights {
                chain_id,
                seq: output.seq,
            });
        }
        last = (output.seq, output.height);
    }
}

fn join<'a>(
    chain_id: ChainId,
    output: &'a BatchOutput,
    joined: &mut Joined<'a>,
    violations: &mut Vec<Violation>,
) {
    let seq = output.seq;
    let mut free = 0;
    for span in &output.spans {
        let ids = ids_of(output, span);
        if span.first < free || ids.is_none() {
            violations.push(Violation::Spans { chain_id, seq });
        }
        free = span.first.saturating_add(span.count);
        let found = Found {
            chain_id,
            seq,
            span,
            ids: ids.unwrap_or_default(),
        };
        joined
            .entry((output.height, span.manifest))
            .or_default()
            .push(found);
    }
}

/// The ids of a span that is not empty and lies in its batch.
fn ids_of(output: &BatchOutput, span: &Span) -> Option<Vec<TransactionId>> {
    let first = usize::try_from(span.first).ok()?;
    let end = first.checked_add(usize::try_from(span.count).ok()?)?;
    let outcomes = output
        .transactions
        .get(first..end)
        .filter(|outcomes| !outcomes.is_empty())?;
    Some(outcomes.iter().map(|outcome| outcome.hash()).collect())
}

fn check_bundle(name: BundleName, found: &[Found<'_>], evidence: &Evidence, report: &mut Report) {
    let violations = &mut report.violations;
    check_agreement(name, found, violations);
    let Some(manifests) = &evidence.manifests else {
        let legs = found.first().map_or(0, |leg| leg.span.legs.min(LEGS_MAX));
        for leg in 0..legs {
            find_leg(name, leg, found, violations);
        }
        report.bundles_checked += 1;
        return;
    };
    let Some(manifest) = manifests.get(&name) else {
        violations.push(Violation::Undecided { name });
        return;
    };
    let says_other = |hash: B256| hash != manifest.bundle_hash();
    if found
        .iter()
        .any(|leg| leg.span.bundle_hash.is_some_and(says_other))
    {
        violations.push(Violation::Disagreement { name });
    }
    let is_audited = |leg: &&ManifestLeg| evidence.outputs.contains_key(&leg.chain_id);
    for (leg, expected) in (0..).zip(&manifest.legs).filter(|(_, leg)| is_audited(leg)) {
        if let Some(found) = find_leg(name, leg, found, violations) {
            violations.extend(compare(name, leg, found, expected));
        }
    }
    if manifest.legs.iter().all(|leg| is_audited(&leg)) {
        report.bundles_checked += 1;
    } else {
        report.bundles_elsewhere += 1;
    }
}

/// What the legs say of their bundle is the same, each leg is one of it, and no two are on one
/// rollup (B1).
fn check_agreement(name: BundleName, found: &[Found<'_>], violations: &mut Vec<Violation>) {
    let legs: BTreeSet<u32> = found.iter().map(|leg| leg.span.legs).collect();
    let hashes: BTreeSet<B256> = found
        .iter()
        .filter_map(|leg| leg.span.bundle_hash)
        .collect();
    let rollups: BTreeSet<(ChainId, u32)> = found
        .iter()
        .map(|leg| (leg.chain_id, leg.span.leg))
        .collect();
    let chains: BTreeSet<ChainId> = rollups.iter().map(|(chain_id, _)| *chain_id).collect();
    let in_range = found
        .iter()
        .all(|leg| leg.span.leg < leg.span.legs && leg.span.legs <= LEGS_MAX);
    if legs.len() > 1 || hashes.len() > 1 || chains.len() != rollups.len() || !in_range {
        violations.push(Violation::Disagreement { name });
    }
}

/// B5: the leg, if it is in one place.
fn find_leg<'a, 'b>(
    name: BundleName,
    leg: u32,
    found: &'b [Found<'a>],
    violations: &mut Vec<Violation>,
) -> Option<&'b Found<'a>> {
    let mut places = found.iter().filter(|found| found.span.leg == leg);
    match (places.next(), places.count()) {
        (None, _) => violations.push(Violation::LegMissing { name, leg }),
        (Some(place), 0) => return Some(place),
        (Some(_), more) => violations.push(Violation::LegSplit {
            name,
            leg,
            count: more + 1,
        }),
    }
    None
}

fn compare(
    name: BundleName,
    leg: u32,
    found: &Found<'_>,
    expected: &ManifestLeg,
) -> Option<Violation> {
    let place = (
        found.chain_id,
        found.seq,
        found.span.first,
        found.span.count,
    );
    if place
        != (
            expected.chain_id,
            expected.seq,
            expected.first,
            expected.count,
        )
    {
        return Some(Violation::LegMoved { name, leg });
    }
    let is_same = leg_hash(found.chain_id, &found.ids) == expected.leg_hash;
    (!is_same).then_some(Violation::LegChanged { name, leg })
}

impl Report {
    /// True if something was checked and all of it is whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.violations.is_empty() && self.bundles_checked > 0
    }
}

#[cfg(test)]
mod tests;
