//! What a validator's key may do with lanes: more parcels than there is room for, parcels that only one
//! gets, acknowledgements of what is not there, requests of what nobody has.

use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use cloverleaf_mempool::{AckEntry, Fetch, Message};
use cloverleaf_network::Class;
use cloverleaf_testnet::hostile::peer::Mesh;
use cloverleaf_testnet::load::Wallet;
use cloverleaf_types::{
    Address, B256, ChainId, Epoch, Height, Item, Parcel, ParcelDraft, Signer as _, Slot,
    Transaction,
};
use tokio::time::{interval, timeout};

use super::{Attack, Evil};
use crate::rows::siege::CHAINS;

/// Time for a session.
const SESSION_TIMEOUT: Duration = Duration::from_secs(15);
/// Messages in a row, as far as there is room for them.
const IN_A_ROW: u64 = 64;
/// From one row to the next: the cores are those of the attacked, too.
const TURN: Duration = Duration::from_millis(1);
/// Between two parcels that one alone gets.
const WITHHELD_INTERVAL: Duration = Duration::from_millis(50);
/// Long transactions of a parcel.
const TRANSACTIONS: u64 = 3;
/// Parcels of a flood: more than a lane may have beyond its cut.
const PARCELS: usize = 40;

/// A lane is filled with the longest parcels.
pub(super) const PARCELS_FLOOD: Attack = Attack {
    name: "floods of parcels",
    run: |evil| Box::pin(parcels(evil)),
    is_restarted_under: false,
};

/// Parcels are announced to all, and one alone gets them.
pub(super) const WITHHELD: Attack = Attack {
    name: "withheld parcels",
    run: |evil| Box::pin(withheld(evil)),
    is_restarted_under: false,
};

/// Acknowledgements of parcels that nobody sealed.
pub(super) const FALSE_ACKS: Attack = Attack {
    name: "false acknowledgements",
    run: |evil| Box::pin(false_acks(evil)),
    is_restarted_under: false,
};

/// Requests of parcels that nobody has.
pub(super) const FETCHES: Attack = Attack {
    name: "requests of no parcels",
    run: |evil| Box::pin(fetches(evil)),
    is_restarted_under: false,
};

/// The impostor's lane.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    next_seq: u64,
    prev: B256,
}

impl Evil {
    /// Seals the next parcel of its lane.
    fn seal(&self) -> Parcel {
        let mut lane = self.lane.lock().unwrap_or_else(PoisonError::into_inner);
        let wallet = Wallet::seeded(u64::MAX, 0, lane.next_seq);
        let item = |nonce| {
            let chain_id = CHAINS[0];
            Item::Transaction {
                chain_id: ChainId(chain_id),
                transaction: Transaction {
                    sender: Address::repeat_byte(0xbb),
                    checked: false,
                    raw: wallet.long(chain_id, nonce).raw.0,
                },
            }
        };
        let draft = ParcelDraft {
            network: self.impostor.genesis.network(),
            slot: Slot {
                author: self.impostor.signer.address(),
                epoch: Epoch(0),
                seq: lane.next_seq,
            },
            prev: lane.prev,
            seen: Height::GENESIS,
            time_ms: self.impostor.genesis.time_ms,
            items: (0..TRANSACTIONS).map(item).collect(),
        };
        let parcel = Parcel::seal(draft, &self.impostor.signer).into_inner();
        lane.next_seq += 1;
        lane.prev = parcel.hash();
        parcel
    }

    async fn session(&self) -> Result<Mesh, String> {
        let mesh = self.impostor.join().await?;
        let sessions = mesh.connected(self.impostor.peers.len());
        let connected = timeout(SESSION_TIMEOUT, sessions).await;
        connected.map_err(|_| "the validator's key gets no session".to_owned())?;
        Ok(mesh)
    }

    /// Sends one message after the other to all, as fast as they are taken.
    async fn flood(&self, mut message: impl FnMut(u64) -> Bytes + Send) -> Result<(), String> {
        let mesh = self.session().await?;
        let (mut number, mut turns) = (self.seed << 32, interval(TURN));
        while !self.is_over() {
            for _ in 0..IN_A_ROW {
                if mesh.broadcast(Class::Parcels, &message(number)) == 0 {
                    break;
                }
                number += 1;
                self.acted();
            }
            turns.tick().await;
        }
        Ok(())
    }
}

async fn parcels(evil: Evil) -> Result<(), String> {
    let sealed: Vec<Bytes> = (0..PARCELS)
        .map(|_| Message::Parcel(evil.seal().encoded().clone()).encode())
        .collect();
    evil.flood(|number| {
        let at = usize::try_from(number).unwrap_or(0) % sealed.len();
        sealed[at].clone()
    })
    .await
}

async fn withheld(evil: Evil) -> Result<(), String> {
    let mesh = evil.session().await?;
    let mut turns = interval(WITHHELD_INTERVAL);
    while !evil.is_over() {
        // It never answers those who fetch.
        turns.tick().await;
        let parcel = evil.seal();
        let (first, _) = &evil.impostor.peers[0];
        let bytes = Message::Parcel(parcel.encoded().clone()).encode();
        let _full = mesh.handle.send(first, Class::Parcels, bytes);
        let entry = AckEntry {
            slot: parcel.header().slot(),
            hash: parcel.hash(),
        };
        mesh.broadcast(Class::Parcels, &Message::Ack(vec![entry]).encode());
        evil.acted();
    }
    Ok(())
}

async fn false_acks(evil: Evil) -> Result<(), String> {
    let authors: Vec<Address> = evil
        .impostor
        .genesis
        .validators
        .iter()
        .map(|it| it.address)
        .collect();
    evil.flood(|number| {
        let entry = |author: &Address| AckEntry {
            slot: Slot {
                author: *author,
                epoch: Epoch(0),
                seq: number,
            },
            hash: B256::left_padding_from(&number.to_be_bytes()),
        };
        Message::Ack(authors.iter().map(entry).collect()).encode()
    })
    .await
}

async fn fetches(evil: Evil) -> Result<(), String> {
    let author = evil.impostor.genesis.validators[0].address;
    evil.flood(|number| {
        let fetch = Fetch {
            slot: Slot {
                author,
                epoch: Epoch(0),
                seq: number % 256,
            },
            hash: B256::left_padding_from(&number.to_be_bytes()),
            from_seq: 0,
        };
        Message::Fetch(fetch).encode()
    })
    .await
}
