//! The AWS calls of every operation: how many wait for each other, and that they are what the
//! operation declares that it needs.

use crate::access_matrix::permits_parents;
use crate::attempts;
use crate::documents::inspection;
use crate::harness::channels::{batch, handshake};
use crate::harness::function::{Function, trigger};
use crate::harness::letter::Letter;
use crate::harness::recorder::{Call, KMS_KEY, Recorder, Rows};
use crate::harness::request::{With, body, signed_in};
use crate::harness::schedule::{day, hour};
use crate::harness::world::{
    World, calendar_at, http_specs, is_about_a_patient, specs, token_specs,
};
use crate::harness::{Stack, Whose, sample};
use crate::template::{lets, statements};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use shared::access::Role;
use shared::api::{Method, Trigger};
use shared::aws::{Capability, Resource};
use shared::http::{Request, Response};
use shared::practice::Practice;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

/// What one request did.
struct Run {
    depth: usize,
    calls: Vec<Call>,
    /// What the links in the answer let their holder do: it is done with the function's permission.
    links: Vec<(String, String)>,
}

/// A request that must succeed, alone in the recorder.
async fn respond(function: &Function, request: Request) -> Run {
    function.recorder.reset();
    let response = function.respond(request).await;
    assert!(response.status.is_success(), "{}", body(&response));
    run_of(function, &response)
}

fn run_of(function: &Function, response: &Response) -> Run {
    // A handshake is answered with nothing.
    let is_json = response.media_type == "application/json" && !response.body.is_empty();
    let links = is_json.then(|| links(&body(response)));
    Run {
        links: links.unwrap_or_default(),
        ..run(&function.recorder)
    }
}

/// The actions that signed links in an answer stand for, and on what.
fn links(answer: &serde_json::Value) -> Vec<(String, String)> {
    let bucket = |link: &serde_json::Value| {
        let url = link["url"].as_str()?;
        Some(url.split('/').nth(3)?.to_owned())
    };
    let put = bucket(&answer["upload"]).map(|bucket| ("s3:PutObject".to_owned(), bucket));
    let key = answer["upload"]["headers"][KMS_KEY].as_str();
    let key = key.map(|key| ("kms:GenerateDataKey".to_owned(), key.to_owned()));
    let get = bucket(&answer["download"]).map(|bucket| ("s3:GetObject".to_owned(), bucket));
    put.into_iter().chain(key).chain(get).collect()
}

async fn handle(function: &Function, event: serde_json::Value) -> Run {
    function.recorder.reset();
    function.handle(event).await.unwrap();
    run(&function.recorder)
}

/// What a slow machine made the SDK try again does not count.
fn run(recorder: &Recorder) -> Run {
    let calls = recorder.calls().into_iter();
    Run {
        depth: recorder.depth(),
        calls: calls.filter(|call| !call.is_retried).collect(),
        links: Vec::new(),
    }
}

fn count(run: &Run, action: &str) -> usize {
    let actions = run.calls.iter().flat_map(|call| &call.actions);
    actions.filter(|used| *used == action).count()
}

/// The calls, each with its depth.
fn told(run: &Run) -> String {
    let calls = run.calls.iter();
    let lines = calls.map(|call| format!("{} {}\n", call.depth, call.actions.join(" ")));
    lines.collect()
}

/// Who is measured besides, and not told of in the table: their data key comes before the permission.
const PARENT: &str = "parent";

/// By operation and caller: a function's first request and its second.
type Runs = BTreeMap<(&'static str, &'static str), [Run; 2]>;

/// Every operation by whoever may call it.
struct Measured {
    stack: Stack,
    runs: Runs,
}

async fn measured() -> Measured {
    let world = World::new().await;
    let mut runs = Runs::new();
    for spec in token_specs() {
        // Measured below: who is added has to be in the directory.
        if spec.id == "change-care-team" {
            continue;
        }
        let function = Function::new(&world.stack, spec.id);
        let first = world.allowed(spec).await;
        let caller = role(&first);
        let cold = respond(&function, first).await;
        let mut second = world.allowed(spec).await;
        if spec.id == "update-profile" {
            second.headers.insert("if-match", "\"1\"".parse().unwrap());
        }
        let warm = respond(&function, second).await;
        runs.insert((spec.id, caller), [cold, warm]);
    }
    changing_a_care_team(&world, &mut runs).await;
    for id in [
        "get-profile",
        "list-lab-results",
        "get-lab-result",
        "get-lab-trend",
        "list-health-record",
        "list-proxies",
        "get-care-team",
        "list-threads",
        "list-prescriptions",
        "list-refill-requests",
        "list-amendments",
        "list-documents",
        "list-appointments",
        "list-waitlist",
    ] {
        let function = Function::new(&world.stack, id);
        let spec = specs().into_iter().find(|spec| spec.id == id).unwrap();
        let (mut first, mut second) = (world.allowed(spec).await, world.allowed(spec).await);
        for request in [&mut first, &mut second] {
            request.claims = signed_in(world.provider, Role::Provider).claims;
        }
        let cold = respond(&function, first).await;
        runs.insert((id, "provider"), [cold, respond(&function, second).await]);
    }
    let function = Function::new(&world.stack, "list-open-amendments");
    let cold = respond(&function, world.by_provider()).await;
    let warm = respond(&function, world.by_provider()).await;
    runs.insert(("list-open-amendments", "provider"), [cold, warm]);
    // The second time is a client that did not get the answer.
    let letter = Letter::to_the_patient(&world).await;
    let function = Function::new(&world.stack, "activate-account");
    let request = || letter.request("new@example.org", "first-key");
    let cold = respond(&function, request()).await;
    let warm = respond(&function, request()).await;
    runs.insert(("activate-account", "nobody"), [cold, warm]);
    for id in ["add-token-claims", "record-sign-in"] {
        let function = Function::new(&world.stack, id);
        let cold = handle(&function, trigger(id, world.account)).await;
        let warm = handle(&function, trigger(id, world.account)).await;
        runs.insert((id, "service"), [cold, warm]);
    }
    let function = Function::new(&world.stack, attempts::RECORD);
    let line = || attempts::attempt(Some(world.account), &json!({}));
    let cold = handle(&function, attempts::delivered(&[line()])).await;
    let warm = handle(&function, attempts::delivered(&[line(), line()])).await;
    runs.insert((attempts::RECORD, "service"), [cold, warm]);
    let function = Function::new(&world.stack, "import-records");
    let (name, file) = sample("Noel_Reynolds");
    let bucket = &world.stack.names[&Resource::ImportBucket];
    let key = format!("inbox/{name}");
    world
        .stack
        .root
        .put_object(bucket, &key, file)
        .await
        .unwrap();
    let event = || json!({"Records": [{"s3": {"object": {"key": key}}}]});
    let cold = handle(&function, event()).await;
    let warm = handle(&function, event()).await;
    runs.insert(("import-records", "service"), [cold, warm]);
    importing_less(&world, &mut runs).await;
    reading_calendars(&world, &mut runs).await;
    reminding(&world, &mut runs).await;
    inspecting(&world, &mut runs).await;
    exporting(&world, &mut runs).await;
    parents(&world, &mut runs).await;
    adopting(&world, &mut runs).await;
    approving(&world, &mut runs).await;
    reconciling(&world, &mut runs).await;
    finding(&world, &mut runs).await;
    offering(&world, &mut runs).await;
    telling(&world, &mut runs).await;
    archiving(&world, &mut runs).await;
    watching(&world, &mut runs).await;
    texting(&world, &mut runs).await;
    Measured {
        stack: world.stack,
        runs,
    }
}

