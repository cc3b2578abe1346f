//! Held results. A result is the patient's to see as soon as it is there; keeping one back is
//! information blocking (45 CFR 171.103) unless an exception fits, and then for one patient and one
//! result, by somebody who says why, and for a time.

use super::codes::codes;
use super::page::Page;
use super::text::{Instant, Line};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::{Practice, Role};
use crate::aws::Capability::{
    HoldResults, ReadAccounts, ReadHolds, ReadPatients, ReadRecords, UnwrapDataKeys, WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::{AccountId, PatientId, RecordId};
use crate::phi::Opener;
use ::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

codes!(
    /// The exception that a hold rests on.
    Reason {
        /// A professional who knows the patient believes that seeing it endangers somebody's life or
        /// physical safety: 45 CFR 171.201(c)(1).
        PreventingHarm = "preventing-harm",
        /// It is somebody else's, or wrong: 45 CFR 171.201(c)(2).
        ErroneousData = "erroneous-data",
        /// What the law asks for before it is shown is not there yet: 45 CFR 171.202(b).
        PrivacyPrecondition = "privacy-precondition",
        /// The patient asked that it not be shown: 45 CFR 171.202(e).
        IndividualRequest = "individual-request",
    }
);

/// What is shown of a hold with the result.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct HeldResult {
    pub until: Timestamp,
    /// For those who treat the patient.
    #[serde(flatten)]
    pub why: Option<Why>,
}

/// Why a result is held, and who holds it.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Why {
    pub reason: Reason,
    pub explanation: String,
    pub held_by: AccountId,
    pub held_at: Timestamp,
}

impl HeldResult {
    /// The hold on a result, if there is one now. Providers see all of it, and whoever else asks
    /// until when.
    pub fn of(result: RecordId, opener: &Opener) -> Result<Option<Self>, Fault> {
        let now = Timestamp::now();
        let hold = opener.context().hold(result);
        let Some(hold) = hold.filter(|hold| hold.is_current(now)) else {
            return Ok(None);
        };
        let provides = |caller: &crate::access::Caller| caller.row.role == Role::Provider;
        let why = match opener.caller().is_some_and(provides) {
            false => None,
            true => Some(Why {
                reason: hold.reason,
                explanation: hold.explanation(opener)?,
                held_by: hold.held_by,
                held_at: hold.held_at,
            }),
        };
        Ok(Some(Self {
            until: hold.until,
            why,
        }))
    }

    /// May the caller see the result all the same?
    pub const fn is_open(&self) -> bool {
        self.why.is_some()
    }
}

/// A provider keeps a result back.
pub struct HoldLabResult;

/// Which result, why and how long.
pub struct Holding {
    pub result: RecordId,
    pub reason: Reason,
    pub explanation: Line<10, 500>,
    pub until: Timestamp,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Body {
    reason: Reason,
    explanation: Line<10, 500>,
    /// At most 30 days after the result was held first: by then a request for access has to be answered
    /// (45 CFR 164.524(b)(2)).
    until: Instant,
}

/// A hold that was made.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Held {
    pub result: RecordId,
    pub reason: Reason,
    pub held_at: Timestamp,
    pub until: Timestamp,
}

impl Operation for HoldLabResult {
    const SPEC: &'static Spec = &Spec {
        id: "hold-lab-result",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/lab-results/{result}/hold",
            auth: Auth::Token,
        },
        action: "HoldLabResult",
        audit: "lab-result.hold",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadRecords,
            HoldResults,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = PatientId;
    type Input = Holding;
    type Output = Held;

    fn parse(request: &Request) -> Result<Holding, Problem> {
        request.no_query()?;
        let Body {
            reason,
            explanation,
            until: Instant(until),
        } = request.body()?;
        Ok(Holding {
            result: request.path("result")?,
            reason,
            explanation,
            until,
        })
    }
}

/// A provider ends a hold before its time.
pub struct ReleaseLabResult;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Released {
    pub result: RecordId,
    /// The patient sees the result from now on.
    pub released_at: Timestamp,
}

impl Operation for ReleaseLabResult {
    const SPEC: &'static Spec = &Spec {
        id: "release-lab-result",
        trigger: Trigger::Http {
            method: Method::Delete,
            path: "/v1/patients/{patient}/lab-results/{result}/hold",
            auth: Auth::Token,
        },
        action: "ReleaseLabResult",
        audit: "lab-result.release",
        needs: &[
            ReadAccounts,
            ReadPatients,
            HoldResults,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = RecordId;
    type Output = Released;

    fn parse(request: &Request) -> Result<RecordId, Problem> {
        request.no_query()?;
        request.path("result")
    }
}

/// Everything that is held now, for the privacy officer.
pub struct ListLabHolds;

/// A page of holds, what is released soonest first.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Holds {
    pub holds: Vec<Listed>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A hold without what it keeps back.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Listed {
    pub patient: PatientId,
    pub result: RecordId,
    pub reason: Reason,
    pub held_by: AccountId,
    pub held_at: Timestamp,
    pub until: Timestamp,
}

impl Operation for ListLabHolds {
    const SPEC: &'static Spec = &Spec {
        id: "list-lab-holds",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/lab-holds",
            auth: Auth::Token,
        },
        action: "ListLabHolds",
        audit: "lab-hold.list",
        needs: &[ReadAccounts, ReadHolds, WriteAudit],
    };
    type Subject = Practice;
    type Input = Page;
    type Output = Holds;

    fn parse(request: &Request) -> Result<Page, Problem> {
        Page::parse(request, Self::SPEC)
    }
}
