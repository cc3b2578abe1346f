//! Held results (45 CFR 171.201, 171.202): in the patient's context for as long as they count, in the
//! history when they are over, and in the partition `HOLDS` by when they end, which is what the
//! privacy officer looks at. When a result was held first is written once and for ever, and one row
//! counts what is in the context.

use super::patients::TABLE;
use super::{Patients, SEALED, SealedRow, Write, b, n, patient_key, s, sortable, string};
use crate::Fault;
use crate::access::{Access, Practice, Unproven};
use crate::api::lab_holds::{Listed, Reason};
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{AccountId, PatientId, RecordId};
use crate::phi::{Opener, Place};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};
use jiff::Timestamp;

pub(super) const HOLD: &str = "CONTEXT#HOLD#";

/// Before each result's former holds stands, without a time, the one that was first.
const HISTORY: &str = "HISTORY#HOLD#";

/// How many rows of holds are in a patient's context, over or not.
const HELD: &str = "CONTEXT#HOLDS";

/// The most results of one patient that are held at once. Each is a row of the patient's context, and
/// one transaction can move all of them to the history.
pub const MOST: usize = 20;

/// The partition of the work list.
const WORK_LIST: &str = "HOLDS";

/// A hold on one result of one patient.
#[derive(Clone)]
pub struct Hold {
    pub result: RecordId,
    pub reason: Reason,
    pub held_by: AccountId,
    pub held_at: Timestamp,
    pub until: Timestamp,
    /// Why, in the provider's words; none while it is being made.
    row: Option<SealedRow>,
}

impl Hold {
    pub const fn new(
        result: RecordId,
        reason: Reason,
        held_by: AccountId,
        held_at: Timestamp,
        until: Timestamp,
    ) -> Self {
        Self {
            result,
            reason,
            held_by,
            held_at,
            until,
            row: None,
        }
    }

    pub(super) fn from_row(result: RecordId, row: SealedRow) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("the row of a hold");
        Ok(Self {
            result,
            reason: row.parsed("reason")?.ok_or(TORN)?,
            held_by: row.parsed("held_by")?.ok_or(TORN)?,
            held_at: row.parsed("held_at")?.ok_or(TORN)?,
            until: row.parsed("until")?.ok_or(TORN)?,
            row: Some(row),
        })
    }

    pub fn is_current(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// Why, in the provider's words.
    pub fn explanation(&self, opener: &Opener) -> Result<String, Fault> {
        let row = self.row.as_ref().ok_or(Fault::Defect("a hold's row"))?;
        String::from_utf8(row.open(opener)?).map_err(|_| Fault::Corrupt("a hold's explanation"))
    }

    fn in_work_list(&self) -> String {
        format!("{}#{}", sortable(self.until), self.result)
    }

    fn put(&self, table: &str) -> PutBuilder {
        Put::builder()
            .table_name(table)
            .item("reason", s(self.reason.as_str()))
            .item("held_by", s(self.held_by.to_string()))
            .item("held_at", s(self.held_at.to_string()))
            .item("until", s(self.until.to_string()))
    }

    /// The row in the patient's partition, with what was written about it.
    fn sealed(
        &self,
        table: &str,
        pk: &str,
        sk: &str,
        opener: &Opener,
        explanation: &str,
    ) -> Result<PutBuilder, Fault> {
        let place = Place {
            table: TABLE,
            pk,
            sk,
            attribute: SEALED,
        };
        Ok(self
            .put(table)
            .item("pk", s(pk))
            .item("sk", s(sk))
            .item(SEALED, b(opener.seal(&place, explanation.as_bytes())?)))
    }
}

fn write(put: PutBuilder, conflict: &Problem) -> Result<Write, Fault> {
    let put = put.build().map_err(|_| Fault::Defect("a put"))?;
    Ok(Write {
        item: TransactWriteItem::builder().put(put).build(),
        conflict: conflict.clone(),
    })
}

