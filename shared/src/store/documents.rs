//! The documents table: `UPLOAD#<id>`, what a patient hands in, from the announcement on. The index
//! `by-request` sorts uploads by when they were announced. `QUOTA#` rows count them.

use super::{Item, SEALED, SealedRow, Write, b, n, patient_key, s, sortable, string};
use crate::Fault;
use crate::access::{Access, Unproven};
use crate::api::documents::{ContentType, Rejection};
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{DocumentId, PatientId};
use crate::phi::{Opener, Place};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use jiff::{SignedDuration, Timestamp};

pub(crate) const TABLE: &str = "documents";
const BY_REQUEST: &str = "by-request";
const UPLOAD: &str = "UPLOAD#";

/// So long an announcement is kept whose file never arrives.
const ANNOUNCED: SignedDuration = SignedDuration::from_hours(24);

/// So long the row of a deleted upload is kept, as long as the bucket keeps the file.
const DELETED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// After so long an inspection that has not ended has died: Lambda gives it a minute.
const DEAD_AFTER: SignedDuration = SignedDuration::from_secs(90);

/// How many uploads a patient may announce, and in how many seconds.
pub struct Quota {
    pub uploads: u32,
    pub window: i64,
}

/// A file that a patient announces.
pub struct Announced<'a> {
    pub id: DocumentId,
    pub content_type: ContentType,
    pub size: u64,
    /// SHA-256, in base64.
    pub sha256: &'a str,
    /// The file's name, as the sealed JSON of the row.
    pub particulars: &'a [u8],
    /// Until when the link is good.
    pub until: Timestamp,
}

/// A page of uploads, newest first, and the index key after which the next one starts.
pub struct Uploads {
    pub rows: Vec<SealedRow>,
    pub next: Option<String>,
}

/// An upload that an inspection has for itself.
pub struct Claimed {
    pub content_type: ContentType,
    pub size: u64,
    pub sha256: String,
    at: Timestamp,
}

/// What is kept of an upload that passed.
pub struct KeptFile {
    pub size: u64,
    /// SHA-256, in base64.
    pub sha256: String,
}

/// What an inspection found when it wanted an upload for itself.
pub enum Claim {
    Taken(Claimed),
    /// Another inspection has it.
    Busy,
    /// It is inspected, deleted, or nobody announced it.
    Settled,
}

/// The documents table.
pub struct Documents {
    client: Client,
    table: String,
}

/// What was claimed before this was claimed by an inspection that has died.
fn dead(now: Timestamp) -> Result<String, Fault> {
    let dead = now.checked_sub(DEAD_AFTER).map_err(|_| CLOCK)?;
    Ok(sortable(dead))
}

fn upload_key(id: DocumentId) -> String {
    format!("{UPLOAD}{id}")
}

