//! What grows, and how far it may.

/// A queue or a map of a running node, and its limit. That it keeps within it is promised by the code
/// that fills it: one that does not is a fault of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Which: one of a closed list of names, the unit last where it is not entries.
    pub of: &'static str,
    /// What it holds now.
    pub len: usize,
    /// The most that it may ever hold.
    pub cap: usize,
}

impl Bound {
    /// What holds so much, and may hold so much.
    #[must_use]
    pub const fn new(of: &'static str, len: usize, cap: usize) -> Self {
        Self { of, len, cap }
    }

    /// Whether it keeps within its limit.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.len <= self.cap
    }
}
