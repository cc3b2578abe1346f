//! Broken glass: an hour's access of one provider to one patient, in the patient's context for as
//! long as it counts, in the history for good, and in the privacy officer's work list.

use super::accesses::EMERGENCY;
use super::concerns;
use super::patients::BREAK_GLASS;
use super::{Patients, Write, patient_key, s};
use crate::Fault;
use crate::access::Access;
use crate::api::access_concerns::{Concern, Kind, State};
use crate::api::break_glass::Reason;
use crate::http::Problem;
use crate::ids::{ConcernId, PatientId};
use crate::phi::Opener;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// An emergency access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    pub grant: Uuid,
    pub reason: Reason,
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Hour {
    /// One that begins now. The policy counts whole seconds, and so does its end.
    pub fn beginning(reason: Reason, from: Timestamp) -> Result<Self, Fault> {
        let until = from + SignedDuration::from_hours(1);
        Ok(Self {
            grant: Uuid::now_v7(),
            reason,
            from,
            until: Timestamp::from_second(until.as_second())
                .map_err(|_| Fault::Defect("an hour from now"))?,
        })
    }
}

impl Patients {
    /// The writes that give the caller an hour. Of two that begin at once one is refused: both go by
    /// the access that they found.
    pub fn break_glass(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        hour: &Hour,
        explanation: String,
        taken: &Problem,
    ) -> Result<Vec<Write>, Fault> {
        let (patient, account) = (access.patient(), access.account());
        let row = |sk: String| {
            Put::builder()
                .table_name(&self.table)
                .item("pk", s(patient_key(patient)))
                .item("sk", s(sk))
                .item("grant", s(hour.grant.to_string()))
                .item("reason", s(hour.reason.as_str()))
                .item("until", s(hour.until.to_string()))
        };
        let current = row(format!("{BREAK_GLASS}{account}"));
        let current = match opener.context().break_glass(account) {
            Some(former) => current
                .condition_expression("#grant = :former")
                .expression_attribute_names("#grant", "grant")
                .expression_attribute_values(":former", s(former.grant.to_string())),
            None => current.condition_expression("attribute_not_exists(pk)"),
        };
        let history = row(format!("{EMERGENCY}{}", hour.grant))
            .item("actor", s(account.to_string()))
            .item("since", s(hour.from.to_string()));
        let concern = Concern {
            id: ConcernId::new(Uuid::now_v7()),
            kind: Kind::BreakGlass,
            state: State::Open,
            patient,
            actor: Some(account),
            grant: Some(hour.grant),
            reason: Some(hour.reason),
            access: None,
            opened_at: hour.from,
            closed: None,
        };
        let concern = concerns::raised(&self.table, opener, &concern, Some(explanation))?;
        [current, history, concern]
            .into_iter()
            .map(|put| {
                let put = put.build().map_err(|_| Fault::Defect("a put"))?;
                Ok(Write {
                    item: TransactWriteItem::builder().put(put).build(),
                    conflict: taken.clone(),
                })
            })
            .collect()
    }
}
