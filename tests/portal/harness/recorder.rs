//! An HTTP client for the SDK that notes every call, counts how many had to wait for each other,
//! and makes those fail that a test wants to fail.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use std::sync::{Arc, Mutex};

/// How often a call lets others begin before it looks for its own answer.
const CHANCES: usize = 8;

/// The header that says under which key S3 is to encrypt an object.
pub const KMS_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";

/// A call to AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// As IAM names it: `dynamodb:Query`. A transaction is noted as the actions of its parts.
    pub actions: Vec<String>,
    /// What each action reached: a table, a key, a user pool or a bucket, by its name.
    pub resources: Vec<String>,
    /// What the body says, for those who look for marked text in it.
    pub body: String,
    /// How many calls had to end before this one could start, itself included.
    pub depth: usize,
}

#[derive(Default)]
struct Log {
    calls: Vec<Call>,
    /// The greatest depth of any call that has ended.
    ended: usize,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Answered,
    /// It does not arrive; the answer is 500.
    Failed,
    /// Another transaction on one of its items was first.
    Overtaken,
    /// It arrives, and its answer does not.
    Unanswered,
    /// There is somebody to take it, whom the emulator does not have.
    Taken,
}

type Fates = Arc<dyn Fn(&Call) -> Fate + Send + Sync>;

/// Notes the calls of the clients that are made with it.
#[derive(Clone, Default)]
pub struct Recorder {
    log: Arc<Mutex<Log>>,
    fates: Option<Fates>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}

impl Recorder {
    /// Answers 500 to the calls that the test picks.
    pub fn failing(fails: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        Self::fated(move |call| {
            if fails(call) {
                Fate::Failed
            } else {
                Fate::Answered
            }
        })
    }

    /// The test says what becomes of each call.
    pub fn fated(fate: impl Fn(&Call) -> Fate + Send + Sync + 'static) -> Self {
        Self {
            fates: Some(Arc::new(fate)),
            ..Self::default()
        }
    }

    pub fn client(&self) -> SharedHttpClient {
        let inner = shared::aws::http_client().unwrap();
        SharedHttpClient::new(Recording {
            inner,
            recorder: self.clone(),
        })
    }

    /// Forgets what was noted.
    pub fn reset(&self) {
        *self.log.lock().unwrap() = Log::default();
    }

    pub fn calls(&self) -> Vec<Call> {
        self.log.lock().unwrap().calls.clone()
    }

    /// The longest chain of calls that waited for each other.
    pub fn depth(&self) -> usize {
        self.calls()
            .iter()
            .map(|call| call.depth)
            .max()
            .unwrap_or(0)
    }

    /// The actions of all calls, sorted.
    pub fn actions(&self) -> Vec<String> {
        let mut actions: Vec<_> = self
            .calls()
            .into_iter()
            .flat_map(|call| call.actions)
            .collect();
        actions.sort();
        actions.dedup();
        actions
    }
}

#[derive(Debug)]
struct Recording {
    inner: SharedHttpClient,
    recorder: Recorder,
}

impl HttpClient for Recording {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            inner: self.inner.http_connector(settings, components),
            recorder: self.recorder.clone(),
        })
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    recorder: Recorder,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request
            .body()
            .bytes()
            .map(String::from_utf8_lossy)
            .unwrap_or_default();
        let (actions, resources) = uses(&request, &body).into_iter().unzip();
        let call = {
            let mut log = self.recorder.log.lock().unwrap();
            let call = Call {
                actions,
                resources,
                body: body.into_owned(),
                depth: log.ended + 1,
            };
            log.calls.push(call.clone());
            call
        };
        let fates = self.recorder.fates.as_ref();
        let fate = fates.map_or(Fate::Answered, |fate| fate(&call));
        let said = match fate {
            Fate::Answered | Fate::Unanswered => None,
            Fate::Taken => Some((200, "")),
            Fate::Failed => Some((
                500,
                r#"{"__type":"InternalServerError","message":"CANARY-OF-AWS"}"#,
            )),
            Fate::Overtaken => Some((
                400,
                r#"{"__type":"TransactionCanceledException","message":"CANARY-OF-AWS",
                    "CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict"}]}"#,
            )),
        };
        if let Some((status, body)) = said {
            let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            return HttpConnectorFuture::ready(Ok(response));
        }
        let answer = self.inner.call(request);
        let log = Arc::clone(&self.recorder.log);
        HttpConnectorFuture::new(async move {
            // Calls that start together count as such, however fast the first of them is answered.
            for _ in 0..CHANCES {
                tokio::task::yield_now().await;
            }
            let answer = answer.await;
            if fate == Fate::Unanswered {
                return std::future::pending().await;
            }
            let mut log = log.lock().unwrap();
            log.ended = log.ended.max(call.depth);
            answer
        })
    }
}

/// The IAM actions of a request and what each reaches: of a JSON protocol by its target, of SES by its
/// path, of S3 by its method.
fn uses(request: &HttpRequest, body: &str) -> Vec<(String, String)> {
    let Some(target) = request.headers().get("x-amz-target") else {
        if request.uri().ends_with("/v2/email/outbound-emails") {
            let mail: Value = serde_json::from_str(body).unwrap();
            let sender = mail["FromEmailAddress"].as_str().unwrap().to_owned();
            return vec![("ses:SendEmail".to_owned(), sender)];
        }
        if request.uri().contains("/@connections/") {
            let api = request.uri().split('/').nth(5).unwrap_or_default();
            return vec![("execute-api:ManageConnections".to_owned(), api.to_owned())];
        }
        let bucket = request.uri().split('/').nth(3).unwrap_or_default();
        let action = match request.method() {
            "GET" => "s3:GetObject",
            "PUT" => "s3:PutObject",
            "DELETE" => "s3:DeleteObject",
            other => return vec![(format!("s3:{other}"), bucket.to_owned())],
        };
        // S3 asks for a data key with the caller's permission.
        let key = request.headers().get(KMS_KEY);
        let key = key.map(|key| ("kms:GenerateDataKey".to_owned(), key.to_owned()));
        return [(action.to_owned(), bucket.to_owned())]
            .into_iter()
            .chain(key)
            .collect();
    };
    let (service, operation) = target.split_once('.').unwrap();
    let service = match service {
        "DynamoDB_20120810" => "dynamodb",
        "TrentService" => "kms",
        "AWSCognitoIdentityProviderService" => "cognito-idp",
        other => other,
    };
    let body: Value = serde_json::from_str(body).unwrap();
    let action = format!("{service}:{operation}");
    if let Some(tables) = body["RequestItems"].as_object() {
        let tables = tables.keys();
        return tables
            .map(|table| (action.clone(), table.clone()))
            .collect();
    }
    let Some(parts) = body["TransactItems"].as_array() else {
        let resource = ["TableName", "KeyId", "UserPoolId"]
            .iter()
            .find_map(|name| body[*name].as_str())
            .unwrap_or_default();
        return vec![(action, resource.to_owned())];
    };
    let parts = parts.iter().flat_map(|part| part.as_object().unwrap());
    parts
        .map(|(verb, part)| {
            let action = match verb.as_str() {
                "Put" => "dynamodb:PutItem",
                "Update" => "dynamodb:UpdateItem",
                "Delete" => "dynamodb:DeleteItem",
                "Get" => "dynamodb:GetItem",
                _ => "dynamodb:ConditionCheckItem",
            };
            let table = part["TableName"].as_str().unwrap();
            (action.to_owned(), table.to_owned())
        })
        .collect()
}
