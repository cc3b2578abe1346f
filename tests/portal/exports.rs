//! Copies of a record: what was imported is in them and nothing else, readers that nobody here wrote
//! read them, and nobody else gets one.

use crate::harness::function::Function;
use crate::harness::recorder::{Call, Recorder};
use crate::harness::request::{With, body, signed_in};
use crate::harness::schedule::free_hour;
use crate::harness::world::{REASON, SUMMARY, VISIT_NOTES, World};
use crate::harness::{Stack, Whose, root};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::ids::{AccountId, PatientId};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use uuid::Uuid;
use xtask::aws::Method;
use xtask::tools::{Set, install};

/// Those who ask, the worker, and those who look.
pub struct Exports<'s> {
    stack: &'s Stack,
    request: Function,
    build: Function,
    get: Function,
}

impl<'s> Exports<'s> {
    pub fn new(stack: &'s Stack) -> Self {
        Self {
            stack,
            request: Function::new(stack, "request-export"),
            build: Function::new(stack, "build-export"),
            get: Function::new(stack, "get-export"),
        }
    }

    async fn ask(&self, account: AccountId, patient: PatientId, wanted: &Value) -> Response {
        let key = Uuid::new_v4().to_string();
        let request = by(account, patient)
            .header("idempotency-key", &key)
            .json(wanted);
        self.request.respond(request).await
    }

    /// What S3 tells the worker.
    fn event(patient: PatientId, id: &Value) -> Value {
        let key = format!("requests/{patient}/{}", id.as_str().unwrap());
        json!({"Records": [{"s3": {"object": {"key": key}}}]})
    }

    async fn list(&self, account: AccountId, patient: PatientId) -> Vec<Value> {
        let answer = body(&self.get.respond(by(account, patient)).await);
        answer["exports"].as_array().unwrap().clone()
    }

    /// Asks, builds, and looks at what came of it.
    pub async fn made(&self, account: AccountId, patient: PatientId, wanted: &Value) -> Value {
        let asked = self.ask(account, patient, wanted).await;
        let answer = body(&asked);
        assert_eq!(asked.status, 202, "{answer}");
        let event = Self::event(patient, &answer["id"]);
        let _ = self.build.handle(event).await;
        self.list(account, patient).await.remove(0)
    }

    /// Downloads a file by its link, as a browser does.
    pub async fn download(
        &self,
        account: AccountId,
        patient: PatientId,
        id: &Value,
        file: &str,
    ) -> Vec<u8> {
        let request = by(account, patient)
            .query("export", id.as_str().unwrap())
            .query("file", file);
        let answer = body(&self.get.respond(request).await);
        let url = answer["download"]["url"].as_str().expect("a link");
        let (_, path) = url.split_once("://").unwrap().1.split_once('/').unwrap();
        let path = format!("/{path}");
        let answer = self.stack.root.plain(Method::GET, &path).send().await;
        let answer = answer.unwrap();
        assert!(answer.status().is_success(), "{file}: {}", answer.status());
        let disposition = answer.headers()["content-disposition"].to_str().unwrap();
        assert!(
            disposition.starts_with("attachment; filename="),
            "{disposition}"
        );
        answer.bytes().await.unwrap().to_vec()
    }
}

fn by(account: AccountId, patient: PatientId) -> Request {
    signed_in(account, Role::Patient).patient(patient)
}

