//! The channels table. `ACCOUNT#<account>` has the account's `TICKET#<digest>` and `CONNECTION#<id>`,
//! each with the sign-in behind it; `EVENT#<sequence>`, what the account was told; `LAST`, the sequence
//! of the last one; and `SOURCE#<digest>`, which change an event came of. `CONNECTION#<id>` says whose
//! a connection is. Everything but `LAST` forgets itself.

use super::{Item, Write, n, number, s, string};
use crate::access::{Access, OwnAccount, Role, SignIn};
use crate::api::channels::Ticket;
use crate::api::events::{Event, Told};
use crate::audit::transaction_fault;
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::AccountId;
use crate::{Fault, Reason};
use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use uuid::Uuid;

const TORN: Fault = Fault::Corrupt("a row of the channels table");

/// API Gateway ends a connection after two hours.
const CONNECTION_LASTS: SignedDuration = SignedDuration::from_mins(2 * 60 + 1);

/// A change may be heard of again as long as its stream has it.
const SOURCE_KEPT: SignedDuration = SignedDuration::from_hours(48);

/// How many events one answer has.
pub const EVENTS_AT_ONCE: u8 = 100;

/// How often an event is numbered while others are, too. The waits add up to some seconds.
const TRIES: u32 = 12;

const LAST: &str = "LAST";

/// A connection that is open, and the sign-in that it was opened by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub id: String,
    pub sign_in: SignIn,
}

/// Events after some sequence.
pub struct EventPage {
    pub events: Vec<Told>,
    /// Where the events are, which is past these where there are more.
    pub last: u64,
}

/// Tickets, connections and events.
#[derive(Clone)]
pub struct Channels {
    client: Client,
    table: String,
}

