//! The caller: what the access token says, and what the account row says about it now.

use crate::ids::{AccountId, SessionId};
use crate::store::AccountRow;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// How long ago a sign-in may be for what takes a recent one: seconds.
const RECENTLY: i64 = 15 * 60;

/// What an account is for. One each: somebody with two roles has two accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "&'static str")]
pub enum Role {
    Patient,
    Provider,
    Admin,
    PrivacyOfficer,
}

impl Role {
    pub const ALL: [Self; 4] = [
        Self::Patient,
        Self::Provider,
        Self::Admin,
        Self::PrivacyOfficer,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Provider => "provider",
            Self::Admin => "admin",
            Self::PrivacyOfficer => "privacy-officer",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// The group of the Cognito user pool.
    pub const fn group(self) -> &'static str {
        match self {
            Self::Patient => "patients",
            Self::Provider => "providers",
            Self::Admin => "admins",
            Self::PrivacyOfficer => "privacy-officers",
        }
    }

    /// Roles that one administrator alone does not grant: they watch over the others.
    pub const fn takes_two(self) -> bool {
        matches!(self, Self::Admin | Self::PrivacyOfficer)
    }
}

impl From<Role> for &'static str {
    fn from(role: Role) -> Self {
        role.as_str()
    }
}

impl TryFrom<String> for Role {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        Self::from_name(&name).ok_or("must be patient, provider, admin or privacy-officer")
    }
}

/// The claims of an access token, verified by API Gateway's authorizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub account: AccountId,
    pub groups: Vec<String>,
    /// When the person signed in, in seconds since the epoch; refreshing keeps it.
    pub auth_time: i64,
    /// The sign-in that this token descends from.
    pub origin: String,
}

impl Claims {
    /// Reads the authorizer's claims; none if it is not an access token with all that we need.
    pub fn from_authorizer(claims: &Value) -> Option<Self> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("token_use") != Some("access") {
            return None;
        }
        let seconds = |name: &str| match claims.get(name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        Some(Self {
            account: text("sub")?.parse().ok()?,
            groups: groups(claims.get("cognito:groups")),
            auth_time: seconds("auth_time")?,
            origin: text("origin_jti").or(text("sub"))?.to_owned(),
        })
    }
}

/// API Gateway flattens the list of groups: `a,b`, or `[a b]`, or `[a, b]`.
fn groups(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::Array(groups)) => groups
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        Some(Value::String(text)) => text
            .trim_start_matches('[')
            .trim_end_matches(']')
            .split([',', ' '])
            .filter(|group| !group.is_empty())
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// Keeps the ids of sessions apart from other ids that are made of names.
const SESSIONS: Uuid = Uuid::from_u128(0x6a0d_8a5e_3c41_4f0b_9d27_51f0_7be3_90c4);

impl Claims {
    /// The session, by an id that leads back to no token.
    pub fn session(&self) -> SessionId {
        SessionId::new(Uuid::new_v5(&SESSIONS, self.origin.as_bytes()))
    }
}

/// A sign-in, as what outlasts its requests remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignIn {
    /// What the account was for.
    pub role: Role,
    /// In seconds since the epoch.
    pub signed_in_at: i64,
    pub session: SessionId,
}

/// Somebody who is signed in, with an account that may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub row: AccountRow,
    /// When they signed in, in seconds since the epoch.
    pub signed_in_at: i64,
    pub session: SessionId,
}

impl Caller {
    /// The caller behind a token, if the account row still stands behind it.
    pub fn verified(claims: &Claims, row: Option<AccountRow>) -> Option<Self> {
        let role = row.as_ref()?.role;
        // The role was taken away or changed since the token was issued.
        if !claims.groups.iter().any(|group| group == role.group()) {
            return None;
        }
        let sign_in = SignIn {
            role,
            signed_in_at: claims.auth_time,
            session: claims.session(),
        };
        Self::by_sign_in(&sign_in, row)
    }

    /// The same of a sign-in that somebody remembered.
    pub fn by_sign_in(sign_in: &SignIn, row: Option<AccountRow>) -> Option<Self> {
        let row = row.filter(|row| row.acts_as(sign_in.role))?;
        // Seconds are all that a token knows: a sign-in within the second of the sign-out is
        // refused as well.
        let signed_in_at = sign_in.signed_in_at;
        if row.signed_out_at.is_some_and(|at| signed_in_at <= at) {
            return None;
        }
        // Somebody signed out of this one session.
        let session = sign_in.session;
        if row
            .sessions
            .iter()
            .any(|one| one.id == session && one.ended)
        {
            return None;
        }
        Some(Self {
            row,
            signed_in_at,
            session,
        })
    }

