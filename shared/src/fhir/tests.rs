//! The reader against the sample patients, against files it should distrust, and against chance.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::medication::Prescription;
use super::observation::{self, Observation};
use super::*;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data");

fn now() -> Timestamp {
    "2025-01-01T00:00:00Z".parse().unwrap()
}

fn samples() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(Path::new(DATA).join("synthea"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read(path).unwrap(),
            )
        })
        .collect();
    files.sort();
    assert_eq!(files.len(), 31);
    files
}

fn sample(prefix: &str) -> Vec<u8> {
    samples()
        .into_iter()
        .find(|(name, _)| name.starts_with(prefix))
        .unwrap()
        .1
}

/// The resources of a Bundle, taken apart by means other than the reader's.
fn resources(bytes: &[u8]) -> Vec<(Value, &str)> {
    #[derive(Deserialize)]
    struct Bundle<'a> {
        #[serde(borrow)]
        entry: Vec<Held<'a>>,
    }
    #[derive(Deserialize)]
    struct Held<'a> {
        #[serde(borrow)]
        resource: &'a RawValue,
    }
    let bundle: Bundle<'_> = serde_json::from_slice(bytes).unwrap();
    let parse = |held: Held<'_>| serde_json::from_str(held.resource.get()).unwrap();
    let text = |held: &Held<'_>| -> (usize, usize) {
        let start = held.resource.get().as_ptr() as usize - bytes.as_ptr() as usize;
        (start, start + held.resource.get().len())
    };
    bundle
        .entry
        .into_iter()
        .map(|held| {
            let (start, end) = text(&held);
            (
                parse(held),
                std::str::from_utf8(&bytes[start..end]).unwrap(),
            )
        })
        .collect()
}

/// Type, id and JSON of everything that the plan stores.
fn planned(file: &File<'_>) -> Vec<(&'static str, String, String)> {
    let mut all = Vec::new();
    let mut medications = BTreeSet::new();
    for record in &file.patients {
        if let Subject::File { id, json, .. } = &record.subject {
            all.push(("Patient", id.clone(), json.get().to_owned()));
        }
        for entry in &record.entries {
            all.push((
                entry.resource_type,
                entry.id.clone(),
                entry.json.get().to_owned(),
            ));
            if let (Some(raw), Some(Reference::File { id, .. })) =
                (entry.medication, &entry.medication_reference)
            {
                medications.insert((id.clone(), raw.get().to_owned()));
            }
        }
    }
    all.extend(
        medications
            .into_iter()
            .map(|(id, json)| ("Medication", id, json)),
    );
    let directory = file.organizations.iter().chain(&file.locations);
    all.extend(directory.map(|one| (one.resource_type, one.id.clone(), one.json.get().to_owned())));
    let staff = file.practitioners.iter();
    all.extend(staff.map(|one| ("Practitioner", one.id.clone(), one.json.get().to_owned())));
    all
}

/// That each of the file's resources is either planned or unstored, once.
fn accounts_for(file: &File<'_>, resources: usize) {
    let total: usize = file
        .counts
        .values()
        .map(|count| count.stored + count.unstored)
        .sum();
    assert_eq!(total, resources);
    let mut stored: BTreeMap<&str, usize> = BTreeMap::new();
    for (resource_type, ..) in planned(file) {
        *stored.entry(resource_type).or_default() += 1;
    }
    for (resource_type, count) in &file.counts {
        assert_eq!(
            count.stored,
            stored.remove(resource_type).unwrap_or(0),
            "{resource_type}"
        );
        let unstored = file
            .unstored
            .iter()
            .filter(|one| one.resource_type == *resource_type);
        assert_eq!(count.unstored, unstored.count(), "{resource_type}");
    }
    assert!(stored.is_empty());
    let positions: BTreeSet<usize> = file.unstored.iter().map(|one| one.position).collect();
    assert_eq!(positions.len(), file.unstored.len());
}

fn members(json: &str) -> BTreeMap<String, &RawValue> {
    serde_json::from_str(json).unwrap()
}

