//! The state as bytes: what `state_root` commits to, and what a node keeps of it.
//!
//! ```text
//! state = rlp([block_hash, part × 12])     state_root = RFC 6962 root, one leaf per part
//! parts = position, authority, parameters, validators, next validators,
//!         rollups, lanes, closed, absent, scheduled, nonces, joined
//! leaf  = number of the part ‖ H("clv/state/1", part)
//! ```
//! The block's hash is not a part: it commits to the root.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes};
use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use cloverleaf_types::codec::decode_exact;
use cloverleaf_types::error::DecodeError;
use cloverleaf_types::hash::{Tag, hash_encoded};
use cloverleaf_types::validator::ValidatorSetError;
use cloverleaf_types::{
    ChainId, Height, L1Ref, NetworkId, Validator, ValidatorChange, ValidatorSet, merkle,
};

use super::{LastCut, RollupState, State, heads_tree, index};

/// Longest encoded state, in bytes: every rollup with every lane closed to it takes a twentieth.
const STATE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Too few parts, or too many.
const PART_COUNT: DecodeError = DecodeError::OutOfRange {
    what: "number of state parts",
};

/// Stored bytes that are no state.
#[derive(Debug, thiserror::Error)]
pub enum StateDecodeError {
    /// Not canonical.
    #[error("the stored state does not decode: {0}")]
    Decode(#[from] DecodeError),
    /// A validator set that cannot be.
    #[error("the stored state names an impossible validator set: {0}")]
    Validators(#[from] ValidatorSetError),
}

#[derive(RlpEncodable, RlpDecodable)]
struct Stored {
    block_hash: B256,
    parts: Vec<Bytes>,
}

#[derive(RlpEncodable, RlpDecodable)]
struct Position {
    network: NetworkId,
    height: Height,
    timestamp_ms: u64,
    l1: L1Ref,
}

#[derive(RlpEncodable, RlpDecodable)]
struct LaneEntry {
    author: Address,
    last_cut: LastCut,
}

#[derive(RlpEncodable, RlpDecodable)]
struct ClosedEntry {
    author: Address,
    chain_id: ChainId,
    height: Height,
}

#[derive(RlpEncodable, RlpDecodable)]
struct HeightEntry {
    address: Address,
    height: Height,
}

#[derive(RlpEncodable, RlpDecodable)]
struct NonceEntry {
    signer: Address,
    next: u64,
}

impl State {
    /// `state_root` (section 5).
    #[must_use]
    pub fn root(&self) -> B256 {
        let leaf = |(number, part): (u8, Bytes)| {
            let hash = hash_encoded(Tag::STATE, &part);
            merkle::leaf_hash(&[&[number], hash.as_slice()].concat())
        };
        merkle::root((0..).zip(self.parts()).map(leaf).collect())
    }

    /// The bytes that a node keeps.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        alloy_rlp::encode(Stored {
            block_hash: self.block_hash,
            parts: self.parts(),
        })
    }

    /// Reads what [`State::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are no state: the store is damaged, or of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateDecodeError> {
        let stored: Stored = decode_exact(bytes, STATE_BYTES_MAX)?;
        let mut parts = stored.parts.iter();
        let position: Position = part(&mut parts)?;
        let authority = part(&mut parts)?;
        let parameters = part(&mut parts)?;
        let validators = ValidatorSet::new(part::<Vec<Validator>>(&mut parts)?)?;
        let next_validators = ValidatorSet::new(part::<Vec<Validator>>(&mut parts)?)?;
        let rollups: Vec<RollupState> = part(&mut parts)?;
        let lanes: Vec<LaneEntry> = part(&mut parts)?;
        let closed: Vec<ClosedEntry> = part(&mut parts)?;
        let absent: Vec<HeightEntry> = part(&mut parts)?;
        let scheduled: Vec<ValidatorChange> = part(&mut parts)?;
        let nonces: Vec<NonceEntry> = part(&mut parts)?;
        let joined: Vec<HeightEntry> = part(&mut parts)?;
        if parts.next().is_some() {
            return Err(PART_COUNT.into());
        }
        Ok(Self {
            network: position.network,
            authority,
            height: position.height,
            block_hash: stored.block_hash,
            timestamp_ms: position.timestamp_ms,
            l1: position.l1,
            parameters,
            validators,
            next_validators,
            index_of_rollup: index(&rollups),
            heads: heads_tree(&rollups),
            rollups,
            lanes: lanes
                .into_iter()
                .map(|entry| (entry.author, entry.last_cut))
                .collect(),
            closed: closed
                .into_iter()
                .map(|entry| ((entry.author, entry.chain_id), entry.height))
                .collect::<BTreeMap<_, _>>(),
            absent: by_address(absent),
            joined: by_address(joined),
            scheduled: scheduled
                .into_iter()
                .map(|change| ((change.effective, change.address), change))
                .collect(),
            nonces: nonces
                .into_iter()
                .map(|entry| (entry.signer, entry.next))
                .collect(),
        })
    }

    fn parts(&self) -> Vec<Bytes> {
        let lanes = self.lanes.iter();
        let lanes: Vec<LaneEntry> = lanes
            .map(|(author, last_cut)| LaneEntry {
                author: *author,
                last_cut: *last_cut,
            })
            .collect();
        let closed: Vec<ClosedEntry> = self
            .closed
            .iter()
            .map(|((author, chain_id), height)| ClosedEntry {
                author: *author,
                chain_id: *chain_id,
                height: *height,
            })
            .collect();
        let scheduled: Vec<ValidatorChange> = self.scheduled().cloned().collect();
        let nonces = self.nonces.iter();
        let nonces: Vec<NonceEntry> = nonces
            .map(|(signer, next)| NonceEntry {
                signer: *signer,
                next: *next,
            })
            .collect();
        let position = Position {
            network: self.network,
            height: self.height,
            timestamp_ms: self.timestamp_ms,
            l1: self.l1,
        };
        vec![
            alloy_rlp::encode(position).into(),
            alloy_rlp::encode(self.authority).into(),
            alloy_rlp::encode(self.parameters).into(),
            list(self.validators.validators()),
            list(self.next_validators.validators()),
            list(&self.rollups),
            list(&lanes),
            list(&closed),
            list(&entries(&self.absent)),
            list(&scheduled),
            list(&nonces),
            list(&entries(&self.joined)),
        ]
    }
}

fn entries(heights: &BTreeMap<Address, Height>) -> Vec<HeightEntry> {
    let entry = |(address, height): (&Address, &Height)| HeightEntry {
        address: *address,
        height: *height,
    };
    heights.iter().map(entry).collect()
}

fn by_address(entries: Vec<HeightEntry>) -> BTreeMap<Address, Height> {
    let entries = entries.into_iter();
    entries.map(|entry| (entry.address, entry.height)).collect()
}

fn list<T: alloy_rlp::Encodable>(items: &[T]) -> Bytes {
    let mut out = Vec::new();
    alloy_rlp::encode_list(items, &mut out);
    out.into()
}

fn part<'a, T: Decodable>(parts: &mut impl Iterator<Item = &'a Bytes>) -> Result<T, DecodeError> {
    let bytes = parts.next().ok_or(PART_COUNT)?;
    decode_exact(bytes, STATE_BYTES_MAX)
}
