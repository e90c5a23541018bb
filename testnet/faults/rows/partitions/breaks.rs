//! One break of links or of a process, and what may happen while it lasts.

use std::time::Duration;

use cloverleaf_testnet::links::Links;
use cloverleaf_testnet::process::{Stopwatch, pause};
use cloverleaf_testnet::simulation::random::Random;
use cloverleaf_testnet::stage::{Fault, VALIDATORS};

use super::Field;
use crate::rows::shuffled;

/// What was on its way when links were cut has arrived after this time.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Most breaks last between these two, in milliseconds: long enough for several rounds of consensus.
const BREAK_MS: (u64, u64) = (3_000, 6_000);

/// One in eight lasts between these two: longer than connections survive.
const LONG_BREAK_MS: (u64, u64) = (12_000, 20_000);

/// How often a flapping link changes, in milliseconds.
const FLAP_MS: (u64, u64) = (200, 1_500);

/// What a slow node may send in a second, in kbit: from less than the load needs.
const SLOW_KBIT: (u64, u64) = (512, 4_096);

/// By how much all that a node sends is late, in milliseconds: up to more than a round's timeouts.
const DELAY_MS: (u64, u64) = (50, 2_000);

pub(super) const KINDS: [Kind; 10] = [
    Kind::Halves,
    Kind::Isolated,
    Kind::Lossy,
    Kind::Flapping,
    Kind::Delayed,
    Kind::Deaf,
    Kind::Unheard,
    Kind::Between,
    Kind::Slow,
    Kind::Stopped,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Two and two: nobody decides.
    Halves,
    /// One alone.
    Isolated,
    /// One hears nobody, and is heard.
    Deaf,
    /// One is heard by nobody, and hears.
    Unheard,
    /// One sees all, who are one and two that do not see each other.
    Between,
    /// One alone, again and again.
    Flapping,
    /// What one sends is late, and what it hears is not.
    Delayed,
    /// Everything loses packets.
    Lossy,
    /// One sends slowly.
    Slow,
    /// One process stands still.
    Stopped,
}

/// A break, of nodes in an order of chance.
pub(super) struct Break {
    pub(super) kind: Kind,
    nodes: [usize; VALIDATORS],
    pub(super) time: Duration,
    random: Random,
}

impl Break {
    /// The break of a unit; a slow node's where packets cannot be delayed.
    pub(super) fn of(unit: u64, can_delay: bool) -> Self {
        let mut random = Random::new(unit);
        let turn = usize::try_from(unit).expect("few units");
        let kind = match KINDS[turn % KINDS.len()] {
            Kind::Delayed if !can_delay => Kind::Slow,
            kind => kind,
        };
        let (low, high) = if random.chance(125) {
            LONG_BREAK_MS
        } else {
            BREAK_MS
        };
        Self {
            kind,
            nodes: shuffled(&mut random),
            time: Duration::from_millis(random.between(low, high)),
            random,
        }
    }

    /// Does it; a flapping one takes its time.
    pub(super) fn begin(&mut self, on: &mut Field) -> Result<(), Fault> {
        let [one, other, third, last] = self.nodes;
        match self.kind {
            Kind::Halves => split(&on.links, &[one, other], &[third, last])?,
            Kind::Isolated | Kind::Flapping => split(&on.links, &[one], &[other, third, last])?,
            Kind::Deaf => cut(&on.links, &[other, third, last], &[one])?,
            Kind::Unheard => cut(&on.links, &[one], &[other, third, last])?,
            Kind::Between => split(&on.links, &[one], &[other, third])?,
            Kind::Lossy => self.lose(&on.links)?,
            Kind::Delayed => {
                let delay_ms = self.random.between(DELAY_MS.0, DELAY_MS.1);
                on.links.delay(one, delay_ms)?;
            }
            Kind::Slow => {
                let kbit = self.random.between(SLOW_KBIT.0, SLOW_KBIT.1);
                on.links.slow(one, kbit)?;
            }
            Kind::Stopped => on.ground.stage.network().suspend(one)?,
        }
        Ok(())
    }

    fn lose(&mut self, links: &Links) -> Result<(), Fault> {
        let percent = self.random.between(1, 30);
        for (from, to) in pairs() {
            links.lose(from, to, percent)?;
        }
        Ok(())
    }

    /// Undoes it.
    pub(super) fn end(&self, on: &mut Field) -> Result<(), Fault> {
        on.links.heal()?;
        if self.kind == Kind::Stopped {
            on.ground.stage.network().resume(self.nodes[0])?;
        }
        Ok(())
    }

    /// Those who are connected with each other and are a quorum go on.
    fn has_quorum(&self) -> bool {
        !matches!(self.kind, Kind::Halves | Kind::Lossy)
    }

    /// Those who can have no new block while it lasts.
    fn minority(&self) -> &[usize] {
        match self.kind {
            Kind::Halves => &self.nodes,
            Kind::Isolated | Kind::Stopped | Kind::Deaf => &self.nodes[..1],
            _ => &[],
        }
    }

    /// Links come and go until its time is over.
    fn flap(&mut self, on: &mut Field) -> Result<(), Fault> {
        let watch = Stopwatch::start();
        let mut is_cut = true;
        while watch.elapsed() < self.time {
            pause(Duration::from_millis(
                self.random.between(FLAP_MS.0, FLAP_MS.1),
            ));
            if is_cut {
                on.links.heal()?;
            } else {
                self.begin(on)?;
            }
            is_cut = !is_cut;
        }
        Ok(())
    }

    /// Lets it last, and looks that nobody announces what it cannot know.
    pub(super) fn last(&mut self, on: &mut Field) -> Result<(), Fault> {
        let before = on.ground.stage.seen().tip();
        if self.kind == Kind::Flapping {
            return self.flap(on);
        }
        pause(ON_ITS_WAY);
        let minority = self.minority_tips(on)?;
        pause(self.time - ON_ITS_WAY);
        on.ground.stage.check()?;
        let announced = self.minority_tips(on)?;
        if announced != minority {
            return Err(Fault::broken(format!(
                "{:?}: nodes {:?} had heights {minority:?}, and announced {announced:?} without a quorum",
                self.kind,
                self.minority()
            )));
        }
        if self.has_quorum() {
            let what = format!(
                "{:?} of {:?}: those with a quorum decide",
                self.kind, self.nodes
            );
            let stage = &mut on.ground.stage;
            stage.wait(&what, |seen| seen.tip() > before)?;
        }
        Ok(())
    }

    /// As they say themselves; who stands still says nothing.
    fn minority_tips(&self, on: &Field) -> Result<Vec<u64>, Fault> {
        if self.kind == Kind::Stopped {
            return Ok(Vec::new());
        }
        let stage = &on.ground.stage;
        let tip = |node: &usize| {
            let info = stage.runtime().block_on(stage.client(*node).network_info());
            Ok(info?.height.0)
        };
        self.minority().iter().map(tip).collect()
    }
}

/// Neither side hears the other.
fn split(links: &Links, one: &[usize], other: &[usize]) -> Result<(), Fault> {
    cut(links, one, other)?;
    cut(links, other, one)
}

fn cut(links: &Links, from: &[usize], to: &[usize]) -> Result<(), Fault> {
    for from in from {
        for to in to {
            links.cut(*from, *to)?;
        }
    }
    Ok(())
}

fn pairs() -> impl Iterator<Item = (usize, usize)> {
    let all = (0..VALIDATORS).flat_map(|from| (0..VALIDATORS).map(move |to| (from, to)));
    all.filter(|(from, to)| from != to)
}
