//! What the portal takes from one clinical resource: its section, time, status and references.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Serialize;
use serde_json::value::RawValue;

use super::allergy::Allergy;
use super::care_plan::CarePlan;
use super::condition::Condition;
use super::datatypes::{CodeableConcept, Link, Period};
use super::encounter::Encounter;
use super::finding::Finding;
use super::immunization::Immunization;
use super::index::{Index, Reference, Resource, Target};
use super::json::Object;
use super::observation::Observation;
use super::procedure::Procedure;
use super::reason::Reason;
use super::report::Report;
use super::ssn;
use super::team::CareTeam;
use super::time::ClinicalTime;

/// The part of the record where a patient looks for the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    Lab,
    VitalSign,
    SocialHistory,
    OtherObservation,
    /// A report that does nothing but group results.
    LabReport,
    /// A report that is a document by itself, or says something in words.
    DiagnosticReport,
    Medication,
    Allergy,
    Condition,
    Immunization,
    Procedure,
    CarePlan,
    Document,
    Encounter,
    CareTeam,
}

/// A reference with the name that the source shows for it.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Debug))]
pub struct Named {
    pub reference: Reference,
    pub display: Option<String>,
}

/// One clinical resource of a patient.
#[cfg_attr(test, derive(Debug))]
pub struct Entry<'a> {
    pub resource_type: &'static str,
    /// The source's id, or the one in the fullUrl where the resource has none.
    pub id: String,
    pub section: Section,
    /// When it happened, as far as the source says.
    pub time: Option<ClinicalTime>,
    /// `status`, or `clinicalStatus` where the type has no status.
    pub status: Option<String>,
    /// Marked by the source as never having been true: not to be shown as part of the record.
    pub entered_in_error: bool,
    /// The resource as it stands in the file, without social security numbers.
    pub json: Cow<'a, RawValue>,
    pub encounter: Option<Reference>,
    /// A report's observations, all of the same patient.
    pub results: Vec<Reference>,
    pub practitioners: Vec<Named>,
    /// The Medication of the file that a prescription refers to, without which it has no name.
    pub medication: Option<&'a RawValue>,
    /// Where that Medication is, also when it came with another file.
    pub medication_reference: Option<Reference>,
}

impl Entry<'_> {
    /// Bytes of JSON that storing the entry takes.
    pub fn size(&self) -> usize {
        self.json.get().len() + self.medication.map_or(0, |raw| raw.get().len())
    }
}

/// The member that names the patient.
pub(super) fn subject_member(resource_type: &str) -> &'static str {
    match resource_type {
        "AllergyIntolerance" | "Immunization" => "patient",
        _ => "subject",
    }
}

/// Reads the entry. `same_patient` tells whether a resource of the file belongs to its patient.
pub(super) fn read<'a>(
    resource: &Resource<'a>,
    object: &Object<'a>,
    index: &Index<'a>,
    same_patient: impl Fn(usize) -> bool,
) -> Result<Entry<'a>, Reason> {
    let kind = resource.resource_type;
    let own = |link: &Link, expected| match index.resolve(link, resource, expected) {
        Target::File(at) if !same_patient(at) => Reference::Nowhere,
        target => reference(index, target),
    };
    let mut practitioners: Vec<Named> = Vec::new();
    let mut known = HashSet::new();
    for link in practitioner_links(kind, object)? {
        let target = reference(index, index.practitioner(&link, resource));
        if is_practitioner(&target) && known.insert(target.clone()) {
            practitioners.push(Named {
                reference: target,
                display: link.display,
            });
        }
    }
    let (medication, medication_reference) = medication(resource, object, index)?;
    readable(kind, resource.json.get())?;
    Ok(Entry {
        resource_type: kind,
        id: resource.id.clone(),
        section: section(kind, object)?,
        time: time(kind, object)?,
        status: status(object)?,
        entered_in_error: entered_in_error(object)?,
        json: ssn::without(resource.json)?,
        encounter: encounter_link(kind, object)?.map(|link| own(&link, "Encounter")),
        results: match kind {
            "DiagnosticReport" => object
                .list::<Link>("result")?
                .iter()
                .map(|link| own(link, "Observation"))
                .collect(),
            _ => Vec::new(),
        },
        practitioners,
        medication,
        medication_reference,
    })
}

