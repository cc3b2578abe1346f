//! Every attempt to sign in, written down as Cognito exports `userAuthEvents`: one JSON line each.
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;

use super::lock;

/// The events' file. A name that belongs to nobody is not written: people type passwords there.
pub(super) struct Events {
    file: PathBuf,
    writing: Mutex<()>,
}

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
    // Cognito leaves the authenticator of a user who is signed in to CloudTrail; named as there.
    pub(super) const ASKED_FOR_AUTHENTICATOR: Self =
        Self::other("AssociateSoftwareToken", "InProgress");
    pub(super) const REFUSED_AUTHENTICATOR: Self = Self::other("AssociateSoftwareToken", "Fail");
    pub(super) const REPLACED_AUTHENTICATOR: Self = Self::other("VerifySoftwareToken", "Pass");
    pub(super) const KEPT_AUTHENTICATOR: Self = Self::other("VerifySoftwareToken", "Fail");

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
    pub(super) fn new(file: PathBuf) -> Self {
        Self {
            file,
            writing: Mutex::default(),
        }
    }

    /// Appends an attempt. A sign-in that cannot be written down does not succeed.
    pub(super) fn append(&self, attempt: &Attempt, event: &Circumstances<'_>) -> Result<()> {
        let now = Timestamp::now();
        let user = event.user.unwrap_or_default();
        let line = json!({
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
        });
        let _writing = lock(&self.writing);
        let mut file = File::options().create(true).append(true).open(&self.file)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        Ok(())
    }
}
