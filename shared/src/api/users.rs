//! The people who use the portal, to whoever administers it: accounts, and nothing of any record.

use super::page::BodyLimit;
use super::text::{Email, EmailPrefix, Line};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::access::{Practice, Role};
use crate::aws::Capability::{
    AlignUsers, ChangeAddresses, ComputeIndex, CreateAccounts, DescribeUsers, FindPatients,
    ForgetEmailChanges, InviteUsers, IssueActivations, KeepAdministrators, KeepApprovals,
    KeepPractitioners, ListUsers as SearchPool, ManageAccounts, NoteReconciliation, NoteSessions,
    ReadAccounts, ReadDirectory, ReadPatients, RemoveUsers, ResetSecondFactors, SignOutUsers,
    UnwrapDataKeys, WriteAudit,
};
use crate::http::{Cursor, Problem, Request};
use crate::ids::{AccountId, PractitionerId};
use crate::store::{AccountRow, Status};
use ::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What became of something that may take two administrators.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Decided<T> {
    Done(T),
    /// Nothing has changed yet: another administrator has to send the same.
    AwaitingApproval {
        expires_at: Timestamp,
    },
}

impl<T> Decided<T> {
    const fn status(&self, done: StatusCode) -> StatusCode {
        match self {
            Self::Done(_) => done,
            Self::AwaitingApproval { .. } => StatusCode::ACCEPTED,
        }
    }
}

/// How far Cognito is with a change that holds already: the account row decides at every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SignInService {
    Done,
    /// It did not answer; reconcile-accounts makes up for it within the hour.
    Pending,
}

/// A practitioner goes with the role of a provider, and with no other.
fn practitioner_of(
    role: Role,
    practitioner: Option<PractitionerId>,
) -> Result<Option<PractitionerId>, Problem> {
    match (role, practitioner) {
        (Role::Provider, None) => Err(Problem::field(
            "/practitioner",
            "must be there: a provider is a practitioner of the directory",
        )),
        (Role::Provider, some) => Ok(some),
        (_, None) => Ok(None),
        (_, Some(_)) => Err(Problem::field(
            "/practitioner",
            "must be absent: only a provider is a practitioner",
        )),
    }
}

/// What to say of a practitioner whom the directory does not have.
pub fn unknown_practitioner() -> Problem {
    Problem::field(
        "/practitioner",
        "must be the id of a practitioner in the directory",
    )
}

/// What to say where a practitioner has an account already, enabled or not.
pub const fn practitioner_taken() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "practitioner-taken",
        "This practitioner has an account",
        "Change that account, or enable it again. Another may have the practitioner once that one \
         has another practitioner or another role.",
    )
}

/// A member of staff is invited: Cognito mails them a password for the first sign-in.
pub struct InviteUser;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct InvitationBody {
    role: Role,
    email: Email,
    practitioner: Option<PractitionerId>,
}

pub struct Invitation {
    pub role: Role,
    pub email: Email,
    pub practitioner: Option<PractitionerId>,
    pub idempotency_key: Line<8, 64>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Invited {
    pub id: AccountId,
    pub role: Role,
}

impl Operation for InviteUser {
    const SPEC: &'static Spec = &Spec {
        id: "invite-user",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/users",
            auth: Auth::Token,
        },
        action: "InviteUser",
        audit: "user.invite",
        needs: &[
            ReadAccounts,
            CreateAccounts,
            KeepAdministrators,
            KeepApprovals,
            KeepPractitioners,
            ReadDirectory,
            ComputeIndex,
            InviteUsers,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = Practice;
    type Input = Invitation;
    type Output = Decided<Invited>;

    fn parse(request: &Request) -> Result<Invitation, Problem> {
        request.no_query()?;
        let idempotency_key = request.idempotency_key()?;
        let InvitationBody {
            role,
            email,
            practitioner,
        } = request.body()?;
        if role == Role::Patient {
            return Err(Problem::field(
                "/role",
                "must be provider, admin or privacy-officer: patients activate their accounts",
            ));
        }
        Ok(Invitation {
            role,
            email,
            practitioner: practitioner_of(role, practitioner)?,
            idempotency_key,
        })
    }

    fn status(output: &Decided<Invited>) -> StatusCode {
        output.status(Self::SUCCESS)
    }
}

/// A patient gets a code for the practice's letter; a former one dies.
pub struct IssueActivation;

/// Whose code.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// The medical record number.
    pub mrn: Line<1, 64>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ActivationLetter {
    /// In groups, as it is printed.
    pub code: String,
    pub expires_at: Timestamp,
}

impl Operation for IssueActivation {
    const SPEC: &'static Spec = &Spec {
        id: "issue-activation",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/activation-codes",
            auth: Auth::Token,
        },
        action: "IssueActivation",
        audit: "account.issue-activation",
        needs: &[
            ReadAccounts,
            IssueActivations,
            FindPatients,
            ReadPatients,
            UnwrapDataKeys,
            ComputeIndex,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = Practice;
    type Input = Recipient;
    type Output = ActivationLetter;

    fn parse(request: &Request) -> Result<Recipient, Problem> {
        request.no_query()?;
        request.body()
    }
}

/// Accounts by the beginning of their address and by role. An address is personal data, so the
/// search is a body and not a query string.
pub struct ListUsers;

/// The most users on a page: each is a call to Cognito.
const MOST_USERS: u8 = 20;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct SearchBody {
    search: Option<EmailPrefix>,
    role: Option<Role>,
    #[serde(default)]
    limit: BodyLimit<MOST_USERS, MOST_USERS>,
    cursor: Option<String>,
}

pub struct Search {
    pub prefix: Option<EmailPrefix>,
    pub role: Option<Role>,
    pub limit: u8,
    /// Where the page begins, in Cognito's words.
    pub after: Option<String>,
    cursor: Cursor,
}

impl Search {
    /// What the cursor belongs to besides: it goes on with this search and no other.
    fn terms(prefix: Option<&EmailPrefix>, role: Option<Role>) -> String {
        let prefix = prefix.map_or("", EmailPrefix::as_str);
        format!("{prefix} {} ", role.map_or("", Role::as_str))
    }

