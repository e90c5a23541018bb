//! RLP as a tree, written by hand, so that a test can encode what no encoder would.

/// One RLP item.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    String(Vec<u8>),
    List(Vec<Node>),
}

/// How one node of a tree is written differently from canonical.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The header takes one byte more than it must.
    LongHeader,
    /// A zero byte precedes the string's content: wrong for every number and fixed-size string.
    LeadingZero,
}

impl Node {
    /// Reads bytes that an encoder made.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let (node, rest) = Self::parse_next(bytes);
        assert!(rest.is_empty());
        node
    }

    /// How many nodes there are in the tree.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::String(_) => 1,
            Self::List(nodes) => 1 + nodes.iter().map(Self::count).sum::<usize>(),
        }
    }

    /// Writes the tree, with a fault at the node of this number, counted in writing order.
    pub(crate) fn write(&self, faulty: usize, fault: Fault) -> Vec<u8> {
        self.write_next(&mut 0, faulty, fault)
    }

    fn parse_next(bytes: &[u8]) -> (Self, &[u8]) {
        let first = bytes[0];
        if first < 0x80 {
            return (Self::String(vec![first]), &bytes[1..]);
        }
        let base: u8 = if first < 0xc0 { 0x80 } else { 0xc0 };
        let short = usize::from(first - base);
        let (header, length) = if short <= 55 {
            (1, short)
        } else {
            let digits = &bytes[1..short - 54];
            let length = digits
                .iter()
                .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            (short - 54, length)
        };
        let (payload, rest) = bytes[header..].split_at(length);
        if base == 0x80 {
            return (Self::String(payload.to_vec()), rest);
        }
        let mut nodes = Vec::new();
        let mut inner = payload;
        while !inner.is_empty() {
            let (node, after) = Self::parse_next(inner);
            nodes.push(node);
            inner = after;
        }
        (Self::List(nodes), rest)
    }

    fn write_next(&self, number: &mut usize, faulty: usize, fault: Fault) -> Vec<u8> {
        let here = *number == faulty;
        *number += 1;
        let long = here && matches!(fault, Fault::LongHeader);
        match self {
            Self::String(bytes) => {
                let mut payload = bytes.clone();
                if here && matches!(fault, Fault::LeadingZero) {
                    payload.insert(0, 0);
                }
                if payload.len() == 1 && payload[0] < 0x80 && !long {
                    return payload;
                }
                let single = payload.len() == 1 && payload[0] < 0x80;
                let mut written = if single {
                    vec![0x81]
                } else {
                    header(0x80, payload.len(), long)
                };
                written.extend(payload);
                written
            }
            Self::List(nodes) => {
                let payload: Vec<u8> = nodes
                    .iter()
                    .flat_map(|node| node.write_next(number, faulty, fault))
                    .collect();
                let mut written = header(0xc0, payload.len(), long);
                written.extend(payload);
                written
            }
        }
    }
}

fn header(base: u8, length: usize, long: bool) -> Vec<u8> {
    if length <= 55 && !long {
        return vec![base + u8::try_from(length).unwrap()];
    }
    let all = length.to_be_bytes();
    let zeros = all.iter().take_while(|digit| **digit == 0).count();
    let mut digits = all[zeros..].to_vec();
    if long && length > 55 || digits.is_empty() {
        digits.insert(0, 0);
    }
    let mut written = vec![base + 55 + u8::try_from(digits.len()).unwrap()];
    written.extend(digits);
    written
}
