//! Four validators with known keys, and one network in which they decided a block.

use bytes::Bytes;
use cloverleaf_types::batch::empty_head;
use cloverleaf_types::cut::cut_hash;
use cloverleaf_types::item::leg_hash;
use cloverleaf_types::manifest::bundles_tree;
use cloverleaf_types::merkle::Tree;
use cloverleaf_types::rollup::Rollup;
use cloverleaf_types::vote::vote_digest;
use cloverleaf_types::{
    Address, B256, Batch, BatchDraft, Block, Bundle, ChainId, CommitCertificate, CommitSignature,
    CutEntry, DecidedBlock, Epoch, Genesis, GenesisValidator, Head, Header, Height, Item, L1Ref,
    Leg, Manifest, ManifestLeg, NetworkId, Parameters, ParcelDraft, Recover, Round, Secp256k1,
    Signature, Signer, Slot, Span, Terms, Transaction, TrustRoot, ValidatorSet, VoteKind,
    transaction_id,
};
use secp256k1::{Message, SECP256K1, SecretKey};

/// A validator's key; only tests hold keys in the open.
pub(crate) struct Key {
    secret: SecretKey,
    address: Address,
}

impl Key {
    /// The key whose secret is this byte, 32 times.
    pub(crate) fn new(byte: u8) -> Self {
        let secret = SecretKey::from_slice(&[byte; 32]).unwrap();
        let public = secret.public_key(SECP256K1).serialize_uncompressed();
        let address = Address::from_raw_public_key(&public[1..]);
        Self { secret, address }
    }
}

impl Signer for Key {
    fn address(&self) -> Address {
        self.address
    }

    fn sign(&self, digest: B256) -> Signature {
        let message = Message::from_digest(digest.0);
        let signature = SECP256K1.sign_ecdsa_recoverable(&message, &self.secret);
        let (recovery, bytes) = signature.serialize_compact();
        let (r, s) = bytes.split_at(32);
        let odd = recovery == secp256k1::ecdsa::RecoveryId::One;
        Signature::from_parts(r.try_into().unwrap(), s.try_into().unwrap(), odd)
    }
}

/// The keys of the four validators, by rising address.
pub(crate) fn keys() -> Vec<Key> {
    let mut keys: Vec<Key> = (1..=4).map(Key::new).collect();
    keys.sort_by_key(Signer::address);
    keys
}

/// A key of nobody's.
pub(crate) fn stranger() -> Key {
    Key::new(9)
}

pub(crate) fn genesis() -> Genesis {
    let validators = keys()
        .into_iter()
        .zip(1_u8..)
        .map(|(key, number)| GenesisValidator {
            address: key.address(),
            power: 1,
            peer_id: format!("peer-{number}"),
            name: format!("validator {number}"),
        });
    Genesis {
        name: "sample".to_owned(),
        time_ms: 1_700_000_000_000,
        authority: Address::repeat_byte(0xaa),
        parameters: Parameters::default(),
        validators: validators.collect(),
        rollups: [901, 902].map(rollup).to_vec(),
    }
}

pub(crate) fn rollup(chain_id: u64) -> Rollup {
    let entry = format!(
        r#"{{"chain_id": {chain_id}, "name": "rollup {chain_id}",
            "operator": "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}}"#
    );
    serde_json::from_str(&entry).unwrap()
}

pub(crate) fn network() -> NetworkId {
    genesis().network()
}

pub(crate) fn validators() -> ValidatorSet {
    genesis().validator_set().unwrap()
}

pub(crate) fn trust() -> TrustRoot {
    TrustRoot {
        network: network(),
        height: Height(1),
        time_ms: 1_000,
        trust_period_ms: 9_000,
        validators: validators(),
        scheduled: Vec::new(),
        control: Head::empty(network(), ChainId::CONTROL),
    }
}

pub(crate) fn transaction(text: &str) -> Transaction {
    Transaction {
        sender: Address::repeat_byte(0x11),
        checked: false,
        raw: Bytes::copy_from_slice(text.as_bytes()),
    }
}

pub(crate) fn leg(chain_id: u64, texts: &[&str]) -> Leg {
    Leg {
        chain_id: ChainId(chain_id),
        transactions: texts.iter().map(|text| transaction(text)).collect(),
    }
}

/// A bundle over both rollups.
pub(crate) fn bundle() -> Bundle {
    Bundle {
        terms: Terms::until(1_700_000_010_000),
        legs: vec![leg(901, &["b1", "b2"]), leg(902, &["b3"])],
    }
}

/// A transaction for 901, the bundle, and an everywhere-verified transaction for 902.
pub(crate) fn items() -> Vec<Item> {
    let alone = |chain_id, text, checked| Item::Transaction {
        chain_id: ChainId(chain_id),
        transaction: Transaction {
            checked,
            ..transaction(text)
        },
    };
    vec![
        alone(901, "a1", false),
        Item::Bundle(bundle()),
        alone(902, "a2", true),
    ]
}

