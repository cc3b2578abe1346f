//! The record as a FHIR R4 Bundle of type collection
//! (<https://hl7.org/fhir/R4/bundle.html#references>): the patient, every entry, every appointment, and
//! whoever of the directory they refer to. What refers to something in the bundle does so by its `fullUrl`.

use crate::appointment;
use crate::record::WholeRecord;
use crate::references::{Target, replaced};
use crate::{Handler, Stop};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Deserialize;
use shared::Fault;
use shared::fhir::portal_id;
use shared::store::Begun;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// How many rows of the directory are looked up at the same time.
const AT_ONCE: usize = 16;

/// How many times what the directory refers to is looked up in turn: a practitioner's organization,
/// its place.
const HOPS: usize = 3;

/// The types whose resources are in the directory.
const DIRECTORY: [&str; 3] = ["Practitioner", "Organization", "Location"];

pub(crate) struct Bundle {
    pub(crate) json: Vec<u8>,
    pub(crate) resources: usize,
    /// How many of them are practitioners, organizations and locations.
    pub(crate) directory: usize,
    /// What is referred to and not there: how many of which type.
    pub(crate) absent: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
struct Named {
    id: Option<String>,
}

/// Where everything is.
struct Places {
    patient: Uuid,
    patient_url: String,
    urls: HashSet<String>,
    /// The types of the entries.
    kinds: BTreeSet<String>,
    /// Where references to the directory lead.
    listed: HashMap<String, String>,
}

impl Places {
    /// The place of a resource: by its own id, so that references among resources of one
    /// transaction need not change, else by the portal's.
    fn place(&mut self, json: &str, portal: Uuid) -> Result<String, Fault> {
        let named: Named =
            serde_json::from_str(json).map_err(|_| Fault::Corrupt("a FHIR resource"))?;
        let id = named.id.as_deref().and_then(uuid);
        let own = id.map(|id| format!("urn:uuid:{id}"));
        let url = match own {
            Some(url) if !self.urls.contains(&url) => url,
            _ => format!("urn:uuid:{portal}"),
        };
        self.urls.insert(url.clone());
        Ok(url)
    }

    /// The place of what a reference means, if it is in the bundle and the reference does not say
    /// it yet.
    fn lead(&self, member: &str, reference: &str) -> Lead {
        if self.urls.contains(reference) {
            return Lead::There;
        }
        let known = |url: String| self.urls.contains(&url).then_some(url);
        let by_portal =
            |kind: &str, id: &str| known(format!("urn:uuid:{}", portal_id(self.patient, kind, id)));
        let target = Target::of(reference);
        let found = match &target {
            Target::Contained => return Lead::There,
            Target::Uuid(id) => self.kinds.iter().find_map(|kind| by_portal(kind, id)),
            Target::Literal { kind, id, .. } => {
                let own = uuid(id).and_then(|id| known(format!("urn:uuid:{id}")));
                own.or_else(|| by_portal(kind, id))
            }
            Target::Conditional { .. } | Target::Other => None,
        };
        // The importer found out who this is, whatever the file calls them.
        let is_patient = matches!(member, "subject" | "patient")
            && target.kind().is_none_or(|kind| kind == "Patient");
        let found = found
            .or_else(|| is_patient.then(|| self.patient_url.clone()))
            .or_else(|| self.listed.get(reference).cloned());
        found.map_or(Lead::Nowhere, Lead::To)
    }

