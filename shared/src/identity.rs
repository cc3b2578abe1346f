//! The user pool: making users for people who proved who they are, keeping them as their accounts
//! are, and ending their sessions.

use crate::access::Role;
use crate::api::sessions::SignIn;
use crate::api::text::EmailPrefix;
use crate::aws::{Aws, Resource, fault};
use crate::ids::AccountId;
use crate::store::{AccountRow, Status};
use crate::{Fault, Reason};
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::error::SdkError;
use aws_sdk_cognitoidentityprovider::operation::admin_create_user::builders::AdminCreateUserFluentBuilder;
use aws_sdk_cognitoidentityprovider::operation::admin_create_user::{
    AdminCreateUserError, AdminCreateUserOutput,
};
use aws_sdk_cognitoidentityprovider::operation::admin_get_user::AdminGetUserOutput;
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, AuthEventType, DeliveryMediumType, EventContextDataType, EventResponseType,
    EventType, MessageActionType, UserStatusType, WebAuthnMfaSettingsType,
};
use aws_smithy_runtime_api::http::Response;
use jiff::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

const TEMPORARY_PASSWORD: usize = 24;

/// As many as Cognito gives at once.
const SIGN_INS: i32 = 60;

const SYMBOLS: &[u8; 64] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789!#%+=?@";

/// A user as the pool knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub account: AccountId,
    /// They have not yet chosen a password of their own.
    pub waiting: bool,
    /// What they were made by: see [`Users::create`].
    pub origin: Option<String>,
    /// They have shown that they read mail at their address, or were invited by mail to it.
    pub verified: bool,
}

/// Where a user reads mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub email: String,
    /// The one that they asked for in its place.
    pub requested: Option<Requested>,
}

/// An address that somebody asked for. Cognito keeps one attribute of both, so that an address that
/// came late is never taken for the one that was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// That of the [`EmailChange`](crate::store::EmailChange) that it was asked for with.
    pub proof: String,
    pub email: String,
}

impl Requested {
    fn parse(text: &str) -> Self {
        // What does not begin with a proof has none, and is proven by nothing.
        let (proof, email) = text.split_once('|').unwrap_or(("", text));
        Self {
            proof: proof.to_owned(),
            email: email.to_owned(),
        }
    }

    fn text(&self) -> String {
        format!("{}|{}", self.proof, self.email)
    }
}

/// A user as a search finds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub user: User,
    pub address: Address,
    pub enabled: bool,
    /// When they were made, in seconds since the epoch.
    pub created_at: i64,
}

/// Some of the users, and where the others begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub users: Vec<Listed>,
    pub next: Option<String>,
}

/// The attribute that says what made a user. It is set when the user is made and never after.
const ORIGIN: &str = "custom:origin";

/// The attribute that keeps the address which a user asked for until it is proven, after its proof;
/// empty without one.
const REQUESTED: &str = "custom:new_email";

/// The Cognito user pool of the portal.
#[derive(Clone)]
pub struct Users {
    client: Client,
    pool: String,
}

