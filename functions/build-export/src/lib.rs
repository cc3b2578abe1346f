//! Makes the copy of a record that somebody asked for.
//!
//! ```text
//! notification -> begin -> record -> bundle (appointment, patient), page -> html, pdf -> manifest -> bucket -> ready
//! ```
//!
//! It may be begun again at any time: each try has files of its own, and the row says which try counts.
//! A copy is whole or there is none: what cannot be read ends it as failed, never with a gap.

mod appointment;
mod bundle;
mod html;
mod manifest;
mod notification;
mod page;
mod patient;
mod pdf;
mod record;
mod references;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use manifest::Manifest;
use page::Page;
use serde_json::Value;
use shared::Fault;
use shared::api::exports::{BUILD_EXPORT, Failure, File, FileMade, Format, Step};
use shared::api::profile::Profile;
use shared::audit::{Outcome, Record};
use shared::aws::Aws;
use shared::event::{Handle, Handled, events};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{Begun, Directory, Exports, ExportsBucket, Made, WholeRecord};
use shared::telemetry;

struct Handler {
    exports: Exports,
    bucket: ExportsBucket,
    record: WholeRecord,
    directory: Directory,
    practice: Practice,
}

/// What ends a making without files.
enum Stop {
    /// Another try would end the same.
    Failed(Failure),
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Handle for Handler {
    async fn handle(&self, event: Value, record: &mut Record) -> Result<Handled, Fault> {
        let Some((patient, id)) = notification::read(&event) else {
            return Ok(done(Outcome::Invalid, Some("not-a-request"), Vec::new()));
        };
        record.patient = Some(patient);
        record.resource = Some(id.to_string());
        let Some(begun) = self.exports.begin(patient, id, Timestamp::now()).await? else {
            return Ok(done(Outcome::Success, Some("ignored"), Vec::new()));
        };
        let failure = match self.make(&begun).await {
            Ok(files) => {
                let write = self.finish(&begun, &Made::Files(files))?;
                return Ok(done(Outcome::Success, None, vec![write]));
            }
            Err(Stop::Failed(failure)) => failure,
            Err(Stop::Fault(fault @ Fault::Unavailable { .. })) if !begun.is_last() => {
                return Err(fault);
            }
            Err(Stop::Fault(fault)) => {
                tracing::error!(request_id = %record.request_id, %fault, "an export failed");
                match fault {
                    Fault::Corrupt(_) => Failure::Unreadable,
                    _ => Failure::OutOfOrder,
                }
            }
        };
        telemetry::count(BUILD_EXPORT.id, "ExportsFailed");
        let write = self.finish(&begun, &Made::Failed(failure))?;
        Ok(done(Outcome::Failure, Some(failure.as_str()), vec![write]))
    }
}

const fn done(
    outcome: Outcome,
    reason: Option<&'static str>,
    writes: Vec<shared::store::Write>,
) -> Handled {
    Handled {
        answer: Value::Null,
        writes,
        outcome,
        reason,
    }
}

impl Handler {
    fn finish(&self, begun: &Begun, made: &Made) -> Result<shared::store::Write, Fault> {
        self.exports.finish(begun, made, Timestamp::now())
    }

    async fn make(&self, begun: &Begun) -> Result<Vec<FileMade>, Stop> {
        let now = Timestamp::now();
        let opener = self.record.opener(begun).await?;
        let profile = Profile::open(begun.patient, &opener)?;
        let record = record::read(self, begun, &opener).await?;
        self.exports
            .progress(begun, Step::Writing, record.len())
            .await?;

        let mut manifest = Manifest::new(begun, &profile, &record, now);
        let wants = |format| begun.wanted.formats.wants(format);
        let mut files = Vec::new();
        if wants(Format::Fhir) {
            let patient = patient::resource(&profile, &opener)?;
            let bundle = bundle::make(self, begun, &record, patient, now).await?;
            manifest.tell_bundle(&bundle);
            files.push(self.store(begun, File::Fhir, bundle.json).await?);
        }
        if wants(Format::Html) || wants(Format::Pdf) {
            let page = Page::of(&profile, record);
            if wants(Format::Pdf) {
                let pdf = pdf::make(&page, &manifest.remarks(), manifest.made_at())?;
                manifest.tell_pdf(&pdf);
                files.push(self.store(begun, File::Pdf, pdf.bytes).await?);
            }
            if wants(Format::Html) {
                let html = html::make(&page, &manifest);
                files.push(self.store(begun, File::Html, html).await?);
            }
        }
        let json = manifest.json(&files)?;
        files.push(self.store(begun, File::Manifest, json).await?);
        Ok(files)
    }

    async fn store(&self, begun: &Begun, file: File, bytes: Vec<u8>) -> Result<FileMade, Fault> {
        let made = FileMade {
            file,
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            sha256: HEXLOWER.encode(digest(&SHA256, &bytes).as_ref()),
        };
        self.bucket.put(begun, file, bytes).await?;
        Ok(made)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    let handler = Handler {
        exports: Exports::new(aws)?,
        bucket: ExportsBucket::new(aws)?,
        record: WholeRecord::new(aws)?,
        directory: Directory::new(aws)?,
        practice: aws.practice().clone(),
    };
    events(aws, &BUILD_EXPORT, handler)
}
