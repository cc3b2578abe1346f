//! Where the audit archive is: objects that nobody can change in a bucket, the same lines in a log group,
//! and a table that says how far each chain has come. The objects are what counts. They are numbered by
//! their first line and put only where there is none, so that of two who continue a chain one does;
//! the table spares everybody looking for the end, and says which events of the stream are there.

use super::chain::{Head, Line};
use crate::aws::{Aws, Resource, fault};
use crate::store::objects::{self, Opened};
use crate::store::{Item, n, number, s, string};
use crate::{Fault, Reason};
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use futures_util::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The most bytes that an object may have: a batch of Lambda's has six million.
const LARGEST: usize = 32 * 1024 * 1024;

/// The key of the object that begins with this line.
pub fn object_key(chain: u8, first: u64) -> String {
    format!("chains/{chain}/{first:015}.jsonl")
}

/// The line that an object begins with, by its key.
pub fn first_line(key: &str) -> Option<u64> {
    let (_, name) = key.rsplit_once('/')?;
    name.strip_suffix(".jsonl")?.parse().ok()
}

pub fn checkpoint_key(number: u64) -> String {
    format!("checkpoints/{number:015}.json")
}

/// The number of a checkpoint, by its key.
pub fn checkpoint_number(key: &str) -> Option<u64> {
    let (_, name) = key.rsplit_once('/')?;
    name.strip_suffix(".json")?.parse().ok()
}

/// The bucket with Object Lock.
pub struct Archive {
    client: aws_sdk_s3::Client,
    bucket: String,
}

impl Archive {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.s3().clone(),
            bucket: aws.name(Resource::AuditArchive)?,
        })
    }

    /// An object; none if there is none.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        let within = Duration::from_secs(12);
        match objects::read(&self.client, &self.bucket, key, LARGEST, within).await? {
            Opened::Bytes { bytes, .. } => Ok(Some(bytes)),
            Opened::Gone => Ok(None),
            Opened::TooLarge => Err(Fault::Corrupt("an object of the audit archive")),
        }
    }

    /// Puts an object where there is none; false if there is one.
    pub async fn put(&self, key: &str, text: String) -> Result<bool, Fault> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .if_none_match("*")
            .body(ByteStream::from(text.into_bytes()))
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().and_then(|error| error.code())
                    == Some("PreconditionFailed") =>
            {
                Ok(false)
            }
            Err(error) => Err(fault("the audit archive", &error)),
        }
    }

    /// The keys in a folder, in order, from the one behind `after` up to `last`; at most `limit`.
    pub async fn keys(
        &self,
        folder: &str,
        after: &str,
        last: &str,
        limit: usize,
    ) -> Result<Vec<String>, Fault> {
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(folder)
            .start_after(after)
            .into_paginator()
            .send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault("the audit archive", &error))?;
            for object in page.contents() {
                let key = object.key().unwrap_or_default();
                if key > last || keys.len() == limit {
                    return Ok(keys);
                }
                keys.push(key.to_owned());
            }
        }
        Ok(keys)
    }
}

/// Whose end is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Chain(u8),
    Checkpoints,
    /// Up to which checkpoint everything was verified.
    Verified,
}

impl Mark {
    fn pk(self) -> String {
        match self {
            Self::Chain(chain) => format!("HEAD#chain-{chain}"),
            Self::Checkpoints => "HEAD#checkpoints".to_owned(),
            Self::Verified => "HEAD#verified".to_owned(),
        }
    }
}

/// So long it is known that an event was archived. A stream tells nothing that is older than a day.
const KNOWN_FOR: i64 = 7 * 24 * 3600;

