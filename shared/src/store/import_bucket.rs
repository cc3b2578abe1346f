//! The import bucket: what the record system sends (`inbox/`), where a long import goes on
//! (`continue/`), and what came of each file (`reports/`).

use super::objects::{self, Opened};
use crate::Fault;
use crate::aws::{Aws, Resource, fault};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use std::time::Duration;

/// So long reading a file may take, its last byte included.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// The import bucket.
pub struct ImportBucket {
    client: Client,
    bucket: String,
}

impl ImportBucket {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.s3().clone(),
            bucket: aws.name(Resource::ImportBucket)?,
        })
    }

    /// Reads an object of at most `limit` bytes, as it is at this moment: of a file that was
    /// replaced while its import waited, only the last version counts.
    pub async fn read(&self, key: &str, limit: usize) -> Result<Opened, Fault> {
        objects::read(&self.client, &self.bucket, key, limit, READ_WITHIN).await
    }

    /// Writes a JSON object.
    pub async fn write(&self, key: &str, json: Vec<u8>) -> Result<(), Fault> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("application/json")
            .body(ByteStream::from(json))
            .send()
            .await
            .map_err(|error| fault("S3", &error))?;
        Ok(())
    }
}