/// A patient, and then what became of them: somebody else saw them, a result is of another day, and
/// its report has it no more.
async fn importing_less(world: &World, runs: &mut Runs) {
    let file = |doctor: &str, npi: &str, day: &str, results: serde_json::Value| {
        let about = json!({"reference": "Patient/less"});
        let by = json!({"reference": format!("Practitioner/{doctor}")});
        let lab = json!([{"coding": [{"code": "laboratory"}]}]);
        let result = |id: &str, day: &str| {
            json!({"resourceType": "Observation", "id": id, "status": "final", "category": lab,
                "subject": about, "code": {"text": "Glucose"}, "effectiveDateTime": day,
                "valueQuantity": {"value": 6, "unit": "mmol/L"}})
        };
        let resources = [
            json!({"resourceType": "Patient", "id": "less", "birthDate": "1980-05-06",
                "name": [{"family": "Less"}],
                "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:clinic", "value": "less"}]}),
            json!({"resourceType": "Practitioner", "id": doctor, "name": [{"family": "Grey"}],
                "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": npi}]}),
            json!({"resourceType": "Encounter", "id": "visit", "status": "finished", "subject": about,
                "period": {"start": "2024-03-01T09:00:00Z"}, "participant": [{"individual": by}]}),
            result("moves", day),
            result("stays", "2024-03-01"),
            json!({"resourceType": "DiagnosticReport", "id": "report", "status": "final",
                "category": [{"coding": [{"code": "LAB"}]}], "code": {"text": "Panel"},
                "subject": about, "effectiveDateTime": "2024-03-01", "result": results}),
        ];
        let entries = resources.map(|resource| json!({"resource": resource}));
        json!({"resourceType": "Bundle", "type": "collection", "entry": entries})
    };
    let both = json!([{"reference": "Observation/moves"}, {"reference": "Observation/stays"}]);
    let one = json!([{"reference": "Observation/moves"}]);
    let function = Function::new(&world.stack, "import-records");
    let mut measured = Vec::new();
    for (name, file) in [
        (
            "more.json",
            file("doctor", "1234567893", "2024-03-01", both),
        ),
        ("less.json", file("other", "1245319599", "2024-03-02", one)),
    ] {
        let (bucket, key) = (
            &world.stack.names[&Resource::ImportBucket],
            format!("inbox/{name}"),
        );
        let file = file.to_string().into_bytes();
        let put = world.stack.root.put_object(bucket, &key, file);
        put.await.unwrap();
        let event = json!({"Records": [{"s3": {"object": {"key": key}}}]});
        measured.push(handle(&function, event).await);
    }
    let (less, more) = (measured.pop().unwrap(), measured.pop().unwrap());
    runs.insert(("import-records", "changing"), [more, less]);
}

/// The patient's own calendar, and a parent's, who has to know how old the child is.
async fn reading_calendars(world: &World, runs: &mut Runs) {
    let mut grant = world.grant("parent-with-a-calendar@example.org", &["appointments"]);
    grant.claims = signed_in(world.provider, Role::Provider).claims;
    let mut body: serde_json::Value = serde_json::from_slice(&grant.body).unwrap();
    body["relationship"] = "parent".into();
    body.as_object_mut().unwrap().remove("until");
    let granted = world.done("grant-proxy", grant.json(&body)).await;
    let granted = granted["id"].as_str().unwrap();
    let (_, parent) = world.stack.proxy_row(granted).await;
    for (caller, account) in [("own", world.account), ("parent", parent)] {
        let by = || signed_in(account, Role::Patient).patient(world.patient);
        let opened = world.done("open-calendar", by()).await;
        let path = opened["path"].as_str().unwrap();
        let function = Function::new(&world.stack, "read-calendar");
        let cold = respond(&function, calendar_at(path)).await;
        let warm = respond(&function, calendar_at(path)).await;
        runs.insert(("read-calendar", caller), [cold, warm]);
    }
}

