//! The audit log as the privacy officer reads it: every record that is looked for and no other,
//! whatever the pages are; and an export that can be verified.

use crate::harness::Whose;
use crate::harness::request::{With, anonymous, body};
use crate::harness::world::World;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::access::Role;
use shared::audit::sha256;
use shared::aws::Resource;
use shared::ids::AccountId;
use shared::store::sortable;
use std::collections::BTreeMap;
use uuid::Uuid;

const SEARCH: &str = "search-audit";
const EXPORT: &str = "export-audit";

/// All pages of a search, each record by its id.
async fn found(world: &World, criteria: &Value) -> Vec<Value> {
    let mut criteria = criteria.clone();
    let mut records = Vec::new();
    loop {
        let page = world.done(SEARCH, world.by_officer().json(&criteria)).await;
        records.extend(page["records"].as_array().unwrap().iter().cloned());
        assert!(records.len() < 10_000);
        match &page["next_cursor"] {
            Value::Null => return records,
            cursor => criteria["cursor"] = cursor.clone(),
        }
    }
}

fn ids(records: &[Value]) -> Vec<&str> {
    let ids = records.iter().map(|record| record["id"].as_str().unwrap());
    ids.collect()
}

/// The log's records that are so, newest first, but for those of searching and exporting it.
async fn logged(world: &World, is: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut records = world.stack.audit().await;
    records.reverse();
    records.retain(|record| {
        let operation = record["operation"].as_str().unwrap();
        ![SEARCH, EXPORT].contains(&operation) && is(record)
    });
    records
}

/// Somebody does this and that to the patient's record, and to others'.
async fn some_accesses(world: &World) -> AccountId {
    let (neighbour, _) = world.another().await;
    for _ in 0..4 {
        let by_provider = world.by_provider();
        world
            .ask("get-profile", by_provider.patient(world.patient))
            .await;
        world
            .ask("get-profile", world.by_provider().patient(neighbour))
            .await;
        let own = || world.by_patient().patient(world.patient);
        world.ask("get-profile", own()).await;
        world
            .ask("list-lab-results", own().query("limit", "0"))
            .await;
    }
    world.ask("list-my-patients", world.by_provider()).await;
    world.stack.account(Role::Provider, Whose::Nobody).await
}

fn without(records: Vec<Value>) -> Vec<Value> {
    let mut records = records;
    records.retain(|record| {
        let operation = record["operation"].as_str().unwrap();
        ![SEARCH, EXPORT].contains(&operation)
    });
    records
}

#[tokio::test]
async fn a_search_finds_what_it_looks_for_and_nothing_else() {
    let world = World::new().await;
    let nobody = some_accesses(&world).await;
    let patient = json!(world.patient);
    let provider = json!(world.provider);
    let outcome = |outcome: &str| json!({"actor": world.provider, "outcome": outcome});
    type Is = Box<dyn Fn(&Value) -> bool>;
    let of = |name: &'static str, value: &Value| -> Is {
        let value = value.clone();
        Box::new(move |record| record[name] == value)
    };
    let cases: Vec<(Value, Vec<Is>)> = vec![
        (json!({"patient": patient}), vec![of("patient", &patient)]),
        // Whosever record it was, and none.
        (json!({"actor": provider}), vec![of("actor", &provider)]),
        (
            json!({"patient": patient, "actor": provider}),
            vec![of("patient", &patient), of("actor", &provider)],
        ),
        (
            outcome("denied"),
            vec![of("actor", &provider), of("outcome", &json!("denied"))],
        ),
        (
            json!({"patient": patient, "outcome": "invalid", "action": "lab-result.list"}),
            vec![
                of("patient", &patient),
                of("action", &json!("lab-result.list")),
                of("outcome", &json!("invalid")),
            ],
        ),
        (json!({"actor": nobody}), vec![of("actor", &json!(nobody))]),
    ];
    for (criteria, is) in cases {
        let expected = logged(&world, |record| is.iter().all(|is| is(record))).await;
        for limit in [1, 3, 100] {
            let mut search = criteria.clone();
            search["limit"] = limit.into();
            let records = without(found(&world, &search).await);
            assert_eq!(ids(&records), ids(&expected), "{search}");
        }
        let is_there = criteria["actor"] != json!(nobody);
        assert_eq!(!expected.is_empty(), is_there, "{criteria}");
        // Everything that the log has of it, but its keys.
        let records = without(found(&world, &criteria).await);
        for (record, mut expected) in records.into_iter().zip(expected) {
            expected
                .as_object_mut()
                .unwrap()
                .retain(|name, _| name != "pk" && name != "sk");
            assert_eq!(record, expected);
        }
    }

    // From when to when, the end not included.
    let all = logged(&world, |record| record["actor"] == provider).await;
    let at = |one: usize| -> Timestamp { all[one]["at"].as_str().unwrap().parse().unwrap() };
    let millis = |at: Timestamp| sortable(at);
    let search = json!({"actor": provider, "from": millis(at(4)), "to": millis(at(1))});
    let expected: Vec<_> = all
        .iter()
        .filter(|record| {
            let sk = record["sk"].as_str().unwrap();
            *sk > *millis(at(4)) && *sk < *millis(at(1))
        })
        .cloned()
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(ids(&found(&world, &search).await), ids(&expected));
}

