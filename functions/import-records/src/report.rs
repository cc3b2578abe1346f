//! What came of a file: the report that its sender reads, and how far a long import has come.
//! Ids of resources are in it, values never: it lies in the bucket, and nothing of it is logged.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::Fault;
use shared::fhir::{self, FileError};
use shared::store::Change;
use std::collections::BTreeMap;

/// Resources of one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    new: usize,
    changed: usize,
    unchanged: usize,
    unstored: usize,
    /// Medications that are stored as part of the prescriptions that refer to them.
    #[serde(default, skip_serializing_if = "is_zero")]
    attached: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A resource that was not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unstored {
    /// The entry's index in the Bundle from 0, or the line's number from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
    resource_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    reason: String,
}

/// Why a resource that could be read was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// More than a row of DynamoDB holds.
    TooLarge,
    /// Somebody or something else has the id, and no identifier tells the two apart.
    IdOfAnother,
    /// No file has brought the patient yet, or two patients go by that name.
    PatientUnknown,
    /// Longer than a number that anybody could be asked for.
    NumberTooLong,
    /// Another system gave the same medical record number to a patient of its own.
    NumberOfAnotherSystem,
    /// The medical record number is that of somebody else.
    ContradictsKnownPatient,
}

impl Refusal {
    const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too large",
            Self::IdOfAnother => "another has the same id, and no identifier tells them apart",
            Self::PatientUnknown => "the patient is not in the portal, or not the only one",
            Self::NumberTooLong => "the medical record number is too long",
            Self::NumberOfAnotherSystem => {
                "another system gave the medical record number to another patient"
            }
            Self::ContradictsKnownPatient => "contradicts-known-patient",
        }
    }
}

/// Where an import goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Rows of the directory that are done: practitioners, organizations, locations.
    pub(crate) directory: usize,
    /// Patients that are done.
    pub(crate) patients: usize,
    /// Entries of the next patient that are done.
    pub(crate) entries: usize,
}

/// How far an import has come, and what it did so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) started: Timestamp,
    pub(crate) round: u32,
    /// Of the file that the rest is about.
    etag: String,
    pub(crate) at: Position,
    counts: BTreeMap<String, Counts>,
    unstored: Vec<Unstored>,
}

impl Progress {
    pub(crate) fn at(started: Timestamp) -> Self {
        Self {
            started,
            round: 1,
            etag: String::new(),
            at: Position::default(),
            counts: BTreeMap::new(),
            unstored: Vec::new(),
        }
    }

    /// Goes on with a file, from its beginning if it is another than before.
    pub(crate) fn of(self, etag: String) -> Self {
        if self.etag == etag {
            return self;
        }
        Self {
            etag,
            round: self.round,
            ..Self::at(self.started)
        }
    }

    pub(crate) fn count(&mut self, resource_type: &str, change: Change) {
        let counts = self.counts.entry(resource_type.to_owned()).or_default();
        match change {
            Change::New => counts.new += 1,
            Change::Changed => counts.changed += 1,
            Change::Unchanged => counts.unchanged += 1,
        }
    }

    pub(crate) fn refuse(&mut self, resource_type: &str, id: &str, refusal: Refusal) {
        self.counts
            .entry(resource_type.to_owned())
            .or_default()
            .unstored += 1;
        self.unstored.push(Unstored {
            position: None,
            resource_type: resource_type.to_owned(),
            id: Some(id.to_owned()),
            reason: refusal.as_str().to_owned(),
        });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Everything is stored but what `unstored` lists.
    Complete,
    /// Another round goes on.
    Continued,
    /// Nothing is stored, or not everything; `reason` says why.
    Failed,
}

/// Why an import failed: a word that stays the same, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Why {
    code: &'static str,
    text: String,
}

impl Why {
    pub(crate) fn new(code: &'static str, text: &str) -> Self {
        Self {
            code,
            text: text.to_owned(),
        }
    }

    pub(crate) fn refused(error: FileError) -> Self {
        Self {
            code: error.code(),
            text: error.to_string(),
        }
    }

    /// Lambda tries again; what is left after that waits in the queue of failures.
    pub(crate) fn fault(fault: Fault) -> Self {
        Self {
            code: "fault",
            text: fault.to_string(),
        }
    }
}

/// The report of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// What the audit log calls the file.
    file: String,
    pub(crate) state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Why>,
    started: Timestamp,
    pub(crate) finished: Option<Timestamp>,
    rounds: u32,
    /// Patients whose part of the file is done.
    patients: usize,
    /// By resource type; every resource of the file is counted once when the state is complete.
    counts: BTreeMap<String, Counts>,
    unstored: Vec<Unstored>,
}

impl Report {
    pub(crate) fn new(file: &str, progress: &Progress) -> Self {
        Self {
            file: file.to_owned(),
            state: State::Failed,
            reason: None,
            started: progress.started,
            finished: None,
            rounds: progress.round,
            patients: 0,
            counts: BTreeMap::new(),
            unstored: Vec::new(),
        }
    }

    /// Tells what the plan left out and what the import has done so far.
    pub(crate) fn tell(&mut self, planned: &fhir::File<'_>, progress: &Progress) {
        self.patients = progress.at.patients;
        self.counts.clone_from(&progress.counts);
        for (resource_type, count) in &planned.counts {
            let counts = self.counts.entry((*resource_type).to_owned()).or_default();
            counts.unstored += count.unstored;
            if *resource_type == "Medication" {
                counts.attached = count.stored;
            }
        }
        let planned = planned.unstored.iter().map(|unstored| Unstored {
            position: Some(unstored.position),
            resource_type: unstored.resource_type.to_owned(),
            id: unstored.id.clone(),
            reason: unstored.reason.to_string(),
        });
        self.unstored = planned.chain(progress.unstored.iter().cloned()).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_of_the_file_is_begun_anew() {
        let mut progress = Progress::at(Timestamp::UNIX_EPOCH).of("one".to_owned());
        progress.at.patients = 3;
        progress.round = 2;
        progress.count("Observation", Change::New);
        let read: Progress =
            serde_json::from_str(&serde_json::to_string(&progress).unwrap()).unwrap();
        assert_eq!(read, progress);
        assert_eq!(read.clone().of("one".to_owned()), read);

        let anew = read.of("two".to_owned());
        assert_eq!((anew.at, anew.round), (Position::default(), 2));
        assert!(anew.counts.is_empty());
    }
}
