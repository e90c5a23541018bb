//! Exit codes: one per thing that an operator or a supervisor does about it.

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCode(u8);

impl ExitCode {
    /// All went well.
    pub const OK: Self = Self(0);
    /// What was asked for failed, or what was checked is false.
    pub const FAILED: Self = Self(1);
    /// Wrong usage, or nothing to check.
    pub const USAGE: Self = Self(2);
    /// A durable write failed: look at the disk; a restart is safe when it is well again.
    pub const DISK: Self = Self(70);
    /// The sign guard refused: the key may be in use twice. Do not restart blindly.
    pub const GUARD: Self = Self(71);
    /// An invariant does not hold: keep the directory and report it. Do not restart.
    pub const BROKEN: Self = Self(72);
    /// A journal is damaged or missing. Do not restart before it is understood.
    pub const JOURNAL: Self = Self(73);

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.0)
    }
}
