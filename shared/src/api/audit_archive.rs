//! The audit's archive: what AWS invokes to fill it, to seal it and to see whether it is whole.

use super::{Spec, Trigger};
use crate::aws::Capability::{
    ArchiveRecords, CompareAudit, KeepChain, KeepCheckpoints, KeepVerification, ListArchive,
    ReadArchive, ReadAuditLog, ReadChain, ReadSigningKey, SealArchive, SignCheckpoints, WriteAudit,
    WriteAuditLog,
};

/// Takes what the audit table's stream tells into the archive.
pub const ARCHIVE_AUDIT: Spec = Spec {
    id: "archive-audit",
    trigger: Trigger::Event,
    action: "ArchiveAudit",
    audit: "audit.archive",
    needs: &[KeepChain, ArchiveRecords, WriteAuditLog, WriteAudit],
};

/// Signs how far the chains have come.
pub const SEAL_AUDIT: Spec = Spec {
    id: "seal-audit",
    trigger: Trigger::Event,
    action: "SealAudit",
    audit: "audit.seal",
    needs: &[
        ReadChain,
        KeepCheckpoints,
        ReadArchive,
        SealArchive,
        SignCheckpoints,
        WriteAudit,
    ],
};

/// Compares archive, log group and table with what was signed.
pub const VERIFY_AUDIT: Spec = Spec {
    id: "verify-audit",
    trigger: Trigger::Event,
    action: "VerifyAudit",
    audit: "audit.verify",
    needs: &[
        KeepVerification,
        ReadArchive,
        ListArchive,
        ReadAuditLog,
        CompareAudit,
        ReadSigningKey,
        WriteAudit,
    ],
};
