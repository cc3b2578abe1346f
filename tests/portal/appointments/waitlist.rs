//! Who waits gets what becomes free: in turn, one at a time, and nothing is lost on the way.

use super::{booking, done, keyed, newcomer, nothing_is_orphaned, of, refused, rules, versioned};
use crate::harness::Whose;
use crate::harness::function::Function;
use crate::harness::mail::{mails, texts};
use crate::harness::recorder::Recorder;
use crate::harness::request::{With, body, signed_in};
use crate::harness::schedule::{Comer, claimed, day, hour, open, taken};
use crate::harness::world::{REASON, World};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::Request;
use shared::ids::PractitionerId;
use uuid::Uuid;

/// A provider with half an hour a day, and that of one day.
struct Office {
    world: World,
    practitioner: PractitionerId,
    start: Timestamp,
    by: Request,
}

impl Office {
    async fn new() -> Self {
        let world = World::new().await;
        let (practitioner, by) = newcomer(&world).await;
        let days = [
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
            "sunday",
        ];
        let hours = days.map(
            |day| json!({"day": day, "from": "09:00", "to": "09:30", "types": ["visit", "call"]}),
        );
        let mut rules = rules(&json!(hours));
        rules["specialty"] = "podiatry".into();
        rules["start_every_minutes"] = 30.into();
        open(&world.stack, practitioner, &rules).await;
        let slots = super::slots(&world, practitioner, "visit", &day(hour(24))).await;
        let start = slots[0]["start"].as_str().unwrap().parse().unwrap();
        Self {
            world,
            practitioner,
            start,
            by,
        }
    }

    /// Somebody who can be written to.
    async fn comer(&self) -> (Comer, String) {
        let address = format!("{}@example.org", Uuid::new_v4().simple());
        let person = json!({
            "resourceType": "Patient", "id": "1", "birthDate": "1980-01-02",
            "name": [{"family": "Comer", "given": ["A"]}],
            "telecom": [{"system": "email", "value": address}],
            "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:m", "value": "m"}],
        });
        let comer = Comer::of(&self.world.stack, &person).await;
        let whose = Whose::Patient(comer.patient);
        let account = self.world.stack.account_at(&address, Role::Patient, whose);
        let account = account.await;
        (Comer { account, ..comer }, address)
    }

    fn wish(&self) -> Value {
        let day = day(self.start);
        json!({"practitioner": self.practitioner, "type": "visit", "from": day, "to": day})
    }

    async fn joins(&self, comer: &Comer, wish: &Value) -> String {
        let request = keyed(of(comer)).json(wish);
        let place = done(&self.world, "join-waitlist", request).await;
        place["id"].as_str().unwrap().to_owned()
    }

    fn booking(&self, comer: &Comer) -> Request {
        let mut request = booking(&self.world, of(comer), "visit", self.start);
        let mut slot: Value = serde_json::from_slice(&request.body).unwrap();
        slot["practitioner"] = json!(self.practitioner);
        request = request.json(&slot);
        request
    }

    async fn books(&self, comer: &Comer) -> String {
        let booked = done(&self.world, "book-appointment", self.booking(comer)).await;
        booked["id"].as_str().unwrap().to_owned()
    }

    async fn cancels(&self, comer: &Comer, id: &str) {
        let cancel = versioned(of(comer).appointment(id), 1);
        let cancel = cancel.json(&json!({"reason": "other-plans"}));
        done(&self.world, "cancel-appointment", cancel).await;
    }

    /// How many times a run of the schedule offers.
    async fn offers(&self) -> u64 {
        self.offers_by(Timestamp::now).await
    }

    async fn offers_by(&self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> u64 {
        let recorder = Recorder::default();
        let aws = self.world.stack.aws(&recorder);
        let service = offer_openings::service_at(&aws, clock).unwrap();
        let function = Function::of(recorder, service);
        let answer = function.handle(json!({"source": "aws.events"})).await;
        let answer = answer.unwrap();
        assert_eq!(answer["failed"], 0, "{answer}");
        answer["offered"].as_u64().unwrap()
    }

    /// What is offered to each of somebody's places, in their turn.
    async fn offered(&self, comer: &Comer) -> Vec<Value> {
        let list = done(&self.world, "list-waitlist", of(comer)).await;
        let places = list["places"].as_array().unwrap().iter();
        places
            .map(|place| place["offer"]["start"].clone())
            .collect()
    }

    async fn is_refused(&self, comer: &Comer) {
        let request = self.booking(comer);
        refused(&self.world, "book-appointment", request, 409, "slot-taken").await;
    }

    /// Only tests turn the clock on: what is offered now is over.
    async fn lapse(&self) {
        let stack = &self.world.stack;
        for mut row in stack.scan(Resource::ScheduleTable).await {
            let Some(json) = row["json"]["S"].as_str() else {
                continue;
            };
            let mut place: Value = serde_json::from_str(json).unwrap();
            if place["offered"].is_object() {
                place["offered"]["until"] = "2026-01-01T00:00:00Z".into();
                row["json"] = json!({"S": place.to_string()});
                stack.put(Resource::ScheduleTable, row).await;
            }
        }
    }

    /// And what was kept for the next in turn is over as well.
    async fn forget(&self) {
        let stack = &self.world.stack;
        for mut row in stack.scan(Resource::ScheduleTable).await {
            if row["held_until"].is_object() {
                row["held_until"]["N"] = "1".into();
                stack.put(Resource::ScheduleTable, row).await;
            }
        }
    }
}

