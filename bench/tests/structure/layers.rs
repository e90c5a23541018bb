//! Who may name whom. An edge that is really needed is added here, with its reason.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// The crates of the workspace that a crate may name, tests included.
const EDGES: &[(&str, &[&str])] = &[
    ("hashing", &[]),
    // Leaves and nodes of trees, ids of transactions.
    ("types", &["hashing"]),
    ("bundle", &["types"]),
    ("api", &["types"]),
    ("mempool", &["types", "bundle"]),
    ("consensus", &["types"]),
    ("network", &["types"]),
    ("journal", &["types"]),
    // Its check follows blocks to the state of the tip.
    ("storage", &["types", "bundle"]),
    ("stream", &["types"]),
    ("client", &["types", "bundle", "api"]),
    ("replica", &["types", "bundle", "mempool", "consensus"]),
    ("evm", &["types", "bundle", "api", "client", "journal"]),
    // It starts the `cloverleaf` binary by path, so it does not name `node`.
    (
        "testnet",
        &[
            "types",
            "bundle",
            "api",
            "client",
            "replica",
            "consensus",
            "journal",
            // Simulated users submit to pools, and Byzantine authors speak the parcels protocol.
            "mempool",
            // Hostile peers join the mesh with a validator's key.
            "network",
            // Simulated readers resume at the hubs that nodes serve.
            "stream",
        ],
    ),
    (
        "node",
        &[
            "types",
            "bundle",
            "api",
            "mempool",
            "consensus",
            "network",
            "journal",
            "storage",
            "stream",
            "client",
            "replica",
            "evm",
            "testnet",
        ],
    ),
    (
        "bench",
        &[
            "types",
            "bundle",
            "mempool",
            "consensus",
            "journal",
            "replica",
            // Benches only, not what `figures` names: what a node does to its disk, and for its
            // subscribers.
            "storage",
            "stream",
            "api",
            "client",
            "node",
        ],
    ),
    // As `testnet`, it starts the binary by path.
    ("figures", &["types", "api", "client", "testnet", "bench"]),
];

/// Libraries with a large surface, by how their names begin, and the crates that may ship them.
const CONFINED: &[(&str, &[&str])] = &[
    ("arc-malachitebft", &["consensus"]),
    // Hostile peers of the fault programme speak it wrongly, by hand.
    ("libp2p", &["network", "testnet"]),
    ("rocksdb", &["storage"]),
    ("revm", &["evm"]),
    ("reth-", &["mempool", "evm"]),
    ("axum", &["node", "evm"]),
    // `api` holds the generated services, which name it.
    ("tonic", &["api", "client", "node"]),
    ("hyper", &["client", "node"]),
    ("tokio-tungstenite", &["node"]),
    ("eyre", &["node", "figures"]),
    // The crates below have plain state; what is counted of them is counted in one place.
    ("prometheus-client", &["node"]),
    // The others are pure: no executor, no socket, no thread that outlives a call.
    (
        "tokio",
        &[
            "network", "stream", "client", "evm", "testnet", "node", "figures",
        ],
    ),
];

fn packages() -> BTreeMap<String, Package> {
    let root = crate::source::root().join("Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(root)
        .no_deps()
        .exec()
        .unwrap();
    let named = metadata.packages.into_iter().map(|package| {
        let name = package
            .name
            .strip_prefix("cloverleaf-")
            .expect("cloverleaf-<folder>");
        (name.to_owned(), package)
    });
    named.collect()
}

#[test]
fn every_crate_names_only_what_its_layer_may() {
    let packages = packages();
    let listed: Vec<&str> = EDGES.iter().map(|(name, _)| *name).collect();
    let mut found: Vec<&str> = packages.keys().map(String::as_str).collect();
    found.sort_by_key(|name| listed.iter().position(|other| other == name));
    assert_eq!(found, listed, "crates of the workspace");
    for (name, allowed) in EDGES {
        for dependency in &packages[*name].dependencies {
            if let Some(other) = dependency.name.strip_prefix("cloverleaf-") {
                assert!(allowed.contains(&other), "{name} must not name {other}");
            }
        }
    }
}

#[test]
fn libraries_with_a_large_surface_stay_where_they_are() {
    for (name, package) in packages() {
        let shipped = package
            .dependencies
            .iter()
            .filter(|it| it.kind != DependencyKind::Development);
        for dependency in shipped {
            for (library, allowed) in CONFINED {
                let is_it = dependency.name.starts_with(library);
                assert!(
                    !is_it || allowed.contains(&name.as_str()),
                    "{} is confined to {allowed:?}; {name} ships it",
                    dependency.name
                );
            }
        }
    }
}

#[test]
fn a_crate_is_named_after_its_folder_and_comes_with_the_workspaces_settings() {
    for (name, package) in packages() {
        let folder = package.manifest_path.parent().unwrap().file_name().unwrap();
        assert_eq!(folder, name);
        assert_eq!(
            package.license.as_deref(),
            Some("MIT OR Apache-2.0"),
            "{name}"
        );
        assert_eq!(
            package.publish,
            Some(vec![]),
            "{name} must not be published"
        );
    }
}

#[test]
fn description_first_line_and_both_code_maps_say_the_same_of_a_crate() {
    let maps = ["README.md", "ARCHITECTURE.md"].map(|path| (path, crate::source::read(path)));
    for (name, package) in packages() {
        let sentence = package.description.as_deref().unwrap_or_default();
        assert!(sentence.ends_with('.'), "{name} has no sentence");
        let root = crate::source::read(&format!("{name}/src/lib.rs"));
        let first = root.lines().next().unwrap_or_default();
        assert_eq!(first, format!("//! {sentence}"), "{name}/src/lib.rs");
        for (path, text) in &maps {
            let start = format!("| `{name}` | ");
            let row = text.lines().find(|line| line.starts_with(&start));
            let row = row.unwrap_or_else(|| panic!("{path} has no row for {name}"));
            assert!(row.ends_with(&format!("| {sentence} |")), "{path}: {row}");
        }
    }
}
