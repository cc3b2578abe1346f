//! A person's sign-ins: those whose tokens are good, and what happened before.

use super::{Auth, Method, Operation, Spec, Trigger};
use crate::access::OwnAccount;
use crate::aws::Capability::{KeepSessions, ReadAccounts, ReadSignIns, WriteAudit};
use crate::http::{Problem, Request};
use crate::ids::{AccountId, SessionId};
use jiff::Timestamp;
use serde::Serialize;

/// The caller's sessions and sign-in history.
pub struct ListSessions;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Sessions {
    /// Those that the portal has seen, newest first; twenty at most.
    pub sessions: Vec<OpenSession>,
    /// The last sixty attempts, newest first, as Cognito tells them.
    pub sign_ins: Vec<SignIn>,
}

/// A session whose tokens are good.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OpenSession {
    pub id: SessionId,
    /// Is it the one that asks?
    pub current: bool,
    pub signed_in_at: Timestamp,
    pub source_ip: String,
    pub user_agent: String,
}

/// An attempt to sign in, or to change the password.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct SignIn {
    pub at: Timestamp,
    /// `sign-in`, `password-change`, `forgotten-password` or `other`.
    pub kind: &'static str,
    /// `success`, `failure`, or `unfinished`: a further factor was asked for and not given.
    pub outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

impl Operation for ListSessions {
    const SPEC: &'static Spec = &Spec {
        id: "list-sessions",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/account/sessions",
            auth: Auth::Token,
        },
        action: "ListSessions",
        audit: "session.list",
        needs: &[ReadAccounts, ReadSignIns, WriteAudit],
    };
    type Subject = OwnAccount;
    type Input = AccountId;
    type Output = Sessions;

    /// Whose sign-ins are read is what the verified token says.
    fn parse(request: &Request) -> Result<AccountId, Problem> {
        request.no_query()?;
        let claims = request.claims.as_ref().ok_or(Problem::unauthenticated())?;
        Ok(claims.account)
    }
}

/// Signs out of one session, at once.
pub struct EndSession;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct EndedSession {
    pub id: SessionId,
    /// The next request of the session's is refused.
    pub ended_at: Timestamp,
}

impl Operation for EndSession {
    const SPEC: &'static Spec = &Spec {
        id: "end-session",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/account/sessions/{session}/end",
            auth: Auth::Token,
        },
        action: "EndSession",
        audit: "session.end",
        needs: &[ReadAccounts, KeepSessions, WriteAudit],
    };
    type Subject = OwnAccount;
    type Input = SessionId;
    type Output = EndedSession;

    fn parse(request: &Request) -> Result<SessionId, Problem> {
        request.no_query()?;
        request.path("session")
    }
}
