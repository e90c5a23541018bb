//! Simulated networks, judged. `CLOVERLEAF_SEED=n` repeats one seed of the suite.

use cloverleaf_testnet::simulation::{Config, Simulation};

#[test]
fn four_validators_order_transactions_over_lossy_links_one_crashes_and_comes_back_and_the_same_seed_gives_the_same_digest()
 {
    let run = || {
        let mut config = Config::calm(1);
        config.links.loss_permille = 20;
        let mut network = Simulation::new(config);
        network.start().unwrap();
        network.run_until(60_000, |it| it.height() >= 10).unwrap();
        network.crash(2);
        network.run_until(60_000, |it| it.height() >= 25).unwrap();
        network.restart(2).unwrap();
        network.run_until(60_000, |it| it.height() >= 50).unwrap();
        network.finish().unwrap()
    };
    let report = run();
    println!("{report:?}");
    let counts = &report.counts;
    assert!(counts.transactions > 100 && counts.bundles > 10, "{counts:?}");
    assert_eq!((counts.crashes, counts.restarts), (1, 1));
    assert!(counts.synced > 0, "{counts:?}");
    assert_eq!(report, run(), "the same seed, the same run");
}

#[test]
fn many_seeds_break_nothing_and_meet_everything() {
    let mut total = cloverleaf_testnet::simulation::Counts::default();
    let seeds: Vec<u64> = match std::env::var("CLOVERLEAF_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..60).collect(),
    };
    let mut bad = 0;
    for seed in seeds {
        match Simulation::run(Config::hostile(seed)) {
            Ok(report) => total.add(&report.counts),
            Err(violation) => {
                bad += 1;
                let text = violation.to_string();
                println!("seed {seed}: {}", &text[..text.len().min(1500)]);
            }
        }
    }
    println!("{:#?}", total.named());
    assert_eq!(bad, 0);
}
