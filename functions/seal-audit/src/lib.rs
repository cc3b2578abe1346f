//! Signs how far the chains of the audit archive have come. It signs what it has read and followed from
//! the checkpoint before, and nothing on anybody's word.

use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use aws_smithy_types::Blob;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::Fault;
use shared::api::audit_archive::SEAL_AUDIT;
use shared::audit::archive::{Archive, Ends, Mark, checkpoint_key, object_key};
use shared::audit::chain::{CHAINS, Head, follow};
use shared::audit::checkpoint::{Checkpoint, Signed};
use shared::audit::{Outcome, Record};
use shared::aws::{Aws, Resource, fault};
use shared::event::{Handle, Handled, events};
use shared::serve::Service;

const UNSEALED: Fault = Fault::Corrupt("the audit archive");

struct Handler {
    archive: Archive,
    ends: Ends,
    kms: aws_sdk_kms::Client,
    key: String,
}

impl Handle for Handler {
    async fn handle(&self, _: Value, _: &mut Record) -> Result<Handled, Fault> {
        let last = self.ends.head(Mark::Checkpoints).await?;
        let (before, previous) = if last.sequence == 0 {
            (Checkpoint::start(), String::new())
        } else {
            let object = self.archive.get(&checkpoint_key(last.sequence)).await?;
            let signed = object.and_then(|object| Signed::read(&object));
            let signed = signed.filter(|signed| signed.hash() == last.hash);
            let signed = signed.ok_or(UNSEALED)?;
            (signed.checkpoint, last.hash)
        };
        let mut chains = Vec::new();
        for (chain, from) in (0..CHAINS).zip(&before.chains) {
            chains.push(self.walk(chain, from).await?);
        }
        let checkpoint = Checkpoint {
            at: Timestamp::now().as_millisecond(),
            chains,
            number: before.number + 1,
            previous,
        };
        let sealed = self.seal(&checkpoint).await?;
        let end = Head {
            at: sealed.checkpoint.at,
            hash: sealed.hash(),
            sequence: sealed.checkpoint.number,
        };
        self.ends.advance(Mark::Checkpoints, &end).await?;
        Ok(Handled {
            answer: json!({"checkpoint": end.sequence}),
            writes: Vec::new(),
            outcome: Outcome::Success,
            reason: None,
        })
    }
}

impl Handler {
    /// Follows a chain from where it was to where it has come.
    async fn walk(&self, chain: u8, from: &Head) -> Result<Head, Fault> {
        // What is behind this end may not be in the log group yet.
        let end = self.ends.head(Mark::Chain(chain)).await?;
        let mut head = from.clone();
        while head.sequence < end.sequence {
            let key = object_key(chain, head.sequence + 1);
            let object = self.archive.get(&key).await?;
            let followed = object.and_then(|object| follow(&head, chain, &object));
            (_, head) = followed.ok_or(UNSEALED)?;
        }
        Ok(head)
    }

    /// Signs a checkpoint and puts it there; the one that is there, if another run was faster or this
    /// one's answer was lost.
    async fn seal(&self, checkpoint: &Checkpoint) -> Result<Signed, Fault> {
        let text = serde_json::to_string(checkpoint).map_err(|_| Fault::Defect("a checkpoint"))?;
        let signature = self
            .kms
            .sign()
            .key_id(&self.key)
            .message(Blob::new(text.as_bytes()))
            .message_type(MessageType::Raw)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
            .await
            .map_err(|error| fault("KMS", &error))?;
        let signature = signature.signature.ok_or(Fault::Defect("a signature"))?;
        let mut object = Signed::write(&text, signature.as_ref());
        let key = checkpoint_key(checkpoint.number);
        if !self.archive.put(&key, object.clone()).await? {
            let there = self.archive.get(&key).await?.ok_or(UNSEALED)?;
            object = String::from_utf8(there).map_err(|_| UNSEALED)?;
        }
        Signed::read(object.as_bytes()).ok_or(UNSEALED)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    events(
        aws,
        &SEAL_AUDIT,
        Handler {
            archive: Archive::new(aws)?,
            ends: Ends::new(aws)?,
            kms: aws.kms().clone(),
            key: aws.name(Resource::SigningKey)?,
        },
    )
}