#[test]
fn every_resource_of_the_samples_is_stored_as_it_is_or_accounted_for() {
    let mut totals: BTreeMap<&str, Count> = BTreeMap::new();
    for (name, bytes) in samples() {
        let file = read(&bytes, now()).unwrap();
        let input = resources(&bytes);
        accounts_for(&file, input.len());
        assert!(
            file.unstored
                .iter()
                .all(|one| one.reason == Reason::TypeNotKept),
            "{name}"
        );
        let by_id: BTreeMap<(&str, &str), &str> = input
            .iter()
            .map(|(value, raw)| {
                (
                    (
                        value["resourceType"].as_str().unwrap(),
                        value["id"].as_str().unwrap(),
                    ),
                    *raw,
                )
            })
            .collect();
        for (resource_type, id, json) in planned(&file) {
            let original = by_id[&(resource_type, id.as_str())];
            if resource_type != "Patient" {
                assert_eq!(json, original, "{name}");
                continue;
            }
            let (mut before, mut after) = (members(original), members(&json));
            let list = |raw: &RawValue| -> Vec<String> {
                let list: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap();
                list.into_iter().map(|one| one.get().to_owned()).collect()
            };
            let mut identifiers = list(before.remove("identifier").unwrap());
            identifiers.retain(|one| !one.contains("us-ssn"));
            assert_eq!(list(after.remove("identifier").unwrap()), identifiers);
            let text = |members: BTreeMap<String, &RawValue>| -> Vec<(String, String)> {
                members
                    .into_iter()
                    .map(|(key, raw)| (key, raw.get().to_owned()))
                    .collect()
            };
            assert_eq!(text(before), text(after), "{name}");
        }
        for (kind, count) in &file.counts {
            let total = totals.entry(kind).or_default();
            total.stored += count.stored;
            total.unstored += count.unstored;
        }
    }
    let stored = |kind: &str| (totals[kind].stored, totals[kind].unstored);
    for (kind, expected) in [
        ("AllergyIntolerance", (17, 0)),
        ("CarePlan", (51, 0)),
        ("CareTeam", (12, 0)),
        ("Claim", (0, 810)),
        ("Condition", (215, 0)),
        ("Device", (0, 7)),
        ("DiagnosticReport", (351, 0)),
        ("DocumentReference", (333, 0)),
        ("Encounter", (759, 0)),
        ("ExplanationOfBenefit", (0, 618)),
        ("Goal", (0, 27)),
        ("ImagingStudy", (0, 3)),
        ("Immunization", (489, 0)),
        ("Location", (44, 0)),
        ("MedicationRequest", (267, 0)),
        ("Observation", (3225, 0)),
        ("Organization", (77, 0)),
        ("Patient", (30, 0)),
        ("Practitioner", (77, 0)),
        ("PractitionerRole", (0, 43)),
        ("Procedure", (366, 0)),
        ("Provenance", (0, 3)),
    ] {
        assert_eq!(stored(kind), expected, "{kind}");
    }
    assert_eq!(totals.len(), 22);
}

#[test]
fn no_social_security_number_is_planned() {
    for (name, bytes) in samples() {
        let numbers: Vec<String> = resources(&bytes)
            .iter()
            .filter(|(value, _)| value["resourceType"] == "Patient")
            .flat_map(|(value, _)| value["identifier"].as_array().unwrap().clone())
            .filter(|identifier| identifier["system"] == "http://hl7.org/fhir/sid/us-ssn")
            .map(|identifier| identifier["value"].as_str().unwrap().to_owned())
            .collect();
        let file = read(&bytes, now()).unwrap();
        assert_eq!(numbers.len(), file.patients.len(), "{name}");
        let plan = format!("{file:?}");
        for number in numbers {
            assert!(!plan.contains(&number), "{name}");
        }
        assert!(!plan.contains("us-ssn"), "{name}");
    }
}

