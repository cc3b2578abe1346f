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
use std::collections::BTreeMap;
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

/// A link that takes a file, and the headers to send with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Presigned {
    pub url: String,
    pub headers: BTreeMap<String, String>,
}

impl Presigned {
    /// Of the headers only those that are signed: on Lambda the SDK has its trace's besides, which the
    /// bucket's CORS rules let no browser send. `Host` every client sends of itself.
    fn of<'a>(url: &str, headers: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let signed = url
            .split(['?', '&'])
            .find_map(|parameter| parameter.strip_prefix("X-Amz-SignedHeaders="))
            .unwrap_or_default()
            .replace("%3B", ";");
        let sent = |name: &str| name != "host" && signed.split(';').any(|one| one == name);
        Self {
            url: url.to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .filter(|(name, _)| sent(name))
                .collect(),
        }
    }
}

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
    ) -> Result<Presigned, Fault> {
        let size = i64::try_from(admitted.size).map_err(|_| Fault::Defect("a file's size"))?;
        let link = self
            .client
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
            .map_err(|error| fault("S3", &error))?;
        Ok(Presigned::of(link.uri(), link.headers()))
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

    /// What the SDK adds on Lambda is not signed, and no browser may send it.
    #[test]
    fn what_is_not_signed_is_not_asked_for() {
        let url = "https://bucket.example/key?X-Amz-Date=1&X-Amz-SignedHeaders=content-type%3Bhost%3Bx-amz-a&b=c";
        let headers = [
            ("Content-Type", "image/jpeg"),
            ("host", "bucket.example"),
            ("x-amz-a", "1"),
            ("x-amzn-trace-id", "Root=1"),
        ];
        let link = Presigned::of(url, headers.into_iter());
        assert_eq!(link.url, url);
        let asked: Vec<_> = link
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(asked, [("content-type", "image/jpeg"), ("x-amz-a", "1")]);
        assert!(
            Presigned::of("https://bucket.example/key", headers.into_iter())
                .headers
                .is_empty()
        );
    }

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
