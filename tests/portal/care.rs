//! Those who treat: their patients, finding one, and who is on whose care team.

use crate::harness::function::Function;
use crate::harness::recorder::Recorder;
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::World;
use crate::harness::{Stack, Whose, sample};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::ids::{AccountId, PatientId, PractitionerId};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;
use uuid::Uuid;

/// A provider who treats nobody yet.
async fn provider(stack: &Stack) -> AccountId {
    let practitioner = PractitionerId::new(Uuid::new_v4());
    of(stack, practitioner).await
}

async fn of(stack: &Stack, practitioner: PractitionerId) -> AccountId {
    let whose = Whose::Practitioner(practitioner);
    stack.account(Role::Provider, whose).await
}

fn by(provider: AccountId) -> Request {
    signed_in(provider, Role::Provider)
}

async fn ask(stack: &Stack, id: &str, request: Request) -> Response {
    Function::new(stack, id).respond(request).await
}

/// What stands in the table, by patient and sort key.
async fn rows(stack: &Stack) -> BTreeMap<(String, String), Value> {
    let rows = stack.items(Resource::PatientsTable).await.into_iter();
    let key = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.map(|row| ((key(&row, "pk"), key(&row, "sk")), row))
        .collect()
}

async fn row(stack: &Stack, patient: PatientId, sk: &str) -> Option<Value> {
    let key = (format!("PATIENT#{patient}"), sk.to_owned());
    rows(stack).await.remove(&key)
}

/// Changes attributes of a care team's row, as DynamoDB writes them.
async fn alter(stack: &Stack, patient: PatientId, who: PractitionerId, changes: Value) {
    let (pk, sk) = (
        format!("PATIENT#{patient}"),
        format!("CONTEXT#CARE-TEAM#{who}"),
    );
    let items = stack.scan(Resource::PatientsTable).await;
    let mut items = items.into_iter();
    let mut item = items
        .find(|item| item["pk"]["S"] == pk.as_str() && item["sk"]["S"] == sk.as_str())
        .unwrap();
    for (name, value) in changes.as_object().unwrap() {
        item[name] = value.clone();
    }
    stack.put(Resource::PatientsTable, item).await;
}

/// Every page of a provider's list.
async fn pages(function: &Function, provider: AccountId, limit: u8) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut request = by(provider).query("limit", &limit.to_string());
        if let Some(cursor) = &cursor {
            request = request.query("cursor", cursor);
        }
        let response = function.respond(request).await;
        let answer = body(&response);
        assert_eq!(response.status, 200, "{answer}");
        let patients = answer["patients"].as_array().unwrap();
        assert!(patients.len() <= limit.into());
        all.extend(patients.iter().cloned());
        cursor = answer["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return all;
        }
    }
}

