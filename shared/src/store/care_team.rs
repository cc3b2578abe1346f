//! Care teams: `CONTEXT#CARE-TEAM#<practitioner>` rows of a patient, made by imports or in the
//! portal. `CONTEXT#CARE-TEAM` counts the portal's changes. Those who are on a team stand in the
//! index `by-practitioner`, which sorts a practitioner's patients by their last activity.

use super::patients::{CARE_TEAM, TABLE};
use super::{
    Patients, SEALED, SealedRow, TIME_UNKNOWN, Write, b, n, patient_key, s, sortable, string,
};
use crate::Fault;
use crate::access::{Access, Practice};
use crate::aws::fault;
use crate::http::Problem;
use crate::ids::{PatientId, PractitionerId};
use crate::phi::{Opener, Place};
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The row that counts what the portal changed in a team.
pub(super) const VERSION: &str = "CONTEXT#CARE-TEAM";

/// `source` of a row that was made in the portal. No import touches such a row.
pub(super) const PORTAL: &str = "portal";

const INDEX: &str = "by-practitioner";

/// A practitioner who is or was on a care team.
#[derive(Clone)]
pub struct CareTeamMember {
    pub practitioner: PractitionerId,
    /// When the membership ends or ended; none if nobody has said.
    pub until: Option<Timestamp>,
    /// How it came about and, sealed, [`Particulars`].
    pub row: SealedRow,
}

impl CareTeamMember {
    /// Does the practitioner treat the patient now?
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    pub fn since(&self) -> Option<&str> {
        self.row.string("since")
    }

    /// The start of the newest encounter with the patient.
    pub fn last_seen(&self) -> Option<&str> {
        self.row.string("last_seen")
    }

    pub fn particulars(&self, opener: &Opener) -> Result<Particulars, Fault> {
        serde_json::from_slice(&self.row.open(opener)?)
            .map_err(|_| Fault::Corrupt("a care team member"))
    }
}

/// Who a member is, in the words of who put them on the team.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Particulars {
    pub role: Option<String>,
    #[serde(rename = "display")]
    pub name: Option<String>,
}

/// A membership as the portal is to have it.
pub struct Membership {
    pub practitioner: PractitionerId,
    /// Both in the form that sorts.
    pub since: Option<String>,
    pub last_seen: Option<String>,
    pub until: Option<Timestamp>,
    pub particulars: Particulars,
}

/// By when the index sorts a membership.
pub(super) fn activity<'a>(since: Option<&'a str>, last_seen: Option<&'a str>) -> &'a str {
    last_seen.or(since).unwrap_or(TIME_UNKNOWN)
}

/// A page of a practitioner's patients, newest activity first.
pub struct PanelPage {
    pub patients: Vec<PatientId>,
    /// After what the next page starts.
    pub next: Option<String>,
}

impl Patients {
    /// The patients on whose care team a practitioner may be: the index is a moment late, and keeps
    /// those whose time is over. The patients' own rows have the last word.
    pub async fn panel(
        &self,
        _: &Access<Practice>,
        practitioner: PractitionerId,
        after: Option<&str>,
        limit: u8,
    ) -> Result<PanelPage, Fault> {
        const TORN: Fault = Fault::Corrupt("a row of the index by-practitioner");
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("practitioner = :practitioner")
            .expression_attribute_values(":practitioner", s(practitioner.to_string()))
            .scan_index_forward(false)
            .limit(i32::from(limit));
        if let Some(after) = after {
            let (active_at, patient) = after
                .split_once('#')
                .ok_or(Fault::Defect("a cursor of a panel"))?;
            query = query
                .exclusive_start_key("practitioner", s(practitioner.to_string()))
                .exclusive_start_key("active_at", s(active_at))
                .exclusive_start_key("pk", s(format!("PATIENT#{patient}")))
                .exclusive_start_key("sk", s(format!("{CARE_TEAM}{practitioner}")));
        }
        let answer = query
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let patient = |item| string(item, "pk").and_then(|pk| pk.strip_prefix("PATIENT#"));
        let next = answer.last_evaluated_key.as_ref().map(|key| {
            let active_at = string(key, "active_at").ok_or(TORN)?;
            Ok(format!("{active_at}#{}", patient(key).ok_or(TORN)?))
        });
        let patients = answer.items().iter().map(|item| {
            let patient = patient(item).and_then(|id| id.parse().ok());
            patient.ok_or(TORN)
        });
        Ok(PanelPage {
            patients: patients.collect::<Result<_, _>>()?,
            next: next.transpose()?,
        })
    }

