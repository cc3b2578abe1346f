//! The code by which somebody who is signed in shows that they read mail at their address. The emulator
//! has neither of the two calls.
use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use aws_lc_rs::rand;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::directory::User;
use super::events::Attempt;
use super::recovery::masked;
use super::refusal::Refusal;
use super::sign_in::{Call, Reply};
use super::{Gate, lock};
use crate::aws::Method;

/// The codes that were sent last, by user.
#[derive(Default)]
pub(super) struct AddressCodes(HashMap<String, Sent>);

struct Sent {
    code: String,
    /// What it proves. Whoever has another address by now proves nothing with it.
    address: String,
    until: Instant,
}

/// How long Cognito takes such a code.
const VALID: Duration = Duration::from_secs(24 * 60 * 60);

impl AddressCodes {
    fn issue(&mut self, user: &str, address: &str) -> Result<String> {
        let mut bytes = [0; 4];
        rand::fill(&mut bytes)?;
        let code = format!("{:06}", u32::from_le_bytes(bytes) % 1_000_000);
        let sent = Sent {
            code: code.clone(),
            address: address.to_owned(),
            until: Instant::now() + VALID,
        };
        self.0.insert(user.to_owned(), sent);
        Ok(code)
    }

    /// Whether it is the code that was sent; a right one is used up.
    fn take(&mut self, user: &str, address: &str, code: &str) -> Result<(), Refusal> {
        let now = Instant::now();
        self.0.retain(|_, sent| now < sent.until);
        match self.0.get(user) {
            Some(sent) if sent.address != address => Err(Refusal::no_address_code()),
            Some(sent) if sent.code == code => {
                self.0.remove(user);
                Ok(())
            }
            Some(_) => Err(Refusal::wrong_mailed_code()),
            None => Err(Refusal::no_address_code()),
        }
    }
}

impl Gate {
    /// Sends a code to the address of whoever is signed in.
    pub(super) async fn send_address_code(&self, call: &Call<'_>) -> Reply {
        let user = self
            .whose_address(call, Attempt::REFUSED_ADDRESS_CODE)
            .await?;
        let address = user.email();
        let code = lock(&self.address_codes).issue(&user.username, address)?;
        self.note(call, Attempt::ASKED_FOR_ADDRESS_CODE, Some(&user.username))
            .await?;
        self.mail_code(address, &code).await?;
        Ok(json!({"CodeDeliveryDetails": {
            "Destination": masked(address),
            "DeliveryMedium": "EMAIL",
            "AttributeName": "email",
        }}))
    }

    /// Takes the code. Wrong ones count as wrong passwords do.
    pub(super) async fn verify_address(&self, call: &Call<'_>) -> Reply {
        let user = self.whose_address(call, Attempt::KEPT_ADDRESS).await?;
        let name = user.username.as_str();
        let Some(trial) = lock(&self.lockouts).begin(name) else {
            self.note(call, Attempt::KEPT_ADDRESS, Some(name)).await?;
            return Err(Refusal::locked_out());
        };
        let taken = lock(&self.address_codes).take(name, user.email(), call.text("/Code"));
        if let Err(no) = taken {
            self.note(call, Attempt::KEPT_ADDRESS, Some(name)).await?;
            return Err(no);
        }
        lock(&self.lockouts).give_back(&trial);
        self.note(call, Attempt::VERIFIED_ADDRESS, Some(name))
            .await?;
        let body = json!({
            "UserPoolId": self.config.user_pool_id,
            "Username": name,
            "UserAttributes": [{"Name": "email_verified", "Value": "true"}],
        });
        self.aws
            .cognito("AdminUpdateUserAttributes", &body)
            .await?
            .ok()?;
        Ok(json!({}))
    }

    /// Whose access token it is: the emulator checks it. A refusal is written down, but for nobody,
    /// as the token may be forged.
    async fn whose_address(&self, call: &Call<'_>, refused: Attempt) -> Result<User, Refusal> {
        let found = match call.text("/AttributeName") {
            "email" => self.token_owner(call).await,
            _ => Err(Refusal::invalid_parameter(
                "Only the address can be verified.",
            )),
        };
        if found.is_err() {
            self.note(call, refused, None).await?;
        }
        found
    }

    async fn token_owner(&self, call: &Call<'_>) -> Result<User, Refusal> {
        let token = json!({"AccessToken": call.text("/AccessToken")});
        let owner = self.forward("GetUser", &token).await?;
        let name = owner.get("Username").and_then(Value::as_str);
        match self.user(name.unwrap_or_default()).await? {
            Some(user) if user.enabled => Ok(user),
            _ => Err(Refusal::not_authorized("User is disabled.")),
        }
    }

    /// Mails a code in the pool's words. Cognito has a sender of its own, and the emulator asks for none.
    async fn mail_code(&self, address: &str, code: &str) -> Result<()> {
        let pool = self.pool().await?;
        let words = |name: &str, usual: &str| {
            let told = pool.pointer(&format!("/VerificationMessageTemplate/{name}"));
            told.and_then(Value::as_str).unwrap_or(usual).to_owned()
        };
        let text = words("EmailMessage", "Your verification code is {####}.");
        let subject = words("EmailSubject", "Your verification code");
        let mail = json!({
            "Destination": {"ToAddresses": [address]},
            "Content": {"Simple": {
                "Subject": {"Data": subject},
                "Body": {"Text": {"Data": text.replace("{####}", code)}},
            }},
        });
        let sent = self
            .aws
            .request("ses", Method::POST, "/v2/email/outbound-emails")
            .body(mail.to_string())
            .send()
            .await?;
        ensure!(sent.status().is_success(), "the mail was not taken");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_code_is_good_once_for_a_day_and_for_the_address_it_went_to() {
        let mut codes = AddressCodes::default();
        let refused = |taken: Result<(), Refusal>| taken.unwrap_err().code;
        let none = "ExpiredCodeException";
        assert_eq!(refused(codes.take("ann", "a@x", "000000")), none);
        let code = codes.issue("ann", "a@x").unwrap();
        let wrong = if code == "000000" { "000001" } else { "000000" };
        assert_eq!(
            refused(codes.take("ann", "a@x", wrong)),
            "CodeMismatchException"
        );
        assert_eq!(refused(codes.take("ann", "b@x", &code)), none);
        assert_eq!(refused(codes.take("bob", "a@x", &code)), none);
        codes.take("ann", "a@x", &code).unwrap();
        assert_eq!(refused(codes.take("ann", "a@x", &code)), none);
        let code = codes.issue("ann", "a@x").unwrap();
        advance(VALID).await;
        assert_eq!(refused(codes.take("ann", "a@x", &code)), none);
    }
}
