//! A mutator that knows RLP: the lengths in front of everything make most changes of single bytes
//! worthless, so half of all changes are made to one node of the tree, which is then written anew.

use libfuzzer_sys::fuzzer_mutate;

/// Deepest nesting that is looked into: a decided block has six levels.
const DEPTH_MAX: usize = 8;

/// Room that a changed string may grow into, in bytes.
const GROWTH_BYTES: usize = 16;

#[derive(Clone)]
enum Node {
    String(Vec<u8>),
    List(Vec<Node>),
}

/// Changes what is behind the input's first byte, which names the format. Returns the new length.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let tree = (size > 1 && seed.is_multiple_of(2)).then(|| Node::parse_all(&data[1..size]));
    let Some(mut nodes) = tree.flatten() else {
        return fuzzer_mutate(data, size, max_size);
    };
    let count: usize = nodes.iter().map(Node::count).sum();
    let mut chosen = (seed / 2) as usize % count.max(1);
    change(&mut nodes, &mut chosen, seed / 7);
    let mut written = Vec::new();
    nodes.iter().for_each(|node| node.write(&mut written));
    let length = written.len().min(max_size - 1);
    data[1..=length].copy_from_slice(&written[..length]);
    1 + length
}

/// Walks to the chosen node and changes it, or what stands beside it; true once that is done.
fn change(nodes: &mut Vec<Node>, chosen: &mut usize, how: u32) -> bool {
    for index in 0..nodes.len() {
        if *chosen == 0 {
            match (how % 8, &mut nodes[index]) {
                (0, _) => drop(nodes.remove(index)),
                (1, node) => {
                    let again = node.clone();
                    nodes.insert(index, again);
                }
                (2, _) => nodes.swap(index, 0),
                (3, _) => nodes.insert(index, Node::String(Vec::new())),
                (_, Node::String(bytes)) => change_string(bytes),
                (_, Node::List(inner)) => inner.push(Node::String(vec![1])),
            }
            return true;
        }
        *chosen -= 1;
        if let Node::List(inner) = &mut nodes[index]
            && change(inner, chosen, how)
        {
            return true;
        }
    }
    false
}

fn change_string(bytes: &mut Vec<u8>) {
    let size = bytes.len();
    bytes.resize(size + GROWTH_BYTES, 0);
    let max_size = bytes.len();
    let length = fuzzer_mutate(bytes, size, max_size);
    bytes.truncate(length);
}

impl Node {
    /// Reads bytes as values that stand one behind the other; nothing when they are none.
    fn parse_all(mut bytes: &[u8]) -> Option<Vec<Self>> {
        Self::parse_to(&mut bytes, 0)
    }

    fn parse_to(bytes: &mut &[u8], depth: usize) -> Option<Vec<Self>> {
        let mut nodes = Vec::new();
        while !bytes.is_empty() {
            let header = alloy_rlp::Header::decode(bytes).ok()?;
            let (mut payload, rest) = bytes.split_at_checked(header.payload_length)?;
            *bytes = rest;
            nodes.push(if header.list && depth < DEPTH_MAX {
                Self::List(Self::parse_to(&mut payload, depth + 1)?)
            } else {
                Self::String(payload.to_vec())
            });
        }
        Some(nodes)
    }

    fn count(&self) -> usize {
        match self {
            Self::String(_) => 1,
            Self::List(nodes) => 1 + nodes.iter().map(Self::count).sum::<usize>(),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::String(bytes) => alloy_rlp::Encodable::encode(&bytes[..], out),
            Self::List(nodes) => {
                let mut payload = Vec::new();
                nodes.iter().for_each(|node| node.write(&mut payload));
                let payload_length = payload.len();
                alloy_rlp::Header {
                    list: true,
                    payload_length,
                }
                .encode(out);
                out.extend_from_slice(&payload);
            }
        }
    }
}
