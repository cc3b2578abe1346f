//! Messages to the topic of alarms. They go by mail, so they hold what a metric could hold: nothing of a
//! patient, an account or an address.

use aws_sdk_sns::Client;
use shared::Fault;
use shared::aws::{Aws, Resource, fault};
use shared::watch::Counter;
use uuid::Uuid;

pub(crate) struct Alarms {
    client: Client,
    topic: String,
}

impl Alarms {
    pub(crate) fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: Client::new(aws.config()),
            topic: aws.name(Resource::AlarmTopic)?,
        })
    }

    pub(crate) async fn raise(
        &self,
        counter: &Counter,
        count: usize,
        finding: Uuid,
    ) -> Result<(), Fault> {
        let rule = counter.rule.as_str();
        let message = format!(
            "The watch over the audit log found something unusual.\n\n\
             Rule: {rule}\n\
             Counted: {count}, from {} to {}\n\
             Audit record: {finding}\n\n\
             The record says whose it is: search the audit log for watch.finding, and follow the \
             runbook on unusual access.\n",
            counter.from, counter.until,
        );
        let published = self
            .client
            .publish()
            .topic_arn(&self.topic)
            .subject(format!("Portal: {rule}"))
            .message(message)
            .send()
            .await;
        published.map_err(|error| fault("SNS", &error))?;
        Ok(())
    }
}
