//! Requests to refill a prescription (what FHIR R4 calls a Task): requested, then approved or denied
//! by somebody on the care team, or withdrawn by whoever may request.

use super::codes::codes;
use super::page::Page;
use super::prescriptions::Prescription;
use super::profile;
use super::requests::Step;
use super::text::Line;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::{Access, Practice};
use crate::aws::Capability::{
    CloseRefills, CountRequests, RaiseRefills, ReadAccounts, ReadOpenRefills, ReadPanels,
    ReadPatients, ReadRecords, UnwrapDataKeys, WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::{AccountId, PatientId, RecordId, RefillId};
use crate::phi::Opener;
use crate::store::Asked;
use ::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

codes!(
    /// What became of a request.
    State {
        Requested = "requested",
        Approved = "approved",
        Denied = "denied",
        Withdrawn = "withdrawn",
    }
);

/// A request, with all that was written about it.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Refill {
    pub id: RefillId,
    pub prescription: RecordId,
    /// As it was called when it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medication: Option<String>,
    pub state: State,
    pub requested_at: Timestamp,
    /// Oldest first.
    pub history: Vec<Step<State>>,
}

impl Refill {
    /// A request of the caller's.
    pub fn requested(
        access: &Access<PatientId>,
        opener: &Opener,
        prescription: &Prescription,
        note: Option<String>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        Ok(Self {
            id: RefillId::new(Uuid::now_v7()),
            prescription: prescription.id,
            medication: prescription.medication.clone(),
            state: State::Requested,
            requested_at: now,
            history: vec![Step::new(access, opener, State::Requested, now, note)?],
        })
    }

    /// Does it ask for the same?
    pub fn is(&self, new: &NewRefill) -> bool {
        let first = self.history.first();
        let note = first.and_then(|step| step.text.as_deref());
        self.prescription == new.prescription && note == new.note.as_ref().map(Line::as_str)
    }

    /// The request after a step of the caller's; only an open one takes any.
    pub fn after(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        state: State,
        text: Option<String>,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        if self.state != State::Requested {
            return Err(refill_closed());
        }
        let mut next = self.clone();
        next.state = state;
        next.history
            .push(Step::new(access, opener, state, now, text)?);
        Ok(next)
    }
}

impl Asked for Refill {
    const KIND: &'static str = "REFILL";
    type Id = RefillId;

    fn id(&self) -> RefillId {
        self.id
    }

    fn is_open(&self) -> bool {
        self.state == State::Requested
    }

    /// The oldest first.
    fn turn(&self) -> String {
        self.id.to_string()
    }

    fn about(&self) -> Option<String> {
        Some(self.prescription.to_string())
    }
}

/// A request beside what the record says now.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RefillRequest {
    #[serde(flatten)]
    pub refill: Refill,
    /// False where the prescription has ended since: nothing is left to approve.
    pub prescription_active: bool,
}

pub const fn refill_open() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "refill-open",
        "A refill of this prescription was asked for already",
        "Wait for the answer, or withdraw the request.",
    )
}

pub const fn refill_closed() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "refill-closed",
        "This request was decided or withdrawn before",
        "Load the requests again to see how it ended.",
    )
}

pub const fn prescription_not_active() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "prescription-not-active",
        "No active prescription has this id",
        "Load the prescriptions again; ask the practice about one that has ended.",
    )
}

/// The account of the token that a request came with.
pub(super) fn account(request: &Request) -> Result<AccountId, Problem> {
    let claims = request.claims.as_ref().ok_or(Problem::unauthenticated())?;
    Ok(claims.account)
}

/// A request to refill an active prescription.
pub struct RequestRefill;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewRefill {
    pub prescription: RecordId,
    pub note: Option<Line<1, 500>>,
}

/// It, by whom, and the `Idempotency-Key` it was sent with.
pub struct KeyedRefill {
    pub refill: NewRefill,
    pub account: AccountId,
    pub idempotency_key: Line<8, 64>,
}

impl Operation for RequestRefill {
    const SPEC: &'static Spec = &Spec {
        id: "request-refill",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/refill-requests",
            auth: Auth::Token,
        },
        action: "RequestRefill",
        audit: "refill-request.create",
        needs: &[
            ReadAccounts,
            CountRequests,
            ReadPatients,
            ReadRecords,
            RaiseRefills,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = PatientId;
    type Input = KeyedRefill;
    type Output = RefillRequest;

    fn parse(request: &Request) -> Result<KeyedRefill, Problem> {
        request.no_query()?;
        Ok(KeyedRefill {
            account: account(request)?,
            idempotency_key: request.idempotency_key()?,
            refill: request.body()?,
        })
    }
}