/// What other readers find in files.
pub async fn read(exports: &[Value]) -> Vec<Value> {
    let programs = install(Set::Readers).await.unwrap();
    let mut python = Command::new(programs.join("python"))
        .arg(root().join("tests/portal/read_export.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    input
        .write_all(json!(exports).to_string().as_bytes())
        .unwrap();
    drop(input);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn keep(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The sample files; the directory, which is no patient's, first.
fn samples() -> Vec<PathBuf> {
    let folder = root().join("tests/data/synthea");
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    let is_directory = |path: &PathBuf| path.to_string_lossy().contains("directory");
    files.sort_by_key(|path| (!is_directory(path), path.clone()));
    files
}

/// 45 CFR 164.524: a copy is of everything that is there. Resource by resource and digit by digit,
/// for every sample patient, and valid FHIR R4 for a validator that nobody here wrote.
#[tokio::test(flavor = "multi_thread")]
async fn resources_in_equal_resources_out() {
    let stack = Stack::new().await;
    let folder = tempfile::tempdir().unwrap();
    let mut exports = Vec::new();
    let files = samples();
    let (directory, files) = files.split_first().unwrap();
    let listed = std::fs::read(directory).unwrap();
    stack.import("directory.json", listed).await;
    let making = Exports::new(&stack);
    for (number, file) in files.iter().enumerate() {
        let before = stack.patients().await;
        let name = format!("{number}.json");
        let report = stack.import(&name, std::fs::read(file).unwrap()).await;
        assert_eq!(report["state"], "complete", "{report}");
        let mut after = stack.patients().await;
        after.retain(|patient| !before.contains(patient));
        let patient = after.remove(0);
        let account = stack.account(Role::Patient, Whose::Patient(patient)).await;
        let made = making
            .made(account, patient, &json!({"formats": ["fhir"]}))
            .await;
        assert_eq!(made["state"], "ready", "{made}");
        let bytes = making.download(account, patient, &made["id"], "fhir").await;
        let named = file.file_name().unwrap().to_str().unwrap();
        exports.push(json!({
            "name": named,
            "sources": [file, directory],
            "fhir": keep(folder.path(), &name, &bytes),
        }));
    }
    // Of the shared directory only the files of the same source mean anybody.
    for export in &mut exports {
        if !export["name"].as_str().unwrap().starts_with("bulk24") {
            export["sources"].as_array_mut().unwrap().truncate(1);
        }
    }
    let mut resources = 0;
    for found in read(&exports).await {
        let (name, fhir) = (&found["name"], &found["fhir"]);
        assert_eq!(fhir["type"], "collection");
        assert_eq!(fhir["problems"], json!([]), "{name}");
        assert_eq!(fhir["ssn"], false, "{name}");
        assert_eq!(fhir["kinds"]["Patient"], 1, "{name}");
        let kinds = fhir["kinds"].as_object().unwrap().values();
        resources += kinds.map(|count| count.as_u64().unwrap()).sum::<u64>();
    }
    assert_eq!(exports.len(), 30);
    assert!(resources > 5000, "{resources}");
}

/// The three forms of one record and its manifest, with contact details that the patient changed.
#[tokio::test(flavor = "multi_thread")]
async fn people_and_machines_can_read_it() {
    let world = World::around_sample("Mar\u{ed}a_Luisa").await;
    // One visit that was, and one that will not be.
    let visit = world.begun().await;
    let notes = json!({"notes": VISIT_NOTES, "summary": SUMMARY});
    let complete = world.step_by_provider(&visit).json(&notes);
    world.done("complete-appointment", complete).await;
    let cancelled = world.booked(free_hour()).await;
    let cancel = world.step(&cancelled).json(&json!({"reason": "unwell"}));
    world.done("cancel-appointment", cancel).await;
    let update = Function::new(&world.stack, "update-profile");
    let contact = json!({
        "phone": "555-010-0199", "email": null,
        "address": {"lines": ["1 <b>Main</b> Street"], "city": "Boston"},
    });
    let changed = by(world.account, world.patient)
        .header("if-match", "\"0\"")
        .json(&contact);
    assert_eq!(update.respond(changed).await.status, 200);
    let making = Exports::new(&world.stack);
    let made = making.made(world.account, world.patient, &json!({})).await;
    assert_eq!(made["state"], "ready", "{made}");
    assert!(made["available_until"].is_string() && made["problem"].is_null());
    let folder = tempfile::tempdir().unwrap();
    let mut export = json!({"name": "export"});
    for file in ["fhir", "html", "pdf", "manifest"] {
        let bytes = making
            .download(world.account, world.patient, &made["id"], file)
            .await;
        let files = made["files"].as_array().unwrap();
        let told = files.iter().find(|one| one["file"] == file).unwrap();
        assert_eq!(told["bytes"], bytes.len(), "{file}");
        export[file] = json!(keep(folder.path(), file, &bytes));
    }
    let found = read(&[export.clone()]).await.remove(0);

    let bundle = std::fs::read(folder.path().join("fhir")).unwrap();
    let bundle: Value = serde_json::from_slice(&bundle).unwrap();
    assert_eq!(found["fhir"]["problems"], json!([]));
    let patient = &bundle["entry"][0]["resource"];
    assert_eq!(patient["resourceType"], "Patient");
    assert_eq!(patient["address"][0]["city"], "Boston");
    assert_eq!(
        patient["telecom"],
        json!([{"system": "phone", "value": "555-010-0199"}])
    );
    let identifiers = patient["identifier"].as_array().unwrap();
    let mrn = identifiers
        .iter()
        .find(|identifier| identifier["type"]["coding"][0]["code"] == "MR");
    assert_eq!(mrn.unwrap()["value"], world.mrn);

    // Another reader has found them valid already.
    let resources = bundle["entry"].as_array().unwrap().iter();
    let mut visits: Vec<_> = resources
        .filter(|entry| entry["resource"]["resourceType"] == "Appointment")
        .collect();
    visits.sort_by_key(|entry| entry["resource"]["id"] != *visit);
    let statuses = visits.iter().map(|entry| &entry["resource"]["status"]);
    assert_eq!(statuses.collect::<Vec<_>>(), ["fulfilled", "cancelled"]);
    let [was, was_not] = [0, 1].map(|at| &visits[at]["resource"]);
    assert_eq!(was["comment"], SUMMARY);
    assert_eq!(was["reasonCode"][0]["text"], REASON);
    assert_eq!(was_not["cancelationReason"]["text"], "unwell");
    let who = &was["participant"][0]["actor"]["reference"];
    assert_eq!(*who, bundle["entry"][0]["fullUrl"]);

    let html = &found["html"];
    assert_eq!(html["errors"], json!([]));
    assert_eq!(html["lang"], "en");
    assert_eq!(html["headings"][0], "h1");
    for empty in ["active", "dangling"] {
        assert_eq!(html[empty], json!([]));
    }
    assert_eq!(
        (&html["unscoped"], &html["uncaptioned"]),
        (&json!(0), &json!(0))
    );
    assert!(html["heads"].as_u64().unwrap() > 20);
    let policy = html["policy"][0].as_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));

    let pdf = &found["pdf"];
    assert_eq!((&pdf["lang"], &pdf["marked"]), (&json!("en"), &json!(true)));
    assert_eq!(pdf["embedded"], true);
    for tag in ["/H1", "/H2", "/P", "/Table", "/TR", "/TH", "/TD"] {
        assert!(
            pdf["tags"][tag].as_u64() > Some(0),
            "{tag}: {}",
            pdf["tags"]
        );
    }
    assert_eq!(pdf["outline"].as_array().unwrap().len(), 20);
    let size = std::fs::metadata(folder.path().join("pdf")).unwrap().len();
    assert!(size < 1_000_000, "{size}");

    assert!(html["text"].as_str().unwrap().contains(REASON));
    for form in [html, pdf] {
        let text = form["text"].as_str().unwrap();
        let title = form["title"].as_str().unwrap();
        assert!(title.contains("Mar\u{ed}a Luisa"), "{title}");
        for told in [
            world.mrn.as_str(),
            "Mar\u{ed}a Luisa",
            "1 <b>Main</b> Street",
            "Laboratory results",
            "Appointments",
            SUMMARY,
            "About this copy",
        ] {
            assert!(text.contains(told), "{told}");
        }
        // What providers write for each other is no part of it, and that is told.
        let notes = VISIT_NOTES.lines().next().unwrap();
        assert!(!text.contains(notes), "{notes}");
        assert!(text.contains("notes that providers wrote"));
        // Nor is what else the portal keeps of a patient.
        for kept in [
            "handed in through the portal",
            "messages",
            "requests for refills",
            "requests to correct the record",
        ] {
            assert!(text.contains(kept), "{kept}");
        }
    }

    let manifest = std::fs::read(folder.path().join("manifest")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["patient"]["mrn"], world.mrn);
    assert_eq!(manifest["requested_by"], world.account.to_string());
    assert_eq!(manifest["export"], made["id"]);
    assert_eq!(manifest["files"].as_array().unwrap().len(), 3);
    let entries = manifest["sections"].as_array().unwrap().iter();
    let entries: u64 = entries.map(|one| one["entries"].as_u64().unwrap()).sum();
    let clinical = found["fhir"]["kinds"].as_object().unwrap().iter();
    let clinical = clinical.filter(|(kind, _)| {
        ![
            "Patient",
            "Medication",
            "Practitioner",
            "Organization",
            "Location",
        ]
        .contains(&kind.as_str())
    });
    let clinical: u64 = clinical.map(|(_, count)| count.as_u64().unwrap()).sum();
    assert_eq!(entries, clinical);
}

/// Days, first and last included, and what they leave out.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_some_days_says_what_it_leaves_out() {
    let world = World::new().await;
    let making = Exports::new(&world.stack);
    let mut totals = Vec::new();
    for wanted in [
        json!({"formats": ["fhir"]}),
        json!({"formats": ["fhir"], "to": "2020-12-31"}),
        json!({"formats": ["fhir"], "from": "2021-01-01"}),
    ] {
        let made = making.made(world.account, world.patient, &wanted).await;
        assert_eq!(made["state"], "ready", "{made}");
        let manifest = making
            .download(world.account, world.patient, &made["id"], "manifest")
            .await;
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let sum = |name: &str| -> u64 {
            let sections = manifest["sections"].as_array().unwrap().iter();
            sections.map(|one| one[name].as_u64().unwrap()).sum()
        };
        totals.push((sum("entries"), sum("left_out")));
    }
    let [all, before, since] = totals[..] else {
        panic!()
    };
    assert_eq!(all.1, 0);
    assert_eq!(before.0 + before.1, all.0);
    assert_eq!(since.0 + since.1, all.0);
    // There are entries of all of these days, and none without a day.
    assert_eq!(before.0 + since.0, all.0);
    assert!(before.0 > 0 && since.0 > 0, "{totals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_elses_copy() {
    let world = World::new().await;
    let other = world.stack.sample("Noel_Reynolds").await;
    let whose = Whose::Patient(other);
    let theirs = world.stack.account(Role::Patient, whose).await;
    let making = Exports::new(&world.stack);
    let made = making
        .made(world.account, world.patient, &json!({"formats": ["html"]}))
        .await;
    let id = made["id"].as_str().unwrap();
    let guess = Uuid::new_v4().to_string();
    for (what, request) in [
        (
            "another's record",
            by(theirs, world.patient).query("export", id),
        ),
        (
            "their export as one's own",
            by(theirs, other).query("export", id),
        ),
        (
            "a guess",
            by(world.account, world.patient).query("export", &guess),
        ),
        (
            "a form that was not wanted",
            by(world.account, world.patient)
                .query("export", id)
                .query("file", "pdf"),
        ),
        (
            "a provider who treats the patient",
            world
                .by_provider()
                .patient(world.patient)
                .query("export", id),
        ),
        (
            "a guess with a file",
            by(theirs, other).query("export", id).query("file", "html"),
        ),
    ] {
        let response = making.get.respond(request).await;
        assert_eq!(response.status, 404, "{what}");
        let answer = String::from_utf8(response.body).unwrap();
        assert!(!answer.contains("http"), "{what}: {answer}");
    }
    let response = making.ask(theirs, world.patient, &json!({})).await;
    assert_eq!(response.status, 404);
    assert!(making.list(theirs, other).await.is_empty());

    // The object itself opens to nobody without a link.
    let bucket = &world.stack.names[&Resource::ExportsBucket];
    let path = format!("/{bucket}/files/{}/{id}/1/html", world.patient);
    let answer = world.stack.root.plain(Method::GET, &path).send().await;
    assert_eq!(answer.unwrap().status(), 403);

    // Every download is in the log, with what was downloaded.
    making
        .download(world.account, world.patient, &made["id"], "html")
        .await;
    let records = world.stack.audit().await;
    let of = |action: &str, resource: &str| {
        let found = records.iter().filter(|record| {
            record["action"] == action
                && record["resource"] == resource
                && record["outcome"] == "success"
                && record["patient"] == world.patient.to_string()
        });
        found.count()
    };
    assert_eq!(of("export.request", id), 1);
    assert_eq!(of("export.build", id), 1);
    assert_eq!(of("export.read", &format!("{id}/html")), 1);
}

/// A proxy gets a copy who may see everything in it; grants that lack something are not enough.
#[tokio::test(flavor = "multi_thread")]
async fn proxies() {
    const ALL: [&str; 6] = [
        "profile",
        "lab-results",
        "prescriptions",
        "health-record",
        "documents",
        "appointments",
    ];
    let world = World::new().await;
    let making = Exports::new(&world.stack);
    let (some, _) = world.granted("some@example.org", &ALL[1..]).await;
    let (unbooked, _) = world.granted("unbooked@example.org", &ALL[..5]).await;
    let (all, _) = world.granted("all@example.org", &ALL).await;
    for lacking in [some, unbooked] {
        let refused = making.ask(lacking, world.patient, &json!({})).await;
        assert_eq!(refused.status, 404);
    }
    let made = making
        .made(all, world.patient, &json!({"formats": ["fhir"]}))
        .await;
    assert_eq!(made["state"], "ready");
    making
        .download(all, world.patient, &made["id"], "fhir")
        .await;
    let response = making.get.respond(by(some, world.patient)).await;
    assert_eq!(response.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_at_a_time_and_five_a_day() {
    let world = World::new().await;
    let making = Exports::new(&world.stack);
    let wanted = json!({"formats": ["fhir"]});
    let first = by(world.account, world.patient)
        .header("idempotency-key", "the-first-of-them")
        .json(&wanted);
    let again = || {
        by(world.account, world.patient)
            .header("idempotency-key", "the-first-of-them")
            .json(&wanted)
    };
    let asked = making.request.respond(first).await;
    assert_eq!(asked.status, 202);
    let id = body(&asked)["id"].clone();
    // The answer got lost.
    let repeated = making.request.respond(again()).await;
    assert_eq!(
        (repeated.status.as_u16(), &body(&repeated)["id"]),
        (202, &id)
    );
    let other = json!({"formats": ["pdf"]});
    let other = by(world.account, world.patient)
        .header("idempotency-key", "the-first-of-them")
        .json(&other);
    let other = making.request.respond(other).await;
    assert_eq!(other.status, 422);
    assert_eq!(body(&other)["type"], "/problems/key-used-before");
    let second = making.ask(world.account, world.patient, &wanted).await;
    assert_eq!(body(&second)["type"], "/problems/export-running");

    let event = || Exports::event(world.patient, &id);
    making.build.handle(event()).await.unwrap();
    // S3 may tell of it twice.
    making.build.handle(event()).await.unwrap();
    let records = world.stack.audit().await;
    let builds = records.iter().filter(|one| one["action"] == "export.build");
    let reasons: Vec<_> = builds.map(|one| one["reason"].as_str()).collect();
    assert_eq!(reasons, [None, Some("ignored")]);
    let repeated = body(&making.request.respond(again()).await);
    assert_eq!(
        (&repeated["id"], &repeated["state"]),
        (&id, &json!("ready"))
    );

    for _ in 0..4 {
        let made = making.made(world.account, world.patient, &wanted).await;
        assert_eq!(made["state"], "ready", "{made}");
    }
    let sixth = making.ask(world.account, world.patient, &wanted).await;
    assert_eq!(sixth.status, 429);
    assert_eq!(body(&sixth)["type"], "/problems/too-many-exports");
    assert!(sixth.retry_after.is_some());
    let listed = making.list(world.account, world.patient).await;
    assert_eq!(listed.len(), 5);
    assert_eq!(listed[4]["id"], id);

    // Two at once: one of them.
    world.stack.forget_exports().await;
    let (one, other) = tokio::join!(
        making.ask(world.account, world.patient, &wanted),
        making.ask(world.account, world.patient, &wanted),
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert!(
        statuses == [202, 409] || statuses == [202, 503],
        "{statuses:?}"
    );
}

/// An entry that cannot be opened ends the copy as failed, in words, and another can be asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_whole_or_there_is_none() {
    let world = World::new().await;
    let making = Exports::new(&world.stack);
    let mut rows = world.stack.scan(Resource::RecordsTable).await;
    let good = rows.remove(0);
    let mut torn = good.clone();
    let bytes = torn["sealed"]["B"].as_str().unwrap();
    torn["sealed"]["B"] = bytes
        .chars()
        .rev()
        .collect::<String>()
        .replace('=', "A")
        .into();
    world.stack.put(Resource::RecordsTable, torn).await;
    let made = making.made(world.account, world.patient, &json!({})).await;
    assert_eq!(made["state"], "failed", "{made}");
    assert!(
        made["problem"]
            .as_str()
            .unwrap()
            .contains("could not be read")
    );
    assert!(made["files"].is_null());
    let request = by(world.account, world.patient)
        .query("export", made["id"].as_str().unwrap())
        .query("file", "fhir");
    assert_eq!(making.get.respond(request).await.status, 404);
    let records = world.stack.audit().await;
    let record = records.iter().rfind(|one| one["action"] == "export.build");
    assert_eq!(record.unwrap()["outcome"], "failure");
    assert_eq!(record.unwrap()["reason"], "unreadable");
    // Lambda tries again, and there is nothing left to do.
    let event = Exports::event(world.patient, &made["id"]);
    making.build.handle(event).await.unwrap();

    world.stack.put(Resource::RecordsTable, good).await;
    let made = making.made(world.account, world.patient, &json!({})).await;
    assert_eq!(made["state"], "ready", "{made}");
}

/// A service that is out of order for a while is waited for, and not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn three_tries() {
    let world = World::new().await;
    let making = Exports::new(&world.stack);
    let upload = |call: &Call| call.actions == ["s3:PutObject"];
    let failing = Function::recorded(&world.stack, "build-export", Recorder::failing(upload));
    let wanted = json!({"formats": ["fhir"]});
    for tries in [2, 3] {
        let asked = making.ask(world.account, world.patient, &wanted).await;
        let id = body(&asked)["id"].clone();
        let event = || Exports::event(world.patient, &id);
        for attempt in 1..=tries {
            failing.handle(event()).await.unwrap_err();
            let state = making.list(world.account, world.patient).await.remove(0);
            let expected = if attempt == 3 { "failed" } else { "building" };
            assert_eq!(state["state"], expected, "{state}");
        }
        making.build.handle(event()).await.unwrap();
        let state = making.list(world.account, world.patient).await.remove(0);
        let expected = if tries == 3 { "failed" } else { "ready" };
        assert_eq!(state["state"], expected, "{state}");
    }
}

/// A try that goes on beside the next one, or died half way, leaves the files of the next alone.
#[tokio::test(flavor = "multi_thread")]
async fn each_try_has_files_of_its_own() {
    let world = World::new().await;
    let making = Exports::new(&world.stack);
    let puts = AtomicUsize::new(0);
    let second = move |call: &Call| {
        call.actions == ["s3:PutObject"] && puts.fetch_add(1, Ordering::Relaxed) > 0
    };
    let torn = Function::recorded(&world.stack, "build-export", Recorder::failing(second));
    let wanted = json!({"formats": ["fhir"]});
    let asked = making.ask(world.account, world.patient, &wanted).await;
    let id = body(&asked)["id"].clone();
    let event = || Exports::event(world.patient, &id);
    torn.handle(event()).await.unwrap_err();
    making.build.handle(event()).await.unwrap();
    let listed = making.list(world.account, world.patient).await.remove(0);
    assert_eq!(listed["state"], "ready");
    // The first try is slow, and not dead: it stores its file once more.
    let bucket = &world.stack.names[&Resource::ExportsBucket];
    let key = |attempt| {
        format!(
            "files/{}/{}/{attempt}/fhir",
            world.patient,
            id.as_str().unwrap()
        )
    };
    for attempt in [1, 2] {
        let path = format!("/{bucket}/{}", key(attempt));
        let stored = world
            .stack
            .root
            .request("s3", Method::GET, &path)
            .send()
            .await;
        assert_eq!(stored.unwrap().status(), 200, "{attempt}");
    }
    let late = b"of the first try".to_vec();
    world
        .stack
        .root
        .put_object(bucket, &key(1), late)
        .await
        .unwrap();
    let file = making
        .download(world.account, world.patient, &id, "fhir")
        .await;
    let told = listed["files"].as_array().unwrap().iter();
    let told = told.clone().find(|one| one["file"] == "fhir").unwrap();
    let hash = digest(&SHA256, &file);
    let sha256: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(told["sha256"], sha256);
}

/// The request stands and the worker was not told: the same request again tells it.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_did_not_begin() {
    let world = World::new().await;
    let making = Exports::new(&world.stack);
    let begin = |call: &Call| call.actions == ["s3:PutObject"];
    let failing = Function::recorded(&world.stack, "request-export", Recorder::failing(begin));
    let request = || {
        by(world.account, world.patient)
            .header("idempotency-key", "a-key-of-its-own")
            .json(&json!({"formats": ["fhir"]}))
    };
    let asked = failing.respond(request()).await;
    assert_eq!(asked.status, 202);
    assert!(body(&asked)["problem"].is_string());
    making.request.recorder.reset();
    let asked = making.request.respond(request()).await;
    assert_eq!(asked.status, 202);
    assert!(body(&asked)["problem"].is_null());
    let calls = making.request.recorder.calls();
    assert!(calls.iter().any(begin));
}

/// A record as large as they get: it comes in pages, and is made within the function's time.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_entries() {
    const ENTRIES: usize = 10_000;
    let stack = Stack::new().await;
    let subject = json!({"reference": "Patient/p"});
    let patient = json!({"resourceType": "Patient", "id": "p", "birthDate": "1950-01-01",
        "name": [{"family": "Long", "given": ["Very"]}],
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:x", "value": "long-1"}]});
    let observations = (0..ENTRIES).map(|number| {
        json!({"resourceType": "Observation", "id": format!("o-{number}"), "status": "final",
            "category": [{"coding": [{"code": "laboratory"}]}], "subject": subject,
            "effectiveDateTime": format!("20{:02}-03-{:02}T09:30:00Z", number % 25, 1 + number % 28),
            "code": {"coding": [{"system": "http://loinc.org", "code": "2339-0", "display": "Glucose"}]},
            "valueQuantity": {"value": number, "unit": "mg/dL"},
            "note": [{"text": "A note of some length, as laboratories write them. ".repeat(8)}]})
    });
    let entries: Vec<_> = std::iter::once(patient)
        .chain(observations)
        .map(|resource| json!({"resource": resource}))
        .collect();
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
    let file = serde_json::to_vec(&bundle).unwrap();
    let report = stack.import("long.json", file).await;
    assert_eq!(report["state"], "complete", "{report}");
    let patient = stack.patients().await.remove(0);
    let account = stack.account(Role::Patient, Whose::Patient(patient)).await;
    let making = Exports::new(&stack);
    let started = std::time::Instant::now();
    let made = making.made(account, patient, &json!({})).await;
    assert_eq!(made["state"], "ready", "{made}");
    // Unoptimized, and beside other tests.
    assert!(started.elapsed().as_secs() < 300, "{:?}", started.elapsed());
    let calls = making.build.recorder.calls();
    let pages = calls
        .iter()
        .filter(|call| call.actions == ["dynamodb:Query"])
        .count();
    assert!(pages > 5, "{pages}");
    let bundle = making.download(account, patient, &made["id"], "fhir").await;
    let bundle: Value = serde_json::from_slice(&bundle).unwrap();
    assert_eq!(bundle["entry"].as_array().unwrap().len(), ENTRIES + 1);
}