    /// Changes a resource's references to where they lead.
    fn lead_all(&self, json: &str, absent: &mut BTreeSet<String>) -> String {
        let lead = replaced(json, |member, reference| {
            match self.lead(member, reference) {
                Lead::To(url) => Some(url),
                Lead::There => None,
                Lead::Nowhere => {
                    absent.insert(reference.to_owned());
                    None
                }
            }
        });
        lead.into_owned()
    }
}

enum Lead {
    There,
    To(String),
    Nowhere,
}

/// An id that is a UUID in its usual form.
fn uuid(id: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(id).ok()?;
    (uuid.hyphenated().to_string() == id).then_some(uuid)
}

pub(crate) async fn make(
    handler: &Handler,
    begun: &Begun,
    record: &WholeRecord,
    patient: String,
    now: Timestamp,
) -> Result<Bundle, Stop> {
    let id = begun.patient.uuid();
    let mut places = Places {
        patient: id,
        patient_url: String::new(),
        urls: HashSet::new(),
        kinds: record
            .entries
            .iter()
            .map(|entry| entry.kind.clone())
            .collect(),
        listed: HashMap::new(),
    };
    places.patient_url = places.place(&patient, id)?;
    let appointments = record.appointments.iter();
    let appointments = appointments
        .map(|detail| {
            let resource = appointment::resource(detail, &places.patient_url)?;
            Ok((detail.appointment.id.uuid(), resource))
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    let mut placed = vec![(places.patient_url.clone(), patient.as_str())];
    let mut medications = HashSet::new();
    for entry in &record.entries {
        placed.push((places.place(&entry.json, entry.id.uuid())?, &entry.json));
        if let Some(medication) = &entry.medication
            && medications.insert(medication.as_str())
        {
            let named: Named = serde_json::from_str(medication)
                .map_err(|_| Fault::Corrupt("a Medication resource"))?;
            let portal = portal_id(id, "Medication", named.id.as_deref().unwrap_or_default());
            placed.push((places.place(medication, portal)?, medication));
        }
    }
    for (id, resource) in &appointments {
        placed.push((places.place(resource, *id)?, resource));
    }
    places.kinds.insert("Medication".to_owned());
    let directory = listed(handler, &mut places, &placed).await?;
    let directory_count = directory.len();

    let mut absent = BTreeSet::new();
    let mut json = format!(
        "{{\"resourceType\":\"Bundle\",\"id\":\"{}\",\"type\":\"collection\",\"timestamp\":\"{now}\",\"entry\":[",
        begun.id
    );
    let directory = directory.iter().map(|(url, json)| (url, json.as_str()));
    let all = placed.iter().map(|(url, json)| (url, *json));
    for (index, (url, resource)) in all.chain(directory).enumerate() {
        let comma = if index == 0 { "" } else { "," };
        json.push_str(&format!("{comma}{{\"fullUrl\":\"{url}\",\"resource\":"));
        json.push_str(&places.lead_all(resource, &mut absent));
        json.push('}');
    }
    json.push_str("]}");
    let mut counts = BTreeMap::new();
    for reference in &absent {
        let kind = Target::of(reference).kind().filter(|kind| is_type(kind));
        let kind = kind.unwrap_or("resource").to_owned();
        *counts.entry(kind).or_default() += 1;
    }
    Ok(Bundle {
        json: json.into_bytes(),
        resources: placed.len() + directory_count,
        directory: directory_count,
        absent: counts,
    })
}

fn is_type(kind: &str) -> bool {
    kind.len() < 50 && kind.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Finds what the resources refer to in the directory, and what that refers to.
async fn listed(
    handler: &Handler,
    places: &mut Places,
    placed: &[(String, &str)],
) -> Result<Vec<(String, String)>, Stop> {
    let mut asked = BTreeSet::new();
    let mut wanted = BTreeSet::new();
    for (_, json) in placed {
        places.lead_all(json, &mut wanted);
    }
    let mut by_id: HashMap<Uuid, String> = HashMap::new();
    let mut found: Vec<(String, String)> = Vec::new();
    for _ in 0..HOPS {
        let new: Vec<String> = wanted.difference(&asked).cloned().collect();
        asked.append(&mut wanted);
        for group in new.chunks(AT_ONCE) {
            let rows = try_join_all(group.iter().map(|reference| look_up(handler, reference)));
            for (reference, row) in group.iter().zip(rows.await?) {
                let Some((id, json)) = row else { continue };
                let url = match by_id.get(&id) {
                    Some(url) => url.clone(),
                    None => {
                        let url = places.place(&json, id)?;
                        by_id.insert(id, url.clone());
                        found.push((url.clone(), json));
                        url
                    }
                };
                places.listed.insert(reference.clone(), url);
            }
        }
        for (_, json) in &found {
            places.lead_all(json, &mut wanted);
        }
    }
    Ok(found)
}

async fn look_up(handler: &Handler, reference: &str) -> Result<Option<(Uuid, String)>, Fault> {
    let (kinds, key) = match Target::of(reference) {
        Target::Uuid(id) => (DIRECTORY.as_slice(), format!("id:{id}")),
        Target::Conditional { kind, identifier } => (one(kind), format!("identifier:{identifier}")),
        Target::Literal {
            base: Some(base),
            kind,
            id,
        } => (one(kind), format!("id:{base}/{kind}/{id}")),
        Target::Literal {
            base: None,
            kind,
            id,
        } => (one(kind), format!("id:{id}")),
        Target::Contained | Target::Other => return Ok(None),
    };
    for kind in kinds {
        if let Some(row) = handler.directory.resource(kind, &key).await? {
            return Ok(Some(row));
        }
    }
    // By the portal's own id, as appointments have it.
    match (Target::of(reference), kinds) {
        (Target::Literal { base: None, id, .. }, [kind]) => match uuid(id) {
            Some(id) => handler.directory.resource_of(kind, id).await,
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

/// The type, if the directory has it.
fn one(kind: &str) -> &'static [&'static str] {
    let at = DIRECTORY.iter().position(|known| *known == kind);
    at.and_then(|at| DIRECTORY.get(at..=at)).unwrap_or_default()
}
