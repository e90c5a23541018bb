//! The lints of STYLE.md are on where it says so.

use crate::source::{blanked, read, sources};

const CASTS: [&str; 3] = [
    "clippy::cast_possible_truncation",
    "clippy::cast_possible_wrap",
    "clippy::cast_sign_loss",
];

/// Modules of `types` that read bytes from outside.
const DECODERS: [&str; 5] = [
    "types/src/codec.rs",
    "types/src/item/codec.rs",
    "types/src/parcel.rs",
    "types/src/batch.rs",
    "types/src/block.rs",
];

/// True if the file has the inner attribute for this lint.
fn has(path: &str, level: &str, lint: &str) -> bool {
    let text = read(path);
    let attribute = format!("#![{level}(");
    text.split(&attribute)
        .skip(1)
        .any(|rest| rest.split(')').next().unwrap().contains(lint))
}

#[test]
fn every_crate_takes_the_workspaces_lints_or_has_its_own_table() {
    for name in [
        "hashing",
        "types",
        "bundle",
        "api",
        "mempool",
        "consensus",
        "network",
        "journal",
        "storage",
    ]
    .into_iter()
    .chain(["stream", "client", "replica", "evm", "node"])
    {
        let manifest = read(&format!("{name}/Cargo.toml"));
        assert!(manifest.contains("[lints]\nworkspace = true\n"), "{name}");
    }
    for name in ["testnet", "bench", "figures"] {
        assert!(
            read(&format!("{name}/Cargo.toml")).contains("[lints.clippy]\n"),
            "{name}"
        );
    }
}

#[test]
fn crates_whose_numbers_are_agreed_on_deny_lossy_casts() {
    for name in ["types", "bundle", "storage"] {
        for lint in CASTS {
            assert!(
                has(&format!("{name}/src/lib.rs"), "deny", lint),
                "{name}: {lint}"
            );
        }
    }
}

#[test]
fn crates_that_others_read_document_everything() {
    for name in ["hashing", "types", "bundle", "api", "client"] {
        let root = format!("{name}/src/lib.rs");
        let documented = has(&root, "warn", "missing_docs") || has(&root, "deny", "missing_docs");
        assert!(documented, "{root} needs #![warn(missing_docs)]");
    }
}

#[test]
fn pure_crates_forbid_unsafe_code() {
    for name in ["types", "bundle", "api"] {
        let root = format!("{name}/src/lib.rs");
        assert!(has(&root, "forbid", "unsafe_code"), "{root}");
    }
}

#[test]
fn only_hashing_has_unsafe_code() {
    for source in sources() {
        let is_hashing = source.path.starts_with("hashing/");
        assert!(
            is_hashing || !blanked(&source.text).contains("unsafe "),
            "{}",
            source.path
        );
    }
}

#[test]
fn decoders_cannot_overflow_or_index_out_of_bounds() {
    for path in DECODERS {
        for lint in [
            "clippy::arithmetic_side_effects",
            "clippy::indexing_slicing",
        ] {
            assert!(has(path, "deny", lint), "{path}: {lint}");
        }
    }
}
