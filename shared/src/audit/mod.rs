//! The audit log (45 CFR 164.312(b)): one record per access, written once, before anything is
//! disclosed and in the same transaction as any change.

mod record;
mod writer;

pub use record::{Outcome, Record, Via};
pub use writer::{Audit, Commit, Receipt};
pub(crate) use writer::{pause, transaction_fault};
