//! What a browser does to sign in, over SRP as a published client does it.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_cognito_srp::{SrpClient, User};
use serde_json::{Value, json};
use xtask::totp;

/// A browser at the front door of one portal.
pub(crate) struct Browser {
    pub(crate) door: String,
    pub(crate) pool: String,
    pub(crate) client: String,
    pub(crate) http: reqwest::Client,
}

/// What was answered: the status and the body.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer(pub(crate) u16, pub(crate) Value);

impl Answer {
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.1
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no {pointer} in {self:?}"))
            .into()
    }

    pub(crate) fn session(&self) -> String {
        self.text("/Session")
    }

    /// The name of the refusal.
    pub(crate) fn refusal(&self) -> String {
        assert!(self.0 >= 400, "not refused: {self:?}");
        self.text("/__type")
    }

    pub(crate) fn has_tokens(&self) -> bool {
        self.1.get("AuthenticationResult").is_some()
    }
}

impl Browser {
    pub(crate) fn at(door: &str, pool: &str, client: &str) -> Self {
        Self {
            door: door.to_owned(),
            pool: pool.to_owned(),
            client: client.to_owned(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// Calls the front door as a browser does.
    pub(crate) async fn call(&self, operation: &str, body: Value) -> Answer {
        let request = self.http.post(format!("{}/cognito/", self.door));
        let response = request
            .header(
                "x-amz-target",
                format!("AWSCognitoIdentityProviderService.{operation}"),
            )
            .header("content-type", "application/x-amz-json-1.1")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        Answer(
            status,
            serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default(),
        )
    }

    pub(crate) async fn respond(&self, challenge: &str, session: &str, responses: Value) -> Answer {
        self.call(
            "RespondToAuthChallenge",
            json!({
                "ClientId": self.client, "ChallengeName": challenge, "Session": session,
                "ChallengeResponses": responses,
            }),
        )
        .await
    }

    /// The first half of SRP.
    pub(crate) async fn begin(&self, email: &str, srp: &SrpClient<User>) -> Answer {
        self.call(
            "InitiateAuth",
            json!({
                "ClientId": self.client, "AuthFlow": "USER_SRP_AUTH",
                "AuthParameters": {"USERNAME": email, "SRP_A": srp.get_auth_parameters().a},
            }),
        )
        .await
    }

    /// A whole proof of a password over SRP.
    pub(crate) async fn password(&self, email: &str, password: &str) -> Answer {
        let srp = SrpClient::new(User::new(&self.pool, email, password), &self.client, None);
        let begun = self.begin(email, &srp).await;
        let given = |name: &str| begun.text(&format!("/ChallengeParameters/{name}"));
        let proof = srp
            .verify(
                &given("SECRET_BLOCK"),
                &given("USER_ID_FOR_SRP"),
                &given("SALT"),
                &given("SRP_B"),
            )
            .unwrap();
        self.respond(
            "PASSWORD_VERIFIER",
            "",
            json!({
                "USERNAME": given("USERNAME"),
                "PASSWORD_CLAIM_SECRET_BLOCK": proof.password_claim_secret_block,
                "PASSWORD_CLAIM_SIGNATURE": proof.password_claim_signature,
                "TIMESTAMP": proof.timestamp,
            }),
        )
        .await
    }

    pub(crate) async fn code(&self, email: &str, session: &str, code: &str) -> Answer {
        let responses = json!({"USERNAME": email, "SOFTWARE_TOKEN_MFA_CODE": code});
        self.respond("SOFTWARE_TOKEN_MFA", session, responses).await
    }

    /// Sets up an authenticator with its earliest code, and returns its codes and the tokens.
    pub(crate) async fn enrol(&self, email: &str, password: &str) -> (Codes, Answer) {
        let setup = self.password(email, password).await;
        let associated = self
            .call(
                "AssociateSoftwareToken",
                json!({"Session": setup.session()}),
            )
            .await;
        let codes = Codes::of(&associated.text("/SecretCode")).await;
        let verify = json!({"Session": associated.session(), "UserCode": codes.earliest});
        let verified = self.call("VerifySoftwareToken", verify).await;
        let tokens = self
            .respond("MFA_SETUP", &verified.session(), json!({"USERNAME": email}))
            .await;
        assert!(tokens.has_tokens(), "{tokens:?}");
        (codes, tokens)
    }
}

/// The three codes that are taken at a moment, so that tests need not wait for the next.
pub(crate) struct Codes {
    pub(crate) earliest: String,
    pub(crate) current: String,
    pub(crate) latest: String,
}

impl Codes {
    pub(crate) async fn of(secret: &str) -> Self {
        let now = SystemTime::now();
        let into = now.duration_since(UNIX_EPOCH).unwrap().as_secs() % 30;
        if into > 22 {
            tokio::time::sleep(Duration::from_secs(31 - into)).await;
        }
        let now = SystemTime::now();
        let at = |time| totp::code_at(secret, time).unwrap();
        Self {
            earliest: at(now - totp::STEP),
            current: at(now),
            latest: at(now + totp::STEP),
        }
    }

    pub(crate) fn wrong(&self) -> String {
        let known = [&self.earliest, &self.current, &self.latest];
        (0..4)
            .map(|n| format!("{n:06}"))
            .find(|code| !known.contains(&code))
            .unwrap()
    }
}