    /// The cursor of the page that begins there.
    pub fn cursor(&self, after: &str) -> Result<String, crate::Fault> {
        let terms = Self::terms(self.prefix.as_ref(), self.role);
        self.cursor.write(&format!("{terms}{after}"))
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UserList {
    /// May be fewer than asked for, or none, while there are more pages: the role is looked at after
    /// the page is read.
    pub users: Vec<User>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum UserStatus {
    Active,
    Disabled,
    /// May sign in, and has not yet.
    Invited,
}

/// An account. Whose record it opens is not said.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct User {
    pub id: AccountId,
    pub email: String,
    pub role: Role,
    pub status: UserStatus,
    /// Has a second factor been set up?
    pub mfa: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub practitioner: Option<PractitionerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sign_in: Option<Timestamp>,
    /// What `If-Match` of update-user repeats.
    pub version: u64,
}

impl Operation for ListUsers {
    const SPEC: &'static Spec = &Spec {
        id: "list-users",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/users/search",
            auth: Auth::Token,
        },
        action: "ListUsers",
        audit: "user.list",
        needs: &[ReadAccounts, SearchPool, DescribeUsers, WriteAudit],
    };
    type Subject = Practice;
    type Input = Search;
    type Output = UserList;

    fn parse(request: &Request) -> Result<Search, Problem> {
        request.no_query()?;
        let body: SearchBody = request.body()?;
        let cursor = Cursor::of(request, Self::SPEC.id)?;
        let terms = Search::terms(body.search.as_ref(), body.role);
        let after = body.cursor.map(|text| {
            let after = cursor.read_at("/cursor", &text)?;
            after
                .strip_prefix(&terms)
                .map(str::to_owned)
                .ok_or_else(|| Problem::field("/cursor", "must be one of the same search"))
        });
        Ok(Search {
            after: after.transpose()?,
            prefix: body.search,
            role: body.role,
            limit: body.limit.0,
            cursor,
        })
    }
}

/// Changes what an account is. It holds with the account's next request.
pub struct UpdateUser;

/// What is to change; what is absent stays.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    role: Option<Role>,
    status: Option<Status>,
    practitioner: Option<PractitionerId>,
}

impl UserChange {
    /// The account as it will be.
    pub fn applied_to(&self, before: &AccountRow, now: Timestamp) -> Result<AccountRow, Problem> {
        let mut after = before.clone();
        after.role = self.role.unwrap_or(before.role);
        after.status = self.status.unwrap_or(before.status);
        let was_staff = before.role != Role::Patient && before.patient.is_none();
        if was_staff != (after.role != Role::Patient) {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "other-kind-of-account",
                "Patients and staff have different accounts",
                "Somebody who is both has two accounts: invite them, or give them a code.",
            ));
        }
        let kept = before.practitioner.filter(|_| after.role == Role::Provider);
        after.practitioner = practitioner_of(after.role, self.practitioner.or(kept))?;
        if after != *before {
            after.version = before.version.saturating_add(1);
            // What was open as something else, or before the account was disabled, stays closed.
            after.signed_out_at = Some(now.as_second());
        }
        Ok(after)
    }
}

