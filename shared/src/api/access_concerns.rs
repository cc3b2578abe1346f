//! Concerns about accesses: the privacy officer's work list (45 CFR 164.530(a), (d)).

use super::break_glass::Reason;
use super::codes::codes;
use super::page::{Limit, Page};
use super::text::Line;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::access::Practice;
use crate::aws::Capability::{
    BarFromBreakingGlass, CloseConcerns, EndBreakGlass, NoteOutcomes, ReadAccounts, ReadConcerns,
    ReadPatients, UnwrapDataKeys, WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::{AccessId, AccountId, ConcernId, PatientId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

codes!(
    /// What a concern came from.
    Kind {
        /// A provider broke the glass. Closed by review-break-glass.
        BreakGlass = "break-glass",
        /// A patient asks about an access. Closed by resolve-access-concern.
        PatientReport = "patient-report",
    }
);

codes!(
    /// Is there something left to do about it?
    State {
        Open = "open",
        Resolved = "resolved",
    }
);

codes!(
    /// What the privacy officer says of broken glass.
    Verdict {
        Justified = "justified",
        NotJustified = "not-justified",
    }
);

codes!(
    /// How any other concern ended.
    Resolution {
        NoIssue = "no-issue",
        /// Something was put right.
        Corrected = "corrected",
        /// 45 CFR 164.530(e).
        Sanctioned = "sanctioned",
        /// It was a breach, and whoever has to know was told (45 CFR 164.404 to 164.408).
        BreachNotification = "breach-notification",
    }
);

/// What came of a concern, whatever its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Outcome {
    Reviewed(Verdict),
    Resolved(Resolution),
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reviewed(verdict) => verdict.as_str(),
            Self::Resolved(resolution) => resolution.as_str(),
        }
    }

    /// Can a concern of this kind end so?
    pub const fn closes(self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Self::Reviewed(_), Kind::BreakGlass) | (Self::Resolved(_), Kind::PatientReport)
        )
    }
}

impl std::str::FromStr for Outcome {
    type Err = &'static str;

    fn from_str(code: &str) -> Result<Self, &'static str> {
        let verdict = code.parse().map(Self::Reviewed);
        verdict.or_else(|_| code.parse().map(Self::Resolved))
    }
}

/// A concern, without what anybody wrote about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Concern {
    pub id: ConcernId,
    pub kind: Kind,
    pub state: State,
    pub patient: PatientId,
    /// Whose access it is about, where it is one account's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The entry that a patient reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<Reported>,
    pub opened_at: Timestamp,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
}

/// An access as the audit log has it, for whoever looks into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Reported {
    /// The id of the audit record.
    pub id: AccessId,
    pub operation: String,
    pub at: Timestamp,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Closed {
    pub outcome: Outcome,
    pub closed_at: Timestamp,
    pub closed_by: AccountId,
}

/// What people wrote about a concern: PHI, sealed under the patient's key.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Words {
    /// By whoever raised it, or broke the glass. A patient need not say why they ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// By the privacy officer who closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The work list.
pub struct ListAccessConcerns;

/// A page of concerns, newest first.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Concerns {
    pub concerns: Vec<Concern>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Which concerns.
pub struct Listing {
    pub state: State,
    pub page: Page,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct ListQuery {
    state: Option<State>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

impl Operation for ListAccessConcerns {
    const SPEC: &'static Spec = &Spec {
        id: "list-access-concerns",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/access-concerns",
            auth: Auth::Token,
        },
        action: "ListAccessConcerns",
        audit: "access-concern.list",
        needs: &[ReadAccounts, ReadConcerns, WriteAudit],
    };
    type Subject = Practice;
    type Input = Listing;
    type Output = Concerns;

    fn parse(request: &Request) -> Result<Listing, Problem> {
        let query: ListQuery = request.query()?;
        let state = query.state.unwrap_or(State::Open);
        // A cursor of one list is none of the other's.
        let list = match state {
            State::Open => "list-access-concerns#open",
            State::Resolved => "list-access-concerns#resolved",
        };
        Ok(Listing {
            state,
            page: Page::of(request, list, query.limit, query.cursor)?,
        })
    }
}

/// One concern, with what was written about it.
pub struct GetAccessConcern;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ExplainedConcern {
    #[serde(flatten)]
    pub concern: Concern,
    #[serde(flatten)]
    pub words: Words,
}

impl Operation for GetAccessConcern {
    const SPEC: &'static Spec = &Spec {
        id: "get-access-concern",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/access-concerns/{concern}",
            auth: Auth::Token,
        },
        action: "GetAccessConcern",
        audit: "access-concern.read",
        needs: &[
            ReadAccounts,
            ReadConcerns,
            ReadPatients,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = ConcernId;
    type Input = ();
    type Output = ExplainedConcern;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }
}

/// How a concern is to end.
pub struct Closing {
    pub outcome: Outcome,
    pub note: Line<1, 1000>,
}

/// Closes the concern over broken glass. Not justified, the access ends at once.
pub struct ReviewBreakGlass;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Review {
    verdict: Verdict,
    note: Line<1, 1000>,
}

impl Operation for ReviewBreakGlass {
    const SPEC: &'static Spec = &Spec {
        id: "review-break-glass",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/access-concerns/{concern}/review",
            auth: Auth::Token,
        },
        action: "ReviewBreakGlass",
        audit: "emergency-access.review",
        needs: &[
            ReadAccounts,
            ReadConcerns,
            ReadPatients,
            UnwrapDataKeys,
            CloseConcerns,
            NoteOutcomes,
            EndBreakGlass,
            BarFromBreakingGlass,
            WriteAudit,
        ],
    };
    type Subject = ConcernId;
    type Input = Closing;
    type Output = Concern;

    fn parse(request: &Request) -> Result<Closing, Problem> {
        request.no_query()?;
        let Review { verdict, note } = request.body()?;
        Ok(Closing {
            outcome: Outcome::Reviewed(verdict),
            note,
        })
    }
}

/// Closes a concern of any other kind.
pub struct ResolveAccessConcern;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Resolving {
    outcome: Resolution,
    note: Line<1, 1000>,
}

impl Operation for ResolveAccessConcern {
    const SPEC: &'static Spec = &Spec {
        id: "resolve-access-concern",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/access-concerns/{concern}/resolve",
            auth: Auth::Token,
        },
        action: "ResolveAccessConcern",
        audit: "access-concern.resolve",
        needs: &[
            ReadAccounts,
            ReadConcerns,
            ReadPatients,
            UnwrapDataKeys,
            CloseConcerns,
            NoteOutcomes,
            WriteAudit,
        ],
    };
    type Subject = ConcernId;
    type Input = Closing;
    type Output = Concern;

    fn parse(request: &Request) -> Result<Closing, Problem> {
        request.no_query()?;
        let Resolving { outcome, note } = request.body()?;
        Ok(Closing {
            outcome: Outcome::Resolved(outcome),
            note,
        })
    }
}

/// Lets a provider break the glass again, before the day is over that an unjustified access costs.
pub struct AllowBreakGlass;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AllowedBreakGlass {
    /// Who may again.
    pub account: AccountId,
}

impl Operation for AllowBreakGlass {
    const SPEC: &'static Spec = &Spec {
        id: "allow-break-glass",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/access-concerns/{concern}/allow-break-glass",
            auth: Auth::Token,
        },
        action: "AllowBreakGlass",
        audit: "emergency-access.allow",
        needs: &[ReadAccounts, ReadConcerns, BarFromBreakingGlass, WriteAudit],
    };
    type Subject = ConcernId;
    type Input = ();
    type Output = AllowedBreakGlass;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }
}
