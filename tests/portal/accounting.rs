//! The accounting of disclosures: everything that was passed on and nothing else, but for what an
//! agency has suspended, as long as it may.

use crate::harness::Whose;
use crate::harness::messages::Paths;
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::World;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::Request;
use uuid::Uuid;

const ACCOUNT: &str = "account-disclosures";
const SUSPEND: &str = "suspend-accounting";

/// Suspensions end: only tests turn the clock forward.
pub async fn end_suspensions(world: &World) {
    let past = (Timestamp::now() - SignedDuration::from_secs(1)).to_string();
    changed(world, "HISTORY#SUSPENSION#", "until", &past).await;
}

/// Changes an attribute of all rows of a kind.
async fn changed(world: &World, kind: &str, name: &str, value: &str) {
    for mut row in world.stack.scan(Resource::PatientsTable).await {
        if row["sk"]["S"].as_str().unwrap().starts_with(kind) {
            row[name] = json!({"S": value});
            world.stack.put(Resource::PatientsTable, row).await;
        }
    }
}

/// The privacy officer passes messages on, and reads them.
async fn disclosed(world: &World, purpose: &str, recipient: &str) -> String {
    let request = world.disclosure().json(&json!({
        "purpose": purpose, "statement": "as they ask for it", "recipient": recipient,
        "address": "1 Main Street",
    }));
    let disclosing = world.done("disclose-messages", request).await;
    let officer = world.by_officer().patient(world.patient);
    world.done("list-threads", officer).await;
    disclosing["disclosure"].as_str().unwrap().to_owned()
}

async fn accounted(world: &World, by: Request) -> Vec<String> {
    let accounting = world.done(ACCOUNT, by).await;
    let disclosures = accounting["disclosures"].as_array().unwrap().iter();
    disclosures
        .map(|one| one["recipient"].as_str().unwrap().to_owned())
        .collect()
}

fn own(world: &World) -> Request {
    world.by_patient().patient(world.patient)
}

fn by_officer(world: &World) -> Request {
    world.by_officer().patient(world.patient)
}

/// What the patient's list of who looked says of the privacy officer: how often they did what.
async fn told_of_officer(world: &World) -> Vec<String> {
    let listed = world
        .done("list-record-access", own(world).query("limit", "100"))
        .await;
    let accesses = listed["accesses"].as_array().unwrap().iter();
    let mut told: Vec<_> = accesses
        .filter(|one| one["who"]["kind"] == "privacy-officer")
        .map(|one| one["what"]["operation"].as_str().unwrap().to_owned())
        .filter(|operation| operation != ACCOUNT)
        .collect();
    told.sort_unstable();
    told
}

