//! Authors that join and leave (L2).

use super::*;

/// A block after which these validators decide; some of them joined at a height.
fn change(parcels: &mut Parcels, count: u8, joined: &[(u8, u64)]) -> Vec<(Slot, B256)> {
    let last_cuts = parcels.lanes.iter();
    let last_cuts = last_cuts.filter_map(|(author, chain)| Some((*author, *chain.cut()?)));
    let joined = joined.iter();
    let joined = joined.map(|(name, height)| (address(*name), Height(*height)));
    let height = parcels.height.next();
    parcels.on_decided(&View {
        height,
        validators: &validators(count),
        last_cuts: &last_cuts.collect(),
        joined: &joined.collect(),
    })
}

#[test]
fn what_a_removed_author_had_uncut_is_forgotten_and_nothing_of_it_is_taken_in() {
    let mut parcels = parcels();
    let lane = chain(4, 0, 3, 10);
    store(&mut parcels, &lane);
    decide(&mut parcels, &[&lane[0]]);
    let forgotten = change(&mut parcels, 3, &[]);
    assert_eq!(forgotten.len(), 2);
    assert!(parcels.ack().is_empty());
    assert!(parcels.plan_cut().is_empty() && !parcels.can_advance());
    assert!(matches!(accept(&mut parcels, &lane[1]), Accept::Stranger));
}

// L2
#[test]
fn author_that_is_back_begins_an_epoch_and_what_ended_stays_ended() {
    let mut parcels = parcels();
    let lane = chain(4, 0, 2, 10);
    store(&mut parcels, &lane);
    decide(&mut parcels, &[&lane[0]]);
    change(&mut parcels, 3, &[]);
    change(&mut parcels, 4, &[(4, 9)]);
    assert!(matches!(accept(&mut parcels, &lane[1]), Accept::Old));
    let old = parcels.resolve(&[cut_entry(&lane[1])]);
    assert!(
        matches!(old, Resolved::Invalid(InvalidCut::Unchained { .. })),
        "{old:?}"
    );
    let again = chain(4, 9, 2, 10);
    store(&mut parcels, &again);
    assert!(matches!(
        parcels.resolve(&[cut_entry(&again[1])]),
        Resolved::Ready(_)
    ));
}

#[test]
fn acks_count_from_the_height_from_which_a_validator_decides() {
    let mut parcels = with(config(), 4, 5);
    let lane = chain(2, 0, 1, 10);
    store(&mut parcels, &lane);
    ack(&mut parcels, 3, &[&lane[0]]);
    ack(&mut parcels, 5, &[&lane[0]]);
    assert_eq!(parcels.plan_cut().len(), 1, "three of four hold it");
    change(&mut parcels, 5, &[(5, 7)]);
    assert!(parcels.plan_cut().is_empty(), "three of five do not do");
    ack(&mut parcels, 5, &[&lane[0]]);
    assert_eq!(parcels.plan_cut().len(), 1, "four of five do");
}
