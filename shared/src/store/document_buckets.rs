//! The files of documents: quarantine, where anything may come in, and the documents bucket, where
//! only what was inspected is. Links to both are signed here; nothing in them tells whose file it is
//! but the patient's id, and nothing tells what it is.

use super::objects::{self, Opened};
use crate::Fault;
use crate::aws::{Aws, Resource, fault};
use crate::ids::{DocumentId, PatientId};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Config;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use std::time::Duration;

/// The key of a file, in both buckets.
pub fn file_key(patient: PatientId, document: DocumentId) -> String {
    format!("{patient}/{document}")
}

/// Whose file a key names, and which.
pub fn key_of_file(key: &str) -> Option<(PatientId, DocumentId)> {
    let (patient, document) = key.split_once('/')?;
    Some((patient.parse().ok()?, document.parse().ok()?))
}

fn lasting(seconds: u64) -> Result<PresigningConfig, Fault> {
    PresigningConfig::expires_in(Duration::from_secs(seconds))
        .map_err(|_| Fault::Defect("a link's time"))
}

/// What may be put at a key, and nothing else.
pub struct Admitted<'a> {
    pub content_type: &'a str,
    pub size: u64,
    /// SHA-256, in base64.
    pub sha256: &'a str,
}

/// So long reading an upload may take, its last byte included.
const READ_WITHIN: Duration = Duration::from_secs(12);

/// Where uploads come in.
pub struct Quarantine {
    client: Client,
    bucket: String,
}

impl Quarantine {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.s3().clone(),
            bucket: aws.name(Resource::QuarantineBucket)?,
        })
    }

    /// Signs a link that takes this one file, for so many seconds. Type, length, checksum and key are
    /// signed headers, which S3 holds the request to; `If-None-Match` keeps a second file from
    /// replacing the first while that is there. Once it is gone the link takes the file again, which
    /// the inspection finds settled and removes.
    pub async fn link(
        &self,
        key: &str,
        admitted: &Admitted<'_>,
        kms_key: &str,
        seconds: u64,
    ) -> Result<PresignedRequest, Fault> {
        let size = i64::try_from(admitted.size).map_err(|_| Fault::Defect("a file's size"))?;
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(admitted.content_type)
            .content_length(size)
            .checksum_sha256(admitted.sha256)
            .if_none_match("*")
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .ssekms_key_id(kms_key)
            .presigned(lasting(seconds)?)
            .await
            .map_err(|error| fault("S3", &error))
    }

    pub async fn read(&self, key: &str, limit: usize) -> Result<Opened, Fault> {
        objects::read(&self.client, &self.bucket, key, limit, READ_WITHIN).await
    }

    /// Removes what came in, if it is still there.
    pub async fn remove(&self, key: &str) -> Result<(), Fault> {
        remove(&self.client, &self.bucket, key).await
    }
}

/// Where inspected documents are.
pub struct DocumentFiles {
    client: Client,
    bucket: String,
}

impl DocumentFiles {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.s3().clone(),
            bucket: aws.name(Resource::DocumentsBucket)?,
        })
    }

    /// Keeps a file. S3 gives it out as an attachment under a name that tells nothing: metadata are
    /// not encrypted, and the real name would say what the patient has.
    pub async fn put(
        &self,
        key: &str,
        content_type: &str,
        extension: &str,
        kms_key: &str,
        bytes: Vec<u8>,
    ) -> Result<(), Fault> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
            .content_disposition(format!("attachment; filename=\"document.{extension}\""))
            .cache_control("no-store")
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .ssekms_key_id(kms_key)
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(Config::builder().timeout_config(patient()))
            .send()
            .await
            .map_err(|error| fault("S3", &error))?;
        Ok(())
    }

    /// Signs a link to a file, good for so many seconds.
    pub async fn link(&self, key: &str, seconds: u64) -> Result<PresignedRequest, Fault> {
        self.client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .presigned(lasting(seconds)?)
            .await
            .map_err(|error| fault("S3", &error))
    }

    pub async fn remove(&self, key: &str) -> Result<(), Fault> {
        remove(&self.client, &self.bucket, key).await
    }
}

/// A file takes longer than an answer of a few bytes; with everything else that an inspection does it
/// still ends before the function does.
fn patient() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(6))
        .operation_timeout(Duration::from_secs(7))
        .build()
}

async fn remove(client: &Client, bucket: &str, key: &str) -> Result<(), Fault> {
    client
        .delete_object()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .map_err(|error| fault("S3", &error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_key_is_two_ids_and_nothing_else() {
        let (patient, document) = (
            PatientId::new(Uuid::from_u128(1)),
            DocumentId::new(Uuid::from_u128(2)),
        );
        let key = file_key(patient, document);
        assert_eq!(key_of_file(&key), Some((patient, document)));
        for other in [
            "",
            "/",
            "a/b",
            &key[1..],
            &format!("{key}/x"),
            &format!("{key} "),
        ] {
            assert_eq!(key_of_file(other), None, "{other}");
        }
    }
}
