//! What is in a copy, what is not, and why: for machines (`manifest.json`) and, in words, at the end
//! of what people read.

use crate::bundle::Bundle;
use crate::page::{APPOINTMENTS, title};
use crate::pdf::Pdf;
use crate::record::{self, WholeRecord};
use jiff::Timestamp;
use serde::Serialize;
use shared::Fault;
use shared::api::appointments::Status;
use shared::api::exports::{FileMade, Wanted};
use shared::api::profile::Profile;
use shared::ids::{AccountId, ExportId, PatientId};
use shared::store::{Begun, Section};

#[derive(Serialize)]
pub(crate) struct Manifest {
    export: ExportId,
    made_at: Timestamp,
    made_by: Maker,
    /// The account that asked for it.
    requested_by: AccountId,
    patient: Patient,
    /// The forms and the days that were asked for.
    wanted: Wanted,
    sections: Vec<Counted>,
    /// Entries that the practice marked as entered in error. They are in the FHIR file alone.
    entered_in_error: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    fhir: Option<Resources>,
    /// How resources of the FHIR file differ from what the practice sent.
    differences: [&'static str; 4],
    missing: Vec<Missing>,
}

#[derive(Serialize)]
struct Maker {
    software: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Patient {
    id: PatientId,
    name: String,
    mrn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    birth_date: Option<String>,
}

#[derive(Serialize)]
struct Counted {
    section: &'static str,
    entries: usize,
    /// Outside of the days that were asked for.
    left_out: usize,
}

#[derive(Serialize)]
struct Resources {
    resources: usize,
    /// Practitioners, organizations and locations among them.
    directory: usize,
}

#[derive(Serialize)]
struct Missing {
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    why: &'static str,
}

#[derive(Serialize)]
struct WithFiles<'a> {
    #[serde(flatten)]
    manifest: &'a Manifest,
    files: &'a [FileMade],
}

impl Manifest {
    pub(crate) fn new(
        begun: &Begun,
        profile: &Profile,
        record: &WholeRecord,
        now: Timestamp,
    ) -> Self {
        let sections = Section::ALL.map(|section| Counted {
            section: title(section),
            entries: record.of(Some(section)),
            left_out: record.left_out.get(section.prefix()).copied().unwrap_or(0),
        });
        let booked = Counted {
            section: APPOINTMENTS,
            entries: record.appointments.len(),
            left_out: record
                .left_out
                .get(record::APPOINTMENTS)
                .copied()
                .unwrap_or(0),
        };
        let mut missing = vec![
            Missing {
                what: "files that were handed in through the portal".to_owned(),
                count: None,
                why: "each can be downloaded under Documents",
            },
            Missing {
                what: "messages".to_owned(),
                count: None,
                why: "nobody but those who write can read them; the app adds them on your device \
                      when you save the copy there",
            },
            Missing {
                what: "requests for refills and requests to correct the record, with their answers"
                    .to_owned(),
                count: None,
                why: "Prescriptions and Corrections show them",
            },
            Missing {
                what: "bills, claims and insurance".to_owned(),
                count: None,
                why: "the portal does not hold them; the practice's billing office does",
            },
        ];
        let left_out: usize = record.left_out.values().sum();
        if left_out > 0 {
            missing.push(Missing {
                what: "entries of other days".to_owned(),
                count: Some(left_out),
                why: "only these days were asked for",
            });
        }
        if record.held > 0 {
            missing.push(Missing {
                what: "laboratory results that are held".to_owned(),
                count: Some(record.held),
                why: "your care team keeps them back for a time; Lab results says until when",
            });
        }
        let mut appointments = record.appointments.iter();
        if appointments.any(|detail| detail.appointment.status == Status::Completed) {
            missing.push(Missing {
                what: "notes that providers wrote for each other about appointments".to_owned(),
                count: None,
                why: "the practice gives them out when you ask for them",
            });
        }
        if !record.complete {
            missing.push(Missing {
                what: "entries that have not arrived yet".to_owned(),
                count: None,
                why: "the practice was still sending the record; ask again tomorrow",
            });
        }
        Self {
            export: begun.id,
            made_at: now,
            made_by: Maker {
                software: "patient portal",
                version: env!("CARGO_PKG_VERSION"),
            },
            requested_by: begun.requested_by,
            patient: Patient {
                id: begun.patient,
                name: profile.name.clone(),
                mrn: profile.mrn.clone(),
                birth_date: profile.birth_date.clone(),
            },
            wanted: begun.wanted.clone(),
            sections: sections.into_iter().chain([booked]).collect(),
            entered_in_error: record.of(None),
            fhir: None,
            differences: [
                "social security numbers are left out; the portal does not store them",
                "references lead to the fullUrl of their target, where that is in the bundle",
                "telecom, address and language of the patient are what the patient entered last",
                "appointments were made in the portal, and are resources of its own",
            ],
            missing,
        }
    }

    pub(crate) fn tell_bundle(&mut self, bundle: &Bundle) {
        self.fhir = Some(Resources {
            resources: bundle.resources,
            directory: bundle.directory,
        });
        for (kind, count) in &bundle.absent {
            self.missing.push(Missing {
                what: format!("{kind}, referred to"),
                count: Some(*count),
                why: "not part of this copy, or never sent by the practice",
            });
        }
    }

    pub(crate) fn tell_pdf(&mut self, pdf: &Pdf) {
        if pdf.notes_left_out > 0 {
            self.missing.push(Missing {
                what: "notes, in the PDF".to_owned(),
                count: Some(pdf.notes_left_out),
                why: "too much text to print; all of it is in the other forms",
            });
        }
        if pdf.undrawn > 0 {
            self.missing.push(Missing {
                what: "characters, in the PDF".to_owned(),
                count: Some(pdf.undrawn),
                why: "its typeface does not have them; they are in the other forms",
            });
        }
    }

    /// When it was made, in words.
    pub(crate) const fn made_at(&self) -> Timestamp {
        self.made_at
    }

    /// The days that it covers, in words.
    pub(crate) fn days(&self) -> String {
        let day = |date: &Option<shared::api::text::Date>| {
            date.as_ref().map(|date| date.as_str().to_owned())
        };
        match (day(&self.wanted.from), day(&self.wanted.to)) {
            (None, None) => "everything".to_owned(),
            (Some(from), None) => format!("from {from}"),
            (None, Some(to)) => format!("up to {to}"),
            (Some(from), Some(to)) => format!("from {from} to {to}"),
        }
    }

    /// The same for people.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let mut remarks = vec![format!(
            "Made on {} UTC by patient portal {}. It covers {}.",
            self.made_at.strftime("%Y-%m-%d %H:%M"),
            self.made_by.version,
            self.days()
        )];
        if self.entered_in_error > 0 {
            remarks.push(format!(
                "{} entries that the practice marked as entered in error are in the FHIR form alone.",
                self.entered_in_error
            ));
        }
        remarks.extend(self.missing.iter().map(|missing| match missing.count {
            Some(count) => format!("Not in here: {} ({count}): {}.", missing.what, missing.why),
            None => format!("Not in here: {}: {}.", missing.what, missing.why),
        }));
        remarks
    }

    pub(crate) fn json(&self, files: &[FileMade]) -> Result<Vec<u8>, Fault> {
        let all = WithFiles {
            manifest: self,
            files,
        };
        serde_json::to_vec_pretty(&all).map_err(|_| Fault::Defect("a manifest"))
    }
}