#[test]
fn samples_have_names_numbers_and_times_that_a_patient_can_read() {
    let mut sections: BTreeMap<Section, usize> = BTreeMap::new();
    let (mut without_value, mut without_dosage) = (0, 0);
    for (name, bytes) in samples() {
        for record in read(&bytes, now()).unwrap().patients {
            let Subject::File {
                medical_record_number,
                ..
            } = &record.subject
            else {
                panic!("{name}")
            };
            let view = record.subject.view().unwrap();
            assert!(name.contains(&medical_record_number.value) || name.starts_with("iris"));
            assert!(
                view.display_name().is_some() && view.birth_date.as_ref().unwrap().full().is_some()
            );
            assert_eq!((view.phones().count(), view.emails().count()), (1, 0));
            assert!(!view.address().unwrap().lines().is_empty());
            assert!(view.language.is_some() && view.active);
            for entry in &record.entries {
                *sections.entry(entry.section).or_default() += 1;
                assert!(entry.time.is_some() && !entry.entered_in_error);
                if entry.resource_type == "Observation" {
                    let observation = Observation::parse(entry.json.get()).unwrap();
                    assert!(observation.loinc().is_some() && observation.code.label().is_some());
                    without_value += usize::from(observation.display_value().is_none());
                }
                if entry.resource_type == "MedicationRequest" {
                    let prescription = Prescription::parse(entry.json.get(), None).unwrap();
                    assert!(prescription.name.is_some());
                    without_dosage += usize::from(prescription.dosage.is_empty());
                }
            }
        }
    }
    assert_eq!(without_value, 10);
    assert_eq!(without_dosage, 90);
    assert_eq!(sections[&Section::Lab], 1410);
    assert_eq!(sections[&Section::VitalSign], 814);
    assert_eq!(sections[&Section::SocialHistory], 6);
    assert_eq!(sections[&Section::OtherObservation], 995);
}

#[test]
fn blood_pressure_shows_both_components() {
    let bytes = sample("smart19_Tom");
    let file = read(&bytes, now()).unwrap();
    let pressure = file.patients[0]
        .entries
        .iter()
        .filter(|entry| entry.resource_type == "Observation")
        .map(|entry| Observation::parse(entry.json.get()).unwrap())
        .find(|observation| {
            observation.loinc() == Some("85354-9") || observation.loinc() == Some("55284-4")
        })
        .unwrap();
    assert_eq!(pressure.value, None);
    let parts: Vec<_> = pressure
        .components
        .iter()
        .map(|component| match &component.value {
            Some(observation::Value::Quantity(quantity)) => quantity.unit.as_deref(),
            _ => None,
        })
        .collect();
    assert_eq!(parts, [Some("mm[Hg]"), Some("mm[Hg]")]);
    assert!(pressure.display_value().unwrap().contains("; "));
}

/// The rule of the care team, worked out a second time from plain JSON.
#[test]
fn the_care_team_is_who_the_record_says() {
    let mut sizes = Vec::new();
    for (name, bytes) in samples() {
        let input = resources(&bytes);
        let of = |kind: &str| -> Vec<Value> {
            let of = input
                .iter()
                .filter(|(value, _)| value["resourceType"] == kind);
            of.map(|(value, _)| value.clone()).collect()
        };
        let key = |text: &str| -> Option<String> {
            if let Some(id) = text.strip_prefix("urn:uuid:") {
                let found = of("Practitioner").into_iter().any(|one| one["id"] == id);
                return found.then(|| id.to_owned());
            }
            let token = text.strip_prefix("Practitioner?identifier=")?;
            let value = token.split_once('|').unwrap().1;
            let found = of("Practitioner")
                .into_iter()
                .find(|one| one["identifier"][0]["value"] == value);
            Some(found.map_or_else(
                || format!("identifier:{token}"),
                |one| one["id"].as_str().unwrap().to_owned(),
            ))
        };
        let start = |one: &Value| -> Timestamp {
            one["period"]["start"].as_str().unwrap().parse().unwrap()
        };
        let end =
            |one: &Value| -> Timestamp { one["period"]["end"].as_str().unwrap().parse().unwrap() };
        let encounters = of("Encounter");
        let mut expected: BTreeSet<String> = of("CareTeam")
            .iter()
            .filter(|team| team["status"] == "active" && team["period"]["end"].is_null())
            .flat_map(|team| team["participant"].as_array().unwrap().clone())
            .filter_map(|one| key(one["member"]["reference"].as_str().unwrap()))
            .collect();
        if let Some(newest) = encounters.iter().map(start).max() {
            let cutoff = newest
                .to_zoned(TimeZone::UTC)
                .checked_sub(24.months())
                .unwrap()
                .timestamp();
            for encounter in encounters.iter().filter(|one| end(one) >= cutoff) {
                for one in encounter["participant"].as_array().unwrap_or(&Vec::new()) {
                    expected.extend(one["individual"]["reference"].as_str().and_then(key));
                }
            }
        }
        for record in read(&bytes, now()).unwrap().patients {
            let team: BTreeSet<String> = record
                .care_team
                .iter()
                .map(|member| match &member.practitioner {
                    Reference::File { id, .. } => id.clone(),
                    Reference::External { key, .. } => key.clone(),
                    Reference::Nowhere => panic!("{name}"),
                })
                .collect();
            assert_eq!(team.len(), record.care_team.len(), "{name}");
            assert_eq!(team, expected, "{name}");
            sizes.push(team.len());
        }
    }
    assert_eq!(sizes.len(), 30);
    assert!(sizes.iter().all(|size| *size >= 1));
}

