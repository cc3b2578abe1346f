//! Reminders: of what takes place, once for each lead, by the way that the patient chose, and without a
//! word of what it is about.

use crate::harness::function::Function;
use crate::harness::mail::{mails, texts};
use crate::harness::recorder::{Call, Fate, Recorder};
use crate::harness::request::{With, signed_in};
use crate::harness::schedule::{Comer, hour, later};
use crate::harness::world::{REASON, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::Request;
use uuid::Uuid;

const TEXT: &str = "You have an appointment. Sign in to see it.";

/// The reminders, by a clock that stands still.
fn reminders(world: &World, now: Timestamp) -> Function {
    recorded(world, now, Recorder::default())
}

fn recorded(world: &World, now: Timestamp, recorder: Recorder) -> Function {
    let aws = world.stack.aws(&recorder);
    let service = send_reminders::service_at(&aws, move || now).unwrap();
    Function::of(recorder, service)
}

/// Runs them: how many were sent, and how many failed.
async fn run(world: &World, now: Timestamp) -> (u64, u64) {
    counted(&reminders(world, now)).await
}

async fn counted(function: &Function) -> (u64, u64) {
    let answer = function
        .handle(json!({"source": "aws.events"}))
        .await
        .unwrap();
    assert_eq!(answer["complete"], true);
    let count = |name: &str| answer[name].as_u64().unwrap();
    (count("sent"), count("failed"))
}

fn before(start: Timestamp, hours: i64) -> Timestamp {
    start - SignedDuration::from_hours(hours)
}

/// So many days from now at 15:00 UTC: in New York people are up.
fn afternoon(days: i64) -> Timestamp {
    hour(days * 24 + 15)
}

/// Somebody with an address of their own, and an account that the portal knows of.
async fn somebody(world: &World) -> (Comer, String) {
    let address = format!("{}@example.org", Uuid::new_v4().simple());
    let comer = Comer::of(&world.stack, &person(&address)).await;
    account_of(world, &comer).await;
    (comer, address)
}

fn person(address: &str) -> Value {
    json!({
        "resourceType": "Patient", "id": "1", "birthDate": "1980-01-02", "gender": "female",
        "name": [{"family": "Comer", "given": ["A"]}],
        "telecom": [{"system": "email", "value": address}],
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:m", "value": "m"}],
    })
}

async fn account_of(world: &World, comer: &Comer) {
    let row = json!({
        "pk": {"S": format!("ACCOUNT-OF#{}", comer.patient)},
        "sk": {"S": "ACCOUNT"},
        "account": {"S": comer.account.to_string()},
    });
    world.stack.put(Resource::PatientsTable, row).await;
}

fn of(comer: &Comer) -> Request {
    signed_in(comer.account, Role::Patient).patient(comer.patient)
}

async fn booked(world: &World, comer: &Comer, start: Timestamp) -> String {
    let mut booking = world.slot("visit", start);
    booking["reason"] = REASON.into();
    let request = of(comer)
        .header("idempotency-key", &Uuid::new_v4().to_string())
        .json(&booking);
    let answer = world.done("book-appointment", request).await;
    answer["id"].as_str().unwrap().to_owned()
}

async fn chosen(world: &World, comer: &Comer, choice: Value) {
    let request = of(comer).header("if-match", "\"0\"").json(&choice);
    world.done("update-profile", request).await;
}

#[tokio::test]
async fn everybody_is_reminded_once_by_the_way_they_chose() {
    let world = World::new().await;
    let start = afternoon(12);
    let (by_mail, address) = somebody(&world).await;
    let (by_text, other_address) = somebody(&world).await;
    let (by_nothing, third_address) = somebody(&world).await;
    let (without_account, fourth_address) = somebody(&world).await;
    let digits = Uuid::new_v4().as_u128() % 10_000_000;
    let number = format!("+1617{digits:07}");
    let (head, tail) = number.split_at(5);
    chosen(
        &world,
        &by_text,
        json!({
            "phone": format!("{head} {tail}"), "preferred_language": "es",
            "notifications": {"appointments": "sms"},
        }),
    )
    .await;
    let none = json!({"notifications": {"appointments": "none"}});
    chosen(&world, &by_nothing, none).await;
    let comers = [by_mail, by_text, by_nothing, without_account];
    for (at, comer) in comers.iter().enumerate() {
        let start = later(start, 60 * i64::try_from(at).unwrap());
        booked(&world, comer, start).await;
    }
    let link = json!({
        "TableName": world.stack.names[&Resource::PatientsTable],
        "Key": {"pk": {"S": format!("ACCOUNT-OF#{}", without_account.patient)}, "sk": {"S": "ACCOUNT"}},
    });
    world.stack.dynamodb("DeleteItem", link).await;

    assert_eq!(
        run(&world, before(start, 24 * 8)).await,
        (0, 0),
        "too early"
    );
    // Two runs at once, and another after them.
    let now = before(start, 24 * 7 - 4);
    let functions = [(); 2].map(|()| reminders(&world, now));
    let (one, other) = tokio::join!(counted(&functions[0]), counted(&functions[1]));
    assert_eq!((one.0 + other.0, one.1 + other.1), (2, 0));
    assert_eq!(run(&world, now).await, (0, 0));
    let english = ("Appointment reminder".to_owned(), format!("{TEXT}\n"));
    assert_eq!(
        mails(&world.stack, &address).await,
        std::slice::from_ref(&english)
    );
    let spanish = "Tiene una cita. Inicie sesión para verla.";
    assert_eq!(texts(&world.stack, &number).await, [spanish]);
    // A day before, once more.
    assert_eq!(run(&world, before(start, 24 - 4)).await, (2, 0));
    assert_eq!(run(&world, before(start, 24 - 5)).await, (0, 0));
    assert_eq!(mails(&world.stack, &address).await.len(), 2);
    assert_eq!(texts(&world.stack, &number).await.len(), 2);
    for address in [&other_address, &third_address, &fourth_address] {
        assert!(mails(&world.stack, address).await.is_empty());
    }
    assert_eq!(run(&world, later(start, 600)).await, (0, 0), "over");

    // Each is an access to the patient's contact details.
    let records = world.stack.audit().await;
    let of_patient = |comer: &Comer| {
        let patient = comer.patient.to_string();
        let mut records = records.clone();
        records.retain(|one| one["operation"] == "send-reminders" && one["patient"] == *patient);
        records
    };
    let about = of_patient(&by_mail);
    assert_eq!(about.len(), 2);
    assert_eq!(about[0]["outcome"], "success");
    assert_eq!(about[0]["via"], "service");
    assert!(about[0]["resource"].is_string());
    assert!(
        of_patient(&without_account).is_empty(),
        "nothing was opened"
    );
    let told = Value::from(records).to_string();
    assert!(!told.contains("@example.org") && !told.contains(&number[2..]));
}

#[tokio::test]
async fn nobody_is_reminded_of_what_does_not_take_place_then() {
    let world = World::new().await;
    let (comer, address) = somebody(&world).await;
    let request = |id: &str| of(&comer).appointment(id).header("if-match", "\"1\"");
    let cancelled = booked(&world, &comer, afternoon(12)).await;
    let cancel = request(&cancelled).json(&json!({"reason": "other-plans"}));
    world.done("cancel-appointment", cancel).await;
    let moved = booked(&world, &comer, afternoon(14)).await;
    let move_it = request(&moved).json(&json!({"start": afternoon(16)}));
    world.done("reschedule-appointment", move_it).await;
    for start in [afternoon(12), afternoon(14)] {
        assert_eq!(run(&world, before(start, 24 * 7)).await, (0, 0));
        assert_eq!(run(&world, before(start, 23)).await, (0, 0));
    }
    // The index is behind the appointment.
    let behind = json!({
        "TableName": world.stack.names[&Resource::ScheduleTable],
        "Key": {
            "pk": {"S": format!("PATIENT#{}", comer.patient)},
            "sk": {"S": format!("APPOINTMENT#{cancelled}")},
        },
        "UpdateExpression": "SET #day = :day",
        "ExpressionAttributeNames": {"#day": "day"},
        "ExpressionAttributeValues": {":day": {"S": afternoon(12).strftime("%Y-%m-%d").to_string()}},
    });
    world.stack.dynamodb("UpdateItem", behind).await;
    assert_eq!(run(&world, before(afternoon(12), 23)).await, (0, 0));
    assert!(mails(&world.stack, &address).await.is_empty());
    assert_eq!(run(&world, before(afternoon(16), 23)).await, (1, 0));

    // Whoever made it this week needs no reminder a week before.
    let (late, address) = somebody(&world).await;
    let soon = afternoon(3);
    booked(&world, &late, soon).await;
    assert_eq!(run(&world, before(soon, 24 * 7 - 1)).await, (0, 0));
    assert_eq!(run(&world, before(soon, 23)).await, (1, 0));
    assert_eq!(mails(&world.stack, &address).await.len(), 1);

    // Nor does anybody write to those who have died.
    let (dead, address) = somebody(&world).await;
    booked(&world, &dead, afternoon(20)).await;
    let mut resource = person(&address);
    resource["deceasedBoolean"] = true.into();
    dead.becomes(&world.stack, &resource).await;
    assert_eq!(run(&world, before(afternoon(20), 23)).await, (0, 0));
    assert!(mails(&world.stack, &address).await.is_empty());
}

/// A child has no account: their parent signs in, and is reached as the child's record says.
#[tokio::test]
async fn whoever_acts_for_a_patient_can_sign_in_instead() {
    let world = World::new().await;
    let start = afternoon(12);
    world.booked(start).await;
    let address = format!("{}@example.org", Uuid::new_v4().simple());
    let change = world
        .by_patient()
        .patient(world.patient)
        .header("if-match", "\"0\"");
    let change = change.json(&json!({"email": address}));
    world.done("update-profile", change).await;
    assert_eq!(run(&world, before(start, 24 * 7 - 1)).await, (0, 0));
    world.granted("near@example.org", &["appointments"]).await;
    assert_eq!(run(&world, before(start, 23)).await, (1, 0));
    assert_eq!(mails(&world.stack, &address).await.len(), 1);
}

#[tokio::test]
async fn phones_are_silent_at_night() {
    let world = World::new().await;
    let (comer, _) = somebody(&world).await;
    // Two or three o'clock in New York.
    let start = hour(12 * 24 + 7);
    booked(&world, &comer, start).await;
    assert_eq!(run(&world, before(start, 24)).await, (0, 0));
    assert_eq!(run(&world, before(start, 24 - 4)).await, (0, 0));
    assert_eq!(run(&world, before(start, 24 - 6)).await, (1, 0));
}

#[tokio::test]
async fn a_failure_is_made_up_for_and_nothing_is_sent_twice() {
    let world = World::new().await;
    let (comer, address) = somebody(&world).await;
    let start = afternoon(12);
    booked(&world, &comer, start).await;
    let now = before(start, 23);
    let by = |action: &'static str| move |call: &Call| call.actions == [action];
    let audit = world.stack.names[&Resource::AuditTable].clone();
    let patient = comer.patient.to_string();
    let to_record =
        move |call: &Call| call.resources.contains(&audit) && call.body.contains(&patient);
    for recorder in [
        Recorder::failing(by("ses:SendEmail")),
        Recorder::failing(by("kms:Decrypt")),
        Recorder::failing(to_record),
    ] {
        let function = recorded(&world, now, recorder);
        assert_eq!(counted(&function).await, (0, 1));
        assert!(mails(&world.stack, &address).await.is_empty());
    }
    let records = world.stack.audit().await;
    let patient = comer.patient.to_string();
    let failures = records.iter().filter(|record| {
        record["operation"] == "send-reminders"
            && record["patient"] == *patient
            && record["outcome"] == "failure"
    });
    assert!(failures.count() >= 2);
    assert_eq!(run(&world, now).await, (1, 0));
    assert_eq!(run(&world, now).await, (0, 0));
    assert_eq!(mails(&world.stack, &address).await.len(), 1);

    // What may have arrived is not sent again.
    let (other, address) = somebody(&world).await;
    booked(&world, &other, later(start, -60)).await;
    let unanswered = Recorder::fated(|call| match call.actions.as_slice() {
        [action] if action == "ses:SendEmail" => Fate::Unanswered,
        _ => Fate::Answered,
    });
    let function = recorded(&world, now, unanswered);
    assert_eq!(counted(&function).await, (0, 1));
    assert_eq!(run(&world, now).await, (0, 0));
    assert!(mails(&world.stack, &address).await.len() <= 1);
    // One that fails keeps nobody else from being reminded.
    let (third, address) = somebody(&world).await;
    booked(&world, &third, later(start, -120)).await;
    let (fourth, broken) = somebody(&world).await;
    booked(&world, &fourth, later(start, -180)).await;
    let fails = broken.clone();
    let recorder = Recorder::failing(move |call| call.body.contains(&fails));
    assert_eq!(counted(&recorded(&world, now, recorder)).await, (1, 1));
    assert_eq!(mails(&world.stack, &address).await.len(), 1);
    assert_eq!(run(&world, now).await, (1, 0));
    assert_eq!(mails(&world.stack, &broken).await.len(), 1);
}
