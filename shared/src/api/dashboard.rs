//! The dashboard: what is new, what is next.

use super::lab_results::LabResult;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::aws::Capability::{ReadAccounts, ReadPatients, ReadRecords, UnwrapDataKeys, WriteAudit};
use crate::fhir::medication;
use crate::http::{Problem, Request};
use crate::ids::{PatientId, RecordId};
use crate::phi::Opener;
use crate::store::{SealedRow, StoredEntry};
use serde::Serialize;
use serde_json::value::RawValue;

/// A patient's dashboard.
pub struct GetDashboard;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Dashboard {
    pub name: String,
    /// The medical record number.
    pub mrn: String,
    /// False while an import is under way, or after one that broke off: entries may be missing.
    pub record_complete: bool,
    /// The next three.
    pub appointments: Vec<Appointment>,
    pub unread_messages: u32,
    pub new_results: NewResults,
    pub active_prescriptions: Prescriptions,
}

/// An appointment to come.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub enum Appointment {}

/// Laboratory results that reached the portal since the patient's visit before this one.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewResults {
    pub count: usize,
    /// Are there more than were counted?
    pub more: bool,
    /// The newest five.
    pub newest: Vec<LabResult>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Prescriptions {
    pub count: usize,
    pub more: bool,
    /// The newest five.
    pub newest: Vec<Prescription>,
}

/// A prescription (FHIR R4 MedicationRequest).
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Prescription {
    pub id: RecordId,
    /// The medication's name, where one was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medication: Option<String>,
    /// One for each instruction; empty where none was recorded.
    pub dosage: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authored_on: Option<String>,
}

impl Prescription {
    /// Opens a stored prescription.
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        let entry = StoredEntry::open(row, opener)?;
        let medication = entry.medication.as_deref().map(RawValue::get);
        let prescription = medication::Prescription::parse(entry.resource.get(), medication)
            .map_err(|_| Fault::Corrupt("a MedicationRequest resource"))?;
        Ok(Self {
            id: row.entry_id()?,
            medication: prescription.name,
            dosage: prescription.dosage,
            authored_on: prescription.authored_on,
        })
    }
}

impl Operation for GetDashboard {
    const SPEC: &'static Spec = &Spec {
        id: "get-dashboard",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/dashboard",
            auth: Auth::Token,
        },
        action: "GetDashboard",
        audit: "dashboard.read",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadRecords,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = ();
    type Output = Dashboard;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }
}