#[tokio::test]
async fn what_was_passed_on_is_accounted_for() {
    let world = World::new().await;
    world.thread().await;
    // What is no disclosure to account for: the individual, treatment, a proxy.
    world.done("get-profile", own(&world)).await;
    let provider = world.by_provider().patient(world.patient);
    world.done("get-profile", provider).await;
    world.granted("friend@example.org", &["profile"]).await;
    let nothing = world.done(ACCOUNT, own(&world)).await;
    assert_eq!(nothing["disclosures"], json!([]));
    assert!(nothing["suspensions"].is_null());

    let first = disclosed(&world, "judicial-proceeding", "The county court").await;
    disclosed(&world, "public-health", "The health department").await;
    let accounting = world.done(ACCOUNT, own(&world)).await;
    let disclosures = accounting["disclosures"].as_array().unwrap();
    assert_eq!(disclosures.len(), 2);
    assert_eq!(disclosures[0]["recipient"], "The health department");
    let court = &disclosures[1];
    assert_eq!(court["id"], first.as_str());
    assert_eq!(court["recipient"], "The county court");
    assert_eq!(court["address"], "1 Main Street");
    assert_eq!(court["purpose"], "judicial-proceeding");
    assert_eq!(court["statement"], "as they ask for it");
    assert_eq!(
        court["what"],
        "The messages between the patient and the practice"
    );
    let zone = TimeZone::get("America/New_York").unwrap();
    let at: Timestamp = court["at"].as_str().unwrap().parse().unwrap();
    assert_eq!(court["date"], at.to_zoned(zone.clone()).date().to_string());
    // The privacy officer makes it for the patient, and sees besides what is suspended.
    let by_office = world.done(ACCOUNT, by_officer(&world)).await;
    assert_eq!(by_office["disclosures"], accounting["disclosures"]);
    assert_eq!(by_office["suspensions"], json!([]));

    // A time of one's own, and six years at most.
    let today = Timestamp::now().to_zoned(zone).date();
    let tomorrow = today.saturating_add(1.day()).to_string();
    let later = own(&world).query("from", &tomorrow);
    assert!(accounted(&world, later).await.is_empty());
    let old = (Timestamp::now() - SignedDuration::from_hours(24 * (365 * 6 + 10))).to_string();
    changed(&world, "HISTORY#DISCLOSURE#", "since", &old).await;
    let all = own(&world).query("from", "2000-01-01");
    let accounting = world.done(ACCOUNT, all).await;
    assert_eq!(accounting["disclosures"], json!([]));
    assert_eq!(
        accounting["from"],
        today.saturating_sub(6.years()).to_string()
    );
    let recent = (Timestamp::now() - SignedDuration::from_hours(24 * (365 * 6 - 10))).to_string();
    changed(&world, "HISTORY#DISCLOSURE#", "since", &recent).await;
    assert_eq!(accounted(&world, own(&world)).await.len(), 2);
    let wrong = own(&world)
        .query("from", "2026-01-02")
        .query("to", "2026-01-01");
    assert_eq!(world.ask(ACCOUNT, wrong).await.status, 400);
}

#[tokio::test]
async fn others_get_no_accounting_and_suspend_none() {
    let world = World::new().await;
    world.something_disclosed().await;
    let all = shared::api::Category::ALL.map(shared::api::Category::as_str);
    let (proxy, _) = world.granted("trusted@example.org", &all).await;
    for claims in [
        signed_in(proxy, Role::Patient),
        world.by_provider(),
        world.by_admin(),
    ] {
        for (id, mut request) in [
            (ACCOUNT, own(&world)),
            (SUSPEND, world.suspension(&json!({}))),
        ] {
            request.claims.clone_from(&claims.claims);
            assert_eq!(world.ask(id, request).await.status, 404, "{id}");
        }
    }
    let mut by_patient = world.suspension(&json!({}));
    by_patient.claims = world.by_patient().claims;
    assert_eq!(world.ask(SUSPEND, by_patient).await.status, 404);
}

#[tokio::test]
async fn what_an_agency_suspends_is_left_out_and_comes_back() {
    let world = World::new().await;
    world.thread().await;
    disclosed(&world, "judicial-proceeding", "The sheriff").await;
    disclosed(&world, "law-enforcement", "The state police").await;
    disclosed(&world, "law-enforcement", "The sheriff").await;
    let before = told_of_officer(&world).await;
    assert_eq!(before.len(), 6);

    // That agency's, of that kind: capitals and spaces do not matter.
    let recipient = json!({"recipient": "the  SHERIFF"});
    let mut request = world.suspension(&recipient);
    let key = request.headers["idempotency-key"].clone();
    let suspended = world.done(SUSPEND, request).await;
    assert_eq!(suspended["withheld"], 1);
    // The answer got lost; or the key is another statement's.
    request = world.suspension(&recipient);
    request.headers.insert("idempotency-key", key.clone());
    assert_eq!(world.done(SUSPEND, request).await, suspended);
    request = world.suspension(&json!({"recipient": "Another"}));
    request.headers.insert("idempotency-key", key);
    assert_eq!(world.ask(SUSPEND, request).await.status, 422);

    let left = ["The state police", "The sheriff"];
    assert_eq!(accounted(&world, own(&world)).await, left);
    assert_eq!(accounted(&world, by_officer(&world)).await, left);
    let office = world.done(ACCOUNT, by_officer(&world)).await;
    assert_eq!(
        office["suspensions"][0]["official"],
        "CANARY-947, detective"
    );
    // Nothing tells the patient that there is something, nor that somebody tried.
    let text = world.done(ACCOUNT, own(&world)).await.to_string();
    assert!(!text.contains("uspen"), "{text}");
    let stale = world.disclosure().since(16 * 60);
    assert_eq!(world.ask("disclose-messages", stale).await.status, 403);
    let bad = world.suspension(&json!({"until": "2020-01-01"}));
    assert_eq!(world.ask(SUSPEND, bad).await.status, 400);
    let now = told_of_officer(&world).await;
    assert_eq!(
        now,
        [
            "disclose-messages",
            "disclose-messages",
            "list-threads",
            "list-threads"
        ]
    );
    let accounting = own(&world).query("of", "disclosures");
    let listed = world
        .done("list-record-access", accounting)
        .await
        .to_string();
    assert!(listed.contains("The state police") && listed.contains("judicial-proceeding"));
    assert_eq!(listed.matches("The sheriff").count(), 2, "{listed}");

    // A new disclosure to it is left out as well.
    disclosed(&world, "law-enforcement", "The Sheriff").await;
    assert_eq!(accounted(&world, own(&world)).await, left);

    end_suspensions(&world).await;
    let all = [
        "The Sheriff",
        "The sheriff",
        "The state police",
        "The sheriff",
    ];
    assert_eq!(accounted(&world, own(&world)).await, all);
    let after = told_of_officer(&world).await;
    let count = |id: &str| after.iter().filter(|operation| *operation == id).count();
    assert_eq!(count("list-threads"), 4);
    assert_eq!(count("disclose-messages"), 5);
    assert_eq!(count(SUSPEND), 4);
}