/// One reminder by mail, then one by text message.
async fn reminding(world: &World, runs: &mut Runs) {
    let link = json!({
        "pk": {"S": format!("ACCOUNT-OF#{}", world.patient)}, "sk": {"S": "ACCOUNT"},
        "account": {"S": world.account.to_string()},
    });
    world.stack.put(Resource::PatientsTable, link).await;
    let mut measured = Vec::new();
    let now = Arc::new(Mutex::new(Timestamp::UNIX_EPOCH));
    let recorder = Recorder::default();
    let clock = Arc::clone(&now);
    let aws = world.stack.aws(&recorder);
    let service = send_reminders::service_at(&aws, move || *clock.lock().unwrap());
    let function = Function::of(recorder, service.unwrap());
    for (channel, start) in [("email", hour(300 * 24 + 15)), ("sms", hour(310 * 24 + 15))] {
        world.booked(start).await;
        let whose = || world.by_patient().patient(world.patient);
        let profile = Function::new(&world.stack, "get-profile");
        let version = profile.respond(whose()).await.etag.unwrap();
        let change = whose().header("if-match", &format!("\"{version}\""));
        let change = change.json(&json!({
            "phone": "+1 617 555 0123", "email": "reminded@example.org",
            "notifications": {"appointments": channel},
        }));
        world.done("update-profile", change).await;
        *now.lock().unwrap() = start - SignedDuration::from_hours(23);
        measured.push(handle(&function, json!({"source": "aws.events"})).await);
    }
    let warm = measured.pop().unwrap();
    let cold = measured.pop().unwrap();
    runs.insert(("send-reminders", "service"), [cold, warm]);
}

/// A record is archived, sealed and verified, and another.
async fn archiving(world: &World, runs: &mut Runs) {
    let archives = Function::new(&world.stack, "archive-audit");
    let seals = Function::new(&world.stack, "seal-audit");
    let recorder = Recorder::default();
    let later = || Timestamp::now() + SignedDuration::from_mins(5);
    let service = verify_audit::service_at(&world.stack.aws(&recorder), later);
    let verifies = Function::of(recorder, service.unwrap());
    let mut measured: [Vec<Run>; 3] = Default::default();
    // Both in one chain, whatever the ids of this run.
    for id in ["first", "second"] {
        let at = "2026-01-01T00:00:00Z";
        let row = json!({
            "pk": {"S": "PORTAL#2026-01-01"}, "sk": {"S": format!("{at}#{id}")},
            "id": {"S": id}, "at": {"S": at},
        });
        world.stack.put(Resource::AuditTable, row.clone()).await;
        let event = crate::harness::archive::told("INSERT", &row, None);
        let event = crate::harness::archive::batch(&[event]);
        measured[0].push(handle(&archives, event).await);
        measured[1].push(handle(&seals, json!({})).await);
        measured[2].push(handle(&verifies, json!({})).await);
    }
    for (id, mut measured) in ["archive-audit", "seal-audit", "verify-audit"]
        .into_iter()
        .zip(measured)
    {
        let warm = measured.pop().unwrap();
        runs.insert((id, "service"), [measured.pop().unwrap(), warm]);
    }
}

/// A refusal, which is nothing unusual yet; then somebody who administers themselves, which is.
async fn watching(world: &World, runs: &mut Runs) {
    let watches = Function::new(&world.stack, "watch-access");
    let mut measured = Vec::new();
    for id in ["update-profile", "update-user"] {
        let row = json!({
            "pk": {"S": "ACCOUNT#watched"}, "sk": {"S": id}, "id": {"S": id},
            "at": {"S": "2026-01-07T15:00:00Z"}, "operation": {"S": id}, "outcome": {"S": "denied"},
            "role": {"S": "admin"}, "actor": {"S": "watched"}, "resource": {"S": "watched"},
        });
        let event = crate::harness::archive::told("INSERT", &row, None);
        let event = crate::harness::archive::batch(&[event]);
        measured.push(handle(&watches, event).await);
    }
    let warm = measured.pop().unwrap();
    runs.insert(("watch-access", "service"), [measured.pop().unwrap(), warm]);
}

/// A copy is made and fetched, and another.
async fn exporting(world: &World, runs: &mut Runs) {
    let requests = Function::new(&world.stack, "request-export");
    let builds = Function::new(&world.stack, "build-export");
    let gets = Function::new(&world.stack, "get-export");
    let (mut measured, mut fetched) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        world.stack.forget_exports().await;
        let request = world.export_of(&json!({"formats": ["fhir"]}));
        let asked = body(&requests.respond(request).await);
        let export = asked["id"].as_str().unwrap();
        let key = format!("requests/{}/{export}", world.patient);
        let event = json!({"Records": [{"s3": {"object": {"key": key}}}]});
        measured.push(handle(&builds, event).await);
        let get = world.by_patient().patient(world.patient);
        let get = get.query("export", export).query("file", "fhir");
        fetched.push(respond(&gets, get).await);
    }
    let warm = measured.pop().unwrap();
    runs.insert(("build-export", "service"), [measured.pop().unwrap(), warm]);
    let warm = fetched.pop().unwrap();
    runs.insert(("get-export", "patient"), [fetched.pop().unwrap(), warm]);
}

/// Whatever the policy permits a child's parent, done by one. How old the child is, is sealed: there is
/// a data key before there is a permission, whether or not the operation opens anything.
async fn parents(world: &World, runs: &mut Runs) {
    let (parent, _) = world.a_parent().await;
    for spec in token_specs() {
        if !is_about_a_patient(spec) || !permits_parents(spec) {
            continue;
        }
        // What opens nothing, as the operations on messages, never knows that the patient is a child.
        if !spec.needs.contains(&Capability::UnwrapDataKeys) {
            continue;
        }
        let practice = Practice::new("America/New_York", 13, 18).unwrap();
        let recorder = Recorder::default();
        let service = bootstrap::service(spec.id).unwrap();
        let service = service(&world.stack.aws_of(&recorder, practice)).unwrap();
        let function = Function::of(recorder, service);
        let mut measured = Vec::new();
        for _ in 0..2 {
            let mut request = world.allowed(spec).await;
            request.claims = signed_in(parent, Role::Patient).claims;
            // To a proxy there are no other proxies.
            if spec.id == "revoke-proxy" {
                let (other, grant) = world.a_parent().await;
                request = signed_in(other, Role::Patient)
                    .patient(world.patient)
                    .proxy(grant);
            }
            function.recorder.reset();
            let response = function.respond(request).await;
            assert!(
                response.status.is_success(),
                "{} of a parent: {}",
                spec.id,
                body(&response)
            );
            measured.push(run_of(&function, &response));
        }
        let warm = measured.pop().unwrap();
        runs.insert((spec.id, PARENT), [measured.pop().unwrap(), warm]);
    }
}

