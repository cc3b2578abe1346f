//! Calendars: files that other programs read as they are meant, which tell nobody what an appointment is
//! about, and addresses that end when they should.

use crate::harness::function::Function;
use crate::harness::recorder::Recorder;
use crate::harness::request::{With, body, signed_in};
use crate::harness::root;
use crate::harness::schedule::{free_hour, hour, later};
use crate::harness::world::{REASON, World, calendar_at};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::practice::Practice;
use std::io::Write;
use std::process::{Command, Stdio};
use xtask::tools::{Set, install};

const READ: &str = "read-calendar";

async fn ask(world: &World, id: &str, request: Request) -> Response {
    Function::new(&world.stack, id).respond(request).await
}

/// What another program's parser finds in a file.
async fn parsed(file: &[u8]) -> Value {
    let programs = install(Set::Readers).await.unwrap();
    let mut python = Command::new(programs.join("python"))
        .arg(root().join("tests/portal/read_calendar.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(file).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read["errors"], json!([]), "{read}");
    assert_eq!(read["version"], "2.0");
    assert_eq!(read["method"], "PUBLISH");
    assert_eq!(read["refresh"], "PT1H");
    read
}

/// The events of a calendar that is shown, by their start.
async fn shown(world: &World, path: &str) -> Vec<Value> {
    let response = ask(world, READ, calendar_at(path)).await;
    assert_eq!(response.status, 200);
    let read = parsed(&response.body).await;
    let mut events = read["events"].as_array().unwrap().clone();
    events.sort_by_key(|event| event["start"].as_str().unwrap().to_owned());
    events
}

/// Nothing is there, and the audit log has an access of nobody to nobody.
async fn nothing_at(world: &World, path: &str) {
    let before = world.stack.audit().await;
    let response = ask(world, READ, calendar_at(path)).await;
    assert_eq!(response.status, 404, "{path}");
    assert_eq!(body(&response)["type"], "/problems/not-found");
    let records = world.stack.records_since(&before).await;
    let [record] = records.as_slice() else {
        panic!("{records:#?}");
    };
    assert_eq!(record["outcome"], "denied");
    for name in ["patient", "actor", "resource"] {
        assert!(record[name].is_null(), "{record}");
    }
}

/// An instant as the parser writes it.
fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

async fn reschedule(world: &World, id: &str, version: u64, start: Timestamp) {
    let request = world.by_patient().patient(world.patient).appointment(id);
    let request = request.header("if-match", &format!("\"{version}\""));
    let request = request.json(&json!({"start": start}));
    world.done("reschedule-appointment", request).await;
}

async fn cancel(world: &World, id: &str, version: u64) {
    let request = world.by_patient().patient(world.patient).appointment(id);
    let request = request.header("if-match", &format!("\"{version}\""));
    let request = request.json(&json!({"reason": "other-plans"}));
    world.done("cancel-appointment", request).await;
}

#[tokio::test]
async fn a_file_says_when_and_with_which_practice_and_nothing_more() {
    let world = World::new().await;
    let start = free_hour();
    let id = world.booked(start).await;
    // A name with all that has to be escaped, longer than a line.
    let name =
        "Smith, Jones; & Söhne \\ Zahnärzte für Groß und Klein, Straße des 17. Juni, Ärztehaus";
    let practice = Practice::new("America/New_York", 5, 18).unwrap();
    let recorder = Recorder::default();
    let aws = world
        .stack
        .aws_of(&recorder, practice.called(name.to_owned()));
    let service = bootstrap::service("get-calendar").unwrap()(&aws).unwrap();
    let function = Function::of(recorder, service);
    let by_patient = || world.by_patient().patient(world.patient).appointment(&id);
    let response = function.respond(by_patient()).await;
    assert_eq!(response.status, 200);
    let read = parsed(&response.body).await;
    assert_eq!(read["name"], name);
    let event = &read["events"][0];
    assert_eq!(read["events"].as_array().unwrap().len(), 1);
    assert_eq!(event["uid"], *id);
    assert_eq!(event["sequence"], 0);
    assert_eq!(event["start"], written(start));
    assert_eq!(event["end"], written(later(start, 30)));
    assert_eq!(event["status"], "CONFIRMED");
    assert_eq!(event["transparent"], false);
    assert_eq!(event["summary"], format!("Appointment: {name}"));
    assert_eq!(
        event["properties"],
        json!([
            "CLASS",
            "DTEND",
            "DTSTAMP",
            "DTSTART",
            "LAST-MODIFIED",
            "SEQUENCE",
            "STATUS",
            "SUMMARY",
            "TRANSP",
            "UID"
        ])
    );
    let text = String::from_utf8(response.body.clone()).unwrap();
    for secret in ["Dr. Somebody", "visit", "medicine", "person", REASON] {
        assert!(!text.contains(secret), "{secret}");
    }
    // RFC 5545, section 3.1: lines of at most 75 octets, that end with CRLF.
    assert!(text.ends_with("END:VCALENDAR\r\n"));
    let lines: Vec<_> = text.split("\r\n").collect();
    assert!(
        lines
            .iter()
            .all(|line| line.len() <= 75 && !line.contains(['\r', '\n']))
    );
    assert!(lines.iter().any(|line| line.starts_with(' ')), "folded");
    // A file to save, and nothing that a browser shows or keeps.
    let sent = response.into_lambda("https://portal.example.org").unwrap();
    let header = |name: &str| sent.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/calendar; charset=utf-8");
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=\"appointment.ics\""
    );
    assert_eq!(header("cache-control"), "no-store");

    // The provider gets it as well, and so do they after a move, as a newer one.
    reschedule(&world, &id, 1, later(start, 60)).await;
    let by_provider = world.by_provider().patient(world.patient).appointment(&id);
    let response = ask(&world, "get-calendar", by_provider).await;
    let read = parsed(&response.body).await;
    assert_eq!(read["name"], "Our practice");
    let event = &read["events"][0];
    assert_eq!(event["sequence"], 1);
    assert_eq!(event["start"], written(later(start, 60)));
    let nobodys = uuid::Uuid::new_v4().to_string();
    let request = world.by_patient().patient(world.patient);
    let response = ask(&world, "get-calendar", request.appointment(&nobodys)).await;
    assert_eq!(response.status, 404);
}

#[tokio::test]
async fn a_calendar_follows_what_becomes_of_appointments() {
    let world = World::new().await;
    let (first, second) = (hour(12), hour(36));
    let one = world.booked(first).await;
    let path = world.calendar().await;
    let events = shown(&world, &path).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["summary"], "Appointment: Our practice");
    let other = world.booked(second).await;
    let events = shown(&world, &path).await;
    let told = |event: &Value| {
        let name = |name: &str| event[name].as_str().unwrap().to_owned();
        (
            name("uid"),
            event["sequence"].as_u64().unwrap(),
            name("start"),
            name("status"),
        )
    };
    let confirmed = || "CONFIRMED".to_owned();
    assert_eq!(
        events.iter().map(told).collect::<Vec<_>>(),
        [
            (one.clone(), 0, written(first), confirmed()),
            (other.clone(), 0, written(second), confirmed()),
        ]
    );
    reschedule(&world, &one, 1, hour(60)).await;
    cancel(&world, &other, 1).await;
    let events = shown(&world, &path).await;
    assert_eq!(
        events.iter().map(told).collect::<Vec<_>>(),
        [
            (other.clone(), 1, written(second), "CANCELLED".to_owned()),
            (one.clone(), 1, written(hour(60)), confirmed()),
        ]
    );
    assert_eq!(events[0]["transparent"], true);
    cancel(&world, &one, 2).await;
    let events = shown(&world, &path).await;
    assert_eq!(
        told(&events[1]),
        (one.clone(), 2, written(hour(60)), "CANCELLED".to_owned())
    );

    // Thirty days later it is history.
    let past = |days: i64| Timestamp::now() - SignedDuration::from_hours(days * 24);
    world.stack.begins(world.patient, &one, past(29)).await;
    world.stack.begins(world.patient, &other, past(31)).await;
    let events = shown(&world, &path).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["uid"], *one);
}

