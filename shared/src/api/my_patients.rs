//! A provider's patients.

use super::page::Page;
use super::profile;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::Practice;
use crate::aws::Capability::{ReadAccounts, ReadPanels, ReadPatients, UnwrapDataKeys, WriteAudit};
use crate::http::{Problem, Request};
use crate::ids::{PatientId, PractitionerId};
use crate::phi::Opener;
use crate::store::ImportState;
use serde::Serialize;

/// The patients on whose care team the caller is, newest activity first.
pub struct ListMyPatients;

/// The most patients of a page: each is opened with a data key of their own.
pub const MOST: u8 = 50;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct MyPatients {
    /// May be fewer than asked for, and still not the last page: there is a `next_cursor` then.
    pub patients: Vec<MyPatient>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct MyPatient {
    pub id: PatientId,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    /// The medical record number.
    pub mrn: String,
    /// When the caller last saw the patient, else since when they are on the team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_activity: Option<String>,
    /// Since when the caller is on the care team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// False while an import is under way, or after one that broke off: entries may be missing.
    pub record_complete: bool,
}

impl MyPatient {
    /// Opens what the list shows of a patient of this practitioner's.
    pub fn open(
        patient: PatientId,
        practitioner: PractitionerId,
        opener: &Opener,
    ) -> Result<Self, Fault> {
        let context = opener.context();
        let member = context.care_team_member(practitioner);
        let since = member.and_then(|member| member.since());
        let last_seen = member.and_then(|member| member.last_seen());
        let imported = profile::imported(opener)?;
        Ok(Self {
            id: patient,
            name: imported.display_name().unwrap_or_default(),
            birth_date: imported.birth_date.map(|date| date.as_str().to_owned()),
            mrn: imported
                .medical_record_number
                .map(|number| number.value)
                .unwrap_or_default(),
            last_activity: last_seen.or(since).map(str::to_owned),
            since: since.map(str::to_owned),
            record_complete: context.import_state() == ImportState::Complete,
        })
    }
}

impl Operation for ListMyPatients {
    const SPEC: &'static Spec = &Spec {
        id: "list-my-patients",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/my-patients",
            auth: Auth::Token,
        },
        action: "ListMyPatients",
        audit: "patient.list",
        needs: &[
            ReadAccounts,
            ReadPanels,
            ReadPatients,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = Practice;
    type Input = Page<MOST>;
    type Output = MyPatients;

    fn parse(request: &Request) -> Result<Page<MOST>, Problem> {
        Page::parse(request, Self::SPEC)
    }
}
