//! Many branches of one tree, which mostly share the way up.

use alloy_primitives::B256;

use super::{BranchStep, parent};

/// Climbs branches to one root. Where a branch joins the one before it, the rest is known: neighbours of
/// a thousand leaves hash two nodes each, and not ten.
#[derive(Clone, Debug)]
pub struct Climb<'a> {
    root: B256,
    /// The last branch that led to the root, and the nodes on it from the leaf up.
    branch: &'a [BranchStep],
    nodes: Vec<B256>,
}

impl<'a> Climb<'a> {
    /// Knows no branch yet.
    #[must_use]
    pub fn to(root: B256) -> Self {
        Self {
            root,
            branch: &[],
            nodes: Vec::new(),
        }
    }

    /// True if a leaf's branch leads to the root, as [`super::root_of_branch`] says.
    #[must_use]
    pub fn reaches(&mut self, leaf: B256, branch: &'a [BranchStep]) -> bool {
        let (mut nodes, mut node) = (Vec::with_capacity(branch.len() + 1), leaf);
        for (height, step) in branch.iter().enumerate() {
            nodes.push(node);
            if self.joins(height, node, branch) {
                nodes.extend(self.nodes.iter().skip(height + 1));
                (self.branch, self.nodes) = (branch, nodes);
                return true;
            }
            node = parent(node, step);
        }
        nodes.push(node);
        let reaches = node == self.root;
        if reaches {
            (self.branch, self.nodes) = (branch, nodes);
        }
        reaches
    }

    /// True if the last branch came by here, and went on as this one does.
    fn joins(&self, height: usize, node: B256, branch: &[BranchStep]) -> bool {
        self.nodes.get(height) == Some(&node) && self.branch.get(height..) == branch.get(height..)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Branch, Tree, leaf_hash, root_of_branch};
    use super::*;

    proptest! {
        #[test]
        fn climb_reaches_the_root_where_the_branch_alone_does(
            count in 1_usize..40,
            climbs in prop::collection::vec(
                (any::<prop::sample::Index>(), prop::option::of((any::<prop::sample::Index>(), any::<bool>()))),
                1..60,
            ),
        ) {
            let leaves: Vec<B256> = (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect();
            let tree = Tree::new(leaves.clone());
            let mut tried: Vec<(B256, Branch)> = Vec::new();
            for (leaf, damage) in climbs {
                let index = leaf.index(count);
                let (mut leaf, mut branch) = (leaves[index], tree.branch(index).unwrap());
                match damage {
                    Some(_) if branch.is_empty() => leaf = leaf_hash(b"other"),
                    Some((step, true)) => {
                        let step = step.index(branch.len());
                        branch[step].sibling.0[0] ^= 1;
                    }
                    Some((step, false)) => {
                        let step = step.index(branch.len());
                        branch[step].left ^= true;
                    }
                    None => {}
                }
                tried.push((leaf, branch));
            }
            let mut climb = Climb::to(tree.root());
            for (leaf, branch) in &tried {
                let expected = root_of_branch(*leaf, branch) == tree.root();
                prop_assert_eq!(climb.reaches(*leaf, branch), expected);
            }
        }
    }
}
