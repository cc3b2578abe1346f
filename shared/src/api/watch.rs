//! The watch over the audit log.

use super::{Spec, Trigger};
use crate::aws::Capability::{CountAccesses, RaiseAlarms, WriteAudit};

/// Counts what the audit table's stream tells, and says what is unusual.
pub const WATCH_ACCESS: Spec = Spec {
    id: "watch-access",
    trigger: Trigger::Event,
    action: "WatchAccess",
    audit: "watch.finding",
    needs: &[CountAccesses, RaiseAlarms, WriteAudit],
};
