//! What went wrong on our side. A fault says which part failed, never what was in it.

use std::fmt;

/// A failure that is not the caller's. Logged by its name, answered as 500 or 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A service did not do what it was asked; trying again may help.
    Unavailable {
        service: &'static str,
        reason: Reason,
    },
    /// Stored data is not what we wrote: altered, moved or torn.
    Corrupt(&'static str),
    /// The function's environment is not what its template says.
    Misconfigured(&'static str),
    /// A defect of ours.
    Defect(&'static str),
}

/// Why a service did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Throttled,
    Denied,
    TimedOut,
    Unreachable,
    Conflict,
    Other,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { service, reason } => write!(f, "{service} unavailable: {reason:?}"),
            Self::Corrupt(what) => write!(f, "corrupt: {what}"),
            Self::Misconfigured(what) => write!(f, "misconfigured: {what}"),
            Self::Defect(what) => write!(f, "defect: {what}"),
        }
    }
}

impl std::error::Error for Fault {}
