//! Prescriptions as the practice's bundles have them, and refill requests from the asking to the
//! answer.

use crate::audit_coverage::the_new_record;
use crate::harness::function::Function;
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::{EXPLANATION, World};
use crate::harness::{Stack, Whose, root};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::ids::{AccountId, PatientId};
use std::collections::BTreeMap;
use uuid::Uuid;

async fn send(world: &World, id: &str, request: Request) -> Response {
    Function::new(&world.stack, id).respond(request).await
}

fn kind(response: &Response) -> String {
    let problem = body(response);
    format!("{} {}", response.status.as_u16(), problem["type"])
}

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap()
}

/// All pages of a list.
async fn pages(function: &Function, request: impl Fn() -> Request, name: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut request = request().query("limit", "4");
        if let Some(cursor) = &cursor {
            request = request.query("cursor", cursor);
        }
        let response = function.respond(request).await;
        let answer = body(&response);
        assert_eq!(response.status, 200, "{answer}");
        all.extend(array(&answer, name).iter().cloned());
        cursor = answer["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return all;
        }
    }
}

async fn prescriptions(stack: &Stack, account: AccountId, whose: PatientId) -> [Vec<Value>; 2] {
    let function = Function::new(stack, "list-prescriptions");
    let list = async |status: &str| {
        let request = || {
            let request = signed_in(account, Role::Patient).patient(whose);
            request.query("status", status)
        };
        pages(&function, request, "prescriptions").await
    };
    [list("active").await, list("past").await]
}

/// What a MedicationRequest of a sample says, and what the list says of it, in the same words.
fn in_bundle(resource: &Value) -> Value {
    let dosage = resource["dosageInstruction"].as_array();
    let mut reasons: Vec<_> = resource["reasonReference"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|reason| reason["display"].as_str())
        .collect();
    reasons.sort_unstable();
    let said = |one: &&Value| {
        one["text"].is_string() || one["doseAndRate"].is_array() || one["asNeededBoolean"] == true
    };
    let concept = &resource["medicationCodeableConcept"];
    json!({
        "status": resource["status"],
        "intent": resource["intent"],
        "medication": concept["text"].as_str().or(concept["coding"][0]["display"].as_str()),
        "authored_on": resource["authoredOn"],
        "prescriber": resource["requester"]["display"],
        "reasons": reasons,
        "instructions": dosage.into_iter().flatten().filter(said).count(),
    })
}

fn in_list(prescription: &Value, from_display: bool) -> Value {
    let instructions = array(prescription, "dosage").len();
    let status = if instructions == 0 {
        "not-recorded"
    } else {
        "complete"
    };
    assert_eq!(prescription["dosage_status"], status, "{prescription}");
    assert_eq!(prescription["unreadable"], false);
    let mut reasons = array(prescription, "reasons").to_vec();
    reasons.sort_by_key(Value::to_string);
    let prescriber = &prescription["prescriber"]["name"];
    json!({
        "status": prescription["status"],
        "intent": prescription["intent"],
        "medication": prescription["medication"],
        "authored_on": prescription["authored_on"],
        "prescriber": if from_display { prescriber.clone() } else { Value::Null },
        "reasons": reasons,
        "instructions": instructions,
    })
}

fn counted(all: impl Iterator<Item = Value>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in all {
        *counts.entry(one.to_string()).or_default() += 1;
    }
    counts
}

