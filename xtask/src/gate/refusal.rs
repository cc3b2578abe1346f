//! What Cognito answers when it says no.
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::aws::Answer;

#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
}

impl Refusal {
    fn new(code: &str, message: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    pub(super) fn not_authorized(message: &str) -> Self {
        Self::new("NotAuthorizedException", message)
    }

    /// For a wrong password and for an unknown user alike.
    pub(super) fn incorrect() -> Self {
        Self::not_authorized("Incorrect username or password.")
    }

    /// For a session that was never issued, has expired, was used, or belongs to someone else.
    pub(super) fn bad_session() -> Self {
        Self::not_authorized("Invalid session for the user.")
    }

    pub(super) fn locked_out() -> Self {
        Self::not_authorized("Password attempts exceeded")
    }

    pub(super) fn invalid_parameter(message: &str) -> Self {
        Self::new("InvalidParameterException", message)
    }

    pub(super) fn invalid_password(message: &str) -> Self {
        let message = format!("Password did not conform with policy: {message}");
        Self::new("InvalidPasswordException", &message)
    }

    pub(super) fn code_mismatch() -> Self {
        Self::new("CodeMismatchException", "Invalid code received for user")
    }

    /// For a wrong code that a mail brought. Who resets a password is told the same if they never
    /// asked for one, and if there is no such user.
    pub(super) fn wrong_mailed_code() -> Self {
        let message = "Invalid verification code provided, please try again.";
        Self::new("CodeMismatchException", message)
    }

    /// There is no code, or it was taken already, or it went to another address.
    pub(super) fn no_address_code() -> Self {
        Self::new(
            "ExpiredCodeException",
            "Invalid code provided, please request a code again.",
        )
    }

    pub(super) fn code_used() -> Self {
        Self::new(
            "ExpiredCodeException",
            "Your software token has already been used once.",
        )
    }

    pub(super) fn no_such_client(client: &str) -> Self {
        let message = format!("User pool client {client} does not exist.");
        Self::new("ResourceNotFoundException", &message)
    }

    pub(super) fn trigger_failed(trigger: &str) -> Self {
        let message = format!("{trigger} failed with an error.");
        Self::new("UserLambdaValidationException", &message)
    }

    pub(super) fn not_offered(operation: &str) -> Self {
        Self::not_authorized(&format!("{operation} is not offered here."))
    }
}

/// The emulator's own refusal, passed on.
impl From<&Answer> for Refusal {
    fn from(answer: &Answer) -> Self {
        if answer.status >= 500 {
            // The one way in which the emulator fails while it mints tokens.
            return Self::trigger_failed("PreTokenGeneration");
        }
        Self::new(answer.code(), answer.message())
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "InternalErrorException".to_owned(),
            message: format!("{error:#}"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"__type": self.code, "message": self.message});
        let kind = (header::CONTENT_TYPE.as_str(), "application/x-amz-json-1.1");
        // Clients read the error's name from either place.
        let headers = [kind, ("x-amzn-errortype", &self.code)];
        (self.status, headers, body.to_string()).into_response()
    }
}
