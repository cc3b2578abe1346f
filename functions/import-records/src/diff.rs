//! What an import changes in a patient's record: nothing that is there already, wherever the file
//! has it.

use crate::compact::compact;
use jiff::Timestamp;
use serde_json::value::RawValue;
use shared::Fault;
use shared::fhir::{self, portal_id};
use shared::ids::{PatientId, RecordId};
use shared::phi::{DataKey, digest};
use shared::store::{Change, EntryKey, Stored};
use std::collections::{HashMap, HashSet};

/// How many entries are worked on at once.
pub(crate) const CHUNK: usize = 200;

/// And how much JSON, about.
pub(crate) const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// What is stored of a patient, by entry. An entry has two rows only after two imports of it at the
/// same time.
pub(crate) struct Before(HashMap<RecordId, Vec<Stored>>);

impl Before {
    pub(crate) fn new(stored: Vec<Stored>) -> Self {
        let mut before: HashMap<RecordId, Vec<Stored>> = HashMap::new();
        for one in stored {
            before.entry(one.id).or_default().push(one);
        }
        Self(before)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Stored> {
        self.0.values().flatten()
    }

    /// Whether the file has every stored entry of a kind, and there are any: only then does it mean
    /// something that the file leaves somebody out.
    pub(crate) fn is_within(&self, file: &HashSet<RecordId>, kind: fn(&Stored) -> bool) -> bool {
        let mut of_kind = self.rows().filter(|stored| kind(stored)).peekable();
        of_kind.peek().is_some() && of_kind.all(|stored| file.contains(&stored.id))
    }
}

/// The portal's id of a resource of the patient.
pub(crate) fn record_id(patient: PatientId, resource_type: &str, id: &str) -> RecordId {
    RecordId::new(portal_id(patient.uuid(), resource_type, id))
}

/// An entry of the file beside what is stored of it.
pub(crate) struct Compared<'f, 'a> {
    pub(crate) entry: &'f fhir::Entry<'a>,
    pub(crate) key: EntryKey,
    pub(crate) resource: Box<RawValue>,
    pub(crate) medication: Option<Box<RawValue>>,
    pub(crate) digest: Vec<u8>,
    pub(crate) change: Change,
    /// When it reached the portal: now if its content is new to the patient.
    pub(crate) arrived: Timestamp,
    /// Rows of the same entry that the new one takes the place of.
    pub(crate) elsewhere: Vec<String>,
}

impl<'f, 'a> Compared<'f, 'a> {
    pub(crate) fn new(
        patient: PatientId,
        key: &DataKey,
        before: &Before,
        entry: &'f fhir::Entry<'a>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let resource = compact(&entry.json)?;
        let medication = entry.medication.map(compact).transpose()?;
        // The zero byte parts the two: JSON has none.
        let mut content = resource.get().as_bytes().to_vec();
        content.push(0);
        content.extend_from_slice(medication.as_deref().map_or("", RawValue::get).as_bytes());
        let digest = digest(key, &content)?;
        let place = EntryKey::of(record_id(patient, entry.resource_type, &entry.id), entry);
        let rows = before
            .0
            .get(&place.id)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let sk = place.sk();
        let same = rows.iter().find(|row| row.digest == digest);
        let elsewhere: Vec<String> = rows
            .iter()
            .filter(|row| row.sk != sk)
            .map(|row| row.sk.clone())
            .collect();
        let change = match same {
            _ if rows.is_empty() => Change::New,
            Some(same) if same.sk == sk && elsewhere.is_empty() => Change::Unchanged,
            _ => Change::Changed,
        };
        Ok(Self {
            entry,
            key: place,
            resource,
            medication,
            digest,
            change,
            arrived: same.and_then(|row| row.arrived).unwrap_or(now),
            elsewhere,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice::from_ref;
    use uuid::Uuid;

    const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o","status":"final",
        "category":[{"coding":[{"code":"laboratory"}]}],"subject":{"reference":"Patient/p"},
        "effectiveDateTime":"2020-01-02","valueQuantity":{"value":1.50}}"#;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    /// Compares the Observation with the rows.
    fn compared(
        json: &str,
        stored: &[Stored],
    ) -> (String, Change, Timestamp, Vec<String>, Vec<u8>) {
        let key = DataKey::new(&[7; 32]).unwrap();
        let file = fhir::read(json.as_bytes(), now()).unwrap();
        let entry = &file.patients[0].entries[0];
        let before = Before::new(stored.to_vec());
        let patient = PatientId::new(Uuid::nil());
        let one = Compared::new(patient, &key, &before, entry, now()).unwrap();
        (
            one.key.sk(),
            one.change,
            one.arrived,
            one.elsewhere,
            one.digest,
        )
    }

    fn line(json: &str) -> String {
        json.replace('\n', " ")
    }

    #[test]
    fn tells_new_changed_moved_and_unchanged_apart() {
        let (sk, change, arrived, elsewhere, digest) = compared(&line(OBSERVATION), &[]);
        assert!(sk.starts_with("LAB#2020-01-02T00:00:00.000Z#"));
        assert_eq!((change, arrived, elsewhere), (Change::New, now(), vec![]));

        let stored = Stored {
            id: record_id(PatientId::new(Uuid::nil()), "Observation", "o"),
            sk: sk.clone(),
            digest: digest.clone(),
            arrived: Some(Timestamp::UNIX_EPOCH),
            results: Vec::new(),
            report: None,
        };
        let indented = line(OBSERVATION).replace(':', " :  ");
        assert_eq!(compared(&indented, from_ref(&stored)).1, Change::Unchanged);

        let value = line(OBSERVATION).replace("1.50", "1.5");
        let (_, change, arrived, elsewhere, _) = compared(&value, from_ref(&stored));
        assert_eq!(
            (change, arrived, elsewhere),
            (Change::Changed, now(), vec![])
        );

        let date = line(OBSERVATION).replace("2020-01-02", "2020-01-03");
        let (moved, change, _, elsewhere, _) = compared(&date, from_ref(&stored));
        assert!(moved.starts_with("LAB#2020-01-03"));
        assert_eq!((change, elsewhere), (Change::Changed, vec![sk.clone()]));

        let error = line(OBSERVATION).replace("final", "entered-in-error");
        let (void, _, _, elsewhere, _) = compared(&error, from_ref(&stored));
        assert!(void.starts_with("VOID#LAB#"));
        assert_eq!(elsewhere, [sk.as_str()]);

        // Where only our own order changed, it is not new to the patient.
        let misplaced = Stored {
            sk: sk.replace("LAB#", "OBSERVATION#"),
            ..stored.clone()
        };
        let (_, change, arrived, elsewhere, _) = compared(&line(OBSERVATION), from_ref(&misplaced));
        assert_eq!((change, arrived), (Change::Changed, Timestamp::UNIX_EPOCH));
        assert_eq!(elsewhere, [misplaced.sk.as_str()]);
        let twice = [stored, misplaced];
        assert_eq!(compared(&line(OBSERVATION), &twice).3.len(), 1);
    }

    #[test]
    fn a_file_is_whole_if_nothing_is_stored_beside_it() {
        let (sk, ..) = compared(&line(OBSERVATION), &[]);
        let id = record_id(PatientId::new(Uuid::nil()), "Observation", "o");
        let stored = Stored {
            id,
            sk: sk.replace("LAB#", "VOID#ENCOUNTER#"),
            digest: Vec::new(),
            arrived: None,
            results: Vec::new(),
            report: None,
        };
        let before = Before::new(vec![stored]);
        assert!(!before.is_within(&HashSet::new(), Stored::is_encounter));
        assert!(before.is_within(&HashSet::from([id]), Stored::is_encounter));
        assert!(!before.is_within(&HashSet::new(), Stored::is_care_team));
    }
}
