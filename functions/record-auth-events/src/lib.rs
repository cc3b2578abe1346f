//! Cognito's user activity, which it exports through CloudWatch Logs: every attempt to sign in, to change
//! a password or to reset one becomes an audit record, good or bad (45 CFR 164.308(a)(5)(ii)(C)).

mod attempts;
mod delivery;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use shared::Fault;
use shared::api::account::RECORD_AUTH_EVENTS;
use shared::audit::{Audit, Outcome, Record};
use shared::aws::Aws;
use shared::event::{Handle, Handled, events};
use shared::serve::Service;
use shared::telemetry;

/// How many records are on their way at a time.
const AT_ONCE: usize = 16;

struct Handler {
    audit: Audit,
}

impl Handle for Handler {
    /// What there is to say stands in the attempts' own records.
    const LEAVES_RECORD: bool = false;

    /// Each record's id and time are those of what it tells of: what comes twice is recorded once. If
    /// one cannot be written, the whole delivery fails and comes again.
    async fn handle(&self, event: Value, run: &mut Record) -> Result<Handled, Fault> {
        let lines = delivery::lines(&event)?;
        let mut records = Vec::new();
        let mut unreadable = 0;
        for line in &lines {
            let read = attempts::record(&line.message, run);
            unreadable += usize::from(read.is_none());
            records.push(match read {
                Some(record) => record,
                None => line.unreadable(run)?,
            });
        }
        let recorded = records.len();
        let writes = records
            .into_iter()
            .map(|record| async move { self.audit.write(&record).await });
        stream::iter(writes)
            .buffer_unordered(AT_ONCE)
            .try_for_each(async |_| Ok(()))
            .await?;
        for _ in 0..unreadable {
            telemetry::count(RECORD_AUTH_EVENTS.id, "AttemptsUnreadable");
        }
        Ok(Handled {
            answer: json!({"recorded": recorded, "unreadable": unreadable}),
            writes: Vec::new(),
            outcome: match unreadable {
                0 => Outcome::Success,
                _ => Outcome::Invalid,
            },
            reason: None,
        })
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    let audit = Audit::new(aws)?;
    events(aws, &RECORD_AUTH_EVENTS, Handler { audit })
}
