//! Disclosures of messages: in the patient's context for as long as the privacy officer may read, in
//! the history for good, and in the messages table for the officer, who has the practice's key as long
//! as that and no longer.

use super::accesses::DISCLOSED;
use super::patients::{DISCLOSURE, TABLE};
use super::{Patients, SEALED, Write, b, patient_key, s};
use crate::Fault;
use crate::access::Access;
use crate::api::disclosures::Disclosed;
use crate::aws::{Aws, Resource};
use crate::http::Problem;
use crate::ids::{AccountId, PatientId};
use crate::phi::{Opener, Place};
use crate::store::Disclosure;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The hour of a disclosure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisclosureHour {
    pub grant: Uuid,
    pub from: Timestamp,
    pub until: Timestamp,
}

impl DisclosureHour {
    /// One that begins now. The policy counts whole seconds, and so does its end.
    pub fn beginning(grant: Uuid, from: Timestamp) -> Result<Self, Fault> {
        let until = from + SignedDuration::from_hours(1);
        let until = Timestamp::from_second(until.as_second());
        Ok(Self {
            grant,
            from,
            until: until.map_err(|_| Fault::Defect("an hour from now"))?,
        })
    }
}

impl Disclosure {
    /// To whom and why.
    pub fn told(&self, opener: &Opener) -> Result<Disclosed, Fault> {
        serde_json::from_slice(&self.row.open(opener)?)
            .map_err(|_| Fault::Corrupt("a disclosure's row"))
    }
}

/// Whoever may unlock the practice's key to disclose something.
pub struct PracticeKeyAdmissions {
    table: String,
}

impl PracticeKeyAdmissions {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            table: aws.name(Resource::MessagesTable)?,
        })
    }

    /// The write that lets the caller have the practice's key for an hour.
    pub fn admit(&self, access: &Access<PatientId>, hour: &DisclosureHour) -> Result<Write, Fault> {
        let put = Put::builder()
            .table_name(&self.table)
            .item("pk", s(admission_key(access.account())))
            .item("sk", s(ADMISSION))
            .item("grant", s(hour.grant.to_string()))
            .item("until", s(hour.until.to_string()));
        write(put)
    }
}

/// The one row of its partition.
pub(super) const ADMISSION: &str = "ADMISSION";

pub(super) fn admission_key(account: AccountId) -> String {
    format!("DISCLOSURE#{account}")
}

impl Patients {
    /// The writes that let the caller read the patient's messages for an hour, in the place of an
    /// hour before.
    pub fn disclose(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        hour: &DisclosureHour,
        disclosed: &Disclosed,
    ) -> Result<Vec<Write>, Fault> {
        let pk = patient_key(access.patient());
        let json = serde_json::to_vec(disclosed).map_err(|_| Fault::Defect("a disclosure"))?;
        let row = |sk: &str| {
            let place = Place {
                table: TABLE,
                pk: &pk,
                sk,
                attribute: SEALED,
            };
            Ok::<_, Fault>(
                Put::builder()
                    .table_name(&self.table)
                    .item("pk", s(&pk))
                    .item("sk", s(sk))
                    .item("grant", s(hour.grant.to_string()))
                    .item("until", s(hour.until.to_string()))
                    .item(SEALED, b(opener.seal(&place, &json)?)),
            )
        };
        let current = row(&format!("{DISCLOSURE}{}", access.account()))?;
        let current = match opener.context().disclosure(access.account()) {
            Some(former) => current
                .condition_expression("#grant = :former")
                .expression_attribute_names("#grant", "grant")
                .expression_attribute_values(":former", s(former.grant.to_string())),
            None => current.condition_expression("attribute_not_exists(pk)"),
        };
        let history = row(&format!("{DISCLOSED}{}", hour.grant))?
            .item("actor", s(access.account().to_string()))
            .item("since", s(hour.from.to_string()))
            .condition_expression("attribute_not_exists(pk)");
        [current, history].into_iter().map(write).collect()
    }
}

fn write(put: PutBuilder) -> Result<Write, Fault> {
    let put = put.build().map_err(|_| Fault::Defect("a put"))?;
    Ok(Write {
        item: TransactWriteItem::builder().put(put).build(),
        conflict: Problem::changed_meanwhile(),
    })
}
