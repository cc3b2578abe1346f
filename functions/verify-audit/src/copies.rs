//! Archive, log group and table, as far as a run looks at them.

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::audit::archive::{
    Archive, AuditLog, checkpoint_key, checkpoint_number, first_line, object_key,
};
use shared::audit::checkpoint::Signed;
use shared::audit::verify::{Copies, Key, key_of};
use shared::aws::{Aws, Resource, fault};
use shared::store::Item;
use shared::{Fault, Reason};
use std::collections::{BTreeMap, HashMap};

/// How many checkpoints a run looks at; the next goes on from there. Four days' are as many.
const CHECKPOINTS: usize = 400;

/// So long CloudWatch may take to show what it was given.
const SETTLES_WITHIN: i64 = 60_000;

/// What one BatchGetItem takes.
const KEYS: usize = 100;

/// How often keys are asked for that a batch left out.
const ROUNDS: usize = 8;

pub(crate) struct Everywhere {
    archive: Archive,
    log: AuditLog,
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
}

impl Everywhere {
    pub(crate) fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            archive: Archive::new(aws)?,
            log: AuditLog::new(aws)?,
            dynamodb: aws.dynamodb().clone(),
            table: aws.name(Resource::AuditTable)?,
        })
    }

    /// As it was a minute ago.
    pub(crate) fn settled(&self, now: Timestamp) -> Settled<'_> {
        Settled {
            all: self,
            until: now.as_millisecond() - SETTLES_WITHIN,
        }
    }

    async fn batch(&self, keys: &[Key]) -> Result<Vec<Item>, Fault> {
        let keys = keys.iter().map(|(pk, sk)| {
            HashMap::from([
                ("pk".to_owned(), AttributeValue::S(pk.clone())),
                ("sk".to_owned(), AttributeValue::S(sk.clone())),
            ])
        });
        let asked = KeysAndAttributes::builder()
            .set_keys(Some(keys.collect()))
            .consistent_read(true)
            .build()
            .map_err(|_| Fault::Defect("keys"))?;
        let mut asked = Some(HashMap::from([(self.table.clone(), asked)]));
        let mut items = Vec::new();
        for _ in 0..ROUNDS {
            let answer = self
                .dynamodb
                .batch_get_item()
                .set_request_items(asked)
                .send()
                .await
                .map_err(|error| fault("the audit table", &error))?;
            items.extend(
                answer
                    .responses
                    .into_iter()
                    .flatten()
                    .flat_map(|(_, of)| of),
            );
            asked = answer.unprocessed_keys.filter(|left| !left.is_empty());
            if asked.is_none() {
                return Ok(items);
            }
        }
        Err(Fault::Unavailable {
            service: "the audit table",
            reason: Reason::Throttled,
        })
    }
}

pub(crate) struct Settled<'a> {
    all: &'a Everywhere,
    until: i64,
}

impl Copies for Settled<'_> {
    type Error = Fault;

    async fn checkpoints(&self, after: u64) -> Result<Vec<u64>, Fault> {
        let (after, last) = (checkpoint_key(after), checkpoint_key(u64::MAX));
        let keys = self
            .all
            .archive
            .keys("checkpoints/", &after, &last, CHECKPOINTS);
        let mut numbers = Vec::new();
        for number in keys.await?.iter().filter_map(|key| checkpoint_number(key)) {
            let object = self.checkpoint(number).await?;
            let signed = object.and_then(|object| Signed::read(&object));
            if signed.is_some_and(|signed| signed.checkpoint.at > self.until) {
                break;
            }
            numbers.push(number);
        }
        Ok(numbers)
    }

    async fn checkpoint(&self, number: u64) -> Result<Option<Vec<u8>>, Fault> {
        self.all.archive.get(&checkpoint_key(number)).await
    }

    async fn objects(&self, chain: u8, after: u64, to: u64) -> Result<Vec<Vec<u8>>, Fault> {
        if after == to {
            return Ok(Vec::new());
        }
        let folder = format!("chains/{chain}/");
        let (after, last) = (object_key(chain, after), object_key(chain, to));
        let keys = self
            .all
            .archive
            .keys(&folder, &after, &last, usize::MAX)
            .await?;
        let keys = keys.iter().filter(|key| first_line(key).is_some());
        let objects = keys.map(|key| self.all.archive.get(key));
        let objects = try_join_all(objects).await?;
        Ok(objects.into_iter().flatten().collect())
    }

    async fn log(
        &self,
        chain: u8,
        after: i64,
        to: i64,
    ) -> Result<Option<Vec<(i64, String)>>, Fault> {
        if after == to {
            return Ok(Some(Vec::new()));
        }
        self.all.log.get(chain, after + 1, to).await.map(Some)
    }

    async fn rows(&self, keys: Vec<Key>) -> Result<Option<BTreeMap<Key, Value>>, Fault> {
        let mut rows = BTreeMap::new();
        for keys in keys.chunks(KEYS) {
            let items = self.all.batch(keys).await?;
            let items = items.iter().map(plain);
            rows.extend(items.filter_map(|row| Some((key_of(&row)?, row))));
        }
        Ok(Some(rows))
    }
}

/// A row as records are archived: strings, and of what is none its type as well.
fn plain(item: &Item) -> Value {
    let attributes = item.iter().map(|(name, value)| {
        let value = match value {
            AttributeValue::S(text) => json!(text),
            AttributeValue::N(number) => json!({"N": number}),
            AttributeValue::Bool(flag) => json!({"BOOL": flag}),
            // No record has any; whatever it is, it is not what was archived.
            _ => Value::Null,
        };
        (name.clone(), value)
    });
    Value::Object(attributes.collect())
}
