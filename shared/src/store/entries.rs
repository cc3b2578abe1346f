//! The records table as an import writes it: what is there of a patient, and what takes its place.

use super::records::TABLE;
use super::{
    Item, Records, SEALED, Section, TIME_UNKNOWN, b, bytes, patient_key, s, sortable, string,
    write_batch,
};
use crate::Fault;
use crate::audit::transaction_fault;
use crate::aws::fault;
use crate::fhir;
use crate::ids::{PatientId, RecordId};
use crate::phi::{DataKey, Place, seal};
use aws_sdk_dynamodb::types::{Delete, Put, PutRequest, TransactWriteItem, WriteRequest};
use jiff::Timestamp;

/// Before the section of what the source marked as never having been true: no list shows it.
const VOID: &str = "VOID#";

impl Section {
    /// The section of an imported resource.
    pub fn of(entry: &fhir::Entry<'_>) -> Self {
        match entry.section {
            fhir::Section::Lab => Self::LabResults,
            fhir::Section::VitalSign => Self::VitalSigns,
            fhir::Section::SocialHistory => Self::SocialHistory,
            fhir::Section::OtherObservation => Self::OtherObservations,
            fhir::Section::DiagnosticReport => Self::DiagnosticReports,
            fhir::Section::Medication if entry.status.as_deref() == Some("active") => {
                Self::ActivePrescriptions
            }
            fhir::Section::Medication => Self::PastPrescriptions,
            fhir::Section::Allergy => Self::Allergies,
            fhir::Section::Condition => Self::Conditions,
            fhir::Section::Immunization => Self::Immunizations,
            fhir::Section::Procedure => Self::Procedures,
            fhir::Section::CarePlan => Self::CarePlans,
            fhir::Section::Document => Self::Documents,
            fhir::Section::Encounter => Self::Encounters,
            fhir::Section::CareTeam => Self::CareTeams,
        }
    }
}

/// Where an entry stands in its patient's partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryKey {
    pub id: RecordId,
    section: String,
    time: String,
}

impl EntryKey {
    /// The place of an imported resource.
    pub fn of(id: RecordId, entry: &fhir::Entry<'_>) -> Self {
        let void = if entry.entered_in_error { VOID } else { "" };
        let time = entry.time.as_ref().map_or(TIME_UNKNOWN, |time| &time.sort);
        Self {
            id,
            section: format!("{void}{}", Section::of(entry).prefix()),
            time: time.to_owned(),
        }
    }

    /// The sort key: by clinical time within the section.
    pub fn sk(&self) -> String {
        format!("{}{}#{}", self.section, self.time, self.id)
    }

    /// The sort key in the index `by-arrival`.
    fn arrived(&self, at: Timestamp) -> String {
        format!("{}{}#{}", self.section, sortable(at), self.id)
    }
}

/// A stored entry without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub id: RecordId,
    pub sk: String,
    /// Tells whether the content changed.
    pub digest: Vec<u8>,
    pub arrived: Option<Timestamp>,
}

impl Stored {
    fn of(item: &Item) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("the sort key of a record entry");
        let sk = string(item, "sk").ok_or(TORN)?;
        let id = sk.rsplit('#').next().and_then(|id| id.parse().ok());
        let arrived = string(item, "arrived").and_then(|text| text.rsplit('#').nth(1));
        Ok(Self {
            id: id.ok_or(TORN)?,
            sk: sk.to_owned(),
            digest: bytes(item, "digest").unwrap_or_default().to_vec(),
            arrived: arrived.and_then(|at| at.parse().ok()),
        })
    }

    /// Is it an encounter, also one that never was?
    pub fn is_encounter(&self) -> bool {
        self.is_of(Section::Encounters)
    }

    /// Is it a care team, also one that never was?
    pub fn is_care_team(&self) -> bool {
        self.is_of(Section::CareTeams)
    }

    fn is_of(&self, section: Section) -> bool {
        let sk = self.sk.strip_prefix(VOID).unwrap_or(&self.sk);
        sk.starts_with(section.prefix())
    }

    /// The clinical time in its sort key, unless it never was.
    pub fn time(&self) -> Option<Timestamp> {
        let shown = !self.sk.starts_with(VOID);
        shown.then(|| self.sk.rsplit('#').nth(1)?.parse().ok())?
    }
}

