//! The trie of the yellow paper's appendix D, written down once more in its slowest form, as the
//! oracle for roots.

use alloy_primitives::{B256, keccak256};
use alloy_rlp::{BufMut, Encodable, Header};

/// Root of a list: keys are the RLP of positions.
pub(crate) fn list_root(values: &[Vec<u8>]) -> B256 {
    let entries: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(index, value)| (nibbles(&alloy_rlp::encode(index)), value.clone()))
        .collect();
    keccak256(node(&entries))
}

fn nibbles(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .collect()
}

/// c(J, i): the encoding of the node over these entries.
fn node(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let (first, _) = &entries[0];
    if let [(path, value)] = entries {
        return list(&[string(&compact(path, true)), string(value)]);
    }
    let shared = (0..first.len())
        .take_while(|at| {
            entries
                .iter()
                .all(|(path, _)| path.get(*at) == first.get(*at))
        })
        .count();
    if shared > 0 {
        let rest: Vec<_> = entries
            .iter()
            .map(|(path, value)| (path[shared..].to_vec(), value.clone()))
            .collect();
        return list(&[string(&compact(&first[..shared], false)), reference(&rest)]);
    }
    let mut items = Vec::new();
    for nibble in 0..16 {
        let below: Vec<_> = entries
            .iter()
            .filter(|(path, _)| path.first() == Some(&nibble))
            .map(|(path, value)| (path[1..].to_vec(), value.clone()))
            .collect();
        items.push(if below.is_empty() {
            string(&[])
        } else {
            reference(&below)
        });
    }
    let here = entries.iter().find(|(path, _)| path.is_empty());
    items.push(string(here.map_or(&[], |(_, value)| value)));
    list(&items)
}

/// n(J, i): short nodes stand for themselves, long ones are named by hash.
fn reference(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let encoded = node(entries);
    if encoded.len() < 32 {
        encoded
    } else {
        string(keccak256(encoded).as_slice())
    }
}

/// Appendix C: hex-prefix encoding.
fn compact(path: &[u8], leaf: bool) -> Vec<u8> {
    let odd = path.len() % 2;
    let flag = 2 * u8::from(leaf) + u8::try_from(odd).unwrap();
    let mut all = vec![flag];
    if odd == 0 {
        all.push(0);
    }
    all.extend_from_slice(path);
    all.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    bytes.encode(&mut out);
    out
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    Header {
        list: true,
        payload_length: items.iter().map(Vec::len).sum(),
    }
    .encode(&mut out);
    for item in items {
        out.put_slice(item);
    }
    out
}