/// Whoever chose text messages hears by one, and not at night.
#[tokio::test]
async fn an_offer_is_told_by_the_way_that_was_chosen() {
    let office = Office::new().await;
    let world = &office.world;
    let (by_text, address) = office.comer().await;
    let number = format!("+1617{:07}", Uuid::new_v4().as_u128() % 10_000_000);
    let (head, tail) = number.split_at(5);
    let choice = json!({
        "phone": format!("{head} {tail}"), "preferred_language": "es",
        "notifications": {"appointments": "sms"},
    });
    let request = of(&by_text).header("if-match", "\"0\"").json(&choice);
    done(world, "update-profile", request).await;
    office.joins(&by_text, &office.wish()).await;
    let zone = jiff::tz::TimeZone::get("America/New_York").unwrap();
    let today = Timestamp::now().to_zoned(zone.clone()).date();
    let at = |hour| {
        let then = today.at(hour, 0, 0, 0).to_zoned(zone.clone()).unwrap();
        then.timestamp()
    };
    let (night, noon) = (at(3), at(12));
    assert_eq!(office.offers_by(move || night).await, 0);
    assert_eq!(office.offered(&by_text).await, [Value::Null]);
    assert!(texts(&world.stack, &number).await.is_empty());
    assert_eq!(office.offers_by(move || noon).await, 1);
    let text = "Se ha liberado una hora. Inicie sesión para verla.";
    assert_eq!(texts(&world.stack, &number).await, [text]);
    assert!(mails(&world.stack, &address).await.is_empty());
}

