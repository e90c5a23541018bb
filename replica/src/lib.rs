//! Run one validator as a state machine.
