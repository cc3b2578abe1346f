//! The import of one patient's part of a file: who it is, what changed, and the beginning and the
//! end of it, each in one transaction with its audit record.

use crate::care_team::{self, Circumstances};
use crate::compact::compact;
use crate::diff::{Before, CHUNK_BYTES, Compared, record_id};
use crate::find_index;
use crate::report::{Progress, Refusal};
use crate::reports::{self, Reports};
use crate::round::Round;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde_json::json;
use serde_json::value::RawValue;
use shared::Fault;
use shared::api::import::IMPORT_RECORDS;
use shared::audit::{Outcome, Record};
use shared::fhir::observation::Observation;
use shared::fhir::patient::Patient;
use shared::fhir::{self, PatientRecord, Subject};
use shared::ids::{PatientId, RecordId, SeriesId};
use shared::phi::{DataKey, Term, blind_id, digest};
use shared::store::accesses::{BEGUN, UNCHANGED};
use shared::store::{
    BATCH, Change, Item, Member, NewEntry, NewPatient, Standing, Stored, StoredEntry,
};
use shared::telemetry;
use std::collections::HashSet;
use std::sync::Arc;
use uuid::Uuid;

/// The most content that a row of the records table holds. DynamoDB takes 400 KB, and counts what
/// the index `by-arrival` repeats of a row.
const MAX_ENTRY: usize = 200_000;

/// What an id takes in a row.
const ID: usize = 36;

/// The most of a Patient resource, whose row no index repeats.
const MAX_PROFILE: usize = 380_000;

/// The longest number that `activate-account` asks for has 64 characters.
const MAX_NUMBER: usize = 256;

/// KMS authenticates up to 4,096 bytes; longer aliases lead nowhere.
const MAX_ALIAS: usize = 1024;

/// The most aliases of a patient; the samples have at most five.
const ALIASES: usize = 16;

/// How many calls of DynamoDB run at the same time.
const AT_ONCE: usize = 8;

/// A patient whose record can be written.
pub(crate) struct Whose {
    pub(crate) patient: PatientId,
    pub(crate) key: Arc<DataKey>,
    standing: Standing,
    /// The profile to write at the end, if it is not the one that is there.
    profile: Option<Profile>,
    /// Whether the record says that this file is being written to it.
    begun: bool,
}

struct Profile {
    json: Box<RawValue>,
    /// Of what the file says, not of what is stored.
    digest: Vec<u8>,
}

/// Imports a patient's part of the file: true when all of it is in, false when the time is up.
pub(crate) async fn import(
    round: &mut Round<'_>,
    planned: &PatientRecord<'_>,
    progress: &mut Progress,
) -> Result<bool, Fault> {
    let mut whose = match identify(round, planned, progress).await? {
        Ok(whose) => whose,
        Err(refusal) => {
            if let Subject::File { id, .. } = &planned.subject {
                progress.refuse("Patient", id, refusal);
            }
            for entry in &planned.entries {
                progress.refuse(entry.resource_type, &entry.id, refusal);
            }
            return Ok(true);
        }
    };
    let written = write(round, planned, progress, &mut whose).await;
    if written.is_err() && whose.begun {
        // Something may be in the record that was not there before. What failed may be DynamoDB
        // itself, so this one record is not insisted on: the portal's own says so as well.
        let record = round.record.about(whose.patient, Outcome::Failure);
        let _ = round.handler.imports.audit().write(&record).await;
    }
    written
}

