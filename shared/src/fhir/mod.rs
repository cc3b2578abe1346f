//! FHIR R4 as the portal reads it: bytes of a file in, a plan of what to store out.
//!
//! ```text
//! bytes -> document (format, limits) -> index (who is meant) -> plan (whose it is)
//! ```
//!
//! Nothing here performs I/O, panics or echoes what it read: a reason names a field or a position,
//! never a value. Every stored resource is a slice of the input, so numbers keep their digits
//! (<https://hl7.org/fhir/R4/datatypes.html#decimal>) and a file of 100 MB costs its own size plus
//! about a kilobyte for each resource. Types that hold what a patient's record says have no
//! `Debug` outside tests, so that no log line can print them.

mod care_team;
mod datatypes;
mod document;
mod entry;
mod identity;
mod index;
mod json;
mod number;
mod plan;
mod reason;
mod resource_type;
mod ssn;
#[cfg(test)]
mod tests;
mod time;
mod when;

pub mod allergy;
pub mod care_plan;
pub mod clinical_document;
pub mod condition;
pub mod encounter;
pub mod finding;
pub mod immunization;
pub mod medication;
pub mod observation;
pub mod patient;
pub mod procedure;
pub mod report;
pub mod team;

pub use care_team::{CareTeamMember, Source};
pub use datatypes::{CodeableConcept, Coding, HumanName, Identifier, Period};
pub use document::{Format, MAX_DEPTH, MAX_FILE_BYTES, MAX_RESOURCES};
pub use entry::{Entry, Named, Section};
pub use identity::{
    NAMESPACE, NPI, directory_id, id_of_key, is_bare, is_npi, portal_id, system_of_key,
};
pub use index::Reference;
pub use json::{MAX_MEMBERS, MAX_VALUES};
pub use number::display_number;
pub use plan::{Count, DirectoryEntry, File, PatientRecord, Practitioner, Subject, Unstored, read};
pub use reason::{FileError, Reason};
pub use time::{ClinicalTime, PartialDate};
pub use when::When;
