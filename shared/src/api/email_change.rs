//! Changing the address that an account signs in with. Codes go to the old address and to the new one,
//! so neither an open browser nor a mistyped address is enough.

use super::text::{Email, MailCode};
use super::users::SignInService;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::access::OwnAccount;
use crate::aws::Capability::{
    ChangeAddresses, ComputeIndex, CountRequests, KeepEmailChanges, NoteSessions, ReadAccounts,
    SendMail, SignOutUsers, WriteAudit,
};
use crate::http::{Problem, Request};
use ::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Asks for another address.
pub struct RequestEmailChange;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewAddress {
    pub email: Email,
}

#[derive(Clone, Copy, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RequestedEmailChange {
    /// Both codes are good until then.
    pub expires_at: Timestamp,
    /// False if the mails may not have been sent: ask again.
    pub sent: bool,
}

impl Operation for RequestEmailChange {
    const SPEC: &'static Spec = &Spec {
        id: "request-email-change",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/account/email-change",
            auth: Auth::Token,
        },
        action: "RequestEmailChange",
        audit: "account.request-email-change",
        needs: &[
            ReadAccounts,
            CountRequests,
            KeepEmailChanges,
            ComputeIndex,
            ChangeAddresses,
            SendMail,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::ACCEPTED;
    type Subject = OwnAccount;
    type Input = NewAddress;
    type Output = RequestedEmailChange;

    fn parse(request: &Request) -> Result<NewAddress, Problem> {
        request.no_query()?;
        request.body()
    }
}

/// Changes the address, with both codes.
pub struct ConfirmEmailChange;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EmailCodes {
    /// What was mailed to the address that the account has.
    pub old_address_code: MailCode,
    /// What was mailed to the address that it is to have.
    pub new_address_code: MailCode,
}

#[derive(Clone, Copy, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ConfirmedEmailChange {
    /// Tokens of sign-ins up to this second are refused: sign in with the new address.
    pub signed_out_at: Timestamp,
    pub sign_in_service: SignInService,
}

impl Operation for ConfirmEmailChange {
    const SPEC: &'static Spec = &Spec {
        id: "confirm-email-change",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/account/email-change/confirm",
            auth: Auth::Token,
        },
        action: "ConfirmEmailChange",
        audit: "account.confirm-email-change",
        needs: &[
            ReadAccounts,
            NoteSessions,
            KeepEmailChanges,
            ComputeIndex,
            ChangeAddresses,
            SignOutUsers,
            SendMail,
            WriteAudit,
        ],
    };
    type Subject = OwnAccount;
    type Input = EmailCodes;
    type Output = ConfirmedEmailChange;

    fn parse(request: &Request) -> Result<EmailCodes, Problem> {
        request.no_query()?;
        request.body()
    }
}
