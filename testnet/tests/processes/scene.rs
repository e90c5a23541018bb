//! A stage for tests: four processes and those who watch them. Whatever is wrong fails the test.

use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_testnet::external::{Node, Seen};
use cloverleaf_testnet::load::{Answers, Load, Plan, Signed};
use cloverleaf_testnet::process::{Binary, Finished, Started};
use cloverleaf_testnet::stage::{Fault, Stage, StagePlan};

pub(crate) use cloverleaf_testnet::stage::{CHAINS, SOON, now_ms};

/// What users offer in a second: transactions and bundles.
const OFFERED: (usize, usize) = (380, 8);

/// A running network, watched from outside.
pub(crate) struct Scene {
    stage: Stage,
    /// Removed after the processes have ended.
    dir: Dir,
    _turn: Turn,
}

/// Held while a network runs: what two do at a time says nothing about either. Other processes that
/// run these tests wait too, so the directories are this one's.
pub(crate) struct Turn {
    _in_this_process: MutexGuard<'static, ()>,
    _on_this_machine: File,
}

impl Turn {
    /// Waits for all others.
    pub(crate) fn take() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let in_this_process = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = Path::new(env!("CARGO_TARGET_TMPDIR")).join("processes.lock");
        let lock = File::create(lock).unwrap();
        lock.lock().unwrap();
        Self {
            _in_this_process: in_this_process,
            _on_this_machine: lock,
        }
    }
}

/// An empty directory for a test, removed when the test has passed.
pub(crate) struct Dir(cloverleaf_testnet::stage::Dir);

impl Dir {
    pub(crate) fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("processes-{name}"));
        Self(cloverleaf_testnet::stage::Dir::new(path).unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Deref for Scene {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl DerefMut for Scene {
    fn deref_mut(&mut self) -> &mut Stage {
        &mut self.stage
    }
}

#[track_caller]
fn expect<T>(done: Result<T, Fault>) -> T {
    done.unwrap_or_else(|fault| panic!("{fault}"))
}

/// What the stage does, for tests.
impl Scene {
    /// Makes a network of four and starts it.
    pub(crate) fn start(name: &str, block_time_ms: Option<u64>) -> Self {
        let turn = Turn::take();
        let binary = Binary::find().unwrap_or_else(|error| panic!("{error}"));
        let dir = Dir::new(name);
        let plan = StagePlan {
            block_time_ms,
            ..StagePlan::default()
        };
        Self {
            stage: expect(Stage::start(&binary, &dir.0, plan)),
            dir,
            _turn: turn,
        }
    }

    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, is_so: impl FnMut(&Seen) -> bool) {
        expect(self.stage.wait(what, is_so));
    }

    #[track_caller]
    pub(crate) fn check(&mut self) {
        expect(self.stage.check());
    }

    #[track_caller]
    pub(crate) fn kill(&mut self, node: Node) {
        expect(self.stage.kill(node));
    }

    #[track_caller]
    pub(crate) fn stop(&mut self, node: Node) {
        expect(self.stage.stop(node));
    }

    #[track_caller]
    pub(crate) fn kill_all(&mut self) {
        expect(self.stage.kill_all());
    }

    #[track_caller]
    pub(crate) fn restart(&mut self, node: Node) -> Started {
        expect(self.stage.restart(node))
    }

    #[track_caller]
    pub(crate) fn wait_until_it_takes_part(&mut self, node: Node) {
        expect(self.stage.wait_until_it_takes_part(node));
    }

    /// Each node has a subscriber that asks nobody else, and comes back to it with its cursor.
    pub(crate) fn subscribe_to_each(&mut self) {
        for node in 0..4 {
            self.stage.follow_one(CHAINS[node % 2], node);
        }
    }

    /// Starts users of all nodes.
    pub(crate) fn load(&self, seed: u64) -> Load {
        self.load_of(seed, 4)
    }

    /// Starts users of the first nodes.
    pub(crate) fn load_of(&self, seed: u64, nodes: usize) -> Load {
        let plan = Plan::of_rates(seed, OFFERED.0, OFFERED.1);
        expect(self.stage.load(plan, nodes))
    }

    /// Submits a transaction to a node, and waits until it is available.
    #[track_caller]
    pub(crate) fn make_available(&self, node: Node, signed: &Signed) {
        expect(self.stage.submit(node, signed, Wait::Available));
    }

    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        expect(self.stage.run(arguments))
    }

    /// Where this scene's files are.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    #[track_caller]
    pub(crate) fn command(&self, node: Node, arguments: &[&str]) -> Finished {
        expect(self.stage.command(node, arguments))
    }

    #[track_caller]
    pub(crate) fn judge(&mut self, answers: &Answers) {
        expect(self.stage.judge(answers));
    }
}