/// A colleague is added and removed, twice.
async fn changing_a_care_team(world: &World, runs: &mut Runs) {
    let id = "change-care-team";
    let spec = specs().into_iter().find(|spec| spec.id == id).unwrap();
    let functions = [(); 2].map(|()| Function::new(&world.stack, id));
    let [adding, removing] = &functions;
    let mut measured = Vec::new();
    for function in [adding, removing, adding, removing] {
        measured.push(respond(function, world.allowed(spec).await).await);
    }
    let mut measured = measured.into_iter();
    let [add, remove, add_again, remove_again] = [(); 4].map(|()| measured.next().unwrap());
    runs.insert((id, "adding"), [add, add_again]);
    runs.insert((id, "provider"), [remove, remove_again]);
}

/// An upload that arrived, and another one.
async fn inspecting(world: &World, runs: &mut Runs) {
    let function = inspection(&world.stack);
    let mut measured = Vec::new();
    for _ in 0..2 {
        let event = world.arrived().await;
        measured.push(handle(&function, event).await);
    }
    let warm = measured.pop().unwrap();
    let cold = measured.pop().unwrap();
    runs.insert(("inspect-upload", "service"), [cold, warm]);
}

/// An activation that goes on with the user that an earlier try left without an account.
async fn adopting(world: &World, runs: &mut Runs) {
    let mut patients = world.stack.patients().await;
    patients.retain(|patient| *patient != world.patient);
    let patient = patients[0];
    let account = Whose::Patient(patient);
    let account = world.stack.account(Role::Patient, account).await;
    let letter = Letter::of(&world.stack, patient, account).await;
    let request = || letter.request("orphan@example.org", "second-key");
    let torn = Recorder::failing(|call| call.actions.len() > 1);
    let torn = Function::recorded(&world.stack, "activate-account", torn);
    assert_eq!(torn.respond(request()).await.status, 503);
    let function = Function::new(&world.stack, "activate-account");
    let cold = respond(&function, request()).await;
    let warm = respond(&function, request()).await;
    runs.insert(("activate-account", "adopting"), [cold, warm]);
}

/// What takes two administrators: one asks, the other consents.
async fn approving(world: &World, runs: &mut Runs) {
    let other = world.stack.account(Role::Admin, Whose::Nobody).await;
    let admins = [world.admin, other].map(|admin| move || signed_in(admin, Role::Admin));
    let invitation = json!({"role": "admin", "email": "an-administrator@example.org"});
    let function = Function::new(&world.stack, "invite-user");
    let request = |by: Request| {
        by.header("idempotency-key", "a-key-of-its-own")
            .json(&invitation)
    };
    let asked = respond(&function, request(admins[0]())).await;
    let done = respond(&function, request(admins[1]())).await;
    runs.insert(("invite-user", "approving"), [asked, done]);
    let officer = Role::PrivacyOfficer;
    let officer = world.stack.account(officer, Whose::Nobody).await;
    let function = Function::new(&world.stack, "update-user");
    let request = |by: Request| {
        let by = by.account(officer).header("if-match", "\"0\"");
        by.json(&json!({"role": "admin"}))
    };
    let asked = respond(&function, request(admins[0]())).await;
    let done = respond(&function, request(admins[1]())).await;
    runs.insert(("update-user", "approving"), [asked, done]);
}

/// The first run mends what is wrong, the second finds nothing.
async fn reconciling(world: &World, runs: &mut Runs) {
    let torn = Recorder::failing(|call| call.actions.len() > 1);
    let torn = Function::recorded(&world.stack, "invite-user", torn);
    let spec = specs().into_iter().find(|spec| spec.id == "invite-user");
    let request = world.allowed(spec.unwrap()).await;
    assert_eq!(torn.respond(request).await.status, 503);
    let recorder = Recorder::default();
    let aws = world.stack.aws(&recorder);
    let at_once = SignedDuration::from_secs(-1);
    let service = reconcile_accounts::service_within(&aws, Duration::from_secs(60), at_once);
    let function = Function::of(recorder, service.unwrap());
    let event = || json!({"source": "aws.events"});
    // An administrator whom the set does not know.
    let accounts = world.stack.names[&Resource::AccountsTable].clone();
    let forget = json!({"TableName": accounts, "Key": {"pk": {"S": "ADMINISTRATORS"}}});
    world.stack.dynamodb("DeleteItem", forget).await;
    let cold = handle(&function, event()).await;
    let warm = handle(&function, event()).await;
    runs.insert(("reconcile-accounts", "service"), [cold, warm]);
}

/// The open slots of a specialty: its providers first, then their time.
async fn finding(world: &World, runs: &mut Runs) {
    let id = "list-open-slots";
    let function = Function::new(&world.stack, id);
    let day = day(hour(0));
    let request = || {
        let request = world.by_patient().query("specialty", "family-medicine");
        let request = request.query("type", "visit");
        request.query("from", &day).query("to", &day)
    };
    let cold = respond(&function, request()).await;
    let warm = respond(&function, request()).await;
    runs.insert((id, "by specialty"), [cold, warm]);
}

/// What is open is offered to somebody who waits; then nobody waits for anything else.
async fn offering(world: &World, runs: &mut Runs) {
    world.waits().await;
    let recorder = Recorder::default();
    // Tomorrow, at ten or eleven o'clock in New York: by night nothing is offered by text message.
    let now = hour(15) - SignedDuration::from_hours(24);
    let service = offer_openings::service_at(&world.stack.aws(&recorder), move || now);
    let function = Function::of(recorder, service.unwrap());
    let event = || json!({"source": "aws.events"});
    let cold = handle(&function, event()).await;
    let warm = handle(&function, event()).await;
    runs.insert(("offer-openings", "service"), [cold, warm]);
    // Who leaves gives back what was offered.
    let list = world.by_patient().patient(world.patient);
    let places = world.done("list-waitlist", list).await;
    let place = &places["places"][0];
    assert!(place["offer"].is_object(), "{places}");
    let mut leave = world.by_patient().patient(world.patient);
    let id = place["id"].as_str().unwrap().to_owned();
    leave.path.push(("place".to_owned(), id));
    let function = Function::new(&world.stack, "leave-waitlist");
    let cold = respond(&function, leave).await;
    let mut again = world.by_patient().patient(world.patient);
    again.path.push(("place".to_owned(), world.waits().await));
    let warm = respond(&function, again).await;
    runs.insert(("leave-waitlist", "offered"), [cold, warm]);
}

