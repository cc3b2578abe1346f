//! Who administers the portal, and what waits for a second administrator: rows of the accounts table.
//!
//! `ADMINISTRATORS` is the set of active administrators' accounts. It changes in the transaction that
//! changes an account, so of two administrators who remove each other one comes first, and the other
//! stays; when one was last removed stands with it. `APPROVAL#<whom>#<role>` rows are grants of a role that watches over others
//! (45 CFR 164.308(a)(4)(ii)(C)), asked for by one administrator.

use super::{Item, Write, n, number, s, string};
use crate::Fault;
use crate::access::Role;
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::AccountId;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

const ADMINISTRATORS: &str = "ADMINISTRATORS";

/// How long a grant waits for a second administrator, and so long after one was removed the last may
/// not grant alone: else whoever removes the others needs nobody's consent.
const WAITS_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A grant that an administrator asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approval {
    pub requested_by: AccountId,
    pub expires_at: Timestamp,
}

impl Approval {
    fn from_item(item: &Item) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("an approval row");
        let expires_at = number(item, "expires_at")
            .and_then(|at| at.try_into().ok())
            .ok_or(TORN)?;
        Ok(Self {
            requested_by: string(item, "requested_by")
                .and_then(|by| by.parse().ok())
                .ok_or(TORN)?,
            expires_at: Timestamp::from_second(expires_at).map_err(|_| TORN)?,
        })
    }
}

/// The row of administrators.
struct Count {
    accounts: BTreeSet<AccountId>,
    /// When one was last removed.
    removed_at: Option<Timestamp>,
}

impl Count {
    fn from_item(item: &Item) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("the row of administrators");
        let accounts = item.get("accounts");
        let accounts = accounts.and_then(|accounts| accounts.as_ss().ok());
        let removed_at = number(item, "removed_at").map(|at| {
            let at = at.try_into().map_err(|_| TORN)?;
            Timestamp::from_second(at).map_err(|_| TORN)
        });
        Ok(Self {
            accounts: accounts
                .into_iter()
                .flatten()
                .map(|account| account.parse())
                .collect::<Result<_, _>>()
                .map_err(|_| TORN)?,
            removed_at: removed_at.transpose()?,
        })
    }

    /// Is there nobody to ask, and was there nobody for as long as a grant may wait?
    fn is_alone(&self, by: AccountId, now: Timestamp) -> bool {
        let lately = |at| now.duration_since(at) < WAITS_FOR;
        self.accounts.iter().all(|one| *one == by) && !self.removed_at.is_some_and(lately)
    }
}

/// Whether a role may be granted now. Either way the writes belong into the transaction.
pub enum Consent {
    Given(Vec<Write>),
    /// Another administrator has to ask for the same.
    Awaited {
        until: Timestamp,
        writes: Vec<Write>,
    },
}

/// The rows about administrators.
pub struct Administrators {
    client: Client,
    table: String,
}

