//! The patients table. A patient's `CONTEXT#` rows are what it takes to authorize and open anything
//! of theirs: data key, profile, contact, care team, proxies, broken glass, disclosures, held results. `HISTORY#` rows keep
//! what was. `MRN#<MAC>` partitions lead from a medical record number to the patient.

use super::care_team::VERSION;
use super::holds::{HOLD, Hold};
use super::{
    CareTeamMember, Counts, Entries, Item, SEALED, SealedRow, Write, b, n, patient_key, s, string,
};
use crate::Fault;
use crate::access::{Access, Unproven};
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{AccountId, AppointmentId, PatientId, PractitionerId, RecordId};
use crate::phi::{Opener, Place};
use crate::practice::{AgeBand, Practice};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use jiff::Timestamp;
use uuid::Uuid;

pub(crate) const TABLE: &str = "patients";
pub(super) const KEY: &str = "CONTEXT#KEY";
pub(super) const PROFILE: &str = "CONTEXT#PROFILE";
const CONTACT: &str = "CONTEXT#CONTACT";
/// What a version changed.
const CONTACT_HISTORY: &str = "HISTORY#CONTACT#";
pub(super) const CARE_TEAM: &str = "CONTEXT#CARE-TEAM#";
pub(super) const BREAK_GLASS: &str = "CONTEXT#BREAK-GLASS#";
pub(super) const PROXY: &str = "CONTEXT#PROXY#";
pub(super) const DISCLOSURE: &str = "CONTEXT#DISCLOSURE#";
/// A provider whom an appointment is with: see [`super::Appointments::book`].
pub(super) const APPOINTMENT: &str = "CONTEXT#APPOINTMENT#";
/// Counts the grants to proxies: see [`super::Proxies::grant`].
pub(super) const PROXIES: &str = "CONTEXT#PROXIES";

/// Where the counts of a patient's entries stand, sealed by themselves: an import changes them
/// without the profile.
pub(super) const fn counts_place(pk: &str) -> Place<'_> {
    Place {
        table: TABLE,
        pk,
        sk: PROFILE,
        attribute: "counts",
    }
}

/// How far the import of a patient came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportState {
    /// Resources are still being written, or an import broke off: the record may have gaps.
    Incomplete,
    Complete,
}

impl ImportState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Complete => "complete",
        }
    }
}

/// What a proxy's permission rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The patient granted it.
    Granted,
    /// The proxy is a minor patient's parent or guardian (45 CFR 164.502(g)(3)).
    Parental,
}

impl Basis {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Parental => "parental",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Granted, Self::Parental]
            .into_iter()
            .find(|basis| basis.as_str() == name)
    }
}

/// Somebody whom a patient, or the law, lets act for the patient.
#[derive(Clone)]
pub struct Proxy {
    pub grant: Uuid,
    pub account: AccountId,
    pub basis: Basis,
    /// Names of [`crate::api::Category`].
    pub categories: Vec<String>,
    pub until: Option<Timestamp>,
    /// The year in which a child was born, where a parent may have to do with messages: those
    /// functions cannot open the birth date.
    pub born: Option<i16>,
    pub granted_at: Timestamp,
    /// Who it is, in the patient's words.
    pub row: SealedRow,
}

/// A provider's access in an emergency.
#[derive(Clone)]
pub struct BreakGlass {
    pub grant: Uuid,
    pub account: AccountId,
    pub until: Timestamp,
}

/// What a privacy officer passes on of a patient's messages, as the law asks or allows.
#[derive(Clone)]
pub struct Disclosure {
    pub grant: Uuid,
    pub account: AccountId,
    pub until: Timestamp,
    /// To whom and why, in the officer's words.
    pub row: SealedRow,
}

/// What an appointment permits whom it is with, on this appointment alone: to look after it until
/// some days after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppointmentTie {
    pub appointment: AppointmentId,
    pub practitioner: PractitionerId,
    pub until: Timestamp,
}

/// The rows around a patient.
#[derive(Clone, Default)]
pub struct PatientContext {
    wrapped_key: Option<Vec<u8>>,
    profile: Option<SealedRow>,
    contact: Option<SealedRow>,
    care_team: Vec<CareTeamMember>,
    care_team_version: u64,
    proxies: Vec<Proxy>,
    proxies_version: u64,
    break_glass: Vec<BreakGlass>,
    disclosures: Vec<Disclosure>,
    appointments: Vec<AppointmentTie>,
    holds: Vec<Hold>,
    age: Option<AgeBand>,
}

