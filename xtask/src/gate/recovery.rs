//! Forgotten and changed passwords. They alone let nobody in: the second factor is still asked for.
use super::events::Attempt;
use super::refusal::Refusal;
use super::sessions::key;
use super::sign_in::{Call, Reply, set, token_user};
use super::{Gate, lock};

impl Gate {
    /// Sends a code to reset a password. A user who never chose one has none to reset.
    pub(super) async fn forgot_password(&self, call: &Call<'_>) -> Reply {
        let asked = call.text("/Username");
        let user = self.user(asked).await?;
        if user
            .as_ref()
            .is_some_and(|user| user.status == "FORCE_CHANGE_PASSWORD")
        {
            let message = "User password cannot be reset in the current state.";
            return Err(Refusal::not_authorized(message));
        }
        let user = user.map(|user| user.username);
        self.note(call, Attempt::ASKED_FOR_RESET, user.as_deref())?;
        self.forward_for(call, user.as_deref().unwrap_or(asked))
            .await
    }

    /// Takes the code and the new password. Wrong codes count as wrong passwords do.
    pub(super) async fn confirm_forgot_password(&self, call: &Call<'_>) -> Reply {
        let asked = call.text("/Username");
        let user = self.user(asked).await?.map(|user| user.username);
        let key = key(user.as_deref(), asked);
        if lock(&self.lockouts).locked(&key) {
            self.note(call, Attempt::FAILED_RESET, user.as_deref())?;
            return Err(Refusal::locked_out());
        }
        let reply = self
            .forward_for(call, user.as_deref().unwrap_or(asked))
            .await;
        let attempt = match &reply {
            Ok(_) => Attempt::RESET_PASSWORD,
            Err(_) => Attempt::FAILED_RESET,
        };
        if reply
            .as_ref()
            .is_err_and(|no| no.code != "InvalidPasswordException")
        {
            lock(&self.lockouts).failed(&key);
        }
        self.note(call, attempt, user.as_deref())?;
        reply
    }

    /// Changes the password of a user who is signed in.
    pub(super) async fn change_password(&self, call: &Call<'_>) -> Reply {
        let user = token_user(call.text("/AccessToken"));
        match self.pass_on(call).await {
            Ok(reply) => {
                self.note(call, Attempt::CHANGED_PASSWORD, Some(&user))?;
                Ok(reply)
            }
            // Whoever the token names, it may be forged.
            Err(refusal) => {
                self.note(call, Attempt::KEPT_PASSWORD, None)?;
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
