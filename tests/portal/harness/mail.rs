//! The mails and text messages that the emulator took.

use super::Stack;
use serde_json::{Value, json};
use shared::aws::Resource;
use xtask::aws::{Aws, Method};

/// An address that may send mail.
pub async fn sender(root: &Aws, unique: &str) -> String {
    let sender = format!("{unique}@portal.invalid");
    let identity = json!({"EmailIdentity": sender});
    let request = root.request("ses", Method::POST, "/v2/email/identities");
    let answer = request.body(identity.to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    sender
}

/// What this stack sent to an address, oldest first: subject and text.
pub async fn mails(stack: &Stack, to: &str) -> Vec<(String, String)> {
    let request = stack.root.plain(Method::GET, "/_ministack/ses/messages");
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let accounts = answer["messages"].as_object().unwrap().values();
    let mails = accounts.flat_map(|mails| mails.as_array().unwrap());
    let text = |mail: &Value, name: &str| mail[name].as_str().unwrap().to_owned();
    mails
        .filter(|mail| mail["Source"] == stack.names[&Resource::MailSender].as_str())
        .filter(|mail| mail["To"] == json!([to]))
        .map(|mail| (text(mail, "Subject"), text(mail, "BodyText")))
        .collect()
}

/// The text messages to a phone, oldest first.
pub async fn texts(stack: &Stack, number: &str) -> Vec<String> {
    let request = stack
        .root
        .plain(Method::GET, "/_ministack/sns/sms-messages");
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let mut found = Vec::new();
    sent_to(&answer, number, &mut found);
    found
}

/// The emulator orders them by account, region and number.
fn sent_to(value: &Value, number: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if fields.get("PhoneNumber").is_some_and(|to| to == number) => {
            found.push(value["Message"].as_str().unwrap().to_owned());
        }
        Value::Object(fields) => fields.values().for_each(|one| sent_to(one, number, found)),
        Value::Array(values) => values.iter().for_each(|one| sent_to(one, number, found)),
        _ => {}
    }
}

/// The code in the last mail to an address.
pub async fn last_code(stack: &Stack, to: &str) -> String {
    let (_, text) = mails(stack, to).await.pop().expect("a mail");
    let mut words = text.split([' ', '.', '\n']);
    let code = words.find(|word| word.len() == 9 && word.as_bytes()[4] == b'-');
    code.expect("a code").to_owned()
}
