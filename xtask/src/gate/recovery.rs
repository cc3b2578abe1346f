//! Forgotten and changed passwords. They alone let nobody in: the second factor is still asked for.
use serde_json::json;

use super::events::Attempt;
use super::refusal::Refusal;
use super::sessions::key;
use super::sign_in::{Call, Reply, set, token_user};
use super::{Gate, lock};

impl Gate {
    /// Sends a code to reset a password. A user who never chose one has none to reset, and one
    /// who never verified their address gets no mail there; they, users and names that nobody has are
    /// answered alike, from the name that was asked for alone.
    pub(super) async fn forgot_password(&self, call: &Call<'_>) -> Reply {
        let asked = call.text("/Username");
        if asked.is_empty() {
            return Err(Refusal::invalid_parameter(
                "Missing required parameter USERNAME",
            ));
        }
        let user = self.user(asked).await?;
        let name = user.as_ref().map(|user| user.username.as_str());
        self.note(call, Attempt::ASKED_FOR_RESET, name).await?;
        if let Some(user) = &user
            && user.status != "FORCE_CHANGE_PASSWORD"
            && user.has_verified_email()
        {
            self.forward_for(call, &user.username).await?;
        }
        Ok(json!({"CodeDeliveryDetails": {
            "Destination": masked(&asked.to_lowercase()),
            "DeliveryMedium": "EMAIL",
            "AttributeName": "email",
        }}))
    }

    /// Takes the code and the new password. Wrong codes count as wrong passwords do.
    pub(super) async fn confirm_forgot_password(&self, call: &Call<'_>) -> Reply {
        let asked = call.text("/Username");
        let user = self.user(asked).await?.map(|user| user.username);
        let key = key(user.as_deref(), asked);
        let Some(trial) = lock(&self.lockouts).begin(&key) else {
            self.note(call, Attempt::FAILED_RESET, user.as_deref())
                .await?;
            return Err(Refusal::locked_out());
        };
        let reply = self
            .forward_for(call, user.as_deref().unwrap_or(asked))
            .await
            // Only a user whom no code was sent to has one that is expired.
            .map_err(|no| match no.code.as_str() {
                "ExpiredCodeException" | "CodeMismatchException" => Refusal::wrong_mailed_code(),
                _ => no,
            });
        let attempt = match &reply {
            Ok(_) => Attempt::RESET_PASSWORD,
            Err(_) => Attempt::FAILED_RESET,
        };
        if reply
            .as_ref()
            .err()
            .is_none_or(|no| no.code == "InvalidPasswordException")
        {
            lock(&self.lockouts).give_back(&trial);
        }
        self.note(call, attempt, user.as_deref()).await?;
        reply
    }

    /// Changes the password of a user who is signed in.
    pub(super) async fn change_password(&self, call: &Call<'_>) -> Reply {
        let user = token_user(call.text("/AccessToken"));
        match self.pass_on(call).await {
            Ok(reply) => {
                self.note(call, Attempt::CHANGED_PASSWORD, Some(&user))
                    .await?;
                Ok(reply)
            }
            // Whoever the token names, it may be forged.
            Err(refusal) => {
                self.note(call, Attempt::KEPT_PASSWORD, None).await?;
                Err(refusal)
            }
        }
    }

    async fn forward_for(&self, call: &Call<'_>, username: &str) -> Reply {
        let mut body = call.body.clone();
        set(&mut body, "/Username", username);
        self.forward(call.operation, &body).await
    }
}

/// An address as Cognito shows where it sent a code: `a****@e****`.
pub(super) fn masked(address: &str) -> String {
    let initial = |part: &str| part.chars().next().map(String::from).unwrap_or_default();
    match address.split_once('@') {
        Some((local, domain)) => format!("{}****@{}****", initial(local), initial(domain)),
        None => "****".to_owned(),
    }
}
