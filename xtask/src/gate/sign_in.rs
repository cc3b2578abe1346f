//! The rules of signing in: from the password to tokens, with a second factor always in between.
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::directory::User;
use super::events::{Attempt, Circumstances, Visitor};
use super::refusal::Refusal;
use super::sessions::{Session, Step, Who};
use super::{Gate, lock, password};
use crate::aws::Answer;

/// Longer than it takes to check a proof of a password.
const PROOF: Duration = Duration::from_millis(250);

pub(super) type Reply = Result<Value, Refusal>;

/// One call of the Cognito API.
pub(super) struct Call<'a> {
    pub(super) operation: &'a str,
    pub(super) body: &'a Value,
    pub(super) visitor: &'a Visitor,
}

impl<'a> Call<'a> {
    /// A text field by its JSON pointer; empty when it is not there.
    pub(super) fn text(&self, pointer: &str) -> &'a str {
        self.body
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn metadata(&self) -> Option<&'a Value> {
        self.body.get("ClientMetadata")
    }
}

impl Gate {
    /// Answers a call, or says why not. Whatever is not named here is not offered: sign-up, flows
    /// that show the password, and everything that needs credentials.
    pub(super) async fn answer(&self, call: &Call<'_>) -> Reply {
        self.check_client(call)?;
        match call.operation {
            "InitiateAuth" => match call.text("/AuthFlow") {
                "USER_SRP_AUTH" => self.start(call).await,
                "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN" => self.pass_on(call).await,
                flow => Err(Refusal::invalid_parameter(&format!(
                    "{flow} flow not enabled for this client"
                ))),
            },
            "RespondToAuthChallenge" => match call.text("/ChallengeName") {
                "PASSWORD_VERIFIER" => self.password(call).await,
                "NEW_PASSWORD_REQUIRED" => self.new_password(call).await,
                "SOFTWARE_TOKEN_MFA" => self.code(call).await,
                "MFA_SETUP" => self.finish_setup(call).await,
                other => Err(Refusal::invalid_parameter(&format!(
                    "Unsupported challenge: {other}"
                ))),
            },
            "AssociateSoftwareToken" => self.associate(call).await,
            "VerifySoftwareToken" => self.verify(call).await,
            "ForgotPassword" => self.forgot_password(call).await,
            "ConfirmForgotPassword" => self.confirm_forgot_password(call).await,
            "ChangePassword" => self.change_password(call).await,
            "GetUserAttributeVerificationCode" => self.send_address_code(call).await,
            "VerifyUserAttribute" => self.verify_address(call).await,
            "GetTokensFromRefreshToken" | "RevokeToken" | "GlobalSignOut" | "GetUser" => {
                self.pass_on(call).await
            }
            other => Err(Refusal::not_offered(other)),
        }
    }

    fn check_client(&self, call: &Call<'_>) -> Result<(), Refusal> {
        let needs_client = matches!(
            call.operation,
            "InitiateAuth"
                | "RespondToAuthChallenge"
                | "ForgotPassword"
                | "ConfirmForgotPassword"
                | "GetTokensFromRefreshToken"
                | "RevokeToken"
        );
        let client = call.text("/ClientId");
        if needs_client && client != self.config.user_pool_client_id {
            return Err(Refusal::no_such_client(client));
        }
        Ok(())
    }

