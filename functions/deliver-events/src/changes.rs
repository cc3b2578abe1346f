//! What the streams of the tables tell: keys of rows that changed
//! (<https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>), and what each means.

use serde_json::Value;
use shared::api::events::Event;
use shared::ids::{AccountId, PatientId, RecordId};

/// A change that somebody is to hear of.
pub(crate) struct Change {
    /// Where in its shard it stands.
    pub(crate) position: String,
    /// The stream's own id of it, which stays the same however often it is told.
    pub(crate) source: String,
    pub(crate) event: Event,
    /// Who wrote the message, where it is one.
    pub(crate) sender: Option<AccountId>,
    /// Which results are new, where it is about results.
    pub(crate) results: Vec<RecordId>,
}

/// The changes of a batch. Results come by the hundred: of all that a batch has of one patient, there
/// is one event.
pub(crate) fn read(batch: &Value) -> Vec<Change> {
    let records = batch.get("Records").and_then(Value::as_array);
    let mut changes: Vec<Change> = Vec::new();
    for change in records.into_iter().flatten().filter_map(change) {
        let is_result = matches!(change.event, Event::ResultNew { .. });
        let mut known = changes.iter_mut();
        match known.find(|known| is_result && known.event == change.event) {
            Some(known) => known.results.extend(change.results),
            None => changes.push(change),
        }
    }
    changes
}

fn change(record: &Value) -> Option<Change> {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    let kind = text("/eventName")?;
    let pk = text("/dynamodb/Keys/pk/S")?;
    let sk = text("/dynamodb/Keys/sk/S")?;
    let (event, result) = meaning(kind, pk, sk)?;
    Some(Change {
        position: text("/dynamodb/SequenceNumber")?.to_owned(),
        source: text("/eventID")?.to_owned(),
        sender: sender(sk),
        event,
        results: result.into_iter().collect(),
    })
}

fn sender(sk: &str) -> Option<AccountId> {
    let (sender, _) = sk.strip_prefix("SENT#")?.split_once('#')?;
    sender.parse().ok()
}

fn meaning(kind: &str, pk: &str, sk: &str) -> Option<(Event, Option<RecordId>)> {
    if kind == "REMOVE" {
        return None;
    }
    if let Some(thread) = pk.strip_prefix("THREAD#") {
        let (patient, thread) = thread.split_once('#')?;
        let (patient, thread) = (patient.parse().ok()?, thread.parse().ok()?);
        let event = match sk.strip_prefix("READ#") {
            Some(party) => Event::MessageRead {
                patient,
                thread,
                party: party.parse().ok()?,
            },
            None if sk.starts_with("SENT#") => Event::MessageNew { patient, thread },
            None => return None,
        };
        return Some((event, None));
    }
    let patient: PatientId = pk.strip_prefix("PATIENT#")?.parse().ok()?;
    if let Some(appointment) = sk.strip_prefix("APPOINTMENT#") {
        let appointment = appointment.parse().ok()?;
        let event = Event::AppointmentChanged {
            patient,
            appointment,
        };
        return Some((event, None));
    }
    let (_, result) = sk.strip_prefix("LAB#")?.rsplit_once('#')?;
    // A result that was there before is a corrected one, or the same again.
    (kind == "INSERT").then_some(())?;
    Some((Event::ResultNew { patient }, Some(result.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PATIENT: &str = "3b0e8f6a-52c4-4d1b-8a8e-6f0a4c9d2e01";
    const OTHER: &str = "c0a8012e-5f1d-4b7a-9c33-7d2e41f0a6b5";

    fn record(kind: &str, pk: &str, sk: &str) -> Value {
        json!({"eventID": sk, "eventName": kind, "dynamodb": {
            "SequenceNumber": "1", "Keys": {"pk": {"S": pk}, "sk": {"S": sk}}}})
    }

    fn told(records: &[Value]) -> Vec<Value> {
        let changes = read(&json!({"Records": records}));
        let events = changes.iter().map(|change| &change.event);
        events.map(|event| json!(event)).collect()
    }

    #[test]
    fn keys_say_what_happened() {
        let thread = format!("THREAD#{PATIENT}#{OTHER}");
        let patient = format!("PATIENT#{PATIENT}");
        let records = [
            record("INSERT", &thread, "MESSAGE#00000000000000000001"),
            record("INSERT", &thread, &format!("SENT#{OTHER}#abc")),
            record("MODIFY", &thread, "READ#providers"),
            record("MODIFY", &patient, &format!("THREAD#{OTHER}")),
            record("MODIFY", &patient, &format!("APPOINTMENT#{OTHER}")),
            record("REMOVE", &patient, &format!("APPOINTMENT#{OTHER}")),
            record(
                "MODIFY",
                &patient,
                &format!("LAB#2024-01-02T00:00:00.000Z#{OTHER}"),
            ),
            record(
                "INSERT",
                &patient,
                &format!("VITALS#2024-01-02T00:00:00.000Z#{OTHER}"),
            ),
            record("INSERT", "PROVIDERS", "LAB#x"),
            json!({}),
        ];
        assert_eq!(
            told(&records),
            [
                json!({"type": "message.new", "patient": PATIENT, "thread": OTHER}),
                json!({"type": "message.read", "patient": PATIENT, "thread": OTHER,
                    "party": "providers"}),
                json!({"type": "appointment.changed", "patient": PATIENT, "appointment": OTHER}),
            ]
        );
    }

    #[test]
    fn results_of_one_patient_are_one_event() {
        let [one, other] = [PATIENT, OTHER].map(|patient| format!("PATIENT#{patient}"));
        let result = |id| format!("LAB#2024-01-02T00:00:00.000Z#{id}");
        let records = [
            record("INSERT", &one, &result(PATIENT)),
            record("INSERT", &other, &result(OTHER)),
            record("INSERT", &one, &result(OTHER)),
        ];
        let changes = read(&json!({"Records": records}));
        let results: Vec<_> = changes.iter().map(|change| change.results.len()).collect();
        assert_eq!(results, [2, 1]);
    }
}
