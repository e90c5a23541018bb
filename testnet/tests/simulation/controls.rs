//! Negative controls: nodes that are broken on purpose. A checker that does not notice is broken
//! itself.

use cloverleaf_testnet::simulation::negative::ALL;

/// Seeds within which a broken network must be noticed.
const SEEDS: u64 = 40;

#[test]
fn every_network_that_is_broken_on_purpose_is_noticed_for_what_it_is() {
    for negative in ALL {
        let (seed, found) = negative
            .caught(SEEDS)
            .unwrap_or_else(|| panic!("nobody notices that {}", negative.what));
        println!("seed {seed}: {}: {found}", negative.what);
    }
}