/// What has neither an account nor a patient is found by its days.
#[tokio::test]
async fn what_nobody_did_is_found_by_its_days() {
    let world = World::new().await;
    let today = Timestamp::now();
    let hours = SignedDuration::from_hours;
    let mut expected = Vec::new();
    for age in [1, 30, 54, 150, 200] {
        let at = today - hours(age);
        let id = Uuid::now_v7().to_string();
        let day = at.to_string()[..10].to_owned();
        let record = json!({
            "pk": {"S": format!("PORTAL#{day}")}, "sk": {"S": format!("{}#{id}", sortable(at))},
            "id": {"S": id}, "at": {"S": at.to_string()}, "operation": {"S": "activate-account"},
            "action": {"S": "account.activate"}, "outcome": {"S": "denied"},
        });
        world.stack.put(Resource::AuditTable, record).await;
        if age < 160 {
            expected.push(id);
        }
    }
    // A request of nobody's, now.
    let attempt = anonymous().json(&json!({}));
    assert_eq!(world.ask("activate-account", attempt).await.status, 400);
    let week = json!({"from": today - hours(167), "to": today + hours(1)});
    for limit in [1, 2, 50] {
        let mut search = week.clone();
        search["limit"] = limit.into();
        let mut records = found(&world, &search).await;
        // The import as well, which the portal did of itself; no search, which is an account's.
        let imports = records
            .iter()
            .filter(|one| one["operation"] == "import-records");
        assert_eq!(imports.count(), 1);
        records.retain(|record| record["operation"] != "import-records");
        assert_eq!(records.len(), 5, "{records:#?}");
        assert_eq!(records[0]["outcome"], "invalid");
        assert_eq!(ids(&records)[1..], expected);
    }
    for (search, pointer) in [
        (json!({}), ""),
        (json!({"from": today - hours(1)}), ""),
        (json!({"from": today - hours(169), "to": today}), ""),
        (json!({"outcome": "denied"}), ""),
        (
            json!({"patient": world.patient, "from": today, "to": today}),
            "/to",
        ),
        (
            json!({"patient": world.patient, "action": "Read"}),
            "/action",
        ),
        (json!({"patient": world.patient, "limit": 101}), "/limit"),
        (json!({"patient": world.patient, "cursor": "x"}), "/cursor"),
    ] {
        let response = world.ask(SEARCH, world.by_officer().json(&search)).await;
        assert_eq!(response.status, 400, "{search}");
        assert_eq!(body(&response)["errors"][0]["pointer"], pointer, "{search}");
    }
}

