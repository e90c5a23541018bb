//! The release before this tree: its tag, and its binary, which is built once beside this one.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cloverleaf_testnet::process::{Binary, Error};

/// This tree.
const TREE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The latest tag of a commit before this one's; nothing when there is none.
pub(super) fn tag() -> Result<Option<String>, Error> {
    let before = ["tag", "--merged", "HEAD", "--no-contains", "HEAD"];
    let said = git(before.iter().chain(&["--sort=-creatordate"]))?;
    Ok(said.lines().next().map(str::to_owned))
}

/// Its binary, built in a worktree of its own unless it is there already. Takes minutes once.
pub(super) fn build(tag: &str) -> Result<Binary, Error> {
    let commit = git(["rev-parse", &format!("{tag}^{{commit}}")])?;
    let dir = folder()?;
    let binary = dir.join(format!("cloverleaf-{}", commit.trim()));
    if !binary.is_file() {
        fs::create_dir_all(&dir).map_err(Error::system(format!("making {}", dir.display())))?;
        eprintln!("building {tag} in {}", dir.display());
        let tree = Worktree::add(dir.join("tree"), tag)?;
        let target = dir.join("target");
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--locked", "--workspace", "--bin", "cloverleaf"])
            .env("CARGO_TARGET_DIR", &target)
            .current_dir(&tree.path);
        run(&mut cargo)?;
        let built = target.join("debug/cloverleaf");
        let what = format!("copying {}", built.display());
        fs::copy(&built, &binary).map_err(Error::system(what))?;
    }
    Binary::at(binary)
}

/// Beside this executable.
fn folder() -> Result<PathBuf, Error> {
    let executable = env::current_exe().map_err(Error::system("finding this executable"))?;
    let beside = executable.parent().unwrap_or(Path::new("."));
    Ok(beside.join("faults-upgrade"))
}

/// A tag's tree. Whoever drops it removes it.
struct Worktree {
    path: PathBuf,
}

impl Worktree {
    fn add(path: PathBuf, tag: &str) -> Result<Self, Error> {
        // What a killed run left.
        let tree = Self { path };
        tree.remove();
        let place = tree.path.as_os_str();
        let words = ["worktree", "add", "--detach"].map(OsStr::new);
        git(words.into_iter().chain([place, OsStr::new(tag)]))?;
        Ok(tree)
    }

    fn remove(&self) {
        let words = ["worktree", "remove", "--force"].map(OsStr::new);
        let _is_not_there = git(words.into_iter().chain([self.path.as_os_str()]));
        let _is_not_there = fs::remove_dir_all(&self.path);
        let _no_more_known = git(["worktree", "prune"]);
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        self.remove();
    }
}

fn git<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Result<String, Error> {
    let mut command = Command::new("git");
    command.args(["-C", TREE]).args(arguments);
    run(&mut command)
}

fn run(command: &mut Command) -> Result<String, Error> {
    let what = format!("{command:?}");
    let output = command.output().map_err(Error::system(&what))?;
    if !output.status.success() {
        return Err(Error::Failed {
            command: what,
            code: output.status.code(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
