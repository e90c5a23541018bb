//! A Merkle Patricia trie in memory whose copies are free.
//!
//! Nodes are shared: [`Trie::clone`] copies one pointer, and a change copies only the nodes from
//! the root to the changed leaf. Every node remembers its encoding, so [`Trie::root_hash`] costs
//! what has changed since it was last asked, whatever the size of the trie. That is what lets a
//! block be executed on the side while readers keep the state before it, and lets the last states
//! stay readable.
//!
//! Keys are hashes, all 32 bytes long, so no key is another's prefix and branches hold no value.

use std::{
    mem,
    sync::{Arc, OnceLock},
};

use alloy_primitives::{B256, keccak256};
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles, TrieMask,
    nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode},
};

/// A value that a trie can hold.
pub(crate) trait Leaf: Clone {
    /// Appends the bytes that the leaf commits to.
    fn encode_leaf(&self, out: &mut Vec<u8>);
}

/// A map from hashed keys to values with the root hash that Ethereum defines for it.
#[derive(Clone, Debug)]
pub(crate) struct Trie<V> {
    root: Option<Arc<Node<V>>>,
}

type Children<V> = [Option<Arc<Node<V>>>; 16];

#[derive(Clone, Debug)]
struct Node<V> {
    kind: Kind<V>,
    /// The node as its parent refers to it; empty after a change below.
    encoded: OnceLock<RlpNode>,
}

#[derive(Clone, Debug)]
enum Kind<V> {
    Leaf { path: Nibbles, value: V },
    Extension { path: Nibbles, child: Arc<Node<V>> },
    Branch { children: Children<V> },
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<V: Leaf> Trie<V> {
    /// The value at `key`.
    pub(crate) fn get(&self, key: &B256) -> Option<&V> {
        let key = Nibbles::unpack(key);
        let mut depth = 0;
        let mut node = self.root.as_deref()?;
        loop {
            match &node.kind {
                Kind::Leaf { path, value } => {
                    return (*path == key.slice(depth..)).then_some(value);
                }
                Kind::Extension { path, child } => {
                    if !key.slice(depth..).starts_with(path) {
                        return None;
                    }
                    depth += path.len();
                    node = child;
                }
                Kind::Branch { children } => {
                    node = children[nibble(&key, depth)].as_deref()?;
                    depth += 1;
                }
            }
        }
    }

    /// Puts `value` at `key`, in place of what was there.
    pub(crate) fn insert(&mut self, key: B256, value: V) {
        insert_at(&mut self.root, Nibbles::unpack(key), value);
    }

    /// Takes out what is at `key`, if anything.
    pub(crate) fn remove(&mut self, key: &B256) {
        if self.get(key).is_some() {
            self.root = self
                .root
                .take()
                .and_then(|root| remove_from(root, &Nibbles::unpack(key)));
        }
    }

    /// The root hash of all entries.
    pub(crate) fn root_hash(&self) -> B256 {
        self.root.as_ref().map_or(EMPTY_ROOT_HASH, |root| {
            let encoded = root.encoded();
            encoded.as_hash().unwrap_or_else(|| keccak256(encoded))
        })
    }

    /// Calls `visitor` with every entry, by rising key.
    pub(crate) fn visit(&self, visitor: &mut impl FnMut(B256, &V)) {
        if let Some(root) = &self.root {
            root.visit(Nibbles::new(), visitor);
        }
    }
}

impl<V> Node<V> {
    fn shared(kind: Kind<V>) -> Arc<Self> {
        Arc::new(Self {
            kind,
            encoded: OnceLock::new(),
        })
    }
}

impl<V: Leaf> Node<V> {
    fn encoded(&self) -> &RlpNode {
        self.encoded.get_or_init(|| {
            let mut buffer = Vec::new();
            match &self.kind {
                Kind::Leaf { path, value } => {
                    let mut leaf = Vec::new();
                    value.encode_leaf(&mut leaf);
                    LeafNodeRef::new(path, &leaf).rlp(&mut buffer)
                }
                Kind::Extension { path, child } => {
                    ExtensionNodeRef::new(path, child.encoded()).rlp(&mut buffer)
                }
                Kind::Branch { children } => {
                    let (stack, mask) = encoded_children(children);
                    BranchNodeRef::new(&stack, mask).rlp(&mut buffer)
                }
            }
        })
    }

