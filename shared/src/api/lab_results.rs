//! Laboratory results.

use super::page::Page;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::aws::Capability::{ReadAccounts, ReadPatients, ReadRecords, UnwrapDataKeys, WriteAudit};
use crate::fhir::observation::{self, Observation};
use crate::http::{Problem, Request};
use crate::ids::{PatientId, RecordId};
use crate::phi::Opener;
use crate::store::{SealedRow, StoredEntry};
use serde::Serialize;

/// A patient's laboratory results, newest first.
pub struct ListLabResults;

/// A page of results.
#[derive(Serialize)]
pub struct LabResults {
    pub results: Vec<LabResult>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One result (FHIR R4 Observation, category laboratory), as the laboratory gave it.
#[derive(Serialize)]
pub struct LabResult {
    pub id: RecordId,
    /// The name of what was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loinc: Option<String>,
    /// FHIR ObservationStatus: `final`, `preliminary`, `amended`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// When the sample was taken or the measurement made, as recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<String>,
    /// The value as recorded, every digit of it; absent where there are only components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<observation::Value>,
    /// The value in words, rounded for people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<observation::Component>,
    /// As supplied; empty where the laboratory supplied none.
    pub reference_ranges: Vec<observation::ReferenceRange>,
    /// As supplied: `High`, `Low`, ...; empty where the laboratory supplied none.
    pub interpretations: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl LabResult {
    /// Opens a stored result.
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        let entry = StoredEntry::open(row, opener)?;
        let result = Observation::parse(entry.resource.get())
            .map_err(|_| Fault::Corrupt("an Observation resource"))?;
        Ok(Self {
            id: row.entry_id()?,
            name: result.code.label().map(str::to_owned),
            loinc: result.loinc().map(str::to_owned),
            display: result.display_value(),
            interpretations: result
                .interpretations
                .iter()
                .filter_map(|interpretation| interpretation.label().map(str::to_owned))
                .collect(),
            status: result.status,
            effective: result.effective,
            issued: result.issued,
            value: result.value,
            components: result.components,
            reference_ranges: result.reference_ranges,
            notes: result.notes,
        })
    }
}

impl Operation for ListLabResults {
    const SPEC: &'static Spec = &Spec {
        id: "list-lab-results",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/lab-results",
            auth: Auth::Token,
        },
        action: "ListLabResults",
        audit: "lab-result.list",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadRecords,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Page;
    type Output = LabResults;

    fn parse(request: &Request) -> Result<Page, Problem> {
        Page::parse(request, Self::SPEC)
    }
}
