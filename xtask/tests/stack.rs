//! The local deployment against a real emulator: first, again, and after a restart.
use std::path::Path;

use serde_json::{Value, json};
use xtask::aws::Aws;
use xtask::emulator::Emulator;
use xtask::home::Home;
use xtask::stack;

#[tokio::test]
async fn deploys_once_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path()).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stack");
    let template = fixture.join("template.yaml");
    let built = stack::adopt(&home, &fixture.join("bootstrap")).unwrap();

    let emulator = Emulator::start(&home, None).await.unwrap();
    let aws = Aws::new(emulator.endpoint()).unwrap();
    let first = stack::deploy(&home, &aws, &built, &template).await.unwrap();
    assert!(first.changed);
    let firewall = (
        "Firewall".to_owned(),
        "AWS::WAFv2::WebACLAssociation".to_owned(),
    );
    assert_eq!(first.left_out, [firewall]);

    let again = stack::deploy(&home, &aws, &built, &template).await.unwrap();
    assert!(!again.changed);
    assert_eq!(again.outputs, first.outputs);

    put_thing(&aws, first.output("TableName").unwrap()).await;
    emulator.stop().await.unwrap();
    let emulator = Emulator::start(&home, None).await.unwrap();
    let aws = Aws::new(emulator.endpoint()).unwrap();
    let later = stack::deploy(&home, &aws, &built, &template).await.unwrap();
    assert!(
        !later.changed,
        "what was deployed before the restart is still there"
    );
    assert_eq!(later.outputs, first.outputs);
    assert_eq!(things(&aws, first.output("TableName").unwrap()).await, 1);
    emulator.stop().await.unwrap();
}

async fn put_thing(aws: &Aws, table: &str) {
    let body = json!({"TableName": table, "Item": {"pk": {"S": "a"}}});
    aws.call("dynamodb", "DynamoDB_20120810.PutItem", &body)
        .await
        .unwrap()
        .ok()
        .unwrap();
}

async fn things(aws: &Aws, table: &str) -> u64 {
    let body = json!({"TableName": table});
    let answer = aws
        .call("dynamodb", "DynamoDB_20120810.Scan", &body)
        .await
        .unwrap();
    answer
        .ok()
        .unwrap()
        .get("Count")
        .and_then(Value::as_u64)
        .unwrap()
}
