//! The records table as an import writes it: what is there of a patient, and what takes its place.

use super::imports::unless_condition;
use super::records::{REPORT, TABLE, series_key};
use super::{
    Item, LinkedReport, Records, SEALED, SealedRow, Section, TIME_UNKNOWN, b, bytes, patient_key,
    s, sortable, string, write_batch,
};
use crate::Fault;
use crate::audit::transaction_fault;
use crate::aws::fault;
use crate::fhir;
use crate::ids::{PatientId, RecordId, SeriesId};
use crate::phi::{DataKey, Place, digest, open, seal};
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, PutRequest, TransactWriteItem, WriteRequest,
};
use jiff::Timestamp;
use std::collections::BTreeSet;

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
            fhir::Section::LabReport => Self::LabReports,
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

    /// Where among reports it stands.
    pub fn place(&self) -> (String, RecordId) {
        (self.time.clone(), self.id)
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
    /// The results that a report groups.
    pub results: Vec<RecordId>,
    /// The report that a result names, and what tells whether that changed.
    pub report: Option<(RecordId, Vec<u8>)>,
}

impl Stored {
    fn of(item: &Item) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("the sort key of a record entry");
        let sk = string(item, "sk").ok_or(TORN)?;
        let id = sk.rsplit('#').next().and_then(|id| id.parse().ok());
        let arrived = string(item, "arrived").and_then(|text| text.rsplit('#').nth(1));
        let report = string(item, "report_id").and_then(|id| id.parse().ok());
        let results = item.get("results").and_then(|value| value.as_ss().ok());
        let results = results.into_iter().flatten().map(|id| id.parse());
        Ok(Self {
            id: id.ok_or(TORN)?,
            sk: sk.to_owned(),
            digest: bytes(item, "digest").unwrap_or_default().to_vec(),
            arrived: arrived.and_then(|at| at.parse().ok()),
            results: results.collect::<Result<_, _>>().map_err(|_| TORN)?,
            report: report.zip(bytes(item, "report_digest").map(<[u8]>::to_vec)),
        })
    }

    /// Does it count, or did the source mark it as never having been true?
    pub fn is_void(&self) -> bool {
        self.sk.starts_with(VOID)
    }

    /// Where among reports it stands: of two that group the same result, the later one counts.
    pub fn place(&self) -> (String, RecordId) {
        let time = self.sk.rsplit('#').nth(1).unwrap_or_default();
        (time.to_owned(), self.id)
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
        (!self.is_void()).then(|| self.sk.rsplit('#').nth(1)?.parse().ok())?
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
    /// The results that it groups, if it is a report.
    pub results: &'a [RecordId],
    /// The report that groups it, if it is a result.
    pub report: Option<&'a LinkedReport>,
    /// Which analyte's result it is.
    pub series: Option<SeriesId>,
}

/// The digest and the sealed form of what a result says of its report.
fn linked(
    patient: PatientId,
    key: &DataKey,
    sk: &str,
    report: &LinkedReport,
) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let json = serde_json::to_vec(report).map_err(|_| Fault::Defect("a report"))?;
    let pk = patient_key(patient);
    let place = Place {
        table: TABLE,
        pk: &pk,
        sk,
        attribute: REPORT,
    };
    Ok((digest(key, &json)?, seal(key, &place, &json)?))
}

/// The digest of what a result says of its report.
pub fn report_digest(key: &DataKey, report: &LinkedReport) -> Result<Vec<u8>, Fault> {
    let json = serde_json::to_vec(report).map_err(|_| Fault::Defect("a report"))?;
    digest(key, &json)
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
        let mut more = Vec::new();
        if !self.results.is_empty() {
            // A set takes nothing twice.
            let results: BTreeSet<_> = self.results.iter().map(RecordId::to_string).collect();
            let results = results.into_iter().collect();
            more.push(("results", AttributeValue::Ss(results)));
        }
        if let Some(report) = self.report {
            let (digest, sealed) = linked(patient, key, &sk, report)?;
            more.extend([
                ("report_id", s(report.id.to_string())),
                ("report_digest", b(digest)),
                (REPORT, b(sealed)),
            ]);
        }
        if let Some(series) = self.series.and_then(|series| series_key(series, &sk)) {
            more.push(("series", s(series)));
        }
        let more = more
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        let row = [
            ("pk".to_owned(), s(pk)),
            ("sk".to_owned(), s(sk)),
            ("id".to_owned(), s(self.key.id.to_string())),
            ("arrived".to_owned(), s(self.key.arrived(self.arrived))),
            ("type".to_owned(), s(self.resource_type)),
            ("digest".to_owned(), b(self.digest)),
            (SEALED.to_owned(), b(sealed)),
        ];
        Ok(row.into_iter().chain(more).collect())
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
                .projection_expression("sk, digest, arrived, results, report_id, report_digest")
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

    /// The content of one row, a [`super::StoredEntry`] as JSON.
    pub async fn content(
        &self,
        patient: PatientId,
        sk: &str,
        key: &DataKey,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let pk = patient_key(patient);
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk = :sk")
            .expression_attribute_values(":pk", s(&pk))
            .expression_attribute_values(":sk", s(sk))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let Some(item) = answer.items.unwrap_or_default().into_iter().next() else {
            return Ok(None);
        };
        let row = SealedRow::new(TABLE, item);
        let sealed = row.bytes(SEALED);
        let place = Place {
            table: TABLE,
            pk: &pk,
            sk,
            attribute: SEALED,
        };
        sealed.map(|sealed| open(key, &place, sealed)).transpose()
    }

    /// Lets a stored result name another report, or none. Nothing happens if it moved meanwhile:
    /// whoever moved it looked for its report.
    pub async fn link(
        &self,
        patient: PatientId,
        sk: &str,
        report: Option<&LinkedReport>,
        key: &DataKey,
    ) -> Result<(), Fault> {
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(patient_key(patient)))
            .key("sk", s(sk))
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#report", REPORT);
        update = match report {
            None => update.update_expression("REMOVE #report, report_id, report_digest"),
            Some(report) => {
                let (digest, sealed) = linked(patient, key, sk, report)?;
                update
                    .update_expression(
                        "SET #report = :report, report_id = :id, report_digest = :digest",
                    )
                    .expression_attribute_values(":id", s(report.id.to_string()))
                    .expression_attribute_values(":report", b(sealed))
                    .expression_attribute_values(":digest", b(digest))
            }
        };
        unless_condition(update.send().await)?;
        Ok(())
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
