//! The rules of ordering, each on a small network, and what holds whatever happens.
//!
//! Every block of every test is checked against [`support::oracle`], applied, sent and decoded.

mod support;

mod rules {
    mod absent;
    mod blocks;
    mod bundles;
    mod control;
    mod drops;
    mod drops_in_order;
    mod full;
    mod linear;
    mod plans;
    mod state;
    mod validators;
    mod window;
}

mod properties {
    mod fairness;
    mod nonces;
    mod placement;
    mod replay;
    mod world;
}
