//! Append checked records durably.