    /// The first half of SRP. Cognito answers for a name that nobody has as it would for a user:
    /// same fields, same lengths, the same made-up id and salt each time.
    async fn start(&self, call: &Call<'_>) -> Reply {
        let asked = call.text("/AuthParameters/USERNAME");
        if asked.is_empty() {
            return Err(Refusal::invalid_parameter(
                "Missing required parameter USERNAME",
            ));
        }
        let user = self.user(asked).await?;
        let username = user.map(|user| user.username);
        let mut body = call.body.clone();
        set(
            &mut body,
            "/AuthParameters/USERNAME",
            username.as_deref().unwrap_or(asked),
        );
        let mut reply = self.forward(call.operation, &body).await?;

        let srp_name = match &username {
            Some(username) => username.clone(),
            None => {
                let phantom = self.phantom(asked);
                set(&mut reply, "/ChallengeParameters/SALT", &salt(&phantom));
                phantom
            }
        };
        set(&mut reply, "/ChallengeParameters/USERNAME", &srp_name);
        set(
            &mut reply,
            "/ChallengeParameters/USER_ID_FOR_SRP",
            &srp_name,
        );
        let secret_block = reply
            .pointer("/ChallengeParameters/SECRET_BLOCK")
            .and_then(Value::as_str);
        let secret_block = secret_block.unwrap_or_default().to_owned();
        let who = Who {
            asked: asked.to_owned(),
            username,
            srp_name,
        };
        let valid = self.session_validity().await?;
        lock(&self.sessions).insert(secret_block, Step::Password, who, valid);
        Ok(reply)
    }

    /// The id that a name nobody has is known by: the same each time and in either case, a UUID as
    /// any user's is, and made with a key so that nobody can tell that it was made.
    fn phantom(&self, name: &str) -> String {
        let digest = hmac::sign(&self.phantoms, name.to_lowercase().as_bytes());
        let mut bytes = [0; 16];
        bytes
            .iter_mut()
            .zip(digest.as_ref())
            .for_each(|(to, from)| *to = *from);
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }

    /// The second half of SRP: a proof of the password.
    async fn password(&self, call: &Call<'_>) -> Reply {
        let secret_block = call.text("/ChallengeResponses/PASSWORD_CLAIM_SECRET_BLOCK");
        let name = call.text("/ChallengeResponses/USERNAME");
        let Some(session) = lock(&self.sessions).take(secret_block, Step::Password, Some(name))
        else {
            self.note(call, Attempt::WRONG_PASSWORD, None).await?;
            return Err(Refusal::incorrect());
        };
        let who = session.who;
        let user = who.username.as_deref();
        let Some(trial) = lock(&self.lockouts).begin(&who.key()) else {
            self.note(call, Attempt::WRONG_PASSWORD, user).await?;
            return Err(Refusal::locked_out());
        };
        let answer_at = Instant::now() + PROOF;
        let answer = self.ask(call.operation, call.body).await?;
        if !answer.is_ok() {
            // The emulator computes nothing for a name that nobody has, and would be quicker.
            sleep_until(answer_at).await;
            if answer.code() != "NotAuthorizedException" {
                lock(&self.lockouts).give_back(&trial);
            }
            self.note(call, Attempt::WRONG_PASSWORD, user).await?;
            return Err(Refusal::from(&answer));
        }
        lock(&self.lockouts).give_back(&trial);
        self.note(call, Attempt::RIGHT_PASSWORD, user).await?;
        self.after_password(answer.body, who).await
    }

    /// What follows a right password: a new one, a code, or setting up an authenticator. If the
    /// emulator handed out tokens already, they end here.
    async fn after_password(&self, reply: Value, who: Who) -> Reply {
        let srp_name = &who.srp_name;
        let (step, mut reply) = match reply.get("ChallengeName").and_then(Value::as_str) {
            Some("NEW_PASSWORD_REQUIRED") => (Step::NewPassword, reply),
            Some("SOFTWARE_TOKEN_MFA") => (Step::Code, reply),
            Some(other) => {
                let message = format!("Unsupported challenge: {other}");
                return Err(Refusal::invalid_parameter(&message));
            }
            None => {
                self.revoke(&reply).await?;
                let user = self.user(srp_name).await?;
                if user.ok_or_else(Refusal::incorrect)?.enrolled {
                    let parameters = json!({"USER_ID_FOR_SRP": srp_name});
                    (Step::Code, challenge("SOFTWARE_TOKEN_MFA", &parameters))
                } else {
                    let can = "[\"SOFTWARE_TOKEN_MFA\"]";
                    let parameters = json!({"MFAS_CAN_SETUP": can, "USER_ID_FOR_SRP": srp_name});
                    (Step::Associate, challenge("MFA_SETUP", &parameters))
                }
            }
        };
        let valid = self.session_validity().await?;
        let session = lock(&self.sessions).issue(step, who, valid)?;
        set(&mut reply, "/Session", &session);
        Ok(reply)
    }

