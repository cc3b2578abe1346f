//! A provider's own schedule.

use super::appointments::Appointment;
use super::open_slots::span;
use super::page::{Limit, Page};
use super::profile;
use super::text::Date;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::Practice;
use crate::aws::Capability::{
    ReadAccounts, ReadPatients, ReadSchedules, UnwrapDataKeys, WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::PatientId;
use crate::phi::Opener;
use crate::store::SealedRow;
use jiff::civil;
use serde::{Deserialize, Serialize};

/// The appointments of a day or a week of the caller's.
pub struct ListSchedule;

/// The most days of one request.
const DAYS: i32 = 7;

/// The most appointments of a page: each patient is opened with a data key and a record of their own.
pub const MOST: u8 = 50;

/// Days of the practice's, the last one included.
pub struct Days {
    pub from: civil::Date,
    pub to: civil::Date,
    pub page: Page<MOST>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Schedule {
    /// In the order of their start.
    pub appointments: Vec<ScheduledPatient>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Who comes when, and why.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ScheduledPatient {
    pub patient: PatientId,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    #[serde(flatten)]
    pub appointment: Appointment,
}

impl ScheduledPatient {
    /// Opens an appointment and who it is with.
    pub fn open(patient: PatientId, row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        let imported = profile::imported(opener)?;
        Ok(Self {
            patient,
            name: imported.display_name().unwrap_or_default(),
            birth_date: imported.birth_date.map(|date| date.as_str().to_owned()),
            appointment: Appointment::open(row, opener)?,
        })
    }
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Query {
    from: Date,
    to: Date,
    #[serde(default)]
    limit: Limit<MOST>,
    cursor: Option<String>,
}

impl Operation for ListSchedule {
    const SPEC: &'static Spec = &Spec {
        id: "list-schedule",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/schedule",
            auth: Auth::Token,
        },
        action: "ListSchedule",
        audit: "schedule.list",
        needs: &[
            ReadAccounts,
            ReadSchedules,
            ReadPatients,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = Practice;
    type Input = Days;
    type Output = Schedule;

    fn parse(request: &Request) -> Result<Days, Problem> {
        let query: Query = request.query()?;
        let (from, to) = span(&query.from, &query.to, DAYS)?;
        let page = Page::of(request, Self::SPEC.id, query.limit, query.cursor)?;
        Ok(Days { from, to, page })
    }
}
