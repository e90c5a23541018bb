//! Simulated networks, judged.
//!
//! `CLOVERLEAF_SEED=n` repeats one seed of the suite; `CLOVERLEAF_SEEDS=n` runs that many.

mod simulation {
    mod controls;
    mod first_cases;
    mod membership;
    mod oracle;
    mod scenarios;
    mod suite;
    mod twins;
}