#[tokio::test]
async fn an_address_is_a_secret_and_ends() {
    let world = World::new().await;
    world.booked(free_hour()).await;
    let path = world.calendar().await;
    let before = world.stack.audit().await;
    assert_eq!(shown(&world, &path).await.len(), 1);
    let records = world.stack.records_since(&before).await;
    let [record] = records.as_slice() else {
        panic!("{records:#?}");
    };
    assert_eq!(record["pk"], format!("PATIENT#{}", world.patient));
    assert_eq!(record["actor"], world.account.to_string());
    assert_eq!(record["role"], "patient");
    assert_eq!(record["via"], "self");
    assert_eq!(record["action"], "calendar.read");
    assert!(record["resource"].is_string());

    // It stands nowhere.
    let secret = path.split('/').nth(3).unwrap();
    for table in [
        Resource::AccountsTable,
        Resource::AuditTable,
        Resource::PatientsTable,
    ] {
        let rows = json!(world.stack.scan(table).await).to_string();
        assert!(
            !rows.contains(secret) && !rows.contains(&secret[22..]),
            "{table:?}"
        );
    }

    // What is near it, or none at all, leads nowhere.
    let with = |address: &str| format!("/v1/calendars/{address}/appointments.ics");
    let other = if secret.ends_with('A') { "B" } else { "A" };
    let changed = format!("{}{other}", &secret[..63]);
    let nobodys = format!("{}{}", "A".repeat(22), &secret[22..]);
    for wrong in [
        &changed,
        &nobodys,
        &secret[..63],
        &"A".repeat(64),
        "a",
        "../..",
        "\u{0}",
    ] {
        nothing_at(&world, &with(wrong)).await;
    }

    // A new one takes its place.
    let renewed = world.calendar().await;
    nothing_at(&world, &path).await;
    assert_eq!(shown(&world, &renewed).await.len(), 1);
    let revoke = || world.by_patient().patient(world.patient);
    world.done("revoke-calendar", revoke()).await;
    nothing_at(&world, &renewed).await;
    // Twice is no more than once.
    world.done("revoke-calendar", revoke()).await;
}