#[tokio::test]
async fn a_freed_time_is_offered_in_turn() {
    let office = Office::new().await;
    let world = &office.world;
    let holder = Comer::new(&world.stack).await;
    let [(late, _), (first, address), (second, other)] = [
        office.comer().await,
        office.comer().await,
        office.comer().await,
    ];
    let id = office.books(&holder).await;
    let mut afternoon = office.wish();
    afternoon["after"] = "12:00".into();
    office.joins(&late, &afternoon).await;
    let mut by_phone = office.wish();
    by_phone["type"] = "call".into();
    by_phone["before"] = "09:05".into();
    office.joins(&late, &by_phone).await;
    let place = office.joins(&first, &office.wish()).await;
    // Any podiatrist will do.
    let mut any = office.wish();
    any.as_object_mut().unwrap().remove("practitioner");
    any["specialty"] = "podiatry".into();
    any["modality"] = "in-person".into();
    office.joins(&second, &any).await;
    assert_eq!(office.offers().await, 0, "nothing is free");

    // Until the next run it is kept for them.
    office.cancels(&holder, &id).await;
    office.is_refused(&holder).await;
    assert_eq!(office.offers().await, 1);
    assert_eq!(office.offered(&first).await, [json!(office.start)]);
    assert_eq!(office.offered(&second).await, [Value::Null]);
    assert_eq!(office.offered(&late).await, [Value::Null, Value::Null]);
    assert_eq!(taken(&world.stack).await, claimed(&world.stack).await);
    let told = mails(&world.stack, &address).await;
    let expected = (
        "A time has become free".to_owned(),
        "A time has become free. Sign in to see it.\n".to_owned(),
    );
    assert_eq!(told, [expected]);
    let records = world.stack.audit().await;
    let mut about = records.iter().filter(|one| one["patient"].is_string());
    let offer = about.find(|one| one["action"] == "waitlist.offer").unwrap();
    assert_eq!(offer["patient"], first.patient.to_string());
    assert_eq!(offer["resource"], *place);
    assert_eq!(offer["via"], "service");

    // It is offered once, to one.
    assert_eq!(office.offers().await, 0);
    assert!(mails(&world.stack, &other).await.is_empty());
    office.is_refused(&second).await;
    office.books(&first).await;
    assert_eq!(office.offered(&first).await, [] as [Value; 0]);
    assert_eq!(office.offers().await, 0);
    nothing_is_orphaned(world).await;
}

#[tokio::test]
async fn an_offer_that_is_not_taken_goes_to_the_next() {
    let office = Office::new().await;
    let world = &office.world;
    let (first, second) = (office.comer().await.0, office.comer().await.0);
    let holder = Comer::new(&world.stack).await;
    let id = office.books(&holder).await;
    let place = office.joins(&first, &office.wish()).await;
    office.joins(&second, &office.wish()).await;
    office.cancels(&holder, &id).await;
    assert_eq!(office.offers().await, 1);
    office.lapse().await;
    // Nobody gets in between.
    office.is_refused(&holder).await;
    office.is_refused(&first).await;
    assert_eq!(office.offered(&first).await, [Value::Null]);
    assert_eq!(office.offers().await, 1);
    assert_eq!(office.offered(&second).await, [json!(office.start)]);
    assert_eq!(office.offered(&first).await, [Value::Null]);
    nothing_is_orphaned(world).await;

    // Whoever let it go is not offered it again; then it is everybody's.
    office.lapse().await;
    assert_eq!(office.offers().await, 0);
    office.forget().await;
    assert_eq!(office.offers().await, 0);
    let id = office.books(&holder).await;
    // Who leaves passes on what is offered to them.
    let third = office.comer().await.0;
    let leaves = office.joins(&third, &office.wish()).await;
    office.cancels(&holder, &id).await;
    let fourth = office.comer().await.0;
    office.joins(&fourth, &office.wish()).await;
    assert_eq!(office.offers().await, 1);
    let mut leave = of(&third);
    leave.path.push(("place".to_owned(), leaves));
    done(world, "leave-waitlist", leave).await;
    office.is_refused(&holder).await;
    assert_eq!(office.offers().await, 1);
    assert_eq!(office.offered(&fourth).await, [json!(office.start)]);
    assert_eq!(office.offered(&third).await, [] as [Value; 0]);
    // Nobody gives up what is somebody else's.
    let mut leave = of(&third);
    leave.path.push(("place".to_owned(), place));
    refused(world, "leave-waitlist", leave, 404, "not-found").await;
    nothing_is_orphaned(world).await;
}