/// The table of ends.
pub struct Ends {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl Ends {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::ChainTable)?,
        })
    }

    pub async fn head(&self, of: Mark) -> Result<Head, Fault> {
        const TORN: Fault = Fault::Corrupt("the end of a chain");
        let Some(item) = self.get(of.pk()).await? else {
            return Ok(Head::start());
        };
        Ok(Head {
            at: number(&item, "at")
                .and_then(|at| at.try_into().ok())
                .ok_or(TORN)?,
            hash: string(&item, "hash").ok_or(TORN)?.to_owned(),
            sequence: number(&item, "sequence").ok_or(TORN)?,
        })
    }

    /// Notes how far something has come. Who is behind somebody else changes nothing.
    pub async fn advance(&self, of: Mark, head: &Head) -> Result<(), Fault> {
        let sequence = i64::try_from(head.sequence).map_err(|_| Fault::Defect("a sequence"))?;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(of.pk()))
            .update_expression("SET #at = :at, #hash = :hash, #sequence = :sequence")
            .condition_expression("attribute_not_exists(pk) OR #sequence < :sequence")
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#hash", "hash")
            .expression_attribute_names("#sequence", "sequence")
            .expression_attribute_values(":at", n(head.at))
            .expression_attribute_values(":hash", s(head.hash.clone()))
            .expression_attribute_values(":sequence", n(sequence))
            .send()
            .await;
        match update {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(fault("DynamoDB", &error)),
        }
    }

    /// Which events of these seconds are in the chain.
    pub async fn known(
        &self,
        chain: u8,
        seconds: BTreeSet<i64>,
    ) -> Result<BTreeSet<String>, Fault> {
        let rows = seconds
            .into_iter()
            .map(|second| self.get(known_pk(chain, second)));
        let rows = try_join_all(rows).await?;
        let events = rows.into_iter().flatten().filter_map(|mut row| {
            let events = row.remove("events")?;
            events.as_ss().ok().cloned()
        });
        Ok(events.flatten().collect())
    }

    /// Notes that these events are in the chain.
    pub async fn note(&self, chain: u8, lines: &[Line]) -> Result<(), Fault> {
        let mut seconds: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for body in lines.iter().filter_map(|line| line.body.as_ref()) {
            let events = seconds.entry(body.created).or_default();
            events.push(body.event.clone());
        }
        let expires = jiff::Timestamp::now().as_second() + KNOWN_FOR;
        let notes = seconds.into_iter().map(async |(second, events)| {
            let noted = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("pk", s(known_pk(chain, second)))
                .update_expression("ADD #events :events SET expires_at = :expires")
                .expression_attribute_names("#events", "events")
                .expression_attribute_values(":events", AttributeValue::Ss(events))
                .expression_attribute_values(":expires", n(expires))
                .send()
                .await;
            noted.map_err(|error| fault("DynamoDB", &error))
        });
        try_join_all(notes).await?;
        Ok(())
    }

    async fn get(&self, pk: String) -> Result<Option<Item>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(pk))
            .consistent_read(true)
            .send()
            .await;
        Ok(answer.map_err(|error| fault("DynamoDB", &error))?.item)
    }
}

fn known_pk(chain: u8, second: i64) -> String {
    format!("KNOWN#{chain}#{second}")
}

/// What one PutLogEvents takes
/// (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>).
const EVENTS: usize = 10_000;
const BYTES: usize = 1_048_576;
const OVERHEAD: usize = 26;

/// The log group for the audit log, with a stream for each chain. The time of an event is the time of
/// its line: of those that are sent together all have the same, so that they are in order and within a
/// day.
pub struct AuditLog {
    client: aws_sdk_cloudwatchlogs::Client,
    group: String,
}

