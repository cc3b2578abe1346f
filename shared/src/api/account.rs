//! Accounts: activation, who am I, signing out, and what Cognito asks of us while somebody signs in.

use super::text::{ActivationCode, Date, Email, Line};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::access::{OwnAccount, Portal};
use crate::aws::Capability::{
    ActivateAccounts, ActivateUsers, ComputeIndex, KeepSessions, LinkAccounts, NoteSessions,
    ReadAccounts, SignOutUsers, WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::{AccountId, PatientId, SessionId};
use ::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A patient makes their account with what the practice gave them.
pub struct ActivateAccount;

/// What proves who the patient is, and the address they will sign in with.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Activation {
    /// The medical record number on the practice's letter.
    pub mrn: Line<1, 64>,
    pub birth_date: Date,
    pub code: ActivationCode,
    pub email: Email,
}

/// An activation and the `Idempotency-Key` it was sent with.
pub struct KeyedActivation {
    pub activation: Activation,
    pub idempotency_key: Line<8, 64>,
}

/// What the patient signs in with for the first time.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Activated {
    pub username: String,
    /// Good for one sign-in, at which the patient chooses a password of their own.
    pub temporary_password: String,
}

impl Operation for ActivateAccount {
    const SPEC: &'static Spec = &Spec {
        id: "activate-account",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/activations",
            auth: Auth::Open,
        },
        action: "ActivateAccount",
        audit: "account.activate",
        needs: &[
            ReadAccounts,
            ActivateAccounts,
            LinkAccounts,
            ComputeIndex,
            ActivateUsers,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = Portal;
    type Input = KeyedActivation;
    type Output = Activated;

    fn parse(request: &Request) -> Result<KeyedActivation, Problem> {
        request.no_query()?;
        Ok(KeyedActivation {
            idempotency_key: request.idempotency_key()?,
            activation: request.body()?,
        })
    }
}

/// The caller's own account. Clients ask for it first, and so it is here that a session is seen.
pub struct GetAccount;

/// From where a request comes.
pub struct Client {
    pub source_ip: String,
    pub user_agent: String,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Account {
    pub id: AccountId,
    pub role: &'static str,
    /// The caller's own record, where the caller is a patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<PatientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sign_in: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_sign_in: Option<Timestamp>,
    /// The session that asks: see [`super::sessions`].
    pub session: SessionId,
}

impl Operation for GetAccount {
    const SPEC: &'static Spec = &Spec {
        id: "get-account",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/account",
            auth: Auth::Token,
        },
        action: "GetAccount",
        audit: "account.read",
        needs: &[ReadAccounts, KeepSessions, WriteAudit],
    };
    type Subject = OwnAccount;
    type Input = Client;
    type Output = Account;

    fn parse(request: &Request) -> Result<Client, Problem> {
        request.no_query()?;
        Ok(Client {
            source_ip: request.source_ip.clone(),
            user_agent: request.user_agent.clone(),
        })
    }
}

/// Ends every session of the caller, at once.
pub struct SignOutEverywhere;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct SignedOut {
    /// Tokens of sign-ins up to this second are refused.
    pub signed_out_at: Timestamp,
}

impl Operation for SignOutEverywhere {
    const SPEC: &'static Spec = &Spec {
        id: "sign-out-everywhere",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/account/sign-out-everywhere",
            auth: Auth::Token,
        },
        action: "SignOutEverywhere",
        audit: "account.sign-out-everywhere",
        needs: &[ReadAccounts, NoteSessions, SignOutUsers, WriteAudit],
    };
    type Subject = OwnAccount;
    type Input = ();
    type Output = SignedOut;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }
}

/// Cognito's pre-token-generation trigger: adds the patient's id to access tokens, and refuses
/// tokens to accounts that may not be used.
pub const ADD_TOKEN_CLAIMS: Spec = Spec {
    id: "add-token-claims",
    trigger: Trigger::Event,
    action: "AddTokenClaims",
    audit: "session.token",
    needs: &[ReadAccounts, WriteAudit],
};

/// Cognito's post-authentication trigger: a sign-in, with every factor, succeeded.
pub const RECORD_SIGN_IN: Spec = Spec {
    id: "record-sign-in",
    trigger: Trigger::Event,
    action: "RecordSignIn",
    audit: "session.sign-in",
    needs: &[ReadAccounts, NoteSessions, WriteAudit],
};

/// A delivery of the log group that Cognito exports its user activity to: attempts to sign in, to change
/// a password and to reset one.
pub const RECORD_AUTH_EVENTS: Spec = Spec {
    id: "record-auth-events",
    trigger: Trigger::Event,
    action: "RecordAuthEvents",
    audit: "account.attempt",
    needs: &[WriteAudit],
};
