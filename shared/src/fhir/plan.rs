//! The plan of an import: whose each resource is, and why each of the others is not stored.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::care_team::{self, CareTeamMember};
use super::datatypes::{HumanName, Identifier, Link};
use super::document::{self, Format};
use super::entry::{self, Entry};
use super::identity::{NPI, aliases, canonical_key, is_npi};
use super::index::{Index, Reference, Refused, Resource, Target};
use super::json::Object;
use super::patient::{MedicalRecordNumber, Patient};
use super::reason::{FileError, Reason};
use super::resource_type::is_clinical;
use super::ssn;

/// What to store of a file. It borrows the file's bytes: JSON is copied only where a social
/// security number was cut out of it.
#[cfg_attr(test, derive(Debug))]
pub struct File<'a> {
    pub format: Format,
    /// First the patients of the file, in its order, then those that it only refers to.
    pub patients: Vec<PatientRecord<'a>>,
    pub practitioners: Vec<Practitioner<'a>>,
    pub organizations: Vec<DirectoryEntry<'a>>,
    pub locations: Vec<DirectoryEntry<'a>>,
    /// In the order of the file.
    pub unstored: Vec<Unstored>,
    /// By resource type; `unknown` counts what has no type of R4.
    pub counts: BTreeMap<&'static str, Count>,
}

/// `stored + unstored` is the number of resources of the type in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    pub stored: usize,
    pub unstored: usize,
}

/// A resource that is not stored. Nothing of its content is here but an id of FHIR's narrow shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unstored {
    /// The entry's index in the Bundle from 0, or the line's number from 1.
    pub position: usize,
    pub resource_type: &'static str,
    pub id: Option<String>,
    pub reason: Reason,
}

/// One patient's part of the file.
#[cfg_attr(test, derive(Debug))]
pub struct PatientRecord<'a> {
    pub subject: Subject<'a>,
    pub entries: Vec<Entry<'a>>,
    pub care_team: Vec<CareTeamMember>,
}

impl<'a> PatientRecord<'a> {
    /// The entries in pieces of at most `entries` resources and about `bytes` of JSON; a resource
    /// that is larger by itself is a piece of its own.
    pub fn chunks(&self, entries: usize, bytes: usize) -> impl Iterator<Item = &[Entry<'a>]> {
        let mut rest = self.entries.as_slice();
        std::iter::from_fn(move || {
            let mut size = 0_usize;
            let fitting = rest.iter().take(entries.max(1)).take_while(|entry| {
                size = size.saturating_add(entry.size());
                size <= bytes
            });
            let (chunk, others) = rest.split_at_checked(fitting.count().max(1))?;
            rest = others;
            Some(chunk)
        })
    }
}

/// Whose record it is.
#[cfg_attr(test, derive(Debug))]
pub enum Subject<'a> {
    /// A patient of the file.
    File {
        id: String,
        /// The id as other files refer to it, `id:<base>/Patient/<id>` or `id:<id>`.
        id_key: String,
        medical_record_number: MedicalRecordNumber,
        /// The resource without social security numbers.
        json: Cow<'a, RawValue>,
    },
    /// A patient of another file, by the key of an id or of an identifier.
    External { key: String },
}

impl Subject<'_> {
    /// The particulars of a patient of the file. Read each time: a file may hold very many.
    pub fn view(&self) -> Option<Patient> {
        match self {
            Self::File { json, .. } => Patient::parse(json.get()).ok(),
            Self::External { .. } => None,
        }
    }

    /// Every key under which files may refer to the patient.
    pub fn aliases(&self) -> Vec<String> {
        match self {
            Self::File { id_key, .. } => self
                .view()
                .map(|view| view.aliases(id_key))
                .unwrap_or_default(),
            Self::External { key } => vec![key.clone()],
        }
    }
}

#[cfg_attr(test, derive(Debug))]
pub struct Practitioner<'a> {
    pub id: String,
    /// What the practitioner's portal id is derived from.
    pub key: String,
    /// Every key under which files may refer to the practitioner.
    pub aliases: Vec<String>,
    pub npi: Option<String>,
    pub name: Option<String>,
    pub active: bool,
    pub json: Cow<'a, RawValue>,
}

