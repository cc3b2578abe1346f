//! The front door's routes: which requests go to sign-in, which to the API, and which nowhere.
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};

use super::Gate;
use super::events::Visitor;
use super::refusal::Refusal;
use super::sign_in::Call;

/// API Gateway's own limit on a request.
const LARGEST_BODY: usize = 10 << 20;

pub(super) fn router(gate: Arc<Gate>) -> Router {
    Router::new()
        .route("/", post(cognito))
        .route("/cognito", post(cognito))
        .route("/cognito/", post(cognito))
        .route("/v1/{*path}", any(api))
        .route("/.well-known/jwks.json", get(keys))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn(local_names_only))
        .with_state(gate)
}

/// Refuses names other than this machine's own, so that no web page can reach the door through a
/// domain of its own that points here (DNS rebinding).
pub(crate) async fn local_names_only(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if matches!(name, "127.0.0.1" | "localhost") {
        next.run(request).await
    } else {
        StatusCode::MISDIRECTED_REQUEST.into_response()
    }
}

async fn cognito(
    State(gate): State<Arc<Gate>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let target = text("x-amz-target");
    let Some(operation) = target.strip_prefix("AWSCognitoIdentityProviderService.") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Ok(body) = serde_json::from_slice(&body) else {
        return Refusal::invalid_parameter("The request is not JSON.").into_response();
    };
    let visitor = Visitor {
        ip: from.ip().to_string(),
        agent: text("user-agent").to_owned(),
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    let call = Call {
        operation,
        body: &body,
        visitor: &visitor,
    };
    match gate.answer(&call).await {
        Ok(reply) => {
            let kind = (header::CONTENT_TYPE, "application/x-amz-json-1.1");
            (
                [kind, (header::CACHE_CONTROL, "no-store")],
                reply.to_string(),
            )
                .into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// Forwards to the deployed stage of the REST API. What the URL's parser would take for a way out of
/// the API's path does not get that far.
async fn api(
    State(gate): State<Arc<Gate>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if strays(uri.path()) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let config = &gate.config;
    let root = format!(
        "/restapis/{}/{}/_user_request_",
        config.api_id, config.stage
    );
    let within = format!("{root}/v1/");
    forward(
        &gate,
        method,
        &format!("{root}{path}"),
        &within,
        headers,
        body,
    )
    .await
}

/// The pool's public keys, so that tokens can be checked without knowing the emulator.
async fn keys(State(gate): State<Arc<Gate>>) -> Response {
    let path = format!("/{}/.well-known/jwks.json", gate.config.user_pool_id);
    forward(
        &gate,
        Method::GET,
        &path,
        &path,
        HeaderMap::new(),
        Bytes::new(),
    )
    .await
}

/// Whether a path has a segment that is not a name: dots that lead elsewhere, or a separator in
/// disguise.
fn strays(path: &str) -> bool {
    let path = path.to_ascii_lowercase().replace("%2e", ".");
    path.contains(['\\', '#'])
        || path.contains("%2f")
        || path.contains("%5c")
        || path.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// Whether a query carries AWS credentials, as a presigned URL does.
fn presigned(url: &reqwest::Url) -> bool {
    url.query_pairs().any(|(name, _)| {
        let name = name.to_ascii_lowercase();
        name.starts_with("x-amz-") || name == "awsaccesskeyid"
    })
}

async fn forward(
    gate: &Gate,
    method: Method,
    path: &str,
    within: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(url) = reqwest::Url::parse(&format!("{}{path}", gate.config.emulator)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if !url.path().starts_with(within) || presigned(&url) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let mut request = gate.http.request(method, url).body(body);
    for (name, value) in &headers {
        if goes_on(name, value) {
            request = request.header(name, value);
        }
    }
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(_) => return StatusCode::BAD_GATEWAY.into_response(),
    };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if passes(name) {
            response = response.header(name, value);
        }
    }
    match answer
        .bytes()
        .await
        .map(|body| response.body(Body::from(body)))
    {
        Ok(Ok(response)) => response,
        _ => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// Headers of a request that the API reads. Others could say more to the emulator than to the API:
/// which AWS operation is meant (`X-Amz-Target`), or where the request came from (`X-Forwarded-For`).
fn goes_on(name: &HeaderName, value: &HeaderValue) -> bool {
    if name == header::AUTHORIZATION {
        // A token, and not an AWS signature.
        return value
            .as_bytes()
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b" ._-".contains(b));
    }
    [
        header::CONTENT_TYPE,
        header::ACCEPT,
        header::IF_MATCH,
        header::USER_AGENT,
    ]
    .contains(name)
        || name.as_str() == "idempotency-key"
}

/// Headers of an answer that are about more than one connection. The emulator opens everything it serves to
/// every origin; the portal is of one origin, so those do not pass either.
fn passes(name: &HeaderName) -> bool {
    let connection = [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::TE,
    ];
    !connection.contains(name)
        && name.as_str() != "keep-alive"
        && !name.as_str().starts_with("access-control-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_forwarded() {
        for path in [
            "/v1/..",
            "/v1/./x",
            "/v1/%2e%2e/%2e%2e/",
            "/v1/.%2E/x",
            "/v1/%2E",
            "/v1/a%2Fb",
            "/v1/a%5cb",
            "/v1/a\\..\\b",
        ] {
            assert!(strays(path), "{path}");
        }
        for path in ["/v1/a", "/v1/a%20b/", "/v1/...", "/v1/a.b..c", "/v1/%252e"] {
            assert!(!strays(path), "{path}");
        }
    }

    #[test]
    fn only_what_the_api_reads_is_forwarded() {
        let passes_on = |name, value| {
            let value = HeaderValue::from_static(value);
            goes_on(&HeaderName::from_static(name), &value)
        };
        assert!(passes_on("authorization", "Bearer eyJh.eyJz.c2ln-_"));
        assert!(passes_on("if-match", "\"1\""));
        let signed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request";
        assert!(!passes_on("authorization", signed));
        for name in [
            "x-amz-target",
            "x-forwarded-for",
            "forwarded",
            "origin",
            "host",
        ] {
            assert!(!passes_on(name, "x"), "{name}");
        }
    }
}