impl PatientContext {
    fn from_rows(rows: Vec<Item>) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("a patient's context row");
        let mut context = Self::default();
        for item in rows {
            let row = SealedRow::new(TABLE, item);
            match row.sk()?.to_owned().as_str() {
                KEY => context.wrapped_key = row.bytes("wrapped").map(<[u8]>::to_vec),
                PROFILE => context.profile = Some(row),
                CONTACT => context.contact = Some(row),
                VERSION => context.care_team_version = row.number("version").ok_or(TORN)?,
                PROXIES => context.proxies_version = row.number("version").ok_or(TORN)?,
                other => {
                    if let Some(practitioner) = other.strip_prefix(CARE_TEAM) {
                        // A row that does not say how somebody came to treat the patient is not
                        // ours.
                        if row.string("source").is_some() {
                            context.care_team.push(CareTeamMember {
                                practitioner: practitioner.parse().map_err(|_| TORN)?,
                                until: row.parsed("until")?,
                                row,
                            });
                        }
                    } else if let Some(result) = other.strip_prefix(HOLD) {
                        let result = result.parse().map_err(|_| TORN)?;
                        context.holds.push(Hold::from_row(result, row)?);
                    } else if let Some(account) = other.strip_prefix(PROXY) {
                        let account = account.parse().map_err(|_| TORN)?;
                        context.proxies.push(Proxy::from_row(account, row)?);
                    } else if let Some(account) = other.strip_prefix(BREAK_GLASS) {
                        context.break_glass.push(BreakGlass {
                            grant: row.parsed("grant")?.ok_or(TORN)?,
                            account: account.parse().map_err(|_| TORN)?,
                            until: row.parsed("until")?.ok_or(TORN)?,
                        });
                    } else if let Some(account) = other.strip_prefix(DISCLOSURE) {
                        context.disclosures.push(Disclosure {
                            grant: row.parsed("grant")?.ok_or(TORN)?,
                            account: account.parse().map_err(|_| TORN)?,
                            until: row.parsed("until")?.ok_or(TORN)?,
                            row,
                        });
                    } else if let Some(appointment) = other.strip_prefix(APPOINTMENT) {
                        context.appointments.push(AppointmentTie {
                            appointment: appointment.parse().map_err(|_| TORN)?,
                            practitioner: row.parsed("practitioner")?.ok_or(TORN)?,
                            until: row.parsed("until")?.ok_or(TORN)?,
                        });
                    }
                }
            }
        }
        Ok(context)
    }

    /// Is there such a patient at all?
    pub const fn exists(&self) -> bool {
        self.profile.is_some()
    }

    pub fn wrapped_key(&self) -> Option<&[u8]> {
        self.wrapped_key.as_deref()
    }

    /// The imported Patient resource, without identifiers that the portal does not keep.
    pub fn profile(&self) -> Result<&SealedRow, Fault> {
        self.profile
            .as_ref()
            .ok_or(Fault::Corrupt("a patient without a profile"))
    }

    /// What the patient set in place of what the practice's records say.
    pub const fn contact(&self) -> Option<&SealedRow> {
        self.contact.as_ref()
    }

    /// Counts the patient's changes; the profile's entity tag.
    pub fn contact_version(&self) -> u64 {
        self.contact
            .as_ref()
            .and_then(|row| row.number("version"))
            .unwrap_or(0)
    }

    /// Those who are or were on the care team.
    pub fn care_team(&self) -> &[CareTeamMember] {
        &self.care_team
    }

    /// Does the practitioner treat the patient now?
    pub fn is_on_care_team(&self, practitioner: PractitionerId, now: Timestamp) -> bool {
        self.care_team_member(practitioner)
            .is_some_and(|member| member.is_current(now))
    }

    /// Somebody's membership, over or not.
    pub fn care_team_member(&self, practitioner: PractitionerId) -> Option<&CareTeamMember> {
        let mut members = self.care_team.iter();
        members.find(|member| member.practitioner == practitioner)
    }

    /// Counts the portal's changes of the care team; its entity tag.
    pub const fn care_team_version(&self) -> u64 {
        self.care_team_version
    }

    pub fn proxies(&self) -> &[Proxy] {
        &self.proxies
    }

    pub const fn proxies_version(&self) -> u64 {
        self.proxies_version
    }

    /// What the account may do for the patient, expired or not.
    pub fn proxy(&self, account: AccountId) -> Option<&Proxy> {
        self.proxies.iter().find(|proxy| proxy.account == account)
    }

    /// The account's last emergency access, expired or not.
    pub fn break_glass(&self, account: AccountId) -> Option<&BreakGlass> {
        self.break_glass
            .iter()
            .find(|break_glass| break_glass.account == account)
    }

    /// The account's last disclosure, over or not.
    pub fn disclosure(&self, account: AccountId) -> Option<&Disclosure> {
        let mut disclosures = self.disclosures.iter();
        disclosures.find(|disclosure| disclosure.account == account)
    }

    /// What an appointment permits, over or not.
    pub fn appointment(&self, appointment: AppointmentId) -> Option<&AppointmentTie> {
        let mut appointments = self.appointments.iter();
        appointments.find(|tie| tie.appointment == appointment)
    }

    pub fn appointments(&self) -> &[AppointmentTie] {
        &self.appointments
    }

    /// What was held last of each result, expired or not.
    pub fn holds(&self) -> &[Hold] {
        &self.holds
    }

    /// The hold on a result, expired or not.
    pub fn hold(&self, result: RecordId) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.result == result)
    }

    /// How many entries each section of the record had when the last import ended.
    pub fn counts(&self, opener: &Opener) -> Result<Counts, Fault> {
        let profile = self.profile()?;
        let Some(sealed) = profile.bytes("counts") else {
            return Ok(Counts::default());
        };
        let pk = profile
            .string("pk")
            .ok_or(Fault::Corrupt("a row without a key"))?;
        let json = opener.open(&counts_place(pk), sealed)?;
        serde_json::from_slice(&json).map_err(|_| Fault::Corrupt("the counts of a record"))
    }

    /// The patient's age on the practice's date, where the policy has to know it.
    pub const fn age(&self) -> Option<AgeBand> {
        self.age
    }

    pub const fn set_age(&mut self, age: AgeBand) {
        self.age = Some(age);
    }

    /// Notes that the patient is a child, where a year of birth is enough to know it.
    pub fn set_age_by_year(&mut self, practice: &Practice, now: Timestamp) {
        let mut years = self.proxies.iter().filter_map(|proxy| proxy.born);
        if years.any(|year| practice.is_child_born_in(year, now)) {
            self.age = Some(AgeBand::Child);
        }
    }

    /// Rows that nobody stored: what the policy says of them is tested without a table.
    pub fn of(
        care_team: Vec<CareTeamMember>,
        proxies: Vec<Proxy>,
        break_glass: Vec<BreakGlass>,
    ) -> Self {
        Self {
            care_team,
            proxies,
            break_glass,
            ..Self::default()
        }
    }

    /// The same with appointments.
    pub fn with_appointments(self, appointments: Vec<AppointmentTie>) -> Self {
        Self {
            appointments,
            ..self
        }
    }

    /// The same with disclosures.
    pub fn with_disclosures(self, disclosures: Vec<Disclosure>) -> Self {
        Self {
            disclosures,
            ..self
        }
    }

    pub fn import_state(&self) -> ImportState {
        match self
            .profile
            .as_ref()
            .and_then(|row| row.string("import_state"))
        {
            Some("complete") => ImportState::Complete,
            _ => ImportState::Incomplete,
        }
    }
}