/// What is stored can be shown: one resource that no view reads would take its whole list with it.
fn readable(kind: &str, json: &str) -> Result<(), Reason> {
    match kind {
        "Observation" => Observation::parse(json).map(drop),
        "DiagnosticReport" => Report::parse(json).map(drop),
        "AllergyIntolerance" => {
            Allergy::parse(json)?;
            Finding::parse(json).map(drop)
        }
        "Condition" => {
            Condition::parse(json)?;
            Finding::parse(json).map(drop)
        }
        "Immunization" => Immunization::parse(json).map(drop),
        "Procedure" => Procedure::parse(json).map(drop),
        "CarePlan" => CarePlan::parse(json).map(drop),
        "Encounter" => Encounter::parse(json).map(drop),
        "CareTeam" => CareTeam::parse(json).map(drop),
        _ => Ok(()),
    }
}

pub(super) fn reference(index: &Index<'_>, target: Target) -> Reference {
    match target {
        Target::File(at) => {
            index
                .resource(at)
                .map_or(Reference::Nowhere, |resource| Reference::File {
                    resource_type: resource.resource_type,
                    id: resource.id.clone(),
                })
        }
        Target::External { resource_type, key } => Reference::External { resource_type, key },
        Target::Contained(_) | Target::Nowhere => Reference::Nowhere,
    }
}

pub(super) fn is_practitioner(reference: &Reference) -> bool {
    matches!(
        reference,
        Reference::File {
            resource_type: "Practitioner",
            ..
        } | Reference::External {
            resource_type: "Practitioner",
            ..
        }
    )
}

fn section(kind: &str, object: &Object<'_>) -> Result<Section, Reason> {
    Ok(match kind {
        "Observation" => observation_section(&object.list("category")?),
        "DiagnosticReport" if groups_only(object)? => Section::LabReport,
        "DiagnosticReport" => Section::DiagnosticReport,
        "MedicationRequest" => Section::Medication,
        "AllergyIntolerance" => Section::Allergy,
        "Condition" => Section::Condition,
        "Immunization" => Section::Immunization,
        "Procedure" => Section::Procedure,
        "CarePlan" => Section::CarePlan,
        "DocumentReference" => Section::Document,
        "Encounter" => Section::Encounter,
        "CareTeam" => Section::CareTeam,
        _ => return Err(Reason::TypeNotKept),
    })
}

/// Whether there is nothing to read in the report but its results.
fn groups_only(object: &Object<'_>) -> Result<bool, Reason> {
    let results: Vec<&RawValue> = object.list("result")?;
    Ok(!results.is_empty() && !object.has("presentedForm") && !object.has("conclusion"))
}

/// <https://terminology.hl7.org/CodeSystem-observation-category.html>; a code without a system, or
/// of the system's older name, counts too.
fn observation_section(categories: &[CodeableConcept]) -> Section {
    let has = |code: &str| {
        categories
            .iter()
            .flat_map(|category| &category.coding)
            .any(|coding| {
                coding.code.as_deref() == Some(code)
                    && coding
                        .system
                        .as_deref()
                        .is_none_or(|system| system.ends_with("/observation-category"))
            })
    };
    if has("laboratory") {
        Section::Lab
    } else if has("vital-signs") {
        Section::VitalSign
    } else if has("social-history") {
        Section::SocialHistory
    } else {
        Section::OtherObservation
    }
}

