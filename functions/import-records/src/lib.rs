//! Imports what the record system leaves in the bucket: FHIR R4, one file at a time.
//!
//! ```text
//! notification -> round: directory -> each patient: who -> what changed -> writes -> report
//! ```
//!
//! Everything is written by what it is, not by what happened before, so a file can be imported
//! again at any time: after a failure, after a retry of Lambda's, or because it was sent twice.

mod care_team;
mod compact;
mod diff;
mod find_index;
mod notification;
mod patient;
mod references;
mod report;
mod reports;
mod round;

use jiff::Timestamp;
use notification::{Notified, Source};
use report::{Progress, Report, State};
use round::{Limits, Round};
use serde_json::Value;
use shared::Fault;
use shared::api::import::IMPORT_RECORDS;
use shared::audit::{Outcome, Record};
use shared::aws::{Aws, Resource};
use shared::event::{Handle, Handled, events};
use shared::fhir::{self, FileError};
use shared::phi::{BlindIndex, DataKeys, Term};
use shared::serve::Service;
use shared::store::{Directory, ImportBucket, Imports, Opened, Records};
use shared::telemetry;
use std::time::Duration;

/// How long a round writes before it leaves the rest to the next: Lambda ends one after 15 minutes.
const BUDGET: Duration = Duration::from_secs(12 * 60);

/// The most rounds that one file takes. Lambda stops a function that triggers itself 16 times.
const ROUNDS: u32 = 15;

/// The largest object under `continue/`: what it lists is bounded by a file's resources.
const MAX_PROGRESS_BYTES: usize = fhir::MAX_FILE_BYTES / 2;

struct Handler {
    bucket: ImportBucket,
    directory: Directory,
    imports: Imports,
    records: Records,
    keys: DataKeys,
    index: BlindIndex,
    limits: Limits,
}

/// How a round of a file ended.
enum Ended {
    Complete,
    Continued,
    /// Nothing of it can be used, or nothing more.
    Refused(&'static str),
    /// Not a file: a folder's marker, or an event about nothing.
    Ignored,
}

impl Handle for Handler {
    async fn handle(&self, event: Value, record: &mut Record) -> Result<Handled, Fault> {
        let mut ended = Ended::Ignored;
        for notified in notification::read(&event) {
            let one = match notified {
                Notified::Object(source) => self.object(&source, record).await?,
                Notified::Unreadable => Ended::Refused("not-a-notification"),
            };
            // S3 tells of one object at a time; should it ever tell of several, the worst counts.
            if !matches!(ended, Ended::Refused(_)) {
                ended = one;
            }
        }
        let (outcome, reason) = match ended {
            Ended::Complete => (Outcome::Success, None),
            Ended::Continued => (Outcome::Success, Some("continued")),
            Ended::Ignored => (Outcome::Success, Some("ignored")),
            Ended::Refused(reason) => {
                telemetry::count(IMPORT_RECORDS.id, "ImportsRefused");
                (Outcome::Invalid, Some(reason))
            }
        };
        Ok(Handled {
            answer: Value::Null,
            writes: Vec::new(),
            outcome,
            reason,
        })
    }
}

impl Handler {
    async fn object(&self, source: &Source, record: &mut Record) -> Result<Ended, Fault> {
        // File names hold patients' names: audit log and tables know them by this.
        let file = self.index.mac(Term::File(&source.name)).await?;
        record.resource = Some(file.clone());
        let before = if source.continued {
            let key = source.continue_key();
            match self.bucket.read(&key, MAX_PROGRESS_BYTES).await? {
                Opened::Bytes { bytes, .. } => match serde_json::from_slice::<Progress>(&bytes) {
                    Ok(progress) => progress,
                    Err(_) => return Ok(Ended::Refused("not-a-continuation")),
                },
                Opened::TooLarge => return Ok(Ended::Refused("not-a-continuation")),
                Opened::Gone => return Ok(Ended::Ignored),
            }
        } else {
            Progress::at(Timestamp::now())
        };
        let mut report = Report::new(&file, &before);
        let ended = self.round(source, &file, before, record, &mut report).await;
        report.state = match &ended {
            Ok(Ended::Complete) => State::Complete,
            Ok(Ended::Continued) => State::Continued,
            Ok(Ended::Ignored) => return ended,
            Ok(Ended::Refused(_)) | Err(_) => State::Failed,
        };
        if let Err(fault) = &ended {
            report.reason = Some(report::Why::fault(*fault));
        }
        report.finished = Some(Timestamp::now());
        let json = serde_json::to_vec(&report).map_err(|_| Fault::Defect("a report"))?;
        match self.bucket.write(&source.report_key(), json).await {
            // What went wrong first is what counts.
            Err(_) if ended.is_err() => ended,
            Err(fault) => Err(fault),
            Ok(()) => ended,
        }
    }

    async fn round(
        &self,
        source: &Source,
        file: &str,
        before: Progress,
        record: &Record,
        report: &mut Report,
    ) -> Result<Ended, Fault> {
        let refuse = |report: &mut Report, error: FileError| {
            report.reason = Some(report::Why::refused(error));
            Ok(Ended::Refused(error.code()))
        };
        let limits = self.limits.started();
        let (bytes, etag) = match self
            .bucket
            .read(&source.inbox_key(), fhir::MAX_FILE_BYTES)
            .await?
        {
            Opened::Bytes { bytes, etag } => (bytes, etag),
            Opened::TooLarge => return refuse(report, FileError::TooLarge),
            Opened::Gone => {
                report.reason = Some(report::Why::new("gone", "the file is no longer there"));
                return Ok(Ended::Refused("gone"));
            }
        };
        let planned = match fhir::read(&bytes, Timestamp::now()) {
            Ok(planned) => planned,
            Err(error) => return refuse(report, error),
        };
        let mut progress = before.of(etag);
        let mut round = Round::new(self, &planned, file, record, limits);
        let finished = round.run(&mut progress).await;
        report.tell(&planned, &progress);
        if finished? {
            return Ok(Ended::Complete);
        }
        if progress.round >= ROUNDS {
            report.reason = Some(report::Why::new("too-long", "it takes too many rounds"));
            return Ok(Ended::Refused("too-long"));
        }
        progress.round += 1;
        let json = serde_json::to_vec(&progress).map_err(|_| Fault::Defect("a continuation"))?;
        self.bucket.write(&source.continue_key(), json).await?;
        Ok(Ended::Continued)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    service_within(aws, BUDGET, diff::CHUNK)
}

/// The same with other limits: how long a round writes, and how many entries it writes before it
/// looks at the clock again.
pub fn service_within(aws: &Aws, budget: Duration, chunk: usize) -> Result<Service, Fault> {
    let handler = Handler {
        bucket: ImportBucket::new(aws)?,
        directory: Directory::new(aws)?,
        imports: Imports::new(aws)?,
        records: Records::new(aws)?,
        keys: DataKeys::new(aws.kms().clone(), aws.name(Resource::PhiKey)?),
        index: BlindIndex::new(aws.kms().clone(), aws.name(Resource::IndexKey)?),
        limits: Limits::new(budget, chunk),
    };
    events(aws, &IMPORT_RECORDS, handler)
}