/// Nothing lost, nothing invented, newest first.
#[tokio::test(flavor = "multi_thread")]
async fn every_sample_patient_has_what_the_bundle_has() {
    let stack = Stack::new().await;
    let mut files: Vec<_> = std::fs::read_dir(root().join("tests/data/synthea"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    let mut compared = 0;
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let bundle: Value = serde_json::from_slice(&bytes).unwrap();
        let resources = array(&bundle, "entry").iter().map(|one| &one["resource"]);
        let of_type = |name: &'static str| {
            let resources = resources.clone();
            resources.filter(move |one| one["resourceType"] == name)
        };
        if of_type("Patient").count() != 1 {
            continue;
        }
        let before = stack.patients().await;
        let report = stack
            .import(&format!("{}.json", Uuid::new_v4()), bytes.clone())
            .await;
        assert_eq!(report["state"], "complete", "{report}");
        let patients = stack.patients().await.into_iter();
        let mut new = patients.filter(|patient| !before.contains(patient));
        let patient = new.next().unwrap();
        let account = stack.account(Role::Patient, Whose::Patient(patient)).await;
        let [active, past] = prescriptions(&stack, account, patient).await;
        for (group, listed, is_active) in [("active", &active, true), ("past", &past, false)] {
            let theirs =
                of_type("MedicationRequest").filter(|one| (one["status"] == "active") == is_active);
            let expected = counted(theirs.clone().map(in_bundle));
            let named = theirs.filter(|one| one["requester"]["display"].is_string());
            let named = named.count() > 0;
            let found = counted(listed.iter().map(|one| in_list(one, named)));
            assert_eq!(found, expected, "{group} of {}", file.display());
            let ids: std::collections::BTreeSet<_> =
                listed.iter().map(|one| one["id"].to_string()).collect();
            assert_eq!(ids.len(), listed.len(), "none twice");
            for pair in listed.windows(2) {
                let at = |one: &Value| -> jiff::Timestamp {
                    one["authored_on"].as_str().unwrap().parse().unwrap()
                };
                assert!(at(&pair[0]) >= at(&pair[1]), "{pair:#?}");
            }
            for one in listed {
                assert_eq!(one["can_request_refill"], is_active);
                assert!(one["open_refill_request"].is_null());
            }
            compared += listed.len();
        }
    }
    assert_eq!(compared, 267);
}

/// What cannot be shown is in the list nevertheless, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_is_not_hidden() {
    let world = World::new().await;
    let section = "MEDICATION#ACTIVE#2024-03-01T00:00:00.000Z";
    let request = |members: Value| {
        let mut resource = json!({"resourceType": "MedicationRequest", "status": "active"});
        for (name, value) in members.as_object().unwrap() {
            resource[name] = value.clone();
        }
        resource
    };
    let broken = request(json!({"dosageInstruction": [7]}));
    let broken = world.entry(section, &broken).await;
    let half = request(json!({"dosageInstruction": [{"timing": {"event": ["2019"]}}]}));
    let half = world.entry(section, &half).await;
    let not = request(json!({"doNotPerform": true}));
    let not = world.entry(section, &not).await;
    let [active, _] = prescriptions(&world.stack, world.account, world.patient).await;
    let one = |id: &str| active.iter().find(|one| one["id"] == id).unwrap();
    assert_eq!(active.len(), 3);
    assert_eq!(one(&broken)["unreadable"], true);
    assert_eq!(one(&half)["dosage_status"], "incomplete");
    assert_eq!(one(&half)["can_request_refill"], true);
    assert_eq!(one(&not)["do_not_take"], true);
    assert_eq!(one(&not)["can_request_refill"], false);
    // Nor does it take the pages with it that show the newest.
    let allergy = json!({"resourceType": "AllergyIntolerance", "code": "CANARY-77"});
    let time = "2024-03-01T00:00:00.000Z";
    let allergy = world.entry(&format!("ALLERGY#{time}"), &allergy).await;
    for (id, by) in [
        ("get-dashboard", world.by_patient()),
        ("get-patient-summary", world.by_provider()),
    ] {
        let page = world.done(id, by.patient(world.patient)).await;
        let shown = page["active_prescriptions"]["newest"].as_array().unwrap();
        assert_eq!(shown.len(), 3);
        for one in shown {
            assert_eq!(one["unreadable"], one["id"] == *broken, "{id}: {one}");
        }
        if id == "get-patient-summary" {
            let shown = &page["allergies"]["newest"];
            assert_eq!(*shown, json!([{"id": allergy, "unreadable": true}]));
        }
    }
    for id in [broken, not] {
        let response = send(&world, "request-refill", world.ask_for(&id)).await;
        assert_eq!(kind(&response), "409 \"/problems/prescription-not-active\"");
    }
}

async fn the_requests(world: &World) -> Vec<Value> {
    let function = Function::new(&world.stack, "list-refill-requests");
    let request = || world.by_patient().patient(world.patient);
    pages(&function, request, "requests").await
}

