//! Reading an object of a bucket, within a limit.

use crate::aws::fault;
use crate::{Fault, Reason};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use std::time::Duration;

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

/// Reads an object of at most `limit` bytes, as it is at this moment, its last byte within a time:
/// the client's own ends when the first arrives.
pub(super) async fn read(
    client: &Client,
    bucket: &str,
    key: &str,
    limit: usize,
    within: Duration,
) -> Result<Opened, Fault> {
    const SLOW: Fault = Fault::Unavailable {
        service: "S3",
        reason: Reason::TimedOut,
    };
    let reading = whole(client, bucket, key, limit);
    tokio::time::timeout(within, reading)
        .await
        .unwrap_or(Err(SLOW))
}

async fn whole(client: &Client, bucket: &str, key: &str, limit: usize) -> Result<Opened, Fault> {
    const BROKEN: Fault = Fault::Unavailable {
        service: "S3",
        reason: Reason::Other,
    };
    let answer = client.get_object().bucket(bucket).key(key).send().await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if is_absent(&error) => return Ok(Opened::Gone),
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

/// Whether there is no such object. Who may not list a bucket is not told so: the answer is that the
/// caller may not do that, which is `s3:ListBucket` or nothing by name. Whoever lacks anything else,
/// such as the key, is told what.
fn is_absent<R>(error: &SdkError<GetObjectError, R>) -> bool {
    let Some(error) = error.as_service_error() else {
        return false;
    };
    let withheld = || {
        let message = error.message().unwrap_or_default();
        !message.contains("not authorized to perform") || message.contains(": s3:ListBucket on")
    };
    error.is_no_such_key() || (error.code() == Some("AccessDenied") && withheld())
}