impl Users {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.cognito().clone(),
            pool: aws.name(Resource::UserPool)?,
        })
    }

    /// Makes a user who signs in with this address and temporary password; none if there is one
    /// with the address already. Cognito sends no mail: whoever asked is told. The origin is what
    /// lets the same activation go on with this user later, and nothing else.
    pub async fn create(
        &self,
        email: &str,
        password: &str,
        origin: &str,
    ) -> Result<Option<User>, Fault> {
        let request = self
            .making(email, origin)?
            .temporary_password(password)
            .message_action(MessageActionType::Suppress);
        made(request.send().await)
    }

    /// The same for somebody to whom Cognito sends an invitation with a password that nobody here
    /// gets to see. Whoever reads mail at the address is who was invited, so the address counts as verified.
    pub async fn invite(&self, email: &str, origin: &str) -> Result<Option<User>, Fault> {
        let password = temporary_password()?;
        let request = self
            .making(email, origin)?
            .temporary_password(password.as_str())
            .user_attributes(attribute("email_verified", "true")?)
            .desired_delivery_mediums(DeliveryMediumType::Email);
        made(request.send().await)
    }

    /// Sends an invitation again, with another password, to a user who has not used theirs.
    pub async fn invite_again(&self, email: &str) -> Result<(), Fault> {
        self.client
            .admin_create_user()
            .user_pool_id(&self.pool)
            .username(email)
            .message_action(MessageActionType::Resend)
            .desired_delivery_mediums(DeliveryMediumType::Email)
            .send()
            .await
            .map_err(|error| fault("Cognito", &error))?;
        Ok(())
    }

    fn making(&self, email: &str, origin: &str) -> Result<AdminCreateUserFluentBuilder, Fault> {
        Ok(self
            .client
            .admin_create_user()
            .user_pool_id(&self.pool)
            .username(email)
            .user_attributes(attribute("email", email)?)
            .user_attributes(attribute(ORIGIN, origin)?))
    }

    /// The user with this address, if there is one.
    pub async fn find(&self, email: &str) -> Result<Option<User>, Fault> {
        let found = self.get(email).await?;
        found
            .map(|found| user(found.user_attributes(), found.user_status.as_ref()))
            .transpose()
    }

    /// The user with this address or id, as they are at this moment.
    async fn get(&self, username: &str) -> Result<Option<AdminGetUserOutput>, Fault> {
        let answer = self
            .client
            .admin_get_user()
            .user_pool_id(&self.pool)
            .username(username)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_user_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(fault("Cognito", &error)),
        }
    }

    /// Gives a user who never signed in another temporary password.
    pub async fn renew(&self, user: &User, password: &str) -> Result<(), Fault> {
        self.client
            .admin_set_user_password()
            .user_pool_id(&self.pool)
            .username(user.account.to_string())
            .password(password)
            .permanent(false)
            .send()
            .await
            .map_err(|error| fault("Cognito", &error))?;
        Ok(())
    }

    pub async fn add_to_group(&self, user: &User, role: Role) -> Result<(), Fault> {
        self.join(user.account, role).await
    }

    async fn join(&self, account: AccountId, role: Role) -> Result<(), Fault> {
        self.client
            .admin_add_user_to_group()
            .user_pool_id(&self.pool)
            .username(account.to_string())
            .group_name(role.group())
            .send()
            .await
            .map_err(|error| fault("Cognito", &error))?;
        Ok(())
    }

    /// Users whose address begins so, or all.
    pub async fn list(
        &self,
        prefix: Option<&EmailPrefix>,
        limit: u8,
        after: Option<String>,
    ) -> Result<Page, Fault> {
        let filter = prefix.map(|prefix| format!("email ^= \"{}\"", prefix.as_str()));
        let answer = self
            .client
            .list_users()
            .user_pool_id(&self.pool)
            .set_filter(filter)
            .limit(i32::from(limit))
            .set_pagination_token(after)
            .send()
            .await
            .map_err(|error| fault("Cognito", &error))?;
        let users = answer.users().iter().map(|listed| {
            Ok(Listed {
                user: user(listed.attributes(), listed.user_status.as_ref())?,
                address: address(listed.attributes()),
                enabled: listed.enabled,
                created_at: listed.user_create_date.map_or(i64::MAX, |at| at.secs()),
            })
        });
        Ok(Page {
            users: users.collect::<Result<_, Fault>>()?,
            next: answer.pagination_token,
        })
    }

    /// Has the account a second factor set up?
    pub async fn has_second_factor(&self, account: AccountId) -> Result<bool, Fault> {
        let user = self.get_account(account).await?;
        Ok(!user.user_mfa_setting_list().is_empty())
    }

    /// A user's address.
    pub async fn address(&self, account: AccountId) -> Result<Address, Fault> {
        let user = self.get_account(account).await?;
        Ok(address(user.user_attributes()))
    }

    async fn get_account(&self, account: AccountId) -> Result<AdminGetUserOutput, Fault> {
        let user = self.get(&account.to_string()).await?;
        // Removed since the account was looked at.
        user.ok_or(Fault::Unavailable {
            service: "Cognito",
            reason: Reason::Other,
        })
    }

    /// Keeps the address that a user asks for, or forgets it. They sign in as before.
    pub async fn request_address(
        &self,
        account: AccountId,
        requested: Option<&Requested>,
    ) -> Result<(), Fault> {
        let text = requested.map(Requested::text).unwrap_or_default();
        self.set(account, vec![attribute(REQUESTED, &text)?]).await
    }

    /// Gives a user the address that they asked for and showed to be theirs, and ends their sessions:
    /// they sign in with it from now on.
    pub async fn change_address(&self, account: AccountId, email: &str) -> Result<(), Fault> {
        let attributes = vec![
            attribute("email", email)?,
            attribute("email_verified", "true")?,
            attribute(REQUESTED, "")?,
        ];
        self.set(account, attributes).await?;
        self.sign_out(account).await
    }

    async fn set(&self, account: AccountId, attributes: Vec<AttributeType>) -> Result<(), Fault> {
        self.client
            .admin_update_user_attributes()
            .user_pool_id(&self.pool)
            .username(account.to_string())
            .set_user_attributes(Some(attributes))
            .send()
            .await
            .map_err(|error| fault("Cognito", &error))?;
        Ok(())
    }

    /// Takes a user's authenticator away: the next sign-in sets up another. (Merely disabling it
    /// does nothing in a pool that asks everybody for a second factor.) Their passkeys sign nobody in
    /// any more, until whoever has signed in otherwise turns them on again.
    pub async fn reset_second_factor(&self, account: AccountId) -> Result<(), Fault> {
        self.turn_passkeys_off(account).await?;
        self.client
            .admin_delete_software_token()
            .user_pool_id(&self.pool)
            .username(account.to_string())
            .send()
            .await
            .map_err(|error| fault("Cognito", &error))?;
        Ok(())
    }

    /// A passkey itself only its owner can remove (DeleteWebAuthnCredential); whether passkeys count
    /// in a pool that asks for a second factor is a preference, which administrators set as well.
    async fn turn_passkeys_off(&self, account: AccountId) -> Result<(), Fault> {
        let off = WebAuthnMfaSettingsType::builder().enabled(false).build();
        let answer = self
            .client
            .admin_set_user_mfa_preference()
            .user_pool_id(&self.pool)
            .username(account.to_string())
            .web_authn_mfa_settings(off)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            // A pool that offers no passkeys may not know the preference.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_invalid_parameter_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(fault("Cognito", &error)),
        }
    }

    /// The names of the groups that a user is in; none if there is no such user.
    pub async fn groups(&self, account: AccountId) -> Result<Option<Vec<String>>, Fault> {
        let answer = self
            .client
            .admin_list_groups_for_user()
            .user_pool_id(&self.pool)
            .username(account.to_string())
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let groups = answer.groups.unwrap_or_default().into_iter();
                let names = groups.filter_map(|group| group.group_name);
                Ok(Some(names.collect()))
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_user_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(fault("Cognito", &error)),
        }
    }

    /// Makes a user what the account row says: in the one group of its role, enabled or not. Any
    /// part of it may be done already.
    pub async fn align(&self, row: &AccountRow) -> Result<(), Fault> {
        let name = row.account.to_string();
        // Nobody who is to be out stays in because a later step failed.
        if row.status != Status::Active {
            let disable = self.client.admin_disable_user();
            let disable = disable.user_pool_id(&self.pool).username(&name);
            disable
                .send()
                .await
                .map_err(|error| fault("Cognito", &error))?;
        }
        let groups = self.groups(row.account).await?.unwrap_or_default();
        let wanted = row.role.group();
        for group in groups.iter().filter(|group| *group != wanted) {
            self.client
                .admin_remove_user_from_group()
                .user_pool_id(&self.pool)
                .username(&name)
                .group_name(group)
                .send()
                .await
                .map_err(|error| fault("Cognito", &error))?;
        }
        if !groups.iter().any(|group| group == wanted) {
            self.join(row.account, row.role).await?;
        }
        if row.status == Status::Active {
            let enable = self.client.admin_enable_user();
            let enable = enable.user_pool_id(&self.pool).username(&name);
            enable
                .send()
                .await
                .map_err(|error| fault("Cognito", &error))?;
        }
        Ok(())
    }

    /// Removes a user whom nobody has signed in as.
    pub async fn remove(&self, user: &User) -> Result<(), Fault> {
        self.client
            .admin_delete_user()
            .user_pool_id(&self.pool)
            .username(user.account.to_string())
            .send()
            .await
            .map_err(|error| fault("Cognito", &error))?;
        Ok(())
    }

    /// The last things that happened to an account's sign-in, newest first.
    pub async fn sign_ins(&self, account: AccountId) -> Result<Vec<SignIn>, Fault> {
        let answer = self
            .client
            .admin_list_user_auth_events()
            .user_pool_id(&self.pool)
            .username(account.to_string())
            .max_results(SIGN_INS)
            .send()
            .await
            .map_err(|error| fault("Cognito", &error))?;
        answer.auth_events().iter().map(sign_in).collect()
    }

    /// Revokes every refresh token of an account.
    pub async fn sign_out(&self, account: AccountId) -> Result<(), Fault> {
        self.client
            .admin_user_global_sign_out()
            .user_pool_id(&self.pool)
            .username(account.to_string())
            .send()
            .await
            .map_err(|error| fault("Cognito", &error))?;
        Ok(())
    }
}

