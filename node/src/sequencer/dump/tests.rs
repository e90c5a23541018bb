use std::os::unix::fs::PermissionsExt as _;

use cloverleaf_replica::Halt;
use cloverleaf_types::rollup::Verification;
use cloverleaf_types::{Bound, ChainId, Parameters};

use super::super::fatal::Fatal;
use super::*;
use crate::home::{DEMO_ROLLUPS, NetworkPlan, Places, Ports, create_network};

fn home(dir: &Path) -> Home {
    let plan = NetworkPlan {
        name: "test".to_owned(),
        validators: 1,
        rollups: DEMO_ROLLUPS.len(),
        verification: Verification::Once,
        places: Places::Loopback(Ports::new(Ports::DEFAULT_BASE).unwrap()),
        parameters: Parameters::default(),
        time_ms: 1,
    };
    let network = create_network(&dir.join("network"), &plan).unwrap();
    Home::open(&network.homes[0]).unwrap()
}

fn placed_twice() -> Halt {
    Halt::PlacedTwice {
        height: Height(7),
        block_hash: B256::repeat_byte(1),
        chain_id: ChainId(901),
        id: B256::repeat_byte(2),
    }
}

fn scene() -> Scene {
    Scene {
        height: Height(7),
        round: Round(2),
        evidence: vec![Bytes::from_static(&[0xAB])],
        ..Scene::default()
    }
}

fn dumps(home: &Home) -> Vec<PathBuf> {
    let entries = home.dir.read_dir().unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_dump = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(PREFIX)
    };
    paths.filter(is_dump).collect()
}

#[test]
fn invariant_that_does_not_hold_is_written_down_before_anybody_hears_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    let fatal = Fatal::of(&home);
    fatal.halt(&placed_twice(), scene());
    fatal.broken("a consequence");
    let (code, reason) = fatal.get().unwrap();
    assert_eq!(code, ExitCode::BROKEN);
    let [path] = &dumps(&home)[..] else {
        panic!("{:?}", dumps(&home));
    };
    assert!(path.ends_with("invariant-7-1.json"));
    assert!(reason.ends_with(&format!("what led to it is in {}", path.display())));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(path).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["invariant"]["number"], 5);
    assert_eq!((&value["height"], &value["round"]), (&json!(7), &json!(2)));
    assert_eq!(
        (&value["exitCode"], &value["evidence"]),
        (&json!(72), &json!(["ab"]))
    );
    assert_eq!(value["validator"], json!(home.keys.address()));
    for file in ["consensus.key", "network.key"] {
        let key = fs::read_to_string(home.dir.join("keys").join(file)).unwrap();
        let secret = key.lines().find(|line| !line.starts_with('#')).unwrap();
        assert!(
            secret.len() >= 64 && !text.contains(secret.trim()),
            "{file}"
        );
    }
}

#[test]
fn part_that_is_gone_is_written_down_with_where_the_replica_was() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    let fatal = Fatal::of(&home);
    fatal.saw(scene());
    fatal.broken("the commits' thread ended early");
    let text = fs::read_to_string(home.dir.join("invariant-7-1.json")).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["invariant"], Value::Null);
    assert_eq!(value["what"], "the commits' thread ended early");
}

#[test]
fn disk_that_fails_is_no_invariant_and_is_not_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    let fatal = Fatal::of(&home);
    fatal.store(&cloverleaf_storage::StoreError::Stopped {
        path: home.store_dir(),
    });
    assert_eq!(fatal.get().unwrap().0, ExitCode::DISK);
    assert!(dumps(&home).is_empty());
}

#[test]
fn dumps_have_an_end_in_number_and_in_size() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    let what = "x".repeat(10 * WHAT_BYTES_MAX);
    for _ in 0..DUMPS_MAX + 3 {
        let fatal = Fatal::of(&home);
        fatal.saw(scene());
        fatal.broken(&what);
        assert_eq!(fatal.get().unwrap().0, ExitCode::BROKEN);
    }
    assert_eq!(dumps(&home).len(), DUMPS_MAX);
    for path in dumps(&home) {
        assert!(path.metadata().unwrap().len() < 2 * WHAT_BYTES_MAX as u64);
    }
}

#[test]
fn whatever_holds_more_than_it_may_ends_the_node_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    let metrics = crate::metrics::Metrics::new();
    let [within, beyond] = [Bound::new("within", 2, 2), Bound::new("beyond", 3, 2)];
    assert_eq!(metrics.replica.bounds(&[within]), None);
    let found = metrics.replica.bounds(&[within, beyond]);
    assert_eq!(found, Some(beyond));
    let text = metrics.metered.text();
    for line in [
        "bounded_len{of=\"beyond\"} 3",
        "bounded_cap{of=\"beyond\"} 2",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let fatal = Fatal::of(&home);
    fatal.beyond(&beyond);
    let (code, reason) = fatal.get().unwrap();
    assert_eq!(code, ExitCode::BROKEN);
    assert!(
        reason.starts_with("beyond hold 3, and may hold 2 at most"),
        "{reason}"
    );
    let text = fs::read_to_string(home.dir.join("invariant-0-1.json")).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["invariant"]["number"], 12);
}
