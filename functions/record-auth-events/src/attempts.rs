//! Cognito's events of user activity, and what the audit log takes of them:
//! <https://docs.aws.amazon.com/cognito/latest/developerguide/exporting-quotas-and-usage.html>.

use jiff::Timestamp;
use serde::Deserialize;
use shared::audit::{Outcome, Record, Risk};
use std::net::IpAddr;
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exported {
    event_timestamp: String,
    message: Attempt,
}

/// What the audit log takes. Of whom, it takes the id alone: a name may be one that nobody has, and
/// people type passwords there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    event_id: Uuid,
    event_type: String,
    event_response: String,
    #[serde(default)]
    user_sub: String,
    #[serde(default)]
    risk_level: String,
    #[serde(default)]
    risk_decision: String,
    #[serde(default)]
    challenges: Vec<String>,
    #[serde(default)]
    device_name: String,
    #[serde(default)]
    ip_address: String,
    #[serde(default)]
    compromised_credential_detected: String,
}

/// The most of a device's name that is kept; of a browser's, requests keep as much.
const MOST: usize = 256;

/// The record of the attempt that a line tells of, in this run.
pub(crate) fn record(line: &str, run: &Record) -> Option<Record> {
    let exported: Exported = serde_json::from_str(line).ok()?;
    let at = Timestamp::from_millisecond(exported.event_timestamp.parse().ok()?).ok()?;
    let attempt = exported.message;
    let (outcome, reason) = attempt.ended()?;
    Some(Record {
        id: attempt.id(),
        at,
        actor: attempt.user_sub.parse().ok(),
        resource: Some(attempt.kind().to_owned()),
        source_ip: attempt.address(),
        user_agent: attempt.device_name.chars().take(MOST).collect(),
        outcome,
        reason,
        risk: attempt.risk(),
        ..run.clone()
    })
}

impl Attempt {
    /// Cognito's. What goes on has one of its own, made of it: how it ends must find its place free.
    fn id(&self) -> Uuid {
        match self.event_response.as_str() {
            "InProgress" => Uuid::new_v5(&self.event_id, b"InProgress"),
            _ => self.event_id,
        }
    }

