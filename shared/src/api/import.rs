//! The import of clinical data from the practice's record system.

use super::{Spec, Trigger};
use crate::aws::Capability::{
    ComputeIndex, CreateDataKeys, ReadDirectory, ReadImports, ReadPatients, ReadRecords,
    RemoveFromCareTeams, UnwrapDataKeys, WriteAudit, WriteDirectory, WriteFindIndex,
    WriteImportReports, WritePatients, WriteRecords,
};

/// A file in the import bucket: FHIR R4, as a bundle or as NDJSON.
pub const IMPORT_RECORDS: Spec = Spec {
    id: "import-records",
    trigger: Trigger::Event,
    action: "ImportRecords",
    audit: "record.import",
    needs: &[
        ReadImports,
        WriteImportReports,
        ReadPatients,
        WritePatients,
        RemoveFromCareTeams,
        WriteFindIndex,
        ReadRecords,
        WriteRecords,
        ReadDirectory,
        WriteDirectory,
        UnwrapDataKeys,
        CreateDataKeys,
        ComputeIndex,
        WriteAudit,
    ],
};