    /// Replaces a temporary password. A weak one may be corrected with the same session.
    async fn new_password(&self, call: &Call<'_>) -> Reply {
        let (token, session, user) = self.resume(call, Step::NewPassword).await?;
        let new = call.text("/ChallengeResponses/NEW_PASSWORD");
        if let Some(objection) = password::objection(&self.password_policy().await?, new) {
            lock(&self.sessions).put_back(token, session);
            self.note(call, Attempt::KEPT_PASSWORD, Some(&user.username))
                .await?;
            return Err(Refusal::invalid_password(objection));
        }
        let mut body = call.body.clone();
        set(&mut body, "/ChallengeResponses/USERNAME", &user.username);
        let reply = self.forward(call.operation, &body).await?;
        self.note(call, Attempt::CHANGED_PASSWORD, Some(&user.username))
            .await?;
        self.after_password(reply, session.who).await
    }

    /// A code of the authenticator that is set up.
    async fn code(&self, call: &Call<'_>) -> Reply {
        let (token, session, user) = self.resume(call, Step::Code).await?;
        if !user.enrolled {
            return Err(Refusal::bad_session());
        }
        let mut body = call.body.clone();
        set(&mut body, "/ChallengeResponses/USERNAME", &user.username);
        let code = call.text("/ChallengeResponses/SOFTWARE_TOKEN_MFA_CODE");
        match self.try_code(call, &user, code, &body).await {
            Ok(reply) => self.let_in(call, &user, reply).await,
            Err(refusal) => {
                lock(&self.sessions).put_back(token, session);
                Err(refusal)
            }
        }
    }

    /// The secret for a new authenticator, during sign-in or for a user who is signed in.
    async fn associate(&self, call: &Call<'_>) -> Reply {
        if !call.text("/AccessToken").is_empty() {
            return self.associate_signed_in(call).await;
        }
        let (_, session, user) = self.resume(call, Step::Associate).await?;
        if user.enrolled {
            return Err(Refusal::bad_session());
        }
        let answer = self.as_user(&user, call.operation, json!({})).await?;
        if !answer.is_ok() {
            return Err(Refusal::from(&answer));
        }
        let valid = self.session_validity().await?;
        let next = lock(&self.sessions).issue(Step::Verify, session.who, valid)?;
        Ok(json!({"SecretCode": answer.body.get("SecretCode"), "Session": next}))
    }

    /// The secret for another authenticator of a user who is signed in; the emulator checks the
    /// token. It is let out only once it is written down.
    async fn associate_signed_in(&self, call: &Call<'_>) -> Reply {
        let reply = self.pass_on(call).await;
        match &reply {
            Ok(_) => {
                let user = token_user(call.text("/AccessToken"));
                self.note(call, Attempt::ASKED_FOR_AUTHENTICATOR, Some(&user))
                    .await?;
            }
            // Whoever the token names, it may be forged.
            Err(_) => {
                self.note(call, Attempt::REFUSED_AUTHENTICATOR, None)
                    .await?;
            }
        }
        reply
    }

    /// The first code of a new authenticator. A wrong one may be corrected with the same session.
    async fn verify(&self, call: &Call<'_>) -> Reply {
        let code = call.text("/UserCode");
        if !call.text("/AccessToken").is_empty() {
            return self.verify_signed_in(call, code).await;
        }
        let (token, session, user) = self.resume(call, Step::Verify).await?;
        if user.enrolled {
            return Err(Refusal::bad_session());
        }
        match self
            .try_code(call, &user, code, &json!({"UserCode": code}))
            .await
        {
            Ok(_) => {
                let valid = self.session_validity().await?;
                let next = lock(&self.sessions).issue(Step::Enrolled, session.who, valid)?;
                Ok(json!({"Status": "SUCCESS", "Session": next}))
            }
            Err(refusal) => {
                lock(&self.sessions).put_back(token, session);
                Err(refusal)
            }
        }
    }