async fn identify(
    round: &Round<'_>,
    planned: &PatientRecord<'_>,
    progress: &mut Progress,
) -> Result<Result<Whose, Refusal>, Fault> {
    let handler = round.handler;
    let Subject::File {
        id_key,
        medical_record_number: number,
        json,
        ..
    } = &planned.subject
    else {
        return referred(round, &planned.subject).await;
    };
    let json = compact(json)?;
    let mrn = number.value.trim();
    if mrn.len() > MAX_NUMBER {
        return Ok(Err(Refusal::NumberTooLong));
    }
    if json.get().len() > MAX_PROFILE {
        return Ok(Err(Refusal::TooLarge));
    }
    let mrn_mac = handler.index.mac(Term::Mrn(mrn)).await?;
    // The id is an alias of the patient's, and id and base may stand in the fullUrl alone.
    let digested = format!("{id_key}\0{}", json.get());
    let known = match handler.imports.by_number(&mrn_mac).await? {
        Some(known) => known,
        None => {
            let patient = PatientId::new(Uuid::new_v4());
            let (key, wrapped_key) = handler.keys.create(patient).await?;
            let new = NewPatient {
                patient,
                mrn_mac: &mrn_mac,
                mrn_system: number.system.as_deref(),
                wrapped_key,
                profile: json.get().as_bytes(),
                profile_digest: &digest(&key, digested.as_bytes())?,
                file: round.file,
            };
            let begun = begun(round, patient);
            if handler.imports.create(&begun, new, &key).await? {
                progress.count("Patient", Change::New);
                let standing = handler.imports.standing(patient).await?;
                return Ok(Ok(Whose {
                    patient,
                    key,
                    standing,
                    profile: None,
                    begun: true,
                }));
            }
            // Another import made the patient between the two calls.
            let known = handler.imports.by_number(&mrn_mac).await?;
            known.ok_or(Fault::Corrupt("a medical record number"))?
        }
    };
    if known.system.as_deref() != number.system.as_deref() {
        return Ok(Err(Refusal::NumberOfAnotherSystem));
    }
    let mut whose = opened(round, known.patient).await?;
    let digest = digest(&whose.key, digested.as_bytes())?;
    let is_same = whose.standing.has_profile(&digest);
    if !is_same {
        let Some(json) = updated(&whose, json)? else {
            telemetry::count(IMPORT_RECORDS.id, "ImportsRefused");
            return Ok(Err(Refusal::ContradictsKnownPatient));
        };
        whose.profile = Some(Profile { json, digest });
    }
    if progress.at.entries == 0 {
        let change = if is_same {
            Change::Unchanged
        } else {
            Change::Changed
        };
        progress.count("Patient", change);
    }
    Ok(Ok(whose))
}

/// What to store of the file's patient in the place of what is there; none if that is somebody
/// else. A number that was mistyped or given out anew must not put one's record into the other's.
fn updated(whose: &Whose, json: Box<RawValue>) -> Result<Option<Box<RawValue>>, Fault> {
    const LISTED: Fault = Fault::Defect("a patient of a plan");
    const UNREADABLE: Fault = Fault::Corrupt("a patient's profile");
    let stored = whose.standing.profile(whose.patient, &whose.key)?;
    let stored = std::str::from_utf8(&stored).map_err(|_| UNREADABLE)?;
    let known = Patient::parse(stored).map_err(|_| UNREADABLE)?;
    let listed = Patient::parse(json.get()).map_err(|_| LISTED)?;
    if known.contradicts(&listed) {
        return Ok(None);
    }
    let json = Patient::with_birth_date_of(stored, json).map_err(|_| LISTED)?;
    Ok(Some(json))
}

/// A patient whom only other files know more of.
async fn referred(
    round: &Round<'_>,
    subject: &Subject<'_>,
) -> Result<Result<Whose, Refusal>, Fault> {
    let Subject::External { key } = subject else {
        return Err(Fault::Defect("a subject"));
    };
    if key.len() > MAX_ALIAS {
        return Ok(Err(Refusal::PatientUnknown));
    }
    let mac = round.handler.index.mac(Term::Alias(key)).await?;
    match round.handler.imports.by_alias(&mac).await? {
        Some(patient) => opened(round, patient).await.map(Ok),
        None => Ok(Err(Refusal::PatientUnknown)),
    }
}

async fn opened(round: &Round<'_>, patient: PatientId) -> Result<Whose, Fault> {
    let standing = round.handler.imports.standing(patient).await?;
    let key = round
        .handler
        .keys
        .unwrap(patient, &standing.wrapped_key)
        .await?;
    Ok(Whose {
        patient,
        key,
        begun: standing.is_open(round.file),
        standing,
        profile: None,
    })
}

/// The audit record that a patient's part of the file is about to be written.
fn begun(round: &Round<'_>, patient: PatientId) -> Record {
    Record {
        reason: Some(BEGUN),
        ..round.record.about(patient, Outcome::Success)
    }
}

impl Whose {
    /// The patient's particulars as this import leaves them.
    fn particulars(&self) -> Result<Patient, Fault> {
        const UNREADABLE: Fault = Fault::Corrupt("a patient's profile");
        if let Some(profile) = &self.profile {
            return Patient::parse(profile.json.get()).map_err(|_| UNREADABLE);
        }
        let stored = self.standing.profile(self.patient, &self.key)?;
        let stored = std::str::from_utf8(&stored).map_err(|_| UNREADABLE)?;
        Patient::parse(stored).map_err(|_| UNREADABLE)
    }

