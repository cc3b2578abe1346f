//! The records table: a patient's clinical entries, `<SECTION>#<clinical time>#<id>`, newest last.
//! The index `by-arrival` sorts a section by when its entries reached the portal, `by-id` finds the
//! one entry with an id, and `by-series` has the results of one analyte, `LAB#<series>#<time>#<id>`.
//! The first is read at the same moment as the table, the others a moment late.

use super::{Item, SealedRow, Stored, patient_key, s, sortable};
use crate::Fault;
use crate::access::{Access, Practice, Unproven};
use crate::aws::{Aws, Resource, fault};
use crate::ids::{PatientId, PractitionerId, RecordId, SeriesId};
use crate::phi::{Opener, Place};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashSet};

pub(crate) const TABLE: &str = "records";
const BY_ARRIVAL: &str = "by-arrival";
const BY_ID: &str = "by-id";
const BY_SERIES: &str = "by-series";

/// The sealed attribute of a result with the report that it belongs to.
pub(super) const REPORT: &str = "report";

/// Where in a patient's record an entry stands: the beginning of its sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    LabResults,
    VitalSigns,
    SocialHistory,
    OtherObservations,
    /// Reports that do nothing but group results.
    LabReports,
    /// Reports that are documents, or say something in words.
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
    pub const ALL: [Self; 16] = [
        Self::Allergies,
        Self::Conditions,
        Self::ActivePrescriptions,
        Self::PastPrescriptions,
        Self::Immunizations,
        Self::VitalSigns,
        Self::LabResults,
        Self::LabReports,
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
            Self::LabReports => "LAB-REPORT#",
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
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
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
    /// The series of a result whose analyte has a code: in the middle of
    /// `LAB#<series>#<time>#<id>`.
    pub fn series(&self) -> Option<SeriesId> {
        self.string("series")?.split('#').nth(1)?.parse().ok()
    }

    /// When the entry reached the portal: in the middle of `<SECTION>#<arrival>#<id>`.
    pub fn arrived(&self) -> Option<Timestamp> {
        self.string("arrived")?.rsplit('#').nth(1)?.parse().ok()
    }
}

/// What a result says of the report that groups it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LinkedReport {
    pub id: RecordId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<String>,
    /// Codes of the report's categories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
}

impl LinkedReport {
    /// Opens the report of a result; none where no report has it.
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Option<Self>, Fault> {
        let Some(sealed) = row.bytes(REPORT) else {
            return Ok(None);
        };
        let place = Place {
            table: TABLE,
            pk: row
                .string("pk")
                .ok_or(Fault::Corrupt("a row without a key"))?,
            sk: row.sk()?,
            attribute: REPORT,
        };
        let json = opener.open(&place, sealed)?;
        let report = serde_json::from_slice(&json);
        report
            .map(Some)
            .map_err(|_| Fault::Corrupt("the report of a result"))
    }
}

/// How many entries each section of a record has. An import leaves it behind.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    pub fn of(&self, section: Section) -> u64 {
        self.0.get(section.prefix()).copied().unwrap_or_default()
    }

    /// Counts what lists show: nothing that never was.
    pub fn tally(stored: &[Stored]) -> Self {
        let mut counts = BTreeMap::new();
        for one in stored {
            if let Some(section) = Section::of_key(&one.sk) {
                *counts.entry(section.prefix().to_owned()).or_default() += 1;
            }
        }
        Self(counts)
    }
}

/// A stretch of sort keys, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    first: String,
    last: String,
}

impl Span {
    /// The keys that begin so and go on with a time: all, or those from one instant to before
    /// another.
    fn of(prefix: &str, from: Option<Timestamp>, before: Option<Timestamp>) -> Self {
        let key = |at| format!("{prefix}{}", sortable(at));
        Self {
            first: from.map_or_else(|| prefix.to_owned(), key),
            // Nothing in a key sorts behind a tilde.
            last: before.map_or_else(|| format!("{prefix}~"), key),
        }
    }

    pub fn section(section: Section, from: Option<Timestamp>, before: Option<Timestamp>) -> Self {
        Self::of(section.prefix(), from, before)
    }

    /// The results of one analyte.
    pub fn series(series: SeriesId, from: Option<Timestamp>, before: Option<Timestamp>) -> Self {
        Self::of(&series_prefix(series), from, before)
    }

    pub fn holds(&self, key: &str) -> bool {
        (self.first.as_str()..=self.last.as_str()).contains(&key)
    }
}

fn series_prefix(series: SeriesId) -> String {
    format!("{}{series}#", Section::LabResults.prefix())
}

