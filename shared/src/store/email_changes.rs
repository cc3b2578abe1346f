//! Changes of e-mail addresses that wait for their codes: `EMAIL-CHANGE#<sub>` rows of the accounts
//! table. A row holds no address, but the MAC that address and codes prove; the address that somebody
//! asks for is kept by the user pool, as all addresses are, beside the MAC that it belongs to.

use super::accounts::{ATTEMPTS, DAY};
use super::{Item, Write, b, bytes, n, number, s};
use crate::Fault;
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::identity::Requested;
use crate::ids::AccountId;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{Put, ReturnValue, TransactWriteItem, Update};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

/// A change that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailChange {
    /// MAC over account, new address and both codes.
    pub proof: String,
    /// The codes are good until then, in seconds since the epoch.
    pub expires_at: i64,
    /// It was proven; the user pool may not know yet.
    pub confirmed: bool,
}

impl EmailChange {
    /// Long enough for slow mail.
    const GOOD_FOR: SignedDuration = SignedDuration::from_hours(1);

    /// One that begins now.
    pub fn new(proof: String, now: Timestamp) -> Self {
        Self {
            proof,
            expires_at: (now + Self::GOOD_FOR).as_second(),
            confirmed: false,
        }
    }

    /// Is this the address that it is about?
    pub fn is_about(&self, requested: &Requested) -> bool {
        verify_slices_are_equal(self.proof.as_bytes(), requested.proof.as_bytes()).is_ok()
    }

    /// May its codes still be used?
    pub fn is_open(&self, now: Timestamp) -> bool {
        now.as_second() < self.expires_at
    }

    /// Are these the address and the codes, and still good?
    pub fn is_proven_by(&self, proof: &str, now: Timestamp) -> bool {
        let proves = verify_slices_are_equal(self.proof.as_bytes(), proof.as_bytes()).is_ok();
        proves && self.is_open(now)
    }

    fn from_item(item: &Item) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("a change of an address");
        let proof = bytes(item, "proof").ok_or(TORN)?;
        Ok(Self {
            proof: String::from_utf8(proof.to_vec()).map_err(|_| TORN)?,
            expires_at: number(item, "codes_expire_at")
                .and_then(|at| at.try_into().ok())
                .ok_or(TORN)?,
            confirmed: item.contains_key("confirmed_at"),
        })
    }
}

/// The rows of changes.
pub struct EmailChanges {
    client: Client,
    table: String,
}

impl EmailChanges {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::AccountsTable)?,
        })
    }

    /// The write of a new change; the codes of the one before die. Where the pool still keeps an
    /// address that was asked for, the one before may be confirmed: that is carried out first.
    pub fn begin(
        &self,
        account: AccountId,
        change: &EmailChange,
        is_kept: bool,
    ) -> Result<Write, Fault> {
        let mut put = Put::builder()
            .table_name(&self.table)
            .item("pk", s(key(account)))
            .item("proof", b(change.proof.clone()))
            .item("codes_expire_at", n(change.expires_at))
            .item("attempts", n(0))
            .item("expires_at", n(change.expires_at + DAY));
        if is_kept {
            put = put.condition_expression("attribute_not_exists(confirmed_at)");
        }
        let put = put.build().map_err(|_| Fault::Defect("a put"))?;
        Ok(Write {
            item: TransactWriteItem::builder().put(put).build(),
            conflict: under_way(),
        })
    }

    /// The change of an account, if one waits or was confirmed.
    pub async fn of(&self, account: AccountId) -> Result<Option<EmailChange>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(key(account)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        answer.item.as_ref().map(EmailChange::from_item).transpose()
    }

    /// Takes one of the attempts at the codes, before anything is compared: guesses sent at once count
    /// one by one. None is left, or there is nothing to confirm, when there is no change to return.
    pub async fn take_attempt(&self, account: AccountId) -> Result<Option<EmailChange>, Fault> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(key(account)))
            .update_expression("ADD attempts :one")
            .condition_expression("attempts < :limit")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":limit", n(ATTEMPTS))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match answer {
            Ok(answer) => EmailChange::from_item(&answer.attributes.unwrap_or_default()).map(Some),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(fault("DynamoDB", &error)),
        }
    }

    /// Forgets a change that cannot be carried out, so that another may be asked for; false if there
    /// is another already.
    pub async fn forget(&self, account: AccountId, change: &EmailChange) -> Result<bool, Fault> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("pk", s(key(account)))
            .condition_expression("proof = :proof")
            .expression_attribute_values(":proof", b(change.proof.clone()))
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

    /// The write that confirms a change. The row stays for a month, which is how long
    /// reconcile-accounts has to carry out what the pool did not hear of.
    pub fn confirm(
        &self,
        account: AccountId,
        change: &EmailChange,
        now: Timestamp,
    ) -> Result<Write, Fault> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", s(key(account)))
            .update_expression("SET confirmed_at = :now, attempts = :none, expires_at = :month")
            .condition_expression("proof = :proof")
            .expression_attribute_values(":now", s(now.to_string()))
            .expression_attribute_values(":none", n(0))
            .expression_attribute_values(":month", n(now.as_second() + 30 * DAY))
            .expression_attribute_values(":proof", b(change.proof.clone()))
            .build()
            .map_err(|_| Fault::Defect("an update"))?;
        Ok(Write {
            item: TransactWriteItem::builder().update(update).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }
}

fn key(account: AccountId) -> String {
    format!("EMAIL-CHANGE#{account}")
}

const fn under_way() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "change-under-way",
        "The last change of your address is still being carried out",
        "It takes an hour at most. Then sign in with that address, and ask again.",
    )
}
