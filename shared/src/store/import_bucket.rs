//! The import bucket: what the record system sends (`inbox/`), where a long import goes on
//! (`continue/`), and what came of each file (`reports/`).

use crate::aws::{Aws, Resource, fault};
use crate::{Fault, Reason};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;

/// An object as it was read.
pub enum Opened {
    /// Its bytes, and the entity tag that changes with them.
    Bytes {
        bytes: Vec<u8>,
        etag: String,
    },
    TooLarge,
    /// There is no such object any more.
    Gone,
}

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
        const BROKEN: Fault = Fault::Unavailable {
            service: "S3",
            reason: Reason::Other,
        };
        let answer = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_key()) => {
                return Ok(Opened::Gone);
            }
            Err(error) => return Err(fault("S3", &error)),
        };
        let length = answer
            .content_length
            .and_then(|length| usize::try_from(length).ok());
        if length.is_some_and(|length| length > limit) {
            return Ok(Opened::TooLarge);
        }
        let mut bytes = Vec::with_capacity(length.unwrap_or(0));
        let mut body = answer.body;
        while let Some(part) = body.try_next().await.map_err(|_| BROKEN)? {
            if bytes.len() + part.len() > limit {
                return Ok(Opened::TooLarge);
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Opened::Bytes {
            bytes,
            etag: answer.e_tag.unwrap_or_default(),
        })
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