/// An organization or a location.
#[derive(Debug)]
pub struct DirectoryEntry<'a> {
    pub resource_type: &'static str,
    pub id: String,
    pub key: String,
    pub aliases: Vec<String>,
    pub name: Option<String>,
    pub json: Cow<'a, RawValue>,
}

/// Reads a Bundle (transaction, batch or collection) or NDJSON, told apart by content.
///
/// `now` decides which care teams are current and which encounters have begun. All memory beside
/// `bytes` is about a kilobyte for each resource.
pub fn read(bytes: &[u8], now: Timestamp) -> Result<File<'_>, FileError> {
    let document = document::split(bytes)?;
    let format = document.format;
    let (index, refused) = Index::of(document.parts);
    let mut plan = Plan {
        index: &index,
        now,
        refused,
        stored: HashSet::new(),
    };
    let (mut records, places) = plan.patients();
    plan.clinical(&mut records, &places);
    let mut practitioners = Vec::new();
    let mut organizations = Vec::new();
    let mut locations = Vec::new();
    for (at, resource) in index.resources.iter().enumerate() {
        let outcome = match resource.resource_type {
            "Practitioner" => practitioner(resource).map(|one| practitioners.push(one)),
            "Organization" => directory_entry(resource).map(|one| organizations.push(one)),
            "Location" => directory_entry(resource).map(|one| locations.push(one)),
            "PractitionerRole" => Err(Reason::TypeNotKept),
            "Medication" if !plan.stored.contains(&at) => Err(Reason::NotReferenced),
            _ => continue,
        };
        plan.settle(at, outcome);
    }
    let patients = plan.finish(records);
    let (unstored, counts) = plan.account();
    Ok(File {
        format,
        patients,
        practitioners,
        organizations,
        locations,
        unstored,
        counts,
    })
}

struct Plan<'i, 'a> {
    index: &'i Index<'a>,
    now: Timestamp,
    refused: Vec<Refused>,
    /// Places in the index of what is stored.
    stored: HashSet<usize>,
}

/// A record in the making.
struct Draft<'a> {
    subject: Subject<'a>,
    entries: Vec<Entry<'a>>,
    listed: Vec<CareTeamMember>,
    visits: Vec<care_team::Visit>,
}

impl<'a> Draft<'a> {
    fn of(subject: Subject<'a>) -> Self {
        Self {
            subject,
            entries: Vec::new(),
            listed: Vec::new(),
            visits: Vec::new(),
        }
    }
}

