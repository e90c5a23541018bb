//! What others' engines, pools, servers and stores do with the same work, beside what ours do.

use std::path::Path;

use eyre::Result;

use crate::heights::Heights;
use crate::micro::{self, Figure, rate};
use crate::{PORT_BASE, machine, network, readme};

/// Their engine where it is fastest with durable blocks, by length of blocks.
const THEIR_HEIGHTS: [&str; 2] = [
    "peers::height/block=1KiB engine=malachite protocol=broadcast blocks=durable",
    "peers::height/block=1MiB engine=malachite protocol=broadcast blocks=durable",
];

/// Four replicas in one thread without I/O, and agreement at its barest with all of it.
const OUR_REPLICAS: [&str; 2] = [
    "replica::height/validators=4 block=small",
    "replica::height/validators=4 block=1MiB",
];
const BARE_LOOPS: [&str; 2] = [
    "peers::height/block=1KiB engine=bare_loop",
    "peers::height/block=1MiB engine=bare_loop",
];

/// Ours is to be so many times as fast as their engine, and this part as fast as the bare loop.
const ENGINE_GOAL: f64 = 3.0;
const BARE_LOOP_GOAL: f64 = 0.5;

/// Bytes of a large block.
const LARGE_BYTES: f64 = 1024.0 * 1024.0;

/// Transactions that go through pools.
const POOL_COUNTS: [usize; 3] = [10_000, 100_000, 1_000_000];

/// Pools that ours is compared with, as benches name them. All are to be beaten.
const POOLS: [&str; 3] = ["ethrex each=1", "ethrex each=16", "hash_map_and_b_tree_map"];
const POOL_GOAL: f64 = 1.0;

/// Two that did the same.
struct Compared {
    /// Which: ours, theirs.
    names: [String; 2],
    /// What each did in a second.
    a_second: [f64; 2],
    /// How many times theirs ours is to be.
    goal: f64,
}

/// Writes the figures of the latest runs into the README, theirs beside ours and those of a network at block
/// time 0.
pub(crate) async fn write(ours: &Path, theirs: &Path, binary: &Path) -> Result<()> {
    let (ours, theirs) = (micro::latest(ours)?, micro::latest(theirs)?);
    let before = machine::load()?;
    let networks = network::heights(binary, PORT_BASE).await?;
    let text = format!(
        "{}; profile `bench`, `cloverleaf` of `target/{}`; load average before and after its heights: {before:.1}, \
         {:.1}.\n\n{}\n{}",
        machine::sentence()?,
        machine::profile(binary),
        machine::load()?,
        compared_table(&compared(&ours, &theirs, &networks)),
        micro::table(&theirs),
    );
    readme::replace("peers", &text)
}

/// All that were measured both.
fn compared(ours: &[Figure], theirs: &[Figure], networks: &[Heights; 2]) -> Vec<Compared> {
    let benches = |our_name: &str, their_name: &str, goal| {
        Some(Compared {
            names: [our_name, their_name].map(quoted),
            a_second: [a_second(ours, our_name)?, a_second(theirs, their_name)?],
            goal,
        })
    };
    let mut all = Vec::new();
    for ((name, heights), engine) in network_heights(networks).into_iter().zip(THEIR_HEIGHTS) {
        all.extend(a_second(theirs, engine).map(|their_heights| Compared {
            names: [name, quoted(engine)],
            a_second: [heights, their_heights],
            goal: ENGINE_GOAL,
        }));
    }
    for ((replica, engine), bare) in OUR_REPLICAS.into_iter().zip(THEIR_HEIGHTS).zip(BARE_LOOPS) {
        all.extend(benches(replica, engine, ENGINE_GOAL));
        all.extend(benches(replica, bare, BARE_LOOP_GOAL));
    }
    for count in POOL_COUNTS {
        let our_pool = format!("mempool::insert_seal/txs={count} pattern=senders");
        for pool in POOLS {
            let their_pool = format!("peers::pool/txs={count} pool={pool}");
            all.extend(benches(&our_pool, &their_pool, POOL_GOAL));
        }
    }
    all
}

/// What a network is called, and its heights a second: small blocks as they are, large ones as if each had
/// the length of theirs.
fn network_heights([small, large]: &[Heights; 2]) -> [(String, f64); 2] {
    let scaled = large.per_second() * large.bytes() / LARGE_BYTES;
    [
        ("network, small blocks".to_owned(), small.per_second()),
        ("network, MiB in blocks".to_owned(), scaled),
    ]
}

/// What a bench does in a second: by its median where each sample is one iteration, else by its fastest.
fn a_second(figures: &[Figure], name: &str) -> Option<f64> {
    let figure = figures.iter().find(|figure| figure.name == name)?;
    let each_ns = figure.percentile_ns(50).unwrap_or_else(|| figure.each_ns());
    Some(1e9 / each_ns)
}

fn quoted(name: &str) -> String {
    format!("`{name}`")
}

fn compared_table(all: &[Compared]) -> String {
    let head = [
        "ours", "theirs", "a second", "theirs", "ratio", "goal", "met",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for compared in all {
        let [ours, theirs] = compared.a_second;
        let ratio = ours / theirs;
        let met = if ratio >= compared.goal { "yes" } else { "no" };
        rows.push(Vec::from(compared.names.clone()));
        let row = rows.last_mut().expect("it was just pushed");
        row.extend([rate(ours), rate(theirs), format!("{ratio:.2} ×")]);
        row.extend([format!("≥ {} ×", compared.goal), met.to_owned()]);
    }
    readme::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_held_against_theirs_and_the_goal() {
        let compared = |a_second| Compared {
            names: ["ours", "theirs"].map(quoted),
            a_second,
            goal: 3.0,
        };
        let table = compared_table(&[compared([300.0, 100.0]), compared([290.0, 100.0])]);
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows[0],
            "| `ours` | `theirs` | 300 | 100 | 3.00 × | ≥ 3 × | yes |"
        );
        assert_eq!(
            rows[1],
            "| `ours` | `theirs` | 290 | 100 | 2.90 × | ≥ 3 × | no |"
        );
    }
}
