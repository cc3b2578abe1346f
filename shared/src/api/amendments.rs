//! Requests to amend the record (45 CFR 164.526). The practice accepts or denies one within 60 days
//! on its calendar, and may take 30 more once, if it says why in time. Whoever was denied may answer
//! with a statement of disagreement, which is open until somebody linked it to what it is about.
//!
//! The privacy officer receives and decides all of them (164.526(f) wants an office named); whoever
//! treats the patient may decide those about clinical entries, because they know what was found.

use super::codes::codes;
use super::page::Page;
use super::refills::{Whose, account};
use super::requests::Step;
use super::text::Line;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::{Access, Practice, Role};
use crate::aws::Capability::{
    CloseAmendments, CountAmendments, CountRequests, RaiseAmendments, ReadAccounts,
    ReadOpenAmendments, ReadPanels, ReadPatients, UnwrapDataKeys, WriteAudit,
};
use crate::http::{Object, Problem, Request};
use crate::ids::{AccountId, AmendmentId, PatientId, RecordId};
use crate::phi::Opener;
use crate::practice;
use crate::store::Asked;
use ::http::StatusCode;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// 164.526(b)(2)(i).
const DAYS: i32 = 60;

/// 164.526(b)(2)(ii).
const MORE_DAYS: i32 = 30;

codes!(
    /// What is to be amended.
    Part {
        Profile = "profile",
        LabResults = "lab-results",
        Prescriptions = "prescriptions",
        HealthRecord = "health-record",
        Documents = "documents",
        Other = "other",
    }
);

impl Part {
    /// Is it what somebody who treats the patient wrote down or found?
    pub const fn is_clinical(self) -> bool {
        matches!(
            self,
            Self::LabResults | Self::Prescriptions | Self::HealthRecord | Self::Documents
        )
    }
}

codes!(
    /// What became of a request; a step of it.
    State {
        Requested = "requested",
        /// It takes longer: still open.
        Extended = "extended",
        Accepted = "accepted",
        Denied = "denied",
        /// The patient answered the denial: open once more.
        Disputed = "disputed",
        /// The practice answered the disagreement. A step, and never where a request stays.
        Rebutted = "rebutted",
        /// All of it stands with the entry that it is about.
        Linked = "linked",
    }
);

codes!(
    /// Why an amendment may be denied (164.526(a)(2)).
    Basis {
        /// (i): others made the entry, and can be asked.
        NotCreatedHere = "not-created-here",
        /// (ii): it is not part of the designated record set.
        NotInRecordSet = "not-in-record-set",
        /// (iii): the patient has no access to it under 164.524.
        NotOpenToAccess = "not-open-to-access",
        /// (iv)
        AccurateAndComplete = "accurate-and-complete",
    }
);

/// A request, with all that was written about it.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Amendment {
    pub id: AmendmentId,
    pub part: Part,
    /// The entry, where it is one of the record's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<RecordId>,
    /// What is wrong or missing, and what it should be.
    pub change: String,
    pub reason: String,
    pub state: State,
    pub requested_at: Timestamp,
    /// The last day for an answer, on the practice's calendar.
    pub due: Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial_basis: Option<Basis>,
    /// Oldest first. The text of a step is what was done, why it was denied or takes longer, or the
    /// patient's disagreement.
    pub history: Vec<Step<State>>,
}

impl Amendment {
    /// A request of the caller's.
    pub fn requested(
        access: &Access<PatientId>,
        opener: &Opener,
        new: NewAmendment,
        practice: &practice::Practice,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        Ok(Self {
            id: AmendmentId::new(Uuid::now_v7()),
            part: new.part,
            entry: new.entry,
            change: new.change.into(),
            reason: new.reason.into(),
            state: State::Requested,
            requested_at: now,
            due: practice.today(now).saturating_add(DAYS.days()),
            denial_basis: None,
            history: vec![Step::new(access, opener, State::Requested, now, None)?],
        })
    }

    /// Does it ask for the same?
    pub fn is(&self, new: &NewAmendment) -> bool {
        self.part == new.part
            && self.entry == new.entry
            && self.change == new.change.as_str()
            && self.reason == new.reason.as_str()
    }

    /// The request after the practice's answer: to the request itself or, once that was denied and
    /// disputed, to the disagreement.
    pub fn reviewed(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        verdict: Verdict,
        practice: &practice::Practice,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        // The policy lets the care team answer; what is not clinical is the privacy officer's.
        let is_officer = access.caller().row.role == Role::PrivacyOfficer;
        if !is_officer && !self.part.is_clinical() {
            return Err(Problem::forbidden());
        }
        let mut next = self.clone();
        let text = match verdict {
            Verdict::Link { done, rebuttal } if self.state == State::Disputed => {
                if let Some(rebuttal) = rebuttal {
                    next.state = State::Rebutted;
                    next.step(access, opener, rebuttal, now)?;
                }
                next.state = State::Linked;
                done
            }
            Verdict::Link { .. } => return Err(not_disputed()),
            _ if !self.is_unanswered() => return Err(amendment_closed()),
            Verdict::Accept(done) => {
                next.state = State::Accepted;
                done
            }
            Verdict::Deny(basis, explanation) => {
                next.state = State::Denied;
                next.denial_basis = Some(basis);
                explanation
            }
            Verdict::Extend(reason) => {
                if self.state == State::Extended || practice.today(now) > self.due {
                    return Err(not_extendable());
                }
                next.state = State::Extended;
                next.due = self.due.saturating_add(MORE_DAYS.days());
                reason
            }
        };
        next.step(access, opener, text, now)?;
        Ok(next)
    }

