//! Exit codes: one per thing that an operator or a supervisor does about it.

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCode {
    number: u8,
    about: &'static str,
}

impl ExitCode {
    /// All went well.
    pub const OK: Self = Self {
        number: 0,
        about: "All went well; a node was told to stop and has finished.",
    };
    /// What was asked for failed, or what was checked is false.
    pub const FAILED: Self = Self {
        number: 1,
        about: "What was asked for failed, or what was checked is false: the message says what to do.",
    };
    /// Wrong usage, or nothing to check.
    pub const USAGE: Self = Self {
        number: 2,
        about: "Wrong usage, or nothing to check.",
    };
    /// A durable write failed.
    pub const DISK: Self = Self {
        number: 70,
        about: "A durable write failed, or the store cannot be read: look at the disk; a restart is \
                safe when it is well again.",
    };
    /// The sign guard refused.
    pub const GUARD: Self = Self {
        number: 71,
        about: "The sign guard refused a vote or a parcel (D2): the key may be in use twice. Do not restart blindly.",
    };
    /// An invariant does not hold.
    pub const BROKEN: Self = Self {
        number: 72,
        about: "An invariant does not hold; what led to it is in `invariant-….json`. Keep the directory \
                and report it. Do not restart.",
    };
    /// A journal that is no guard is damaged, or one is foreign.
    pub const JOURNAL: Self = Self {
        number: 73,
        about: "The parcel store is damaged, or a journal holds what this version of this node did not write. \
                Do not restart before it is understood.",
    };
    /// Told to stop twice.
    pub const STOPPED_AT_ONCE: Self = Self {
        number: 130,
        about: "A second signal came while the process was stopping: it ended at once. Nothing that \
                was acknowledged is lost; a restart is safe.",
    };

    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::OK,
        Self::FAILED,
        Self::USAGE,
        Self::DISK,
        Self::GUARD,
        Self::BROKEN,
        Self::JOURNAL,
        Self::STOPPED_AT_ONCE,
    ];

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.number
    }

    /// What it means, and what to do.
    #[must_use]
    pub const fn about(self) -> &'static str {
        self.about
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number)
    }
}
