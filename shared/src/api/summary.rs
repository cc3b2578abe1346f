//! What a provider sees first of a patient.

use super::appointments::Appointment;
use super::dashboard::Prescriptions;
use super::lab_results::LabResult;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::aws::Capability::{
    ReadAccounts, ReadAppointments, ReadPatients, ReadRecords, UnwrapDataKeys, WriteAudit,
};
use crate::fhir::finding;
use crate::http::{Problem, Request};
use crate::ids::{PatientId, RecordId};
use crate::phi::Opener;
use crate::store::{SealedRow, StoredEntry};
use jiff::Timestamp;
use serde::Serialize;

/// A patient's summary.
pub struct GetPatientSummary;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Summary {
    pub id: PatientId,
    pub name: String,
    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, as the practice recorded it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    /// The medical record number.
    pub mrn: String,
    pub deceased: bool,
    /// False while an import is under way, or after one that broke off: entries may be missing.
    pub record_complete: bool,
    pub allergies: Findings,
    pub conditions: Findings,
    pub active_prescriptions: Prescriptions,
    /// The newest five.
    pub newest_results: Vec<LabResult>,
    /// How many treat the patient now.
    pub care_team: usize,
    /// Until when the record is open to the caller by emergency access; not there if they treat the patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emergency_until: Option<Timestamp>,
    /// The next one that is to take place, with whomever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_appointment: Option<Appointment>,
}

/// Allergies or conditions, whatever their clinical status.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Findings {
    pub count: usize,
    /// Are there more than were counted?
    pub more: bool,
    /// The newest five.
    pub newest: Vec<Finding>,
}

/// An allergy (FHIR R4 AllergyIntolerance) or a condition (Condition).
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Finding {
    pub id: RecordId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `active`, `resolved`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clinical_status: Option<String>,
    /// When it began, else when it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// What was imported cannot be shown: look into the practice's record system.
    pub unreadable: bool,
}

impl Finding {
    /// Opens a stored allergy or condition.
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        let entry = StoredEntry::open(row, opener)?;
        let id = row.entry_id()?;
        let Ok(finding) = finding::Finding::parse(entry.resource.get()) else {
            return Ok(Self {
                id,
                name: None,
                clinical_status: None,
                since: None,
                unreadable: true,
            });
        };
        Ok(Self {
            id,
            name: finding.name,
            clinical_status: finding.clinical_status,
            since: finding.since,
            unreadable: false,
        })
    }
}

impl Operation for GetPatientSummary {
    const SPEC: &'static Spec = &Spec {
        id: "get-patient-summary",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/summary",
            auth: Auth::Token,
        },
        action: "GetPatientSummary",
        audit: "patient-summary.read",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadRecords,
            ReadAppointments,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = ();
    type Output = Summary;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }
}
