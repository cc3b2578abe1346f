//! Statements of agencies that suspend an accounting, in the history of the patient whom it is about.

use super::accesses::SUSPENDED;
use super::patients::TABLE;
use super::{Patients, SEALED, SealedRow, Write, b, patient_key, s};
use crate::Fault;
use crate::access::Access;
use crate::api::accounting::Suspension;
use crate::http::Problem;
use crate::ids::PatientId;
use crate::phi::{Opener, Place};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};

impl Suspension {
    pub(super) fn from_row(row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("a suspension's row");
        let id = row.sk()?.strip_prefix(SUSPENDED);
        Ok(Self {
            id: id.and_then(|id| id.parse().ok()).ok_or(TORN)?,
            since: row.parsed("since")?.ok_or(TORN)?,
            until: row.parsed("until")?.ok_or(TORN)?,
            statement: serde_json::from_slice(&row.open(opener)?).map_err(|_| TORN)?,
        })
    }
}

impl Patients {
    /// The write that suspends an accounting. What an agency said is never changed: another statement
    /// is another row.
    pub fn suspend(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        suspension: &Suspension,
    ) -> Result<Write, Fault> {
        let pk = patient_key(access.patient());
        let sk = format!("{SUSPENDED}{}", suspension.id);
        let place = Place {
            table: TABLE,
            pk: &pk,
            sk: &sk,
            attribute: SEALED,
        };
        let json =
            serde_json::to_vec(&suspension.statement).map_err(|_| Fault::Defect("a suspension"))?;
        let put = Put::builder()
            .table_name(&self.table)
            .item("pk", s(&pk))
            .item("sk", s(&sk))
            .item("actor", s(access.account().to_string()))
            .item("since", s(suspension.since.to_string()))
            .item("until", s(suspension.until.to_string()))
            .item(SEALED, b(opener.seal(&place, &json)?))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(|_| Fault::Defect("a put"))?;
        Ok(Write {
            item: TransactWriteItem::builder().put(put).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }
}
