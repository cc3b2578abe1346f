//! Providers who can be booked, patients who come, and times to book.

use super::Stack;
use super::recorder::Recorder;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::api::availability::{Availability, Provider};
use shared::aws::Resource;
use shared::ids::{AccountId, PatientId, PractitionerId};
use shared::phi::{DataKeys, Place, seal};
use shared::store::schedule::FOR_WAITLIST;
use std::sync::atomic::{AtomicI64, Ordering};
use uuid::Uuid;

/// Open around the clock, for visits of half an hour that take ten minutes more, for long ones and
/// for short calls.
pub fn around_the_clock() -> Value {
    let days = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let types = ["visit", "long", "call"];
    let hours = |day: &&str| json!({"day": day, "from": "00:00", "to": "24:00", "types": types});
    json!({
        "specialty": "family-medicine",
        "time_zone": "America/New_York",
        "minimum_notice_minutes": 0,
        "horizon_days": 365,
        "start_every_minutes": 5,
        "appointment_types": [
            {"code": "visit", "name": "Office visit", "minutes": 30, "buffer_after": 10,
             "modality": "in-person"},
            {"code": "long", "name": "Long visit", "minutes": 90, "buffer_before": 10,
             "modality": "in-person"},
            {"code": "call", "name": "Call", "minutes": 10, "modality": "phone"},
        ],
        "weekly": days.iter().map(hours).collect::<Vec<_>>(),
        "exceptions": [],
    })
}

/// What set-availability would have stored.
pub async fn open(stack: &Stack, practitioner: PractitionerId, rules: &Value) {
    let availability: Availability = serde_json::from_value(rules.clone()).unwrap();
    let name = Some("Dr. Somebody".to_owned());
    let provider = Provider::new(practitioner, name, &availability);
    let row = json!({
        "pk": {"S": format!("PRACTITIONER#{practitioner}")},
        "sk": {"S": "AVAILABILITY"},
        "version": {"N": "1"},
        "name": {"S": "Dr. Somebody"},
        "json": {"S": rules.to_string()},
    });
    stack.put(Resource::ScheduleTable, row).await;
    let listed = json!({
        "pk": {"S": "PROVIDERS"},
        "sk": {"S": format!("{}#{practitioner}", provider.specialty)},
        "json": {"S": serde_json::to_string(&provider).unwrap()},
    });
    stack.put(Resource::ScheduleTable, listed).await;
}

/// An hour that begins so many hours after the next midnight in UTC but one.
pub fn hour(number: i64) -> Timestamp {
    let day = 24 * 60 * 60;
    let today = Timestamp::now().as_second() / day;
    Timestamp::from_second((today + 2) * day + number * 3600).unwrap()
}

/// An hour that no test of this process has had yet, in two hours that nobody else has. The provider's
/// midnight, which no appointment crosses, is not in them, nor in the two that follow.
pub fn free_hour() -> Timestamp {
    static NEXT: AtomicI64 = AtomicI64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let (day, slot) = (next / 9 % 330, next % 9);
    hour(day * 24 + 6 + slot * 2)
}

/// The day of an instant, as a query names it.
pub fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// The same some minutes later.
pub fn later(at: Timestamp, minutes: i64) -> Timestamp {
    at + SignedDuration::from_mins(minutes)
}

/// Somebody who can be a patient of the practice's without a file of the record system.
#[derive(Debug, Clone, Copy)]
pub struct Comer {
    pub patient: PatientId,
    pub account: AccountId,
}

