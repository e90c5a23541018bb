//! Hold what rollups forward, and share it in lanes, until it is ordered.
