//! Messages passed on where the law asks or allows it (45 CFR 164.512), and what an accounting of
//! disclosures has of that (164.528(b)): when, to whom, what, and why.

use super::codes::codes;
use super::text::Line;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::aws::Capability::{
    AdmitToPracticeKey, CountRequests, ReadAccounts, ReadPatients, RecordDisclosures,
    UnwrapDataKeys, WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::PatientId;
use crate::phi::Opener;
use crate::store::SealedRow;
use ::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

codes!(
    /// On what ground something is disclosed: the paragraphs of 45 CFR 164.512.
    Purpose {
        RequiredByLaw = "required-by-law",
        PublicHealth = "public-health",
        AbuseOrNeglect = "abuse-or-neglect",
        HealthOversight = "health-oversight",
        JudicialProceeding = "judicial-proceeding",
        LawEnforcement = "law-enforcement",
        Death = "death",
        SeriousThreat = "serious-threat",
        GovernmentFunction = "government-function",
        WorkersCompensation = "workers-compensation",
        Other = "other",
    }
);

/// To whom and why: sealed as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Disclosed {
    pub purpose: Purpose,
    /// The purpose in the officer's words.
    pub statement: Line<10, 500>,
    pub recipient: Line<1, 200>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Line<1, 300>>,
}

impl Disclosed {
    /// What a row of a disclosure says.
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        serde_json::from_slice(&row.open(opener)?).map_err(|_| Fault::Corrupt("a disclosure's row"))
    }
}

/// Opens a patient's messages to the privacy officer, to pass them on.
pub struct DiscloseMessages;

/// A disclosure and the `Idempotency-Key` it was sent with.
pub struct KeyedDisclosure {
    pub disclosed: Disclosed,
    pub idempotency_key: Line<8, 64>,
}

/// An access that begins now.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Disclosing {
    /// What every access that rests on it carries in its audit record.
    pub disclosure: Uuid,
    pub until: Timestamp,
}

impl Operation for DiscloseMessages {
    const SPEC: &'static Spec = &Spec {
        id: "disclose-messages",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/disclosures",
            auth: Auth::Token,
        },
        action: "DiscloseMessages",
        audit: "disclosure.begin",
        needs: &[
            ReadAccounts,
            CountRequests,
            ReadPatients,
            RecordDisclosures,
            AdmitToPracticeKey,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = PatientId;
    type Input = KeyedDisclosure;
    type Output = Disclosing;

    fn parse(request: &Request) -> Result<KeyedDisclosure, Problem> {
        request.no_query()?;
        Ok(KeyedDisclosure {
            idempotency_key: request.idempotency_key()?,
            disclosed: request.body()?,
        })
    }
}
