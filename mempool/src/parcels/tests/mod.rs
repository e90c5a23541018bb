//! Tests of the receiver's side.

mod cuts;
mod fetching;
mod holding;
mod membership;
mod properties;

use std::collections::BTreeMap;
use std::sync::Arc;

use cloverleaf_types::{B256, Cut, CutEntry, Epoch, Height, Item, Parcel, Slot, Verified};

use super::*;
use crate::testing::{address, chain, item, parcel, prepared, slot, validators};

const OWN: u8 = 1;

fn config() -> ParcelsConfig {
    ParcelsConfig {
        own: address(OWN),
        block_weight: 4 * 1024 * 1024,
        outstanding_weight_max: 8 * 1024 * 1024,
        fetch_delay_ms: 100,
    }
}

fn with(config: ParcelsConfig, count: u8, height: u64) -> Parcels {
    let view = View {
        height: Height(height),
        validators: &validators(count),
        last_cuts: &BTreeMap::new(),
        joined: &BTreeMap::new(),
    };
    Parcels::new(config, &view)
}

/// A store of one of four validators, after height 5.
fn parcels() -> Parcels {
    with(config(), 4, 5)
}

type Sealed = Arc<Verified<Parcel>>;

fn accept(parcels: &mut Parcels, parcel: &Sealed) -> Accept {
    parcels.accept(prepared(parcel))
}

/// Takes parcels in and makes them durable.
fn store(parcels: &mut Parcels, sealed: &[Sealed]) {
    for parcel in sealed {
        assert!(
            matches!(accept(parcels, parcel), Accept::Store),
            "{}",
            parcel.slot()
        );
        parcels.stored(parcel.hash());
    }
}

fn entry(parcel: &Parcel) -> AckEntry {
    AckEntry {
        slot: parcel.slot(),
        hash: parcel.hash(),
    }
}

fn ack(parcels: &mut Parcels, peer: u8, of: &[&Sealed]) {
    let entries: Vec<AckEntry> = of.iter().map(|parcel| entry(parcel)).collect();
    parcels.on_ack(address(peer), &entries, 0);
}

fn cut_entry(parcel: &Parcel) -> CutEntry {
    let Slot { author, epoch, seq } = parcel.slot();
    CutEntry {
        lane: validators(4).index_of(author).unwrap(),
        epoch,
        seq,
        parcel_hash: parcel.hash(),
        seen: parcel.header().seen,
    }
}

fn last_cut(parcel: &Parcel) -> LastCut {
    let Slot { epoch, seq, .. } = parcel.slot();
    LastCut {
        epoch,
        seq,
        hash: parcel.hash(),
        seen: parcel.header().seen,
    }
}

/// A block of the next height that cuts lanes at these parcels.
fn decide(parcels: &mut Parcels, cuts: &[&Sealed]) -> Vec<(Slot, B256)> {
    let mut last_cuts: BTreeMap<_, _> = parcels
        .lanes
        .iter()
        .filter_map(|(author, chain)| Some((*author, *chain.cut()?)))
        .collect();
    for parcel in cuts {
        last_cuts.insert(parcel.slot().author, last_cut(parcel));
    }
    let validators = Arc::clone(&parcels.validators);
    let height = parcels.height.next();
    parcels.on_decided(&View {
        height,
        validators: &validators,
        last_cuts: &last_cuts,
        joined: &BTreeMap::new(),
    })
}

/// What a cut takes: author's first byte, epoch and number of the last parcel.
fn taken(cut: &Cut) -> Vec<(u32, u64, u64)> {
    cut.iter()
        .map(|entry| (entry.lane, entry.epoch.0, entry.seq))
        .collect()
}
