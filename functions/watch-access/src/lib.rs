//! Watches over what the audit table's stream tells: counts what the rules ask for, and where a threshold
//! is reached writes an audit record, once, and raises an alarm.
//!
//! The finding is committed with its record before anybody is told of it, and it is noted when that is
//! done: an invocation may end anywhere, and the batch comes again. So there is one record of it, and at
//! least one message.

mod alarms;

use alarms::Alarms;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use shared::api::watch::WATCH_ACCESS;
use shared::audit::chain::changes;
use shared::audit::{Audit, Commit, Outcome, Record};
use shared::aws::Aws;
use shared::event::{Handle, Handled, events};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::Watches;
use shared::watch::{Counter, Rule, Seen, counted};
use shared::{Fault, telemetry};
use std::collections::{BTreeMap, BTreeSet};

/// Counters seen to at a time.
const AT_ONCE: usize = 16;

struct Handler {
    watches: Watches,
    alarms: Alarms,
    audit: Audit,
    practice: Practice,
}

/// What a batch adds to one counter, and where it stands in its shard.
#[derive(Default)]
struct Addition {
    what: BTreeSet<String>,
    positions: BTreeSet<String>,
}

impl Handle for Handler {
    /// A record of every run would be one more for the next run, without end.
    const LEAVES_RECORD: bool = false;

    async fn handle(&self, event: Value, run: &mut Record) -> Result<Handled, Fault> {
        let mut additions: BTreeMap<Counter, Addition> = BTreeMap::new();
        // What is changed or removed is the archive's to tell of.
        for change in changes(&event)?.iter().filter(|change| change.is_insert()) {
            let Some(seen) = change.record().and_then(Seen::read) else {
                // It would keep what is behind it waiting, and stay what it is.
                tracing::error!(event = %change.event, "an audit record cannot be read");
                telemetry::count(WATCH_ACCESS.id, "RecordsNotWatched");
                continue;
            };
            // Its own findings come by as well.
            if seen.operation == WATCH_ACCESS.id {
                continue;
            }
            for (counter, what) in counted(&self.practice, &seen)? {
                let addition = additions.entry(counter).or_default();
                addition.what.insert(what);
                addition.positions.insert(change.position.clone());
            }
        }
        let run = &*run;
        let mut watched = stream::iter(additions)
            .map(async |(counter, addition)| {
                let watched = self.watch(&counter, addition.what, run).await;
                (watched, addition.positions)
            })
            .buffer_unordered(AT_ONCE);
        let mut waiting = BTreeSet::new();
        while let Some((watched, positions)) = watched.next().await {
            if let Err(fault) = watched {
                tracing::error!(%fault, "audit records wait to be watched");
                telemetry::count(WATCH_ACCESS.id, "RecordsNotWatched");
                waiting.extend(positions);
            }
        }
        let failures: Vec<_> = waiting
            .iter()
            .map(|position| json!({"itemIdentifier": position}))
            .collect();
        Ok(Handled {
            reason: (!failures.is_empty()).then_some("continued"),
            answer: json!({"batchItemFailures": failures}),
            writes: Vec::new(),
            outcome: Outcome::Success,
        })
    }
}

impl Handler {
    async fn watch(
        &self,
        counter: &Counter,
        what: BTreeSet<String>,
        run: &Record,
    ) -> Result<(), Fault> {
        let threshold = self.practice.watch().threshold(counter.rule)?;
        let tally = self.watches.count(counter, what, threshold).await?;
        if tally.count < threshold || tally.is_told {
            return Ok(());
        }
        let finding = match tally.finding {
            Some(finding) => finding,
            None => {
                let record = run.regarding(counter.name(), Outcome::Success);
                let found = self.watches.find(counter, record.id)?;
                match self.audit.commit(&record, &[], vec![found]).await? {
                    Commit::Done(receipt) => receipt.record(),
                    // Another invocation found it, and tells.
                    Commit::Conflict(_) => return Ok(()),
                }
            }
        };
        // First what cannot fail: the alarm goes off where the message does not get through.
        tell(counter.rule);
        self.alarms.raise(counter, tally.count, finding).await?;
        self.watches.told(counter).await
    }
}

/// One metric for each rule, and one alarm for each metric.
fn tell(rule: Rule) {
    match rule {
        Rule::ManyPatients => telemetry::count(WATCH_ACCESS.id, "ManyPatients"),
        Rule::OutsideHours => telemetry::count(WATCH_ACCESS.id, "OutsideHours"),
        Rule::ManyDenials => telemetry::count(WATCH_ACCESS.id, "ManyDenials"),
        Rule::AccountSignIns => telemetry::count(WATCH_ACCESS.id, "AccountSignIns"),
        Rule::AddressSignIns => telemetry::count(WATCH_ACCESS.id, "AddressSignIns"),
        Rule::ManyEmergencies => telemetry::count(WATCH_ACCESS.id, "ManyEmergencies"),
        Rule::ManyExports => telemetry::count(WATCH_ACCESS.id, "ManyExports"),
        Rule::OwnRights => telemetry::count(WATCH_ACCESS.id, "OwnRights"),
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    events(
        aws,
        &WATCH_ACCESS,
        Handler {
            watches: Watches::new(aws)?,
            alarms: Alarms::new(aws)?,
            audit: Audit::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
