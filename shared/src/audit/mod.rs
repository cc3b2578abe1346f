//! The audit log (45 CFR 164.312(b)): one record per access, written once, before anything is
//! disclosed and in the same transaction as any change.

pub mod archive;
mod canonical;
pub mod chain;
pub mod checkpoint;
mod record;
pub mod verify;
mod writer;

pub use canonical::{canonical, sha256};
pub use record::{Outcome, Record, Risk, Via};
pub use writer::{Audit, Commit, Receipt};
pub(crate) use writer::{pause, transaction_fault};
