//! Emergency access to a patient whom the caller does not treat (45 CFR 164.312(a)(2)(ii)).

use super::codes::codes;
use super::text::Line;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::aws::Capability::{
    BreakGlass as BreakTheGlass, CountRequests, ReadAccounts, ReadPatients, UnwrapDataKeys,
    WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::PatientId;
use ::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A provider opens one patient's record for themselves, for an hour at most.
pub struct BreakGlass;

codes!(
    /// Why somebody needs access to a patient whom they do not treat.
    Reason {
        EmergencyTreatment = "emergency-treatment",
        CoveringColleague = "covering-colleague",
        PatientUnresponsive = "patient-unresponsive",
        PublicHealthEmergency = "public-health-emergency",
        Other = "other",
    }
);

/// Why, as a code and in the provider's own words.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Emergency {
    pub reason: Reason,
    pub explanation: Line<10, 500>,
}

/// An access that begins now.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct BrokenGlass {
    /// What every access that rests on it carries in its audit record.
    pub grant: Uuid,
    pub until: Timestamp,
}

impl Operation for BreakGlass {
    const SPEC: &'static Spec = &Spec {
        id: "break-glass",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/break-glass",
            auth: Auth::Token,
        },
        action: "BreakGlass",
        audit: "emergency-access.begin",
        needs: &[
            ReadAccounts,
            CountRequests,
            ReadPatients,
            BreakTheGlass,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = PatientId;
    type Input = Emergency;
    type Output = BrokenGlass;

    fn parse(request: &Request) -> Result<Emergency, Problem> {
        request.no_query()?;
        request.body()
    }
}
