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
use std::collections::BTreeSet;
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
    /// Which rows of a table each action was about, as IAM's conditions know it.
    pub rows: Vec<Rows>,
    /// What the body says, for those who look for marked text in it.
    pub body: String,
    /// How many calls had to end before this one could start, itself included.
    pub depth: usize,
    /// What the SDK calls it by; the same when it is tried again.
    invocation: String,
    /// Whether it was tried again, because the answer was a fault or did not come in time.
    pub is_retried: bool,
}

/// What a condition on rows of DynamoDB goes by; nothing for other services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// `dynamodb:LeadingKeys`
    pub partitions: BTreeSet<String>,
    /// `dynamodb:Attributes`, of writes.
    pub attributes: BTreeSet<String>,
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
    /// It is a transaction, and DynamoDB gives this code for one of its items.
    Cancelled(&'static str),
    /// It arrives, and its answer does not.
    Unanswered,
    /// It does not arrive; this is the answer.
    Told(u16, &'static str),
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

    /// Refuses the calls that the test picks, as IAM would: nothing is tried again.
    pub fn refusing(refuses: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        const DENIED: &str = r#"{"__type":"AccessDeniedException","message":"CANARY-OF-AWS"}"#;
        Self::fated(move |call| {
            if refuses(call) {
                Fate::Told(400, DENIED)
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
        let (mut actions, mut resources, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for (action, resource, about) in uses(&request, &body) {
            actions.push(action);
            resources.push(resource);
            rows.push(about);
        }
        let invocation = request.headers().get("amz-sdk-invocation-id");
        let invocation = invocation.unwrap_or_default().to_owned();
        let call = {
            let mut log = self.recorder.log.lock().unwrap();
            let mut earlier = log.calls.iter();
            let earlier = earlier.find(|call| call.invocation == invocation);
            let call = Call {
                actions,
                resources,
                rows,
                body: body.into_owned(),
                depth: earlier.map_or(log.ended + 1, |call| call.depth),
                is_retried: earlier.is_some(),
                invocation,
            };
            log.calls.push(call.clone());
            call
        };
        let fates = self.recorder.fates.as_ref();
        let fate = fates.map_or(Fate::Answered, |fate| fate(&call));
        let said = match fate {
            Fate::Answered | Fate::Unanswered => None,
            Fate::Told(status, body) => Some((status, body.to_owned())),
            Fate::Taken => Some((200, String::new())),
            Fate::Failed => Some((
                500,
                r#"{"__type":"InternalServerError","message":"CANARY-OF-AWS"}"#.to_owned(),
            )),
            Fate::Cancelled(code) => Some((
                400,
                format!(
                    r#"{{"__type":"TransactionCanceledException","message":"CANARY-OF-AWS",
                        "CancellationReasons":[{{"Code":"None"}},{{"Code":"{code}"}}]}}"#
                ),
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
/// path, of SNS by its form, of S3 by its method.
fn uses(request: &HttpRequest, body: &str) -> Vec<(String, String, Rows)> {
    let Some(target) = request.headers().get("x-amz-target") else {
        if request.uri().ends_with("/v2/email/outbound-emails") {
            let mail: Value = serde_json::from_str(body).unwrap();
            let sender = mail["FromEmailAddress"].as_str().unwrap().to_owned();
            return vec![("ses:SendEmail".to_owned(), sender, Rows::default())];
        }
        if let Some((_, topic)) = body.split_once("&TopicArn=") {
            let topic = topic.split('&').next().unwrap().replace("%3A", ":");
            return vec![("sns:Publish".to_owned(), topic, Rows::default())];
        }
        if body.starts_with("Action=Publish&") {
            // The number that a text message comes from is the only one in an attribute.
            let sender = body.split_once("StringValue=%2B").unwrap().1;
            let sender = sender.split('&').next().unwrap();
            return vec![(
                "sns:Publish".to_owned(),
                format!("+{sender}"),
                Rows::default(),
            )];
        }
        if request.uri().contains("/@connections/") {
            let api = request.uri().split('/').nth(5).unwrap_or_default();
            let action = "execute-api:ManageConnections".to_owned();
            return vec![(action, api.to_owned(), Rows::default())];
        }
        let bucket = request.uri().split(['/', '?']).nth(3).unwrap_or_default();
        let action = match request.method() {
            "GET" if request.uri().contains("list-type=2") => "s3:ListBucket",
            "GET" => "s3:GetObject",
            "PUT" => "s3:PutObject",
            "DELETE" => "s3:DeleteObject",
            other => return vec![(format!("s3:{other}"), bucket.to_owned(), Rows::default())],
        };
        // S3 asks for a data key with the caller's permission.
        let key = request.headers().get(KMS_KEY);
        let key = key.map(|key| ("kms:GenerateDataKey".to_owned(), key.to_owned()));
        return [(action.to_owned(), bucket.to_owned())]
            .into_iter()
            .chain(key)
            .map(|(action, resource)| (action, resource, Rows::default()))
            .collect();
    };
    let (service, operation) = target.split_once('.').unwrap();
    let service = match service {
        "DynamoDB_20120810" => "dynamodb",
        "TrentService" => "kms",
        "AWSCognitoIdentityProviderService" => "cognito-idp",
        "Logs_20140328" => "logs",
        other => other,
    };
    let body: Value = serde_json::from_str(body).unwrap();
    let action = format!("{service}:{operation}");
    if let Some(tables) = body["RequestItems"].as_object() {
        return tables
            .iter()
            .map(|(table, asked)| (action.clone(), table.clone(), batch(asked)))
            .collect();
    }
    let Some(parts) = body["TransactItems"].as_array() else {
        let resource = ["TableName", "KeyId", "UserPoolId", "logGroupName"]
            .iter()
            .find_map(|name| body[*name].as_str())
            .unwrap_or_default();
        let rows = if service == "dynamodb" {
            rows(&body)
        } else {
            Rows::default()
        };
        return vec![(action, resource.to_owned(), rows)];
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
            (action.to_owned(), table.to_owned(), rows(part))
        })
        .collect()
}

/// The rows of one table that a batch writes or reads.
fn batch(asked: &Value) -> Rows {
    let mut all = Rows::default();
    let reads = asked["Keys"].as_array().into_iter().flatten();
    let writes = asked.as_array().into_iter().flatten().map(|one| {
        let put = &one["PutRequest"]["Item"];
        if put.is_null() {
            &one["DeleteRequest"]["Key"]
        } else {
            put
        }
    });
    for item in reads.chain(writes) {
        all.partitions.extend(partition(item));
        all.attributes.extend(names_of(item));
    }
    all
}

/// The row that a part of a transaction, or a call of one row, is about; of a query its partition.
fn rows(part: &Value) -> Rows {
    let mut about = Rows::default();
    for item in [&part["Item"], &part["Key"]] {
        about.partitions.extend(partition(item));
        about.attributes.extend(names_of(item));
    }
    for expression in ["UpdateExpression", "ConditionExpression"] {
        let expression = part[expression].as_str().unwrap_or_default();
        about.attributes.extend(names_in(expression, part));
    }
    // The SDK's callers write a query's partition first.
    let query = part["KeyConditionExpression"].as_str().unwrap_or_default();
    let value = query.split_whitespace().nth(2);
    let value = value.and_then(|name| part["ExpressionAttributeValues"][name]["S"].as_str());
    about.partitions.extend(value.map(str::to_owned));
    about
}

fn partition(item: &Value) -> Option<String> {
    item["pk"]["S"].as_str().map(str::to_owned)
}

fn names_of(item: &Value) -> impl Iterator<Item = String> {
    item.as_object()
        .into_iter()
        .flat_map(|item| item.keys().cloned())
}

/// The attributes that an expression names.
fn names_in(expression: &str, part: &Value) -> Vec<String> {
    const WORDS: [&str; 15] = [
        "SET",
        "ADD",
        "REMOVE",
        "DELETE",
        "AND",
        "OR",
        "NOT",
        "IN",
        "BETWEEN",
        "attribute_exists",
        "attribute_not_exists",
        "begins_with",
        "if_not_exists",
        "contains",
        "size",
    ];
    let is_part = |c: char| c.is_alphanumeric() || "_#:.".contains(c);
    let words = expression.split(|c| !is_part(c));
    let names = words.filter(|word| {
        !word.is_empty()
            && !word.starts_with(':')
            && !word.starts_with(|c: char| c.is_numeric())
            && !WORDS.contains(word)
    });
    names
        .map(|name| {
            let name = name.split('.').next().unwrap_or_default();
            let named = part["ExpressionAttributeNames"][name].as_str();
            named.unwrap_or(name).to_owned()
        })
        .collect()
}
