//! The audit log as a patient may read it: the records of their partition, newest first, and what
//! the patients table knows besides: broken glass and its review, disclosures, reports, and former
//! proxies.

use super::patients::TABLE;
use super::{Item, Patients, SealedRow, Write, concerns, patient_key, s, sortable};
use crate::Fault;
use crate::access::{Access, Role, Unproven};
use crate::api::access_concerns::{Concern, Kind, Outcome, Reported, State, Verdict};
use crate::api::break_glass::Reason;
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{AccessId, AccountId, ConcernId, PatientId, PractitionerId};
use crate::phi::Opener;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeSet, HashMap, VecDeque};
use uuid::Uuid;

pub(super) const EMERGENCY: &str = "HISTORY#BREAK-GLASS#";
const PROXY: &str = "HISTORY#PROXY#";
pub(super) const REPORT: &str = "HISTORY#REPORT#";
pub(super) const DISCLOSED: &str = "HISTORY#DISCLOSURE#";

/// A record of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRecord {
    pub id: AccessId,
    pub at: Timestamp,
    pub operation: String,
    pub actor: Option<AccountId>,
    pub role: Option<Role>,
    pub practitioner: Option<PractitionerId>,
    /// A provider's, as it was then.
    pub name: Option<String>,
    pub outcome: String,
    pub reason: Option<String>,
    pub via: Option<String>,
    pub grant: Option<Uuid>,
    pub source_ip: String,
    pub user_agent: String,
    sk: String,
    request_id: String,
}

impl AccessRecord {
    fn from_item(item: Item) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("an audit record");
        let row = SealedRow::new("audit", item);
        let text = |name| row.string(name).map(str::to_owned);
        Ok(Self {
            id: row.parsed("id")?.ok_or(TORN)?,
            at: row.parsed("at")?.ok_or(TORN)?,
            operation: text("operation").ok_or(TORN)?,
            actor: row.parsed("actor")?,
            role: row.string("role").and_then(Role::from_name),
            practitioner: row.parsed("practitioner")?,
            name: text("name"),
            outcome: text("outcome").ok_or(TORN)?,
            reason: text("reason"),
            via: text("via"),
            grant: row.parsed("grant")?,
            source_ip: text("source_ip").unwrap_or_default(),
            user_agent: text("user_agent").unwrap_or_default(),
            sk: row.sk()?.to_owned(),
            request_id: text("request_id").unwrap_or_default(),
        })
    }

    /// The instant that the record is sorted by.
    fn instant(&self) -> &str {
        self.sk.split('#').next().unwrap_or_default()
    }
}

/// From when to when, the end not included.
#[derive(Debug, Clone, Copy, Default)]
pub struct Range {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// Where a page begins. One access may leave several records: that it began and that it ended, or
/// that it was done and then was not. What was told of it already is not told again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// The last record that was looked at.
    sk: String,
    /// The requests that left a record at this very instant.
    told: BTreeSet<String>,
    /// Requests that may have begun something before it, the last one of them first.
    awaited: VecDeque<String>,
}

impl Position {
    /// Reads what [`Self::text`] wrote.
    pub fn from_text(text: &str) -> Self {
        let mut parts = text.split('|');
        let sk = parts.next().unwrap_or_default().to_owned();
        let mut ids = || {
            let ids = parts.next().unwrap_or_default().split(' ');
            ids.filter(|id| !id.is_empty()).map(str::to_owned)
        };
        Self {
            sk,
            told: ids().collect(),
            awaited: ids().collect(),
        }
    }

    pub fn text(&self) -> String {
        let told: Vec<_> = self.told.iter().map(String::as_str).collect();
        let awaited: Vec<_> = self.awaited.iter().map(String::as_str).collect();
        format!("{}|{}|{}", self.sk, told.join(" "), awaited.join(" "))
    }

    fn instant(&self) -> &str {
        self.sk.split('#').next().unwrap_or_default()
    }

