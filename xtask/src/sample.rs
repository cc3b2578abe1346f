//! The sample patients and demo accounts that a new local stack starts with.
use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::home::{Home, Portal};
use crate::totp;

/// A demo account, as it is printed.
pub struct Account {
    pub role: String,
    pub email: String,
    pub password: String,
    /// Base32, for an authenticator app.
    pub totp_secret: String,
}

/// Imports the samples, unless they are there, and returns the accounts to print, every time.
///
/// `_deployed` says whether the stack was deployed anew; it may hold data even so.
pub async fn load(
    _home: &Home,
    _aws: &Aws,
    _portal: &Portal,
    _deployed: bool,
) -> Result<Vec<Account>> {
    Ok(Vec::new())
}

/// Sets up an authenticator for a user, as if they had scanned the code, and returns its secret.
///
/// It asks the emulator directly, which lets anybody finish a sign-in; the front door would not.
pub async fn set_up_authenticator(aws: &Aws, client: &str, user: &str) -> Result<String> {
    let finish = json!({
        "ClientId": client, "ChallengeName": "MFA_SETUP", "ChallengeResponses": {"USERNAME": user}});
    let signed_in = aws.cognito("RespondToAuthChallenge", &finish).await?.ok()?;
    let text = |body: &Value, pointer: &str| {
        let text = body
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned);
        text.with_context(|| format!("the emulator gave no {pointer}"))
    };
    let token = text(&signed_in, "/AuthenticationResult/AccessToken")?;
    let refresh = text(&signed_in, "/AuthenticationResult/RefreshToken")?;
    let started = aws
        .cognito("AssociateSoftwareToken", &json!({"AccessToken": token}))
        .await?
        .ok()?;
    let secret = text(&started, "/SecretCode")?;
    let verify = json!({"AccessToken": token, "UserCode": totp::code(&secret)?});
    aws.cognito("VerifySoftwareToken", &verify).await?.ok()?;
    aws.cognito(
        "RevokeToken",
        &json!({"ClientId": client, "Token": refresh}),
    )
    .await?
    .ok()?;
    Ok(secret)
}