impl Channels {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::ChannelsTable)?,
        })
    }

    /// The write of a ticket for the caller's sign-in.
    pub fn issue(
        &self,
        access: &Access<OwnAccount>,
        ticket: &Ticket,
        expires_at: Timestamp,
    ) -> Result<Write, Fault> {
        let put = signed_in(&access.caller().sign_in())
            .item("pk", s(account_key(access.account())))
            .item("sk", s(ticket_key(ticket)))
            .item("expires_at", n(expires_at.as_second()))
            .condition_expression("attribute_not_exists(pk)");
        self.put(put, Problem::changed_meanwhile())
    }

    /// The sign-in behind a ticket, as long as it is good and was not used.
    pub async fn ticket(&self, ticket: &Ticket, now: Timestamp) -> Result<Option<SignIn>, Fault> {
        let item = self.item(account_key(ticket.account()), ticket_key(ticket));
        let item = item.await?.filter(|item| is_good(item, now));
        item.as_ref().map(sign_in).transpose()
    }

    /// The writes that turn a ticket into a connection. Of two who come with one ticket, one does.
    pub fn open(
        &self,
        access: &Access<OwnAccount>,
        ticket: &Ticket,
        connection: &str,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        let account = access.account();
        let expires_at = n((now + CONNECTION_LASTS).as_second());
        let used = Delete::builder()
            .table_name(&self.table)
            .key("pk", s(account_key(account)))
            .key("sk", s(ticket_key(ticket)))
            .condition_expression("expires_at > :now")
            .expression_attribute_values(":now", n(now.as_second()))
            .build()
            .map_err(|_| Fault::Defect("a delete"))?;
        let row = signed_in(&access.caller().sign_in())
            .item("pk", s(account_key(account)))
            .item("sk", s(connection_key(connection)))
            .item("expires_at", expires_at.clone());
        let whose = Put::builder()
            .item("pk", s(connection_key(connection)))
            .item("sk", s("ACCOUNT"))
            .item("account", s(account.to_string()))
            .item("expires_at", expires_at);
        Ok(vec![
            Write {
                item: TransactWriteItem::builder().delete(used).build(),
                conflict: Problem::unauthenticated(),
            },
            self.put(row, Problem::changed_meanwhile())?,
            self.put(whose, Problem::changed_meanwhile())?,
        ])
    }

    /// Whose a connection is.
    pub async fn account_of(&self, connection: &str) -> Result<Option<AccountId>, Fault> {
        let item = self.item(connection_key(connection), "ACCOUNT".to_owned());
        let item = item.await?;
        let account = item.as_ref().and_then(|item| string(item, "account"));
        account.map(str::parse).transpose().map_err(|_| TORN)
    }

    /// The writes that forget a connection.
    pub fn close(&self, account: AccountId, connection: &str) -> Result<Vec<Write>, Fault> {
        let keys = [
            (account_key(account), connection_key(connection)),
            (connection_key(connection), "ACCOUNT".to_owned()),
        ];
        let writes = keys.into_iter().map(|(pk, sk)| {
            let delete = Delete::builder()
                .table_name(&self.table)
                .key("pk", s(pk))
                .key("sk", s(sk))
                .build()
                .map_err(|_| Fault::Defect("a delete"))?;
            Ok(Write {
                item: TransactWriteItem::builder().delete(delete).build(),
                conflict: Problem::changed_meanwhile(),
            })
        });
        writes.collect()
    }

    /// Forgets a connection of which API Gateway says that it is gone, or that nobody may use.
    pub async fn forget(&self, account: AccountId, connection: &str) -> Result<(), Fault> {
        let writes = self.close(account, connection)?;
        let items = writes.into_iter().map(|write| write.item).collect();
        self.client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send()
            .await
            .map_err(|error| transaction_fault(&error))?;
        Ok(())
    }

    /// An account's connections.
    pub async fn connections(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<Connection>, Fault> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :connection)")
            .expression_attribute_values(":pk", s(account_key(account)))
            .expression_attribute_values(":connection", s("CONNECTION#"))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let items = answer.items().iter().filter(|item| is_good(item, now));
        let connections = items.map(|item| {
            let id = string(item, "sk").and_then(|sk| sk.strip_prefix("CONNECTION#"));
            Ok(Connection {
                id: id.ok_or(TORN)?.to_owned(),
                sign_in: sign_in(item)?,
            })
        });
        connections.collect()
    }

    /// The sequence of an account's last event; 0 before the first.
    pub async fn last(&self, account: AccountId) -> Result<u64, Fault> {
        let item = self.item(account_key(account), LAST.to_owned()).await?;
        let last = item.as_ref().map(|item| number(item, "last").ok_or(TORN));
        Ok(last.transpose()?.unwrap_or(0))
    }

    /// An account's events after a sequence, oldest first.
    pub async fn events(&self, account: AccountId, after: u64) -> Result<EventPage, Fault> {
        let (events, last) = tokio::join!(self.events_after(account, after), self.last(account));
        let (mut events, last) = (events?, last?);
        // One may have come between the two reads: only what is read after the number tells a gap.
        if events.is_empty() && last > after {
            events = self.events_after(account, after).await?;
        }
        let newest = events.last().map_or(last, |told| told.sequence);
        Ok(EventPage {
            last: last.max(newest),
            events,
        })
    }

    async fn events_after(&self, account: AccountId, after: u64) -> Result<Vec<Told>, Fault> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", s(account_key(account)))
            .expression_attribute_values(":first", s(event_key(after.saturating_add(1))))
            .expression_attribute_values(":last", s(event_key(u64::MAX)))
            .consistent_read(true)
            .limit(i32::from(EVENTS_AT_ONCE))
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        answer.items().iter().map(told).collect()
    }

    /// Writes an event behind the account's last one, and says which it is. The number, the event and
    /// what it came of are one transaction, with what else is to be done once: no event appears behind a later one, and of a change that
    /// is heard of twice there is one event.
    pub async fn append(
        &self,
        account: AccountId,
        source: &str,
        event: &Event,
        with: Option<TransactWriteItem>,
        now: Timestamp,
    ) -> Result<u64, Fault> {
        for attempt in 0..TRIES {
            if attempt > 0 {
                let (random, _) = Uuid::new_v4().as_u64_pair();
                let pause = random % (20_u64 << attempt.min(5));
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            let last = self.last(account).await?;
            let sequence = last.saturating_add(1);
            let mut items = self.appended(account, source, event, sequence, now)?;
            items.extend(with.clone());
            let answer = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items))
                .send()
                .await;
            match answer {
                Ok(_) => return Ok(sequence),
                Err(error) if failed(&error, 0) => {
                    return self.sequence_of(account, source).await?.ok_or(TORN);
                }
                // Another event got the number.
                Err(error) if failed(&error, 1) || is_conflict(&error) => {}
                Err(error) => return Err(transaction_fault(&error)),
            }
        }
        Err(Fault::Unavailable {
            service: "DynamoDB",
            reason: Reason::Conflict,
        })
    }

    fn appended(
        &self,
        account: AccountId,
        source: &str,
        event: &Event,
        sequence: u64,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, Fault> {
        let pk = account_key(account);
        let json = serde_json::to_string(event).map_err(|_| Fault::Defect("an event"))?;
        let came_of = Put::builder()
            .item("pk", s(&pk))
            .item("sk", s(source_key(source)))
            .item("sequence", n(sequence))
            .item("expires_at", n((now + SOURCE_KEPT).as_second()))
            .condition_expression("attribute_not_exists(pk)");
        let row = Put::builder()
            .item("pk", s(&pk))
            .item("sk", s(event_key(sequence)))
            .item("event", s(json))
            .item("expires_at", n((now + Event::KEPT).as_second()))
            .condition_expression("attribute_not_exists(pk)");
        let count = Update::builder()
            .table_name(&self.table)
            .key("pk", s(&pk))
            .key("sk", s(LAST))
            .update_expression("SET #last = :sequence")
            .condition_expression("attribute_not_exists(#last) OR #last = :before")
            .expression_attribute_names("#last", "last")
            .expression_attribute_values(":sequence", n(sequence))
            .expression_attribute_values(":before", n(sequence.saturating_sub(1)))
            .build()
            .map_err(|_| Fault::Defect("an update"))?;
        Ok(vec![
            self.put(came_of, Problem::changed_meanwhile())?.item,
            TransactWriteItem::builder().update(count).build(),
            self.put(row, Problem::changed_meanwhile())?.item,
        ])
    }

    /// Which event a change became.
    async fn sequence_of(&self, account: AccountId, source: &str) -> Result<Option<u64>, Fault> {
        let item = self.item(account_key(account), source_key(source)).await?;
        Ok(item.as_ref().and_then(|item| number(item, "sequence")))
    }

    async fn item(&self, pk: String, sk: String) -> Result<Option<Item>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(sk))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(answer.item)
    }

    fn put(&self, put: PutBuilder, conflict: Problem) -> Result<Write, Fault> {
        let put = put.table_name(&self.table).build();
        let put = put.map_err(|_| Fault::Defect("a put"))?;
        Ok(Write {
            item: TransactWriteItem::builder().put(put).build(),
            conflict,
        })
    }
}