    /// Goes on to the next record, which is older; is it the first to be told of its access?
    fn pass(&mut self, record: &AccessRecord) -> bool {
        if record.instant() != self.instant() {
            self.told.clear();
        }
        self.sk.clone_from(&record.sk);
        let request = &record.request_id;
        if request.is_empty() {
            return true;
        }
        let begun = record.reason.as_deref() == Some(BEGUN);
        let awaited = self.awaited.iter().position(|one| one == request);
        if let Some(at) = awaited.filter(|_| begun) {
            self.awaited.remove(at);
        }
        let unchanged = record.reason.as_deref() == Some(UNCHANGED);
        if record.operation == IMPORT && !begun && !unchanged && awaited.is_none() {
            // One of so long ago began as long ago, or never.
            self.awaited.truncate(AWAITED - 1);
            self.awaited.push_front(request.clone());
        }
        self.told.insert(request.clone()) && awaited.is_none()
    }
}

/// Records in order, and whether there are more behind them.
pub struct LogPage {
    records: Vec<AccessRecord>,
    more: bool,
    position: Position,
}

impl LogPage {
    /// Up to so many accesses that are wanted, each as its last record has it, and where the next
    /// page begins.
    pub fn accesses(
        self,
        limit: u8,
        wanted: impl Fn(&AccessRecord) -> bool,
    ) -> (Vec<AccessRecord>, Option<Position>) {
        let mut position = self.position;
        let mut taken = Vec::new();
        let mut records = self.records.into_iter();
        for record in records.by_ref() {
            if position.pass(&record) && wanted(&record) {
                taken.push(record);
                if taken.len() == usize::from(limit) {
                    break;
                }
            }
        }
        let more = self.more || records.next().is_some();
        (taken, more.then_some(position))
    }
}

const IMPORT: &str = crate::api::import::IMPORT_RECORDS.id;
/// The reason of a record which says that something began.
pub const BEGUN: &str = "begun";
/// The reason of an import's record that found nothing to write, and so began nothing.
pub const UNCHANGED: &str = "unchanged";

/// For the beginnings of how many imports a cursor waits at once: it stands in a URL, which has room for
/// some thousand characters.
const AWAITED: usize = 16;

/// How long before its record's id an access may have happened: a second record of an access has the
/// time of the first.
const LATE: SignedDuration = SignedDuration::from_secs(60);

/// The audit table, for reading.
pub struct AccessLog {
    client: Client,
    table: String,
}

impl AccessLog {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::AuditTable)?,
        })
    }

    /// The records of a patient's partition, newest first.
    pub async fn newest(
        &self,
        whose: &Unproven<PatientId>,
        range: Range,
        position: Position,
        records: u16,
    ) -> Result<LogPage, Fault> {
        // A record sorts behind its instant alone, and before the next.
        let from = range.from.map_or_else(|| "0".to_owned(), sortable);
        let to = range.to.map_or_else(|| "9".repeat(20), sortable);
        let start = Some(position.sk.as_str()).filter(|sk| !sk.is_empty() && **sk < *to);
        let over = to <= from || (!position.sk.is_empty() && *position.sk <= *from);
        if over {
            return Ok(LogPage {
                records: Vec::new(),
                more: false,
                position,
            });
        }
        let pk = patient_key(whose.patient());
        let start =
            start.map(|sk| Item::from([("pk".to_owned(), s(&pk)), ("sk".to_owned(), s(sk))]));
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", s(&pk))
            .expression_attribute_values(":from", s(from))
            .expression_attribute_values(":to", s(to))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(records.into())
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| fault("the audit table", &error))?;
        let found = answer.items.unwrap_or_default().into_iter();
        Ok(LogPage {
            records: found
                .map(AccessRecord::from_item)
                .collect::<Result<_, _>>()?,
            more: answer.last_evaluated_key.is_some(),
            position,
        })
    }

    /// One record of the patient's partition. Its id says when it was made, and so where it stands.
    pub async fn record(
        &self,
        access: &Access<PatientId>,
        id: AccessId,
    ) -> Result<Option<AccessRecord>, Fault> {
        let Some(made) = id.made() else {
            return Ok(None);
        };
        let (Ok(from), Ok(to)) = (
            made.checked_sub(LATE),
            made.checked_add(SignedDuration::from_secs(1)),
        ) else {
            return Ok(None);
        };
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .filter_expression("id = :id")
            .expression_attribute_values(":pk", s(patient_key(access.patient())))
            .expression_attribute_values(":from", s(sortable(from)))
            .expression_attribute_values(":to", s(sortable(to)))
            .expression_attribute_values(":id", s(id.to_string()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("the audit table", &error))?;
        let mut found = answer.items.unwrap_or_default().into_iter();
        found.next().map(AccessRecord::from_item).transpose()
    }
}