impl Proxy {
    fn from_row(account: AccountId, row: SealedRow) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("a proxy's row");
        let categories = row.string("categories").ok_or(TORN)?;
        Ok(Self {
            grant: row.parsed("grant")?.ok_or(TORN)?,
            account,
            basis: row.string("basis").and_then(Basis::from_name).ok_or(TORN)?,
            categories: categories.split_whitespace().map(str::to_owned).collect(),
            until: row.parsed("until")?,
            born: row.number("born").and_then(|year| year.try_into().ok()),
            granted_at: row.parsed("granted_at")?.ok_or(TORN)?,
            row,
        })
    }
}

/// A page of what a query finds in one partition of the table, `:pk`, as it is at this moment.
pub(super) async fn page(
    query: QueryFluentBuilder,
    pk: &str,
    after: Option<&str>,
) -> Result<Entries, Fault> {
    let mut query = query
        .expression_attribute_values(":pk", s(pk))
        .consistent_read(true);
    if let Some(sk) = after {
        query = query
            .exclusive_start_key("pk", s(pk))
            .exclusive_start_key("sk", s(sk));
    }
    let answer = query
        .send()
        .await
        .map_err(|error| fault("DynamoDB", &error))?;
    let next = answer.last_evaluated_key.as_ref();
    let next = next.and_then(|key| string(key, "sk")).map(str::to_owned);
    let rows = answer.items.unwrap_or_default().into_iter();
    Ok(Entries {
        rows: rows.map(|item| SealedRow::new(TABLE, item)).collect(),
        next,
    })
}