    /// The request after the patient's answer to a denial (164.526(d)(2)).
    pub fn disputed(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        statement: Statement,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        if self.state != State::Denied {
            return Err(not_denied());
        }
        let mut next = self.clone();
        next.state = State::Disputed;
        next.step(access, opener, statement, now)?;
        Ok(next)
    }

    fn step(
        &mut self,
        access: &Access<PatientId>,
        opener: &Opener,
        text: Statement,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let step = Step::new(access, opener, self.state, now, Some(text.into()))?;
        self.history.push(step);
        Ok(())
    }
}

impl Asked for Amendment {
    const KIND: &'static str = "AMENDMENT";
    /// People have to read them.
    const UNANSWERED: Option<u64> = Some(20);
    type Id = AmendmentId;

    fn id(&self) -> AmendmentId {
        self.id
    }

    fn is_open(&self) -> bool {
        self.is_unanswered() || self.state == State::Disputed
    }

    /// A disagreement waits for somebody as well, but it was the practice that denied: no number of
    /// them keeps a patient from asking, and none from disagreeing.
    fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Requested | State::Extended)
    }

    /// What is due first.
    fn turn(&self) -> String {
        format!("{}#{}", self.due, self.id)
    }

    /// Several may be open, also about the same entry.
    fn about(&self) -> Option<String> {
        None
    }
}

/// A request as it stands today.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AmendmentRequest {
    #[serde(flatten)]
    pub amendment: Amendment,
    /// Is the last day over, without an answer?
    pub overdue: bool,
}

impl AmendmentRequest {
    pub fn new(amendment: Amendment, practice: &practice::Practice, now: Timestamp) -> Self {
        Self {
            overdue: amendment.is_unanswered() && practice.today(now) > amendment.due,
            amendment,
        }
    }
}

pub const fn amendment_closed() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "amendment-closed",
        "This request was answered before",
        "Load the requests again to see how it ended.",
    )
}

const fn not_extendable() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "not-extendable",
        "The time for this answer cannot be made longer",
        "It can be once, while the first 60 days last. Accept or deny the request.",
    )
}

const fn not_denied() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "not-denied",
        "There is no denial to disagree with",
        "A request that was denied takes one statement of disagreement.",
    )
}

const fn not_disputed() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "not-disputed",
        "There is no disagreement to link",
        "One is linked after the patient sent it, and once. Load the requests again.",
    )
}

pub const fn too_many_amendments() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "too-many-amendments",
        "Twenty requests wait for an answer",
        "Wait for the practice's answers before you ask for more, or call the practice.",
    )
}

/// A request to amend the record (164.526(b)(1)).
pub struct RequestAmendment;

type Statement = Line<1, 2000>;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewAmendment {
    pub part: Part,
    pub entry: Option<RecordId>,
    pub change: Statement,
    pub reason: Statement,
}

/// It, by whom, and the `Idempotency-Key` it was sent with.
pub struct KeyedAmendment {
    pub amendment: NewAmendment,
    pub account: AccountId,
    pub idempotency_key: Line<8, 64>,
}

impl Operation for RequestAmendment {
    const SPEC: &'static Spec = &Spec {
        id: "request-amendment",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/amendments",
            auth: Auth::Token,
        },
        action: "RequestAmendment",
        audit: "amendment.create",
        needs: &[
            ReadAccounts,
            CountRequests,
            ReadPatients,
            RaiseAmendments,
            CountAmendments,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = PatientId;
    type Input = KeyedAmendment;
    type Output = AmendmentRequest;

    fn parse(request: &Request) -> Result<KeyedAmendment, Problem> {
        request.no_query()?;
        Ok(KeyedAmendment {
            account: account(request)?,
            idempotency_key: request.idempotency_key()?,
            amendment: request.body()?,
        })
    }
}

/// A patient's requests, newest first.
pub struct ListAmendments;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Amendments {
    pub amendments: Vec<AmendmentRequest>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl Operation for ListAmendments {
    const SPEC: &'static Spec = &Spec {
        id: "list-amendments",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/amendments",
            auth: Auth::Token,
        },
        action: "ListAmendments",
        audit: "amendment.list",
        needs: &[ReadAccounts, ReadPatients, UnwrapDataKeys, WriteAudit],
    };
    type Subject = PatientId;
    type Input = Page;
    type Output = Amendments;

    fn parse(request: &Request) -> Result<Page, Problem> {
        Page::parse(request, Self::SPEC)
    }
}