    /// Replaces the authenticator of a user who is signed in: the emulator checks the token, and
    /// the code is used up as any other.
    async fn verify_signed_in(&self, call: &Call<'_>, code: &str) -> Reply {
        let user = token_user(call.text("/AccessToken"));
        let Some(trial) = lock(&self.lockouts).begin(&user) else {
            self.note(call, Attempt::KEPT_AUTHENTICATOR, None).await?;
            return Err(Refusal::locked_out());
        };
        if !lock(&self.used_codes).reserve(&user, code) {
            self.note(call, Attempt::KEPT_AUTHENTICATOR, None).await?;
            return Err(Refusal::code_used());
        }
        let reply = self.pass_on(call).await;
        let wrong_codes = ["EnableSoftwareTokenMFAException", "CodeMismatchException"];
        match &reply {
            Ok(_) => {
                lock(&self.lockouts).give_back(&trial);
                self.note(call, Attempt::REPLACED_AUTHENTICATOR, Some(&user))
                    .await?;
            }
            Err(no) => {
                lock(&self.used_codes).release(&user, code);
                // The emulator looks at the token before the code: with a forged one nobody failed.
                let judged = wrong_codes.contains(&no.code.as_str());
                if !judged {
                    lock(&self.lockouts).give_back(&trial);
                }
                let user = judged.then_some(user.as_str());
                self.note(call, Attempt::KEPT_AUTHENTICATOR, user).await?;
            }
        }
        reply
    }

    /// Exchanges a finished setup for tokens.
    async fn finish_setup(&self, call: &Call<'_>) -> Reply {
        let (_, _, user) = self.resume(call, Step::Enrolled).await?;
        if !user.enrolled {
            return Err(Refusal::bad_session());
        }
        let answer = self.mint(&user.username, call.metadata()).await?;
        if !answer.is_ok() {
            return Err(Refusal::from(&answer));
        }
        self.let_in(call, &user, answer.body).await
    }

    /// The last step of every sign-in: the trigger, the event, and only then the tokens.
    async fn let_in(&self, call: &Call<'_>, user: &User, reply: Value) -> Reply {
        let name = Some(user.username.as_str());
        let done = match self.post_authentication(user, call.metadata()).await {
            Ok(()) => self.note(call, Attempt::SIGNED_IN, name).await,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = done {
            self.revoke(&reply).await?;
            self.note(call, Attempt::TURNED_AWAY, name).await?;
            return Err(refusal);
        }
        lock(&self.lockouts).succeeded(&user.username);
        Ok(reply)
    }

    /// Puts a code to the emulator, unless the user is locked out or the code was used before.
    async fn try_code(&self, call: &Call<'_>, user: &User, code: &str, body: &Value) -> Reply {
        let failed = || self.note(call, Attempt::WRONG_CODE, Some(&user.username));
        let Some(trial) = lock(&self.lockouts).begin(&user.username) else {
            failed().await?;
            return Err(Refusal::locked_out());
        };
        if code.len() != 6 || !code.bytes().all(|b| b.is_ascii_digit()) {
            failed().await?;
            return Err(Refusal::code_mismatch());
        }
        if !lock(&self.used_codes).reserve(&user.username, code) {
            failed().await?;
            return Err(Refusal::code_used());
        }
        let answer = match call.operation {
            "VerifySoftwareToken" => self.as_user(user, call.operation, body.clone()).await?,
            _ => self.ask(call.operation, body).await?,
        };
        if !answer.is_ok() {
            lock(&self.used_codes).release(&user.username, code);
            failed().await?;
            return Err(Refusal::from(&answer));
        }
        lock(&self.lockouts).give_back(&trial);
        Ok(answer.body)
    }

    /// Takes up a sign-in at `step`, with its user as they are now.
    async fn resume<'a>(
        &self,
        call: &Call<'a>,
        step: Step,
    ) -> Result<(&'a str, Session, User), Refusal> {
        let token = call.text("/Session");
        let name = call
            .body
            .pointer("/ChallengeResponses/USERNAME")
            .and_then(Value::as_str);
        let nameless = matches!(step, Step::Associate | Step::Verify);
        let session = if nameless || name.is_some() {
            lock(&self.sessions).take(token, step, name)
        } else {
            None
        };
        let Some(session) = session else {
            self.note(call, Attempt::NO_SESSION, None).await?;
            return Err(Refusal::bad_session());
        };
        let user = self
            .user(&session.who.srp_name)
            .await?
            .ok_or_else(Refusal::bad_session)?;
        if !user.enabled {
            self.note(call, Attempt::NO_SESSION, Some(&user.username))
                .await?;
            return Err(Refusal::not_authorized("User is disabled."));
        }
        Ok((token, session, user))
    }