/// The first parcel of the first validator's lane.
pub(crate) fn draft() -> ParcelDraft {
    ParcelDraft {
        network: network(),
        slot: Slot {
            author: keys()[0].address(),
            epoch: Epoch(0),
            seq: 0,
        },
        prev: B256::ZERO,
        seen: Height(0),
        time_ms: 1_700_000_000_100,
        items: items(),
    }
}

pub(crate) fn cut() -> Vec<CutEntry> {
    [0, 2]
        .map(|lane| CutEntry {
            lane,
            epoch: Epoch(0),
            seq: u64::from(lane),
            parcel_hash: B256::repeat_byte(0xc0),
            seen: Height(0),
        })
        .to_vec()
}

/// The first batch of a rollup, with the given spans.
pub(crate) fn batch(chain_id: u64, spans: Vec<Span>, texts: &[&str]) -> Batch {
    let chain_id = ChainId(chain_id);
    let raws: Vec<Bytes> = texts
        .iter()
        .map(|text| Bytes::copy_from_slice(text.as_bytes()))
        .collect();
    let ids: Vec<B256> = raws.iter().map(|raw| transaction_id(raw)).collect();
    let draft = BatchDraft {
        chain_id,
        seq: 1,
        prev_batch_hash: empty_head(network(), chain_id),
        height: Height(1),
        timestamp_ms: 1_700_000_000_200,
        l1: L1Ref::default(),
        full: vec![Address::repeat_byte(0x22)],
    };
    Batch::build(draft, spans, raws, &ids).into_inner()
}

pub(crate) fn span(leg: u32, first: u32, count: u32) -> Span {
    Span {
        manifest: 0,
        leg,
        legs: 2,
        first,
        count,
    }
}

/// Both rollups' batches: a single transaction before the bundle's leg in each.
pub(crate) fn batches() -> Vec<Batch> {
    vec![
        batch(901, vec![span(0, 1, 2)], &["a1", "b1", "b2"]),
        batch(902, vec![span(1, 0, 1)], &["b3", "a2"]),
    ]
}

/// The bundle's manifest, as the batches place it.
pub(crate) fn manifest() -> Manifest {
    let places = [(1, 2), (0, 1)];
    let legs = bundle().legs.into_iter().zip(places);
    Manifest {
        index: 0,
        terms_hash: bundle().terms.hash(),
        atomicity: bundle().terms.atomicity,
        legs: legs
            .map(|(leg, (first, count))| ManifestLeg {
                chain_id: leg.chain_id,
                seq: 1,
                first,
                count,
                leg_hash: leg_hash(leg.chain_id, &leg.ids()),
            })
            .collect(),
    }
}

/// The heads after the block, chain 0 first.
pub(crate) fn heads() -> Tree {
    let mut leaves = vec![Head::empty(network(), ChainId::CONTROL).leaf_hash()];
    leaves.extend(batches().iter().map(|it| Head::of(it.header()).leaf_hash()));
    Tree::new(leaves)
}

/// A block of these parts, whose header commits to them.
pub(crate) fn block_of(batches: Vec<Batch>, manifests: Vec<Manifest>) -> Block {
    let set = validators().hash();
    Block {
        header: Header {
            version: Header::VERSION,
            network: network(),
            height: Height(1),
            round: Round::FIRST,
            timestamp_ms: 1_700_000_000_200,
            parent: network(),
            l1: L1Ref::default(),
            cut_hash: cut_hash(&cut()),
            heads_root: heads().root(),
            bundles_root: bundles_tree(&manifests).root(),
            state_root: B256::repeat_byte(0x55),
            validators_hash: set,
            next_validators_hash: set,
        },
        cut: cut(),
        manifests,
        batches,
    }
}

pub(crate) fn block() -> Block {
    block_of(batches(), vec![manifest()])
}

/// A certificate for a block hash at height 1, by these validators.
pub(crate) fn certificate_by(block_hash: B256, signers: &[u32]) -> CommitCertificate {
    let (height, round) = (Height(1), Round(0));
    let kind = VoteKind::Precommit;
    let digest = vote_digest(network(), height, round, kind, Some(block_hash));
    let keys = keys();
    let signatures = signers.iter().map(|index| CommitSignature {
        index: *index,
        signature: keys[usize::try_from(*index).unwrap()].sign(digest),
    });
    CommitCertificate {
        height,
        round,
        block_hash,
        signatures: signatures.collect(),
    }
}

pub(crate) fn certificate() -> CommitCertificate {
    certificate_by(block().hash(), &[0, 1, 3])
}

pub(crate) fn decided() -> DecidedBlock {
    DecidedBlock {
        block: block(),
        certificate: certificate(),
    }
}

// K2
#[test]
fn signatures_of_known_keys_recover_to_their_addresses() {
    let digest = B256::repeat_byte(0x77);
    for key in keys() {
        assert_eq!(
            Secp256k1.recover(digest, &key.sign(digest)),
            Ok(key.address())
        );
    }
}
