//! A client for the emulated AWS, as its root user.
use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
pub use reqwest::Method;
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;

pub const REGION: &str = "us-east-1";
/// The emulator's root credentials, key and secret alike.
pub const ROOT: &str = "test";

#[derive(Clone)]
pub struct Aws {
    http: reqwest::Client,
    endpoint: String,
}

/// What a service answered, be it good or bad.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The error's name without its namespace, e.g. `NotAuthorizedException`.
    pub fn code(&self) -> &str {
        let name = self
            .body
            .get("__type")
            .and_then(Value::as_str)
            .unwrap_or("InternalErrorException");
        name.rsplit('#').next().unwrap_or(name)
    }

    pub fn message(&self) -> &str {
        ["message", "Message"]
            .iter()
            .find_map(|key| self.body.get(*key).and_then(Value::as_str))
            .unwrap_or_default()
    }

    pub fn ok(self) -> Result<Value> {
        if !self.is_ok() {
            bail!("{}: {}", self.code(), self.message());
        }
        Ok(self.body)
    }
}

impl Aws {
    pub fn new(endpoint: &str) -> Result<Self> {
        Ok(Self {
            // A proxy set for the developer's browser has no business with loopback.
            http: reqwest::Client::builder().no_proxy().build()?,
            endpoint: endpoint.to_owned(),
        })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A request as root. The emulator never checks the signature of its root key, so there is none.
    pub fn request(&self, service: &str, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.endpoint))
            .header(
                AUTHORIZATION,
                format!(
                    "AWS4-HMAC-SHA256 Credential={ROOT}/20260101/{REGION}/{service}/aws4_request, \
                 SignedHeaders=host, Signature=none"
                ),
            )
    }

    /// A request without credentials, as a browser's.
    pub fn plain(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.endpoint))
    }

    /// Calls an operation of a JSON service: `target` is its `X-Amz-Target`.
    pub async fn call(&self, service: &str, target: &str, body: &Value) -> Result<Answer> {
        let request = self.request(service, Method::POST, "/");
        json(request, target, body).await
    }

    /// Calls an operation that AWS serves without credentials, as a browser would.
    pub async fn call_unsigned(&self, target: &str, body: &Value) -> Result<Answer> {
        json(self.plain(Method::POST, "/"), target, body).await
    }

    pub async fn cognito(&self, operation: &str, body: &Value) -> Result<Answer> {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        self.call("cognito-idp", &target, body).await
    }

    /// Invokes a function and returns its result; an error that the function returned is an error.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let response = self
            .request("lambda", Method::POST, &path)
            .body(event.to_string())
            .send()
            .await?;
        let failed = response.headers().contains_key("x-amz-function-error")
            || !response.status().is_success();
        let body: Value = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
        if failed {
            let message = body
                .get("errorMessage")
                .and_then(Value::as_str)
                .unwrap_or("it failed");
            bail!("{function}: {message}");
        }
        Ok(body)
    }

    /// Stores an object; `body` is any byte string.
    pub async fn put_object(&self, bucket: &str, key: &str, body: Vec<u8>) -> Result<()> {
        let path = format!("/{bucket}/{key}");
        succeed(self.request("s3", Method::PUT, &path).body(body)).await
    }

    /// Creates a bucket; one that is there already is left as it is.
    pub async fn create_bucket(&self, bucket: &str) -> Result<()> {
        succeed(self.request("s3", Method::PUT, &format!("/{bucket}"))).await
    }

    /// The outputs of a stack, unless there is none or it is not in a usable state.
    pub async fn stack_outputs(&self, name: &str) -> Result<Option<BTreeMap<String, String>>> {
        let response = self
            .request("cloudformation", Method::POST, "/")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!(
                "Action=DescribeStacks&Version=2010-05-15&StackName={name}"
            ))
            .send()
            .await?;
        if !response.status().is_success() {
            return Ok(None);
        }
        let xml = response.text().await?;
        let usable = ["CREATE_COMPLETE", "UPDATE_COMPLETE"];
        if !usable.contains(&element(&xml, "StackStatus").unwrap_or_default()) {
            return Ok(None);
        }
        let outputs = xml.split("<OutputKey>").skip(1).filter_map(|output| {
            let (name, rest) = output.split_once("</OutputKey>")?;
            Some((name.to_owned(), unescape(element(rest, "OutputValue")?)))
        });
        Ok(Some(outputs.collect()))
    }
}

async fn json(request: RequestBuilder, target: &str, body: &Value) -> Result<Answer> {
    let response = request
        .header(CONTENT_TYPE, "application/x-amz-json-1.1")
        .header("x-amz-target", target)
        .body(body.to_string())
        .send()
        .await
        .context("the emulator does not answer")?;
    let status = response.status().as_u16();
    let body = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
    Ok(Answer { status, body })
}

async fn succeed(request: RequestBuilder) -> Result<()> {
    let response = request.send().await?;
    let status = response.status();
    if !status.is_success() {
        bail!("the emulator answered {status}: {}", response.text().await?);
    }
    Ok(())
}

/// The text of the first element of that name: enough XML for the one answer that is read here.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}