    /// Marks the record as incomplete, once, before the first write.
    async fn begin(&mut self, round: &Round<'_>) -> Result<(), Fault> {
        if !self.begun {
            let record = begun(round, self.patient);
            let imports = &round.handler.imports;
            imports.begin(&record, self.patient, round.file).await?;
            self.begun = true;
        }
        Ok(())
    }
}

async fn write(
    round: &mut Round<'_>,
    planned: &PatientRecord<'_>,
    progress: &mut Progress,
    whose: &mut Whose,
) -> Result<bool, Fault> {
    let before = Before::new(round.handler.records.stored(whose.patient).await?);
    if whose.begun || whose.profile.is_some() {
        whose.begin(round).await?;
        claim_aliases(round, &planned.subject, whose.patient).await?;
        if matches!(planned.subject, Subject::File { .. }) {
            find_index::write(round.handler, whose.patient, &whose.particulars()?).await?;
        }
    }
    let mut reports = Reports::new(whose.patient, planned, &before)?;
    let mut done = 0;
    for chunk in planned.chunks(round.clock.chunk(), CHUNK_BYTES) {
        done += chunk.len();
        if done <= progress.at.entries {
            continue;
        }
        write_entries(round, chunk, progress, whose, &before, &mut reports).await?;
        progress.at.entries = done;
        if round.clock.is_over() && done < planned.entries.len() {
            return Ok(false);
        }
    }
    let outdated = reports.outdated(round, whose, &before).await?;
    if !outdated.is_empty() {
        whose.begin(round).await?;
        reports::link(round, whose, &outdated).await?;
    }
    write_care_team(round, planned, whose, &before).await?;
    let record = round.record.about(whose.patient, Outcome::Success);
    let imports = &round.handler.imports;
    if whose.begun {
        let profile = whose.profile.as_ref();
        let profile = profile.map(|one| (one.json.get().as_bytes(), one.digest.as_slice()));
        let patient = whose.patient;
        imports
            .end(
                &record,
                patient,
                round.file,
                profile,
                &whose.key,
                &round.handler.records,
            )
            .await?;
    } else {
        let record = Record {
            reason: Some(UNCHANGED),
            ..record
        };
        imports.audit().write(&record).await?;
    }
    Ok(true)
}

/// Lets the keys under which other files refer to the patient lead to them.
async fn claim_aliases(
    round: &Round<'_>,
    subject: &Subject<'_>,
    patient: PatientId,
) -> Result<(), Fault> {
    let Subject::File { .. } = subject else {
        return Ok(());
    };
    let handler = round.handler;
    let mut aliases = subject.aliases();
    aliases.retain(|alias| alias.len() <= MAX_ALIAS);
    aliases.truncate(ALIASES);
    try_join_all(aliases.iter().map(async |alias| {
        let mac = handler.index.mac(Term::Alias(alias)).await?;
        handler.imports.claim_alias(&mac, patient).await
    }))
    .await?;
    Ok(())
}

