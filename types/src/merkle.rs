//! Merkle trees in RFC 6962 form over SHA-256 (M2).
//!
//! ```text
//! leaf = SHA-256(0x00 ‖ data)      node = SHA-256(0x01 ‖ left ‖ right)      empty = SHA-256()
//! ```
//! A leaf's data contains its key (a chain id, a manifest's index), so a branch proves what it says
//! without naming a position: it is only the siblings from the leaf up, each with its side.

mod climb;

use alloy_primitives::B256;
use alloy_rlp::{RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use climb::Climb;

/// What stands before a leaf's data when it is hashed.
pub(crate) const LEAF: u8 = 0;

/// One step from a leaf towards the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(rename_all = "camelCase")]
pub struct BranchStep {
    /// The sibling is the left child.
    pub left: bool,
    /// The sibling's hash.
    pub sibling: B256,
}

/// The siblings from a leaf up to the root.
pub type Branch = Vec<BranchStep>;

/// The hash of a leaf.
#[must_use]
pub fn leaf_hash(data: &[u8]) -> B256 {
    B256::from_slice(
        &Sha256::new()
            .chain_update([LEAF])
            .chain_update(data)
            .finalize(),
    )
}

/// The hashes of leaves whose data are 32 bytes each.
#[must_use]
pub fn leaf_hashes(data: &[B256]) -> Vec<B256> {
    cloverleaf_hashing::leaves(data)
}

/// The root that a leaf and its branch lead to.
#[must_use]
pub fn root_of_branch(leaf: B256, branch: &[BranchStep]) -> B256 {
    branch.iter().fold(leaf, parent)
}

/// The root over leaves that are needed only once.
#[must_use]
pub fn root(mut level: Vec<B256>) -> B256 {
    if level.is_empty() {
        return empty_root();
    }
    while level.len() > 1 {
        level = cloverleaf_hashing::parents(&level);
    }
    level[0]
}

/// A tree that is kept: changing a leaf costs one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Level 0 holds the leaves; an odd last node rises unchanged.
    levels: Vec<Vec<B256>>,
}

impl Tree {
    /// Builds the tree over leaf hashes.
    #[must_use]
    pub fn new(leaves: Vec<B256>) -> Self {
        let mut levels = vec![leaves];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            let above = cloverleaf_hashing::parents(level);
            levels.push(above);
        }
        Self { levels }
    }

    /// The number of leaves.
    #[must_use]
    pub fn len(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// True without a leaf.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.levels
            .last()
            .and_then(|level| level.first())
            .copied()
            .unwrap_or_else(empty_root)
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: B256) {
        let mut leaves = self.levels.first().cloned().unwrap_or_default();
        leaves.push(leaf);
        *self = Self::new(leaves);
    }

    /// Replaces a leaf and the path above it.
    ///
    /// # Panics
    /// There is no such leaf: the caller owns the index.
    pub fn set(&mut self, index: usize, leaf: B256) {
        let mut position = index;
        let mut node = leaf;
        for height in 0..self.levels.len() {
            self.levels[height][position] = node;
            let level = &self.levels[height];
            let first = position & !1;
            node = match level.get(first + 1) {
                Some(right) => node_hash(level[first], *right),
                None => level[first],
            };
            position /= 2;
        }
    }

    /// The branch of a leaf, or nothing if there is no such leaf.
    #[must_use]
    pub fn branch(&self, index: usize) -> Option<Branch> {
        if index >= self.len() {
            return None;
        }
        let mut position = index;
        let mut branch = Branch::new();
        for level in &self.levels {
            if let Some(sibling) = level.get(position ^ 1) {
                branch.push(BranchStep {
                    left: position % 2 == 1,
                    sibling: *sibling,
                });
            }
            position /= 2;
        }
        Some(branch)
    }
}

/// The node above one, on its way to the root.
fn parent(node: B256, step: &BranchStep) -> B256 {
    if step.left {
        node_hash(step.sibling, node)
    } else {
        node_hash(node, step.sibling)
    }
}

fn node_hash(left: B256, right: B256) -> B256 {
    let digest = Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize();
    B256::from_slice(&digest)
}

fn empty_root() -> B256 {
    B256::from_slice(&Sha256::digest([]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 6962's own definition: split at the largest power of two below the length.
    fn recursive_root(leaves: &[B256]) -> B256 {
        match leaves.len() {
            0 => empty_root(),
            1 => leaves[0],
            length => {
                let split = length.next_power_of_two() / 2;
                node_hash(
                    recursive_root(&leaves[..split]),
                    recursive_root(&leaves[split..]),
                )
            }
        }
    }

    fn leaves(count: usize) -> Vec<B256> {
        (0..count)
            .map(|index| leaf_hash(&index.to_be_bytes()))
            .collect()
    }

    #[test]
    fn root_is_rfc_6962s_for_every_small_size() {
        for count in 0..70 {
            assert_eq!(
                root(leaves(count)),
                recursive_root(&leaves(count)),
                "{count} leaves"
            );
            assert_eq!(Tree::new(leaves(count)).root(), root(leaves(count)));
        }
    }

    proptest! {
        #[test]
        fn every_branch_leads_to_the_root_and_no_other_leaf_does(
            count in 1_usize..200, chosen in any::<prop::sample::Index>(),
        ) {
            let tree = Tree::new(leaves(count));
            let index = chosen.index(count);
            let branch = tree.branch(index).unwrap();
            prop_assert_eq!(root_of_branch(leaves(count)[index], &branch), tree.root());
            prop_assert_ne!(root_of_branch(leaf_hash(b"other"), &branch), tree.root());
            prop_assert!(tree.branch(count).is_none());
        }

        #[test]
        fn changed_and_appended_tree_equals_a_new_one(
            count in 1_usize..100, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<[u8; 32]>()), 0..10),
        ) {
            let mut expected = leaves(count);
            let mut tree = Tree::new(expected.clone());
            for (index, leaf) in changes {
                expected[index.index(count)] = leaf.into();
                tree.set(index.index(count), leaf.into());
            }
            expected.push(leaf_hash(b"new"));
            tree.push(leaf_hash(b"new"));
            prop_assert_eq!(tree, Tree::new(expected));
        }
    }
}