/// An entry to store.
pub struct NewEntry<'a> {
    pub key: &'a EntryKey,
    pub arrived: Timestamp,
    pub resource_type: &'static str,
    pub digest: &'a [u8],
    /// A [`super::StoredEntry`] as JSON.
    pub content: &'a [u8],
}

impl NewEntry<'_> {
    /// The row, sealed for its place.
    pub fn row(&self, patient: PatientId, key: &DataKey) -> Result<Item, Fault> {
        let (pk, sk) = (patient_key(patient), self.key.sk());
        let place = Place {
            table: TABLE,
            pk: &pk,
            sk: &sk,
            attribute: SEALED,
        };
        let sealed = seal(key, &place, self.content)?;
        Ok(Item::from([
            ("pk".to_owned(), s(pk)),
            ("sk".to_owned(), s(sk)),
            ("id".to_owned(), s(self.key.id.to_string())),
            ("arrived".to_owned(), s(self.key.arrived(self.arrived))),
            ("type".to_owned(), s(self.resource_type)),
            ("digest".to_owned(), b(self.digest)),
            (SEALED.to_owned(), b(sealed)),
        ]))
    }
}

impl Records {
    /// Everything that is stored of a patient, without its content.
    pub async fn stored(&self, patient: PatientId) -> Result<Vec<Stored>, Fault> {
        let mut stored = Vec::new();
        let mut start = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", s(patient_key(patient)))
                .projection_expression("sk, digest, arrived")
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| fault("DynamoDB", &error))?;
            for item in page.items() {
                stored.push(Stored::of(item)?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(stored);
            }
        }
    }

    /// Puts up to [`super::BATCH`] rows.
    pub async fn put(&self, rows: &[Item]) -> Result<(), Fault> {
        let requests = rows.iter().map(|row| {
            let put = PutRequest::builder().set_item(Some(row.clone())).build();
            let put = put.map_err(|_| Fault::Defect("a put"))?;
            Ok(WriteRequest::builder().put_request(put).build())
        });
        let requests = requests.collect::<Result<Vec<_>, Fault>>()?;
        write_batch(&self.client, &self.table, requests).await
    }

    /// Puts a row in place of others of the same entry.
    pub async fn replace(
        &self,
        patient: PatientId,
        row: Item,
        others: &[String],
    ) -> Result<(), Fault> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(row))
            .build()
            .map_err(|_| Fault::Defect("a put"))?;
        let mut items = vec![TransactWriteItem::builder().put(put).build()];
        for sk in others {
            let delete = Delete::builder()
                .table_name(&self.table)
                .key("pk", s(patient_key(patient)))
                .key("sk", s(sk))
                .build()
                .map_err(|_| Fault::Defect("a delete"))?;
            items.push(TransactWriteItem::builder().delete(delete).build());
        }
        self.client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send()
            .await
            .map_err(|error| transaction_fault(&error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(sk: &str) -> Stored {
        Stored::of(&Item::from([("sk".to_owned(), s(sk))])).unwrap()
    }

    const ID: &str = "7f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c11";

    #[test]
    fn a_sort_key_tells_section_time_and_entry() {
        let one = stored(&format!("ENCOUNTER#2019-04-01T13:05:09.250Z#{ID}"));
        assert!(one.is_encounter() && !one.is_care_team());
        assert_eq!(one.id.to_string(), ID);
        assert_eq!(one.time().unwrap().to_string(), "2019-04-01T13:05:09.25Z");

        let void = stored(&format!("VOID#CARE-TEAM#2019-04-01T13:05:09.250Z#{ID}"));
        assert!(void.is_care_team());
        assert_eq!(void.time(), None);
        assert!(Stored::of(&Item::from([("sk".to_owned(), s("LAB#x"))])).is_err());
    }

    #[test]
    fn an_unknown_time_sorts_before_every_time_that_fhir_can_write() {
        assert!(TIME_UNKNOWN < "0001-01-01T00:00:00.000Z");
        assert_eq!(TIME_UNKNOWN.len(), "0001-01-01T00:00:00.000Z".len());
    }
}
