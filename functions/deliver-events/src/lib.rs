//! Tells those of what changed in the tables who may hear of it: first it is written behind their last
//! event, then posted over their channels. Whoever has none, or one that just opened, finds it there.

mod changes;
mod posts;

use changes::Change;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use posts::Posts;
use serde_json::{Value, json};
use shared::Fault;
use shared::api::events::{DELIVER_EVENTS, Told};
use shared::audit::{Outcome, Record};
use shared::aws::Aws;
use shared::event::{Handle, Handled, events};
use shared::serve::Service;
use shared::store::{AccountRow, Audience, Channels};
use shared::telemetry;

struct Handler {
    audience: Audience,
    channels: Channels,
    posts: Posts,
}

impl Handle for Handler {
    /// Changes are told in the order that they have. Where one cannot be told, Lambda brings it and what
    /// is behind it again.
    async fn handle(&self, event: Value, _: &mut Record) -> Result<Handled, Fault> {
        let mut failures = Vec::new();
        for (at, change) in changes::read(&event).iter().enumerate() {
            match self.tell(change).await {
                Ok(()) => {}
                Err(fault) if at == 0 => return Err(fault),
                Err(fault) => {
                    tracing::error!(%fault, "an event waits");
                    telemetry::count(DELIVER_EVENTS.id, "EventsDelayed");
                    failures.push(json!({"itemIdentifier": change.position}));
                    break;
                }
            }
        }
        Ok(Handled {
            reason: (!failures.is_empty()).then_some("continued"),
            answer: json!({"batchItemFailures": failures}),
            writes: Vec::new(),
            outcome: Outcome::Success,
        })
    }
}

impl Handler {
    async fn tell(&self, change: &Change) -> Result<(), Fault> {
        let now = Timestamp::now();
        let audience = self.audience.of(&change.event, &change.results, now);
        let audience = audience.await?;
        let told = audience.iter().map(|row| self.tell_one(row, change, now));
        try_join_all(told).await?;
        Ok(())
    }

    async fn tell_one(
        &self,
        row: &AccountRow,
        change: &Change,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let (source, event) = (&change.source, &change.event);
        let sequence = self
            .channels
            .append(row.account, source, event, now)
            .await?;
        let told = Told {
            sequence,
            event: event.clone(),
        };
        // Only now: who connects after this has the event in the list.
        let connections = self.channels.connections(row.account, now).await?;
        self.posts.post(row, connections, &told).await
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    events(
        aws,
        &DELIVER_EVENTS,
        Handler {
            audience: Audience::new(aws)?,
            channels: Channels::new(aws)?,
            posts: Posts::new(aws)?,
        },
    )
}
