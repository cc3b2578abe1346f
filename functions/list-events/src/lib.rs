//! Tells the caller what happened after the last event that they know.

use shared::Fault;
use shared::access::{OwnAccount, Unproven};
use shared::api::events::{Events, ListEvents, Since, Told};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::{Channels, EVENTS_AT_ONCE};

struct Handler {
    channels: Channels,
}

impl Read<ListEvents> for Handler {
    async fn read(
        &self,
        _: &Unproven<OwnAccount>,
        Since { account, after }: Since,
    ) -> Result<Sealed<Events>, Problem> {
        let answer = match after {
            None => Events {
                events: Vec::new(),
                last: self.channels.last(account).await?,
                more: false,
                gap: false,
            },
            Some(after) => {
                let page = self.channels.events(account, after).await?;
                answer(after, page.events, page.last)
            }
        };
        Ok(Sealed::unkeyed(move |_| Ok(answer)))
    }
}

/// Events are numbered one by one: where a number is missing, it was forgotten.
fn answer(after: u64, events: Vec<Told>, last: u64) -> Events {
    let follow = events
        .iter()
        .zip(after.saturating_add(1)..)
        .all(|(told, expected)| told.sequence == expected);
    if !follow || (events.is_empty() && last != after) {
        return Events {
            events: Vec::new(),
            last,
            more: false,
            gap: true,
        };
    }
    Events {
        last: events.last().map_or(after, |told| told.sequence),
        more: events.len() == usize::from(EVENTS_AT_ONCE),
        gap: false,
        events,
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListEvents>(
        aws,
        Handler {
            channels: Channels::new(aws)?,
        },
    )
}
