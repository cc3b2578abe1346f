//! Appointments: what is offered, booked once, moved, cancelled and looked after.

mod model;
mod race;
mod waitlist;

use crate::harness::Whose;
use crate::harness::function::Function;
use crate::harness::recorder::{Call, Fate, Recorder};
use crate::harness::request::{With, body, signed_in};
use crate::harness::schedule::{
    Comer, around_the_clock, claimed, day, free_hour, hour, later, open, taken,
};
use crate::harness::world::{REASON, SUMMARY, VISIT_NOTES, World};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::ids::PractitionerId;
use shared::practice::Practice;
use shared::serve::Service;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use uuid::Uuid;

async fn send(world: &World, id: &str, request: Request) -> Response {
    Function::new(&world.stack, id).respond(request).await
}

/// A request that must succeed, and its answer.
async fn done(world: &World, id: &str, request: Request) -> Value {
    let response = send(world, id, request).await;
    let answer = body(&response);
    assert!(response.status.is_success(), "{id}: {answer}");
    answer
}

/// A request that must be refused so.
async fn refused(world: &World, id: &str, request: Request, status: u16, kind: &str) -> Value {
    let response = send(world, id, request).await;
    let answer = body(&response);
    assert_eq!(response.status, status, "{id}: {answer}");
    assert_eq!(answer["type"], format!("/problems/{kind}"), "{id}");
    answer
}

fn of(comer: &Comer) -> Request {
    signed_in(comer.account, Role::Patient).patient(comer.patient)
}

fn keyed(request: Request) -> Request {
    request.header("idempotency-key", &Uuid::new_v4().to_string())
}

/// A booking of anybody's.
fn booking(world: &World, by: Request, kind: &str, start: Timestamp) -> Request {
    let mut booking = world.slot(kind, start);
    booking["reason"] = REASON.into();
    keyed(by).json(&booking)
}

fn versioned(request: Request, version: u64) -> Request {
    request.header("if-match", &format!("\"{version}\""))
}

async fn nothing_is_orphaned(world: &World) {
    assert_eq!(taken(&world.stack).await, claimed(&world.stack).await);
}

fn rules(hours: &Value) -> Value {
    let mut rules = around_the_clock();
    rules["weekly"] = hours.clone();
    rules
}

/// A provider who is on nobody's care team.
async fn newcomer(world: &World) -> (PractitionerId, Request) {
    let practitioner = world.stack.practitioner("Dr. New").await;
    let whose = Whose::Practitioner(practitioner);
    let account = world.stack.account(Role::Provider, whose).await;
    (practitioner, signed_in(account, Role::Provider))
}

fn again(request: &Request) -> Request {
    Request {
        claims: request.claims.clone(),
        ..crate::harness::request::anonymous()
    }
}