fn bundle(resources: impl IntoIterator<Item = Value>) -> Vec<u8> {
    let entries: Vec<Value> = resources
        .into_iter()
        .map(|resource| {
            let url = format!(
                "urn:uuid:{}",
                portal_id(
                    uuid::Uuid::nil(),
                    &resource["resourceType"].to_string(),
                    &resource["id"].to_string()
                )
            );
            json!({"fullUrl": url, "resource": resource})
        })
        .collect();
    serde_json::to_vec(&json!({"resourceType": "Bundle", "type": "collection", "entry": entries}))
        .unwrap()
}

fn patient(id: &str, number: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "birthDate": "1980-01-01",
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:mrn", "value": number}]})
}

fn practitioner(id: &str) -> Value {
    json!({"resourceType": "Practitioner", "id": id, "name": [{"family": id}]})
}

fn encounter(id: &str, patient: &str, practitioner: &str, status: &str, start: &str) -> Value {
    json!({"resourceType": "Encounter", "id": id, "status": status,
        "subject": {"reference": format!("Patient/{patient}")}, "period": {"start": start},
        "participant": [{"individual": {"reference": format!("Practitioner/{practitioner}")}}]})
}

fn team_of(bytes: &[u8]) -> Vec<(String, Source)> {
    let file = read(bytes, now()).unwrap();
    let name = |member: &CareTeamMember| match &member.practitioner {
        Reference::File { id, .. } => id.clone(),
        Reference::External { key, .. } => key.clone(),
        Reference::Nowhere => panic!(),
    };
    file.patients[0]
        .care_team
        .iter()
        .map(|member| (name(member), member.source))
        .collect()
}

#[test]
fn what_is_in_doubt_puts_nobody_on_the_care_team() {
    let all = ["a", "b", "c", "d", "e", "f", "g", "h"].map(practitioner);
    let encounters = [
        encounter("1", "1", "a", "finished", "2024-06-01"),
        encounter("2", "1", "b", "finished", "2022-06-01"),
        encounter("3", "1", "c", "finished", "2022-05-31"),
        encounter("4", "1", "d", "cancelled", "2024-06-01"),
        encounter("5", "1", "e", "entered-in-error", "2030-06-01"),
        encounter("6", "1", "f", "finished", "2030-06-01"),
        encounter("7", "1", "g", "in-progress", "2022-03-10"),
        encounter("10", "1", "h", "in-progress", "1990-06-01"),
        encounter("8", "1", "a", "finished", "2023-06-01"),
        encounter("9", "1", "missing", "finished", "2024-06-01"),
    ];
    let resources = || {
        std::iter::once(patient("1", "m"))
            .chain(all.clone())
            .chain(encounters.clone())
    };
    let seen = |name: &str| (name.to_owned(), Source::Encounter);
    assert_eq!(
        team_of(&bundle(resources())),
        [seen("a"), seen("b"), seen("g"), seen("id:missing")]
    );

    let team = |status: &str, period: Value, participant: Value| {
        json!({"resourceType": "CareTeam", "id": "t", "status": status, "period": period,
            "subject": {"reference": "Patient/1"},
            "participant": [{"member": {"reference": "Practitioner/h"}, "period": participant}]})
    };
    let listed = |team: Value| {
        let team = team_of(&bundle(resources().chain([team])));
        team.contains(&("h".to_owned(), Source::CareTeam))
    };
    let open = json!({"start": "2020-01-01"});
    assert!(listed(team("active", open.clone(), json!({}))));
    assert!(listed(team("active", json!({"end": "2025"}), open.clone())));
    assert!(!listed(team("inactive", open.clone(), json!({}))));
    assert!(!listed(team(
        "active",
        json!({"end": "2024-12-31"}),
        open.clone()
    )));
    assert!(!listed(team(
        "active",
        open.clone(),
        json!({"end": "2024-12-30T00:00:00Z"})
    )));
    assert!(!listed(team("active", json!({"start": "2026"}), json!({}))));
    let file = bundle(resources().chain([team("active", open, json!({"end": "soon"}))]));
    let file = read(&file, now()).unwrap();
    assert_eq!(
        file.unstored.last().unwrap().reason,
        Reason::Malformed("period")
    );
}

