//! Prescriptions: what a patient takes, and took.

use super::codes::codes;
use super::page::{Limit, Page};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::aws::Capability::{ReadAccounts, ReadPatients, ReadRecords, UnwrapDataKeys, WriteAudit};
use crate::fhir::medication;
use crate::http::{Problem, Request};
use crate::ids::{PatientId, PractitionerId, RecordId, RefillId};
use crate::phi::Opener;
use crate::store::{SealedRow, Section, StoredEntry};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// A patient's prescriptions, newest first.
pub struct ListPrescriptions;

codes!(
    /// Which prescriptions: those that hold, or those that are over.
    Group {
        /// FHIR status `active`.
        Active = "active",
        /// `completed`, `stopped`, `cancelled`, `on-hold` and whatever else is not active.
        Past = "past",
    }
);

impl Group {
    pub const fn section(self) -> Section {
        match self {
            Self::Active => Section::ActivePrescriptions,
            Self::Past => Section::PastPrescriptions,
        }
    }
}

/// A page of prescriptions.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Prescriptions {
    pub prescriptions: Vec<Prescription>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

codes!(
    /// What can be said of how to take it.
    DosageStatus {
        /// Every instruction is there, in words.
        Complete = "complete",
        /// The practice recorded more than the portal can put into words: ask the practice.
        Incomplete = "incomplete",
        /// No instruction was recorded.
        NotRecorded = "not-recorded",
    }
);

/// One prescription (FHIR R4 MedicationRequest), as the practice recorded it.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Prescription {
    pub id: RecordId,
    /// The medication's name, where one was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medication: Option<String>,
    /// FHIR medicationrequest-status: `active`, `stopped`, `completed`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// FHIR medicationrequest-intent: `order`, `plan`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// It says not to take this.
    pub do_not_take: bool,
    /// One for each instruction.
    pub dosage: Vec<String>,
    pub dosage_status: DosageStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prescriber: Option<Prescriber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authored_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// How often it may be dispensed again, where the practice recorded that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refills_allowed: Option<u32>,
    pub reasons: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Can a refill be asked for now? Active prescriptions take one request at a time.
    pub can_request_refill: bool,
    /// The request that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_refill_request: Option<RefillId>,
    /// What was imported is no MedicationRequest that can be shown: ask the practice.
    pub unreadable: bool,
}

/// Who prescribed it.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Prescriber {
    /// In the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<PractitionerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Prescription {
    /// Opens a stored prescription, beside the open refill requests by prescription.
    pub fn open(
        row: &SealedRow,
        group: Group,
        refills: &HashMap<String, RefillId>,
        opener: &Opener,
    ) -> Result<Self, Fault> {
        let id = row.entry_id()?;
        let entry = StoredEntry::open(row, opener)?;
        let medication = entry.medication.as_deref().map(RawValue::get);
        let open_refill_request = refills.get(&id.to_string()).copied();
        let Ok(parsed) = medication::Prescription::parse(entry.resource.get(), medication) else {
            return Ok(Self::unreadable(id, open_refill_request));
        };
        let dosage_status = if parsed.dosage_beyond_words {
            DosageStatus::Incomplete
        } else if parsed.dosage.is_empty() {
            DosageStatus::NotRecorded
        } else {
            DosageStatus::Complete
        };
        let prescriber = match parsed.requester {
            Some(requester) => Prescriber::of(requester, &entry, opener)?,
            None => None,
        };
        Ok(Self {
            id,
            medication: parsed.name,
            status: parsed.status,
            status_reason: parsed.status_reason,
            intent: parsed.intent,
            do_not_take: parsed.prohibits,
            dosage: parsed.dosage,
            dosage_status,
            prescriber,
            authored_on: parsed.authored_on,
            valid_until: parsed.valid_until,
            refills_allowed: parsed.refills_allowed,
            reasons: parsed.reasons,
            notes: parsed.notes,
            can_request_refill: group == Group::Active
                && !parsed.prohibits
                && open_refill_request.is_none(),
            open_refill_request,
            unreadable: false,
        })
    }

    /// One that stands in the list so that nothing is lost.
    const fn unreadable(id: RecordId, open_refill_request: Option<RefillId>) -> Self {
        Self {
            id,
            medication: None,
            status: None,
            status_reason: None,
            intent: None,
            do_not_take: false,
            dosage: Vec::new(),
            dosage_status: DosageStatus::Incomplete,
            prescriber: None,
            authored_on: None,
            valid_until: None,
            refills_allowed: None,
            reasons: Vec::new(),
            notes: Vec::new(),
            can_request_refill: false,
            open_refill_request,
            unreadable: true,
        }
    }
}

impl Prescriber {
    /// Where the source gives no name beside its reference, the care team's rows may.
    fn of(
        requester: medication::Requester,
        entry: &StoredEntry,
        opener: &Opener,
    ) -> Result<Option<Self>, Fault> {
        let mut linked = entry.links.practitioners.iter();
        let linked = linked.find(|one| match &requester.display {
            Some(display) => one.display.as_ref() == Some(display),
            None => requester.alone,
        });
        let id = linked.map(|one| one.id);
        let name = match (requester.display, id) {
            (None, Some(id)) => {
                let member = opener.context().care_team_member(id);
                let particulars = member.map(|one| one.particulars(opener)).transpose()?;
                particulars.and_then(|particulars| particulars.name)
            }
            (display, _) => display,
        };
        Ok((id.is_some() || name.is_some()).then_some(Self { id, name }))
    }
}

/// Which of them.
pub struct Listing {
    pub group: Group,
    pub page: Page,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct ListQuery {
    status: Option<Group>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

impl Operation for ListPrescriptions {
    const SPEC: &'static Spec = &Spec {
        id: "list-prescriptions",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/prescriptions",
            auth: Auth::Token,
        },
        action: "ListPrescriptions",
        audit: "prescription.list",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadRecords,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Listing;
    type Output = Prescriptions;

    fn parse(request: &Request) -> Result<Listing, Problem> {
        let query: ListQuery = request.query()?;
        let group = query.status.unwrap_or(Group::Active);
        // A cursor of one list is none of the other's.
        let list = match group {
            Group::Active => "list-prescriptions#active",
            Group::Past => "list-prescriptions#past",
        };
        Ok(Listing {
            group,
            page: Page::of(request, list, query.limit, query.cursor)?,
        })
    }
}