impl<'a> Plan<'_, 'a> {
    fn settle(&mut self, at: usize, outcome: Result<(), Reason>) {
        match outcome {
            Ok(()) => {
                self.stored.insert(at);
            }
            Err(reason) => self.refuse(at, reason),
        }
    }

    fn refuse(&mut self, at: usize, reason: Reason) {
        if let Some(resource) = self.index.resource(at) {
            self.refused.push(Refused {
                position: resource.position,
                resource_type: resource.resource_type,
                id: Some(resource.id.clone()),
                full_url: None,
                reason,
            });
        }
    }

    /// The patients that can be stored, and the place of each one's record.
    fn patients(&mut self) -> (Vec<Draft<'a>>, HashMap<usize, usize>) {
        let mut subjects = Vec::new();
        for (at, resource) in self.index.resources.iter().enumerate() {
            if resource.resource_type == "Patient" {
                match subject(resource) {
                    Ok((number, subject)) => subjects.push((at, number, subject)),
                    Err(reason) => self.refuse(at, reason),
                }
            }
        }
        let mut holders: HashMap<MedicalRecordNumber, usize> = HashMap::new();
        for (_, number, _) in &subjects {
            *holders.entry(number.clone()).or_default() += 1;
        }
        let (mut records, mut places) = (Vec::new(), HashMap::new());
        for (at, number, subject) in subjects {
            if holders.get(&number).is_some_and(|count| *count > 1) {
                self.refuse(at, Reason::SharedMedicalRecordNumber);
            } else {
                places.insert(at, records.len());
                records.push(Draft::of(subject));
                self.stored.insert(at);
            }
        }
        (records, places)
    }

    /// Reads every clinical resource into the record of its patient, and of no other.
    fn clinical(&mut self, records: &mut Vec<Draft<'a>>, places: &HashMap<usize, usize>) {
        let mut external: HashMap<String, usize> = HashMap::new();
        let mut owners: HashMap<usize, usize> = HashMap::new();
        for (at, resource) in self.index.resources.iter().enumerate() {
            if !is_clinical(resource.resource_type) {
                continue;
            }
            match self.owner(resource) {
                Ok(Owner::File(patient)) => match places.get(&patient) {
                    Some(record) => {
                        owners.insert(at, *record);
                    }
                    None => self.refuse(at, Reason::PatientNotStored),
                },
                Ok(Owner::External(key)) => {
                    let record = *external.entry(key).or_insert_with_key(|key| {
                        records.push(Draft::of(Subject::External { key: key.clone() }));
                        records.len() - 1
                    });
                    owners.insert(at, record);
                }
                Err(reason) => self.refuse(at, reason),
            }
        }
        for (at, resource) in self.index.resources.iter().enumerate() {
            let Some(owner) = owners.get(&at) else {
                continue;
            };
            let Some(record) = records.get_mut(*owner) else {
                continue;
            };
            let outcome =
                self.read_into(record, resource, |other| owners.get(&other) == Some(owner));
            match outcome {
                Ok(medication) => {
                    self.stored.insert(at);
                    self.stored.extend(medication);
                }
                Err(reason) => self.refuse(at, reason),
            }
        }
        records.retain(|record| {
            matches!(record.subject, Subject::File { .. }) || !record.entries.is_empty()
        });
    }

    /// Adds the resource to the record; returns the place of the Medication that goes with it.
    fn read_into(
        &self,
        record: &mut Draft<'a>,
        resource: &Resource<'a>,
        same_patient: impl Fn(usize) -> bool,
    ) -> Result<Option<usize>, Reason> {
        let object = Object::parse(resource.json)?;
        let entry = entry::read(resource, &object, self.index, same_patient)?;
        let mut medication = None;
        match resource.resource_type {
            "CareTeam" => record
                .listed
                .extend(care_team::listed(resource, &object, self.index, self.now)?),
            "Encounter" => {
                record
                    .visits
                    .extend(care_team::visit(resource, &object, self.index)?);
            }
            "MedicationRequest" => {
                let link = object.get::<Link>("medicationReference")?;
                let target = link.map(|link| self.index.resolve(&link, resource, "Medication"));
                if let (Some(Target::File(at)), Some(_)) = (target, entry.medication) {
                    medication = Some(at);
                }
            }
            _ => {}
        }
        record.entries.push(entry);
        Ok(medication)
    }

    fn owner(&self, resource: &Resource<'a>) -> Result<Owner, Reason> {
        let member = entry::subject_member(resource.resource_type);
        let object = Object::parse(resource.json)?;
        let link = object.get::<Link>(member)?.ok_or(Reason::NoSubject)?;
        match self.index.resolve(&link, resource, "Patient") {
            Target::File(at) => match self.index.resource(at).map(|found| found.resource_type) {
                Some("Patient") => Ok(Owner::File(at)),
                _ => Err(Reason::SubjectNotAPatient),
            },
            Target::External {
                resource_type: "Patient",
                key,
            } => Ok(Owner::External(key)),
            Target::External { .. } => Err(Reason::SubjectNotAPatient),
            Target::Contained(_) | Target::Nowhere => Err(Reason::SubjectUnknown),
        }
    }

    /// Makes the records, and turns references to what is not stored into nowhere.
    fn finish(&self, drafts: Vec<Draft<'a>>) -> Vec<PatientRecord<'a>> {
        let stored: HashSet<(&str, &str)> = self
            .stored
            .iter()
            .filter_map(|at| self.index.resource(*at))
            .map(|resource| (resource.resource_type, resource.id.as_str()))
            .collect();
        let is_there = |reference: &Reference| match reference {
            Reference::File { resource_type, id } => {
                stored.contains(&(*resource_type, id.as_str()))
            }
            Reference::External { .. } => true,
            Reference::Nowhere => false,
        };
        let prune = |reference: &mut Reference| {
            if !is_there(reference) {
                *reference = Reference::Nowhere;
            }
        };
        let finish = |mut draft: Draft<'a>| {
            for entry in &mut draft.entries {
                entry.encounter.iter_mut().for_each(prune);
                entry.medication_reference.iter_mut().for_each(prune);
                entry.results.iter_mut().for_each(prune);
                entry
                    .practitioners
                    .retain(|named| is_there(&named.reference));
            }
            let mut care_team = care_team::team(draft.listed, &draft.visits, self.now);
            care_team.retain(|member| is_there(&member.practitioner));
            PatientRecord {
                subject: draft.subject,
                entries: draft.entries,
                care_team,
            }
        };
        drafts.into_iter().map(finish).collect()
    }

    /// Every resource of the file, once: stored or not.
    fn account(self) -> (Vec<Unstored>, BTreeMap<&'static str, Count>) {
        let mut counts: BTreeMap<&'static str, Count> = BTreeMap::new();
        for resource in self.stored.iter().filter_map(|at| self.index.resource(*at)) {
            counts.entry(resource.resource_type).or_default().stored += 1;
        }
        let mut unstored: Vec<Unstored> = self
            .refused
            .into_iter()
            .map(|refused| Unstored {
                position: refused.position,
                resource_type: refused.resource_type,
                id: refused.id,
                reason: refused.reason,
            })
            .collect();
        unstored.sort_by_key(|unstored| unstored.position);
        for one in &unstored {
            counts.entry(one.resource_type).or_default().unstored += 1;
        }
        (unstored, counts)
    }
}

