//! The health record by section, besides laboratory results, prescriptions and documents.

use super::codes::codes;
use super::lab_holds::HeldResult;
use super::observations::Observed;
use super::page::{Limit, Page};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::aws::Capability::{ReadAccounts, ReadPatients, ReadRecords, UnwrapDataKeys, WriteAudit};
use crate::fhir::allergy::Allergy;
use crate::fhir::care_plan::CarePlan;
use crate::fhir::condition::Condition;
use crate::fhir::encounter::Encounter;
use crate::fhir::immunization::Immunization;
use crate::fhir::observation::Observation;
use crate::fhir::procedure::Procedure;
use crate::fhir::team::CareTeam;
use crate::http::{Problem, Request};
use crate::ids::{PatientId, RecordId};
use crate::phi::Opener;
use crate::store::{self, SealedRow, StoredEntry};
use serde::{Deserialize, Serialize};
use std::ops::Not;

codes!(
    /// A section of the health record.
    Section {
        /// FHIR R4 AllergyIntolerance.
        Allergies = "allergies",
        Conditions = "conditions",
        Immunizations = "immunizations",
        /// Observations of the category vital-signs.
        VitalSigns = "vital-signs",
        Procedures = "procedures",
        Encounters = "encounters",
        CarePlans = "care-plans",
        /// Observations of the category social-history.
        SocialHistory = "social-history",
        /// Observations of no other section: surveys, imaging, examinations.
        OtherObservations = "other-observations",
        /// FHIR R4 CareTeam, as imported; who treats the patient now, get-care-team tells.
        CareTeams = "care-teams",
    }
);

impl Section {
    pub const ALL: [Self; 10] = [
        Self::Allergies,
        Self::Conditions,
        Self::Immunizations,
        Self::VitalSigns,
        Self::Procedures,
        Self::Encounters,
        Self::CarePlans,
        Self::SocialHistory,
        Self::OtherObservations,
        Self::CareTeams,
    ];

    /// Where its entries are stored.
    pub const fn stored(self) -> store::Section {
        match self {
            Self::Allergies => store::Section::Allergies,
            Self::Conditions => store::Section::Conditions,
            Self::Immunizations => store::Section::Immunizations,
            Self::VitalSigns => store::Section::VitalSigns,
            Self::Procedures => store::Section::Procedures,
            Self::Encounters => store::Section::Encounters,
            Self::CarePlans => store::Section::CarePlans,
            Self::SocialHistory => store::Section::SocialHistory,
            Self::OtherObservations => store::Section::OtherObservations,
            Self::CareTeams => store::Section::CareTeams,
        }
    }

    /// A cursor of one section is none of another's.
    const fn list(self) -> &'static str {
        match self {
            Self::Allergies => "list-health-record#allergies",
            Self::Conditions => "list-health-record#conditions",
            Self::Immunizations => "list-health-record#immunizations",
            Self::VitalSigns => "list-health-record#vital-signs",
            Self::Procedures => "list-health-record#procedures",
            Self::Encounters => "list-health-record#encounters",
            Self::CarePlans => "list-health-record#care-plans",
            Self::SocialHistory => "list-health-record#social-history",
            Self::OtherObservations => "list-health-record#other-observations",
            Self::CareTeams => "list-health-record#care-teams",
        }
    }
}

/// One section's entries, newest first, and how many each section has.
pub struct ListHealthRecord;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct HealthRecord {
    /// False while an import is under way, or after one that broke off: entries may be missing, and
    /// the counts are those from before.
    pub record_complete: bool,
    pub sections: Vec<Count>,
    /// Of the section that was asked for; absent where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<Entry>>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// How many entries a section has.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Count {
    pub section: Section,
    pub count: u64,
}

/// One entry, as the source gave it.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Entry {
    pub id: RecordId,
    /// A laboratory result that came to stand in this section by a later import is held all the same:
    /// the patient, and whoever acts for them, see no more than this of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HeldResult>,
    #[serde(flatten)]
    pub content: Option<Content>,
    /// Those who recorded it, did it or took part, as the source calls them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub practitioners: Vec<String>,
    /// What was imported cannot be shown: ask the practice. Said of those alone.
    #[serde(skip_serializing_if = "Not::not")]
    pub unreadable: bool,
}

/// What an entry says: one shape per section.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Content {
    Allergy(Allergy),
    Condition(Condition),
    Immunization(Immunization),
    Procedure(Procedure),
    Encounter(Encounter),
    CarePlan(CarePlan),
    CareTeam(CareTeam),
    Observation {
        /// When it was observed, as recorded.
        #[serde(skip_serializing_if = "Option::is_none")]
        effective: Option<String>,
        #[serde(flatten)]
        observed: Box<Observed>,
    },
}

impl Entry {
    /// Opens a stored entry of a section.
    pub fn open(section: Section, row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        let id = row.entry_id()?;
        let hold = HeldResult::of(id, opener)?;
        if hold.as_ref().is_some_and(|hold| !hold.is_open()) {
            return Ok(Self {
                id,
                hold,
                content: None,
                practitioners: Vec::new(),
                unreadable: false,
            });
        }
        let stored = StoredEntry::open(row, opener)?;
        let json = stored.resource.get();
        let content = match section {
            Section::Allergies => Allergy::parse(json).map(Content::Allergy),
            Section::Conditions => Condition::parse(json).map(Content::Condition),
            Section::Immunizations => Immunization::parse(json).map(Content::Immunization),
            Section::Procedures => Procedure::parse(json).map(Content::Procedure),
            Section::Encounters => Encounter::parse(json).map(Content::Encounter),
            Section::CarePlans => CarePlan::parse(json).map(Content::CarePlan),
            Section::CareTeams => CareTeam::parse(json).map(Content::CareTeam),
            Section::VitalSigns | Section::SocialHistory | Section::OtherObservations => {
                Observation::parse(json).map(|observation| Content::Observation {
                    effective: observation.effective.clone(),
                    observed: Box::new(Observed::of(observation)),
                })
            }
        };
        let practitioners = stored.links.practitioners.into_iter();
        Ok(Self {
            id,
            hold,
            unreadable: content.is_err(),
            content: content.ok(),
            practitioners: practitioners.filter_map(|one| one.display).collect(),
        })
    }
}

/// Which section, if any, and which page of it.
pub struct Listing {
    pub section: Option<Section>,
    pub page: Page,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Query {
    section: Option<Section>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

impl Operation for ListHealthRecord {
    const SPEC: &'static Spec = &Spec {
        id: "list-health-record",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/health-record",
            auth: Auth::Token,
        },
        action: "ListHealthRecord",
        audit: "health-record.list",
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
    type Output = HealthRecord;

    fn parse(request: &Request) -> Result<Listing, Problem> {
        let query: Query = request.query()?;
        let list = query.section.map_or(Self::SPEC.id, Section::list);
        Ok(Listing {
            section: query.section,
            page: Page::of(request, list, query.limit, query.cursor)?,
        })
    }

    fn regarding(listing: &Listing) -> Option<String> {
        listing.section.map(|section| section.as_str().to_owned())
    }
}