impl AuditLog {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.logs().clone(),
            group: aws.name(Resource::AuditLogGroup)?,
        })
    }

    /// Writes lines.
    pub async fn put(&self, chain: u8, at: i64, lines: &[&Line]) -> Result<(), Fault> {
        for lines in batches(lines) {
            let mut put = self.send(chain, at, lines).await;
            if let Err(error) = &put
                && is_absent(error)
            {
                self.create(chain).await?;
                put = self.send(chain, at, lines).await;
            }
            let answer = put.map_err(|error| fault("CloudWatch Logs", &error))?;
            if answer.rejected_log_events_info().is_some() {
                return Err(Fault::Unavailable {
                    service: "CloudWatch Logs",
                    reason: Reason::Other,
                });
            }
        }
        Ok(())
    }

    async fn send(
        &self,
        chain: u8,
        at: i64,
        lines: &[&Line],
    ) -> Result<
        aws_sdk_cloudwatchlogs::operation::put_log_events::PutLogEventsOutput,
        aws_sdk_cloudwatchlogs::error::SdkError<
            aws_sdk_cloudwatchlogs::operation::put_log_events::PutLogEventsError,
            aws_smithy_runtime_api::http::Response,
        >,
    > {
        let events = lines.iter().filter_map(|line| {
            let event = InputLogEvent::builder().timestamp(at).message(&line.text);
            event.build().ok()
        });
        self.client
            .put_log_events()
            .log_group_name(&self.group)
            .log_stream_name(stream(chain))
            .set_log_events(Some(events.collect()))
            .send()
            .await
    }

    async fn create(&self, chain: u8) -> Result<(), Fault> {
        let created = self
            .client
            .create_log_stream()
            .log_group_name(&self.group)
            .log_stream_name(stream(chain))
            .send()
            .await;
        match created {
            Err(error)
                if error.as_service_error().and_then(|error| error.code())
                    != Some("ResourceAlreadyExistsException") =>
            {
                Err(fault("CloudWatch Logs", &error))
            }
            _ => Ok(()),
        }
    }

    /// The events of a chain, each with its time, from one time up to another, which is in it.
    pub async fn get(&self, chain: u8, from: i64, to: i64) -> Result<Vec<(i64, String)>, Fault> {
        let mut events = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let answer = self
                .client
                .get_log_events()
                .log_group_name(&self.group)
                .log_stream_name(stream(chain))
                .start_time(from)
                .end_time(to + 1)
                .start_from_head(true)
                .set_next_token(token.clone())
                .send()
                .await;
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) if is_absent(&error) => return Ok(events),
                Err(error) => return Err(fault("CloudWatch Logs", &error)),
            };
            let found = answer.events().iter();
            events.extend(found.map(|event| {
                let message = event.message().unwrap_or_default();
                (event.timestamp().unwrap_or_default(), message.to_owned())
            }));
            // At the end the token stays what it was.
            let next = answer.next_forward_token().map(str::to_owned);
            if next.is_none() || next == token {
                return Ok(events);
            }
            token = next;
        }
    }
}

/// The name of a chain's stream.
pub fn stream(chain: u8) -> String {
    format!("chain-{chain}")
}

fn is_absent<E: ProvideErrorMetadata, R>(error: &aws_sdk_s3::error::SdkError<E, R>) -> bool {
    let code = error.as_service_error().and_then(|error| error.code());
    code == Some("ResourceNotFoundException")
}

/// The lines in as few calls as CloudWatch takes them in.
fn batches<'a>(lines: &'a [&'a Line]) -> Vec<&'a [&'a Line]> {
    let mut batches = Vec::new();
    let mut rest = lines;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take(EVENTS).take_while(|line| {
            bytes += line.text.len() + OVERHEAD;
            bytes <= BYTES
        });
        // A line that is too large by itself is CloudWatch's to refuse.
        let count = fits.count().max(1);
        let (batch, others) = rest.split_at(count.min(rest.len()));
        batches.push(batch);
        rest = others;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_larger_than_cloudwatch_takes() {
        let small = Line::read("{}");
        let large = Line::read(&"x".repeat(600_000));
        let sizes = |lines: &[&Line]| -> Vec<usize> {
            batches(lines).into_iter().map(<[_]>::len).collect()
        };
        assert_eq!(sizes(&vec![&small; 10_001]), [10_000, 1]);
        assert_eq!(sizes(&[&large, &large, &small]), [1, 2]);
        let huge = Line::read(&"x".repeat(2_000_000));
        assert_eq!(sizes(&[&small, &huge, &small]), [1, 1, 1]);
        assert!(sizes(&[]).is_empty());
    }

    #[test]
    fn keys_sort_as_their_numbers() {
        assert!(object_key(1, 9) < object_key(1, 10));
        assert_eq!(first_line(&object_key(3, 4711)), Some(4711));
        assert_eq!(checkpoint_number(&checkpoint_key(12)), Some(12));
    }
}
