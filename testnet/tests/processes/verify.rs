//! `verify` believes nothing: whatever is changed in a proof, it says which step fails.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use cloverleaf_mempool::Name;
use cloverleaf_testnet::load::bundle_legs;
use cloverleaf_testnet::process::{Binary, Finished};
use cloverleaf_types::ChainId;
use serde_json::{Value, json};

use crate::devnet::DevNetwork;

/// Bundles that are sent at once: at least two of them share a block, so that their branches are not
/// empty.
const BUNDLES: u64 = 6;

/// Proofs of a network that runs no more.
struct Evidence {
    binary: Binary,
    /// Two bundles of different heights.
    bundles: [Value; 2],
    head: Value,
    trust: Value,
    /// Of another network.
    foreign_trust: Value,
}

static EVIDENCE: LazyLock<Evidence> = LazyLock::new(|| {
    let network = DevNetwork::start("verify", &["--block-time-ms", "400"]);
    let bundles = [0, 1].map(|round| bundle_proof(&network, round));
    let head = network
        .runtime()
        .block_on(network.client(1).head_proof(ChainId(902)));
    let other = network.dir().join("other");
    let path = other.display().to_string();
    network
        .command(&["testnet", "init", "--out", &path])
        .succeeded()
        .unwrap();
    let foreign_trust = fs::read_to_string(other.join("trust.json")).unwrap();
    Evidence {
        binary: Binary::find().unwrap(),
        bundles,
        head: json!(head.unwrap().unwrap()),
        trust: network.ask(&["trust"]).succeeded().unwrap().json().unwrap(),
        foreign_trust: serde_json::from_str(&foreign_trust).unwrap(),
    }
});

/// The proof of a bundle that shares its block with another, as `bundle proof` writes it.
fn bundle_proof(network: &DevNetwork, round: usize) -> Value {
    let send = |bundle| {
        let legs = bundle_legs(6, round, bundle, &[901, 902]);
        network.send_bundle(&[(901, &legs[..1]), (902, &legs[1..])])
    };
    let sent: Vec<Name> = (0..BUNDLES).map(send).collect();
    let proofs = sent.into_iter().map(|name| {
        network.committed(name);
        let Name::Bundle(hash) = name else {
            unreachable!("a bundle was sent")
        };
        let out = network.dir().join("proof.json");
        let (hash, path) = (hash.to_string(), out.display().to_string());
        network
            .ask(&["bundle", "proof", &hash, "--out", &path])
            .succeeded()
            .unwrap();
        serde_json::from_str::<Value>(&fs::read_to_string(out).unwrap()).unwrap()
    });
    let mut proofs = proofs.filter(|proof| proof["branch"] != json!([]));
    proofs.next().expect("two bundles in one block")
}

impl Evidence {
    fn verify(&self, proof: &str, trust: &Value, flags: &[&str]) -> Finished {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        let path = |what: &str| {
            let file = format!("verify-{}-{call}-{what}.json", std::process::id());
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(file)
        };
        let (proof_path, trust_path) = (path("proof"), path("trust"));
        fs::write(&proof_path, proof).unwrap();
        fs::write(&trust_path, trust.to_string()).unwrap();
        let arguments = ["verify".as_ref(), proof_path.as_os_str()];
        let arguments = arguments
            .into_iter()
            .chain(["--trust".as_ref(), trust_path.as_os_str()]);
        let flags = flags.iter().map(OsStr::new);
        let told = self.binary.run(arguments.chain(flags)).unwrap();
        fs::remove_file(proof_path).unwrap();
        fs::remove_file(trust_path).unwrap();
        told
    }

    /// Asserts that a proof is refused for this step.
    fn refuses(&self, name: &str, proof: &Value, trust: &Value, step: &str) {
        let told = self.verify(&proof.to_string(), trust, &["--json"]);
        let answer = told.json().unwrap();
        assert_eq!(told.code, Some(1), "{name}: {answer}");
        assert_eq!(answer["valid"], false, "{name}: {answer}");
        assert_eq!(answer["step"], step, "{name}: {answer}");
    }

    /// Asserts that no leaf of a proof can be changed, and that each names its step.
    fn refuses_every_change(&self, proof: &Value, step_of: impl Fn(&str) -> &'static str) {
        let mut leaves = Vec::new();
        collect_leaves(proof, String::new(), &mut leaves);
        assert!(leaves.len() > 25, "{leaves:?}");
        for pointer in leaves {
            let mut changed = proof.clone();
            change(changed.pointer_mut(&pointer).unwrap());
            let name = pointer.replace('/', "-");
            self.refuses(&name, &changed, &self.trust, step_of(&pointer));
        }
    }
}

/// The places of everything that is no list and no object.
fn collect_leaves(value: &Value, pointer: String, leaves: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                collect_leaves(field, format!("{pointer}/{name}"), leaves);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_leaves(item, format!("{pointer}/{index}"), leaves);
            }
        }
        _ => leaves.push(pointer),
    }
}

/// Flips a bit in the middle of a hex text, turns a word, a number or a truth into another.
fn change(leaf: &mut Value) {
    *leaf = match leaf {
        Value::String(text) if text.starts_with("0x") => {
            let middle = text.len() / 2;
            let digit = u8::from_str_radix(&text[middle..=middle], 16).unwrap();
            json!(format!(
                "{}{:x}{}",
                &text[..middle],
                digit ^ 1,
                &text[middle + 1..]
            ))
        }
        Value::String(text) => json!(format!("{text}s")),
        Value::Number(number) => json!(number.as_u64().unwrap() + 1),
        Value::Bool(truth) => json!(!*truth),
        other => panic!("{other}"),
    };
}