#[test]
fn two_patients_in_one_file_never_mix() {
    let observation = |id: &str, patient: &str| {
        json!({"resourceType": "Observation", "id": id, "subject": {"reference": patient},
            "code": {"text": "x"}})
    };
    let report = json!({"resourceType": "DiagnosticReport", "id": "r",
        "subject": {"reference": "Patient/1"},
        "encounter": {"reference": "Encounter/e2"},
        "result": [{"reference": "Observation/o1"}, {"reference": "Observation/o2"}]});
    let bytes = bundle([
        observation("o2", "Patient/2"),
        patient("1", "m1"),
        patient("2", "m2"),
        observation("o1", "Patient?identifier=urn:mrn|m1"),
        observation("o3", "Patient/3"),
        observation("o4", "Group/1"),
        observation("o5", "urn:uuid:0b7a6f0e-0000-4000-8000-000000000009"),
        observation("o6", "#p"),
        encounter("e2", "2", "p", "finished", "2024"),
        practitioner("p"),
        report,
        json!({"resourceType": "Observation", "id": "o7"}),
    ]);
    let file = read(&bytes, now()).unwrap();
    accounts_for(&file, 12);
    let ids: Vec<(Vec<String>, Vec<&str>)> = file
        .patients
        .iter()
        .map(|record| {
            let entries = record
                .entries
                .iter()
                .map(|entry| entry.id.as_str())
                .collect();
            (record.subject.aliases(), entries)
        })
        .collect();
    let aliases = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        ids,
        [
            (aliases(&["id:1", "identifier:urn:mrn|m1"]), vec!["o1", "r"]),
            (
                aliases(&["id:2", "identifier:urn:mrn|m2"]),
                vec!["o2", "e2"]
            ),
            (aliases(&["id:3"]), vec!["o3"]),
        ]
    );
    assert!(file.patients[0].care_team.is_empty());
    assert_eq!(file.patients[1].care_team.len(), 1);
    let report = &file.patients[0].entries[1];
    assert_eq!(report.encounter, Some(Reference::Nowhere));
    let own = Reference::File {
        resource_type: "Observation",
        id: "o1".to_owned(),
    };
    assert_eq!(report.results, [own, Reference::Nowhere]);
    let reasons: Vec<Reason> = file.unstored.iter().map(|one| one.reason).collect();
    assert_eq!(
        reasons,
        [
            Reason::SubjectNotAPatient,
            Reason::SubjectUnknown,
            Reason::SubjectUnknown,
            Reason::NoSubject
        ]
    );
}