/// A notice of a message by text message, in the morning.
async fn texting(world: &World, runs: &mut Runs) {
    let whose = || world.by_patient().patient(world.patient);
    let profile = Function::new(&world.stack, "get-profile");
    let version = profile.respond(whose()).await.etag.unwrap();
    let change = whose().header("if-match", &format!("\"{version}\""));
    let change =
        change.json(&json!({"phone": "+1 617 555 0123", "notifications": {"messages": "sms"}}));
    world.done("update-profile", change).await;
    let delivers = Function::new(&world.stack, "deliver-events");
    let recorder = Recorder::default();
    // Ten or eleven o'clock in New York.
    let now = hour(15);
    let service = send_notices::service_at(&world.stack.aws(&recorder), move || now);
    let function = Function::of(recorder, service.unwrap());
    let mut measured = Vec::new();
    for _ in 0..2 {
        handle(&delivers, batch(&[world.answered(Uuid::new_v4())])).await;
        measured.push(handle(&function, json!({})).await);
    }
    let (warm, cold) = (measured.pop().unwrap(), measured.pop().unwrap());
    runs.insert(("send-notices", "by text"), [cold, warm]);
}

/// Somebody connects, is told of a message over a connection that is gone by then, and disconnects.
async fn telling(world: &World, runs: &mut Runs) {
    world.link_accounts().await;
    let ids = [
        "connect-channel",
        "deliver-events",
        "disconnect-channel",
        "send-notices",
    ];
    let functions = ids.map(|id| Function::new(&world.stack, id));
    let [connects, delivers, disconnects, notifies] = &functions;
    let mut measured = [const { Vec::new() }; 4];
    for connection in ["one=", "two="] {
        let ticket = world.ticket(world.by_patient()).await;
        measured[0].push(respond(connects, handshake(&ticket, connection)).await);
        let wrote = world.answered(Uuid::new_v4());
        measured[1].push(handle(delivers, batch(&[wrote])).await);
        let gone = json!({"requestContext": {"connectionId": "three="}});
        world.connected(world.by_patient(), "three=").await;
        measured[2].push(handle(disconnects, gone).await);
        world.pass(300).await;
        measured[3].push(handle(notifies, json!({})).await);
    }
    for (id, runs_of_it) in ids.into_iter().zip(measured) {
        let caller = if id == "connect-channel" {
            "patient"
        } else {
            "service"
        };
        let Ok(both) = runs_of_it.try_into() else {
            panic!("{id}")
        };
        runs.insert((id, caller), both);
    }
}

/// As what the caller of a request signed in.
fn role(request: &Request) -> &'static str {
    let groups = &request.claims.as_ref().unwrap().groups;
    let mut roles = Role::ALL.into_iter();
    let role = roles.find(|role| groups.iter().any(|group| group == role.group()));
    role.unwrap().as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_keeps_its_number_and_its_word() {
    let measured = measured().await;
    for spec in specs() {
        assert!(
            measured.runs.keys().any(|(id, _)| *id == spec.id),
            "{} is not measured",
            spec.id
        );
    }
    depths(&measured);
    nothing_but_what_is_declared(&measured);
    nothing_declared_that_is_not_used(&measured);
}