/// The step that a change in a header or a certificate is caught at.
fn step_of_block(pointer: &str) -> Option<&'static str> {
    match pointer {
        "/header/network" => Some("network"),
        "/header/validatorsHash" => Some("validators"),
        _ if pointer.starts_with("/header/") => Some("certificate"),
        _ if pointer.starts_with("/certificate/") => Some("certificate"),
        _ => None,
    }
}

#[test]
fn true_proofs_are_proven_with_exit_code_0() {
    let evidence = &*EVIDENCE;
    for (proof, kind) in [
        (&evidence.bundles[0], "bundle"),
        (&evidence.bundles[1], "bundle"),
        (&evidence.head, "head"),
    ] {
        let told = evidence.verify(&proof.to_string(), &evidence.trust, &["--json"]);
        let answer = told.succeeded().unwrap().json().unwrap();
        assert_eq!(
            (&answer["valid"], &answer["kind"]),
            (&json!(true), &json!(kind))
        );
    }
    let text = evidence.verify(&evidence.head.to_string(), &evidence.trust, &[]);
    assert!(text.succeeded().unwrap().stdout.starts_with("proven: "));
}

#[test]
fn flipped_byte_in_any_part_of_a_bundle_proof_is_named_by_its_step() {
    let evidence = &*EVIDENCE;
    let step_of = |pointer: &str| {
        step_of_block(pointer).unwrap_or_else(|| match pointer {
            "/bundleHash" => "bundle",
            "/manifest/atomicity" => "format",
            _ if pointer.starts_with("/manifest/") => "branch",
            _ if pointer.starts_with("/branch/") => "branch",
            _ if pointer.starts_with("/legs/") => "legs",
            other => panic!("a part that nobody thought of: {other}"),
        })
    };
    evidence.refuses_every_change(&evidence.bundles[0], step_of);
}

#[test]
fn flipped_byte_in_any_part_of_a_head_proof_is_named_by_its_step() {
    let evidence = &*EVIDENCE;
    let step_of = |pointer: &str| {
        step_of_block(pointer).unwrap_or_else(|| match pointer {
            _ if pointer.starts_with("/head/") => "branch",
            _ if pointer.starts_with("/branch/") => "branch",
            other => panic!("a part that nobody thought of: {other}"),
        })
    };
    evidence.refuses_every_change(&evidence.head, step_of);
}

#[test]
fn foreign_certificate_is_refused() {
    let evidence = &*EVIDENCE;
    let [one, two] = &evidence.bundles;
    let mut foreign = one.clone();
    foreign["certificate"] = two["certificate"].clone();
    evidence.refuses(
        "certificate-of-two",
        &foreign,
        &evidence.trust,
        "certificate",
    );
    // Header and certificate fit each other, and nothing else does.
    foreign["header"] = two["header"].clone();
    evidence.refuses("block-of-two", &foreign, &evidence.trust, "branch");
    evidence.refuses("foreign-trust", one, &evidence.foreign_trust, "network");
    // The same network, said to be run by others.
    let mut others = evidence.foreign_trust.clone();
    others["network"] = evidence.trust["network"].clone();
    evidence.refuses("other-validators", one, &others, "validators");
}

#[test]
fn missing_signer_is_refused_and_so_is_one_who_signs_twice() {
    let evidence = &*EVIDENCE;
    for (name, proof) in [("bundle", &evidence.bundles[0]), ("head", &evidence.head)] {
        let mut proof = proof.clone();
        let signatures = proof["certificate"]["signatures"].as_array_mut().unwrap();
        signatures.truncate(3);
        let last = signatures.pop().unwrap();
        evidence.refuses(
            &format!("{name}-two-signers"),
            &proof,
            &evidence.trust,
            "certificate",
        );
        let signatures = proof["certificate"]["signatures"].as_array_mut().unwrap();
        signatures.push(signatures[1].clone());
        evidence.refuses(
            &format!("{name}-signer-twice"),
            &proof,
            &evidence.trust,
            "certificate",
        );
        let signatures = proof["certificate"]["signatures"].as_array_mut().unwrap();
        signatures[2] = last;
        let told = evidence.verify(&proof.to_string(), &evidence.trust, &[]);
        told.succeeded().unwrap();
    }
}

#[test]
fn another_heights_branch_is_refused() {
    let evidence = &*EVIDENCE;
    let [one, two] = &evidence.bundles;
    assert_ne!(one["branch"], two["branch"]);
    let mut moved = one.clone();
    moved["branch"] = two["branch"].clone();
    evidence.refuses("branch-of-two", &moved, &evidence.trust, "branch");
    moved["branch"] = json!([]);
    evidence.refuses("no-branch", &moved, &evidence.trust, "branch");
}

#[test]
fn proof_older_than_the_trust_root_and_what_is_no_proof_are_refused() {
    let evidence = &*EVIDENCE;
    let mut later = evidence.trust.clone();
    later["height"] = json!(1_000_000);
    evidence.refuses("older", &evidence.bundles[0], &later, "height");
    evidence.refuses(
        "no-proof",
        &json!({"proof": true}),
        &evidence.trust,
        "format",
    );
    let told = evidence.verify("{", &evidence.trust, &[]);
    assert_eq!(told.code, Some(1));
    assert!(
        told.stdout.contains("NOT PROVEN, step format"),
        "{}",
        told.stdout
    );
}
