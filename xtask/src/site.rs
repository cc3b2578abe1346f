//! The app's files, served as Amplify Hosting serves them: with the headers of customHttp.yml, the
//! start page for every path that is no file, compressed, and the stage's /config.json.
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::json;

use crate::gate::local_names_only;
use crate::home::{Portal, workspace};

/// Where `npm run build` puts the app, within web/.
const SITE: &str = "web/site";

/// The headers of some paths.
struct Rule {
    /// What the paths begin with.
    prefix: String,
    headers: HeaderMap,
}

struct Site {
    folder: PathBuf,
    rules: Vec<Rule>,
    config: String,
}

/// Routes for everything that the gate has none for.
pub fn router(portal: &Portal) -> Result<Router> {
    let text = fs::read_to_string(workspace().join("customHttp.yml"))?;
    let site = Site {
        folder: workspace().join(SITE),
        rules: rules(&text, &portal.emulator).context("customHttp.yml")?,
        config: config(portal),
    };
    Ok(Router::new()
        // The gate has this path too, for Cognito's calls.
        .route("/", get(serve))
        .fallback(serve)
        .layer(middleware::from_fn(local_names_only))
        .with_state(Arc::new(site)))
}

/// Where the stage's channels are: at the emulator.
fn channel(portal: &Portal) -> Option<String> {
    let api = portal.outputs.get("ChannelApiId")?;
    let origin = socket(&portal.emulator);
    Some(format!("{origin}/_aws/execute-api/{api}/portal"))
}

fn socket(origin: &str) -> String {
    origin.replacen("http", "ws", 1)
}

/// What the app has to know of the stage. Sign-in and the API are at the app's own address.
fn config(portal: &Portal) -> String {
    json!({
        "api": portal.address,
        "channel": channel(portal),
        "signIn": format!("{}/cognito/", portal.address),
        "userPoolId": portal.user_pool_id,
        "userPoolClientId": portal.user_pool_client_id,
    })
    .to_string()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    custom_headers: Vec<Pattern>,
}

#[derive(Deserialize)]
struct Pattern {
    pattern: String,
    headers: Vec<Header>,
}

#[derive(Deserialize)]
struct Header {
    key: String,
    value: String,
}

/// Reads customHttp.yml. Files and events go to and come from `emulator`.
fn rules(text: &str, emulator: &str) -> Result<Vec<Rule>> {
    let text = text
        .replace(" ${API_ORIGIN} ${SIGN_IN_ORIGIN}", "")
        .replace("${UPLOADS_ORIGIN} ${EXPORTS_ORIGIN}", emulator)
        .replace("${CHANNEL_ORIGIN}", &socket(emulator));
    let file: File = serde_saphyr::from_str(&text)?;
    let mut rules = Vec::new();
    for pattern in file.custom_headers {
        let prefix = pattern
            .pattern
            .strip_suffix("**")
            .context("a pattern that does not end with **")?;
        let mut headers = HeaderMap::new();
        for Header { key, value } in &pattern.headers {
            headers.insert(key.parse::<HeaderName>()?, HeaderValue::from_str(value)?);
        }
        rules.push(Rule {
            prefix: prefix.to_owned(),
            headers,
        });
    }
    Ok(rules)
}

impl Site {
    /// The headers of a path; of two rules the later one holds.
    fn headers(&self, path: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for rule in &self.rules {
            if path.starts_with(&rule.prefix) {
                for (name, value) in &rule.headers {
                    headers.insert(name, value.clone());
                }
            }
        }
        headers
    }

    fn file(&self, path: &str) -> Option<(&'static str, Vec<u8>)> {
        if path == "/config.json" {
            return Some(("application/json", self.config.clone().into_bytes()));
        }
        let within = inside(path)?;
        let page = Path::new("index.html").to_owned();
        let within = if within.extension().is_some() {
            within
        } else {
            page
        };
        let media_type = match within.extension()?.to_str()? {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "txt" => "text/plain; charset=utf-8",
            _ => return None,
        };
        Some((media_type, fs::read(self.folder.join(within)).ok()?))
    }
}

/// The file that a path names: plain names alone, none of them hidden.
fn inside(path: &str) -> Option<PathBuf> {
    let mut file = PathBuf::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
        if segment.starts_with('.') || !segment.bytes().all(plain) {
            return None;
        }
        file.push(segment);
    }
    Some(file)
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    let codings = asked.get(header::ACCEPT_ENCODING);
    codings
        .and_then(|codings| codings.to_str().ok())
        .is_some_and(|codings| codings.split(',').any(|coding| coding.trim() == "gzip"))
}

fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(bytes)?;
    gzip.finish()
}

async fn serve(
    State(site): State<Arc<Site>>,
    method: Method,
    uri: Uri,
    asked: HeaderMap,
) -> Response {
    let headers = site.headers(uri.path());
    if !matches!(method, Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, headers).into_response();
    }
    match site.file(uri.path()) {
        Some((media_type, bytes)) => {
            let named = [
                (header::CONTENT_TYPE, media_type),
                (header::VARY, "accept-encoding"),
            ];
            match takes_gzip(&asked).then(|| compressed(&bytes)) {
                Some(Ok(small)) => {
                    let coding = [(header::CONTENT_ENCODING, "gzip")];
                    (headers, named, coding, small).into_response()
                }
                _ => (headers, named, bytes).into_response(),
            }
        }
        None => (StatusCode::NOT_FOUND, headers).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_lets_nothing_in_that_is_not_named() {
        let text = fs::read_to_string(workspace().join("customHttp.yml")).unwrap();
        let site = Site {
            folder: PathBuf::new(),
            rules: rules(&text, "http://127.0.0.1:1").unwrap(),
            config: String::new(),
        };
        let headers = site.headers("/lab-results");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(
            policy.contains("connect-src 'self' http://127.0.0.1:1 ws://127.0.0.1:1;"),
            "{policy}"
        );
        assert!(
            policy.contains("require-trusted-types-for 'script'"),
            "{policy}"
        );
        assert!(
            !policy.contains("unsafe") && !policy.contains('$'),
            "{policy}"
        );
        assert_eq!(headers["cache-control"], "no-store");
        assert!(
            site.headers("/assets/x.js")["cache-control"]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
    }

    #[test]
    fn only_plain_names_are_files() {
        for path in [
            "/../Cargo.toml",
            "/.git/config",
            "/%2e%2e/x",
            "/a\\b.js",
            "/a:b.js",
        ] {
            assert_eq!(inside(path), None, "{path}");
        }
        assert_eq!(
            inside("/assets/a-1.js"),
            Some(PathBuf::from("assets/a-1.js"))
        );
        assert_eq!(inside("//"), Some(PathBuf::new()));
    }
}
