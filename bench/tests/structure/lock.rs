//! The versions of dependencies: none with a fault that is known and mended.
//!
//! RustSec's list has nothing of several that a peer can use from afar, so tools that read it alone do
//! not find them.

use crate::source::read;

/// The oldest version of a package without the faults that are named.
const OLDEST: [(&str, &str, &str); 21] = [
    ("bytes", "1.11.1", "RUSTSEC-2026-0007"),
    ("crossbeam-epoch", "0.9.20", "RUSTSEC-2026-0204"),
    ("curve25519-dalek", "4.1.3", "RUSTSEC-2024-0344"),
    (
        "h2",
        "0.4.16",
        "RUSTSEC-2026-0258, RUSTSEC-2024-0332, RUSTSEC-2024-0003: floods of frames",
    ),
    (
        "hickory-proto",
        "0.26.1",
        "RUSTSEC-2026-0118, RUSTSEC-2026-0119",
    ),
    ("libp2p", "0.45.1", "CVE-2022-23486: memory without an end"),
    (
        "libp2p-gossipsub",
        "0.50.1",
        "GHSA-gc42-3jg7-rxr2, GHSA-xqmp-fxgv-xvq5, GHSA-g3g5-x568-qvqx",
    ),
    (
        "libp2p-quic",
        "0.13.1",
        "GHSA-5hq8-qhww-jm7q: a panic from afar",
    ),
    (
        "quinn-proto",
        "0.11.15",
        "CVE-2026-31812, CVE-2026-25800, CVE-2024-45311",
    ),
    ("ring", "0.17.12", "RUSTSEC-2025-0009"),
    ("rocksdb", "0.19.0", "RUSTSEC-2022-0046"),
    ("rustls", "0.23.18", "RUSTSEC-2024-0399"),
    ("rustls-webpki", "0.103.13", "RUSTSEC-2026-0104"),
    ("slab", "0.4.11", "RUSTSEC-2025-0047"),
    (
        "snow",
        "0.9.5",
        "CVE-2024-58265: a nonce that goes on by itself",
    ),
    ("time", "0.3.47", "RUSTSEC-2026-0009"),
    ("tokio", "1.44.2", "RUSTSEC-2025-0023"),
    ("tonic", "0.12.3", "RUSTSEC-2024-0376"),
    ("tracing-subscriber", "0.3.20", "RUSTSEC-2025-0055"),
    ("tungstenite", "0.20.1", "RUSTSEC-2023-0065"),
    (
        "yamux",
        "0.13.10",
        "CVE-2026-32314, CVE-2026-31814, CVE-2024-32984: panics from afar",
    ),
];

/// The name and the version of each package of a lock file.
fn packages(lock: &str) -> Vec<(&str, &str)> {
    let packages = lock.split("[[package]]").skip(1);
    let found = packages.map(|it| Some((field(it, "name")?, field(it, "version")?)));
    found.map(|it| it.expect("a package has both")).collect()
}

fn field<'a>(package: &'a str, name: &str) -> Option<&'a str> {
    let begin = format!("\n{name} = \"");
    package.split_once(&begin)?.1.split('"').next()
}

/// True if a version comes before another: by its three numbers.
fn is_older(version: &str, other: &str) -> bool {
    let numbers = |version: &str| -> Vec<u64> {
        let numbers = version.split(['-', '+']).next().unwrap().split('.');
        numbers.map(|number| number.parse().unwrap()).collect()
    };
    numbers(version) < numbers(other)
}

#[test]
fn no_dependency_is_older_than_the_version_that_mends_a_known_fault() {
    for path in [
        "Cargo.lock",
        "fuzz/Cargo.lock",
        "bench/instructions/Cargo.lock",
    ] {
        let lock = read(path);
        let packages = packages(&lock);
        assert!(packages.len() > 50, "{path} has no packages");
        for (name, oldest, fault) in OLDEST {
            let found = packages.iter().filter(|(found, _)| *found == name);
            for (_, version) in found {
                assert!(
                    !is_older(version, oldest),
                    "{path} has {name} {version}, take {oldest} or later: {fault}"
                );
            }
        }
    }
}

#[test]
fn versions_are_compared_by_number() {
    assert!(is_older("0.9.20", "0.10.0") && is_older("1.11.0", "1.11.1"));
    assert!(!is_older("1.11.1", "1.11.1") && !is_older("0.14.1", "0.13.10"));
    assert!(!is_older("4.1.3+build", "4.1.3"));
    let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"0.1.0\"\n";
    assert_eq!(packages(lock), [("a", "0.1.0")]);
}