/// The patients table.
pub struct Patients {
    pub(super) client: Client,
    pub(super) table: String,
}

impl Patients {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::PatientsTable)?,
        })
    }

    /// The context rows of a patient, as they are at this moment.
    pub async fn context(&self, whose: &Unproven<PatientId>) -> Result<PatientContext, Fault> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :context)")
            .expression_attribute_values(":pk", s(patient_key(whose.patient())))
            .expression_attribute_values(":context", s("CONTEXT#"))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        PatientContext::from_rows(answer.items.unwrap_or_default())
    }

    /// The writes of what the patient set: the new state, and what was changed into the history.
    /// Nothing happens if the version is no longer the one that the caller read.
    pub fn change_contact(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        version: u64,
        contact: &[u8],
        changes: &[u8],
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        let pk = patient_key(access.patient());
        let row = |sk: &str, content| {
            let place = Place {
                table: TABLE,
                pk: &pk,
                sk,
                attribute: SEALED,
            };
            Ok(Put::builder()
                .table_name(&self.table)
                .item("pk", s(&pk))
                .item("sk", s(sk))
                .item("changed_at", s(now.to_string()))
                .item("changed_by", s(access.account().to_string()))
                .item(SEALED, b(opener.seal(&place, content)?)))
        };
        let next = version.saturating_add(1);
        let put = row(CONTACT, contact)?.item("version", n(next));
        let put = if version == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("version = :seen")
                .expression_attribute_values(":seen", n(version))
        };
        let history = row(&format!("{CONTACT_HISTORY}{next:010}"), changes)?;
        [put, history]
            .into_iter()
            .map(|put| {
                let put = put.build().map_err(|_| Fault::Defect("a put"))?;
                Ok(Write {
                    item: TransactWriteItem::builder().put(put).build(),
                    conflict: Problem::changed_meanwhile(),
                })
            })
            .collect()
    }

    /// What the patient changed, newest first.
    pub async fn profile_changes(
        &self,
        whose: &Unproven<PatientId>,
        after: Option<&str>,
        limit: u8,
    ) -> Result<Entries, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :history)")
            .expression_attribute_values(":history", s(CONTACT_HISTORY))
            .scan_index_forward(false)
            .limit(limit.into());
        page(query, &patient_key(whose.patient()), after).await
    }

    /// The write that gives a patient their one account. It stands in a partition of its own, so
    /// that whoever may write it reaches nothing else of the patient's.
    pub fn link_account(&self, patient: PatientId, account: AccountId) -> Result<Write, Fault> {
        let put = Put::builder()
            .table_name(&self.table)
            .item("pk", s(format!("ACCOUNT-OF#{patient}")))
            .item("sk", s("ACCOUNT"))
            .item("account", s(account.to_string()))
            .condition_expression("attribute_not_exists(pk) OR account = :account")
            .expression_attribute_values(":account", s(account.to_string()))
            .build()
            .map_err(|_| Fault::Defect("a put"))?;
        Ok(Write {
            item: TransactWriteItem::builder().put(put).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }

    /// A patient's one account, if they have it.
    pub async fn account_of(&self, patient: PatientId) -> Result<Option<AccountId>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(format!("ACCOUNT-OF#{patient}")))
            .key("sk", s("ACCOUNT"))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let account = answer.item.as_ref().map(|item| string(item, "account"));
        account
            .map(|id| id.and_then(|id| id.parse().ok()))
            .map(|id| id.ok_or(Fault::Corrupt("the row of a patient's account")))
            .transpose()
    }

    /// The patient with this medical record number.
    pub async fn by_mrn(&self, mrn_mac: &str) -> Result<Option<PatientId>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(format!("MRN#{mrn_mac}")))
            .key("sk", s("PATIENT"))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        answer
            .item
            .as_ref()
            .and_then(|item| string(item, "patient"))
            .map(str::parse)
            .transpose()
            .map_err(|_| Fault::Corrupt("an MRN row"))
    }
}