/// An event of Cognito's. A place that it cannot locate is called `null`.
fn sign_in(event: &AuthEventType) -> Result<SignIn, Fault> {
    const TORN: Fault = Fault::Corrupt("a sign-in event");
    let at = event.creation_date().ok_or(TORN)?;
    let context = event.event_context_data();
    let text = |of: fn(&EventContextDataType) -> Option<&str>| {
        let text = context.and_then(of).filter(|text| *text != "null");
        text.map(str::to_owned)
    };
    Ok(SignIn {
        at: Timestamp::from_second(at.secs()).map_err(|_| TORN)?,
        kind: match event.event_type() {
            Some(EventType::SignIn) => "sign-in",
            Some(EventType::PasswordChange) => "password-change",
            Some(EventType::ForgotPassword) => "forgotten-password",
            _ => "other",
        },
        outcome: match event.event_response() {
            Some(EventResponseType::Pass) => "success",
            Some(EventResponseType::InProgress) => "unfinished",
            _ => "failure",
        },
        source_ip: text(EventContextDataType::ip_address),
        device: text(EventContextDataType::device_name),
        city: text(EventContextDataType::city),
        country: text(EventContextDataType::country),
    })
}

/// The user who was made; none if there is one with the address already.
fn made(
    answer: Result<AdminCreateUserOutput, SdkError<AdminCreateUserError, Response>>,
) -> Result<Option<User>, Fault> {
    match answer {
        Ok(answer) => answer
            .user
            .as_ref()
            .map(|made| user(made.attributes(), made.user_status.as_ref()))
            .transpose(),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(AdminCreateUserError::is_username_exists_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(fault("Cognito", &error)),
    }
}

/// Whose sign-in a Cognito trigger is about.
pub fn trigger_account(event: &Value) -> Result<AccountId, Fault> {
    event
        .pointer("/request/userAttributes/sub")
        .and_then(Value::as_str)
        .and_then(|sub| sub.parse().ok())
        .ok_or(Fault::Corrupt("a Cognito event without a subject"))
}

/// A password good for one sign-in: 140 bits, with every class that the pool's policy asks for.
pub fn temporary_password() -> Result<Zeroizing<String>, Fault> {
    loop {
        let mut random = Zeroizing::new([0; TEMPORARY_PASSWORD]);
        aws_lc_rs::rand::fill(random.as_mut_slice())
            .map_err(|_| Fault::Defect("random numbers"))?;
        let password: String = random
            .iter()
            .filter_map(|byte| SYMBOLS.get(usize::from(byte % 64)))
            .map(|&symbol| char::from(symbol))
            .collect();
        let has = |class: fn(&char) -> bool| password.chars().any(|c| class(&c));
        if has(char::is_ascii_uppercase)
            && has(char::is_ascii_lowercase)
            && has(char::is_ascii_digit)
            && has(char::is_ascii_punctuation)
        {
            return Ok(Zeroizing::new(password));
        }
    }
}

fn attribute(name: &str, value: &str) -> Result<AttributeType, Fault> {
    AttributeType::builder()
        .name(name)
        .value(value)
        .build()
        .map_err(|_| Fault::Defect("a user attribute"))
}

fn user(attributes: &[AttributeType], status: Option<&UserStatusType>) -> Result<User, Fault> {
    Ok(User {
        account: subject(attributes)?,
        waiting: status == Some(&UserStatusType::ForceChangePassword),
        origin: value(attributes, ORIGIN).map(str::to_owned),
        verified: value(attributes, "email_verified") == Some("true"),
    })
}

fn address(attributes: &[AttributeType]) -> Address {
    let text = |name| value(attributes, name).filter(|text| !text.is_empty());
    Address {
        email: text("email").unwrap_or_default().to_owned(),
        requested: text(REQUESTED).map(Requested::parse),
    }
}

fn value<'a>(attributes: &'a [AttributeType], name: &str) -> Option<&'a str> {
    attributes
        .iter()
        .find(|attribute| attribute.name() == name)?
        .value()
}

fn subject(attributes: &[AttributeType]) -> Result<AccountId, Fault> {
    value(attributes, "sub")
        .and_then(|sub| sub.parse().ok())
        .ok_or(Fault::Corrupt("a Cognito user without a subject"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requested_address_is_kept_with_its_proof() {
        // An address may have the separator, a proof has not.
        let requested = Requested {
            proof: "a_proof".to_owned(),
            email: "a|b@example.org".to_owned(),
        };
        assert_eq!(Requested::parse(&requested.text()), requested);
        assert_eq!(Requested::parse("b@example.org").proof, "");
    }

    #[test]
    fn temporary_passwords_meet_the_policy_and_differ() {
        let one = temporary_password().unwrap();
        assert_eq!(one.len(), TEMPORARY_PASSWORD);
        assert_ne!(one, temporary_password().unwrap());
    }
}