/// Writes those entries of a piece of the file that are not there as they are.
async fn write_entries(
    round: &mut Round<'_>,
    chunk: &[fhir::Entry<'_>],
    progress: &mut Progress,
    whose: &mut Whose,
    before: &Before,
    reports: &mut Reports,
) -> Result<(), Fault> {
    let now = Timestamp::now();
    let mut put = Vec::new();
    let mut moved = Vec::new();
    let mut counted = Vec::new();
    for entry in chunk {
        let compared = Compared::new(whose.patient, &whose.key, before, entry, now)?;
        if compared.change == Change::Unchanged {
            counted.push((entry, Ok(Change::Unchanged)));
            continue;
        }
        let Some(row) = row(round, &compared, whose, reports).await? else {
            counted.push((entry, Err(Refusal::TooLarge)));
            continue;
        };
        if compared.elsewhere.is_empty() {
            put.push(row);
        } else {
            moved.push((row, compared.elsewhere));
        }
        counted.push((entry, Ok(compared.change)));
    }
    if !put.is_empty() || !moved.is_empty() {
        whose.begin(round).await?;
    }
    let records = &round.handler.records;
    for group in put.chunks(BATCH * AT_ONCE) {
        try_join_all(group.chunks(BATCH).map(|batch| records.put(batch))).await?;
    }
    for group in moved.chunks(AT_ONCE) {
        let patient = whose.patient;
        try_join_all(
            group
                .iter()
                .map(|(row, elsewhere)| records.replace(patient, row.clone(), elsewhere)),
        )
        .await?;
    }
    for (entry, outcome) in counted {
        match outcome {
            Ok(change) => progress.count(entry.resource_type, change),
            Err(refusal) => progress.refuse(entry.resource_type, &entry.id, refusal),
        }
    }
    Ok(())
}

/// The row of an entry; none if it is too large for one.
async fn row(
    round: &mut Round<'_>,
    compared: &Compared<'_, '_>,
    whose: &Whose,
    reports: &mut Reports,
) -> Result<Option<Item>, Fault> {
    let stored = StoredEntry {
        resource: compared.resource.clone(),
        medication: compared.medication.clone(),
        links: round
            .references
            .links(whose.patient, compared.entry)
            .await?,
    };
    let content = serde_json::to_vec(&stored).map_err(|_| Fault::Defect("an entry"))?;
    // A report's results stand beside its content once more.
    let results = stored.links.results.len() * ID;
    if content.len() + results > MAX_ENTRY {
        return Ok(None);
    }
    let report = if reports::is_grouped(compared.entry) {
        reports.of(round, whose, compared.key.id).await?
    } else {
        None
    };
    let new = NewEntry {
        key: &compared.key,
        arrived: compared.arrived,
        resource_type: compared.entry.resource_type,
        digest: &compared.digest,
        content: &content,
        results: &stored.links.results,
        report: report.as_ref(),
        series: series(compared, &whose.key)?,
    };
    new.row(whose.patient, &whose.key).map(Some)
}

/// Which analyte's result it is; none for what is no result or has no code.
fn series(compared: &Compared<'_, '_>, key: &DataKey) -> Result<Option<SeriesId>, Fault> {
    if compared.entry.section != fhir::Section::Lab {
        return Ok(None);
    }
    let observation = Observation::parse(compared.resource.get())
        .map_err(|_| Fault::Defect("an Observation of a plan"))?;
    let analyte = observation.analyte();
    let id = analyte.map(|(system, code)| blind_id(key, &["series", system, code]));
    Ok(id.transpose()?.map(SeriesId::new))
}

async fn write_care_team(
    round: &mut Round<'_>,
    planned: &PatientRecord<'_>,
    whose: &mut Whose,
    before: &Before,
) -> Result<(), Fault> {
    let mut members = Vec::new();
    for member in &planned.care_team {
        let practitioner = round.references.practitioner(&member.practitioner).await?;
        let Some(practitioner) = practitioner else {
            continue;
        };
        let listed = || round.references.name(&member.practitioner);
        let display = member.display.as_deref().or_else(listed);
        let particulars = json!({ "role": member.role, "display": display });
        members.push(Member {
            practitioner,
            source: care_team::source(member.source),
            since: member.since.as_ref().map(|time| time.sort.clone()),
            last_seen: member.last_seen.as_ref().map(|time| time.sort.clone()),
            particulars: particulars.to_string().into_bytes(),
        });
    }
    let now = Timestamp::now();
    let is_whole = matches!(planned.subject, Subject::File { .. });
    let file: HashSet<RecordId> = planned
        .entries
        .iter()
        .map(|entry| record_id(whose.patient, entry.resource_type, &entry.id))
        .collect();
    let known = Circumstances {
        rows: &whose.standing.care_team,
        newest_stored: before
            .rows()
            .filter(|stored| stored.is_encounter())
            .filter_map(Stored::time)
            .filter(|at| *at <= now)
            .max(),
        newest_in_file: planned
            .entries
            .iter()
            .filter(|entry| entry.section == fhir::Section::Encounter && !entry.entered_in_error)
            .filter_map(|entry| entry.time.as_ref()?.sort.parse().ok())
            .filter(|at| *at <= now)
            .max(),
        has_all_encounters: is_whole && before.is_within(&file, Stored::is_encounter),
        has_all_teams: is_whole && before.is_within(&file, Stored::is_care_team),
    };
    let changes = care_team::changes(&known, members, &whose.key)?;
    if changes.put.is_empty() && changes.remove.is_empty() {
        return Ok(());
    }
    whose.begin(round).await?;
    let (imports, patient, key) = (&round.handler.imports, whose.patient, &whose.key);
    for group in changes.put.chunks(AT_ONCE) {
        let puts = group
            .iter()
            .map(|member| imports.put_member(patient, member, key));
        try_join_all(puts).await?;
    }
    for group in changes.remove.chunks(AT_ONCE) {
        let removals = group.iter().map(|one| imports.remove_member(patient, *one));
        try_join_all(removals).await?;
    }
    Ok(())
}