async fn slots(world: &World, practitioner: PractitionerId, kind: &str, days: &str) -> Vec<Value> {
    let request = world
        .by_patient()
        .query("provider", &practitioner.to_string())
        .query("type", kind)
        .query("from", days)
        .query("to", days);
    let answer = done(world, "list-open-slots", request).await;
    answer["slots"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_provider_opens_hours_and_is_found() {
    let world = World::new().await;
    let (practitioner, by) = newcomer(&world).await;
    let own = send(&world, "get-availability", again(&by)).await;
    assert_eq!(own.etag, Some(0));
    assert_eq!(body(&own)["availability"], Value::Null);
    let mut rules = around_the_clock();
    rules["weekly"][0]["location"] = "Main Street".into();
    let set = |rules: &Value, version| versioned(again(&by), version).json(rules);
    let answer = done(&world, "set-availability", set(&rules, 0)).await;
    assert_eq!(answer["booked_outside"], json!([]));
    let own = send(&world, "get-availability", again(&by)).await;
    assert_eq!(own.etag, Some(1));
    assert_eq!(body(&own)["availability"]["specialty"], "family-medicine");
    refused(
        &world,
        "set-availability",
        set(&rules, 0),
        412,
        "changed-meanwhile",
    )
    .await;
    refused(
        &world,
        "set-availability",
        again(&by).json(&rules),
        428,
        "precondition-required",
    )
    .await;

    // Of two who set them at once one does.
    let functions = [(); 2].map(|()| Function::new(&world.stack, "set-availability"));
    let (one, other) = tokio::join!(
        functions[0].respond(set(&rules, 1)),
        functions[1].respond(set(&rules, 1)),
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);

    rules["specialty"] = "cardiology".into();
    done(&world, "set-availability", set(&rules, 2)).await;
    let listed = done(&world, "list-providers", world.by_patient()).await;
    let id = practitioner.to_string();
    let mut listed = listed["providers"].as_array().unwrap().clone();
    listed.retain(|provider| provider["practitioner"] == *id);
    assert_eq!(
        listed.len(),
        1,
        "once, by the specialty of now: {listed:#?}"
    );
    assert_eq!(listed[0]["name"], "Dr. New");
    assert_eq!(listed[0]["specialty"], "cardiology");
    assert_eq!(listed[0]["locations"], json!(["Main Street"]));
    assert_eq!(listed[0]["appointment_types"][0]["minutes"], 30);
    assert!(
        listed[0].get("weekly").is_none(),
        "patients never see it raw"
    );

    for (name, value, found) in [
        ("specialty", "cardiology", true),
        ("specialty", "family-medicine", false),
        ("provider", &*id, true),
    ] {
        let day = day(hour(0));
        let request = world
            .by_patient()
            .query(name, value)
            .query("type", "visit")
            .query("modality", "in-person")
            .query("from", &day)
            .query("to", &day);
        let answer = done(&world, "list-open-slots", request).await;
        let slots = answer["slots"].as_array().unwrap();
        assert_eq!(
            slots.iter().any(|slot| slot["practitioner"] == *id),
            found,
            "{value}"
        );
    }
    let by_phone = world
        .by_patient()
        .query("provider", &id)
        .query("type", "visit")
        .query("modality", "phone")
        .query("from", &day(hour(0)))
        .query("to", &day(hour(0)));
    let answer = done(&world, "list-open-slots", by_phone).await;
    assert_eq!(answer, json!({"slots": [], "complete": true}));
}

#[tokio::test]
async fn what_is_booked_stays_when_hours_change() {
    let world = World::new().await;
    let start = free_hour();
    let id = world.booked(start).await;
    let set = |rules: &Value, version| versioned(world.by_provider(), version).json(rules);
    let answer = done(&world, "set-availability", set(&around_the_clock(), 1)).await;
    assert_eq!(answer["booked_outside"], json!([]));
    let answer = done(&world, "set-availability", set(&rules(&json!([])), 2)).await;
    let outside = json!([{"appointment": id, "start": start, "end": later(start, 30)}]);
    assert_eq!(answer["booked_outside"], outside);
    let get = world.by_patient().patient(world.patient).appointment(&id);
    assert_eq!(
        done(&world, "get-appointment", get).await["status"],
        "scheduled"
    );
    let cancel = world.step(&id).json(&json!({"reason": "other-plans"}));
    done(&world, "cancel-appointment", cancel).await;
    let answer = done(&world, "set-availability", set(&rules(&json!([])), 3)).await;
    assert_eq!(answer["booked_outside"], json!([]));
}

/// Both changes of the clock that come next, in the zone of the practice: 01:00 to 03:30 is an hour
/// and a half long in spring, and three and a half in autumn.
#[tokio::test]
async fn slots_follow_the_clock() {
    let world = World::new().await;
    let hours = json!([{"day": "sunday", "from": "01:00", "to": "03:30", "types": ["visit"]}]);
    let mut rules = rules(&hours);
    rules["start_every_minutes"] = 30.into();
    rules["appointment_types"][0]["buffer_after"] = 0.into();
    open(&world.stack, world.practitioner, &rules).await;
    let zone = TimeZone::get("America/New_York").unwrap();
    let changes: Vec<_> = zone.following(Timestamp::now()).take(2).collect();
    for change in changes {
        let date = change.timestamp().to_zoned(zone.clone()).date();
        let slots = slots(&world, world.practitioner, "visit", &date.to_string()).await;
        let count = if change.dst() == jiff::tz::Dst::Yes {
            3
        } else {
            7
        };
        assert_eq!(slots.len(), count, "{date}");
        assert!(
            slots
                .iter()
                .all(|slot| slot["time_zone"] == "America/New_York")
        );
    }
}

#[tokio::test]
async fn an_appointment_lives() {
    let world = World::new().await;
    let (start, other) = (free_hour(), free_hour());
    let patient = || world.by_patient().patient(world.patient);
    let held = done(
        &world,
        "hold-slot",
        patient().json(&world.slot("visit", start)),
    )
    .await;
    assert_eq!(held["start"], start.to_string());
    assert_eq!(held["end"], later(start, 30).to_string());
    nothing_is_orphaned(&world).await;

    let response = send(&world, "book-appointment", world.booking("visit", start)).await;
    assert_eq!((response.status.as_u16(), response.etag), (201, Some(1)));
    let booked = body(&response);
    let id = booked["id"].as_str().unwrap();
    assert_eq!(booked["status"], "scheduled");
    assert_eq!(booked["time_zone"], "America/New_York");
    assert_eq!(booked["practitioner_name"], "Dr. Somebody");
    assert_eq!(booked["reason"], REASON);
    let rows = taken(&world.stack).await;
    assert_eq!(rows.len(), 8 + 6, "of the provider and of the patient");
    nothing_is_orphaned(&world).await;

    let confirm = world.step_by_provider(id);
    assert_eq!(
        done(&world, "confirm-appointment", confirm).await["status"],
        "confirmed"
    );
    let step = |version| versioned(patient().appointment(id), version);
    let moved = step(2).json(&json!({"start": other}));
    let moved = done(&world, "reschedule-appointment", moved).await;
    assert_eq!(moved["start"], other.to_string());
    assert_eq!(
        (&moved["status"], &moved["sequence"]),
        (&json!("scheduled"), &json!(1))
    );
    nothing_is_orphaned(&world).await;
    // A quarter of an hour later, over its own time.
    let moved = step(3).json(&json!({"start": later(other, 15)}));
    done(&world, "reschedule-appointment", moved).await;
    assert_eq!(taken(&world.stack).await.len(), 8 + 6);
    nothing_is_orphaned(&world).await;

    let list = done(&world, "list-appointments", patient()).await;
    assert_eq!(list["appointments"].as_array().unwrap().len(), 1);
    let cancel = step(4).json(&json!({"reason": "unwell"}));
    done(&world, "cancel-appointment", cancel).await;
    assert!(taken(&world.stack).await.is_empty());
    let detail = done(&world, "get-appointment", patient().appointment(id)).await;
    let steps = detail["transitions"].as_array().unwrap();
    let told: Vec<_> = steps
        .iter()
        .map(|step| {
            (
                step["status"].as_str().unwrap(),
                step["acting"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("scheduled", "patient"),
        ("confirmed", "practice"),
        ("scheduled", "patient"),
        ("scheduled", "patient"),
        ("cancelled", "patient"),
    ];
    assert_eq!(told, expected);
    assert_eq!(steps[4]["reason"], "unwell");
    assert_eq!(steps[1]["by"], world.provider.to_string());
    assert_eq!(detail["sequence"], 3);
    // Somebody else comes instead.
    let comer = Comer::new(&world.stack).await;
    let booking = booking(&world, of(&comer), "visit", later(other, 15));
    done(&world, "book-appointment", booking).await;
}

#[tokio::test]
async fn a_hold_keeps_a_time_for_ten_minutes() {
    let world = World::new().await;
    let comer = Comer::new(&world.stack).await;
    let (start, other) = (free_hour(), free_hour());
    let hold = |start| {
        world
            .by_patient()
            .patient(world.patient)
            .json(&world.slot("visit", start))
    };
    let first = done(&world, "hold-slot", hold(start)).await;
    let until: Timestamp = first["until"].as_str().unwrap().parse().unwrap();
    let kept = until.duration_since(Timestamp::now());
    assert!(kept > SignedDuration::from_mins(9) && kept <= SignedDuration::from_mins(10));
    let theirs = || booking(&world, of(&comer), "visit", later(start, 20));
    let problem = refused(&world, "book-appointment", theirs(), 409, "slot-taken").await;
    let next = problem["next_slots"].as_array().unwrap();
    assert_eq!(next.len(), 3);
    assert_eq!(next[0]["start"], later(start, 40).to_string());
    // A patient has one: the second takes the place of the first, where they overlap too.
    done(&world, "hold-slot", hold(later(start, 10))).await;
    nothing_is_orphaned(&world).await;
    done(&world, "hold-slot", hold(other)).await;
    nothing_is_orphaned(&world).await;
    assert_eq!(taken(&world.stack).await.len(), 8);
    done(&world, "book-appointment", theirs()).await;

    // One that is over is nobody's.
    for mut row in world.stack.scan(Resource::ScheduleTable).await {
        if row["held_until"].is_object() {
            row["held_until"]["N"] = "1".into();
            world.stack.put(Resource::ScheduleTable, row).await;
        }
    }
    let another = Comer::new(&world.stack).await;
    let booking = booking(&world, of(&another), "visit", other);
    done(&world, "book-appointment", booking).await;
    // And the patient, whose hold it was, gets a new one.
    refused(&world, "hold-slot", hold(other), 409, "slot-taken").await;
    done(&world, "hold-slot", hold(free_hour())).await;
    nothing_is_orphaned(&world).await;
}

#[tokio::test]
async fn a_booking_is_made_once() {
    let world = World::new().await;
    let start = free_hour();
    let request = |by: Request, kind: &str, reason: &str| {
        let mut booking = world.slot(kind, start);
        booking["reason"] = reason.into();
        let by = by.patient(world.patient);
        by.header("idempotency-key", "one-key-for-all")
            .json(&booking)
    };
    let own = |kind, reason| request(world.by_patient(), kind, reason);
    let first = done(&world, "book-appointment", own("visit", "a cough")).await;
    let again = done(&world, "book-appointment", own("visit", "a cough")).await;
    assert_eq!(first, again);
    for other in [own("call", "a cough"), own("visit", "another cough")] {
        refused(&world, "book-appointment", other, 422, "key-used-before").await;
    }
    assert_eq!(taken(&world.stack).await.len(), 14);
    // The key of another account is another key.
    let theirs = request(world.by_provider(), "visit", "a cough");
    refused(&world, "book-appointment", theirs, 409, "slot-taken").await;
    // At once, the same request is made once as well.
    let start = free_hour();
    let function = Function::new(&world.stack, "book-appointment");
    let twice = || {
        let mut booking = world.slot("visit", start);
        booking["reason"] = "a cough".into();
        let by = world.by_patient().patient(world.patient);
        function.respond(
            by.header("idempotency-key", "a-key-sent-twice")
                .json(&booking),
        )
    };
    let answers = tokio::join!(twice(), twice(), twice());
    for answer in [&answers.0, &answers.1, &answers.2] {
        let told = body(answer);
        let fits = answer.status == 201 || told["type"] == "/problems/sent-twice";
        assert!(fits, "{told}");
    }
    assert_eq!(twice().await.status, 201);
    nothing_is_orphaned(&world).await;
}

/// The process is killed after the transaction, before the answer.
#[tokio::test]
async fn a_lost_answer_is_found_again() {
    let world = World::new().await;
    let start = free_hour();
    let request = || {
        let mut booking = world.slot("visit", start);
        booking["reason"] = "a cough".into();
        let by = world.by_patient().patient(world.patient);
        by.header("idempotency-key", "a-lost-answer").json(&booking)
    };
    let audit = world.stack.names[&Resource::AuditTable].clone();
    let recorder = Recorder::fated(move |call: &Call| {
        if call.resources.contains(&audit) {
            Fate::Unanswered
        } else {
            Fate::Answered
        }
    });
    let killed = Function::recorded(&world.stack, "book-appointment", recorder);
    let answer = tokio::time::timeout(Duration::from_millis(1500), killed.respond(request()));
    assert!(answer.await.is_err(), "nobody hears of it");
    assert_eq!(taken(&world.stack).await.len(), 14);
    let found = done(&world, "book-appointment", request()).await;
    assert_eq!(found["start"], start.to_string());
    assert_eq!(taken(&world.stack).await.len(), 14);
    nothing_is_orphaned(&world).await;
}

/// Transactions of others on the same items are waited for, and not forever.
#[tokio::test]
async fn a_transaction_that_is_overtaken_is_sent_again() {
    let world = World::new().await;
    for (times, status) in [(3, 201), (100, 503)] {
        let left = AtomicUsize::new(times);
        let recorder = Recorder::fated(move |call: &Call| {
            let sooner = call.actions.len() > 1
                && left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                        left.checked_sub(1)
                    })
                    .is_ok();
            if sooner {
                Fate::Cancelled("TransactionConflict")
            } else {
                Fate::Answered
            }
        });
        let book = Function::recorded(&world.stack, "book-appointment", recorder);
        let before = taken(&world.stack).await.len();
        let response = book.respond(world.booking("visit", free_hour())).await;
        assert_eq!(response.status, status, "{}", body(&response));
        let after = taken(&world.stack).await.len();
        assert_eq!(after - before, if status == 201 { 14 } else { 0 });
    }
    let records = world.stack.audit().await.into_iter();
    let booked = records.filter(|record| record["operation"] == "book-appointment");
    let outcomes: Vec<_> = booked.map(|record| record["outcome"].clone()).collect();
    assert_eq!(outcomes, ["success", "failure"]);
}

/// Only what speaks against the booking is a conflict; what passes may be tried again later, and what
/// does not pass is a defect.
#[tokio::test]
async fn a_transaction_is_cancelled_for_many_reasons() {
    let world = World::new().await;
    for (code, sent, status, retry_after) in [
        // Found and said anew, once; what is sent again for other reasons is so each time.
        ("ConditionalCheckFailed", 2, 409, None),
        ("TransactionConflict", 12, 503, Some(5)),
        ("ThrottlingError", 6, 503, Some(5)),
        ("ProvisionedThroughputExceeded", 6, 503, Some(5)),
        ("ValidationError", 1, 500, None),
        ("ItemCollectionSizeLimitExceeded", 1, 500, None),
    ] {
        let recorder = Recorder::fated(move |call: &Call| {
            if call.actions.len() > 1 {
                Fate::Cancelled(code)
            } else {
                Fate::Answered
            }
        });
        let book = Function::recorded(&world.stack, "book-appointment", recorder);
        let response = book.respond(world.booking("visit", free_hour())).await;
        assert_eq!(response.status, status, "{code}: {}", body(&response));
        assert_eq!(response.retry_after, retry_after, "{code}");
        let calls = book.recorder.calls().into_iter();
        let transactions = calls.filter(|call| call.actions.len() > 1).count();
        assert_eq!(transactions, sent, "{code}");
    }
    let records = world.stack.audit().await.into_iter();
    let booked = records.filter(|record| record["operation"] == "book-appointment");
    let outcomes: Vec<_> = booked.map(|record| record["outcome"].clone()).collect();
    let failure = "failure";
    assert_eq!(
        outcomes,
        ["invalid", failure, failure, failure, failure, failure]
    );
}

#[tokio::test]
async fn what_is_not_offered_is_not_booked() {
    let world = World::new().await;
    let hours = json!([{"day": "monday", "from": "09:00", "to": "10:00", "types": ["visit"]}]);
    let mut rules = rules(&hours);
    rules["time_zone"] = "UTC".into();
    rules["minimum_notice_minutes"] = 60.into();
    rules["horizon_days"] = 30.into();
    let monday = (0..7)
        .map(|days| hour(24 * days))
        .find(|day| day.to_zoned(TimeZone::UTC).weekday() == jiff::civil::Weekday::Monday)
        .unwrap();
    open(&world.stack, world.practitioner, &rules).await;
    let nine = later(monday, 9 * 60);
    let patient = || world.by_patient().patient(world.patient);
    let wrong = |start: Timestamp| world.slot("visit", start);
    let mut nobody = wrong(nine);
    nobody["practitioner"] = Uuid::new_v4().to_string().into();
    let mut unknown = wrong(nine);
    unknown["type"] = "surgery".into();
    for (slot, pointer) in [
        (nobody, "/practitioner"),
        (unknown, "/type"),
        (wrong(later(nine, 35)), "/start"),
        (wrong(later(nine, -5)), "/start"),
        (wrong(later(nine, 3)), "/start"),
        (wrong(later(nine, 24 * 60)), "/start"),
        (wrong(later(nine, -14 * 24 * 60)), "/start"),
        (wrong(later(nine, 35 * 24 * 60)), "/start"),
        (wrong(Timestamp::MAX), "/start"),
        (wrong(Timestamp::MIN), "/start"),
        (world.slot("call", nine), "/start"),
    ] {
        let answer = refused(
            &world,
            "hold-slot",
            patient().json(&slot),
            400,
            "invalid-input",
        )
        .await;
        assert_eq!(answer["errors"][0]["pointer"], pointer, "{slot}");
        let mut booking = slot.clone();
        booking["reason"] = REASON.into();
        let booking = keyed(patient()).json(&booking);
        let answer = refused(&world, "book-appointment", booking, 400, "invalid-input").await;
        assert_eq!(answer["errors"][0]["pointer"], pointer, "{slot}");
    }
    let booked = done(&world, "book-appointment", world.booking("visit", nine)).await;
    let id = booked["id"].as_str().unwrap();
    for start in [nine, later(nine, 35)] {
        let moved = world.step(id).json(&json!({"start": start}));
        refused(
            &world,
            "reschedule-appointment",
            moved,
            400,
            "invalid-input",
        )
        .await;
    }
    let zero = Uuid::nil().to_string();
    for id in [
        "reschedule-appointment",
        "cancel-appointment",
        "confirm-appointment",
    ] {
        let request = match id {
            "reschedule-appointment" => world.step_by_provider(&zero).json(&json!({"start": nine})),
            "cancel-appointment" => world
                .step_by_provider(&zero)
                .json(&json!({"reason": "other"})),
            _ => world.step_by_provider(&zero),
        };
        refused(&world, id, request, 404, "not-found").await;
    }
}

#[tokio::test]
async fn nobody_is_in_two_places() {
    let world = World::new().await;
    let (practitioner, _) = newcomer(&world).await;
    open(&world.stack, practitioner, &around_the_clock()).await;
    let start = free_hour();
    world.booked(start).await;
    let elsewhere = |start: Timestamp| json!({"practitioner": practitioner, "type": "visit", "start": start, "reason": REASON});
    let patient = || world.by_patient().patient(world.patient);
    let booking = keyed(patient()).json(&elsewhere(later(start, 25)));
    refused(
        &world,
        "book-appointment",
        booking,
        409,
        "appointment-overlaps",
    )
    .await;
    let mut slot = elsewhere(later(start, 25));
    slot.as_object_mut().unwrap().remove("reason");
    let hold = patient().json(&slot);
    refused(&world, "hold-slot", hold, 409, "appointment-overlaps").await;
    // The buffer is the provider's, not the patient's.
    let booking = keyed(patient()).json(&elsewhere(later(start, 30)));
    let other = done(&world, "book-appointment", booking).await;
    let moved = world
        .step(other["id"].as_str().unwrap())
        .json(&json!({"start": later(start, 15)}));
    refused(
        &world,
        "reschedule-appointment",
        moved,
        409,
        "appointment-overlaps",
    )
    .await;
    nothing_is_orphaned(&world).await;
}

#[tokio::test]
async fn those_who_have_died_are_not_booked() {
    let world = World::new().await;
    let resource = json!({
        "resourceType": "Patient", "id": "1", "deceasedBoolean": true,
        "name": [{"family": "Late"}],
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:m", "value": "d"}],
    });
    let late = Comer::of(&world.stack, &resource).await;
    let booking = booking(&world, of(&late), "visit", free_hour());
    let answer = refused(&world, "book-appointment", booking, 409, "patient-deceased").await;
    assert!(answer["detail"].as_str().unwrap().contains("sorry"));
    let hold = of(&late).json(&world.slot("visit", free_hour()));
    refused(&world, "hold-slot", hold, 409, "patient-deceased").await;
    done(&world, "list-appointments", of(&late)).await;
}

/// An operation of a practice with a policy of its own.
fn within(world: &World, id: &str, hours: u16) -> Service {
    let practice = Practice::new("America/New_York", 13, 18).unwrap();
    let aws = world
        .stack
        .aws_of(&Recorder::default(), practice.cancelling(hours));
    bootstrap::service(id).unwrap()(&aws).unwrap()
}

#[tokio::test]
async fn close_to_the_appointment_patients_call() {
    let world = World::new().await;
    let soon = Timestamp::from_second(Timestamp::now().as_second() / 300 * 300 + 3600).unwrap();
    // No midnight of the provider's is near.
    let mut rules = around_the_clock();
    let in_the_evening = soon
        .to_zoned(TimeZone::get("America/New_York").unwrap())
        .hour()
        >= 22;
    rules["time_zone"] = if in_the_evening {
        "Asia/Tokyo"
    } else {
        "America/New_York"
    }
    .into();
    open(&world.stack, world.practitioner, &rules).await;
    let id = world.booked(soon).await;
    let cancel = || world.step(&id).json(&json!({"reason": "other-plans"}));
    let moved = || world.step(&id).json(&json!({"start": free_hour()}));
    let answer = refused(&world, "cancel-appointment", cancel(), 409, "too-late").await;
    assert!(
        answer["detail"]
            .as_str()
            .unwrap()
            .contains("call the practice")
    );
    refused(&world, "reschedule-appointment", moved(), 409, "too-late").await;
    // Another practice is not so strict.
    let lenient = within(&world, "reschedule-appointment", 0);
    assert_eq!(lenient.respond(moved()).await.unwrap().status, 200);
    let strict = within(&world, "cancel-appointment", 720);
    let far = world.booked(free_hour()).await;
    let request = || world.step(&far).json(&json!({"reason": "other-plans"}));
    assert_eq!(strict.respond(request()).await.unwrap().status, 409);
    // The practice itself may at any time.
    let by_practice = world
        .step_by_provider(&far)
        .json(&json!({"reason": "provider-unavailable"}));
    assert_eq!(strict.respond(by_practice).await.unwrap().status, 200);
}

#[tokio::test]
async fn proxies_act_if_appointments_were_granted() {
    let world = World::new().await;
    let (with, _) = world.granted("with@example.org", &["appointments"]).await;
    let (without, _) = world
        .granted("without@example.org", &["profile", "lab-results"])
        .await;
    let start = free_hour();
    let by = |account| signed_in(account, Role::Patient).patient(world.patient);
    let request = booking(&world, by(without), "visit", start);
    refused(&world, "book-appointment", request, 404, "not-found").await;
    let request = booking(&world, by(with), "visit", start);
    let booked = done(&world, "book-appointment", request).await;
    let id = booked["id"].as_str().unwrap();
    let detail = done(&world, "get-appointment", by(with).appointment(id)).await;
    assert_eq!(detail["transitions"][0]["acting"], "proxy");
    let confirm = versioned(by(with).appointment(id), 1);
    refused(&world, "confirm-appointment", confirm, 404, "not-found").await;
    let cancel = versioned(by(with).appointment(id), 1).json(&json!({"reason": "other-plans"}));
    done(&world, "cancel-appointment", cancel).await;
    let record = world.stack.audit().await.pop().unwrap();
    assert_eq!(record["acting_for"], world.patient.to_string());
    assert_eq!(record["resource"], *id);
}

/// Whom an appointment is with looks after it and sees nothing else of the patient.
#[tokio::test]
async fn an_appointment_is_its_providers_too() {
    let world = World::new().await;
    let (practitioner, by) = newcomer(&world).await;
    open(&world.stack, practitioner, &around_the_clock()).await;
    let start = free_hour();
    let slot =
        json!({"practitioner": practitioner, "type": "visit", "start": start, "reason": REASON});
    // Nobody books themselves into a patient whom they do not treat.
    let request = keyed(again(&by).patient(world.patient)).json(&slot);
    refused(&world, "book-appointment", request, 404, "not-found").await;
    let request = keyed(world.by_provider().patient(world.patient)).json(&slot);
    let booked = done(&world, "book-appointment", request).await;
    let id = booked["id"].as_str().unwrap();
    let not_theirs = world.booked(free_hour()).await;
    let theirs = |id: &str| again(&by).patient(world.patient).appointment(id);
    let detail = done(&world, "get-appointment", theirs(id)).await;
    assert_eq!(detail["reason"], REASON);
    let record = world.stack.audit().await.pop().unwrap();
    assert_eq!(record["via"], "appointment");
    done(&world, "confirm-appointment", versioned(theirs(id), 1)).await;
    for (operation, request) in [
        ("get-appointment", theirs(&not_theirs)),
        ("confirm-appointment", versioned(theirs(&not_theirs), 1)),
        ("list-appointments", again(&by).patient(world.patient)),
        ("get-profile", again(&by).patient(world.patient)),
        ("list-lab-results", again(&by).patient(world.patient)),
    ] {
        refused(&world, operation, request, 404, "not-found").await;
    }
    let cancel = versioned(theirs(id), 2).json(&json!({"reason": "practice-closed"}));
    done(&world, "cancel-appointment", cancel).await;
    refused(&world, "get-appointment", theirs(id), 404, "not-found").await;

    // It ends by itself, and the next booking sweeps up what is over.
    let tie = json!({
        "pk": {"S": format!("PATIENT#{}", world.patient)},
        "sk": {"S": format!("CONTEXT#APPOINTMENT#{id}")},
        "practitioner": {"S": practitioner},
        "until": {"S": "2026-01-01T00:00:00Z"},
    });
    world.stack.put(Resource::PatientsTable, tie).await;
    refused(&world, "get-appointment", theirs(id), 404, "not-found").await;
    world.booked(free_hour()).await;
    let rows = world.stack.items(Resource::PatientsTable).await.into_iter();
    let key = format!("CONTEXT#APPOINTMENT#{id}");
    assert!(rows.map(|row| row["sk"].clone()).all(|sk| sk != *key));
}

#[tokio::test]
async fn the_practice_says_how_it_went() {
    let world = World::new().await;
    let visit = json!({"notes": VISIT_NOTES, "summary": SUMMARY});
    let id = world.booked(free_hour()).await;
    let at = |id: &str, version| {
        let by = world.by_provider().patient(world.patient).appointment(id);
        versioned(by, version)
    };
    // Not before it has begun.
    let early = at(&id, 1).json(&visit);
    refused(
        &world,
        "complete-appointment",
        early,
        409,
        "appointment-not-begun",
    )
    .await;
    refused(
        &world,
        "mark-no-show",
        at(&id, 1),
        409,
        "appointment-not-begun",
    )
    .await;
    refused(
        &world,
        "confirm-appointment",
        at(&id, 7),
        412,
        "changed-meanwhile",
    )
    .await;
    done(&world, "confirm-appointment", at(&id, 1)).await;
    refused(
        &world,
        "confirm-appointment",
        at(&id, 2),
        409,
        "appointment-status",
    )
    .await;

    let id = world.begun().await;
    let own = || world.by_patient().patient(world.patient).appointment(&id);
    let patients = versioned(own(), 1).json(&visit);
    refused(&world, "complete-appointment", patients, 404, "not-found").await;
    let completed = done(&world, "complete-appointment", at(&id, 1).json(&visit)).await;
    assert_eq!(completed["notes"], VISIT_NOTES);
    let seen = done(&world, "get-appointment", own()).await;
    assert_eq!(seen["summary"], SUMMARY);
    assert_eq!(seen["status"], "completed");
    assert!(seen.get("notes").is_none(), "notes are for those who treat");
    // What is over is over.
    let cancel = at(&id, 2).json(&json!({"reason": "other"}));
    refused(
        &world,
        "cancel-appointment",
        cancel,
        409,
        "appointment-status",
    )
    .await;
    let moved = at(&id, 2).json(&json!({"start": free_hour()}));
    refused(
        &world,
        "reschedule-appointment",
        moved,
        409,
        "appointment-status",
    )
    .await;
    refused(
        &world,
        "mark-no-show",
        at(&id, 2),
        409,
        "appointment-status",
    )
    .await;

    let id = world.begun().await;
    assert_eq!(
        done(&world, "mark-no-show", at(&id, 1)).await["status"],
        "no-show"
    );
    let late = at(&id, 2).json(&visit);
    refused(
        &world,
        "complete-appointment",
        late,
        409,
        "appointment-status",
    )
    .await;
    let past = world
        .by_patient()
        .patient(world.patient)
        .query("when", "past");
    let past = done(&world, "list-appointments", past).await;
    let statuses = past["appointments"].as_array().unwrap().iter();
    let mut statuses: Vec<_> = statuses
        .map(|one| one["status"].as_str().unwrap())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["completed", "no-show"]);
}

#[tokio::test]
async fn lists_are_paged() {
    let world = World::new().await;
    let comer = Comer::new(&world.stack).await;
    let first = free_hour();
    for (at, who) in [(0, true), (60, false), (120, true), (180, true)] {
        let by = if who {
            of(&comer)
        } else {
            world.by_patient().patient(world.patient)
        };
        let request = booking(&world, by, "visit", later(first, at));
        done(&world, "book-appointment", request).await;
    }
    let mut starts = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut request = of(&comer).query("limit", "1");
        if let Some(cursor) = &cursor {
            request = request.query("cursor", cursor);
        }
        let page = done(&world, "list-appointments", request).await;
        starts.extend(
            page["appointments"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["start"].clone()),
        );
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        match &cursor {
            Some(cursor) if starts.len() == 1 => {
                // A place among those to come is none among those that are over.
                let other = of(&comer).query("when", "past").query("cursor", cursor);
                refused(&world, "list-appointments", other, 400, "invalid-input").await;
            }
            Some(_) => {}
            None => break,
        }
    }
    let expected = [0, 120, 180].map(|at| json!(later(first, at)));
    assert_eq!(starts, expected);

    let mut names = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut request = world
            .by_provider()
            .query("from", &day(later(first, -24 * 60)))
            .query("to", &day(later(first, 24 * 60)))
            .query("limit", "3");
        if let Some(cursor) = &cursor {
            request = request.query("cursor", cursor);
        }
        let page = done(&world, "list-schedule", request).await;
        for one in page["appointments"].as_array().unwrap() {
            names.push((
                one["name"].as_str().unwrap().to_owned(),
                one["start"].clone(),
            ));
            assert_eq!(one["reason"], REASON);
        }
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names[1].0.contains("Wiegand") && names[0].0.contains("Comer"));
    // Nobody else's schedule.
    let (_, by) = newcomer(&world).await;
    let request = by.query("from", &day(first)).query("to", &day(first));
    let page = done(&world, "list-schedule", request).await;
    assert_eq!(page["appointments"], json!([]));
}

