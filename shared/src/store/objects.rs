//! Reading an object of a bucket, within a limit.

use crate::aws::fault;
use crate::{Fault, Reason};
use aws_sdk_s3::Client;

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

/// Reads an object of at most `limit` bytes, as it is at this moment.
pub(super) async fn read(
    client: &Client,
    bucket: &str,
    key: &str,
    limit: usize,
) -> Result<Opened, Fault> {
    const BROKEN: Fault = Fault::Unavailable {
        service: "S3",
        reason: Reason::Other,
    };
    let answer = client.get_object().bucket(bucket).key(key).send().await;
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