/// A hold that runs out frees a time as well, and so does an appointment that moves away.
#[tokio::test]
async fn whatever_frees_a_time_fills_the_gap() {
    let office = Office::new().await;
    let world = &office.world;
    let (first, second) = (office.comer().await.0, office.comer().await.0);
    let holder = Comer::new(&world.stack).await;
    let slot = json!({"practitioner": office.practitioner, "type": "visit", "start": office.start});
    done(world, "hold-slot", of(&holder).json(&slot)).await;
    office.joins(&first, &office.wish()).await;
    assert_eq!(office.offers().await, 0);
    office.forget().await;
    assert_eq!(office.offers().await, 1);
    let id = office.books(&first).await;

    // To the next day, and somebody who has an appointment then moves to the time that was freed.
    let next = office.start + SignedDuration::from_hours(24);
    let move_to = |comer: &Comer, id: &str, start: Timestamp, version| {
        versioned(of(comer).appointment(id), version).json(&json!({"start": start}))
    };
    let after = office.start + SignedDuration::from_hours(48);
    let mut later = slot.clone();
    (later["start"], later["reason"]) = (json!(next), REASON.into());
    let booked = keyed(of(&second)).json(&later);
    let theirs = done(world, "book-appointment", booked).await;
    let theirs = theirs["id"].as_str().unwrap();
    office.joins(&second, &office.wish()).await;
    let request = move_to(&first, &id, after, 1);
    done(world, "reschedule-appointment", request).await;
    office.is_refused(&holder).await;
    assert_eq!(office.offers().await, 1);
    let request = move_to(&second, theirs, office.start, 1);
    done(world, "reschedule-appointment", request).await;
    assert_eq!(office.offered(&second).await, [] as [Value; 0]);
    nothing_is_orphaned(world).await;
}