/// The open requests, by their last day: all of them to the privacy officer, to a provider those of
/// whom they treat.
pub struct ListOpenAmendments;

/// The most requests of a page: their patients are opened with a data key each.
pub const MOST: u8 = 50;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OpenAmendments {
    /// May be fewer than asked for, and still not the last page: there is a `next_cursor` then.
    pub amendments: Vec<OpenAmendment>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A request, and of the patient no more than whom to answer.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OpenAmendment {
    pub patient: Whose,
    #[serde(flatten)]
    pub request: AmendmentRequest,
}

impl Operation for ListOpenAmendments {
    const SPEC: &'static Spec = &Spec {
        id: "list-open-amendments",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/amendments",
            auth: Auth::Token,
        },
        action: "ListOpenAmendments",
        audit: "amendment.list-open",
        needs: &[
            ReadAccounts,
            ReadOpenAmendments,
            ReadPanels,
            ReadPatients,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = Practice;
    type Input = Page<MOST>;
    type Output = OpenAmendments;

    fn parse(request: &Request) -> Result<Page<MOST>, Problem> {
        Page::parse(request, Self::SPEC)
    }
}

/// The practice's answer.
pub struct ReviewAmendment;

/// One of the four.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Answer {
    accept: Option<Object<Accept>>,
    deny: Option<Object<Deny>>,
    extend: Option<Object<Extend>>,
    link: Option<Object<Link>>,
}

/// What was done (164.526(c)(1)).
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Accept {
    done: Statement,
}

/// Why not, in plain language (164.526(d)(1)).
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Deny {
    basis: Basis,
    explanation: Statement,
}

/// Why it takes longer (164.526(b)(2)(ii)(A)).
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Extend {
    reason: Statement,
}

/// To what request, denial, disagreement and rebuttal were linked (164.526(d)(4)), and the rebuttal, if
/// the practice has one; the patient gets a copy ((d)(3)).
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Link {
    done: Statement,
    rebuttal: Option<Statement>,
}

pub enum Verdict {
    Accept(Statement),
    Deny(Basis, Statement),
    Extend(Statement),
    Link {
        done: Statement,
        rebuttal: Option<Statement>,
    },
}

/// The answer, and to which request.
pub struct Review {
    pub amendment: AmendmentId,
    pub verdict: Verdict,
}

impl Operation for ReviewAmendment {
    const SPEC: &'static Spec = &Spec {
        id: "review-amendment",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/amendments/{amendment}/review",
            auth: Auth::Token,
        },
        action: "ReviewAmendment",
        audit: "amendment.review",
        needs: &[
            ReadAccounts,
            ReadPatients,
            RaiseAmendments,
            CountAmendments,
            CloseAmendments,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Review;
    type Output = AmendmentRequest;

    fn parse(request: &Request) -> Result<Review, Problem> {
        request.no_query()?;
        let amendment = request.path("amendment")?;
        let Answer {
            accept,
            deny,
            extend,
            link,
        } = request.body()?;
        let verdict = match (accept, deny, extend, link) {
            (Some(Object(accept)), None, None, None) => Verdict::Accept(accept.done),
            (None, Some(Object(deny)), None, None) => Verdict::Deny(deny.basis, deny.explanation),
            (None, None, Some(Object(extend)), None) => Verdict::Extend(extend.reason),
            (None, None, None, Some(Object(Link { done, rebuttal }))) => {
                Verdict::Link { done, rebuttal }
            }
            _ => {
                return Err(Problem::field(
                    "",
                    "must name one of accept, deny, extend and link",
                ));
            }
        };
        Ok(Review { amendment, verdict })
    }

    fn regarding(review: &Review) -> Option<String> {
        Some(review.amendment.to_string())
    }
}

/// The patient's answer to a denial.
pub struct SubmitDisagreement;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Disagreement {
    statement: Statement,
}

/// The statement, and about which request.
pub struct Dispute {
    pub amendment: AmendmentId,
    pub statement: Statement,
}

impl Operation for SubmitDisagreement {
    const SPEC: &'static Spec = &Spec {
        id: "submit-disagreement",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/amendments/{amendment}/disagreement",
            auth: Auth::Token,
        },
        action: "SubmitDisagreement",
        audit: "amendment.dispute",
        needs: &[
            ReadAccounts,
            CountRequests,
            ReadPatients,
            RaiseAmendments,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Dispute;
    type Output = AmendmentRequest;

    fn parse(request: &Request) -> Result<Dispute, Problem> {
        request.no_query()?;
        let amendment = request.path("amendment")?;
        let Disagreement { statement } = request.body()?;
        Ok(Dispute {
            amendment,
            statement,
        })
    }

    fn regarding(dispute: &Dispute) -> Option<String> {
        Some(dispute.amendment.to_string())
    }
}