impl Patients {
    /// When a result was held first, if it is or was.
    pub async fn first_held(
        &self,
        whose: &Unproven<PatientId>,
        result: RecordId,
    ) -> Result<Option<Timestamp>, Fault> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :holds)")
            .expression_attribute_values(":pk", s(patient_key(whose.patient())))
            .expression_attribute_values(":holds", s(format!("{HISTORY}{result}")))
            .consistent_read(true)
            .limit(1)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let mut rows = answer.items.unwrap_or_default().into_iter();
        let row = rows.next().map(|item| SealedRow::new(TABLE, item));
        row.map_or(Ok(None), |row| row.parsed("held_at"))
    }

    /// The writes of a hold. Of two on one result that are made at once one is refused: both go by the
    /// hold that they found. Of many on several results, `too_many` answers those past the most.
    pub fn hold(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        hold: &Hold,
        is_first: bool,
        explanation: &str,
        [taken, too_many]: [&Problem; 2],
    ) -> Result<Vec<Write>, Fault> {
        let pk = patient_key(access.patient());
        let sk = format!("{HOLD}{}", hold.result);
        let former = opener.context().hold(hold.result);
        let put = hold.sealed(&self.table, &pk, &sk, opener, explanation)?;
        let put = match former {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(former) => put
                .condition_expression("held_at = :former")
                .expression_attribute_values(":former", s(former.held_at.to_string())),
        };
        let listed = hold
            .put(&self.table)
            .item("pk", s(WORK_LIST))
            .item("sk", s(hold.in_work_list()))
            .item("patient", s(access.patient().to_string()));
        let mut writes = vec![write(put, taken)?, write(listed, taken)?];
        if is_first {
            let first = hold
                .put(&self.table)
                .item("pk", s(&pk))
                .item("sk", s(format!("{HISTORY}{}", hold.result)))
                .condition_expression("attribute_not_exists(pk)");
            writes.push(write(first, taken)?);
        }
        let mut more = i64::from(former.is_none());
        // Every request about the patient reads the context: what is over does not stay there.
        let holds = opener.context().holds().iter();
        let moved = &Problem::changed_meanwhile();
        for over in holds.filter(|former| !former.is_current(hold.held_at)) {
            if over.result != hold.result {
                writes.push(self.remove(&pk, over, moved)?);
                more -= 1;
            }
            writes.extend(self.move_to_history(&pk, opener, over, None, moved)?);
        }
        writes.push(self.count(&pk, more, too_many)?);
        Ok(writes)
    }

    /// The writes that end a hold before its time.
    pub fn release(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        hold: &Hold,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        let pk = patient_key(access.patient());
        let conflict = Problem::not_found();
        let mut writes = vec![
            self.remove(&pk, hold, &conflict)?,
            self.count(&pk, -1, &conflict)?,
        ];
        let by = Some((access.account(), now));
        writes.extend(self.move_to_history(&pk, opener, hold, by, &conflict)?);
        Ok(writes)
    }

    /// So many more in the patient's context, if there is room.
    fn count(&self, pk: &str, more: i64, too_many: &Problem) -> Result<Write, Fault> {
        let most = i64::try_from(MOST).unwrap_or(i64::MAX);
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(HELD))
            .update_expression("ADD held :more")
            .condition_expression("attribute_not_exists(held) OR held <= :room")
            .expression_attribute_values(":more", n(more))
            .expression_attribute_values(":room", n(most.saturating_sub(more)))
            .build()
            .map_err(|_| Fault::Defect("an update"))?;
        Ok(Write {
            item: TransactWriteItem::builder().update(update).build(),
            conflict: too_many.clone(),
        })
    }

    fn delete(&self, pk: &str, sk: &str) -> aws_sdk_dynamodb::types::builders::DeleteBuilder {
        Delete::builder()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(sk))
    }

    /// Out of the patient's context.
    fn remove(&self, pk: &str, hold: &Hold, conflict: &Problem) -> Result<Write, Fault> {
        let delete = self
            .delete(pk, &format!("{HOLD}{}", hold.result))
            .condition_expression("held_at = :held_at")
            .expression_attribute_values(":held_at", s(hold.held_at.to_string()));
        let delete = delete.build().map_err(|_| Fault::Defect("a delete"))?;
        Ok(Write {
            item: TransactWriteItem::builder().delete(delete).build(),
            conflict: conflict.clone(),
        })
    }

    /// Off the work list, and to what was; with who ended it, if it was ended.
    fn move_to_history(
        &self,
        pk: &str,
        opener: &Opener,
        hold: &Hold,
        ended: Option<(AccountId, Timestamp)>,
        conflict: &Problem,
    ) -> Result<[Write; 2], Fault> {
        let sk = format!("{HISTORY}{}#{}", hold.result, sortable(hold.held_at));
        let explanation = hold.explanation(opener)?;
        let mut history = hold.sealed(&self.table, pk, &sk, opener, &explanation)?;
        if let Some((by, at)) = ended {
            history = history
                .item("ended_by", s(by.to_string()))
                .item("ended_at", s(at.to_string()));
        }
        let delete = self.delete(WORK_LIST, &hold.in_work_list()).build();
        let delete = delete.map_err(|_| Fault::Defect("a delete"))?;
        let gone = Write {
            item: TransactWriteItem::builder().delete(delete).build(),
            conflict: conflict.clone(),
        };
        Ok([gone, write(history, conflict)?])
    }
}

/// A page of holds, and the sort key after which the next page starts.
pub struct HoldPage {
    pub holds: Vec<Listed>,
    pub next: Option<String>,
}

/// The work list.
pub struct Holds {
    client: Client,
    table: String,
}

impl Holds {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::PatientsTable)?,
        })
    }

    /// What is held now, what is soonest released first.
    pub async fn list(
        &self,
        _: &Access<Practice>,
        after: Option<&str>,
        limit: u8,
        now: Timestamp,
    ) -> Result<HoldPage, Fault> {
        // What ended behind the cursor meanwhile is not started from.
        let now = sortable(now);
        let from = after.map_or(now.as_str(), |after| after.max(now.as_str()));
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk > :from")
            .expression_attribute_values(":pk", s(WORK_LIST))
            .expression_attribute_values(":from", s(from))
            .consistent_read(true)
            .limit(i32::from(limit))
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let next = answer.last_evaluated_key.as_ref();
        let next = next.and_then(|key| string(key, "sk")).map(str::to_owned);
        let rows = answer.items.unwrap_or_default().into_iter();
        Ok(HoldPage {
            next,
            holds: rows
                .map(|item| listed(&SealedRow::new(TABLE, item)))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn listed(row: &SealedRow) -> Result<Listed, Fault> {
    const TORN: Fault = Fault::Corrupt("the row of a hold");
    let result = row.sk()?.rsplit('#').next().and_then(|id| id.parse().ok());
    Ok(Listed {
        patient: row.parsed("patient")?.ok_or(TORN)?,
        result: result.ok_or(TORN)?,
        reason: row.parsed("reason")?.ok_or(TORN)?,
        held_by: row.parsed("held_by")?.ok_or(TORN)?,
        held_at: row.parsed("held_at")?.ok_or(TORN)?,
        until: row.parsed("until")?.ok_or(TORN)?,
    })
}
