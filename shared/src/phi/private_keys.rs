//! Private keys of messages, sealed by KMS itself: the call names the owner and the key, and KMS
//! opens nothing for another. Nothing is kept in memory.

use crate::Fault;
use crate::api::bytes::Digest;
use crate::api::message_keys::{Party, Secret};
use crate::aws::{Aws, Resource, fault};
use crate::store::PrivateKey;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use std::collections::HashMap;

/// Seals and opens private keys.
pub struct PrivateKeys {
    kms: Client,
    key: String,
}

/// What KMS binds a sealed key to, and CloudTrail shows.
fn context(owner: Party, key_id: &Digest) -> HashMap<String, String> {
    HashMap::from([
        ("owner".to_owned(), owner.to_string()),
        ("key".to_owned(), key_id.clone().into()),
    ])
}

impl PrivateKeys {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            kms: aws.kms().clone(),
            key: aws.name(Resource::MessageKey)?,
        })
    }

    pub async fn seal(
        &self,
        owner: Party,
        key_id: &Digest,
        secret: &Secret,
    ) -> Result<Vec<u8>, Fault> {
        let answer = self
            .kms
            .encrypt()
            .key_id(&self.key)
            .plaintext(Blob::new(secret.as_slice()))
            .set_encryption_context(Some(context(owner, key_id)))
            .send()
            .await
            .map_err(|error| fault("KMS", &error))?;
        let sealed = answer.ciphertext_blob;
        let sealed = sealed.ok_or(Fault::Corrupt("KMS sealed nothing"))?;
        Ok(sealed.into_inner())
    }

    pub async fn open(
        &self,
        owner: Party,
        key_id: &Digest,
        key: PrivateKey,
    ) -> Result<Secret, Fault> {
        let answer = self
            .kms
            .decrypt()
            .key_id(&self.key)
            .ciphertext_blob(Blob::new(key.sealed))
            .set_encryption_context(Some(context(owner, key_id)))
            .send()
            .await
            .map_err(|error| fault("KMS", &error))?;
        answer
            .plaintext
            .and_then(|plain| Secret::new(key.protection, plain.into_inner()))
            .ok_or(Fault::Corrupt("a private key"))
    }
}