fn depths(measured: &Measured) {
    let mut table = String::new();
    for ((id, caller), [cold, warm]) in &measured.runs {
        // An import takes as many as its file has resources, a copy as many as the record has pages, a
        // comparison as many as there are users, an event as many as there are who hear of it,
        // reminders and notices as many as are due.
        let uncounted = [
            "import-records",
            "build-export",
            "reconcile-accounts",
            "deliver-events",
            "send-notices",
            "send-reminders",
        ];
        if uncounted.contains(id) || *caller == PARENT {
            continue;
        }
        writeln!(
            table,
            "{id:<24}{caller:<16}cold {} deep, {} calls; warm {} deep, {} calls",
            cold.depth,
            cold.calls.len(),
            warm.depth,
            warm.calls.len()
        )
        .unwrap();
    }
    insta::assert_snapshot!(table, @r"
    account-disclosures     patient         cold 2 deep, 6 calls; warm 2 deep, 5 calls
    activate-account        adopting        cold 8 deep, 9 calls; warm 6 deep, 7 calls
    activate-account        nobody          cold 5 deep, 6 calls; warm 6 deep, 7 calls
    add-token-claims        service         cold 2 deep, 2 calls; warm 2 deep, 2 calls
    allow-break-glass       privacy-officer cold 3 deep, 3 calls; warm 3 deep, 3 calls
    archive-audit           service         cold 8 deep, 8 calls; warm 6 deep, 6 calls
    assign-thread           provider        cold 2 deep, 4 calls; warm 2 deep, 4 calls
    book-appointment        patient         cold 3 deep, 11 calls; warm 2 deep, 10 calls
    break-glass             provider        cold 3 deep, 4 calls; warm 2 deep, 3 calls
    cancel-appointment      patient         cold 3 deep, 6 calls; warm 2 deep, 5 calls
    change-care-team        adding          cold 4 deep, 5 calls; warm 3 deep, 4 calls
    change-care-team        provider        cold 3 deep, 4 calls; warm 2 deep, 3 calls
    close-thread            patient         cold 2 deep, 4 calls; warm 2 deep, 4 calls
    complete-appointment    provider        cold 3 deep, 5 calls; warm 2 deep, 4 calls
    confirm-appointment     provider        cold 3 deep, 5 calls; warm 2 deep, 4 calls
    confirm-email-change    patient         cold 6 deep, 9 calls; warm 6 deep, 9 calls
    connect-channel         patient         cold 2 deep, 3 calls; warm 2 deep, 3 calls
    delete-document         patient         cold 4 deep, 5 calls; warm 4 deep, 5 calls
    disclose-messages       privacy-officer cold 3 deep, 4 calls; warm 2 deep, 3 calls
    disconnect-channel      service         cold 2 deep, 2 calls; warm 2 deep, 2 calls
    end-session             patient         cold 2 deep, 2 calls; warm 2 deep, 2 calls
    export-audit            privacy-officer cold 3 deep, 3 calls; warm 3 deep, 3 calls
    find-patient            provider        cold 6 deep, 8 calls; warm 5 deep, 7 calls
    get-access-concern      privacy-officer cold 5 deep, 5 calls; warm 4 deep, 4 calls
    get-account             patient         cold 2 deep, 2 calls; warm 2 deep, 2 calls
    get-appointment         patient         cold 2 deep, 5 calls; warm 2 deep, 4 calls
    get-availability        provider        cold 3 deep, 3 calls; warm 3 deep, 3 calls
    get-calendar            patient         cold 2 deep, 5 calls; warm 2 deep, 4 calls
    get-care-team           patient         cold 2 deep, 4 calls; warm 2 deep, 3 calls
    get-care-team           provider        cold 2 deep, 4 calls; warm 2 deep, 3 calls
    get-dashboard           patient         cold 2 deep, 7 calls; warm 2 deep, 6 calls
    get-document            patient         cold 2 deep, 7 calls; warm 2 deep, 6 calls
    get-export              patient         cold 2 deep, 4 calls; warm 2 deep, 4 calls
    get-lab-result          patient         cold 2 deep, 5 calls; warm 2 deep, 4 calls
    get-lab-result          provider        cold 2 deep, 5 calls; warm 2 deep, 4 calls
    get-lab-trend           patient         cold 2 deep, 5 calls; warm 2 deep, 4 calls
    get-lab-trend           provider        cold 2 deep, 5 calls; warm 2 deep, 4 calls
    get-message-keys        patient         cold 3 deep, 6 calls; warm 3 deep, 6 calls
    get-patient-summary     provider        cold 2 deep, 9 calls; warm 2 deep, 8 calls
    get-profile             patient         cold 2 deep, 4 calls; warm 2 deep, 3 calls
    get-profile             provider        cold 2 deep, 4 calls; warm 2 deep, 3 calls
    grant-proxy             patient         cold 7 deep, 8 calls; warm 5 deep, 6 calls
    hide-thread             patient         cold 2 deep, 4 calls; warm 2 deep, 4 calls
    hold-lab-result         provider        cold 3 deep, 6 calls; warm 2 deep, 5 calls
    hold-slot               patient         cold 3 deep, 9 calls; warm 2 deep, 8 calls
    inspect-upload          service         cold 5 deep, 5 calls; warm 5 deep, 5 calls
    invite-user             admin           cold 6 deep, 8 calls; warm 6 deep, 8 calls
    invite-user             approving       cold 5 deep, 7 calls; warm 7 deep, 9 calls
    issue-activation        admin           cold 7 deep, 8 calls; warm 6 deep, 7 calls
    join-waitlist           patient         cold 3 deep, 7 calls; warm 2 deep, 6 calls
    leave-waitlist          offered         cold 3 deep, 5 calls; warm 2 deep, 4 calls
    leave-waitlist          patient         cold 3 deep, 5 calls; warm 2 deep, 4 calls
    list-access-concerns    privacy-officer cold 3 deep, 3 calls; warm 3 deep, 3 calls
    list-amendments         patient         cold 2 deep, 5 calls; warm 2 deep, 4 calls
    list-amendments         provider        cold 2 deep, 5 calls; warm 2 deep, 4 calls
    list-appointments       patient         cold 2 deep, 5 calls; warm 2 deep, 4 calls
    list-appointments       provider        cold 2 deep, 5 calls; warm 2 deep, 4 calls
    list-documents          patient         cold 2 deep, 7 calls; warm 2 deep, 6 calls
    list-documents          provider        cold 2 deep, 7 calls; warm 2 deep, 6 calls
    list-events             patient         cold 2 deep, 4 calls; warm 2 deep, 4 calls
    list-health-record      patient         cold 2 deep, 5 calls; warm 2 deep, 4 calls
    list-health-record      provider        cold 2 deep, 5 calls; warm 2 deep, 4 calls
    list-inbox              provider        cold 5 deep, 9 calls; warm 5 deep, 10 calls
    list-lab-holds          privacy-officer cold 3 deep, 3 calls; warm 3 deep, 3 calls
    list-lab-results        patient         cold 2 deep, 5 calls; warm 2 deep, 4 calls
    list-lab-results        provider        cold 2 deep, 5 calls; warm 2 deep, 4 calls
    list-my-patients        provider        cold 5 deep, 5 calls; warm 4 deep, 4 calls
    list-open-amendments    privacy-officer cold 5 deep, 5 calls; warm 4 deep, 4 calls
    list-open-amendments    provider        cold 5 deep, 6 calls; warm 4 deep, 5 calls
    list-open-refills       provider        cold 5 deep, 7 calls; warm 4 deep, 6 calls
    list-open-slots         by specialty    cold 2 deep, 5 calls; warm 2 deep, 5 calls
    list-open-slots         patient         cold 2 deep, 4 calls; warm 2 deep, 4 calls
    list-prescriptions      patient         cold 2 deep, 6 calls; warm 2 deep, 5 calls
    list-prescriptions      provider        cold 2 deep, 6 calls; warm 2 deep, 5 calls
    list-profile-changes    patient         cold 2 deep, 5 calls; warm 2 deep, 4 calls
    list-providers          patient         cold 2 deep, 3 calls; warm 2 deep, 3 calls
    list-proxied-patients   patient         cold 5 deep, 5 calls; warm 4 deep, 4 calls
    list-proxies            patient         cold 2 deep, 4 calls; warm 2 deep, 3 calls
    list-proxies            provider        cold 2 deep, 4 calls; warm 2 deep, 3 calls
    list-record-access      patient         cold 2 deep, 10 calls; warm 2 deep, 9 calls
    list-refill-requests    patient         cold 2 deep, 6 calls; warm 2 deep, 5 calls
    list-refill-requests    provider        cold 2 deep, 6 calls; warm 2 deep, 5 calls
    list-schedule           provider        cold 5 deep, 5 calls; warm 4 deep, 4 calls
    list-sessions           patient         cold 2 deep, 3 calls; warm 2 deep, 3 calls
    list-threads            patient         cold 2 deep, 4 calls; warm 2 deep, 4 calls
    list-threads            provider        cold 2 deep, 4 calls; warm 2 deep, 4 calls
    list-users              admin           cold 4 deep, 9 calls; warm 4 deep, 9 calls
    list-waiting-patients   provider        cold 5 deep, 6 calls; warm 4 deep, 5 calls
    list-waitlist           patient         cold 2 deep, 5 calls; warm 2 deep, 4 calls
    list-waitlist           provider        cold 2 deep, 5 calls; warm 2 deep, 4 calls
    mark-no-show            provider        cold 3 deep, 5 calls; warm 2 deep, 4 calls
    mark-thread-read        provider        cold 2 deep, 5 calls; warm 2 deep, 5 calls
    offer-openings          service         cold 8 deep, 9 calls; warm 2 deep, 2 calls
    open-calendar           patient         cold 3 deep, 4 calls; warm 2 deep, 3 calls
    open-channel            patient         cold 3 deep, 3 calls; warm 3 deep, 3 calls
    read-calendar           own             cold 3 deep, 5 calls; warm 3 deep, 5 calls
    read-thread             patient         cold 2 deep, 5 calls; warm 2 deep, 5 calls
    record-auth-events      service         cold 1 deep, 1 calls; warm 1 deep, 2 calls
    record-sign-in          service         cold 2 deep, 2 calls; warm 2 deep, 2 calls
    register-message-key    patient         cold 3 deep, 4 calls; warm 3 deep, 4 calls
    release-lab-result      provider        cold 3 deep, 4 calls; warm 2 deep, 3 calls
    report-access-concern   patient         cold 4 deep, 6 calls; warm 3 deep, 5 calls
    request-amendment       patient         cold 3 deep, 5 calls; warm 2 deep, 4 calls
    request-email-change    patient         cold 5 deep, 7 calls; warm 5 deep, 7 calls
    request-export          patient         cold 5 deep, 6 calls; warm 4 deep, 5 calls
    request-refill          patient         cold 3 deep, 7 calls; warm 2 deep, 6 calls
    request-upload          patient         cold 3 deep, 4 calls; warm 2 deep, 3 calls
    reschedule-appointment  patient         cold 4 deep, 12 calls; warm 3 deep, 11 calls
    reset-user-mfa          admin           cold 5 deep, 5 calls; warm 5 deep, 5 calls
    resolve-access-concern  privacy-officer cold 5 deep, 5 calls; warm 4 deep, 4 calls
    review-amendment        privacy-officer cold 3 deep, 5 calls; warm 2 deep, 4 calls
    review-break-glass      privacy-officer cold 5 deep, 5 calls; warm 4 deep, 4 calls
    review-document         provider        cold 2 deep, 3 calls; warm 2 deep, 3 calls
    review-refill           provider        cold 3 deep, 6 calls; warm 2 deep, 5 calls
    revoke-calendar         patient         cold 3 deep, 4 calls; warm 2 deep, 3 calls
    revoke-proxy            patient         cold 3 deep, 4 calls; warm 2 deep, 3 calls
    seal-audit              service         cold 10 deep, 10 calls; warm 11 deep, 11 calls
    search-audit            privacy-officer cold 3 deep, 3 calls; warm 3 deep, 3 calls
    send-message            patient         cold 2 deep, 5 calls; warm 2 deep, 5 calls
    set-availability        provider        cold 3 deep, 5 calls; warm 3 deep, 5 calls
    share-thread            patient         cold 2 deep, 5 calls; warm 2 deep, 5 calls
    sign-out-everywhere     patient         cold 3 deep, 3 calls; warm 3 deep, 3 calls
    sign-out-user           admin           cold 3 deep, 3 calls; warm 3 deep, 3 calls
    start-thread            patient         cold 2 deep, 6 calls; warm 2 deep, 6 calls
    submit-disagreement     patient         cold 3 deep, 5 calls; warm 2 deep, 4 calls
    suspend-accounting      privacy-officer cold 3 deep, 6 calls; warm 2 deep, 5 calls
    unlock-message-key      patient         cold 3 deep, 4 calls; warm 3 deep, 4 calls
    update-profile          patient         cold 3 deep, 4 calls; warm 2 deep, 3 calls
    update-user             admin           cold 9 deep, 9 calls; warm 9 deep, 9 calls
    update-user             approving       cold 4 deep, 5 calls; warm 9 deep, 10 calls
    verify-audit            service         cold 12 deep, 12 calls; warm 13 deep, 13 calls
    watch-access            service         cold 1 deep, 1 calls; warm 4 deep, 5 calls
    withdraw-refill         patient         cold 3 deep, 5 calls; warm 2 deep, 4 calls
    ");

    for ((id, caller), runs) in &measured.runs {
        for run in runs {
            for action in run.calls.iter().flat_map(|call| &call.actions) {
                assert!(!action.contains("Scan"), "{id}: {action}");
                assert!(!action.contains("PartiQL"), "{id}: {action}");
            }
            assert!(count(run, "kms:Decrypt") <= 1, "{id} of {caller}");
        }
        let spec = specs().into_iter().find(|spec| spec.id == *id).unwrap();
        let reads = matches!(
            spec.trigger,
            Trigger::Http {
                method: Method::Get,
                ..
            }
        );
        let ceiling = match *caller {
            // The account, the index, the patients' rows, their keys, the record.
            _ if *id == "list-proxied-patients" => 5,
            // Who the patient's proxies are stands in the patient's rows; then come their keys.
            _ if *id == "get-message-keys" => 3,
            // Whose the address is comes before everything else.
            PARENT if *id == "read-calendar" => 4,
            "patient" | "by specialty" if reads => 2,
            PARENT if reads => 3,
            "provider" if is_about_a_patient(spec) => 3,
            _ => continue,
        };
        for run in runs {
            assert!(run.depth <= ceiling, "{id} of {caller}: {}", told(run));
        }
    }
    for ((id, caller), [cold, warm]) in &measured.runs {
        let spec = specs().into_iter().find(|spec| spec.id == *id).unwrap();
        let changes = matches!(spec.trigger, Trigger::Http { method, .. } if method != Method::Get);
        if *caller == "patient" && changes {
            let ceiling = depth_of_change(id);
            assert!(warm.depth <= ceiling, "{id}: {}", told(warm));
            assert!(cold.depth <= ceiling + 2, "{id}: {}", told(cold));
        }
    }
    // The key is there before the transaction that commits what it seals.
    let [cold, warm] = &measured.runs[&("update-profile", "patient")];
    assert_eq!((cold.depth, warm.depth), (3, 2));
    // A warm function has the patient's key already.
    for ((id, caller), [_, warm]) in &measured.runs {
        // A private key of messages is kept by nobody.
        if !["import-records", "unlock-message-key"].contains(id) {
            assert_eq!(count(warm, "kms:Decrypt"), 0, "{id} of {caller}");
        }
    }
}

/// How deep a patient's change may be in a warm function: what it goes by, and its commit.
fn depth_of_change(id: &str) -> usize {
    match id {
        // Accounts are asked for by their address, or Cognito is told in between.
        "confirm-email-change" => 6,
        "request-email-change" | "grant-proxy" => 5,
        // Something is left to do after the commit: a file is removed, a copy begun.
        "delete-document" | "request-export" => 4,
        // What it is about has to be read before it is known what else is.
        "open-channel"
        | "register-message-key"
        | "report-access-concern"
        | "reschedule-appointment"
        | "sign-out-everywhere"
        | "unlock-message-key" => 3,
        _ => 2,
    }
}

/// The actions that an operation used, and on what.
fn used(measured: &Measured, id: &str) -> BTreeSet<(String, Resource)> {
    let uses = uses(measured, id).into_iter();
    uses.map(|(action, resource, _)| (action, resource))
        .collect()
}

/// The same with the rows that each was about.
fn uses(measured: &Measured, id: &str) -> Vec<(String, Resource, Rows)> {
    let runs = measured.runs.iter().filter(|((run, _), _)| *run == id);
    let runs: Vec<_> = runs.flat_map(|(_, runs)| runs).collect();
    let calls = runs.iter().flat_map(|run| &run.calls);
    let links = runs.iter().flat_map(|run| &run.links);
    calls
        .flat_map(|call| call.actions.iter().zip(&call.resources).zip(&call.rows))
        .map(|((action, name), rows)| (action, name, rows.clone()))
        .chain(links.map(|(action, name)| (action, name, Rows::default())))
        .map(|(action, name, rows)| {
            let mut names = measured.stack.names.iter();
            let resource = names.find(|(_, known)| *known == name);
            let (resource, _) = resource.unwrap_or_else(|| panic!("{id}: {action} on {name}"));
            (action.clone(), *resource, rows)
        })
        .collect()
}

fn allows(capability: Capability, action: &str, resource: Resource) -> bool {
    capability.resource() == resource && capability.actions().contains(&action)
}

fn nothing_but_what_is_declared(measured: &Measured) {
    let statements = statements();
    let mut refused = BTreeSet::new();
    for spec in specs() {
        for (action, resource, rows) in uses(measured, spec.id) {
            let declared = spec.needs.iter().copied();
            let declared = declared.filter(|capability| allows(*capability, &action, resource));
            let declared: Vec<_> = declared.collect();
            assert!(
                !declared.is_empty(),
                "{} does not declare {action} on {resource:?}",
                spec.id
            );
            // The emulator asks no policy, so their conditions are asked here.
            let mut declared = declared.iter();
            if !declared.any(|capability| lets(&statements[&format!("{capability:?}")].1, &rows)) {
                refused.insert(format!("{} {action} {resource:?} {rows:?}", spec.id));
            }
        }
    }
    assert!(refused.is_empty(), "no policy permits {refused:#?}");
}

fn nothing_declared_that_is_not_used(measured: &Measured) {
    for spec in http_specs() {
        let used = used(measured, spec.id);
        for capability in spec.needs {
            assert!(
                used.iter()
                    .any(|(action, resource)| allows(*capability, action, *resource)),
                "{} declares {capability:?} and does not use it",
                spec.id
            );
        }
    }
    // No action of a capability is there for nobody.
    let all: BTreeSet<_> = specs()
        .iter()
        .flat_map(|spec| used(measured, spec.id))
        .collect();
    for capability in Capability::ALL {
        for action in capability.actions() {
            assert!(
                all.contains(&((*action).to_owned(), capability.resource())),
                "nobody uses {action} of {capability:?}"
            );
        }
    }
}

/// A page costs the same whoever's it is, and so does the page after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_record_costs_what_a_short_one_costs() {
    let world = World::new().await;
    let big = world.stack.sample("Hallie_Hoeger").await;
    let account = world
        .stack
        .account(Role::Patient, Whose::Patient(big))
        .await;
    let function = Function::new(&world.stack, "list-lab-results");
    let small = signed_in(world.account, Role::Patient).patient(world.patient);
    let small = respond(&function, small).await;
    let mut cursor: Option<String> = None;
    let mut listed = 0;
    for page in 0.. {
        let mut request = signed_in(account, Role::Patient).patient(big);
        if let Some(cursor) = &cursor {
            request = request.query("cursor", cursor);
        }
        function.recorder.reset();
        let response = function.respond(request).await;
        let answer = body(&response);
        assert_eq!(response.status, 200, "{answer}");
        let run = run(&function.recorder);
        if page == 0 {
            let actions = |run: &Run| -> Vec<_> {
                run.calls.iter().map(|call| call.actions.clone()).collect()
            };
            assert_eq!(actions(&run), actions(&small));
        }
        assert_eq!(count(&run, "dynamodb:Query"), 2);
        assert!(run.depth <= 2, "{}", told(&run));
        listed += answer["results"].as_array().unwrap().len();
        cursor = answer["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed, 234);
}
