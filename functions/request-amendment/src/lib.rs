//! Asks the practice to amend the record.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::amendments::{
    Amendment, AmendmentRequest, KeyedAmendment, RequestAmendment, amendment_closed,
    too_many_amendments,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::{AmendmentId, PatientId};
use shared::phi::{Opener, Phi};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{Asked, Requests, SealedRow};

/// So many requests of a patient may wait at once: people have to read them.
const AT_MOST: usize = 20;

/// How many of a patient's requests are looked at for that.
const NEWEST: u8 = 100;

struct Handler {
    amendments: Requests<Amendment>,
    practice: Practice,
}

struct Found {
    newest: Vec<SealedRow>,
    /// What the account asked for with the same key.
    before: Option<AmendmentId>,
}

impl Revise<RequestAmendment> for Handler {
    type Found = Found;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        input: &KeyedAmendment,
    ) -> Result<Found, Problem> {
        let (newest, before) = tokio::join!(
            self.amendments.newest(whose, None, NEWEST),
            self.amendments
                .keyed(whose, input.account, &input.idempotency_key),
        );
        Ok(Found {
            newest: newest?.rows,
            before: before?,
        })
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        found: Found,
        input: KeyedAmendment,
    ) -> Result<Changed<AmendmentRequest>, Problem> {
        let now = Timestamp::now();
        let (new, key) = (input.amendment, &input.idempotency_key);
        let (writes, amendment) = if let Some(before) = found.before {
            let amendment = self.amendments.again(access, opener, before).await?;
            if !amendment.is(&new) {
                return Err(Problem::key_used_before());
            }
            (Vec::new(), amendment)
        } else {
            let mut waiting = 0;
            for row in &found.newest {
                let asked = Requests::<Amendment>::open(row, opener)?.asked;
                waiting += usize::from(asked.is_open());
            }
            if waiting >= AT_MOST {
                return Err(too_many_amendments());
            }
            let amendment = Amendment::requested(access, opener, new, &self.practice, now)?;
            let taken = amendment_closed();
            let writes = self
                .amendments
                .raise(access, opener, &amendment, key, &taken)?;
            (writes, amendment)
        };
        let id = amendment.id.to_string();
        let answer = AmendmentRequest::new(amendment, &self.practice, now);
        Ok(Changed::done(writes, Phi::new(answer)).regarding(id))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<RequestAmendment>(
        aws,
        Handler {
            amendments: Requests::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
