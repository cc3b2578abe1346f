//! Attempts to sign in, as Cognito exports them, in the audit log: each once, good or bad, whatever
//! becomes of a delivery.

use crate::harness::Stack;
use crate::harness::function::Function;
use crate::harness::recorder::Recorder;
use crate::harness::request::With;
use crate::harness::root;
use crate::harness::world::World;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::aws::Resource;
use shared::ids::AccountId;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use uuid::Uuid;

pub const RECORD: &str = "record-auth-events";

/// What the log group delivers: these lines, each with an id and a time of its own.
fn delivery(kind: &str, lines: &[String]) -> Value {
    let events: Vec<_> = lines
        .iter()
        .zip(0..)
        .map(|(line, n)| json!({"id": format!("{n:056}"), "timestamp": 1_795_305_600_000_i64 + n, "message": line}))
        .collect();
    let text = json!({
        "messageType": kind,
        "owner": "123456789012",
        "logGroup": "/portal/portal/sign-ins",
        "logStream": "sample",
        "subscriptionFilters": ["attempts"],
        "logEvents": events,
    });
    let mut zip = GzEncoder::new(Vec::new(), Compression::default());
    zip.write_all(text.to_string().as_bytes()).unwrap();
    json!({"awslogs": {"data": STANDARD.encode(zip.finish().unwrap())}})
}

pub fn delivered(lines: &[String]) -> Value {
    delivery("DATA_MESSAGE", lines)
}

/// The attempt of the sample event, as Cognito writes it.
fn sample() -> Value {
    let file = std::fs::read(root().join("events/record-auth-events.json")).unwrap();
    let event: Value = serde_json::from_slice(&file).unwrap();
    let zipped = STANDARD.decode(event["awslogs"]["data"].as_str().unwrap());
    let mut text = String::new();
    let mut unzipped = GzDecoder::new(zipped.as_deref().unwrap());
    unzipped.read_to_string(&mut text).unwrap();
    let delivery: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_str(delivery["logEvents"][0]["message"].as_str().unwrap()).unwrap()
}

