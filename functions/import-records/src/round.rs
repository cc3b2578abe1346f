//! One round of an import: the directory first, then patient after patient, until all is done or
//! the time is up.

use crate::compact::compact;
use crate::references::{self, References};
use crate::report::{Progress, Refusal};
use crate::{Handler, patient};
use futures_util::future::try_join_all;
use shared::Fault;
use shared::audit::Record;
use shared::fhir::{DirectoryEntry, File, Practitioner};
use shared::ids::PractitionerId;
use shared::store::{Change, Listed};
use std::time::{Duration, Instant};

/// How many rows of the directory are worked on at the same time.
const AT_ONCE: usize = 8;

/// The most JSON that a row of the directory holds, which has its names a second time: DynamoDB
/// takes 400 KB.
const MAX_ROW: usize = 150_000;

/// How much a round may do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    budget: Duration,
    chunk: usize,
}

impl Limits {
    pub(crate) const fn new(budget: Duration, chunk: usize) -> Self {
        Self { budget, chunk }
    }

    pub(crate) fn started(self) -> Clock {
        Clock {
            started: Instant::now(),
            limits: self,
        }
    }
}

/// The time that a round has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    limits: Limits,
}

impl Clock {
    pub(crate) fn is_over(&self) -> bool {
        self.started.elapsed() >= self.limits.budget
    }

    /// How many entries to write before looking at the clock again.
    pub(crate) const fn chunk(&self) -> usize {
        self.limits.chunk
    }
}

/// A row of the directory in the file.
enum Row<'f> {
    Practitioner(&'f Practitioner<'f>),
    Other(&'f DirectoryEntry<'f>),
}

impl Row<'_> {
    fn resource(&self) -> (&'static str, &str, usize) {
        match self {
            Self::Practitioner(one) => ("Practitioner", &one.id, one.json.get().len()),
            Self::Other(one) => (one.resource_type, &one.id, one.json.get().len()),
        }
    }
}

/// One round.
pub(crate) struct Round<'f> {
    pub(crate) handler: &'f Handler,
    planned: &'f File<'f>,
    /// What tables and audit log call the file.
    pub(crate) file: &'f str,
    pub(crate) record: &'f Record,
    pub(crate) clock: Clock,
    pub(crate) references: References<'f>,
}

impl<'f> Round<'f> {
    pub(crate) fn new(
        handler: &'f Handler,
        planned: &'f File<'f>,
        file: &'f str,
        record: &'f Record,
        clock: Clock,
    ) -> Self {
        Self {
            handler,
            planned,
            file,
            record,
            clock,
            references: References::new(&handler.directory, planned),
        }
    }

    /// Works until everything is done (true) or the time is up. It looks at the clock only after it
    /// has done something, so that every round gets somewhere.
    pub(crate) async fn run(&mut self, progress: &mut Progress) -> Result<bool, Fault> {
        let patients = &self.planned.patients;
        let rows = self.rows();
        for group in rows
            .get(progress.at.directory..)
            .unwrap_or_default()
            .chunks(AT_ONCE)
        {
            self.list(group, progress).await?;
            progress.at.directory += group.len();
            let is_last = progress.at.directory >= rows.len() && patients.is_empty();
            if self.clock.is_over() && !is_last {
                return Ok(false);
            }
        }
        for planned in patients.get(progress.at.patients..).unwrap_or_default() {
            if !patient::import(self, planned, progress).await? {
                return Ok(false);
            }
            progress.at.patients += 1;
            progress.at.entries = 0;
            if self.clock.is_over() && progress.at.patients < patients.len() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn rows(&self) -> Vec<Row<'f>> {
        let planned = self.planned;
        let others = planned.organizations.iter().chain(&planned.locations);
        let practitioners = planned.practitioners.iter().map(Row::Practitioner);
        practitioners.chain(others.map(Row::Other)).collect()
    }

    async fn list(&mut self, rows: &[Row<'_>], progress: &mut Progress) -> Result<(), Fault> {
        let directory = &self.handler.directory;
        let listing = rows.iter().map(async |row| {
            if row.resource().2 > MAX_ROW {
                return Ok::<_, Fault>(Err(Refusal::TooLarge));
            }
            let stored: Option<(Option<PractitionerId>, Change)> = match row {
                Row::Practitioner(one) => {
                    let stored = references::list(directory, one).await?;
                    stored.map(|(id, change)| (Some(id), change))
                }
                Row::Other(one) => {
                    let json = compact(&one.json)?;
                    let listed = Listed {
                        kind: one.resource_type,
                        key: &one.key,
                        aliases: &one.aliases,
                        npi: None,
                        name: one.name.as_deref(),
                        active: true,
                        json: json.get(),
                    };
                    let stored = directory.list(&listed).await?;
                    stored.map(|(_, change)| (None, change))
                }
            };
            Ok(stored.ok_or(Refusal::IdOfAnother))
        });
        let done = try_join_all(listing).await?;
        for (row, done) in rows.iter().zip(done) {
            let (resource_type, id, _) = row.resource();
            let practitioner = match done {
                Ok((practitioner, change)) => {
                    progress.count(resource_type, change);
                    practitioner
                }
                Err(refusal) => {
                    progress.refuse(resource_type, id, refusal);
                    None
                }
            };
            if matches!(row, Row::Practitioner(_)) {
                self.references.is_at(id, practitioner);
            }
        }
        Ok(())
    }
}