    /// What there is to remember of the caller's sign-in.
    pub const fn sign_in(&self) -> SignIn {
        SignIn {
            role: self.row.role,
            signed_in_at: self.signed_in_at,
            session: self.session,
        }
    }

    /// Did they prove who they are, with both factors, in the last 15 minutes? Renewing a session
    /// proves nothing.
    pub fn signed_in_recently(&self, now: Timestamp) -> bool {
        now.as_second() - self.signed_in_at <= RECENTLY
    }
}

/// Nobody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anonymous;

/// Who acts.
pub trait By: Clone + Send + Sync + 'static {
    /// The one who acts, from the verified caller if there is one.
    fn from_caller(caller: Option<Caller>) -> Option<Self>;
}

impl By for Caller {
    fn from_caller(caller: Option<Caller>) -> Option<Self> {
        caller
    }
}

impl By for Anonymous {
    fn from_caller(_: Option<Caller>) -> Option<Self> {
        Some(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Session, Status};
    use serde_json::json;

    const SUB: &str = "7f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c11";

    fn claims(extra: &Value) -> Value {
        let mut claims = json!({
            "sub": SUB, "token_use": "access", "auth_time": "1700000000",
            "cognito:groups": "patients",
        });
        for (name, value) in extra.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    #[test]
    fn groups_come_in_several_spellings() {
        for spelling in [json!("patients"), json!("[patients]"), json!(["patients"])] {
            let claims = Claims::from_authorizer(&claims(&json!({"cognito:groups": spelling})));
            assert_eq!(claims.unwrap().groups, ["patients"]);
        }
        let two = claims(&json!({"cognito:groups": "[patients, admins]"}));
        assert_eq!(
            Claims::from_authorizer(&two).unwrap().groups,
            ["patients", "admins"]
        );
    }

    #[test]
    fn only_access_tokens_count() {
        assert!(Claims::from_authorizer(&claims(&json!({}))).is_some());
        for wrong in [
            json!({"token_use": "id"}),
            json!({"token_use": null}),
            json!({"sub": "someone"}),
            json!({"auth_time": "yesterday"}),
        ] {
            assert_eq!(Claims::from_authorizer(&claims(&wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_sign_in_is_recent_for_a_quarter_of_an_hour() {
        let claims = Claims::from_authorizer(&claims(&json!({}))).unwrap();
        let row = AccountRow::new(claims.account, Role::Patient);
        let caller = Caller::verified(&claims, Some(row)).unwrap();
        let after = |seconds| Timestamp::from_second(claims.auth_time + seconds).unwrap();
        assert!(caller.signed_in_recently(after(900)));
        assert!(!caller.signed_in_recently(after(901)));
    }

    #[test]
    fn the_row_has_the_last_word() {
        let claims = Claims::from_authorizer(&claims(&json!({}))).unwrap();
        let row = AccountRow::new(claims.account, Role::Patient);
        assert!(Caller::verified(&claims, Some(row.clone())).is_some());
        assert!(Caller::verified(&claims, None).is_none());
        for refused in [
            AccountRow {
                status: Status::Disabled,
                ..row.clone()
            },
            AccountRow {
                role: Role::Provider,
                ..row.clone()
            },
            AccountRow {
                signed_out_at: Some(claims.auth_time),
                ..row.clone()
            },
            AccountRow {
                signed_out_at: Some(claims.auth_time + 1),
                ..row.clone()
            },
        ] {
            assert!(Caller::verified(&claims, Some(refused)).is_none());
        }
        let session = |id, ended| AccountRow {
            sessions: vec![Session {
                id,
                signed_in_at: claims.auth_time,
                first_seen: Timestamp::UNIX_EPOCH,
                source_ip: String::new(),
                user_agent: String::new(),
                ended,
            }],
            ..row.clone()
        };
        let other = SessionId::new(Uuid::nil());
        for (id, ended, stands) in [
            (claims.session(), true, false),
            (claims.session(), false, true),
            (other, true, true),
        ] {
            let caller = Caller::verified(&claims, Some(session(id, ended)));
            assert_eq!(caller.is_some(), stands);
        }
        let since = AccountRow {
            signed_out_at: Some(claims.auth_time - 1),
            ..row
        };
        assert!(Caller::verified(&claims, Some(since)).is_some());
    }
}