impl Comer {
    pub async fn new(stack: &Stack) -> Self {
        let resource = json!({
            "resourceType": "Patient", "id": "1", "birthDate": "1980-01-02", "gender": "female",
            "name": [{"family": "Comer", "given": ["A"]}],
            "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:m", "value": "m"}],
        });
        Self::of(stack, &resource).await
    }

    /// One with another Patient resource.
    pub async fn of(stack: &Stack, resource: &Value) -> Self {
        let comer = Self {
            patient: PatientId::new(Uuid::new_v4()),
            account: AccountId::new(Uuid::new_v4()),
        };
        let (_, wrapped) = keys(stack).create(comer.patient).await.unwrap();
        let key = json!({
            "pk": {"S": format!("PATIENT#{}", comer.patient)}, "sk": {"S": "CONTEXT#KEY"},
            "wrapped": {"B": STANDARD.encode(wrapped)},
        });
        stack.put(Resource::PatientsTable, key).await;
        comer.becomes(stack, resource).await;
        let account = json!({
            "pk": {"S": format!("ACCOUNT#{}", comer.account)},
            "role": {"S": "patient"},
            "status": {"S": "active"},
            "patient": {"S": comer.patient.to_string()},
        });
        stack.put(Resource::AccountsTable, account).await;
        comer
    }

    /// The practice's record system says something else of them.
    pub async fn becomes(&self, stack: &Stack, resource: &Value) {
        let pk = format!("PATIENT#{}", self.patient);
        let rows = stack.scan(Resource::PatientsTable).await.into_iter();
        let mut rows = rows.filter(|row| row["pk"]["S"] == *pk);
        let row = rows.find(|row| row["sk"]["S"] == "CONTEXT#KEY").unwrap();
        let wrapped = STANDARD.decode(row["wrapped"]["B"].as_str().unwrap());
        let key = keys(stack).unwrap(self.patient, &wrapped.unwrap()).await;
        let place = Place {
            table: "patients",
            pk: &pk,
            sk: "CONTEXT#PROFILE",
            attribute: "sealed",
        };
        let sealed = seal(&key.unwrap(), &place, resource.to_string().as_bytes()).unwrap();
        let profile = json!({
            "pk": {"S": pk}, "sk": {"S": "CONTEXT#PROFILE"}, "import_state": {"S": "complete"},
            "sealed": {"B": STANDARD.encode(sealed)},
        });
        stack.put(Resource::PatientsTable, profile).await;
    }
}

fn keys(stack: &Stack) -> DataKeys {
    let kms = stack.aws(&Recorder::default()).kms().clone();
    DataKeys::new(kms, stack.names[&Resource::PhiKey].clone())
}

/// Who takes which five minutes of whom, holds that are over left out, and what is kept for whoever is
/// next on the waitlist: partition, time, taker.
pub async fn taken(stack: &Stack) -> Vec<(String, String, String)> {
    let now = Timestamp::now().as_second();
    let rows = stack.items(Resource::ScheduleTable).await.into_iter();
    let mut taken: Vec<_> = rows
        .filter(|row| {
            let until = row["held_until"]
                .as_str()
                .map(|at| at.parse::<i64>().unwrap());
            until.is_none_or(|until| now < until) && row["taken_by"] != FOR_WAITLIST.to_string()
        })
        .filter_map(|row| {
            let text = |name: &str| row[name].as_str().map(str::to_owned);
            let time = text("sk")?.strip_prefix("TAKEN#")?.to_owned();
            Some((text("pk")?, time, text("taken_by")?))
        })
        .collect();
    taken.sort();
    taken
}

/// What the appointments that take place, and the holds and offers that last, should take.
pub async fn claimed(stack: &Stack) -> Vec<(String, String, String)> {
    let now = Timestamp::now();
    let mut claimed = Vec::new();
    let mut claim = |pk: String, from: &Value, to: &Value, by: &str| {
        let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
        let (mut at, to) = (time(from), time(to));
        while at < to {
            claimed.push((pk.clone(), shared::store::sortable(at), by.to_owned()));
            at = later(at, 5);
        }
    };
    for row in stack.items(Resource::ScheduleTable).await {
        let (pk, sk) = (row["pk"].as_str().unwrap(), row["sk"].as_str().unwrap());
        let provider = format!(
            "PRACTITIONER#{}",
            row["practitioner"].as_str().unwrap_or_default()
        );
        if let Some(id) = sk.strip_prefix("APPOINTMENT#") {
            if row["status"] != "cancelled" {
                claim(provider, &row["busy_from"], &row["busy_to"], id);
                claim(pk.to_owned(), &row["start"], &row["end"], id);
            }
        } else if let Some((provider, offer)) = offered(&row, now) {
            let id = offer["id"].as_str().unwrap();
            claim(provider, &offer["busy_from"], &offer["busy_to"], id);
        } else if sk == "HOLD" {
            let until: i64 = row["held_until"].as_str().unwrap().parse().unwrap();
            if now.as_second() < until {
                let id = row["hold_id"].as_str().unwrap();
                claim(provider, &row["busy_from"], &row["busy_to"], id);
            }
        }
    }
    claimed.sort();
    claimed
}

/// The provider of an offer on the waitlist that lasts, and the offer.
fn offered(row: &Value, now: Timestamp) -> Option<(String, Value)> {
    let place: Value = serde_json::from_str(row["json"].as_str()?).unwrap();
    let offer = place["offered"].as_object()?;
    let until: Timestamp = offer["until"].as_str()?.parse().unwrap();
    let provider = offer["slot"]["practitioner"].as_str()?;
    (now < until).then(|| (format!("PRACTITIONER#{provider}"), json!(offer)))
}
