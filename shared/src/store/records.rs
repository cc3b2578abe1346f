//! The records table: a patient's clinical entries, `<SECTION>#<clinical time>#<id>`, newest last.
//! The index `by-arrival` sorts a section by when its entries reached the portal.

use super::{SealedRow, patient_key, s};
use crate::Fault;
use crate::access::Unproven;
use crate::aws::{Aws, Resource, fault};
use crate::ids::{PatientId, PractitionerId, RecordId};
use crate::phi::Opener;
use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub(crate) const TABLE: &str = "records";
const BY_ARRIVAL: &str = "by-arrival";

/// Where in a patient's record an entry stands: the beginning of its sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    LabResults,
    VitalSigns,
    SocialHistory,
    OtherObservations,
    DiagnosticReports,
    ActivePrescriptions,
    PastPrescriptions,
    Allergies,
    Conditions,
    Immunizations,
    Procedures,
    CarePlans,
    Documents,
    Encounters,
    CareTeams,
}

impl Section {
    /// In the order in which a whole record is told.
    pub const ALL: [Self; 15] = [
        Self::Allergies,
        Self::Conditions,
        Self::ActivePrescriptions,
        Self::PastPrescriptions,
        Self::Immunizations,
        Self::VitalSigns,
        Self::LabResults,
        Self::DiagnosticReports,
        Self::Procedures,
        Self::Encounters,
        Self::CarePlans,
        Self::CareTeams,
        Self::SocialHistory,
        Self::OtherObservations,
        Self::Documents,
    ];

    /// The section of a sort key; none if the source marked the entry as never having been true.
    pub fn of_key(sk: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|section| sk.starts_with(section.prefix()))
    }

    pub const fn prefix(self) -> &'static str {
        match self {
            Self::LabResults => "LAB#",
            Self::VitalSigns => "VITAL#",
            Self::SocialHistory => "SOCIAL#",
            Self::OtherObservations => "OBSERVATION#",
            Self::DiagnosticReports => "REPORT#",
            Self::ActivePrescriptions => "MEDICATION#ACTIVE#",
            Self::PastPrescriptions => "MEDICATION#PAST#",
            Self::Allergies => "ALLERGY#",
            Self::Conditions => "CONDITION#",
            Self::Immunizations => "IMMUNIZATION#",
            Self::Procedures => "PROCEDURE#",
            Self::CarePlans => "CARE-PLAN#",
            Self::Documents => "DOCUMENT#",
            Self::Encounters => "ENCOUNTER#",
            Self::CareTeams => "CARE-TEAM#",
        }
    }
}

/// What an entry's sealed content holds: the resource as it was imported, the Medication that a
/// prescription refers to, and where its references lead in the portal.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredEntry {
    pub resource: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medication: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Links::is_empty")]
    pub links: Links,
}

/// Where an entry's references lead, by the portal's ids. An entry of the same patient that came
/// with another file is linked whether it is there or not: its id is known before it arrives.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encounter: Option<RecordId>,
    /// A report's observations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<RecordId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub practitioners: Vec<LinkedPractitioner>,
}

/// A practitioner, and what the source called them beside its reference.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedPractitioner {
    pub id: PractitionerId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

impl Links {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl StoredEntry {
    /// Opens an entry.
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        serde_json::from_slice(&row.open(opener)?).map_err(|_| Fault::Corrupt("a record entry"))
    }
}

impl SealedRow {
    /// The id of the entry: the last part of its sort key.
    pub fn entry_id(&self) -> Result<RecordId, Fault> {
        let id = self.sk()?.rsplit('#').next().and_then(|id| id.parse().ok());
        id.ok_or(Fault::Corrupt("the sort key of a record entry"))
    }
}

impl SealedRow {
    /// When the entry reached the portal: in the middle of `<SECTION>#<arrival>#<id>`.
    pub fn arrived(&self) -> Option<Timestamp> {
        self.string("arrived")?.rsplit('#').nth(1)?.parse().ok()
    }
}

/// A page of sealed entries, and the sort key after which the next page starts.
pub struct Entries {
    pub rows: Vec<SealedRow>,
    pub next: Option<String>,
}

/// The records table.
pub struct Records {
    pub(super) client: Client,
    pub(super) table: String,
}

impl Records {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::RecordsTable)?,
        })
    }

    /// Entries of a section by clinical time, newest first.
    pub async fn newest(
        &self,
        whose: &Unproven<PatientId>,
        section: Section,
        after: Option<&str>,
        limit: u8,
    ) -> Result<Entries, Fault> {
        let pk = patient_key(whose.patient());
        let mut query = self
            .query(&pk, section, limit)
            .key_condition_expression("pk = :pk AND begins_with(sk, :section)");
        if let Some(sk) = after {
            query = query
                .exclusive_start_key("pk", s(&pk))
                .exclusive_start_key("sk", s(sk));
        }
        self.page(query).await
    }

    /// Entries of a section by arrival, latest first.
    pub async fn latest_arrivals(
        &self,
        whose: &Unproven<PatientId>,
        section: Section,
        limit: u8,
    ) -> Result<Entries, Fault> {
        let query = self
            .query(&patient_key(whose.patient()), section, limit)
            .index_name(BY_ARRIVAL)
            .key_condition_expression("pk = :pk AND begins_with(arrived, :section)");
        self.page(query).await
    }

    /// A megabyte of all entries, whatever they are.
    pub(super) async fn everything(
        &self,
        patient: PatientId,
        after: Option<&str>,
    ) -> Result<Entries, Fault> {
        let pk = patient_key(patient);
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(&pk))
            .consistent_read(true);
        if let Some(sk) = after {
            query = query
                .exclusive_start_key("pk", s(&pk))
                .exclusive_start_key("sk", s(sk));
        }
        self.page(query).await
    }

    fn query(
        &self,
        pk: &str,
        section: Section,
        limit: u8,
    ) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .expression_attribute_values(":pk", s(pk))
            .expression_attribute_values(":section", s(section.prefix()))
            .scan_index_forward(false)
            .limit(i32::from(limit))
    }

    async fn page(
        &self,
        query: aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder,
    ) -> Result<Entries, Fault> {
        let answer = query
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let next = answer
            .last_evaluated_key
            .as_ref()
            .and_then(|key| super::string(key, "sk"))
            .map(str::to_owned);
        let rows = answer
            .items
            .unwrap_or_default()
            .into_iter()
            .map(|item| SealedRow::new(TABLE, item))
            .collect();
        Ok(Entries { rows, next })
    }
}
