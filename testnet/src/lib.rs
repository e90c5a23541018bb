//! Run many sequencers on one machine, simulated and real, and judge them.
