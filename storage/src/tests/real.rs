//! A chain that `order` makes and `apply` follows; only its signatures are not real.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bundle::{Ordered, Prepared, State, Window, order};
use cloverleaf_types::error::SignatureError;
use cloverleaf_types::rollup::{Format, Policy, Status, Verification};
use cloverleaf_types::signature::Recover;
use cloverleaf_types::{
    Action, Address, B256, Bundle, ChainId, CommitCertificate, CommitSignature, ControlDraft,
    ControlTransaction, CutEntry, DecidedBlock, Epoch, Genesis, GenesisValidator, Height, Item,
    L1Ref, Leg, Parameters, Parcel, ParcelDraft, Plan, Rollup, Round, Signature, Signer, Slot,
    Terms, Transaction,
};

use crate::{Commit, Store};

const VALIDATOR: Address = Address::repeat_byte(1);
const AUTHORITY: Address = Address::repeat_byte(0xee);

/// The rollups.
pub(super) const CHAINS: [ChainId; 2] = [ChainId(901), ChainId(902)];

/// Time between blocks, in milliseconds: the replay window of 30 s is shorter than 64 of them.
const BLOCK_MS: u64 = 1_000;

/// Believes that the validator made one signature, whatever it signed.
pub(super) struct Believer;

impl Recover for Believer {
    fn recover(&self, _digest: B256, signature: &Signature) -> Result<Address, SignatureError> {
        let is_ours = *signature == commit_signature();
        Ok(if is_ours { VALIDATOR } else { Address::ZERO })
    }
}

fn commit_signature() -> Signature {
    Signature::from_parts(&[1; 32], &[2; 32], false)
}

struct NoKey;

impl Signer for NoKey {
    fn address(&self) -> Address {
        VALIDATOR
    }

    fn sign(&self, _digest: B256) -> Signature {
        Signature(Default::default())
    }
}

/// A network of one validator.
pub(super) struct Real {
    pub(super) genesis: Genesis,
    state: State,
    window: Window,
    /// The next parcel's number, and the hash of the one before.
    lane: (u64, B256),
    nonce: u64,
}

impl Real {
    pub(super) fn new() -> Self {
        let genesis = Genesis {
            name: "test".to_owned(),
            time_ms: 1_700_000_000_000,
            authority: AUTHORITY,
            parameters: Parameters::default(),
            validators: vec![GenesisValidator {
                address: VALIDATOR,
                power: 1,
                peer_id: "peer".to_owned(),
                name: "validator".to_owned(),
            }],
            rollups: CHAINS.map(rollup).to_vec(),
        };
        let state = State::genesis(&genesis).unwrap();
        Self {
            window: Window::new(genesis.parameters.replay_window_ms),
            genesis,
            state,
            lane: (0, B256::ZERO),
            nonce: 0,
        }
    }

    /// A block with a transaction for each rollup alone, and one in a bundle.
    pub(super) fn commit_usual(&mut self, store: &Store) -> DecidedBlock {
        let height = self.state.height().next();
        let transaction = |name: &str| transaction(format!("{name} of {height}").into());
        let alone = CHAINS.map(|chain_id| Item::Transaction {
            chain_id,
            transaction: transaction("alone"),
        });
        let legs = CHAINS.map(|chain_id| Leg {
            chain_id,
            transactions: vec![transaction("leg")],
        });
        let bundle = Item::Bundle(Bundle {
            terms: Terms::until(u64::MAX),
            legs: legs.to_vec(),
        });
        let items = alone.into_iter().chain([bundle]).collect();
        self.commit(store, items)
    }

    /// A block with a control transaction, beside the usual.
    pub(super) fn commit_control(&mut self, store: &Store) -> DecidedBlock {
        let registered = rollup(ChainId(1_000 + self.nonce));
        let draft = ControlDraft {
            nonce: self.nonce,
            action: Action::RegisterRollup(registered),
        };
        self.nonce += 1;
        let control = ControlTransaction {
            signer: AUTHORITY,
            draft,
            signature: Signature(Default::default()),
        };
        let item = Item::Transaction {
            chain_id: ChainId::CONTROL,
            transaction: Transaction {
                sender: AUTHORITY,
                checked: true,
                raw: control.encode().into(),
            },
        };
        let beside = Item::Transaction {
            chain_id: CHAINS[0],
            transaction: transaction(format!("beside {}", self.nonce).into()),
        };
        self.commit(store, vec![item, beside])
    }

    fn commit(&mut self, store: &Store, items: Vec<Item>) -> DecidedBlock {
        let ordered = self.order(items);
        assert_eq!(ordered.drops.len(), 0, "{:?}", ordered.drops);
        let header = &ordered.block.header;
        self.window
            .push(header.height, header.timestamp_ms, &ordered.keys());
        self.state = ordered.state.clone();
        let certificate = CommitCertificate {
            height: header.height,
            round: Round::FIRST,
            block_hash: header.hash(),
            signatures: vec![CommitSignature {
                index: 0,
                signature: commit_signature(),
            }],
        };
        let decided = DecidedBlock {
            block: ordered.block,
            certificate,
        };
        let committed = store.commit(&Commit {
            block: &decided,
            ids: &ordered.ids,
            branches: &ordered.branches,
            state: &self.state.encode(),
        });
        committed.unwrap();
        decided
    }

    fn order(&mut self, items: Vec<Item>) -> Ordered {
        let time_ms = self.state.timestamp_ms() + 1;
        let (seq, prev) = self.lane;
        let draft = ParcelDraft {
            network: self.state.network(),
            slot: Slot {
                author: VALIDATOR,
                epoch: Epoch(0),
                seq,
            },
            prev,
            seen: self.state.height(),
            time_ms,
            items,
        };
        let parcel = Parcel::seal(draft, &NoKey);
        self.lane = (seq + 1, parcel.hash());
        let plan = Plan {
            height: self.state.height().next(),
            round: Round::FIRST,
            timestamp_ms: self.state.timestamp_ms() + BLOCK_MS,
            l1: L1Ref::default(),
            cut: vec![CutEntry {
                lane: 0,
                epoch: Epoch(0),
                seq,
                parcel_hash: parcel.hash(),
                seen: self.state.height(),
            }],
        };
        let lanes = [vec![Arc::new(Prepared::new(Arc::new(parcel)))]];
        order(&self.state, &self.window, &plan, &lanes)
    }

    /// The height of the latest block.
    pub(super) fn height(&self) -> Height {
        self.state.height()
    }
}

fn transaction(raw: Bytes) -> Transaction {
    Transaction {
        sender: Address::ZERO,
        checked: false,
        raw,
    }
}

fn rollup(chain_id: ChainId) -> Rollup {
    Rollup {
        chain_id,
        name: format!("rollup-{chain_id}"),
        format: Format::Opaque,
        verification: Verification::Once,
        policy: Policy::Fifo,
        weight_limit: 0,
        share: 1,
        status: Status::Active,
        operator: Address::ZERO,
        bundles: true,
    }
}
