//! The audit's archive: what it stands in, what the audit table's stream would tell, and ways to tamper.

use super::Stack;
use super::function::Function;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::aws::Resource;
use std::collections::{BTreeMap, HashMap};
use xtask::aws::Method;
use xtask::verify_audit::Names;

/// Makes bucket and log group.
pub async fn create(root: &xtask::aws::Aws, unique: &str, names: &mut HashMap<Resource, String>) {
    let bucket = format!("{unique}-audit");
    let create = root.request("s3", Method::PUT, &format!("/{bucket}"));
    let create = create.header("x-amz-bucket-object-lock-enabled", "true");
    assert!(create.send().await.unwrap().status().is_success());
    let lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>\
                <DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule>\
                </ObjectLockConfiguration>";
    let path = format!("/{bucket}?object-lock");
    let locked = root.request("s3", Method::PUT, &path).body(lock).send();
    assert!(locked.await.unwrap().status().is_success());
    names.insert(Resource::AuditArchive, bucket);
    let group = format!("/{unique}/audit");
    logs(root, "CreateLogGroup", json!({"logGroupName": group})).await;
    names.insert(Resource::AuditLogGroup, group);
}

async fn logs(root: &xtask::aws::Aws, operation: &str, body: Value) -> Value {
    let target = format!("Logs_20140328.{operation}");
    let answer = root.call("logs", &target, &body).await.unwrap();
    answer.ok().unwrap()
}

/// What the stream tells of a row.
pub fn told(kind: &str, row: &Value, former: Option<&Value>) -> Value {
    let id = row["id"]["S"].as_str().unwrap();
    let at: Timestamp = row["at"]["S"].as_str().unwrap().parse().unwrap();
    let mut event = json!({
        "eventID": format!("{kind}-{id}"),
        "eventName": kind,
        "dynamodb": {
            "ApproximateCreationDateTime": at.as_second(),
            "Keys": {"pk": row["pk"], "sk": row["sk"]},
            "SequenceNumber": id,
        },
    });
    if kind != "REMOVE" {
        event["dynamodb"]["NewImage"] = row.clone();
    }
    if let Some(former) = former {
        event["dynamodb"]["OldImage"] = former.clone();
    }
    event
}

pub fn batch(events: &[Value]) -> Value {
    json!({"Records": events})
}

impl Stack {
    /// What the stream would tell of every record that there is, oldest first.
    pub async fn told(&self) -> Vec<Value> {
        let mut rows = self.scan(Resource::AuditTable).await;
        rows.sort_by_key(|row| row["sk"]["S"].as_str().unwrap().to_owned());
        rows.iter().map(|row| told("INSERT", row, None)).collect()
    }

    /// Archives events; all of them are taken.
    pub async fn archive(&self, events: &[Value]) {
        let function = Function::new(self, "archive-audit");
        let answer = function.handle(batch(events)).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }

    pub async fn seal(&self) {
        let function = Function::new(self, "seal-audit");
        function.handle(json!({})).await.unwrap();
    }

    pub fn of_the_archive(&self) -> Names {
        let name = |resource| self.names[&resource].clone();
        Names {
            table: name(Resource::AuditTable),
            archive: name(Resource::AuditArchive),
            log_group: name(Resource::AuditLogGroup),
            signing_key: name(Resource::SigningKey),
        }
    }

    /// What the command says of everything, a line for each finding, and how many records are whole.
    pub async fn findings(&self) -> Vec<String> {
        let walked = xtask::verify_audit::online(&self.root, &self.of_the_archive()).await;
        let findings = walked.unwrap().findings;
        findings.iter().map(ToString::to_string).collect()
    }

    /// Every object of the archive.
    pub async fn archived(&self) -> BTreeMap<String, String> {
        let bucket = &self.names[&Resource::AuditArchive];
        let list = self
            .root
            .request("s3", Method::GET, &format!("/{bucket}?list-type=2"));
        let xml = list.send().await.unwrap().text().await.unwrap();
        let mut objects = BTreeMap::new();
        for rest in xml.split("<Key>").skip(1) {
            let (key, _) = rest.split_once("</Key>").unwrap();
            let get = self
                .root
                .request("s3", Method::GET, &format!("/{bucket}/{key}"));
            let text = get.send().await.unwrap().text().await.unwrap();
            objects.insert(key.to_owned(), text);
        }
        objects
    }

    /// Puts something else in an object's place, or removes it, as somebody could who has taken the
    /// bucket's policy away.
    pub async fn forge(&self, key: &str, text: Option<&str>) {
        let bucket = &self.names[&Resource::AuditArchive];
        match text {
            Some(text) => {
                let text = text.as_bytes().to_vec();
                self.root.put_object(bucket, key, text).await.unwrap();
            }
            None => {
                let path = format!("/{bucket}/{key}");
                let delete = self.root.request("s3", Method::DELETE, &path).send().await;
                assert!(delete.unwrap().status().is_success());
            }
        }
    }

    /// What the log group has of a chain.
    pub async fn logged(&self, chain: u8) -> Vec<(i64, String)> {
        let group = &self.names[&Resource::AuditLogGroup];
        let asked = json!({
            "logGroupName": group, "logStreamName": format!("chain-{chain}"), "startFromHead": true,
        });
        let answer = logs(&self.root, "GetLogEvents", asked).await;
        let events = answer["events"].as_array().unwrap().iter();
        let events = events.map(|event| {
            let text = event["message"].as_str().unwrap().to_owned();
            (event["timestamp"].as_i64().unwrap(), text)
        });
        events.collect()
    }

    /// Writes a chain's stream anew, as the account's owner could.
    pub async fn relog(&self, chain: u8, events: &[(i64, String)]) {
        let group = &self.names[&Resource::AuditLogGroup];
        let stream = json!({"logGroupName": group, "logStreamName": format!("chain-{chain}")});
        logs(&self.root, "DeleteLogStream", stream.clone()).await;
        logs(&self.root, "CreateLogStream", stream.clone()).await;
        let mut put = stream;
        let events = events.iter();
        let events = events.map(|(at, text)| json!({"timestamp": at, "message": text}));
        put["logEvents"] = events.collect();
        logs(&self.root, "PutLogEvents", put).await;
    }
}