enum Owner {
    File(usize),
    External(String),
}

/// The patient, if it can be activated: without a record number nobody could ever sign in to it.
fn subject<'a>(resource: &Resource<'a>) -> Result<(MedicalRecordNumber, Subject<'a>), Reason> {
    let view = Patient::read(&Object::parse(resource.json)?)?;
    let number = view
        .medical_record_number
        .clone()
        .ok_or(Reason::NoMedicalRecordNumber)?;
    let subject = Subject::File {
        id: resource.id.clone(),
        id_key: resource.id_key(),
        medical_record_number: number.clone(),
        json: ssn::without(resource.json)?,
    };
    Ok((number, subject))
}

fn practitioner<'a>(resource: &Resource<'a>) -> Result<Practitioner<'a>, Reason> {
    let object = Object::parse(resource.json)?;
    let identifiers: Vec<Identifier> = object.list("identifier")?;
    let names: Vec<HumanName> = object.list("name")?;
    let npi = identifiers.iter().find_map(|identifier| {
        let value = identifier.value.as_deref().filter(|value| is_npi(value))?;
        (identifier.system.as_deref() == Some(NPI)).then(|| value.to_owned())
    });
    let id_key = resource.id_key();
    Ok(Practitioner {
        id: resource.id.clone(),
        key: canonical_key(&id_key, &identifiers),
        aliases: aliases(&id_key, &identifiers),
        npi,
        name: HumanName::choose(&names).and_then(HumanName::display),
        active: object.get("active")?.unwrap_or(true),
        json: ssn::without(resource.json)?,
    })
}

fn directory_entry<'a>(resource: &Resource<'a>) -> Result<DirectoryEntry<'a>, Reason> {
    let object = Object::parse(resource.json)?;
    let identifiers: Vec<Identifier> = object.list("identifier")?;
    let id_key = resource.id_key();
    Ok(DirectoryEntry {
        resource_type: resource.resource_type,
        id: resource.id.clone(),
        key: canonical_key(&id_key, &identifiers),
        aliases: aliases(&id_key, &identifiers),
        name: object.text("name")?,
        json: ssn::without(resource.json)?,
    })
}