/// The states of a request, in their order, and who brought each about.
fn states(request: &Value) -> Vec<(&str, &str)> {
    let steps = array(request, "history").iter();
    steps
        .map(|step| {
            let (state, by) = (&step["state"], &step["by"]["role"]);
            (state.as_str().unwrap(), by.as_str().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_withdrawn_asked_again_and_approved() {
    let world = World::new().await;
    let prescription = world.prescription().await;
    let asking = world.ask_for(&prescription);
    let before = world.stack.audit().await;
    let response = send(&world, "request-refill", asking).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    let first = body(&response);
    assert_eq!(first["state"], "requested");
    assert_eq!(first["medication"], "CANARY-920 10 mg");
    assert_eq!(first["prescription_active"], true);
    assert_eq!(first["history"][0]["text"], EXPLANATION);
    let record = the_new_record(&before, &world.stack.audit().await, "request-refill");
    assert_eq!(record["resource"], first["id"]);

    let [active, _] = prescriptions(&world.stack, world.account, world.patient).await;
    assert_eq!(active[0]["open_refill_request"], first["id"]);
    assert_eq!(active[0]["can_request_refill"], false);
    let response = send(&world, "request-refill", world.ask_for(&prescription)).await;
    assert_eq!(kind(&response), "409 \"/problems/refill-open\"");

    let id = first["id"].as_str().unwrap();
    let withdraw = || world.by_patient().patient(world.patient).refill(id);
    let withdrawn = world.done("withdraw-refill", withdraw()).await;
    assert_eq!(withdrawn["state"], "withdrawn");
    for again in [
        send(&world, "withdraw-refill", withdraw()).await,
        send(
            &world,
            "review-refill",
            world.review_refill(id, &json!({"decision": "approved"})),
        )
        .await,
    ] {
        assert_eq!(kind(&again), "409 \"/problems/refill-closed\"");
    }

    let second = world.refill(&prescription).await;
    let approve = json!({"decision": "approved", "reason": "Take it with food"});
    let review = world.review_refill(&second, &approve);
    world.done("review-refill", review).await;
    let requests = the_requests(&world).await;
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0]["id"], *second);
    assert_eq!(
        states(&requests[0]),
        [("requested", "patient"), ("approved", "provider")]
    );
    assert_eq!(requests[0]["history"][1]["text"], "Take it with food");
    assert!(requests[0]["history"][1]["by"]["name"].is_string());
    assert_eq!(
        states(&requests[1]),
        [("requested", "patient"), ("withdrawn", "patient")]
    );
    let [active, _] = prescriptions(&world.stack, world.account, world.patient).await;
    assert_eq!(active[0]["can_request_refill"], true);
    // Nothing waits any more.
    let open = world.done("list-open-refills", world.by_provider()).await;
    assert!(array(&open, "requests").is_empty(), "{open}");
    let rows = world.stack.items(Resource::PatientsTable).await;
    assert!(rows.iter().all(|row| row["pk"] != "REFILLS#open"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_gets_the_same_answer() {
    let world = World::new().await;
    let prescription = world.prescription().await;
    let other = world.prescription().await;
    let with = |key: &str, body: &Value| {
        let request = world.by_patient().patient(world.patient);
        request.header("idempotency-key", key).json(body)
    };
    let ask = json!({"prescription": prescription, "note": "four left"});
    let first = world.done("request-refill", with("one-key-1", &ask)).await;
    let again = world.done("request-refill", with("one-key-1", &ask)).await;
    assert_eq!(first, again);
    for wrong in [
        json!({"prescription": other, "note": "four left"}),
        json!({"prescription": prescription, "note": "three left"}),
        json!({"prescription": prescription}),
    ] {
        let response = send(&world, "request-refill", with("one-key-1", &wrong)).await;
        assert_eq!(kind(&response), "422 \"/problems/key-used-before\"");
    }
    // Still so when the request is closed: nobody asks twice by a retry.
    let id = first["id"].as_str().unwrap();
    let deny = json!({"decision": "denied", "reason": "A blood test first"});
    world
        .done("review-refill", world.review_refill(id, &deny))
        .await;
    let late = world.done("request-refill", with("one-key-1", &ask)).await;
    assert_eq!(
        (&late["id"], &late["state"]),
        (&first["id"], &json!("denied"))
    );
    assert_eq!(the_requests(&world).await.len(), 1);
    // Somebody else's key of the same name is another.
    let (proxy, _) = world.granted("p@example.org", &["prescriptions"]).await;
    let request = signed_in(proxy, Role::Patient).patient(world.patient);
    let request = request.header("idempotency-key", "one-key-1").json(&ask);
    assert_ne!(
        world.done("request-refill", request).await["id"],
        first["id"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_one() {
    let world = World::new().await;
    let prescription = world.prescription().await;
    let functions = [(); 2].map(|()| Function::new(&world.stack, "request-refill"));
    let asked = tokio::join!(
        functions[0].respond(world.ask_for(&prescription)),
        functions[1].respond(world.ask_for(&prescription)),
    );
    let id = one_of(asked, 201);
    let functions = [(); 2].map(|()| Function::new(&world.stack, "review-refill"));
    let colleague = Whose::Practitioner(world.practitioner);
    let colleague = world.stack.account(Role::Provider, colleague).await;
    let mut denial = world.review_refill(&id, &json!({"decision": "denied", "reason": "No"}));
    denial.claims = signed_in(colleague, Role::Provider).claims;
    let approval = world.review_refill(&id, &json!({"decision": "approved"}));
    let answers = tokio::join!(functions[0].respond(approval), functions[1].respond(denial),);
    one_of(answers, 200);
    let requests = the_requests(&world).await;
    assert_eq!(requests.len(), 1);
    assert_eq!(array(&requests[0], "history").len(), 2);
}

/// The id that the one answered which succeeded; the other was refused, or told to come again.
fn one_of((one, other): (Response, Response), status: u16) -> String {
    let done = [&one, &other].map(|answer| answer.status == status);
    assert!(done[0] != done[1], "{} {}", one.status, other.status);
    let (won, lost) = if done[0] { (one, other) } else { (other, one) };
    assert!(
        [409, 412, 503].contains(&lost.status.as_u16()),
        "{}",
        lost.status
    );
    body(&won)["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_others_and_guessed_ones() {
    let world = World::new().await;
    let other = world.another().await;
    let prescription = world.prescription().await;
    let refill = world.refill(&prescription).await;
    let past = json!({"resourceType": "MedicationRequest", "status": "stopped"});
    let past = world
        .entry("MEDICATION#PAST#2020-01-01T00:00:00.000Z", &past)
        .await;
    let guessed = Uuid::new_v4().to_string();
    let rows = world.stack.items(Resource::PatientsTable).await.len();
    for id in [&past, &guessed] {
        let response = send(&world, "request-refill", world.ask_for(id)).await;
        assert_eq!(kind(&response), "409 \"/problems/prescription-not-active\"");
    }
    // Another patient with the first one's ids, in their own record and in the first one's.
    let by_other = || signed_in(other.1, Role::Patient);
    let ask = json!({"prescription": prescription});
    let own = by_other().patient(other.0);
    let own = own.header("idempotency-key", "a-key-of-its-own").json(&ask);
    let response = send(&world, "request-refill", own).await;
    assert_eq!(kind(&response), "409 \"/problems/prescription-not-active\"");
    let theirs = by_other().patient(world.patient);
    let theirs = theirs.header("idempotency-key", "a-key-of-its-own");
    let response = send(&world, "request-refill", theirs.json(&ask)).await;
    assert_eq!(response.status, 404);
    for (request, outcome) in [
        (by_other().patient(other.0).refill(&refill), "invalid"),
        (by_other().patient(world.patient).refill(&refill), "denied"),
        (
            world.by_patient().patient(world.patient).refill(&guessed),
            "invalid",
        ),
    ] {
        let before = world.stack.audit().await;
        let response = send(&world, "withdraw-refill", request).await;
        assert_eq!(kind(&response), "404 \"/problems/not-found\"");
        let record = the_new_record(&before, &world.stack.audit().await, "withdraw-refill");
        assert_eq!(record["outcome"], outcome);
    }
    // A provider who does not treat the patient.
    let stranger = world.by_stranger().await.refill(&refill);
    let before = world.stack.audit().await;
    let stranger = stranger.json(&json!({"decision": "approved"}));
    let response = send(&world, "review-refill", stranger).await;
    assert_eq!(response.status, 404);
    let record = the_new_record(&before, &world.stack.audit().await, "review-refill");
    assert_eq!(record["outcome"], "denied");
    assert_eq!(world.stack.items(Resource::PatientsTable).await.len(), rows);
    assert_eq!(the_requests(&world).await[0]["state"], "requested");
}

/// An import ends a prescription while a request is open.
#[tokio::test(flavor = "multi_thread")]
async fn a_prescription_that_ends() {
    let world = World::new().await;
    let prescription = world.prescription().await;
    let refill = world.refill(&prescription).await;
    let key = json!({
        "pk": {"S": format!("PATIENT#{}", world.patient)},
        "sk": {"S": format!("MEDICATION#ACTIVE#2024-03-01T00:00:00.000Z#{prescription}")},
    });
    let table = &world.stack.names[&Resource::RecordsTable];
    let delete = json!({"TableName": table, "Key": key});
    world.stack.dynamodb("DeleteItem", delete).await;
    assert_eq!(the_requests(&world).await[0]["prescription_active"], false);
    let open = world.done("list-open-refills", world.by_provider()).await;
    assert_eq!(open["requests"][0]["id"], *refill);
    assert_eq!(open["requests"][0]["prescription_active"], false);
    let approval = world.review_refill(&refill, &json!({"decision": "approved"}));
    let response = send(&world, "review-refill", approval).await;
    assert_eq!(kind(&response), "409 \"/problems/prescription-not-active\"");
    let denial = json!({"decision": "denied", "reason": "It was stopped last week"});
    let denied = world.review_refill(&refill, &denial);
    assert_eq!(world.done("review-refill", denied).await["state"], "denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_list_is_the_care_teams_and_begins_with_the_oldest() {
    let world = World::new().await;
    let (other, account) = world.another().await;
    let mut asked = Vec::new();
    for _ in 0..5 {
        asked.push(world.refill(&world.prescription().await).await);
    }
    // Whoever does not treat the patient sees nothing of it.
    let mut stranger = world.by_stranger().await;
    stranger.path.clear();
    let claims = stranger.claims.clone();
    let empty = world.done("list-open-refills", stranger).await;
    assert!(array(&empty, "requests").is_empty());
    let function = Function::new(&world.stack, "list-open-refills");
    let open = pages(&function, || world.by_provider(), "requests").await;
    let ids: Vec<_> = open.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, asked);
    for one in &open {
        assert_eq!(one["patient"]["id"], world.patient.to_string());
        assert_eq!(one["patient"]["mrn"], world.mrn);
        assert!(one["patient"]["name"].is_string());
    }
    // The patients' rows have the last word, not the index.
    let (version, _) = world.team().await;
    let expire = json!({"add": {"practitioner": world.colleague}});
    let add = world.change_team(version, &expire);
    world.done("change-care-team", add).await;
    let remove = json!({"remove": {"practitioner": world.practitioner}});
    let remove = world.change_team(version + 1, &remove);
    world.done("change-care-team", remove).await;
    let left = world.done("list-open-refills", world.by_provider()).await;
    assert!(array(&left, "requests").is_empty(), "{left}");
    let request = || Request {
        claims: claims.clone(),
        ..signed_in(account, Role::Patient)
    };
    let response = send(&world, "list-refill-requests", request().patient(other)).await;
    assert_eq!(response.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_for_prescriptions_ask_and_withdraw() {
    let world = World::new().await;
    let prescription = world.prescription().await;
    let (proxy, _) = world.granted("p@example.org", &["prescriptions"]).await;
    let (labs, _) = world.granted("l@example.org", &["lab-results"]).await;
    let ask = |by: AccountId| {
        let mut request = world.ask_for(&prescription);
        request.claims = signed_in(by, Role::Patient).claims;
        request
    };
    let response = send(&world, "request-refill", ask(labs)).await;
    assert_eq!(response.status, 404);
    let before = world.stack.audit().await;
    let asked = world.done("request-refill", ask(proxy)).await;
    let record = the_new_record(&before, &world.stack.audit().await, "request-refill");
    assert_eq!(record["via"], "proxy");
    assert_eq!(asked["history"][0]["by"]["role"], "proxy");
    assert_eq!(asked["history"][0]["by"]["name"], "Somebody Else");
    // Whoever asked: it is the patient's request.
    let id = asked["id"].as_str().unwrap();
    let withdraw = world.by_patient().patient(world.patient).refill(id);
    let withdrawn = world.done("withdraw-refill", withdraw).await;
    assert_eq!(
        states(&withdrawn),
        [("requested", "proxy"), ("withdrawn", "patient")]
    );
}
