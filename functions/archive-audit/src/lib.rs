//! Takes what the audit table's stream tells into the archive: objects that nobody can change, and the
//! same lines in a log group. However often and in whatever order a batch comes, each of its events is
//! archived once.
//!
//! The object comes first, and only one invocation can put the one that continues a chain. What is left
//! to do after it (log group, what is known, the end) is done again by whoever finds the object there,
//! so that an invocation may end anywhere.

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::Fault;
use shared::api::audit_archive::ARCHIVE_AUDIT;
use shared::audit::archive::{Archive, AuditLog, Ends, Mark, object_key};
use shared::audit::chain::{CHAINS, Change, Head, INSERT, Line, changes, follow, later, link};
use shared::audit::{Audit, Outcome, Record};
use shared::aws::Aws;
use shared::event::{Handle, Handled, events};
use shared::serve::Service;
use shared::telemetry;
use std::collections::BTreeSet;
use uuid::Uuid;

struct Handler {
    archive: Archive,
    ends: Ends,
    log: AuditLog,
    audit: Audit,
}

impl Handle for Handler {
    /// A record of every run would be one more for the next run, without end.
    const LEAVES_RECORD: bool = false;

    async fn handle(&self, event: Value, _: &mut Record) -> Result<Handled, Fault> {
        let changes = changes(&event)?;
        // Whatever comes of archiving it: nobody may do that.
        if changes.iter().any(|change| !change.is_insert()) {
            telemetry::count(ARCHIVE_AUDIT.id, "RecordsTampered");
        }
        let mut chains = vec![Vec::new(); usize::from(CHAINS)];
        for change in changes {
            if let Some(chain) = chains.get_mut(usize::from(change.chain)) {
                chain.push(change);
            }
        }
        let chains = (0..CHAINS).zip(chains).filter(|(_, new)| !new.is_empty());
        let archived = chains.map(async |(chain, new)| {
            let positions: Vec<_> = new.iter().map(|one| one.position.clone()).collect();
            (self.archive(chain, new).await, positions)
        });
        let mut failures = Vec::new();
        for (archived, positions) in join_all(archived).await {
            if let Err(fault) = archived {
                tracing::error!(%fault, "audit records wait to be archived");
                telemetry::count(ARCHIVE_AUDIT.id, "RecordsNotArchived");
                let positions = positions.into_iter();
                failures.extend(positions.map(|position| json!({"itemIdentifier": position})));
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
    /// Continues a chain with what it does not have yet.
    async fn archive(&self, chain: u8, mut new: Vec<Change>) -> Result<(), Fault> {
        // In this order: what was known when the chain had come so far is known now.
        let mut head = self.ends.head(Mark::Chain(chain)).await?;
        let seconds = new.iter().map(Change::created).collect();
        let mut known = self.ends.known(chain, seconds).await?;
        new.retain(|change| known.insert(change.event.clone()));
        while !new.is_empty() {
            let at = later(&head, Timestamp::now());
            let (lines, end) = link(&head, chain, at, &new);
            let key = object_key(chain, head.sequence + 1);
            let text = lines.iter().map(|line| format!("{}\n", line.text));
            if self.archive.put(&key, text.collect()).await? {
                return self.finish(chain, &lines, &end, false).await;
            }
            // Another invocation was here first, or this one was and its answer was lost.
            let object = self.archive.get(&key).await?;
            let found = object.and_then(|object| follow(&head, chain, &object));
            let (lines, end) = found.ok_or(Fault::Corrupt("an object of the audit archive"))?;
            self.finish(chain, &lines, &end, true).await?;
            let there: BTreeSet<_> = lines
                .iter()
                .filter_map(|line| line.body.as_ref())
                .map(|body| body.event.as_str())
                .collect();
            new.retain(|change| !there.contains(change.event.as_str()));
            head = end;
        }
        Ok(())
    }

    /// Does what is left to do once an object is there. Its end is noted last: whatever ends before that
    /// is done again.
    async fn finish(
        &self,
        chain: u8,
        lines: &[Line],
        end: &Head,
        is_found: bool,
    ) -> Result<(), Fault> {
        for line in lines {
            self.tell(line).await?;
        }
        let mut missing: Vec<&Line> = lines.iter().collect();
        if is_found {
            let there = self.log.get(chain, end.at, end.at).await?;
            let there: BTreeSet<_> = there.into_iter().map(|(_, text)| text).collect();
            missing.retain(|line| !there.contains(&line.text));
        }
        self.log.put(chain, end.at, &missing).await?;
        self.ends.note(chain, lines).await?;
        self.ends.advance(Mark::Chain(chain), end).await
    }

    /// A record that was changed or removed is itself put on record, once: the event says its id and time.
    async fn tell(&self, line: &Line) -> Result<(), Fault> {
        let Some(body) = line.body.as_ref().filter(|body| body.kind != INSERT) else {
            return Ok(());
        };
        let at = Timestamp::from_millisecond(body.at).map_err(|_| Fault::Defect("a time"))?;
        let mut record = Record::begin(&ARCHIVE_AUDIT);
        record.id = Uuid::new_v5(&Uuid::NAMESPACE_OID, body.event.as_bytes());
        record.at = at;
        record.resource = line.record().map(str::to_owned);
        record.reason = Some("audit-tampered");
        self.audit.write(&record).await?;
        Ok(())
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    events(
        aws,
        &ARCHIVE_AUDIT,
        Handler {
            archive: Archive::new(aws)?,
            ends: Ends::new(aws)?,
            log: AuditLog::new(aws)?,
            audit: Audit::new(aws)?,
        },
    )
}
