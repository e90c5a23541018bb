//! A network with nodes that may join it, and what is changed of it next.

use std::time::Duration;

use cloverleaf_testnet::simulation::random::Random;
use cloverleaf_testnet::stage::{Fault, VALIDATORS};

use super::SPARE;
use crate::ground::Ground;

/// A node is killed within so many milliseconds after the change is scheduled: before, at and after its
/// height, which is 20 blocks above.
const MOMENT_MS: u64 = 4_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Join,
    Leave,
    Reweigh,
    Rolling,
}

/// A network with nodes that are not in it yet.
pub(super) struct Club {
    pub(super) ground: Ground,
    /// Each node's peer id.
    pub(super) peer_ids: Vec<String>,
}

/// A change, and who is killed meanwhile.
#[derive(Clone, Copy)]
pub(super) struct Change {
    pub(super) kind: Kind,
    pub(super) node: usize,
    pub(super) power: u64,
    pub(super) victim: usize,
    pub(super) is_early: bool,
    pub(super) moment: Duration,
}

impl Club {
    fn power(&self, node: usize) -> u64 {
        let address = self.ground.stage.validator(node);
        self.ground
            .stage
            .seen()
            .state()
            .validators()
            .power_of(address)
    }

    /// What a unit does depends on who is a validator then.
    pub(super) fn choose(&self, unit: u64, random: &mut Random) -> Change {
        let members = self.ground.stage.members();
        let spare = VALIDATORS + random.index(SPARE);
        let (kind, node, power) = match unit % 4 {
            0 | 2 if members.contains(&spare) => (Kind::Leave, spare, 0),
            0 | 2 => (Kind::Join, spare, 1),
            1 => {
                let node = *random.pick(&members);
                (Kind::Reweigh, node, 3 - self.power(node))
            }
            _ => (Kind::Rolling, 0, 0),
        };
        // Whoever is killed may fail before the change, and after it.
        let may_fail: Vec<usize> = members
            .into_iter()
            .filter(|victim| self.power(*victim) == 1 && *victim != node)
            .collect();
        let (kind, victim) = match may_fail.as_slice() {
            [] => (Kind::Rolling, node),
            may_fail => (kind, *random.pick(may_fail)),
        };
        Change {
            kind,
            node,
            power,
            victim,
            is_early: random.chance(300),
            moment: Duration::from_millis(random.below(MOMENT_MS)),
        }
    }

    /// Has the authority schedule the change, at a node that stays up.
    pub(super) fn schedule(&mut self, change: Change) -> Result<(), Fault> {
        let stage = &mut self.ground.stage;
        let members = stage.members();
        let others = members
            .into_iter()
            .filter(|it| ![change.victim, change.node].contains(it));
        let asked = others.min().expect("two of four are others");
        let key = stage.network().authority_key().display().to_string();
        let address = stage.validator(change.node).to_string();
        let power = change.power.to_string();
        let mut arguments = vec!["validator"];
        if change.kind == Kind::Leave {
            arguments.extend(["remove", &address]);
        } else {
            let peer_id = &self.peer_ids[change.node];
            arguments.extend(["add", &address, "--power", &power, "--peer-id", peer_id]);
        }
        arguments.extend(["--key", &key]);
        stage.command(asked, &arguments)?.succeeded()?;
        Ok(())
    }
}
