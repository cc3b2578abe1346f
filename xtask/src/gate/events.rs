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

/// What was attempted, in Cognito's words.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    SignIn,
    ForgotPassword,
    PasswordChange,
}

/// How it ended; `InProgress` when a further challenge follows.
#[derive(Clone, Copy)]
pub(super) enum Outcome {
    Pass,
    Fail,
    InProgress,
}

pub(super) struct Event<'a> {
    pub(super) kind: Kind,
    pub(super) outcome: Outcome,
    /// E.g. `Password:Success`.
    pub(super) challenges: &'a [&'a str],
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

    /// Appends an event. A sign-in whose event cannot be written does not succeed.
    pub(super) fn append(&self, event: &Event<'_>) -> Result<()> {
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
                "eventType": match event.kind {
                    Kind::SignIn => "SignIn",
                    Kind::ForgotPassword => "ForgotPassword",
                    Kind::PasswordChange => "PasswordChange",
                },
                "userSub": user,
                "userName": user,
                "userPoolId": event.pool,
                "clientId": event.client,
                "creationDate": now.strftime("%a %b %d %H:%M:%S UTC %Y").to_string(),
                "eventResponse": match event.outcome {
                    Outcome::Pass => "Pass",
                    Outcome::Fail => "Fail",
                    Outcome::InProgress => "InProgress",
                },
                "riskLevel": "",
                "riskDecision": "PASS",
                "challenges": event.challenges,
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
