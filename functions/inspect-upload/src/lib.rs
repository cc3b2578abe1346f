//! Looks at what came into quarantine. What is what it was announced to be, and does nothing but show
//! something, is kept; what is not goes, and the patient is told why.
//!
//! ```text
//! notification -> claim -> bytes and their checksum -> child process -> documents bucket -> row -> quarantine emptied
//! ```
//!
//! What was looked at is written anew and kept, whatever is at the key by then. An event that comes
//! twice finds the upload settled, or taken by another inspection; whatever came in behind a settled
//! upload is removed. An inspection that dies lets go of its upload: the same event takes it again.

mod child;
mod notification;
mod pdf;
mod picture;

pub use child::{is_child, run_child};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use child::Inspector;
use jiff::Timestamp;
use serde_json::Value;
use shared::api::documents::{INSPECT_UPLOAD, MAX_FILE, Rejection};
use shared::audit::{Outcome, Record};
use shared::aws::{Aws, Resource};
use shared::event::{Handle, Handled, events};
use shared::ids::{DocumentId, PatientId};
use shared::serve::Service;
use shared::store::{
    Claim, Claimed, DocumentFiles, Documents, KeptFile, Opened, Quarantine, Write, file_key,
};
use shared::{Fault, Reason};
use std::path::PathBuf;

struct Handler {
    documents: Documents,
    quarantine: Quarantine,
    files: DocumentFiles,
    inspector: Inspector,
    kms_key: String,
}

impl Handle for Handler {
    async fn handle(&self, event: Value, record: &mut Record) -> Result<Handled, Fault> {
        let Some((patient, document)) = notification::upload(&event) else {
            return Ok(handled(Vec::new(), Some("not-a-notification")));
        };
        record.patient = Some(patient);
        record.resource = Some(document.to_string());
        let now = Timestamp::now();
        let claim = self
            .documents
            .claim(patient, document, &record.request_id, now);
        let claimed = match claim.await? {
            Claim::Taken(claimed) => claimed,
            Claim::Settled => return Ok(handled(Vec::new(), Some("settled"))),
            // Lambda sends the event again; by then the other has ended, or died.
            Claim::Busy => {
                return Err(Fault::Unavailable {
                    service: "another inspection",
                    reason: Reason::Conflict,
                });
            }
        };
        let verdict = self.inspect(patient, document, &claimed).await?;
        let reason = verdict.as_ref().err().copied().map(Rejection::as_str);
        let write =
            self.documents
                .settle(patient, document, &claimed, verdict, Timestamp::now())?;
        Ok(handled(vec![write], reason))
    }

    /// Empties the quarantine. Nothing that is there by now is of use: the upload is settled.
    async fn tidy(&self, event: &Value) -> Result<(), Fault> {
        match notification::upload(event) {
            Some((patient, document)) => self.quarantine.remove(&file_key(patient, document)).await,
            None => Ok(()),
        }
    }
}

fn handled(writes: Vec<Write>, reason: Option<&'static str>) -> Handled {
    Handled {
        answer: Value::Null,
        writes,
        outcome: match reason {
            None => Outcome::Success,
            Some(_) => Outcome::Invalid,
        },
        reason,
    }
}

impl Handler {
    /// Judges a file, and keeps what it is anew if it passes: what that is.
    async fn inspect(
        &self,
        patient: PatientId,
        document: DocumentId,
        claimed: &Claimed,
    ) -> Result<Result<KeptFile, Rejection>, Fault> {
        let key = file_key(patient, document);
        let limit = usize::try_from(MAX_FILE).unwrap_or(usize::MAX);
        let bytes = match self.quarantine.read(&key, limit).await? {
            Opened::Bytes { bytes, .. } => bytes,
            Opened::TooLarge => return Ok(Err(Rejection::Altered)),
            Opened::Gone => return Ok(Err(Rejection::NotInspected)),
        };
        // S3 held the upload to both; nothing else stands between the patient's file and this one.
        if bytes.len() as u64 != claimed.size || sha256(&bytes) != claimed.sha256 {
            return Ok(Err(Rejection::Altered));
        }
        let content_type = claimed.content_type;
        let bytes = match self.inspector.inspect(content_type, &bytes).await? {
            Ok(anew) => anew,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let kept = KeptFile {
            size: bytes.len() as u64,
            sha256: sha256(&bytes),
        };
        let extension = content_type.extension();
        self.files
            .put(&key, content_type.as_str(), extension, &self.kms_key, bytes)
            .await?;
        Ok(Ok(kept))
    }
}

fn sha256(bytes: &[u8]) -> String {
    STANDARD.encode(digest::digest(&digest::SHA256, bytes))
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    child::close_to_others()
        .map_err(|_| Fault::Misconfigured("the process cannot be closed to others"))?;
    let program = std::env::current_exe()
        .map_err(|_| Fault::Misconfigured("the program does not know where it is"))?;
    service_by(aws, program)
}

/// The same with another program that is a child when it is asked to be one.
pub fn service_by(aws: &Aws, program: PathBuf) -> Result<Service, Fault> {
    let handler = Handler {
        documents: Documents::new(aws)?,
        quarantine: Quarantine::new(aws)?,
        files: DocumentFiles::new(aws)?,
        inspector: Inspector::of(program),
        kms_key: aws.name(Resource::DataKey)?,
    };
    events(aws, &INSPECT_UPLOAD, handler)
}