fn signed_in(sign_in: &SignIn) -> PutBuilder {
    Put::builder()
        .item("role", s(sign_in.role.as_str()))
        .item("signed_in_at", n(sign_in.signed_in_at))
        .item("session", s(sign_in.session.to_string()))
}

fn sign_in(item: &Item) -> Result<SignIn, Fault> {
    let text = |name| string(item, name).ok_or(TORN);
    Ok(SignIn {
        role: Role::from_name(text("role")?).ok_or(TORN)?,
        signed_in_at: number(item, "signed_in_at")
            .and_then(|at| at.try_into().ok())
            .ok_or(TORN)?,
        session: text("session")?.parse().map_err(|_| TORN)?,
    })
}

/// DynamoDB forgets rows hours after they are over.
fn is_good(item: &Item, now: Timestamp) -> bool {
    let until = number(item, "expires_at").and_then(|until| i64::try_from(until).ok());
    until.is_some_and(|until| now.as_second() < until)
}

fn told(item: &Item) -> Result<Told, Fault> {
    let sequence = string(item, "sk").and_then(|sk| sk.strip_prefix("EVENT#"));
    let event = string(item, "event").ok_or(TORN)?;
    Ok(Told {
        sequence: sequence.and_then(|text| text.parse().ok()).ok_or(TORN)?,
        event: serde_json::from_str(event).map_err(|_| TORN)?,
    })
}

type TransactionError = SdkError<TransactWriteItemsError, aws_smithy_runtime_api::http::Response>;

fn codes(error: &TransactionError) -> Vec<&str> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled
            .cancellation_reasons()
            .iter()
            .map(|reason| reason.code().unwrap_or_default())
            .collect(),
        _ => Vec::new(),
    }
}

/// Did the condition of this item not hold?
fn failed(error: &TransactionError, at: usize) -> bool {
    codes(error).get(at) == Some(&"ConditionalCheckFailed")
}

fn is_conflict(error: &TransactionError) -> bool {
    codes(error).contains(&"TransactionConflict")
}

fn account_key(account: AccountId) -> String {
    format!("ACCOUNT#{account}")
}

fn ticket_key(ticket: &Ticket) -> String {
    format!("TICKET#{}", ticket.digest())
}

fn connection_key(connection: &str) -> String {
    format!("CONNECTION#{connection}")
}

fn event_key(sequence: u64) -> String {
    format!("EVENT#{sequence:020}")
}

fn source_key(source: &str) -> String {
    let digest = digest(&SHA256, source.as_bytes());
    format!("SOURCE#{}", URL_SAFE_NO_PAD.encode(digest))
}
