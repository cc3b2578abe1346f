//! The front door's routes: which requests go to sign-in, which to the API, and which nowhere.
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
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
async fn local_names_only(request: Request, next: Next) -> Response {
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

/// Forwards to the deployed stage of the REST API.
async fn api(
    State(gate): State<Arc<Gate>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let config = &gate.config;
    let path = format!(
        "/restapis/{}/{}/_user_request_{path}",
        config.api_id, config.stage
    );
    forward(&gate, method, &path, headers, body).await
}

/// The pool's public keys, so that tokens can be checked without knowing the emulator.
async fn keys(State(gate): State<Arc<Gate>>) -> Response {
    let path = format!("/{}/.well-known/jwks.json", gate.config.user_pool_id);
    forward(&gate, Method::GET, &path, HeaderMap::new(), Bytes::new()).await
}

async fn forward(
    gate: &Gate,
    method: Method,
    path: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut request = gate.aws.plain(method, path).body(body);
    for (name, value) in &headers {
        if passes(name) && name != header::HOST && name != header::CONTENT_LENGTH {
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

/// Headers that are about more than one connection. The emulator opens everything it serves to
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