/// Broken glass, and what the privacy officer says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emergency {
    pub reason: Reason,
    pub verdict: Option<Verdict>,
}

/// A report of an access, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportRow {
    pub concern: ConcernId,
    pub reported_at: Timestamp,
    pub reported_by: AccountId,
    pub closed: Option<(Outcome, Timestamp)>,
}

impl ReportRow {
    pub(super) fn from_row(row: &SealedRow) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("a report's row");
        let closed = row.parsed("outcome")?.zip(row.parsed("closed_at")?);
        Ok(Self {
            concern: row.parsed("concern")?.ok_or(TORN)?,
            reported_at: row.parsed("reported_at")?.ok_or(TORN)?,
            reported_by: row.parsed("reported_by")?.ok_or(TORN)?,
            closed,
        })
    }
}

/// What the patients table knows of accesses.
#[derive(Default)]
pub struct AccessNotes {
    emergencies: HashMap<Uuid, Emergency>,
    reports: HashMap<AccessId, ReportRow>,
    disclosures: HashMap<Uuid, SealedRow>,
    /// The grants that have ended or were replaced, of each account the oldest first.
    proxies: Vec<(AccountId, SealedRow)>,
}

impl AccessNotes {
    pub fn emergency(&self, grant: Uuid) -> Option<&Emergency> {
        self.emergencies.get(&grant)
    }

    pub fn report(&self, access: AccessId) -> Option<&ReportRow> {
        self.reports.get(&access)
    }

    /// To whom something was passed on, and why.
    pub fn disclosure(&self, grant: Uuid) -> Option<&SealedRow> {
        self.disclosures.get(&grant)
    }

    /// What the account was granted, and is no more.
    pub fn proxies(&self, account: AccountId) -> impl Iterator<Item = &SealedRow> {
        let of_account = self.proxies.iter().filter(move |(of, _)| *of == account);
        of_account.map(|(_, row)| row)
    }

    fn note(&mut self, row: SealedRow) -> Result<(), Fault> {
        const TORN: Fault = Fault::Corrupt("a history row");
        let sk = row.sk()?.to_owned();
        if let Some(grant) = sk.strip_prefix(EMERGENCY) {
            let emergency = Emergency {
                reason: row.parsed("reason")?.ok_or(TORN)?,
                verdict: row.parsed("outcome")?,
            };
            self.emergencies
                .insert(grant.parse().map_err(|_| TORN)?, emergency);
        } else if let Some(grant) = sk.strip_prefix(DISCLOSED) {
            let grant = grant.parse().map_err(|_| TORN)?;
            self.disclosures.insert(grant, row);
        } else if let Some(access) = sk.strip_prefix(REPORT) {
            let access = access.parse().map_err(|_| TORN)?;
            self.reports.insert(access, ReportRow::from_row(&row)?);
        } else if let Some(proxy) = sk.strip_prefix(PROXY) {
            let account = proxy.split('#').next().unwrap_or_default();
            let account = account.parse().map_err(|_| TORN)?;
            self.proxies.push((account, row));
        }
        Ok(())
    }
}

impl Patients {
    /// What there is to know of the accesses to a patient's record besides the audit log.
    pub async fn access_notes(&self, whose: &Unproven<PatientId>) -> Result<AccessNotes, Fault> {
        let kinds = [EMERGENCY, PROXY, REPORT, DISCLOSED];
        let found = try_join_all(kinds.map(|kind| self.history(whose, kind))).await?;
        let mut notes = AccessNotes::default();
        for item in found.into_iter().flatten() {
            notes.note(SealedRow::new(TABLE, item))?;
        }
        Ok(notes)
    }

