//! Writes audit records, alone or as part of a change, and gives a receipt for each.

use super::Record;
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::store::Write;
use crate::{Fault, Reason};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, Put, TransactWriteItem};
use std::time::Duration;
use uuid::Uuid;

/// Proof that an access stands in the audit log. Only a completed write makes one.
#[derive(Debug)]
pub struct Receipt {
    record: Uuid,
}

impl Receipt {
    /// The id of the audit record.
    pub const fn record(&self) -> Uuid {
        self.record
    }
}

/// What became of a change.
pub enum Commit {
    Done(Receipt),
    /// The condition of this write did not hold; nothing was changed.
    Conflict(Problem),
}

/// The audit table. Records are put once; nothing in the portal updates or deletes one.
pub struct Audit {
    client: Client,
    table: String,
}

const ONCE: &str = "attribute_not_exists(pk)";

impl Audit {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::AuditTable)?,
        })
    }

    /// Writes a record.
    pub async fn write(&self, record: &Record) -> Result<Receipt, Fault> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(record.item()))
            .condition_expression(ONCE)
            .send()
            .await;
        match put {
            Ok(_) => Ok(Receipt { record: record.id }),
            // The id is new with every record, or that of the event which it tells of: it is there
            // because an earlier attempt of this very call had arrived and only its answer was lost,
            // or the event comes a second time.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Receipt { record: record.id })
            }
            Err(error) => Err(fault("the audit table", &error)),
        }
    }

    /// Commits a change and its records in one transaction: one of the access, and one for each
    /// patient whom it opened something of.
    pub async fn commit(
        &self,
        record: &Record,
        opened: &[Record],
        writes: Vec<Write>,
    ) -> Result<Commit, Fault> {
        // A transaction of one costs twice the write.
        if writes.is_empty() && opened.is_empty() {
            return self.write(record).await.map(Commit::Done);
        }
        let records = opened.iter().chain([record]).map(|record| {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(record.item()))
                .condition_expression(ONCE)
                .build()
                .map_err(|_| Fault::Defect("a put"))?;
            Ok(TransactWriteItem::builder().put(put).build())
        });
        let records = records.collect::<Result<Vec<_>, Fault>>()?;
        let (mut items, conflicts): (Vec<_>, Vec<_>) = writes
            .into_iter()
            .map(|write| (write.item, write.conflict))
            .unzip();
        items.extend(records);
        // With one token a transaction is committed once, however often it is sent.
        let transaction = self
            .client
            .transact_write_items()
            .client_request_token(record.id.to_string())
            .set_transact_items(Some(items));
        let mut answer = transaction.clone().send().await;
        for attempt in 1..ATTEMPTS {
            if !answer.as_ref().is_err_and(is_overtaken) {
                break;
            }
            tokio::time::sleep(pause(attempt)).await;
            answer = transaction.clone().send().await;
        }
        match answer {
            Ok(_) => Ok(Commit::Done(Receipt { record: record.id })),
            Err(error) => match failed_condition(&error) {
                Some(at) => conflicts
                    .into_iter()
                    .nth(at)
                    .map(Commit::Conflict)
                    .ok_or(Fault::Defect("an audit record was already there")),
                None => Err(transaction_fault(&error)),
            },
        }
    }
}

/// How often a transaction is sent that others are in the way of. The waits add up to a second.
const ATTEMPTS: u32 = 6;

/// How long to wait before another try: longer each time, and not as long as others do.
pub(crate) fn pause(attempt: u32) -> Duration {
    let longest = 20_u64 << attempt.min(5);
    let (random, _) = Uuid::new_v4().as_u64_pair();
    Duration::from_millis(random % longest)
}

/// Did another transaction on one of the items come first, or was there too much at once? Nothing
/// was changed then, and nothing speaks against it: it may be sent again. (What is throttled before
/// DynamoDB looks at it, the SDK has sent again already.)
fn is_overtaken(error: &TransactionError) -> bool {
    let is_cancelled = matches!(
        error.as_service_error(),
        Some(
            TransactWriteItemsError::TransactionCanceledException(_)
                | TransactWriteItemsError::TransactionInProgressException(_)
        )
    );
    let passes = matches!(
        transaction_fault(error),
        Fault::Unavailable {
            reason: Reason::Conflict | Reason::Throttled,
            ..
        }
    );
    is_cancelled && passes && failed_condition(error).is_none()
}

const CONDITION: &str = "ConditionalCheckFailed";

type TransactionError = SdkError<TransactWriteItemsError, aws_smithy_runtime_api::http::Response>;

/// Which of a transaction's items had a condition that did not hold. The audit records are the last,
/// so they count past the end of the change's.
fn failed_condition(error: &TransactionError) -> Option<usize> {
    cancellations(error)?
        .iter()
        .position(|reason| reason.code() == Some(CONDITION))
}

/// Why each item was not written, if DynamoDB looked at them.
fn cancellations(error: &TransactionError) -> Option<&[CancellationReason]> {
    match error.as_service_error()? {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            Some(cancelled.cancellation_reasons())
        }
        _ => None,
    }
}

/// What kept a transaction from being committed. One item that DynamoDB does not take is a defect,
/// whatever else came in between: sending it again does not help.
pub(crate) fn transaction_fault(error: &TransactionError) -> Fault {
    let Some(reasons) = cancellations(error) else {
        return fault("DynamoDB", error);
    };
    let mut reason = Reason::Other;
    for code in reasons.iter().filter_map(CancellationReason::code) {
        match code {
            "None" => {}
            CONDITION | "TransactionConflict" => reason = Reason::Conflict,
            "ThrottlingError" | "ProvisionedThroughputExceeded" | "RequestLimitExceeded" => {
                if reason == Reason::Other {
                    reason = Reason::Throttled;
                }
            }
            _ => return Fault::Defect("a transaction that DynamoDB does not take"),
        }
    }
    Fault::Unavailable {
        service: "DynamoDB",
        reason,
    }
}
