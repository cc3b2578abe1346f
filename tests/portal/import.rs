//! The import of clinical data: the samples, the same again, changes, pieces, damage and failures.

use crate::harness::recorder::Recorder;
use crate::harness::{Stack, root};
use serde_json::{Value, json};
use shared::aws::Resource;
use shared::event::Failed;
use shared::fhir;
use shared::ids::PatientId;
use shared::phi::{DataKeys, Place, open};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const BUDGET: Duration = Duration::from_secs(600);

/// The sample files, by name.
fn samples() -> Vec<(String, Vec<u8>)> {
    let folder = std::fs::read_dir(root().join("tests/data/synthea")).unwrap();
    let mut files: Vec<_> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn sample(part_of_name: &str) -> Vec<u8> {
    let mut files = samples().into_iter();
    files
        .find(|(name, _)| name.contains(part_of_name))
        .unwrap()
        .1
}

/// Puts a file into the bucket and tells the importer of it.
async fn upload(stack: &Stack, name: &str, file: Vec<u8>) {
    let bucket = &stack.names[&Resource::ImportBucket];
    let key = format!("inbox/{name}");
    stack.root.put_object(bucket, &key, file).await.unwrap();
}

async fn notify(
    stack: &Stack,
    recorder: &Recorder,
    key: &str,
    budget: Duration,
    chunk: usize,
) -> Result<Value, Failed> {
    let service = import_records::service_within(&stack.aws(recorder), budget, chunk).unwrap();
    let event = json!({"Records": [{"s3": {"object": {"key": key}}}]});
    service.handle(event, "import".to_owned()).await.unwrap()
}

async fn import(stack: &Stack, recorder: &Recorder, name: &str, file: Vec<u8>) -> Value {
    upload(stack, name, file).await;
    let key = format!("inbox/{name}");
    notify(stack, recorder, &key, BUDGET, 200).await.unwrap();
    stack.object(&format!("reports/{name}")).await
}

/// What was written to but the audit log, each time.
fn writes(recorder: &Recorder) -> Vec<String> {
    let verbs = [":Put", ":Update", ":Delete", ":Batch"];
    let calls = recorder.calls().into_iter();
    let writing = calls.filter(|call| {
        let mut actions = call.actions.iter();
        actions.any(|action| verbs.iter().any(|verb| action.contains(verb)))
    });
    let tables = [
        "PatientsTable",
        "RecordsTable",
        "DirectoryTable",
        "AuditTable",
    ];
    writing
        .map(|call| {
            let table = tables.iter().find(|table| call.body.contains(**table));
            table.unwrap_or(&"ImportBucket").to_string()
        })
        .filter(|table| table != "AuditTable")
        .collect()
}

/// The sum of a kind of count in a report.
fn total(report: &Value, kind: &str) -> u64 {
    let counts = report["counts"].as_object().unwrap().values();
    counts
        .map(|count| count[kind].as_u64().unwrap_or_default())
        .sum()
}

async fn profile(stack: &Stack, patient: PatientId) -> Value {
    let pk = format!("PATIENT#{patient}");
    let items = stack.items(Resource::PatientsTable).await;
    let mut rows = items.into_iter();
    rows.find(|row| row["pk"] == pk.as_str() && row["sk"] == "CONTEXT#PROFILE")
        .unwrap()
}

/// Records by sort key.
async fn records(stack: &Stack) -> BTreeMap<String, Value> {
    let rows = stack.items(Resource::RecordsTable).await.into_iter();
    rows.map(|row| (row["sk"].as_str().unwrap().to_owned(), row))
        .collect()
}

/// What a patient's rows hold, opened.
async fn opened(stack: &Stack, patient: PatientId) -> Vec<Value> {
    let pk = format!("PATIENT#{patient}");
    let rows = stack.items(Resource::PatientsTable).await;
    let key = rows
        .iter()
        .find(|row| row["pk"] == pk.as_str() && row["sk"] == "CONTEXT#KEY");
    let wrapped = bytes(&key.unwrap()["wrapped"]);
    let aws = stack.aws(&Recorder::default());
    let keys = DataKeys::new(aws.kms().clone(), aws.name(Resource::PhiKey).unwrap());
    let key = keys.unwrap(patient, &wrapped).await.unwrap();
    let rows = stack.items(Resource::RecordsTable).await;
    rows.iter()
        .filter(|row| row["pk"] == pk.as_str())
        .map(|row| {
            let place = Place {
                table: "records",
                pk: &pk,
                sk: row["sk"].as_str().unwrap(),
                attribute: "sealed",
            };
            let content = open(&key, &place, &bytes(&row["sealed"])).unwrap();
            serde_json::from_slice(&content).unwrap()
        })
        .collect()
}

fn bytes(base64: &Value) -> Vec<u8> {
    use base64::Engine;
    let text = base64.as_str().unwrap();
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}

/// A patient with an active prescription, a laboratory result and an encounter with a practitioner.
fn small(id: &str, mrn: &str) -> Vec<Value> {
    vec![
        json!({"resourceType": "Patient", "id": id, "name": [{"family": "Canary", "given": [id]}],
            "birthDate": "1980-05-06",
            "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:clinic", "value": mrn}]}),
        json!({"resourceType": "Practitioner", "id": "doctor", "name": [{"family": "Grey"}],
            "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}]}),
        json!({"resourceType": "Encounter", "id": format!("{id}-visit"), "status": "finished",
            "subject": {"reference": format!("Patient/{id}")}, "period": {"start": "2024-03-01T09:00:00Z"},
            "participant": [{"individual": {"reference": "Practitioner/doctor"}}]}),
        json!({"resourceType": "Observation", "id": format!("{id}-lab"), "status": "final",
            "category": [{"coding": [{"code": "laboratory"}]}],
            "subject": {"reference": format!("Patient/{id}")},
            "encounter": {"reference": format!("Encounter/{id}-visit")},
            "performer": [{"reference": "Practitioner/doctor", "display": "Dr. Grey"}],
            "effectiveDateTime": "2024-03-01T09:30:00Z", "code": {"text": "Glucose"},
            "valueQuantity": {"value": 6.27_f64, "unit": "mmol/L"}}),
        json!({"resourceType": "MedicationRequest", "id": format!("{id}-drug"), "status": "active",
            "intent": "order", "subject": {"reference": format!("Patient/{id}")},
            "authoredOn": "2024-03-01", "medicationCodeableConcept": {"text": "Metformin"}}),
    ]
}

fn bundle(resources: &[Value]) -> Vec<u8> {
    let entries: Vec<_> = resources
        .iter()
        .map(|resource| json!({"resource": resource}))
        .collect();
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
    serde_json::to_vec(&bundle).unwrap()
}

/// The same, each resource with its URL on a server.
fn bundle_of(base: &str, resources: &[Value]) -> Vec<u8> {
    let text = |resource: &Value, name: &str| resource[name].as_str().unwrap().to_owned();
    let entries: Vec<_> = resources
        .iter()
        .map(|one| {
            let (kind, id) = (text(one, "resourceType"), text(one, "id"));
            json!({"fullUrl": format!("{base}/{kind}/{id}"), "resource": one})
        })
        .collect();
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
    serde_json::to_vec(&bundle).unwrap()
}

fn ndjson(resources: &[Value]) -> Vec<u8> {
    let lines: Vec<_> = resources.iter().map(Value::to_string).collect();
    lines.join("\n").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_stored_as_planned_and_once() {
    let stack = Stack::new().await;
    let (mut entries, mut patients) = (0, 0);
    for (name, file) in samples() {
        let recorder = Recorder::default();
        let started = std::time::Instant::now();
        let report = import(&stack, &recorder, &name, file.clone()).await;
        let took = started.elapsed().as_millis();
        let plan = fhir::read(&file, jiff::Timestamp::now()).unwrap();
        eprintln!(
            "{} bytes, {took} ms, {} calls: {name}",
            file.len(),
            recorder.calls().len()
        );
        assert_eq!(report["state"], "complete", "{name}: {report}");
        for (kind, planned) in &plan.counts {
            let count = &report["counts"][kind];
            let number = |name: &str| count[name].as_u64().unwrap_or_default();
            let stored = number("new") + number("changed") + number("unchanged");
            assert_eq!(
                stored + number("attached"),
                planned.stored as u64,
                "{name} {kind}"
            );
            assert_eq!(number("unstored"), planned.unstored as u64, "{name} {kind}");
        }
        assert_eq!(
            report["unstored"].as_array().unwrap().len(),
            plan.unstored.len()
        );
        entries += plan
            .patients
            .iter()
            .map(|one| one.entries.len())
            .sum::<usize>();
        patients += plan.patients.len();
    }
    let rows = records(&stack).await;
    assert_eq!(rows.len(), entries);
    assert_eq!(stack.patients().await.len(), patients);
    for patient in stack.patients().await {
        let profile = profile(&stack, patient).await;
        assert_eq!(profile["import_state"], "complete");
        assert_eq!(profile["importing"], Value::Null);
        let care_team = stack.care_team(patient).await;
        assert!(!care_team.is_empty(), "nobody treats {patient}");
    }
    // Everybody on a care team is in the directory, also where their file came last.
    let directory: BTreeMap<String, Value> = stack
        .items(Resource::DirectoryTable)
        .await
        .into_iter()
        .map(|row| (row["pk"].as_str().unwrap().to_owned(), row))
        .collect();
    let (mut known, mut unknown) = (0, 0);
    for patient in stack.patients().await {
        for practitioner in stack.care_team(patient).await {
            match directory.get(&format!("PRACTITIONER#{practitioner}")) {
                Some(row) => {
                    assert!(row["name"].is_string(), "{row}");
                    known += 1;
                }
                None => unknown += 1,
            }
        }
    }
    eprintln!(
        "{entries} entries, {patients} patients; team members with a name {known}, without {unknown}"
    );

    // Names, of people or of files, are nowhere but in sealed content.
    let audit = stack.items(Resource::AuditTable).await;
    let clear: String = rows.values().chain(&audit).map(Value::to_string).collect();
    for secret in ["Hoeger", "Hallie", "D'Amore", ".json"] {
        assert!(!clear.contains(secret), "{secret}");
    }
    let operations = audit.iter().filter(|record| record["patient"].is_string());
    assert_eq!(operations.count(), 2 * patients, "begun and done");
    assert_eq!(audit.len(), 2 * patients + samples().len());

    for (name, file) in samples() {
        let recorder = Recorder::default();
        let mut report = import(&stack, &recorder, &name, file.clone()).await;
        assert_eq!(report["state"], "complete", "{name}");
        let written = writes(&recorder);
        let of_patients = |table: &String| table != "DirectoryTable" && table != "ImportBucket";
        assert!(!written.iter().any(of_patients), "{name}: {written:?}");
        if written.len() > 1 {
            // Two samples know different things of one organization, and the last one is right.
            let recorder = Recorder::default();
            report = import(&stack, &recorder, &name, file).await;
            assert_eq!(writes(&recorder), ["ImportBucket"], "{name}");
        }
        for kind in ["new", "changed"] {
            assert_eq!(total(&report, kind), 0, "{name}: {}", report["counts"]);
        }
    }
    assert_eq!(records(&stack).await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_resource_of_the_largest_sample_reads_back_as_it_was() {
    let stack = Stack::new().await;
    let file = sample("Hallie_Hoeger");
    let recorder = Recorder::default();
    import(&stack, &recorder, "a.json", file.clone()).await;
    let plan = fhir::read(&file, jiff::Timestamp::now()).unwrap();
    let mut expected: BTreeMap<(String, String), Value> = BTreeMap::new();
    for entry in &plan.patients[0].entries {
        let json = serde_json::from_str(entry.json.get()).unwrap();
        expected.insert((entry.resource_type.to_owned(), entry.id.clone()), json);
    }
    let stored = opened(&stack, stack.patients().await[0]).await;
    assert_eq!(stored.len(), expected.len());
    let mut linked = 0;
    for content in stored {
        let resource = &content["resource"];
        let text = |name: &str| resource[name].as_str().unwrap().to_owned();
        assert_eq!(resource, &expected[&(text("resourceType"), text("id"))]);
        linked += usize::from(content["links"]["encounter"].is_string());
    }
    let encounters = plan.patients[0]
        .entries
        .iter()
        .filter(|entry| entry.encounter.is_some());
    assert_eq!(linked, encounters.count());
    let needed: BTreeSet<String> = shared::api::import::IMPORT_RECORDS
        .needs
        .iter()
        .flat_map(|capability| capability.actions())
        .map(|action| (*action).to_owned())
        .collect();
    let made: BTreeSet<String> = recorder.actions().into_iter().collect();
    assert!(made.is_subset(&needed), "{made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_updated_resource_updates_and_moves() {
    let stack = Stack::new().await;
    let recorder = Recorder::default();
    let mut resources = small("ann", "m-1");
    import(&stack, &recorder, "a.json", bundle(&resources)).await;
    let before = records(&stack).await;
    let lab = |rows: &BTreeMap<String, Value>| {
        let (sk, row) = rows.iter().find(|(sk, _)| sk.contains("LAB#")).unwrap();
        (sk.clone(), row["arrived"].as_str().unwrap().to_owned())
    };
    let (place, arrived) = lab(&before);
    assert!(place.starts_with("LAB#2024-03-01T09:30:00.000Z#"));
    assert!(
        before
            .keys()
            .any(|sk| sk.starts_with("MEDICATION#ACTIVE#2024-03-01"))
    );
    let patient = stack.patients().await[0];
    let links = opened(&stack, patient).await;
    let links = links
        .iter()
        .find(|one| one["resource"]["id"] == "ann-lab")
        .unwrap();
    let care_team = stack.care_team(patient).await;
    assert_eq!(
        links["links"]["practitioners"][0]["id"],
        care_team[0].to_string()
    );

    // The same in other words and another order is the same.
    resources.reverse();
    let pretty =
        serde_json::to_vec_pretty(&serde_json::from_slice::<Value>(&bundle(&resources)).unwrap());
    let report = import(&stack, &recorder, "b.json", pretty.unwrap()).await;
    assert_eq!(total(&report, "unchanged"), 5, "{report}");
    assert_eq!(records(&stack).await, before);
    resources.reverse();

    resources[3]["valueQuantity"]["value"] = json!(7.5);
    let report = import(&stack, &recorder, "c.json", bundle(&resources)).await;
    assert_eq!(report["counts"]["Observation"]["changed"], 1, "{report}");
    let rows = records(&stack).await;
    let (same, later) = lab(&rows);
    assert_eq!(same, place);
    assert!(later > arrived, "a changed result is new again");
    assert_eq!(rows.len(), before.len());

    resources[3]["effectiveDateTime"] = json!("2024-03-02T09:30:00Z");
    resources[4]["status"] = json!("stopped");
    let report = import(&stack, &recorder, "c.json", bundle(&resources)).await;
    assert_eq!(total(&report, "changed"), 2, "{report}");
    let rows = records(&stack).await;
    assert_eq!(rows.len(), before.len());
    assert!(lab(&rows).0.starts_with("LAB#2024-03-02"));
    assert!(
        rows.keys()
            .any(|sk| sk.starts_with("MEDICATION#PAST#2024-03-01"))
    );

    resources[3]["status"] = json!("entered-in-error");
    import(&stack, &recorder, "c.json", bundle(&resources)).await;
    let rows = records(&stack).await;
    let (void, arrived) = lab(&rows);
    assert!(void.starts_with("VOID#LAB#") && arrived.starts_with("VOID#LAB#"));
    assert_eq!(rows.len(), before.len());

    // A file is not a deletion, but a profile that changed is replaced, and contact details that
    // the patient entered stay.
    stack
        .put(
            Resource::PatientsTable,
            json!({"pk": {"S": format!("PATIENT#{patient}")}, "sk": {"S": "CONTEXT#CONTACT"}, "version": {"N": "1"}}),
        )
        .await;
    let sealed = profile(&stack, patient).await["sealed"].clone();
    resources[0]["name"][0]["family"] = json!("Other");
    let report = import(&stack, &recorder, "d.json", bundle(&resources[..1])).await;
    assert_eq!(report["counts"]["Patient"]["changed"], 1);
    assert_eq!(records(&stack).await, rows);
    let after = profile(&stack, patient).await;
    assert_ne!(after["sealed"], sealed);
    assert_eq!(after["import_state"], "complete");
    let contacts = stack.items(Resource::PatientsTable).await;
    let contacts = contacts.iter().filter(|row| row["sk"] == "CONTEXT#CONTACT");
    assert_eq!(contacts.count(), 1);
    assert_eq!(stack.patients().await, [patient]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_care_team_follows_a_whole_file_and_leaves_administrators_their_word() {
    let stack = Stack::new().await;
    let recorder = Recorder::default();
    let mut resources = small("ann", "m-1");
    import(&stack, &recorder, "a.json", bundle(&resources)).await;
    let patient = stack.patients().await[0];
    let first = stack.care_team(patient).await;
    assert_eq!(first.len(), 1);
    let added = uuid::Uuid::new_v4();
    let row = json!({"pk": {"S": format!("PATIENT#{patient}")},
        "sk": {"S": format!("CONTEXT#CARE-TEAM#{added}")}, "source": {"S": "portal"}});
    stack.put(Resource::PatientsTable, row).await;

    // A part of the record takes nobody off.
    let part = [resources[0].clone(), resources[4].clone()];
    import(&stack, &recorder, "b.json", bundle(&part)).await;
    assert_eq!(stack.care_team(patient).await.len(), 2);

    // The visit turns out to have been another's.
    resources[1]["id"] = json!("other");
    resources[1]["identifier"][0]["value"] = json!("1245319599");
    resources[2]["participant"][0]["individual"]["reference"] = json!("Practitioner/other");
    resources[3]["performer"] = json!([]);
    import(&stack, &recorder, "a.json", bundle(&resources)).await;
    let team = stack.care_team(patient).await;
    assert_eq!(team.len(), 2);
    assert!(!team.contains(&first[0]));
    assert!(team.iter().any(|one| one.uuid() == added));
    assert_eq!(profile(&stack, patient).await["import_state"], "complete");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_patients_in_one_file_stay_apart() {
    let stack = Stack::new().await;
    let recorder = Recorder::default();
    let mut resources = small("ann", "m-1");
    resources.extend(
        small("bob", "m-2")
            .into_iter()
            .filter(|one| one["id"] != "doctor"),
    );
    let report = import(&stack, &recorder, "a.json", bundle(&resources)).await;
    assert_eq!(
        (&report["patients"], &report["state"]),
        (&json!(2), &json!("complete"))
    );
    let patients = stack.patients().await;
    assert_eq!(patients.len(), 2);
    for patient in &patients {
        let contents = opened(&stack, *patient).await;
        assert_eq!(contents.len(), 3);
        let subjects: BTreeSet<_> = contents
            .iter()
            .map(|one| one["resource"]["subject"]["reference"].to_string())
            .collect();
        assert_eq!(subjects.len(), 1);
    }
    let audit = stack.audit().await;
    for patient in patients {
        let of_patient = audit
            .iter()
            .filter(|one| one["patient"] == patient.to_string());
        let told: Vec<_> = of_patient
            .map(|one| (one["outcome"].as_str().unwrap(), one["reason"].as_str()))
            .collect();
        assert_eq!(told, [("success", Some("begun")), ("success", None)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_reported_and_nothing_is_written() {
    let stack = Stack::new().await;
    let whole = bundle(&small("ann", "m-1"));
    let deep = "[".repeat(1_000_000).into_bytes();
    let cases: [(&[u8], &str); 6] = [
        (&whole[..whole.len() / 2], "not-json"),
        (b"", "empty"),
        (b"\xff\xfe\x00", "not-utf8"),
        (
            b"{\"resourceType\":\"Bundle\",\"type\":\"searchset\"}",
            "bundle-type",
        ),
        (b"PK\x03\x04", "not-json"),
        (&deep, "too-deep"),
    ];
    for (at, (file, code)) in cases.into_iter().enumerate() {
        let name = format!("Canary, Ann {at}.json");
        upload(&stack, &name, file.to_vec()).await;
        let key = format!("inbox/Canary%2C+Ann+{at}.json");
        let recorder = Recorder::default();
        notify(&stack, &recorder, &key, BUDGET, 200)
            .await
            .expect("no reason to try again");
        let encoded = format!("reports/Canary%2C%20Ann%20{at}.json");
        let report = stack.object(&encoded).await;
        assert_eq!(report["state"], "failed");
        assert_eq!(report["reason"]["code"], code);
        let audit = stack.audit().await;
        let last = audit.last().unwrap();
        assert_eq!(
            (&last["outcome"], &last["reason"]),
            (&json!("invalid"), &json!(code))
        );
        assert_eq!(last["resource"], report["file"]);
        assert_eq!(audit.len(), at + 1);
    }
    for gone in ["inbox/never-there.json", "inbox/%zz", "elsewhere/a.json"] {
        notify(&stack, &Recorder::default(), gone, BUDGET, 200)
            .await
            .unwrap();
    }
    for table in [
        Resource::PatientsTable,
        Resource::RecordsTable,
        Resource::DirectoryTable,
    ] {
        assert!(stack.items(table).await.is_empty());
    }
    let audit: String = stack.audit().await.iter().map(Value::to_string).collect();
    assert!(!audit.contains("Canary"), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_reported_and_the_rest_is_stored() {
    let stack = Stack::new().await;
    let mut resources = small("ann", "m-1");
    let data = "x".repeat(250_000);
    resources.push(
        json!({"resourceType": "DocumentReference", "id": "scan", "status": "current",
        "subject": {"reference": "Patient/ann"}, "content": [{"attachment": {"data": data}}]}),
    );
    let mut whale = small("whale", "m-2").remove(0);
    whale["photo"] = json!([{"data": "x".repeat(400_000)}]);
    resources.push(whale);
    let mut long = small("long", "9".repeat(5_000).as_str());
    resources.push(long.remove(0));
    resources.push(long.pop().unwrap());
    let report = import(&stack, &Recorder::default(), "a.json", bundle(&resources)).await;
    assert_eq!(report["state"], "complete", "{report}");
    let unstored = report["unstored"].as_array().unwrap().iter();
    let unstored: Vec<_> = unstored.map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(unstored, ["scan", "whale", "long", "long-drug"]);
    assert_eq!(records(&stack).await.len(), 3);
    assert_eq!(stack.patients().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_in_many_rounds_ends_as_one_in_one_round() {
    let file = sample("Granville_Crooks");
    let one = Stack::new().await;
    let in_one = import(&one, &Recorder::default(), "a.json", file.clone()).await;
    let many = Stack::new().await;
    upload(&many, "a.json", file).await;
    let recorder = Recorder::default();
    notify(&many, &recorder, "inbox/a.json", Duration::ZERO, 100)
        .await
        .unwrap();
    let mut rounds = 1;
    loop {
        let report = many.object("reports/a.json").await;
        if report["state"] != "continued" {
            break;
        }
        if let Some(patient) = many.patients().await.first() {
            let state = &profile(&many, *patient).await["import_state"];
            assert_eq!(state, "incomplete", "it looks whole in round {rounds}");
        }
        rounds += 1;
        assert!(rounds < 15);
        notify(&many, &recorder, "continue/a.json", Duration::ZERO, 100)
            .await
            .unwrap();
    }
    let in_many = many.object("reports/a.json").await;
    assert!(rounds > 4, "{rounds}");
    assert_eq!(in_many["rounds"], rounds);
    for member in ["state", "counts", "unstored", "patients"] {
        assert_eq!(in_many[member], in_one[member]);
    }
    // Patients' ids differ, and with them those of the entries.
    let shape = |rows: BTreeMap<String, Value>| {
        let rows = rows.into_iter().map(|(sk, row)| {
            let place = sk.rsplit_once('#').unwrap().0.to_owned();
            (place, row["type"].to_string())
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        rows
    };
    assert_eq!(shape(records(&many).await), shape(records(&one).await));
    let patient = many.patients().await[0];
    assert_eq!(profile(&many, patient).await["import_state"], "complete");
    let team = |ids: Vec<_>| ids.into_iter().collect::<BTreeSet<_>>();
    let other = one.patients().await[0];
    assert_eq!(
        team(many.care_team(patient).await),
        team(one.care_team(other).await)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_never_ends_is_given_up() {
    let stack = Stack::new().await;
    upload(&stack, "a.json", sample("Hallie_Hoeger")).await;
    let mut key = "inbox/a.json";
    for _ in 0..15 {
        notify(&stack, &Recorder::default(), key, Duration::ZERO, 1)
            .await
            .unwrap();
        key = "continue/a.json";
    }
    let report = stack.object("reports/a.json").await;
    assert_eq!(report["reason"]["code"], "too-long");
    let patient = stack.patients().await[0];
    assert_eq!(profile(&stack, patient).await["import_state"], "incomplete");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_leaves_the_record_incomplete_until_the_retry() {
    let stack = Stack::new().await;
    upload(&stack, "a.json", sample("Maida_Gerhold")).await;
    let batches = AtomicUsize::new(0);
    let failing = Recorder::failing(move |call| {
        let is_batch = call
            .actions
            .iter()
            .any(|action| action == "dynamodb:BatchWriteItem");
        is_batch && batches.fetch_add(1, Ordering::Relaxed) >= 2
    });
    let answer = notify(&stack, &failing, "inbox/a.json", BUDGET, 25).await;
    assert_eq!(answer, Err(Failed));
    let patient = stack.patients().await[0];
    assert_eq!(profile(&stack, patient).await["import_state"], "incomplete");
    let broken = records(&stack).await.len();
    assert!(broken > 0);
    let report = stack.object("reports/a.json").await;
    assert_eq!(
        (&report["state"], &report["reason"]["code"]),
        (&json!("failed"), &json!("fault"))
    );
    let audit = stack.audit().await;
    let told: BTreeSet<_> = audit
        .iter()
        .map(|record| (record["patient"].is_string(), record["outcome"].to_string()))
        .collect();
    let expected = [(true, "success"), (true, "failure"), (false, "failure")];
    assert_eq!(
        told,
        BTreeSet::from(expected.map(|(patient, outcome)| (patient, format!("{outcome:?}")))),
        "begun, broken off, and the portal's own: {audit:?}"
    );
    assert_eq!(audit.len(), 3);

    // Another file may come and go meanwhile; the record has its gaps still.
    notify(&stack, &Recorder::default(), "inbox/a.json", BUDGET, 200)
        .await
        .unwrap();
    assert_eq!(profile(&stack, patient).await["import_state"], "complete");
    assert_eq!(stack.patients().await, [patient]);
    let whole = Stack::new().await;
    import(
        &whole,
        &Recorder::default(),
        "a.json",
        sample("Maida_Gerhold"),
    )
    .await;
    assert_eq!(records(&stack).await.len(), records(&whole).await.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_nobody_hears_of_again_has_told_whom_it_touched() {
    let stack = Stack::new().await;
    let resources = small("ann", "m-1");
    import(&stack, &Recorder::default(), "a.json", bundle(&resources)).await;
    let patient = stack.patients().await[0];
    let begun = async || {
        let audit = stack.audit().await.into_iter();
        let begun = audit.filter(|one| one["patient"] == patient.to_string());
        begun.filter(|one| one["reason"] == "begun").count()
    };
    assert_eq!(begun().await, 1);

    // Where there is no word in the audit log, there is nothing in the record either.
    let mut other = resources.clone();
    other[4]["status"] = json!("stopped");
    upload(&stack, "b.json", bundle(&other)).await;
    let before = (records(&stack).await, profile(&stack, patient).await);
    let silent = Recorder::failing(|call| call.body.contains("AuditTable"));
    notify(&stack, &silent, "inbox/b.json", BUDGET, 200)
        .await
        .unwrap_err();
    assert_eq!(
        (records(&stack).await, profile(&stack, patient).await),
        before
    );
    assert_eq!(begun().await, 1);

    // And where anything is, there is a word, though no other call about it ever got through.
    let cut_off = Recorder::failing({
        let is_begun = AtomicUsize::new(0);
        move |call| {
            let begins = call.body.contains("ADD importing");
            is_begun.fetch_add(usize::from(begins), Ordering::Relaxed);
            !begins && call.body.contains("AuditTable")
                || call.actions.iter().any(|action| action.contains("Batch"))
                || call.body.contains("RecordsTable") && call.body.contains("\"Put\"")
        }
    });
    notify(&stack, &cut_off, "inbox/b.json", BUDGET, 200)
        .await
        .unwrap_err();
    assert_eq!(begun().await, 2);
    assert_eq!(profile(&stack, patient).await["import_state"], "incomplete");

    // A retry goes on with what has begun.
    notify(&stack, &Recorder::default(), "inbox/b.json", BUDGET, 200)
        .await
        .unwrap();
    assert_eq!(begun().await, 2);
    assert_eq!(profile(&stack, patient).await["import_state"], "complete");

    // A file that changes nothing has nothing to begin.
    import(&stack, &Recorder::default(), "c.json", bundle(&other)).await;
    assert_eq!(begun().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_with_a_broken_import_stays_incomplete_whatever_else_arrives() {
    let stack = Stack::new().await;
    let resources = small("ann", "m-1");
    upload(&stack, "a.json", bundle(&resources)).await;
    let failing = Recorder::failing(|call| call.body.contains("import_state = :complete"));
    notify(&stack, &failing, "inbox/a.json", BUDGET, 200)
        .await
        .unwrap_err();
    let patient = stack.patients().await[0];
    let mut other = resources.clone();
    other[4]["status"] = json!("stopped");
    import(&stack, &Recorder::default(), "b.json", bundle(&other)).await;
    assert_eq!(profile(&stack, patient).await["import_state"], "incomplete");
    notify(&stack, &Recorder::default(), "inbox/a.json", BUDGET, 200)
        .await
        .unwrap();
    assert_eq!(profile(&stack, patient).await["import_state"], "complete");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_find_their_patient_in_another_file_and_never_a_second_one() {
    let stack = Stack::new().await;
    let recorder = Recorder::default();
    let ann = small("ann", "m-1");
    let lab = |subject: Value| {
        let mut lab = ann[3].clone();
        lab["subject"] = subject;
        lab
    };
    let by_id = [lab(json!({"reference": "Patient/ann"}))];
    let report = import(&stack, &recorder, "early.json", ndjson(&by_id)).await;
    assert_eq!(report["counts"]["Observation"]["unstored"], 1, "{report}");
    assert_eq!(report["unstored"][0]["id"], "ann-lab");
    assert!(records(&stack).await.is_empty());

    import(&stack, &recorder, "patient.json", ndjson(&ann[..1])).await;
    import(&stack, &recorder, "early.json", ndjson(&by_id)).await;
    let rows = records(&stack).await;
    assert_eq!(rows.len(), 1);
    let by_number = lab(json!({"identifier": {"system": "urn:clinic", "value": "m-1"}}));
    let report = import(&stack, &recorder, "number.json", ndjson(&[by_number])).await;
    assert_eq!(
        total(&report, "changed"),
        1,
        "only the reference changed: {report}"
    );
    assert_eq!(records(&stack).await.len(), 1);

    // A second patient by the same id: from now on it means neither.
    let mut bob = small("ann", "m-2");
    bob.truncate(1);
    import(&stack, &recorder, "bob.json", ndjson(&bob)).await;
    assert_eq!(stack.patients().await.len(), 2);
    let report = import(&stack, &recorder, "early.json", ndjson(&by_id)).await;
    assert_eq!(report["counts"]["Observation"]["unstored"], 1);
    import(&stack, &recorder, "patient.json", ndjson(&ann[..1])).await;
    let report = import(&stack, &recorder, "early.json", ndjson(&by_id)).await;
    assert_eq!(
        report["counts"]["Observation"]["unstored"], 1,
        "it stays so"
    );

    // The same number of another system is another patient's.
    let mut eve = small("eve", "m-1");
    eve[0]["identifier"][0]["system"] = json!("urn:elsewhere");
    let report = import(&stack, &recorder, "eve.json", bundle(&eve)).await;
    assert_eq!(total(&report, "unstored"), 4, "{report}");
    assert_eq!(stack.patients().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_may_use_one_id_for_two_people() {
    const HERE: &str = "https://a.example/fhir";
    const THERE: &str = "https://b.example/fhir";
    let stack = Stack::new().await;
    let recorder = Recorder::default();
    let ann = small("1", "m-1");
    import(&stack, &recorder, "a.json", bundle_of(HERE, &ann[..3])).await;
    let lab = &ann[3..4];
    let report = import(&stack, &recorder, "b.json", bundle_of(THERE, lab)).await;
    assert_eq!(total(&report, "unstored"), 1, "{report}");
    let report = import(&stack, &recorder, "c.json", ndjson(lab)).await;
    assert_eq!(total(&report, "unstored"), 1, "{report}");
    for kind in ["new", "unchanged"] {
        let report = import(&stack, &recorder, "d.json", bundle_of(HERE, lab)).await;
        assert_eq!(total(&report, kind), 1, "{report}");
    }
    let mut absolute = ann[3].clone();
    absolute["subject"]["reference"] = json!(format!("{HERE}/Patient/1"));
    let report = import(&stack, &recorder, "e.json", ndjson(&[absolute])).await;
    assert_eq!(total(&report, "changed"), 1, "{report}");

    // The other server's patient by that id is another, and both can be referred to.
    let mut bob = small("1", "m-2");
    bob[1]["identifier"][0]["value"] = json!("1245319599");
    import(&stack, &recorder, "f.json", bundle_of(THERE, &bob[..3])).await;
    let report = import(&stack, &recorder, "b.json", bundle_of(THERE, &bob[3..])).await;
    assert_eq!(total(&report, "new"), 2, "{report}");
    let report = import(&stack, &recorder, "d.json", bundle_of(HERE, lab)).await;
    assert_eq!(total(&report, "unstored"), 0, "{report}");
    let patients = stack.patients().await;
    assert_eq!(patients.len(), 2);
    let mut teams = BTreeSet::new();
    for patient in &patients {
        teams.extend(stack.care_team(*patient).await);
    }
    assert_eq!(teams.len(), 2, "and so is the doctor");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_id_merges_no_practitioners() {
    let doctor = |family: &str, npi: Option<&str>| {
        let mut one = json!({"resourceType": "Practitioner", "id": "doctor",
            "name": [{"family": family}]});
        if let Some(npi) = npi {
            one["identifier"] = json!([{"system": "http://hl7.org/fhir/sid/us-npi", "value": npi}]);
        }
        one
    };
    let (grey, hunt) = (doctor("Grey", Some("1234567893")), doctor("Hunt", None));
    let mut results = Vec::new();
    for order in [[&grey, &hunt], [&hunt, &grey]] {
        let stack = Stack::new().await;
        let recorder = Recorder::default();
        for _ in 0..2 {
            for (at, one) in order.into_iter().enumerate() {
                let name = format!("{at}.json");
                import(&stack, &recorder, &name, ndjson(std::slice::from_ref(one))).await;
            }
        }
        let rows = stack.items(Resource::DirectoryTable).await;
        let people = rows.iter().filter(|row| row["name"].is_string());
        let people: BTreeSet<_> = people
            .map(|row| (row["name"].to_string(), row["npi"].to_string()))
            .collect();
        let id = rows
            .iter()
            .find(|row| row["pk"] == "ALIAS#Practitioner#id:doctor");
        assert_eq!(id.unwrap()["ambiguous"], true, "the id means neither");
        results.push(people);
    }
    let expected = [("\"Grey\"", "\"1234567893\""), ("\"Hunt\"", "null")];
    let expected = expected.map(|(name, npi)| (name.to_owned(), npi.to_owned()));
    assert_eq!(results[0], BTreeSet::from(expected));
    assert_eq!(results[0], results[1]);

    // Referred to before anybody was listed, the id is the first one's, and stays so.
    let stack = Stack::new().await;
    let recorder = Recorder::default();
    let mut ann = small("ann", "m-1");
    ann.remove(1);
    import(&stack, &recorder, "ann.json", bundle(&ann)).await;
    import(
        &stack,
        &recorder,
        "grey.json",
        ndjson(std::slice::from_ref(&grey)),
    )
    .await;
    let before = stack.items(Resource::DirectoryTable).await;
    let row = |rows: &[Value]| {
        let mut rows = rows.iter().filter(|row| row["npi"].is_string()).cloned();
        (rows.next().unwrap(), rows.next())
    };
    for _ in 0..2 {
        let report = import(
            &stack,
            &recorder,
            "hunt.json",
            ndjson(std::slice::from_ref(&hunt)),
        )
        .await;
        assert_eq!(report["counts"]["Practitioner"]["unstored"], 1, "{report}");
        assert_eq!(
            row(&stack.items(Resource::DirectoryTable).await),
            row(&before)
        );
    }

    // What one source leaves out of an update is known still; nobody else can take its place.
    const HERE: &str = "https://a.example/fhir";
    let stack = Stack::new().await;
    import(&stack, &recorder, "a.json", bundle_of(HERE, &[grey])).await;
    let married = doctor("Grey-Hunt", None);
    import(&stack, &recorder, "b.json", bundle_of(HERE, &[married])).await;
    let rows = stack.items(Resource::DirectoryTable).await;
    let (one, none) = row(&rows);
    assert_eq!(
        (&one["name"], &one["npi"], none),
        (&json!("Grey-Hunt"), &json!("1234567893"), None)
    );
    let another = doctor("Yang", Some("1245319599"));
    import(&stack, &recorder, "c.json", bundle_of(HERE, &[another])).await;
    let rows = stack.items(Resource::DirectoryTable).await;
    assert!(rows.contains(&one), "{rows:?}");
    let numbers: BTreeSet<_> = rows.iter().filter_map(|row| row["npi"].as_str()).collect();
    assert_eq!(numbers, BTreeSet::from(["1234567893", "1245319599"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_practitioner_is_one_whoever_comes_first() {
    let stack = Stack::new().await;
    let recorder = Recorder::default();
    let doctor = small("ann", "m-1")[1].clone();
    let patient = |id: &str, mrn: &str, reference: &str| {
        let mut resources = small(id, mrn);
        resources.remove(1);
        resources[1]["participant"][0]["individual"]["reference"] = json!(reference);
        resources[2]["performer"] = json!([]);
        bundle(&resources)
    };
    let by_npi = "Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|1234567893";
    import(&stack, &recorder, "a.json", patient("ann", "m-1", by_npi)).await;
    import(
        &stack,
        &recorder,
        "b.json",
        patient("bob", "m-2", "Practitioner/doctor"),
    )
    .await;
    let teams = async |stack: &Stack| {
        let mut teams = BTreeSet::new();
        for patient in stack.patients().await {
            teams.extend(stack.care_team(patient).await);
        }
        teams
    };
    assert_eq!(
        teams(&stack).await.len(),
        2,
        "two names for somebody nobody has listed yet"
    );
    let report = import(
        &stack,
        &recorder,
        "directory.json",
        ndjson(std::slice::from_ref(&doctor)),
    )
    .await;
    assert_eq!(report["counts"]["Practitioner"]["new"], 1);
    import(
        &stack,
        &recorder,
        "b.json",
        patient("bob", "m-2", "Practitioner/doctor"),
    )
    .await;
    let team = teams(&stack).await;
    assert_eq!(team.len(), 1, "{team:?}");
    let rows = stack.items(Resource::DirectoryTable).await;
    let key = format!("PRACTITIONER#{}", team.first().unwrap());
    let row = rows.iter().find(|row| row["pk"] == key.as_str()).unwrap();
    assert_eq!(
        (&row["name"], &row["npi"]),
        (&json!("Grey"), &json!("1234567893"))
    );
    let merged = rows.iter().filter(|row| row["merged_into"].is_string());
    assert_eq!(merged.count(), 1);

    // Another system's doctor of the same id is somebody else, and the id means neither.
    let mut other = doctor;
    other["identifier"][0]["value"] = json!("1245319599");
    import(&stack, &recorder, "other.json", ndjson(&[other])).await;
    import(
        &stack,
        &recorder,
        "c.json",
        patient("eve", "m-3", "Practitioner/doctor"),
    )
    .await;
    assert_eq!(teams(&stack).await, team);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_files_about_a_new_patient_at_once_make_one() {
    let stack = Stack::new().await;
    let mut other = small("ann", "m-1");
    other[3]["id"] = json!("ann-lab-2");
    upload(&stack, "a.json", bundle(&small("ann", "m-1"))).await;
    upload(&stack, "b.json", bundle(&other)).await;
    let (one, two) = (Recorder::default(), Recorder::default());
    let (one, two) = tokio::join!(
        notify(&stack, &one, "inbox/a.json", BUDGET, 200),
        notify(&stack, &two, "inbox/b.json", BUDGET, 200),
    );
    one.unwrap();
    two.unwrap();
    let patients = stack.patients().await;
    assert_eq!(patients.len(), 1);
    assert_eq!(records(&stack).await.len(), 4);
    assert_eq!(
        profile(&stack, patients[0]).await["import_state"],
        "complete"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_number_of_another_person_is_refused() {
    let stack = Stack::new().await;
    let recorder = Recorder::default();
    let mut resources = small("xavier", "m-1");
    import(&stack, &recorder, "a.json", bundle(&resources)).await;
    let tables = async || {
        let patients = stack.items(Resource::PatientsTable).await;
        let rows: BTreeSet<_> = patients.iter().map(Value::to_string).collect();
        (rows, records(&stack).await)
    };
    let before = tables().await;
    let mut zoe = small("zoe", "m-1");
    zoe[0]["birthDate"] = json!("1999-05-06");
    let report = import(&stack, &recorder, "b.json", bundle(&zoe)).await;
    assert_eq!(report["state"], "complete", "{report}");
    let unstored = report["unstored"].as_array().unwrap();
    assert_eq!(unstored.len(), 4, "the patient and all that is theirs");
    for one in unstored {
        assert_eq!(one["reason"], "contradicts-known-patient");
    }
    assert_eq!(tables().await, before);
    // What refers to the refused patient later finds nobody.
    let report = import(&stack, &recorder, "c.json", ndjson(&zoe[3..4])).await;
    assert_eq!(total(&report, "unstored"), 1, "{report}");
    assert_eq!(tables().await, before);

    // A date contradicts only in the part that it has.
    zoe[0]["birthDate"] = json!("1980-06");
    let report = import(&stack, &recorder, "b.json", bundle(&zoe)).await;
    assert_eq!(total(&report, "unstored"), 4, "{report}");
    resources[0]["birthDate"] = json!("1980");
    let report = import(&stack, &recorder, "a.json", bundle(&resources)).await;
    assert_eq!(report["counts"]["Patient"]["changed"], 1, "{report}");

    // Who left the date out is told by all else, and the date stays known.
    resources[0]["birthDate"] = json!("1980-05-06");
    import(&stack, &recorder, "a.json", bundle(&resources)).await;
    let date = resources[0].as_object_mut().unwrap().remove("birthDate");
    let report = import(&stack, &recorder, "a.json", bundle(&resources)).await;
    assert_eq!(report["counts"]["Patient"]["changed"], 1, "{report}");
    let report = import(&stack, &recorder, "a.json", bundle(&resources)).await;
    assert_eq!(report["counts"]["Patient"]["unchanged"], 1, "{report}");
    zoe[0]["birthDate"] = json!("1999-05-06");
    let report = import(&stack, &recorder, "b.json", bundle(&zoe)).await;
    assert_eq!(total(&report, "unstored"), 4, "{report}");
    zoe[0]["name"][0]["family"] = json!("Other");
    zoe[0].as_object_mut().unwrap().remove("birthDate");
    let report = import(&stack, &recorder, "b.json", bundle(&zoe)).await;
    assert_eq!(total(&report, "unstored"), 4, "{report}");
    resources[0]["birthDate"] = date.unwrap();

    // Without any birth date the family names decide.
    let mut nameless = small("nora", "m-2");
    nameless[0].as_object_mut().unwrap().remove("birthDate");
    nameless[0]["name"][0]["family"] = json!("Roe-Miller");
    import(&stack, &recorder, "d.json", bundle(&nameless)).await;
    nameless[0]["name"][0]["family"] = json!("MILLER");
    let report = import(&stack, &recorder, "d.json", bundle(&nameless)).await;
    assert_eq!(report["counts"]["Patient"]["changed"], 1, "{report}");
    nameless[0]["name"][0]["family"] = json!("Different");
    let report = import(&stack, &recorder, "d.json", bundle(&nameless)).await;
    assert_eq!(total(&report, "unstored"), 4, "{report}");
    assert_eq!(stack.patients().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encounter_that_nobody_ended_is_a_visit_of_ninety_days() {
    let stack = Stack::new().await;
    let mut resources = small("ann", "m-1");
    let mut open = resources[2].clone();
    open["id"] = json!("open");
    open["status"] = json!("in-progress");
    open["period"]["start"] = json!("1990-03-01");
    open["participant"][0]["individual"]["reference"] = json!("Practitioner/former");
    resources.push(open);
    let recorder = Recorder::default();
    import(&stack, &recorder, "a.json", bundle(&resources)).await;
    let patient = stack.patients().await[0];
    assert_eq!(stack.care_team(patient).await.len(), 1);
    resources[5]["period"]["start"] = json!("2022-01-01");
    import(&stack, &recorder, "a.json", bundle(&resources)).await;
    assert_eq!(stack.care_team(patient).await.len(), 2);
}