/// Who looks into the log is in it: with the patient whom the search names, and by ids alone.
#[tokio::test]
async fn a_search_is_in_the_log_itself() {
    let world = World::new().await;
    some_accesses(&world).await;
    let search = json!({
        "patient": world.patient, "actor": world.provider, "action": "profile.read", "limit": 1,
    });
    let request = world.by_officer().json(&search);
    let id = request.request_id.clone();
    let page = world.done(SEARCH, request).await;
    let records = world.stack.audit().await;
    let mut records = records.iter().filter(|record| record["request_id"] == *id);
    let record = records.next().unwrap();
    assert!(records.next().is_none());
    assert_eq!(record["pk"], format!("PATIENT#{}", world.patient));
    assert_eq!(record["actor"], world.officer.to_string());
    assert_eq!(record["via"], "privacy-officer");
    let named = format!("patient {}, actor {}", world.patient, world.provider);
    assert_eq!(record["resource"], named);
    assert!(!record.to_string().contains("profile.read"));
    // The patient hears of it.
    let own = world.by_patient().patient(world.patient);
    let told = world.done("list-record-access", own).await;
    assert_eq!(told["accesses"][0]["what"]["operation"], SEARCH);
    assert_eq!(told["accesses"][0]["who"]["kind"], "privacy-officer");

    // A page of one search is none of another's, nor of another officer's.
    let mut other = search.clone();
    other["cursor"] = page["next_cursor"].clone();
    let mut officer = world.by_officer().json(&other);
    officer.claims.as_mut().unwrap().origin = "another sign-in".to_owned();
    assert_eq!(world.ask(SEARCH, officer).await.status, 400);
    world.done(SEARCH, world.by_officer().json(&other)).await;
    other["action"] = "profile.update".into();
    let response = world.ask(SEARCH, world.by_officer().json(&other)).await;
    assert_eq!(body(&response)["errors"][0]["pointer"], "/cursor");

    // Whoever may not is recorded with what they asked for.
    let denied = world.by_admin().json(&search);
    let id = denied.request_id.clone();
    assert_eq!(world.ask(SEARCH, denied).await.status, 403);
    let records = world.stack.audit().await;
    let record = records.iter().find(|one| one["request_id"] == *id).unwrap();
    assert_eq!(record["resource"], named);
    assert_eq!(record["outcome"], "denied");
}

/// The digest that stands in the table for everybody who has the record.
fn digest(record: &Value) -> String {
    let sorted: BTreeMap<String, String> = serde_json::from_value(record.clone()).unwrap();
    sha256(&serde_json::to_string(&sorted).unwrap())
}

/// The cells of a line: each in quotation marks.
fn cells(line: &str) -> Vec<String> {
    let line = line.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
    line.split("\",\"")
        .map(|cell| cell.replace("\"\"", "\""))
        .collect()
}

