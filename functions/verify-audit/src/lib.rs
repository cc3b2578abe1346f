//! Compares archive, log group and table with what was signed, from the last checkpoint that was looked
//! at. What is not as it was written is logged by the id of its record, counted, and on record.

mod copies;

use copies::Everywhere;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::Fault;
use shared::api::audit_archive::VERIFY_AUDIT;
use shared::audit::archive::{Ends, Mark};
use shared::audit::chain::Head;
use shared::audit::checkpoint::PublicKey;
use shared::audit::verify::walk;
use shared::audit::{Outcome, Record};
use shared::aws::{Aws, Resource, fault};
use shared::event::{Handle, Handled, events};
use shared::serve::Service;
use shared::telemetry;

/// How many findings a run names one by one.
const NAMED: usize = 100;

struct Handler {
    copies: Everywhere,
    ends: Ends,
    kms: aws_sdk_kms::Client,
    key: String,
    now: fn() -> Timestamp,
}

impl Handle for Handler {
    async fn handle(&self, _: Value, _: &mut Record) -> Result<Handled, Fault> {
        let key = self.public_key().await?;
        let verified = self.ends.head(Mark::Verified).await?;
        let copies = self.copies.settled((self.now)());
        let walked = walk(&copies, &key, verified.sequence, |_| ()).await?;
        let named = walked.findings.iter().take(NAMED).map(ToString::to_string);
        let named: Vec<String> = named.collect();
        for finding in &named {
            tracing::error!(finding, "the audit log is not whole");
        }
        if !walked.findings.is_empty() {
            telemetry::count(VERIFY_AUDIT.id, "AuditNotWhole");
        }
        // Each is told of once; the command tells of all of them, as often as it is asked.
        let end = Head {
            at: walked.last.at,
            hash: String::new(),
            sequence: walked.last.number,
        };
        self.ends.advance(Mark::Verified, &end).await?;
        Ok(Handled {
            answer: json!({
                "checkpoint": end.sequence,
                "records": walked.lines,
                "findings": named,
            }),
            writes: Vec::new(),
            outcome: Outcome::Success,
            reason: (!walked.findings.is_empty()).then_some("not-whole"),
        })
    }
}

impl Handler {
    async fn public_key(&self) -> Result<PublicKey, Fault> {
        let answer = self.kms.get_public_key().key_id(&self.key).send().await;
        let answer = answer.map_err(|error| fault("KMS", &error))?;
        let der = answer.public_key.ok_or(Fault::Defect("a public key"))?;
        Ok(PublicKey::from_der(der.into_inner()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    service_at(aws, Timestamp::now)
}

/// The same at another time.
pub fn service_at(aws: &Aws, now: fn() -> Timestamp) -> Result<Service, Fault> {
    events(
        aws,
        &VERIFY_AUDIT,
        Handler {
            copies: Everywhere::new(aws)?,
            ends: Ends::new(aws)?,
            kms: aws.kms().clone(),
            key: aws.name(Resource::SigningKey)?,
            now,
        },
    )
}