impl Documents {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::DocumentsTable)?,
        })
    }

    /// The writes of an announcement: the row, unless the same id stands for another file or for one
    /// that has arrived, and one more of each quota.
    pub fn announce(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        file: &Announced<'_>,
        quotas: &[Quota],
        used_before: Problem,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        let (pk, sk) = (patient_key(access.patient()), upload_key(file.id));
        let place = Place {
            table: TABLE,
            pk: &pk,
            sk: &sk,
            attribute: SEALED,
        };
        let put = Put::builder()
            .table_name(&self.table)
            .item("pk", s(&pk))
            .item("sk", s(&sk))
            .item("requested", s(format!("{UPLOAD}{}#{}", sortable(now), file.id)))
            .item("requested_at", s(now.to_string()))
            .item("requested_by", s(access.account().to_string()))
            .item("upload_until", s(file.until.to_string()))
            .item("expires_at", n(now.checked_add(ANNOUNCED).map_err(|_| CLOCK)?.as_second()))
            .item("status", s("uploading"))
            .item("content_type", s(file.content_type.as_str()))
            .item("size", n(file.size))
            .item("sha256", s(file.sha256))
            .item(SEALED, b(opener.seal(&place, file.particulars)?))
            .condition_expression(
                "attribute_not_exists(pk) OR (#status = :uploading AND sha256 = :sha256 AND content_type = :type)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":uploading", s("uploading"))
            .expression_attribute_values(":sha256", s(file.sha256))
            .expression_attribute_values(":type", s(file.content_type.as_str()))
            .build()
            .map_err(|_| Fault::Defect("a put"))?;
        let mut writes = vec![Write {
            item: TransactWriteItem::builder().put(put).build(),
            conflict: used_before,
        }];
        for quota in quotas {
            writes.push(self.count(&pk, quota, now)?);
        }
        Ok(writes)
    }

    /// One more in the window that `now` is in.
    fn count(&self, pk: &str, quota: &Quota, now: Timestamp) -> Result<Write, Fault> {
        let begun = now.as_second().div_euclid(quota.window) * quota.window;
        let ends = begun + quota.window;
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(format!("QUOTA#{}#{begun}", quota.window)))
            .update_expression("SET expires_at = :ends ADD uploads :one")
            .condition_expression("attribute_not_exists(uploads) OR uploads < :limit")
            .expression_attribute_values(":ends", n(ends))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":limit", n(quota.uploads))
            .build()
            .map_err(|_| Fault::Defect("an update"))?;
        // An hour is the most that Retry-After says; by then a client asks again anyway.
        let wait = u16::try_from((ends - now.as_second()).clamp(1, 3600)).map_err(|_| CLOCK)?;
        Ok(Write {
            item: TransactWriteItem::builder().update(update).build(),
            conflict: Problem::too_many_requests(wait),
        })
    }

    /// An upload, unless the patient deleted it.
    pub async fn upload(
        &self,
        whose: &Unproven<PatientId>,
        id: DocumentId,
    ) -> Result<Option<SealedRow>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(patient_key(whose.patient())))
            .key("sk", s(upload_key(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let row = answer.item.map(|item| SealedRow::new(TABLE, item));
        Ok(row.filter(|row| row.string("status") != Some("deleted")))
    }

    /// Uploads by announcement, newest first.
    pub async fn newest(
        &self,
        whose: &Unproven<PatientId>,
        after: Option<&str>,
        limit: u8,
    ) -> Result<Uploads, Fault> {
        let pk = patient_key(whose.patient());
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_REQUEST)
            .key_condition_expression("pk = :pk AND begins_with(requested, :uploads)")
            .expression_attribute_values(":pk", s(&pk))
            .expression_attribute_values(":uploads", s(UPLOAD))
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(i32::from(limit));
        if let Some(requested) = after {
            let id = requested.rsplit('#').next().unwrap_or_default();
            query = query
                .exclusive_start_key("pk", s(&pk))
                .exclusive_start_key("sk", s(format!("{UPLOAD}{id}")))
                .exclusive_start_key("requested", s(requested));
        }
        let answer = query
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let next = answer
            .last_evaluated_key
            .as_ref()
            .and_then(|key| string(key, "requested"))
            .map(str::to_owned);
        let rows = answer.items.unwrap_or_default().into_iter();
        Ok(Uploads {
            rows: rows.map(|item| SealedRow::new(TABLE, item)).collect(),
            next,
        })
    }

    /// Takes an upload for one inspection. What an inspection took that must have died by now is there
    /// to be taken again; so is what the same invocation took at an earlier try, at once.
    pub async fn claim(
        &self,
        patient: PatientId,
        id: DocumentId,
        request_id: &str,
        now: Timestamp,
    ) -> Result<Claim, Fault> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(patient_key(patient)))
            .key("sk", s(upload_key(id)))
            .update_expression(
                "SET #status = :inspecting, claimed_at = :now, claimed_by = :request \
                 REMOVE expires_at",
            )
            .condition_expression(
                "#status = :uploading OR (#status = :inspecting \
                 AND (claimed_at < :dead OR claimed_by = :request))",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":uploading", s("uploading"))
            .expression_attribute_values(":inspecting", s("inspecting"))
            .expression_attribute_values(":now", s(sortable(now)))
            .expression_attribute_values(":dead", s(dead(now)?))
            .expression_attribute_values(":request", s(request_id))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let item = match answer {
            Ok(answer) => answer.attributes.ok_or(TORN)?,
            Err(error) => {
                use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
                let Some(UpdateItemError::ConditionalCheckFailedException(failed)) =
                    error.as_service_error()
                else {
                    return Err(fault("DynamoDB", &error));
                };
                let status = failed.item().and_then(|item| string(item, "status"));
                return Ok(match status {
                    Some("inspecting") => Claim::Busy,
                    _ => Claim::Settled,
                });
            }
        };
        Ok(Claim::Taken(Claimed::of(&item, now)?))
    }

    /// The write that ends an inspection. Nothing happens if another has taken the upload meanwhile.
    pub fn settle(
        &self,
        patient: PatientId,
        id: DocumentId,
        claimed: &Claimed,
        verdict: Result<KeptFile, Rejection>,
        now: Timestamp,
    ) -> Result<Write, Fault> {
        let update = self
            .update(patient, id)
            .condition_expression("#status = :inspecting AND claimed_at = :claimed")
            .expression_attribute_values(":inspecting", s("inspecting"))
            .expression_attribute_values(":claimed", s(sortable(claimed.at)))
            .expression_attribute_values(":now", s(now.to_string()));
        let update = match verdict {
            Ok(kept) => update
                .update_expression(
                    "SET #status = :available, inspected_at = :now, stored_size = :size, \
                     sha256 = :sha256",
                )
                .expression_attribute_values(":available", s("available"))
                .expression_attribute_values(":size", n(kept.size))
                .expression_attribute_values(":sha256", s(kept.sha256)),
            Err(rejection) => update
                .update_expression("SET #status = :rejected, inspected_at = :now, rejection = :why")
                .expression_attribute_values(":rejected", s("rejected"))
                .expression_attribute_values(":why", s(rejection.as_str())),
        };
        write(update, Problem::changed_meanwhile())
    }

    /// The write that makes a document one that a provider has seen.
    pub fn review(
        &self,
        access: &Access<PatientId>,
        id: DocumentId,
        otherwise: Problem,
        now: Timestamp,
    ) -> Result<Write, Fault> {
        let update = self
            .update(access.patient(), id)
            .update_expression("SET reviewed_at = :now, reviewed_by = :by")
            .condition_expression("#status = :available AND attribute_not_exists(reviewed_at)")
            .expression_attribute_values(":available", s("available"))
            .expression_attribute_values(":now", s(now.to_string()))
            .expression_attribute_values(":by", s(access.account().to_string()));
        write(update, otherwise)
    }

    /// The write that takes an upload out of the record, unless it is being inspected or a provider
    /// has seen it; an inspection that died is in nobody's way. Its name goes at once; the row stays
    /// until the file is known to be gone.
    pub fn delete(
        &self,
        access: &Access<PatientId>,
        id: DocumentId,
        otherwise: Problem,
        now: Timestamp,
    ) -> Result<Write, Fault> {
        let update = self
            .update(access.patient(), id)
            .update_expression(
                "SET #status = :deleted, deleted_at = :now, deleted_by = :by \
                 REMOVE sealed, sha256, expires_at",
            )
            .condition_expression(
                "attribute_exists(pk) AND attribute_not_exists(reviewed_at) \
                 AND (#status <> :inspecting OR claimed_at < :dead)",
            )
            .expression_attribute_values(":deleted", s("deleted"))
            .expression_attribute_values(":inspecting", s("inspecting"))
            .expression_attribute_values(":now", s(now.to_string()))
            .expression_attribute_values(":dead", s(dead(now)?))
            .expression_attribute_values(":by", s(access.account().to_string()));
        write(update, otherwise)
    }

    /// Lets the row of a deleted upload go with what the bucket still keeps of the file. Called once
    /// the file is removed: a row without an end is one whose file may still be there.
    pub async fn forget(
        &self,
        patient: PatientId,
        id: DocumentId,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let forgotten = now.checked_add(DELETED).map_err(|_| CLOCK)?;
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(patient_key(patient)))
            .key("sk", s(upload_key(id)))
            .update_expression("SET expires_at = :expires")
            .condition_expression("#status = :deleted")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":deleted", s("deleted"))
            .expression_attribute_values(":expires", n(forgotten.as_second()))
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(())
    }

    fn update(
        &self,
        patient: PatientId,
        id: DocumentId,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder()
            .table_name(&self.table)
            .key("pk", s(patient_key(patient)))
            .key("sk", s(upload_key(id)))
            .expression_attribute_names("#status", "status")
    }
}

fn write(
    update: aws_sdk_dynamodb::types::builders::UpdateBuilder,
    conflict: Problem,
) -> Result<Write, Fault> {
    let update = update.build().map_err(|_| Fault::Defect("an update"))?;
    Ok(Write {
        item: TransactWriteItem::builder().update(update).build(),
        conflict,
    })
}

const TORN: Fault = Fault::Corrupt("an upload's row");
const CLOCK: Fault = Fault::Defect("a time out of range");

impl Claimed {
    fn of(item: &Item, at: Timestamp) -> Result<Self, Fault> {
        let content_type = string(item, "content_type").ok_or(TORN)?;
        Ok(Self {
            content_type: content_type.parse().map_err(|_| TORN)?,
            size: super::number(item, "size").ok_or(TORN)?,
            sha256: string(item, "sha256").ok_or(TORN)?.to_owned(),
            at,
        })
    }
}