impl Administrators {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::AccountsTable)?,
        })
    }

    /// The accounts of all active administrators.
    pub async fn active(&self) -> Result<BTreeSet<AccountId>, Fault> {
        Ok(self.count().await?.accounts)
    }

    async fn count(&self) -> Result<Count, Fault> {
        let row = self.item(ADMINISTRATORS.to_owned()).await?;
        Count::from_item(&row.unwrap_or_default())
    }

    /// The write that counts one more.
    pub fn add(&self, account: AccountId) -> Result<Write, Fault> {
        let update = Update::builder().update_expression("ADD accounts :account");
        self.update(update, account)
    }

    /// The write that counts one less. The last one stays.
    pub fn remove(&self, account: AccountId, now: Timestamp) -> Result<Write, Fault> {
        let update = Update::builder()
            .update_expression("SET removed_at = :now DELETE accounts :account")
            .expression_attribute_values(":now", n(now.as_second()))
            .condition_expression("size(accounts) > :one AND contains(accounts, :id)")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":id", s(account.to_string()));
        self.update(update, account)
    }

    /// The write that corrects the set, if it is still what it was.
    pub fn correct(
        &self,
        former: &BTreeSet<AccountId>,
        actual: &BTreeSet<AccountId>,
        now: Timestamp,
    ) -> Result<Write, Fault> {
        let set = |accounts: &BTreeSet<AccountId>| {
            AttributeValue::Ss(accounts.iter().map(AccountId::to_string).collect())
        };
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", s(ADMINISTRATORS))
            .expression_attribute_values(":actual", set(actual));
        update = if former.is_subset(actual) {
            update.update_expression("SET accounts = :actual")
        } else {
            update
                .update_expression("SET accounts = :actual, removed_at = :now")
                .expression_attribute_values(":now", n(now.as_second()))
        };
        update = if former.is_empty() {
            update.condition_expression("attribute_not_exists(accounts)")
        } else {
            update
                .condition_expression("accounts = :former")
                .expression_attribute_values(":former", set(former))
        };
        let update = update.build().map_err(|_| Fault::Defect("an update"))?;
        Ok(Write {
            item: TransactWriteItem::builder().update(update).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }

    fn update(
        &self,
        update: aws_sdk_dynamodb::types::builders::UpdateBuilder,
        account: AccountId,
    ) -> Result<Write, Fault> {
        let update = update
            .table_name(&self.table)
            .key("pk", s(ADMINISTRATORS))
            .expression_attribute_values(":account", AttributeValue::Ss(vec![account.to_string()]))
            .build()
            .map_err(|_| Fault::Defect("an update"))?;
        Ok(Write {
            item: TransactWriteItem::builder().update(update).build(),
            conflict: last_administrator(),
        })
    }

    /// May this administrator grant the role? Alone only while there is no other, and was none lately; else the first who
    /// asks leaves a row, and the second consents by asking for the same. `whom` is an id, or the MAC
    /// of an address.
    pub async fn consent(
        &self,
        whom: &str,
        role: Role,
        by: AccountId,
        now: Timestamp,
    ) -> Result<Consent, Fault> {
        let key = format!("APPROVAL#{whom}#{}", role.as_str());
        let (count, row) = tokio::try_join!(self.count(), self.item(key.clone()))?;
        if count.is_alone(by, now) {
            return Ok(Consent::Given(Vec::new()));
        }
        let former = row.as_ref().map(Approval::from_item).transpose()?;
        // What somebody asked for who is no administrator any more counts for nothing.
        let waiting =
            former.filter(|one| now < one.expires_at && count.accounts.contains(&one.requested_by));
        match waiting {
            Some(waiting) if waiting.requested_by != by => {
                Ok(Consent::Given(vec![self.approve(&key, &waiting)?]))
            }
            Some(waiting) => Ok(Consent::Awaited {
                until: waiting.expires_at,
                writes: Vec::new(),
            }),
            None => {
                let ask = Approval {
                    requested_by: by,
                    expires_at: now + WAITS_FOR,
                };
                Ok(Consent::Awaited {
                    until: ask.expires_at,
                    writes: vec![self.ask(&key, ask, former)?],
                })
            }
        }
    }

    fn ask(&self, key: &str, ask: Approval, former: Option<Approval>) -> Result<Write, Fault> {
        let mut put = Put::builder()
            .table_name(&self.table)
            .item("pk", s(key))
            .item("requested_by", s(ask.requested_by.to_string()))
            .item("expires_at", n(ask.expires_at.as_second()));
        put = match former {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(former) => put
                .condition_expression("requested_by = :by AND expires_at = :former")
                .expression_attribute_values(":by", s(former.requested_by.to_string()))
                .expression_attribute_values(":former", n(former.expires_at.as_second())),
        };
        let put = put.build().map_err(|_| Fault::Defect("a put"))?;
        Ok(Write {
            item: TransactWriteItem::builder().put(put).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }

    fn approve(&self, key: &str, waiting: &Approval) -> Result<Write, Fault> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("pk", s(key))
            .condition_expression("requested_by = :by AND expires_at = :expires")
            .expression_attribute_values(":by", s(waiting.requested_by.to_string()))
            .expression_attribute_values(":expires", n(waiting.expires_at.as_second()))
            .build()
            .map_err(|_| Fault::Defect("a delete"))?;
        Ok(Write {
            item: TransactWriteItem::builder().delete(delete).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }

    async fn item(&self, key: String) -> Result<Option<Item>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(answer.item)
    }
}

const fn last_administrator() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "last-administrator",
        "This is the last administrator",
        "Make somebody else an administrator first.",
    )
}