/// A line that tells of a new attempt by somebody, now, with some of it told otherwise.
pub fn attempt(account: Option<AccountId>, message: &Value) -> String {
    let mut event = sample();
    event["eventTimestamp"] = Timestamp::now().as_millisecond().to_string().into();
    let told = &mut event["message"];
    told["eventId"] = Uuid::new_v4().to_string().into();
    let sub = account.map_or_else(String::new, |account| account.to_string());
    told["userSub"] = sub.as_str().into();
    told["userName"] = sub.into();
    for (name, value) in message.as_object().unwrap() {
        told[name] = value.clone();
    }
    event.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_is_found_by_whoever_looks_for_it() {
    let world = World::new().await;
    let by = Some(world.account);
    let lines = [
        attempt(by, &json!({})),
        attempt(
            by,
            &json!({"challenges": ["Password:Success", "Mfa:Failure"], "riskLevel": "High"}),
        ),
        attempt(by, &json!({"eventResponse": "Pass", "riskLevel": ""})),
        attempt(
            None,
            &json!({"userName": "CANARY typed as a name", "ipAddress": "2001:DB8::7"}),
        ),
    ];
    let before = world.stack.audit().await;
    let function = Function::new(&world.stack, RECORD);
    let answer = function.handle(delivered(&lines)).await.unwrap();
    assert_eq!(answer, json!({"recorded": 4, "unreadable": 0}));

    let mut new = world.stack.records_since(&before).await;
    assert_eq!(new.len(), 4);
    assert!(!json!(new).to_string().contains("CANARY"));
    for record in &new {
        assert_eq!(record["operation"], RECORD);
        assert_eq!(record["action"], "account.attempt");
        assert_eq!(record["via"], "service");
        assert_eq!(record["resource"], "sign-in");
        let line = lines
            .iter()
            .find(|line| line.contains(record["id"].as_str().unwrap()));
        let event: Value = serde_json::from_str(line.unwrap()).unwrap();
        let at: Timestamp = record["at"].as_str().unwrap().parse().unwrap();
        assert_eq!(event["eventTimestamp"], at.as_millisecond().to_string());
    }
    // Nobody's is with the portal's own.
    let nobody = new
        .iter()
        .position(|record| record["actor"].is_null())
        .unwrap();
    let nobody = new.remove(nobody);
    assert!(nobody["pk"].as_str().unwrap().starts_with("PORTAL#"));
    assert_eq!(
        (&nobody["outcome"], &nobody["source_ip"]),
        (&json!("denied"), &json!("2001:db8::7"))
    );

    // The privacy officer finds what failed, by whose account it was.
    let asked = json!({"actor": world.account, "action": "account.attempt", "outcome": "denied"});
    let found = world
        .done("search-audit", world.by_officer().json(&asked))
        .await;
    let mut why: Vec<_> = found["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap().to_owned();
            [
                text("reason"),
                text("risk"),
                text("source_ip"),
                text("user_agent"),
            ]
        })
        .collect();
    why.sort();
    let device = ["192.0.2.20".to_owned(), "Firefox 144, Linux".to_owned()];
    let told = |reason: &str, risk: &str| {
        [
            reason.to_owned(),
            risk.to_owned(),
            device[0].clone(),
            device[1].clone(),
        ]
    };
    assert_eq!(
        why,
        [
            told("wrong-password", "medium"),
            told("wrong-second-factor", "high")
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_twice_is_recorded_once() {
    let stack = Stack::new().await;
    let account = Some(AccountId::new(Uuid::new_v4()));
    let begun = json!({"eventResponse": "InProgress", "challenges": ["Password:Success"]});
    let mut lines = vec![
        attempt(account, &begun),
        attempt(account, &json!({})),
        "torn {".to_owned(),
    ];
    // How it ended, told by the same id and of the same instant.
    lines.push(lines[0].replace("InProgress", "Fail"));
    let function = Function::new(&stack, RECORD);
    for _ in 0..2 {
        function.handle(delivered(&lines)).await.unwrap();
    }
    // Together with others, too.
    let later = [lines[1].clone(), attempt(account, &json!({}))];
    function.handle(delivered(&later)).await.unwrap();
    let records = stack.audit().await;
    assert_eq!(records.len(), 5, "{records:#?}");
    let with = |name: &str, value: &str| records.iter().filter(|one| one[name] == value).count();
    assert_eq!(
        (with("outcome", "success"), with("reason", "continued")),
        (1, 1)
    );
    assert_eq!(
        (with("outcome", "denied"), with("outcome", "invalid")),
        (3, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_fails_the_delivery_which_comes_again() {
    let stack = Stack::new().await;
    let lines: Vec<_> = (0..40).map(|_| attempt(None, &json!({}))).collect();
    let table = stack.names[&Resource::AuditTable].clone();
    let calls = AtomicUsize::new(0);
    // The table takes some of the records, and then no more.
    let failing = Recorder::failing(move |call| {
        call.resources.contains(&table) && calls.fetch_add(1, Ordering::Relaxed) >= 20
    });
    let function = Function::recorded(&stack, RECORD, failing);
    function.handle(delivered(&lines)).await.unwrap_err();
    let some = stack.audit().await.len();
    assert!((1..40).contains(&some), "{some}");
    let function = Function::new(&stack, RECORD);
    function.handle(delivered(&lines)).await.unwrap();
    let records = stack.audit().await;
    assert_eq!(records.len(), 40);
    for line in &lines {
        assert!(
            records
                .iter()
                .any(|one| line.contains(one["id"].as_str().unwrap()))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_itself_recorded() {
    let stack = Stack::new().await;
    let lines = [
        "CANARY {".to_owned(),
        attempt(None, &json!({"eventResponse": "CANARY"})),
        attempt(None, &json!({})),
    ];
    let function = Function::new(&stack, RECORD);
    let answer = function.handle(delivered(&lines)).await.unwrap();
    assert_eq!(answer, json!({"recorded": 3, "unreadable": 2}));
    let mut records = stack.audit().await;
    assert!(!json!(records).to_string().contains("CANARY"));
    records.retain(|record| record["reason"] == "unreadable");
    assert_eq!(records.len(), 2);
    for record in &records {
        assert_eq!(record["outcome"], "invalid");
        // When the line came, which is how to find it in the log group.
        assert!(
            record["at"]
                .as_str()
                .unwrap()
                .starts_with("2026-11-22T00:00:00"),
            "{record}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_without_attempts_records_none_and_a_torn_one_fails() {
    let stack = Stack::new().await;
    let function = Function::new(&stack, RECORD);
    let control = delivery(
        "CONTROL_MESSAGE",
        &["CWL CONTROL MESSAGE: Checking health".to_owned()],
    );
    let answer = function.handle(control).await.unwrap();
    assert_eq!(answer, json!({"recorded": 0, "unreadable": 0}));
    let mut torn = delivered(&[attempt(None, &json!({}))]);
    let data = torn["awslogs"]["data"].as_str().unwrap().to_owned();
    torn["awslogs"]["data"] = data[..data.len() / 8 * 4].into();
    for event in [
        torn,
        json!({}),
        json!(null),
        json!({"awslogs": {"data": "?"}}),
    ] {
        function.handle(event).await.unwrap_err();
    }
    assert_eq!(stack.audit().await, Vec::<Value>::new());
}