    fn visit(&self, prefix: Nibbles, visitor: &mut impl FnMut(B256, &V)) {
        match &self.kind {
            Kind::Leaf { path, value } => {
                visitor(B256::from_slice(&prefix.join(path).pack()), value);
            }
            Kind::Extension { path, child } => child.visit(prefix.join(path), visitor),
            Kind::Branch { children } => {
                for (nibble, child) in present(children) {
                    child.visit(prefix.join(&Nibbles::from_nibbles([nibble])), visitor);
                }
            }
        }
    }
}

fn encoded_children<V: Leaf>(children: &Children<V>) -> (Vec<RlpNode>, TrieMask) {
    let mut mask = TrieMask::default();
    let mut stack = Vec::with_capacity(children.len());
    for (nibble, child) in present(children) {
        mask.set_bit(nibble);
        stack.push(child.encoded().clone());
    }
    (stack, mask)
}

fn present<V>(children: &Children<V>) -> impl Iterator<Item = (u8, &Arc<Node<V>>)> {
    (0_u8..)
        .zip(children)
        .filter_map(|(nibble, child)| Some((nibble, child.as_ref()?)))
}

fn insert_at<V: Clone>(slot: &mut Option<Arc<Node<V>>>, path: Nibbles, value: V) {
    let Some(node) = slot else {
        *slot = Some(Node::shared(Kind::Leaf { path, value }));
        return;
    };
    insert_into(node, path, value);
}

fn insert_into<V: Clone>(node: &mut Arc<Node<V>>, path: Nibbles, value: V) {
    let node = Arc::make_mut(node);
    node.encoded = OnceLock::new();
    match &mut node.kind {
        Kind::Branch { children } => {
            insert_at(&mut children[nibble(&path, 0)], path.slice(1..), value);
        }
        Kind::Extension { path: own, child } if path.starts_with(own) => {
            insert_into(child, path.slice(own.len()..), value);
        }
        Kind::Leaf {
            path: own,
            value: old,
        } if *own == path => *old = value,
        Kind::Leaf { path: own, .. } | Kind::Extension { path: own, .. } => {
            let shared = own.common_prefix_length(&path);
            split(&mut node.kind, shared, &path, value);
        }
    }
}

/// Puts a branch where `kind` and `path` part, after `shared` nibbles.
fn split<V: Clone>(kind: &mut Kind<V>, shared: usize, path: &Nibbles, value: V) {
    let mut children = Children::default();
    let displaced = mem::replace(
        kind,
        Kind::Branch {
            children: Children::default(),
        },
    );
    let (at, rest) = match displaced {
        Kind::Leaf { path, value } => {
            let tail = path.slice(shared + 1..);
            (
                nibble(&path, shared),
                Node::shared(Kind::Leaf { path: tail, value }),
            )
        }
        Kind::Extension { path, child } => (
            nibble(&path, shared),
            prefixed(path.slice(shared + 1..), child),
        ),
        Kind::Branch { .. } => unreachable!("a branch has no path to part from"),
    };
    children[at] = Some(rest);
    let leaf = Kind::Leaf {
        path: path.slice(shared + 1..),
        value,
    };
    children[nibble(path, shared)] = Some(Node::shared(leaf));
    *kind = match path.slice(..shared) {
        none if none.is_empty() => Kind::Branch { children },
        path => Kind::Extension {
            path,
            child: Node::shared(Kind::Branch { children }),
        },
    };
}

/// `node` without the entry at `path`, which is known to be there.
fn remove_from<V: Clone>(node: Arc<Node<V>>, path: &Nibbles) -> Option<Arc<Node<V>>> {
    match Arc::unwrap_or_clone(node).kind {
        Kind::Leaf { .. } => None,
        Kind::Extension { path: own, child } => {
            remove_from(child, &path.slice(own.len()..)).map(|child| prefixed(own, child))
        }
        Kind::Branch { mut children } => {
            let slot = &mut children[nibble(path, 0)];
            *slot = slot
                .take()
                .and_then(|child| remove_from(child, &path.slice(1..)));
            Some(collapsed(children))
        }
    }
}

/// A branch, or, when one child is left, that child with its nibble in front.
fn collapsed<V: Clone>(children: Children<V>) -> Arc<Node<V>> {
    let mut left = present(&children);
    match (left.next(), left.next()) {
        (Some((nibble, only)), None) => prefixed(Nibbles::from_nibbles([nibble]), only.clone()),
        _ => {
            drop(left);
            Node::shared(Kind::Branch { children })
        }
    }
}

/// `child` reached by `prefix`: no extension ever points to a leaf or another extension.
fn prefixed<V: Clone>(prefix: Nibbles, child: Arc<Node<V>>) -> Arc<Node<V>> {
    if prefix.is_empty() {
        return child;
    }
    Node::shared(match &child.kind {
        Kind::Leaf { path, value } => Kind::Leaf {
            path: prefix.join(path),
            value: value.clone(),
        },
        Kind::Extension { path, child } => Kind::Extension {
            path: prefix.join(path),
            child: child.clone(),
        },
        Kind::Branch { .. } => Kind::Extension {
            path: prefix,
            child,
        },
    })
}

fn nibble(path: &Nibbles, at: usize) -> usize {
    usize::from(path.get_unchecked(at))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use alloy_primitives::U256;
    use alloy_trie::root::storage_root;
    use proptest::prelude::*;

    use super::*;

    /// Few distinct nibbles, so that paths share prefixes and branches collapse often.
    fn key() -> impl Strategy<Value = B256> {
        prop::collection::vec(prop::sample::select(vec![0x00_u8, 0x01, 0x10, 0x11]), 3).prop_map(
            |tail| {
                let mut key = B256::ZERO;
                key.0[29..].copy_from_slice(&tail);
                key
            },
        )
    }

    proptest! {
        #[test]
        fn any_inserts_and_removals_give_the_root_of_what_is_left(
            steps in prop::collection::vec((key(), 0_u64..4), 1..120),
        ) {
            let mut trie = Trie::default();
            let mut model = BTreeMap::new();
            for (key, value) in steps {
                if value == 0 {
                    trie.remove(&key);
                    model.remove(&key);
                } else {
                    trie.insert(key, U256::from(value));
                    model.insert(key, U256::from(value));
                }
                prop_assert_eq!(trie.root_hash(), storage_root(model.clone()));
            }
            let mut entries = Vec::new();
            trie.visit(&mut |key, value: &U256| entries.push((key, *value)));
            prop_assert_eq!(entries, model.clone().into_iter().collect::<Vec<_>>());
            for (key, value) in model {
                prop_assert_eq!(trie.get(&key), Some(&value));
            }
        }
    }

    #[test]
    fn a_copy_does_not_see_later_changes() {
        let mut trie = Trie::default();
        for value in 1..50_u64 {
            trie.insert(keccak256(value.to_be_bytes()), U256::from(value));
        }
        let before = trie.root_hash();
        let copy = trie.clone();
        trie.insert(keccak256(7_u64.to_be_bytes()), U256::from(1_000));
        trie.remove(&keccak256(8_u64.to_be_bytes()));
        assert_ne!(trie.root_hash(), before);
        assert_eq!(copy.root_hash(), before);
        assert_eq!(
            copy.get(&keccak256(7_u64.to_be_bytes())),
            Some(&U256::from(7))
        );
    }
}