/// The members that may hold the clinical time, best first.
fn time(kind: &str, object: &Object<'_>) -> Result<Option<ClinicalTime>, Reason> {
    let members: &[&'static str] = match kind {
        "Observation" => &[
            "effectiveDateTime",
            "effectivePeriod",
            "effectiveInstant",
            "effectiveTiming",
            "issued",
        ],
        "DiagnosticReport" => &["effectiveDateTime", "effectivePeriod", "issued"],
        "MedicationRequest" => &["authoredOn"],
        "AllergyIntolerance" => &[
            "onsetDateTime",
            "onsetPeriod",
            "recordedDate",
            "lastOccurrence",
        ],
        "Condition" => &["onsetDateTime", "onsetPeriod", "recordedDate"],
        "Immunization" => &["occurrenceDateTime", "recorded"],
        "Procedure" => &["performedDateTime", "performedPeriod"],
        "CarePlan" => &["period", "created"],
        "DocumentReference" => &["date"],
        "Encounter" | "CareTeam" => &["period"],
        _ => &[],
    };
    for member in members {
        let text = match *member {
            "effectivePeriod" | "onsetPeriod" | "performedPeriod" | "period" => {
                let period: Option<Period> = object.get(member)?;
                if period.as_ref().is_some_and(|period| !period.is_sound()) {
                    return Err(Reason::Malformed(member));
                }
                period.and_then(|period| period.start.or(period.end))
            }
            "effectiveTiming" => match object.raw(member) {
                Some(raw) => Object::parse(raw)
                    .and_then(|timing| timing.list::<String>("event"))
                    .map_err(|_| Reason::Malformed(member))?
                    .into_iter()
                    .next(),
                None => None,
            },
            _ => object.text(member)?,
        };
        if let Some(text) = text {
            return ClinicalTime::parse(&text)
                .map(Some)
                .ok_or(Reason::Malformed(member));
        }
    }
    Ok(None)
}

fn status(object: &Object<'_>) -> Result<Option<String>, Reason> {
    if let Some(status) = object.text("status")? {
        return Ok(Some(status));
    }
    let clinical: Option<CodeableConcept> = object.get("clinicalStatus")?;
    Ok(clinical.and_then(|concept| concept.coding.into_iter().find_map(|coding| coding.code)))
}

fn entered_in_error(object: &Object<'_>) -> Result<bool, Reason> {
    const CODE: &str = "entered-in-error";
    if object.text("status")?.as_deref() == Some(CODE) {
        return Ok(true);
    }
    let verification: Option<CodeableConcept> = object.get("verificationStatus")?;
    Ok(verification.is_some_and(|concept| concept.has_code(CODE)))
}

fn encounter_link(kind: &str, object: &Object<'_>) -> Result<Option<Link>, Reason> {
    if kind != "DocumentReference" {
        return object.get("encounter");
    }
    let Some(context) = object.raw("context") else {
        return Ok(None);
    };
    let context = Object::parse(context).map_err(|_| Reason::Malformed("context"))?;
    Ok(context.list("encounter")?.into_iter().next())
}

/// Links to those who ordered, performed, wrote or took part.
fn practitioner_links(kind: &str, object: &Object<'_>) -> Result<Vec<Link>, Reason> {
    let mut links = Vec::new();
    let one: &[&'static str] = match kind {
        "MedicationRequest" => &["requester", "recorder", "performer"],
        "AllergyIntolerance" | "Condition" | "Procedure" => &["recorder", "asserter"],
        "CarePlan" => &["author"],
        "DocumentReference" => &["authenticator"],
        _ => &[],
    };
    for member in one {
        links.extend(object.get::<Link>(member)?);
    }
    let many: &[&'static str] = match kind {
        "Observation" => &["performer"],
        "DiagnosticReport" => &["performer", "resultsInterpreter"],
        "DocumentReference" => &["author"],
        "CarePlan" => &["contributor"],
        _ => &[],
    };
    for member in many {
        links.extend(object.list::<Link>(member)?);
    }
    let nested: Option<(&'static str, &'static str)> = match kind {
        "Procedure" | "Immunization" => Some(("performer", "actor")),
        "Encounter" => Some(("participant", "individual")),
        "CareTeam" => Some(("participant", "member")),
        _ => None,
    };
    if let Some((outer, inner)) = nested {
        for raw in object.list::<&RawValue>(outer)? {
            let part = Object::parse(raw).map_err(|_| Reason::Malformed(outer))?;
            links.extend(part.get::<Link>(inner)?);
        }
    }
    Ok(links)
}

fn medication<'a>(
    resource: &Resource<'a>,
    object: &Object<'a>,
    index: &Index<'a>,
) -> Result<(Option<&'a RawValue>, Option<Reference>), Reason> {
    if resource.resource_type != "MedicationRequest" {
        return Ok((None, None));
    }
    let Some(link) = object.get::<Link>("medicationReference")? else {
        return Ok((None, None));
    };
    let target = index.resolve(&link, resource, "Medication");
    let attached = match target {
        Target::File(at) => index
            .resource(at)
            .filter(|found| found.resource_type == "Medication")
            .map(|found| found.json),
        _ => None,
    };
    Ok((attached, Some(reference(index, target))))
}