#[tokio::test]
async fn queries_name_what_is_wrong() {
    let world = World::new().await;
    let id = world.practitioner.to_string();
    let right = [
        ("provider", &*id),
        ("type", "visit"),
        ("from", "2027-01-01"),
        ("to", "2027-01-14"),
    ];
    let query = |by: Request, changed: &[(&str, &str)]| {
        let kept = right
            .iter()
            .filter(|(name, _)| changed.iter().all(|(other, _)| other != name));
        let all = kept.chain(changed).filter(|(_, value)| !value.is_empty());
        all.fold(by, |request, (name, value)| request.query(name, value))
    };
    for (changed, pointer) in [
        (&[("to", "2027-01-15")][..], "query/to"),
        (&[("to", "2026-12-31")], "query/to"),
        (&[("from", "yesterday")], "query/from"),
        (&[("to", "2027-02-30")], "query/to"),
        (&[("type", "A Visit")], "query/type"),
        (&[("type", "")], "query"),
        (&[("modality", "telepathy")], "query/modality"),
        (&[("provider", "me")], "query/provider"),
        (&[("specialty", "cardiology")], "query"),
        (&[("provider", "")], "query"),
    ] {
        let request = query(world.by_patient(), changed);
        let answer = refused(&world, "list-open-slots", request, 400, "invalid-input").await;
        assert_eq!(answer["errors"][0]["pointer"], pointer, "{changed:?}");
    }
    for (from, to, pointer) in [
        ("2027-01-01", "2027-01-08", "query/to"),
        ("2027-01-01", "2026-12-31", "query/to"),
        ("now", "2027-01-02", "query/from"),
    ] {
        let request = world.by_provider().query("from", from).query("to", to);
        let answer = refused(&world, "list-schedule", request, 400, "invalid-input").await;
        assert_eq!(answer["errors"][0]["pointer"], pointer);
    }
    let request = world
        .by_patient()
        .patient(world.patient)
        .query("when", "soon");
    let answer = refused(&world, "list-appointments", request, 400, "invalid-input").await;
    assert_eq!(answer["errors"][0]["pointer"], "query/when");
    // Every wrong field of a document is named.
    let mut rules = around_the_clock();
    rules["start_every_minutes"] = 7.into();
    rules["weekly"][2]["to"] = "00:00".into();
    let request = versioned(world.by_provider(), 1).json(&rules);
    let answer = refused(&world, "set-availability", request, 400, "invalid-input").await;
    let errors = answer["errors"].as_array().unwrap().iter();
    let pointers: Vec<_> = errors
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/start_every_minutes", "/weekly/2/to"]);
}

