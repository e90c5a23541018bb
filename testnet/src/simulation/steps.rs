//! Power that fails at one certain step of what a machine does, in every part that a machine can play:
//! every order of D1 and D3 is cut everywhere.

use super::{Config, Report, Simulation};
use crate::checker::Violation;

/// Virtual time, in milliseconds, in which such a network makes a few heights.
const SOON_MS: u64 = 60_000;

/// How long a machine stays without power, in milliseconds.
const OFF_MS: u64 = 300;

/// How much later than the earliest a change of the validators is, in heights: time to be told.
const NOTICE: u64 = 6;

/// How often a change is tried, since the node that hears of it may forget it.
const TRIES_MAX: u32 = 100;

/// What the machine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is one of four validators.
    Validator,
    /// All four lose power, at the same step of each.
    Everybody,
    /// All four, before there is a block.
    Beginner,
    /// It is about to be a validator.
    Joining,
    /// It is about to be none any more.
    Leaving,
    /// It was cut off and fetches what it missed.
    CatchingUp,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 6] = [
        Self::Validator,
        Self::Everybody,
        Self::Beginner,
        Self::Joining,
        Self::Leaving,
        Self::CatchingUp,
    ];

    /// Cuts the power before a step, counted from a moment that the part says.
    ///
    /// # Errors
    /// What it broke.
    pub fn cut_at(self, step: u32) -> Result<Report, Violation> {
        let mut config = Config::calm(u64::from(step));
        config.joiners = usize::from(self == Self::Joining);
        let mut network = Simulation::new(config);
        network.start()?;
        match self {
            Self::Validator => cut(&mut network, step, &[1])?,
            Self::Everybody => cut(&mut network, step, &[0, 1, 2, 3])?,
            Self::Beginner => (0..4).for_each(|it| network.crash_after(it, step, Some(OFF_MS))),
            Self::Joining => cut_at_change(&mut network, step, 4, 1)?,
            Self::Leaving => cut_at_change(&mut network, step, 1, 0)?,
            Self::CatchingUp => cut_catching_up(&mut network, step)?,
        }
        let height = network.height();
        network.run_until(SOON_MS, |it| it.height() >= height + 6)?;
        network.finish()
    }
}

fn cut(network: &mut Simulation, step: u32, hosts: &[usize]) -> Result<(), Violation> {
    network.run_until(SOON_MS, |it| it.height() >= 6)?;
    for host in hosts {
        network.crash_after(*host, step, Some(OFF_MS));
    }
    network.run_until(SOON_MS, |it| hosts.iter().any(|host| !it.is_up(*host)))?;
    network.run_until(SOON_MS, |it| hosts.iter().all(|host| it.is_up(*host)))
}

/// Steps are counted from when the change is decided.
fn cut_at_change(
    network: &mut Simulation,
    step: u32,
    host: usize,
    to: u64,
) -> Result<(), Violation> {
    network.run_until(SOON_MS, |it| it.height() >= 4)?;
    for _ in 0..TRIES_MAX {
        if network.state().scheduled().next().is_none() {
            network.change_validator(host, to, NOTICE)?;
            network.run_for(10)?;
        }
    }
    network.crash_after(host, step, Some(OFF_MS));
    network.run_until(SOON_MS, |it| {
        it.state().validators().power_of(it.address(host)) == to
    })
}

/// Steps are counted from when it hears of the others again.
fn cut_catching_up(network: &mut Simulation, step: u32) -> Result<(), Violation> {
    network.run_until(SOON_MS, |it| it.height() >= 4)?;
    let until = network.height() + 20;
    network.isolate_until(2, until);
    network.run_until(SOON_MS, |it| it.height() >= until)?;
    network.crash_after(2, 10 * step, Some(OFF_MS));
    network.run_for(2 * OFF_MS)
}
