//! Notices in the channels table. `NOTICES` has a row `<account>#<thread>` for each thread of which
//! somebody is to hear outside the app, or did within the hour. It forgets itself.

use super::{Item, n, number, s, string};
use crate::Fault;
use crate::access::Unproven;
use crate::api::profile::{Notifications, Profile};
use crate::aws::{Aws, Resource, fault};
use crate::ids::{AccountId, PatientId, ThreadId};
use crate::phi::{DataKeys, Opener};
use crate::store::Patients;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use jiff::{SignedDuration, Timestamp};

const TORN: Fault = Fault::Corrupt("a notice's row");
const NOTICES: &str = "NOTICES";

/// Who reads the message within this time hears of it nowhere else.
const WAITS: SignedDuration = SignedDuration::from_mins(5);

/// Of one thread, one account hears once in this time.
const APART: SignedDuration = SignedDuration::from_hours(1);

/// A notice that nobody sent within this time is of no use any more.
const KEPT: SignedDuration = SignedDuration::from_hours(48);

/// A notice that is due.
pub struct Notice {
    pub account: AccountId,
    pub thread: ThreadId,
    pub patient: PatientId,
    due: u64,
}

/// The notices of all accounts.
pub struct Notices {
    client: Client,
    table: String,
}

impl Notices {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::ChannelsTable)?,
        })
    }

    /// The write of a message that an account has not read: a notice of it is due soon, if none is.
    pub fn expect(
        &self,
        account: AccountId,
        patient: PatientId,
        thread: ThreadId,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Fault> {
        let update = Update::builder()
            .update_expression(
                "SET due = if_not_exists(due, :due), patient = :patient, expires_at = :expires",
            )
            .expression_attribute_values(":due", n((now + WAITS).as_second()))
            .expression_attribute_values(":patient", s(patient.to_string()))
            .expression_attribute_values(":expires", n((now + KEPT).as_second()));
        self.update(account, thread, update)
    }

    /// The write of an account that has read on: no notice is due.
    pub fn forget(
        &self,
        account: AccountId,
        thread: ThreadId,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Fault> {
        let update = Update::builder()
            .update_expression("SET expires_at = :expires REMOVE due")
            .expression_attribute_values(":expires", n((now + KEPT).as_second()));
        self.update(account, thread, update)
    }

    fn update(
        &self,
        account: AccountId,
        thread: ThreadId,
        update: aws_sdk_dynamodb::types::builders::UpdateBuilder,
    ) -> Result<TransactWriteItem, Fault> {
        let update = update
            .table_name(&self.table)
            .key("pk", s(NOTICES))
            .key("sk", s(key(account, thread)))
            .build()
            .map_err(|_| Fault::Defect("an update"))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// The notices that are due.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<Notice>, Fault> {
        let mut notices = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk")
                .filter_expression(
                    "due <= :now AND (attribute_not_exists(sent_at) OR sent_at <= :before)",
                )
                .expression_attribute_values(":pk", s(NOTICES))
                .expression_attribute_values(":now", n(now.as_second()))
                .expression_attribute_values(":before", n((now - APART).as_second()))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| fault("DynamoDB", &error))?;
            for item in answer.items() {
                notices.push(notice(item)?);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(notices);
            }
        }
    }

    /// Takes a notice to send it. Of several who do, one gets it, and nobody again within the hour.
    pub async fn take(&self, notice: &Notice, now: Timestamp) -> Result<bool, Fault> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(NOTICES))
            .key("sk", s(key(notice.account, notice.thread)))
            .update_expression("SET sent_at = :now REMOVE due")
            .condition_expression(
                "due = :due AND (attribute_not_exists(sent_at) OR sent_at <= :before)",
            )
            .expression_attribute_values(":now", n(now.as_second()))
            .expression_attribute_values(":due", n(notice.due))
            .expression_attribute_values(":before", n((now - APART).as_second()))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(fault("DynamoDB", &error)),
        }
    }
}

/// How patients want to hear of things, which is sealed with their contact details.
pub struct Preferences {
    patients: Patients,
    keys: DataKeys,
}

impl Preferences {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            patients: Patients::new(aws)?,
            keys: DataKeys::new(aws.kms().clone(), aws.name(Resource::PhiKey)?),
        })
    }

    pub async fn of(&self, patient: PatientId) -> Result<Notifications, Fault> {
        let context = self.patients.context(&Unproven::new(patient)).await?;
        let key = match context.wrapped_key() {
            Some(wrapped) => Some(self.keys.unwrap(patient, wrapped).await?),
            None => None,
        };
        Profile::notifications(&Opener {
            key,
            context,
            caller: None,
        })
    }
}

fn key(account: AccountId, thread: ThreadId) -> String {
    format!("{account}#{thread}")
}

fn notice(item: &Item) -> Result<Notice, Fault> {
    let (account, thread) = string(item, "sk")
        .and_then(|key| key.split_once('#'))
        .ok_or(TORN)?;
    Ok(Notice {
        account: account.parse().map_err(|_| TORN)?,
        thread: thread.parse().map_err(|_| TORN)?,
        patient: string(item, "patient")
            .and_then(|patient| patient.parse().ok())
            .ok_or(TORN)?,
        due: number(item, "due").ok_or(TORN)?,
    })
}