/// Those who make appointments for themselves have so many at most, however many they ask for at once.
#[tokio::test(flavor = "multi_thread")]
async fn patients_have_so_many_appointments() {
    let world = World::new().await;
    let comer = Comer::new(&world.stack).await;
    let practice = || {
        let practice = Practice::new("America/New_York", 5, 18).unwrap();
        practice.booking_at_most(3)
    };
    let service = |id: &str| {
        let aws = world.stack.aws_of(&Recorder::default(), practice());
        bootstrap::service(id).unwrap()(&aws).unwrap()
    };
    let book = service("book-appointment");
    let booking = |by: Request| booking(&world, by, "visit", free_hour());
    let all = (0..8).map(|_| book.respond(booking(of(&comer))));
    let answers = futures_util::future::join_all(all).await;
    let mut ids = Vec::new();
    for answer in answers {
        let answer = answer.unwrap();
        let told = body(&answer);
        if answer.status == 201 {
            ids.push(told["id"].as_str().unwrap().to_owned());
        } else {
            assert_eq!(told["type"], "/problems/too-many-appointments", "{told}");
        }
    }
    assert_eq!(ids.len(), 3);
    nothing_is_orphaned(&world).await;
    let hold = of(&comer).json(&world.slot("visit", free_hour()));
    let answer = service("hold-slot").respond(hold).await.unwrap();
    assert_eq!(body(&answer)["type"], "/problems/too-many-appointments");
    // Moving one takes no other, and cancelling one makes room.
    let step = |version| versioned(of(&comer).appointment(&ids[0]), version);
    let moved = step(1).json(&json!({"start": free_hour()}));
    done(&world, "reschedule-appointment", moved).await;
    let full = book.respond(booking(of(&comer))).await.unwrap();
    assert_eq!(full.status, 409);
    let cancel = step(2).json(&json!({"reason": "other"}));
    done(&world, "cancel-appointment", cancel).await;
    let again = book.respond(booking(of(&comer))).await.unwrap();
    assert_eq!(again.status, 201, "{}", body(&again));
    // What is over counts no more.
    for mut row in world.stack.scan(Resource::ScheduleTable).await {
        if row["sk"]["S"] == "ROSTER#APPOINTMENTS" {
            let over = format!("2026-01-01T00:00:00.000Z#{}", Uuid::nil());
            row["places"] = json!({"SS": [over, row["places"]["SS"][0], row["places"]["SS"][1]]});
            world.stack.put(Resource::ScheduleTable, row).await;
        }
    }
    for status in [201, 409] {
        let answer = book.respond(booking(of(&comer))).await.unwrap();
        assert_eq!(answer.status, status, "{}", body(&answer));
    }
    // The practice makes as many as it sees fit.
    for _ in 0..4 {
        let by = world.by_provider().patient(world.patient);
        let answer = book.respond(booking(by)).await.unwrap();
        assert_eq!(answer.status, 201, "{}", body(&answer));
    }
}

