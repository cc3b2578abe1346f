//! Tells those of what changed in the tables who may hear of it: first it is written behind their last
//! event, then posted over their channels. Whoever has none, or one that just opened, finds it there.

mod changes;
mod posts;

use aws_sdk_dynamodb::types::TransactWriteItem;
use changes::Change;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use posts::Posts;
use serde_json::{Value, json};
use shared::Fault;
use shared::access::Role;
use shared::api::events::{DELIVER_EVENTS, Event, Told};
use shared::api::message_keys::Party;
use shared::audit::{Outcome, Record};
use shared::aws::Aws;
use shared::event::{Handle, Handled, events};
use shared::serve::Service;
use shared::store::{AccountRow, Audience, Channels, Notices};
use shared::telemetry;

struct Handler {
    audience: Audience,
    channels: Channels,
    posts: Posts,
    notices: Notices,
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
        let notice = self.notice(row, change, now)?;
        let sequence = self
            .channels
            .append(row.account, source, event, notice, now)
            .await?;
        let told = Told {
            sequence,
            event: event.clone(),
        };
        // Only now: who connects after this has the event in the list.
        let connections = self.channels.connections(row.account, now).await?;
        self.posts.post(row, connections, &told).await
    }

    /// What becomes of the notice outside the app. The practice looks into its inbox; patients and
    /// proxies hear of what somebody else wrote, unless they read on before it is due.
    fn notice(
        &self,
        row: &AccountRow,
        change: &Change,
        now: Timestamp,
    ) -> Result<Option<TransactWriteItem>, Fault> {
        let account = row.account;
        match &change.event {
            Event::MessageNew { patient, thread }
                if row.role == Role::Patient && change.sender != Some(account) =>
            {
                let notice = self.notices.expect(account, *patient, *thread, now);
                notice.map(Some)
            }
            Event::MessageRead { thread, party, .. } if *party == Party::Account(account) => {
                self.notices.forget(account, *thread, now).map(Some)
            }
            _ => Ok(None),
        }
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
            notices: Notices::new(aws)?,
        },
    )
}
