//! The local deployment: the first, one that changes nothing, and one after a restart.
use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use xtask::aws::Aws;
use xtask::emulator::Emulator;
use xtask::gate::{Config, Gate};
use xtask::home::Home;
use xtask::stack::{self, Deployed};

use crate::browser::Browser;

const ANN: &str = "ann@example.com";
const PASSWORD: &str = "Correct horse battery 7!";
/// The origin of an app that is not there.
const APP: &str = "http://127.0.0.1:9";

#[tokio::test]
async fn deploys_once_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path()).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("local/fixture");
    let template = fixture.join("template.yaml");
    let built = stack::adopt(&home, &fixture.join("bootstrap")).unwrap();

    let emulator = Emulator::start(&home, None, APP).await.unwrap();
    let aws = Aws::new(emulator.endpoint()).unwrap();
    let first = stack::deploy(&home, &aws, &built, &template, APP)
        .await
        .unwrap();
    assert!(first.changed);
    let firewall = (
        "Firewall".to_owned(),
        "AWS::WAFv2::WebACLAssociation".to_owned(),
    );
    assert_eq!(first.left_out, [firewall]);

    let again = stack::deploy(&home, &aws, &built, &template, APP)
        .await
        .unwrap();
    assert!(!again.changed);
    assert_eq!(again.outputs, first.outputs);

    let table = first.output("TableName").unwrap();
    let thing = json!({"TableName": table, "Item": {"pk": {"S": "a"}}});
    let put = aws
        .call("dynamodb", "DynamoDB_20120810.PutItem", &thing)
        .await
        .unwrap();
    assert!(put.is_ok());
    let invited = json!({"UserPoolId": first.output("UserPoolId").unwrap(), "Username": ANN,
        "TemporaryPassword": PASSWORD, "MessageAction": "SUPPRESS"});
    assert!(
        aws.cognito("AdminCreateUser", &invited)
            .await
            .unwrap()
            .is_ok()
    );
    let password = json!({"UserPoolId": first.output("UserPoolId").unwrap(), "Username": ANN,
        "Password": PASSWORD, "Permanent": true});
    assert!(
        aws.cognito("AdminSetUserPassword", &password)
            .await
            .unwrap()
            .is_ok()
    );

    let browser = front_door(&aws, &first).await;
    let (codes, tokens) = browser.enrol(ANN, PASSWORD).await;
    let token = tokens.text("/AuthenticationResult/AccessToken");
    reads_a_thing(&browser, &token, table).await;
    emulator.stop().await.unwrap();

    let emulator = Emulator::start(&home, None, APP).await.unwrap();
    let aws = Aws::new(emulator.endpoint()).unwrap();
    let later = stack::deploy(&home, &aws, &built, &template, APP)
        .await
        .unwrap();
    assert!(
        !later.changed,
        "what was deployed before the restart is still there"
    );
    assert_eq!(later.outputs, first.outputs);
    let things = aws
        .call(
            "dynamodb",
            "DynamoDB_20120810.Scan",
            &json!({"TableName": table}),
        )
        .await;
    assert_eq!(things.unwrap().body["Count"], 1);
    let browser = front_door(&aws, &later).await;
    let session = browser.password(ANN, PASSWORD).await.session();
    let tokens = browser.code(ANN, &session, &codes.current).await;
    let token = tokens.text("/AuthenticationResult/AccessToken");
    reads_a_thing(&browser, &token, table).await;
    emulator.stop().await.unwrap();
}

async fn front_door(aws: &Aws, deployed: &Deployed) -> Browser {
    let output = |name| deployed.output(name).unwrap().to_owned();
    let config = Config {
        emulator: aws.endpoint().to_owned(),
        user_pool_id: output("UserPoolId"),
        user_pool_client_id: output("UserPoolClientId"),
        api_id: output("ApiId"),
        stage: "v1".into(),
        sign_in_logs: output("SignInLogGroup"),
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let door = format!("http://{}", listener.local_addr().unwrap());
    let browser = Browser::at(&door, &config.user_pool_id, &config.user_pool_client_id);
    tokio::spawn(Gate::new(config).unwrap().serve(listener));
    browser
}

/// The whole way: front door, authorizer, the function that the handler names, and its environment.
async fn reads_a_thing(browser: &Browser, token: &str, table: &str) {
    let thing = format!("{}/v1/things/a%20b?fields=all", browser.door);
    let without = browser.http.get(&thing).send().await.unwrap();
    assert_eq!(without.status(), 401);
    let response = browser
        .http
        .get(&thing)
        .header("authorization", format!("Bearer {token}"));
    let response = response
        .header("origin", "http://elsewhere.example")
        .header("x-forwarded-for", "203.0.113.9")
        .header("forwarded", "for=203.0.113.9")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert!(
        !response
            .headers()
            .contains_key("access-control-allow-origin")
    );
    let answer: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(answer["operation"], "read-thing");
    assert_eq!(answer["table"], table);
    assert_eq!(answer["path"], "/v1/things/a b");
    assert_eq!(answer["query"]["fields"], "all");
    assert!(answer["user"].is_string());
    assert_eq!(answer["from"], "127.0.0.1");
}

#[tokio::test]
async fn a_failed_deployment_says_why_and_leaves_room_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path()).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("local/fixture");
    let built = stack::adopt(&home, &fixture.join("bootstrap")).unwrap();
    let emulator = Emulator::start(&home, None, APP).await.unwrap();
    let aws = Aws::new(emulator.endpoint()).unwrap();

    let broken = folder.path().join("broken.yaml");
    let text = "Resources:\n  Topic: {Type: AWS::SNS::Topic}\n  None: {Type: AWS::Nothing::Here}\n";
    std::fs::write(&broken, text).unwrap();
    let failed = stack::deploy(&home, &aws, &built, &broken, APP).await;
    let message = format!("{:#}", failed.err().unwrap());
    assert!(message.contains("AWS::Nothing::Here"), "{message}");

    let template = fixture.join("template.yaml");
    let first = stack::deploy(&home, &aws, &built, &template, APP)
        .await
        .unwrap();
    let failed = stack::deploy(&home, &aws, &built, &broken, APP).await;
    assert!(failed.is_err());
    let later = stack::deploy(&home, &aws, &built, &template, APP)
        .await
        .unwrap();
    assert_eq!(
        later.outputs.get("UserPoolId"),
        first.outputs.get("UserPoolId")
    );
    emulator.stop().await.unwrap();
}