fn ids(patients: &[Value]) -> Vec<String> {
    let ids = patients.iter();
    ids.map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_all_patients_of_a_provider_newest_activity_first() {
    let stack = Stack::new().await;
    for name in [
        "Eboni",
        "Elsy",
        "Granville",
        "Reuben",
        "Bernardo",
        "Alvarez",
        "Luigi",
        "Noel",
    ] {
        stack.sample(name).await;
    }
    let mut expected: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for ((pk, sk), row) in rows(&stack).await {
        if let Some(practitioner) = sk.strip_prefix("CONTEXT#CARE-TEAM#") {
            let seen = row["last_seen"].as_str().or(row["since"].as_str());
            let patient = pk.strip_prefix("PATIENT#").unwrap().to_owned();
            let patients = expected.entry(practitioner.to_owned()).or_default();
            patients.push((seen.unwrap().to_owned(), patient));
        }
    }
    assert!(expected.len() > 5, "{}", expected.len());
    assert!(expected.values().any(|patients| patients.len() > 1));
    let function = Function::new(&stack, "list-my-patients");
    for (practitioner, mut patients) in expected {
        let provider = of(&stack, practitioner.parse().unwrap()).await;
        let all = pages(&function, provider, 50).await;
        patients.sort();
        patients.reverse();
        let times: Vec<_> = patients.iter().map(|(seen, _)| seen.as_str()).collect();
        let listed: Vec<_> = all
            .iter()
            .map(|one| one["last_activity"].as_str())
            .collect();
        assert_eq!(listed, times.into_iter().map(Some).collect::<Vec<_>>());
        let mut one_by_one = ids(&pages(&function, provider, 1).await);
        assert_eq!(one_by_one, ids(&all));
        one_by_one.sort();
        let mut patients: Vec<_> = patients.into_iter().map(|(_, patient)| patient).collect();
        patients.sort();
        assert_eq!(one_by_one, patients);
        for one in &all {
            let patient: PatientId = one["id"].as_str().unwrap().parse().unwrap();
            let profile = ask(&stack, "get-profile", by(provider).patient(patient)).await;
            let profile = body(&profile);
            for name in ["id", "name", "birth_date", "mrn", "record_complete"] {
                assert_eq!(one[name], profile[name], "{name}");
            }
            assert!(one["since"].is_string());
        }
    }
    assert!(
        pages(&function, provider(&stack).await, 50)
            .await
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_off_the_team_is_off_the_list_whatever_the_index_says() {
    let world = World::new().await;
    let function = Function::new(&world.stack, "list-my-patients");
    let listed = || async { ids(&pages(&function, world.provider, 50).await) };
    let own = [world.patient.to_string()];
    assert_eq!(listed().await, own);
    let until = |seconds: i64| {
        let at = Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        json!({"until": {"S": at.to_string()}})
    };
    let alter = |changes| alter(&world.stack, world.patient, world.practitioner, changes);
    alter(until(3600)).await;
    assert_eq!(listed().await, own);
    alter(until(-1)).await;
    let sk = format!("CONTEXT#CARE-TEAM#{}", world.practitioner);
    let still = row(&world.stack, world.patient, &sk).await.unwrap();
    assert_eq!(still["practitioner"], world.practitioner.to_string());
    assert!(still["active_at"].is_string());
    assert!(listed().await.is_empty());
    for id in ["get-patient-summary", "get-care-team"] {
        let request = by(world.provider).patient(world.patient);
        assert_eq!(ask(&world.stack, id, request).await.status, 404, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_and_limits_of_the_list() {
    let stack = Stack::new().await;
    let [one, other] = [stack.sample("Eboni").await, stack.sample("Elsy").await];
    let both: BTreeSet<_> = stack.care_team(one).await.into_iter().collect();
    let other = stack.care_team(other).await;
    let treats_both = other.into_iter().find(|member| both.contains(member));
    let provider = of(&stack, treats_both.unwrap()).await;
    let function = Function::new(&stack, "list-my-patients");
    let refused = async |request: Request, pointer: &str| {
        let response = function.respond(request).await;
        assert_eq!(response.status, 400, "{}", body(&response));
        assert_eq!(body(&response)["errors"][0]["pointer"], pointer);
    };
    for limit in ["0", "51", "100", "-1", "", "many"] {
        refused(by(provider).query("limit", limit), "query/limit").await;
    }
    let first = function.respond(by(provider).query("limit", "1")).await;
    let cursor = body(&first)["next_cursor"].as_str().unwrap().to_owned();
    let colleague = self::provider(&stack).await;
    refused(by(colleague).query("cursor", &cursor), "query/cursor").await;
    let mut session = by(provider);
    session.claims.as_mut().unwrap().origin = "another session".to_owned();
    refused(session.query("cursor", &cursor), "query/cursor").await;
    // Nor is it good for another list.
    let labs = by(provider).patient(one).query("cursor", &cursor);
    assert_eq!(ask(&stack, "list-lab-results", labs).await.status, 400);
    let second = function
        .respond(by(provider).query("cursor", &cursor))
        .await;
    assert_eq!(body(&second)["patients"].as_array().unwrap().len(), 1);
}

/// A patient with names: `(use, family)`.
fn person(mrn: &str, names: &[(&str, &str)], birth_date: &str) -> Value {
    let names: Vec<_> = names
        .iter()
        .map(|(usage, family)| json!({"use": usage, "family": family, "given": ["Robin"]}))
        .collect();
    json!({"resourceType": "Patient", "id": mrn, "name": names, "birthDate": birth_date,
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:clinic", "value": mrn}]})
}

async fn import(stack: &Stack, people: &[Value]) {
    let entries: Vec<_> = people.iter().map(|one| json!({"resource": one})).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
    let file = serde_json::to_vec(&bundle).unwrap();
    let report = stack
        .import(&format!("{}.json", Uuid::new_v4()), file)
        .await;
    assert_eq!(report["state"], "complete", "{report}");
}

fn named(family: &str, matching: &str, birth_date: &str) -> Value {
    json!({"family": family, "birth_date": birth_date, "match": matching})
}

async fn found(stack: &Stack, provider: AccountId, search: &Value) -> Vec<Value> {
    let response = ask(stack, "find-patient", by(provider).json(search)).await;
    let answer = body(&response);
    assert_eq!(response.status, 200, "{search}: {answer}");
    assert_eq!(answer["more"], false);
    answer["patients"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn patients_are_found_however_their_names_are_typed() {
    let stack = Stack::new().await;
    let provider = provider(&stack).await;
    let born = "1980-05-06";
    let names = [("official", "Ordóñez-O'Keefe54"), ("maiden", "Brown")];
    import(&stack, &[person("m-1", &names, born)]).await;
    import(&stack, &[person("m-2", &[("official", "Ordway")], born)]).await;
    let [one, other] = ["m-1", "m-2"].map(|mrn| json!({"mrn": mrn}));
    let one = found(&stack, provider, &one).await;
    let other = found(&stack, provider, &other).await;
    assert_eq!(one[0]["name"], "Robin Ordóñez-O'Keefe54");
    assert_eq!(one[0]["birth_date"], born);
    assert_eq!(one[0]["on_care_team"], false);
    assert_eq!(one[0].as_object().unwrap().len(), 4);
    let both: Vec<_> = one.iter().chain(&other).cloned().collect();

    for (family, matching, expected) in [
        ("Ordóñez-O'Keefe54", "exact", &one),
        ("ORDONEZ OKEEFE", "exact", &one),
        ("ordo\u{301}n\u{303}ez o\u{2019}keefe", "exact", &one),
        ("Brown", "exact", &one),
        ("br", "prefix", &one),
        ("Ord", "prefix", &both),
        ("ÖRD", "prefix", &both),
        ("Ordw", "prefix", &other),
        ("Ordway", "prefix", &other),
        ("ordonezokee", "prefix", &one),
    ] {
        let search = named(family, matching, born);
        assert_eq!(
            &found(&stack, provider, &search).await,
            expected,
            "{search}"
        );
    }
    for (family, matching, birth_date) in [
        ("Ord", "exact", born),
        ("Ordwayx", "prefix", born),
        ("Ordwayx", "exact", born),
        // Ten letters are in the index; the eleventh is compared all the same.
        ("ordonezokex", "prefix", born),
        ("Ordway", "exact", "1980-05-07"),
        ("Ord", "prefix", "1981-05-06"),
        ("Brown", "exact", "1980-06-05"),
    ] {
        let search = named(family, matching, birth_date);
        assert!(
            found(&stack, provider, &search).await.is_empty(),
            "{search}"
        );
    }
    assert!(
        found(&stack, provider, &json!({"mrn": "m-3"}))
            .await
            .is_empty()
    );
}

/// The `FIND#` partitions that a patient is in, and those that their own row says.
async fn places(stack: &Stack) -> (BTreeSet<String>, BTreeSet<String>) {
    let rows = rows(stack).await;
    let keys = rows.keys().filter_map(|(pk, _)| pk.strip_prefix("FIND#"));
    let noted = rows.iter().filter(|((_, sk), _)| sk == "FIND");
    let noted = noted.flat_map(|(_, row)| row["macs"].as_array().unwrap());
    (
        keys.map(str::to_owned).collect(),
        noted.map(|mac| mac.as_str().unwrap().to_owned()).collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_is_found_and_one_that_is_gone_is_not() {
    let stack = Stack::new().await;
    let provider = provider(&stack).await;
    let born = "1980-05-06";
    import(&stack, &[person("m-1", &[("official", "Brown")], born)]).await;
    let (there, noted) = places(&stack).await;
    // The whole name, and br, bro, brow, brown.
    assert_eq!(there.len(), 5);
    assert_eq!(there, noted);
    let brown = named("Brown", "exact", born);
    assert_eq!(found(&stack, provider, &brown).await.len(), 1);

    // Married: the former name is among the names.
    let both = [("official", "Green"), ("maiden", "Brown")];
    import(&stack, &[person("m-1", &both, born)]).await;
    assert_eq!(
        found(&stack, provider, &brown).await[0]["name"],
        "Robin Green"
    );
    let green = named("gre", "prefix", born);
    assert_eq!(found(&stack, provider, &green).await.len(), 1);
    assert_eq!(places(&stack).await.0.len(), 10);

    // It was never so.
    import(&stack, &[person("m-1", &[("official", "Green")], born)]).await;
    assert!(found(&stack, provider, &brown).await.is_empty());
    assert_eq!(found(&stack, provider, &green).await.len(), 1);
    let (there, noted) = places(&stack).await;
    assert_eq!(there.len(), 5);
    assert_eq!(there, noted);

    // A row that was left behind finds nobody.
    let patient = stack.patients().await[0];
    let function = Function::new(&stack, "find-patient");
    function.respond(by(provider).json(&brown)).await;
    let mac = stack.audit().await.pop().unwrap()["resource"].clone();
    let left = json!({"pk": {"S": format!("FIND#{}", mac.as_str().unwrap())},
        "sk": {"S": format!("PATIENT#{patient}")}, "patient": {"S": patient.to_string()}});
    stack.put(Resource::PatientsTable, left).await;
    assert!(found(&stack, provider, &brown).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_broke_off_leaves_no_name_behind() {
    let stack = Stack::new().await;
    let provider = provider(&stack).await;
    let born = "1980-05-06";
    import(&stack, &[person("m-1", &[("official", "Brown")], born)]).await;
    let renamed = person("m-1", &[("official", "Green")], born);
    let bundle = json!({"resourceType": "Bundle", "type": "collection",
        "entry": [{"resource": renamed}]});
    let bucket = &stack.names[&Resource::ImportBucket];
    let file = serde_json::to_vec(&bundle).unwrap();
    stack
        .root
        .put_object(bucket, "inbox/b.json", file)
        .await
        .unwrap();
    let event = json!({"Records": [{"s3": {"object": {"key": "inbox/b.json"}}}]});
    let failing = Recorder::failing(|call| call.actions[0] == "dynamodb:BatchWriteItem");
    let importer = Function::recorded(&stack, "import-records", failing);
    importer.handle(event.clone()).await.unwrap_err();
    Function::new(&stack, "import-records")
        .handle(event)
        .await
        .unwrap();
    let (there, noted) = places(&stack).await;
    assert_eq!(there, noted);
    assert_eq!(there.len(), 5);
    let brown = named("Brown", "prefix", born);
    assert!(found(&stack, provider, &brown).await.is_empty());
    let green = named("Green", "prefix", born);
    assert_eq!(found(&stack, provider, &green).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_shows_twenty_by_name_and_says_that_there_are_more() {
    let stack = Stack::new().await;
    let provider = provider(&stack).await;
    let born = "2001-01-01";
    let people: Vec<_> = (0..21_u8)
        .map(|at| {
            let letter = char::from(b'a' + at);
            let family = format!("Roe{letter}");
            person(&format!("m-{at}"), &[("official", &family)], born)
        })
        .collect();
    import(&stack, &people[..20]).await;
    let roe = named("roe", "prefix", born);
    let all = found(&stack, provider, &roe).await;
    let names: Vec<_> = all
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 20);
    assert!(names.is_sorted(), "{names:?}");
    import(&stack, &people[20..]).await;
    let response = ask(&stack, "find-patient", by(provider).json(&roe)).await;
    let answer = body(&response);
    assert_eq!(answer["patients"].as_array().unwrap().len(), 20);
    assert_eq!(answer["more"], true);
}

/// Whoever is not there is looked for like whoever is.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_takes_the_same_steps_and_leaves_a_mac() {
    let world = World::new().await;
    let function = Function::new(&world.stack, "find-patient");
    let calls = async |search: &Value| {
        function.recorder.reset();
        let response = function.respond(world.by_provider().json(search)).await;
        let calls: Vec<_> = function.recorder.calls();
        let answer = body(&response);
        let resource = world.stack.audit().await.pop().unwrap()["resource"].clone();
        let mac = resource.as_str().unwrap().to_owned();
        assert!(mac.len() == 43, "{mac}");
        let actions: Vec<_> = calls.into_iter().map(|call| call.actions).collect();
        (actions, answer, mac)
    };
    let (hit, answer, mac) = calls(&json!({"mrn": world.mrn})).await;
    assert_eq!(answer["patients"][0]["on_care_team"], true);
    let (miss, answer, nobodys) = calls(&json!({"mrn": "nobody's"})).await;
    assert_eq!(answer, json!({"patients": [], "more": false}));
    let (named_miss, answer, _) = calls(&named("Nobody", "exact", "1980-05-06")).await;
    assert_eq!(answer, json!({"patients": [], "more": false}));
    assert_eq!(miss, named_miss);
    let opening = |actions: &Vec<String>| actions != &["kms:Decrypt"];
    let mut hit: Vec<_> = hit.into_iter().filter(opening).collect();
    let context = hit
        .iter()
        .rposition(|actions| actions == &["dynamodb:Query"]);
    hit.remove(context.unwrap());
    hit.sort();
    let mut miss = miss;
    miss.sort();
    assert_eq!(hit, miss);
    assert_ne!(mac, nobodys);
    let (_, _, again) = calls(&json!({"mrn": format!(" {} ", world.mrn)})).await;
    assert_eq!(mac, again);
}

/// Windows begin at multiples of ten minutes: not in the last seconds of one.
async fn in_the_middle_of_a_window() {
    let left = 600 - Timestamp::now().as_second().rem_euclid(600);
    if left < 30 {
        tokio::time::sleep(std::time::Duration::from_secs(left.unsigned_abs() + 1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_searches_in_ten_minutes_and_each_provider_their_own() {
    in_the_middle_of_a_window().await;
    let world = World::new().await;
    let search = json!({"mrn": world.mrn});
    let mut set = JoinSet::new();
    for _ in 0..40 {
        let function = Function::new(&world.stack, "find-patient");
        let request = world.by_provider().json(&search);
        set.spawn(async move { function.respond(request).await });
    }
    let answers = set.join_all().await;
    let count = |status: u16| answers.iter().filter(|one| one.status == status).count();
    assert_eq!((count(200), count(429)), (30, 10));
    for refused in answers.iter().filter(|one| one.status == 429) {
        assert_eq!(body(refused)["type"], "/problems/too-many-requests");
        assert!((1..=600).contains(&refused.retry_after.unwrap()));
    }
    let records = world.stack.audit().await;
    let searches = records
        .iter()
        .filter(|record| record["operation"] == "find-patient");
    let outcomes: Vec<_> = searches
        .clone()
        .map(|record| record["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes.iter().filter(|one| **one == "denied").count(), 10);
    assert_eq!(outcomes.len(), 40);
    let macs: BTreeSet<_> = searches
        .map(|record| record["resource"].to_string())
        .collect();
    assert_eq!(macs.len(), 1, "{macs:?}");
    // Somebody who treats nobody has searches of their own.
    let other = provider(&world.stack).await;
    let patients = found(&world.stack, other, &search).await;
    assert_eq!(patients[0]["on_care_team"], false);
    let counters = world.stack.items(Resource::AccountsTable).await;
    let counters = counters
        .iter()
        .filter(|row| row["pk"].as_str().unwrap().starts_with("RATE#"));
    for counter in counters {
        let expires: i64 = counter["expires_at"].as_str().unwrap().parse().unwrap();
        assert!(expires > Timestamp::now().as_second());
    }
}

/// A provider's change of the world's care team.
async fn change(world: &World, version: u64, change: &Value) -> Response {
    let request = world.change_team(version, change);
    ask(&world.stack, "change-care-team", request).await
}

fn member(team: &Value, who: PractitionerId) -> Value {
    let mut members = team["members"].as_array().unwrap().iter();
    let member = members.find(|member| member["practitioner"] == who.to_string());
    member.cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_comes_and_goes_at_once() {
    let world = World::new().await;
    let (patient, colleague) = (world.patient, world.colleague);
    let account = of(&world.stack, colleague).await;
    let reads = async || {
        let request = by(account).patient(patient);
        let status = ask(&world.stack, "get-profile", request).await.status;
        let listed = Function::new(&world.stack, "list-my-patients");
        let listed = ids(&pages(&listed, account, 50).await);
        assert_eq!(status == 200, listed == [patient.to_string()], "{status}");
        status.as_u16()
    };
    assert_eq!(reads().await, 404);
    // Nobody puts themselves on a team.
    let mut own = world.change_team(0, &json!({"add": {"practitioner": colleague}}));
    own.claims = by(account).claims;
    assert_eq!(ask(&world.stack, "change-care-team", own).await.status, 404);

    let added = change(&world, 0, &json!({"add": {"practitioner": colleague}})).await;
    assert_eq!(
        (added.status.as_u16(), added.etag),
        (200, Some(1)),
        "{}",
        body(&added)
    );
    let one = member(&body(&added), colleague);
    assert_eq!(one["name"], "A colleague of theirs");
    assert_eq!(
        (&one["former"], &one["source"]),
        (&json!(false), &json!("portal"))
    );
    assert!(one["since"].is_string() && one["until"].is_null());
    let read = ask(
        &world.stack,
        "get-care-team",
        world.by_patient().patient(patient),
    )
    .await;
    assert_eq!(read.etag, Some(1));
    assert_eq!(body(&read), body(&added));
    assert_eq!(reads().await, 200);

    let soon = Timestamp::now() + jiff::SignedDuration::from_secs(3600);
    let expire = json!({"expire": {"practitioner": colleague, "until": soon.to_string()}});
    let expiring = change(&world, 1, &expire).await;
    assert_eq!(expiring.status, 200, "{}", body(&expiring));
    assert_eq!(
        member(&body(&expiring), colleague)["until"],
        soon.to_string()
    );
    assert_eq!(reads().await, 200);

    let removed = change(&world, 2, &json!({"remove": {"practitioner": colleague}})).await;
    assert_eq!(removed.status, 200, "{}", body(&removed));
    let one = member(&body(&removed), colleague);
    assert_eq!(
        (&one["former"], &one["name"]),
        (&json!(true), &json!("A colleague of theirs"))
    );
    assert_eq!(reads().await, 404);
    let sk = format!("CONTEXT#CARE-TEAM#{colleague}");
    let left = row(&world.stack, patient, &sk).await.unwrap();
    assert!(left["until"].is_string() && left["practitioner"].is_null());

    let back = change(&world, 3, &json!({"add": {"practitioner": colleague}})).await;
    assert_eq!(back.status, 200, "{}", body(&back));
    assert_eq!(reads().await, 200);
    // What was is kept: with no end, with an end, over.
    let rows = rows(&world.stack).await;
    let prefix = format!("HISTORY#CARE-TEAM#{colleague}#");
    let history: Vec<_> = rows
        .iter()
        .filter(|((_, sk), _)| sk.starts_with(&prefix))
        .map(|(_, row)| row)
        .collect();
    assert_eq!(history.len(), 3);
    assert!(history[0]["until"].is_null());
    assert_eq!(history[1]["until"], soon.to_string());
    for row in history {
        assert_eq!(row["changed_by"], world.provider.to_string());
        assert!(row["practitioner"].is_null() && row["active_at"].is_null());
    }
    let records = world.stack.audit().await;
    let mut changes = records.iter().filter(|record| {
        record["operation"] == "change-care-team" && record["outcome"] == "success"
    });
    assert!(changes.all(|record| record["resource"] == colleague.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_changes_at_once_are_one() {
    let world = World::new().await;
    let others = [
        world.stack.practitioner("One").await,
        world.stack.practitioner("Another").await,
    ];
    let [one, other] = others.map(|id| json!({"add": {"practitioner": id}}));
    let answers = tokio::join!(change(&world, 0, &one), change(&world, 0, &other));
    let mut statuses = [answers.0.status.as_u16(), answers.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let stale = change(&world, 0, &one).await;
    assert_eq!(stale.status, 412);
    assert_eq!(body(&stale)["type"], "/problems/changed-meanwhile");
    assert_eq!(world.team().await.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_stays_with_the_patient() {
    let world = World::new().await;
    let team = ask(
        &world.stack,
        "get-care-team",
        world.by_provider().patient(world.patient),
    )
    .await;
    let mut others: Vec<PractitionerId> = body(&team)["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["practitioner"].as_str().unwrap().parse().unwrap())
        .collect();
    others.retain(|one| *one != world.practitioner);
    let mut version = 0;
    for one in others {
        let removed = change(&world, version, &json!({"remove": {"practitioner": one}})).await;
        assert_eq!(removed.status, 200);
        version += 1;
    }
    let own = world.practitioner;
    let at = |hours| (Timestamp::now() + jiff::SignedDuration::from_hours(hours)).to_string();
    let refused = async |change_: Value| {
        let before = world.stack.items(Resource::PatientsTable).await;
        let response = change(&world, world.team().await.0, &change_).await;
        assert_eq!(response.status, 409, "{change_}: {}", body(&response));
        assert_eq!(body(&response)["type"], "/problems/last-member");
        assert_eq!(world.stack.items(Resource::PatientsTable).await, before);
    };
    refused(json!({"remove": {"practitioner": own}})).await;
    refused(json!({"expire": {"practitioner": own, "until": at(2)}})).await;
    // A colleague for an hour is nobody to leave the patient with for longer.
    let hour = json!({"add": {"practitioner": world.colleague, "until": at(1)}});
    assert_eq!(change(&world, version, &hour).await.status, 200);
    refused(json!({"expire": {"practitioner": own, "until": at(2)}})).await;
    let leaving = json!({"remove": {"practitioner": own}});
    let left = change(&world, version + 1, &leaving).await;
    assert_eq!(left.status, 200, "{}", body(&left));
    // And who left may not come back by themselves.
    let back = json!({"add": {"practitioner": own}});
    assert_eq!(change(&world, version + 2, &back).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_brings_nobody_back() {
    let stack = Stack::new().await;
    let (name, file) = sample("Mathilda");
    stack.import(&name, file.clone()).await;
    let patient = stack.patients().await[0];
    let world = World::around(stack, patient).await;
    let team = world.stack.care_team(patient).await;
    let gone = *team.iter().find(|one| **one != world.practitioner).unwrap();
    let removed = change(&world, 0, &json!({"remove": {"practitioner": gone}})).await;
    assert_eq!(removed.status, 200, "{}", body(&removed));
    let added = change(
        &world,
        1,
        &json!({"add": {"practitioner": world.colleague}}),
    )
    .await;
    assert_eq!(added.status, 200, "{}", body(&added));

    // The same file, and one that says more.
    world.stack.import(&name, file.clone()).await;
    let mut more: Value = serde_json::from_slice(&file).unwrap();
    let entries = more["entry"].as_array_mut().unwrap();
    let visit = entries
        .iter_mut()
        .find(|entry| entry["resource"]["resourceType"] == "Encounter")
        .unwrap();
    visit["resource"]["reasonCode"] = json!([{"text": "Something else"}]);
    let report = world
        .stack
        .import(&name, serde_json::to_vec(&more).unwrap())
        .await;
    assert_eq!(report["state"], "complete", "{report}");
    let read = ask(
        &world.stack,
        "get-care-team",
        world.by_provider().patient(patient),
    )
    .await;
    assert_eq!(read.etag, Some(2));
    let answer = body(&read);
    assert_eq!(member(&answer, gone)["former"], true);
    assert_eq!(member(&answer, world.colleague)["former"], false);
    // Everybody has a name, also where only the directory's row has one.
    for member in answer["members"].as_array().unwrap() {
        assert!(member["name"].is_string(), "{member}");
    }
    let account = of(&world.stack, gone).await;
    let request = by(account).patient(patient);
    assert_eq!(ask(&world.stack, "get-profile", request).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_counts_what_the_file_has() {
    let stack = Stack::new().await;
    let (name, file) = sample("Mathilda");
    stack.import(&name, file.clone()).await;
    let patient = stack.patients().await[0];
    let world = World::around(stack, patient).await;
    let request = world.by_provider().patient(patient);
    let response = ask(&world.stack, "get-patient-summary", request).await;
    let summary = body(&response);
    assert_eq!(response.status, 200, "{summary}");

    let bundle: Value = serde_json::from_slice(&file).unwrap();
    let entries = bundle["entry"].as_array().unwrap().iter();
    let resources: Vec<_> = entries.map(|entry| &entry["resource"]).collect();
    let of_type = |kind: &str| -> Vec<&Value> {
        let all = resources.iter().copied();
        all.filter(|one| one["resourceType"] == kind).collect()
    };
    let active = of_type("MedicationRequest").into_iter();
    let active = active.filter(|one| one["status"] == "active").count();
    assert_eq!(
        summary["allergies"]["count"],
        of_type("AllergyIntolerance").len()
    );
    assert_eq!(summary["conditions"]["count"], of_type("Condition").len());
    assert_eq!(summary["active_prescriptions"]["count"], active);
    assert!(active > 0 && !of_type("AllergyIntolerance").is_empty());
    for part in ["allergies", "conditions", "active_prescriptions"] {
        assert_eq!(summary[part]["more"], false);
        let newest = summary[part]["newest"].as_array().unwrap().len();
        assert_eq!(
            newest as u64,
            summary[part]["count"].as_u64().unwrap().min(5)
        );
    }
    let mut names: Vec<_> = of_type("AllergyIntolerance")
        .iter()
        .map(|one| one["code"]["text"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    for allergy in summary["allergies"]["newest"].as_array().unwrap() {
        assert!(names.contains(&allergy["name"].as_str().unwrap()));
        assert_eq!(allergy["clinical_status"], "active");
        assert!(allergy["since"].is_string());
    }
    let person = of_type("Patient")[0];
    assert_eq!(summary["birth_date"], person["birthDate"]);
    assert_eq!(summary["mrn"], world.mrn);
    assert!(summary["name"].as_str().unwrap().contains("O'Keefe"));
    let labs = ask(
        &world.stack,
        "list-lab-results",
        world.by_provider().patient(patient),
    )
    .await;
    let labs = body(&labs)["results"].as_array().unwrap().clone();
    assert_eq!(summary["newest_results"], json!(labs[..5.min(labs.len())]));
    let team = world.stack.care_team(patient).await.len();
    assert_eq!(summary["care_team"], team);
}

/// Numbers tried one after the other, slowly.
#[tokio::test(flavor = "multi_thread")]
async fn searches_of_half_a_day_have_an_end() {
    let world = World::new().await;
    let search = Function::new(&world.stack, "find-patient");
    let request = || world.by_provider().json(&json!({"mrn": world.mrn}));
    assert_eq!(search.respond(request()).await.status, 200);
    let rate = format!("RATE#{}#find-patient#43200#", world.provider);
    let rows = world.stack.scan(Resource::AccountsTable).await;
    let is_count = |row: &Value| row["pk"]["S"].as_str().unwrap().starts_with(&rate);
    let mut count = rows.into_iter().find(is_count).unwrap();
    count["taken"]["N"] = "300".into();
    world.stack.put(Resource::AccountsTable, count).await;
    assert_eq!(search.respond(request()).await.status, 429);
}
