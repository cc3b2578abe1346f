//! What the watch over the audit log has counted. A counter is a set of what was counted, so that nothing
//! counts twice however often the stream tells it; it ends at its threshold, and forgets itself.

use super::{Item, Write, n, s, string};
use crate::Fault;
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::watch::Counter;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use jiff::Timestamp;
use std::collections::BTreeSet;
use uuid::Uuid;

/// How long after its window a counter is kept. A stream tells nothing that is older than a day.
const FORGOTTEN: i64 = 2 * 24 * 3600;

/// How far a counter has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    pub count: usize,
    /// The audit record of what was found.
    pub finding: Option<Uuid>,
    pub is_told: bool,
}

impl Tally {
    fn from_item(item: &Item) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("a counter of the watch");
        let counted = item.get("counted").and_then(|set| set.as_ss().ok());
        let finding = string(item, "finding").map(str::parse).transpose();
        Ok(Self {
            count: counted.ok_or(TORN)?.len(),
            finding: finding.map_err(|_| TORN)?,
            is_told: item.contains_key("told_at"),
        })
    }
}

/// The table of counters.
pub struct Watches {
    client: Client,
    table: String,
}

impl Watches {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::WatchTable)?,
        })
    }

    /// Counts what was not counted yet. Once the threshold is reached, nothing is added any more.
    pub async fn count(
        &self,
        counter: &Counter,
        what: BTreeSet<String>,
        threshold: usize,
    ) -> Result<Tally, Fault> {
        let what = what.into_iter().take(threshold).collect();
        let counted = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(pk(counter)))
            .update_expression("ADD counted :what SET expires_at = :expires")
            .condition_expression("attribute_not_exists(counted) OR size(counted) < :threshold")
            .expression_attribute_values(":what", AttributeValue::Ss(what))
            .expression_attribute_values(":expires", n(counter.until.as_second() + FORGOTTEN))
            .expression_attribute_values(":threshold", n(threshold))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let item = match counted {
            Ok(answer) => answer.attributes,
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(full)) => full.item.clone(),
                _ => return Err(fault("DynamoDB", &error)),
            },
        };
        Tally::from_item(&item.unwrap_or_default())
    }

    /// Notes what was found, once.
    pub fn find(&self, counter: &Counter, finding: Uuid) -> Result<Write, Fault> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", s(pk(counter)))
            .update_expression("SET finding = :finding")
            .condition_expression("attribute_exists(counted) AND attribute_not_exists(finding)")
            .expression_attribute_values(":finding", s(finding.to_string()))
            .build()
            .map_err(|_| Fault::Defect("an update"))?;
        Ok(Write {
            item: TransactWriteItem::builder().update(update).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }

    /// Notes that somebody was told.
    pub async fn told(&self, counter: &Counter) -> Result<(), Fault> {
        let told = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(pk(counter)))
            .update_expression("SET told_at = :now")
            .condition_expression("attribute_exists(finding)")
            .expression_attribute_values(":now", s(Timestamp::now().to_string()))
            .send()
            .await;
        told.map_err(|error| fault("DynamoDB", &error))?;
        Ok(())
    }
}

fn pk(counter: &Counter) -> String {
    format!("WATCH#{}", counter.name())
}