#[test]
fn a_patient_who_cannot_be_stored_takes_the_record_along() {
    let observation = |id: &str, patient: &str| {
        json!({"resourceType": "Observation", "id": id,
            "subject": {"reference": format!("Patient/{patient}")}})
    };
    let mut nameless = patient("1", "m1");
    nameless["identifier"] = json!([{"system": "urn:x", "value": "7"}]);
    let mut born = patient("4", "m4");
    born["birthDate"] = json!("someday");
    let bytes = bundle([
        nameless,
        observation("a", "1"),
        patient("2", "same"),
        patient("3", "same"),
        observation("b", "2"),
        born,
        observation("c", "4"),
    ]);
    let file = read(&bytes, now()).unwrap();
    accounts_for(&file, 7);
    assert!(file.patients.is_empty());
    let reasons: Vec<Reason> = file.unstored.iter().map(|one| one.reason).collect();
    assert_eq!(
        reasons,
        [
            Reason::NoMedicalRecordNumber,
            Reason::PatientNotStored,
            Reason::SharedMedicalRecordNumber,
            Reason::SharedMedicalRecordNumber,
            Reason::PatientNotStored,
            Reason::Malformed("birthDate"),
            Reason::PatientNotStored,
        ]
    );
}

#[test]
fn a_damaged_patient_does_not_send_entries_to_a_stranger_with_the_same_id() {
    let lines = concat!(
        r#"{"resourceType":"Patient","id":"1","name":[{"text":"\ud800"}]}"#,
        "\n",
        r#"{"resourceType":"Observation","id":"a","subject":{"reference":"Patient/1"}}"#,
        "\n",
        r#"{"resourceType":"Observation","id":"b","subject":{"reference":"Patient/2"}}"#,
    );
    let file = read(lines.as_bytes(), now()).unwrap();
    accounts_for(&file, 3);
    assert_eq!(file.format, Format::Ndjson);
    assert!(matches!(&file.patients[0].subject, Subject::External { key } if key == "id:2"));
    let reasons: Vec<Reason> = file.unstored.iter().map(|one| one.reason).collect();
    assert_eq!(reasons, [Reason::Unreadable, Reason::SubjectUnknown]);
}

#[test]
fn a_prescription_takes_its_medication_along() {
    let request = |id: &str, medication: &str| {
        json!({"resourceType": "MedicationRequest", "id": id, "status": "active",
            "subject": {"reference": "Patient/1"}, "medicationReference": {"reference": medication}})
    };
    let bytes = bundle([
        patient("1", "m"),
        json!({"resourceType": "Medication", "id": "used", "code": {"text": "Aspirin 81 MG"}}),
        json!({"resourceType": "Medication", "id": "idle"}),
        request("a", "Medication/used"),
        request("b", "Medication/used"),
        request("c", "Medication/elsewhere"),
    ]);
    let file = read(&bytes, now()).unwrap();
    accounts_for(&file, 6);
    assert_eq!(file.unstored[0].reason, Reason::NotReferenced);
    let entries = &file.patients[0].entries;
    let medication = entries[0].medication.map(RawValue::get);
    let prescription = Prescription::parse(entries[0].json.get(), medication).unwrap();
    assert_eq!(prescription.name.as_deref(), Some("Aspirin 81 MG"));
    let elsewhere = Reference::External {
        resource_type: "Medication",
        key: "id:elsewhere".to_owned(),
    };
    assert_eq!(entries[2].medication_reference, Some(elsewhere));
}

#[test]
fn a_report_never_repeats_what_the_file_says() {
    let bytes = br#"{"resourceType":"Bundle","type":"batch","entry":[
        {"resource":{"resourceType":"Jane Doe","id":"1"}},
        {"resource":{"resourceType":"Observation","id":"Jane Doe"}},
        {"resource":{"resourceType":"Observation"}},
        {"resource":{"resourceType":7}},
        {"resource":"Jane Doe"},
        {"resource":{"resourceType":"Claim","id":"c"}},
        {"resource":{"resourceType":"Condition","id":"x","modifierExtension":[{"url":"u"}]}},
        {"resource":{"resourceType":"Condition","id":"y","subject":{"reference":"Patient/1"},"onsetDateTime":"Jane Doe"}},
        {"resource":{"resourceType":"Condition","id":"z","subject":"Jane Doe"}}]}"#;
    let file = read(bytes, now()).unwrap();
    accounts_for(&file, 9);
    let report = serde_json::to_string(&file.unstored).unwrap();
    assert!(!report.contains("Jane"));
    let reasons: Vec<Reason> = file.unstored.iter().map(|one| one.reason).collect();
    assert_eq!(
        reasons,
        [
            Reason::TypeNotKept,
            Reason::BadId,
            Reason::NoId,
            Reason::Malformed("resourceType"),
            Reason::NotJson,
            Reason::TypeNotKept,
            Reason::ModifierExtension,
            Reason::Malformed("onsetDateTime"),
            Reason::Malformed("subject"),
        ]
    );
    assert_eq!(file.unstored[0].resource_type, "unknown");
    assert!(file.patients.is_empty());
}