/// The key in the index `by-series` of what stands at this sort key.
pub(super) fn series_key(series: SeriesId, sk: &str) -> Option<String> {
    let rest = sk.strip_prefix(Section::LabResults.prefix())?;
    Some(format!("{}{rest}", series_prefix(series)))
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
        let whole = Span::section(section, None, None);
        self.newest_of(whose, &whole, after, limit).await
    }

    /// The same of a part of a section. `after` has to be in it.
    pub async fn newest_of(
        &self,
        whose: &Unproven<PatientId>,
        span: &Span,
        after: Option<&str>,
        limit: u8,
    ) -> Result<Entries, Fault> {
        let pk = patient_key(whose.patient());
        let mut query = self.newest_first(&pk, "sk", span, limit);
        if let Some(sk) = after {
            query = query
                .exclusive_start_key("pk", s(&pk))
                .exclusive_start_key("sk", s(sk));
        }
        self.page(query, "sk").await
    }

    /// Results of one analyte by clinical time, newest first. `after` is a key of the index, in the
    /// span, and so is the next.
    pub async fn series(
        &self,
        whose: &Unproven<PatientId>,
        series: SeriesId,
        span: &Span,
        after: Option<&str>,
        limit: u8,
    ) -> Result<Entries, Fault> {
        let pk = patient_key(whose.patient());
        let mut query = self
            .newest_first(&pk, "series", span, limit)
            .index_name(BY_SERIES);
        if let Some(key) = after {
            let rest = key.strip_prefix(&series_prefix(series)).unwrap_or_default();
            let sk = format!("{}{rest}", Section::LabResults.prefix());
            query = query
                .exclusive_start_key("pk", s(&pk))
                .exclusive_start_key("series", s(key))
                .exclusive_start_key("sk", s(sk));
        }
        self.page(query, "series").await
    }

    /// The entry of a section with this id.
    pub async fn entry(
        &self,
        whose: &Unproven<PatientId>,
        section: Section,
        id: RecordId,
    ) -> Result<Option<SealedRow>, Fault> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_ID)
            .key_condition_expression("pk = :pk AND id = :id")
            .expression_attribute_values(":pk", s(patient_key(whose.patient())))
            .expression_attribute_values(":id", s(id.to_string()))
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        // What never was stands in a section of its own.
        let mut rows = rows(answer.items).into_iter();
        Ok(rows.find(|row| {
            let sk = row.string("sk");
            sk.is_some_and(|sk| sk.starts_with(section.prefix()))
        }))
    }

    /// All entries of a section that is short, such as what a patient takes now.
    pub async fn whole(
        &self,
        whose: &Unproven<PatientId>,
        section: Section,
    ) -> Result<Vec<SealedRow>, Fault> {
        let pk = patient_key(whose.patient());
        let mut rows = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND begins_with(sk, :section)")
                .expression_attribute_values(":pk", s(&pk))
                .expression_attribute_values(":section", s(section.prefix()))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| fault("DynamoDB", &error))?;
            let items = answer.items.unwrap_or_default().into_iter();
            rows.extend(items.map(|item| SealedRow::new(TABLE, item)));
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(rows);
            }
        }
    }

    /// Which entries of a short section there are.
    pub async fn ids(
        &self,
        whose: &Unproven<PatientId>,
        section: Section,
    ) -> Result<HashSet<RecordId>, Fault> {
        let rows = self.whole(whose, section).await?;
        rows.iter().map(SealedRow::entry_id).collect()
    }

    /// The same of several patients, side by side.
    pub async fn ids_of(
        &self,
        _: &Access<Practice>,
        patients: impl Iterator<Item = PatientId>,
        section: Section,
    ) -> Result<HashSet<RecordId>, Fault> {
        let each = patients.map(async |patient| self.ids(&Unproven::new(patient), section).await);
        let each = try_join_all(each).await?;
        Ok(each.into_iter().flatten().collect())
    }

    /// Entries of a section by arrival, latest first.
    pub async fn latest_arrivals(
        &self,
        whose: &Unproven<PatientId>,
        section: Section,
        limit: u8,
    ) -> Result<Entries, Fault> {
        let whole = Span::section(section, None, None);
        let query = self
            .newest_first(&patient_key(whose.patient()), "arrived", &whole, limit)
            .index_name(BY_ARRIVAL);
        self.page(query, "arrived").await
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
        self.page(query, "sk").await
    }

    /// A query by the partition and this key.
    fn newest_first(
        &self,
        pk: &str,
        key: &'static str,
        span: &Span,
        limit: u8,
    ) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression(format!("pk = :pk AND {key} BETWEEN :first AND :last"))
            .expression_attribute_values(":pk", s(pk))
            .expression_attribute_values(":first", s(&span.first))
            .expression_attribute_values(":last", s(&span.last))
            .scan_index_forward(false)
            .limit(i32::from(limit))
    }

    async fn page(&self, query: QueryFluentBuilder, key: &'static str) -> Result<Entries, Fault> {
        let answer = query
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let next = answer
            .last_evaluated_key
            .as_ref()
            .and_then(|last| super::string(last, key))
            .map(str::to_owned);
        Ok(Entries {
            rows: rows(answer.items),
            next,
        })
    }
}

fn rows(items: Option<Vec<Item>>) -> Vec<SealedRow> {
    let items = items.unwrap_or_default().into_iter();
    items.map(|item| SealedRow::new(TABLE, item)).collect()
}