#[tokio::test]
async fn an_oral_statement_holds_for_thirty_days() {
    let world = World::new().await;
    let zone = TimeZone::get("America/New_York").unwrap();
    let today = Timestamp::now().to_zoned(zone).date();
    let day = |days: i64| today.saturating_add(days.days()).to_string();
    let oral = |stated_on: i64, until: i64| json!({"form": "oral", "stated_on": day(stated_on), "until": day(until)});
    let pointer = async |statement: Value| {
        let response = world.ask(SUSPEND, world.suspension(&statement)).await;
        assert_eq!(response.status, 400);
        body(&response)["errors"][0]["pointer"].clone()
    };
    assert_eq!(pointer(oral(0, 31)).await, "/until");
    assert_eq!(pointer(oral(-1, 30)).await, "/until");
    assert_eq!(pointer(oral(1, 2)).await, "/stated_on");
    assert_eq!(pointer(oral(-2, -1)).await, "/until");
    assert_eq!(pointer(json!({"until": day(366 * 6 + 3)})).await, "/until");
    world.done(SUSPEND, world.suspension(&oral(-1, 29))).await;
    // Another one does not prolong it; a written one does; and one to another agency is another.
    assert_eq!(pointer(oral(0, 30)).await, "/form");
    world.done(SUSPEND, world.suspension(&json!({}))).await;
    let mut other = oral(0, 30);
    other["recipient"] = "Somebody else".into();
    world.done(SUSPEND, world.suspension(&other)).await;
    // What the agency said is sealed.
    let rows = world.stack.items(Resource::PatientsTable).await;
    let rows: Vec<_> = rows
        .iter()
        .filter(|row| {
            row["sk"]
                .as_str()
                .unwrap()
                .starts_with("HISTORY#SUSPENSION#")
        })
        .collect();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let mut names: Vec<_> = row.as_object().unwrap().keys().collect();
        names.sort_unstable();
        assert_eq!(names, ["actor", "pk", "sealed", "since", "sk", "until"]);
    }
    // Of another patient's disclosures nothing is left out.
    let (neighbour, _) = world.another().await;
    let officer = world.by_officer().patient(neighbour);
    let office = world.done(ACCOUNT, officer).await;
    assert_eq!(office["suspensions"], json!([]));
    let staff = world
        .stack
        .account(Role::PrivacyOfficer, Whose::Nobody)
        .await;
    let thread = signed_in(staff, Role::PrivacyOfficer)
        .patient(world.patient)
        .thread(Uuid::nil());
    assert_eq!(world.ask("read-thread", thread).await.status, 404);
}
