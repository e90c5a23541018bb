//! Run a sequencer.