/// Takes an open request back.
pub struct WithdrawRefill;

impl Operation for WithdrawRefill {
    const SPEC: &'static Spec = &Spec {
        id: "withdraw-refill",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/refill-requests/{refill}/withdraw",
            auth: Auth::Token,
        },
        action: "WithdrawRefill",
        audit: "refill-request.withdraw",
        needs: &[
            ReadAccounts,
            ReadPatients,
            RaiseRefills,
            CloseRefills,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = RefillId;
    type Output = Refill;

    fn parse(request: &Request) -> Result<RefillId, Problem> {
        request.no_query()?;
        request.path("refill")
    }

    fn regarding(refill: &RefillId) -> Option<String> {
        Some(refill.to_string())
    }
}

/// A patient's requests, newest first.
pub struct ListRefillRequests;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RefillRequests {
    pub requests: Vec<RefillRequest>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl Operation for ListRefillRequests {
    const SPEC: &'static Spec = &Spec {
        id: "list-refill-requests",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/refill-requests",
            auth: Auth::Token,
        },
        action: "ListRefillRequests",
        audit: "refill-request.list",
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
    type Output = RefillRequests;

    fn parse(request: &Request) -> Result<Page, Problem> {
        Page::parse(request, Self::SPEC)
    }
}

/// The open requests of those whom the caller treats, oldest first.
pub struct ListOpenRefills;

/// The most requests of a page: their patients are opened with a data key each.
pub const MOST: u8 = 50;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OpenRefills {
    /// May be fewer than asked for, and still not the last page: there is a `next_cursor` then.
    pub requests: Vec<OpenRefill>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OpenRefill {
    pub patient: Whose,
    #[serde(flatten)]
    pub request: RefillRequest,
}

/// The patient of a request on a work list.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Whose {
    pub id: PatientId,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    /// The medical record number.
    pub mrn: String,
}

impl Whose {
    pub fn open(id: PatientId, opener: &Opener) -> Result<Self, Fault> {
        let imported = profile::imported(opener)?;
        Ok(Self {
            id,
            name: imported.display_name().unwrap_or_default(),
            birth_date: imported.birth_date.map(|date| date.as_str().to_owned()),
            mrn: imported
                .medical_record_number
                .map(|number| number.value)
                .unwrap_or_default(),
        })
    }
}

impl Operation for ListOpenRefills {
    const SPEC: &'static Spec = &Spec {
        id: "list-open-refills",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/refill-requests",
            auth: Auth::Token,
        },
        action: "ListOpenRefills",
        audit: "refill-request.list-open",
        needs: &[
            ReadAccounts,
            ReadOpenRefills,
            ReadPanels,
            ReadPatients,
            ReadRecords,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = Practice;
    type Input = Page<MOST>;
    type Output = OpenRefills;

    fn parse(request: &Request) -> Result<Page<MOST>, Problem> {
        Page::parse(request, Self::SPEC)
    }
}

/// A provider's answer to a request.
pub struct ReviewRefill;

codes!(
    Decision {
        Approved = "approved",
        Denied = "denied",
    }
);

impl Decision {
    pub const fn state(self) -> State {
        match self {
            Self::Approved => State::Approved,
            Self::Denied => State::Denied,
        }
    }
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Answer {
    decision: Decision,
    reason: Option<Line<1, 1000>>,
}

/// The answer, and to which request.
pub struct Review {
    pub refill: RefillId,
    pub decision: Decision,
    pub reason: Option<Line<1, 1000>>,
}

impl Operation for ReviewRefill {
    const SPEC: &'static Spec = &Spec {
        id: "review-refill",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/refill-requests/{refill}/review",
            auth: Auth::Token,
        },
        action: "ReviewRefill",
        audit: "refill-request.review",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadRecords,
            RaiseRefills,
            CloseRefills,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Review;
    type Output = Refill;

    fn parse(request: &Request) -> Result<Review, Problem> {
        request.no_query()?;
        let refill = request.path("refill")?;
        let Answer { decision, reason } = request.body()?;
        if decision == Decision::Denied && reason.is_none() {
            return Err(Problem::field(
                "/reason",
                "must say why, for the patient to read",
            ));
        }
        Ok(Review {
            refill,
            decision,
            reason,
        })
    }

    fn regarding(review: &Review) -> Option<String> {
        Some(review.refill.to_string())
    }
}
