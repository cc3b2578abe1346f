//! A response with the headers that keep PHI out of caches, frames and other origins.

use super::Problem;
use ::http::StatusCode;
use serde::Serialize;

/// What goes back to API Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: StatusCode,
    pub media_type: &'static str,
    /// The name to save the body under, where it is a file.
    pub attachment: Option<&'static str>,
    pub etag: Option<u64>,
    /// In seconds.
    pub retry_after: Option<u16>,
    pub request_id: String,
    pub body: Vec<u8>,
}

/// What a success answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    media_type: &'static str,
    attachment: Option<&'static str>,
    body: Vec<u8>,
}

impl Content {
    pub fn json(value: &impl Serialize) -> Result<Self, crate::Fault> {
        let body =
            serde_json::to_vec(value).map_err(|_| crate::Fault::Defect("an answer as JSON"))?;
        Ok(Self {
            media_type: "application/json",
            attachment: None,
            body,
        })
    }

    /// A text file, and the name to save it under.
    pub fn file(media_type: &'static str, name: &'static str, text: String) -> Self {
        Self {
            media_type,
            attachment: Some(name),
            body: text.into_bytes(),
        }
    }
}

const HEADERS: [(&str, &str); 6] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-resource-policy", "same-site"),
    ("referrer-policy", "no-referrer"),
    (
        "strict-transport-security",
        "max-age=63072000; includeSubDomains",
    ),
    ("x-content-type-options", "nosniff"),
];

/// What the app reads of a response's headers.
const EXPOSED: &str = "Date, ETag, Retry-After";

impl Response {
    pub fn success(
        status: StatusCode,
        etag: Option<u64>,
        request_id: &str,
        content: Content,
    ) -> Self {
        Self {
            status,
            media_type: content.media_type,
            attachment: content.attachment,
            etag,
            retry_after: None,
            request_id: request_id.to_owned(),
            body: content.body,
        }
    }

    pub fn problem(problem: &Problem, request_id: &str) -> Self {
        Self {
            status: problem.status,
            media_type: "application/problem+json",
            attachment: None,
            etag: None,
            retry_after: problem.retry_after,
            request_id: request_id.to_owned(),
            body: problem.body(request_id),
        }
    }

    /// The response to a handshake of the WebSocket API: of all it says, a client sees whether it
    /// succeeded.
    pub fn into_socket(self) -> serde_json::Value {
        serde_json::json!({"statusCode": self.status.as_u16()})
    }

    /// The response as lambda_http takes it.
    ///
    /// Pages of this one origin may read it, and no other's: they see `ETag` and `Retry-After`
    /// too, which a browser otherwise keeps from them.
    pub fn into_lambda(
        self,
        origin: &str,
    ) -> Result<lambda_http::Response<lambda_http::Body>, ::http::Error> {
        let mut builder = lambda_http::Response::builder()
            .status(self.status)
            .header("content-type", self.media_type)
            .header("x-request-id", self.request_id)
            .header("access-control-allow-origin", origin)
            .header("access-control-expose-headers", EXPOSED)
            .header("vary", "Origin");
        for (name, value) in HEADERS {
            builder = builder.header(name, value);
        }
        if let Some(name) = self.attachment {
            let disposition = format!("attachment; filename=\"{name}\"");
            builder = builder.header("content-disposition", disposition);
        }
        if let Some(version) = self.etag {
            builder = builder.header("etag", format!("\"{version}\""));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            builder = builder.header("www-authenticate", "Bearer");
        }
        if let Some(seconds) = self.retry_after {
            builder = builder.header("retry-after", seconds);
        }
        let text = String::from_utf8(self.body).unwrap_or_default();
        builder.body(lambda_http::Body::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_origin_may_read_whatever_is_answered() {
        let content = Content::json(&1).unwrap();
        for response in [
            Response::success(StatusCode::OK, Some(1), "r", content),
            Response::problem(&Problem::unavailable(), "r"),
            Response::problem(&Problem::unauthenticated(), "r"),
        ] {
            let sent = response.into_lambda("https://portal.example.org").unwrap();
            let header = |name: &str| sent.headers()[name].to_str().unwrap();
            assert_eq!(
                header("access-control-allow-origin"),
                "https://portal.example.org"
            );
            assert_eq!(
                header("access-control-expose-headers"),
                "Date, ETag, Retry-After"
            );
            assert_eq!(header("vary"), "Origin");
            assert!(
                !sent
                    .headers()
                    .contains_key("access-control-allow-credentials")
            );
        }
    }
}
