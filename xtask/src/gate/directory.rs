//! What the gate asks the emulator about: users, the pool's settings, its triggers, and tokens.
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use super::Gate;
use super::refusal::Refusal;
use crate::aws::{Answer, REGION};

/// A user as the pool has them.
pub(super) struct User {
    pub(super) username: String,
    pub(super) enabled: bool,
    pub(super) status: String,
    /// Has an authenticator set up.
    pub(super) enrolled: bool,
    attributes: Map<String, Value>,
}

impl User {
    pub(super) fn email(&self) -> &str {
        let email = self.attributes.get("email").and_then(Value::as_str);
        email.unwrap_or_default()
    }

    /// Has shown that they read mail at their address.
    pub(super) fn has_verified_email(&self) -> bool {
        self.attributes.get("email_verified") == Some(&json!("true"))
    }
}

impl Gate {
    /// The user of that name or address. Cognito ignores the case of addresses, the emulator does not.
    pub(super) async fn user(&self, name: &str) -> Result<Option<User>> {
        match self.user_as_written(name).await? {
            Some(user) => Ok(Some(user)),
            None => self.user_as_written(&name.to_lowercase()).await,
        }
    }

    async fn user_as_written(&self, name: &str) -> Result<Option<User>> {
        let answer = self
            .aws
            .cognito(
                "AdminGetUser",
                &json!({"UserPoolId": self.config.user_pool_id, "Username": name}),
            )
            .await?;
        if answer.code() == "UserNotFoundException" {
            return Ok(None);
        }
        let body = answer.ok()?;
        let text = |key: &str| {
            body.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let attributes = body.get("UserAttributes").and_then(Value::as_array);
        Ok(Some(User {
            username: text("Username"),
            enabled: body.get("Enabled") == Some(&Value::Bool(true)),
            status: text("UserStatus"),
            enrolled: body
                .get("UserMFASettingList")
                .and_then(Value::as_array)
                .is_some_and(|list| list.iter().any(|mfa| mfa == "SOFTWARE_TOKEN_MFA")),
            attributes: attributes
                .into_iter()
                .flatten()
                .filter_map(|a| {
                    Some((a.get("Name")?.as_str()?.to_owned(), a.get("Value")?.clone()))
                })
                .collect(),
        }))
    }

    pub(super) async fn pool(&self) -> Result<Value> {
        let body = json!({"UserPoolId": self.config.user_pool_id});
        let answer = self.aws.cognito("DescribeUserPool", &body).await?.ok()?;
        answer.get("UserPool").cloned().context("the pool is gone")
    }

    pub(super) async fn password_policy(&self) -> Result<Value> {
        let pool = self.pool().await?;
        Ok(pool
            .pointer("/Policies/PasswordPolicy")
            .cloned()
            .unwrap_or_default())
    }

    /// How long a step of a sign-in may take: the client's `AuthSessionValidity`.
    pub(super) async fn session_validity(&self) -> Result<Duration> {
        let body = json!({
            "UserPoolId": self.config.user_pool_id,
            "ClientId": self.config.user_pool_client_id,
        });
        let answer = self
            .aws
            .cognito("DescribeUserPoolClient", &body)
            .await?
            .ok()?;
        let minutes = answer
            .pointer("/UserPoolClient/AuthSessionValidity")
            .and_then(Value::as_u64);
        Ok(Duration::from_secs(60 * minutes.unwrap_or(3)))
    }

    /// Calls the pool's PostAuthentication trigger, if it has one, as Cognito does before it lets a user in.
    pub(super) async fn post_authentication(
        &self,
        user: &User,
        metadata: Option<&Value>,
    ) -> Result<(), Refusal> {
        let pool = self.pool().await?;
        let Some(function) = pool
            .pointer("/LambdaConfig/PostAuthentication")
            .and_then(Value::as_str)
        else {
            return Ok(());
        };
        let mut attributes = user.attributes.clone();
        attributes.insert("cognito:user_status".into(), json!(user.status));
        let mut request = json!({"userAttributes": attributes, "newDeviceUsed": false});
        if let (Some(request), Some(metadata)) = (request.as_object_mut(), metadata) {
            request.insert("clientMetadata".into(), metadata.clone());
        }
        let event = json!({
            "version": "1",
            "triggerSource": "PostAuthentication_Authentication",
            "region": REGION,
            "userPoolId": self.config.user_pool_id,
            "userName": user.username,
            "callerContext": {
                "awsSdkVersion": "aws-sdk-unknown-unknown",
                "clientId": self.config.user_pool_client_id,
            },
            "request": request,
            "response": {},
        });
        let answered = self.aws.invoke(function, &event).await;
        answered
            .map(drop)
            .map_err(|_| Refusal::trigger_failed("PostAuthentication"))
    }

    /// Fresh tokens for a user, straight from the emulator, which asks for no proof of anything:
    /// calling this is the decision to let somebody in.
    pub(super) async fn mint(&self, username: &str, metadata: Option<&Value>) -> Result<Answer> {
        let body = json!({
            "ClientId": self.config.user_pool_client_id,
            "ChallengeName": "MFA_SETUP",
            "ChallengeResponses": {"USERNAME": username},
            "ClientMetadata": metadata.cloned().unwrap_or(json!({})),
        });
        self.aws
            .call_unsigned(
                "AWSCognitoIdentityProviderService.RespondToAuthChallenge",
                &body,
            )
            .await
    }

    /// Ends tokens that are not let out, and with them everything that could be derived from them.
    pub(super) async fn revoke(&self, result: &Value) -> Result<()> {
        let Some(token) = result.pointer("/AuthenticationResult/RefreshToken") else {
            return Ok(());
        };
        let body = json!({"ClientId": self.config.user_pool_client_id, "Token": token});
        let answer = self
            .aws
            .call_unsigned("AWSCognitoIdentityProviderService.RevokeToken", &body)
            .await?;
        if !answer.is_ok() {
            bail!("cannot revoke: {}", answer.message());
        }
        Ok(())
    }
}
