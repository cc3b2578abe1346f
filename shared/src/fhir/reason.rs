//! Why a file or a resource was not stored, in words that never repeat what it said.

use std::fmt;

use serde::{Serialize, Serializer};

/// Why nothing at all of a file is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileError {
    Empty,
    /// More than [`super::MAX_FILE_BYTES`].
    TooLarge,
    /// More than [`super::MAX_RESOURCES`].
    TooManyResources,
    /// Nested deeper than [`super::MAX_DEPTH`].
    TooDeep {
        line: usize,
    },
    NotUtf8 {
        byte: usize,
    },
    NotJson {
        line: usize,
        column: usize,
    },
    /// JSON, but neither a Bundle nor a resource.
    NotABundle,
    /// A Bundle of a type other than transaction, batch or collection.
    BundleType,
    /// A member of the Bundle itself is missing, repeated or of the wrong type.
    Malformed(&'static str),
}

impl FileError {
    /// A stable word for reports and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too-large",
            Self::TooManyResources => "too-many-resources",
            Self::TooDeep { .. } => "too-deep",
            Self::NotUtf8 { .. } => "not-utf8",
            Self::NotJson { .. } => "not-json",
            Self::NotABundle => "not-a-bundle",
            Self::BundleType => "bundle-type",
            Self::Malformed(_) => "malformed-bundle",
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::TooLarge => write!(f, "the file is larger than {} bytes", super::MAX_FILE_BYTES),
            Self::TooManyResources => {
                write!(
                    f,
                    "the file has more than {} resources",
                    super::MAX_RESOURCES
                )
            }
            Self::TooDeep { line } => {
                write!(
                    f,
                    "nested deeper than {} levels at line {line}",
                    super::MAX_DEPTH
                )
            }
            Self::NotUtf8 { byte } => write!(f, "not UTF-8 at byte {byte}"),
            Self::NotJson { line, column } => {
                write!(f, "not JSON at line {line}, column {column}")
            }
            Self::NotABundle => f.write_str("neither a Bundle nor a resource"),
            Self::BundleType => {
                f.write_str("a Bundle that is not a transaction, batch or collection")
            }
            Self::Malformed(member) => write!(f, "the Bundle's {member} is malformed"),
        }
    }
}

impl std::error::Error for FileError {}

/// Why one resource is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The portal does not keep resources of this type.
    TypeNotKept,
    /// A line of an NDJSON file that is not a JSON object.
    NotJson,
    /// Nested deeper than [`super::MAX_DEPTH`].
    TooDeep,
    /// An entry without a resource, such as a DELETE.
    NoResource,
    NoResourceType,
    /// Neither an id nor a fullUrl to take one from.
    NoId,
    /// Not of the shape of <https://hl7.org/fhir/R4/datatypes.html#id>.
    BadId,
    DuplicateKey,
    /// An object with more than [`super::MAX_MEMBERS`] members, or a resource with more than
    /// [`super::MAX_VALUES`] values.
    TooManyMembers,
    /// A string that is not text (a lone surrogate) or a number beyond any range.
    Unreadable,
    /// A member is of the wrong type or form.
    Malformed(&'static str),
    /// Another version of the same resource in the file is newer, or comes later.
    Superseded,
    /// Two different resources of the file claim the same type and id.
    AmbiguousId,
    /// An extension that may change the meaning of the whole resource
    /// (<https://hl7.org/fhir/R4/extensibility.html#modifierExtension>).
    ModifierExtension,
    NoMedicalRecordNumber,
    /// Two patients of the file have the same medical record number.
    SharedMedicalRecordNumber,
    /// A social security number also stands outside its identifier.
    SocialSecurityNumber,
    NoSubject,
    SubjectNotAPatient,
    /// The reference to the patient matches nothing, or more than one.
    SubjectUnknown,
    /// The patient is in the file, but is not stored.
    PatientNotStored,
    /// A Medication that no stored prescription of the file refers to.
    NotReferenced,
}

impl Reason {
    /// A stable word for reports and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TypeNotKept => "type-not-kept",
            Self::NotJson => "not-json",
            Self::TooDeep => "too-deep",
            Self::NoResource => "no-resource",
            Self::NoResourceType => "no-resource-type",
            Self::NoId => "no-id",
            Self::BadId => "bad-id",
            Self::DuplicateKey => "duplicate-key",
            Self::TooManyMembers => "too-many-members",
            Self::Unreadable => "unreadable",
            Self::Malformed(_) => "malformed",
            Self::Superseded => "superseded",
            Self::AmbiguousId => "ambiguous-id",
            Self::ModifierExtension => "modifier-extension",
            Self::NoMedicalRecordNumber => "no-medical-record-number",
            Self::SharedMedicalRecordNumber => "shared-medical-record-number",
            Self::SocialSecurityNumber => "social-security-number",
            Self::NoSubject => "no-subject",
            Self::SubjectNotAPatient => "subject-not-a-patient",
            Self::SubjectUnknown => "subject-unknown",
            Self::PatientNotStored => "patient-not-stored",
            Self::NotReferenced => "not-referenced",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::TypeNotKept => "type not kept",
            Self::NotJson => "not a JSON object",
            Self::TooDeep => "nested too deep",
            Self::NoResource => "no resource in the entry",
            Self::NoResourceType => "no resource type",
            Self::NoId => "no id",
            Self::BadId => "not a FHIR id",
            Self::DuplicateKey => "a member is there twice",
            Self::TooManyMembers => "too many members",
            Self::Unreadable => "a string or number that cannot be read",
            Self::Malformed(member) => return write!(f, "malformed {member}"),
            Self::Superseded => "superseded in the same file",
            Self::AmbiguousId => "two resources with the same id",
            Self::ModifierExtension => "a modifier extension that the portal does not know",
            Self::NoMedicalRecordNumber => "no medical record number",
            Self::SharedMedicalRecordNumber => "medical record number of two patients",
            Self::SocialSecurityNumber => "a social security number outside its identifier",
            Self::NoSubject => "no patient given",
            Self::SubjectNotAPatient => "the subject is not a patient",
            Self::SubjectUnknown => "the patient cannot be identified",
            Self::PatientNotStored => "the patient is not stored",
            Self::NotReferenced => "no prescription refers to it",
        };
        f.write_str(text)
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
