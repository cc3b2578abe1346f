//! The dashboard: what is new, what is next.

use super::appointments::Appointment;
use super::lab_results::LabResult;
use super::{Auth, Category, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::aws::Capability::{
    ReadAccounts, ReadAppointments, ReadPatients, ReadRecords, UnwrapDataKeys, WriteAudit,
};
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
    /// The next three, for whoever may see appointments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointments: Option<Vec<Appointment>>,
    pub unread_messages: u32,
    pub new_results: NewResults,
    pub active_prescriptions: Prescriptions,
}

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
    /// What was imported is no MedicationRequest that can be shown: ask the practice.
    pub unreadable: bool,
}

impl Prescription {
    /// Opens a stored prescription.
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        let entry = StoredEntry::open(row, opener)?;
        let medication = entry.medication.as_deref().map(RawValue::get);
        let id = row.entry_id()?;
        let parsed = medication::Prescription::parse(entry.resource.get(), medication);
        let Ok(prescription) = parsed else {
            return Ok(Self {
                id,
                medication: None,
                dosage: Vec::new(),
                authored_on: None,
                unreadable: true,
            });
        };
        Ok(Self {
            id,
            medication: prescription.name,
            dosage: prescription.dosage,
            authored_on: prescription.authored_on,
            unreadable: false,
        })
    }
}

/// May whoever opens the patient's dashboard see the appointments as well? A proxy's grant says so.
pub fn has_appointments(patient: PatientId, opener: &Opener) -> bool {
    opener.caller().is_some_and(|caller| {
        let proxy = opener.context().proxy(caller.row.account);
        let granted = |name: &String| name == Category::Appointments.as_str();
        caller.row.patient == Some(patient)
            || proxy.is_some_and(|proxy| proxy.categories.iter().any(granted))
    })
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
            ReadAppointments,
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