    /// Does something in the user's name that the emulator allows to token holders only, with a
    /// token that is never let out.
    async fn as_user(
        &self,
        user: &User,
        operation: &str,
        mut body: Value,
    ) -> Result<Answer, Refusal> {
        let minted = self.mint(&user.username, None).await?;
        if !minted.is_ok() {
            return Err(Refusal::from(&minted));
        }
        let token = minted
            .body
            .pointer("/AuthenticationResult/AccessToken")
            .cloned();
        if let Some(body) = body.as_object_mut() {
            body.insert("AccessToken".into(), token.unwrap_or_default());
        }
        let answer = self.ask(operation, &body).await?;
        self.revoke(&minted.body).await?;
        Ok(answer)
    }

    async fn ask(&self, operation: &str, body: &Value) -> Result<Answer, Refusal> {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        Ok(self.aws.call_unsigned(&target, body).await?)
    }

    pub(super) async fn forward(&self, operation: &str, body: &Value) -> Reply {
        let answer = self.ask(operation, body).await?;
        if answer.is_ok() {
            Ok(answer.body)
        } else {
            Err(Refusal::from(&answer))
        }
    }

    pub(super) async fn pass_on(&self, call: &Call<'_>) -> Reply {
        self.forward(call.operation, call.body).await
    }

    /// Writes an attempt down.
    pub(super) async fn note(
        &self,
        call: &Call<'_>,
        attempt: Attempt,
        user: Option<&str>,
    ) -> Result<(), Refusal> {
        let circumstances = Circumstances {
            user,
            pool: &self.config.user_pool_id,
            client: &self.config.user_pool_client_id,
            visitor: call.visitor,
        };
        Ok(self.events.put(&attempt, &circumstances).await?)
    }
}

fn challenge(name: &str, parameters: &Value) -> Value {
    json!({"ChallengeName": name, "ChallengeParameters": parameters, "Session": ""})
}

/// The salt that the emulator derives from a user's id. Anyone can, so an unknown user's has to be
/// derived in the same way.
fn salt(id: &str) -> String {
    let hash = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes);
    let mut digest = hash(format!("cognito-srp-salt:{id}").as_bytes());
    while digest.as_ref().first() == Some(&0) {
        digest = hash(digest.as_ref());
    }
    let half = digest.as_ref().iter().take(16).copied();
    data_encoding::HEXLOWER.encode(&half.collect::<Vec<u8>>())
}

/// Replaces a text that is there.
pub(super) fn set(body: &mut Value, pointer: &str, text: &str) {
    if let Some(field) = body.pointer_mut(pointer) {
        *field = text.into();
    }
}

/// The user that an access token names. It is not checked here; the emulator does.
pub(super) fn token_user(token: &str) -> String {
    let claims = token
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Value = claims
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default();
    claims
        .get("username")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
