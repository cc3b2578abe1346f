//! Forgets a connection that is over. API Gateway tells of it as well as it can; those of which it does
//! not are forgotten when something cannot be posted to them, or when their time is over.

use serde_json::{Value, json};
use shared::Fault;
use shared::api::channels::DISCONNECT_CHANNEL;
use shared::audit::{Outcome, Record};
use shared::aws::Aws;
use shared::event::{Handle, Handled, events};
use shared::serve::Service;
use shared::store::Channels;

struct Handler {
    channels: Channels,
}

impl Handle for Handler {
    async fn handle(&self, event: Value, record: &mut Record) -> Result<Handled, Fault> {
        let connection = event
            .pointer("/requestContext/connectionId")
            .and_then(Value::as_str)
            .ok_or(Fault::Corrupt("an event without a connection"))?;
        record.resource = Some(connection.to_owned());
        record.actor = self.channels.account_of(connection).await?;
        let writes = match record.actor {
            Some(account) => self.channels.close(account, connection)?,
            None => Vec::new(),
        };
        Ok(Handled {
            answer: json!({"statusCode": 200}),
            writes,
            outcome: Outcome::Success,
            reason: None,
        })
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    events(
        aws,
        &DISCONNECT_CHANNEL,
        Handler {
            channels: Channels::new(aws)?,
        },
    )
}