/// Runs that meet offer a time once, and a place gets one time.
#[tokio::test(flavor = "multi_thread")]
async fn one_time_is_offered_once() {
    let office = Office::new().await;
    let holder = Comer::new(&office.world.stack).await;
    let id = office.books(&holder).await;
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let (comer, _) = office.comer().await;
        office.joins(&comer, &office.wish()).await;
        waiting.push(comer);
    }
    office.cancels(&holder, &id).await;
    let made = join_all((0..6).map(|_| office.offers())).await;
    assert_eq!(made.iter().sum::<u64>(), 1, "{made:?}");
    assert_eq!(office.offered(&waiting[0]).await, [json!(office.start)]);
    for comer in &waiting[1..] {
        assert_eq!(office.offered(comer).await, [Value::Null]);
    }
    // Those who want it at once: one of them may have it.
    let book = Function::new(&office.world.stack, "book-appointment");
    let answers = waiting
        .iter()
        .map(|comer| book.respond(office.booking(comer)));
    let statuses: Vec<_> = join_all(answers)
        .await
        .iter()
        .map(|one| one.status.as_u16())
        .collect();
    assert_eq!(statuses, [201, 409, 409, 409]);
    nothing_is_orphaned(&office.world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_places_each() {
    let office = Office::new().await;
    let world = &office.world;
    let (comer, _) = office.comer().await;
    let join = Function::new(&world.stack, "join-waitlist");
    let all = (0..10).map(|_| join.respond(keyed(of(&comer)).json(&office.wish())));
    let answers = join_all(all).await;
    let made = answers.iter().filter(|one| one.status == 201).count();
    assert_eq!(made, 5);
    for answer in answers.iter().filter(|one| one.status != 201) {
        assert_eq!(body(answer)["type"], "/problems/too-many-places");
    }
    let list = done(world, "list-waitlist", of(&comer)).await;
    let places = list["places"].as_array().unwrap();
    assert_eq!(places.len(), 5);
    assert_eq!(places[0]["type"], "visit");
    let mut leave = of(&comer);
    let id = places[0]["id"].as_str().unwrap().to_owned();
    leave.path.push(("place".to_owned(), id));
    done(world, "leave-waitlist", leave).await;

    let key = |wish: &Value| of(&comer).header("idempotency-key", "one-place").json(wish);
    let first = done(world, "join-waitlist", key(&office.wish())).await;
    let again = done(world, "join-waitlist", key(&office.wish())).await;
    assert_eq!(first, again);
    let mut other = office.wish();
    other["type"] = "call".into();
    refused(world, "join-waitlist", key(&other), 422, "key-used-before").await;
}

#[tokio::test]
async fn who_may_wait_for_what() {
    let office = Office::new().await;
    let world = &office.world;
    let (comer, _) = office.comer().await;
    let day = day(office.start);
    for (name, value, pointer) in [
        ("practitioner", json!(Uuid::new_v4()), "/practitioner"),
        ("type", json!("surgery"), "/type"),
        ("modality", json!("video"), "/type"),
        ("to", json!("2020-01-01"), "/to"),
        ("to", json!("2999-01-01"), "/to"),
        ("from", json!("yesterday"), "/from"),
        ("after", json!("25:00"), "/after"),
        ("specialty", json!("podiatry"), ""),
        ("practitioner", Value::Null, ""),
    ] {
        let mut wish = office.wish();
        wish[name] = value;
        let request = keyed(of(&comer)).json(&wish);
        let answer = refused(world, "join-waitlist", request, 400, "invalid-input").await;
        assert_eq!(answer["errors"][0]["pointer"], pointer, "{wish}");
    }
    let mut wish = office.wish();
    wish["after"] = "12:00".into();
    wish["before"] = "09:00".into();
    let request = keyed(of(&comer)).json(&wish);
    let answer = refused(world, "join-waitlist", request, 400, "invalid-input").await;
    assert_eq!(answer["errors"][0]["pointer"], "/before");
    let past = json!({"practitioner": office.practitioner, "type": "visit",
        "from": "2020-01-01", "to": "2020-01-02"});
    let request = keyed(of(&comer)).json(&past);
    let answer = refused(world, "join-waitlist", request, 400, "invalid-input").await;
    assert_eq!(answer["errors"][0]["pointer"], "/to");
    let nobody = json!({"specialty": "alchemy", "type": "visit", "from": day, "to": day});
    let request = keyed(of(&comer)).json(&nobody);
    let answer = refused(world, "join-waitlist", request, 400, "invalid-input").await;
    assert_eq!(answer["errors"][0]["pointer"], "/specialty");

    let dead = json!({
        "resourceType": "Patient", "id": "1", "deceasedBoolean": true,
        "name": [{"family": "Late"}],
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:m", "value": "d"}],
    });
    let late = Comer::of(&world.stack, &dead).await;
    let request = keyed(of(&late)).json(&office.wish());
    refused(world, "join-waitlist", request, 409, "patient-deceased").await;

    // Patients wait for themselves, or a proxy for them; the care team sees it.
    let (with, grant) = world.granted("waits@example.org", &["appointments"]).await;
    let (without, _) = world.granted("waits-not@example.org", &["profile"]).await;
    let by = |account| signed_in(account, Role::Patient).patient(world.patient);
    for (by, status) in [
        (by(with), 201),
        (by(without), 404),
        (of(&comer), 201),
        (world.by_provider().patient(world.patient), 404),
    ] {
        let join = Function::new(&world.stack, "join-waitlist");
        let answer = join.respond(keyed(by).json(&office.wish())).await;
        assert_eq!(answer.status, status, "{}", body(&answer));
    }
    let seen = world.by_provider().patient(world.patient);
    let seen = done(world, "list-waitlist", seen).await;
    assert_eq!(seen["places"].as_array().unwrap().len(), 1);

    // Their own waitlist shows providers who waits, in turn, page by page.
    let mut names = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut request = super::again(&office.by).query("limit", "1");
        if let Some(cursor) = &cursor {
            request = request.query("cursor", cursor);
        }
        let page = done(world, "list-waiting-patients", request).await;
        for one in page["waiting"].as_array().unwrap() {
            names.push(one["name"].as_str().unwrap().to_owned());
        }
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert!(
        names[0].contains("Wiegand") && names[1].contains("Comer"),
        "{names:?}"
    );
    assert_eq!(names.len(), 2);
    let others = done(world, "list-waiting-patients", world.by_provider()).await;
    assert_eq!(others["waiting"], json!([]));

    // A proxy whose grant ended hears nothing more, and is in nobody's way.
    let revoke = world.by_patient().patient(world.patient).proxy(grant);
    done(world, "revoke-proxy", revoke).await;
    assert_eq!(office.offers().await, 1);
    assert_eq!(office.offered(&comer).await, [json!(office.start)]);
    assert_eq!(mails(&world.stack, "waits@example.org").await.len(), 0);
}
