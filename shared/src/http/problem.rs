//! Problem details for HTTP APIs (RFC 9457). Texts are ours alone: input is never echoed.

use crate::Fault;
use http::StatusCode;
use serde::Serialize;
use std::borrow::Cow;

/// An answer that is not a success: what went wrong and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    /// The last part of the problem type's URI; docs/API.md lists them all.
    pub kind: &'static str,
    pub title: &'static str,
    pub detail: Cow<'static, str>,
    pub errors: Vec<FieldError>,
    /// After how many seconds the same request may succeed.
    pub retry_after: Option<u16>,
    /// What to write into the log when the fault is ours.
    pub fault: Option<Fault>,
}

/// What is wrong with one field: a JSON pointer into the body (RFC 6901), or `query/<name>`,
/// `path/<name>`, `header/<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    pub pointer: String,
    pub detail: Cow<'static, str>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    instance: String,
}

impl Problem {
    pub const fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: &'static str,
    ) -> Self {
        Self {
            status,
            kind,
            title,
            detail: Cow::Borrowed(detail),
            errors: Vec::new(),
            retry_after: None,
            fault: None,
        }
    }

    /// One field of the input is not acceptable.
    pub fn field(pointer: impl Into<String>, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut problem = Self::new(
            StatusCode::BAD_REQUEST,
            "invalid-input",
            "Something in the request is not right",
            "Correct the fields listed under errors and send the request again.",
        );
        problem.errors.push(FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
        });
        problem
    }

    pub const fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "You are not signed in",
            "Sign in and try again.",
        )
    }

    pub const fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "Your account cannot do this",
            "If you need to, ask the practice for the right role.",
        )
    }

    /// What the caller wants to do takes a sign-in that is minutes old.
    pub const fn sign_in_again() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "sign-in-again",
            "You signed in too long ago for this",
            "Sign in again, with both factors, and repeat it within 15 minutes.",
        )
    }

    /// Says the same whether a thing does not exist or is not the caller's to see.
    pub const fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "Nothing was found here",
            "Check the address, or go back to the start page.",
        )
    }

    pub const fn changed_meanwhile() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "changed-meanwhile",
            "Somebody changed this in the meantime",
            "Load it again, look at what changed, and repeat your change.",
        )
    }

    pub const fn precondition_required() -> Self {
        Self::new(
            StatusCode::PRECONDITION_REQUIRED,
            "precondition-required",
            "This change needs an If-Match header",
            "Send the ETag that you got when you read it.",
        )
    }

    /// Another request came with this `Idempotency-Key` before.
    pub const fn key_used_before() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "key-used-before",
            "This Idempotency-Key belongs to another request",
            "Send this request with a new Idempotency-Key.",
        )
    }

    pub const fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The body must be JSON",
            "Send it with Content-Type: application/json.",
        )
    }

    pub const fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The request is too large",
            "Send less at once.",
        )
    }

    /// The account has made as many of these requests as it may for now.
    pub const fn too_many_requests(retry_after: u16) -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-requests",
            "Too many requests",
            "Wait for as many seconds as Retry-After says and try again.",
        );
        problem.retry_after = Some(retry_after);
        problem
    }

    pub const fn unavailable() -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The portal cannot do this right now",
            "Nothing was changed or shown. Try again in a minute.",
        );
        problem.retry_after = Some(5);
        problem
    }

    pub const fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side",
            "It has been recorded. Try again; if it stays, tell the practice the request id.",
        )
    }

    /// The `application/problem+json` body.
    pub fn body(&self, request_id: &str) -> Vec<u8> {
        let body = Body {
            r#type: format!("/problems/{}", self.kind),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
            instance: format!("urn:request:{request_id}"),
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let mut problem = match fault {
            Fault::Unavailable { .. } => Self::unavailable(),
            Fault::Corrupt(_) | Fault::Misconfigured(_) | Fault::Defect(_) => Self::internal(),
        };
        problem.fault = Some(fault);
        problem
    }
}
