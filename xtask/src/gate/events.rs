//! Every attempt to sign in, written down as Cognito exports `userAuthEvents`: to a log group, one JSON
//! line each.
use anyhow::{Result, bail};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::aws::Aws;

/// The log group of sign-ins. A name that belongs to nobody is not written: people type passwords there.
pub(super) struct Events {
    aws: Aws,
    group: String,
    stream: OnceCell<&'static str>,
}

/// The gate's stream in the group.
const STREAM: &str = "gate";

/// What was attempted and how it ended, in Cognito's words.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    kind: &'static str,
    outcome: &'static str,
    challenges: &'static [&'static str],
}

impl Attempt {
    pub(super) const WRONG_PASSWORD: Self = Self::sign_in("Fail", &["Password:Failure"]);
    /// A further challenge follows.
    pub(super) const RIGHT_PASSWORD: Self = Self::sign_in("InProgress", &["Password:Success"]);
    pub(super) const WRONG_CODE: Self = Self::sign_in("Fail", &["Password:Success", "Mfa:Failure"]);
    pub(super) const SIGNED_IN: Self = Self::sign_in("Pass", &["Password:Success", "Mfa:Success"]);
    /// Everything was right, and the trigger said no.
    pub(super) const TURNED_AWAY: Self =
        Self::sign_in("Fail", &["Password:Success", "Mfa:Success"]);
    /// A session that is not one, or whose user is disabled by now.
    pub(super) const NO_SESSION: Self = Self::sign_in("Fail", &[]);
    pub(super) const CHANGED_PASSWORD: Self = Self::other("PasswordChange", "Pass");
    pub(super) const KEPT_PASSWORD: Self = Self::other("PasswordChange", "Fail");
    pub(super) const ASKED_FOR_RESET: Self = Self::other("ForgotPassword", "InProgress");
    pub(super) const RESET_PASSWORD: Self = Self::other("ForgotPassword", "Pass");
    pub(super) const FAILED_RESET: Self = Self::other("ForgotPassword", "Fail");
    // Cognito leaves the authenticator and the address of a user who is signed in to CloudTrail; named
    // as there.
    pub(super) const ASKED_FOR_AUTHENTICATOR: Self =
        Self::other("AssociateSoftwareToken", "InProgress");
    pub(super) const REFUSED_AUTHENTICATOR: Self = Self::other("AssociateSoftwareToken", "Fail");
    pub(super) const REPLACED_AUTHENTICATOR: Self = Self::other("VerifySoftwareToken", "Pass");
    pub(super) const KEPT_AUTHENTICATOR: Self = Self::other("VerifySoftwareToken", "Fail");
    pub(super) const ASKED_FOR_ADDRESS_CODE: Self =
        Self::other("GetUserAttributeVerificationCode", "InProgress");
    pub(super) const REFUSED_ADDRESS_CODE: Self =
        Self::other("GetUserAttributeVerificationCode", "Fail");
    pub(super) const VERIFIED_ADDRESS: Self = Self::other("VerifyUserAttribute", "Pass");
    pub(super) const KEPT_ADDRESS: Self = Self::other("VerifyUserAttribute", "Fail");

    const fn sign_in(outcome: &'static str, challenges: &'static [&'static str]) -> Self {
        Self {
            kind: "SignIn",
            outcome,
            challenges,
        }
    }

    const fn other(kind: &'static str, outcome: &'static str) -> Self {
        Self {
            kind,
            outcome,
            challenges: &[],
        }
    }
}

/// Whom it was about, and where it came from.
pub(super) struct Circumstances<'a> {
    /// The user's name in the pool, which here is their `sub`.
    pub(super) user: Option<&'a str>,
    pub(super) pool: &'a str,
    pub(super) client: &'a str,
    pub(super) visitor: &'a Visitor,
}

/// Where a request came from.
pub(super) struct Visitor {
    pub(super) ip: String,
    pub(super) agent: String,
    pub(super) request_id: String,
}

impl Events {
    pub(super) fn new(aws: Aws, group: String) -> Self {
        Self {
            aws,
            group,
            stream: OnceCell::new(),
        }
    }

    /// Writes an attempt. A sign-in that cannot be written down does not succeed.
    pub(super) async fn put(&self, attempt: &Attempt, event: &Circumstances<'_>) -> Result<()> {
        let now = Timestamp::now();
        let stream = self.stream.get_or_try_init(|| self.open()).await?;
        let body = json!({
            "logGroupName": self.group,
            "logStreamName": stream,
            "logEvents": [{
                "timestamp": now.as_millisecond(),
                "message": line(attempt, event, now).to_string(),
            }],
        });
        self.call("PutLogEvents", &body).await
    }

    /// Makes the stream, unless a former gate has made it.
    async fn open(&self) -> Result<&'static str> {
        let body = json!({"logGroupName": self.group, "logStreamName": STREAM});
        self.call("CreateLogStream", &body).await?;
        Ok(STREAM)
    }

    async fn call(&self, operation: &str, body: &Value) -> Result<()> {
        let target = format!("Logs_20140328.{operation}");
        let answer = self.aws.call("logs", &target, body).await?;
        match answer.code() {
            _ if answer.is_ok() => Ok(()),
            "ResourceAlreadyExistsException" => Ok(()),
            code => bail!("the log group of sign-ins: {code}"),
        }
    }
}

fn line(attempt: &Attempt, event: &Circumstances<'_>, now: Timestamp) -> Value {
    let user = event.user.unwrap_or_default();
    json!({
        "eventTimestamp": now.as_millisecond().to_string(),
        "eventSource": "USER_ACTIVITY",
        "logLevel": "INFO",
        "logSourceId": {"userPoolId": event.pool},
        "message": {
            "version": "1",
            "eventId": uuid::Uuid::new_v4().to_string(),
            "eventType": attempt.kind,
            "userSub": user,
            "userName": user,
            "userPoolId": event.pool,
            "clientId": event.client,
            "creationDate": now.strftime("%a %b %d %H:%M:%S UTC %Y").to_string(),
            "eventResponse": attempt.outcome,
            "riskLevel": "",
            "riskDecision": "PASS",
            "challenges": attempt.challenges,
            "deviceName": event.visitor.agent,
            "ipAddress": event.visitor.ip,
            "requestId": event.visitor.request_id,
            "idpName": "",
            "compromisedCredentialDetected": "false",
            "city": "",
            "country": "",
            "hasContextData": "false",
        },
    })
}