    async fn history(&self, whose: &Unproven<PatientId>, kind: &str) -> Result<Vec<Item>, Fault> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :kind)")
            .expression_attribute_values(":pk", s(patient_key(whose.patient())))
            .expression_attribute_values(":kind", s(kind))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(answer.items.unwrap_or_default())
    }

    /// The report of an access, if there is one.
    pub async fn report(
        &self,
        access: &Access<PatientId>,
        id: AccessId,
    ) -> Result<Option<ReportRow>, Fault> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk = :sk")
            .expression_attribute_values(":pk", s(patient_key(access.patient())))
            .expression_attribute_values(":sk", s(format!("{REPORT}{id}")))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let mut rows = answer.items.unwrap_or_default().into_iter();
        let row = rows.next().map(|item| SealedRow::new(TABLE, item));
        row.as_ref().map(ReportRow::from_row).transpose()
    }

    /// The writes that report an access: a concern for the privacy officer, and a row for the
    /// patient. An access is reported once.
    pub fn report_access(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        reported: &AccessRecord,
        explanation: Option<String>,
        now: Timestamp,
    ) -> Result<(ReportRow, Vec<Write>), Fault> {
        let patient = access.patient();
        let concern = Concern {
            id: ConcernId::new(Uuid::now_v7()),
            kind: Kind::PatientReport,
            state: State::Open,
            patient,
            actor: reported.actor,
            grant: reported.grant,
            reason: None,
            access: Some(Reported {
                id: reported.id,
                operation: reported.operation.clone(),
                at: reported.at,
            }),
            opened_at: now,
            closed: None,
        };
        let row = Put::builder()
            .table_name(&self.table)
            .item("pk", s(patient_key(patient)))
            .item("sk", s(format!("{REPORT}{}", reported.id)))
            .item("concern", s(concern.id.to_string()))
            .item("reported_at", s(now.to_string()))
            .item("reported_by", s(access.account().to_string()))
            .condition_expression("attribute_not_exists(pk)");
        let raised = concerns::raised(&self.table, opener, &concern, explanation)?;
        let writes = [row, raised].into_iter().map(|put| {
            let put = put.build().map_err(|_| Fault::Defect("a put"))?;
            Ok(Write {
                item: TransactWriteItem::builder().put(put).build(),
                // Sent twice at once: the slower one finds the report when it asks again.
                conflict: Problem::unavailable(),
            })
        });
        let report = ReportRow {
            concern: concern.id,
            reported_at: now,
            reported_by: access.account(),
            closed: None,
        };
        Ok((report, writes.collect::<Result<_, Fault>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newest first: one import around other accesses, another with the same request's id before
    /// it, and accesses with two records each, of the same millisecond.
    fn log() -> Vec<AccessRecord> {
        let failed = Some("unavailable");
        let records = [
            (9, "i", IMPORT, None),
            (8, "a", "get-profile", None),
            (7, "b", "get-profile", failed),
            (7, "c", "get-profile", failed),
            (7, "b", "get-profile", None),
            (7, "c", "get-profile", None),
            (6, "d", "get-profile", None),
            (5, "i", IMPORT, Some(BEGUN)),
            (4, "i", IMPORT, failed),
            (3, "i", IMPORT, Some(BEGUN)),
            (2, "e", "get-profile", None),
            (1, "j", IMPORT, Some(BEGUN)),
        ];
        let records = records.into_iter().zip((0_u8..99).rev());
        let record = |((second, request, operation, reason), number)| {
            let at = Timestamp::from_second(second).unwrap();
            let id = AccessId::new(Uuid::from_u128(u128::from(number)));
            AccessRecord {
                id,
                at,
                operation: str::to_owned(operation),
                actor: None,
                role: None,
                practitioner: None,
                name: None,
                outcome: "success".to_owned(),
                reason: Option::map(reason, str::to_owned),
                via: None,
                grant: None,
                source_ip: String::new(),
                user_agent: String::new(),
                sk: format!("{}#{id}", sortable(at)),
                request_id: str::to_owned(request),
            }
        };
        records.map(record).collect()
    }

    #[test]
    fn every_access_is_told_once_whatever_the_pages_are() {
        let log = log();
        assert!(log.is_sorted_by(|one, next| one.sk > next.sk));
        for limit in 1..=9 {
            for window in 1..=log.len() {
                let mut position = Position::default();
                let mut told = Vec::new();
                loop {
                    let rest = log.iter();
                    let rest = rest.filter(|one| position.sk.is_empty() || one.sk < position.sk);
                    let page = LogPage {
                        records: rest.clone().take(window).cloned().collect(),
                        more: rest.count() > window,
                        position,
                    };
                    let (taken, next) = page.accesses(limit, |_| true);
                    assert!(taken.len() <= usize::from(limit));
                    told.extend(taken.into_iter().map(|one| one.request_id));
                    let Some(next) = next else { break };
                    position = Position::from_text(&next.text());
                    assert_eq!(position, next);
                }
                let expected = ["i", "a", "b", "c", "d", "i", "e", "j"];
                assert_eq!(told, expected, "{limit} of {window}");
            }
        }
    }
}
