//! Laboratory results.

use super::days::Days;
use super::lab_holds::HeldResult;
use super::observations::Observed;
use super::page::{Limit, Page};
use super::text::{Code, Date};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::aws::Capability::{ReadAccounts, ReadPatients, ReadRecords, UnwrapDataKeys, WriteAudit};
use crate::fhir::observation::Observation;
use crate::http::{Problem, Request};
use crate::ids::{PatientId, RecordId, SeriesId};
use crate::phi::Opener;
use crate::store::{LinkedReport, SealedRow, Section, Span, StoredEntry};
use serde::{Deserialize, Serialize};
use std::ops::Not;

/// A patient's laboratory results, newest first.
pub struct ListLabResults;

/// A page of results. With a filter it may hold fewer than `limit`, even none, and not be the last.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LabResults {
    pub results: Vec<LabResult>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One result (FHIR R4 Observation, category laboratory), as the laboratory gave it.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LabResult {
    pub id: RecordId,
    /// When the sample was taken or the measurement made, as recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective: Option<String>,
    /// The patient, and whoever acts for them, see no more than this of a held result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HeldResult>,
    #[serde(flatten)]
    pub content: Option<Content>,
    /// What was imported is no Observation that can be shown: ask the practice. Said of those alone.
    #[serde(skip_serializing_if = "Not::not")]
    pub unreadable: bool,
}

/// What a result says.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Content {
    /// Other results of the same analyte: see get-lab-trend. Absent where it has no code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<SeriesId>,
    /// The report that groups it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<LinkedReport>,
    /// Codes of its categories and of its report's: `laboratory`, `LAB`, `MB`, ...
    pub categories: Vec<String>,
    #[serde(flatten)]
    pub observed: Observed,
}

impl LabResult {
    /// Opens a stored result, as the caller may see it.
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        let id = row.entry_id()?;
        let entry = StoredEntry::open(row, opener)?;
        let hold = HeldResult::of(id, opener)?;
        let is_open = hold.as_ref().is_none_or(HeldResult::is_open);
        let Ok(observation) = Observation::parse(entry.resource.get()) else {
            return Ok(Self {
                id,
                effective: None,
                hold,
                content: None,
                unreadable: is_open,
            });
        };
        let effective = observation.effective.clone();
        let content = is_open.then(|| Content::of(row, observation, opener));
        Ok(Self {
            id,
            effective,
            hold,
            content: content.transpose()?,
            unreadable: false,
        })
    }

    /// The date by which it is filtered: `effective`, else `issued`. A held result has only the
    /// first.
    pub fn recorded(&self) -> Option<&str> {
        let issued = || self.content.as_ref()?.observed.issued.as_deref();
        self.effective.as_deref().or_else(issued)
    }
}

impl Content {
    fn of(row: &SealedRow, observation: Observation, opener: &Opener) -> Result<Self, Fault> {
        let report = LinkedReport::open(row, opener)?;
        let mut categories = observation.categories.clone();
        for category in report.iter().flat_map(|report| &report.categories) {
            if !categories.contains(category) {
                categories.push(category.clone());
            }
        }
        Ok(Self {
            series: row.series(),
            report,
            categories,
            observed: Observed::of(observation),
        })
    }
}

/// Which results.
pub struct Listing {
    pub days: Days,
    pub category: Option<Code>,
    pub page: Page,
}

impl Listing {
    /// Where the results stand that may be among these.
    pub fn span(&self) -> Span {
        Span::section(
            Section::LabResults,
            self.days.earliest(),
            self.days.latest(),
        )
    }

    /// Is it one of these? A held result has no category; what cannot be read may be any.
    pub fn holds(&self, result: &LabResult) -> bool {
        if result.unreadable {
            return true;
        }
        let is_of = |category: &Code| {
            let content = result.content.as_ref();
            content.is_some_and(|content| {
                let mut categories = content.categories.iter();
                categories.any(|code| code == category.as_str())
            })
        };
        self.days.hold(result.recorded()) && self.category.as_ref().is_none_or(is_of)
    }
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Query {
    from: Option<Date>,
    to: Option<Date>,
    category: Option<Code>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
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
    type Input = Listing;
    type Output = LabResults;

    fn parse(request: &Request) -> Result<Listing, Problem> {
        let query: Query = request.query()?;
        let listing = Listing {
            days: Days::of(query.from, query.to)?,
            category: query.category,
            page: Page::of(request, Self::SPEC.id, query.limit, query.cursor)?,
        };
        listing.page.within(&listing.span())?;
        Ok(listing)
    }
}

/// One result.
pub struct GetLabResult;

impl Operation for GetLabResult {
    const SPEC: &'static Spec = &Spec {
        id: "get-lab-result",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/lab-results/{result}",
            auth: Auth::Token,
        },
        action: "GetLabResult",
        audit: "lab-result.read",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadRecords,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = RecordId;
    type Output = LabResult;

    fn parse(request: &Request) -> Result<RecordId, Problem> {
        request.no_query()?;
        request.path("result")
    }

    fn regarding(result: &RecordId) -> Option<String> {
        Some(result.to_string())
    }
}
