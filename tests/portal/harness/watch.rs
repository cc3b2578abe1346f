//! What the watch over the audit log stands on: the topic of alarms, with somebody who listens.

use super::Stack;
use serde_json::{Value, json};
use shared::aws::Resource;
use xtask::aws::{Aws, Method};

/// A topic, and a queue that has every message to it.
pub async fn topic(root: &Aws, unique: &str) -> String {
    let name = format!("{unique}-alarms");
    let policy = json!({"Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*",
    }]});
    let create = [
        ("Action", "CreateQueue"),
        ("QueueName", &name),
        ("Attribute.1.Name", "Policy"),
        ("Attribute.1.Value", &policy.to_string()),
    ];
    query(root, "sqs", &create).await;
    let created = query(root, "sns", &[("Action", "CreateTopic"), ("Name", &name)]).await;
    let (_, topic) = created.split_once("<TopicArn>").unwrap();
    let (topic, _) = topic.split_once("</TopicArn>").unwrap();
    let queue = topic.replace(":sns:", ":sqs:");
    let subscribe = [
        ("Action", "Subscribe"),
        ("TopicArn", topic),
        ("Protocol", "sqs"),
        ("Endpoint", &queue),
    ];
    query(root, "sns", &subscribe).await;
    topic.to_owned()
}

async fn query(root: &Aws, service: &str, fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter();
    let pairs = pairs.map(|(name, value)| format!("{name}={}", encoded(value)));
    let body = pairs.collect::<Vec<_>>().join("&");
    let request = root.request(service, Method::POST, "/").body(body);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    text
}

fn encoded(value: &str) -> String {
    let bytes = value.bytes();
    let encoded = bytes.map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

impl Stack {
    /// What was published to the topic of alarms, oldest first: subject and text.
    pub async fn alarms(&self) -> Vec<(String, String)> {
        let topic = &self.names[&Resource::AlarmTopic];
        let request = self.root.plain(Method::GET, "/_ministack/sqs/messages");
        let answer = request.send().await.unwrap().bytes().await.unwrap();
        let mut found = Vec::new();
        published(&serde_json::from_slice(&answer).unwrap(), topic, &mut found);
        found
    }
}

/// The emulator orders them by account, region and queue.
fn published(value: &Value, topic: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if fields.contains_key("Body") => {
            let body: Value =
                serde_json::from_str(fields["Body"].as_str().unwrap()).unwrap_or_default();
            if body["TopicArn"] == topic {
                let text = |name: &str| body[name].as_str().unwrap().to_owned();
                found.push((text("Subject"), text("Message")));
            }
        }
        Value::Object(fields) => fields.values().for_each(|one| published(one, topic, found)),
        Value::Array(values) => values.iter().for_each(|one| published(one, topic, found)),
        _ => {}
    }
}