/// A change, and the version of the account that it was made on.
pub struct VersionedUserChange {
    pub version: u64,
    pub change: UserChange,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UpdatedUser {
    pub id: AccountId,
    pub role: Role,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub practitioner: Option<PractitionerId>,
    pub sign_in_service: SignInService,
    /// The ETag.
    pub version: u64,
}

impl Operation for UpdateUser {
    const SPEC: &'static Spec = &Spec {
        id: "update-user",
        trigger: Trigger::Http {
            method: Method::Patch,
            path: "/v1/users/{account}",
            auth: Auth::Token,
        },
        action: "UpdateUser",
        audit: "user.update",
        needs: &[
            ReadAccounts,
            ManageAccounts,
            KeepAdministrators,
            KeepApprovals,
            KeepPractitioners,
            ReadDirectory,
            AlignUsers,
            SignOutUsers,
            WriteAudit,
        ],
    };
    type Subject = AccountId;
    type Input = VersionedUserChange;
    type Output = Decided<UpdatedUser>;

    fn parse(request: &Request) -> Result<VersionedUserChange, Problem> {
        request.no_query()?;
        let version = request.if_match()?;
        let change: UserChange = request.body()?;
        if change.role.is_none() && change.status.is_none() && change.practitioner.is_none() {
            return Err(Problem::field(
                "",
                "must change something: role, status or practitioner",
            ));
        }
        Ok(VersionedUserChange { version, change })
    }

    fn status(output: &Decided<UpdatedUser>) -> StatusCode {
        output.status(Self::SUCCESS)
    }

    fn etag(output: &Decided<UpdatedUser>) -> Option<u64> {
        match output {
            Decided::Done(user) => Some(user.version),
            Decided::AwaitingApproval { .. } => None,
        }
    }
}

/// Ends every session of an account, at once.
pub struct SignOutUser;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct SignedOutUser {
    /// Tokens of sign-ins up to this second are refused.
    pub signed_out_at: Timestamp,
    pub sign_in_service: SignInService,
}

impl Operation for SignOutUser {
    const SPEC: &'static Spec = &Spec {
        id: "sign-out-user",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/users/{account}/sign-out",
            auth: Auth::Token,
        },
        action: "SignOutUser",
        audit: "user.sign-out",
        needs: &[ReadAccounts, NoteSessions, SignOutUsers, WriteAudit],
    };
    type Subject = AccountId;
    type Input = ();
    type Output = SignedOutUser;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }
}

/// Takes a lost authenticator away, so that the next sign-in sets up another.
pub struct ResetUserMfa;

/// How the administrator made sure whom they speak to (NIST SP 800-63B, 4.2: an account is
/// recovered by whoever proves to be the subscriber).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String")]
pub enum IdentityCheck {
    InPersonPhotoId,
    VideoCallPhotoId,
    CallbackToNumberOnFile,
}

impl IdentityCheck {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InPersonPhotoId => "in-person-photo-id",
            Self::VideoCallPhotoId => "video-call-photo-id",
            Self::CallbackToNumberOnFile => "callback-to-number-on-file",
        }
    }
}

impl TryFrom<String> for IdentityCheck {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        [
            Self::InPersonPhotoId,
            Self::VideoCallPhotoId,
            Self::CallbackToNumberOnFile,
        ]
        .into_iter()
        .find(|check| check.as_str() == name)
        .ok_or("must be in-person-photo-id, video-call-photo-id or callback-to-number-on-file")
    }
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MfaReset {
    pub identity_check: IdentityCheck,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ResetMfa {
    /// False if Cognito did not answer: the authenticator still counts, so send it again.
    pub reset: bool,
    /// Tokens of sign-ins up to this second are refused.
    pub signed_out_at: Timestamp,
}

impl Operation for ResetUserMfa {
    const SPEC: &'static Spec = &Spec {
        id: "reset-user-mfa",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/users/{account}/reset-mfa",
            auth: Auth::Token,
        },
        action: "ResetUserMfa",
        audit: "user.reset-mfa",
        needs: &[
            ReadAccounts,
            NoteSessions,
            ResetSecondFactors,
            SignOutUsers,
            WriteAudit,
        ],
    };
    type Subject = AccountId;
    type Input = MfaReset;
    type Output = ResetMfa;

    fn parse(request: &Request) -> Result<MfaReset, Problem> {
        request.no_query()?;
        request.body()
    }
}

/// Compares the user pool with the account rows, every hour, and makes the pool what they say.
pub const RECONCILE_ACCOUNTS: Spec = Spec {
    id: "reconcile-accounts",
    trigger: Trigger::Event,
    action: "ReconcileAccounts",
    audit: "user.reconcile",
    needs: &[
        ReadAccounts,
        KeepAdministrators,
        NoteReconciliation,
        ForgetEmailChanges,
        SearchPool,
        AlignUsers,
        ChangeAddresses,
        SignOutUsers,
        RemoveUsers,
        WriteAudit,
    ],
};