#[tokio::test]
async fn an_address_is_no_more_than_its_account() {
    let world = World::new().await;
    world.booked(free_hour()).await;
    let (proxy, grant) = world.granted("with@example.org", &["appointments"]).await;
    let (without, _) = world.granted("without@example.org", &["profile"]).await;
    let by = |account| signed_in(account, Role::Patient).patient(world.patient);
    let response = ask(&world, "open-calendar", by(without)).await;
    assert_eq!(response.status, 404);
    let opened = world.done("open-calendar", by(proxy)).await;
    let path = opened["path"].as_str().unwrap();
    assert_eq!(shown(&world, path).await.len(), 1);
    let record = world.stack.audit().await.pop().unwrap();
    assert_eq!(record["via"], "proxy");
    assert_eq!(record["acting_for"], world.patient.to_string());

    // The patient's own is another one.
    let own = world.calendar().await;
    assert_eq!(shown(&world, &own).await.len(), 1);
    assert_eq!(shown(&world, path).await.len(), 1);
    let revoke = world.by_patient().patient(world.patient).proxy(grant);
    world.done("revoke-proxy", revoke).await;
    nothing_at(&world, path).await;
    // Nor does another grant bring it back.
    world.granted("with@example.org", &["appointments"]).await;
    nothing_at(&world, path).await;

    let mut row = world.stack.scan(Resource::AccountsTable).await;
    let key = format!("ACCOUNT#{}", world.account);
    row.retain(|row| row["pk"]["S"] == *key);
    row[0]["status"] = json!({"S": "disabled"});
    world
        .stack
        .put(Resource::AccountsTable, row.remove(0))
        .await;
    nothing_at(&world, &own).await;
}

#[tokio::test]
async fn a_calendar_is_read_so_often_in_an_hour() {
    let world = World::new().await;
    let path = world.calendar().await;
    // The end of an hour that is near would give another allowance.
    let window = Timestamp::now().as_second() / 3600;
    for window in [window, window + 1] {
        let row = json!({
            "pk": {"S": format!("RATE#{}#{READ}#3600#{window}", world.account)},
            "taken": {"N": "240"},
        });
        world.stack.put(Resource::AccountsTable, row).await;
    }
    let before = world.stack.audit().await;
    let response = ask(&world, READ, calendar_at(&path)).await;
    assert_eq!(response.status, 429);
    assert!(response.retry_after.is_some());
    let records = world.stack.records_since(&before).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["outcome"], "invalid");
}
