//! The mails of a local stack: the emulator takes them and sends them to nobody, so `up` prints them.
use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use tokio::time::sleep;

use crate::aws::{Aws, Method};

/// How often it looks for new ones.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Answer {
    messages: HashMap<String, Vec<Mail>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mail {
    to: Vec<String>,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    body_text: String,
}

/// What was printed, or was there before: so many mails of each account.
pub struct Mailbox<'a> {
    aws: &'a Aws,
    seen: HashMap<String, usize>,
}

impl<'a> Mailbox<'a> {
    /// What it holds already is not told.
    pub async fn open(aws: &'a Aws) -> Result<Self> {
        let mut mailbox = Self {
            aws,
            seen: HashMap::new(),
        };
        mailbox.arrived().await?;
        Ok(mailbox)
    }

    /// Prints every mail that comes. An emulator that is too busy to tell is asked again.
    pub async fn print(mut self) -> Result<()> {
        loop {
            sleep(PAUSE).await;
            for mail in self.arrived().await.unwrap_or_default() {
                println!("{}", letter(&mail));
            }
        }
    }

    async fn arrived(&mut self) -> Result<Vec<Mail>> {
        let asked = self.aws.plain(Method::GET, "/_ministack/ses/messages");
        let text = asked.send().await?.error_for_status()?.bytes().await?;
        let answer: Answer = serde_json::from_slice(&text).context("the emulator's mails")?;
        Ok(self.unseen(answer))
    }

    fn unseen(&mut self, answer: Answer) -> Vec<Mail> {
        let mut new = Vec::new();
        for (account, mails) in answer.messages {
            let seen = self.seen.entry(account).or_default();
            let total = mails.len();
            new.extend(mails.into_iter().skip(*seen));
            *seen = total;
        }
        new
    }
}

fn letter(mail: &Mail) -> String {
    let body = mail.body_text.trim().replace('\n', "\n    ");
    format!(
        "\n  Mail to {}: {}\n\n    {body}",
        mail.to.join(", "),
        mail.subject
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tells_of_each_mail_once() {
        let aws = Aws::new("http://127.0.0.1:1").unwrap();
        let mut mailbox = Mailbox {
            aws: &aws,
            seen: HashMap::new(),
        };
        let mail = |subject: &str| json!({"To": ["a@example.org"], "Subject": subject, "BodyText": "One\nTwo\n", "Type": "SendEmail"});
        let mut after = |mails: &[serde_json::Value]| {
            let answer = serde_json::from_value(json!({"messages": {"000000000000": mails}}));
            let new = mailbox.unseen(answer.unwrap());
            new.iter().map(letter).collect::<Vec<_>>()
        };
        let first = "\n  Mail to a@example.org: First\n\n    One\n    Two";
        assert_eq!(after(&[mail("First")]), [first]);
        assert_eq!(after(&[mail("First")]), [""; 0]);
        let second = first.replace("First", "Second");
        assert_eq!(after(&[mail("First"), mail("Second")]), [second]);
    }
}