    /// What was attempted. Cognito may come to know more than this does.
    fn kind(&self) -> &'static str {
        match self.event_type.as_str() {
            "SignIn" => "sign-in",
            "SignUp" => "sign-up",
            "ForgotPassword" => "forgot-password",
            "PasswordChange" => "password-change",
            "ResendCode" => "resend-code",
            "AssociateSoftwareToken" => "associate-authenticator",
            "VerifySoftwareToken" => "verify-authenticator",
            "GetUserAttributeVerificationCode" => "address-code",
            "VerifyUserAttribute" => "verify-address",
            _ => "other",
        }
    }

    /// How it ended, and why it failed as far as Cognito says.
    fn ended(&self) -> Option<(Outcome, Option<&'static str>)> {
        match self.event_response.as_str() {
            "Pass" => Some((Outcome::Success, None)),
            // Something more is asked for; how that ends is told as well.
            "InProgress" => Some((Outcome::Success, Some("continued"))),
            "Fail" => Some((Outcome::Denied, Some(self.why()))),
            _ => None,
        }
    }

    fn why(&self) -> &'static str {
        let failed = |challenge: &str| self.challenges.iter().any(|one| one == challenge);
        if self
            .compromised_credential_detected
            .eq_ignore_ascii_case("true")
        {
            "compromised-password"
        } else if self.risk_decision.eq_ignore_ascii_case("block") {
            "risk"
        } else if failed("Password:Failure") {
            "wrong-password"
        } else if failed("Mfa:Failure") {
            "wrong-second-factor"
        } else {
            "refused"
        }
    }

    fn risk(&self) -> Option<Risk> {
        [Risk::Low, Risk::Medium, Risk::High]
            .into_iter()
            .find(|risk| self.risk_level.eq_ignore_ascii_case(risk.as_str()))
    }

    /// An address has one spelling here, so that attempts from it can be counted.
    fn address(&self) -> String {
        let address: Result<IpAddr, _> = self.ip_address.parse();
        address.map_or_else(
            |_| String::new(),
            |address| address.to_canonical().to_string(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use shared::api::account::RECORD_AUTH_EVENTS;

    const SUB: &str = "7f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c11";

    /// The form that Cognito's documentation shows.
    fn exported() -> Value {
        json!({
            "eventTimestamp": "1687297330677",
            "eventSource": "USER_ACTIVITY",
            "logLevel": "INFO",
            "message": {
                "version": "1",
                "eventId": "bb4fd5c9-71b4-4c3e-8c5e-2a4a4a8f3b10",
                "eventType": "SignIn",
                "userSub": SUB,
                "userName": "typed by somebody",
                "userPoolId": "us-east-1_Sample123",
                "clientId": "1h57kf5cpq17m0eml12sample",
                "creationDate": "Tue Jun 20 21:42:10 UTC 2023",
                "eventResponse": "Pass",
                "riskLevel": "",
                "riskDecision": "PASS",
                "challenges": ["Password:Success", "Mfa:Success"],
                "deviceName": "Chrome 126, Windows 10",
                "ipAddress": "192.0.2.1",
                "requestId": "6a3c5f0e-0c0b-4a55-9a77-0d3f5f6a7b21",
                "idpName": "",
                "compromisedCredentialDetected": "false",
                "city": "Seattle",
                "country": "United States",
                "eventFeedbackValue": "",
                "eventFeedbackDate": "",
                "eventFeedbackProvider": "",
                "hasContextData": "true",
            },
            "logSourceId": {"userPoolId": "us-east-1_Sample123"},
        })
    }

    fn run() -> Record {
        Record::begin(&RECORD_AUTH_EVENTS)
    }

    /// The record of the event, with some of its message told otherwise.
    fn told(message: &Value) -> Option<Record> {
        let mut event = exported();
        for (name, value) in message.as_object().unwrap() {
            event["message"][name] = value.clone();
        }
        record(&event.to_string(), &run())
    }

    #[test]
    fn an_attempt_is_recorded_as_cognito_tells_it() {
        let record = told(&json!({})).unwrap();
        assert_eq!(
            record.id.to_string(),
            "bb4fd5c9-71b4-4c3e-8c5e-2a4a4a8f3b10"
        );
        assert_eq!(record.at.to_string(), "2023-06-20T21:42:10.677Z");
        assert_eq!(record.operation, "record-auth-events");
        assert_eq!(record.action, "account.attempt");
        assert_eq!(record.actor.unwrap().to_string(), SUB);
        assert_eq!(record.resource.as_deref(), Some("sign-in"));
        assert_eq!(record.source_ip, "192.0.2.1");
        assert_eq!(record.user_agent, "Chrome 126, Windows 10");
        assert_eq!(
            (record.outcome, record.reason, record.risk),
            (Outcome::Success, None, None)
        );
        assert!(!format!("{record:?}").contains("typed"));
    }

    #[test]
    fn a_failure_says_why() {
        for (message, why) in [
            (
                json!({"challenges": ["Password:Failure"]}),
                "wrong-password",
            ),
            (
                json!({"challenges": ["Password:Success", "Mfa:Failure"]}),
                "wrong-second-factor",
            ),
            (
                json!({"riskDecision": "BLOCK", "challenges": ["Password:Success"]}),
                "risk",
            ),
            (
                json!({"compromisedCredentialDetected": "true"}),
                "compromised-password",
            ),
            (json!({"challenges": []}), "refused"),
            (json!({"challenges": ["Passkey:Failure"]}), "refused"),
        ] {
            let mut message = message;
            message["eventResponse"] = json!("Fail");
            let record = told(&message).unwrap();
            assert_eq!(
                (record.outcome, record.reason),
                (Outcome::Denied, Some(why))
            );
        }
    }

    #[test]
    fn what_goes_on_leaves_the_place_of_its_end_free() {
        let begun = told(&json!({"eventResponse": "InProgress"})).unwrap();
        let again = told(&json!({"eventResponse": "InProgress"})).unwrap();
        let ended = told(&json!({"eventResponse": "Fail"})).unwrap();
        assert_eq!(
            (begun.outcome, begun.reason),
            (Outcome::Success, Some("continued"))
        );
        assert_eq!(begun.id, again.id);
        assert_ne!(begun.id, ended.id);
    }

    #[test]
    fn risks_and_kinds_have_codes() {
        for (level, risk) in [
            ("Low", Some(Risk::Low)),
            ("MEDIUM", Some(Risk::Medium)),
            ("high", Some(Risk::High)),
            ("", None),
            ("enormous", None),
        ] {
            assert_eq!(told(&json!({"riskLevel": level})).unwrap().risk, risk);
        }
        let kind = |kind: &str| told(&json!({"eventType": kind})).unwrap().resource.unwrap();
        assert_eq!(kind("ForgotPassword"), "forgot-password");
        assert_eq!(kind("PasswordChange"), "password-change");
        // What it says is not repeated.
        assert_eq!(kind("<script>"), "other");
    }

    /// Whoever attempts it chooses some of it.
    #[test]
    fn hostile_words_are_not_kept() {
        let unknown =
            json!({"userSub": "", "userName": "correct horse battery", "eventResponse": "Fail"});
        let record = told(&unknown).unwrap();
        assert_eq!(record.actor, None);
        assert!(!format!("{record:?}").contains("horse"));
        let record = told(
            &json!({"userSub": "my password", "ipAddress": "1.2.3.4\" or 1", "deviceName": "x".repeat(9999)}),
        );
        let record = record.unwrap();
        assert_eq!((record.actor, record.source_ip.as_str()), (None, ""));
        assert_eq!(record.user_agent.len(), MOST);
        let address = |text: &str| told(&json!({"ipAddress": text})).unwrap().source_ip;
        assert_eq!(address("2001:DB8:0:0::1"), "2001:db8::1");
        assert_eq!(address("::ffff:192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn what_tells_of_no_attempt_is_not_read() {
        for line in [
            "",
            "{",
            "null",
            "[]",
            "{\"message\": {}}",
            "START RequestId",
        ] {
            assert!(record(line, &run()).is_none(), "{line}");
        }
        for message in [
            json!({"eventId": "7"}),
            json!({"eventResponse": "Perhaps"}),
            json!({"challenges": "Password:Failure"}),
        ] {
            assert!(told(&message).is_none());
        }
        for time in [
            json!("soon"),
            json!(7),
            json!("99999999999999999"),
            json!(null),
        ] {
            let mut event = exported();
            event["eventTimestamp"] = time;
            assert!(record(&event.to_string(), &run()).is_none());
        }
    }
}
