//! The sessions of sign-ins under way: issued here, bound to a user and a step, used once.
use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;

/// What the holder of a session may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Prove the password over SRP. The "session" is the secret block, as on AWS.
    Password,
    /// Replace a temporary password.
    NewPassword,
    /// Give a code of the authenticator that is set up.
    Code,
    /// Ask for a new authenticator's secret.
    Associate,
    /// Give the new authenticator's first code.
    Verify,
    /// Exchange the finished setup for tokens.
    Enrolled,
}

/// Whose sign-in it is.
#[derive(Clone, Debug)]
pub(super) struct Who {
    /// The name as it was typed.
    pub(super) asked: String,
    /// The user's own name in the pool; none for an unknown user, who is led on to the password.
    pub(super) username: Option<String>,
    /// The name that SRP is done under, which the client sends back.
    pub(super) srp_name: String,
}

impl Who {
    fn answers_to(&self, name: &str) -> bool {
        name == self.srp_name || name.eq_ignore_ascii_case(&self.asked)
    }

    /// What attempts are counted by.
    pub(super) fn key(&self) -> String {
        key(self.username.as_deref(), &self.asked)
    }
}

/// What attempts are counted by: the user, or the name that nobody has.
pub(super) fn key(username: Option<&str>, asked: &str) -> String {
    username.map_or_else(|| format!("?{}", asked.to_lowercase()), str::to_owned)
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) step: Step,
    pub(super) who: Who,
    expires: Instant,
}

#[derive(Default)]
pub(super) struct Sessions(HashMap<String, Session>);

impl Sessions {
    /// Issues a session under a fresh, unguessable token.
    pub(super) fn issue(&mut self, step: Step, who: Who, valid: Duration) -> Result<String> {
        let mut bytes = [0; 48];
        rand::fill(&mut bytes)?;
        let token = STANDARD.encode(bytes);
        self.insert(token.clone(), step, who, valid);
        Ok(token)
    }

    /// Takes a token that was chosen elsewhere: the emulator's secret block.
    pub(super) fn insert(&mut self, token: String, step: Step, who: Who, valid: Duration) {
        let now = Instant::now();
        self.0.retain(|_, session| session.expires > now);
        let expires = now + valid;
        self.0.insert(token, Session { step, who, expires });
    }

    /// Takes a session out, so that nobody else can use it, if it allows that step to that user.
    pub(super) fn take(&mut self, token: &str, step: Step, name: Option<&str>) -> Option<Session> {
        let session = self.0.get(token)?;
        let fits = session.step == step
            && session.expires > Instant::now()
            && name.is_none_or(|name| session.who.answers_to(name));
        if fits { self.0.remove(token) } else { None }
    }

    /// Puts a session back after an answer that may be given again, with its old expiry.
    pub(super) fn put_back(&mut self, token: &str, session: Session) {
        self.0.insert(token.to_owned(), session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: Duration = Duration::from_secs(180);

    fn ann() -> Who {
        Who {
            asked: "ann@example.com".into(),
            username: Some("u-1".into()),
            srp_name: "u-1".into(),
        }
    }

    #[tokio::test]
    async fn a_session_is_used_once_by_its_user_for_its_step() {
        let mut sessions = Sessions::default();
        let token = sessions.issue(Step::Code, ann(), VALID).unwrap();
        assert!(sessions.take("forged", Step::Code, None).is_none());
        assert!(sessions.take(&token, Step::Enrolled, None).is_none());
        assert!(
            sessions
                .take(&token, Step::Code, Some("bob@example.com"))
                .is_none()
        );
        assert!(
            sessions
                .take(&token, Step::Code, Some("Ann@Example.com"))
                .is_some()
        );
        assert!(sessions.take(&token, Step::Code, Some("u-1")).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_expires_also_when_it_was_put_back() {
        let mut sessions = Sessions::default();
        let token = sessions.issue(Step::Code, ann(), VALID).unwrap();
        tokio::time::advance(Duration::from_secs(100)).await;
        let session = sessions.take(&token, Step::Code, None).unwrap();
        sessions.put_back(&token, session);
        tokio::time::advance(Duration::from_secs(81)).await;
        assert!(sessions.take(&token, Step::Code, None).is_none());
    }
}