#[tokio::test]
async fn an_export_proves_its_records_unchanged() {
    let world = World::new().await;
    let own = || world.by_patient().patient(world.patient);
    for agent in [
        "=HYPERLINK(\"http://x\")",
        "plain, \"quoted\"",
        "@x",
        "-1",
        "+1",
    ] {
        let mut request = own();
        request.user_agent = agent.to_owned();
        world.ask("get-profile", request).await;
    }
    let expected = logged(&world, |record| record["patient"] == json!(world.patient)).await;
    let export = |format| world.exported(format, "patient", &world.patient.to_string());
    let lines = world
        .done(EXPORT, world.by_officer().json(&export("json-lines")))
        .await;
    let content = lines["content"].as_str().unwrap();
    let verification = &lines["verification"];
    let digests: Vec<_> = expected.iter().map(digest).collect();
    assert_eq!(content.lines().map(sha256).collect::<Vec<_>>(), digests);
    let told = verification["records"].as_array().unwrap().iter();
    let told: Vec<_> = told
        .map(|one| (&one["id"], one["sha256"].as_str().unwrap()))
        .collect();
    let expected_ids: Vec<_> = expected.iter().map(|record| &record["id"]).collect();
    assert_eq!(
        told,
        expected_ids
            .into_iter()
            .zip(digests.iter().map(String::as_str))
            .collect::<Vec<_>>()
    );
    assert_eq!(verification["content_sha256"], sha256(content));
    let chained = digests.iter().map(|digest| format!("{digest}\n"));
    assert_eq!(
        verification["export_sha256"],
        sha256(&chained.collect::<String>())
    );
    assert!(lines["next_cursor"].is_null());

    let csv = world
        .done(EXPORT, world.by_officer().json(&export("csv")))
        .await;
    let content = csv["content"].as_str().unwrap();
    assert_eq!(csv["verification"]["content_sha256"], sha256(content));
    let mut rows = content.split_terminator("\r\n").map(cells);
    let heading = rows.next().unwrap();
    // The export before is a record of the same patient's, the newest.
    let rows: Vec<_> = rows.skip(1).collect();
    assert_eq!(rows.len(), expected.len());
    for (row, record) in rows.iter().zip(&expected) {
        assert_eq!(row.last().unwrap(), &digest(record));
        for (name, cell) in heading.iter().zip(row) {
            if name == "sha256" {
                continue;
            }
            let text = record[name].as_str().unwrap_or_default();
            let formula = text.starts_with(['=', '+', '-', '@']);
            let mark = if formula { "'" } else { "" };
            assert_eq!(*cell, format!("{mark}{text}"), "{name}");
        }
        for name in record.as_object().unwrap().keys() {
            assert!(
                heading.contains(name) || name == "pk" || name == "sk",
                "{name}"
            );
        }
    }
    // Whoever changes one record is found out by its digest, and by the export's.
    let mut forged = expected[0].clone();
    forged["outcome"] = "denied".into();
    assert!(!digests.contains(&digest(&forged)));

    for (mut wrong, pointer) in [
        (export("xml"), "/format"),
        (json!({"format": "csv", "patient": world.patient}), ""),
    ] {
        wrong["limit"] = Value::Null;
        wrong.as_object_mut().unwrap().remove("limit");
        let response = world.ask(EXPORT, world.by_officer().json(&wrong)).await;
        assert_eq!(response.status, 400);
        assert_eq!(body(&response)["errors"][0]["pointer"], pointer);
    }
    let mut long = export("csv");
    long["from"] = json!(Timestamp::now() - SignedDuration::from_hours(367 * 24));
    let response = world.ask(EXPORT, world.by_officer().json(&long)).await;
    assert_eq!(body(&response)["errors"][0]["pointer"], "/to");
}

/// A long export comes in parts, and the last one's digest is the whole one's.
#[tokio::test]
async fn the_parts_of_an_export_are_chained() {
    let world = World::new().await;
    let actor = Uuid::new_v4().to_string();
    let now = Timestamp::now();
    for number in 0..1005_i64 {
        let at = now - SignedDuration::from_secs(number);
        let id = Uuid::now_v7().to_string();
        let record = json!({
            "pk": {"S": format!("ACCOUNT#{actor}")}, "sk": {"S": format!("{}#{id}", sortable(at))},
            "id": {"S": id}, "at": {"S": at.to_string()}, "operation": {"S": "get-account"},
            "action": {"S": "account.read"}, "outcome": {"S": "success"}, "actor": {"S": actor},
        });
        world.stack.put(Resource::AuditTable, record).await;
    }
    let mut export = world.exported("csv", "actor", &actor);
    let first = world.done(EXPORT, world.by_officer().json(&export)).await;
    export["cursor"] = first["next_cursor"].clone();
    let second = world.done(EXPORT, world.by_officer().json(&export)).await;
    assert!(second["next_cursor"].is_null());
    let digests = |part: &Value| -> Vec<String> {
        let records = part["verification"]["records"].as_array().unwrap().iter();
        records
            .map(|one| one["sha256"].as_str().unwrap().to_owned() + "\n")
            .collect()
    };
    let (one, two) = (digests(&first), digests(&second));
    assert_eq!((one.len(), two.len()), (1000, 5));
    let chain = |parts: &[&str]| sha256(&parts.concat());
    let one = chain(&one.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(first["verification"]["export_sha256"], one);
    let before = one + "\n";
    let mut parts = vec![before.as_str()];
    parts.extend(two.iter().map(String::as_str));
    assert_eq!(second["verification"]["export_sha256"], chain(&parts));
    // One heading, in the first part.
    let content = |part: &Value| part["content"].as_str().unwrap().to_owned();
    let whole = content(&first) + &content(&second);
    assert_eq!(whole.lines().count(), 1006);
    assert_eq!(whole.matches("user_agent").count(), 1);
}