#[test]
fn what_was_entered_in_error_is_marked() {
    let condition = json!({"resourceType": "Condition", "id": "c",
        "subject": {"reference": "Patient/1"}, "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "entered-in-error"}]}});
    let immunization = json!({"resourceType": "Immunization", "id": "i",
        "patient": {"reference": "Patient/1"}, "status": "entered-in-error",
        "occurrenceString": "as a child"});
    let bytes = bundle([patient("1", "m"), condition, immunization]);
    let file = read(&bytes, now()).unwrap();
    let entries = &file.patients[0].entries;
    assert!(entries.iter().all(|entry| entry.entered_in_error));
    assert_eq!(entries[0].status.as_deref(), Some("active"));
    assert_eq!(entries[1].time, None);
}

#[test]
fn chunks_hold_every_entry_once() {
    let bytes = sample("smart19_Luigi");
    let file = read(&bytes, now()).unwrap();
    let record = &file.patients[0];
    for (entries, size) in [(1, usize::MAX), (25, usize::MAX), (25, 4_000), (0, 0)] {
        let chunks: Vec<_> = record.chunks(entries, size).collect();
        let ids: Vec<&str> = chunks
            .iter()
            .copied()
            .flatten()
            .map(|entry| entry.id.as_str())
            .collect();
        let all: Vec<&str> = record
            .entries
            .iter()
            .map(|entry| entry.id.as_str())
            .collect();
        assert_eq!(ids, all);
        for chunk in chunks {
            let bytes: usize = chunk.iter().map(Entry::size).sum();
            assert!(chunk.len() <= entries.max(1) && (bytes <= size || chunk.len() == 1));
        }
    }
}

#[test]
fn ndjson_reads_as_the_bundle_does() {
    let bytes = sample("bulk24_Denis");
    let lines: Vec<String> = resources(&bytes)
        .into_iter()
        .map(|(_, raw)| raw.replace('\n', " "))
        .collect();
    let text = format!("\u{feff}{}\r\n", lines.join("\r\n"));
    let (bundle, ndjson) = (
        read(&bytes, now()).unwrap(),
        read(text.as_bytes(), now()).unwrap(),
    );
    assert_eq!(ndjson.format, Format::Ndjson);
    assert_eq!(bundle.counts, ndjson.counts);
    assert_eq!(planned(&bundle), planned(&ndjson));
    assert_eq!(bundle.patients[0].care_team, ndjson.patients[0].care_team);
}

#[test]
fn naughty_strings_survive_byte_for_byte() {
    let path = Path::new(DATA).join("corpora/strings/blns.json");
    let strings: Vec<String> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert!(strings.len() > 300);
    for text in &strings {
        let mut patient = patient("1", "m");
        patient["name"] = json!([{"use": "official", "family": text}]);
        let observation = json!({"resourceType": "Observation", "id": "o", "status": text,
            "subject": {"reference": "Patient/1", "display": text}, "code": {"text": text},
            "valueString": text, "note": [{"text": text}],
            "performer": [{"reference": text}], text.as_str(): text});
        if text == "id" || text == "resourceType" {
            continue;
        }
        let expected = observation.to_string();
        let bytes = bundle([patient.clone(), observation]);
        let file = read(&bytes, now()).unwrap();
        accounts_for(&file, 2);
        let record = &file.patients[0];
        assert_eq!(record.entries[0].json.get(), expected);
        let view = Observation::parse(record.entries[0].json.get()).unwrap();
        assert_eq!(view.value, Some(observation::Value::Text(text.clone())));
        assert_eq!(&view.notes, std::slice::from_ref(text));
        let Subject::File { json, .. } = &record.subject else {
            panic!()
        };
        assert_eq!(json.get(), patient.to_string());
        let view = record.subject.view().unwrap();
        assert_eq!(view.names[0].family.as_ref(), Some(text));
        // As an id, a type or a reference to the patient it is refused, without an echo.
        for pointer in ["/id", "/resourceType", "/subject/reference"] {
            let mut hostile: Value = serde_json::from_str(&expected).unwrap();
            *hostile.pointer_mut(pointer).unwrap() = json!(text);
            let bytes = bundle([patient.clone(), hostile]);
            accounts_for(&read(&bytes, now()).unwrap(), 2);
        }
    }
}

/// Reads bytes of any kind and checks what must hold whatever they are.
fn survives(bytes: &[u8]) {
    if let Ok(file) = read(bytes, now()) {
        let total = file
            .counts
            .values()
            .map(|count| count.stored + count.unstored)
            .sum();
        accounts_for(&file, total);
        for record in &file.patients {
            for entry in &record.entries {
                let _ = Observation::parse(entry.json.get()).map(|view| view.display_value());
                let _ = Prescription::parse(entry.json.get(), entry.medication.map(RawValue::get));
                serde_json::from_str::<Value>(entry.json.get()).unwrap();
            }
        }
    }
}

/// Puts `new` in the place of the node that is `at` steps on.
fn nodes(value: &mut Value, at: &mut usize, new: &Value) {
    if *at == 0 {
        *value = new.clone();
        *at = usize::MAX;
        return;
    }
    *at -= 1;
    match value {
        Value::Array(list) => {
            for one in list {
                if *at != usize::MAX {
                    nodes(one, at, new);
                }
            }
        }
        Value::Object(map) => {
            for one in map.values_mut() {
                if *at != usize::MAX {
                    nodes(one, at, new);
                }
            }
        }
        _ => {}
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// A few resources of each type in the sample: small, so that a change hits what is read.
fn small() -> &'static (Vec<u8>, Value) {
    static SMALL: std::sync::OnceLock<(Vec<u8>, Value)> = std::sync::OnceLock::new();
    SMALL.get_or_init(|| {
        let mut value: Value = serde_json::from_slice(&sample("iris20_Gabriele")).unwrap();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        value["entry"].as_array_mut().unwrap().retain(|entry| {
            let count = seen
                .entry(entry["resource"]["resourceType"].to_string())
                .or_default();
            *count += 1;
            *count <= 3
        });
        (serde_json::to_vec(&value).unwrap(), value)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_truncation_is_survived(at in any::<prop::sample::Index>(), real in any::<bool>()) {
        let real_bytes;
        let bytes = if real { real_bytes = sample("bulk24_Denis"); &real_bytes } else { &small().0 };
        let cut = at.index(bytes.len());
        prop_assert!(read(&bytes[..cut], now()).is_err());
    }

    #[test]
    fn any_flipped_bytes_are_survived(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        hit in prop::sample::select(&b"{}[]\",:\\0-e \n\xff"[..]), ndjson in any::<bool>(),
    ) {
        let mut bytes = small().0.clone();
        if ndjson {
            bytes = resources(&bytes).iter().map(|(_, raw)| *raw).collect::<Vec<_>>().join("\n").into_bytes();
        }
        for (at, with) in flips {
            let at = at.index(bytes.len());
            bytes[at] = if with < 128 { hit } else { bytes[at] ^ (1 << (with % 8)) };
        }
        survives(&bytes);
    }

    #[test]
    fn any_changed_member_is_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..10_usize), 1..4),
    ) {
        let news = [json!(null), json!(7), json!(-1.5e300), json!("x"), json!(""), json!([]), json!({}),
            json!(true), json!([{"reference": "Patient/1", "start": "2019-13"}]),
            json!({"reference": "Patient/1", "coding": [{}], "value": "1"})];
        let mut value = small().1.clone();
        for (at, new) in changes {
            let mut at = at.index(count(&value));
            nodes(&mut value, &mut at, &news[new]);
        }
        let bytes = serde_json::to_vec(&value).unwrap();
        if let (Ok(file), Some(entries)) = (read(&bytes, now()), value["entry"].as_array())
            && value["resourceType"] == "Bundle"
        {
            accounts_for(&file, entries.len());
        }
        survives(&bytes);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes);
    }
}
