//! Keys of messages in the messages table: `KEYS#<owner>` is a log of public keys, `PRIVATE#<owner>`
//! has the private ones as KMS sealed them, `KEYS-OF#<patient>` says whose account is the patient's,
//! `DISCLOSURE#<account>` until when a privacy officer may unlock the practice's.

use super::disclosures::{ADMISSION, admission_key};
use super::{Item, Write, b, bytes, s, string};
use crate::Fault;
use crate::access::{Access, KeyOwner, Unproven};
use crate::api::bytes::Digest;
use crate::api::message_keys::{LoggedKey, Party, Protection, PublicKey, key_log_moved};
use crate::aws::{Aws, Resource, fault};
use crate::ids::{AccountId, PatientId};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use jiff::Timestamp;
use uuid::Uuid;

/// The part of the messages table that holds keys.
pub struct MessageKeys {
    client: Client,
    table: String,
}

fn logged(item: &Item) -> Result<LoggedKey, Fault> {
    const TORN: Fault = Fault::Corrupt("a row of a key log");
    let digest = |name| bytes(item, name).and_then(|bytes| Digest::new(bytes.to_vec()));
    let key = bytes(item, "public_key").and_then(|key| PublicKey::new(key.to_vec()));
    let at = string(item, "registered_at").and_then(|at| at.parse().ok());
    Ok(LoggedKey {
        key_id: digest("key_id").ok_or(TORN)?,
        public_key: key.ok_or(TORN)?,
        protection: protection(item)?,
        previous: digest("previous"),
        registered_at: at.ok_or(TORN)?,
    })
}

/// A row without a word of it is of a key that the portal protects.
fn protection(item: &Item) -> Result<Protection, Fault> {
    let protection = string(item, "protection").map_or(Ok(Protection::Portal), str::parse);
    protection.map_err(|_| Fault::Corrupt("who protects a key"))
}

/// A private key as KMS sealed it.
pub struct PrivateKey {
    pub protection: Protection,
    pub sealed: Vec<u8>,
}

/// That somebody may have the practice's key to disclose something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    pub grant: Uuid,
    pub until: Timestamp,
}

impl MessageKeys {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::MessagesTable)?,
        })
    }

    /// An owner's public keys, oldest first.
    pub async fn log(&self, owner: Party) -> Result<Vec<LoggedKey>, Fault> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(format!("KEYS#{owner}")))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        answer.items().iter().map(logged).collect()
    }

    /// The account by which a patient takes part, once it has a key.
    pub async fn account_of(
        &self,
        whose: &Unproven<PatientId>,
    ) -> Result<Option<AccountId>, Fault> {
        let item = self.item(keys_of(whose.patient()), "ACCOUNT".to_owned());
        let item = item.await?;
        item.as_ref()
            .and_then(|item| string(item, "account"))
            .map(str::parse)
            .transpose()
            .map_err(|_| Fault::Corrupt("whose keys are a patient's"))
    }

    /// A private key as KMS sealed it.
    pub async fn private(
        &self,
        _: &Unproven<KeyOwner>,
        owner: Party,
        key_id: &Digest,
    ) -> Result<Option<PrivateKey>, Fault> {
        let item = self.item(format!("PRIVATE#{owner}"), key_id.clone().into());
        let Some(item) = item.await? else {
            return Ok(None);
        };
        let sealed = bytes(&item, "wrapped").map(<[u8]>::to_vec);
        Ok(Some(PrivateKey {
            protection: protection(&item)?,
            sealed: sealed.ok_or(Fault::Corrupt("a private key's row"))?,
        }))
    }

    /// Whether the account may have the practice's key to disclose something, over or not.
    pub async fn admission(
        &self,
        _: &Unproven<KeyOwner>,
        account: AccountId,
    ) -> Result<Option<Admission>, Fault> {
        const TORN: Fault = Fault::Corrupt("an admission to the practice's key");
        let item = self.item(admission_key(account), ADMISSION.to_owned());
        let Some(item) = item.await? else {
            return Ok(None);
        };
        let grant = string(&item, "grant").and_then(|grant| grant.parse().ok());
        let until = string(&item, "until").and_then(|until| until.parse().ok());
        Ok(Some(Admission {
            grant: grant.ok_or(TORN)?,
            until: until.ok_or(TORN)?,
        }))
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

    /// The writes of a key behind the last of its owner's log. Nothing happens if there is another
    /// by then.
    pub fn register(
        &self,
        access: &Access<KeyOwner>,
        number: u32,
        key: &LoggedKey,
        sealed: Vec<u8>,
    ) -> Result<Vec<Write>, Fault> {
        let owner = access.owner();
        let mut public = Put::builder()
            .item("pk", s(format!("KEYS#{owner}")))
            .item("sk", s(format!("KEY#{number:04}")))
            .item("key_id", b(key.key_id.as_slice()))
            .item("public_key", b(key.public_key.as_slice()))
            .item("protection", s(key.protection.as_str()))
            .item("registered_at", s(key.registered_at.to_string()))
            .item("registered_by", s(access.account().to_string()))
            .condition_expression("attribute_not_exists(pk)");
        if let Some(previous) = &key.previous {
            public = public.item("previous", b(previous.as_slice()));
        }
        let private = Put::builder()
            .item("pk", s(format!("PRIVATE#{owner}")))
            .item("sk", s(key.key_id.clone()))
            .item("protection", s(key.protection.as_str()))
            .item("wrapped", b(sealed))
            .condition_expression("attribute_not_exists(pk)");
        let mut puts = vec![public, private];
        if let (Party::Account(account), Some(patient)) = (owner, access.caller().row.patient) {
            let of = Put::builder()
                .item("pk", s(keys_of(patient)))
                .item("sk", s("ACCOUNT"))
                .item("account", s(account.to_string()));
            puts.push(of);
        }
        let write = |put: PutBuilder| {
            let put = put.table_name(&self.table).build();
            let put = put.map_err(|_| Fault::Defect("a put"))?;
            Ok(Write {
                item: TransactWriteItem::builder().put(put).build(),
                conflict: key_log_moved(),
            })
        };
        puts.into_iter().map(write).collect()
    }
}

fn keys_of(patient: PatientId) -> String {
    format!("KEYS-OF#{patient}")
}