    /// All patients on whose care team a practitioner may be, with the same reservation.
    pub async fn whole_panel(
        &self,
        _: &Access<Practice>,
        practitioner: PractitionerId,
    ) -> Result<HashSet<PatientId>, Fault> {
        const TORN: Fault = Fault::Corrupt("a row of the index by-practitioner");
        let mut panel = HashSet::new();
        let mut start = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(INDEX)
                .key_condition_expression("practitioner = :practitioner")
                .expression_attribute_values(":practitioner", s(practitioner.to_string()))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| fault("DynamoDB", &error))?;
            for item in page.items() {
                let patient = string(item, "pk").and_then(|pk| pk.strip_prefix("PATIENT#"));
                panel.insert(patient.and_then(|id| id.parse().ok()).ok_or(TORN)?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(panel);
            }
        }
    }

    /// The writes of a membership: the new row, the former one into the history, and the count.
    /// Nothing happens if the count is no longer the one that the caller read.
    pub fn change_care_team(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        version: u64,
        member: &Membership,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        let pk = patient_key(access.patient());
        let sk = format!("{CARE_TEAM}{}", member.practitioner);
        let by_caller = |put: PutBuilder| {
            put.item("changed_at", s(now.to_string()))
                .item("changed_by", s(access.account().to_string()))
        };
        let count = by_caller(self.put(&pk, VERSION)).item("version", n(version.saturating_add(1)));
        let count = if version == 0 {
            count.condition_expression("attribute_not_exists(pk)")
        } else {
            count
                .condition_expression("version = :seen")
                .expression_attribute_values(":seen", n(version))
        };
        let particulars = serde_json::to_vec(&member.particulars)
            .map_err(|_| Fault::Defect("particulars as JSON"))?;
        let mut row =
            by_caller(self.sealed(&pk, &sk, opener, &particulars)?).item("source", s(PORTAL));
        let (since, last_seen) = (member.since.as_deref(), member.last_seen.as_deref());
        for (name, time) in [("since", since), ("last_seen", last_seen)] {
            if let Some(time) = time {
                row = row.item(name, s(time));
            }
        }
        if let Some(until) = member.until {
            row = row.item("until", s(until.to_string()));
        }
        if member.until.is_none_or(|until| now < until) {
            row = row
                .item("practitioner", s(member.practitioner.to_string()))
                .item("active_at", s(activity(since, last_seen)));
        }
        let mut writes = vec![count, row];
        if let Some(former) = opener.context().care_team_member(member.practitioner) {
            let sk = format!(
                "HISTORY#CARE-TEAM#{}#{}",
                member.practitioner,
                sortable(now)
            );
            let mut history = self.sealed(&pk, &sk, opener, &former.row.open(opener)?)?;
            for name in [
                "source",
                "since",
                "last_seen",
                "until",
                "changed_at",
                "changed_by",
            ] {
                if let Some(value) = former.row.string(name) {
                    history = history.item(name, s(value));
                }
            }
            writes.push(history);
        }
        let writes = writes.into_iter().map(|put| {
            let put = put.build().map_err(|_| Fault::Defect("a put"))?;
            Ok(Write {
                item: TransactWriteItem::builder().put(put).build(),
                conflict: Problem::changed_meanwhile(),
            })
        });
        writes.collect()
    }

    fn put(&self, pk: &str, sk: &str) -> PutBuilder {
        Put::builder()
            .table_name(&self.table)
            .item("pk", s(pk))
            .item("sk", s(sk))
    }

    fn sealed(
        &self,
        pk: &str,
        sk: &str,
        opener: &Opener,
        content: &[u8],
    ) -> Result<PutBuilder, Fault> {
        let place = Place {
            table: TABLE,
            pk,
            sk,
            attribute: SEALED,
        };
        Ok(self
            .put(pk, sk)
            .item(SEALED, b(opener.seal(&place, content)?)))
    }
}