#[tokio::test]
async fn the_dashboard_shows_the_next_three() {
    let world = World::new().await;
    let patient = || world.by_patient().patient(world.patient);
    let empty = done(&world, "get-dashboard", patient()).await;
    assert_eq!(empty["appointments"], json!([]));
    let summary = || world.by_provider().patient(world.patient);
    let before = done(&world, "get-patient-summary", summary()).await;
    assert!(before.get("next_appointment").is_none());
    world.begun().await;
    let mut starts: Vec<_> = (0..5).map(|_| free_hour()).collect();
    starts.sort_unstable();
    let mut ids = Vec::new();
    for start in starts.iter().rev() {
        ids.insert(0, world.booked(*start).await);
    }
    let cancel = world.step(&ids[1]).json(&json!({"reason": "other-plans"}));
    done(&world, "cancel-appointment", cancel).await;
    done(
        &world,
        "confirm-appointment",
        world.step_by_provider(&ids[2]),
    )
    .await;
    let next = |dashboard: &Value| -> Vec<String> {
        let next = dashboard["appointments"].as_array().unwrap().iter();
        next.map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let dashboard = done(&world, "get-dashboard", patient()).await;
    let three = [&*ids[0], &*ids[2], &*ids[3]];
    assert_eq!(next(&dashboard), three);
    assert_eq!(dashboard["appointments"][0]["reason"], REASON);
    let summary = done(&world, "get-patient-summary", summary()).await;
    assert_eq!(summary["next_appointment"]["id"], *ids[0]);
    // A proxy sees them whom the patient let.
    let shown = ["profile", "lab-results", "prescriptions"];
    let (without, _) = world.granted("without@example.org", &shown).await;
    let all = [&shown[..], &["appointments"]].concat();
    let (with, _) = world.granted("with@example.org", &all).await;
    let by = |account| signed_in(account, Role::Patient).patient(world.patient);
    let dashboard = done(&world, "get-dashboard", by(without)).await;
    assert!(dashboard.get("appointments").is_none());
    let dashboard = done(&world, "get-dashboard", by(with)).await;
    assert_eq!(next(&dashboard), three);
}

/// Parents make the appointments of a child, and those of an adolescent without hearing what for.
#[tokio::test]
async fn parents_of_adolescents_keep_the_appointments() {
    let world = World::new().await;
    let mut grant = world.grant("parent@example.org", &["profile", "appointments"]);
    grant.claims = world.by_provider().claims;
    let mut asked: Value = serde_json::from_slice(&grant.body).unwrap();
    asked["relationship"] = "parent".into();
    asked.as_object_mut().unwrap().remove("until");
    let granted = done(&world, "grant-proxy", grant.json(&asked)).await;
    let (_, parent) = world.stack.proxy_row(granted["id"].as_str().unwrap()).await;
    assert_eq!(granted["state"], "active");
    assert_eq!(granted["in_effect"], json!(["appointments"]));
    let by = || signed_in(parent, Role::Patient).patient(world.patient);
    // The patient was born in 2020: a child here, and an adolescent where the tests' practice is.
    let among_children = |id: &str| {
        let practice = Practice::new("America/New_York", 13, 18).unwrap();
        let aws = world.stack.aws_of(&Recorder::default(), practice);
        bootstrap::service(id).unwrap()(&aws).unwrap()
    };
    let request = booking(&world, by(), "visit", free_hour());
    let booked = among_children("book-appointment").respond(request).await;
    let booked = body(&booked.unwrap());
    assert_eq!(booked["reason"], REASON);
    let id = booked["id"].as_str().unwrap();
    let get = || by().appointment(id);
    let detail = among_children("get-appointment").respond(get()).await;
    assert_eq!(body(&detail.unwrap())["reason"], REASON);

    let start = Timestamp::from_second(Timestamp::now().as_second() / 300 * 300).unwrap();
    world
        .stack
        .begins(world.patient, id, later(start, -60))
        .await;
    let visit = json!({"notes": VISIT_NOTES, "summary": SUMMARY});
    let complete = versioned(
        world.by_provider().patient(world.patient).appointment(id),
        1,
    );
    done(&world, "complete-appointment", complete.json(&visit)).await;
    let detail = done(&world, "get-appointment", get()).await;
    assert_eq!(detail["status"], "completed");
    for hidden in ["reason", "summary", "notes"] {
        assert!(detail.get(hidden).is_none(), "{hidden}");
    }
    // They go on making them.
    let request = booking(&world, by(), "visit", free_hour());
    let next = done(&world, "book-appointment", request).await;
    assert!(next.get("reason").is_none());
    let id = next["id"].as_str().unwrap();
    let list = done(&world, "list-appointments", by()).await;
    assert_eq!(list["appointments"][0]["id"], *id);
    assert!(!list.to_string().contains(REASON));
    let moved = versioned(by().appointment(id), 1).json(&json!({"start": free_hour()}));
    let moved = done(&world, "reschedule-appointment", moved).await;
    assert!(moved.get("reason").is_none());
    let cancel = versioned(by().appointment(id), 2).json(&json!({"reason": "other-plans"}));
    done(&world, "cancel-appointment", cancel).await;
    let day = day(free_hour());
    let wish = json!({"practitioner": world.practitioner, "type": "visit", "from": day, "to": day});
    done(&world, "join-waitlist", keyed(by()).json(&wish)).await;
    for closed in [
        "get-profile",
        "get-dashboard",
        "list-lab-results",
        "list-documents",
    ] {
        refused(&world, closed, by(), 404, "not-found").await;
    }
    let patients = signed_in(parent, Role::Patient);
    let patients = done(&world, "list-proxied-patients", patients).await;
    assert_eq!(
        patients["patients"][0]["categories"],
        json!(["appointments"])
    );
    // The patient and the practice read on.
    let own = world.by_patient().patient(world.patient).appointment(id);
    assert_eq!(done(&world, "get-appointment", own).await["reason"], REASON);
}

/// Who has no account comes all the same: the practice makes the appointment.
#[tokio::test]
async fn patients_without_an_account_are_booked_by_the_practice() {
    let world = World::new().await;
    let patient = world.stack.sample("Noel_Reynolds").await;
    let practitioner = *world.stack.care_team(patient).await.first().unwrap();
    let whose = Whose::Practitioner(practitioner);
    let provider = world.stack.account(Role::Provider, whose).await;
    open(&world.stack, practitioner, &around_the_clock()).await;
    let by = || signed_in(provider, Role::Provider).patient(patient);
    let slot = json!({
        "practitioner": practitioner, "type": "visit", "start": free_hour(), "reason": REASON,
    });
    let booked = done(&world, "book-appointment", keyed(by()).json(&slot)).await;
    let id = booked["id"].as_str().unwrap();
    let detail = done(&world, "get-appointment", by().appointment(id)).await;
    assert_eq!(detail["transitions"][0]["acting"], "practice");
    done(
        &world,
        "confirm-appointment",
        versioned(by().appointment(id), 1),
    )
    .await;
    // Nobody else's account is theirs.
    let other = world.by_patient().patient(patient).appointment(id);
    refused(&world, "get-appointment", other, 404, "not-found").await;
    let cancel = versioned(by().appointment(id), 2).json(&json!({"reason": "asked-by-patient"}));
    done(&world, "cancel-appointment", cancel).await;
    nothing_is_orphaned(&world).await;
}
