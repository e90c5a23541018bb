//! The whole node, started on a damaged directory beside three peers that are well.

use std::fs;

use cloverleaf_testnet::process::Error;

use super::directory::{Damage, Directory, Kind};
use super::oracle::{check_orderly, refusal};
use super::scene::{Scene, VICTIM, remove};
use crate::row::Tally;

/// A node that is never damaged.
const WITNESS: usize = 1;

/// What nodes count when a key signs twice.
const EVIDENCE: [&str; 2] = [
    "cloverleaf_consensus_vote_evidence",
    "cloverleaf_consensus_lane_equivocations",
];

/// How a start ended.
enum Ended {
    /// It runs and has all blocks.
    Runs,
    /// It ended by itself, and said why.
    Refused,
}

/// Damages the node's own directory, again and again. It lives on with what it has: an older copy of it
/// is never started.
pub(super) fn run(
    scene: &mut Scene,
    units: impl Iterator<Item = u64>,
    tally: &mut Tally,
) -> Result<(), String> {
    let units: Vec<u64> = units.collect();
    if units.is_empty() {
        return Ok(());
    }
    scene.network().start_all().map_err(text)?;
    let (mut runs, mut refused) = (0_u64, 0_u64);
    for unit in units {
        match start_damaged(scene, unit) {
            Ok(Ended::Runs) => runs += 1,
            Ok(Ended::Refused) => refused += 1,
            Err(problem) => {
                tally.break_at(unit, problem);
                tally.stop_before(unit + 1);
                break; // the network is not what the next unit needs
            }
        }
    }
    tally.meet("starts beside peers", runs + refused);
    let told = format!("{runs} ran at once, {refused} after their operator's help");
    tally.figures.insert("starts beside peers".to_owned(), told);
    Ok(())
}

fn start_damaged(scene: &mut Scene, unit: u64) -> Result<Ended, String> {
    catch_up(scene)?;
    scene.network().kill(VICTIM).map_err(text)?;
    let directory = Directory::read(&scene.home())?;
    let damage = directory.choose(unit, kind(unit));
    damage.toggle(&scene.home())?;
    let started = start(scene, &damage).map_err(|problem| format!("{damage}: {problem}"));
    let ended = started?;
    if let Ended::Refused = ended {
        mend(scene, &damage, unit)?;
        let again = start(scene, &damage).map_err(|problem| format!("mended, {damage}: {problem}"));
        if let Ended::Refused = again? {
            return Err(format!("mended, {damage}: it refuses again"));
        }
    }
    check_blocks(scene)?;
    scene
        .check_served()
        .map_err(|problem| format!("{damage}: {problem}"))?;
    check_evidence(scene)?;
    Ok(ended)
}

/// What the node writes itself, in turn.
fn kind(unit: u64) -> Kind {
    let kinds: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| kind.is_written_by_node())
        .collect();
    let turn = unit / super::UNITS_PER_START % kinds.len() as u64;
    kinds[usize::try_from(turn).expect("a turn is below the number of kinds")]
}

fn start(scene: &mut Scene, damage: &Damage) -> Result<Ended, String> {
    let started = scene.network().start(VICTIM).map(drop);
    let caught_up = match started {
        Ok(()) => catch_up(scene),
        Err(error) => return ended(damage, error),
    };
    // It may have met the damage when a peer asked for it.
    match scene.network().check() {
        Ok(()) => caught_up.map(|()| Ended::Runs),
        Err(error) => {
            let _has_ended = scene.network().kill(VICTIM);
            ended(damage, error)
        }
    }
}

fn ended(damage: &Damage, error: Error) -> Result<Ended, String> {
    let Error::Ended { status, log, .. } = error else {
        return Err(error.to_string());
    };
    check_orderly(status.code(), &log)?;
    refusal(damage, status.code(), &log).map(|_| Ended::Refused)
}

/// What `docs/operations.md` says: put back what the disk held, or do without the store.
fn mend(scene: &Scene, damage: &Damage, unit: u64) -> Result<(), String> {
    let (home, is_store) = (scene.home(), damage.kind.is_of_store());
    let path = home.join(&damage.file);
    let aside = home
        .join("journal")
        .join(format!("{}.damaged-1", damage.file_name()));
    if aside.exists() {
        fs::rename(&aside, &path).map_err(text)?;
    }
    let has_left = (unit / super::UNITS_PER_START).is_multiple_of(2);
    if is_store && (has_left || !path.exists()) {
        return remove(&home.join("db"));
    }
    damage.toggle_in(&path)
}

fn catch_up(scene: &mut Scene) -> Result<(), String> {
    let tip = scene.tip(WITNESS).ok_or("the witness does not answer")?;
    let network_is_up = |scene: &Scene| scene.tip(VICTIM) >= Some(tip);
    let watched: &Scene = scene;
    let mut waited = watched.wait("the node has its peers' blocks", network_is_up);
    if waited.is_err() {
        let height = scene.tip(VICTIM);
        waited = waited.map_err(|problem| format!("{problem}: it is at {height:?} of {tip}"));
    }
    waited
}

/// What it serves is what was decided. A block that it fetched may have another quorum's certificate.
fn check_blocks(scene: &Scene) -> Result<(), String> {
    let tip = scene.tip(VICTIM).ok_or("the node does not answer")?;
    for height in 1..=tip {
        let at = |node| scene.block(node, height);
        let (Some(mut served), Some(decided)) = (at(VICTIM), at(WITNESS)) else {
            continue;
        };
        served.certificate.clone_from(&decided.certificate);
        if served != decided {
            return Err(format!(
                "block {height} is served as {served:?}, and was {decided:?}"
            ));
        }
    }
    Ok(())
}

fn check_evidence(scene: &mut Scene) -> Result<(), String> {
    for name in EVIDENCE {
        let count = scene.network().metric(WITNESS, name);
        if count != Some(0) {
            return Err(format!("{name} is {count:?}"));
        }
    }
    Ok(())
}

fn text(problem: impl std::fmt::Display) -> String {
    problem.to_string()
}
